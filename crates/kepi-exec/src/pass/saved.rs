//! What plugins' functions have saved of parts of the rows, and how their accumulators take it up again.

use super::{Pass, Source};
use crate::ExecError;
use kepi_extension::{Accumulator, AggregateFunction};
use kepi_model::core::{Aggregate, Measure, Row, RowNode};
use kepi_model::value::Kind;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was saved of one cell: a state for each part of the rows, in the order of the parts. The function that saved them
/// is the only one that can merge them.
pub(crate) type Saved = Vec<Vec<u8>>;

/// How many states, and about how many bytes of them, a function is handed at once.
const STATES_MAX: usize = 16_384;
const BYTES_MAX: usize = 4 << 20;

/// The aggregate function of this name.
pub(super) fn function<'a>(name: &str, source: &'a Source) -> Result<&'a Arc<dyn AggregateFunction>, ExecError> {
    let function = source.functions.aggregates.get(name);
    function.ok_or_else(|| ExecError::Plan(format!("no plugin gives `{name}`")))
}

/// An accumulator of so many groups that has taken up these states, each with its group, in order.
pub(super) fn taken_up<'a>(
    name: &str,
    count: usize,
    states: impl Iterator<Item = (u32, &'a Saved)>,
    source: &Source,
) -> Result<Box<dyn Accumulator>, ExecError> {
    let mut accumulator = function(name, source)?.start()?;
    let (mut groups, mut parts, mut bytes) = (Vec::new(), Vec::new(), 0);
    for (group, state) in states.flat_map(|(group, saved)| saved.iter().map(move |state| (group, state))) {
        if parts.len() >= STATES_MAX || bytes + state.len() > BYTES_MAX && !parts.is_empty() {
            source.check()?;
            accumulator.merge(&groups, count, &parts)?;
            groups.clear();
            parts.clear();
            bytes = 0;
        }
        bytes += state.len();
        groups.push(group);
        parts.push(state.clone());
    }
    // A call without states is needed too: it says how many groups there are.
    accumulator.merge(&groups, count, &parts)?;
    Ok(accumulator)
}

/// One state for each of so many groups.
pub(super) fn saved(accumulator: &mut dyn Accumulator, count: usize) -> Result<Vec<Saved>, ExecError> {
    let states = accumulator.save()?;
    if states.len() != count {
        return Err(ExecError::Failed(format!("a plugin gave {} states for {count} cells", states.len())));
    }
    Ok(states.into_iter().map(|state| vec![state]).collect())
}

/// Whether rows are handed to a plugin's function of groups.
pub(super) fn runs_plugins(pass: &Pass) -> bool {
    pass.aggregates.iter().any(|aggregate| matches!(aggregate.measure, Measure::Plugin { .. }))
}

/// Whether what a plugin's function saves of some rows can be merged with what it saves of others, whenever that is. A
/// model is fitted on all rows, so that nothing is won.
pub(super) fn can_be_kept(name: &str, args: &[Row], source: &Source) -> bool {
    !source.functions.models.contains_key(name) && is_named(name, args, source)
}

/// Whether it can be said what a plugin's function is computed with, and what it is handed of a row. Keys of entities are
/// handed over as texts, and there may be many.
pub(super) fn is_named(name: &str, args: &[Row], source: &Source) -> bool {
    let key = |arg: &Row| matches!(arg.unit.kind, Kind::Entity(_));
    !args.iter().any(key) && source.functions.contents_of(name).is_some()
}

/// The code of all functions of plugins that a pass calls, by name.
pub(super) fn code(pass: &Pass, source: &Source) -> BTreeMap<String, Option<u128>> {
    let mut code = BTreeMap::new();
    let mut called = |name: &str| {
        code.entry(name.to_string()).or_insert_with(|| source.functions.contents_of(name));
    };
    for aggregate in &pass.aggregates {
        if let Measure::Plugin { name, .. } = &aggregate.measure {
            called(name);
        }
    }
    pass.aggregates.iter().flat_map(Aggregate::rows).for_each(|row| calls(row, &mut called));
    code
}

fn calls(row: &Row, called: &mut impl FnMut(&str)) {
    if let RowNode::Plugin { name, .. } = &row.node {
        called(name);
    }
    row.parts().into_iter().for_each(|part| calls(part, called));
}
