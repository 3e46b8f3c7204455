//! What a query runs, told as a colleague would: in words, in steps with row counts, and as a plan.

use crate::cells::notes::moment;
use crate::cells::openings::in_own_time;
use crate::cells::plan::{Times, shown_aggregates};
use crate::cells::zone;
use crate::run::{Runner, on_own_stack};
use crate::steps::reports;
use crate::told;
use crate::words::{self, grouped, span};
use crate::{ExecError, Fit, Learned, Pass, Report, RunOptions, Source, Step};
use datafusion_physical_plan::displayable;
use kepi_extension::{EventScan, Functions};
use kepi_model::calendar::Zone;
use kepi_model::core::{
    AGE, Aggregate, Base, CompareWith, Events, Fill, FormulaNode, LABEL, Made, Measure, Move, Op, Query, Reach, Row,
    RowNode, Stage, When,
};
use kepi_model::value::{CalendarSpan, Kind, Value};
use std::sync::Arc;

/// What a query runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Sentences, in the order in which one would tell it.
    pub words: Vec<String>,
    /// What ran, with row counts.
    pub steps: Vec<Step>,
    /// The physical plan, indented.
    pub plan: String,
    /// What models learned on the way.
    pub learned: Vec<Learned>,
}

/// Explains a query by planning and running it.
///
/// The words name the streams that are read, derived events and conditions, the window with its dates in the project's
/// zone, how results meet, and what was left out. Errors: as [`crate::run`].
pub fn explain(
    query: &Query,
    data: Arc<dyn EventScan>,
    functions: &Functions,
    options: &RunOptions,
) -> Result<Explanation, ExecError> {
    let source = Source::new(data, functions.clone(), options.cancel.clone())
        .with_memory_max(options.memory_bytes_max)
        .with_threads(options.threads)
        .with_partials(options.partials.clone());
    on_own_stack(|| {
        let asked = &in_own_time(query);
        let (planned, steps, notes) = Runner::new(asked, source, options)?.steps(asked)?;
        let zone = zone(&query.zone)?;
        let mut words = sentences(query, &planned.times, &zone);
        words.extend(notes.into_iter().map(|note| sentence(&note.text)));
        words.extend(reports(&planned.plan.root).iter().map(|(pass, report)| read(pass, report)));
        words.extend(reports(&planned.plan.root).iter().flat_map(|(_, report)| fitted(report)));
        let plan = displayable(planned.plan.root.as_ref()).indent(false).to_string();
        let learned = reports(&planned.plan.root).iter().flat_map(|(_, report)| report.learned.clone()).collect();
        Ok(Explanation { words, steps, plan, learned })
    })
}

/// What a pass found.
fn read(pass: &Pass, report: &Report) -> String {
    let name = pass.base.words();
    let (read, kept) = (grouped(report.rows_scanned), grouped(report.rows_kept));
    let left = if report.rows_kept < report.rows_scanned {
        "; the others lie outside the window, fail a condition, or only tell a history"
    } else {
        ""
    };
    if pass.base.is_groups() {
        return format!("For {name} {read} rows were read, and {kept} of the groups took part.");
    }
    format!("For {name} {read} rows were read, and {kept} took part{left}.")
}

/// How well models fit, a sentence for each of the first cells.
fn fitted(report: &Report) -> Vec<String> {
    let of_cell = |text: &str, fit: &Fit| {
        let values: String = fit.diagnostics.iter().map(|(name, value)| format!("; {name} {value}")).collect();
        let cell = if fit.of.is_empty() { String::new() } else { format!(" in {}", fit.of) };
        let (rows, entities) = (grouped(fit.rows), grouped(fit.entities));
        format!("`{text}` was fitted{cell}: {rows} rows of {entities} entities{values}.")
    };
    let fitted = report.learned.iter().filter(|l| !l.fits.is_empty());
    let sentences = fitted.flat_map(|l| {
        let more = l.cells.saturating_sub(l.missing).saturating_sub(l.fits.len() as u64);
        let more = (more > 0).then(|| format!("`{}` was fitted in {} more cells.", l.text, grouped(more)));
        l.fits.iter().map(|fit| of_cell(&l.text, fit)).chain(more).collect::<Vec<_>>()
    });
    sentences.collect()
}

/// What a query means, without running it.
pub(crate) fn sentences(query: &Query, times: &Times, zone: &Zone) -> Vec<String> {
    let mut words = vec![window(query, times, zone)];
    let shown = shown_aggregates(query);
    for (i, aggregate) in query.aggregates.iter().enumerate() {
        let hidden = if shown.contains(&i) { "" } else { " It is not shown; it only picks or orders rows." };
        let across = told::across(aggregate, query).map(|text| format!(" {text}")).unwrap_or_default();
        words.push(format!("{}{across}{hidden}", self::aggregate(aggregate, query)));
    }
    words.extend(rows(query));
    words.extend(reading(query));
    words.extend(told::shape(query));
    words.extend(told::ranks(query));
    words.extend(comparisons(query, times, zone));
    if let Some(having) = &query.having {
        let aggregates = if matches!(having.node, FormulaNode::Const(_)) { "" } else { ", after all rows are made" };
        words.push(format!("Rows are kept where `having` holds{aggregates}."));
    }
    if let Some(limit) = &query.limit {
        let count = grouped(limit.rows);
        words.push(match (&query.per, limit.with_other) {
            (None, true) if query.shape.is_some() => {
                format!("The {count} labels whose rows come first are shown; the rest is computed anew as `other`.")
            }
            (_, false) => format!("The first {count} rows are shown."),
            (None, true) => {
                format!("The first {count} rows are shown; the rest is computed anew as one more row, `other`.")
            }
            (Some(grain), true) => format!(
                "The {count} labels that come first over the whole time are shown; the rest is computed anew as \
                 `other`, one row in each {}.",
                grain.name()
            ),
        });
    }
    words
}

fn window(query: &Query, times: &Times, zone: &Zone) -> String {
    let span = &times.span;
    let until = moment(zone, span.until);
    if query.window.moment {
        return format!("It looks at one moment, {until} ({}): everything that happened before it counts.", query.zone);
    }
    let mut text = match span.from {
        // "From the first row up to now" says it all: only the moment is missing.
        None => format!("It looks at everything from the first row on, until before {until}"),
        Some(from) if query.window.from.is_none() => {
            format!("It looks at everything from the first row on, from {} until before {until}", moment(zone, from))
        }
        Some(from) => {
            // "the last 3 complete months" is a time, "during 2025" says where one lies.
            let words = match query.window.words.as_str() {
                "" => "the time".to_string(),
                words if words.starts_with("the ") || words.starts_with("this ") => words.to_string(),
                words => format!("the time {words}"),
            };
            format!("It looks at {words}, from {} until before {until}", moment(zone, from))
        }
    };
    text.push_str(&format!(", by the clock of {}.", query.zone));
    if span.from.is_none_or(|from| from < query.now) && query.now < span.until {
        text.push_str(&format!(" It is {} now, so the window still runs.", moment(zone, query.now)));
    }
    text
}

fn aggregate(aggregate: &Aggregate, query: &Query) -> String {
    let mut text = match &aggregate.events.base {
        Base::Stream(name) => format!("`{}` reads {name}", aggregate.text),
        Base::Entity(name) => format!("`{}` looks at every {name}", aggregate.text),
        Base::Made(made) => match &**made {
            Made::Groups(groups) => {
                let (value, group) = (told::value(groups), told::group(groups));
                format!("`{}` takes, for each {group}, {value}", aggregate.text)
            }
            other => format!("`{}` makes {}", aggregate.text, made_of(other)),
        },
    };
    for stage in &aggregate.events.stages {
        text.push_str(&match stage {
            Stage::Where(condition) => format!(", keeps those where {}", row(condition)),
            Stage::First { per } => format!(", keeps the first of each {}", row(per)),
        });
    }
    if let Some(filter) = &aggregate.filter {
        let then = if aggregate.events.stages.is_empty() { "keeps" } else { "of these" };
        text.push_str(&format!(", {then} those where {}", row(filter)));
    }
    text.push_str(&format!(" and {}", measure(&aggregate.measure)));
    let label = |(i, label): (usize, &Row)| match (&label.node, query.by.get(i)) {
        (RowNode::Field(name), Some(own)) if name.starts_with(LABEL) => own.name.clone(),
        (RowNode::Field(name), _) => told::field(name).trim_start_matches("the ").to_string(),
        // Its branches would be a paragraph.
        (RowNode::Case { .. }, Some(own)) => own.name.clone(),
        _ => row(label),
    };
    let labels: Vec<String> = aggregate.labels.iter().enumerate().map(label).collect();
    if !labels.is_empty() {
        text.push_str(&format!(" for each {}", labels.join(" and ")));
    }
    let is_entity = matches!(aggregate.events.base, Base::Entity(_));
    let grain = query.per.as_ref().map(|g| g.name());
    let cell = match &grain {
        Some(grain) => format!("each {grain}"),
        None if query.window.moment => "the moment".to_string(),
        None => "the window".to_string(),
    };
    text.push_str(&match (&aggregate.moved[..], grain) {
        ([], None) => String::new(),
        ([], Some(grain)) if is_entity => format!(", as it stands at the end of each {grain}"),
        ([], Some(grain)) if aggregate.events.base.is_groups() => format!(", anew in each {grain}"),
        ([], Some(grain)) => format!(", each in the {grain} in which it happened"),
        ([Move::Start], _) if is_entity => format!(", as it stands just before {cell}"),
        ([before @ .., Move::Start], _) if is_entity => {
            format!(", as it stands just before {}", words::moved(before, &cell))
        }
        (moved, _) if is_entity => format!(", as it stands at the end of {}", words::moved(moved, &cell)),
        (moved, _) => format!(", over {}", words::moved(moved, &cell)),
    });
    text.push('.');
    text
}

/// What rows are made of others, with what those are.
fn made_of(made: &Made) -> String {
    let steps = |steps: &[&Events]| steps.iter().map(|s| events(s)).collect::<Vec<_>>().join(" -> ");
    match made {
        Made::Chain(chain) => {
            let all: Vec<&Events> = chain.steps.iter().map(|step| &step.rows.events).collect();
            format!("attempts of {}", steps(&all))
        }
        Made::Returns(returns) => format!("returns of {}", steps(&[&returns.start.events, &returns.back.events])),
        other => other.words(),
    }
}

/// Which rows: "stage_changes where stage is "won"", "the first of orders of each customer".
fn events(events: &Events) -> String {
    let mut text = events.base.words();
    for stage in &events.stages {
        text = match stage {
            Stage::Where(condition) => format!("{text} where {}", row(condition)),
            Stage::First { per } => format!("the first of {text} of each {}", row(per)),
        };
    }
    text
}

/// Whether a condition asks for the age of a retention's row: only the members themselves have none.
fn is_age(row: &Row) -> bool {
    matches!(&row.node, RowNode::Field(name) if name == AGE)
}

/// Whether a condition names the members themselves.
fn is_return(row: &Row) -> bool {
    matches!(&row.node, RowNode::Call { op: Op::IsMissing, args } if args.iter().all(is_age))
}

fn measure(measure: &Measure) -> String {
    match measure {
        Measure::Count => "counts them".to_string(),
        Measure::Sum(of) => format!("adds up {}", row(of)),
        Measure::Avg(of) => format!("averages {}", row(of)),
        Measure::Min(of) => format!("takes the smallest {}", row(of)),
        Measure::Max(of) => format!("takes the largest {}", row(of)),
        Measure::Percentile { of, percent, .. } if *percent == 50.0 => format!("takes the median of {}", row(of)),
        Measure::Percentile { of, percent, .. } => format!("takes the {percent}th percentile of {}", row(of)),
        Measure::Stddev(of) => format!("takes the standard deviation of {}", row(of)),
        Measure::First(of) => format!("takes the first known {}", row(of)),
        Measure::Last(of) => format!("takes the last known {}", row(of)),
        Measure::Unique(of) => format!("counts every {} once", row(of)),
        Measure::Best { of, rank } => format!("takes {} of the one with the most {}", row(of), row(rank)),
        Measure::Plugin { name, .. } => format!("runs the plugin's {name} over them"),
    }
}

/// How results meet, and which rows there are.
fn rows(query: &Query) -> Vec<String> {
    let mut words = Vec::new();
    let shared = match (&query.per, query.by.is_empty()) {
        (Some(grain), true) => format!("the {}", grain.name()),
        (Some(grain), false) => format!("{} and labels", grain.name()),
        (None, false) => "their labels".to_string(),
        (None, true) => String::new(),
    };
    if query.aggregates.len() > 1 && !shared.is_empty() {
        words.push(format!(
            "Each of these is computed over its own rows; the results are then matched on {shared}, so no row is \
             counted twice and none is lost where one side has nothing."
        ));
    }
    let filled = match &query.fill {
        None => "",
        Some(Fill::Value(_)) => " `fill` puts its value where nothing happened.",
        Some(Fill::Missing) => " `fill` leaves a gap where nothing happened.",
        Some(Fill::Previous) => " `fill` repeats the period before where nothing happened.",
    };
    match (&query.per, query.by.is_empty(), query.fill.is_some()) {
        (Some(grain), true, _) => words.push(format!("Every {} of the window has a row.{filled}", grain.name())),
        (Some(grain), false, true) => words.push(format!("Every label has a row in every {}.{filled}", grain.name())),
        (Some(grain), false, false) => {
            words.push(format!("A label has a row in each {} in which something shown happened.", grain.name()));
        }
        (None, false, _) => words.push("Each label for which something shown happened has a row.".to_string()),
        (None, true, _) => {}
    }
    words
}

/// Which of its two readings a ratio over the first time of an entity has.
fn reading(query: &Query) -> Option<String> {
    let looks_at_age = |a: &Aggregate| a.filter.iter().any(looks_at_first) || a.events.stages.iter().any(stage_looks);
    let aged = query.aggregates.iter().find(|a| looks_at_age(a))?;
    let firsts = query.aggregates.iter().find(|a| a.events.stages.iter().any(|s| matches!(s, Stage::First { .. })))?;
    if let Some(label) = query.by.iter().find(|label| label.grain.is_some()) {
        let grain = label.grain.as_ref().map(|g| g.name()).unwrap_or_default();
        return Some(format!(
            "This is the cohort-dated reading: the rows of `{}` count for the {grain} (`{}`) in which their entity \
             began, whenever they happened in the window, and are set against `{}` of the same {grain}. Young cohorts \
             have had less time.",
            aged.text, label.name, firsts.text
        ));
    }
    let grain = query.per.as_ref()?.name();
    Some(format!(
        "This is the event-dated reading: `{}` of a {grain} is what happened in that {grain}, also by those who began \
         earlier, and is set against `{}` of the same {grain}. For what those who began in a {grain} brought, ask `by \
         cohort(…, {grain})` instead.",
        aged.text, firsts.text
    ))
}

fn stage_looks(stage: &Stage) -> bool {
    matches!(stage, Stage::Where(row) if looks_at_first(row))
}

/// Whether a condition looks at the time since an entity's first event.
fn looks_at_first(row: &Row) -> bool {
    match &row.node {
        RowNode::History(history) => {
            let first = history.events.stages.iter().any(|s| matches!(s, Stage::First { .. }));
            let at = |row: &Row| matches!(row.node, RowNode::At);
            first && matches!(&history.measure, Measure::First(of) | Measure::Last(of) | Measure::Min(of) if at(of))
        }
        RowNode::Call { args, .. } | RowNode::Plugin { args, .. } => args.iter().any(looks_at_first),
        RowNode::Case { whens, otherwise } => {
            whens.iter().any(|(c, v)| looks_at_first(c) || looks_at_first(v))
                || otherwise.as_deref().is_some_and(looks_at_first)
        }
        _ => false,
    }
}

fn comparisons(query: &Query, times: &Times, zone: &Zone) -> Vec<String> {
    let mut words = Vec::new();
    let mut sides = times.sides.iter();
    for compare in &query.compare {
        if let CompareWith::Target(_) = compare.with {
            words.push(target(query));
            continue;
        }
        let Some(side) = sides.next() else { break };
        let mut text = format!(
            "`vs {}` computes the same from {} until before {}",
            compare.name,
            moment(zone, side.from),
            moment(zone, side.until)
        );
        match (&side.alignment, &side.shift, &query.per) {
            (Some(alignment), _, _) => text.push_str(&format!(", {}", alignment.words())),
            (None, Some(shift), Some(grain)) => {
                let back = span(CalendarSpan { days: -shift.days, ..*shift });
                let grain = grain.name();
                text.push_str(&format!(
                    ", each {grain} set against as long a time on the same weekdays, {back} earlier"
                ));
            }
            _ => {}
        }
        text.push('.');
        let running = times.span.until >= query.now && times.span.from.is_some_and(|from| from < query.now);
        if running && !matches!(compare.with, CompareWith::WindowBefore if query.per.is_none()) {
            text.push_str(" What still runs counts up to now, and is compared with the same elapsed part.");
        }
        words.push(text);
    }
    words
}

/// What a target is set against.
fn target(query: &Query) -> String {
    let part = match &query.per {
        Some(grain) => format!("each {} the part of the target that falls into it", grain.name()),
        None => "the value the part of the target that falls into the window".to_string(),
    };
    format!(
        "`vs target` sets beside {part}: a total by elapsed time, a level as it is asked for at the end. What still runs \
         counts up to now, and is held against what was asked for by then."
    )
}

/// A row expression in words.
fn row(of: &Row) -> String {
    match &of.node {
        RowNode::Const(value) => constant(value),
        RowNode::At => "its moment".to_string(),
        RowNode::Field(name) | RowNode::Role(name) => told::field(name),
        RowNode::Attribute { of, field, history, .. } => {
            let then = if *history { " of that time" } else { "" };
            format!("{}.{field}{then}", row(of))
        }
        RowNode::Key { of, .. } => row(of),
        RowNode::History(history) => {
            let base = history.events.base.words();
            let first = history.events.stages.iter().any(|s| matches!(s, Stage::First { .. }));
            let which = if first { format!("first of {base}") } else { base.clone() };
            let subject = row(&history.subject);
            let what = match &history.measure {
                Measure::Count => format!("the number of {which}"),
                Measure::Sum(of) => format!("the sum of {} over {which}", row(of)),
                Measure::First(of) => format!("{} of the first {base}", plain(of)),
                Measure::Last(of) => format!("{} of the last {which}", plain(of)),
                Measure::Unique(of) => format!("the different {} of {which}", row(of)),
                Measure::Best { of, rank } => format!("{} of the one of {which} with the most {}", row(of), row(rank)),
                Measure::Plugin { name, .. } => format!("{name} of {which}"),
                Measure::Avg(of) => format!("the average {} of {which}", row(of)),
                Measure::Min(of) => format!("the smallest {} of {which}", plain(of)),
                Measure::Max(of) => format!("the largest {} of {which}", plain(of)),
                Measure::Percentile { of, .. } => format!("a percentile of {} over {which}", row(of)),
                Measure::Stddev(of) => format!("the standard deviation of {} over {which}", row(of)),
            };
            let reach = match &history.over {
                _ if history.before => "before it".to_string(),
                Reach::AllTime => "so far".to_string(),
                Reach::Last(by) => format!("in the last {}", span(*by)),
                Reach::Period => "in the period".to_string(),
            };
            let conditions = history.events.stages.iter().filter_map(|stage| match stage {
                Stage::Where(condition) => Some(row(condition)),
                Stage::First { .. } => None,
            });
            let conditions: Vec<String> = conditions.chain(history.filter.iter().map(row)).collect();
            let those = if conditions.is_empty() {
                String::new()
            } else {
                format!(" (those where {})", conditions.join(" and "))
            };
            format!("{what} of the same {subject} {reach}{those}")
        }
        RowNode::Call { op: Op::IsMissing, args } if args.iter().all(is_age) => "they begin".to_string(),
        RowNode::Call { op: Op::Not, args } if args.iter().all(is_return) => "they come back".to_string(),
        RowNode::Call { op, args } => {
            let is_time = args.iter().any(|a| matches!(a.unit.kind, Kind::Time | Kind::Date));
            call(op, &args.iter().map(|arg| part(op, arg)).collect::<Vec<_>>(), is_time)
        }
        RowNode::Case { whens, otherwise } => {
            let when = |(condition, value): &(Row, Row)| format!("{} where {}", row(value), row(condition));
            let mut branches: Vec<String> = whens.iter().map(when).collect();
            branches.extend(otherwise.as_deref().map(|value| format!("else {}", row(value))));
            format!("({})", branches.join(", "))
        }
        RowNode::Plugin { name, args } => {
            format!("{name}({})", args.iter().map(row).collect::<Vec<_>>().join(", "))
        }
        RowNode::State { state, when, .. } => match when {
            When::Moment => state.text.clone(),
            When::Opening => format!("the opening {}", state.text),
            When::Closing => format!("the closing {}", state.text),
        },
        RowNode::StateAverage { state, .. } => format!("the average {}", state.text),
        RowNode::TimeIn { state, .. } => format!("the time in {}", state.text),
        RowNode::Lifecycle { rows, grain, .. } => {
            format!("the lifecycle of {} per {}", rows.events.base.words(), grain.name())
        }
        RowNode::Modelled(modelled) => {
            let of = &modelled.entity;
            format!("what {} says of each {of}, fitted on all {of}s' rows up to then", modelled.name)
        }
        RowNode::Tile { of, entity, parts, .. } => {
            format!("the place among {parts} parts of all {entity} by {}", row(of))
        }
        RowNode::Step { step, of } => format!("{} of step {}", row(of), step + 1),
        RowNode::Convert { of, to, .. } => format!("{} in {to}", row(of)),
    }
}

fn plain(of: &Row) -> String {
    if matches!(of.node, RowNode::At) { "the moment".to_string() } else { row(of) }
}

/// An argument of an operation, in parentheses where it would read wrongly without.
fn part(outer: &Op, arg: &Row) -> String {
    let mixes = |inner: &Op| matches!(inner, Op::And | Op::Or | Op::Add | Op::Subtract | Op::Multiply | Op::Divide);
    match &arg.node {
        RowNode::Call { op, .. } if mixes(op) && op != outer && *outer != Op::Not => format!("({})", row(arg)),
        _ => row(arg),
    }
}

fn call(op: &Op, args: &[String], is_time: bool) -> String {
    let infix = match op {
        Op::Less if is_time => "is before",
        Op::LessEqual if is_time => "is not after",
        Op::Greater if is_time => "is after",
        Op::GreaterEqual if is_time => "is not before",
        Op::Add => "+",
        Op::Subtract => "−",
        Op::Multiply => "×",
        Op::Divide => "÷",
        Op::Equal => "is",
        Op::NotEqual => "is not",
        Op::Less => "is less than",
        Op::LessEqual => "is at most",
        Op::Greater => "is more than",
        Op::GreaterEqual => "is at least",
        Op::And => "and",
        Op::Or => "or",
        Op::Otherwise => "or else",
        Op::Matches => "matches",
        Op::Contains => "contains",
        Op::StartsWith => "starts with",
        Op::EndsWith => "ends with",
        _ => "",
    };
    match (op, args) {
        (_, args) if !infix.is_empty() => args.join(&format!(" {infix} ")),
        (Op::Not, [a]) => format!("not ({a})"),
        (Op::IsMissing, [a]) => format!("{a} is missing"),
        (Op::In, [a, rest @ ..]) => format!("{a} is one of {}", rest.join(", ")),
        (Op::Elapsed, [a, b]) => format!("the time from {b} to {a}"),
        (Op::PeriodsBetween(grain), [a, b]) => format!("the {}s from {b} to {a}", grain.name()),
        (Op::Truncate(grain), [a]) => format!("the {} of {a}", grain.name()),
        (Op::AddSpan(by), [a]) => format!("{a} plus {}", span(*by)),
        (Op::ToDate, [a]) => format!("the day of {a}"),
        (Op::ToTime, [a]) => a.clone(),
        _ => format!("{}({})", format!("{op:?}").to_lowercase(), args.join(", ")),
    }
}

fn constant(value: &Value) -> String {
    match value {
        Value::Missing => "missing".to_string(),
        Value::Decimal { digits, scale } => {
            let sign = if *digits < 0 { "-" } else { "" };
            let padded = format!("{:0>width$}", digits.unsigned_abs(), width = usize::from(*scale) + 1);
            let (whole, decimals) = padded.split_at(padded.len() - usize::from(*scale));
            if decimals.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{decimals}") }
        }
        Value::Float(value) => value.to_string(),
        Value::Span(by) => span(*by),
        Value::Text(text) => format!("{text:?}"),
        Value::Bool(true) => "yes".to_string(),
        Value::Bool(false) => "no".to_string(),
        Value::Time(micros) => format!("{} UTC", moment(&Zone::utc(), *micros)),
        Value::Date(day) => kepi_model::calendar::date_of(*day).to_string(),
        Value::List(values) => values.iter().map(constant).collect::<Vec<_>>().join(", "),
    }
}

/// A note as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}
