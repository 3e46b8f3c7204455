//! The files of `answers/`: each question's answer by the engine, by the oracle and as it is written.

use crate::data::{CompanyModel, folder, now};
use crate::governance;
use kepi_tests::case::{self, Case, Question};
use kepi_tests::oracle::{Calendar, Number, Oracle};
use kepi_tests::project::Project;
use kepi_tests::shown::{Shown, ShownTable};
use std::fs;
use std::path::PathBuf;

/// Longer answers are written by their first rows and the sums of all.
const ROWS_WRITTEN: usize = 60;

/// A file of questions.
pub(crate) struct AnswerFile {
    /// Where it stands.
    pub(crate) path: PathBuf,
    /// What stands in it.
    pub(crate) text: String,
    /// Its sections.
    pub(crate) cases: Vec<Case>,
}

/// The files of a model in a folder beside it, by name.
pub(crate) fn files(of: CompanyModel, beside: &str) -> Vec<AnswerFile> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder().join(beside).join(of.name()))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|is| is == "md"))
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let cases = case::read(&text).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
        AnswerFile { path, text, cases }
    };
    paths.into_iter().map(read).collect()
}

/// Asks everything, a thread per file; gives where the targets stand.
pub(crate) fn run(of: CompanyModel) -> String {
    let (answers, by_hand) = (files(of, "answers"), files(of, "by_hand"));
    let project = of.project();
    let mut problems: Vec<String> = Vec::new();
    std::thread::scope(|scope| {
        let project = &project;
        let all = answers.iter().map(|file| (file, false)).chain(by_hand.iter().map(|file| (file, true)));
        let running: Vec<_> =
            all.map(|(file, by_hand)| scope.spawn(move || checked(of, file, project, by_hand))).collect();
        problems.extend(running.into_iter().flat_map(|thread| thread.join().unwrap()));
    });
    let calendar = of.oracle();
    problems.extend(governance::problems(of, &project, calendar.calendar()));
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
    governance::targets(&project, calendar.calendar())
}

/// What is wrong with a file's answers.
fn checked(of: CompanyModel, file: &AnswerFile, project: &Project, by_hand: bool) -> Vec<String> {
    let wanted = std::env::var("KEPI_CASE").unwrap_or_default();
    let bless = std::env::var_os("KEPI_BLESS").is_some() && !by_hand;
    let oracle = of.oracle();
    let calendar = oracle.calendar();
    let questions: Vec<(&Case, &Question)> = file
        .cases
        .iter()
        .flat_map(|case| case.questions.iter().map(move |question| (case, question)))
        .filter(|(case, _)| case.title.contains(&wanted))
        .collect();
    let all: Vec<&str> = questions.iter().map(|(_, question)| &question.text[..]).collect();
    // All at once is much faster; one by one where the engine refuses one of them.
    let found: Vec<Result<ShownTable, String>> = match project.answers(&all.join("\n"), now(), calendar) {
        Ok(found) if found.len() == all.len() => found.into_iter().map(Ok).collect(),
        _ => all.iter().map(|text| project.answer(text, now(), calendar)).collect(),
    };
    let mut problems = Vec::new();
    let mut blessed = file.text.clone();
    // From the last to the first, so that the places before stay true.
    for ((case, question), found) in questions.into_iter().zip(found).rev() {
        let mut say = |problem: String| {
            problems.push(format!("{}: {}: `{}`: {problem}", of.name(), case.title, question.text));
        };
        let (expected, found) = match (answer(&oracle, question), found) {
            (Ok(expected), Ok(found)) => (expected, found),
            (Err(problem), _) => {
                say(format!("oracle: {problem}"));
                continue;
            }
            (_, Err(problem)) => {
                say(format!("engine: {problem}"));
                continue;
            }
        };
        if let Some(difference) = found.difference(&expected, calendar) {
            say(format!("engine and oracle differ: {difference}\n{}", short(&found, calendar)));
        }
        if let Some(problem) = says_nothing(&expected).filter(|_| !by_hand) {
            say(problem);
        }
        // The names are the engine's.
        let text = short(&ShownTable { columns: found.columns, ..expected.clone() }, calendar);
        let written = &file.text[question.place.clone()];
        if bless {
            blessed.replace_range(question.place.clone(), &text);
        } else if by_hand && !expected.is_written(&question.result, calendar) {
            say(format!("gives\n{text}"));
        } else if !by_hand && written != text {
            say(format!("was\n{written}is\n{text}"));
        }
    }
    if bless {
        fs::write(&file.path, blessed).unwrap();
    }
    problems.reverse();
    problems
}

fn answer(oracle: &Oracle, question: &Question) -> Result<ShownTable, String> {
    let (query, problems) = kepi_syntax::parse_query(&question.text);
    match (query, problems.is_empty()) {
        (Some(query), true) => Ok(ShownTable::of(&oracle.answer(&query)?, oracle.calendar())),
        _ => Err(format!("{problems:?}")),
    }
}

/// Why an answer is not worth asking for: no value in it, only zeros, or none but for one label or period.
fn says_nothing(answer: &ShownTable) -> Option<String> {
    let is_value = |value: &Shown| match value {
        Shown::Missing => false,
        Shown::Number(number) => number.to_f64() != 0.0,
        _ => true,
    };
    let known = answer.rows.iter().filter(|row| row[answer.labels..].iter().any(is_value)).count();
    match known {
        0 => Some("says nothing: all is missing or zero".to_string()),
        1 if answer.labels > 0 => Some("says nothing but in one row".to_string()),
        _ => None,
    }
}

/// An answer as it is written: all of it, or its first rows with the sums of all rows.
fn short(answer: &ShownTable, calendar: &Calendar) -> String {
    if answer.rows.len() <= ROWS_WRITTEN {
        return answer.write(&answer.columns, calendar);
    }
    let head = ShownTable { rows: answer.rows[..ROWS_WRITTEN].to_vec(), partial: vec![], ..answer.clone() };
    let mut text = head.write(&head.columns, calendar);
    let mut sums = Vec::new();
    for column in answer.labels..answer.columns.len() {
        let numbers = answer.rows.iter().filter_map(|row| match row[column] {
            Shown::Number(number) => Some(number),
            _ => None,
        });
        sums.push(numbers.fold(Number::ZERO, Number::plus).to_string());
    }
    text.push_str(&format!("… {} rows in all, the values sum to {}\n", answer.rows.len(), sums.join("  ")));
    text
}
