//! Answers made by hand, and what each format makes of them.
#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.

use crate::{Look, find_format, kpis, series, words};
use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{Field, Schema};
use insta::assert_snapshot;
use kepi_engine::{Answer, Frame, FrameColumn, FrameColumnKind, Note, PartialPeriod};
use kepi_model::calendar::{Grain, TimeUnit};
use kepi_model::core::Better;
use kepi_model::value::{Currency, Kind, PerUnit, Unit};
use std::sync::Arc;
use std::time::Duration;

fn column(name: &str, kind: FrameColumnKind, unit: Unit, grain: Option<Grain>) -> FrameColumn {
    FrameColumn { name: name.to_string(), kind, unit, grain, better: Some(Better::Up), words: Vec::new() }
}

fn batch(columns: &[FrameColumn], arrays: Vec<ArrayRef>) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().zip(&arrays).map(|(c, a)| Field::new(&c.name, a.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn times(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values.to_vec()).with_timezone("UTC"))
}

fn decimals(values: &[Option<i128>], scale: i8) -> ArrayRef {
    Arc::new(Decimal128Array::from(values.to_vec()).with_precision_and_scale(38, scale).unwrap())
}

// First instants of January, February and March 2025 in Amsterdam.
const JANUARY: i64 = 1_735_686_000_000_000;
const FEBRUARY: i64 = 1_738_364_400_000_000;
const MARCH: i64 = 1_740_783_600_000_000;

fn answer(columns: Vec<FrameColumn>, arrays: Vec<ArrayRef>, totals: Option<Vec<ArrayRef>>) -> Answer {
    Answer {
        query: "show revenue by region per month vs previous year".to_string(),
        as_of: MARCH + 15 * 86_400_000_000,
        zone: "Europe/Amsterdam".to_string(),
        frame: Frame {
            rows: batch(&columns, arrays),
            totals: totals.map(|arrays| batch(&columns, arrays)),
            columns,
            partial: vec![PartialPeriod { start: MARCH, reason: "still running".to_string() }],
            partial_rows: Vec::new(),
            notes: vec![Note { code: "without_entity".to_string(), text: "12 orders have no customer".to_string() }],
            rows_scanned: 1234,
            steps: Vec::new(),
        },
        warnings: Vec::new(),
        elapsed: Duration::from_micros(12_345),
        snapshot: 7,
        kept: false,
        said: Vec::new(),
    }
}

/// Revenue and win rate by region and month beside the year before, with totals, hostile labels and missing values.
fn monthly() -> Answer {
    let eur = || Unit::of(Kind::Money(Currency::parse("EUR")));
    let columns = vec![
        column("month", FrameColumnKind::Period, Unit::of(Kind::Time), Some(Grain::ordinary(TimeUnit::Month))),
        column("region", FrameColumnKind::Dimension, Unit::of(Kind::Text), None),
        column("revenue", FrameColumnKind::Value, eur(), None),
        column("revenue previous", FrameColumnKind::Previous(2), eur(), None),
        column("revenue change", FrameColumnKind::Change(2), eur(), None),
        column("revenue change %", FrameColumnKind::ChangePercent(2), Unit::of(Kind::Percent), None),
        column("win_rate", FrameColumnKind::Value, Unit::of(Kind::Percent), None),
    ];
    let region = ["Benelux", "=cmd|'x'!A1", "a|b,\"c\"\n\x1b[31m"];
    let label = |i: usize| Some(region[i]);
    let arrays: Vec<ArrayRef> = vec![
        times(&[Some(JANUARY), Some(JANUARY), Some(FEBRUARY), Some(MARCH), Some(MARCH)]),
        Arc::new(StringArray::from(vec![label(0), label(1), label(0), label(2), None])),
        decimals(&[Some(123_456_789), Some(50_000), Some(140_000_000), None, Some(-5)], 2),
        decimals(&[Some(100_000_000), None, Some(150_000_000), None, Some(5)], 2),
        decimals(&[Some(23_456_789), None, Some(-10_000_000), None, Some(-10)], 2),
        Arc::new(Float64Array::from(vec![Some(0.234_567_89), None, Some(-1.0 / 15.0), None, Some(-2.0)])),
        Arc::new(Float64Array::from(vec![Some(0.148), Some(0.5), Some(f64::NAN), None, Some(1.0)])),
    ];
    let totals: Vec<ArrayRef> = vec![
        times(&[None]),
        Arc::new(StringArray::from(vec![None::<&str>])),
        decimals(&[Some(263_506_784)], 2),
        decimals(&[Some(250_000_005)], 2),
        decimals(&[Some(13_506_779)], 2),
        Arc::new(Float64Array::from(vec![0.054])),
        Arc::new(Float64Array::from(vec![0.31])),
    ];
    answer(columns, arrays, Some(totals))
}

/// A column of each unit in one row.
fn units() -> Answer {
    let value = FrameColumnKind::Value;
    let per_day = Unit { kind: Kind::Money(Currency::parse("EUR")), per: Some(PerUnit::Day) };
    let columns = vec![
        column("kind", FrameColumnKind::Dimension, Unit::of(Kind::Bool), None),
        column("customer", FrameColumnKind::Dimension, Unit::of(Kind::Entity("customer".to_string())), None),
        column("buyers", value.clone(), Unit::of(Kind::Count), None),
        column("nps", value.clone(), Unit::of(Kind::Points), None),
        column("cycle", value.clone(), Unit::of(Kind::Duration), None),
        column("velocity", value.clone(), per_day, None),
        column("exact", value.clone(), Unit::of(Kind::Number), None),
        column("last", value, Unit::of(Kind::Time), None),
    ];
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(BooleanArray::from(vec![Some(true)])),
        Arc::new(StringArray::from(vec!["c-1"])),
        Arc::new(Int64Array::from(vec![4_238])),
        decimals(&[Some(3)], 1),
        Arc::new(Float64Array::from(vec![51.78 * 86_400.0])),
        Arc::new(Float64Array::from(vec![5_200.0])),
        decimals(&[Some(12_345_678_901_234_567_890_123)], 3),
        times(&[Some(MARCH + 3_600_000_000 * 14 + 500_000)]),
    ];
    answer(columns, arrays, None)
}

/// The answers, for the tests of single formats.
pub(crate) fn answers() -> Vec<Answer> {
    vec![monthly(), units()]
}

fn shown(format: &str, answers: &[Answer]) -> String {
    String::from_utf8((find_format(format).unwrap().write)(answers, Look::default()).unwrap()).unwrap()
}

#[test]
fn table() {
    assert_snapshot!(shown("table", &[monthly(), units()]));
}

#[test]
fn line() {
    assert_snapshot!(shown("line", &[monthly(), units()]));
}

#[test]
fn markdown() {
    assert_snapshot!(shown("md", &[monthly(), units()]));
}

#[test]
fn csv() {
    assert_snapshot!(shown("csv", &[monthly(), units()]));
}

#[test]
fn html() {
    let text = shown("html", &[monthly(), units()]);
    // The style is the same on every page.
    let (head, rest) = text.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    assert_snapshot!(format!("{head}{body}"));
    for markup in ["<script", "\x1b", "http://", "https://"] {
        assert!(!text.contains(markup), "{markup}");
    }
}

#[test]
fn json() {
    let text = shown("json", &[monthly()]);
    assert_snapshot!(text);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["schema"], 1);
    let several: serde_json::Value = serde_json::from_str(&shown("json", &[monthly(), units()])).unwrap();
    assert_eq!(several.as_array().unwrap().len(), 2);
    assert_snapshot!(shown("json", &[units()]));
}

#[test]
fn jsonl() {
    let text = shown("jsonl", &[monthly(), units()]);
    for line in text.lines() {
        let _: serde_json::Value = serde_json::from_str(line).unwrap();
    }
    assert_snapshot!(text);
}

#[test]
fn what_is_said_beside() {
    assert_eq!(words(&monthly()), ["* 2025-03: still running", "12 orders have no customer"]);
}

#[test]
fn headlines_are_the_last_row_with_its_change() {
    let found = kpis(&monthly()).unwrap();
    let revenue = &found[0];
    assert_eq!(
        (revenue.value.as_str(), revenue.change.as_deref(), revenue.good),
        ("0 EUR", Some("-200.0 %"), Some(false))
    );
    assert_eq!((found[1].value.as_str(), found[1].change.as_deref()), ("100.0 %", None));
    assert_eq!(series(&monthly()).unwrap()[1].values, [Some(0.148), Some(0.5), None, None, Some(1.0)]);
}

#[test]
fn colours_only_where_asked() {
    let coloured = (find_format("table").unwrap().write)(&[monthly()], Look { colour: true, width: None }).unwrap();
    assert!(String::from_utf8(coloured).unwrap().contains("\x1b[32m+23.5 %\x1b[0m"));
    assert!(!shown("table", &[monthly()]).contains('\x1b'));
}

#[test]
fn an_answer_without_rows_is_a_header() {
    let mut empty = units();
    empty.frame.rows = empty.frame.rows.slice(0, 0);
    assert_eq!(shown("csv", &[empty.clone()]).lines().count(), 1);
    assert_eq!(shown("jsonl", &[empty.clone()]), "");
    assert_eq!(kpis(&empty).unwrap(), []);
    let value: serde_json::Value = serde_json::from_str(&shown("json", &[empty])).unwrap();
    assert_eq!(value["rows"].as_array().unwrap().len(), 0);
}

#[test]
fn a_frame_that_contradicts_itself_is_an_error() {
    let mut wrong = units();
    wrong.frame.columns.pop();
    for format in crate::FORMATS {
        assert!((format.write)(&[wrong.clone()], Look::default()).is_err(), "{}", format.name);
    }
}
