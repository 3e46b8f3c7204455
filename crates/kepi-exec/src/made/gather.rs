//! The values that made rows have of the rows that they were made of: looked up when somebody asks, all at once.

use super::{NOWHERE, Stream, Stretch, Wanted, bytes, parents};
use crate::rows::{Column, Payload, Program, take};
use crate::{ExecError, Source};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use kepi_model::core::Row;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

impl Stream {
    /// The columns that are wanted, as long as there are rows.
    pub(crate) fn columns<'a>(
        &self,
        wanted: impl Iterator<Item = &'a Wanted> + Clone,
        source: &Source,
    ) -> Result<Vec<Column>, ExecError> {
        let rows = self.rows(source)?;
        let made = |w: &Wanted| match w {
            Wanted::Own(own) => rows.own.get(*own),
            Wanted::Of(parent, row) => {
                rows.known.iter().find(|k| k.0 == *parent && k.1.node == row.node).map(|known| &known.2)
            }
        };
        for parent in 0..rows.parents.len() {
            let of = wanted.clone().filter_map(|w| match w {
                Wanted::Of(of, row) if *of == parent && made(w).is_none() => Some((key(w), &**row)),
                _ => None,
            });
            let known = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
            let missing: Vec<(String, &Row)> = of.filter(|(key, _)| !known.contains_key(key)).collect();
            // Expressions may ask for made rows themselves.
            drop(known);
            if missing.is_empty() {
                continue;
            }
            let columns = self.gather(parent, &missing, source)?;
            self.take(columns.iter().map(bytes).sum(), source)?;
            let mut known = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
            known.extend(missing.into_iter().map(|m| m.0).zip(columns));
        }
        let known = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        let column = |w: &Wanted| made(w).or_else(|| known.get(&key(w))).cloned();
        let columns: Option<Vec<Column>> = wanted.map(column).collect();
        columns.ok_or_else(|| ExecError::Plan(format!("{} have no such column", self.made.words())))
    }

    fn gather(&self, parent: usize, wanted: &[(String, &Row)], source: &Source) -> Result<Vec<Column>, ExecError> {
        let places = &self.rows(source)?.parents[parent];
        let mut program = self.maker(source).program(parents(&self.made)[parent])?;
        let nodes = wanted.iter().map(|w| program.row(w.1)).collect::<Result<Vec<_>, _>>()?;
        if program.needs_period {
            return Err(ExecError::NotYet("`over period` of a row that others are made of".into()));
        }
        let (columns, scanned) = values_at(program, &nodes, places, self.time)?;
        self.scanned.fetch_add(scanned, Ordering::Relaxed);
        Ok(columns)
    }
}

fn key(wanted: &Wanted) -> String {
    format!("{wanted:?}")
}

/// The values of nodes at some places of the program's rows in a stretch of time; and how many stored rows were read.
fn values_at(
    mut program: Program,
    nodes: &[usize],
    places: &[u32],
    time: Stretch,
) -> Result<(Vec<Column>, u64), ExecError> {
    let order = if places.is_sorted() { None } else { Some(sorted(places)) };
    let place = |i: usize| places[order.as_ref().map_or(i, |order| order[i] as usize)];
    let mut gathered: Vec<Gathered> =
        nodes.iter().map(|&node| Gathered::new(Payload::new(program.ty(node).clone()), places.len())).collect();
    let mut frames = time.frames(&program)?;
    let (mut next, mut first) = (0, 0_u32);
    while next < places.len() && place(next) != NOWHERE {
        let Some(frame) = time.next(&mut frames, &mut program)? else {
            return Err(ExecError::Plan("a row that others were made of has gone".into()));
        };
        let end = u32::try_from(frame.len).ok().and_then(|len| first.checked_add(len));
        let end = end.ok_or_else(too_long)?;
        let start = next;
        while next < places.len() && place(next) < end {
            next += 1;
        }
        let local: Vec<u32> = (start..next).map(|i| place(i) - first).collect();
        first = end;
        // Later rows may need what a history sees in these.
        if local.is_empty() && !program.needs_past && !program.sequential {
            continue;
        }
        program.evaluate(&frame)?;
        let rows = |i: usize| order.as_ref().map_or(start + i, |order| order[start + i] as usize);
        for (gathered, &node) in gathered.iter_mut().zip(nodes) {
            gathered.put(&take(program.value(node), &local, None), rows)?;
        }
    }
    let scanned = frames.scanned() + program.rows_scanned_elsewhere();
    Ok((gathered.into_iter().map(Gathered::finish).collect(), scanned))
}

/// More rows than have a place.
pub(super) fn too_long() -> ExecError {
    ExecError::TooLarge { what: "rows to make others of".into(), count: 1 << 32, max: u64::from(NOWHERE) - 1 }
}

/// A column in the making.
struct Gathered {
    payload: Payload,
    numbers: Vec<i64>,
    known: Vec<bool>,
}

impl Gathered {
    fn new(payload: Payload, len: usize) -> Gathered {
        Gathered { payload, numbers: vec![0; len], known: vec![false; len] }
    }

    fn put(&mut self, column: &Column, row: impl Fn(usize) -> usize) -> Result<(), ExecError> {
        let numbers = self.payload.encode(column)?;
        for (i, &number) in numbers.iter().enumerate() {
            let row = row(i);
            self.numbers[row] = number;
            self.known[row] = column.is_known(i);
        }
        Ok(())
    }

    fn finish(mut self) -> Column {
        let valid = NullBuffer::new(BooleanBuffer::from(self.known));
        self.payload.decode(self.numbers, Some(valid))
    }
}

/// The order in which places rise; equal ones keep their order. Linear: by one half of the number after the other.
fn sorted(places: &[u32]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..places.len() as u32).collect();
    for shift in [0, 16] {
        let digit = |row: u32| (places[row as usize] >> shift) as usize & 0xFFFF;
        let mut starts = vec![0_u32; 0x1_0001];
        order.iter().for_each(|&row| starts[digit(row) + 1] += 1);
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = vec![0; order.len()];
        for &row in &order {
            let start = &mut starts[digit(row)];
            next[*start as usize] = row;
            *start += 1;
        }
        order = next;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_put_in_order_and_equal_ones_keep_theirs() {
        let places = [70_000, 3, NOWHERE, 3, 65_536, 0, 70_000];
        assert_eq!(sorted(&places), [5, 1, 3, 4, 0, 6, 2]);
    }
}
