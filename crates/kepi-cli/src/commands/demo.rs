//! `kepi demo`: a small CRM company and its KPIs at a glance.

use super::load::summary;
use crate::args::DemoArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::progress::Bar;
use kepi_engine::{Answer, Cancel, DemoReport, Engine, EngineError, Request, grouped};
use kepi_view::{Kpi, Look, Series, inert, kpis, series, sparkline};
use nu_ansi_term::{Color, Style};
use std::time::Instant;

/// Queries that show what the language can do, in the order in which one would ask.
const TRY_NEXT: &[&str] = &[
    "kepi query 'show new_revenue, aov by region last 12 months vs previous year'",
    "kepi query 'show win_rate, sales_cycle by owner per quarter last 4 quarters'",
    "kepi query 'show new_revenue_per_customer by cohort(new_customers, quarter) as cohort'",
    "kepi explain 'show new_revenue_per_customer per month last 12 months'",
    "kepi repl",
];

pub(crate) fn run(context: &Context, args: &DemoArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let bar = Bar::new();
    let report = Engine::demo(&args.dir, &|progress| bar.show(&progress));
    drop(bar);
    let report = report?;
    let terminal = &context.terminal;
    let rejected = report.loads.iter().filter(|(_, load)| load.rejected_count > 0);
    for line in rejected.flat_map(|(_, load)| summary(load)) {
        terminal.words(&line);
    }
    let engine = Engine::open(&report.project)?;
    let metrics = report.metrics.join(", ");
    let headline = ask(&engine, &format!("show {metrics} last 12 months vs previous year"))?;
    let history = ask(&engine, &format!("show {metrics} per month last 24 months"))?;
    terminal.words(&made(&report, started));
    terminal.data(dashboard(&engine, &kpis(&headline)?, &series(&history)?, terminal.out).as_bytes())?;
    terminal.words(&format!("\nTry next:\n  cd {}", report.project.display()));
    for line in TRY_NEXT {
        terminal.words(&format!("  {line}"));
    }
    Ok(())
}

fn ask(engine: &Engine, text: &str) -> Result<Answer, Failure> {
    let request = Request { text: text.to_string(), cancel: Cancel::default(), ..Request::default() };
    let guard = crate::interrupt::stops(&request.cancel);
    let answers = engine.query(request)?;
    drop(guard);
    // One query gives one answer.
    answers.into_iter().next().ok_or_else(|| Failure::Engine(EngineError::failed("the dashboard has no answer")))
}

fn made(report: &DemoReport, started: Instant) -> String {
    let targets = || report.loads.iter().flat_map(|(_, load)| &load.targets);
    let (new, known) = (targets().map(|t| t.added).sum::<u64>(), targets().map(|t| t.known).sum::<u64>());
    let seconds = started.elapsed().as_secs_f64();
    let what = match report.written.is_empty() {
        true => format!("{} is there", report.project.display()),
        false => format!("{} is made", report.project.display()),
    };
    format!("{what}: {} new rows, {} known, in {seconds:.1} s\n", grouped(new), grouped(known))
}

/// A line per metric: title, value, change on last year, and the last 24 months.
fn dashboard(engine: &Engine, kpis: &[Kpi], series: &[Series], look: Look) -> String {
    let title = |name: &str| {
        let described = engine.describe(name);
        let title = described.and_then(|d| d.attributes.into_iter().find(|(key, _)| key == "title"));
        title.map_or_else(|| inert(name).into_owned(), |(_, title)| inert(title.trim_matches('"')).into_owned())
    };
    let mut rows =
        vec![["".to_string(), "last 12 months".to_string(), "on last year".to_string(), "24 months".to_string()]];
    let mut styles = vec![Style::new()];
    for kpi in kpis {
        let blocks = series.iter().find(|s| s.name == kpi.name).map(|s| sparkline(&s.values));
        let change = kpi.change.clone().unwrap_or_else(|| "–".to_string());
        rows.push([title(&kpi.name), kpi.value.clone(), change, blocks.unwrap_or_default()]);
        styles.push(match kpi.good {
            Some(true) => Color::Green.normal(),
            Some(false) => Color::Red.normal(),
            None => Style::new(),
        });
    }
    let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second, third) = (wide(0), wide(1), wide(2));
    let mut out = String::new();
    for ([name, value, change, blocks], style) in rows.iter().zip(styles) {
        // Padded before it is coloured: codes have no width.
        let change = format!("{change:>third$}");
        let change = if look.colour { style.paint(change).to_string() } else { change };
        out.push_str(format!("{name:first$}  {value:>second$}  {change}  {blocks}").trim_end());
        out.push('\n');
    }
    out
}
