//! Passes with histories, read by several threads: a stretch of time each, which begins with what histories keep of all rows
//! before it.
//!
//! Time is cut into one stretch more than there are threads. While one thread computes the first stretch, which is shorter,
//! the others only let theirs go by, and keep what histories keep of its rows; put together, that is what each later stretch
//! begins with. Then all but the first are computed. So a row is looked at twice at most.

use super::plan::Plan;
use super::state::Cells;
use super::stream::{fill_on, stretches_in_turns};
use super::{Part, Pass, Source};
use crate::ExecError;
use crate::rows::Carried;
use crate::side_by_side::side_by_side;
use kepi_model::core::Measure;

/// Whether a pass is read in this way.
pub(super) fn takes(pass: &Pass, plan: &Plan, source: &Source, threads: usize) -> bool {
    stretches(pass, plan, source, None, threads).is_some()
}

/// The cells of a pass; none: it is read in other ways.
pub(super) fn run(pass: &Pass, source: &Source, plan: &Plan) -> Result<Option<Cells>, ExecError> {
    let read = read(pass, source, plan, None, || Plan::new(pass, source))?;
    Ok(read.map(|(cells, _)| cells))
}

/// The cells of all rows before an instant, and what the program keeps of these; none: they are read in one go.
pub(super) fn up_to(
    pass: &Pass,
    source: &Source,
    plan: &Plan,
    until: i64,
) -> Result<Option<(Cells, Carried)>, ExecError> {
    read(pass, source, plan, Some(until), || Plan::with(pass, source, true))
}

/// The stretches that are read apart; none: rows are few, or histories keep what does not add up.
fn stretches(pass: &Pass, plan: &Plan, source: &Source, until: Option<i64>, threads: usize) -> Option<Vec<Part>> {
    let adds_up = |measure: &Measure| !matches!(measure, Measure::Unique(_) | Measure::Plugin { .. });
    if threads < 2
        || plan.only().is_some()
        || !plan.program.can_be_carried()
        || !pass.aggregates.iter().all(|aggregate| adds_up(&aggregate.measure))
    {
        return None;
    }
    stretches_in_turns(pass, plan, source, until, threads + 1).filter(|parts| parts.len() > 2)
}

fn read(
    pass: &Pass,
    source: &Source,
    plan: &Plan,
    until: Option<i64>,
    new: impl Fn() -> Result<Plan, ExecError> + Sync,
) -> Result<Option<(Cells, Carried)>, ExecError> {
    let Some(parts) = stretches(pass, plan, source, until, source.threads) else { return Ok(None) };
    let last = parts.len() - 1;
    // Each stretch but the last: what it leaves, and the cells of the first.
    let begun = side_by_side(source.threads, (0..last).collect(), |number: usize| {
        let mut plan = new()?;
        if number > 0 {
            let_by(&mut plan, &parts[number])?;
            return Ok((plan.program.let_go(), None));
        }
        let mut plan = fill_on(plan, pass, source, &parts[0])?;
        let kept = plan.program.let_go();
        Ok((kept, Some(finished(plan, false)?)))
    });
    let begun = match begun {
        // A sum of some rows may be too large where that of all is not.
        Err(ExecError::Overflow(_)) => return Ok(None),
        begun => begun?,
    };
    let mut all = None;
    let mut before: Vec<Carried> = Vec::with_capacity(begun.len());
    for (mut kept, cells) in begun {
        if let Some(earlier) = before.last()
            && kept.go_on_from(earlier, &plan.program).is_none()
        {
            return Ok(None);
        }
        before.push(kept);
        all = all.or(cells);
    }
    let turns = before.into_iter().zip(parts.iter().skip(1)).enumerate().collect();
    let read = side_by_side(source.threads, turns, |(number, (before, part)): (usize, (Carried, &Part))| {
        let mut plan = new()?;
        plan.program.carry(before);
        let mut plan = fill_on(plan, pass, source, part)?;
        let is_last = number + 1 == last;
        let kept = is_last.then(|| plan.program.let_go());
        Ok((finished(plan, is_last)?, kept))
    })?;
    let mut left = None;
    let mut all = all.unwrap_or_default();
    for (cells, kept) in read {
        all.merge(cells)?;
        left = left.or(kept);
    }
    Ok(left.map(|left| (all, left)))
}

/// Lets the rows of a stretch go by, of which nothing is wanted but what histories keep.
fn let_by(plan: &mut Plan, part: &Part) -> Result<(), ExecError> {
    let mut frames = plan.program.frames_to_let_by(part.from, part.until)?;
    while let Some(mut frame) = frames.next(&plan.program)? {
        frame.window = 0..0;
        plan.program.evaluate_past(&frame)?;
    }
    Ok(())
}

/// The cells of a stretch. Those of the last one have read all of other streams, the others only say what they read again.
fn finished(plan: Plan, is_last: bool) -> Result<Cells, ExecError> {
    let again = if is_last { 0 } else { plan.program.rows_scanned_elsewhere() };
    let mut cells = plan.finish()?;
    cells.report.rows_scanned -= again;
    Ok(cells)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

    use super::*;
    use crate::pass::stream;
    use crate::pass::testing::*;
    use kepi_model::core::{Op, Reach, Stage};
    use proptest::prelude::*;

    fn read(pass: &Pass, memory: &Memory, threads: usize) -> (bool, u64, Vec<String>) {
        let source = source(memory).with_threads(threads);
        let plan = Plan::new(pass, &source).unwrap();
        let taken = takes(pass, &plan, &source, threads);
        let mut cells = stream::run(pass, &source, &Part::default()).unwrap();
        let scanned = cells.report.rows_scanned;
        let schema = pass.schema(&source).unwrap();
        (taken, scanned, lines(&cells.emit(pass, &source, schema).unwrap()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_number_of_threads_gives_the_same(
            orders in proptest::collection::vec((0..90_i64, 0..5_u32, 2..5_u32, -50..50_i64), 30..80),
            which in 0..7_usize, since in proptest::option::of(0..60_i64), batch in 1..20_usize,
        ) {
            let order = |&(day, who, product, amount): &(i64, u32, u32, i64)| {
                (19_700 * DAY + day * DAY / 2, Some(who), product, Some(amount), None)
            };
            let mut orders: Vec<Order> = orders.iter().map(order).collect();
            orders.sort_by_key(|order| order.0);
            let mut memory = shop(5, &orders, &[]);
            memory.batch = batch;
            let all = events("orders", vec![]);
            let amount = || field("amount");
            let measures = [
                Measure::Count,
                Measure::Sum(amount()),
                Measure::First(amount()),
                Measure::Last(amount()),
                Measure::Min(amount()),
                Measure::Max(amount()),
                Measure::Avg(amount()),
            ];
            let so_far = history(all.clone(), None, measures[which].clone(), Reach::AllTime);
            let known = call(Op::Not, &[call(Op::IsMissing, std::slice::from_ref(&so_far))]);
            let value = call(Op::Add, &[so_far, amount()]);
            let firsts = events("orders", vec![Stage::First { per: customer() }]);
            let mut pass = pass(vec![
                aggregate(all, Some(known), Measure::Sum(value), vec![field("product")]),
                aggregate(firsts, None, Measure::Sum(amount()), vec![field("product")]),
            ]);
            pass.from = since.map(|day| (19_700 + day / 2) * DAY);
            pass.until = 19_800 * DAY;
            let (taken, scanned, one) = read(&pass, &memory, 1);
            prop_assert!(!taken);
            for threads in [2, 3, 5] {
                let (taken, again, all) = read(&pass, &memory, threads);
                // All rows may lie at one moment.
                prop_assert!(taken || orders.iter().all(|order| order.0 == orders[0].0));
                prop_assert_eq!(&all, &one, "by {} threads", threads);
                prop_assert_eq!(again, scanned);
            }
        }
    }
}
