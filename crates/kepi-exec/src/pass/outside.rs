//! A condition on an entity as a state: it holds only of those that exist, and maybe also where the state that it looks
//! at does not hold.

use super::existence::{self, Begins};
use crate::rows::{Base, Frame, LONG_AGO, Program};
use crate::{ExecError, Source};
use arrow_buffer::BooleanBuffer;
use kepi_model::core::{self, Made, Row, RowNode, State, VALUE};
use kepi_model::value::{Kind, Unit, Value};
use std::sync::Arc;

/// How the condition is told from what rows begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It holds while that does.
    While,
    /// It holds while that does not: rows say of what it is no.
    Unless,
    /// It holds whatever they say.
    Always,
    /// It never holds.
    Never,
}

/// Since when entities exist, and how a condition on them is told.
#[derive(Clone, Debug)]
pub(crate) struct Outside {
    begins: Arc<Begins>,
    told: Told,
    /// Of a condition on several states, by id: of whom it is yes before any of them changes. It is told of each of these
    /// as what rows say it is not.
    unless: Option<BooleanBuffer>,
    /// How many rows were read to know it.
    pub(crate) scanned: u64,
}

impl Outside {
    /// How a state's condition is told; none: it is a declared state, or one whose rows say all there is to know.
    pub(crate) fn of(state: &State, source: &Source, zone: &str, now: i64) -> Result<Option<Outside>, ExecError> {
        let Some(holds) = &state.holds else { return Ok(None) };
        let count = source.scan.entity(&state.entity).map_or(0, |entity| entity.count);
        let unless = before_changes(state, source, zone, now)?;
        let told = match (&unless, &state.existence) {
            (Some(_), _) => Told::While,
            (None, Some(_)) => told(holds, state.value.as_ref(), source, zone, now)?,
            (None, None) => return Ok(None),
        };
        let Some(existence) = &state.existence else {
            let begins = of_those_meant(Arc::new(Begins::always(count)), &state.entity, source)?;
            return Ok(Some(Outside { begins, told, unless, scanned: 0 }));
        };
        // Rows come after the beginning of an entity, unless an attribute says that it began later. What is kept of an
        // entity may be older than it.
        let none = unless.as_ref().is_none_or(|unless| unless.count_set_bits() == 0 && !looks_at_attributes(state));
        if existence.from.is_none() && told == Told::While && none {
            return Ok(None);
        }
        let (begins, scanned) = existence::begins(existence, &state.entity, count, source, zone)?;
        let begins = of_those_meant(begins, &state.entity, source)?;
        Ok(Some(Outside { begins, told, unless, scanned }))
    }

    /// The same for somebody who reads the rows of the state anew.
    pub(crate) fn again(&self) -> Outside {
        Outside { scanned: 0, ..self.clone() }
    }

    /// How it is told of an entity.
    #[inline]
    pub(crate) fn told(&self, id: usize) -> Told {
        match &self.unless {
            Some(unless) if id < unless.len() && unless.value(id) => Told::Unless,
            _ => self.told,
        }
    }

    /// Whether rows say of each entity what it is not.
    pub(crate) fn is_told_by_negation(&self) -> bool {
        self.unless.is_none() && self.told == Told::Unless
    }

    /// Of whom alone rows say what they are not, by id.
    pub(crate) fn unless(&self) -> Option<&BooleanBuffer> {
        self.unless.as_ref()
    }

    /// Since when an entity exists; `i64::MIN`: always.
    #[inline]
    pub(crate) fn begin(&self, id: usize) -> i64 {
        self.begins.at.get(id).copied().unwrap_or(i64::MIN)
    }

    /// When the first entity begins that does not always exist, where it may be in the state from its beginning on.
    pub(crate) fn first(&self) -> Option<i64> {
        if self.unless.is_none() {
            return self.begins.first().filter(|_| self.is_told_by_existing(0));
        }
        let first = self.begins.order.iter().find(|&&id| self.is_told_by_existing(id as usize));
        first.map(|&id| self.begin(id as usize))
    }

    /// The entity that begins as number `place` of those that do, and when.
    pub(crate) fn born(&self, place: usize) -> Option<(i64, u32)> {
        let id = *self.begins.order.get(place)?;
        Some((self.begin(id as usize), id))
    }

    /// Whether an entity is in the state while no row says anything of it.
    fn is_told_by_existing(&self, id: usize) -> bool {
        matches!(self.told(id), Told::Unless | Told::Always)
    }

    /// Whether an entity has been in the state since ever, before its first row.
    pub(crate) fn holds_since_ever(&self, id: usize) -> bool {
        self.is_told_by_existing(id) && self.begin(id) == i64::MIN
    }

    /// The value at a moment, where the rows say `value`.
    #[inline]
    pub(crate) fn value(&self, id: usize, moment: i64, value: Option<i64>) -> Option<i64> {
        if self.begin(id) > moment {
            return None;
        }
        match self.told(id) {
            Told::While => value,
            Told::Unless => (value.unwrap_or(0) == 0).then_some(1),
            Told::Always => Some(1),
            Told::Never => None,
        }
    }

    /// For how many microseconds it held before an instant, where what the rows say held for `micros` of them since the
    /// entity's beginning.
    pub(crate) fn micros(&self, id: usize, instant: i64, micros: i64) -> i64 {
        let existed = instant.saturating_sub(self.begin(id).max(LONG_AGO)).max(0);
        match self.told(id) {
            Told::While => micros,
            Told::Unless => (existed - micros).max(0),
            Told::Always => existed,
            Told::Never => 0,
        }
    }

    /// What [`Outside::micros`] counts before the first instant of all, for an entity that always exists.
    pub(crate) fn micros_before(&self, id: usize, instant: i64) -> i64 {
        if self.holds_since_ever(id) { instant.saturating_sub(LONG_AGO).max(0) } else { 0 }
    }
}

/// The same where keys that mean another entity are nobody, and never begin.
fn of_those_meant(begins: Arc<Begins>, entity: &str, source: &Source) -> Result<Arc<Begins>, ExecError> {
    let merged = match source.scan.entity(entity) {
        Some(_) => source.scan.merged(entity)?,
        None => None,
    };
    let Some(merged) = merged else { return Ok(begins) };
    let is_nobody = |id: usize| merged.values().get(id).is_some_and(|&meant| meant as usize != id);
    let begin = |(id, at): (usize, &i64)| if is_nobody(id) { i64::MAX } else { *at };
    let at = begins.at.iter().enumerate().map(begin).collect();
    let order = begins.order.iter().copied().filter(|&id| !is_nobody(id as usize)).collect();
    Ok(Arc::new(Begins { at, order }))
}

/// Of a condition on several states: of whom it is yes before any of them changes, by id.
fn before_changes(state: &State, source: &Source, zone: &str, now: i64) -> Result<Option<BooleanBuffer>, ExecError> {
    let (core::Base::Made(made), Some(value)) = (&state.from.base, &state.value) else { return Ok(None) };
    if !matches!(**made, Made::Changes(_)) {
        return Ok(None);
    }
    let mut program = Program::of_base(&state.from.base, source, zone, now)?;
    let node = program.condition(value)?;
    let frame = program.before_changes(&state.entity, program.ids(&state.entity));
    program.evaluate(&frame)?;
    program.value(node).mask().map(Some)
}

/// Whether changes of attributes are among those that a condition follows.
fn looks_at_attributes(state: &State) -> bool {
    let core::Base::Made(made) = &state.from.base else { return false };
    matches!(&**made, Made::Changes(changes) if !changes.attributes.is_empty())
}

/// How a condition is told from what rows begin and end.
fn told(holds: &Row, value: Option<&Row>, source: &Source, zone: &str, now: i64) -> Result<Told, ExecError> {
    let yes = |value: Row| is_yes(holds, &value, source, zone, now);
    Ok(match value {
        Some(value) if yes(nothing(&value.unit))? => Told::Unless,
        Some(_) => Told::While,
        None => match (yes(flag(true))?, yes(flag(false))?) {
            (true, false) => Told::While,
            (false, true) => Told::Unless,
            (true, true) => Told::Always,
            (false, false) => Told::Never,
        },
    })
}

/// What stands for the value of a state that does not hold.
fn nothing(unit: &Unit) -> Row {
    match &unit.kind {
        Kind::Bool => flag(false),
        kind if kind.is_numeric() => constant(Value::Decimal { digits: 0, scale: 0 }, unit.clone()),
        _ => Row { unit: unit.clone(), node: RowNode::Field(VALUE.to_string()) },
    }
}

fn flag(is: bool) -> Row {
    constant(Value::Bool(is), Unit::of(Kind::Bool))
}

fn constant(value: Value, unit: Unit) -> Row {
    Row { unit, node: RowNode::Const(value) }
}

/// Whether a condition on [`VALUE`] is yes of a value.
fn is_yes(condition: &Row, value: &Row, source: &Source, zone: &str, now: i64) -> Result<bool, ExecError> {
    // Of a stream without rows every field is missing.
    let mut program = Program::new(Base::Stream(String::new(), None), source, zone, now)?;
    let value = program.row(value)?;
    let node = program.condition_on(value, condition)?;
    let frame = Frame {
        len: 1,
        at: None,
        back: 0,
        columns: Vec::new(),
        ids: None,
        cell_starts: None,
        cell_end: None,
        window: 0..1,
    };
    program.evaluate(&frame)?;
    Ok(program.value(node).mask()?.value(0))
}
