//! The query's own values where they are compared: up to now of the period that runs, and what is due of those ahead.
//!
//! A comparison holds the elapsed part of what runs against the same part of another time, so rows that lie ahead in the
//! running period have no part in it. What has not begun is compared with nothing, and shows what is due then.

use super::plan::{Leaves, asks_for_period, pass};
use crate::ExecError;
use datafusion_common::ScalarValue;
use datafusion_expr::Operator;
use datafusion_physical_expr::expressions::{BinaryExpr, Column, lit};
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion_physical_plan::filter::FilterExec;
use datafusion_physical_plan::union::UnionExec;
use kepi_extension::EventScan;
use kepi_model::calendar::Zone;
use kepi_model::core::{Base, Query};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Where the own values of a running period end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cut {
    /// Now, which lies inside the window and inside a period.
    at: i64,
    /// Whether periods of the window begin behind it.
    goes_on: bool,
    /// The streams that have no row from then on.
    over: BTreeSet<String>,
}

impl Cut {
    /// Where a query that compares cuts its own values, its window reaching from `from` (none: ever) to `until`; none:
    /// nothing is compared, or nothing of it runs.
    pub(crate) fn of(
        query: &Query,
        zone: &Zone,
        (from, until): (Option<i64>, i64),
        scan: &dyn EventScan,
    ) -> Option<Cut> {
        let now = query.now;
        let runs = from.is_none_or(|from| from < now) && now < until;
        if query.compare.is_empty() || query.window.moment || !runs {
            return None;
        }
        let goes_on = match &query.per {
            None => false,
            Some(grain) => {
                let begun = zone.truncate(grain, now);
                if begun == now {
                    return None;
                }
                zone.step(grain, begun, 1) < until
            }
        };
        let over = |name: &str| scan.stream(name).is_none_or(|info| info.last.is_none_or(|last| last < now));
        let bases = query.aggregates.iter().filter_map(|aggregate| match &aggregate.events.base {
            Base::Stream(name) if over(name) => Some(name.clone()),
            _ => None,
        });
        Some(Cut { at: now, goes_on, over: bases.collect() })
    }

    /// Whether what is due in periods ahead is shown.
    pub(crate) fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// The same over the window as a whole.
    pub(crate) fn without_periods(&self) -> Cut {
        Cut { goes_on: false, ..self.clone() }
    }

    /// The query's own cells of some aggregates on one base.
    pub(crate) fn cells(
        &self,
        query: &Query,
        (base, group): (&Base, &[usize]),
        (from, until): (Option<i64>, i64),
        leaves: &dyn Leaves,
    ) -> Result<Arc<dyn ExecutionPlan>, ExecError> {
        let is_plain = |i: &usize| {
            query.aggregates.get(*i).is_some_and(|aggregate| aggregate.moved.is_empty() && !asks_for_period(aggregate))
        };
        // Where no row lies ahead, and none asks how its period goes on, the periods can be read in one go.
        let is_over = matches!(base, Base::Stream(name) if self.over.contains(name)) && group.iter().all(is_plain);
        if is_over {
            return leaves.leaf(pass(query, base, group, from, until));
        }
        let passed = leaves.leaf(pass(query, base, group, from, self.at))?;
        if !self.goes_on {
            return Ok(passed);
        }
        let whole = leaves.leaf(pass(query, base, group, from, until))?;
        let begin = ScalarValue::TimestampMicrosecond(Some(self.at), Some("UTC".into()));
        let period = Arc::new(Column::new(whole.schema().field(0).name(), 0));
        let ahead = Arc::new(BinaryExpr::new(period, Operator::GtEq, lit(begin)));
        let due = Arc::new(FilterExec::try_new(ahead, whole)?);
        Ok(Arc::new(CoalescePartitionsExec::new(UnionExec::try_new(vec![passed, due])?)))
    }
}
