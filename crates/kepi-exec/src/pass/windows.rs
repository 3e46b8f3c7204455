//! Which time an aggregate looks at in each cell: the cell's own window, or one that is moved.

use super::Pass;
use crate::{ExecError, tables};
use kepi_model::calendar::Zone;
use kepi_model::core::Move;
use kepi_model::value::CalendarSpan;

/// The most windows that a pass may have.
const WINDOWS_MAX: u64 = 1_000_000;
/// In place of a window's first instant: it has none.
pub(crate) const NO_BEGINNING: i64 = i64::MIN;

/// What an aggregate looks at in a cell: `[from, until)`, empty where it does not end behind its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The first instant of the cell's period.
    pub(crate) period: Option<i64>,
    /// First instant, or [`NO_BEGINNING`].
    pub(crate) from: i64,
    /// The instant behind the last.
    pub(crate) until: i64,
    /// The first instant of the cell, and the one behind its last: those of the window, but for what is measured just
    /// before it begins. Conditions look there for `opening`, `closing` and `over period`.
    pub(crate) cell: (i64, i64),
}

impl Window {
    fn of(period: Option<i64>, from: i64, until: i64) -> Window {
        Window { period, from, until, cell: (from, until) }
    }
}

/// The windows of a pass, one for each of its cells' periods, in order. `first`: the moment of the first row, where
/// the pass itself says of no beginning and somebody knows.
///
/// The first and the last period are cut where the pass's time cuts them.
pub(crate) fn windows(pass: &Pass, first: Option<i64>, zone: &Zone) -> Result<Vec<Window>, ExecError> {
    let from = pass.first_instant();
    let mut windows = Vec::new();
    match &pass.per {
        None => windows.push(Window::of(None, from.unwrap_or(NO_BEGINNING), pass.until)),
        Some(grain) => {
            let mut period = zone.truncate(grain, from.or(first).unwrap_or(pass.until.saturating_sub(1)));
            while period < pass.until {
                let next = zone.step(grain, period, 1);
                if next <= period {
                    break;
                }
                let start = from.map_or(period, |from| from.max(period));
                windows.push(Window::of(Some(period), start, next.min(pass.until)));
                if windows.len() as u64 > WINDOWS_MAX {
                    let count = zone.periods_between(grain, windows[0].from, pass.until).unsigned_abs();
                    return Err(ExecError::TooLarge { what: "periods".into(), count, max: WINDOWS_MAX });
                }
                period = next;
            }
        }
    }
    let mut beginning = from.unwrap_or(NO_BEGINNING);
    if let Some(shift) = pass.shift {
        beginning = plus(zone, beginning, shift);
        for window in &mut windows {
            (window.from, window.until) = (plus(zone, window.from, shift), zone.add(window.until, shift));
            window.cell = (window.from, window.until);
        }
    }
    for window in &mut windows {
        for of in pass.moved() {
            if let Move::ToDate(grain) = of {
                tables::has(grain, zone, window.until.saturating_sub(1))?;
            }
            let before = (window.from, window.until);
            (window.from, window.until) = moved(of, zone, beginning, before);
            window.cell = if *of == Move::Start { before } else { (window.from, window.until) };
        }
    }
    Ok(windows)
}

/// The window made of another one; `beginning`: where the query's own time begins.
fn moved(of: &Move, zone: &Zone, beginning: i64, (from, until): (i64, i64)) -> (i64, i64) {
    match of {
        Move::Prior(by) => (plus(zone, from, back(*by)), zone.add(until, back(*by))),
        Move::Trailing(by) => (zone.add(until, back(*by)), until),
        Move::ToDate(grain) => (zone.truncate(grain, until.saturating_sub(1)), until),
        Move::Running => (beginning, until),
        Move::AllTime => (NO_BEGINNING, until),
        // What is asked for one moment has everything in its window: nothing held before.
        Move::Start => (NO_BEGINNING, from),
    }
}

fn back(by: CalendarSpan) -> CalendarSpan {
    CalendarSpan { months: -by.months, days: -by.days, micros: -by.micros }
}

fn plus(zone: &Zone, at: i64, by: CalendarSpan) -> i64 {
    if at == NO_BEGINNING { at } else { zone.add(at, by) }
}
