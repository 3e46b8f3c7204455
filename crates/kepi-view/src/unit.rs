//! Values with their units, for people; and what machines are told about units.

use crate::cell::Cell;
use crate::number::{compact, is_whole, rounded};
use kepi_engine::{FrameColumn, FrameColumnKind};
use kepi_model::value::{Kind, PerUnit, Unit};

/// What stands for a missing value.
pub(crate) const DASH: &str = "–";

/// Formats the numbers of one column alike, so that their decimals stand below each other.
///
/// What is no number comes back as none: its text depends on the time zone and the grain.
pub(crate) fn numbers(meta: &FrameColumn, cells: &[Cell<'_>]) -> Vec<Option<String>> {
    let signed = matches!(meta.kind, FrameColumnKind::Change(_) | FrameColumnKind::ChangePercent(_));
    let decimals = decimals(&meta.unit.kind, cells);
    cells
        .iter()
        .map(|&cell| {
            let size = cell.number()?;
            let text = with_unit(&meta.unit, cell, decimals)?;
            let plus = signed && size > 0.0 && text.bytes().any(|b| b.is_ascii_digit() && b != b'0');
            Some(if plus { format!("+{text}") } else { text })
        })
        .collect()
}

/// How many decimals a column of this kind needs.
fn decimals(kind: &Kind, cells: &[Cell<'_>]) -> usize {
    let sizes = || cells.iter().filter_map(Cell::number).map(f64::abs);
    let largest = sizes().fold(0.0, f64::max);
    // A fraction that would show at this many decimals.
    let shows = |factor: f64| sizes().any(|x| ((x * factor).round() - (x * factor / 10.0).round() * 10.0).abs() > 0.0);
    match kind {
        // Each in its own unit of time.
        Kind::Duration => usize::from(cells.iter().filter_map(Cell::number).any(|seconds| {
            let tenths = (seconds / time_unit(seconds).0 * 10.0).round();
            tenths % 10.0 != 0.0
        })),
        Kind::Percent | Kind::Points => match largest {
            l if l > 0.0 && l < 0.01 => 2,
            _ => usize::from(shows(1000.0)),
        },
        Kind::Money(_) | Kind::MoneyOf(_) => {
            if largest < 10_000.0 && (shows(100.0) || shows(10.0)) {
                2
            } else {
                0
            }
        }
        _ if cells.iter().all(|&cell| is_whole(cell)) => 0,
        // Cents, as in what was rounded to them, are shown; of what has more digits one is enough.
        _ if largest >= 1000.0 => 1 + usize::from(shows(100.0) && sizes().all(has_cents_at_most)),
        _ if largest >= 1.0 => 2,
        // Three significant digits of the largest.
        _ => (2 - largest.log10().floor() as i64).clamp(2, 6) as usize,
    }
}

/// Whether a number has no more than two decimals, as exact as it is kept.
fn has_cents_at_most(size: f64) -> bool {
    ((size * 100.0).round() / 100.0 - size).abs() <= size * f64::EPSILON
}

fn with_unit(unit: &Unit, cell: Cell<'_>, decimals: usize) -> Option<String> {
    let (number, suffix) = match &unit.kind {
        Kind::Money(currency) => {
            let number = compact(cell).or_else(|| rounded(cell, 0, decimals))?;
            (number, currency.map(|c| format!(" {c}")).unwrap_or_default())
        }
        Kind::MoneyOf(_) => (compact(cell).or_else(|| rounded(cell, 0, decimals))?, String::new()),
        Kind::Percent => (rounded(cell, 2, decimals)?, " %".to_string()),
        Kind::Points => (rounded(cell, 2, decimals)?, " pts".to_string()),
        Kind::Duration => duration(cell, decimals)?,
        _ => (rounded(cell, 0, decimals)?, String::new()),
    };
    let per = unit.per.map(|p| format!("/{}", per_word(p))).unwrap_or_default();
    Some(format!("{number}{suffix}{per}"))
}

/// The largest unit of time of which there are at least two: its seconds and its letters.
fn time_unit(seconds: f64) -> (f64, &'static str) {
    match seconds.abs() {
        s if s >= 2.0 * 86_400.0 => (86_400.0, "d"),
        s if s >= 2.0 * 3_600.0 => (3_600.0, "h"),
        s if s >= 2.0 * 60.0 => (60.0, "min"),
        _ => (1.0, "s"),
    }
}

fn duration(cell: Cell<'_>, decimals: usize) -> Option<(String, String)> {
    let seconds = cell.number()?;
    let (length, letters) = time_unit(seconds);
    Some((rounded(Cell::Float(seconds / length), 0, decimals)?, format!(" {letters}")))
}

/// The time a value is per, as a word.
fn per_word(per: PerUnit) -> &'static str {
    match per {
        PerUnit::Second => "second",
        PerUnit::Minute => "minute",
        PerUnit::Hour => "hour",
        PerUnit::Day => "day",
        PerUnit::Week => "week",
        PerUnit::Month => "month",
        PerUnit::Quarter => "quarter",
        PerUnit::Year => "year",
    }
}

/// The type of a column as schema 1 calls it.
pub(crate) fn type_name(meta: &FrameColumn) -> &'static str {
    match &meta.unit.kind {
        _ if meta.grain.as_ref().is_some_and(|g| !crate::period::is_within_a_day(g)) => "date",
        _ if meta.grain.is_some() => "time",
        Kind::Number => "number",
        Kind::Count => "count",
        Kind::Percent => "percent",
        Kind::Points => "points",
        Kind::Money(_) | Kind::MoneyOf(_) => "money",
        Kind::Duration => "duration",
        Kind::Bool => "bool",
        Kind::Time => "time",
        Kind::Date => "date",
        Kind::Entity(_) => "entity",
        Kind::Text | Kind::List(_) | Kind::Raw => "text",
        Kind::Missing => "missing",
    }
}

/// The unit of a column as schema 1 gives it: `EUR`, `EUR per day`, `s`, the grain of a period, the name of an
/// entity; none where the type says it all.
pub(crate) fn unit_name(meta: &FrameColumn) -> Option<String> {
    if let Some(grain) = &meta.grain {
        return Some(grain.name());
    }
    let unit = match &meta.unit.kind {
        Kind::Money(Some(currency)) => Some(currency.to_string()),
        Kind::Duration => Some("s".to_string()),
        Kind::Entity(name) => Some(name.clone()),
        _ => None,
    };
    match (unit, meta.unit.per) {
        (Some(unit), Some(per)) => Some(format!("{unit} per {}", per_word(per))),
        (None, Some(per)) => Some(format!("per {}", per_word(per))),
        (unit, None) => unit,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;
    use kepi_model::value::Currency;

    fn shown(kind: Kind, column: FrameColumnKind, cells: &[Cell<'_>]) -> Vec<String> {
        let meta = FrameColumn {
            name: "x".to_string(),
            kind: column,
            unit: Unit::of(kind),
            grain: None,
            better: None,
            words: Vec::new(),
        };
        numbers(&meta, cells).into_iter().map(|text| text.unwrap_or_else(|| DASH.to_string())).collect()
    }

    #[test]
    fn units_read_as_people_write_them() {
        use FrameColumnKind::Value;
        let eur = || Kind::Money(Currency::parse("EUR"));
        assert_eq!(
            shown(eur(), Value, &[Cell::Decimal(120_000_000, 2), Cell::Decimal(4_238, 0)]),
            ["1.2M EUR", "4,238 EUR"]
        );
        assert_eq!(shown(eur(), Value, &[Cell::Decimal(15_230, 2), Cell::Decimal(7, 0)]), ["152.30 EUR", "7.00 EUR"]);
        assert_eq!(shown(Kind::Percent, Value, &[Cell::Decimal(148, 3), Cell::Missing]), ["14.8 %", "–"]);
        assert_eq!(shown(Kind::Percent, Value, &[Cell::Decimal(5, 1), Cell::Decimal(1, 0)]), ["50 %", "100 %"]);
        assert_eq!(shown(Kind::Percent, Value, &[Cell::Float(0.0034)]), ["0.34 %"]);
        assert_eq!(shown(Kind::Points, Value, &[Cell::Decimal(3, 1)]), ["30 pts"]);
        assert_eq!(shown(Kind::Duration, Value, &[Cell::Float(48.0 * 86_400.0)]), ["48 d"]);
        assert_eq!(shown(Kind::Duration, Value, &[Cell::Float(19_440.0), Cell::Float(90.0)]), ["5.4 h", "90.0 s"]);
        assert_eq!(shown(Kind::Count, Value, &[Cell::Decimal(1_234_567, 0)]), ["1,234,567"]);
        assert_eq!(shown(Kind::Number, Value, &[Cell::Float(2.456)]), ["2.46"]);
        assert_eq!(shown(Kind::Number, Value, &[Cell::Float(0.012_345)]), ["0.0123"]);
    }

    #[test]
    fn changes_have_a_sign() {
        let change = FrameColumnKind::Change(0);
        let cells = [Cell::Decimal(25, 3), Cell::Decimal(-25, 3), Cell::Decimal(0, 3), Cell::Decimal(1, 9)];
        assert_eq!(shown(Kind::Points, change, &cells), ["+2.5 pts", "-2.5 pts", "0.0 pts", "0.0 pts"]);
    }
}
