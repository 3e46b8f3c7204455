//! The value of the row with the greatest rank, by cell.

use super::accumulate::{Cell, Rows, at};
use super::scalar::{Scalar, scalar_of};
use crate::ExecError;
use crate::rows::{Column, Payload, Type};
use arrow_array::StringArray;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// What is kept per cell while rows go by: the first of the rows with the greatest rank so far.
pub(crate) struct Ranking {
    ranks: Payload,
    cells: Vec<Kept>,
}

#[derive(Clone, Copy, Default)]
struct Kept {
    seen: bool,
    rank: Option<i64>,
    value: Option<i64>,
}

/// The same, to travel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ranked {
    seen: bool,
    rank: Scalar,
    value: Scalar,
}

impl Ranking {
    /// Empty, for ranks of a type.
    pub(crate) fn new(ranks: Type) -> Result<Ranking, ExecError> {
        match ranks {
            Type::Id(entity) => Err(ExecError::Plan(format!("rows are ranked by {entity}"))),
            ranks => Ok(Ranking { ranks: Payload::new(ranks), cells: Vec::new() }),
        }
    }

    /// Adds rows; one with a missing value takes part as any other.
    pub(crate) fn update(
        &mut self,
        rows: Rows<'_>,
        cell: Cell<'_>,
        cells: usize,
        (of, rank): (&Column, &Column),
        values: &mut Payload,
    ) -> Result<(), ExecError> {
        if self.cells.len() < cells {
            self.cells.resize(cells, Kept::default());
        }
        let (numbers, given) = (values.encode(of)?, self.ranks.encode(rank)?);
        rows.each(|row| {
            let kept = &mut self.cells[at(cell, row) as usize];
            let rank = rank.is_known(row).then(|| given[row]);
            let greater = match (kept.rank, rank) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(old), Some(new)) => self.ranks.compare(new, old) == Ordering::Greater,
            };
            if !kept.seen || greater {
                *kept = Kept { seen: true, rank, value: of.is_known(row).then(|| numbers[row]) };
            }
        });
        Ok(())
    }

    /// What was kept, to travel. There are `cells` cells.
    pub(crate) fn into_ranked(mut self, cells: usize, values: &mut Payload, keys: Option<&StringArray>) -> Vec<Ranked> {
        let mut cells_kept = std::mem::take(&mut self.cells);
        cells_kept.resize(cells, Kept::default());
        let ranked = |kept: Kept| Ranked {
            seen: kept.seen,
            rank: kept.rank.map_or(Scalar::Missing, |rank| scalar_of(&mut self.ranks, rank, None)),
            value: kept.value.map_or(Scalar::Missing, |value| scalar_of(values, value, keys)),
        };
        cells_kept.into_iter().map(ranked).collect()
    }
}

impl Ranked {
    /// The value.
    pub(crate) fn value(&self) -> &Scalar {
        &self.value
    }

    /// Whether what later rows have takes its place.
    pub(crate) fn gives_way_to(&self, later: &Ranked) -> bool {
        if !self.seen || !later.seen {
            return later.seen;
        }
        match (&self.rank, &later.rank) {
            (_, Scalar::Missing) => false,
            (Scalar::Missing, _) => true,
            (old, new) => new > old,
        }
    }
}
