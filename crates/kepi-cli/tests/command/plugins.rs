//! `kepi plugin`: what a plugin asks for is shown, granted, remembered and compared.

use super::{kepi, kepi_in, project_with};
use std::fs;

const MANIFEST: &str = "id = \"acme.crm\"\nversion = \"0.1.0\"\napi = \"0.1\"\nruntime = \"rhai\"\nprovides = [\"connector\"]\n\
    file = \"crm.rhai\"\ndescription = \"Orders.\"\n[capabilities]\nfiles = \"read\"\nhosts = [\"crm.example.com\"]\nsecrets = [\"CRM_TOKEN\"]\n";
const SCRIPT: &str = "fn streams() { [] }\nfn read(request) { #{ records: [], cursor: (), more: false } }\n";

#[test]
fn what_is_asked_for_is_shown_before_it_is_granted() {
    let folder = project_with(&[("plugins/crm/kepi-plugin.toml", MANIFEST), ("plugins/crm/crm.rhai", SCRIPT)]);
    let plugin = |arguments: &[&str]| kepi(folder.path(), &[&["plugin"], arguments].concat());
    let asks = "acme.crm 0.1.0: Orders.\nit asks:\n  to call the host crm.example.com\n  \
                to have kepi send the secret CRM_TOKEN\n  to read the files of the one folder that its source names\n";
    // Nobody at a terminal: nothing is granted in silence.
    let refused = plugin(&["add", "acme.crm"]);
    assert_eq!(refused.code, 2);
    assert_eq!(
        refused.err,
        format!("{asks}error: nobody is there to be asked\nhint: `--yes` grants it without a question\n")
    );
    let lock = folder.path().join("kepi.lock");
    assert!(!lock.exists());
    let audit = plugin(&["audit"]);
    assert!(audit.code == 1 && audit.err.contains("acme.crm: it was not added, and asks to call"), "{}", audit.err);
    let listed = plugin(&["list"]).out;
    let first: Vec<&str> = listed.lines().next().unwrap().split_whitespace().collect();
    assert!(first.ends_with(&["rhai", "connector", "not", "added"]), "{listed}");
    let added = plugin(&["add", "acme.crm", "--yes"]);
    assert!(added.code == 0 && added.err.starts_with(asks), "{}", added.err);
    let text = fs::read_to_string(&lock).unwrap();
    assert!(text.contains("[plugin.\"acme.crm\"]") && text.contains("from = \"plugins/crm\""), "{text}");
    assert!(
        text.contains("hosts = [\"crm.example.com\"]")
            && text.lines().any(|l| l.starts_with("file = ") && l.len() == "file = ".len() + 66),
        "{text}"
    );
    let audit = plugin(&["audit"]);
    assert!(audit.code == 0 && audit.out.contains("acme.crm 0.1.0 may\n  to call the host crm.example.com"));
    assert!(plugin(&["add", "acme.crm"]).err.contains("it is added already, just as it is"));
    // A wider request is told before it is granted anew.
    let wider = MANIFEST.replace("hosts = [", "sees_secrets = true\nhosts = [\"other.example.com\", ");
    fs::write(folder.path().join("plugins/crm/kepi-plugin.toml"), wider).unwrap();
    let audit = plugin(&["audit"]);
    for told in [
        "kepi-plugin.toml has changed",
        "it asks for the host other.example.com, which was not granted",
        "it asks to see its secrets, which was not granted",
    ] {
        assert!(audit.code == 1 && audit.err.contains(told), "{}", audit.err);
    }
    let again = plugin(&["add", "acme.crm", "--yes"]);
    assert!(again.err.contains("since it was added: it asks for the host other.example.com"), "{}", again.err);
    assert!(again.err.contains("  to see the secret CRM_TOKEN"), "{}", again.err);
    assert_eq!(plugin(&["audit"]).code, 0);
    assert_eq!(plugin(&["remove", "acme.crm", "--files"]).code, 0);
    assert!(!lock.exists() && !folder.path().join("plugins/crm").exists());
    assert_eq!(plugin(&["remove", "acme.crm"]).code, 2);
}

#[test]
fn a_plugin_from_elsewhere_is_copied_with_what_runs() {
    let elsewhere = project_with(&[
        ("crm/kepi-plugin.toml", MANIFEST),
        ("crm/crm.rhai", SCRIPT),
        ("crm/notes.txt", "not for others"),
    ]);
    let folder = project_with(&[("model/a.kepi", "use plugin \"acme.crm\" as crm\n")]);
    let from = elsewhere.path().join("crm").display().to_string();
    assert_eq!(kepi(folder.path(), &["plugin", "add", &from, "--yes"]).code, 0);
    assert!(folder.path().join("plugins/crm/crm.rhai").is_file());
    assert!(!folder.path().join("plugins/crm/notes.txt").exists());
    assert_eq!(kepi(folder.path(), &["plugin", "audit"]).code, 0);
    assert_eq!(kepi(folder.path(), &["check"]).code, 0);
    // What is in the lock and has changed is refused wherever it is used.
    fs::write(folder.path().join("plugins/crm/crm.rhai"), format!("{SCRIPT}\n// more\n")).unwrap();
    let checked = kepi(folder.path(), &["check"]);
    let told = "the plugin `acme.crm` is not what was added: crm.rhai has changed";
    assert!(checked.code == 1 && checked.err.contains(told), "{}{}", checked.out, checked.err);
    fs::remove_dir_all(folder.path().join("plugins/crm")).unwrap();
    let audit = kepi(folder.path(), &["plugin", "audit"]);
    assert!(audit.err.contains("acme.crm: it is in kepi.lock, and no folder has it"), "{}", audit.err);
}

#[test]
fn what_cannot_be_added_is_refused_in_words() {
    let folder = project_with(&[
        ("plugins/crm/kepi-plugin.toml", &MANIFEST.replace("crm.example.com", "*.com")),
        ("plugins/crm/crm.rhai", SCRIPT),
    ]);
    for (plugin, told) in [
        ("acme.crm", "the plugin acme.crm: `*.com` grants too much"),
        ("kepi.hubspot", "kepi.hubspot is part of kepi, and needs not be added"),
        ("acme.other", "there is no plugin `acme.other` in plugins/"),
    ] {
        let said = kepi(folder.path(), &["plugin", "add", plugin, "--yes"]);
        assert!(said.code == 2 && said.err.contains(told), "{}", said.err);
    }
    assert!(!folder.path().join("kepi.lock").exists());
}

#[test]
fn what_is_begun_in_rhai_works_at_once() {
    let folder = project_with(&[]);
    let plugin = |arguments: &[&str]| kepi(folder.path(), &[&["plugin"], arguments].concat());
    assert_eq!(plugin(&["new", "margins"]).code, 0);
    let checked = plugin(&["check", "my.margins"]);
    assert!(checked.code == 0 && checked.out.contains("  ok    margin: samples of the function"), "{}", checked.out);
    fs::write(folder.path().join("orders.csv"), "day,revenue,cost\n2026-01-01,200,150\n2026-01-02,0,5\n").unwrap();
    let model = "use plugin \"my.margins\" as margins\nevent orders at day { revenue: money(EUR)  cost: money(EUR) }\n\
        source file from \"orders.csv\" { orders: at day, revenue, cost }\nmetric margin = avg(margins.margin(orders.revenue, orders.cost))\n";
    fs::write(folder.path().join("model/orders.kepi"), model).unwrap();
    let loaded = kepi(folder.path(), &["load", "--source", "file"]);
    assert_eq!(loaded.code, 0, "{}", loaded.err);
    let shown = kepi(folder.path(), &["query", "margin", "--format", "line"]);
    assert!(shown.out.contains("25"), "{}{}", shown.out, shown.err);
    // A sample that is not so is told with both values.
    let file = folder.path().join("plugins/margins/margins.rhai");
    let script = fs::read_to_string(&file).unwrap();
    fs::write(&file, script.replace("/ revenue", "/ cost")).unwrap();
    let broken = plugin(&["check", "my.margins"]);
    let told = "fails margin: samples of the function: margin(200.0, 150.0) gives 0.3333333333333333 and not 0.25";
    assert!(broken.code == 1 && broken.out.contains(told), "{}", broken.out);
    // A connector keeps every rule, and is used only once it was granted.
    assert_eq!(plugin(&["new", "crm", "--kind", "connector"]).code, 0);
    let checked = plugin(&["check", "my.crm"]);
    assert!(checked.code == 0 && checked.out.contains("  ok    orders: ties on the cursor"), "{}", checked.out);
    assert_eq!(plugin(&["new", "crm", "--kind", "connector"]).code, 2);
}

#[test]
fn what_is_begun_without_building_keeps_every_rule_and_is_queried() {
    let folder = project_with(&[]);
    let plugin = |arguments: &[&str]| kepi(folder.path(), &[&["plugin"], arguments].concat());
    for (name, kind, function) in [("wide", "aggregate", "spread"), ("before", "series", "as_before")] {
        assert_eq!(plugin(&["new", name, "--kind", kind]).code, 0);
        let checked = plugin(&["check", &format!("my.{name}")]);
        let told = format!("  ok    {function}: samples of the function");
        assert!(checked.code == 0 && checked.out.contains(&told), "{}{}", checked.out, checked.err);
    }
    // A web service without code: every rule holds, and its recording is replayed without grants.
    assert_eq!(plugin(&["new", "desk", "--lang", "rest"]).code, 0);
    let file = folder.path().join("plugins/desk/desk.toml");
    let text = fs::read_to_string(&file).unwrap();
    for (from, to, told) in [
        ("id = [\"id\"]", "id = [\"number\"]", "names number as the key of its records, and they have none"),
        (
            "cursor_field = \"updated_at\"",
            "cursor_field = \"changed\"",
            "names the cursor field changed, and its records have none",
        ),
    ] {
        fs::write(&file, text.replace(from, to)).unwrap();
        let checked = plugin(&["check", "my.desk"]);
        assert!(checked.code == 1 && checked.out.contains(told), "{}", checked.out);
    }
    fs::write(&file, text).unwrap();
    let checked = plugin(&["check", "my.desk"]);
    let rules = checked.out.lines().filter(|line| line.starts_with("  ok ")).count();
    assert!(checked.code == 0 && rules >= 12, "{}{}", checked.out, checked.err);
    fs::copy(folder.path().join("plugins/desk/desk.kepi"), folder.path().join("model/desk.kepi")).unwrap();
    let functions = "use plugin \"my.wide\" as wide\nuse plugin \"my.before\" as before\n";
    fs::write(folder.path().join("model/functions.kepi"), functions).unwrap();
    let pulled = kepi(folder.path(), &["sync", "desk_orders", "--replay", "plugins/desk/recording"]);
    assert_eq!(pulled.code, 0, "{}", pulled.err);
    let ask = "show desk_revenue, wide.spread(desk_sales.amount), before.as_before(count(desk_sales), 50%) as sold per month \
        since 2026-01-01 until 2026-05-01";
    let shown = kepi(folder.path(), &["query", ask, "--now", "2026-03-01", "--format", "csv"]);
    let said = format!("{}{}", shown.out, shown.err);
    assert!(shown.code == 0 && shown.out.contains("2026-01-01,240.75,80.25,3"), "{said}");
    assert!(shown.out.contains("2026-02-01,360,240,2"), "{said}");
}

#[test]
fn kinds_and_builders_that_are_not_there_are_refused_in_words() {
    let folder = project_with(&[]);
    let plugin = |arguments: &[&str]| kepi(folder.path(), &[&["plugin"], arguments].concat());
    for (language, kind, told) in [
        ("rhai", "model", "there is no model in rhai"),
        ("rest", "scalar", "there is no scalar in rest"),
        ("rest", "model", "there is no model in rest"),
    ] {
        let said = plugin(&["new", "a", "--lang", language, "--kind", kind]);
        assert!(said.code == 2 && said.err.contains(told) && said.err.contains("hint: "), "{}", said.err);
    }
    assert!(plugin(&["new", "Margins"]).err.contains("`Margins` is no name of a plugin"));
    // Every other kind is begun in every language, with a manifest that can be read.
    for language in ["python", "js"] {
        for kind in ["scalar", "aggregate", "model", "series", "connector"] {
            let name = format!("{language}-{kind}");
            assert_eq!(plugin(&["new", &name, "--lang", language, "--kind", kind]).code, 0, "{name}");
            let checked = plugin(&["check", &format!("my.{name}")]);
            assert!(checked.code == 1 && checked.out.contains("fails its file is there"), "{}", checked.out);
        }
    }
    // Nothing is in the path.
    for (language, told, repair) in [
        ("rust", "there is no Rust here", "https://rustup.rs"),
        ("python", "there is no componentize-py here", "pip install componentize-py"),
        ("js", "there is no node here", "https://nodejs.org"),
    ] {
        assert_eq!(plugin(&["new", language, "--lang", language]).code, 0);
        let id = format!("my.{language}");
        let said = kepi_in(folder.path(), &["plugin", "build", &id], &[("PATH", "/nonexistent"), ("RUSTC", "rustc")]);
        assert!(said.code == 2 && said.err.contains(told) && said.err.contains(repair), "{}", said.err);
        let checked = plugin(&["check", &id]);
        assert!(checked.code == 1 && checked.out.contains("fails its file is there"), "{}", checked.out);
        assert!(checked.out.contains("; `kepi plugin build` makes it"), "{}", checked.out);
    }
    assert!(plugin(&["build", "my.other"]).err.contains("nor the id of a plugin"));
}
