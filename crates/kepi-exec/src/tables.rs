//! Calendars from tables have periods for their own days only: a query that needs others is refused, not cut.

use crate::ExecError;
use kepi_model::calendar::{Grain, Zone};
use kepi_model::core::{CompareWith, Query};

/// Whether the tables of a query's calendars have all days that it looks at.
pub(crate) fn covered(query: &Query, zone: &Zone, from: i64, until: i64) -> Result<(), ExecError> {
    let compared = query.compare.iter().filter_map(|compare| match &compare.with {
        CompareWith::Previous(grain) => Some(grain),
        _ => None,
    });
    for grain in query.per.iter().chain(compared) {
        has(grain, zone, from)?;
        has(grain, zone, from.max(until.saturating_sub(1)))?;
    }
    Ok(())
}

/// Whether the table of a grain's calendar, if it has one, has the day of a moment.
pub(crate) fn has(grain: &Grain, zone: &Zone, at: i64) -> Result<(), ExecError> {
    let Some(table) = &grain.table else { return Ok(()) };
    let day = zone.local(at).date();
    if table.covers(day) {
        return Ok(());
    }
    // The first row of all, where it lies before the table, is put into one period with all time before.
    let what = if day.year() < 0 { "the first row".to_string() } else { day.to_string() };
    let (first, end) = (table.first().to_string(), table.end().to_string());
    Err(ExecError::OutsideTable { what, grain: grain.name(), first, end })
}
