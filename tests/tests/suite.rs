//! The Markdown cases of `suite/`: the oracle and the engine must both give what is written.
//!
//! Those of `suite/outside/` have the rows and the answers of other people, who are named in each.
//!
//! `KEPI_BLESS=1` rewrites the result blocks with the oracle's answers; nothing else in the files changes, and nothing in
//! `suite/outside/`: there the answers are others'.
//! `KEPI_CASE=word` runs the cases whose title has the word, `KEPI_FILE=word` the files of `suite/outside/` whose name has it.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test may stop, and says why it skips.

use kepi_tests::case::{self, Case, Question};
use kepi_tests::given;
use kepi_tests::oracle::{Oracle, Value};
use kepi_tests::project::{self, Project};
use kepi_tests::shown::ShownTable;
use std::fs;
use std::path::{Path, PathBuf};

/// What the engine says of what it does not do yet.
const NOT_YET: &str = "not there yet";

/// Every file of `suite/`, each with a test below.
const FILES: [&str; 26] = [
    "aggregates.md",
    "calendars.md",
    "cohorts.md",
    "comparisons.md",
    "conversions.md",
    "currencies.md",
    "entities.md",
    "existence.md",
    "fan_out.md",
    "functions.md",
    "funnels.md",
    "groups.md",
    "histories.md",
    "lifecycle.md",
    "lifts.md",
    "missing.md",
    "models.md",
    "moved_windows.md",
    "order.md",
    "ratios.md",
    "retention.md",
    "states.md",
    "targets.md",
    "ties.md",
    "units.md",
    "windows.md",
];

/// The folder of the cases that other people wrote, and how many there are to be.
const OUTSIDE: &str = "outside";
const AT_LEAST: usize = 497;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("suite")
}

#[test]
fn no_file_is_forgotten() {
    assert_eq!(files(""), FILES, "every file of suite/ needs its line in FILES and its test");
}

/// The Markdown files of a folder of `suite/`, in order.
fn files(within: &str) -> Vec<String> {
    let names = fs::read_dir(folder().join(within)).unwrap().map(|entry| entry.unwrap().file_name());
    let mut found: Vec<String> =
        names.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".md")).collect();
    found.sort();
    found
}

#[test]
fn outside() {
    let wanted = std::env::var("KEPI_FILE").unwrap_or_default();
    let names: Vec<String> = files(OUTSIDE).into_iter().filter(|name| name.contains(&wanted)).collect();
    let problems: Vec<String> = names.iter().filter_map(|name| cases(&format!("{OUTSIDE}/{name}")).err()).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

#[test]
fn outsiders_are_named_and_many() {
    let mut count = 0;
    for name in files(OUTSIDE) {
        let cases = case::read(&fs::read_to_string(folder().join(OUTSIDE).join(&name)).unwrap()).unwrap();
        count += cases.len();
        let nameless: Vec<&str> = cases.iter().filter(|c| c.source.is_none()).map(|c| &c.title[..]).collect();
        assert!(nameless.is_empty(), "{name}: whose are {nameless:?}? Write a line `Source: …`");
    }
    assert!(count >= AT_LEAST, "only {count} cases of other people are left");
}

macro_rules! suite {
    ($($name:ident)*) => { $(#[test] fn $name() { run(concat!(stringify!($name), ".md")); })* };
}

suite! {
    aggregates calendars cohorts comparisons conversions currencies entities existence fan_out functions funnels groups
    histories lifecycle lifts missing models moved_windows order ratios retention states targets ties units windows
}

/// Runs the cases of a file.
fn run(name: &str) {
    if let Err(problems) = cases(name) {
        panic!("{problems}");
    }
}

/// Runs the cases of a file and reports all that differ.
fn cases(name: &str) -> Result<(), String> {
    let path = folder().join(name);
    let text = fs::read_to_string(&path).unwrap();
    let cases = case::read(&text).map_err(|problem| format!("{name}: {problem}"))?;
    if std::env::var_os("KEPI_BLESS").is_some() && !name.starts_with(OUTSIDE) {
        fs::write(&path, bless(&text, &cases)).unwrap();
        return Ok(());
    }
    let wanted = std::env::var("KEPI_CASE").unwrap_or_default();
    let engine_is_there = project::is_there();
    if !engine_is_there {
        eprintln!("{name}: the engine does not load files yet, so only the oracle runs");
    }
    let mut problems = Vec::new();
    for case in cases.iter().filter(|case| case.title.contains(&wanted)) {
        if let Err(problem) = check(case, engine_is_there) {
            problems.push(format!("{name}: {}: {problem}", case.title));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n\n")) }
}

fn check(case: &Case, with_engine: bool) -> Result<(), String> {
    let mut engine = None;
    for question in &case.questions {
        let (oracle, now) = oracle(case, question)?;
        let calendar = oracle.calendar();
        let say = |who: &str, problem: String| format!("{who}, `{}`: {problem}", question.text);
        let expected = answer(&oracle, question).map_err(|problem| say("oracle", problem))?;
        compare(&expected, question, &oracle).map_err(|problem| say("oracle", problem))?;
        if with_engine {
            if engine.is_none() {
                match Project::new(&case.model, &given::files(&oracle, &case.tables)) {
                    Err(problem) if question.refused && problem.contains(NOT_YET) => continue,
                    made => engine = Some(made?),
                }
            }
            let project = engine.as_ref().ok_or("no project")?;
            if question.refused {
                // Once the engine answers, the mark has to go.
                match project.answer(&question.text, now, calendar) {
                    Err(problem) if problem.contains(NOT_YET) => continue,
                    other => return Err(say("engine", format!("should refuse, but gives {other:?}"))),
                }
            }
            if question.differs {
                match project.answer(&question.text, now, calendar) {
                    Ok(found) if compare(&found, question, &oracle).is_ok() => {
                        return Err(say("engine", "agrees now: take the mark away".to_string()));
                    }
                    _ => continue,
                }
            }
            let found = project.answer(&question.text, now, calendar).map_err(|problem| say("engine", problem))?;
            compare(&found, question, &oracle).map_err(|problem| say("engine", problem))?;
            if let Some(difference) = found.difference(&expected, calendar) {
                return Err(say("engine and oracle differ", difference));
            }
        }
    }
    Ok(())
}

fn oracle(case: &Case, question: &Question) -> Result<(Oracle, i64), String> {
    let now = match &question.now {
        None => given::day_after_last(&case.model, &case.tables)?,
        Some(text) => {
            let oracle = given::oracle(&case.model, &[], 0)?;
            match oracle.calendar().literal(text)? {
                Value::Date(day) => oracle.calendar().start_of_day(day),
                Value::Time(at) => at,
                other => return Err(format!("now is {other:?}")),
            }
        }
    };
    Ok((given::oracle(&case.model, &case.tables, now)?, now))
}

fn answer(oracle: &Oracle, question: &Question) -> Result<ShownTable, String> {
    let (query, problems) = kepi_syntax::parse_query(&question.text);
    match (query, problems.is_empty()) {
        (Some(query), true) => Ok(ShownTable::of(&oracle.answer(&query)?, oracle.calendar())),
        _ => Err(format!("{problems:?}")),
    }
}

/// Compares an answer with what is written.
fn compare(found: &ShownTable, question: &Question, oracle: &Oracle) -> Result<(), String> {
    let calendar = oracle.calendar();
    if found.is_written(&question.result, calendar) {
        Ok(())
    } else {
        Err(format!("gives\n{}", found.write(&question.result.names, calendar)))
    }
}

/// The file with the oracle's answers in its result blocks.
fn bless(text: &str, cases: &[Case]) -> String {
    let mut blessed = text.to_string();
    let questions = cases.iter().flat_map(|case| case.questions.iter().map(move |question| (case, question)));
    // From the last to the first, so that the places before stay true.
    for (case, question) in questions.collect::<Vec<_>>().into_iter().rev() {
        let (oracle, _) = oracle(case, question).unwrap_or_else(|problem| panic!("{}: {problem}", case.title));
        let answer = answer(&oracle, question).unwrap_or_else(|problem| panic!("{}: {problem}", question.text));
        let mut written = answer.write(&question.result.names, oracle.calendar());
        question.result.notes.iter().for_each(|note| written.push_str(&format!("note: {note}\n")));
        blessed.replace_range(question.place.clone(), &written);
    }
    blessed
}
