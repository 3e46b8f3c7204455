//! Histories: what an entity has had up to a row, read while the rows go by in the order of time.

use super::Lot;
use super::fold::{BACK_MAX, Fold, Kept, NEVER, first_value, type_of};
use crate::ExecError;
use crate::rows::{Clock, Column, Days, Frame, Frames, Payload, Program, Type, Values};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use kepi_model::core::{History, Measure, Op};
use kepi_model::value::{CalendarSpan, Unit};
use std::collections::VecDeque;

/// How far back a history goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Over {
    All,
    /// Rows later than this before the moment.
    Last(CalendarSpan),
    /// Rows since the first instant of the cell.
    Period,
}

/// A history over the rows of the same stream: each row is added, then read (with `before` the other way round).
#[derive(Debug)]
pub(crate) struct Lookback {
    mask: Option<usize>,
    key: usize,
    subject: usize,
    argument: Option<usize>,
    /// Whether each row is read before it is added.
    before: bool,
    reading: Reading,
    /// For how many entities there is room once a row comes: many a program is made only to be looked at.
    ids: usize,
}

/// A history over the rows of another stream: all its rows that are not later are added, then it is read.
pub(crate) struct Elsewhere {
    subject: usize,
    reading: Reading,
    program: Program,
    mask: Option<usize>,
    key: usize,
    argument: Option<usize>,
    rows: Rows,
    watch: Option<Watch>,
    /// Whose rows are looked at.
    lot: Lot,
    /// Which rows of the other stream are read: those from here on, and before this.
    time: (Option<i64>, Option<i64>),
}

/// For whom something changes while time goes on.
#[derive(Default)]
struct Watch {
    /// Who has had rows since the moment that was last asked about.
    added: Vec<u32>,
    /// Of a history that moves: the rows that may still drop out, with their moments, rising; of those the ones that
    /// have dropped out come first.
    rows: VecDeque<(i64, u32)>,
    old: usize,
}

/// The rows of the other stream that have been read but not yet added.
#[derive(Default)]
struct Rows {
    frames: Option<Frames>,
    at: Option<ScalarBuffer<i64>>,
    taken: Option<BooleanBuffer>,
    ids: Option<ScalarBuffer<u32>>,
    values: Option<ScalarBuffer<i64>>,
    len: usize,
    next: usize,
    ended: bool,
}

/// What is kept by id, and how it is read.
#[derive(Debug)]
struct Reading {
    fold: Fold,
    over: Over,
    result: Payload,
    days: Days,
}

impl Reading {
    fn new(measure: &Measure, argument: Type, ids: usize, over: Over) -> Result<Reading, ExecError> {
        let ty = type_of(measure, &argument)?;
        let fold = Fold::new(measure, argument, ids, over != Over::All);
        Ok(Reading { fold, over, result: Payload::new(ty), days: Days::default() })
    }

    /// Whether what is kept by id can be written, and is all that matters of the rows so far.
    fn can_be_written(&self) -> bool {
        self.over != Over::Period && self.fold.can_be_written()
    }

    /// The instants behind which each row's history begins; empty: from the first row on.
    fn lowers(&mut self, frame: &Frame, clock: &mut Clock) -> Result<Vec<i64>, ExecError> {
        let at = || frame.at.as_ref().ok_or_else(|| ExecError::NotYet("a moving history of undated rows".into()));
        Ok(match self.over {
            Over::All => Vec::new(),
            Over::Last(span) => {
                let mut lowers = clock.add_all(back(span), &mut self.days, at()?);
                lowers.iter_mut().for_each(|lower| *lower -= frame.back);
                lowers
            }
            Over::Period => match &frame.cell_starts {
                Some(starts) => starts.iter().map(|s| s.saturating_sub(1)).collect(),
                // Without periods and a window's start the cell is all there is.
                None => vec![i64::MIN; frame.len],
            },
        })
    }

    /// The column of what was read.
    fn column(&mut self, values: Vec<i64>, known: BooleanBuffer) -> Column {
        let valid = Some(NullBuffer::new(known));
        // Texts have the argument's numbers.
        match self.result.ty() {
            Type::Text => self.fold.argument.decode(values, valid),
            _ => self.result.decode(values, valid),
        }
    }
}

pub(super) fn back(span: CalendarSpan) -> CalendarSpan {
    CalendarSpan { months: -span.months, days: -span.days, micros: -span.micros }
}

/// The ids of a column of entities and which of them are known.
fn ids_of(column: &Column) -> Option<(&ScalarBuffer<u32>, Option<&NullBuffer>)> {
    match &column.values {
        Values::Id(ids, _) => Some((ids, column.valid.as_ref())),
        _ => None,
    }
}

/// How many ids a key's entity has; keys that are always missing have none.
fn room(program: &Program, key: usize) -> Result<usize, ExecError> {
    match program.ty(key) {
        Type::Id(entity) => Ok(program.ids(entity)),
        Type::Missing => Ok(0),
        other => Err(ExecError::Plan(format!("a history is kept per {}", other.words()))),
    }
}

/// Which rows are added: those of the derived event whose key and argument are known.
fn taken(mask: Option<&Column>, key: &Column, argument: Option<&Column>) -> Result<Option<BooleanBuffer>, ExecError> {
    let mut all = mask.map(Column::mask).transpose()?;
    for known in [key.known(), argument.and_then(Column::known)].into_iter().flatten() {
        all = Some(match all {
            Some(all) => &all & &known,
            None => known,
        });
    }
    Ok(all)
}

impl Lookback {
    pub(crate) fn new(
        program: &Program,
        measure: &Measure,
        mask: Option<usize>,
        key: usize,
        subject: usize,
        argument: Option<usize>,
        (over, before): (Over, bool),
    ) -> Result<Lookback, ExecError> {
        if over != Over::All && !program.is_dated() {
            return Err(ExecError::NotYet("a moving history of undated rows".into()));
        }
        let ty = argument.map_or(Type::Missing, |a| program.ty(a).clone());
        let (reading, ids) = (Reading::new(measure, ty, 0, over)?, room(program, key)?);
        Ok(Lookback { mask, key, subject, argument, before, reading, ids })
    }

    /// Makes room for all entities.
    fn make_room(&mut self) {
        self.reading.fold.grow(self.ids);
    }

    /// The type of what it gives.
    pub(crate) fn ty(&self) -> Type {
        self.reading.result.ty().clone()
    }

    /// Whose rows it keeps, where these are also who asks: a node.
    pub(crate) fn by(&self) -> Option<usize> {
        (self.key == self.subject).then_some(self.key)
    }

    /// Whether it is a count or a first value, which are read without asking much.
    pub(crate) fn is_plain(&self) -> bool {
        self.key == self.subject && !self.before && matches!(self.reading.fold.kept, Kept::Count(_) | Kept::First(_))
    }

    /// Whether what it keeps can be written.
    pub(crate) fn can_go_on(&self) -> bool {
        self.reading.can_be_written()
    }

    /// Whether what it keeps of two stretches of time can be put together.
    pub(crate) fn adds_up(&self) -> bool {
        self.reading.over == Over::All && self.reading.fold.adds_up()
    }

    /// Adds what an earlier stretch has kept. None: a sum is too large.
    pub(crate) fn go_on_from(&self, own: &mut Kept, earlier: &Kept) -> Option<()> {
        self.reading.fold.go_on_from(own, earlier)
    }

    /// Takes away what it keeps.
    pub(crate) fn let_go(&mut self) -> Kept {
        self.make_room();
        std::mem::replace(&mut self.reading.fold.kept, Kept::Count(Vec::new()))
    }

    /// Gives it what was kept of all rows before those that come.
    pub(crate) fn carry(&mut self, kept: Kept) {
        self.reading.fold.kept = kept;
    }

    /// Puts what it keeps behind bytes. No: it cannot be written.
    pub(crate) fn put_kept(&mut self, bytes: &mut Vec<u8>) -> bool {
        self.make_room();
        self.reading.fold.put(bytes)
    }

    /// Takes what was put. None: they are other bytes.
    pub(crate) fn take_kept(&mut self, bytes: &mut &[u8]) -> Option<()> {
        self.make_room();
        self.reading.fold.take(bytes)
    }

    /// The nodes that it reads.
    pub(crate) fn needs(&self) -> Vec<usize> {
        [self.key, self.subject].into_iter().chain(self.mask).chain(self.argument).collect()
    }

    /// Whether rows may be added without being read: none drops out while they are.
    pub(crate) fn lets_go_by(&self) -> bool {
        self.reading.over == Over::All
    }

    /// Adds each row.
    pub(crate) fn let_by(&mut self, values: &[Column], frame: &Frame) -> Result<(), ExecError> {
        self.make_room();
        let taken = taken(self.mask.map(|m| &values[m]), &values[self.key], self.argument.map(|a| &values[a]))?;
        let Some((keys, _)) = ids_of(&values[self.key]) else { return Ok(()) };
        let fold = &mut self.reading.fold;
        let is_taken = |row: usize| taken.as_ref().is_none_or(|t| t.value(row));
        if let Kept::Count(counts) = &mut fold.kept {
            for (row, &key) in keys.iter().enumerate() {
                if let Some(count) = counts.get_mut(key as usize) {
                    *count += i64::from(is_taken(row));
                }
            }
            return Ok(());
        }
        let arguments = self.argument.map(|a| fold.argument.encode(&values[a])).transpose()?;
        if let (Kept::First(first), Some(arguments)) = (&mut fold.kept, &arguments) {
            for (row, &key) in keys.iter().enumerate() {
                if let Some(first) = first.get_mut(key as usize).filter(|first| **first == NEVER)
                    && is_taken(row)
                {
                    *first = first_value(arguments[row]);
                }
            }
            return Ok(());
        }
        fold.add_rows(0..keys.len(), keys, (frame.at.as_deref(), arguments.as_deref()), |row, _| is_taken(row))
    }

    /// Adds each row and reads what its subject has by then.
    pub(crate) fn evaluate(
        &mut self,
        values: &[Column],
        frame: &Frame,
        clock: &mut Clock,
    ) -> Result<Column, ExecError> {
        self.make_room();
        let taken = taken(self.mask.map(|m| &values[m]), &values[self.key], self.argument.map(|a| &values[a]))?;
        let arguments = self.argument.map(|a| self.reading.fold.argument.encode(&values[a])).transpose()?;
        let lowers = self.reading.lowers(frame, clock)?;
        let Reading { fold, .. } = &mut self.reading;
        let nothing = fold.nothing();
        let (Some((keys, _)), Some((subjects, known))) = (ids_of(&values[self.key]), ids_of(&values[self.subject]))
        else {
            let known = if nothing.is_some() { BooleanBuffer::new_set } else { BooleanBuffer::new_unset };
            return Ok(self.reading.column(vec![0; frame.len], known(frame.len)));
        };
        let mut out = vec![0; frame.len];
        let usual = self.key == self.subject && !self.before;
        let found = match (&mut fold.kept, &taken, known) {
            // The usual histories, without asking per row what is to be done.
            (Kept::Count(counts), _, None) if usual => {
                for row in 0..frame.len {
                    let Some(count) = counts.get_mut(keys[row] as usize) else { continue };
                    *count += i64::from(taken.as_ref().is_none_or(|t| t.value(row)));
                    out[row] = *count;
                }
                BooleanBuffer::new_set(frame.len)
            }
            (Kept::First(first), taken, None) if usual => {
                let arguments = arguments.as_ref().map(|a| &a[..]).unwrap_or_default();
                // All are looked up before any is looked at, so that none waits for another; who had no row is asked again.
                for (out, &id) in out.iter_mut().zip(keys.iter()) {
                    *out = first.get(id as usize).copied().unwrap_or(NEVER);
                }
                let mut all = true;
                for row in 0..frame.len {
                    if out[row] != NEVER {
                        continue;
                    }
                    if let Some(first) = first.get_mut(keys[row] as usize) {
                        if *first == NEVER && taken.as_ref().is_none_or(|t| t.value(row)) {
                            *first = first_value(arguments[row]);
                        }
                        out[row] = *first;
                    }
                    all &= out[row] != NEVER;
                }
                match all {
                    true => BooleanBuffer::new_set(frame.len),
                    false => {
                        let found = BooleanBuffer::collect_bool(frame.len, |row| out[row] != NEVER);
                        out.iter_mut().filter(|out| **out == NEVER).for_each(|out| *out = 0);
                        found
                    }
                }
            }
            _ => {
                let room = fold.ids();
                let mut found = vec![false; frame.len];
                let add = |fold: &mut Fold, row: usize| {
                    if taken.as_ref().is_some_and(|t| !t.value(row)) || keys[row] as usize >= room {
                        return Ok(());
                    }
                    let at = frame.at.as_ref().map_or(0, |at| at[row]);
                    fold.add(keys[row] as usize, at, arguments.as_ref().map_or(0, |a| a[row]))
                };
                for row in 0..frame.len {
                    if !self.before {
                        add(fold, row)?;
                    }
                    let subject = subjects[row] as usize;
                    let read = match known.is_none_or(|k| k.is_valid(row)) && subject < room {
                        true => fold.read(subject, lowers.get(row).copied().unwrap_or(i64::MIN)),
                        false => nothing,
                    };
                    out[row] = read.unwrap_or(0);
                    found[row] = read.is_some();
                    if self.before {
                        add(fold, row)?;
                    }
                }
                BooleanBuffer::from(found)
            }
        };
        Ok(self.reading.column(out, found))
    }
}

impl std::fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Elsewhere").field("program", &self.program).finish_non_exhaustive()
    }
}

impl Elsewhere {
    pub(crate) fn new(
        outer: &Program,
        history: &History,
        of_time: Option<(&Op, &Unit)>,
        subject: usize,
        over: Over,
    ) -> Result<Elsewhere, ExecError> {
        let mut program = Program::of_base(&history.events.base, &outer.source, &outer.zone, outer.now)?;
        if !outer.is_dated() {
            return Err(ExecError::NotYet("the history of another stream seen from rows without a moment".into()));
        }
        if over != Over::All && !program.is_dated() {
            return Err(ExecError::NotYet("a moving history of undated rows".into()));
        }
        let mask = program.rows_of(&history.events, history.filter.as_ref())?;
        let (key, argument) = (program.row(&history.key)?, program.argument_of(&history.measure, of_time)?);
        if program.needs_period {
            return Err(ExecError::NotYet("`over period` inside another history".into()));
        }
        if let (Type::Id(a), Type::Id(b)) = (program.ty(key), outer.ty(subject))
            && a != b
        {
            return Err(ExecError::Plan(format!("a history of {a} is asked of {b}")));
        }
        let ty = argument.map_or(Type::Missing, |a| program.ty(a).clone());
        let reading = Reading::new(&history.measure, ty, room(&program, key)?, over)?;
        Ok(Elsewhere {
            subject,
            reading,
            program,
            mask,
            key,
            argument,
            rows: Rows::default(),
            watch: None,
            lot: Lot::ALL,
            time: (None, None),
        })
    }

    /// Whether what it keeps can be written.
    pub(crate) fn can_go_on(&self) -> bool {
        let whole = self.watch.is_none() && self.lot == Lot::ALL;
        whole && self.reading.can_be_written() && self.program.can_go_on()
    }

    /// The program of the other stream.
    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    /// Says that all rows of the other stream before an instant, and no others, are going to be read.
    pub(crate) fn stop_at(&mut self, until: i64) {
        self.time.1 = Some(until);
        self.program.stop_at(until);
    }

    /// Puts what it keeps of all rows before an instant behind bytes. No: it cannot be written.
    pub(crate) fn put_kept(&mut self, until: i64, bytes: &mut Vec<u8>) -> Result<bool, ExecError> {
        self.advance(until.saturating_sub(1))?;
        Ok(self.program.put_kept(until, bytes)? && self.reading.fold.put(bytes))
    }

    /// Takes what was put, and goes on with the rows from that instant on. None: they are other bytes.
    pub(crate) fn take_kept(&mut self, from: i64, bytes: &mut &[u8]) -> Option<()> {
        self.time.0 = Some(from);
        self.program.take_kept(from, bytes)?;
        self.reading.fold.take(bytes)
    }

    /// Looks only at the rows of some entities.
    pub(crate) fn look_at(&mut self, lot: Lot) {
        self.lot = lot;
    }

    /// Whose history it is: a node.
    pub(crate) fn subject(&self) -> usize {
        self.subject
    }

    /// Keeps from now on for whom it changes.
    pub(crate) fn watch(&mut self) {
        self.watch = Some(Watch::default());
    }

    /// Goes on to the end of a window, and names everybody for whose rows there are others since the one before, some
    /// more than once. Windows begin and end in order, but for what months and clocks put back.
    pub(crate) fn changed(
        &mut self,
        from: i64,
        until: i64,
        clock: &mut Clock,
        mut each: impl FnMut(u32),
    ) -> Result<(), ExecError> {
        self.advance(until.saturating_sub(1))?;
        let Some(Watch { added, rows, old }) = &mut self.watch else { return Ok(()) };
        added.drain(..).for_each(&mut each);
        let lower = match self.reading.over {
            Over::All => return Ok(()),
            Over::Last(span) => clock.add_all(back(span), &mut self.reading.days, &[until])[0].saturating_sub(1),
            Over::Period => from.saturating_sub(1),
        };
        while let Some(&(_, id)) = rows.get(*old).filter(|row| row.0 <= lower) {
            each(id);
            *old += 1;
        }
        while let Some(&(_, id)) = old.checked_sub(1).and_then(|last| rows.get(last)).filter(|row| row.0 > lower) {
            each(id);
            *old -= 1;
        }
        while *old > 0 && rows.front().is_some_and(|row| row.0 <= lower.saturating_sub(BACK_MAX)) {
            rows.pop_front();
            *old -= 1;
        }
        Ok(())
    }

    /// The type of what it gives.
    pub(crate) fn ty(&self) -> Type {
        self.reading.result.ty().clone()
    }

    /// How many rows of the other stream, and of those behind it, were read.
    pub(crate) fn rows_scanned(&self) -> u64 {
        self.rows.frames.as_ref().map_or(0, Frames::scanned) + self.program.rows_scanned_elsewhere()
    }

    /// Reads, for each row, what its subject has had up to the row's moment.
    pub(crate) fn evaluate(
        &mut self,
        values: &[Column],
        frame: &Frame,
        clock: &mut Clock,
    ) -> Result<Column, ExecError> {
        let lowers = self.reading.lowers(frame, clock)?;
        let nothing = self.reading.fold.nothing();
        let room = self.reading.fold.ids();
        let Some(at) = &frame.at else { return Err(ExecError::Plan("a row has no moment".into())) };
        let subjects = ids_of(&values[self.subject]);
        let mut out = vec![0; frame.len];
        let mut found = vec![false; frame.len];
        // What lies in the cell does so wherever it is asked from.
        let end = frame.cell_end.filter(|_| self.reading.over == Over::Period);
        for row in 0..frame.len {
            let moment = end.unwrap_or(at[row]).saturating_sub(frame.back);
            if !self.rows.is_up_to(moment) {
                self.advance(moment)?;
            }
            let read = match subjects {
                Some((ids, known)) if (ids[row] as usize) < room && known.is_none_or(|k| k.is_valid(row)) => {
                    self.reading.fold.read(ids[row] as usize, lowers.get(row).copied().unwrap_or(i64::MIN))
                }
                _ => nothing,
            };
            out[row] = read.unwrap_or(0);
            found[row] = read.is_some();
        }
        Ok(self.reading.column(out, BooleanBuffer::from(found)))
    }

    /// Adds all rows that are not later than a moment.
    fn advance(&mut self, moment: i64) -> Result<(), ExecError> {
        loop {
            let rows = &mut self.rows;
            let end = match &rows.at {
                Some(at) => rows.next + up_to(&at[rows.next..], moment),
                None => rows.len,
            };
            if let Some(ids) = &rows.ids {
                let (fold, lot, own) = (&mut self.reading.fold, self.lot, rows.next..end);
                let room = fold.ids();
                let batch = (rows.at.as_deref(), rows.values.as_deref());
                let is_one = |row: usize, id: usize| rows.taken.as_ref().is_none_or(|t| t.value(row)) && lot.has(id);
                match &mut self.watch {
                    None => fold.add_rows(own, ids, batch, is_one)?,
                    Some(Watch { added, rows, .. }) => {
                        let drops_out = self.reading.over != Over::All;
                        fold.add_rows(own, ids, batch, |row, id| {
                            let takes = id < room && is_one(row, id);
                            if takes {
                                added.push(id as u32);
                                if drops_out {
                                    rows.push_back((batch.0.map_or(0, |at| at[row]), id as u32));
                                }
                            }
                            takes
                        })?;
                    }
                }
            }
            rows.next = end;
            if end < rows.len || rows.ended {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Reads the next batch of the other stream.
    fn fill(&mut self) -> Result<(), ExecError> {
        let program = &mut self.program;
        let rows = &mut self.rows;
        let frames = match &mut rows.frames {
            Some(frames) => frames,
            none => none.insert(program.frames(self.time.0, self.time.1)?),
        };
        let Some(frame) = frames.next(program)? else {
            (rows.ended, rows.len, rows.next) = (true, 0, 0);
            rows.at = None;
            return Ok(());
        };
        program.evaluate(&frame)?;
        let key = program.value(self.key);
        let argument = self.argument.map(|a| program.value(a));
        rows.taken = taken(self.mask.map(|m| program.value(m)), key, argument)?;
        rows.ids = ids_of(key).map(|(ids, _)| ids.clone());
        rows.values = argument.map(|a| self.reading.fold.argument.encode(a)).transpose()?;
        rows.at = frame.at;
        (rows.len, rows.next) = (frame.len, 0);
        Ok(())
    }
}

/// How many of some rising moments are not later than one; most often few.
#[inline]
fn up_to(at: &[i64], moment: i64) -> usize {
    const FEW: usize = 8;
    match at.iter().take(FEW).take_while(|&&t| t <= moment).count() {
        FEW => FEW + at[FEW..].partition_point(|&t| t <= moment),
        few => few,
    }
}

impl Rows {
    /// Whether all rows up to a moment have been added.
    #[inline]
    fn is_up_to(&self, moment: i64) -> bool {
        match &self.at {
            Some(at) => self.next < self.len && at[self.next] > moment,
            None => self.ended,
        }
    }
}
