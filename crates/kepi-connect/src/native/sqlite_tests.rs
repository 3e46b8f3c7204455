#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
//! SQLite databases made here, read page by page.

use super::*;
use serde_json::json;
use std::path::PathBuf;

struct Host(PathBuf);

impl ConnectorHost for Host {
    fn read_file(&self, _: &str) -> Result<String, String> {
        Err("not here".to_string())
    }
    fn list_files(&self, _: &str) -> Result<Vec<String>, String> {
        Err("not here".to_string())
    }
    fn path(&self, path: &str) -> Result<PathBuf, String> {
        Ok(self.0.join(path))
    }
    fn now(&self) -> i64 {
        0
    }
    fn log(&self, _: &str) {}
}

struct Shop {
    folder: tempfile::TempDir,
    database: Connection,
}

impl Shop {
    fn new(sql: &str) -> Shop {
        let folder = tempfile::tempdir().unwrap();
        let database = Connection::open(folder.path().join("shop.db")).unwrap();
        database.execute_batch(sql).unwrap();
        Shop { folder, database }
    }

    fn page(&self, stream: &str, options: Value, cursor: Option<String>, size: u32) -> Result<Page, ConnectorError> {
        let mut config = json!({"file": "shop.db"});
        config.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        let request = PageRequest {
            stream: stream.to_string(),
            config: config.to_string(),
            cursor,
            page_size: size,
            since: None,
        };
        Sqlite.read(&request, &Host(self.folder.path().to_path_buf()))
    }

    /// All records and deleted ones of a run, and where it ended.
    fn run(&self, stream: &str, options: Value, cursor: Option<String>, size: u32) -> (Vec<Value>, Vec<Value>, String) {
        let (mut records, mut deleted, mut at) = (Vec::new(), Vec::new(), cursor);
        loop {
            let page = self.page(stream, options.clone(), at, size).unwrap();
            assert!(page.records.len() + page.deleted.len() <= size as usize);
            records.extend(page.records.iter().map(|text| serde_json::from_str(text).unwrap()));
            deleted.extend(page.deleted.iter().map(|text| serde_json::from_str(text).unwrap()));
            at = page.cursor;
            if !page.more {
                return (records, deleted, at.unwrap());
            }
        }
    }
}

fn ids(records: &[Value]) -> Vec<i64> {
    records.iter().map(|record| record["id"].as_i64().unwrap()).collect()
}

#[test]
fn rows_that_share_a_moment_are_neither_lost_nor_read_twice() {
    let shop = Shop::new(
        "create table orders (id integer primary key, at text, gone int);
         insert into orders select value, '2026-01-0' || (1 + value / 40), 0 from generate_series(1, 100);"
            .replace("generate_series(1, 100)", "(with recursive n(value) as (select 1 union all select value + 1 from n where value < 100) select value from n)")
            .as_str(),
    );
    let options = json!({"cursor": "at", "deleted": "gone"});
    let (records, deleted, end) = shop.run("orders", options.clone(), None, 7);
    assert_eq!((ids(&records), deleted.len()), ((1..=100).collect(), 0));
    let (records, _, same) = shop.run("orders", options.clone(), Some(end.clone()), 7);
    assert_eq!((records.len(), &same), (0, &end));
    shop.database
        .execute_batch(
            "update orders set at = '2026-01-09', gone = 1 where id in (3, 50);
             update orders set at = '2026-01-09' where id = 4;
             insert into orders values (101, null, 0), (102, '2026-01-02', 0);",
        )
        .unwrap();
    // What has no moment is read in each run; what was written behind the last moment is not seen.
    let (records, deleted, end) = shop.run("orders", options.clone(), Some(end), 1);
    assert_eq!((ids(&records), ids(&deleted)), (vec![101, 4], vec![3, 50]));
    assert_eq!(ids(&shop.run("orders", options, Some(end), 10).0), [101]);
}

#[test]
fn values_keep_their_types() {
    let shop = Shop::new(
        "create table t (a, b real, c text, d blob, e integer, primary key (c, a)) without rowid;
         insert into t values (1, 0.1, 'x', x'00ff', 9007199254740993), (2, 1e999, 'x', null, null);",
    );
    let (records, ..) = shop.run("T", json!({}), None, 1);
    assert_eq!(records[0], json!({"a": 1, "b": 0.1, "c": "x", "d": "00ff", "e": 9_007_199_254_740_993_i64}));
    assert_eq!(records[1], json!({"a": 2, "b": "inf", "c": "x", "d": null, "e": null}));
}

#[test]
fn a_table_without_a_key_goes_by_its_row_numbers_and_a_query_by_the_columns_named() {
    let shop = Shop::new(
        "create table log (id int, what text);
         insert into log values (5, 'a'), (4, 'b'), (3, null);
         create view named as select * from log where what is not null;",
    );
    let (records, ..) = shop.run("log", json!({}), None, 2);
    assert_eq!(ids(&records), [5, 4, 3]);
    assert_eq!(records[0]["rowid"], 1);
    assert_eq!(ids(&shop.run("named", json!({"key": "id"}), None, 1).0), [4, 5]);
    let query = json!({"query": "select id * 2 as id from log;", "key": "id"});
    assert_eq!(ids(&shop.run("doubled", query, None, 2).0), [6, 8, 10]);
    let refused = shop.page("named", json!({}), None, 9).unwrap_err().to_string();
    assert!(refused.contains("write `key = "), "{refused}");
}

#[test]
fn what_cannot_be_is_said_with_what_there_is() {
    let shop = Shop::new("create table orders (id integer primary key, at text); create table customers (id int);");
    let said = |stream: &str, options: Value| shop.page(stream, options, None, 9).unwrap_err().to_string();
    assert_eq!(said("order", json!({})), "kepi.sqlite: there is no table `order`; there are customers, orders");
    let unknown = said("orders", json!({"cursor": "updated"}));
    assert_eq!(unknown, "kepi.sqlite: `cursor`: there is no column `updated`; there are id, at");
    let wrong = said("orders", json!({"query": "select * form orders"}));
    assert!(wrong.starts_with("kepi.sqlite: the query: near \"form\": syntax error"), "{wrong}");
    let write = said("orders", json!({"query": "delete from orders returning *", "key": "id"}));
    assert!(write.contains("syntax error"), "{write}");
    std::fs::write(shop.folder.path().join("x.db"), "this is no database, but it is long enough to look like one")
        .unwrap();
    let none = said("orders", json!({"file": "x.db"}));
    assert_eq!(none, "kepi.sqlite: the database is no SQLite database");
    assert!(said("orders", json!({"file": "absent.db"})).contains("cannot open absent.db"));
    let state = shop.page("orders", json!({}), Some("{\"after\":[\"7\"]}".to_string()), 9).unwrap_err().to_string();
    assert_eq!(state, "kepi.sqlite: the state cannot be read: `7` is no value");
}

#[test]
fn reading_begins_at_an_instant_in_the_way_of_the_column() {
    let shop = Shop::new(
        "create table a (id integer primary key, at integer); insert into a values (1, 1767225599), (2, 1767225600);
         create table b (id integer primary key, at text);
         insert into b values (1, '2025-12-30T23:00:00'), (2, '2025-12-31T10:00:00'), (3, '2026-01-01');",
    );
    let read = |stream: &str| {
        let request = PageRequest {
            stream: stream.to_string(),
            config: json!({"file": "shop.db", "cursor": "at"}).to_string(),
            cursor: None,
            page_size: 9,
            since: Some(1_767_225_600_000_000),
        };
        let page = Sqlite.read(&request, &Host(shop.folder.path().to_path_buf())).unwrap();
        ids(&page.records.iter().map(|text| serde_json::from_str(text).unwrap()).collect::<Vec<_>>())
    };
    assert_eq!(read("a"), [2]);
    // Texts have no zone: a day more.
    assert_eq!(read("b"), [2, 3]);
}

#[test]
fn the_tables_are_told_with_what_was_declared() {
    let shop = Shop::new(
        "create table t (id integer primary key, name varchar(20), paid boolean, price decimal(10, 2), at datetime, day date, x);",
    );
    let shapes = Sqlite.discover("{\"file\":\"shop.db\"}", &Host(shop.folder.path().to_path_buf())).unwrap();
    let fields: Vec<(&str, &str)> = shapes[0].fields.iter().map(|f| (f.name.as_str(), f.kind.as_str())).collect();
    let wanted = [
        ("id", "count"),
        ("name", "text"),
        ("paid", "bool"),
        ("price", "number"),
        ("at", "time"),
        ("day", "date"),
        ("x", ""),
    ];
    assert_eq!((shapes[0].name.as_str(), fields), ("t", wanted.to_vec()));
    assert_eq!(shapes[0].primary_key, ["id"]);
}
