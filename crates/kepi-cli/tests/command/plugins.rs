//! `kepi plugin`: what a plugin asks for is shown, granted, remembered and compared.

use super::{kepi, project_with};
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
    assert!(plugin(&["list"]).out.lines().next().unwrap().ends_with("rhai  connector          not added"));
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
