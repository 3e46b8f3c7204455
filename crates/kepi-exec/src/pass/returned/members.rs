//! The members of cohorts: whose row makes them one, of which period, and in which cells.

use super::Step;
use super::asked::{Asked, Of};
use super::numbers::Numbers;
use super::own;
use crate::ExecError;
use crate::pass::Source;
use crate::pass::accumulate::Rows;
use crate::pass::plan::{CellsOfRows, NO_CELL, Plan};
use crate::pass::scalar::CellKey;
use crate::pass::stream::Periods;
use crate::rows::Values;
use crate::zeros::zeros;
use std::collections::HashMap;
use std::ops::Range;

/// In place of a period: nobody has begun.
pub(super) const NEVER: i32 = i32::MIN;
/// In place of the last period that was counted: nothing counts.
pub(super) const NOBODY: i32 = i32::MAX;

/// What is kept by id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Member {
    /// The last period that was counted; with ages in brackets or a clock of its own the last age.
    pub(super) last: i32,
    /// The period of its cohort.
    pub(super) since: i32,
    /// Which other members have all its cells.
    pub(super) kind: u32,
}

/// Nobody yet.
pub(super) const NONE: Member = Member { last: NOBODY, since: NEVER, kind: NO_CELL };

/// What is known once all rows before an instant have gone by.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The id of the first of them.
    pub(super) first_id: u32,
    pub(super) by_id: Vec<Member>,
    /// By id the moment of its row, where somebody needs it.
    pub(super) at: Vec<i64>,
    /// By aggregate: its cells.
    pub(super) cells: Vec<Vec<CellKey>>,
    /// By kind the cell of each aggregate, or [`NO_CELL`].
    pub(super) kinds: Vec<Box<[u32]>>,
    /// By aggregate and cell: how many members.
    pub(super) sizes: Vec<Vec<i64>>,
    /// How often members came back, by age and kind; with `onward` nothing, since what comes last is told by id.
    pub(super) counts: Vec<i64>,
    /// Rows that name nobody.
    pub(super) without: u64,
    pub(super) kept: u64,
    pub(super) first: Option<i64>,
    /// How many rows were read now.
    pub(super) scanned: u64,
}

impl Known {
    /// Nobody of these ids.
    ///
    /// Errors: they take more memory than there may be.
    pub(super) fn of_nobody(
        ids: Range<usize>,
        asked: &Asked,
        needs_moments: bool,
        source: &Source,
    ) -> Result<Known, ExecError> {
        source.fits_share(bytes(ids.len(), needs_moments, asked, source.threads))?;
        let aggregates = asked.counted.len();
        Ok(Known {
            first_id: ids.start as u32,
            by_id: vec![NONE; ids.len()],
            at: zeros(if needs_moments { ids.len() } else { 0 }),
            cells: vec![Vec::new(); aggregates],
            sizes: vec![Vec::new(); aggregates],
            ..Known::default()
        })
    }

    /// How many bytes they take, about, while up to so many threads look who comes back.
    pub(super) fn bytes(&self, asked: &Asked, threads: usize) -> usize {
        // A kind stands in a list and in an index, and may have a cell of its own for each aggregate.
        let kind = 64 + 64 * self.cells.len();
        bytes(self.by_id.len(), !self.at.is_empty(), asked, threads) + kind * self.kinds.len()
    }

    /// Gives what was counted by age and kind room for kinds that have come since.
    fn widen(&mut self, kinds: usize) {
        if self.kinds.len() != kinds && !self.counts.is_empty() {
            let ages = self.counts.chunks(self.kinds.len());
            let wider = ages.flat_map(|own| own.iter().copied().chain(std::iter::repeat_n(0, kinds - own.len())));
            self.counts = wider.collect();
        }
    }
}

/// How many bytes so many members take while up to so many threads look who comes back, each with a copy; or while they
/// are read out of bytes that were kept.
fn bytes(ids: usize, needs_moments: bool, asked: &Asked, threads: usize) -> usize {
    let ages = if asked.is_plain() { 0 } else { size_of::<i32>() };
    let own = if asked.returns.own_clock { own::BYTES } else { 0 };
    let moment = if needs_moments { size_of::<i64>() } else { 0 };
    ids * (size_of::<Member>() * (1 + threads).max(3) + threads * (ages + own) + moment)
}

/// Reads the rows of a stretch of time that make members. No: somebody is one of several cohorts.
pub(super) fn begun(step: &Step<'_>, plan: &mut Plan, known: &mut Known) -> Result<bool, ExecError> {
    let (asked, pass, zone) = (step.asked, &step.asked.members, step.zone);
    let (from, aggregates) = (pass.first_instant(), asked.counted.len());
    let until = step.until.map_or(pass.until, |until| until.min(pass.until));
    let (plain, before) = (asked.is_plain(), known.kinds.len() as u32);
    let mut sizes: Vec<Vec<i64>> = vec![Vec::new(); aggregates];
    let mut numbers = Numbers::new(asked.returns, zone);
    let mut periods = Periods::new(pass.per.clone());
    let mut kinds = Kinds::default();
    let mut own = vec![NO_CELL; aggregates];
    let mut frames = plan.program.frames(step.from, Some(until))?;
    while let Some(frame) = frames.next(&plan.program)? {
        let frame = plan.evaluate(frame)?;
        let Some(at) = frame.at.as_ref().filter(|_| frame.len > 0) else { continue };
        let start = from.map_or(0, |from| at.partition_point(|&t| t < from));
        let inside = match start < frame.len {
            true => periods.cut(Some(at), start..frame.len, zone)?,
            false => Vec::new(),
        };
        let CellsOfRows { taken, argument, cells } = plan.placed(&frame, &inside)?;
        let Values::Id(keys, _) = &argument.values else { return Ok(false) };
        let (taken, lacking) = match &argument.valid {
            None => (taken, None),
            Some(valid) => {
                let lacking = taken.as_ref().map_or_else(|| !valid.inner(), |taken| taken & &!valid.inner());
                (Some(taken.map_or_else(|| valid.inner().clone(), |taken| &taken & valid.inner())), Some(lacking))
            }
        };
        if let Some(lacking) = lacking {
            known.without += lacking.slice(start, frame.len - start).count_set_bits() as u64;
        }
        for (range, number) in numbers.cut(&frame)? {
            let mut twice = false;
            Rows { range: &range, mask: taken.as_ref() }.each(|row| {
                let place = keys[row].wrapping_sub(known.first_id) as usize;
                let Some(member) = known.by_id.get_mut(place).filter(|m| m.since != number) else { return };
                own.iter_mut().zip(&cells).for_each(|(own, cells)| *own = cells[row]);
                let counts = own.iter().any(|&cell| cell != NO_CELL);
                if member.kind != NO_CELL {
                    twice |= counts;
                    return;
                }
                member.since = number;
                if !counts {
                    return;
                }
                member.kind = before + kinds.kind(&own);
                member.last = if plain { number } else { 0 };
                if let Some(moment) = known.at.get_mut(place) {
                    *moment = at[row];
                }
                let mut kept = false;
                for ((counted, sizes), &cell) in asked.counted.iter().zip(&mut sizes).zip(&own) {
                    if counted.of == Of::Members && cell != NO_CELL {
                        if sizes.len() <= cell as usize {
                            sizes.resize(cell as usize + 1, 0);
                        }
                        sizes[cell as usize] += 1;
                        kept = true;
                    }
                }
                if kept {
                    known.kept += 1;
                    known.first.get_or_insert(at[row]);
                }
            });
            if twice {
                return Ok(false);
            }
        }
    }
    known.scanned += frames.scanned() + plan.program.rows_scanned_elsewhere();
    settle(plan, known, kinds.all, &sizes);
    Ok(true)
}

/// Gives the cells that a plan has found the numbers that they have among those that are known.
fn settle(plan: &mut Plan, known: &mut Known, mut kinds: Vec<Box<[u32]>>, sizes: &[Vec<i64>]) {
    for (number, own) in sizes.iter().enumerate() {
        let all = &mut known.cells[number];
        let mut index: HashMap<CellKey, u32> = all.iter().cloned().zip(0..).collect();
        let places = plan.cells_of(number + 1).into_iter().map(|(period, labels)| {
            let next = all.len() as u32;
            *index.entry(CellKey { period, labels }).or_insert_with_key(|key| {
                all.push(key.clone());
                next
            })
        });
        let places: Vec<u32> = places.collect();
        known.sizes[number].resize(all.len(), 0);
        own.iter().zip(&places).for_each(|(count, &place)| known.sizes[number][place as usize] += count);
        for cell in kinds.iter_mut().map(|cells| &mut cells[number]).filter(|cell| **cell != NO_CELL) {
            *cell = places[*cell as usize];
        }
    }
    known.widen(known.kinds.len() + kinds.len());
    known.kinds.append(&mut kinds);
}

/// Numbers what members have in common: their cells.
#[derive(Default)]
struct Kinds {
    all: Vec<Box<[u32]>>,
    index: HashMap<Box<[u32]>, u32>,
    /// By cell of the last aggregate: the kind that was last seen with it, which mostly is the only one.
    recent: Vec<u32>,
}

impl Kinds {
    fn kind(&mut self, cells: &[u32]) -> u32 {
        let place = cells.last().map_or(0, |&cell| cell.wrapping_add(1)) as usize;
        if let Some(&kind) = self.recent.get(place)
            && self.all.get(kind as usize).is_some_and(|known| **known == *cells)
        {
            return kind;
        }
        let next = self.all.len() as u32;
        let kind = *self.index.entry(cells.into()).or_insert_with_key(|cells| {
            self.all.push(cells.clone());
            next
        });
        if place >= self.recent.len() {
            self.recent.resize(place + 1, NO_CELL);
        }
        self.recent[place] = kind;
        kind
    }
}
