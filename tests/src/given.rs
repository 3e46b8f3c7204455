//! The data of a case: typed for the oracle, written as CSV files and `source` blocks for the engine.

use crate::case::GivenTable;
use crate::oracle::{EntityRow, Facts, Kind, Number, Oracle, OracleRow, Rate, TableDay, Unit, Value};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Makes an oracle of a model and its data.
///
/// # Errors
/// In words, when the model does not parse or a cell is not of its column's type.
pub fn oracle(model: &str, tables: &[GivenTable], now: i64) -> Result<Oracle, String> {
    let (file, problems) = kepi_syntax::parse_file(model);
    if let Some(problem) = problems.first() {
        return Err(format!("the model: {problem:?}"));
    }
    let mut oracle = Oracle::new(&[file], "UTC", now)?;
    for table in tables {
        if let Some(calendar) = table.name.strip_prefix(CALENDAR) {
            let days = table.rows.iter().map(|row| day_of(table, row)).collect::<Result<_, String>>()?;
            oracle = oracle.with_calendar(calendar, days);
        }
    }
    let declared = oracle.tables();
    let mut facts = Facts::default();
    for table in tables {
        if given_beside(table, &oracle, &mut facts)? {
            continue;
        }
        let about = declared.iter().find(|d| d.name == table.name);
        let about = about.ok_or_else(|| format!("`{}` is not declared", table.name))?;
        for (number, cells) in table.rows.iter().enumerate() {
            let mut row = OracleRow {
                event: table.name.clone(),
                time: None,
                id: None,
                row: number as u64,
                fields: BTreeMap::new(),
            };
            let (mut key, mut from, mut until) = (None, None, None);
            for (name, cell) in table.columns.iter().zip(cells) {
                let moment = || match oracle.calendar().literal(cell)? {
                    Value::Date(day) => Ok(oracle.calendar().start_of_day(day)),
                    Value::Time(at) => Ok(at),
                    _ => Err(format!("{cell} is no time")),
                };
                match oracle.declared_type(&table.name, name) {
                    _ if cell == "-" => {}
                    Some(ty) => {
                        let currency =
                            ty.argument.as_ref().and_then(|of| table.columns.iter().position(|c| *c == of.text));
                        let value = typed(cell, ty, currency.map(|index| &cells[index][..]), &oracle)?;
                        row.fields.insert(name.clone(), value);
                    }
                    None if about.roles.contains(name) => {
                        row.fields.insert(name.clone(), Value::Text(cell.clone()));
                    }
                    None if about.at.as_ref() == Some(name) => row.time = Some(moment()?),
                    None if about.at.as_deref() == Some("from") && name == "until" => {
                        row.fields.insert(name.clone(), Value::Time(moment()?));
                    }
                    None if about.key.as_ref() == Some(name) => key = Some(cell.clone()),
                    None if name == "id" && about.key.is_none() => row.id = Some(cell.clone()),
                    None if name == CHANGED && about.key.is_some() => from = Some(moment()?),
                    None if name == ENDED && about.key.is_some() => until = Some(moment()?),
                    None => return Err(format!("{} has no {name}", table.name)),
                }
            }
            match &about.key {
                Some(_) => facts.entities.push(EntityRow {
                    entity: table.name.clone(),
                    key: key.ok_or_else(|| format!("a {} without a key", table.name))?,
                    from,
                    until,
                    fields: table.columns.iter().map(|name| (name.clone(), Value::Missing)).chain(row.fields).collect(),
                }),
                None => facts.rows.push(row),
            }
        }
    }
    Ok(oracle.with_data(facts))
}

/// Before the name of a calendar, the name of its table, which stands in `NAME.csv`.
const CALENDAR: &str = "calendar ";

/// A day of a calendar's table, with the columns `day`, `week`, `month`, `quarter` and `year`.
fn day_of(table: &GivenTable, row: &[String]) -> Result<TableDay, String> {
    let column = |name: &str| {
        let index = table.columns.iter().position(|column| column == name);
        index.map(|index| row[index].clone()).ok_or_else(|| format!("{} without a column {name}", table.name))
    };
    let day = column("day")?.parse().map_err(|e| format!("{}: {e}", table.name))?;
    Ok(TableDay { day, labels: [column("week")?, column("month")?, column("quarter")?, column("year")?] })
}

/// Rates of exchange (a table `rates`) and merges (`merges ENTITY`), which no model declares.
fn given_beside(table: &GivenTable, oracle: &Oracle, facts: &mut Facts) -> Result<bool, String> {
    let column = |row: &Vec<String>, name: &str| {
        let index = table.columns.iter().position(|column| column == name);
        index.map(|index| row[index].clone()).ok_or_else(|| format!("{} without a column {name}", table.name))
    };
    if let Some(entity) = table.name.strip_prefix("merges ") {
        for row in &table.rows {
            facts.merges.push((entity.to_string(), column(row, "from")?, column(row, "into")?));
        }
        return Ok(true);
    }
    if table.name.starts_with(CALENDAR) {
        return Ok(true);
    }
    if table.name != "rates" {
        return Ok(false);
    }
    for row in &table.rows {
        let day = column(row, "day")?;
        let at = match oracle.calendar().literal(&day)? {
            Value::Date(day) => oracle.calendar().start_of_day(day),
            Value::Time(at) => at,
            _ => return Err(format!("{day} is no day")),
        };
        let rate = column(row, "rate")?;
        let rate = Number::parse(&rate).ok_or_else(|| format!("{rate} is no rate"))?;
        facts.rates.push(Rate { at, from: column(row, "from")?, to: column(row, "to")?, rate });
    }
    Ok(true)
}

/// The column that dates an entity's attributes.
const CHANGED: &str = "changed";
/// The column that says until when.
const ENDED: &str = "ended";

/// A cell as a value of its column's type.
fn typed(
    cell: &str,
    ty: &kepi_syntax::ast::TypeName,
    currency: Option<&str>,
    oracle: &Oracle,
) -> Result<Value, String> {
    let number = |kind: Kind| {
        let number = Number::parse(cell).ok_or_else(|| format!("{cell} is no number"))?;
        Ok(Value::Number(number, Unit::of(kind)))
    };
    match &ty.name.text[..] {
        "number" => number(Kind::Number),
        "count" => number(Kind::Count),
        "percent" => number(Kind::Percent),
        "points" => number(Kind::Points),
        "duration" => number(Kind::Duration),
        "money" => {
            let declared = ty.argument.as_ref().map_or(oracle.currency(), |code| code.text.as_str());
            number(Kind::Money(currency.unwrap_or(declared).to_string()))
        }
        "bool" => match cell {
            "yes" | "true" => Ok(Value::Bool(true)),
            "no" | "false" => Ok(Value::Bool(false)),
            _ => Err(format!("{cell} is no yes or no")),
        },
        "date" => oracle.calendar().literal(cell),
        "time" => match oracle.calendar().literal(cell)? {
            Value::Date(day) => Ok(Value::Time(oracle.calendar().start_of_day(day))),
            time => Ok(time),
        },
        // Text, and the key of an entity.
        _ => Ok(Value::Text(cell.to_string())),
    }
}

/// The day after the last given row, or the start of 2000 where no row has a time: what `now` is in a test block.
pub fn day_after_last(model: &str, tables: &[GivenTable]) -> Result<i64, String> {
    let oracle = oracle(model, tables, 0)?;
    let calendar = oracle.calendar();
    let last = oracle.last_moment().unwrap_or(946_684_800_000_000);
    let day = calendar.day(last);
    Ok(calendar.start_of_day(day.tomorrow().map_err(|e| e.to_string())?))
}

/// A file for each table, and the `source` blocks that map them.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The name of each source, its file and the file's text.
    pub files: Vec<(String, String, String)>,
    /// The `source` blocks.
    pub sources: String,
    /// Files that are read where they lie, with their texts: the tables of calendars.
    pub beside: Vec<(String, String)>,
}

/// Writes the tables of a case as files.
pub fn files(oracle: &Oracle, tables: &[GivenTable]) -> Files {
    let mut files = Files { beside: calendars(tables), ..Files::default() };
    for (number, table) in tables.iter().enumerate() {
        let source = format!("given_{number}");
        let file = format!("{source}.csv");
        let Some(mapping) = mapping(oracle, table, "") else { continue };
        let _ = writeln!(files.sources, "source {source} from \"{file}\" {{ {mapping} }}");
        files.files.push((source, file, csv(table)));
    }
    files
}

/// Writes all tables of a case as one wide file, which is loaded much faster than many: each row fills the columns of its own
/// table.
pub fn one_file(oracle: &Oracle, tables: &[GivenTable]) -> Files {
    let mut wide = GivenTable { name: "given".to_string(), columns: vec!["which".to_string()], rows: vec![] };
    let mut mappings = Vec::new();
    for (number, table) in tables.iter().enumerate() {
        let prefix = format!("t{number}_");
        let Some(mapping) = mapping(oracle, table, &prefix) else { continue };
        // A merge takes no condition; elsewhere its columns are empty, and nobody is merged.
        let only = if table.name.contains(' ') { String::new() } else { format!(" where which = \"t{number}\"") };
        mappings.push(format!("{mapping}{only}"));
        let before = wide.columns.len();
        wide.columns.extend(table.columns.iter().map(|column| format!("{prefix}{column}")));
        for row in &table.rows {
            let mut cells = vec!["-".to_string(); before];
            cells[0] = format!("t{number}");
            cells.extend(row.iter().cloned());
            wide.rows.push(cells);
        }
    }
    for row in &mut wide.rows {
        row.resize(wide.columns.len(), "-".to_string());
    }
    let (source, file) = ("given".to_string(), "given.csv".to_string());
    let sources = format!("source {source} from \"{file}\" {{\n  {}\n}}\n", mappings.join("\n  "));
    Files { files: vec![(source, file, csv(&wide))], sources, beside: calendars(tables) }
}

/// The files of calendars.
fn calendars(tables: &[GivenTable]) -> Vec<(String, String)> {
    let file = |table: &GivenTable| Some((format!("{}.csv", table.name.strip_prefix(CALENDAR)?), csv(table)));
    tables.iter().filter_map(file).collect()
}

/// How a source takes a table, whose columns have a prefix; none where the model does not declare it.
fn mapping(oracle: &Oracle, table: &GivenTable, prefix: &str) -> Option<String> {
    if let Some(entity) = table.name.strip_prefix("merges ") {
        return Some(format!("merge {entity} {prefix}from into {prefix}into"));
    }
    if table.name == "rates" {
        return Some(format!("rates: at {prefix}day, from {prefix}from, to {prefix}to, rate {prefix}rate"));
    }
    let about = oracle.tables().into_iter().find(|d| d.name == table.name)?;
    let mut parts: Vec<String> = Vec::new();
    let mut roles: Vec<String> = Vec::new();
    for name in &table.columns {
        let column = format!("{prefix}{name}");
        let known = oracle.declared_type(&table.name, name).is_some();
        let of_state = about.at.as_deref() == Some("from");
        match () {
            () if known && prefix.is_empty() => parts.push(name.clone()),
            () if known => parts.push(format!("{name} {column}")),
            () if about.roles.contains(name) && prefix.is_empty() => roles.push(name.clone()),
            () if about.roles.contains(name) => roles.push(format!("{name} {column}")),
            () if about.key.as_ref() == Some(name) => parts.insert(0, format!("key {column}")),
            () if name == "from" && of_state => parts.insert(0, format!("from {column}")),
            () if about.at.as_ref() == Some(name) => parts.insert(0, format!("at {column}")),
            () if name == CHANGED => parts.push(format!("from {column}")),
            () if name == ENDED => parts.push(format!("until {column}")),
            () if name == "until" && of_state => parts.push(format!("until {column}")),
            () => parts.insert(0, format!("id {column}")),
        }
    }
    // `of customer, campaign` comes behind the time and the id.
    let first = |part: &String| ["key ", "from ", "at ", "id "].iter().any(|word| part.starts_with(word));
    let front = parts.iter().take_while(|part| first(part)).count();
    for (index, role) in roles.into_iter().enumerate() {
        parts.insert(front + index, if index == 0 { format!("of {role}") } else { role });
    }
    Some(format!("{}: {}", table.name, parts.join(", ")))
}

fn csv(table: &GivenTable) -> String {
    let mut text = table.columns.join(",") + "\n";
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|cell| quoted(if cell == "-" { "" } else { cell })).collect();
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_string() }
}
