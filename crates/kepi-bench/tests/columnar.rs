//! A Parquet file whose columns are taken as they are gives what the same rows as text give.
#![allow(clippy::unwrap_used)] // A test that cannot set up its data is to fail.

use arrow_array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use kepi_bench::{Comparison, ask};
use kepi_engine::{Engine, LoadRequest};
use parquet::arrow::ArrowWriter;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const SETTINGS: &str = "now = \"2024-02-01T00:00:00Z\"\ntimezone = \"UTC\"\ncurrency = \"EUR\"\n";

const MODEL: &str = "entity customer key customer { }
event orders of customer at ordered { product: text  amount: money(EUR)  capitals: text }

source with_ids from \"orders.csv\" {
  orders: at ordered, id order, of customer, product, amount, capitals = upper(product)
}
source without_ids from \"orders.csv\" {
  orders: at ordered, of customer, product, amount, capitals = upper(product)
    where product != \"p3\"
}
";

const QUESTIONS: [&str; 5] = [
    "show count(orders) by customer per day since 2024-01-01",
    "show sum(orders.amount) by product since 2024-01-01",
    "show unique(orders.customer) per day since 2024-01-01",
    "show sum(orders.amount where product = \"p2\") by customer since 2024-01-01",
    "show count(orders) by capitals since 2024-01-01",
];

/// The same rows in two files: whole numbers as ids and keys, products with a dictionary, amounts of 64 bits; some are
/// missing.
fn write(folder: &Path, rows: i64) {
    let customer = |i: i64| (i % 13 != 0).then_some(i % 17 - 5);
    let product = |i: i64| (i % 11 != 0).then(|| format!("p{}", i % 7));
    let cents = |i: i64| (i % 5 != 0).then_some(i * 3 - 1_000);
    let mut text = String::from("order,ordered,customer,product,amount\n");
    for i in 0..rows {
        let time = format!("{:02}:{:02}:{:02}", i / 3_600, i / 60 % 60, i % 60);
        let customer = customer(i).map_or(String::new(), |customer| customer.to_string());
        let sign = if cents(i).is_some_and(|cents| cents < 0) { "-" } else { "" };
        let amount = cents(i).map_or(String::new(), |c| format!("{sign}{}.{:02}", c.abs() / 100, c.abs() % 100));
        writeln!(text, "{i},2024-01-02 {time},{customer},{},{amount}", product(i).unwrap_or_default()).unwrap();
    }
    fs::write(folder.join("orders.csv"), text).unwrap();
    let second_of_january = 1_704_153_600_000_000;
    let times: TimestampMicrosecondArray = (0..rows).map(|i| Some(second_of_january + i * 1_000_000)).collect();
    let amounts: Decimal128Array = (0..rows).map(|i| cents(i).map(i128::from)).collect();
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("order", Arc::new((0..rows).map(Some).collect::<Int64Array>()) as ArrayRef, true),
        ("ordered", Arc::new(times), true),
        ("customer", Arc::new((0..rows).map(customer).collect::<Int64Array>()), true),
        ("product", Arc::new((0..rows).map(product).collect::<StringArray>()), true),
        ("amount", Arc::new(amounts.with_precision_and_scale(12, 2).unwrap()), true),
    ])
    .unwrap();
    let file = fs::File::create(folder.join("orders.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
}

fn project(rows: i64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("model")).unwrap();
    fs::write(folder.path().join("kepi.toml"), SETTINGS).unwrap();
    fs::write(folder.path().join("model/orders.kepi"), MODEL).unwrap();
    write(folder.path(), rows);
    folder
}

/// Read, added, known, skipped.
fn load(folder: &Path, source: &str, file: &str) -> [u64; 4] {
    let request = LoadRequest {
        files: vec![folder.join(file).display().to_string()],
        source: Some(source.to_string()),
        strict: true,
        ..LoadRequest::default()
    };
    let report = Engine::open(folder).unwrap().load(request, &|_| ()).unwrap().targets.remove(0);
    assert_eq!(report.replaced, 0);
    [report.read, report.added, report.known, report.skipped]
}

#[test]
fn the_same_rows_from_parquet_and_csv_are_the_same() {
    // Small enough for the journal, and a segment.
    for (source, rows) in [("with_ids", 3_000), ("without_ids", 3_000), ("with_ids", 6_000), ("without_ids", 6_000)] {
        let (text, columns) = (project(rows), project(rows));
        let first = load(text.path(), source, "orders.csv");
        let [read, added, known, skipped] = first;
        assert_eq!((read, known, added + skipped), (rows as u64, 0, read));
        assert_eq!(load(columns.path(), source, "orders.parquet"), first);
        // Whichever way they come again, they are known.
        for (folder, file) in [(&text, "orders.parquet"), (&columns, "orders.csv"), (&columns, "orders.parquet")] {
            assert_eq!(load(folder.path(), source, file), [read, 0, added, skipped], "{source} {file}");
        }
        for question in QUESTIONS {
            let answer = |folder: &Path| ask(&Engine::open(folder).unwrap(), question, None).unwrap().0;
            let difference = answer(text.path()).difference(&answer(columns.path()), Comparison::Exact);
            assert_eq!(difference, None, "{source}: {question}");
        }
    }
}
