//! Reading the rows of a chain's steps, and putting them together by entity.

use super::super::gather::too_long;
use super::super::read::{Picked, read};
use super::super::{Maker, NOWHERE};
use super::{Attempts, Entry, Shape};
use crate::ExecError;
use crate::rows::{Frame, Payload, Program, Type, common_type};
use arrow_buffer::ScalarBuffer;
use kepi_model::core::{Base, Chain, ChainOrder, Keyed, Row};
use std::ops::Range;

/// The held value of a row: nothing, or a number that is the same for the same values.
pub(super) trait Hold: Copy + Ord + Default {
    /// Whether there is one.
    const HOLDS: bool;
    /// Of the number of a value.
    fn of(number: i64) -> Self;
}

impl Hold for () {
    const HOLDS: bool = false;
    fn of(_: i64) -> Self {}
}

impl Hold for i64 {
    const HOLDS: bool = true;
    fn of(number: i64) -> Self {
        number
    }
}

/// The rows of all entities.
pub(super) struct Timelines<H> {
    pub(super) shape: Shape,
    pub(super) attempts: Attempts,
    /// Stream by stream, each in the order of time.
    pub(super) entries: Vec<Entry<H>>,
    /// The entities of the entries.
    pub(super) ids: Vec<u32>,
    /// Where the entries of each stream lie.
    pub(super) streams: Vec<Range<usize>>,
    /// How many ids there are.
    pub(super) room: usize,
    /// Whether some row may serve several steps.
    pub(super) shared: bool,
    pub(super) without: Vec<i64>,
    pub(super) scanned: u64,
}

/// What the rows of a derived event are to the chain.
struct Part<'a> {
    rows: &'a Keyed,
    role: usize,
    hold: Option<&'a Row>,
    base: usize,
}

/// The same, compiled.
struct Compiled {
    picked: Picked,
    role: u32,
    hold: Option<usize>,
    /// The role of its rows whose held value is missing: they serve no step, but interrupt a strict chain, and those of
    /// the first step are attempts.
    unheld: u32,
}

impl<H: Hold> Timelines<H> {
    /// Reads all rows that play a part.
    pub(super) fn read(maker: &Maker, chain: &Chain) -> Result<Timelines<H>, ExecError> {
        let (parts, bases, shape) = parts(chain);
        let mut programs = Vec::new();
        for (number, base) in bases.iter().enumerate() {
            let mut program = maker.program(base)?;
            let mut own = Vec::new();
            for part in parts.iter().filter(|p| p.base == number) {
                let picked = Picked::new(&mut program, &part.rows.events, &part.rows.key)?;
                let hold = part.hold.map(|hold| program.row(hold)).transpose()?;
                let unheld = match part.role {
                    0 => shape.alone(),
                    _ => shape.alone() - (bases.len() - number) as u32,
                };
                own.push(Compiled { picked, role: part.role as u32, hold, unheld });
            }
            programs.push((program, own));
        }
        let payload = holds(&mut programs)?;
        let room = room(&programs)?;
        let mut raw = Raw::<H> {
            steps: shape.steps as u32,
            strict: shape.order == ChainOrder::Strict,
            room: room as u32,
            payload,
            ids: Vec::new(),
            entries: Vec::new(),
            at: Vec::new(),
            place: Vec::new(),
            without: Vec::new(),
            bits: Vec::new(),
            shared: false,
        };
        let (mut scanned, mut streams) = (0, Vec::new());
        for (program, parts) in &mut programs {
            let begin = raw.entries.len();
            scanned += read(program, |program, frame, first| raw.read(program, frame, first, parts))?;
            streams.push(begin..raw.entries.len());
        }
        if raw.entries.len() >= NOWHERE as usize {
            return Err(too_long());
        }
        let attempts = Attempts::new(&shape, std::mem::take(&mut raw.at), &std::mem::take(&mut raw.place));
        let Raw { ids, entries, without, shared, .. } = raw;
        Ok(Timelines { shape, attempts, entries, ids, streams, room, shared, without, scanned })
    }

    /// The entries entity by entity, each entity's in the order in which they are now: a counting sort by id. With the
    /// places at which those of an entity begin, by id, and the end.
    pub(super) fn by_entity(&mut self) -> (Vec<Entry<H>>, Vec<u32>) {
        let (ids, unsorted) = (std::mem::take(&mut self.ids), std::mem::take(&mut self.entries));
        let mut starts = vec![0_u32; self.room + 2];
        ids.iter().for_each(|&id| starts[id as usize + 2] += 1);
        for i in 2..starts.len() {
            starts[i] += starts[i - 1];
        }
        let nothing = Entry { at: 0, row: 0, role: 0, hold: H::default() };
        let mut entries = vec![nothing; unsorted.len()];
        for (&id, &entry) in ids.iter().zip(&unsorted) {
            let next = &mut starts[id as usize + 1];
            entries[*next as usize] = entry;
            *next += 1;
        }
        starts.pop();
        (entries, starts)
    }
}

/// The parts of a chain, the streams behind them in the order in which they are first named, and the chain's shape.
fn parts(chain: &Chain) -> (Vec<Part<'_>>, Vec<&Base>, Shape) {
    fn add<'a>(parts: &mut Vec<Part<'a>>, bases: &mut Vec<&'a Base>, rows: &'a Keyed, hold: Option<&'a Row>) {
        let base = bases.iter().position(|b| **b == rows.events.base).unwrap_or_else(|| {
            bases.push(&rows.events.base);
            bases.len() - 1
        });
        parts.push(Part { rows, role: parts.len(), hold, base });
    }
    let (mut parts, mut bases) = (Vec::new(), Vec::new());
    for step in &chain.steps {
        add(&mut parts, &mut bases, &step.rows, step.hold.as_ref());
    }
    let mut without = Vec::new();
    let mut forbids = vec![None; chain.steps.len()];
    for (step, of) in chain.steps.iter().enumerate() {
        if let Some(rows) = &of.without {
            forbids[step] = Some(without.len());
            without.push(step);
            add(&mut parts, &mut bases, rows, None);
        }
    }
    for rows in &chain.among {
        add(&mut parts, &mut bases, rows, None);
    }
    let shape = Shape {
        steps: chain.steps.len(),
        order: chain.order,
        without,
        forbids,
        drops: chain.without_drops,
        credit: chain.credit,
        bases: parts.iter().map(|p| p.base).chain(0..bases.len()).chain([0]).collect(),
    };
    (parts, bases, shape)
}

/// What numbers the held values of all steps.
fn holds(programs: &mut [(Program, Vec<Compiled>)]) -> Result<Payload, ExecError> {
    let mut types = Vec::new();
    for (program, parts) in programs.iter() {
        types.extend(parts.iter().filter_map(|p| p.hold).map(|node| program.ty(node).clone()));
    }
    let ty = common_type(&types)?;
    if ty == Type::Text {
        for (program, parts) in programs {
            for hold in parts.iter_mut().filter_map(|p| p.hold.as_mut()) {
                *hold = program.as_text(*hold)?;
            }
        }
    }
    Ok(Payload::new(ty))
}

/// How many ids there are of the entity that all parts share.
fn room(programs: &[(Program, Vec<Compiled>)]) -> Result<usize, ExecError> {
    let mut entity: Option<&Type> = None;
    let mut ids = 0;
    for (program, parts) in programs {
        for part in parts {
            ids = ids.max(part.picked.ids(program)?);
            match (entity, part.picked.ty(program)) {
                (_, Type::Missing) => {}
                (Some(known), own) if known != own => {
                    return Err(ExecError::Plan("the steps of a chain are about different entities".into()));
                }
                (_, own) => entity = Some(own),
            }
        }
    }
    Ok(ids)
}

/// Rows in the order in which they are read.
struct Raw<H> {
    steps: u32,
    strict: bool,
    /// How many ids there are.
    room: u32,
    payload: Payload,
    ids: Vec<u32>,
    entries: Vec<Entry<H>>,
    /// Of the rows of the first step.
    at: Vec<i64>,
    place: Vec<u32>,
    without: Vec<i64>,
    bits: Vec<u64>,
    shared: bool,
}

impl<H: Hold> Raw<H> {
    /// Takes the rows of a frame. Which parts they play is found out part by part, but then they are taken row by row, so
    /// that what follows finds them in order.
    fn read(&mut self, program: &Program, frame: &Frame, first: u32, parts: &[Compiled]) -> Result<(), ExecError> {
        let Some(times) = &frame.at else { return Ok(()) };
        let words = parts.len().div_ceil(64);
        let mut bits = std::mem::take(&mut self.bits);
        bits.clear();
        bits.resize(frame.len * words, 0);
        let mut held: Vec<Option<(ScalarBuffer<i64>, &crate::rows::Column)>> = Vec::with_capacity(parts.len());
        for (number, part) in parts.iter().enumerate() {
            let mut lacking = Vec::new();
            let (word, bit) = (number / 64, 1 << (number % 64));
            part.picked.each(program, frame, &mut lacking, |row, _| bits[row * words + word] |= bit)?;
            if part.role < self.steps {
                self.without.append(&mut lacking);
            }
            held.push(match part.hold {
                Some(node) => Some((self.payload.encode(program.value(node))?, program.value(node))),
                None => None,
            });
        }
        let ids: Vec<&[u32]> = parts.iter().map(|part| part.picked.ids_of(program)).collect();
        for row in 0..frame.len {
            let mut served = 0;
            for word in 0..words {
                let mut left = bits[row * words + word];
                while left != 0 {
                    let number = word * 64 + left.trailing_zeros() as usize;
                    left &= left - 1;
                    let id = ids[number][row];
                    if id >= self.room {
                        continue;
                    }
                    let place = first + row as u32;
                    let mut entry = Entry { at: times[row], row: place, role: parts[number].role, hold: H::default() };
                    if entry.role == 0 {
                        entry.row = self.at.len() as u32;
                        self.at.push(entry.at);
                        self.place.push(place);
                    }
                    if let Some((numbers, column)) = &held[number] {
                        entry.hold = H::of(numbers[row]);
                        if !column.is_known(row) {
                            if entry.role > 0 && !self.strict {
                                continue;
                            }
                            entry.role = parts[number].unheld;
                        }
                    }
                    served += u32::from(entry.role < self.steps);
                    self.ids.push(id);
                    self.entries.push(entry);
                }
            }
            self.shared |= served > 1;
        }
        self.bits = bits;
        Ok(())
    }
}
