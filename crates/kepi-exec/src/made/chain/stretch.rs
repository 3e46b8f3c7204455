//! Reading a stretch of time: the rows of all streams of a chain in the order of time, without those that cannot matter.

use super::super::Taken as Room;
use super::super::gather::too_long;
use super::super::read::Taken;
use super::super::{Maker, NOWHERE, Stretch as Time};
use super::open::Open;
use super::read::{Compiled, Hold, Part, Ready, SHARE_BITS};
use super::{Attempt, Entry};
use crate::ExecError;
use crate::rows::{Clock, Days, Frame, Frames, Payload, Program};
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
    /// By id: until when an attempt lasts that has begun, where that is short. A row that is later plays no part, whatever
    /// begins behind it.
    pub(super) open: Vec<i64>,
    /// The same, coarse, and of attempts that are still to come as well: what rows are looked up in as they are read.
    pub(super) about: Open,
    /// Rows of a frame: to be used again.
    pub(super) picked: Vec<u32>,
    /// By share.
    pub(super) parts: Vec<Part<H>>,
    /// The share of each attempt.
    pub(super) order: Vec<u32>,
    pub(super) without: Vec<i64>,
    /// The memory that all of it takes.
    pub(super) room_taken: Room,
}

/// A stream in the order of time, a frame at a time.
struct Reader<H> {
    program: Program,
    sorts: Vec<Compiled>,
    frames: Frames,
    time: Time,
    ended: bool,
    /// How many rows came before the frame, and how many it has.
    before: u32,
    len: u32,
    /// What has been read and may play a part, in its order; of the stream of the first step some frames ahead.
    found: Vec<Candidate<H>>,
    next: usize,
    /// The moment of the last row that has been read.
    last: i64,
    /// The moment of the last row that has been looked at: those to come are not earlier.
    done: i64,
    /// By row of the frame: the sorts that it is of, one bit each.
    bits: Vec<u64>,
}

/// A row that may play a part.
#[derive(Clone, Copy)]
struct Candidate<H> {
    at: i64,
    /// When the attempt ends that it begins.
    end: i64,
    hold: H,
    id: u32,
    /// Its place in the stream.
    row: u32,
    role: u32,
    starts: bool,
    /// Whether another row that has not been looked at may have the same moment.
    tied: bool,
}

/// The rows of one sort in a frame.
struct Own {
    mask: Option<BooleanBuffer>,
    ids: ScalarBuffer<u32>,
    /// The numbers of the values that they hold, and which of them are known.
    held: Option<(ScalarBuffer<i64>, Option<BooleanBuffer>)>,
}

/// In place of the moment of the next row of a stream that has ended.
const ENDED: i64 = i64::MAX;

/// So many frames the first step may be read ahead of a frame of another stream, to know whose attempts may be open.
const AHEAD: usize = 8;

impl<H: Hold> Stretch<'_, H> {
    /// Reads the streams side by side. Gives how many rows each has, and how many stored rows were read.
    pub(super) fn read(&mut self, programs: Vec<Ready>, time: Time) -> Result<(Vec<u32>, u64), ExecError> {
        let mut readers: Vec<Reader<H>> = Vec::with_capacity(programs.len());
        for (program, sorts) in programs {
            if program.needs_period {
                return Err(ExecError::NotYet("`over period` in what rows are made of".into()));
            }
            let frames = time.frames(&program)?;
            let (found, bits, last) = (Vec::new(), Vec::new(), i64::MIN);
            readers.push(Reader {
                program,
                sorts,
                frames,
                time,
                ended: false,
                before: 0,
                len: 0,
                found,
                next: 0,
                last,
                done: last,
                bits,
            });
        }
        let mut heads = Vec::with_capacity(readers.len());
        for number in 0..readers.len() {
            heads.push(self.head(&mut readers, number)?);
        }
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
            heads[number] = self.head(&mut readers, number)?;
        }
        let scanned = readers.iter().map(|r| r.frames.scanned() + r.program.rows_scanned_elsewhere()).sum();
        Ok((readers.iter().map(|r| r.before).collect(), scanned))
    }

    /// The moment of the next row of a stream that may play a part.
    #[inline]
    fn head(&mut self, readers: &mut [Reader<H>], number: usize) -> Result<i64, ExecError> {
        loop {
            let reader = &readers[number];
            if let Some(next) = reader.found.get(reader.next) {
                return Ok(next.at);
            }
            if reader.ended {
                return Ok(ENDED);
            }
            self.fill(readers, number)?;
        }
    }

    /// Reads the next frame of a stream.
    fn fill(&mut self, readers: &mut [Reader<H>], number: usize) -> Result<(), ExecError> {
        let bytes = |part: &Part<H>| (part.entries.len() * (size_of::<Entry<H>>() + 4) + part.at.len() * 40) as u64;
        let ahead = readers.iter().map(|reader| (reader.found.len() * size_of::<Candidate<H>>()) as u64);
        self.room_taken.grow(ahead.sum::<u64>() + self.parts.iter().map(bytes).sum::<u64>())?;
        let Some(frame) = readers[number].read()? else { return Ok(()) };
        let Some(at) = &frame.at else { return Ok(()) };
        let last = readers[number].last;
        // Rows of other streams matter where an attempt may be open: whoever begins one up to the frame's last moment has to
        // be known. Where that would be many, all rows are looked at in their order.
        let mut known = true;
        for ahead in 0.. {
            if number == 0 || readers[0].ended || readers[0].last > last {
                break;
            }
            known = ahead < AHEAD;
            if !known {
                break;
            }
            self.fill(readers, 0)?;
        }
        let begun = at.first().copied().unwrap_or(last);
        let others = readers.iter().enumerate().filter(|(other, reader)| *other != number && !reader.ended);
        self.about.forget(others.map(|(_, reader)| reader.done).fold(begun, i64::min));
        let reader = &mut readers[number];
        let own = self.own(reader, &frame)?;
        let mut ends = Vec::new();
        if let (0, Some((_, own))) = (number, reader.sorts.iter().zip(&own).find(|(sort, _)| sort.role == 0)) {
            ends = self.ends(at, own.mask.as_ref());
            let mut next = ends.iter();
            each(own.mask.as_ref(), at.len(), |row| {
                self.about.begin(own.ids[row], next.next().copied().unwrap_or(i64::MAX));
            });
        }
        reader.found.drain(..std::mem::take(&mut reader.next));
        let first = reader.found.len();
        // Those at the last moment may have the same as others behind the frame.
        let tied = if number == 0 { at.partition_point(|&t| t < last) } else { at.len() };
        self.find(reader, at, &own, (&ends, tied, known));
        reader.done = last;
        // Nothing is known yet of what follows the frame. Of one row the first step comes first.
        let found = &mut reader.found[first..];
        for i in (1..found.len()).rev() {
            let (before, own) = (found[i - 1], found[i]);
            found[i - 1].tied = if before.row == own.row { own.tied } else { before.at == own.at };
        }
        Ok(())
    }

    /// What rows of each sort a frame has.
    fn own(&mut self, reader: &Reader<H>, frame: &Frame) -> Result<Vec<Own>, ExecError> {
        let mut all = Vec::with_capacity(reader.sorts.len());
        for sort in &reader.sorts {
            let mut lacking = Vec::new();
            let taken = sort.picked.taken(&reader.program, frame, &mut lacking)?;
            // They are told once.
            let first = self.maker.time.ids.is_none_or(|(first, _)| first == 0);
            if sort.role < self.steps && first {
                self.without.append(&mut lacking);
            }
            let held = match sort.hold {
                Some(hold) => {
                    let column = reader.program.value(hold);
                    Some((self.payload.encode(column)?, column.known()))
                }
                None => None,
            };
            let nobody = || Taken { mask: Some(BooleanBuffer::new_unset(frame.len)), ids: vec![0; frame.len].into() };
            let Taken { mut mask, ids } = taken.unwrap_or_else(nobody);
            if let Some((first, end)) = self.maker.time.ids {
                let own = BooleanBuffer::collect_bool(frame.len, |row| (first..end).contains(&ids[row]));
                mask = Some(mask.map_or_else(|| own.clone(), |mask| &mask & &own));
            }
            all.push(Own { mask, ids, held });
        }
        Ok(all)
    }

    /// When the attempts end that some rows begin; empty: never.
    fn ends(&mut self, at: &[i64], mask: Option<&BooleanBuffer>) -> Vec<i64> {
        let Some(span) = self.within else { return Vec::new() };
        let Stretch { clock, days, .. } = self;
        match mask {
            None => clock.add_all(span, days, at),
            Some(mask) => {
                let starts: Vec<i64> = mask.set_indices().map(|row| at[row]).collect();
                clock.add_all(span, days, &starts)
            }
        }
    }

    /// Finds the rows of a frame that may play a part; `ends` are those of the attempts that begin in it. Where it is `known`
    /// who begins one before its end, only rows of these, and those from the row `tied` on.
    fn find(&mut self, reader: &mut Reader<H>, at: &[i64], own: &[Own], (ends, tied, known): (&[i64], usize, bool)) {
        let Reader { sorts, before, found, bits, .. } = reader;
        let mut picked = std::mem::take(&mut self.picked);
        let words = own.len().div_ceil(64);
        bits.clear();
        // Rows of several sorts are put together, those of one row in their order.
        bits.resize(if own.len() > 1 { at.len() * words } else { 0 }, 0);
        for (number, Own { mask, ids, .. }) in own.iter().enumerate() {
            self.pick(&mut picked, (mask.as_ref(), ids), at, if sorts[number].role == 0 || !known { 0 } else { tied });
            let (word, bit) = (number / 64, 1 << (number % 64));
            if own.len() > 1 {
                picked.iter().for_each(|&row| bits[row as usize * words + word] |= bit);
            }
        }
        let mut ends = ends.iter();
        let mut add = |row: usize, number: usize| {
            let (sort, Own { ids, held, .. }) = (&sorts[number], &own[number]);
            let (starts, id) = (sort.role == 0, ids[row]);
            let end = if starts { ends.next().copied().unwrap_or(i64::MAX) } else { i64::MAX };
            if id >= self.room {
                return;
            }
            let (mut role, mut hold) = (sort.role, H::default());
            if let (true, Some((numbers, known))) = (H::HOLDS, held) {
                hold = H::of(numbers[row]);
                if known.as_ref().is_some_and(|known| !known.value(row)) {
                    if !starts && !self.strict {
                        return;
                    }
                    role = sort.unheld;
                }
            }
            let (row, at) = (*before + row as u32, at[row]);
            found.push(Candidate { at, end, hold, id, row, role, starts, tied: true });
        };
        if own.len() == 1 {
            picked.iter().for_each(|&row| add(row as usize, 0));
        }
        for (row, bits) in bits.chunks_exact(words.max(1)).enumerate() {
            for (word, &bits) in bits.iter().enumerate() {
                let mut left = bits;
                while left != 0 {
                    let number = word * 64 + left.trailing_zeros() as usize;
                    left &= left - 1;
                    add(row, number);
                }
            }
        }
        self.picked = picked;
    }

    /// Picks the rows of a sort whose attempts may be open, and all from the row `tied` on. There is nothing in it that one
    /// row waits for another.
    fn pick(&self, picked: &mut Vec<u32>, (mask, ids): (Option<&BooleanBuffer>, &[u32]), at: &[i64], tied: usize) {
        picked.clear();
        picked.resize(at.len() + 1, 0);
        let mut count = 0;
        each(mask, at.len(), |row| {
            picked[count] = row as u32;
            count += usize::from(self.about.has_any(ids[row]) | (row >= tied));
        });
        picked.truncate(count);
        picked.retain(|&row| row as usize >= tied || self.about.has(ids[row as usize], at[row as usize]));
    }

    /// Takes the rows of a stream up to a moment; `bound`: the moment of the next row of another stream.
    fn take(&mut self, reader: &mut Reader<H>, limit: i64, bound: i64) {
        let Reader { found, next, .. } = reader;
        let (mut served, mut last) = (0, NOWHERE);
        for candidate in &found[*next..] {
            let Candidate { at, end, hold, id, row, role, starts, tied } = *candidate;
            if at > limit {
                return;
            }
            *next += 1;
            if let Some(open) = self.open.get_mut(id as usize) {
                // Where another row has the same moment, an attempt may still begin at it.
                if !starts && at > *open && !tied && at < bound {
                    continue;
                }
                *open = if starts { end.max(*open) } else { *open };
            }
            let share = id >> SHARE_BITS;
            let part = &mut self.parts[share as usize];
            let mut entry = Entry { at, row, role, hold };
            if starts {
                entry.row = part.at.len() as u32;
                part.at.push(at);
                part.who.push(id);
                part.attempts.push(Attempt { end, place: row, reached: 1, converted: false, dropped: false });
                self.order.push(share);
            }
            served = if row == last { served } else { 0 } + u32::from(role < self.steps);
            last = row;
            part.shared |= served > 1;
            part.ids.push(id);
            part.entries.push(entry);
        }
    }
}

impl<H> Reader<H> {
    /// Reads the next frame and computes what is asked of its rows; none: there is none.
    fn read(&mut self) -> Result<Option<Frame>, ExecError> {
        self.before = self.before.checked_add(self.len).filter(|&n| n < NOWHERE).ok_or_else(too_long)?;
        self.len = 0;
        let Some(frame) = self.time.next(&mut self.frames, &mut self.program)? else {
            self.ended = true;
            return Ok(None);
        };
        self.program.evaluate(&frame)?;
        self.len = u32::try_from(frame.len).map_err(|_| too_long())?;
        let at = frame.at.as_ref().and_then(|at| at.last().copied());
        self.last = at.unwrap_or(self.last);
        Ok(Some(frame))
    }
}

/// Calls with each of some rows.
#[inline]
fn each(mask: Option<&BooleanBuffer>, len: usize, take: impl FnMut(usize)) {
    match mask {
        None => (0..len).for_each(take),
        Some(mask) => mask.set_indices().for_each(take),
    }
}
