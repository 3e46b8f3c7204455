//! Tiles: in which of so many equal parts entities lie by a value, among all that exist at a moment.

use super::existence::{self, Begins};
use crate::ExecError;
use crate::rows::{BATCH, Base, Column, Frame, Payload, Program, Type, Values};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use kepi_model::core::{Existence, Row};
use std::sync::Arc;

/// The tiles of the entities of a kind. All of them are compared, whoever is looked at.
#[derive(Debug)]
pub(crate) struct Tile {
    subject: usize,
    program: Program,
    value: usize,
    payload: Payload,
    parts: u64,
    entity: Arc<str>,
    count: u32,
    begins: Arc<Begins>,
    /// By id the id that it means, where keys were merged.
    merged: Option<ScalarBuffer<u32>>,
    /// The end and the beginning of the cell that was looked at last.
    cell: Option<(i64, Option<i64>)>,
    /// By id the tile in it; 0: none.
    tiles: Vec<u32>,
    scanned: u64,
}

impl Tile {
    /// Of the entities that a node of a program gives, by an expression of such entities.
    pub(crate) fn new(
        outer: &mut Program,
        of: &Row,
        subject: usize,
        entity: &str,
        parts: u32,
        existence: Option<&Existence>,
    ) -> Result<Tile, ExecError> {
        let base = Base::Entity(Arc::from(entity));
        if !matches!(outer.base, Base::Entity(_) | Base::Groups(..)) {
            return Err(ExecError::NotYet("the tile of an event's entity".into()));
        }
        match outer.ty(subject) {
            Type::Id(own) if **own == *entity => {}
            Type::Missing => {}
            other => return Err(ExecError::Plan(format!("{} is in a tile of {entity}", other.words()))),
        }
        let mut program = Program::new(base, &outer.source, &outer.zone, outer.now)?;
        let value = program.row(of)?;
        let ty = program.ty(value).clone();
        if !ty.is_number() {
            return Err(ExecError::Plan(format!("{} is put into tiles", ty.words())));
        }
        outer.sequential = true;
        outer.needs_period |= program.needs_period;
        let source = outer.source.clone();
        let count = source.scan.entity(entity).map_or(0, |e| e.count);
        let (begins, scanned) = match existence {
            Some(existence) => existence::begins(existence, entity, count, &source, &outer.zone)?,
            None => (Arc::new(Begins::always(count)), 0),
        };
        let merged = match source.scan.entity(entity) {
            Some(_) => source.scan.merged(entity)?.map(|merged| merged.values().clone()),
            None => None,
        };
        Ok(Tile {
            subject,
            program,
            value,
            payload: Payload::new(ty),
            parts: u64::from(parts),
            entity: Arc::from(entity),
            count,
            begins,
            merged,
            cell: None,
            tiles: Vec::new(),
            scanned,
        })
    }

    /// How many rows were read for it.
    pub(crate) fn rows_scanned(&self) -> u64 {
        self.scanned + self.program.rows_scanned_elsewhere()
    }

    /// Reads the tile of each entity.
    pub(crate) fn evaluate(&mut self, values: &[Column], frame: &Frame) -> Result<Column, ExecError> {
        let Some(at) = &frame.at else { return Err(ExecError::Plan("a row has no moment".into())) };
        let ids = &values[self.subject];
        let Values::Id(numbers, _) = &ids.values else { return Ok(Column::missing(frame.len)) };
        let mut out = vec![0; frame.len];
        for row in 0..frame.len {
            let cell = (at[row], frame.cell_starts.as_ref().map(|starts| starts[row]));
            if !ids.is_known(row) {
                continue;
            }
            if self.cell != Some(cell) {
                self.compare(cell)?;
            }
            out[row] = self.tiles.get(numbers[row] as usize).copied().map_or(0, i64::from);
        }
        let known = BooleanBuffer::collect_bool(out.len(), |row| out[row] > 0);
        Ok(Column::new(Values::Decimal(out.into(), 0), Some(NullBuffer::new(known))))
    }

    /// Puts all entities that exist at the end of a cell into tiles: as many in each as go, the first ones one more.
    fn compare(&mut self, cell: (i64, Option<i64>)) -> Result<(), ExecError> {
        let (until, from) = cell;
        let mut found: Vec<(i64, u32)> = Vec::new();
        for start in (0..self.count).step_by(BATCH) {
            self.program.source.check()?;
            let exists = |id: &u32| {
                let meant = self.merged.as_ref().and_then(|merged| merged.get(*id as usize));
                meant.is_none_or(|meant| meant == id) && self.begins.at[*id as usize] < until
            };
            let ids: Vec<u32> = (start..self.count.min(start.saturating_add(BATCH as u32))).filter(exists).collect();
            let len = ids.len();
            let frame = Frame {
                len,
                at: Some(vec![until; len].into()),
                back: 1,
                columns: Vec::new(),
                ids: Some(Column::new(Values::Id(ids.clone().into(), Arc::clone(&self.entity)), None)),
                cell_starts: self.program.needs_period.then(|| vec![from.unwrap_or(i64::MIN); len]),
                cell_end: None,
                window: 0..len,
            };
            self.program.evaluate(&frame)?;
            let column = self.program.value(self.value);
            let numbers = self.payload.encode(column)?;
            found.extend((0..len).filter(|&row| column.is_known(row)).map(|row| (numbers[row], ids[row])));
        }
        found.sort_unstable();
        self.tiles = vec![0; self.count as usize];
        let (each, more) = (found.len() as u64 / self.parts, found.len() as u64 % self.parts);
        let mut before = 0;
        for equal in found.chunk_by(|a, b| a.0 == b.0) {
            // Equal values lie where the first of them does.
            let longer = more * (each + 1);
            let tile = match before < longer {
                true => before / (each + 1),
                false => more + (before - longer) / each.max(1),
            };
            equal.iter().for_each(|(_, id)| self.tiles[*id as usize] = tile as u32 + 1);
            before += equal.len() as u64;
        }
        self.cell = Some(cell);
        Ok(())
    }
}
