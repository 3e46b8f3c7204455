//! What labels and conditions say of entities, worked out once for each of them and not for each of their rows.

use super::super::Source;
use super::super::labels::Groups;
use super::super::plan::with_keys;
use super::super::scalar::Labels;
use crate::ExecError;
use crate::rows::{BATCH, Column, Frame, Program, Values, put};
use kepi_model::core::{Base, Row};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3Default;

/// So many different values that are told apart may be kept.
const KEPT_MAX: usize = 65_536;

/// Groups of entities that have the same values.
#[derive(Debug)]
pub(super) struct ById {
    /// By id the group; empty: all are in one.
    groups: Vec<u32>,
    /// By group the values, one per column; none: nobody is in it.
    values: Vec<Option<Labels>>,
}

impl ById {
    /// Of some expressions over rows of entities. None: groups would have numbers up to `most`.
    pub(super) fn of(
        columns: &[Row],
        entity: &str,
        most: usize,
        source: &Source,
        (zone, now): (&str, i64),
    ) -> Result<Option<ById>, ExecError> {
        if columns.is_empty() {
            return Ok(Some(ById { groups: Vec::new(), values: vec![Some(Labels::default())] }));
        }
        let mut program = Program::of_base(&Base::Entity(entity.to_string()), source, zone, now)?;
        let nodes = columns.iter().map(|column| program.row(column)).collect::<Result<Vec<_>, _>>()?;
        let types = nodes.iter().map(|&node| with_keys(&program, node)).collect::<Result<_, _>>()?;
        let mut all = Groups::new(types);
        let count = source.scan.entity(entity).map_or(0, |entity| entity.count);
        let mut groups: Vec<u32> = Vec::with_capacity(count as usize);
        for start in (0..count).step_by(BATCH) {
            source.check()?;
            let ids: Vec<u32> = (start..count.min(start.saturating_add(BATCH as u32))).collect();
            let len = ids.len();
            let frame = Frame {
                len,
                at: Some(vec![now; len].into()),
                back: 1,
                columns: Vec::new(),
                ids: Some(Column::new(Values::Id(ids.into(), Arc::from(entity)), None)),
                cell_starts: None,
                cell_end: None,
                window: 0..len,
            };
            program.evaluate(&frame)?;
            let columns: Vec<&Column> = nodes.iter().map(|&node| program.value(node)).collect();
            groups.extend(all.encode(&columns, 0..len)?);
        }
        let numbers = groups.iter().max().map_or(1, |&most| most as usize + 1);
        if numbers > most {
            return Ok(None);
        }
        let mut values: Vec<Option<Labels>> = vec![None; numbers];
        for &group in &groups {
            values[group as usize].get_or_insert_with(|| all.decode(group));
        }
        Ok(Some(ById { groups, values }))
    }

    /// How many groups there may be.
    pub(super) fn groups(&self) -> usize {
        self.values.len()
    }

    /// How many bytes it takes by id.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.groups[..])
    }

    /// The group of an entity.
    #[inline]
    pub(super) fn group(&self, id: usize) -> usize {
        self.groups.get(id).map_or(0, |&group| group as usize)
    }

    /// The groups that somebody is in, with their values.
    pub(super) fn each(&self) -> impl Iterator<Item = (usize, &Labels)> {
        self.values.iter().enumerate().filter_map(|(group, values)| Some((group, values.as_ref()?)))
    }

    /// Adds what is so of the entities up to an id, or of all. No: they differ too much.
    pub(super) fn put_meaning(&self, most: Option<u32>, hasher: &mut Xxh3Default) -> bool {
        let count = most.map_or(self.groups.len(), |most| self.groups.len().min(most as usize + 1));
        let groups = &self.groups[..count];
        put(hasher, arrow_buffer::ToByteSlice::to_byte_slice(groups));
        let mut known = vec![false; self.values.len()];
        groups.iter().for_each(|&group| known[group as usize] = true);
        let known = || self.each().filter(|(group, _)| known[*group]);
        if known().count() > KEPT_MAX {
            return false;
        }
        known().all(|(_, values)| {
            let bytes = postcard::to_allocvec(values);
            bytes.inspect(|bytes| put(hasher, bytes)).is_ok()
        })
    }
}
