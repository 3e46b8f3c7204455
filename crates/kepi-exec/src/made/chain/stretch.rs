//! Reading a stretch of time: the rows of all streams of a chain in the order of time, without those that cannot matter.

use super::super::gather::too_long;
use super::super::read::Taken;
use super::super::{Maker, NOWHERE};
use super::read::{Compiled, Hold, Part, Ready, SHARE_BITS};
use super::{Attempt, Entry};
use crate::ExecError;
use crate::rows::{Clock, Days, Frames, Payload, Program};
use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use kepi_model::value::CalendarSpan;

/// A stretch of time that is being read.
pub(super) struct Stretch<'a, H> {
    pub(super) maker: &'a Maker<'a>,
    pub(super) steps: u32,
    pub(super) strict: bool,
    pub(super) within: Option<CalendarSpan>,
    pub(super) clock: Clock,
    pub(super) days: Days,
    /// How many ids there are.
    pub(super) room: u32,
    pub(super) payload: Payload,
    /// By id: until when an attempt lasts that has begun. A row that is later plays no part, whatever begins behind it.
    pub(super) open: Vec<i64>,
    /// By share.
    pub(super) parts: Vec<Part<H>>,
    /// The share of each attempt.
    pub(super) order: Vec<u32>,
    pub(super) without: Vec<i64>,
}

/// A stream in the order of time, a frame at a time.
struct Reader {
    program: Program,
    sorts: Vec<Compiled>,
    frames: Frames,
    ended: bool,
    /// How many rows came before the frame, and how many it has.
    before: u32,
    len: u32,
    /// What the rows of the frame are, in their order.
    found: Vec<Candidate>,
    next: usize,
    /// By sort: the numbers of the values that the rows of the frame hold, and which of them are known.
    held: Vec<Option<(ScalarBuffer<i64>, Option<BooleanBuffer>)>>,
    /// Until when the attempts last that begin in the frame, and how many of them have been taken.
    ends: Vec<i64>,
    begun: usize,
    /// By row of the frame: the sorts that it is of, one bit each.
    bits: Vec<u64>,
}

/// A row that may play a part.
#[derive(Clone, Copy)]
struct Candidate {
    at: i64,
    id: u32,
    /// Its place in the frame.
    row: u32,
    sort: u32,
    /// Whether another row that has not been looked at may have the same moment.
    tied: bool,
}

/// In place of the moment of the next row of a stream that has ended.
const ENDED: i64 = i64::MAX;

impl<H: Hold> Stretch<'_, H> {
    /// Reads the streams side by side. Gives how many rows each has, and how many stored rows were read.
    pub(super) fn read(
        &mut self,
        programs: Vec<Ready>,
        from: Option<i64>,
        until: Option<i64>,
    ) -> Result<(Vec<u32>, u64), ExecError> {
        let mut readers = Vec::with_capacity(programs.len());
        for (program, sorts) in programs {
            if program.needs_period {
                return Err(ExecError::NotYet("`over period` in what rows are made of".into()));
            }
            let frames = program.frames(from, until)?;
            readers.push(Reader {
                program,
                sorts,
                frames,
                ended: false,
                before: 0,
                len: 0,
                found: Vec::new(),
                next: 0,
                held: Vec::new(),
                ends: Vec::new(),
                begun: 0,
                bits: Vec::new(),
            });
        }
        let mut heads = readers.iter_mut().map(|reader| self.head(reader)).collect::<Result<Vec<i64>, _>>()?;
        loop {
            // The stream with the earliest row, the first of them; and up to when no other one has a row before its own.
            let mut number = 0;
            for other in 1..heads.len() {
                if heads[other] < heads[number] {
                    number = other;
                }
            }
            if heads.get(number).is_none_or(|&head| head == ENDED) {
                break;
            }
            let (mut limit, mut bound) = (i64::MAX, i64::MAX);
            for (other, &head) in heads.iter().enumerate().filter(|other| other.0 != number) {
                bound = bound.min(head);
                limit = limit.min(if other < number { head.saturating_sub(1) } else { head });
            }
            self.take(&mut readers[number], limit, bound);
            heads[number] = self.head(&mut readers[number])?;
        }
        let scanned = readers.iter().map(|r| r.frames.scanned() + r.program.rows_scanned_elsewhere()).sum();
        Ok((readers.iter().map(|r| r.before).collect(), scanned))
    }

    /// The moment of the next row of a stream that may play a part.
    #[inline]
    fn head(&mut self, reader: &mut Reader) -> Result<i64, ExecError> {
        loop {
            if let Some(next) = reader.found.get(reader.next) {
                return Ok(next.at);
            }
            if reader.ended {
                return Ok(ENDED);
            }
            self.fill(reader)?;
        }
    }

    /// Reads the next frame of a stream.
    fn fill(&mut self, reader: &mut Reader) -> Result<(), ExecError> {
        let Reader { program, sorts, frames, ended, before, len, found, next, held, ends, begun, bits } = reader;
        *before = before.checked_add(*len).filter(|&n| n < NOWHERE).ok_or_else(too_long)?;
        (*len, *next, *begun) = (0, 0, 0);
        found.clear();
        held.clear();
        ends.clear();
        let bytes = |part: &Part<H>| (part.entries.len() * (size_of::<Entry<H>>() + 4) + part.at.len() * 40) as u64;
        self.maker.fits(self.parts.iter().map(bytes).sum())?;
        let Some(frame) = frames.next(program)? else {
            *ended = true;
            return Ok(());
        };
        program.evaluate(&frame)?;
        *len = u32::try_from(frame.len).map_err(|_| too_long())?;
        let Some(at) = &frame.at else { return Ok(()) };
        let words = sorts.len().div_ceil(64);
        // Rows of one sort need not be put together with those of others.
        let one = sorts.len() == 1;
        let mut only = None;
        bits.clear();
        bits.resize(if one { 0 } else { frame.len * words }, 0);
        let mut ids: Vec<ScalarBuffer<u32>> = Vec::with_capacity(sorts.len());
        for (number, sort) in sorts.iter().enumerate() {
            let mut lacking = Vec::new();
            let taken = sort.picked.taken(program, &frame, &mut lacking)?;
            if sort.role < self.steps {
                self.without.append(&mut lacking);
            }
            held.push(match sort.hold {
                Some(hold) => {
                    let column = program.value(hold);
                    Some((self.payload.encode(column)?, column.known()))
                }
                None => None,
            });
            let Some(Taken { mask, ids: own }) = taken else {
                ids.push(ScalarBuffer::default());
                continue;
            };
            let (word, bit) = (number / 64, 1 << (number % 64));
            match &mask {
                _ if one => {}
                None => (0..frame.len).for_each(|row| bits[row * words + word] |= bit),
                Some(mask) => mask.set_indices().for_each(|row| bits[row * words + word] |= bit),
            }
            if let (0, Some(span)) = (sort.role, self.within) {
                let Stretch { clock, days, .. } = self;
                *ends = match &mask {
                    None => clock.add_all(span, days, at),
                    Some(mask) => {
                        let starts: Vec<i64> = mask.set_indices().map(|row| at[row]).collect();
                        clock.add_all(span, days, &starts)
                    }
                };
            }
            ids.push(own);
            only = one.then_some(mask);
        }
        if let Some(mask) = only {
            let own = &ids[0];
            let of = |row: usize| Candidate { at: at[row], id: own[row], row: row as u32, sort: 0, tied: true };
            match mask {
                None => found.extend((0..frame.len).map(of)),
                Some(mask) => found.extend(mask.set_indices().map(of)),
            }
        }
        for (row, bits) in bits.chunks_exact(words).enumerate() {
            for (word, &bits) in bits.iter().enumerate() {
                let mut left = bits;
                while left != 0 {
                    let sort = word * 64 + left.trailing_zeros() as usize;
                    left &= left - 1;
                    let id = ids[sort][row];
                    found.push(Candidate { at: at[row], id, row: row as u32, sort: sort as u32, tied: true });
                }
            }
        }
        // Nothing is known yet of what follows the frame. Of one row the first step comes first.
        for i in (1..found.len()).rev() {
            let (before, own) = (found[i - 1], found[i]);
            found[i - 1].tied = if before.row == own.row { own.tied } else { before.at == own.at };
        }
        Ok(())
    }

    /// Takes the rows of a stream's frame up to a moment; `bound`: the moment of the next row of another stream.
    fn take(&mut self, reader: &mut Reader, limit: i64, bound: i64) {
        let Reader { sorts, before, found, next, held, ends, begun, .. } = reader;
        let (mut served, mut last) = (0, NOWHERE);
        for candidate in &found[*next..] {
            let Candidate { at, id, row, sort, tied } = *candidate;
            if at > limit {
                return;
            }
            *next += 1;
            let (place, own) = (*before + row, &sorts[sort as usize]);
            let mut entry = Entry { at, row: place, role: own.role, hold: H::default() };
            let starts = own.role == 0;
            let mut end = i64::MAX;
            if starts {
                end = ends.get(*begun).copied().unwrap_or(end);
                *begun += 1;
            }
            if id >= self.room {
                continue;
            }
            if let (true, Some((numbers, known))) = (H::HOLDS, &held[sort as usize]) {
                entry.hold = H::of(numbers[row as usize]);
                if known.as_ref().is_some_and(|known| !known.value(row as usize)) {
                    if !starts && !self.strict {
                        continue;
                    }
                    entry.role = own.unheld;
                }
            }
            let open = &mut self.open[id as usize];
            // Where another row has the same moment, an attempt may still begin at it.
            if !starts && at > *open && !tied && at < bound {
                continue;
            }
            let share = id >> SHARE_BITS;
            let part = &mut self.parts[share as usize];
            if starts {
                *open = (*open).max(end);
                entry.row = part.at.len() as u32;
                part.at.push(at);
                part.who.push(id);
                part.attempts.push(Attempt { end, place, reached: 1, converted: false, dropped: false });
                self.order.push(share);
            }
            served = if row == last { served } else { 0 } + u32::from(entry.role < self.steps);
            last = row;
            part.shared |= served > 1;
            part.ids.push(id);
            part.entries.push(entry);
        }
    }
}
