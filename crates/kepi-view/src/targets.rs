//! Where targets stand, as a table and as JSON.

use crate::Look;
use crate::cell::Cell;
use crate::formats::json_text;
use crate::period::Clock;
use crate::text::{inert, width};
use crate::unit::{DASH, numbers};
use kepi_engine::{FrameColumn, FrameColumnKind, TargetState, TargetStatus};
use nu_ansi_term::{Color, Style};

/// A table of targets, a line each.
pub fn targets_table(targets: &[TargetStatus], zone: &str, look: Look) -> String {
    let clock = Clock::new(zone);
    let heads = ["target", "status", "value", "by now", "goal", "due", "needs", "recently"];
    let mut rows: Vec<Vec<String>> = vec![heads.iter().map(|h| (*h).to_string()).collect()];
    for target in targets {
        let number = |value: Option<f64>| shown(target, value);
        let per = |value: Option<f64>| match value {
            Some(_) => format!("{}/{}", number(value), target.review),
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
    for (name, value) in &target.attributes {
        text(&mut out, name, value);
    }
    out + "}"
}

fn shown(target: &TargetStatus, value: Option<f64>) -> String {
    let Some(value) = value else { return DASH.to_string() };
    let meta = FrameColumn {
        name: String::new(),
        kind: FrameColumnKind::Value,
        unit: target.unit.clone(),
        grain: None,
        better: None,
    };
    let cell =
        if value.fract() == 0.0 && value.abs() < 1e15 { Cell::Decimal(value as i128, 0) } else { Cell::Float(value) };
    numbers(&meta, &[cell]).pop().flatten().unwrap_or_else(|| DASH.to_string())
}
