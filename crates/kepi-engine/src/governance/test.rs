//! `kepi test`: each test block on its own rows, wanted beside got.

use super::given;
use crate::answer::Answer;
use crate::api::{EngineError, SourceText};
use crate::engine::{Engine, exec_error, store_error};
use crate::model::Model;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use kepi_exec::{Cancel, FrameColumn, FrameColumnKind, RunOptions};
use kepi_extension::EventScan;
use kepi_model::calendar::{Zone, date_of};
use kepi_model::catalog::Placed;
use kepi_model::value::{Kind, Unit, Value};
use kepi_store::Store;
use kepi_syntax::ast::{Expect, Test};
use kepi_syntax::{Diagnostic, Severity, Span};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Two numbers are the same where they differ by less than this part.
const CLOSE: f64 = 1e-9;

/// What the tests of a project gave.
#[derive(Clone, Debug, Default)]
pub struct TestReport {
    /// The texts that places point into.
    pub texts: Vec<SourceText>,
    /// The tests, in the order of the files.
    pub tests: Vec<TestResult>,
}

/// What a test gave.
#[derive(Clone, Debug)]
pub struct TestResult {
    /// What it is about.
    pub title: String,
    /// Its file's number.
    pub file: u32,
    /// Where it stands.
    pub span: Span,
    /// The rows it gives, as written.
    pub given: Vec<String>,
    /// Its expectations, in order; empty where it could not be run.
    pub expects: Vec<ExpectReport>,
    /// Why it could not be run: its mistakes.
    pub mistakes: Vec<Diagnostic>,
    /// Why it could not be run otherwise.
    pub failure: Option<String>,
}

/// What an expectation gave.
#[derive(Clone, Debug)]
pub struct ExpectReport {
    /// The query, as the formatter writes it.
    pub query: String,
    /// What was wanted, as written.
    pub wanted: Vec<String>,
    /// Where it stands.
    pub span: Span,
    /// What came instead; none where it is what was wanted.
    pub got: Option<Box<Answer>>,
    /// Why that is not what was wanted.
    pub difference: Option<String>,
}

impl TestResult {
    /// Whether everything came as wanted.
    pub fn passed(&self) -> bool {
        self.mistakes.is_empty() && self.failure.is_none() && self.expects.iter().all(|e| e.difference.is_none())
    }
}

impl TestReport {
    /// How many tests passed.
    pub fn passed(&self) -> usize {
        self.tests.iter().filter(|t| t.passed()).count()
    }
}

impl Engine {
    /// Runs the tests of some files, beside the model; none: those of the model. Each runs on a store of its own.
    pub fn test(&self, files: &[PathBuf], cancel: &Cancel) -> Result<TestReport, EngineError> {
        let (texts, wanted) = self.texts_with(files)?;
        let model = Model::of(&self.project, texts)?;
        let broken = |d: &&Diagnostic| d.severity == Severity::Error && (wanted.is_empty() || wanted.contains(&d.file));
        let mistakes: Vec<Diagnostic> = model.diagnostics.iter().filter(broken).cloned().collect();
        if !mistakes.is_empty() {
            return Err(model.text_error(mistakes));
        }
        let now = model.now(&self.project, None)?;
        let mut tests = Vec::new();
        for test in model.catalog.tests() {
            if cancel.is_cancelled() {
                return Err(EngineError::Interrupted);
            }
            if wanted.is_empty() || wanted.contains(&test.file) {
                tests.push(run(&model, test, now, cancel));
            }
        }
        Ok(TestReport { texts: model.texts, tests })
    }
}

fn run(model: &Model, test: &Placed<Test>, now: i64, cancel: &Cancel) -> TestResult {
    let text = model.texts.get(test.file as usize).map_or("", |t| t.text.as_str());
    let written = |span: Span| text.get(span.start as usize..span.end as usize).unwrap_or_default().trim().to_string();
    let mut result = TestResult {
        title: test.item.title.clone(),
        file: test.file,
        span: test.span,
        given: test.item.given.iter().map(|given| written(given.span)).collect(),
        expects: Vec::new(),
        mistakes: Vec::new(),
        failure: None,
    };
    let mut mistakes = Vec::new();
    let (given, mut found) = model.catalog.given(test, now);
    mistakes.append(&mut found);
    let now = given.as_deref().and_then(|given| model.catalog.now_of(test, given)).unwrap_or(now);
    let mut queries = Vec::new();
    for expect in &test.item.expect {
        let (query, mut found) = model.catalog.query_of(&test.module, &expect.query, now, test.file);
        mistakes.append(&mut found);
        let mut rows = Vec::new();
        for row in &expect.gives {
            let mut values = Vec::new();
            for value in row {
                let (constant, mut found) = model.catalog.expected(test, value, now);
                mistakes.append(&mut found);
                values.extend(constant);
            }
            rows.push(values);
        }
        queries.extend(query.map(|query| (expect, query, rows)));
    }
    mistakes.retain(|d| d.severity == Severity::Error);
    let (Some(given), true) = (given, mistakes.is_empty()) else {
        result.mistakes = mistakes;
        return result;
    };
    match answers(model, &given, &queries.iter().map(|q| &q.1).collect::<Vec<_>>(), now, cancel) {
        Ok(answers) => {
            for ((expect, _, wanted), answer) in queries.iter().zip(answers) {
                result.expects.push(judged(expect, wanted, answer));
            }
        }
        Err(error) => result.failure = Some(error.to_string()),
    }
    result
}

/// Answers queries on given rows.
fn answers(
    model: &Model,
    given: &[kepi_model::GivenRows],
    queries: &[&kepi_model::core::Query],
    now: i64,
    cancel: &Cancel,
) -> Result<Vec<Answer>, EngineError> {
    let folder =
        tempfile::tempdir().map_err(|e| EngineError::data(format!("a folder for the test cannot be made: {e}")))?;
    let path = folder.path().join("store");
    {
        let mut writer = Store::open_writer(&path, "kepi test").map_err(store_error)?;
        given::store(model, given, &mut writer, now)?;
    }
    let snapshot = Store::open_reader(&path).map_err(store_error)?;
    let options =
        RunOptions { threads: 1, memory_bytes_max: None, cancel: cancel.clone(), totals: false, partials: None };
    let mut answers = Vec::new();
    for query in queries {
        let started = Instant::now();
        let data = Arc::clone(&snapshot) as Arc<dyn EventScan>;
        let frame = kepi_exec::run(query, data, &model.plugins.functions, &options).map_err(exec_error)?;
        answers.push(Answer::computed(query, frame, Vec::new(), started, EventScan::snapshot(snapshot.as_ref())));
    }
    Ok(answers)
}

fn judged(expect: &Expect, wanted: &[Vec<(Value, Unit)>], answer: Answer) -> ExpectReport {
    let difference = difference(wanted, &answer);
    let texts = expect.gives.iter().map(|row| {
        let cells: Vec<String> = row.iter().map(kepi_syntax::expr_text).collect();
        if cells.len() == 1 { cells.concat() } else { format!("({})", cells.join(", ")) }
    });
    ExpectReport {
        query: kepi_syntax::query_text(&expect.query),
        wanted: texts.collect(),
        span: expect.span,
        got: difference.is_some().then(|| Box::new(answer)),
        difference,
    }
}

/// What is not as it was wanted; none: nothing.
fn difference(wanted: &[Vec<(Value, Unit)>], answer: &Answer) -> Option<String> {
    let frame = &answer.frame;
    let rows = frame.rows.num_rows();
    let zone = Zone::named(&answer.zone).unwrap_or_else(Zone::utc);
    if rows != wanted.len() {
        // No row at all is what a single missing value looks like.
        let nothing = rows == 0 && matches!(wanted, [only] if only.iter().all(|(v, _)| *v == Value::Missing));
        return (!nothing).then(|| format!("{} came, {} wanted", counted(rows, "row"), counted(wanted.len(), "row")));
    }
    for (number, row) in wanted.iter().enumerate() {
        if row.len() != frame.columns.len() {
            let (has, wants) = (counted(frame.columns.len(), "column"), counted(row.len(), "value"));
            return Some(format!("the answer has {has}, {wants} wanted in row {}", number + 1));
        }
        for (place, (value, unit)) in row.iter().enumerate() {
            let column = &frame.columns[place];
            if !fits(unit, column) {
                return Some(format!("`{}` is {}, what is wanted is {unit}", column.name, column.unit));
            }
            if !same(value, unit, &frame.rows, place, number, &zone) {
                return Some(format!("row {}: `{}` is not what was wanted", number + 1, column.name));
            }
        }
    }
    None
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Whether a written value may stand for one of the column.
fn fits(written: &Unit, column: &FrameColumn) -> bool {
    let period = column.kind == FrameColumnKind::Period || column.grain.is_some();
    match (&written.kind, &column.unit.kind) {
        (Kind::Missing, _) => true,
        (Kind::Date | Kind::Time, Kind::Date | Kind::Time) => true,
        (Kind::Date | Kind::Time, _) => period,
        (Kind::Number, Kind::Count | Kind::Number) => true,
        // A number per time has no literal of its own.
        (_, _) if column.unit.per.is_some() => true,
        (Kind::Text, Kind::Text | Kind::Entity(_)) => true,
        (Kind::Money(_), Kind::Money(None)) => true,
        (a, b) => a == b,
    }
}

fn same(wanted: &Value, unit: &Unit, rows: &RecordBatch, column: usize, row: usize, zone: &Zone) -> bool {
    let array = rows.column(column);
    if array.is_null(row) || matches!(array.data_type(), DataType::Null) {
        return *wanted == Value::Missing;
    }
    match array.data_type() {
        DataType::Boolean => *wanted == Value::Bool(array.as_boolean().value(row)),
        DataType::Utf8 => matches!(wanted, Value::Text(text) if text == array.as_string::<i32>().value(row)),
        DataType::Int64 => exactly(wanted, unit, i128::from(array.as_primitive::<Int64Type>().value(row)), 0),
        DataType::Decimal128(_, scale) => {
            exactly(wanted, unit, array.as_primitive::<Decimal128Type>().value(row), scale.unsigned_abs())
        }
        DataType::Float64 => nearly(wanted, unit, array.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => {
            let day = array.as_primitive::<Date32Type>().value(row);
            match wanted {
                Value::Date(wanted) => *wanted == day,
                Value::Time(at) => *at == zone.start_of_day(date_of(day)),
                _ => false,
            }
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let at = array.as_primitive::<TimestampMicrosecondType>().value(row);
            match wanted {
                Value::Date(day) => zone.start_of_day(date_of(*day)) == at,
                Value::Time(wanted) => *wanted == at,
                _ => false,
            }
        }
        _ => false,
    }
}

/// Whether a written number is `digits * 10^-scale`.
fn exactly(wanted: &Value, unit: &Unit, digits: i128, scale: u8) -> bool {
    match wanted {
        Value::Decimal { digits: other, scale: own } => {
            let most = scale.max(*own);
            let raised = |digits: i128, by: u8| digits.checked_mul(10i128.checked_pow(u32::from(by))?);
            raised(digits, most - scale) == raised(*other, most - own)
        }
        Value::Float(_) => nearly(wanted, unit, digits as f64 / 10f64.powi(i32::from(scale))),
        _ => false,
    }
}

/// Whether a written number is this one: as near as a float can be, or, where it is written with decimals, to those.
/// `3` is not 3.2, but `33.3%` is a third.
fn nearly(wanted: &Value, unit: &Unit, number: f64) -> bool {
    let (wanted, decimals) = match wanted {
        Value::Decimal { digits, scale } => (*digits as f64 / 10f64.powi(i32::from(*scale)), *scale),
        Value::Float(wanted) => (*wanted, 0),
        _ => return false,
    };
    let close = CLOSE * wanted.abs().max(number.abs()).max(f64::MIN_POSITIVE);
    let own = if matches!(unit.kind, Kind::Percent | Kind::Points) { 2 } else { 0 };
    let written = if decimals > own { 0.5 / 10f64.powi(i32::from(decimals)) } else { 0.0 };
    // Half of the last digit either way, and what computing with floats may add.
    (wanted - number).abs() <= close.max(written * (1.0 + CLOSE))
}
