//! Groups of more entities than there is memory for: made of one range of ids after the other.
//!
//! Each group lies in one range, so what is computed of groups adds up. The rows that have no entity make the group of
//! nobody, and belong to the first range.

use crate::ExecError;
use crate::pass::shares::Share;
use crate::pass::{Pass, Source, lots};
use crate::rows::{Column, Values};
use arrow_buffer::BooleanBuffer;
use kepi_model::core::{Groups, KEY, Measure, Row, RowNode};
use kepi_model::value::Kind;

/// Of whom a pass makes the groups.
#[derive(Clone, Debug)]
pub(crate) struct Ranged {
    /// Which label of the pass is the entity whose ids are cut, and how many ids there are; none: groups of no entity.
    key: Option<(usize, usize)>,
    share: Share,
}

/// The entity whose ids groups may be cut by: the number of its key, and how many there are. Of several the one of which
/// there are most.
fn key(groups: &Groups, source: &Source) -> Option<(usize, usize)> {
    let count = |(place, key): (usize, &kepi_model::core::Label)| {
        let Kind::Entity(entity) = &key.unit.kind else { return None };
        Some((place, source.scan.entity(entity)?.count as usize))
    };
    groups.keys.iter().enumerate().filter_map(count).max_by_key(|(place, count)| (*count, std::cmp::Reverse(*place)))
}

/// How many ids there are to cut by; none: what is computed of groups of some ids does not add up with that of others.
pub(super) fn ids(groups: &Groups, pass: &Pass, source: &Source) -> Option<usize> {
    let (place, count) = key(groups, source)?;
    let name = format!("{KEY}{place}");
    let adds_up = pass.aggregates.iter().all(|aggregate| match &aggregate.measure {
        Measure::Unique(of) => matches!(&of.node, RowNode::Role(role) | RowNode::Field(role) if *role == name),
        _ => lots::adds_up(aggregate),
    });
    adds_up.then_some(count)
}

impl Source {
    /// The same, for the passes that groups are made of: they make those of a share, and count what they take.
    pub(super) fn making(&self, groups: &Groups, labels: usize) -> Source {
        let key = key(groups, self).map(|(place, count)| (labels + place, count));
        Source { ranged: Some(Ranged { key, share: self.groups.clone() }), ..self.apart() }
    }

    /// The same, for the groups that a pass makes groups of in turn: only those of the same entities, where they are of the
    /// same kind.
    pub(super) fn nested(&self, groups: &Groups, pass: &Pass) -> Source {
        let key = key(groups, self).map(|(place, _)| format!("{KEY}{place}"));
        let is_key =
            |label: &Row| matches!((&label.node, &key), (RowNode::Role(n) | RowNode::Field(n), Some(key)) if n == key);
        let own = self.ranged.as_ref().filter(|ranged| {
            let same = |place: usize| pass.aggregates.iter().all(|a| a.labels.get(place).is_some_and(is_key));
            ranged.key.is_some_and(|(place, _)| same(place))
        });
        match own {
            Some(ranged) => Source { groups: ranged.share.clone(), ..self.clone() },
            None => self.clone(),
        }
    }

    /// The same, where groups of a share are made.
    pub(super) fn of_groups(&self, share: Share) -> Source {
        Source { groups: share, share: Share::default(), ..self.clone() }
    }
}

impl Ranged {
    /// Which label says whose a row is, where only some are of it.
    pub(crate) fn cut_by(&self) -> Option<usize> {
        self.key.filter(|_| !self.share.is_all()).map(|(place, _)| place)
    }

    /// The ids of which groups are made, where they are those of this label.
    pub(super) fn ids(&self, label: usize) -> Option<std::ops::Range<usize>> {
        self.key.filter(|(place, _)| *place == label).map(|(_, count)| self.share.ids(count))
    }

    /// Whether they are everybody's.
    pub(crate) fn is_all(&self) -> bool {
        self.share.is_all()
    }

    /// Whether what is the same for all is told of these.
    pub(crate) fn is_first(&self) -> bool {
        self.share.is_first()
    }

    /// Fails where they take more memory than there may be.
    pub(crate) fn fits(&self, bytes: usize, source: &Source) -> Result<(), ExecError> {
        self.share.fits(bytes, source)
    }

    /// The rows that are of them: `column` says whose each is.
    pub(crate) fn rows(&self, column: &Column) -> Result<BooleanBuffer, ExecError> {
        let Some((_, count)) = self.key else { return Ok(BooleanBuffer::new_set(column.len())) };
        let (range, first) = (self.share.ids(count), self.share.is_first());
        match &column.values {
            Values::Id(ids, _) => {
                let known = column.known();
                Ok(BooleanBuffer::collect_bool(ids.len(), |row| {
                    let id = ids[row] as usize;
                    // Nobody, or somebody who is no entity.
                    let nobody = id >= count || known.as_ref().is_some_and(|known| !known.value(row));
                    if nobody { first } else { range.contains(&id) }
                }))
            }
            Values::Missing(len) if first => Ok(BooleanBuffer::new_set(*len)),
            Values::Missing(len) => Ok(BooleanBuffer::new_unset(*len)),
            _ => Err(ExecError::Plan("the entity of a group is none".into())),
        }
    }
}
