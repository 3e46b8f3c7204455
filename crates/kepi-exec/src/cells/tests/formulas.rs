//! Formulas: what they compute, in which type, and what plugins may do in them.

use super::testing::*;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float64Array};
use arrow_schema::DataType;
use kepi_extension::{FunctionError, ScalarFunction};
use kepi_model::calendar::TimeUnit;
use kepi_model::core::*;
use kepi_model::declared::{Returns, Signature};
use kepi_model::value::{CalendarSpan, Kind, Unit, Value};
use std::sync::Arc;

fn year() -> Ask {
    ask("UTC", "2026-01-01").during("2025-01-01", "2026-01-01", "2025")
}

fn events() -> Vec<Event> {
    vec![event("orders", "2025-01-10", &[("amount", "0.1")]), event("orders", "2025-01-11", &[("amount", "0.2")])]
}

/// The value of a formula over the sum of the orders' amounts (0.30) and their number (2), and its column's type.
fn value(make: impl Fn(Formula, Formula) -> Formula) -> (String, DataType) {
    let mut asked = year();
    let (sum, count) = (asked.sum("orders", "amount"), asked.count("orders"));
    asked.show("value", make(sum, count));
    let frame = asked.frame(&events()).unwrap();
    (lines(&frame.rows, "UTC").join(" "), frame.rows.column(0).data_type().clone())
}

fn text(text: &str) -> Formula {
    Formula { unit: Unit::of(Kind::Text), node: FormulaNode::Const(Value::Text(text.into())) }
}

#[test]
fn decimals_stay_exact_and_counts_stay_counts() {
    let exact = |scale| DataType::Decimal128(38, scale);
    let add = value(|sum, _| call(Kind::Number, Op::Add, vec![sum, number(12345, 4)]));
    assert_eq!(add, ("1.5345".into(), exact(4)));
    let product = value(|sum, count| call(Kind::Number, Op::Multiply, vec![sum, count]));
    assert_eq!(product, ("0.6".into(), exact(2)));
    let counts = value(|_, count| call(Kind::Count, Op::Add, vec![count.clone(), count]));
    assert_eq!(counts, ("4".into(), DataType::Int64));
    let ratio = value(|sum, count| call(Kind::Number, Op::Divide, vec![sum, count]));
    assert_eq!(ratio, ("0.15".into(), DataType::Float64));
    let rounded = value(|sum, _| call(Kind::Number, Op::Round, vec![sum, number(1, 0)]));
    assert_eq!(rounded, ("0.3".into(), exact(1)));
}

#[test]
fn a_case_takes_the_first_that_holds_and_computes_no_other() {
    let case = |sum: Formula, count: Formula| {
        let is = |n| call(Kind::Bool, Op::Equal, vec![count.clone(), number(n, 0)]);
        let whens = vec![(is(1), text("one")), (is(2), text("two"))];
        let _ = sum;
        Formula {
            unit: Unit::of(Kind::Text),
            node: FormulaNode::Case { whens, otherwise: Some(Box::new(text("many"))) },
        }
    };
    assert_eq!(value(case), ("two".into(), DataType::Utf8));
}

#[test]
fn in_and_matches_and_words_work_in_cells() {
    let list = Value::List(vec![Value::Decimal { digits: 2, scale: 0 }, Value::Decimal { digits: 7, scale: 0 }]);
    let list = Formula { unit: Unit::of(Kind::List(Box::new(Kind::Number))), node: FormulaNode::Const(list) };
    assert_eq!(value(|_, count| call(Kind::Bool, Op::In, vec![count, list.clone()])).0, "true");
    let found = |pattern: &str| value(|_, _| call(Kind::Bool, Op::Matches, vec![text("abc"), text(pattern)])).0;
    assert_eq!((found("^a.c$"), found("^b")), ("true".into(), "false".into()));
    let joined = value(|_, _| call(Kind::Text, Op::Concat, vec![text("a"), text("b"), text("c")]));
    assert_eq!(joined.0, "abc");
}

#[test]
fn the_period_is_a_value_of_its_cell() {
    let mut asked = year().per(TimeUnit::Quarter);
    let period = Formula { unit: Unit::of(Kind::Time), node: FormulaNode::Period };
    let span = CalendarSpan { months: 1, ..CalendarSpan::default() };
    asked.show("next month", call(Kind::Time, Op::AddSpan(span), vec![period]));
    assert_eq!(asked.rows(&[])[1], "2025-04-01 2025-05-01");
}

#[derive(Debug)]
struct Twice {
    signature: Signature,
    answer: fn(&Float64Array) -> Result<ArrayRef, FunctionError>,
}

impl ScalarFunction for Twice {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn call(&self, _: usize, args: &[ArrayRef]) -> Result<ArrayRef, FunctionError> {
        (self.answer)(args[0].as_primitive::<Float64Type>())
    }
}

fn with_plugin(answer: fn(&Float64Array) -> Result<ArrayRef, FunctionError>) -> Result<Vec<String>, String> {
    let signature = Signature {
        name: "my.twice".into(),
        kind: kepi_model::declared::FunctionKind::Scalar,
        doc: String::new(),
        parameters: Vec::new(),
        returns: Returns::Unit(Unit::of(Kind::Number)),
    };
    let mut asked = year();
    let sum = asked.sum("orders", "amount");
    let node = FormulaNode::Plugin { name: "my.twice".into(), args: vec![sum] };
    asked.show("twice", Formula { unit: Unit::of(Kind::Number), node });
    asked.functions.scalars.insert("my.twice".into(), Arc::new(Twice { signature, answer }));
    asked.frame(&events()).map(|f| lines(&f.rows, "UTC")).map_err(|e| e.to_string())
}

#[test]
fn a_plugin_computes_cells_and_its_failure_is_its_own() {
    let twice = with_plugin(|a| Ok(Arc::new(a.iter().map(|v| v.map(|v| v * 2.0)).collect::<Float64Array>())));
    assert_eq!(twice, Ok(vec!["0.6".to_string()]));
    let nan = with_plugin(|_| Ok(Arc::new(Float64Array::from(vec![f64::NAN]))));
    assert_eq!(nan, Ok(vec!["-".to_string()]));
    let short = with_plugin(|_| Ok(Arc::new(Float64Array::from(Vec::<f64>::new()))));
    assert_eq!(
        short,
        Err("the plugin my failed in my.twice: 0 values of Float64 came back for 1 rows of Float64".to_string())
    );
    let fails = with_plugin(|_| {
        let (plugin, function) = ("my".to_string(), "twice".to_string());
        Err(FunctionError::Limit { plugin, function, limit: "10 s".into() })
    });
    assert_eq!(fails, Err("the plugin my exceeded its 10 s in twice".to_string()));
}
