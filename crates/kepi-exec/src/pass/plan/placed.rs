//! The cells in which rows lie, for who counts there himself.

use super::Plan;
use super::Segment;
use crate::ExecError;
use crate::pass::accumulate::Rows;
use crate::pass::scalar::Labels;
use crate::rows::{Column, Frame};
use arrow_buffer::BooleanBuffer;

/// In place of a cell: the row is in none.
pub(in crate::pass) const NO_CELL: u32 = u32::MAX;

/// Where the rows of a batch lie.
pub(in crate::pass) struct Cells {
    /// The rows that the first aggregate takes; none: all of them.
    pub(in crate::pass) taken: Option<BooleanBuffer>,
    /// Its argument.
    pub(in crate::pass) argument: Column,
    /// By further aggregate and row the cell among those of the aggregate, or [`NO_CELL`].
    pub(in crate::pass) cells: Vec<Vec<u32>>,
}

impl Plan {
    /// The cells of the rows of a batch that the program has been run on; rows outside the segments are in none.
    pub(in crate::pass) fn placed(&mut self, frame: &Frame, segments: &[Segment]) -> Result<Cells, ExecError> {
        let masks = self.masks_of(None)?;
        let Plan { program, aggregates, sets, .. } = self;
        let mut cells: Vec<Vec<u32>> = aggregates.iter().skip(1).map(|_| vec![NO_CELL; frame.len]).collect();
        for (own, set) in sets.iter_mut().enumerate() {
            let labels: Vec<&Column> = set.labels.iter().map(|&label| program.value(label)).collect();
            let groups = set.groups.encode(&labels, 0..frame.len)?;
            for (range, period) in segments {
                set.slots.begin(*period);
                for (planned, cells) in aggregates.iter().skip(1).zip(&mut cells).filter(|(p, _)| p.set == own) {
                    let rows = Rows { range, mask: masks[planned.mask].as_ref() };
                    rows.each(|row| cells[row] = set.slots.slot(groups.get(row).copied().unwrap_or(0)));
                }
            }
        }
        let first = aggregates.first().and_then(|planned| Some((planned.mask, *planned.args.first()?)));
        let (mask, argument) = first.ok_or_else(|| ExecError::Plan("nothing says whose rows these are".into()))?;
        Ok(Cells { taken: masks[mask].clone(), argument: program.value(argument).clone(), cells })
    }

    /// Period and labels of the cells that an aggregate has, by their numbers.
    pub(in crate::pass) fn cells_of(&mut self, aggregate: usize) -> Vec<(Option<i64>, Labels)> {
        let Some(planned) = self.aggregates.get(aggregate) else { return Vec::new() };
        let set = &mut self.sets[planned.set];
        let groups = &mut set.groups;
        set.slots.cells().iter().map(|&(period, group)| (period, groups.decode(group))).collect()
    }
}
