//! What ran, step by step: a plan after its run, in words.

use crate::cells::{WholeExec, notes};
use crate::words;
use crate::{LeafExec, Note, Pass, Report, Step, told};
use datafusion_common::JoinType;
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::filter::FilterExec;
use datafusion_physical_plan::joins::HashJoinExec;
use datafusion_physical_plan::limit::GlobalLimitExec;
use datafusion_physical_plan::sorts::sort::SortExec;
use kepi_model::calendar::Zone;
use kepi_model::core::{Base, Made};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The steps of a plan in the order in which they ran.
pub(crate) fn steps(plan: &Arc<dyn ExecutionPlan>) -> Vec<Step> {
    let mut steps = Vec::new();
    walk(plan, &mut steps);
    steps
}

/// Adds the steps of a plan and gives how many rows come out of it.
fn walk(plan: &Arc<dyn ExecutionPlan>, steps: &mut Vec<Step>) -> u64 {
    if let Some(leaf) = plan.downcast_ref::<LeafExec>() {
        let report = leaf.report();
        let rows_out = rows_out(plan).unwrap_or(0);
        let way = report.way.map_or_else(String::new, |way| format!(", {way}"));
        let text = read(leaf.pass()) + &way + &ranges(&report) + &segments(&report) + &continued(leaf.pass(), &report);
        steps.push(Step { text, rows_in: report.rows_scanned, rows_out, micros: report.micros });
        return rows_out;
    }
    let rows_in: u64 = in_order(plan).into_iter().map(|child| walk(child, steps)).sum();
    let rows_out = rows_out(plan).unwrap_or(rows_in);
    if let Some(text) = words(plan) {
        let micros = plan.metrics().and_then(|m| m.elapsed_compute()).unwrap_or(0) as u64 / 1_000;
        steps.push(Step { text, rows_in, rows_out, micros });
    }
    rows_out
}

/// Of how many segments something was kept, and how many were read; empty: nobody asked by segments.
fn segments(report: &Report) -> String {
    let read: BTreeSet<u64> = report.read.iter().copied().collect();
    let kept = report.kept.iter().filter(|segment| !read.contains(segment)).collect::<BTreeSet<_>>().len();
    match (kept, read.len()) {
        (0, 0) => String::new(),
        (1, read) => format!(", from 1 kept segment, {read} read"),
        (kept, read) => format!(", from {kept} kept segments, {read} read"),
    }
}

/// In how many ranges of ids rows were read; empty: in one go.
fn ranges(report: &Report) -> String {
    match report.ranges {
        0 => String::new(),
        ranges => format!(", read {ranges} times, each for one range of ids, to fit the memory"),
    }
}

/// From which moment on rows were read; empty: all of them were.
fn continued(pass: &Pass, report: &Report) -> String {
    match (report.continued, Zone::named(&pass.zone)) {
        (Some(moment), Some(zone)) => format!(", continued from {}", notes::moment(&zone, moment)),
        _ => String::new(),
    }
}

fn rows_out(plan: &Arc<dyn ExecutionPlan>) -> Option<u64> {
    plan.metrics().and_then(|m| m.output_rows()).map(|rows| rows as u64)
}

/// What an operator does; none for those that only compute columns.
fn words(plan: &Arc<dyn ExecutionPlan>) -> Option<String> {
    if let Some(whole) = plan.downcast_ref::<WholeExec>() {
        return Some(whole.words());
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        return Some(match join.join_type() {
            JoinType::Right => "totals across labels put beside the rows that they are of".to_string(),
            _ => "results matched on period and labels, none lost".to_string(),
        });
    }
    if plan.is::<FilterExec>() {
        return Some("rows kept for which `having` holds".to_string());
    }
    if plan.is::<SortExec>() {
        return Some("rows put in order".to_string());
    }
    plan.is::<GlobalLimitExec>().then(|| "the first rows taken".to_string())
}

/// What a pass reads and computes: "orders: rows in the order of time, sum(revenue) per month by region".
pub(crate) fn read(pass: &Pass) -> String {
    let mut aggregates: Vec<&str> = pass.aggregates.iter().map(|a| a.text.as_str()).collect();
    aggregates.dedup();
    let mut text = match &pass.base {
        Base::Stream(name) => format!("{name}: rows in the order of time, {}", aggregates.join(", ")),
        Base::Made(made) if let Made::Groups(groups) = &**made => {
            format!(
                "groups per {}: {} of each, then {}",
                told::group(groups),
                told::value(groups),
                aggregates.join(", ")
            )
        }
        Base::Made(made) => format!("{}: rows in the order of time, {}", made.words(), aggregates.join(", ")),
        Base::Entity(name) => format!("{name}: each one at the end of the period, {}", aggregates.join(", ")),
    };
    match (&pass.per, pass.moved()) {
        (None, []) => {}
        (Some(grain), []) => text.push_str(&format!(" per {}", grain.name())),
        (Some(grain), moved) => {
            text.push_str(&format!(" over {}", words::moved(moved, &format!("each {}", grain.name()))));
        }
        (None, moved) if pass.moment => text.push_str(&format!(" over {}", words::moved(moved, "the moment"))),
        (None, moved) => text.push_str(&format!(" over {}", words::moved(moved, "the window"))),
    }
    if !pass.labels.is_empty() {
        let labels: Vec<&str> = pass.labels.iter().map(|l| l.name.as_str()).collect();
        text.push_str(&format!(" by {}", labels.join(", ")));
    }
    text
}

/// The passes of a plan with what they had to say, in the order of the plan.
pub(crate) fn reports(plan: &Arc<dyn ExecutionPlan>) -> Vec<(Pass, Report)> {
    if let Some(leaf) = plan.downcast_ref::<LeafExec>() {
        return vec![(leaf.pass().clone(), leaf.report())];
    }
    in_order(plan).into_iter().flat_map(reports).collect()
}

/// Why some values of a plan are missing, of the operators that know it.
pub(crate) fn refused(plan: &Arc<dyn ExecutionPlan>) -> Vec<Note> {
    let own = plan.downcast_ref::<WholeExec>().and_then(WholeExec::refused);
    let own = own.map(|text| Note { code: "no_forecast".into(), text });
    in_order(plan).into_iter().flat_map(refused).chain(own).collect()
}

/// What an operator reads, the query's own cells before the totals that are put beside them.
fn in_order(plan: &Arc<dyn ExecutionPlan>) -> Vec<&Arc<dyn ExecutionPlan>> {
    let mut children = plan.children();
    if plan.downcast_ref::<HashJoinExec>().is_some_and(|join| *join.join_type() == JoinType::Right) {
        children.reverse();
    }
    children
}
