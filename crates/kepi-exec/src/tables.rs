//! Calendars from tables have periods for their own days only: a query that needs others is refused, not cut.

use crate::ExecError;
use kepi_model::calendar::{Grain, Zone};
use kepi_model::core::{Aggregate, Base, CompareWith, Made, Query, Row, RowNode};

/// Whether the tables of a query's calendars have all days that it looks at; `from`: where its window begins, none where
/// nobody knows that yet.
pub(crate) fn covered(query: &Query, zone: &Zone, from: Option<i64>, until: i64) -> Result<(), ExecError> {
    let compared = query.compare.iter().filter_map(|compare| match &compare.with {
        CompareWith::Previous(grain) => Some(grain),
        _ => None,
    });
    for grain in query.per.iter().chain(compared) {
        let last = until.saturating_sub(1);
        has(grain, zone, from.unwrap_or(last))?;
        has(grain, zone, from.map_or(last, |from| from.max(last)))?;
    }
    // Where nobody knows the first row yet, its period is looked at when it is read.
    let begins = from.filter(|from| *from < until);
    for inside in query.aggregates.iter().flat_map(in_aggregate) {
        let (grain, last) = match inside {
            Inside::Groups(grain) => (grain, until),
            // Whoever returns does so up to now.
            Inside::Retention(grain) => (grain, query.now.max(until)),
            Inside::Lifecycle(grain) => {
                // A stage depends on the period before, too.
                if let Some(from) = begins {
                    has(grain, zone, zone.truncate(grain, from).saturating_sub(1))?;
                }
                (grain, until)
            }
        };
        if let Some(from) = begins {
            has(grain, zone, from)?;
        }
        has(grain, zone, last.saturating_sub(1))?;
    }
    Ok(())
}

/// Periods that something inside a query is made by.
enum Inside<'q> {
    Groups(&'q Grain),
    Retention(&'q Grain),
    Lifecycle(&'q Grain),
}

fn in_aggregate(aggregate: &Aggregate) -> Vec<Inside<'_>> {
    let mut found = match &aggregate.events.base {
        Base::Made(made) => match &**made {
            Made::Groups(groups) => {
                let inner = groups.aggregates.iter().flat_map(in_aggregate);
                groups.per.iter().map(Inside::Groups).chain(inner).collect()
            }
            Made::Returns(returns) => vec![Inside::Retention(&returns.grain)],
            Made::Edges { .. } | Made::Sessions { .. } | Made::Chain(_) | Made::Changes(_) => Vec::new(),
        },
        Base::Stream(_) | Base::Entity(_) => Vec::new(),
    };
    found.extend(aggregate.rows().into_iter().flat_map(in_row));
    found
}

/// What rows look back to has no period where the table has none.
fn in_row(row: &Row) -> Vec<Inside<'_>> {
    match &row.node {
        RowNode::Lifecycle { grain, .. } => vec![Inside::Lifecycle(grain)],
        RowNode::History(_) | RowNode::Modelled(_) => Vec::new(),
        _ => row.parts().into_iter().flat_map(in_row).collect(),
    }
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
