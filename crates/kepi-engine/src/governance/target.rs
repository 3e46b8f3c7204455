//! `kepi target`: where every target stands, and what it still takes.

use crate::answer::Request;
use crate::api::EngineError;
use crate::engine::{Engine, exec_error};
use crate::model::Model;
use crate::watch::Watch;
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
use arrow_schema::DataType;
use kepi_exec::{Frame, RunOptions};
use kepi_model::TargetDecl;
use kepi_model::calendar::{Grain, Zone};
use kepi_model::core::{Better, TargetLine};
use kepi_model::value::{Unit, Value};
use kepi_store::Snapshot;
use kepi_syntax::ast::{Bound, DateTime, Item, Query, Window};
use kepi_syntax::{Severity, Span};
use std::sync::Arc;

/// How many review periods the trailing slope looks back over.
const TRAILING: i64 = 3;

/// How a target stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// It is reached, and nothing can undo it.
    Met,
    /// What there is by now is on its path, or better.
    OnTrack,
    /// What there is by now lies behind its path.
    AtRisk,
    /// Its time is over, or a period of it, and it was not reached.
    Missed,
    /// It has not begun, or nothing was measured.
    NoData,
}

impl TargetState {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            TargetState::Met => "met",
            TargetState::OnTrack => "on track",
            TargetState::AtRisk => "at risk",
            TargetState::Missed => "missed",
            TargetState::NoData => "no data",
        }
    }
}

/// Where a target stands. Numbers are in the unit of what is measured (a percent as a fraction, durations in seconds).
#[derive(Clone, Debug)]
pub struct TargetStatus {
    /// Its name.
    pub name: String,
    /// What it measures, as written.
    pub on: String,
    /// Of which rows, as written.
    pub filter: Option<String>,
    /// The unit of its numbers.
    pub unit: Unit,
    /// How it stands.
    pub state: TargetState,
    /// What is measured: so far, in the running period, or over the last review period.
    pub value: Option<f64>,
    /// What the path asks for by then.
    pub expected: Option<f64>,
    /// What is to be reached in the end (in each period).
    pub reach: f64,
    /// The instant behind its time.
    pub due: i64,
    /// What is needed per review period from now on; none once its time is over, for targets of each period, and for
    /// totals of what does not add up.
    pub required: Option<f64>,
    /// What the last three review periods brought, per period; none for totals of what does not add up.
    pub trailing: Option<f64>,
    /// After which periods it is looked at: `month`.
    pub review: String,
    /// For targets of each period: those that have begun.
    pub periods: Vec<TargetPeriod>,
    /// What stands after `with`.
    pub attributes: Vec<(String, String)>,
}

/// A period of a target that is to be reached in each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TargetPeriod {
    /// Its first instant.
    pub start: i64,
    /// What was measured.
    pub value: Option<f64>,
    /// Whether it was reached; none: it still runs.
    pub met: Option<bool>,
}

/// What targets are measured with.
struct Measuring<'a> {
    model: &'a Model,
    snapshot: Arc<Snapshot>,
    options: RunOptions,
    zone: Zone,
    now: i64,
}

impl Engine {
    /// Where the targets stand, in the order of the files; `name`: only that one. Of the request, its moment, limits and
    /// cancellation count.
    pub fn targets(&self, name: Option<&str>, request: &Request) -> Result<Vec<TargetStatus>, EngineError> {
        let model = self.model("")?;
        let now = model.now(&self.project, request.now)?;
        let (targets, diagnostics) = model.catalog.targets(now);
        let mistakes: Vec<_> = diagnostics.into_iter().filter(|d| d.severity == Severity::Error).collect();
        if !mistakes.is_empty() {
            return Err(model.text_error(mistakes));
        }
        let bare = |full: &str| full.rsplit('.').next().unwrap_or(full).to_string();
        let chosen: Vec<TargetDecl> =
            targets.iter().filter(|t| name.is_none_or(|n| t.name == n || bare(&t.name) == n)).cloned().collect();
        if let (Some(name), true) = (name, chosen.is_empty()) {
            let known: Vec<&str> = targets.iter().map(|t| t.name.as_str()).collect();
            let help = if known.is_empty() {
                "the model declares none: `target sales on new_revenue during 2026 reach 1M EUR`".to_string()
            } else {
                format!("there are {}", known.join(", "))
            };
            return Err(EngineError::usage(format!("there is no target `{name}`")).with_help(help));
        }
        let options = self.run_options(request, &self.kept.as_of_now())?;
        let _watch = Watch::over(&model.plugins, &options.cancel);
        let zone = Zone::named(&model.catalog.settings.zone).unwrap_or_else(Zone::utc);
        let snapshot = self.snapshot(request.snapshot)?;
        let measuring = Measuring { model: &model, snapshot, options, zone, now };
        chosen.iter().map(|target| measuring.report(target)).collect()
    }
}

impl Measuring<'_> {
    fn report(&self, target: &TargetDecl) -> Result<TargetStatus, EngineError> {
        let mut report = TargetStatus {
            name: target.name.clone(),
            on: kepi_syntax::expr_text(&target.on),
            filter: target.filter.as_ref().map(kepi_syntax::expr_text),
            unit: target.unit.clone(),
            state: TargetState::NoData,
            value: None,
            expected: None,
            reach: 0.0,
            due: 0,
            required: None,
            trailing: None,
            review: target.review.name(),
            periods: Vec::new(),
            attributes: target.attributes.clone(),
        };
        match &target.line {
            TargetLine::Total { from, until, reach, .. } => {
                self.total(target, *from, *until, number(reach), &mut report)?
            }
            TargetLine::Each { from, until, grain, reach, .. } => {
                self.each(target, *from, *until, grain, number(reach), &mut report)?;
            }
            TargetLine::Level { by, reach, baseline } => {
                let baseline = baseline.as_ref().map(|(at, value)| (*at, number(value)));
                self.level(target, *by, number(reach), baseline, &mut report)?;
            }
            // Only a query puts several targets together.
            TargetLine::Several(_) | TargetLine::Split { .. } => {}
        }
        Ok(report)
    }

    fn total(
        &self,
        target: &TargetDecl,
        from: i64,
        until: i64,
        reach: f64,
        report: &mut TargetStatus,
    ) -> Result<(), EngineError> {
        (report.reach, report.due) = (reach, until);
        if self.now <= from {
            return Ok(());
        }
        let end = self.now.min(until);
        let value = self.value(target, from, end)?;
        // What does not add up has the whole to reach at any time.
        let adds_up = target.line.adds_up();
        let expected = if adds_up { reach * self.part(from, end, until) } else { reach };
        (report.value, report.expected) = (value, Some(expected));
        let reached = |wanted: f64| value.is_some_and(|v| good(target.better, v, wanted));
        let over = self.now >= until;
        report.state = match (value, target.better) {
            (None, _) => TargetState::NoData,
            // What adds up cannot be undone.
            (_, Better::Up) if reached(reach) && (adds_up || over) => TargetState::Met,
            (_, Better::Down) if !reached(reach) && (adds_up || over) => TargetState::Missed,
            (_, Better::Up) if over => TargetState::Missed,
            (_, Better::Down) if over => TargetState::Met,
            _ if reached(expected) => TargetState::OnTrack,
            _ => TargetState::AtRisk,
        };
        if !adds_up {
            return Ok(());
        }
        let last = self.zone.truncate(&target.review, end);
        let first = self.zone.step(&target.review, last, -TRAILING).max(from);
        let periods = self.zone.periods_between(&target.review, first, last);
        if periods > 0 {
            report.trailing = self.value(target, first, last)?.map(|v| v / periods as f64);
        }
        if !over {
            let left = self.periods_left(&target.review, until);
            report.required = value.filter(|_| left > 0.0).map(|v| (reach - v) / left);
        }
        Ok(())
    }

    fn each(
        &self,
        target: &TargetDecl,
        from: i64,
        until: i64,
        grain: &Grain,
        reach: f64,
        report: &mut TargetStatus,
    ) -> Result<(), EngineError> {
        (report.reach, report.due) = (reach, until);
        let mut start = self.zone.truncate(grain, from);
        let end = self.now.min(until);
        while start < end {
            let next = self.zone.step(grain, start, 1);
            if next <= start {
                break;
            }
            let (first, last) = (start.max(from), next.min(until));
            let value = self.value(target, first, last.min(self.now))?;
            let over = last <= self.now;
            let met = over.then(|| value.is_some_and(|v| good(target.better, v, reach)));
            report.periods.push(TargetPeriod { start, value, met });
            report.value = value;
            report.expected = Some(match over {
                true => reach,
                false if !target.line.adds_up() => reach,
                false => reach * self.part(first, self.now, last),
            });
            start = next;
        }
        let (value, expected) = (report.value, report.expected.unwrap_or(reach));
        report.state = match report.periods.last() {
            None => TargetState::NoData,
            Some(_) if report.periods.iter().all(|p| p.value.is_none()) => TargetState::NoData,
            Some(_) if report.periods.iter().any(|p| p.met == Some(false)) => TargetState::Missed,
            Some(last) if last.met == Some(true) && self.now >= until => TargetState::Met,
            Some(last) if last.met == Some(true) => TargetState::OnTrack,
            Some(_) if value.is_some_and(|v| good(target.better, v, expected)) => TargetState::OnTrack,
            Some(_) => TargetState::AtRisk,
        };
        let whole: Vec<f64> = report.periods.iter().filter(|p| p.met.is_some()).filter_map(|p| p.value).collect();
        let last: Vec<f64> = whole.iter().rev().take(TRAILING as usize).copied().collect();
        report.trailing = (!last.is_empty()).then(|| last.iter().sum::<f64>() / last.len() as f64);
        Ok(())
    }

    fn level(
        &self,
        target: &TargetDecl,
        by: i64,
        reach: f64,
        baseline: Option<(i64, f64)>,
        report: &mut TargetStatus,
    ) -> Result<(), EngineError> {
        let review = &target.review;
        // The day of the target itself counts: its period has ended where the next one begins on it or the day after.
        let day = Grain::ordinary(kepi_model::calendar::TimeUnit::Day);
        let behind = self.zone.step(&day, self.zone.truncate(&day, by), 1);
        let over = self.now >= behind;
        (report.reach, report.due) = (reach, behind);
        let end = self.zone.truncate(review, if over { behind } else { self.now });
        let start = self.zone.step(review, end, -1);
        if baseline.is_some_and(|(at, _)| end <= at) {
            return Ok(());
        }
        let value = self.value(target, start, end)?;
        let expected = match baseline {
            Some((at, from)) if end < by => from + (reach - from) * self.part(at, end, by),
            _ => reach,
        };
        (report.value, report.expected) = (value, Some(expected));
        report.state = match value {
            None => TargetState::NoData,
            Some(v) if over && good(target.better, v, reach) => TargetState::Met,
            Some(_) if over => TargetState::Missed,
            Some(v) if good(target.better, v, expected) => TargetState::OnTrack,
            Some(_) => TargetState::AtRisk,
        };
        let (back_start, back_end) = (self.zone.step(review, start, -TRAILING), self.zone.step(review, end, -TRAILING));
        let before = self.value(target, back_start, back_end)?;
        report.trailing = value.zip(before).map(|(v, b)| (v - b) / TRAILING as f64);
        if !over {
            let left = self.periods_left(review, by);
            report.required = value.filter(|_| left > 0.0).map(|v| (reach - v) / left);
        }
        Ok(())
    }

    /// How many review periods remain, the running one by its part.
    fn periods_left(&self, review: &Grain, until: i64) -> f64 {
        let start = self.zone.truncate(review, self.now);
        let next = self.zone.step(review, start, 1);
        let part = self.part(start, next.min(until), next) - self.part(start, self.now, next);
        if until <= next {
            return part.max(0.0);
        }
        let last = self.zone.truncate(review, until);
        let end = self.zone.step(review, last, 1);
        let whole = self.zone.periods_between(review, next, last) as f64;
        part + whole + self.part(last, until, end)
    }

    /// Which part of `[from, until)` has passed at an instant, by days of the project's zone.
    fn part(&self, from: i64, instant: i64, until: i64) -> f64 {
        self.zone.part((from, until), (from, instant))
    }

    /// What is measured in `[from, until)`.
    fn value(&self, target: &TargetDecl, from: i64, until: i64) -> Result<Option<f64>, EngineError> {
        if until <= from {
            return Ok(None);
        }
        let frame = self.frame(target, from, until)?;
        Ok(frame.columns.len().checked_sub(1).and_then(|last| cell(&frame, last, 0)))
    }

    fn frame(&self, target: &TargetDecl, from: i64, until: i64) -> Result<Frame, EngineError> {
        let query = Query {
            items: vec![Item { value: target.on.clone(), alias: None }],
            filter: target.filter.clone(),
            window: Some(Window::FromUntil { from: bound(from), until: bound(until) }),
            ..Query::default()
        };
        let (lowered, diagnostics) = self.model.catalog.query_of(&target.module, &query, self.now, 0);
        let Some(lowered) = lowered else {
            return Err(self.model.text_error(diagnostics));
        };
        let data = Arc::clone(&self.snapshot) as Arc<dyn kepi_extension::EventScan>;
        kepi_exec::run(&lowered, data, &self.model.plugins.functions, &self.options).map_err(exec_error)
    }
}

/// An instant as the language writes it.
fn bound(at: i64) -> Bound {
    let text = jiff::Timestamp::from_microsecond(at).map_or_else(|_| String::new(), |stamp| stamp.to_string());
    Bound::Date(DateTime { text, span: Span::default() })
}

fn good(better: Better, value: f64, wanted: f64) -> bool {
    // What computing with floats adds must not decide.
    let slack = 1e-12 * wanted.abs().max(value.abs());
    match better {
        Better::Up => value >= wanted - slack,
        Better::Down => value <= wanted + slack,
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Decimal { digits, scale } => *digits as f64 / 10f64.powi(i32::from(*scale)),
        Value::Float(number) => *number,
        _ => f64::NAN,
    }
}

/// A number of an answer; none: missing.
fn cell(frame: &Frame, column: usize, row: usize) -> Option<f64> {
    let array = frame.rows.columns().get(column)?;
    if row >= array.len() || array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().value(row) as f64),
        DataType::Float64 => Some(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => {
            Some(array.as_primitive::<Decimal128Type>().value(row) as f64 / 10f64.powi(i32::from(*scale)))
        }
        _ => None,
    }
}
