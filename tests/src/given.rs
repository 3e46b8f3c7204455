//! The data of a case: typed for the oracle, written as CSV files and `source` blocks for the engine.

use crate::case::GivenTable;
use crate::oracle::{EntityRow, Facts, Kind, Number, Oracle, OracleRow, Rate, Unit, Value};
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
    let oracle = Oracle::new(&[file], "UTC", now)?;
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
}

/// Writes the tables of a case as files.
pub fn files(oracle: &Oracle, tables: &[GivenTable]) -> Files {
    let declared = oracle.tables();
    let mut files = Files::default();
    for (number, table) in tables.iter().enumerate() {
        let source = format!("given_{number}");
        let file = format!("{source}.csv");
        let beside = match table.name.strip_prefix("merges ") {
            Some(entity) => Some(format!("merge {entity} from into into")),
            None if table.name == "rates" => Some("rates: at day, from from, to to, rate".to_string()),
            None => None,
        };
        if let Some(mapping) = beside {
            let _ = writeln!(files.sources, "source {source} from \"{file}\" {{ {mapping} }}");
            files.files.push((source, file, csv(table)));
            continue;
        }
        let Some(about) = declared.iter().find(|d| d.name == table.name) else { continue };
        let mut parts: Vec<String> = Vec::new();
        let mut roles: Vec<String> = Vec::new();
        for name in &table.columns {
            let known = oracle.declared_type(&table.name, name).is_some();
            match () {
                () if known => parts.push(name.clone()),
                () if about.roles.contains(name) => roles.push(name.clone()),
                () if about.key.as_ref() == Some(name) => parts.insert(0, format!("key {name}")),
                () if name == "from" && about.at.as_deref() == Some("from") => parts.insert(0, "from from".to_string()),
                () if about.at.as_ref() == Some(name) => parts.insert(0, format!("at {name}")),
                () if name == CHANGED => parts.push(format!("from {name}")),
                () if name == ENDED => parts.push(format!("until {name}")),
                () if name == "until" && about.at.as_deref() == Some("from") => parts.push(format!("until {name}")),
                () => parts.insert(0, format!("id {name}")),
            }
        }
        // `of customer, campaign` comes behind the time and the id.
        let front = parts.iter().take_while(|p| p.contains(' ')).count();
        for (index, role) in roles.into_iter().enumerate() {
            parts.insert(front + index, if index == 0 { format!("of {role}") } else { role });
        }
        let _ = writeln!(files.sources, "source {source} from \"{file}\" {{ {}: {} }}", table.name, parts.join(", "));
        files.files.push((source, file, csv(table)));
    }
    files
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
