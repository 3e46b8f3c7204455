//! Literals, and values brought to the unit that they stand beside.

use super::window::{self, Instant};
use super::{Cx, Node};
use crate::calendar::{date_of, day_number, span_of};
use crate::core::Op;
use crate::value::{CalendarSpan, Currency, Kind, Unit, Value};
use kepi_syntax::ast::{DateTime, TimeUnit, UnitWord};
use kepi_syntax::{Code, Span};

pub(super) fn quantity<N: Node>(cx: &mut Cx<'_>, text: &str, unit: Option<&UnitWord>, span: Span) -> Option<N> {
    let Some((digits, scale)) = kepi_syntax::decimal(text) else {
        return cx.error(Code::TooLarge, span, format!("`{text}` has more digits than kepi computes with"));
    };
    let decimal = |scale| Value::Decimal { digits, scale };
    Some(match unit {
        None => N::constant(decimal(scale), Unit::of(Kind::Number)),
        Some(UnitWord::Percent) => N::constant(decimal(scale + 2), Unit::of(Kind::Percent)),
        Some(UnitWord::Points) => N::constant(decimal(scale + 2), Unit::of(Kind::Points)),
        Some(UnitWord::Currency(code)) => {
            // Nothing is nothing in any currency: `otherwise 0 EUR` also beside amounts that are converted.
            let converted = cx.currency.filter(|_| N::OF_CELLS && digits == 0);
            N::constant(decimal(scale), Unit::of(Kind::Money(converted.or_else(|| Currency::parse(code)))))
        }
        Some(UnitWord::Time(unit)) => {
            let whole = (scale == 0).then(|| i64::try_from(digits).ok()).flatten();
            match whole.and_then(|n| span_of(n, *unit)) {
                Some(span) => N::constant(Value::Span(span), Unit::of(Kind::Duration)),
                None => {
                    let seconds = digits as f64 / 10f64.powi(i32::from(scale)) * unit_seconds(*unit);
                    N::constant(Value::Float(seconds), Unit::of(Kind::Duration))
                }
            }
        }
    })
}

fn unit_seconds(unit: TimeUnit) -> f64 {
    span_of(1, unit).map_or(0.0, CalendarSpan::seconds)
}

/// The value of a date literal: an instant where it has a time, else a day.
pub(crate) fn date_value(cx: &mut Cx<'_>, date: &DateTime) -> Option<(Value, Kind)> {
    match window::parse_instant(&cx.catalog.settings.zone, &date.text) {
        Some(Instant::Day(day)) => Some((Value::Date(day_number(day)), Kind::Date)),
        Some(Instant::Moment(at)) => Some((Value::Time(at), Kind::Time)),
        None => cx.error(Code::NoSuchDay, date.span, format!("there is no `{}`", date.text)),
    }
}

/// Brings a value to the unit that it is joined to: a day becomes its first instant, a length by the calendar seconds,
/// raw text what is needed.
pub(super) fn fit<N: Node>(cx: &Cx<'_>, mut value: N, unit: &Unit) -> N {
    match (&value.unit().kind, &unit.kind) {
        (Kind::Date, Kind::Time) => to_time(cx, value),
        (Kind::Raw, kind) if *kind != Kind::Raw => {
            let kind = if *kind == Kind::Missing { Kind::Text } else { kind.clone() };
            value.set_unit(Unit::of(kind));
            value
        }
        (Kind::Duration, _) => seconds(value),
        _ => value,
    }
}

pub(super) fn to_time<N: Node>(cx: &Cx<'_>, value: N) -> N {
    if let Some(Value::Date(day)) = value.as_constant() {
        let zone = window::zone_of(cx.catalog);
        let at = zone.start_of_day(date_of(*day));
        return N::constant(Value::Time(at), Unit::of(Kind::Time));
    }
    N::call(Op::ToTime, vec![value], Unit::of(Kind::Time))
}

/// A length by the calendar as a number of seconds; other values stay.
pub(crate) fn seconds<N: Node>(value: N) -> N {
    match value.as_constant() {
        Some(Value::Span(span)) => {
            let unit = value.unit().clone();
            let exact = span.months == 0;
            let constant = if exact {
                let micros = i128::from(span.days) * 86_400_000_000 + i128::from(span.micros);
                Value::Decimal { digits: micros, scale: 6 }
            } else {
                Value::Float(span.seconds())
            };
            N::constant(constant, unit)
        }
        _ => value,
    }
}
