//! Queries that end early: cancelled, late, out of memory, on damaged data. And plans that are made again.

use super::testing::*;
use crate::cells::plan::Leaves;
use crate::run::Runner;
use crate::{Cancel, ExecError, Pass, RunOptions, Source};
use datafusion_physical_plan::{ExecutionPlan, displayable};
use kepi_extension::Functions;
use kepi_model::calendar::{Grain, TimeUnit};
use kepi_model::core::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Leaves whose streams never end, or fail.
struct Broken(Outcome);

impl Leaves for Broken {
    fn leaf(&self, pass: Pass) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
        Ok(leaf(Naive(Arc::default()).cells(&pass), self.0.clone()))
    }
}

fn run_on(leaves: Box<dyn Leaves>, options: &RunOptions) -> Result<(), ExecError> {
    let asked = ask("UTC", "2026-01-01").by("region").show_sum("orders", "amount").show_sum("spend", "amount");
    let scan = Arc::new(Naive(Arc::default()));
    let source = Source::new(scan, Functions::default(), options.cancel.clone());
    Runner::on(&asked.query, source, options, leaves)?.frame(&asked.query).map(|_| ())
}

#[test]
fn a_cancelled_query_ends_at_once() {
    let options = RunOptions::default();
    let cancel = options.cancel.clone();
    let begun = Instant::now();
    let other = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        cancel.cancel();
    });
    let error = run_on(Box::new(Broken(Outcome::Never)), &options).unwrap_err();
    other.join().unwrap();
    assert_eq!(error.to_string(), "the query was cancelled");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_late_query_says_so() {
    let cancel = Cancel::default().with_deadline(Instant::now() + Duration::from_millis(30));
    let error = run_on(Box::new(Broken(Outcome::Never)), &RunOptions { cancel, ..RunOptions::default() }).unwrap_err();
    assert!(matches!(error, ExecError::Timeout), "{error}");
}

#[test]
fn damaged_data_are_named_through_every_operator() {
    let damaged = Broken(Outcome::Damaged("7.seg".into()));
    let error = run_on(Box::new(damaged), &RunOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "7.seg is damaged at byte 12: checksum");
    assert!(matches!(error, ExecError::Scan(_)));
}

#[test]
fn a_query_that_needs_more_memory_names_the_limit() {
    let options = RunOptions { memory_bytes_max: Some(1024), ..RunOptions::default() };
    let events = (0..100).map(|i| event("orders", "2025-01-01", &[("region", &format!("r{i}x"))]));
    let error = run_on(Box::new(Naive(Arc::new(events.collect()))), &options).unwrap_err();
    assert_eq!(error.to_string(), "the query needs more memory than its limit of 1 KiB");
}

#[test]
fn a_plan_made_of_the_bytes_of_a_query_is_the_same_plan() {
    let mut asked = ask("Europe/Amsterdam", "2025-06-10").during("2024-01-01", "2026-01-01", "two years");
    asked = asked.per(TimeUnit::Month).by("region").show_sum("orders", "amount").show_sum("spend", "amount");
    let (orders, spend) = (asked.count("orders"), asked.count("spend"));
    let ratio = call(kepi_model::value::Kind::Number, Op::Divide, vec![orders.clone(), spend]);
    asked.show("ratio", ratio.clone());
    asked = asked.vs("previous year", CompareWith::Previous(Grain::ordinary(TimeUnit::Year)));
    asked.query.having = Some(call(kepi_model::value::Kind::Bool, Op::Greater, vec![orders, number(1, 0)]));
    asked.query.order = vec![OrderKey { by: OrderBy::Formula(ratio), descending: true }];
    asked.query.fill = Some(Fill::Previous);
    asked.query.limit = Some(Limit { rows: 5, with_other: false });
    let bytes = postcard::to_allocvec(&asked.query).unwrap();
    let again: Query = postcard::from_bytes(&bytes).unwrap();
    let plan = |query: &Query| {
        let naive = Naive(Arc::default());
        let scan = Arc::new(naive.clone());
        let source = Source::new(scan, Functions::default(), Cancel::default());
        let options = RunOptions::default();
        let planned = Runner::on(query, source, &options, Box::new(naive)).unwrap().plan(query).unwrap();
        (planned.times, displayable(planned.plan.root.as_ref()).indent(true).to_string(), planned.plan.columns)
    };
    assert_eq!(plan(&asked.query), plan(&again));
    let steps: Vec<String> = plan(&again).1.lines().map(|l| l.trim().split(':').next().unwrap().to_string()).collect();
    assert_eq!(
        steps[..8],
        [
            "ProjectionExec",
            "GlobalLimitExec",
            "SortExec",
            "FilterExec",
            "ProjectionExec",
            "FillExec",
            "ProjectionExec",
            "CellsExec"
        ]
    );
}
