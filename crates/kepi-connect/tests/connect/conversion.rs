//! Columns of text become numbers, yes and no, dates and times; cells that do not fit are named.

use crate::{Folder, cells, open, options};
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_schema::{DataType, TimeUnit};
use kepi_connect::moment::{MomentFormat, SHAPES};
use kepi_connect::{Formats, convert, detect_column};
use kepi_model::calendar::Zone;
use kepi_model::value::{Currency, Kind, Unit};
use proptest::prelude::*;
use std::sync::Arc;

fn column(values: &[&str]) -> ArrayRef {
    Arc::new(values.iter().map(|v| (!v.is_empty()).then_some(*v)).collect::<StringArray>())
}

fn type_of(array: &ArrayRef) -> String {
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC" => "instant".to_string(),
        other => format!("{other:?}"),
    }
}

/// Detects the format of the values, converts them, and shows the type, the values and the faults.
fn converted(values: &[&str], kind: Kind, pairs: &[(&str, &str)]) -> String {
    let options = options(pairs);
    let zone = options.zone(&Zone::utc());
    let guess = detect_column(values.iter().map(|v| (!v.is_empty()).then_some(*v)), &options);
    let formats = Formats { decimal: guess.decimal, moment: guess.moment, zone };
    let (array, faults) = convert(&column(values), &Unit::of(kind), &formats);
    let faults: Vec<String> = faults.iter().map(|(row, why)| format!("{row}: {why}")).collect();
    format!("{} {} {}", type_of(&array), cells(&array).join(" "), faults.join("; ")).trim_end().to_string()
}

#[test]
fn numbers_stay_exact_where_they_are_short() {
    let number = |values: &[&str]| converted(values, Kind::Number, &[]);
    assert_eq!(number(&["12.50", "", "3", "NULL", "-0.125"]), "Decimal128(38, 3) 12.500 · 3.000 · -0.125");
    assert_eq!(number(&["1.234,56", "12,5", "7"]), "Decimal128(38, 2) 1234.56 12.50 7.00");
    assert_eq!(number(&["$1,200.00", "(3.50)"]), "Decimal128(38, 2) 1200.00 -3.50");
    assert_eq!(number(&["1e-7", "2"]), "Float64 1e-7 2.0");
    assert_eq!(number(&["123456789012345678", "0.5"]), "Float64 1.2345678901234568e17 0.5");
    assert_eq!(number(&["1", "x"]), "Decimal128(38, 0) 1 · 1: expected a number, found `x`");
    assert_eq!(converted(&["5%", "14.8 %"], Kind::Percent, &[]), "Decimal128(38, 3) 0.050 0.148");
    assert_eq!(converted(&["1:02:03", "90"], Kind::Duration, &[]), "Decimal128(38, 0) 3723 90");
    assert_eq!(
        converted(&["€ 12", "$5", "7"], Kind::Money(Some(Currency(*b"EUR"))), &[]),
        "Decimal128(38, 0) 12 · 7 1: expected an amount in EUR, found `$5`"
    );
    assert_eq!(
        converted(&["12,5"], Kind::Number, &[("decimal", ".")]),
        "Decimal128(38, 0) · 0: expected a number with the decimal mark `.`, found `12,5`"
    );
}

#[test]
fn yes_and_no() {
    assert_eq!(converted(&["Yes", "no", "", "NA", "1"], Kind::Bool, &[]), "Boolean true false · · true");
    assert_eq!(converted(&["Yes", "maybe"], Kind::Bool, &[]), "Boolean true · 1: expected yes or no, found `maybe`");
}

#[test]
fn times_of_every_spelling_are_one_instant() {
    for text in [
        "2018-02-26T19:58:00Z",
        "2018-02-26 19:58",
        "2018-02-26 19:58:00.000",
        "2018-02-26 19:58:00 UTC",
        "2018-02-26T21:58:00+02:00",
        "2018.02.26 19:58",
        "2018/2/26 19:58",
        "26/Feb/2018:19:58:00 +0000",
        "26-Feb-2018 7:58 PM",
        "26 February 2018 19:58",
        "Feb 26, 2018 7:58 pm",
        "Mon, 26 Feb 2018 19:58:00 GMT",
        "26.02.2018 19:58",
        "2/26/2018 19:58",
        "20180226 19:58",
    ] {
        let found = converted(&[text], Kind::Time, &[]);
        assert_eq!(found, "instant 2018-02-26T19:58:00Z", "{text}");
    }
    for (text, dates) in [
        ("1519675080", "epoch"),
        ("1519675080000", "epoch_ms"),
        ("26 02 18 at 19h58", "%d %m %y at %Hh%M"),
        ("057/2018 19:58", "%j/%Y %H:%M"),
    ] {
        let found = converted(&[text], Kind::Time, &[("dates", dates)]);
        assert_eq!(found, "instant 2018-02-26T19:58:00Z", "{text}");
    }
}

#[test]
fn dates_without_a_time_are_midnight_in_the_zone() {
    let zone = [("timezone", "Europe/Amsterdam")];
    assert_eq!(
        converted(&["2018-02-26", "2018-07-01", "2018-03-25 02:30", "2018-07-01 00:00:00Z"], Kind::Time, &zone),
        "instant 2018-02-25T23:00:00Z 2018-06-30T22:00:00Z 2018-03-25T01:30:00Z 2018-07-01T00:00:00Z"
    );
    assert_eq!(converted(&["2018-02-26", "2018-06-30 23:30:00Z"], Kind::Date, &zone), "Date32 2018-02-26 2018-07-01");
}

#[test]
fn month_or_day_first_is_decided_over_the_whole_column() {
    let shape = |values: &[&str]| {
        let guess = detect_column(values.iter().map(|v| Some(*v)), &options(&[]));
        (guess.moment.map(|m| m.strftime(false)), guess.ambiguous_day)
    };
    assert_eq!(shape(&["1/2/2020", "1/13/2020"]), (Some("%m/%d/%Y".into()), false));
    assert_eq!(shape(&["1/2/2020", "13/1/2020"]), (Some("%d/%m/%Y".into()), false));
    assert_eq!(shape(&["1/2/2020", "3/4/2020"]), (Some("%m/%d/%Y".into()), true));
    let mixed = detect_column([Some("1/13/2020"), Some("13/1/2020")], &options(&[]));
    assert_eq!(mixed.kind, Kind::Text);
    assert_eq!(shape(&["12-Jul", "13-Jul"]).0, None);
    assert_eq!(shape(&["2024-01", "2024-02"]).0, None);
}

#[test]
fn a_late_day_settles_an_ambiguous_file() {
    let mut text = String::from("day,n\n");
    for i in 0..40_000 {
        text.push_str(&format!("{}/{}/2020,{i}\n", i % 12 + 1, i % 11 + 1));
    }
    text.push_str("25/3/2020,1\n");
    let folder = Folder::new();
    let table = open(&folder.file("late.csv", text), &[]);
    let formats = table.formats(&[("day".to_string(), Unit::of(Kind::Date))], &Zone::utc()).unwrap();
    assert_eq!(formats[0].moment.as_ref().unwrap().strftime(false), "%d/%m/%Y");
}

#[test]
fn a_time_column_that_is_none_says_what_was_expected() {
    assert_eq!(
        converted(&["soon", "NULL"], Kind::Time, &[]),
        "instant · · 0: expected a time in a format that kepi knows (state it with `dates`), found `soon`"
    );
    for (number, how) in [
        ("1767225600", "seconds since 1970 are read with `dates = \"epoch\"`"),
        ("1767225600000", "milliseconds since 1970 are read with `dates = \"epoch_ms\"`"),
        ("1767225600000000", "microseconds since 1970 are read with `dates = \"epoch_us\"`"),
        ("17", "state it with `dates`"),
    ] {
        let said = converted(&[number, "soon"], Kind::Time, &[]);
        assert!(said.contains(&format!("({how}), found `{number}`")), "{said}");
    }
    assert_eq!(
        converted(&["2020-01-01", "2020-02-30", "later\u{1b}[0m"], Kind::Date, &[]),
        "Date32 2020-01-01 · · 1: expected a date like `%Y-%m-%d`, found `2020-02-30`; \
         2: expected a date like `%Y-%m-%d`, found `later\\u{1b}[0m`"
    );
}

#[test]
fn typed_columns_are_taken_as_they_are() {
    use arrow_array::{BooleanArray, Date32Array, Float64Array, Int32Array};
    let formats = Formats { decimal: b'.', moment: Some(MomentFormat::Shape(SHAPES[3])), zone: Zone::utc() };
    let to = |array: ArrayRef, kind: Kind| {
        let (array, faults) = convert(&array, &Unit::of(kind), &formats);
        format!("{} {} {faults:?}", type_of(&array), cells(&array).join(" "))
    };
    assert_eq!(
        to(Arc::new(Float64Array::from(vec![0.1, 2.0, 12.25])), Kind::Number),
        "Decimal128(38, 2) 0.10 2.00 12.25 []"
    );
    assert_eq!(to(Arc::new(Float64Array::from(vec![1e300, 2.0])), Kind::Number), "Float64 1e300 2.0 []");
    assert_eq!(to(Arc::new(Int32Array::from(vec![5, -6])), Kind::Count), "Decimal128(38, 0) 5 -6 []");
    assert_eq!(to(Arc::new(Int32Array::from(vec![0, 1])), Kind::Bool), "Boolean false true []");
    assert_eq!(to(Arc::new(BooleanArray::from(vec![true])), Kind::Bool), "Boolean true []");
    assert_eq!(to(Arc::new(Int32Array::from(vec![20_180_226])), Kind::Date), "Date32 2018-02-26 []");
    assert_eq!(to(Arc::new(Date32Array::from(vec![0])), Kind::Time), "instant 1970-01-01T00:00:00Z []");
    assert_eq!(to(Arc::new(Float64Array::from(vec![5.0])), Kind::Text), "Utf8 5 []");
}

proptest! {
    #[test]
    fn a_written_date_is_read_back(day in 0i32..40_000, second in 0u32..86_400, which in 0..SHAPES.len(), zone in 0usize..3) {
        let zone = Zone::named(["UTC", "Europe/Amsterdam", "America/St_Johns"][zone]).unwrap();
        let date = kepi_model::calendar::date_of(day);
        let shape = SHAPES[which];
        // Two digits of a year are read as 1969 to 2068.
        prop_assume!(!shape.short_year || date.year() <= 2068);
        let format = MomentFormat::Shape(shape);
        let at = date.at((second / 3600) as i8, (second / 60 % 60) as i8, (second % 60) as i8, 0);
        let text = at.strftime(&format.strftime(true)).to_string();
        let formats = Formats { decimal: b'.', moment: Some(format), zone: zone.clone() };
        let (array, faults) = convert(&column(&[&text]), &Unit::of(Kind::Time), &formats);
        prop_assert!(faults.is_empty(), "{text}: {faults:?}");
        let stamps = array.as_any().downcast_ref::<arrow_array::TimestampMicrosecondArray>().unwrap();
        prop_assert_eq!(stamps.value(0), zone.instant(at), "{}", text);
        let (array, _) = convert(&column(&[&text]), &Unit::of(Kind::Date), &formats);
        let days = array.as_any().downcast_ref::<arrow_array::Date32Array>().unwrap();
        prop_assert_eq!(days.value(0), day);
    }
}
