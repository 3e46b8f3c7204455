//! Measures the segment format against Parquet on generated rows: load rate, size, cold and warm scan of two columns.
//!
//! `cargo run --release -p kepi-store --example segment_formats [ROWS]`; the figures go to `docs/store-format.md`.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A program for the terminal, run by hand.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal64Type, Decimal128Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{Field, Schema};
use kepi_extension::{AT, EventScan, ScanRequest};
use kepi_model::declared::{FieldDecl, RoleDecl, StreamDecl};
use kepi_model::value::{Kind, Unit};
use kepi_store::{LoadOptions, OnConflict, Store};
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const BATCH: usize = 65_536;

fn decl() -> StreamDecl {
    let field = |name: &str, kind| FieldDecl { name: name.into(), unit: Unit::of(kind), history: false, doc: None };
    StreamDecl {
        name: "orders".into(),
        roles: vec![RoleDecl { name: "customer".into(), entity: "customer".into() }],
        at: Some("ordered".into()),
        fields: vec![
            field("product", Kind::Text),
            field("channel", Kind::Text),
            field("amount", Kind::Money(None)),
            field("cost", Kind::Money(None)),
        ],
    }
}

/// Four years of orders of skewed customers, 200 products and 6 channels; every third row is out of order.
fn batch(start: usize, rows: usize, total: usize) -> RecordBatch {
    let mut state = start as u64 * 0x9E37_79B9 + 1;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let span = 4 * 365 * 86_400_000_000u64;
    let mut times = Vec::new();
    let (mut keys, mut products, mut channels) = (Vec::new(), Vec::new(), Vec::new());
    let (mut amounts, mut costs) = (Vec::new(), Vec::new());
    for row in start..start + rows {
        let shift = if row % 3 == 0 { random(86_400_000_000) } else { 0 };
        times.push((row as u64 * (span / total as u64) + shift + 1_600_000_000_000_000) as i64);
        let customer = random(500_000).min(random(500_000));
        keys.push(format!("customer-{customer:07}"));
        products.push(format!("product {}", random(200).min(random(200))));
        channels.push(["web", "shop", "phone", "partner", "app", "mail"][random(6).min(random(6)) as usize]);
        let amount = i128::from(100 + random(50_000));
        amounts.push(amount);
        costs.push(amount * 6 / 10);
    }
    let money = |digits: Vec<i128>| Decimal128Array::from(digits).with_precision_and_scale(38, 2).unwrap();
    let columns: Vec<(&str, ArrayRef)> = vec![
        (AT, Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))),
        ("customer", Arc::new(StringArray::from(keys))),
        ("product", Arc::new(StringArray::from(products))),
        ("channel", Arc::new(StringArray::from(channels))),
        ("amount", Arc::new(money(amounts))),
        ("cost", Arc::new(money(costs))),
    ];
    let fields: Vec<Field> = columns.iter().map(|(n, c)| Field::new(*n, c.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, c)| c).collect()).unwrap()
}

/// Asks the system to forget what it has cached of the files, so that the next read is a cold one.
fn forget(folder: &Path) {
    let _ = std::process::Command::new("sync").status();
    if std::fs::write("/proc/sys/vm/drop_caches", "1").is_err() {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        for file in files.filter(|f| f.path().is_file()) {
            let of = format!("of={}", file.path().display());
            let arguments = [of.as_str(), "oflag=nocache", "conv=notrunc,fdatasync", "count=0"];
            let _ = std::process::Command::new("dd").args(arguments).output();
        }
    }
}

fn size(folder: &Path, extensions: &[&str]) -> u64 {
    let files = std::fs::read_dir(folder).unwrap().flatten();
    let wanted = |path: &Path| path.extension().is_some_and(|e| extensions.contains(&e.to_str().unwrap()));
    files.filter(|f| wanted(&f.path())).map(|f| f.metadata().unwrap().len()).sum()
}

/// Opens the store and adds up time and amount of every row.
fn scan_store(folder: &Path) -> (i64, i128) {
    let reader = Store::open_reader(folder).unwrap();
    sum_store(reader.as_ref())
}

fn sum_store(reader: &dyn EventScan) -> (i64, i128) {
    let request = ScanRequest { stream: "orders".into(), columns: vec!["amount".into()], from: None, until: None };
    let (mut times, mut amounts) = (0i64, 0i128);
    for batch in reader.scan(&request).unwrap() {
        let batch = batch.unwrap();
        let at = batch.column(0).as_primitive::<TimestampMicrosecondType>();
        times = at.values().iter().fold(times, |sum, v| sum.wrapping_add(*v));
        let sum: i64 = batch.column(1).as_primitive::<Decimal64Type>().values().iter().sum();
        amounts += i128::from(sum);
    }
    (times, amounts)
}

fn scan_codes(reader: &dyn EventScan) -> u64 {
    let columns = vec!["product".into(), "channel".into()];
    let request = ScanRequest { stream: "orders".into(), columns, from: None, until: None };
    let mut sum = 0;
    for batch in reader.scan(&request).unwrap() {
        let batch = batch.unwrap();
        for column in 1..3 {
            let codes = batch.column(column).as_primitive::<arrow_array::types::UInt32Type>();
            sum += codes.values().iter().map(|&c| u64::from(c)).sum::<u64>();
        }
    }
    sum
}

fn scan_parquet(file: &Path) -> (i64, i128) {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
    let mask = ProjectionMask::columns(builder.parquet_schema(), [AT, "amount"]);
    let reader = builder.with_projection(mask).with_batch_size(BATCH).build().unwrap();
    let (mut times, mut amounts) = (0i64, 0i128);
    for batch in reader {
        let batch = batch.unwrap();
        let at = batch.column(0).as_primitive::<TimestampMicrosecondType>();
        times = at.values().iter().fold(times, |sum, v| sum.wrapping_add(*v));
        amounts += batch.column(1).as_primitive::<Decimal128Type>().values().iter().sum::<i128>();
    }
    (times, amounts)
}

/// Best of a few, in milliseconds.
fn best<T: PartialEq + std::fmt::Debug>(runs: usize, expected: &T, mut run: impl FnMut() -> T) -> f64 {
    let times = (0..runs).map(|_| {
        let start = Instant::now();
        let found = run();
        let elapsed = start.elapsed().as_secs_f64() * 1e3;
        assert_eq!(found, *expected, "two formats give two answers");
        elapsed
    });
    times.fold(f64::INFINITY, f64::min)
}

fn main() {
    let total: usize = std::env::args().nth(1).map_or(5_000_000, |rows| rows.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let starts: Vec<usize> = (0..total).step_by(BATCH).collect();
    let batches: Vec<RecordBatch> = starts.iter().map(|&s| batch(s, BATCH.min(total - s), total)).collect();
    println!("{total} rows in {} batches", batches.len());

    let start = Instant::now();
    let mut writer = Store::open_writer(&store, "segment_formats").unwrap();
    let options = LoadOptions { label: "bench".into(), at: 0, now: 0, on_conflict: OnConflict::Replace, cursor: None };
    let mut load = writer.load(options.clone());
    for batch in &batches {
        assert!(load.events(&decl(), batch.clone()).unwrap().is_empty());
    }
    let taken = start.elapsed().as_secs_f64();
    load.commit().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!("load: {seconds:.2} s ({taken:.2} s taking), {:.2} M rows/s", total as f64 / seconds / 1e6);
    let start = Instant::now();
    let mut again = writer.load(options);
    batches.iter().for_each(|batch| drop(again.events(&decl(), batch.clone()).unwrap()));
    let count = again.commit().unwrap().counts.remove(0);
    assert_eq!((count.added, count.known), (0, total as u64));
    println!("the same load again: {:.2} s, {} known", start.elapsed().as_secs_f64(), count.known);
    drop(writer);

    let data = store.join("data");
    let per_row = |bytes: u64| bytes as f64 / total as f64;
    println!("segments: {:.2} bytes/row", per_row(size(&data, &["arrow", "index"])));
    println!("keys and texts: {:.2} bytes/row", per_row(size(&data, &["texts", "fst"])));

    let expected = scan_store(&store);
    forget(&data);
    println!("store, cold, opening included: {:.1} ms", best(1, &expected, || scan_store(&store)));
    println!("store, warm, opening included: {:.1} ms", best(5, &expected, || scan_store(&store)));
    let reader = Store::open_reader(&store).unwrap();
    sum_store(reader.as_ref());
    println!("store, open and verified: {:.1} ms", best(5, &expected, || sum_store(reader.as_ref())));
    let codes = scan_codes(reader.as_ref());
    println!("store, time and two columns of codes: {:.1} ms", best(5, &codes, || scan_codes(reader.as_ref())));

    // Parquet gets the rows in the same order.
    let names = ["customer", "product", "channel", "amount", "cost"].map(str::to_owned).to_vec();
    let request = ScanRequest { stream: "orders".into(), columns: names, from: None, until: None };
    let sorted: Vec<RecordBatch> = reader.scan(&request).unwrap().map(Result::unwrap).collect();
    let formats = [
        ("none", Compression::UNCOMPRESSED),
        ("snappy", Compression::SNAPPY),
        ("zstd", Compression::ZSTD(ZstdLevel::try_new(1).unwrap())),
    ];
    for (name, compression) in formats {
        let file = folder.path().join(format!("{name}.parquet"));
        let properties = WriterProperties::builder().set_compression(compression).build();
        let start = Instant::now();
        let schema = as_parquet_has_it(&sorted[0]).schema();
        let mut out = ArrowWriter::try_new(File::create(&file).unwrap(), schema, Some(properties)).unwrap();
        sorted.iter().for_each(|batch| out.write(&as_parquet_has_it(batch)).unwrap());
        out.close().unwrap();
        let written = start.elapsed().as_secs_f64();
        let bytes = file.metadata().unwrap().len();
        forget(folder.path());
        let cold = best(1, &expected, || scan_parquet(&file));
        let warm = best(5, &expected, || scan_parquet(&file));
        let bytes = per_row(bytes);
        println!(
            "parquet {name}: {bytes:.2} bytes/row, written in {written:.2} s, cold {cold:.1} ms, warm {warm:.1} ms"
        );
    }
}

/// Decimals as `Decimal128`: what other programs write and read.
fn as_parquet_has_it(batch: &RecordBatch) -> RecordBatch {
    let mut columns = batch.columns().to_vec();
    for column in &mut columns[4..] {
        let digits = column.as_primitive::<Decimal64Type>();
        let wide: Decimal128Array = digits.iter().map(|d| d.map(i128::from)).collect();
        *column = Arc::new(wide.with_precision_and_scale(18, 2).unwrap());
    }
    let names = batch.schema().fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
    let fields: Vec<Field> =
        names.into_iter().zip(&columns).map(|(n, c)| Field::new(n, c.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}
