//! The command from outside: what it says, where, and with which exit code. Nothing here needs data.
#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
#![allow(clippy::print_stderr)] // What is skipped is said.

mod again;
mod conformance;
#[cfg(unix)]
mod databases;
mod declared;
mod first_hour;
#[cfg(unix)]
mod google_key;
mod governance;
#[cfg(unix)]
mod integrator;
mod learned;
// Shared with the tests of the crate that it was written for.
#[path = "../../../kepi-connect/src/service/mock.rs"]
mod mock;
#[cfg(unix)]
mod object_stores;
mod packs;
mod plugins;
#[cfg(unix)]
mod postgres_server;
mod pulling;
mod round_trip;
mod second_hour;
mod store;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

struct Said {
    code: i32,
    out: String,
    err: String,
}

fn kepi_with(folder: &Path, arguments: &[&str], input: &str) -> Said {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kepi"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("KEPI_PROJECT")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may be gone before all is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn kepi(folder: &Path, arguments: &[&str]) -> Said {
    kepi_with(folder, arguments, "")
}

/// The command with variables of its own.
fn kepi_in(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kepi"));
    command.args(arguments).current_dir(folder).env_remove("KEPI_PROJECT").envs(variables.iter().copied());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// A folder that has no project above it.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let folder = folder();
    let page = kepi(folder.path(), &["man"]);
    assert!(
        page.code == 0 && page.out.contains(".TH KEPI 1") && page.out.contains("Load files into the store"),
        "{}",
        page.out
    );
    let page = kepi(folder.path(), &["man", "store", "erase"]);
    assert!(page.out.contains("KEPI\\-STORE\\-ERASE") || page.out.contains("KEPI-STORE-ERASE"), "{}", page.out);
    assert!(page.out.contains("Loading such a file again brings the key back"), "{}", page.out);
    let no = kepi(folder.path(), &["man", "stroe"]);
    assert!(no.code == 2 && no.err.contains("there is no command `stroe`") && no.err.contains("store"), "{}", no.err);
    assert_eq!(kepi(folder.path(), &["man", "--output", "man1"]).code, 0);
    for page in ["kepi.1", "kepi-load.1", "kepi-store-backup.1", "kepi-plugin-add.1"] {
        assert!(folder.path().join("man1").join(page).is_file(), "{page}");
    }
}

#[test]
fn formats_that_are_not_there_are_refused_before_anything_runs() {
    let folder = folder();
    for arguments in [["query", "x", "--format", "parquet"], ["query", "x", "--output", "a.parquet"]] {
        let said = kepi(folder.path(), &arguments);
        assert_eq!(said.code, 2);
        assert!(said.err.starts_with("error: the format parquet is not there yet"), "{}", said.err);
    }
    assert_eq!(kepi(folder.path(), &["query", "x", "--output", "a.doc"]).code, 2);
}

#[test]
fn without_a_project_it_says_how_to_make_one() {
    let folder = folder();
    for arguments in [&["query", "show x"][..], &["load", "a.csv"], &["check"], &["list"], &["repl"], &["explain", "x"]]
    {
        let said = kepi(folder.path(), arguments);
        assert_eq!(said.code, 2, "{arguments:?}");
        assert!(said.err.contains("there is no project here") && said.err.contains("kepi init"), "{}", said.err);
    }
    let named = kepi(folder.path(), &["--project", "nowhere", "list"]);
    assert_eq!((named.code, named.err.lines().next()), (2, Some("error: there is no kepi.toml in nowhere")));
}

#[test]
fn usage_mistakes_are_two() {
    let folder = folder();
    for arguments in [
        &["load"][..],
        &["query", "a", "--timeout", "soon"],
        &["query", "a", "--threads", "0"],
        &["load", "a.csv", "--of", "customer"],
        &["load", "a.csv", "--source", "s", "--as", "orders"],
        &["query", "a", "-f", "b"],
        &["fly"],
        &["query"],
    ] {
        let said = kepi(folder.path(), arguments);
        assert_eq!(said.code, 2, "{arguments:?}: {}", said.err);
        assert_eq!(said.out, "");
    }
}

#[test]
fn a_missing_file_is_a_matter_of_files() {
    let folder = folder();
    let said = kepi(folder.path(), &["query", "-f", "nothing.kepi"]);
    assert_eq!(said.code, 4);
    assert!(said.err.starts_with("error: nothing.kepi cannot be read"), "{}", said.err);
}

#[test]
fn help_and_completions_are_data() {
    let folder = folder();
    let alone = kepi(folder.path(), &[]);
    assert_eq!(alone.code, 0);
    assert!(alone.out.contains("Usage: kepi") && alone.err.is_empty());
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = kepi(folder.path(), &["completions", shell]);
        assert!(said.code == 0 && said.out.contains("explain"), "{shell}");
    }
}

#[test]
fn init_makes_a_project_that_is_found_from_below() {
    let folder = folder();
    let said = kepi(folder.path(), &["init", "sales", "--template", "crm"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    assert!(said.err.contains("wrote sales/kepi.toml"), "{}", said.err);
    assert_eq!(kepi(folder.path(), &["init", "sales"]).code, 2);
    assert_eq!(kepi(&folder.path().join("sales/model"), &["list"]).code, 0);
}

#[test]
fn the_demo_leaves_other_folders_alone() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    std::fs::write(folder.path().join("mine/notes.txt"), "keep").unwrap();
    let said = kepi(folder.path(), &["demo", "mine"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("mine holds something that is not the demo"), "{}", said.err);
    assert_eq!(std::fs::read_dir(folder.path().join("mine")).unwrap().count(), 1);
}

#[test]
fn the_prompt_works_from_a_pipe() {
    let folder = folder();
    kepi(folder.path(), &["init", "."]);
    let said = kepi_with(folder.path(), &["repl"], "help\nformat svg\nformat\nquit\nformat xls\n");
    // A failure is said, the rest runs, and the exit code is that of the failure; nothing runs after `quit`.
    assert_eq!(said.code, 2);
    assert!(said.out.contains("explain QUERY") && said.out.ends_with("table\n"), "{}", said.out);
    assert!(said.err.contains("svg is not there yet") && !said.err.contains("xls"), "{}", said.err);
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = folder();
    let mut child = Command::new(env!("CARGO_BIN_EXE_kepi"))
        .args(["completions", "zsh"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn colours_appear_only_where_asked() {
    let folder = folder();
    assert!(!kepi(folder.path(), &["list"]).err.contains('\x1b'));
    assert!(kepi(folder.path(), &["--color", "always", "list"]).err.contains('\x1b'));
}

/// Five orders of two customers; one row has no amount that could be read.
const ORDERS: &str = "order_id,customer,ordered,amount,region
1,ada,2025-01-03,100.50,North
2,ada,2025-02-03,50,North
3,bob,2025-02-10,20,South
4,bob,2025-02-30,7,South
";
const MODEL: &str = r#"
entity customer key customer { region: text }
event orders of customer at ordered { amount: money(EUR)  region: text }
event new_customers = first(orders) per customer
metric revenue : money = sum(orders.amount) with better = "up"
source book from "orders.csv" { orders: at ordered, id order_id, of customer, amount, region }
"#;

/// A project with the orders loaded.
fn shop() -> (tempfile::TempDir, Said) {
    let folder = folder();
    assert_eq!(kepi(folder.path(), &["init", "."]).code, 0);
    std::fs::write(folder.path().join("model/shop.kepi"), MODEL).unwrap();
    std::fs::write(folder.path().join("orders.csv"), ORDERS).unwrap();
    let said = kepi(folder.path(), &["load", "orders.csv", "--source", "book"]);
    (folder, said)
}

#[test]
fn a_load_says_what_became_of_the_rows_and_adds_nothing_twice() {
    let (folder, said) = shop();
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    assert!(said.err.contains("orders  3 new"), "{}", said.err);
    assert!(said.err.contains("1 row is rejected") && said.err.contains("orders.csv:5:"), "{}", said.err);
    let again = kepi(folder.path(), &["load", "orders.csv", "--source", "book"]);
    assert!(again.code == 0 && again.err.contains("orders  3 known"), "{}", again.err);
    let strict = kepi(folder.path(), &["load", "orders.csv", "--source", "book", "--strict"]);
    assert_eq!(strict.code, 4, "{}", strict.err);
}

#[test]
fn a_query_gives_data_on_one_stream_and_words_on_the_other() {
    let (folder, _) = shop();
    let query = "show revenue per month during 2025 vs previous";
    let asked = |more: &[&str]| {
        let mut arguments = vec!["query", query, "--now", "2025-02-15"];
        arguments.extend(more);
        kepi(folder.path(), &arguments)
    };
    let csv = asked(&["--format", "csv"]);
    assert_eq!(csv.code, 0, "{}", csv.err);
    assert!(csv.out.starts_with("month,revenue,revenue previous,revenue change,revenue change %\n2025-01-01,100.5,"));
    assert!(csv.err.contains("* 2025-02"), "{}", csv.err);
    let json = asked(&["--format", "json"]);
    assert_eq!(json.err, "");
    assert!(json.out.contains("\"schema\": 1") && json.out.contains("[\"2025-01-01\", 100.5, "), "{}", json.out);
    let file = asked(&["--output", "board.md"]);
    assert_eq!((file.code, file.out.as_str()), (0, ""), "{}", file.err);
    let board = std::fs::read_to_string(folder.path().join("board.md")).unwrap();
    assert!(board.contains("| 2025-01 | 100.50 EUR |"), "{board}");
}

#[test]
fn several_mistakes_are_said_at_once_with_their_places() {
    let (folder, _) = shop();
    std::fs::write(folder.path().join("board.kepi"), "show revenu\nshow revenue by regio\n").unwrap();
    let said = kepi(folder.path(), &["query", "-f", "board.kepi"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.contains("board.kepi:1:6") && said.err.contains("board.kepi:2:"), "{}", said.err);
    let check = kepi(folder.path(), &["check", "board.kepi", "--json"]);
    assert_eq!(check.code, 1, "{}", check.err);
    assert!(check.out.contains("\"errors\": 2"), "{}", check.out);
}

#[test]
fn the_prompt_keeps_definitions_and_goes_on_after_a_mistake() {
    let (folder, _) = shop();
    let input = "metric big : count = count(orders where amount > 30 EUR)\n\
                 format csv\nshow big\n  by region\nshow bigg\nshow revenue\n";
    let said = kepi_with(folder.path(), &["repl"], input);
    assert_eq!(said.code, 1, "{}", said.err);
    assert_eq!(said.out, "region,big\nNorth,2\nrevenue\n170.5\n");
    assert!(said.err.contains("defined big") && said.err.contains("K201"), "{}", said.err);
}

/// A project with files, and nothing declared.
fn project_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = folder();
    assert_eq!(kepi(folder.path(), &["init", "."]).code, 0);
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn parts_of_a_table_are_the_table() {
    let parts = [("s/1.csv", "1,ada,2025-01-03,100.50,North\n"), ("s/2.csv", "2,bob,2025-02-03,50,South\n")];
    let head = ORDERS.lines().next().unwrap();
    let texts = parts.map(|(name, row)| (name, format!("{head}\n{row}")));
    let folder = project_with(&texts.each_ref().map(|(name, text)| (*name, text.as_str())));
    let load = |arguments: &[&str]| kepi(folder.path(), &[&["load"], arguments].concat());
    let first = load(&["s/*.csv", "--as", "orders"]);
    assert!(first.code == 0 && first.err.contains("orders  2 new"), "{}", first.err);
    for again in [&["s/*.csv"][..], &["s/2.csv"], &["s/1.csv", "s/2.csv"], &["s/2.csv", "s/1.csv", "--as", "orders"]] {
        let said = load(again);
        assert!(said.code == 0 && !said.err.contains("new"), "{again:?}: {}", said.err);
    }
    // `s/*.csv` reads what lies in `s`, not every CSV file.
    std::fs::copy(folder.path().join("s/1.csv"), folder.path().join("other.csv")).unwrap();
    let other = load(&["other.csv"]);
    assert!(other.code == 0 && other.err.contains("other  1 new"), "{}", other.err);
    let source = load(&["--source", "orders"]);
    assert!(source.code == 0 && source.err.contains("orders  2 known"), "{}", source.err);
}

#[test]
fn the_standard_input_is_looked_at_and_loaded() {
    let folder = project_with(&[]);
    let said = kepi_with(folder.path(), &["load", "-", "--as", "orders", "--at", "ordered"], ORDERS);
    assert!(said.code == 0 && said.err.contains("orders  3 new"), "{}", said.err);
    let again = kepi_with(folder.path(), &["load", "-", "--as", "orders"], ORDERS);
    assert!(again.code == 0 && again.err.contains("orders  3 known"), "{}", again.err);
    let undated = kepi_with(folder.path(), &["load", "-", "--as", "lists"], "id,name\n1,a\n2,b\n");
    assert!(undated.code == 0 && undated.err.contains("lists  2 new"), "{}", undated.err);
}

#[test]
fn what_cannot_be_a_table_of_events_declares_nothing() {
    let head = ORDERS.lines().next().unwrap();
    let folder = project_with(&[("orders.csv", ORDERS), ("head.csv", head), ("empty.csv", "")]);
    let cases = [
        (&["orders.csv", "--at", "region"][..], 4, "orders.csv: column `region` is no time"),
        (&["orders.csv", "--at", "when"], 4, "orders.csv has no column `when`"),
        (&["head.csv"], 4, "head.csv has names and no rows"),
        (&["empty.csv"], 4, "empty.csv is empty"),
    ];
    for (arguments, code, text) in cases {
        let said = kepi(folder.path(), &[&["load"], arguments].concat());
        assert!(said.code == code && said.err.contains(text), "{arguments:?}: {} {}", said.code, said.err);
    }
    assert_eq!(std::fs::read_dir(folder.path().join("model")).unwrap().count(), 1);
}

#[test]
fn the_flags_of_a_load_are_never_dropped() {
    let (folder, _) = shop();
    let load = |more: &[&str]| kepi(folder.path(), &[&["load", "orders.csv"], more].concat());
    let contradiction = load(&["--at", "region"]);
    assert_eq!(contradiction.code, 2);
    assert!(contradiction.err.contains("the source `book` does not take the time from `region`"));
    let filtered = load(&["--where", "region = \"South\""]);
    assert!(filtered.err.contains("orders  1 known, 2 left out"), "{}", filtered.err);
    std::fs::write(folder.path().join("bad.csv"), "order_id,customer,ordered,amount,region\n9,x,never,1,a\n").unwrap();
    let nothing = kepi(folder.path(), &["load", "bad.csv", "--source", "book"]);
    assert!(nothing.code == 4 && nothing.err.contains("bad.csv:2: column `ordered`"), "{}", nothing.err);
}

#[test]
fn mistakes_in_the_settings_have_a_place() {
    let folder = project_with(&[("kepi.toml", "currency = \"EUR\"\nnow = 3\n")]);
    let said = kepi(folder.path(), &["list"]);
    assert!(said.code == 2 && said.err.contains("kepi.toml:2:7: invalid type"), "{}", said.err);
    std::fs::write(folder.path().join("kepi.toml"), b"now = \"\xff\"").unwrap();
    assert!(kepi(folder.path(), &["list"]).err.contains("kepi.toml is not UTF-8"));
}

#[test]
fn a_time_limit_ends_a_running_plugin() {
    let (folder, _) = shop();
    let plugin = folder.path().join("plugins/slow");
    std::fs::create_dir_all(&plugin).unwrap();
    let manifest = "id = \"acme.slow\"\nversion = \"0.1.0\"\napi = \"0.1\"\nruntime = \"rhai\"\nprovides = [\"scalar\"]\n\
        file = \"slow.rhai\"\ndescription = \"Never ends.\"\n\n[[function]]\nname = \"spin\"\nkind = \"scalar\"\n\
        doc = \"Never ends.\"\nparams = [{ name = \"x\", kind = \"money\" }]\nreturns = \"money\"\n";
    std::fs::write(plugin.join("kepi-plugin.toml"), manifest).unwrap();
    // Each turn takes long, so that the limit of operations does not end it soon.
    std::fs::write(plugin.join("slow.rhai"), "fn spin(x) { let a = []; a.pad(20000, 1); loop { a.reverse(); } }\n")
        .unwrap();
    std::fs::write(folder.path().join("model/slow.kepi"), "use plugin \"acme.slow\" as slow\n").unwrap();
    let started = std::time::Instant::now();
    let said = kepi(folder.path(), &["query", "sum(slow.spin(orders.amount))", "--timeout", "300 ms"]);
    assert!(said.code == 1 && said.err.contains("took longer than its time limit"), "{}", said.err);
    assert!(started.elapsed() < std::time::Duration::from_secs(4), "{:?}", started.elapsed());
}

#[test]
fn a_connector_is_pulled_page_by_page() {
    let folder = project_with(&[
        (
            "model/tickets.kepi",
            "use plugin \"kepi.json-folder\" as json\n\
             event tickets at updated_at { score: number  note: text }\n\
             source tickets from \"json:tickets\" with folder = \"inbox\" {\n\
               tickets: at updated_at, id `id`, score, note\n}\n",
        ),
        (
            "inbox/tickets/1.jsonl",
            "{\"id\":1,\"updated_at\":\"2025-01-01T10:00:00Z\",\"score\":3,\"note\":\"a\"}\n\
          {\"id\":2,\"updated_at\":\"2025-01-01T10:00:00Z\",\"score\":4}\n",
        ),
    ]);
    let sync = |more: &[&str]| kepi(folder.path(), &[&["sync", "tickets"], more].concat());
    let first = sync(&["--limit", "1"]);
    assert!(first.code == 0 && first.err.contains("tickets  1 new"), "{}", first.err);
    // The second page has no `note`, and the third one does not exist.
    let second = sync(&[]);
    assert!(second.code == 0 && second.err.contains("tickets  1 new"), "{}", second.err);
    assert!(second.err.contains("no record that was pulled has note"), "{}", second.err);
    assert!(sync(&[]).err.contains("`tickets` has nothing new"));
    assert!(sync(&["--full"]).err.contains("tickets  2 known"));
    let loaded = kepi(folder.path(), &["load", "--source", "tickets"]);
    assert!(loaded.code == 2 && loaded.err.contains("kepi sync tickets"), "{}", loaded.err);
}
