//! Random data and random queries: the engine must say what the oracle says; and laws that hold for any answer.
//!
//! `KEPI_CASES=n` runs n data sets (each with several queries), `KEPI_SEED=n` others than the usual ones; the same numbers
//! give the same cases. A failing case is made small for `KEPI_SHRINK` seconds and printed as a Markdown case for
//! `suite/`; `KEPI_ALL=1` goes on after it, `KEPI_ONLY=text` asks only queries with that text, `KEPI_TELL=1` says what is
//! refused.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test may stop, and says why it skips.

mod agree;
mod behaviour;
mod inside;
mod laws;
mod life;
mod numbers;
mod pick;
mod plain;
mod shop;
mod years;

use kepi_tests::case::GivenTable;
use kepi_tests::given;
use kepi_tests::oracle::{Number, Oracle, Value};
use kepi_tests::project::Project;
use kepi_tests::shown::{Shown, ShownTable};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

const NOW: &str = "2025-07-15T12:00";
const QUERIES_PER_DATA_SET: usize = 30;

const ZONES: [&str; 3] = ["UTC", "Europe/Amsterdam", "America/New_York"];

/// Local times around leap days, ends of periods and changes of clocks, two of them later than now, few enough to collide.
const TIMES: [&str; 24] = [
    "2024-02-28",
    "2024-02-29",
    "2024-02-29T12:00",
    "2024-03-30T23:30",
    "2024-03-31T03:30",
    "2024-06-30T23:59:59",
    "2024-10-27",
    "2024-12-29T23:00",
    "2024-12-30",
    "2024-12-31T23:59:59",
    "2025-01-01",
    "2025-01-31",
    "2025-02-27T12:00",
    "2025-02-28",
    "2025-02-28T12:00",
    "2025-03-01",
    "2025-03-31",
    "2025-05-05T08:15",
    "2025-06-15T09:00",
    "2025-06-30T23:59",
    "2025-07-01",
    "2025-07-14T20:00",
    "2025-07-28T10:00",
    "2025-11-03",
];

/// A data set: a model, and the rows of its tables.
#[derive(Clone, Debug)]
struct Given {
    model: String,
    tables: Vec<GivenTable>,
    now: &'static str,
}

impl Given {
    /// The data as the oracle sees it, and now.
    fn oracle(&self) -> (Oracle, i64) {
        let empty = given::oracle(&self.model, &[], 0).unwrap();
        let Value::Time(now) = empty.calendar().literal(self.now).unwrap() else { panic!("{} is no time", self.now) };
        (given::oracle(&self.model, &self.tables, now).unwrap(), now)
    }

    /// The data as the engine sees it.
    fn project(&self) -> Result<Project, String> {
        Project::new(&self.model, &given::one_file(&self.oracle().0, &self.tables))
    }

    /// Asks the engine.
    fn answer(&self, query: &str) -> Result<ShownTable, TestCaseError> {
        let (oracle, now) = self.oracle();
        let answer = self.project().and_then(|project| project.answer(query, now, oracle.calendar()));
        answer.map_err(|problem| TestCaseError::fail(format!("{query}: {problem}")))
    }
}

/// A table of a data set; with ids they are distinct, in no order, and of one to three digits.
fn table(name: &str, columns: &str, rows: &[Vec<&str>], with_ids: bool) -> GivenTable {
    let mut table = GivenTable {
        name: name.to_string(),
        columns: columns.split(' ').map(str::to_string).collect(),
        rows: rows.iter().map(|row| row.iter().map(|cell| (*cell).to_string()).collect()).collect(),
    };
    if with_ids {
        table.columns.insert(0, "id".to_string());
        table.rows.iter_mut().enumerate().for_each(|(n, row)| row.insert(0, (n * 37 % 113).to_string()));
    }
    table
}

/// A number that the environment may change.
fn number_of(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

/// Runs a law so many times.
fn runner() -> TestRunner {
    let cases = u32::try_from(number_of("KEPI_CASES", 6)).unwrap();
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number_of("KEPI_SEED", 1).to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

fn ask(oracle: &Oracle, query: &str) -> Result<ShownTable, String> {
    let (parsed, problems) = kepi_syntax::parse_query(query);
    match (parsed, problems.is_empty()) {
        (Some(parsed), true) => Ok(ShownTable::of(&oracle.answer(&parsed)?, oracle.calendar())),
        _ => Err(format!("{query}: {problems:?}")),
    }
}

fn number(shown: &Shown) -> Number {
    match shown {
        Shown::Number(number) => *number,
        other => panic!("{other:?} is no number"),
    }
}
