//! Cases in Markdown: a model, its data, questions and answers that a person can check by hand.
//!
//! Blocks before the first `##` hold for the whole file, those under a title for that case. Kinds of block, by the
//! words behind the fence: `kepi`, `events NAME`, `entities NAME`, `states NAME` (stored ones: `from`, `until`), `rates`
//! (`day  from  to  rate`), `merges ENTITY` (`from  into`), `calendar NAME` (`day  week  month  quarter  year`, from `NAME.csv`), `query` (with `now TIME` where it matters, and
//! `engine-refuses` where the engine says that it is not there yet,
//! `engine-differs` where it is known to be wrong) and `result`. Cells stand two or more blanks apart; `-` is missing; percents are fractions, durations seconds.
//! `*` in a result is a value that its author did not give; behind its rows `partial:` names the periods that are not whole,
//! and `young: 3 5` the rows, from 1, of cohorts that are too young for what they show (looked at where it is written);
//! lines `note: …` are all that the engine says beside its answer, `note: -` is nothing. A line that begins with `Source:` says who answered the case first.

use std::ops::Range;

/// A table of a case, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenTable {
    /// The stored event or the entity.
    pub name: String,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// The cells, in order.
    pub rows: Vec<Vec<String>>,
}

/// A question with its answer.
#[derive(Clone, Debug)]
pub struct Question {
    /// The query.
    pub text: String,
    /// The moment for which it is answered; none: the day after the last given row.
    pub now: Option<String>,
    /// Whether the engine refuses it in words, as not there yet.
    pub refused: bool,
    /// Whether the engine is known to answer something else; who mends that takes the mark away.
    pub differs: bool,
    /// The names, the rows, the `partial:` and the `young:` line of the result block.
    pub result: ResultBlock,
    /// The bytes of the result block's text in the file.
    pub place: Range<usize>,
}

/// A result block.
#[derive(Clone, Debug, Default)]
pub struct ResultBlock {
    /// The first line.
    pub names: Vec<String>,
    /// The cells.
    pub rows: Vec<Vec<String>>,
    /// The periods that are said to be partial.
    pub partial: Vec<String>,
    /// The rows, from 1, that are said to be of cohorts too young for what they show; none: nothing is said of that.
    pub young: Option<Vec<usize>>,
    /// What the engine says beside its answer; `-`: nothing. Empty: not looked at.
    pub notes: Vec<String>,
}

/// A case.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// Its title.
    pub title: String,
    /// Where the rows and the answer come from, of cases that other people wrote.
    pub source: Option<String>,
    /// The model.
    pub model: String,
    /// The events and entities that are given.
    pub tables: Vec<GivenTable>,
    /// The questions.
    pub questions: Vec<Question>,
}

/// Reads the cases of a file.
///
/// # Errors
/// In words, with the line, when a block is none of the known ones or a question has no answer.
pub fn read(text: &str) -> Result<Vec<Case>, String> {
    let mut common = Case::default();
    let mut cases: Vec<Case> = Vec::new();
    let mut asked: Option<(String, Option<String>, &str)> = None;
    let mut lines = Lines { text, at: 0, number: 0 };
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            cases.push(Case { title: title.trim().to_string(), ..common.clone() });
        }
        if let Some(source) = line.strip_prefix("Source:") {
            cases.last_mut().unwrap_or(&mut common).source = Some(source.trim().to_string());
        }
        let Some(kind) = line.strip_prefix("```") else { continue };
        let number = lines.number;
        let from = lines.at;
        let mut until = from;
        loop {
            match lines.next() {
                Some("```") => break,
                Some(_) => until = lines.at,
                None => return Err(format!("line {number}: the block has no end")),
            }
        }
        let block = &text[from..until];
        let words: Vec<&str> = kind.split_whitespace().collect();
        let case = cases.last_mut().unwrap_or(&mut common);
        match &words[..] {
            ["kepi", ..] => case.model.push_str(block),
            ["events" | "entities" | "states", name] => case.tables.push(table(name, block)?),
            ["rates"] => case.tables.push(table("rates", block)?),
            ["calendar", name] => case.tables.push(table(&format!("calendar {name}"), block)?),
            ["merges", entity] => case.tables.push(table(&format!("merges {entity}"), block)?),
            ["query", rest @ ..] => {
                let (mark, rest) = match rest {
                    [rest @ .., mark @ ("engine-refuses" | "engine-differs")] => (*mark, rest),
                    rest => ("", rest),
                };
                let now = match rest {
                    ["now", now] => Some((*now).to_string()),
                    [] => None,
                    _ => return Err(format!("line {number}: `query now TIME engine-refuses`")),
                };
                asked = Some((block.trim().to_string(), now, mark));
            }
            ["result"] => {
                let (text, now, mark) = asked.take().ok_or(format!("line {number}: a result without a query"))?;
                let (refused, differs) = (mark == "engine-refuses", mark == "engine-differs");
                let (result, place) = (result(block), from..until);
                case.questions.push(Question { text, now, refused, differs, result, place });
            }
            _ => return Err(format!("line {number}: `{kind}` is no known block")),
        }
    }
    match cases.iter().find(|case| case.questions.is_empty()) {
        Some(case) => Err(format!("`{}` asks nothing", case.title)),
        None => Ok(cases),
    }
}

struct Lines<'a> {
    text: &'a str,
    at: usize,
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let rest = &self.text[self.at..];
        if rest.is_empty() {
            return None;
        }
        let end = rest.find('\n').map_or(rest.len(), |end| end + 1);
        self.at += end;
        self.number += 1;
        Some(rest[..end].trim_end())
    }
}

fn cells(line: &str) -> Vec<String> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_string).collect()
}

fn table(name: &str, block: &str) -> Result<GivenTable, String> {
    let mut lines = block.lines().filter(|line| !line.trim().is_empty()).map(cells);
    let columns = lines.next().ok_or_else(|| format!("{name} has no columns"))?;
    let rows: Vec<Vec<String>> = lines.collect();
    match rows.iter().find(|row| row.len() != columns.len()) {
        Some(row) => Err(format!("{name}: {row:?} does not fit {columns:?}")),
        None => Ok(GivenTable { name: name.to_string(), columns, rows }),
    }
}

fn result(block: &str) -> ResultBlock {
    let mut found = ResultBlock::default();
    for (number, line) in block.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        if let Some(days) = line.strip_prefix("partial:") {
            found.partial = days.split(',').map(|day| day.trim().to_string()).collect();
        } else if let Some(note) = line.strip_prefix("note:") {
            found.notes.push(note.trim().to_string());
        } else if let Some(rows) = line.strip_prefix("young:") {
            // What is no number is a row that there is not.
            found.young = Some(rows.split_whitespace().map(|row| row.parse().unwrap_or(0)).collect());
        } else if number == 0 {
            found.names = cells(line);
        } else {
            found.rows.push(cells(line));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test may stop.
    use super::*;

    #[test]
    fn blocks_before_the_first_title_hold_for_all_cases() {
        let text = "```kepi\nA\n```\n## one\nSource: here\n```query now 2025-01-01\nQ\n```\n```result\nn\n1\n```\n## two\n\
                    ```events e\na  b\n1  x y\n```\n```query\nR\n```\n```result\npartial: 2025\nyoung: 2 3\nnote: a b\n```\n";
        let cases = read(text).unwrap();
        assert_eq!(cases.len(), 2);
        assert_eq!(cases[0].model, "A\n");
        assert_eq!(cases.iter().map(|case| case.source.as_deref()).collect::<Vec<_>>(), [Some("here"), None]);
        assert_eq!(cases[0].questions[0].now.as_deref(), Some("2025-01-01"));
        assert_eq!(&text[cases[0].questions[0].place.clone()], "n\n1\n");
        assert_eq!(cases[1].tables[0].rows, [["1", "x y"]]);
        assert_eq!(cases[1].questions[0].result.partial, ["2025"]);
        assert_eq!(cases[1].questions[0].result.young, Some(vec![2, 3]));
        assert_eq!(cases[0].questions[0].result.young, None);
        assert_eq!(cases[1].questions[0].result.notes, ["a b"]);
    }

    #[test]
    fn an_unknown_block_is_refused() {
        assert!(read("## one\n```sql\nselect\n```\n").is_err());
        assert!(read("## one\n").is_err());
    }
}
