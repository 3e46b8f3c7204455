//! Passes over attempts of a chain to which, of each entity, only the attempt matters that got furthest: how many entities
//! got to a step, and what the best attempt of each was like.
//!
//! Who got to a step is somebody whose best attempt did, and the first of the attempts that got furthest is the same among
//! all that got at least so far. So where the pass has one cell, or cells that follow from the entity, others may be left out.

use super::chains::{chain, is_who};
use super::plan::follows_from;
use super::{Pass, Source};
use kepi_model::core::{Aggregate, Chain, Measure, Op, REACHED, Row, RowNode, Stage};

/// A source on which only these attempts are made; none: others matter, too.
pub(super) fn source(pass: &Pass, source: &Source) -> Option<Source> {
    let (made, chain) = chain(&pass.base)?;
    let other = source.stretch.as_ref().is_some_and(|stretch| stretch.0 != *made);
    let one_cell = pass.per.is_none() && pass.shift.is_none() && pass.moved().is_empty();
    if other || !one_cell || chain.credit.is_some() || !pass.aggregates.iter().all(|a| is_of_best(a, chain)) {
        return None;
    }
    Some(source.of_furthest(made, pass.first_instant().unwrap_or(i64::MIN), pass.until))
}

fn is_of_best(aggregate: &Aggregate, chain: &Chain) -> bool {
    let Some(who) = chain.steps.first().map(|step| &step.rows.key) else { return false };
    let stages = aggregate.events.stages.iter().map(|stage| match stage {
        Stage::Where(condition) => Some(condition),
        Stage::First { .. } => None,
    });
    let is_judged_alike = |condition: Option<&Row>| condition.is_some_and(|c| is_of_reached(c, who));
    let measured = match &aggregate.measure {
        Measure::Unique(of) => is_who(of, chain),
        Measure::Best { of, rank } => is_reached(rank) && stands_alone(of),
        _ => false,
    };
    measured
        && aggregate.across.is_empty()
        && aggregate.aging.is_none()
        && stages.chain(aggregate.filter.iter().map(Some)).all(is_judged_alike)
        && aggregate.labels.iter().all(|label| follows_from(label, who))
}

/// Whether a condition is one of the entity, or of how far it got at least.
fn is_of_reached(condition: &Row, who: &Row) -> bool {
    match &condition.node {
        RowNode::Call { op: Op::And, args } => args.iter().all(|arg| is_of_reached(arg, who)),
        RowNode::Call { op: Op::GreaterEqual, args } if args.first().is_some_and(is_reached) => {
            args[1..].iter().all(|least| matches!(least.node, RowNode::Const(_)))
        }
        _ => follows_from(condition, who),
    }
}

fn is_reached(row: &Row) -> bool {
    matches!(&row.node, RowNode::Field(name) if name == REACHED)
}

/// Whether a value is one of the attempt's own rows, whatever others there are.
fn stands_alone(row: &Row) -> bool {
    match &row.node {
        RowNode::At | RowNode::Const(_) | RowNode::Field(_) => true,
        RowNode::Step { of, .. } => stands_alone(of),
        RowNode::Call { args, .. } => args.iter().all(stands_alone),
        _ => false,
    }
}
