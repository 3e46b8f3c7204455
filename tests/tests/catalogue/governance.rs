//! What a model is besides its numbers: without a lint, as the formatter writes it, its test blocks hold, its targets
//! stand where they should and its reports come.

use crate::coverage::WITHOUT_LABEL;
use crate::data::{CompanyModel, now};
use kepi_engine::{Cancel, Request, TargetStatus};
use kepi_syntax::ast::{Report, StatementKind};
use kepi_tests::oracle::Calendar;
use kepi_tests::project::Project;

/// What is wrong.
pub(crate) fn problems(of: CompanyModel, project: &Project, calendar: &Calendar) -> Vec<String> {
    let mut problems = Vec::new();
    for file in [format!("{}.kepi", of.name()), format!("{}_sources.kepi", of.name())] {
        let text = of.file(&file);
        if kepi_engine::format(&text).0 != text {
            problems.push(format!("{file} is not as the formatter writes it"));
        }
    }
    let engine = project.engine();
    let checked = engine.check(&[]).unwrap();
    problems.extend(checked.diagnostics.iter().map(|diagnostic| format!("check: {}", diagnostic.message)));
    let tests = engine.test(&[], &Cancel::default()).unwrap().tests;
    problems.extend(tests.iter().filter(|test| !test.passed()).map(|test| format!("test: {test:?}")));
    if tests.is_empty() {
        problems.push(format!("{} has no test block", of.name()));
    }
    for statement in kepi_syntax::parse_file(&of.text()).0.statements {
        match statement.kind {
            StatementKind::Report(report) => problems.extend(of_report(&report, project)),
            StatementKind::Metric(metric) if WITHOUT_LABEL.contains(&&metric.name.text[..]) => {
                let name = metric.name.text;
                if project.answer(&format!("show {name} by region"), now(), calendar).is_ok() {
                    problems.push(format!("`{name}` has a label, which is not asked"));
                }
            }
            _ => {}
        }
    }
    problems
}

/// A report gives an answer to each of its queries; what they say is asked in `answers/`.
fn of_report(report: &Report, project: &Project) -> Option<String> {
    let name = &report.name.text;
    let request = Request { now: Some(now()), ..Request::default() };
    let answers = match project.engine().report(name, &request) {
        Ok(found) => found.answers,
        Err(problem) => return Some(format!("report {name}: {problem}")),
    };
    let asked: Vec<String> = report.queries.iter().map(kepi_syntax::query_text).collect();
    let found: Vec<String> = answers.iter().map(|answer| answer.query.clone()).collect();
    (asked != found || answers.iter().any(|answer| answer.frame.rows.num_rows() == 0))
        .then(|| format!("report {name}: {found:?}"))
}

/// Where the targets stand, a line each: what is measured, what its path asks for by now, what is needed and what came
/// per period of review.
pub(crate) fn targets(project: &Project, calendar: &Calendar) -> String {
    let request = Request { now: Some(now()), ..Request::default() };
    let written = |number: Option<f64>| number.map_or("-".to_string(), |number| format!("{number:.6}"));
    let line = |status: &TargetStatus| {
        let mut line = format!(
            "{} {}: {} of {}, {} in the end; needed {}, trailing {}",
            status.name,
            status.state.words(),
            written(status.value),
            written(status.expected),
            written(Some(status.reach)),
            written(status.required),
            written(status.trailing),
        );
        for period in &status.periods {
            let day = calendar.local(period.start).date();
            let met = period.met.map_or("runs", |met| if met { "met" } else { "not met" });
            line.push_str(&format!("\n  {day} {} {met}", written(period.value)));
        }
        line
    };
    project.engine().targets(None, &request).unwrap().iter().map(line).collect::<Vec<_>>().join("\n")
}
