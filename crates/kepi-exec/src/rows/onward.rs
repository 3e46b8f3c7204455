//! Programs that go on from a moment: what they keep of the rows before it, as bytes, and all that this depends on.

use super::column::{Column, Type, Values};
use super::program::{Base, Node, Program};
use crate::ExecError;
use arrow_array::{Array, StringArray};
use arrow_buffer::ArrowNativeType;
use kepi_extension::{SegmentInfo, StreamInfo};
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::Xxh3Default;

/// The most keys of an entity that are looked at for what they are.
const KEYS_MAX: usize = 65_536;

/// The rows of some streams before a moment: in which segments they are stored.
pub(crate) struct Before {
    /// The moment.
    pub(crate) moment: i64,
    streams: BTreeMap<String, Vec<SegmentInfo>>,
    /// The largest ids in columns of rows that are made of them, where that is known better.
    met: Met,
}

/// The largest ids in some columns of made rows, by the columns' names.
pub(crate) type Met = BTreeMap<String, u32>;

impl Before {
    /// The rows of streams before a moment.
    pub(crate) fn new(moment: i64, streams: &BTreeMap<String, Vec<SegmentInfo>>) -> Before {
        let of = |segments: &[SegmentInfo]| segments.iter().filter(|s| s.first < moment).cloned().collect();
        let streams = streams.iter().map(|(name, segments)| (name.clone(), of(segments))).collect();
        Before { moment, streams, met: Met::new() }
    }

    /// The same, where made rows have no larger ids than these.
    pub(crate) fn having(self, met: &Met) -> Before {
        Before { met: met.clone(), ..self }
    }

    /// Adds what these rows are. No: that is not known of some of them.
    pub(crate) fn put(&self, hasher: &mut Xxh3Default) -> bool {
        put(hasher, &self.moment.to_le_bytes());
        self.streams.iter().all(|(name, segments)| {
            put(hasher, name.as_bytes());
            hasher.update(&(segments.len() as u64).to_le_bytes());
            segments.iter().all(|segment| {
                hasher.update(&segment.number.to_le_bytes());
                segment.version.inspect(|version| hasher.update(&version.to_le_bytes())).is_some()
            })
        })
    }

    /// The largest id that a row has in a column.
    fn most(&self, stream: &str, column: &str) -> Option<u32> {
        let segments = self.streams.get(stream)?;
        segments.iter().map(|s| s.most.get(column).copied()).collect::<Option<Vec<u32>>>()?.into_iter().max()
    }
}

/// Adds bytes with their length in front, so that two lists never read alike.
pub(crate) fn put(hasher: &mut Xxh3Default, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

impl Node {
    /// Whether its value for a row depends on that row alone, and on what can be told.
    fn stands_alone(&self) -> bool {
        match self {
            Node::Const { .. } | Node::At | Node::Input(_) | Node::Missing | Node::Gather { .. } => true,
            Node::Keys { .. } | Node::Test { .. } | Node::Map { .. } | Node::Length { .. } => true,
            Node::Call { .. } | Node::Times { .. } | Node::Case { .. } | Node::Otherwise { .. } => true,
            Node::Extreme { .. } | Node::Both(..) => true,
            Node::First { .. } | Node::History(_) | Node::Elsewhere(_) => false,
            // Pasts of attributes change backwards; states, models and rates look at more than rows before theirs.
            Node::Entity | Node::AsOf { .. } | Node::Plugin { .. } | Node::Grouped(_) | Node::Apart(_) => false,
            Node::Held(_) | Node::Lifecycle(_) | Node::Tile(_) | Node::Modelled(_) | Node::Convert(_) => false,
        }
    }
}

impl Program {
    /// Whether all that it keeps of rows that have gone by can be written, and all that this depends on can be told: it
    /// reads rows of streams that are there, whatever the cells are and whenever it is asked.
    pub(crate) fn can_go_on(&self) -> bool {
        let stream = matches!(&self.base, Base::Stream(_, Some(info)) if info.dated);
        let node = |node: &Node| match node {
            Node::First { .. } => true,
            Node::History(lookback) => lookback.can_go_on(),
            Node::Elsewhere(elsewhere) => elsewhere.can_go_on(),
            node => node.stands_alone(),
        };
        stream && !self.needs_period && self.nodes.iter().all(node)
    }

    /// Whether its values for a row depend on that row alone, and on what can be told.
    pub(crate) fn stands_alone(&self) -> bool {
        !self.needs_period && self.nodes.iter().all(Node::stands_alone)
    }

    /// The streams that are read.
    pub(crate) fn streams_read<'a>(&'a self, each: &mut impl FnMut(&'a StreamInfo)) {
        if let Base::Stream(_, Some(info)) = &self.base {
            each(info);
        }
        for node in &self.nodes {
            if let Node::Elsewhere(elsewhere) = node {
                elsewhere.program().streams_read(each);
            }
        }
    }

    /// Adds what its values for rows before a moment depend on beside these rows. No: that cannot be told.
    pub(crate) fn put_meaning(&self, before: &Before, hasher: &mut Xxh3Default) -> Result<bool, ExecError> {
        put(hasher, format!("{} {:?}", self.zone, self.scanned()).as_bytes());
        for input in &self.inputs {
            put(hasher, format!("{} {:?}", input.name, input.kind()).as_bytes());
        }
        let names: BTreeMap<usize, &String> = self.known.iter().map(|(name, place)| (*place, name)).collect();
        let mut entities = BTreeSet::new();
        for (place, ty) in self.types.iter().enumerate() {
            // Its name says what a node does, and of which others.
            let Some(name) = names.get(&place) else { return Ok(false) };
            put(hasher, format!("{name} {ty:?}").as_bytes());
            if let Type::Id(entity) = ty {
                entities.insert(entity);
            }
        }
        let mut merged = false;
        for entity in entities.into_iter().filter(|entity| self.source.scan.entity(entity).is_some()) {
            if let Some(roots) = self.source.scan.merged(entity)? {
                merged = true;
                put(hasher, entity.as_bytes());
                put(hasher, roots.values().inner());
            }
        }
        for node in &self.nodes {
            let told = match node {
                Node::Const { value, .. } => {
                    put(hasher, format!("{value:?}").as_bytes());
                    true
                }
                // Rows have no other ids, unless ids mean others.
                Node::Gather { of, values } => {
                    let most = self.most(*of, before).filter(|_| !merged);
                    values.put(most.map_or(usize::MAX, |most| most as usize + 1), hasher);
                    true
                }
                Node::Keys { of, keys } => {
                    let most = self.most(*of, before).filter(|_| !merged);
                    put_keys(keys, most, hasher)
                }
                Node::Elsewhere(elsewhere) => elsewhere.program().put_meaning(before, hasher)?,
                _ => true,
            };
            if !told {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Adds what is shown of the entities that a node gives. No: they are too many.
    pub(crate) fn put_shown(&self, of: usize, before: &Before, hasher: &mut Xxh3Default) -> Result<bool, ExecError> {
        let Type::Id(entity) = self.ty(of) else { return Ok(true) };
        let merged = self.source.scan.entity(entity).is_some() && self.source.scan.merged(entity)?.is_some();
        let most = self.most(of, before).filter(|_| !merged);
        Ok(put_keys(&*self.keys(entity)?, most, hasher))
    }

    /// The largest id that a node gives for rows before a moment; none: it is no column.
    pub(crate) fn most(&self, of: usize, before: &Before) -> Option<u32> {
        match &self.base {
            Base::Stream(stream, _) => before.most(stream, self.column_of(of)?),
            Base::Made(stream) => {
                let met = self.column_of(of).and_then(|column| before.met.get(column)).copied();
                met.or_else(|| stream.most(self.wanted_by(of)?, before, &self.source))
            }
            Base::Entity(_) | Base::Table(_) | Base::Groups(..) => None,
        }
    }

    /// The largest ids in the columns of those of its made rows that lie before an instant.
    pub(crate) fn met(&self, until: i64) -> Result<Met, ExecError> {
        let mut met = Met::new();
        let Base::Made(stream) = &self.base else { return Ok(met) };
        let rows = stream.rows(&self.source)?.at.partition_point(|&at| at < until);
        let columns = stream.columns(self.made_columns(), &self.source)?;
        for (input, column) in self.inputs.iter().zip(&columns) {
            if let Values::Id(ids, _) = &column.values {
                let known = (0..rows).filter(|&row| column.is_known(row)).map(|row| ids[row]);
                met.insert(input.name.clone(), known.max().unwrap_or(0));
            }
        }
        Ok(met)
    }

    /// Says that all rows before an instant, and no others, are going to be read.
    pub(crate) fn stop_at(&mut self, until: i64) {
        for node in &mut self.nodes {
            if let Node::Elsewhere(elsewhere) = node {
                elsewhere.stop_at(until);
            }
        }
    }

    /// Puts what it keeps behind bytes, once all rows before an instant, and no others, have gone by. No: it cannot be
    /// written.
    pub(crate) fn put_kept(&mut self, until: i64, bytes: &mut Vec<u8>) -> Result<bool, ExecError> {
        for node in &mut self.nodes {
            let written = match node {
                Node::First { seen, .. } => {
                    bytes.extend_from_slice(&(seen.len() as u64).to_le_bytes());
                    seen.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
                    true
                }
                Node::History(lookback) => lookback.put_kept(bytes),
                Node::Elsewhere(elsewhere) => elsewhere.put_kept(until, bytes)?,
                _ => true,
            };
            if !written {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes from the front of bytes what it kept of all rows before an instant: from now on it reads those from there on.
    /// None: they are other bytes.
    pub(crate) fn take_kept(&mut self, from: i64, bytes: &mut &[u8]) -> Option<()> {
        for node in &mut self.nodes {
            match node {
                Node::First { seen, .. } => {
                    let (count, rest) = bytes.split_at_checked(8)?;
                    let count = usize::try_from(u64::from_le_bytes(count.try_into().ok()?)).ok()?;
                    let (words, rest) = rest.split_at_checked(count.checked_mul(8)?)?;
                    *bytes = rest;
                    let words = words.as_chunks::<8>().0;
                    let own = seen.get_mut(..words.len())?;
                    own.iter_mut().zip(words).for_each(|(own, word)| *own = u64::from_le_bytes(*word));
                }
                Node::History(lookback) => lookback.take_kept(bytes)?,
                Node::Elsewhere(elsewhere) => elsewhere.take_kept(from, bytes)?,
                _ => {}
            }
        }
        Some(())
    }
}

/// Adds the keys up to an id. No: they are too many.
fn put_keys(keys: &StringArray, most: Option<u32>, hasher: &mut Xxh3Default) -> bool {
    let count = most.map_or(keys.len(), |most| keys.len().min(most as usize + 1));
    if count > KEYS_MAX {
        return false;
    }
    (0..count).for_each(|id| put(hasher, keys.value(id).as_bytes()));
    true
}

impl Column {
    /// Adds its first values, at most so many. What missing ones are stored as may differ; then the sum differs for nothing.
    fn put(&self, most: usize, hasher: &mut Xxh3Default) {
        // Those behind the last known one are missing, whether or not the column is that long.
        let len = (0..self.len().min(most)).rev().find(|id| self.is_known(*id)).map_or(0, |last| last + 1);
        hasher.update(&(len as u64).to_le_bytes());
        let valid = self.valid.as_ref().map(|valid| valid.slice(0, len)).filter(|valid| valid.null_count() > 0);
        hasher.update(&[u8::from(valid.is_some())]);
        if let Some(valid) = valid {
            valid.inner().bit_chunks().iter_padded().for_each(|bits| hasher.update(&bits.to_le_bytes()));
        }
        match &self.values {
            Values::Decimal(v, scale) => {
                hasher.update(&[0, *scale]);
                put_numbers(&v[..len], hasher);
            }
            Values::Wide(v, scale) => {
                hasher.update(&[1, *scale]);
                put_numbers(&v[..len], hasher);
            }
            Values::Float(v) => {
                hasher.update(&[2]);
                put_numbers(&v[..len], hasher);
            }
            Values::Codes(v, texts) => {
                hasher.update(&[3]);
                put_numbers(&v[..len], hasher);
                // There may be more texts by now, with other codes.
                let most =
                    v[..len].iter().enumerate().filter(|(id, _)| self.is_known(*id)).map(|(_, code)| *code).max();
                let used = most.map_or(0, |most| texts.len().min(most as usize + 1));
                (0..used).for_each(|code| put(hasher, texts.value(code).as_bytes()));
            }
            Values::Text(texts) => {
                hasher.update(&[4]);
                (0..len).filter(|id| self.is_known(*id)).for_each(|id| put(hasher, texts.value(id).as_bytes()));
            }
            Values::Bool(bits) => {
                hasher.update(&[5]);
                let bits = bits.slice(0, len);
                bits.bit_chunks().iter_padded().for_each(|bits| hasher.update(&bits.to_le_bytes()));
            }
            Values::Time(v) => {
                hasher.update(&[6]);
                put_numbers(&v[..len], hasher);
            }
            Values::Date(v) => {
                hasher.update(&[7]);
                put_numbers(&v[..len], hasher);
            }
            Values::Id(v, _) => {
                hasher.update(&[8]);
                put_numbers(&v[..len], hasher);
            }
            Values::Missing(_) => hasher.update(&[9]),
        }
    }
}

fn put_numbers<T: ArrowNativeType>(numbers: &[T], hasher: &mut Xxh3Default) {
    hasher.update(arrow_buffer::ToByteSlice::to_byte_slice(numbers));
}
