//! Row expressions over small tables, with values that a person can check.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use super::evaluate_table;
use crate::ExecError;
use crate::pass::testing::{lines, row};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema};
use kepi_extension::{FunctionError, Functions, ScalarFunction};
use kepi_model::calendar::{Grain, TimeUnit};
use kepi_model::core::{Op, Row, RowNode};
use kepi_model::declared::{FunctionKind, Returns, Signature};
use kepi_model::value::{CalendarSpan, Kind, Unit, Value};
use std::sync::Arc;

/// A table of four rows; the last has nothing.
fn table() -> RecordBatch {
    let day = 86_400_000_000;
    let price = Decimal128Array::from(vec![Some(1250), Some(-300), Some(0), None]).with_precision_and_scale(20, 2);
    // 2024-03-31 00:30 UTC is the night in which Amsterdam's clocks go forward.
    let times = [Some(19_813 * day + 1_800_000_000), Some(19_782 * day), Some(19_783 * day - 1), None];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("name", Arc::new(StringArray::from(vec![Some("GTX Pro"), Some("gtx"), Some(" Ünï "), None]))),
        ("price", Arc::new(price.unwrap())),
        ("count", Arc::new(Int64Array::from(vec![Some(4), Some(3), Some(0), None]))),
        ("weight", Arc::new(Float64Array::from(vec![Some(0.5), Some(-2.0), Some(12.5), None]))),
        ("won", Arc::new(BooleanArray::from(vec![Some(true), Some(false), Some(true), None]))),
        ("at", Arc::new(times.into_iter().collect::<TimestampMicrosecondArray>().with_timezone("UTC"))),
        ("day", Arc::new(Date32Array::from(vec![Some(19_813), Some(19_782), Some(19_783), None]))),
    ];
    let field = |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), true);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|c| c.1).collect()).unwrap()
}

fn field(name: &str) -> Row {
    let kind = match name {
        "name" => Kind::Text,
        "won" => Kind::Bool,
        "at" => Kind::Time,
        "day" => Kind::Date,
        "count" => Kind::Count,
        _ => Kind::Number,
    };
    row(kind, RowNode::Field(name.into()))
}

fn constant(value: Value) -> Row {
    let kind = match &value {
        Value::Text(_) => Kind::Text,
        Value::Bool(_) => Kind::Bool,
        Value::Span(_) => Kind::Duration,
        Value::List(_) => Kind::List(Box::new(Kind::Text)),
        _ => Kind::Number,
    };
    row(kind, RowNode::Const(value))
}

fn number(digits: i128, scale: u8) -> Row {
    constant(Value::Decimal { digits, scale })
}

fn text(text: &str) -> Row {
    constant(Value::Text(text.into()))
}

/// A call whose result has this kind.
fn call(kind: Kind, op: Op, args: Vec<Row>) -> Row {
    row(kind, RowNode::Call { op, args })
}

fn is(op: Op, args: Vec<Row>) -> Row {
    call(Kind::Bool, op, args)
}

fn of(op: Op, args: Vec<Row>) -> Row {
    call(Kind::Number, op, args)
}

/// The values of an expression, as text.
fn values(expression: Row) -> Vec<String> {
    let array =
        evaluate_table(&[expression], &table(), "Europe/Amsterdam", 0, &Functions::default()).unwrap().remove(0);
    let field = Field::new("value", array.data_type().clone(), true);
    lines(&RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array]).unwrap())
}

#[test]
fn arithmetic_is_exact_and_missing_with_missing() {
    let (price, count) = (|| field("price"), || field("count"));
    assert_eq!(values(of(Op::Add, vec![price(), number(5, 1)])), ["13.00", "-2.50", "0.50", "-"]);
    assert_eq!(values(of(Op::Subtract, vec![price(), count()])), ["8.50", "-6.00", "0.00", "-"]);
    assert_eq!(values(of(Op::Multiply, vec![price(), number(5, 2)])), ["0.6250", "-0.1500", "0.0000", "-"]);
    assert_eq!(values(of(Op::Divide, vec![price(), count()])), ["3.125", "-1", "-", "-"]);
    assert_eq!(values(of(Op::Multiply, vec![price(), field("weight")])), ["6.25", "6", "0", "-"]);
    assert_eq!(values(of(Op::Negate, vec![price()])), ["-12.50", "3.00", "0.00", "-"]);
    assert_eq!(values(of(Op::Abs, vec![price()])), ["12.50", "3.00", "0.00", "-"]);
    assert_eq!(values(of(Op::Least, vec![price(), count()])), ["4.00", "-3.00", "0.00", "-"]);
    assert_eq!(values(of(Op::Greatest, vec![price(), field("weight")])), ["12.5", "-2", "12.5", "-"]);
    assert_eq!(values(of(Op::Otherwise, vec![price(), number(7, 0)])), ["12.50", "-3.00", "0.00", "7.00"]);
}

#[test]
fn rounding_keeps_decimals_exact() {
    assert_eq!(values(of(Op::Round, vec![field("price")])), ["13", "-3", "0", "-"]);
    assert_eq!(values(of(Op::Round, vec![field("price"), number(1, 0)])), ["12.5", "-3.0", "0.0", "-"]);
    assert_eq!(values(of(Op::Round, vec![field("weight")])), ["1", "-2", "13", "-"]);
    assert_eq!(values(of(Op::Floor, vec![field("price")])), ["12", "-3", "0", "-"]);
    assert_eq!(values(of(Op::Ceil, vec![field("weight")])), ["1", "-2", "13", "-"]);
    assert_eq!(values(of(Op::Sqrt, vec![field("count")])), ["2", "1.7320508075688772", "0", "-"]);
    assert_eq!(values(of(Op::Ln, vec![field("count")]))[2], "-");
}

#[test]
fn conditions_have_two_values() {
    let price = || field("price");
    assert_eq!(values(is(Op::Equal, vec![price(), number(125, 1)])), ["true", "false", "false", "false"]);
    assert_eq!(values(is(Op::NotEqual, vec![price(), number(125, 1)])), ["false", "true", "true", "true"]);
    let less = || is(Op::Less, vec![price(), number(1, 0)]);
    assert_eq!(values(less()), ["false", "true", "true", "false"]);
    assert_eq!(values(is(Op::Not, vec![less()])), ["true", "false", "false", "true"]);
    assert_eq!(values(is(Op::Not, vec![field("won")])), ["false", "true", "false", "true"]);
    assert_eq!(values(is(Op::And, vec![field("won"), less()])), ["false", "false", "true", "false"]);
    assert_eq!(values(is(Op::Or, vec![field("won"), less()])), ["true", "true", "true", "false"]);
    assert_eq!(values(is(Op::IsMissing, vec![price()])), ["false", "false", "false", "true"]);
    assert_eq!(
        values(is(Op::In, vec![field("count"), number(3, 0), number(4, 0)])),
        ["true", "true", "false", "false"]
    );
    assert_eq!(values(field("won")), ["true", "false", "true", "-"]);
}

#[test]
fn texts_are_tested_and_changed() {
    let name = || field("name");
    let list = constant(Value::List(vec![Value::Text("gtx".into()), Value::Text("x".into())]));
    assert_eq!(values(is(Op::In, vec![name(), list])), ["false", "true", "false", "false"]);
    assert_eq!(values(is(Op::NotEqual, vec![name(), text("gtx")])), ["true", "false", "true", "true"]);
    assert_eq!(values(is(Op::Matches, vec![name(), text("(?i)^gtx")])), ["true", "true", "false", "false"]);
    assert_eq!(values(is(Op::Contains, vec![name(), text("X P")])), ["true", "false", "false", "false"]);
    assert_eq!(values(is(Op::StartsWith, vec![name(), text("g")])), ["false", "true", "false", "false"]);
    assert_eq!(values(is(Op::EndsWith, vec![name(), text("Pro")])), ["true", "false", "false", "false"]);
    let changed = |op, more: Vec<Row>| values(call(Kind::Text, op, [vec![name()], more].concat()));
    assert_eq!(changed(Op::Lower, vec![]), ["gtx pro", "gtx", " ünï ", "-"]);
    assert_eq!(changed(Op::Trim, vec![]), ["GTX Pro", "gtx", "Ünï", "-"]);
    assert_eq!(changed(Op::Replace, vec![text("GTX"), text("RTX")]), ["RTX Pro", "gtx", " Ünï ", "-"]);
    assert_eq!(changed(Op::Concat, vec![text("!"), name()]), ["GTX Pro!GTX Pro", "gtx!gtx", " Ünï ! Ünï ", "-"]);
    assert_eq!(values(of(Op::Length, vec![name()])), ["7", "3", "5", "-"]);
}

#[test]
fn the_first_case_that_holds_wins() {
    let case = |whens: Vec<(Row, Row)>, otherwise: Option<Row>| {
        row(Kind::Text, RowNode::Case { whens, otherwise: otherwise.map(Box::new) })
    };
    let won = || field("won");
    let large = is(Op::Greater, vec![field("price"), number(0, 0)]);
    let names = case(vec![(large, text("large")), (won(), text("won"))], Some(text("other")));
    assert_eq!(values(names), ["large", "other", "won", "other"]);
    let own = case(vec![(is(Op::Equal, vec![field("name"), text("gtx")]), text("GTX"))], Some(field("name")));
    assert_eq!(values(own), ["GTX Pro", "GTX", " Ünï ", "-"]);
    assert_eq!(values(case(vec![(won(), number(1, 0))], None)), ["1", "-", "1", "-"]);
    let mixed = case(vec![(won(), field("price")), (is(Op::Not, vec![won()]), field("count"))], None);
    assert_eq!(values(mixed), ["12.50", "3.00", "0.00", "-"]);
}

#[test]
fn times_follow_the_clocks_of_the_zone() {
    let at = || field("at");
    let day = |op: Op| values(of(op, vec![at()]));
    let month = Grain::ordinary(TimeUnit::Month);
    let truncated = values(call(Kind::Time, Op::Truncate(month.clone()), vec![at()]));
    assert_eq!(truncated[0], "2024-02-29T23:00:00Z");
    assert_eq!(day(Op::HourOfDay), ["1", "1", "0", "-"]);
    assert_eq!(day(Op::Weekday), ["7", "4", "5", "-"]);
    assert_eq!(day(Op::DayOfMonth), ["31", "29", "1", "-"]);
    assert_eq!(day(Op::QuarterOfYear), ["1", "1", "1", "-"]);
    let hours = CalendarSpan { months: 0, days: 1, micros: 0 };
    let later = values(call(Kind::Time, Op::AddSpan(hours), vec![at()]));
    // A day by the calendar: 01:30 again, which on the day after the change is 23 hours later.
    assert_eq!(later[0], "2024-03-31T23:30:00Z");
    let months = CalendarSpan { months: 1, days: 0, micros: 0 };
    let dates = call(Kind::Date, Op::AddSpan(months), vec![field("day")]);
    assert_eq!(values(of(Op::DayOfMonth, vec![dates])), ["30", "29", "1", "-"]);
    let elapsed = of(Op::Elapsed, vec![at(), field("day")]);
    assert_eq!(values(elapsed)[0], "5400.000000");
    let between = of(Op::PeriodsBetween(month), vec![field("day"), constant(Value::Date(19_750))]);
    assert_eq!(values(between), ["2", "1", "2", "-"]);
}

#[test]
fn what_cannot_be_is_an_error_in_words() {
    let fails = |row: Row| evaluate_table(&[row], &table(), "UTC", 0, &Functions::default()).unwrap_err().to_string();
    assert_eq!(
        fails(row(Kind::Text, RowNode::Field("nome".into()))),
        "the plan does not fit together: the table has no column `nome`"
    );
    assert!(fails(of(Op::Add, vec![field("name"), number(1, 0)])).ends_with("Add does not take a text and a number"));
    assert!(fails(is(Op::Matches, vec![field("name"), text("(")])).contains("`(` is no regular expression"));
    let zone = evaluate_table(&[], &table(), "Mars/Base", 0, &Functions::default());
    assert!(matches!(zone, Err(ExecError::Plan(_))));
}

/// Doubles a number; of a negative one it wants nothing to do.
#[derive(Debug)]
struct Double(Signature);

impl ScalarFunction for Double {
    fn signature(&self) -> &Signature {
        &self.0
    }

    fn call(&self, rows: usize, args: &[ArrayRef]) -> Result<ArrayRef, FunctionError> {
        assert_eq!(args[0].data_type(), &DataType::Float64);
        let numbers = args[0].as_any().downcast_ref::<Float64Array>().unwrap();
        if numbers.iter().flatten().any(|n| n > 100.0) {
            return Ok(Arc::new(Float64Array::from(vec![0.0; rows + 1])));
        }
        Ok(Arc::new(numbers.iter().map(|n| n.map(|n| n * 2.0)).collect::<Float64Array>()))
    }
}

#[test]
fn a_plugin_computes_whole_columns() {
    let unit = Unit::of(Kind::Number);
    let signature = Signature {
        name: "math.double".into(),
        kind: FunctionKind::Scalar,
        doc: String::new(),
        parameters: vec![],
        returns: Returns::Unit(unit.clone()),
    };
    let mut functions = Functions::default();
    functions.scalars.insert("math.double".into(), Arc::new(Double(signature)));
    let double = |arg: Row| row(Kind::Number, RowNode::Plugin { name: "math.double".into(), args: vec![arg] });
    let array = evaluate_table(&[double(field("price"))], &table(), "UTC", 0, &functions).unwrap().remove(0);
    let found: Vec<_> = array.as_any().downcast_ref::<Float64Array>().unwrap().iter().collect();
    assert_eq!(found, [Some(25.0), Some(-6.0), Some(0.0), None]);
    let large = double(of(Op::Multiply, vec![field("price"), number(1000, 0)]));
    let wrong = evaluate_table(&[large], &table(), "UTC", 0, &functions).unwrap_err().to_string();
    assert_eq!(wrong, "the plugin math failed in math.double: it gave 5 values of Float64");
}
