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
    at: ScalarBuffer<i64>,
    /// The rows of the frame that play a part.
    rows: Vec<u32>,
    next: usize,
    /// By sort: which rows are of it.
    taken: Vec<Sorted>,
}

/// The rows of a frame that are of one sort; of none where there are no ids.
#[derive(Default)]
struct Sorted {
    mask: Option<BooleanBuffer>,
    ids: ScalarBuffer<u32>,
    /// The numbers of the held values, and which of them are known.
    held: Option<(ScalarBuffer<i64>, Option<BooleanBuffer>)>,
    /// Of the first step: until when the attempts last that begin here, and how many of them have been taken.
    ends: Vec<i64>,
    begun: usize,
}

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
                at: ScalarBuffer::default(),
                rows: Vec::new(),
                next: 0,
                taken: Vec::new(),
            });
        }
        loop {
            // The stream with the earliest row, the first of them, and the earliest of the others.
            let mut best: Option<(i64, usize)> = None;
            let mut bound = (i64::MAX, usize::MAX);
            for (number, reader) in readers.iter_mut().enumerate() {
                while reader.next == reader.rows.len() && !reader.ended {
                    self.fill(reader)?;
                }
                let Some(&row) = reader.rows.get(reader.next) else { continue };
                let own = (reader.at[row as usize], number);
                match best {
                    Some(known) if known <= own => bound = bound.min(own),
                    known => {
                        bound = known.map_or(bound, |known| bound.min(known));
                        best = Some(own);
                    }
                }
            }
            let Some((_, number)) = best else { break };
            self.take(&mut readers[number], number, bound);
        }
        let scanned = readers.iter().map(|r| r.frames.scanned() + r.program.rows_scanned_elsewhere()).sum();
        Ok((readers.iter().map(|r| r.before).collect(), scanned))
    }

    /// Reads the next frame of a stream.
    fn fill(&mut self, reader: &mut Reader) -> Result<(), ExecError> {
        let Reader { program, sorts, frames, ended, before, len, at, rows, next, taken } = reader;
        *before = before.checked_add(*len).filter(|&n| n < NOWHERE).ok_or_else(too_long)?;
        (*len, *next) = (0, 0);
        rows.clear();
        let bytes = |part: &Part<H>| (part.entries.len() * (size_of::<Entry<H>>() + 4) + part.at.len() * 40) as u64;
        self.maker.fits(self.parts.iter().map(bytes).sum())?;
        let Some(frame) = frames.next(program)? else {
            *ended = true;
            return Ok(());
        };
        program.evaluate(&frame)?;
        *len = u32::try_from(frame.len).map_err(|_| too_long())?;
        *at = frame.at.clone().unwrap_or_default();
        taken.clear();
        for sort in sorts.iter() {
            let mut lacking = Vec::new();
            let found = sort.picked.taken(program, &frame, &mut lacking)?;
            if sort.role < self.steps {
                self.without.append(&mut lacking);
            }
            let Some(Taken { mask, ids }) = found else {
                taken.push(Sorted { mask: Some(BooleanBuffer::new_unset(frame.len)), ..Sorted::default() });
                continue;
            };
            let held = match sort.hold {
                Some(hold) => {
                    let column = program.value(hold);
                    Some((self.payload.encode(column)?, column.known()))
                }
                None => None,
            };
            let ends = match (sort.role, self.within) {
                (0, Some(span)) => {
                    let Stretch { clock, days, .. } = self;
                    match &mask {
                        None => clock.add_all(span, days, at),
                        Some(mask) => {
                            let starts: Vec<i64> = mask.set_indices().map(|row| at[row]).collect();
                            clock.add_all(span, days, &starts)
                        }
                    }
                }
                _ => Vec::new(),
            };
            taken.push(Sorted { mask, ids, held, ends, begun: 0 });
        }
        let masks: Option<Vec<&BooleanBuffer>> = taken.iter().map(|sorted| sorted.mask.as_ref()).collect();
        match masks.as_deref() {
            None => rows.extend(0..*len),
            Some([]) => {}
            Some([only]) => rows.extend(only.set_indices().map(|row| row as u32)),
            Some([first, others @ ..]) => {
                let any = others.iter().fold((*first).clone(), |any, mask| &any | *mask);
                rows.extend(any.set_indices().map(|row| row as u32));
            }
        }
        if let [only] = &mut taken[..] {
            // All rows that are left are of this one.
            only.mask = None;
        }
        Ok(())
    }

    /// Takes the rows of a stream's frame up to the earliest of the others.
    fn take(&mut self, reader: &mut Reader, number: usize, bound: (i64, usize)) {
        let Reader { sorts, before, at, rows, next, taken, .. } = reader;
        while let Some(&row) = rows.get(*next) {
            let (place, row) = (*before + row, row as usize);
            let moment = at[row];
            if (moment, number) > bound {
                return;
            }
            *next += 1;
            // Whether nothing may begin at the same moment that has not been seen yet.
            let alone = moment < bound.0 && rows.get(*next).is_some_and(|&next| at[next as usize] > moment);
            let mut served = 0;
            for (sort, sorted) in sorts.iter().zip(taken.iter_mut()) {
                if sorted.mask.as_ref().is_some_and(|mask| !mask.value(row)) {
                    continue;
                }
                let mut entry = Entry { at: moment, row: place, role: sort.role, hold: H::default() };
                let mut end = i64::MAX;
                if sort.role == 0 {
                    end = sorted.ends.get(sorted.begun).copied().unwrap_or(end);
                    sorted.begun += 1;
                }
                let id = sorted.ids[row];
                if id >= self.room {
                    continue;
                }
                if let Some((numbers, known)) = &sorted.held {
                    entry.hold = H::of(numbers[row]);
                    if known.as_ref().is_some_and(|known| !known.value(row)) {
                        if sort.role > 0 && !self.strict {
                            continue;
                        }
                        entry.role = sort.unheld;
                    }
                }
                let share = id >> SHARE_BITS;
                let part = &mut self.parts[share as usize];
                let open = &mut self.open[id as usize];
                if sort.role == 0 {
                    *open = (*open).max(end);
                    entry.row = part.at.len() as u32;
                    part.at.push(moment);
                    part.who.push(id);
                    part.attempts.push(Attempt { end, place, reached: 1, converted: false, dropped: false });
                    self.order.push(share);
                } else if alone && moment > *open {
                    continue;
                }
                served += u32::from(entry.role < self.steps);
                part.shared |= served > 1;
                part.ids.push(id);
                part.entries.push(entry);
            }
        }
    }
}
