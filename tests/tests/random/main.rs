//! Random data and random queries: the engine must say what the oracle says; and laws that hold for any answer.
//!
//! `KEPI_CASES=n` runs n data sets (each with several queries), `KEPI_SEED=n` others than the usual ones. The same
//! numbers give the same cases; `KEPI_SHRINK=n` is how long a failing one is made smaller, `KEPI_ALL=1` goes on after it. A failing case is printed as a Markdown case for `suite/`.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test may stop, and says why it skips.

mod behaviour;
mod laws;
mod life;
mod pick;
mod plain;

use kepi_tests::case::GivenTable;
use kepi_tests::given;
use kepi_tests::oracle::{Number, Oracle, Value};
use kepi_tests::project::{self, Project};
use kepi_tests::shown::{Shown, ShownTable, align};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::cell::Cell;
use std::fmt::Debug;

const NOW: &str = "2025-07-15T12:00";
const QUERIES_PER_DATA_SET: usize = 30;

const ZONES: [&str; 3] = ["UTC", "Europe/Amsterdam", "America/New_York"];

/// Local times around leap days, ends of periods and changes of clocks, few enough to collide.
const TIMES: [&str; 22] = [
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
];

/// A data set.
trait Given: Clone + Debug {
    fn model(&self) -> String;
    fn tables(&self) -> Vec<GivenTable>;

    /// The data as the oracle sees it, and now.
    fn oracle(&self) -> (Oracle, i64) {
        let empty = given::oracle(&self.model(), &[], 0).unwrap();
        let Value::Time(now) = empty.calendar().literal(NOW).unwrap() else { panic!("{NOW} is no time") };
        (given::oracle(&self.model(), &self.tables(), now).unwrap(), now)
    }

    /// Asks the engine.
    fn answer(&self, query: &str) -> Result<ShownTable, TestCaseError> {
        let (oracle, now) = self.oracle();
        let answer = match project::is_there() {
            true => Project::new(&self.model(), &given::files(&oracle, &self.tables()))
                .and_then(|project| project.answer(query, now, oracle.calendar())),
            false => ask(&oracle, query),
        };
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

fn runner() -> TestRunner {
    runner_of(6)
}

/// Runs so many cases where `KEPI_CASES` says nothing.
fn runner_of(usual: u64) -> TestRunner {
    let number = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let cases = u32::try_from(number("KEPI_CASES", usual)).unwrap();
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("KEPI_SEED", 1).to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: u32::try_from(number("KEPI_SHRINK", 120)).unwrap(),
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

fn ask(oracle: &Oracle, query: &str) -> Result<ShownTable, String> {
    let (parsed, problems) = kepi_syntax::parse_query(query);
    match (parsed, problems.is_empty()) {
        (Some(parsed), true) => Ok(ShownTable::of(&oracle.answer(&parsed)?, oracle.calendar())),
        _ => Err(format!("{query}: {problems:?}")),
    }
}

/// The case as it would stand in `suite/`.
fn markdown(data: &impl Given, query: &str, answer: &ShownTable, oracle: &Oracle) -> String {
    let mut text = format!("## found by chance\n```kepi\n{}```\n", data.model());
    for table in data.tables().iter().filter(|table| !table.rows.is_empty()) {
        let kind = match &table.name[..] {
            "customer" | "campaign" => "entities ",
            "balance" => "states ",
            "rates" | "merges customer" => "",
            _ => "events ",
        };
        let mut lines = vec![table.columns.clone()];
        lines.extend(table.rows.clone());
        text.push_str(&format!("```{kind}{}\n{}```\n", table.name, align(&lines)));
    }
    text.push_str(&format!(
        "```query now {NOW}\n{query}\n```\n```result\n{}```\n",
        answer.write(&[], oracle.calendar())
    ));
    text
}

/// Asks both, for each data set its queries; they must say the same.
fn agree<D: Given>(usual: u64, data: impl Strategy<Value = D>, queries: impl Strategy<Value = Vec<String>>) {
    if !project::is_there() {
        eprintln!("the engine does not load files yet: only the oracle answers the random queries");
    }
    let (asked, refused) = (Cell::new(0), Cell::new(0));
    let goes_on = std::env::var_os("KEPI_ALL").is_some();
    let fail = |problem: String| match goes_on {
        true => {
            eprintln!("{problem}");
            Ok(())
        }
        false => Err(TestCaseError::fail(problem)),
    };
    let outcome = runner_of(usual).run(&(data, queries), |(data, queries)| {
        let (oracle, now) = data.oracle();
        let files = given::files(&oracle, &data.tables());
        let project = match project::is_there() {
            true => Some(Project::new(&data.model(), &files).map_err(TestCaseError::fail)?),
            false => None,
        };
        for query in &queries {
            let expected = ask(&oracle, query).map_err(|e| TestCaseError::fail(format!("oracle, {query}: {e}")))?;
            let Some(project) = &project else { continue };
            asked.set(asked.get() + 1);
            let found = match project.answer(query, now, oracle.calendar()) {
                Err(problem) if problem.contains("not there yet") => {
                    refused.set(refused.get() + 1);
                    continue;
                }
                Ok(found) => found,
                Err(e) => {
                    fail(format!("engine: {e}\n{}", markdown(&data, query, &expected, &oracle)))?;
                    continue;
                }
            };
            if let Some(difference) = expected.difference(&found, oracle.calendar()) {
                let case = markdown(&data, query, &expected, &oracle);
                let engine = found.write(&[], oracle.calendar());
                fail(format!("oracle and engine: {difference}\n{case}the engine:\n{engine}"))?;
            }
        }
        Ok(())
    });
    if let Err(problem) = outcome {
        panic!("{problem}");
    }
    // What is refused in words is no wrong answer, but a test that compares nothing would be none.
    assert!(refused.get() * 10 <= asked.get(), "{} of {} queries were refused", refused.get(), asked.get());
}

fn number(shown: &Shown) -> Number {
    match shown {
        Shown::Number(number) => *number,
        other => panic!("{other:?} is no number"),
    }
}
