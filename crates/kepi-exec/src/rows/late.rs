//! What is asked only of the rows that count: where all aggregates of a pass have conditions, what they take and are
//! labelled by is computed of the rows that some condition takes, once these are known. Of first rows, and of what a
//! condition leaves, that is much less than all.

use super::evaluate::compute;
use super::program::{Frame, Node, Program, take};
use crate::ExecError;
use arrow_buffer::BooleanBuffer;

impl Program {
    /// The nodes that must see every row: the conditions, and whatever keeps something of the rows that go by. None: all
    /// of them must, or what is left is only read, not computed.
    pub(crate) fn early(&self, conditions: &[Option<usize>]) -> Option<Vec<bool>> {
        if self.needs_period || conditions.is_empty() {
            return None;
        }
        let mut early = vec![false; self.nodes.len()];
        for condition in conditions {
            early[(*condition)?] = true;
        }
        for (number, node) in self.nodes.iter().enumerate().rev() {
            let keeps = matches!(node, Node::First { .. } | Node::History(_));
            if early[number] || keeps {
                early[number] = true;
                needs(node)?.into_iter().for_each(|need| early[need] = true);
            }
        }
        let read = |node: &Node| matches!(node, Node::Const { .. } | Node::At | Node::Input(_) | Node::Missing);
        let alone = |node: &Node| {
            matches!(node, Node::Grouped(_) | Node::Apart(_) | Node::Lifecycle(_) | Node::Tile(_) | Node::Entity)
        };
        let late = || self.nodes.iter().zip(&early).filter(|(_, early)| !**early).map(|(node, _)| node);
        (late().any(|node| !read(node)) && !late().any(alone)).then_some(early)
    }

    /// Computes the early nodes of a batch, and all others for the rows of its window that one of some conditions takes.
    /// Gives these rows as a batch, whose values the program has from now on.
    pub(crate) fn evaluate_late(
        &mut self,
        frame: Frame,
        early: &[bool],
        conditions: &[Option<usize>],
    ) -> Result<Frame, ExecError> {
        let Program { nodes, types, values, clock, .. } = self;
        values.clear();
        for ((node, ty), early) in nodes.iter_mut().zip(types.iter()).zip(early) {
            values.push(match early {
                true => compute(node, ty, values, &frame, clock)?,
                false => super::Column::missing(frame.len),
            });
        }
        let mut taken: Option<BooleanBuffer> = None;
        for condition in conditions.iter().flatten() {
            let mask = values[*condition].mask()?;
            taken = Some(taken.map_or_else(|| mask.clone(), |taken| &taken | &mask));
        }
        let window = frame.window.clone();
        let taken = taken.map(|taken| taken.slice(window.start, window.len()));
        let frame = match taken.filter(|taken| taken.count_set_bits() < frame.len) {
            None => frame,
            Some(taken) => {
                let rows: Vec<u32> = taken.set_indices().map(|row| (window.start + row) as u32).collect();
                for (value, _) in values.iter_mut().zip(early).filter(|(_, early)| **early) {
                    *value = take(value, &rows, None);
                }
                frame.rows(&rows)
            }
        };
        for number in 0..nodes.len() {
            if !early[number] {
                let (before, rest) = values.split_at_mut(number);
                rest[0] = compute(&mut nodes[number], &types[number], before, &frame, clock)?;
            }
        }
        Ok(frame)
    }
}

/// The nodes that a node reads; none: it is not known here.
fn needs(node: &Node) -> Option<Vec<usize>> {
    Some(match node {
        Node::Const { .. } | Node::At | Node::Input(_) | Node::Missing => Vec::new(),
        Node::Gather { of, .. }
        | Node::AsOf { of, .. }
        | Node::Keys { of, .. }
        | Node::Test { of, .. }
        | Node::Map { of, .. }
        | Node::Length { of, .. } => vec![*of],
        Node::Call { args, .. }
        | Node::Times { args, .. }
        | Node::Otherwise { args, .. }
        | Node::Extreme { args, .. } => args.clone(),
        Node::Case { whens, otherwise, .. } => whens.iter().flat_map(|w| [w.0, w.1]).chain(*otherwise).collect(),
        Node::Both(a, b) => vec![*a, *b],
        Node::First { mask, per, .. } => mask.iter().copied().chain([*per]).collect(),
        Node::History(lookback) => lookback.needs(),
        Node::Elsewhere(elsewhere) => vec![elsewhere.subject()],
        _ => return None,
    })
}
