//! Calendars that come from tables: their files, read for the model, which opens none.

use crate::project::Project;
use arrow_array::cast::AsArray;
use arrow_array::types::Date32Type;
use arrow_array::{Array, ArrayRef};
use kepi_connect::{ReadOptions, Table, convert};
use kepi_model::calendar::{CalendarTable, TABLE_UNITS, TableDay, Zone, date_of, unit_name};
use kepi_model::value::{Kind, Unit};
use kepi_syntax::ast::{File, StatementKind};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// More days than this are no calendar (20,000 years).
const DAYS_MAX: usize = 7_300_000;

/// What the files hold that the model's calendars name, by their names in the model; else why that cannot be known.
pub(crate) fn tables(project: &Project, trees: &[File]) -> BTreeMap<String, Result<Arc<CalendarTable>, String>> {
    let statements = trees.iter().flat_map(|tree| &tree.statements);
    let files = statements.filter_map(|statement| match &statement.kind {
        StatementKind::Calendar(calendar) => calendar.from.clone(),
        _ => None,
    });
    files.map(|file| (file.clone(), read(&project.root, &file).map(Arc::new))).collect()
}

fn read(root: &Path, file: &str) -> Result<CalendarTable, String> {
    let path = root.join(file).display().to_string();
    let table = Table::open(&[path], &ReadOptions::default()).map_err(|e| e.to_string())?;
    let columns = table.columns();
    let place = |name: &str| columns.iter().position(|column| column.eq_ignore_ascii_case(name));
    let Some(day) = place("day") else { return Err("it has no column `day`".to_string()) };
    let labels = TABLE_UNITS.map(|unit| place(unit_name(unit)));
    let date = Unit::of(Kind::Date);
    let formats = table.formats(&[(columns[day].clone(), date.clone())], &Zone::utc()).map_err(|e| e.to_string())?;
    let Some(formats) = formats.into_iter().next() else { return Err("its days are no dates".to_string()) };
    let mut rows = Vec::new();
    for batch in table.read() {
        let batch = batch.map_err(|e| e.to_string())?;
        if let Some(rejected) = batch.rejected.first() {
            return Err(format!("line {}: {}", rejected.line, rejected.reason));
        }
        let text = |place: usize| convert(batch.records.column(place), &Unit::of(Kind::Text), &formats).0;
        let (days, faults) = convert(batch.records.column(day), &date, &formats);
        if let Some((row, reason)) = faults.first() {
            return Err(format!("line {}: {reason}", batch.lines[*row]));
        }
        let days = days.as_primitive_opt::<Date32Type>().ok_or("its days are no dates")?;
        let texts: [Option<ArrayRef>; 4] = labels.map(|label| label.map(text));
        for row in 0..days.len() {
            if days.is_null(row) {
                return Err(format!("line {} has no day", batch.lines[row]));
            }
            let label = |texts: &Option<ArrayRef>| {
                let texts = texts.as_ref()?.as_string_opt::<i32>()?;
                texts.is_valid(row).then(|| texts.value(row).to_string())
            };
            rows.push(TableDay { day: date_of(days.value(row)), labels: texts.each_ref().map(label) });
        }
        if rows.len() > DAYS_MAX {
            return Err(format!("it has more than {DAYS_MAX} days"));
        }
    }
    CalendarTable::new(rows)
}
