//! The connector that is shipped: every record comes once, whatever the page size, also where times tie.

use crate::helpers::{failure, load_shipped};
use kepi_extension::{Connector, ConnectorError, Page, PageRequest};
use kepi_plugin::FolderHost;
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn connector() -> Arc<dyn Connector> {
    load_shipped("kepi.json-folder", "files").connector().unwrap()
}

fn read(folder: &Path, cursor: Option<&str>, page_size: u32, config: &str) -> Result<Page, ConnectorError> {
    let host = FolderHost::new("kepi.json-folder", folder, 0).unwrap();
    let cursor = cursor.map(str::to_string);
    connector().read(
        &PageRequest { stream: "orders".to_string(), config: config.to_string(), cursor, page_size, since: None },
        &host,
    )
}

/// Reads pages from a cursor to the end: the ids that came, and the last cursor.
fn sync(folder: &Path, mut cursor: Option<String>, page_size: u32) -> (Vec<String>, Option<String>) {
    let mut ids = Vec::new();
    loop {
        let page = read(folder, cursor.as_deref(), page_size, "{}").unwrap();
        assert!(page.records.len() <= page_size as usize);
        for record in &page.records {
            let record: serde_json::Value = serde_json::from_str(record).unwrap();
            ids.push(record["id"].to_string());
        }
        cursor = page.cursor;
        if !page.more {
            return (ids, cursor);
        }
    }
}

fn order(id: u32, minute: u32) -> String {
    format!(r#"{{"id": {id}, "updated_at": "2026-05-01T10:{minute:02}:00Z", "amount": 12.50}}"#)
}

#[test]
fn every_record_comes_once_in_order_also_where_times_tie() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("orders/2026")).unwrap();
    // Ids 1 to 40; five share each minute, spread over the files.
    let texts: Vec<String> = (1..=40).map(|id| order(id, id / 5)).collect();
    fs::write(folder.path().join("orders.json"), format!("[{}]", texts[..10].join(","))).unwrap();
    fs::write(folder.path().join("orders/2026/may.json"), format!("[{}]", texts[25..].join(","))).unwrap();
    fs::write(folder.path().join("orders/2026/june.jsonl"), texts[10..25].join("\n")).unwrap();
    fs::write(folder.path().join("orders/notes.txt"), "no records").unwrap();
    let expected: Vec<String> = (1..=40).map(|id: u32| id.to_string()).collect();
    for page_size in [1, 3, 5, 7, 40, 1000] {
        let (ids, cursor) = sync(folder.path(), None, page_size);
        assert_eq!(ids, expected, "pages of {page_size}");
        assert_eq!(cursor.as_deref(), Some(r#"["2026-05-01T10:08:00Z",40]"#));
        let (again, same) = sync(folder.path(), cursor.clone(), page_size);
        assert_eq!((again, same), (Vec::new(), cursor), "a second sync finds nothing");
    }
    // A record at the time of the cursor, but with a later id, is not lost.
    let (_, cursor) = sync(folder.path(), None, 7);
    fs::write(folder.path().join("orders/late.json"), format!("[{}, {}]", order(41, 8), order(3, 0))).unwrap();
    assert_eq!(sync(folder.path(), cursor, 7).0, ["41"]);
}

#[test]
fn a_record_comes_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("orders.json"), format!("[{}]", order(1, 0))).unwrap();
    assert_eq!(read(folder.path(), None, 10, "").unwrap().records, [order(1, 0)]);
}

#[test]
fn time_and_id_may_have_other_names_and_be_numbers() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("orders.json"),
        r#"[{"t": 10, "key": "b"}, {"t": 9, "key": "c"}, {"t": 10, "key": "a"}]"#,
    )
    .unwrap();
    let page = read(folder.path(), None, 2, r#"{"time": "t", "id": "key"}"#).unwrap();
    assert_eq!(page.records, [r#"{"t": 9, "key": "c"}"#, r#"{"t": 10, "key": "a"}"#]);
    assert_eq!((page.cursor.as_deref(), page.more), (Some(r#"[10,"a"]"#), true));
}

#[test]
fn bad_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let none = failure(read(folder.path(), None, 10, "{}"));
    assert_eq!(none, "kepi.json-folder: there are no files for the stream orders");
    fs::write(folder.path().join("orders.json"), "[{\"id\": 1}]").unwrap();
    let field = failure(read(folder.path(), None, 10, "{}"));
    let expected = "orders.json: record 1 has no number or text in the field updated_at";
    assert!(field.starts_with("the plugin kepi.json-folder failed in read: json-folder.rhai:"), "{field}");
    assert!(field.ends_with(expected), "{field}");
    fs::write(folder.path().join("orders.json"), "[{\"id\": 1").unwrap();
    assert!(failure(read(folder.path(), None, 10, "{}")).contains("orders.json: no JSON: EOF while parsing"));
    let config = failure(read(folder.path(), None, 10, "{"));
    assert!(config.contains("the configuration is no JSON"), "{config}");
}

#[test]
fn many_records_fit_the_limits() {
    let folder = tempfile::tempdir().unwrap();
    let texts: Vec<String> = (1..=20_000).rev().map(|id| order(id, id / 500)).collect();
    fs::write(folder.path().join("orders.json"), format!("[{}]", texts.join(","))).unwrap();
    let (ids, _) = sync(folder.path(), None, 5_000);
    assert!(ids.iter().map(|id| id.parse::<u32>().unwrap()).eq(1..=20_000));
}
