//! Reading what rows are made of: the rows of derived events in the order of time, with their entities.

use super::Maker;
use super::gather::too_long;
use crate::ExecError;
use crate::rows::{Frame, Program, Type, Values};
use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use kepi_model::core::{Base, Events, Row};

/// The rows of a derived event and their entities, as nodes of a program.
pub(crate) struct Picked {
    mask: Option<usize>,
    key: usize,
}

/// Which rows of a frame are meant, none: all of them; and the entities of all its rows, which mean nothing elsewhere.
pub(crate) struct Taken {
    pub(crate) mask: Option<BooleanBuffer>,
    pub(crate) ids: ScalarBuffer<u32>,
}

impl Maker<'_> {
    /// An empty program over a base whose rows have moments.
    pub(crate) fn program(&self, base: &Base) -> Result<Program, ExecError> {
        let program = Program::of_base(base, self.source, self.zone, self.now)?;
        if !program.is_dated() {
            return Err(ExecError::Plan(format!("{} has no moments, so nothing can follow from it", base.words())));
        }
        Ok(program)
    }
}

/// Runs a program over all rows of its base: `each` is called with a frame and the place of its first row. Gives how
/// many stored rows were read.
pub(crate) fn read(
    program: &mut Program,
    mut each: impl FnMut(&Program, &Frame, u32) -> Result<(), ExecError>,
) -> Result<u64, ExecError> {
    if program.needs_period {
        return Err(ExecError::NotYet("`over period` in what rows are made of".into()));
    }
    let mut frames = program.frames(None, None)?;
    let mut first = 0_u32;
    while let Some(frame) = frames.next(program)? {
        program.evaluate(&frame)?;
        each(program, &frame, first)?;
        let next = u32::try_from(frame.len).ok().and_then(|len| first.checked_add(len));
        first = next.filter(|&next| next < super::NOWHERE).ok_or_else(too_long)?;
    }
    Ok(frames.scanned() + program.rows_scanned_elsewhere())
}

impl Picked {
    /// Compiles which rows of the program's base are meant, and whose they are.
    pub(crate) fn new(program: &mut Program, events: &Events, key: &Row) -> Result<Picked, ExecError> {
        Ok(Picked { mask: program.rows_of(events, None)?, key: program.row(key)? })
    }

    /// The type of its entity.
    pub(crate) fn ty<'a>(&self, program: &'a Program) -> &'a Type {
        program.ty(self.key)
    }

    /// How many ids the entity has.
    pub(crate) fn ids(&self, program: &Program) -> Result<usize, ExecError> {
        match program.ty(self.key) {
            Type::Id(entity) => Ok(program.ids(entity)),
            Type::Missing => Ok(0),
            other => Err(ExecError::Plan(format!("rows are made per {}", other.words()))),
        }
    }

    /// Its rows in a frame; none: no row can have an entity. The moments of those without one go to `without`.
    pub(crate) fn taken(
        &self,
        program: &Program,
        frame: &Frame,
        without: &mut Vec<i64>,
    ) -> Result<Option<Taken>, ExecError> {
        let mask = self.mask.map(|mask| program.value(mask).mask()).transpose()?;
        let key = program.value(self.key);
        let (Values::Id(ids, _), Some(at)) = (&key.values, &frame.at) else {
            let lacking = (0..frame.len).filter(|&row| mask.as_ref().is_none_or(|m| m.value(row)));
            without.extend(lacking.filter_map(|row| frame.at.as_ref().map(|at| at[row])));
            return Ok(None);
        };
        let Some(valid) = &key.valid else { return Ok(Some(Taken { mask, ids: ids.clone() })) };
        let lacking = match &mask {
            Some(mask) => mask & &!valid.inner(),
            None => !valid.inner(),
        };
        without.extend(lacking.set_indices().map(|row| at[row]));
        let mask = match mask {
            Some(mask) => &mask & valid.inner(),
            None => valid.inner().clone(),
        };
        Ok(Some(Taken { mask: Some(mask), ids: ids.clone() }))
    }

    /// Calls with each of its rows in a frame and the row's entity. The moments of those without one go to `without`.
    pub(crate) fn each(
        &self,
        program: &Program,
        frame: &Frame,
        without: &mut Vec<i64>,
        mut take: impl FnMut(usize, u32),
    ) -> Result<(), ExecError> {
        let Some(Taken { mask, ids }) = self.taken(program, frame, without)? else { return Ok(()) };
        match mask {
            None => (0..frame.len).for_each(|row| take(row, ids[row])),
            Some(mask) => mask.set_indices().for_each(|row| take(row, ids[row])),
        }
        Ok(())
    }
}
