//! Periods as written: `month`, `fiscal.quarter`.

use super::Cx;
use crate::calendar::{self, Grain};
use crate::names;
use kepi_syntax::ast::{Expr, ExprKind, Path, TimeUnit, UnitWord};
use kepi_syntax::{Code, Diagnostic};

/// Reads a grain: `month`, `fiscal.quarter`.
pub(crate) fn grain(cx: &mut Cx<'_>, path: &Path) -> Option<Grain> {
    let parts = names::parts(path);
    let (calendar, word) = match parts.as_slice() {
        [unit] => (None, *unit),
        [calendar, unit] => (Some(*calendar), *unit),
        _ => (None, ""),
    };
    let Some(unit) = TimeUnit::named(word) else {
        const UNITS: [&str; 7] = ["hour", "day", "week", "month", "quarter", "year", "minute"];
        let help = names::suggestion(word, UNITS)
            .unwrap_or_else(|| "periods are minute, hour, day, week, month, quarter, year".to_string());
        return cx.error_help(Code::UnknownName, path.span, format!("`{}` is no period", names::text(path)), help);
    };
    let Some(calendar) = calendar else { return Some(cx.catalog.settings.grain(unit)) };
    match cx.catalog.settings.grain_in(calendar, unit) {
        Some(grain) => Some(grain),
        None if cx.catalog.settings.calendars.contains_key(calendar) => cx.error_help(
            Code::UnknownName,
            path.span,
            format!("the table of the calendar `{calendar}` has no column `{}`", calendar::unit_name(unit)),
            "add the column: a label for each day, the same for all days of a period",
        ),
        None => {
            let known: Vec<&str> = cx.catalog.settings.calendars.keys().map(String::as_str).collect();
            let help = names::suggestion(calendar, known)
                .unwrap_or_else(|| format!("declare it: `calendar {calendar} = year starts \"april\"`"));
            cx.report(
                Diagnostic::error(Code::UnknownName, path.parts[0].span, format!("there is no calendar `{calendar}`"))
                    .help(help),
            );
            None
        }
    }
}

/// Reads a grain that stands as a value.
pub(super) fn grain_word(cx: &mut Cx<'_>, value: &Expr) -> Option<Grain> {
    match &value.kind {
        ExprKind::Path(path) => grain(cx, path),
        _ => no_period(cx, value),
    }
}

fn no_period<T>(cx: &mut Cx<'_>, value: &Expr) -> Option<T> {
    if let ExprKind::Quantity { unit: Some(UnitWord::Time(_)), .. } = &value.kind {
        return cx.error_help(
            Code::WrongKind,
            value.span,
            "a length is no period: it does not say when one begins",
            "write `month`, `week` …; a table can name periods of your own, `calendar fortnights from \"fortnights.csv\"`, \
             and a label counts lengths from a moment: `floor((at - 2025-01-01) / 14 days)`",
        );
    }
    cx.error_help(Code::WrongKind, value.span, "a period is needed here", "write `month`, `week` …")
}
