//! Merged keys: which id an id means. Rows keep the ids with which they were stored; what is meant is looked up in an
//! array when they are read.

use crate::entity::{Entity, moments};
use crate::error::StoreError;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the ids of an entity mean.
#[derive(Debug)]
pub(crate) struct Aliases {
    /// By id the one that it means in the end; ids beyond mean themselves.
    roots: UInt32Array,
    /// By an id that others mean: the others, the nearest merges first, those of one distance by their keys. So it does
    /// not matter in which order they were loaded.
    members: BTreeMap<u32, Vec<u32>>,
}

impl Aliases {
    /// The aliases of an entity; none: no key was ever merged.
    pub(crate) fn of(entity: &Entity) -> Result<Option<Aliases>, StoreError> {
        let Some(into) = entity.merged_ids()? else { return Ok(None) };
        let (roots, depths) = followed(&into).ok_or_else(|| {
            StoreError::Limit(format!("the merges of `{}` go round in a circle: the store is damaged", entity.name))
        })?;
        let keys = entity.keys.array()?;
        let key = |id: u32| ((id as usize) < keys.len()).then(|| keys.value(id as usize));
        let mut members: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (id, &root) in (0..).zip(&roots) {
            if id != root {
                members.entry(root).or_default().push(id);
            }
        }
        for of_one in members.values_mut() {
            of_one.sort_by_key(|&id| (depths[id as usize], key(id)));
        }
        Ok(Some(Aliases { roots: roots.into(), members }))
    }

    /// By id the one that it means.
    pub(crate) fn roots(&self) -> &UInt32Array {
        &self.roots
    }

    /// What an id means.
    pub(crate) fn root(&self, id: u32) -> u32 {
        self.roots.values().get(id as usize).copied().unwrap_or(id)
    }

    /// All ids that mean the same as one.
    pub(crate) fn same_as(&self, id: u32) -> Vec<u32> {
        let root = self.root(id);
        std::iter::once(root).chain(self.members.get(&root).into_iter().flatten().copied()).collect()
    }

    /// What the ids of a column mean.
    pub(crate) fn meant(&self, ids: &ArrayRef) -> ArrayRef {
        Arc::new(ids.as_primitive::<UInt32Type>().unary::<_, UInt32Type>(|id| self.root(id)))
    }

    /// The values of an attribute by id: where the one that is meant has none, that of the next one merged into it.
    pub(crate) fn attribute(&self, values: &ArrayRef) -> Result<ArrayRef, StoreError> {
        let known = |id: u32| (id as usize) < values.len() && values.is_valid(id as usize);
        let mut wanted: Vec<Option<u32>> = (0..values.len() as u32).map(Some).collect();
        for (&root, members) in &self.members {
            let has = std::iter::once(root).chain(members.iter().copied()).find(|&id| known(id));
            let last = members.iter().copied().fold(root, u32::max) as usize;
            if last >= wanted.len() {
                wanted.resize(last + 1, None);
            }
            wanted[root as usize] = has;
            members.iter().for_each(|&id| wanted[id as usize] = has);
        }
        Ok(arrow_select::take::take(values, &UInt32Array::from(wanted), None)?)
    }

    /// What an attribute was (id, moment, value): at every moment the value of the one that is meant, where it had none
    /// that of the next one merged into it.
    pub(crate) fn history(&self, rows: &RecordBatch) -> Result<RecordBatch, StoreError> {
        let ids = rows.column(0).as_primitive::<UInt32Type>().values();
        let times = moments(rows).unwrap_or_default();
        let values = rows.column(2);
        // By an id: the row that says what it is at the moment.
        let mut now: BTreeMap<u32, u32> = BTreeMap::new();
        let (mut kept_ids, mut kept_times, mut kept): (Vec<u32>, Vec<i64>, Vec<u32>) = Default::default();
        for (row, (&id, &time)) in (0..).zip(ids.iter().zip(times)) {
            let root = self.root(id);
            let mut said = row;
            if let Some(members) = self.members.get(&root) {
                let all = || std::iter::once(root).chain(members.iter().copied());
                let saying = |now: &BTreeMap<u32, u32>| {
                    all().filter_map(|id| now.get(&id).copied()).find(|&row| values.is_valid(row as usize))
                };
                let before = saying(&now);
                now.insert(id, row);
                let after = saying(&now);
                // What another one of them was does not matter while there is one that comes before it.
                if before == after && before.is_some() {
                    continue;
                }
                said = after.unwrap_or(row);
            }
            kept_ids.push(root);
            kept_times.push(time);
            kept.push(said);
        }
        let times = TimestampMicrosecondArray::from(kept_times).with_data_type(rows.column(1).data_type().clone());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(kept_ids)),
            Arc::new(times),
            arrow_select::take::take(values, &UInt32Array::from(kept), None)?,
        ];
        Ok(RecordBatch::try_new(rows.schema(), columns)?)
    }
}

/// By id the end of its chain, and how far that is; none where a chain has no end.
fn followed(into: &UInt32Array) -> Option<(Vec<u32>, Vec<u32>)> {
    let next = |id: u32| ((id as usize) < into.len() && into.is_valid(id as usize)).then(|| into.value(id as usize));
    let mut roots: Vec<u32> = (0..into.len() as u32).collect();
    let mut depths = vec![0; into.len()];
    let mut chain: Vec<u32> = Vec::new();
    for start in 0..into.len() as u32 {
        let mut end = start;
        // Up to the end, or to an id whose end is known.
        while let Some(beyond) = next(end)
            && depths[end as usize] == 0
        {
            chain.push(end);
            if chain.len() > into.len() {
                return None;
            }
            end = beyond;
        }
        let (root, mut depth) = match roots.get(end as usize) {
            Some(&root) => (root, depths[end as usize]),
            None => (end, 0),
        };
        while let Some(id) = chain.pop() {
            depth += 1;
            (roots[id as usize], depths[id as usize]) = (root, depth);
        }
    }
    Some((roots, depths))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_followed_to_their_ends_and_circles_are_found() {
        let into = |ids: &[Option<u32>]| followed(&UInt32Array::from(ids.to_vec()));
        assert_eq!(into(&[Some(1), Some(3), None, Some(7)]), Some((vec![7, 7, 2, 7], vec![3, 2, 0, 1])));
        assert_eq!(into(&[None, Some(0), Some(1)]), Some((vec![0, 0, 0], vec![0, 1, 2])));
        assert_eq!(into(&[Some(1), Some(2), Some(0)]), None);
        assert_eq!(into(&[Some(0)]), None);
    }

    #[test]
    fn a_chain_of_a_million_is_followed_once() {
        let million = 1_000_000;
        let forward: UInt32Array = (1..=million).collect();
        let (roots, depths) = followed(&forward).unwrap_or_default();
        assert!(roots.iter().all(|&root| root == million));
        assert_eq!(depths.first(), Some(&million));
    }
}
