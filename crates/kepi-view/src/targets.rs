//! Where targets stand, as a table and as JSON.

use crate::Look;
use crate::cell::Cell;
use crate::formats::json_text;
use crate::period::Clock;
use crate::text::{inert, width};
use crate::unit::{DASH, numbers};
use kepi_engine::{FrameColumn, FrameColumnKind, TargetState, TargetStatus};
use kepi_model::value::{Kind, Unit};
use nu_ansi_term::{Color, Style};

/// A table of targets, a line each.
pub fn targets_table(targets: &[TargetStatus], zone: &str, look: Look) -> String {
    let clock = Clock::new(zone);
    let heads = ["target", "status", "value", "by now", "goal", "due", "needs", "recently"];
    let mut rows: Vec<Vec<String>> = vec![heads.iter().map(|h| (*h).to_string()).collect()];
    for target in targets {
        let number = |value: Option<f64>| shown(&target.unit, value);
        let per = |value: Option<f64>| match value {
            Some(_) => format!("{}/{}", shown(&slope(target), value), target.review),
            None => DASH.to_string(),
        };
        rows.push(vec![
            inert(&target.name).into_owned(),
            target.state.words().to_string(),
            number(target.value),
            number(target.expected),
            match target.periods.is_empty() {
                true => number(Some(target.reach)),
                false => format!("{}/{}", number(Some(target.reach)), target.review),
            },
            clock.day(Cell::Instant(target.due.saturating_sub(1))).map_or_else(String::new, |day| day.to_string()),
            per(target.required),
            per(target.trailing),
        ]);
    }
    let wide = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heads.len()).map(wide).collect();
    let mut out = String::new();
    for (line, row) in rows.iter().enumerate() {
        let mut text = String::new();
        for (column, cell) in row.iter().enumerate() {
            let room = " ".repeat(widths[column].saturating_sub(width(cell)));
            let painted = match (line, column) {
                (0, _) if look.colour => Style::new().bold().paint(cell.as_str()).to_string(),
                (_, 1) if look.colour => match targets[line - 1].state {
                    TargetState::Met | TargetState::OnTrack => Color::Green.paint(cell.as_str()).to_string(),
                    TargetState::Missed => Color::Red.paint(cell.as_str()).to_string(),
                    TargetState::AtRisk => Color::Yellow.paint(cell.as_str()).to_string(),
                    TargetState::NoData => cell.clone(),
                },
                _ => cell.clone(),
            };
            if column > 0 {
                text.push_str("  ");
            }
            // Names and words to the left, numbers to the right.
            if column < 2 {
                text.push_str(&format!("{painted}{room}"))
            } else {
                text.push_str(&format!("{room}{painted}"))
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
        if line == 0 {
            let rules: Vec<String> = widths.iter().map(|w| "─".repeat(*w)).collect();
            out.push_str(&rules.join("  "));
            out.push('\n');
        }
    }
    out
}

/// The targets as JSON: an array of objects. Numbers are raw: a percent is a fraction, a duration seconds.
pub fn targets_json(targets: &[TargetStatus], zone: &str) -> String {
    let clock = Clock::new(zone);
    let objects: Vec<String> = targets.iter().map(|target| object(target, &clock)).collect();
    match objects.is_empty() {
        true => "[]\n".to_string(),
        false => format!("[\n  {}\n]\n", objects.join(",\n  ")),
    }
}

fn object(target: &TargetStatus, clock: &Clock) -> String {
    let mut out = String::from("{");
    let text = |out: &mut String, name: &str, value: &str| {
        if out.len() > 1 {
            out.push_str(", ");
        }
        json_text(out, name);
        out.push_str(": ");
        json_text(out, value);
    };
    text(&mut out, "name", &target.name);
    text(&mut out, "on", &target.on);
    if let Some(filter) = &target.filter {
        text(&mut out, "where", filter);
    }
    text(&mut out, "unit", &target.unit.to_string());
    text(&mut out, "status", target.state.words());
    let number = |value: Option<f64>| value.filter(|v| v.is_finite()).map_or("null".to_string(), |v| v.to_string());
    let numbers = [
        ("value", target.value),
        ("expected", target.expected),
        ("reach", Some(target.reach)),
        ("required", target.required),
        ("trailing", target.trailing),
    ];
    for (name, value) in numbers {
        out.push_str(&format!(", \"{name}\": {}", number(value)));
    }
    text(&mut out, "due", &clock.rfc3339(target.due));
    text(&mut out, "review", &target.review);
    let periods: Vec<String> = target
        .periods
        .iter()
        .map(|p| {
            let met = p.met.map_or("null".to_string(), |met| met.to_string());
            format!("{{\"period\": \"{}\", \"value\": {}, \"met\": {met}}}", clock.rfc3339(p.start), number(p.value))
        })
        .collect();
    out.push_str(&format!(", \"periods\": [{}]", periods.join(", ")));
    // In an object of their own: an attribute may be called `name` or `value`.
    let attributes: Vec<String> = target
        .attributes
        .iter()
        .map(|(name, value)| {
            let mut pair = String::new();
            json_text(&mut pair, name);
            pair.push_str(": ");
            json_text(&mut pair, value);
            pair
        })
        .collect();
    out.push_str(&format!(", \"attributes\": {{{}}}}}", attributes.join(", ")));
    out
}

/// The unit of what is needed and was brought: the level of a percent changes by points, the others are amounts.
fn slope(target: &TargetStatus) -> Unit {
    match target.unit.kind {
        Kind::Percent if target.periods.is_empty() => Unit::of(Kind::Points),
        _ => target.unit.clone(),
    }
}

fn shown(unit: &Unit, value: Option<f64>) -> String {
    let Some(value) = value else { return DASH.to_string() };
    let meta = FrameColumn {
        name: String::new(),
        kind: FrameColumnKind::Value,
        unit: unit.clone(),
        grain: None,
        better: None,
        words: Vec::new(),
    };
    let cell =
        if value.fract() == 0.0 && value.abs() < 1e15 { Cell::Decimal(value as i128, 0) } else { Cell::Float(value) };
    numbers(&meta, &[cell]).pop().flatten().unwrap_or_else(|| DASH.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.

    use super::*;
    use insta::assert_snapshot;
    use kepi_engine::TargetPeriod;
    use kepi_model::value::Currency;

    // First instants in Amsterdam.
    const JANUARY: i64 = 1_735_686_000_000_000;
    const FEBRUARY: i64 = 1_738_364_400_000_000;
    const NEXT_YEAR: i64 = 1_767_222_000_000_000;

    fn status(name: &str, state: TargetState, unit: Unit) -> TargetStatus {
        TargetStatus {
            name: name.to_string(),
            on: "sum(sales.amount)".to_string(),
            filter: None,
            unit,
            state,
            value: None,
            expected: None,
            reach: 0.0,
            due: NEXT_YEAR,
            required: None,
            trailing: None,
            review: "month".to_string(),
            periods: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// One of each state: a total, a target of each month, a level, one that has not begun, and a hostile name.
    fn targets() -> Vec<TargetStatus> {
        let eur = || Unit::of(Kind::Money(Currency::parse("EUR")));
        let total = TargetStatus {
            filter: Some("region = \"Benelux\"".to_string()),
            value: Some(547_277.88),
            expected: Some(536_917.81),
            reach: 2_600_000.0,
            required: Some(216_736.2),
            trailing: Some(224_453.29),
            attributes: vec![("owner".to_string(), "sales".to_string())],
            ..status("year", TargetState::OnTrack, eur())
        };
        let each = TargetStatus {
            value: Some(60.0),
            expected: Some(100.0),
            reach: 100.0,
            trailing: Some(80.0),
            periods: vec![
                TargetPeriod { start: JANUARY, value: Some(60.0), met: Some(false) },
                TargetPeriod { start: FEBRUARY, value: None, met: None },
            ],
            ..status("months", TargetState::Missed, eur())
        };
        let level = TargetStatus {
            value: Some(0.045),
            expected: Some(0.04),
            reach: 0.02,
            required: Some(-0.0025),
            ..status("churn", TargetState::AtRisk, Unit::of(Kind::Percent))
        };
        let calls = TargetStatus {
            value: Some(12.0),
            expected: Some(12.0),
            reach: 12.0,
            ..status("calls", TargetState::Met, Unit::of(Kind::Count))
        };
        let later = TargetStatus { reach: 5.0, ..status("a\x1b[31m\"b", TargetState::NoData, Unit::of(Kind::Count)) };
        vec![total, each, level, calls, later]
    }

    #[test]
    fn a_table_has_a_line_per_target() {
        assert_snapshot!(targets_table(&targets(), "Europe/Amsterdam", Look::default()));
    }

    #[test]
    fn what_is_behind_is_seen_in_colour_and_what_is_hostile_is_inert() {
        let coloured = targets_table(&targets(), "Europe/Amsterdam", Look { colour: true, width: None });
        for words in ["\x1b[32mon track", "\x1b[31mmissed", "\x1b[33mat risk", "\x1b[32mmet"] {
            assert!(coloured.contains(words), "{coloured:?}");
        }
        let plain = targets_table(&targets(), "Europe/Amsterdam", Look::default());
        assert!(!plain.contains('\x1b'), "{plain:?}");
    }

    #[test]
    fn json_has_raw_numbers_and_the_periods() {
        let text = targets_json(&targets(), "Europe/Amsterdam");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((value[0]["required"].as_f64(), value[0]["status"].as_str()), (Some(216_736.2), Some("on track")));
        assert_eq!(value[0]["due"], "2026-01-01T00:00:00+01:00");
        assert_eq!(value[0]["where"], "region = \"Benelux\"");
        assert_eq!(value[1]["periods"][0]["met"], false);
        assert!(value[1]["periods"][1]["met"].is_null() && value[1]["periods"][1]["value"].is_null());
        assert_eq!(value[2]["expected"], 0.04);
        assert_eq!(value[0]["attributes"], serde_json::json!({ "owner": "sales" }));
        assert_eq!(value[4]["name"], "a\x1b[31m\"b");
        assert_eq!(targets_json(&[], "UTC"), "[]\n");
    }
}
