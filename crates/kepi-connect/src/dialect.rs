//! What a delimited text file looks like: delimiter and header, found from its first records.

use crate::boolean;
use crate::error::{ConnectError, Result};
use crate::input::Input;
use crate::moment::shapes_of;
use crate::number;
use crate::options::{Delimiter, ReadOptions};
use crate::text::Records;

/// What was found, or stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// What stands between two cells.
    pub delimiter: Delimiter,
    /// Whether the first record holds names.
    pub header: bool,
    /// Why the header was taken for one, or not.
    pub why: String,
}

/// How many records are looked at.
const SAMPLE: usize = 200;

/// The dialect of a file and its columns' names.
pub(crate) fn detect(input: &Input, options: &ReadOptions) -> Result<(Dialect, Vec<String>)> {
    let delimiter = match options.delimiter {
        Some(delimiter) => delimiter,
        None => find_delimiter(input, options)?,
    };
    let sample = sample(input, options, delimiter)?;
    let Some(first) = sample.first() else {
        return Err(ConnectError::Empty { file: input.name.clone() });
    };
    let (header, why) = match options.header {
        Some(true) => (true, "stated".to_string()),
        Some(false) => (false, "stated".to_string()),
        None => is_header(first, &sample[1..], options),
    };
    let names = match &options.columns {
        Some(names) => {
            // A delimiter at the end of each line makes one more cell, without content.
            let found = first.len();
            if names.len() != found && !(names.len() + 1 == found && first.last().is_some_and(String::is_empty)) {
                return Err(ConnectError::ColumnCount { file: input.name.clone(), given: names.len(), found });
            }
            names.clone()
        }
        None if header => {
            first.iter().enumerate().map(|(i, n)| if n.is_empty() { unnamed(i) } else { n.clone() }).collect()
        }
        None => (0..first.len()).map(unnamed).collect(),
    };
    refuse_duplicates(&input.name, &names)?;
    Ok((Dialect { delimiter, header, why }, names))
}

fn unnamed(at: usize) -> String {
    format!("column_{}", at + 1)
}

/// Refuses two columns of one name, and says which names would do.
pub(crate) fn refuse_duplicates(file: &str, names: &[String]) -> Result<()> {
    for (second, name) in names.iter().enumerate() {
        let Some(first) = names[..second].iter().position(|n| n == name) else { continue };
        let mut repaired: Vec<String> = Vec::new();
        for name in names {
            let mut tried = name.clone();
            let mut n = 2;
            while repaired.contains(&tried) {
                tried = format!("{name}_{n}");
                n += 1;
            }
            repaired.push(tried);
        }
        let repair = repaired.join(",");
        let repair = if repair.contains([' ', '\'', '"', '$', '`']) { format!("\"{repair}\"") } else { repair };
        return Err(ConnectError::DuplicateColumn {
            file: file.to_string(),
            name: name.clone(),
            first: first + 1,
            second: second + 1,
            repair,
        });
    }
    Ok(())
}

fn sample(input: &Input, options: &ReadOptions, delimiter: Delimiter) -> Result<Vec<Vec<String>>> {
    let mut records = Records::open(input, options.encoding.as_deref(), delimiter)?;
    let mut sample = Vec::new();
    while sample.len() <= SAMPLE
        && let Some(record) = records.next()?
    {
        if !record.unclosed {
            match records.texts(&record) {
                Ok(texts) => sample.push(texts),
                // A byte behind the header is found in its row by the reader, with the same message.
                Err(e) if sample.is_empty() => return Err(e),
                Err(_) => break,
            }
        }
    }
    Ok(sample)
}

/// The delimiter that cuts the most records into the same number of cells.
fn find_delimiter(input: &Input, options: &ReadOptions) -> Result<Delimiter> {
    let mut best = (0.0, Delimiter::Byte(b','));
    for candidate in
        [Delimiter::Byte(b','), Delimiter::Byte(b'\t'), Delimiter::Byte(b';'), Delimiter::Byte(b'|'), Delimiter::Blanks]
    {
        let mut records = Records::open(input, options.encoding.as_deref(), candidate)?;
        let mut counts = Vec::new();
        while counts.len() < SAMPLE
            && let Some(record) = records.next()?
        {
            counts.push(if record.unclosed { 0 } else { records.cells().len() });
        }
        let Some(&first) = counts.first() else { continue };
        let mut sorted = counts.clone();
        sorted.sort_unstable();
        let usual = sorted[sorted.len() / 2];
        let share = counts.iter().filter(|c| **c == usual).count() as f64 / counts.len() as f64;
        if usual < 2 {
            continue;
        }
        // Blanks stand within texts too: only when nothing else cuts, and every line alike.
        if candidate == Delimiter::Blanks && (share < 1.0 || best.0 > 0.0) {
            continue;
        }
        // More cells win between equals; the header agreeing with the rows weighs more than either.
        let score = share * share + (usual as f64).min(50.0) / 500.0 + if first == usual { 0.3 } else { 0.0 };
        if share >= 0.5 && score > best.0 {
            best = (score, candidate);
        }
    }
    Ok(best.1)
}

/// What a cell looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Look {
    Missing,
    Number,
    Date,
    Bool,
    Text,
}

fn look(cell: &str) -> Look {
    if cell.is_empty() || boolean::is_missing_word(cell) {
        Look::Missing
    } else if number::parse(cell, b'.').is_some() || number::parse(cell, b',').is_some() {
        Look::Number
    } else if shapes_of(cell).0 != 0 {
        Look::Date
    } else if cell.len() > 1 && boolean::parse(cell).is_some() {
        Look::Bool
    } else {
        Look::Text
    }
}

/// Whether the first record holds names, and why.
fn is_header(first: &[String], rest: &[Vec<String>], options: &ReadOptions) -> (bool, String) {
    if !options.asked.is_empty() && options.columns.is_none() && options.asked.iter().all(|name| first.contains(name)) {
        return (true, "the first line has all names that are asked for".to_string());
    }
    if let Some(names) = &options.columns {
        let same = first.iter().zip(names).filter(|(a, b)| a.eq_ignore_ascii_case(b)).count();
        if same * 2 > names.len() {
            return (true, "the first line has the stated names".to_string());
        }
    }
    let column = |i: usize| rest.iter().filter_map(move |r| r.get(i)).map(|c| look(c));
    for (i, cell) in first.iter().enumerate() {
        let found = match look(cell) {
            Look::Number => "a number",
            Look::Date => "a date",
            // A column may be called `no`: its values tell.
            Look::Bool if column(i).any(|l| l == Look::Bool) => "a yes or no",
            Look::Missing if !cell.is_empty() => "a missing value",
            _ => continue,
        };
        // `region,2019,2020`: years as names over numbers that are no years.
        let year = |text: &str| text.len() == 4 && text.parse::<u16>().is_ok_and(|y| (1900..=2100).contains(&y));
        let others_years = rest.iter().filter_map(|r| r.get(i)).all(|c| c.is_empty() || year(c));
        if year(cell) && !others_years && look(&first[0]) == Look::Text {
            continue;
        }
        return (false, format!("the first line has {found} in column {}", i + 1));
    }
    for (i, name) in first.iter().enumerate() {
        let mut known = column(i).filter(|l| *l != Look::Missing).peekable();
        if known.peek().is_some() && look(name) == Look::Text {
            let (mut total, mut typed) = (0, 0);
            for l in known {
                total += 1;
                typed += usize::from(l != Look::Text);
            }
            if typed * 10 >= total * 8 {
                return (true, format!("`{}` stands over values of another type", crate::error::shown(name)));
            }
        }
    }
    // Nothing but text: names are short, all there, all different, and not among the values.
    let named =
        first.iter().all(|c| !c.is_empty() && c.chars().count() <= 40 && !c.contains(['\n', '@']) && !c.ends_with('.'));
    let distinct = first.iter().enumerate().all(|(i, c)| !first[..i].contains(c));
    let repeated = (0..first.len()).any(|i| rest.iter().any(|r| r.get(i) == first.get(i)));
    if named && distinct && !repeated {
        (true, "the first line has short, different texts that do not occur below it".to_string())
    } else {
        (false, "the first line looks like the others".to_string())
    }
}
