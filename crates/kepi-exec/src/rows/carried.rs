//! What histories keep of a program's own rows, carried from one stretch of time to another that is read apart.

use super::evaluate::past;
use super::program::{Base, Node, Program};
use crate::pass::Kept;

/// What the nodes of a program keep, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Carried(Vec<Own>);

/// What a node keeps.
#[derive(Clone, Debug)]
enum Own {
    /// Whose first row has gone by: a bit per id.
    Seen(Vec<u64>),
    Fold(Kept),
}

impl Program {
    /// Whether something is kept of its rows, and what two stretches of time leave can be put together: each node keeps what
    /// adds up, and of values that no other node's keeping tells.
    pub(crate) fn can_be_carried(&self) -> bool {
        let dated = matches!(&self.base, Base::Stream(_, Some(info)) if info.dated);
        let adds_up = |node: &Node| match node {
            Node::History(lookback) => lookback.adds_up(),
            _ => true,
        };
        self.needs_past
            && dated
            && !self.needs_period
            && past(&self.nodes).is_some_and(|past| !past.chained)
            && self.nodes.iter().all(adds_up)
    }

    /// Takes away what it keeps of its own rows.
    pub(crate) fn let_go(&mut self) -> Carried {
        let own = |node: &mut Node| match node {
            Node::First { seen, .. } => Some(Own::Seen(std::mem::take(seen))),
            Node::History(lookback) => Some(Own::Fold(lookback.let_go())),
            _ => None,
        };
        Carried(self.nodes.iter_mut().filter_map(own).collect())
    }

    /// Gives it what was kept of all rows before those that it is going to read.
    pub(crate) fn carry(&mut self, carried: Carried) {
        let mut carried = carried.0.into_iter();
        for node in &mut self.nodes {
            match node {
                Node::First { seen, .. } => {
                    if let Some(Own::Seen(before)) = carried.next() {
                        *seen = before;
                    }
                }
                Node::History(lookback) => {
                    if let Some(Own::Fold(before)) = carried.next() {
                        lookback.carry(before);
                    }
                }
                _ => {}
            }
        }
    }
}

impl Carried {
    /// Adds what an earlier stretch of time has left of the same program. None: a sum is too large.
    pub(crate) fn go_on_from(&mut self, earlier: &Carried, program: &Program) -> Option<()> {
        let histories = program.nodes.iter().filter(|node| matches!(node, Node::First { .. } | Node::History(_)));
        for ((own, earlier), node) in self.0.iter_mut().zip(&earlier.0).zip(histories) {
            match (own, earlier, node) {
                (Own::Seen(own), Own::Seen(earlier), _) => {
                    own.iter_mut().zip(earlier).for_each(|(own, earlier)| *own |= earlier)
                }
                (Own::Fold(own), Own::Fold(earlier), Node::History(lookback)) => lookback.go_on_from(own, earlier)?,
                _ => return None,
            }
        }
        Some(())
    }
}
