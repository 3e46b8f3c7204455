//! A state over time: the rows that begin and end it are read, merged in the order of time, up to a moment that rises.

use super::Lot;
use super::feed::Feed;
use super::outside::Outside;
use super::standing::{Begun, Standing, Values};
use super::unborn::Unborn;
use crate::rows::{self, Clock, Column, Days, Payload, Program, Type};
use crate::{ExecError, Source};
use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use kepi_model::core::{Op, Row, RowNode, State, Until};
use kepi_model::value::{CalendarSpan, Kind, Unit};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// What holds for each entity at a moment.
#[derive(Debug)]
pub(crate) struct Timeline {
    from: Feed,
    until: Option<Feed>,
    value: Option<usize>,
    end: End,
    /// Writes the values.
    pub(crate) payload: Payload,
    pub(crate) standing: Standing,
    /// The batch of `from` whose values and ends these are.
    batch: u64,
    values: ScalarBuffer<i64>,
    ends: Vec<i64>,
    /// The moment of the next row that has not been read.
    next: i64,
    /// The moments of the first row that began anything, and of the last row that was read.
    first: Option<i64>,
    last: i64,
    /// Up to where it was read.
    moment: i64,
    unborn: Unborn,
    watch: Watch,
    /// Whose rows are looked at.
    lot: Lot,
    /// By id: of whom rows say what they are not.
    unless: Option<BooleanBuffer>,
}

/// When a row says that what it begins ends.
#[derive(Debug)]
enum End {
    Never,
    After(CalendarSpan, Days),
    At(usize),
}

/// What somebody wants to know of the rows that are read.
#[derive(Debug, Default)]
enum Watch {
    #[default]
    Nothing,
    /// For whom something has changed since the moment that was last asked about.
    Changes { changed: Vec<u32>, since: i64, born: usize },
    /// At which moments what may have changed, and by which row.
    Edges(Edges),
}

/// What is kept of the moments at which something may change.
#[derive(Debug)]
struct Edges {
    touched: Vec<u32>,
    /// The last row that began something for each entity, by its place among the rows of its base.
    places: Vec<u32>,
    ends: Ends,
    /// How many entities have begun to exist, of those that begin.
    born: usize,
}

/// Ends that lie ahead. They mostly come in order, since spans by the calendar mostly end in the order in which they
/// began.
#[derive(Debug, Default)]
struct Ends {
    rising: VecDeque<(i64, u32)>,
    others: BinaryHeap<Reverse<(i64, u32)>>,
}

impl Timeline {
    /// The state before its first row. `totals`: what comes together over time is kept, too.
    pub(crate) fn new(
        state: &State,
        source: &Source,
        zone: &str,
        now: i64,
        totals: bool,
    ) -> Result<Timeline, ExecError> {
        let outside = Outside::of(state, source, zone, now)?;
        Timeline::told(state, source, zone, now, totals, outside)
    }

    fn told(
        state: &State,
        source: &Source,
        zone: &str,
        now: i64,
        totals: bool,
        outside: Option<Outside>,
    ) -> Result<Timeline, ExecError> {
        let program = |base| Program::of_base(base, source, zone, now);
        let mut from = Feed::new(program(&state.from.base)?, &state.from, &state.key, &state.entity, &state.text)?;
        let value = match (&state.value, &state.holds) {
            (None, _) => None,
            (Some(value), None) => Some(from.program.row(value)?),
            (Some(value), Some(holds)) => {
                // What is missing says nothing: what holds goes on.
                let of = from.program.row(value)?;
                from.need(of);
                Some(match outside.as_ref().map(Outside::is_told_by_negation) {
                    Some(true) => {
                        let node = RowNode::Call { op: Op::Not, args: vec![holds.clone()] };
                        let not = Row { unit: Unit::of(Kind::Bool), node };
                        from.program.condition_on(of, &not)?
                    }
                    _ => from.program.condition_on(of, holds)?,
                })
            }
        };
        if let (Some(value), None) = (value, &state.holds) {
            from.need(value);
        }
        let end = match &state.until {
            Until::Never | Until::Event { .. } => End::Never,
            Until::After(span) => End::After(*span, Days::default()),
            Until::At(row) => End::At(from.program.row(row)?),
        };
        let until = match &state.until {
            Until::Event { events, key } => {
                Some(Feed::new(program(&events.base)?, events, key, &state.entity, &state.text)?)
            }
            _ => None,
        };
        let ty = match value.map(|v| from.program.ty(v).clone()) {
            None => Type::Bool,
            Some(Type::Missing) => Type::of_unit(&state.unit),
            Some(ty) => ty,
        };
        let kind = match (value, &ty) {
            (None, _) => Values::None,
            (_, Type::Bool) => Values::Flags,
            (_, Type::Decimal(_)) => Values::Digits,
            (_, Type::Float) => Values::Floats,
            _ => Values::Others,
        };
        let standing = Standing::new(kind, from.program.ids(&state.entity), totals);
        let standing = if until.is_some() { standing.with_ends() } else { standing };
        let unborn = Unborn::of(state, source, outside.as_ref());
        let unless = outside.as_ref().and_then(Outside::unless).cloned();
        let standing = standing.with_outside(outside);
        Ok(Timeline {
            from,
            until,
            value,
            end,
            payload: Payload::new(ty),
            standing,
            batch: 0,
            values: ScalarBuffer::default(),
            ends: Vec::new(),
            next: i64::MIN,
            first: None,
            last: i64::MIN,
            moment: i64::MIN,
            unborn,
            watch: Watch::Nothing,
            lot: Lot::ALL,
            unless,
        })
    }

    /// The same before its first row.
    pub(crate) fn again(&self, state: &State) -> Result<Timeline, ExecError> {
        let Program { source, zone, now, .. } = &self.from.program;
        let outside = self.standing.outside().map(Outside::again);
        Timeline::told(state, source, zone, *now, self.standing.has_totals(), outside)
    }

    /// Goes back to before the first row; gives how many rows had been read. What was watched is not any more.
    pub(crate) fn begin_again(&mut self, state: &State) -> Result<u64, ExecError> {
        let scanned = self.rows_scanned();
        let mut again = self.again(state)?;
        // Texts keep their numbers.
        std::mem::swap(&mut again.payload, &mut self.payload);
        again.lot = self.lot;
        *self = again;
        Ok(scanned)
    }

    /// Looks only at the rows of some entities; nothing was read yet.
    pub(crate) fn look_at(&mut self, lot: Lot) {
        self.lot = lot;
    }

    /// Keeps from now on for whom something changes.
    pub(crate) fn watch_changes(&mut self) {
        self.watch = Watch::Changes { changed: Vec::new(), since: i64::MIN, born: 0 };
    }

    /// What its rows are read from.
    pub(crate) fn source(&self) -> &Source {
        &self.from.program.source
    }

    /// The type of its values; yes or no without any.
    pub(crate) fn ty(&self) -> &Type {
        self.payload.ty()
    }

    /// How many rows were read.
    pub(crate) fn rows_scanned(&self) -> u64 {
        let outside = self.standing.outside().map_or(0, |outside| outside.scanned);
        self.from.rows_scanned() + self.until.as_ref().map_or(0, Feed::rows_scanned) + outside
    }

    /// The moment of the first row that may begin anything, or of the first entity that is in it from its beginning on.
    pub(crate) fn first_row(&self) -> Result<Option<i64>, ExecError> {
        let first = self.from.first_row()?;
        Ok(self.standing.outside().and_then(Outside::first).into_iter().chain(first).min())
    }

    /// The moment of the first row that began anything, of those that have been read; or of the first entity that is in
    /// it from its beginning on.
    pub(crate) fn first(&self) -> Option<i64> {
        let born = self.unborn.first(self.moment, |id| self.standing.until(id));
        self.standing.outside().and_then(Outside::first).into_iter().chain(self.first).chain(born).min()
    }

    /// Whether rows later than this moment have been read.
    pub(crate) fn is_beyond(&self, moment: i64) -> bool {
        self.last > moment
    }

    /// Reads all rows that are not later than a moment. Of those at one moment the ones that end come first: they end
    /// what held before, and what begins at that moment goes on with it.
    #[inline]
    pub(crate) fn advance(&mut self, moment: i64) -> Result<(), ExecError> {
        self.moment = moment;
        if self.next > moment {
            return Ok(());
        }
        self.read(moment)
    }

    fn read(&mut self, moment: i64) -> Result<(), ExecError> {
        self.standing.make_room(&self.from.program.source)?;
        loop {
            let begins = self.from.peek()?;
            self.finish(moment.min(begins.unwrap_or(i64::MAX)))?;
            let ends = self.peek_until()?;
            // What ends at the same moment comes first.
            self.begin(moment.min(ends.map_or(i64::MAX, |t| t.saturating_sub(1))))?;
            let begins = self.from.peek()?;
            self.next = begins.unwrap_or(i64::MAX).min(ends.unwrap_or(i64::MAX));
            if self.next > moment || (begins.is_none() && ends.is_none()) {
                return Ok(());
            }
        }
    }

    fn peek_until(&mut self) -> Result<Option<i64>, ExecError> {
        self.until.as_mut().map_or(Ok(None), Feed::peek)
    }

    /// Takes the rows that begin something, up to a moment.
    fn begin(&mut self, moment: i64) -> Result<(), ExecError> {
        while self.from.peek()?.is_some_and(|at| at <= moment) {
            if self.batch != self.from.batch() {
                self.encode()?;
            }
            let Timeline { from, standing, values, ends, first, last, unborn, watch, lot, unless, .. } = self;
            let ids = standing.ids();
            let before = from.place(0);
            from.take(moment, |row, at, id| {
                if id >= ids || !lot.has(id) {
                    return;
                }
                *last = at;
                unborn.pass(at, |id| standing.until(id));
                let end = ends.get(row).copied().unwrap_or(i64::MAX);
                let value = told(unless.as_ref(), id, values.get(row).copied().unwrap_or(1));
                let begun = standing.begin(id, at, end, value);
                if begun == Begun::Nothing {
                    return;
                }
                if !unborn.takes(id, at) {
                    first.get_or_insert(at);
                }
                match watch {
                    Watch::Nothing => {}
                    Watch::Changes { changed, .. } if begun == Begun::New => changed.push(id as u32),
                    Watch::Changes { .. } => {}
                    Watch::Edges(edges) => edges.began(id, end, before.saturating_add(row as u32)),
                }
            });
        }
        Ok(())
    }

    /// Takes the rows that end something, up to a moment.
    fn finish(&mut self, moment: i64) -> Result<(), ExecError> {
        let Timeline { until: Some(until), standing, last, unborn, watch, lot, .. } = self else { return Ok(()) };
        let ids = standing.ids();
        while until.peek()?.is_some_and(|at| at <= moment) {
            until.take(moment, |_, at, id| {
                if id < ids && lot.has(id) {
                    *last = at;
                    unborn.pass(at, |id| standing.until(id));
                    let held = standing.end(id, at);
                    match watch {
                        Watch::Changes { changed: touched, .. } | Watch::Edges(Edges { touched, .. }) if held => {
                            touched.push(id as u32);
                        }
                        _ => {}
                    }
                }
            });
        }
        Ok(())
    }

    /// The values and ends of a new batch.
    fn encode(&mut self) -> Result<(), ExecError> {
        self.batch = self.from.batch();
        if let Some(value) = self.value {
            self.values = self.payload.encode(self.from.column(value))?;
        }
        match &mut self.end {
            End::Never => {}
            End::After(span, days) => {
                let at = self.from.at().clone();
                self.ends = self.from.program.clock.add_all(*span, days, &at);
            }
            End::At(node) => {
                let column = self.from.column(*node).clone();
                let clock = &mut self.from.program.clock;
                self.ends = ends_said(&column, clock)?;
            }
        }
        Ok(())
    }

    /// Goes on to a moment and names everybody for whom something has changed since the one before, some more than once.
    /// Only while changes are watched.
    pub(crate) fn changed(&mut self, moment: i64, mut each: impl FnMut(u32)) -> Result<(), ExecError> {
        self.advance(moment)?;
        let Timeline { standing, end, watch: Watch::Changes { changed, since, born }, .. } = self else {
            return Ok(());
        };
        changed.drain(..).for_each(&mut each);
        let next = |born: usize| standing.outside()?.born(born).filter(|(at, _)| *at <= moment);
        while let Some((_, id)) = next(*born) {
            *born += 1;
            each(id);
        }
        // What only rows end has been named by them.
        if !matches!(end, End::Never) {
            for id in 0..standing.ids() {
                let until = standing.until(id);
                if until > *since && until <= moment {
                    each(id as u32);
                }
            }
        }
        *since = moment;
        Ok(())
    }

    /// Goes through all rows that may begin it, in their order: calls with the entity, the moment, the instant from which
    /// on what begins does not last any more, and the row's place among the rows of its base.
    ///
    /// Gives the moments of the rows that name no entity.
    pub(crate) fn each_row(&mut self, mut each: impl FnMut(usize, i64, i64, u32)) -> Result<Vec<i64>, ExecError> {
        self.from.keep_without();
        while self.from.peek()?.is_some() {
            if self.batch != self.from.batch() {
                self.encode()?;
            }
            let Timeline { from, standing, ends, unborn, lot, .. } = self;
            let (ids, before) = (standing.ids(), from.place(0));
            from.take(i64::MAX, |row, at, id| {
                if id < ids && lot.has(id) {
                    let end = ends.get(row).copied().unwrap_or(i64::MAX);
                    if end > at {
                        unborn.takes(id, at);
                    }
                    each(id, at, end, before.saturating_add(row as u32));
                }
            });
        }
        Ok(self.from.take_without())
    }

    /// Goes through all moments at which something may change, to the end of all rows and of what they began. `each` is
    /// called with the moment, an entity for which something may have changed at it, and the place of the last row that
    /// began something for it; `at_end` when all of a moment have been named.
    ///
    /// Gives the moments of the rows that name no entity.
    pub(crate) fn walk<T>(
        &mut self,
        edges: &mut T,
        mut each: impl FnMut(&mut T, &Standing, i64, u32, u32),
        mut at_end: impl FnMut(&mut T),
    ) -> Result<Vec<i64>, ExecError> {
        self.from.keep_without();
        let places = vec![u32::MAX; self.standing.ids()];
        self.watch = Watch::Edges(Edges { touched: Vec::new(), places, ends: Ends::default(), born: 0 });
        while let Some(moment) = self.next_change()? {
            self.advance(moment)?;
            if let Timeline { standing, watch: Watch::Edges(kept), .. } = self {
                while let Some(id) = kept.ends.pop(moment, standing) {
                    kept.touched.push(id);
                }
                while let Some((_, id)) = kept.born(standing).filter(|(at, _)| *at <= moment) {
                    kept.born += 1;
                    kept.touched.push(id);
                }
                for id in kept.touched.drain(..) {
                    each(edges, standing, moment, id, kept.places[id as usize]);
                }
                at_end(edges);
            }
            self.walk_alone(edges, &mut each)?;
        }
        Ok(self.from.take_without())
    }

    /// The next moment at which something may change; none: nothing will.
    fn next_change(&mut self) -> Result<Option<i64>, ExecError> {
        let (from, until) = (self.from.peek()?, self.peek_until()?);
        let (end, born) = match &mut self.watch {
            Watch::Edges(edges) => (edges.ends.peek(&self.standing), edges.born(&self.standing).map(|(at, _)| at)),
            _ => (None, None),
        };
        Ok([from, until, end, born].into_iter().flatten().min())
    }

    /// Goes through rows of the batch that are alone at their moments: most are.
    fn walk_alone<T>(
        &mut self,
        edges: &mut T,
        each: &mut impl FnMut(&mut T, &Standing, i64, u32, u32),
    ) -> Result<(), ExecError> {
        if self.batch != self.from.batch() {
            return Ok(());
        }
        let stop = self.peek_until()?.unwrap_or(i64::MAX);
        let Timeline { from, standing, values, ends, first, last, unborn, watch: Watch::Edges(kept), unless, .. } =
            self
        else {
            return Ok(());
        };
        let born = kept.born(standing).map_or(stop, |(at, _)| stop.min(at));
        let mut stop = kept.ends.peek(standing).map_or(born, |end| born.min(end));
        let (ids, before) = (standing.ids(), from.place(0));
        from.take_alone(|row, at, id| {
            if at >= stop {
                return false;
            }
            let Some(id) = id.filter(|&id| id < ids) else { return true };
            *last = at;
            unborn.pass(at, |id| standing.until(id));
            let end = ends.get(row).copied().unwrap_or(i64::MAX);
            let value = told(unless.as_ref(), id, values.get(row).copied().unwrap_or(1));
            if standing.begin(id, at, end, value) != Begun::Nothing {
                if !unborn.takes(id, at) {
                    first.get_or_insert(at);
                }
                kept.places[id] = before.saturating_add(row as u32);
                kept.ends.push(end, id as u32);
                stop = stop.min(end);
                each(edges, standing, at, id as u32, kept.places[id]);
            }
            true
        });
        self.next = i64::MIN;
        Ok(())
    }
}

/// The instants at which rows say that what they begin ends; `i64::MAX`: they do not say it.
pub(super) fn ends_said(column: &Column, clock: &mut Clock) -> Result<Vec<i64>, ExecError> {
    let mut ends = match &column.values {
        rows::Values::Time(times) => times.to_vec(),
        rows::Values::Date(days) => days.iter().map(|&d| clock.start_of_day(i64::from(d))).collect(),
        rows::Values::Missing(len) => vec![i64::MAX; *len],
        other => return Err(ExecError::Plan(format!("a state lasts until {}", other.words()))),
    };
    if column.known().is_some() {
        let open = |(row, end): (usize, &mut i64)| {
            if !column.is_known(row) {
                *end = i64::MAX;
            }
        };
        ends.iter_mut().enumerate().for_each(open);
    }
    Ok(ends)
}

/// What a row says of an entity: of some what they are not.
#[inline]
fn told(unless: Option<&BooleanBuffer>, id: usize, value: i64) -> i64 {
    match unless {
        Some(unless) if id < unless.len() && unless.value(id) => 1 - value,
        _ => value,
    }
}

impl Edges {
    /// The next entity that begins to exist, and when.
    fn born(&self, standing: &Standing) -> Option<(i64, u32)> {
        standing.outside()?.born(self.born)
    }

    #[inline]
    fn began(&mut self, id: usize, end: i64, place: u32) {
        self.touched.push(id as u32);
        self.places[id] = place;
        self.ends.push(end, id as u32);
    }
}

impl Ends {
    fn push(&mut self, end: i64, id: u32) {
        if end == i64::MAX {
            return;
        }
        match self.rising.back() {
            Some(&(last, _)) if last > end => self.others.push(Reverse((end, id))),
            _ => self.rising.push_back((end, id)),
        }
    }

    /// The first end that still stands.
    fn peek(&mut self, standing: &Standing) -> Option<i64> {
        let stands = |&(end, id): &(i64, u32)| standing.until(id as usize) == end;
        while self.rising.front().is_some_and(|e| !stands(e)) {
            self.rising.pop_front();
        }
        while self.others.peek().is_some_and(|e| !stands(&e.0)) {
            self.others.pop();
        }
        let (a, b) = (self.rising.front().map(|e| e.0), self.others.peek().map(|e| e.0.0));
        a.into_iter().chain(b).min()
    }

    /// Takes the first end that still stands, if it is not later than a moment.
    fn pop(&mut self, moment: i64, standing: &Standing) -> Option<u32> {
        let end = self.peek(standing).filter(|&end| end <= moment)?;
        match self.rising.front() {
            Some(&(first, id)) if first == end => {
                self.rising.pop_front();
                Some(id)
            }
            _ => self.others.pop().map(|e| e.0.1),
        }
    }
}
