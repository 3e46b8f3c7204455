//! `kepi store`: erasure, copies, checks and what is said of them, through the program.

use super::{Said, kepi, kepi_in, project_with};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const MODEL: &str = r#"
entity customer key customer { region: text  name: text history }
entity agent key agent { }
event orders of customer at ordered { amount: money(EUR)  note: text }
event calls of agent, customer at called { minutes: number }
source book from "orders.csv" { orders: at ordered, id order_id, of customer, amount, note }
source people from "people.csv" { customer: key customer, region, name }
source same from "same.csv" { merge customer old into new }
"#;

const ORDERS: &str = "order_id,customer,ordered,amount,note
1,secret-ada,2025-01-03,100.50,hello
2,bob,2025-02-03,50,for secret-ada
3,phone-4711,2025-02-10,20,
4,secret-ada,2025-02-30,7,never
5,bob,2025-02-30,7,never
";
const CALLS: &str = "agent,customer,called,minutes
kim,secret-ada,2025-01-05,5
kim,bob,2025-01-06,7
lee,secret-ada,2025-01-07,9
";
const PEOPLE: &str = "customer,region,name\nsecret-ada,atlantis,Lovelace\nbob,es,Bob\n";

/// A project with orders, calls, attributes, a merge, rejected rows and kept answers.
fn shop() -> tempfile::TempDir {
    let folder = project_with(&[
        ("model/shop.kepi", MODEL),
        ("orders.csv", ORDERS),
        ("calls.csv", CALLS),
        ("people.csv", PEOPLE),
        ("same.csv", "old,new\nphone-4711,secret-ada\n"),
    ]);
    for arguments in [
        &["orders.csv", "--source", "book"][..],
        &["calls.csv", "--as", "calls"],
        &["people.csv", "--source", "people"],
        &["same.csv", "--source", "same"],
    ] {
        let said = kepi(folder.path(), &[&["load"], arguments].concat());
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
    }
    folder
}

fn ask(folder: &Path, query: &str) -> String {
    let said = kepi(folder, &["query", query, "--format", "csv", "--now", "2025-06-01"]);
    assert_eq!(said.code, 0, "{query}: {}", said.err);
    said.out
}

/// The files below a folder in which a text stands.
fn files_with(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if std::fs::read(&path).unwrap().windows(text.len()).any(|part| part == text.as_bytes()) {
            found.push(path);
        }
    }
    found
}

fn store(folder: &Path, arguments: &[&str]) -> Said {
    kepi(folder, &[&["store"], arguments].concat())
}

#[test]
fn an_erased_customer_is_in_no_file_and_in_no_total() {
    let folder = shop();
    let root = folder.path();
    let own = root.join(".kepi");
    std::fs::write(own.join("history"), "show orders\ncount(orders where customer = \"secret-ada\")\n").unwrap();
    std::fs::create_dir_all(own.join("store/answers")).unwrap();
    std::fs::write(own.join("store/answers/a00"), "an answer by customer: secret-ada").unwrap();
    assert_eq!(
        ask(root, "show count(orders), sum(orders.amount), count(calls), count(customer)").lines().last(),
        Some("3,170.5,3,2")
    );
    assert!(!files_with(&own.join("rejected"), "secret-ada").is_empty());
    let said = store(root, &["erase", "--entity", "customer=secret-ada"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    for text in [
        "2 rows of orders removed",
        "2 rows of calls removed",
        "2 keys of customer removed",
        // Nothing names this agent any more.
        "1 key of agent removed",
        "1 rejected row removed",
        "1 line of the prompt's history removed",
        "still named in orders.note: 1 text",
    ] {
        assert!(said.err.contains(text), "{text}: {}", said.err);
    }
    for text in ["atlantis", "Lovelace", "phone-4711"] {
        assert_eq!(files_with(&own, text), Vec::<PathBuf>::new(), "{text}");
    }
    // It stands in the note of somebody else's order, which is told, and nowhere else.
    let left = files_with(&own, "secret-ada");
    assert!(left.iter().all(|file| file.extension().is_some_and(|e| e == "texts")) && left.len() == 1, "{left:?}");
    assert_eq!(
        ask(root, "show count(orders), sum(orders.amount), count(calls), count(customer)").lines().last(),
        Some("1,50,1,1")
    );
    assert!(files_with(&own.join("rejected"), "bob").len() == 1);
    let loads = store(root, &["loads"]);
    assert!(loads.out.contains("(erased) 2 keys of customer; 2 rows of calls; 2 rows of orders"), "{}", loads.out);
    assert!(loads.out.contains("book: orders.csv") && loads.out.contains("orders 3 new"), "{}", loads.out);
    // It is not there to be erased again; loading the file again brings it back.
    let again = store(root, &["erase", "--entity", "customer=secret-ada"]);
    assert!(again.code == 1 && again.err.contains("nothing is stored of customer with this key"), "{}", again.err);
    assert!(!own.join("erasing.json").exists());
    kepi(root, &["load", "orders.csv", "--source", "book"]);
    assert_eq!(ask(root, "show count(orders)").lines().last(), Some("3"));
    assert_eq!(store(root, &["verify"]).code, 0);
    let unknown = store(root, &["erase", "--entity", "client=x"]);
    assert!(unknown.code == 2 && unknown.err.contains("the entities are agent, customer"), "{}", unknown.err);
    assert_eq!(store(root, &["erase", "--entity", "customer"]).code, 2);
}

#[test]
fn an_erasure_that_was_interrupted_is_finished_by_the_next_start() {
    // What was noted before anything was done is enough to go on from.
    let folder = shop();
    let root = folder.path();
    let intent = "{\"keys\":[[\"customer\",\"secret-ada\"]],\"texts\":[\"phone-4711\",\"secret-ada\"]}";
    std::fs::write(root.join(".kepi/erasing.json"), intent).unwrap();
    assert_eq!(ask(root, "show count(orders)").lines().last(), Some("1"));
    assert!(files_with(&root.join(".kepi"), "Lovelace").is_empty() && !root.join(".kepi/erasing.json").exists());
    assert!(files_with(&root.join(".kepi/rejected"), "secret-ada").is_empty());
}

#[test]
fn an_erasure_that_cannot_be_finished_keeps_nobody_from_asking() {
    let folder = shop();
    let root = folder.path();
    std::fs::write(root.join(".kepi/erasing.json"), "{\"keys\":[[\"cust").unwrap();
    let said = kepi(root, &["query", "show count(orders)", "--format", "csv"]);
    assert!(said.code == 0 && said.out.ends_with("3\n"), "{}", said.err);
    assert!(said.err.contains("an erasure was begun and cannot be finished"), "{}", said.err);
    let said = kepi(root, &["load", "orders.csv", "--source", "book"]);
    assert!(said.code == 4 && said.err.contains("remove the file and erase again"), "{}", said.err);
}

/// Killed at any moment, an erasure has happened or not, and the next start makes it whole.
#[test]
fn a_killed_erasure_is_whole_or_not_there() {
    let mut rows = String::from("order_id,customer,ordered,amount,note\n");
    for i in 0..20_000 {
        let customer = if i % 10 == 0 { "secret-ada".to_string() } else { format!("c{}", i % 900) };
        rows += &format!("{i},{customer},2025-01-{:02},1,n{}\n", 1 + i % 28, i % 70);
    }
    let made = project_with(&[("model/shop.kepi", MODEL), ("orders.csv", &rows)]);
    assert_eq!(kepi(made.path(), &["load", "orders.csv", "--source", "book"]).code, 0);
    let started = Instant::now();
    let (mut before, mut after, mut open) = (0, 0, 0);
    let mut whole = Duration::from_millis(400);
    for kill in 0..14_u32 {
        let copy = tempfile::tempdir().unwrap();
        let root = copy.path();
        copy_tree(made.path(), root);
        let begun = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_kepi"))
            .args(["store", "erase", "--entity", "customer=secret-ada"])
            .current_dir(root)
            .env_remove("KEPI_PROJECT")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if kill == 0 {
            // The first one may end: how long that takes says when to kill the others.
            child.wait().unwrap();
            whole = begun.elapsed();
        } else {
            std::thread::sleep(whole * kill / 13);
            let _ = child.kill();
            child.wait().unwrap();
        }
        open += u32::from(root.join(".kepi/erasing.json").exists());
        // A reader that does not finish anything sees all or nothing.
        let manifest = std::fs::read(root.join(".kepi/erasing.json")).ok();
        let _ = std::fs::remove_file(root.join(".kepi/erasing.json"));
        match ask(root, "show count(orders)").lines().last() {
            Some("20000") => before += 1,
            Some("18000") => after += 1,
            other => panic!("kill {kill}: {other:?} orders"),
        }
        if let Some(intent) = manifest {
            std::fs::write(root.join(".kepi/erasing.json"), intent).unwrap();
            assert_eq!(ask(root, "show count(orders)").lines().last(), Some("18000"), "kill {kill}");
            assert_eq!(files_with(&root.join(".kepi"), "secret-ada"), Vec::<PathBuf>::new(), "kill {kill}");
        }
        assert_eq!(store(root, &["verify"]).code, 0, "kill {kill}");
    }
    assert!(before > 0 && after > 0, "{before} before, {after} after, {open} open, {:?}", started.elapsed());
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        match path.is_dir() {
            true => copy_tree(&path, &to.join(name)),
            false => std::fs::copy(&path, to.join(name)).map(drop).unwrap(),
        }
    }
}

#[test]
fn info_and_loads_say_what_there_is() {
    let folder = shop();
    let said = store(folder.path(), &["info"]);
    assert_eq!(said.code, 0, "{}", said.err);
    for text in ["snapshot 4, format 4, 4 loads, 6 rows", "orders     3", "customer     2       1", "kept answers"] {
        assert!(said.out.contains(text), "{text}:\n{}", said.out);
    }
    let json: serde_json::Value = serde_json::from_str(&store(folder.path(), &["info", "--json"]).out).unwrap();
    assert_eq!((&json["snapshot"], &json["rows"]), (&4.into(), &6.into()));
    assert_eq!(json["events"][1]["first"], "2025-01-03T00:00:00Z");
    assert_eq!(json["entities"][1]["keys"], 2);
    let loads: serde_json::Value = serde_json::from_str(&store(folder.path(), &["loads", "--json"]).out).unwrap();
    assert_eq!((loads[0]["load"].clone(), loads[0]["label"].clone()), (1.into(), "book: orders.csv".into()));
    assert_eq!(loads[0]["targets"][0]["added"], 3);
    let empty = project_with(&[]);
    assert_eq!(store(empty.path(), &["info"]).code, 0);
    assert!(store(empty.path(), &["loads"]).err.contains("nothing was loaded yet"));
    assert_eq!(store(empty.path(), &["verify"]).code, 0);
    assert_eq!(store(empty.path(), &["loads", "--json"]).out, "[]\n");
}

#[test]
fn damage_is_told_with_its_place_and_four() {
    let folder = shop();
    let root = folder.path();
    assert_eq!(store(root, &["compact"]).code, 0);
    let sound = store(root, &["verify"]);
    assert!(sound.code == 0 && sound.err.contains("is sound"), "{}", sound.err);
    for entry in std::fs::read_dir(root.join(".kepi/store/data")).unwrap() {
        let file = entry.unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        let mut damaged = bytes.clone();
        // Of an Arrow file what matters lies in the middle; its framing is not read.
        let arrow = file.extension().is_some_and(|ending| ending == "arrow");
        let places = if arrow { (0..damaged.len()).collect::<Vec<_>>() } else { vec![damaged.len() / 2] };
        places.into_iter().for_each(|place| damaged[place] ^= 1);
        std::fs::write(&file, damaged).unwrap();
        let said = store(root, &["verify"]);
        let name = file.file_name().unwrap().to_str().unwrap();
        assert_eq!(said.code, 4, "{name}: {}", said.err);
        assert!(said.err.contains(name) && said.err.contains("damaged at byte"), "{name}: {}", said.err);
        let backup = store(root, &["backup", "copy.tar"]);
        assert!(backup.code == 4 && !root.join("copy.tar").exists(), "{}", backup.err);
        std::fs::write(&file, bytes).unwrap();
    }
    let manifest = root.join(".kepi/store/manifest");
    let bytes = std::fs::read(&manifest).unwrap();
    std::fs::write(&manifest, &bytes[..bytes.len() - 3]).unwrap();
    let said = store(root, &["verify"]);
    assert!(said.code == 4 && said.err.contains("--repair"), "{}", said.err);
    let json: serde_json::Value = serde_json::from_str(&store(root, &["verify", "--json"]).out).unwrap();
    assert_eq!(json["damages"].as_array().map(Vec::len), Some(1));
    assert_eq!(store(root, &["verify", "--repair"]).code, 0);
    assert_eq!(ask(root, "show count(orders)").lines().last(), Some("3"));
}

#[test]
fn a_load_is_taken_out_and_what_does_not_come_back_is_said() {
    let folder = shop();
    let root = folder.path();
    let more = "order_id,customer,ordered,amount,note\n2,bob,2025-02-03,60,\n7,zoe,2025-03-03,5,\n";
    std::fs::write(root.join("more.csv"), more).unwrap();
    assert_eq!(kepi(root, &["load", "more.csv", "--source", "book"]).code, 0);
    assert_eq!(ask(root, "show count(orders), sum(orders.amount), count(customer)").lines().last(), Some("4,185.5,3"));
    let said = store(root, &["unload", "5"]);
    assert_eq!(said.code, 0, "{}", said.err);
    for text in ["load 5 (book: more.csv) is taken out", "2 rows of orders", "1 key of customer", "not brought back"] {
        assert!(said.err.contains(text), "{text}: {}", said.err);
    }
    assert_eq!(ask(root, "show count(orders), sum(orders.amount), count(customer)").lines().last(), Some("2,120.5,2"));
    for (number, text) in
        [("5", "no row of it is there"), ("3", "it set attributes"), ("6", "is no load"), ("99", "no load 99")]
    {
        let said = store(root, &["unload", number]);
        assert!(said.code == 1 && said.err.contains(text), "{number}: {}", said.err);
    }
    assert_eq!(kepi(root, &["load", "orders.csv", "--source", "book"]).code, 0);
    assert_eq!(ask(root, "show count(orders), sum(orders.amount)").lines().last(), Some("3,170.5"));
}

#[test]
fn a_backup_is_restored_into_an_empty_folder() {
    let folder = shop();
    let root = folder.path();
    std::fs::write(root.join(".kepi/secrets.toml"), "token = \"hidden-token\"\n").unwrap();
    let answer = ask(root, "show sum(orders.amount) by customer.region per month during 2025");
    for target in ["copy.tar", "copy"] {
        let said = store(root, &["backup", target]);
        assert!(said.code == 0 && said.err.contains("snapshot 4, 6 rows"), "{}", said.err);
        let again = store(root, &["backup", target]);
        assert_eq!(again.code, 2, "{}", again.err);
        let elsewhere = tempfile::tempdir().unwrap();
        let new = elsewhere.path().join("new");
        let said = store(elsewhere.path(), &["restore", root.join(target).to_str().unwrap(), "new"]);
        assert!(said.code == 0 && said.err.contains("snapshot 4, 6 rows"), "{}", said.err);
        assert_eq!(ask(&new, "show sum(orders.amount) by customer.region per month during 2025"), answer);
        assert_eq!(store(&new, &["loads"]).out, store(root, &["loads"]).out);
        assert_eq!(files_with(&new, "hidden-token"), Vec::<PathBuf>::new());
        // It goes on from there.
        std::fs::copy(root.join("orders.csv"), new.join("orders.csv")).unwrap();
        let known = kepi(&new, &["load", "orders.csv", "--source", "book"]);
        assert!(known.err.contains("orders  3 known"), "{}", known.err);
        let full = store(elsewhere.path(), &["restore", root.join(target).to_str().unwrap(), "new"]);
        assert!(full.code == 2 && full.err.contains("holds something"), "{}", full.err);
    }
    for inside in ["model/copy", "plugins/copy.tar", ".kepi/copy"] {
        let said = store(root, &["backup", inside]);
        assert!(said.code == 2 && said.err.contains("copied itself"), "{inside}: {}", said.err);
    }
    let no = store(root, &["restore", "orders.csv", "other"]);
    assert!(no.code == 4 && no.err.contains("tar file"), "{}", no.err);
    let archive = std::fs::read(root.join("copy.tar")).unwrap();
    let outside = archive.windows(12).position(|part| part == b".kepi/store/").unwrap();
    let mut evil = archive.clone();
    // A name that leads out of the folder, with the sum of its header mended.
    evil[outside..outside + 12].copy_from_slice(b"../../../../");
    let start = outside / 512 * 512;
    let sum: u32 = (start..start + 512)
        .map(|at| if (start + 148..start + 156).contains(&at) { 32 } else { u32::from(evil[at]) })
        .sum();
    evil[start + 148..start + 154].copy_from_slice(format!("{sum:06o}").as_bytes());
    std::fs::write(root.join("evil.tar"), evil).unwrap();
    let said = store(root, &["restore", "evil.tar", "evil"]);
    assert!(said.code == 4 && said.err.contains("outside the folder"), "{}", said.err);
}

/// A backup that is taken while loads go on has the rows of whole loads.
#[test]
fn a_backup_beside_a_running_load_is_one_snapshot() {
    let folder = shop();
    let root = folder.path();
    let loader = std::thread::spawn({
        let root = root.to_path_buf();
        move || {
            for load in 0..6 {
                let mut text = String::from("order_id,customer,ordered,amount,note\n");
                (0..5_000).for_each(|i| text += &format!("{},n{i},2025-03-01,1,batch\n", 1_000 + load * 5_000 + i));
                let file = format!("part{load}.csv");
                std::fs::write(root.join(&file), text).unwrap();
                assert_eq!(kepi(&root, &["load", &file, "--source", "book"]).code, 0);
            }
        }
    });
    let mut seen = std::collections::BTreeSet::new();
    for number in 0.. {
        let done = loader.is_finished();
        let target = format!("copy{number}");
        let said = store(root, &["backup", &target]);
        assert_eq!(said.code, 0, "{}", said.err);
        let rows: u64 = ask(&root.join(&target), "show count(orders where note = \"batch\")")
            .lines()
            .last()
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(rows % 5_000, 0);
        assert_eq!(store(&root.join(&target), &["verify"]).code, 0);
        seen.insert(rows);
        std::fs::remove_dir_all(root.join(&target)).unwrap();
        if done {
            break;
        }
    }
    loader.join().unwrap();
    assert_eq!(seen.last(), Some(&30_000));
}

#[test]
fn what_is_exported_can_be_loaded() {
    let folder = shop();
    let root = folder.path();
    let csv = store(root, &["export", "orders"]);
    assert_eq!(csv.code, 0, "{}", csv.err);
    let expected = "ordered,id,customer,amount,note\n2025-01-03T00:00:00Z,1,secret-ada,100.5,hello\n\
        2025-02-03T00:00:00Z,2,bob,50,for secret-ada\n2025-02-10T00:00:00Z,3,secret-ada,20,\n";
    assert_eq!(csv.out, expected);
    let jsonl = store(root, &["export", "customer", "--format", "jsonl"]);
    let lines: Vec<serde_json::Value> = jsonl.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{}", jsonl.out);
    assert!(lines.iter().any(|line| line["customer"] == "bob" && line["region"] == "es"), "{}", jsonl.out);
    for file in ["out.parquet", "out.csv", "out.jsonl"] {
        let said = store(root, &["export", "orders", "--output", file]);
        assert!(said.code == 0 && said.err.contains("3 rows"), "{}", said.err);
        let other = project_with(&[("model/shop.kepi", &MODEL.replace("id order_id", "id `id`"))]);
        let path = root.join(file);
        let load = kepi(other.path(), &["load", path.to_str().unwrap(), "--source", "book"]);
        assert!(load.code == 0 && load.err.contains("orders  3 new"), "{file}: {}", load.err);
        let back = store(other.path(), &["export", "orders"]);
        assert_eq!(back.out, expected, "{file}");
    }
    assert_eq!(store(root, &["export", "nothing"]).code, 1);
    assert_eq!(store(root, &["export", "orders", "--format", "xls"]).code, 2);
    assert_eq!(store(root, &["export", "orders", "--output", "no/where.csv"]).code, 4);
}

#[test]
fn who_looks_after_the_store_waits_for_nobody() {
    let folder = shop();
    let held = std::fs::File::options().read(true).write(true).open(folder.path().join(".kepi/store/lock")).unwrap();
    held.lock().unwrap();
    for arguments in
        [&["compact"][..], &["unload", "1"], &["erase", "--entity", "customer=bob"], &["verify", "--repair"]]
    {
        let said = store(folder.path(), arguments);
        assert!(said.code == 4 && said.err.contains("the store is held"), "{arguments:?}: {}", said.err);
    }
    for arguments in [&["info"][..], &["loads"], &["verify"], &["export", "orders"], &["backup", "copy.tar"]] {
        assert_eq!(store(folder.path(), arguments).code, 0, "{arguments:?}");
    }
    assert_eq!(kepi_in(folder.path(), &["store", "info"], &[("NO_COLOR", "1")]).code, 0);
}
