//! Killed at any moment, a writer loses nothing it has acknowledged and leaves nothing torn.

use crate::support::*;
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use kepi_extension::{EventScan, ScanRequest};
use kepi_store::Store;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const FOLDER: &str = "KEPI_STORE_CRASH_FOLDER";
const KILLS: u64 = 50;

/// How many rows a batch has: mostly few, every fourth a bulk load.
fn size(batch: i64) -> i64 {
    if batch % 4 == 3 { 4_500 } else { 1 + batch % 50 }
}

fn rows_of(number: i64) -> arrow_array::RecordBatch {
    let mut text = String::from("_at customer product amount\n");
    for row in 0..size(number) {
        text += &format!("{} c{} batch{number} {row}\n", (number * 7919 + row * 31) % 100_000, row % 17 + number);
    }
    batch(&text)
}

/// The child: loads one batch after the other and prints what is acknowledged, until it is killed.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut writer = Store::open_writer(&PathBuf::from(folder), "crash test").unwrap();
    let mut number = writer.cursor("crash").unwrap().map_or(0, |cursor| cursor.parse::<i64>().unwrap() + 1);
    loop {
        let mut with_cursor = options(number);
        with_cursor.cursor = Some(("crash".into(), number.to_string()));
        let mut load = writer.load(with_cursor);
        load.events(&orders(), rows_of(number)).unwrap();
        let merge = batch(&format!("_key _into\nm{number} m{}", number - 1));
        assert_eq!(load.merges("customer", merge).unwrap(), []);
        load.commit().unwrap();
        writeln!(std::io::stdout(), "ack {number}").unwrap();
        number += 1;
    }
}

/// How many rows of each batch are stored.
fn stored(folder: &Path) -> Vec<i64> {
    let reader = Store::open_reader(folder).unwrap();
    if reader.streams().is_empty() {
        return Vec::new();
    }
    let columns = vec!["product".to_owned(), "customer".to_owned(), "amount".to_owned()];
    let request = ScanRequest { stream: "orders".into(), columns, from: None, until: None };
    let names = reader.dictionary("orders", "product").unwrap();
    let mut by_code = vec![0i64; names.len()];
    for rows in reader.scan(&request).unwrap() {
        let rows = rows.unwrap();
        let codes = rows.column_by_name("product").unwrap().as_primitive::<UInt32Type>().values().clone();
        codes.iter().for_each(|&code| by_code[code as usize] += 1);
    }
    let mut counts = vec![0; names.len()];
    for (name, count) in names.iter().zip(by_code) {
        counts[name.unwrap().strip_prefix("batch").unwrap().parse::<usize>().unwrap()] = count;
    }
    counts
}

/// How many keys of the chain `m0` into `m-1`, `m1` into `m0` … are known, each of which has to mean the first one.
fn merged(folder: &Path) -> usize {
    let reader = Store::open_reader(folder).unwrap();
    let Ok(Some(first)) = reader.id_of("customer", "m-1") else { return 0 };
    let links = (0..).map_while(|number| reader.id_of("customer", &format!("m{number}")).unwrap());
    links.inspect(|id| assert_eq!(*id, first, "a chain of merges is torn")).count()
}

/// A child that runs one test of this program on a folder.
fn spawned(test: &str, variable: &str, folder: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(variable, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn fifty_kills_lose_nothing_acknowledged_and_tear_nothing() {
    let folder = Folder::new();
    let mut acknowledged = -1;
    let mut random = 0x9E37_79B9_7F4A_7C15u64;
    let mut kills_before_any = 0;
    for kill in 0..KILLS {
        let mut child = spawned("crash::child", FOLDER, &folder.path());
        let output = BufReader::new(child.stdout.take().unwrap());
        let (send, acks) = std::sync::mpsc::channel();
        let listener = std::thread::spawn(move || {
            // The first acknowledgement shares its line with what the test harness prints.
            let numbers = output.lines().map_while(Result::ok);
            numbers.filter_map(|line| line.split("ack ").nth(1)?.trim().parse::<i64>().ok()).for_each(|ack| {
                send.send(ack).unwrap();
            });
        });
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(kill);
        let pause = (random >> 33) % 200;
        // Every third kill comes while the store is being opened, the others once batches are coming.
        let first = if kill % 3 == 0 { None } else { acks.recv_timeout(Duration::from_secs(20)).ok() };
        std::thread::sleep(Duration::from_millis(pause));
        child.kill().unwrap();
        child.wait().unwrap();
        listener.join().unwrap();
        match acks.iter().chain(first).max() {
            Some(last) => acknowledged = acknowledged.max(last),
            None => kills_before_any += 1,
        }
        let counts = stored(&folder.path());
        assert!(counts.len() as i64 > acknowledged, "batch {acknowledged} was acknowledged and is lost");
        assert_eq!(merged(&folder.path()), counts.len(), "merges after kill {kill}");
        for (number, count) in counts.iter().enumerate() {
            assert_eq!(*count, size(number as i64), "batch {number} after kill {kill}");
        }
    }
    assert!(acknowledged > 20, "only {acknowledged} batches: the kills came too early to say anything");
    assert!(kills_before_any < KILLS / 2, "{kills_before_any} children were killed before they had done anything");
    let writer = folder.writer();
    let batches = stored(&folder.path()).len();
    assert_eq!(writer.loads().unwrap().len(), batches);
    assert_eq!(writer.cursor("crash").unwrap(), Some((batches - 1).to_string()));
    writer.snapshot().unwrap().verify().unwrap();
}

/// Names the folder of a new store to the child that loads once.
const NEW: &str = "KEPI_NEW_STORE";

/// The child: loads one batch into a new store, and waits to be killed.
#[test]
fn first_child() {
    let Some(folder) = std::env::var_os(NEW) else { return };
    let mut writer = Store::open_writer(&PathBuf::from(folder), "crash test").unwrap();
    let mut load = writer.load(options(0));
    load.events(&orders(), rows_of(0)).unwrap();
    writeln!(std::io::stdout(), "ready").unwrap();
    load.commit().unwrap();
    std::thread::sleep(Duration::from_secs(20));
}

#[test]
fn a_first_load_that_is_killed_is_there_whole_or_not_at_all() {
    for kill in 0..40 {
        let folder = Folder::new();
        let mut child = spawned("crash::first_child", NEW, &folder.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("ready")), "it did not come so far");
        std::thread::sleep(Duration::from_micros(100 * kill));
        child.kill().unwrap();
        child.wait().unwrap();
        let whole = |counts: &[i64]| counts.is_empty() || *counts == [size(0)];
        assert!(whole(&stored(&folder.path())), "kill {kill}");
        drop(folder.writer());
        assert!(whole(&stored(&folder.path())), "kill {kill}, opened again");
    }
}
