//! Scripts that break limits or rules: each ends with its message, and its line where there is one.

#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.

use crate::{Found, Limits, Settings, load};
use arrow_array::{Array, ArrayRef, Float64Array};
use kepi_extension::{Connector, ConnectorHost, Page, PageRequest};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const HEAD: &str = "id = \"test.script\"\nversion = \"1\"\napi = \"0.1\"\nruntime = \"rhai\"\nfile = \"t.rhai\"\n";

/// So little time that a loop ends soon; only for scripts that are to run into it.
fn hasty() -> Settings {
    let limits = Limits { wall_time_max: Duration::from_millis(300), ..Limits::default() };
    Settings { limits, ..Settings::default() }
}

fn found(manifest: &str, script: &str) -> Found {
    let manifest = crate::Manifest::parse("kepi-plugin.toml".as_ref(), &format!("{HEAD}{manifest}")).unwrap();
    let shipped: &'static [u8] = Vec::leak(script.as_bytes().to_vec());
    Found { manifest, folder: "test".into(), shipped: Some(shipped), manifest_hash: String::new(), pinned: None }
}

/// Calls `f(x)` of a script for three rows.
fn call_with(script: &str, returns: &str, settings: &Settings) -> Result<ArrayRef, String> {
    let function = format!(
        "provides = [\"scalar\"]\n[[function]]\nname = \"f\"\nkind = \"scalar\"\ndoc = \"d\"\nparams = [{{ name = \"x\", kind = \"number\" }}]\nreturns = \"{returns}\"\n"
    );
    let loaded = load(&found(&function, script), "p", settings).unwrap();
    let rows: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(3.0)]));
    loaded.functions().scalars["p.f"].call(3, &[rows]).map_err(|e| e.to_string())
}

fn said(script: &str) -> String {
    call_with(script, "number", &Settings::default()).unwrap_err()
}

/// The message behind "the plugin test.script failed in p.f: ".
fn failed(script: &str) -> String {
    let message = said(script);
    message.strip_prefix("the plugin test.script failed in p.f: ").unwrap_or_else(|| panic!("{message}")).to_string()
}

/// The limit in "the plugin test.script exceeded its … in p.f".
fn exceeded(script: &str) -> String {
    let message = said(script);
    let limit = message.strip_prefix("the plugin test.script exceeded its ").and_then(|m| m.strip_suffix(" in p.f"));
    limit.unwrap_or_else(|| panic!("{message}")).to_string()
}

#[test]
fn loops_end() {
    let begin = Instant::now();
    let limits = Limits { script_operations_max: u64::MAX, ..hasty().limits };
    let by_time = call_with("fn f(x) { loop { } }", "number", &Settings { limits, ..hasty() }).unwrap_err();
    assert_eq!(by_time, "the plugin test.script exceeded its 300 ms in p.f");
    let limits = Limits { script_operations_max: 10_000, ..Limits::default() };
    let by_count = call_with("fn f(x) { loop { } }", "number", &Settings { limits, ..hasty() }).unwrap_err();
    assert_eq!(by_count, "the plugin test.script exceeded its 10000 operations in p.f");
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn many_short_rows_end_too() {
    let settings =
        Settings { limits: Limits { wall_time_max: Duration::from_millis(1), ..Limits::default() }, ..hasty() };
    let function = "provides = [\"scalar\"]\n[[function]]\nname = \"f\"\nkind = \"scalar\"\ndoc = \"d\"\nparams = [{ name = \"x\", kind = \"number\" }]\nreturns = \"number\"\n";
    let loaded = load(&found(function, "fn f(x) { let y = 0; for i in 0..60 { y += i; } y }"), "p", &settings).unwrap();
    let rows: ArrayRef = Arc::new(Float64Array::from(vec![1.0; 16_384]));
    let message = loaded.functions().scalars["p.f"].call(16_384, &[rows]).unwrap_err().to_string();
    assert_eq!(message, "the plugin test.script exceeded its 1 ms in p.f");
}

#[test]
fn recursion_ends() {
    assert_eq!(exceeded("fn f(x) { f(x + 1) }"), "32 calls within calls");
    assert_eq!(exceeded("fn f(x) { g(x) + 1 } fn g(x) { [1].map(|y| f(y))[0] }"), "32 calls within calls");
}

#[test]
fn data_are_limited() {
    assert_eq!(exceeded("fn f(x) { let s = \"x\"; loop { s += s; } }"), "16 MiB of text");
    assert_eq!(exceeded("fn f(x) { let s = \"x\"; s.pad(99999999, \"y\"); s.len() }"), "16 MiB of text");
    assert_eq!(exceeded("fn f(x) { let a = [1, 2]; loop { a += a; } }"), "100000 items of an array");
    assert_eq!(exceeded("fn f(x) { let a = []; a.pad(99999999, 1); a.len() }"), "100000 items of an array");
    assert_eq!(exceeded("fn f(x) { blob(99999999).len() }"), "100000 items of an array");
    let variables = (0..100).map(|i| format!("let v{i} = {i};")).collect::<String>();
    assert_eq!(exceeded(&format!("fn f(x) {{ {variables} 1 }}")), "64 variables");
}

#[test]
fn deeply_nested_data_are_walked_and_dropped() {
    // Nesting is dropped by recursion: the stack must hold out until a limit is met. Small steps would take long, since
    // each looks at the whole; doubling the depth by a chain of copies does not exist, so the time limit may come first.
    let message = call_with("fn f(x) { let a = []; loop { a = [a]; } }", "number", &hasty()).unwrap_err();
    let limits = ["300 ms", "100000 items of an array", "10000000 operations"];
    assert!(limits.iter().any(|l| message == format!("the plugin test.script exceeded its {l} in p.f")), "{message}");
    // The caller's stack may be small: nothing that is nested may get there.
    std::thread::scope(|scope| {
        let call = || failed("fn f(x) { let a = []; for i in 0..1200 { a = [a]; } a }");
        let given =
            std::thread::Builder::new().stack_size(128 << 10).spawn_scoped(scope, call).unwrap().join().unwrap();
        assert_eq!(given, "it gave a value of type array where a number was due");
    });
    let nested = format!("fn f(x) {{ parse_json(\"{}\") }}", "[".repeat(5_000));
    assert!(failed(&nested).contains("no JSON: recursion limit exceeded"), "{nested:.40}");
    let source = format!("fn f(x) {{ {}1{} }}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(failed(&source).contains("t.rhai:1: "), "an expression that is too deep is refused when it is read");
}

#[test]
fn errors_carry_the_line() {
    assert_eq!(failed("fn f(x) {\n  let y = 0;\n  1 / y\n}"), "t.rhai:3: Division by zero: 1 / 0");
    assert_eq!(failed("fn f(x) {\n  g(x)\n}\nfn g(x) {\n  throw \"no luck\";\n}"), "t.rhai:5: no luck");
    assert_eq!(failed("fn f(x) {\n  x.absent\n}").split(": ").next(), Some("t.rhai:2"));
    assert_eq!(failed("fn f(x) {\n  1 +* 2\n}").split(": ").next(), Some("t.rhai:2"));
    assert_eq!(failed("fn f(x, y) { 1 }"), "t.rhai has no function f(x), which kepi-plugin.toml promises");
    assert_eq!(said("fn f(x) { throw bad_argument(\"too small\") }"), "p.f does not take this: too small");
}

#[test]
fn nothing_is_ambient() {
    for (script, expected) in [
        ("fn f(x) { eval(\"1\") }", "eval"),
        ("import \"other\" as o; fn f(x) { 1 }", "import"),
        ("fn f(x) { timestamp(); 1 }", "t.rhai:1: a script has no clock but now()"),
        ("fn f(x) { sleep(1000); 1 }", "t.rhai:1: a script cannot sleep"),
        ("fn f(x) { sleep(1.5); 1 }", "t.rhai:1: a script cannot sleep"),
        ("fn f(x) { now() }", "t.rhai:1: only a connector has a host to ask"),
        (
            "fn f(x) { read_file(\"a\"); 1 }",
            "t.rhai:1: kepi-plugin.toml does not ask for files: [capabilities] files = \"read\"",
        ),
    ] {
        let message = failed(script);
        assert!(message.contains(expected), "{script}: {message}");
    }
    assert_eq!(exceeded("fn f(x) { loop { print(\"again\"); } }"), "1000 calls of its host");
}

#[test]
fn results_are_typed() {
    let wrong = call_with("fn f(x) { \"a\" }", "number", &Settings::default()).unwrap_err();
    assert!(wrong.ends_with("it gave a value of type string where a number was due"), "{wrong}");
    let fraction = call_with("fn f(x) { 1.5 }", "count", &Settings::default()).unwrap_err();
    assert!(fraction.ends_with("it gave a value of type f64 where a whole number was due"), "{fraction}");
    let texts = call_with("fn f(x) { `v${x}` }", "text", &Settings::default()).unwrap();
    assert_eq!((texts.len(), texts.null_count()), (3, 1));
    let infinite = call_with("fn f(x) { x / 0.0 }", "number", &Settings::default()).unwrap();
    assert_eq!(infinite.null_count(), 3);
}

/// A host that keeps what was said, and has one file.
#[derive(Default)]
struct Host(Mutex<Vec<String>>);

impl ConnectorHost for Host {
    fn read_file(&self, path: &str) -> Result<String, String> {
        if path == "a" { Ok("text".to_string()) } else { Err(format!("no file {path}")) }
    }

    fn list_files(&self, pattern: &str) -> Result<Vec<String>, String> {
        Ok(vec![pattern.to_string()])
    }

    fn now(&self) -> i64 {
        42
    }

    fn log(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_string());
    }
}

const READS: &str = "provides = [\"connector\"]\ncapabilities = { files = \"read\" }\n";

fn connector(manifest: &str, script: &str) -> Arc<dyn Connector> {
    let script = format!("fn streams() {{ [\"a\", \"b\"] }}\nfn read(request) {{ {script} }}");
    load(&found(manifest, &script), "p", &Settings::default()).unwrap().connector().unwrap()
}

fn read_with(manifest: &str, script: &str, host: &Host) -> Result<Page, String> {
    let cursor = Some("{\"n\":1}".to_string());
    let request = PageRequest {
        stream: "a".to_string(),
        config: "{\"k\": [1, 2.5]}".to_string(),
        cursor,
        page_size: 10,
        since: None,
    };
    connector(manifest, script).read(&request, host).map_err(|e| e.to_string())
}

fn read(script: &str) -> Result<Page, String> {
    read_with(READS, script, &Host::default())
}

#[test]
fn a_connector_sees_the_request_and_its_host() {
    let host = Host::default();
    let streams = connector(READS, "1").discover("{}", &host).unwrap();
    assert_eq!(streams.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let script = "log(\"hello\\n\\u001b\"); print(now());
        let record = #{ s: request.stream, c: request.config.k[1], n: request.cursor.n, p: request.page_size,
                        f: read_file(\"a\"), l: list_files(\"*.x\") };
        #{ records: [record, `{\"z\": 1.50}`], cursor: #{ n: 2 }, more: true }";
    let page = read_with(READS, script, &host).unwrap();
    let first = r#"{"c":2.5,"f":"text","l":["*.x"],"n":1,"p":10,"s":"a"}"#;
    assert_eq!(page.records, [first, r#"{"z": 1.50}"#]);
    assert_eq!((page.cursor.as_deref(), page.more), (Some("{\"n\":2}"), true));
    assert_eq!(*host.0.lock().unwrap(), ["hello / \\u{1b}", "42"]);
}

#[test]
fn pages_are_checked() {
    let wrong = |script: &str| read(script).unwrap_err();
    for (script, expected) in [
        ("1", "it gave no map"),
        ("#{ cursor: 1, more: true }", "records is no array"),
        ("#{ records: [], more: 1 }", "more is neither true nor false"),
        ("#{ records: [], more: true }", "there is more, but no cursor"),
        ("#{ records: [], more: false, state: 1 }", "state is not known"),
        ("#{ records: [1], more: false }", "record 0 is of type i64, not a map"),
        ("#{ records: [`[1]`], more: false }", "record 0 is a text, but no JSON object"),
        ("#{ records: [#{ f: || 1 }], more: false }", "cannot be written as JSON"),
        ("#{ records: [], cursor: request.cursor, more: true }", "the cursor is that of the page before"),
        ("read_file(\"b\")", "t.rhai:2: no file b"),
    ] {
        let message = wrong(script);
        assert!(message.contains(expected), "{script}: {message}");
        assert!(message.starts_with("the plugin test.script failed in read: "), "{message}");
    }
    let long = wrong("let s = \"x\"; s.pad(70000, \"y\"); #{ records: [], cursor: s, more: true }");
    assert_eq!(long, "the plugin test.script exceeded its 64 KiB of a cursor in read");
    let many = wrong("let a = []; a.pad(10001, `{}`); #{ records: a, more: false }");
    assert_eq!(many, "the plugin test.script exceeded its 10000 records of a page in read");
}

#[test]
fn files_have_to_be_asked_for_in_the_manifest() {
    let message = read_with("provides = [\"connector\"]\n", "read_file(\"a\")", &Host::default()).unwrap_err();
    assert!(message.ends_with("does not ask for files: [capabilities] files = \"read\""), "{message}");
    let listed = read_with("provides = [\"connector\"]\n", "list_files(\"*\")", &Host::default()).unwrap_err();
    assert!(listed.contains("does not ask for files"), "{listed}");
}

/// The value of an aggregate `f(x, t)` of a script for the groups (1, 2, 4) and (10), with a text beside each number.
fn aggregated(script: &str) -> Result<Vec<Option<f64>>, String> {
    let function = "provides = [\"aggregate\"]\n[[function]]\nname = \"f\"\nkind = \"aggregate\"\ndoc = \"d\"\nparams = [{ name = \"x\", kind = \"number\" }, { name = \"t\", kind = \"text\" }]\nreturns = \"number\"\n";
    let limits = Limits { script_array_items_max: 1_000, gathered_bytes_max: 1 << 20, ..Limits::default() };
    let settings = Settings { limits, ..Settings::default() };
    let loaded = load(&found(function, script), "p", &settings).unwrap();
    let aggregate = Arc::clone(&loaded.functions().aggregates["p.f"]);
    let part = |groups: &[u32], values: &[f64]| {
        let mut accumulator = aggregate.start().unwrap();
        let texts = arrow_array::StringArray::from_iter_values(values.iter().map(|v| format!("t{v}")));
        let args: [ArrayRef; 2] = [Arc::new(Float64Array::from(values.to_vec())), Arc::new(texts)];
        accumulator.update(groups, 3, &args).unwrap();
        accumulator
    };
    let mut first = part(&[0, 1, 0], &[1.0, 10.0, 2.0]);
    let mut second = part(&[0], &[4.0]);
    first.merge(&[0, 1, 2], 3, &second.save().unwrap()).unwrap();
    let values = first.finish().map_err(|e| e.to_string())?;
    Ok(values.as_any().downcast_ref::<Float64Array>().unwrap().iter().collect())
}

#[test]
fn an_aggregate_sees_each_group_whole() {
    // A group without rows is missing, and the script is not asked.
    assert_eq!(aggregated("fn f(x, t) { sum(x) }"), Ok(vec![Some(7.0), Some(10.0), None]));
    assert_eq!(aggregated("fn f(x, t) { x.len }"), Ok(vec![Some(3.0), Some(1.0), None]));
    assert_eq!(aggregated("fn f(x, t) { quantile(x, 0.5) }"), Ok(vec![Some(2.0), Some(10.0), None]));
    assert_eq!(aggregated("fn f(x, t) { x[0] + mean(x) * 3.0 }"), Ok(vec![Some(8.0), Some(40.0), None]));
    assert_eq!(aggregated("fn f(x, t) { dot(sorted(x), places(x)) }"), Ok(vec![Some(17.0), Some(10.0), None]));
    assert_eq!(aggregated("fn f(x, t) { max(cumulated(x)) - min(x) }"), Ok(vec![Some(6.0), Some(0.0), None]));
    assert_eq!(aggregated("fn f(x, t) { stddev(x) }").unwrap()[1..], [None, None]);
    assert_eq!(aggregated("fn f(x, t) { if t[0] == \"t1\" { return; } 5 }"), Ok(vec![None, Some(5.0), None]));
    let sum = "fn f(x, t) { let s = 0.0; for y in x.to_array() { s += y; } s }";
    assert_eq!(aggregated(sum), Ok(vec![Some(7.0), Some(10.0), None]));
}

#[test]
fn an_aggregate_sees_rows_in_the_order_of_time_whatever_the_order_of_parts() {
    let function = "provides = [\"aggregate\"]\n[[function]]\nname = \"f\"\nkind = \"aggregate\"\ndoc = \"d\"\nparams = [{ name = \"x\", kind = \"number\" }]\nreturns = \"number\"\n";
    let script = "fn f(x) { x[0] * 100.0 + x[1] * 10.0 + x[2] }";
    let loaded = load(&found(function, script), "p", &Settings::default()).unwrap();
    let aggregate = Arc::clone(&loaded.functions().aggregates["p.f"]);
    let part = |values: &[f64], moments: &[i64]| {
        let mut accumulator = aggregate.start().unwrap();
        let rows: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        accumulator.update_at(&vec![0; values.len()], 1, &[rows], moments).unwrap();
        accumulator.save().unwrap()
    };
    let value = |states: &[Vec<u8>]| {
        let mut accumulator = aggregate.start().unwrap();
        accumulator.merge(&vec![0; states.len()], 1, states).unwrap();
        accumulator.finish().unwrap().as_any().downcast_ref::<Float64Array>().unwrap().value(0)
    };
    let (early, late) = (part(&[3.0, 1.0], &[30, 10]), part(&[2.0], &[20]));
    assert_eq!(value(&[early.clone(), late.clone()].concat()), 123.0);
    assert_eq!(value(&[late, early].concat()), 123.0);
    // Rows of one moment stay as they come.
    assert_eq!(value(&[part(&[7.0, 8.0], &[5, 5]), part(&[9.0], &[5])].concat()), 789.0);
}

#[test]
fn an_aggregate_that_fails_says_its_line() {
    let failed = |script: &str| aggregated(script).unwrap_err();
    assert_eq!(
        failed("fn f(x, t) {\n  x[7]\n}"),
        "the plugin test.script failed in p.f: t.rhai:2: there is no number 7 among 3"
    );
    assert_eq!(failed("fn f(x, t) { throw bad_argument(\"too few\") }"), "p.f does not take this: too few");
    assert!(failed("fn f(x, t) { \"no number\" }").contains("where a number was due"));
    assert!(failed("fn f(x, t) { quantile(x, 2.0) }").contains("a part between 0.0 and 1.0"));
    assert_eq!(
        failed("fn f(x, t) { let a = []; loop { a.push(1); } }"),
        "the plugin test.script exceeded its 1000 items of an array in p.f"
    );
}

#[test]
fn a_series_gives_what_was_wanted() {
    let function = "provides = [\"series\"]\n[[function]]\nname = \"f\"\nkind = \"series\"\ndoc = \"d\"\nparams = [{ name = \"x\", kind = \"number\" }, { name = \"by\", kind = \"number\", constant = true, optional = true }]\nreturns = \"same as x\"\n";
    let extended = |script: &str, constants: &[ArrayRef]| {
        let loaded = load(&found(function, script), "p", &Settings::default()).unwrap();
        let past: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(3.0)]));
        let answer = loaded.functions().series["p.f"].extend(&past, Some(12), 2, constants);
        answer.map(|a| a.as_any().downcast_ref::<Float64Array>().unwrap().iter().collect::<Vec<_>>())
    };
    let by: ArrayRef = Arc::new(Float64Array::from(vec![0.5]));
    let script = "fn f(past, season, wanted, by) { [past[2] + by, if past[1] == () { season } else { 0 }] }";
    assert_eq!(extended(script, &[by]).unwrap(), [Some(3.5), Some(12.0)]);
    let script = "fn f(past, season, wanted, by) { [by, past[0]] }";
    assert_eq!(extended(script, &[]).unwrap(), [None, Some(1.0)]);
    let error = extended("fn f(past, season, wanted, by) { [1.0] }", &[]).unwrap_err();
    assert_eq!(error.to_string(), "the plugin test.script failed in p.f: f(…) gave 1 values where 2 were due");
}
