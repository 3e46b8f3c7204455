//! Asks engine and oracle the same and counts on how much they agree; what differs is made small before it is printed.

use super::{Given, QUERIES_PER_DATA_SET, ask, number_of, runner};
use kepi_syntax::ast::Query;
use kepi_tests::oracle::Oracle;
use kepi_tests::shown::{ShownTable, align};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::time::{Duration, Instant};

/// Of a hundred queries so many at least must have one answer on both sides: refusals cannot hide what is not compared.
const AGREED_PERCENT_MIN: usize = 90;

/// Of a hundred of those so many say something, where a family does not say how many.
const KNOWN_PERCENT_MIN: usize = 10;

/// The data sets are computed on one, two and three threads by turns: builds for tests give each even a few rows.
const THREADS_MAX: u64 = 3;

/// What became of the queries of a family.
#[derive(Debug, Default)]
struct Count {
    data_sets: u64,
    agreed: usize,
    /// The engine says "not there yet".
    refused: usize,
    /// Both say that the question has no meaning.
    meaningless: usize,
    /// With a row that is no total of nothing.
    known: usize,
    differences: Vec<String>,
    in_oracle: Duration,
    in_engine: Duration,
    in_loads: Duration,
}

/// What a query came to.
enum Outcome {
    Agreed(ShownTable),
    Refused(String),
    Meaningless(String),
    Differs(String),
}

/// Asks both sides `QUERIES_PER_DATA_SET` queries about each of so many data sets (`KEPI_CASES` where it is set); they must
/// say the same.
pub(super) fn agree(
    family: &str,
    data_sets: u64,
    data: impl Strategy<Value = Given>,
    query: impl Strategy<Value = String>,
) {
    agree_saying(family, KNOWN_PERCENT_MIN, data_sets, data, query);
}

/// The same; of a hundred answers so many at least must say more than nothing.
pub(super) fn agree_saying(
    family: &str,
    known_percent_min: usize,
    data_sets: u64,
    data: impl Strategy<Value = Given>,
    query: impl Strategy<Value = String>,
) {
    let mut runner = runner();
    let mut count = Count::default();
    let goes_on = std::env::var_os("KEPI_ALL").is_some();
    let only = std::env::var("KEPI_ONLY").ok();
    for _ in 0..number_of("KEPI_CASES", data_sets) {
        let given = data.new_tree(&mut runner).unwrap().current();
        let mut queries = Vec::new();
        for _ in 0..QUERIES_PER_DATA_SET {
            queries.push(query.new_tree(&mut runner).unwrap().current());
        }
        queries.retain(|query| only.as_ref().is_none_or(|only| query.contains(only)));
        count.ask(&given, &queries);
        if !goes_on && !count.differences.is_empty() {
            break;
        }
    }
    count.tell(family, known_percent_min);
}

impl Count {
    fn ask(&mut self, given: &Given, queries: &[String]) {
        let began = Instant::now();
        let (oracle, now) = given.oracle();
        let threads = (self.data_sets % THREADS_MAX) as usize + 1;
        let project = given.project().unwrap_or_else(|problem| panic!("{problem}\n{}", given.markdown()));
        let project = project.on_threads(threads);
        self.in_loads += began.elapsed();
        let began = Instant::now();
        let found = project.each(queries, now, oracle.calendar());
        self.in_engine += began.elapsed();
        let began = Instant::now();
        let expected: Vec<_> = queries.iter().map(|query| ask(&oracle, query)).collect();
        self.in_oracle += began.elapsed();
        self.data_sets += 1;
        for ((query, expected), found) in queries.iter().zip(expected).zip(found) {
            match outcome(&oracle, expected, found) {
                Outcome::Agreed(answer) => {
                    self.agreed += 1;
                    self.known += usize::from(answer.knows_something());
                }
                Outcome::Refused(problem) => {
                    self.refused += 1;
                    told(&format!("refused: {query}: {problem}"));
                }
                Outcome::Meaningless(problem) => {
                    self.meaningless += 1;
                    told(&format!("meaningless: {query}: {problem}"));
                }
                Outcome::Differs(_) => {
                    let difference = smallest(given.clone(), query.clone(), threads);
                    eprintln!("{difference}");
                    self.differences.push(difference);
                }
            }
        }
    }

    /// Prints the counts, and stops the test where the sides differ or agree on too little.
    fn tell(&self, family: &str, known_percent_min: usize) {
        let differences = self.differences.len();
        let asked = self.agreed + self.refused + self.meaningless + differences;
        eprintln!(
            "{family}: {} of {asked} random queries agreed ({} of them on more than nothing), over {} data sets; {} not \
             there yet, {} without a meaning on both sides, {differences} differ; loads {:.1?}, engine {:.1?}, oracle {:.1?}",
            self.agreed,
            self.known,
            self.data_sets,
            self.refused,
            self.meaningless,
            self.in_loads,
            self.in_engine,
            self.in_oracle,
        );
        assert_eq!(differences, 0, "{family}: the cases stand above");
        let enough = asked * AGREED_PERCENT_MIN / 100;
        assert!(self.agreed >= enough, "{family}: only {} of {asked} queries were compared", self.agreed);
        assert!(
            self.known >= enough * known_percent_min / 100,
            "{family}: only {} of {asked} answers say something",
            self.known
        );
    }
}

/// More is said where `KEPI_TELL` is set.
fn told(line: &str) {
    if std::env::var_os("KEPI_TELL").is_some() {
        eprintln!("{line}");
    }
}

fn outcome(oracle: &Oracle, expected: Result<ShownTable, String>, found: Result<ShownTable, String>) -> Outcome {
    match (expected, found) {
        (_, Err(problem)) if ["not there yet", "code: NotYet"].iter().any(|words| problem.contains(words)) => {
            Outcome::Refused(problem)
        }
        (Err(problem), _) if problem.contains("not in the oracle") => {
            Outcome::Differs(format!("the oracle: {problem}"))
        }
        (Err(a), Err(b)) => Outcome::Meaningless(format!("{a} | {b}")),
        (Err(problem), Ok(_)) => Outcome::Differs(format!("the oracle: {problem}")),
        (Ok(_), Err(problem)) => Outcome::Differs(format!("the engine: {problem}")),
        (Ok(expected), Ok(found)) => match expected.difference(&found, oracle.calendar()) {
            Some(difference) => Outcome::Differs(difference),
            None => Outcome::Agreed(expected),
        },
    }
}

/// How the sides differ about one query; none where they do not, or the data cannot be loaded.
fn difference(given: &Given, query: &str, threads: usize) -> Option<(String, String)> {
    let (oracle, now) = given.oracle();
    let project = given.project().ok()?.on_threads(threads);
    let expected = ask(&oracle, query);
    let found = project.answer(query, now, oracle.calendar());
    let moment = given.now;
    let write = |answer: &Result<ShownTable, String>| match answer {
        Ok(table) => table.write(&[], oracle.calendar()),
        Err(problem) => format!("{problem}\n"),
    };
    let shown = format!(
        "```query now {moment}\n{query}\n```\n```result\n{}```\nthe engine:\n{}",
        write(&expected),
        write(&found)
    );
    match outcome(&oracle, expected, found) {
        Outcome::Differs(words) => Some((words, shown)),
        _ => None,
    }
}

/// What kind of difference it is: while a case is made small, a wrong answer does not become a refusal.
fn kind(words: &str) -> u8 {
    match words {
        words if words.starts_with("the oracle:") => 0,
        words if words.starts_with("the engine:") => 1,
        _ => 2,
    }
}

/// The case as it would stand in `suite/`, with as few rows and as short a query as still differ.
fn smallest(given: Given, query: String, threads: usize) -> String {
    let Some((mut words, mut shown)) = difference(&given, &query, threads) else {
        return format!("differs only among other queries: {query}\n{}", given.markdown());
    };
    let (mut given, mut query) = (given, query);
    let until = Instant::now() + Duration::from_secs(number_of("KEPI_SHRINK", 30));
    let mut attempt = |given: &Given, query: &str| {
        let found = if Instant::now() > until { None } else { difference(given, query, threads) };
        found.filter(|(now, _)| kind(now) == kind(&words)).map(|found| (words, shown) = found).is_some()
    };
    for _ in 0..2 {
        while let Some(shorter) = shorter(&query).into_iter().find(|shorter| attempt(&given, shorter)) {
            query = shorter;
        }
        for table in 0..given.tables.len() {
            let mut part = given.tables[table].rows.len();
            while part > 0 {
                let mut from = 0;
                while from < given.tables[table].rows.len() {
                    let mut fewer = given.clone();
                    let rows = &mut fewer.tables[table].rows;
                    rows.drain(from..rows.len().min(from + part));
                    if attempt(&fewer, &query) { given = fewer } else { from += part }
                }
                part /= 2;
            }
        }
    }
    format!("## found by chance: {words} ({threads} threads)\n{}{shown}", given.markdown())
}

/// The query without one of its parts.
fn shorter(query: &str) -> Vec<String> {
    let (Some(parsed), _) = kepi_syntax::parse_query(query) else { return vec![] };
    let mut all = Vec::new();
    let mut without = |edit: &dyn Fn(&mut Query)| {
        let mut fewer = parsed.clone();
        edit(&mut fewer);
        if fewer != parsed && !fewer.items.is_empty() {
            all.push(kepi_syntax::query_text(&fewer));
        }
    };
    without(&|query| query.having = None);
    without(&|query| query.order.clear());
    without(&|query| query.limit = None);
    without(&|query| query.fill = None);
    without(&|query| query.filter = None);
    without(&|query| query.per = None);
    without(&|query| query.currency = None);
    for index in 0..parsed.versus.len() {
        without(&|query| drop(query.versus.remove(index)));
    }
    for index in 0..parsed.by.len() {
        without(&|query| drop(query.by.remove(index)));
    }
    for index in 0..parsed.items.len() {
        without(&|query| drop(query.items.remove(index)));
    }
    all
}

impl Given {
    /// The model and the data as they would stand in a case of `suite/`.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("```kepi\n{}```\n", self.model);
        for table in self.tables.iter().filter(|table| !table.rows.is_empty()) {
            let kind = match &table.name[..] {
                "customer" | "campaign" => "entities ",
                "balance" => "states ",
                name if name == "rates" || name.contains(' ') => "",
                _ => "events ",
            };
            let mut lines = vec![table.columns.clone()];
            lines.extend(table.rows.clone());
            text.push_str(&format!("```{kind}{}\n{}```\n", table.name, align(&lines)));
        }
        text
    }
}
