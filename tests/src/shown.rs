//! Answers of the oracle, of the engine and of a result block in one form, so that they can be compared.

use crate::case::ResultBlock;
use crate::oracle::{Calendar, Column, Number, Table, Value};
use jiff::Timestamp;

/// A cell of a result block that its author did not give.
const NOT_GIVEN: &str = "*";

/// A value of an answer.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // The variants say it.
pub enum Shown {
    Missing,
    /// Percents as fractions, durations in seconds.
    Number(Number),
    Text(String),
    Bool(bool),
    /// Microseconds UTC; a day is its first instant.
    Time(i64),
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct ShownTable {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// How many columns in front are the period and the labels.
    pub labels: usize,
    /// The rows, in order.
    pub rows: Vec<Vec<Shown>>,
    /// The first instants of the periods that are not whole.
    pub partial: Vec<i64>,
    /// The rows, from 1, of cohorts that are too young for what they show; none where that is not known.
    pub young: Option<Vec<usize>>,
    /// What is said beside the answer; none of the oracle, which says nothing.
    pub notes: Option<Vec<String>>,
}

impl Shown {
    /// Whether both are the same; exactly, or for numbers up to a relative 1e-9.
    pub fn is_same(&self, other: &Shown) -> bool {
        match (self, other) {
            (Shown::Missing, Shown::Missing) => true,
            (Shown::Number(a), Shown::Number(b)) => a.is_close_to(*b),
            (Shown::Text(a), Shown::Text(b)) => a == b,
            (Shown::Bool(a), Shown::Bool(b)) => a == b,
            (Shown::Time(a), Shown::Time(b)) => a == b,
            _ => false,
        }
    }

    /// Whether a result block's text says this value: six decimals may be rounded, all else is exact; `*` says nothing.
    pub fn is_written(&self, text: &str, calendar: &Calendar) -> bool {
        if text == NOT_GIVEN {
            return true;
        }
        match (self, Number::parse(text)) {
            (Shown::Number(number), Some(written)) => {
                let decimals = text.split_once('.').map_or(0, |(_, after)| after.len());
                let off = (number.to_f64() - written.to_f64()).abs();
                number.is_close_to(written) || (decimals == 6 && off <= 0.000_000_500_1)
            }
            _ => self.write(calendar) == text,
        }
    }

    /// The value as a result block has it.
    pub fn write(&self, calendar: &Calendar) -> String {
        match self {
            Shown::Missing => "-".to_string(),
            Shown::Number(number) => number.to_string(),
            Shown::Text(text) => text.clone(),
            Shown::Bool(true) => "yes".to_string(),
            Shown::Bool(false) => "no".to_string(),
            Shown::Time(at) => write_time(*at, calendar),
        }
    }
}

/// A day where the instant is one's beginning, else the local time with its offset.
pub fn write_time(at: i64, calendar: &Calendar) -> String {
    let local = calendar.local(at);
    if calendar.start_of_day(local.date()) == at {
        return local.date().to_string();
    }
    match Timestamp::from_microsecond(at) {
        Ok(stamp) => stamp.display_with_offset(local.offset()).to_string(),
        Err(_) => at.to_string(),
    }
}

impl ShownTable {
    /// The oracle's answer.
    pub fn of(table: &Table, calendar: &Calendar) -> ShownTable {
        let show = |value: &Value| match value {
            Value::Missing => Shown::Missing,
            Value::Text(text) => Shown::Text(text.clone()),
            Value::Bool(yes) => Shown::Bool(*yes),
            Value::Time(at) => Shown::Time(*at),
            Value::Date(day) => Shown::Time(calendar.start_of_day(*day)),
            // Whatever else there is, is a number.
            other => other.as_number().map_or(Shown::Missing, |(number, _)| Shown::Number(number)),
        };
        let name = |(index, column): (usize, &Column)| match column {
            Column::Period => "period".to_string(),
            Column::Label => format!("label{index}"),
            Column::Value => format!("value{index}"),
            Column::Previous => "previous".to_string(),
            Column::Change => "change".to_string(),
            Column::ChangePercent => "change%".to_string(),
        };
        let labels = table.columns.iter().filter(|c| matches!(c, Column::Period | Column::Label)).count();
        ShownTable {
            columns: table.columns.iter().enumerate().map(name).collect(),
            labels,
            rows: table.rows.iter().map(|row| row.iter().map(show).collect()).collect(),
            partial: table.partial.clone(),
            notes: None,
            young: table.young.as_ref().map(|rows| rows.iter().map(|row| row + 1).collect()),
        }
        .with_partial_of_rows()
    }

    /// Leaves only those partial periods that a row shows: `having` and `limit` may have taken the others.
    pub fn with_partial_of_rows(mut self) -> ShownTable {
        let rows = &self.rows;
        self.partial.retain(|at| rows.iter().any(|row| matches!(row.first(), Some(Shown::Time(start)) if start == at)));
        self
    }

    /// Whether some value is neither missing nor 0.
    pub fn knows_something(&self) -> bool {
        let says = |value: &Shown| match value {
            Shown::Missing => false,
            Shown::Number(number) => !number.is_zero(),
            _ => true,
        };
        self.rows.iter().any(|row| row[self.labels..].iter().any(says))
    }

    /// The first difference to another answer, in words; none when both are the same.
    pub fn difference(&self, other: &ShownTable, calendar: &Calendar) -> Option<String> {
        if self.rows.len() != other.rows.len() {
            return Some(format!("{} rows and {} rows", self.rows.len(), other.rows.len()));
        }
        for (number, (a, b)) in self.rows.iter().zip(&other.rows).enumerate() {
            if a.len() != b.len() {
                return Some(format!("{} columns and {} columns", a.len(), b.len()));
            }
            for (index, (x, y)) in a.iter().zip(b).enumerate() {
                if !x.is_same(y) {
                    let (x, y) = (x.write(calendar), y.write(calendar));
                    return Some(format!("row {}, column {}: {x} and {y}", number + 1, index + 1));
                }
            }
        }
        if self.partial != other.partial {
            let write = |all: &[i64]| all.iter().map(|at| write_time(*at, calendar)).collect::<Vec<_>>();
            return Some(format!("partial: {:?} and {:?}", write(&self.partial), write(&other.partial)));
        }
        match (&self.young, &other.young) {
            (Some(a), Some(b)) if a != b => Some(format!("young rows: {a:?} and {b:?}")),
            _ => None,
        }
    }

    /// Whether a result block says this answer.
    pub fn is_written(&self, block: &ResultBlock, calendar: &Calendar) -> bool {
        let partial: Vec<String> = self.partial.iter().map(|at| write_time(*at, calendar)).collect();
        let row = |row: &[Shown], written: &[String]| {
            row.len() == written.len() && row.iter().zip(written).all(|(value, text)| value.is_written(text, calendar))
        };
        self.rows.len() == block.rows.len()
            && partial == block.partial
            && (block.young.is_none() || self.young.is_none() || block.young == self.young)
            && self.notes.as_ref().is_none_or(|notes| says(notes, &block.notes))
            && self.rows.iter().zip(&block.rows).all(|(found, written)| row(found, written))
    }

    /// The answer as the text of a result block, under the names given.
    pub fn write(&self, names: &[String], calendar: &Calendar) -> String {
        let names = if names.len() == self.columns.len() { names } else { &self.columns };
        let mut lines: Vec<Vec<String>> = vec![names.to_vec()];
        lines.extend(self.rows.iter().map(|row| row.iter().map(|value| value.write(calendar)).collect()));
        let mut text = align(&lines);
        if !self.partial.is_empty() {
            let days: Vec<String> = self.partial.iter().map(|at| write_time(*at, calendar)).collect();
            text.push_str(&format!("partial: {}\n", days.join(", ")));
        }
        if let Some(rows) = self.young.as_ref().filter(|rows| !rows.is_empty()) {
            let rows: Vec<String> = rows.iter().map(usize::to_string).collect();
            text.push_str(&format!("young: {}\n", rows.join(" ")));
        }
        for note in self.notes.iter().flatten() {
            text.push_str(&format!("note: {note}\n"));
        }
        text
    }
}

/// Whether notes are those that are written, where any are.
fn says(notes: &[String], written: &[String]) -> bool {
    match written {
        [] => true,
        [nothing] if nothing == "-" => notes.is_empty(),
        written => notes == written,
    }
}

/// Columns side by side, two blanks between them.
pub fn align(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |index: usize| lines.iter().filter_map(|line| line.get(index)).map(|c| c.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|index| width(index).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
