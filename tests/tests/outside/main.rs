//! Cases that other people wrote: their events, their question, their figures.
//!
//! They stand beside the repository, in `../shared/cases`; without them these tests say so and do nothing. Models and
//! queries are ours; where another system counts otherwise by design, the test says how.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test may stop, and says why it skips.

mod cube;
mod formulas;
mod funnels;
mod metricflow;
mod returning;

use kepi_tests::case::GivenTable;
use kepi_tests::given;
use kepi_tests::oracle::Value;
use kepi_tests::project::{self, Project};
use kepi_tests::shown::{Shown, ShownTable};
use serde_json::Value as Json;
use std::fs;
use std::path::Path;

/// The case with this id; none, in words, where it is not there.
fn outside(file: &str, id: &str) -> Option<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases").join(file);
    let Ok(text) = fs::read_to_string(&path) else {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    };
    let cases: Vec<Json> = serde_json::from_str(&text).unwrap();
    let found = cases.into_iter().find(|case| case["id"] == id);
    if found.is_none() {
        eprintln!("skipped: {} has no {id}", path.display());
    }
    found
}

/// The columns of a case's table, under our names and in our words.
fn table(name: &str, columns: &[&str], rows: Vec<Vec<String>>) -> GivenTable {
    GivenTable { name: name.to_string(), columns: columns.iter().map(|c| (*c).to_string()).collect(), rows }
}

fn text(cell: &Json) -> String {
    match cell {
        Json::Null => "-".to_string(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn rows(rows: &Json, columns: &[usize]) -> Vec<Vec<String>> {
    let row = |row: &Json| columns.iter().map(|column| text(&row[*column])).collect();
    rows.as_array().unwrap().iter().map(row).collect()
}

/// Asks the oracle, and the engine where it is there; both must agree.
fn ask(model: &str, tables: &[GivenTable], now: &str, query: &str) -> Vec<Vec<String>> {
    let empty = given::oracle(model, &[], 0).unwrap();
    let now = match empty.calendar().literal(now).unwrap() {
        Value::Date(day) => empty.calendar().start_of_day(day),
        Value::Time(at) => at,
        other => panic!("{other:?} is no time"),
    };
    let oracle = given::oracle(model, tables, now).unwrap();
    let (parsed, problems) = kepi_syntax::parse_query(query);
    assert!(problems.is_empty(), "{query}: {problems:?}");
    let answer = oracle.answer(&parsed.unwrap()).unwrap_or_else(|problem| panic!("{query}: {problem}"));
    let answer = ShownTable::of(&answer, oracle.calendar());
    if project::is_there() {
        let project = Project::new(model, &given::files(&oracle, tables));
        match project.and_then(|project| project.answer(query, now, oracle.calendar())) {
            Err(problem) if problem.contains("not there yet") => eprintln!("only the oracle answers: {problem}"),
            found => {
                let found = found.unwrap_or_else(|problem| panic!("{query}: {problem}"));
                let difference = answer.difference(&found, oracle.calendar());
                assert!(difference.is_none(), "{query}: oracle and engine: {difference:?}");
            }
        }
    } else {
        eprintln!("the engine does not load files yet, so only the oracle answers");
    }
    answer.rows.iter().map(|row| row.iter().map(|value: &Shown| value.write(oracle.calendar())).collect()).collect()
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}
