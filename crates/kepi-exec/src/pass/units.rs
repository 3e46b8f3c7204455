//! Units: the rows of a pass by the segments in which they are stored, where what a row adds depends on that row alone.
//!
//! What a unit adds is kept under a name that says everything that it depends on: the pass, the time it looks at as far
//! as that cuts the segment, what the segment's rows are, and which values of attributes its rows may show. So a partial
//! is right or is not found, and after new rows only these are read.

use super::pieces::Reading;
use super::plan::{Plan, bytes_max};
use super::state::Cells;
use super::stream::time;
use super::{Part, Pass, Source, saved};
use crate::ExecError;
use crate::rows::{Base, Type};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_buffer::BooleanBuffer;
use kepi_extension::{ColumnInfo, ColumnKind, SegmentInfo, StreamInfo};
use kepi_model::calendar::Zone;
use kepi_model::core::{Aggregate, Measure, Row, RowNode, Stage};
use kepi_model::value::{Kind, Value};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;
use xxhash_rust::xxh3::Xxh3Default;

/// Segments with fewer rows are read each time, all together.
const ROWS_MIN: u64 = 16_384;
/// Rows of a unit of a large segment, about; a power of two of them, at most so many.
const ROWS: u64 = 1 << 20;
const UNITS_MAX: u64 = 8;
/// From so many rows on a segment has two units at least, so that two threads can share it.
const SHARED: u64 = 50_000;
/// The most bytes that bits for all ids in all periods may take: beyond, distinct ids are only counted.
const SET_BYTES_MAX: u64 = 16 << 20;
/// A part of a name: the way in which partials are made. It changes with what they are made of.
const FORM: u32 = 5;

/// The units of a pass; none: it is not read by segments.
pub(crate) fn units(pass: &Pass, plan: &Plan, source: &Source) -> Result<Option<Vec<Part>>, ExecError> {
    // What a plugin's function makes of rows may depend on how they are cut: so they always are, whether or not anything is
    // kept of them.
    if source.partials.is_none() && !saved::runs_plugins(pass) {
        return Ok(None);
    }
    let Base::Stream(stream, Some(info)) = &plan.program.base else { return Ok(None) };
    // The rows of one entity are found without reading all others.
    if !info.dated || plan.only().is_some() || !is_local(pass, plan, source) {
        return Ok(None);
    }
    let Some((from, until)) = time(pass, &plan.reading) else { return Ok(None) };
    if pass.aggregates.iter().any(|a| matches!(a.measure, Measure::Unique(_))) && !has_room(pass, plan, source, info) {
        return Ok(None);
    }
    let segments = source.scan.segments(stream);
    let (large, small): (Vec<SegmentInfo>, Vec<SegmentInfo>) =
        segments.into_iter().partition(|s| s.version.is_some() && s.rows >= ROWS_MIN);
    if large.is_empty() {
        return Ok(None);
    }
    let inside = |s: &&SegmentInfo| s.first < until && from.is_none_or(|from| s.last >= from);
    let mut units = Vec::new();
    for segment in large.iter().filter(inside) {
        let cuts = cuts(segment, pass, plan.program.clock.zone());
        let starts = [None].into_iter().chain(cuts.iter().copied().map(Some));
        let ends = cuts.iter().copied().map(Some).chain([None]);
        let mut parts: Vec<Part> = starts
            .zip(ends)
            .map(|(from, until)| Part { from, until, segments: Some(vec![segment.number]), lot: None })
            .collect();
        parts.retain(|part| {
            part.from.is_none_or(|start| start < until) && part.until.zip(from).is_none_or(|(end, from)| end > from)
        });
        units.extend(parts);
    }
    let rest: Vec<u64> = small.iter().filter(inside).map(|s| s.number).collect();
    if !rest.is_empty() {
        units.push(Part { segments: Some(rest), ..Part::default() });
    }
    // Without any unit nothing would say what the columns are.
    Ok((!units.is_empty()).then_some(units))
}

/// Where a segment is cut: by its own rows, whatever else is stored and however many threads there are.
fn cuts(segment: &SegmentInfo, pass: &Pass, zone: &Zone) -> Vec<i64> {
    let units = (segment.rows / ROWS).next_power_of_two().clamp(1, UNITS_MAX);
    let units = if segment.rows >= SHARED { units.max(2) } else { units } as usize;
    let mut cuts: Vec<i64> =
        (1..units).filter_map(|i| segment.starts.get(segment.starts.len() * i / units).copied()).collect();
    if let Some(grain) = &pass.per {
        // Fewer cells are in two units then.
        cuts.iter_mut().for_each(|cut| *cut = zone.truncate(grain, *cut));
    }
    cuts.retain(|cut| *cut > segment.first && *cut <= segment.last);
    cuts.dedup();
    cuts
}

/// Whether sets of ids by period stay small.
pub(super) fn has_room(pass: &Pass, plan: &Plan, source: &Source, info: &StreamInfo) -> bool {
    let limit = bytes_max(pass, source).unwrap_or(u64::MAX);
    // Where somebody may be in many cells of a period, each row may be one of its own.
    if !plan.counts_can_be_joined(pass) && info.rows.saturating_mul(4) > limit {
        return false;
    }
    let (Some(first), Some(last)) = (info.first, info.last) else { return true };
    let periods = match &pass.per {
        None => 1,
        Some(grain) => {
            let zone = plan.program.clock.zone();
            let start = zone.truncate(grain, first);
            let length = zone.step(grain, start, 1).saturating_sub(start).max(1);
            last.saturating_sub(first) / length + 2
        }
    };
    let bytes = (plan.counted_ids() as u64 / 8).saturating_mul(periods.unsigned_abs());
    bytes <= SET_BYTES_MAX.min(limit)
}

/// Whether what each row adds depends on that row alone.
fn is_local(pass: &Pass, plan: &Plan, source: &Source) -> bool {
    let program = &plan.program;
    if program.sequential || program.needs_past || program.needs_period {
        return false;
    }
    let pieces = match plan.reading {
        Reading::Plain => false,
        Reading::Pieces(_) => true,
        Reading::Apart(_) => return false,
    };
    pass.aggregates.iter().enumerate().all(|(i, aggregate)| {
        let stages = aggregate.events.stages.iter().all(|stage| matches!(stage, Stage::Where(_)));
        let measure = match &aggregate.measure {
            Measure::Count | Measure::Sum(_) | Measure::Avg(_) | Measure::Min(_) | Measure::Max(_) => true,
            Measure::Stddev(_) => true,
            // As a set; of values that are no entities the codes would differ.
            Measure::Unique(_) => !pieces && matches!(plan.argument(i), Some(Type::Id(_))),
            Measure::Plugin { name, args } => saved::can_be_kept(name, args, source),
            _ => false,
        };
        // What is shown of an entity is its key, which is another place to look at.
        let shown = matches!(aggregate.measure, Measure::Unique(_)) || !matches!(plan.argument(i), Some(Type::Id(_)));
        stages && measure && shown && aggregate.rows().into_iter().all(|row| row_is_local(row, source))
    })
}

fn row_is_local(row: &Row, source: &Source) -> bool {
    let own = match &row.node {
        RowNode::Const(_) | RowNode::At | RowNode::Field(_) | RowNode::Role(_) => true,
        RowNode::Attribute { history, .. } => !history,
        RowNode::Call { .. } | RowNode::Case { .. } => true,
        RowNode::Plugin { name, args } => saved::is_named(name, args, source),
        // Keys as texts: there may be many.
        _ => false,
    };
    own && row.parts().into_iter().all(|part| row_is_local(part, source))
}

/// What a unit's rows add: as it was kept, or read now and kept.
pub(crate) fn run(pass: &Pass, source: &Source, part: &Part) -> Result<Cells, ExecError> {
    let begin = Instant::now();
    let name = if source.partials.is_some() { name(pass, source, part)? } else { None };
    let segments: Vec<u64> = part.segments.clone().unwrap_or_default();
    if let (Some(partials), Some(name)) = (&source.partials, name)
        && let Some(bytes) = partials.read(name)
        // Bytes that are whole, but no cells, are of another version: they are made anew.
        && let Ok(mut cells) = Cells::from_bytes(&bytes)
    {
        cells.report.kept = segments;
        return Ok(cells);
    }
    let mut cells = super::stream::run_unit(pass, source, part)?;
    if let (Some(partials), Some(name)) = (&source.partials, name) {
        partials.write(name, &cells.to_bytes()?, begin.elapsed());
    }
    if source.partials.is_some() {
        cells.report.read = segments;
    }
    Ok(cells)
}

/// What a unit depends on beside its segment.
#[derive(Serialize)]
struct Name<'a> {
    form: u32,
    version: &'a str,
    pass: Pass,
    /// The code of the functions of plugins that it calls.
    code: BTreeMap<String, Option<u128>>,
    /// The time as far as it cuts the segment.
    from: Option<i64>,
    until: Option<i64>,
    /// Of windows that move also where the rows of all begin, since that says where pieces do.
    first: Option<i64>,
    columns: Vec<&'a ColumnInfo>,
    segment: u128,
}

/// The name of a unit; none: it is of several segments, or its rows cannot be named.
fn name(pass: &Pass, source: &Source, part: &Part) -> Result<Option<u128>, ExecError> {
    let Some([number]) = part.segments.as_deref() else { return Ok(None) };
    let plan = Plan::new(pass, source)?;
    let Base::Stream(stream, Some(info)) = &plan.program.base else { return Ok(None) };
    let segments = source.scan.segments(stream);
    let Some(segment) = segments.iter().find(|s| s.number == *number && s.rows >= ROWS_MIN) else { return Ok(None) };
    let Some(version) = segment.version else { return Ok(None) };
    let Some((from, until)) = time(pass, &plan.reading) else { return Ok(None) };
    let from = from.into_iter().chain(part.from).max().filter(|from| *from > segment.first);
    let until = part.until.map_or(until, |end| end.min(until));
    let mut plain = pass.clone();
    plain.aggregates.iter_mut().for_each(|a| a.text.clear());
    let mut first = None;
    match plan.reading {
        // Cells are of periods: what time is looked at beside the segment's own does not matter.
        Reading::Plain => (plain.from, plain.until, plain.now, plain.moment) = (None, 0, 0, false),
        Reading::Pieces(_) | Reading::Apart(_) => first = info.first,
    }
    let wanted = plan.program.scanned();
    let name = Name {
        form: FORM,
        version: env!("CARGO_PKG_VERSION"),
        code: saved::code(&plain, source),
        pass: plain,
        from,
        until: (until <= segment.last).then_some(until),
        first,
        columns: wanted.iter().filter_map(|column| info.column(column)).collect(),
        segment: version,
    };
    let mut hasher = Xxh3Default::new();
    let bytes = postcard::to_allocvec(&name).map_err(|e| ExecError::Failed(format!("a unit has no name: {e}")))?;
    put(&mut hasher, &bytes);
    let of = Segment { source, info, segment };
    let named = of.ids(pass, &plan, &mut hasher)? && of.attributes(pass, &mut hasher)?;
    Ok(named.then(|| hasher.digest128()))
}

fn put(hasher: &mut Xxh3Default, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// The most bytes of texts that are looked at for a name.
const TEXTS_MAX: usize = 1 << 20;
/// The most keys that are looked at for a name.
const KEYS_MAX: u32 = 4_096;

/// A segment of a stream, as it is seen by names.
struct Segment<'a> {
    source: &'a Source,
    info: &'a StreamInfo,
    segment: &'a SegmentInfo,
}

impl Segment<'_> {
    /// Adds what ids mean: merges, the ids of keys that are asked for, the keys that labels show. No: there are too many.
    fn ids(&self, pass: &Pass, plan: &Plan, hasher: &mut Xxh3Default) -> Result<bool, ExecError> {
        for row in pass.aggregates.iter().flat_map(Aggregate::rows) {
            self.constants(row, hasher)?;
        }
        for (entity, roots) in self.merges(pass)? {
            put(hasher, entity.as_bytes());
            put(hasher, roots.values().inner());
        }
        for (i, label) in pass.labels.iter().enumerate() {
            let Type::Id(entity) = plan.label_type(i, label)? else { continue };
            let of_roles = pass.aggregates.iter().map(|a| self.most(&a.labels[i])).collect::<Option<Vec<u32>>>();
            let count = self.source.scan.entity(&entity).map_or(0, |e| e.count);
            let most = of_roles.and_then(|most| most.into_iter().max()).map_or(count, |most| count.min(most + 1));
            if most > KEYS_MAX {
                return Ok(false);
            }
            if most > 0 {
                let keys = self.source.scan.keys(&entity)?;
                (0..(most as usize).min(keys.len())).for_each(|id| put(hasher, keys.value(id).as_bytes()));
            }
        }
        Ok(true)
    }

    /// Adds the ids of the keys that a row expression names.
    fn constants(&self, row: &Row, hasher: &mut Xxh3Default) -> Result<(), ExecError> {
        if let (RowNode::Const(value), Kind::Entity(entity)) = (&row.node, &row.unit.kind)
            && self.source.scan.entity(entity).is_some()
        {
            let several = std::slice::from_ref(value);
            let values = if let Value::List(values) = value { values.as_slice() } else { several };
            for value in values {
                let Value::Text(key) = value else { continue };
                let id = self.source.scan.id_of(entity, key)?;
                put(hasher, format!("{entity} {key} {id:?}").as_bytes());
            }
        }
        row.parts().into_iter().try_for_each(|part| self.constants(part, hasher))
    }

    /// The largest id that a row of the segment has in a role; none: the expression is no role.
    fn most(&self, row: &Row) -> Option<u32> {
        match &row.node {
            RowNode::Role(name) | RowNode::Field(name) => self.segment.most.get(name).copied(),
            _ => None,
        }
    }

    /// What merged ids mean of the entities to which the stream's columns and the attributes that are read refer.
    fn merges(&self, pass: &Pass) -> Result<Vec<(String, UInt32Array)>, ExecError> {
        let mut columns = self.info.columns.clone();
        for (entity, _, _) in self.wanted(pass) {
            columns.extend(self.source.scan.entity(&entity).into_iter().flat_map(|info| info.attributes));
        }
        let entity = |column: ColumnInfo| match column.kind {
            ColumnKind::Id { entity } => Some(entity),
            _ => None,
        };
        let entities: BTreeSet<String> = columns.into_iter().filter_map(entity).collect();
        let mut merges = Vec::new();
        // An entity of which nothing is stored has no merges.
        for entity in entities.into_iter().filter(|entity| self.source.scan.entity(entity).is_some()) {
            let roots = self.source.scan.merged(&entity)?;
            merges.extend(roots.map(|roots| (entity, roots)));
        }
        Ok(merges)
    }

    /// The attributes that are read: entity, field, and the largest id of which they are asked; none: any.
    fn wanted(&self, pass: &Pass) -> BTreeSet<(String, String, Option<u32>)> {
        let mut wanted = BTreeSet::new();
        for row in pass.aggregates.iter().flat_map(Aggregate::rows) {
            self.gather(row, &mut wanted);
        }
        wanted
    }

    fn gather(&self, row: &Row, wanted: &mut BTreeSet<(String, String, Option<u32>)>) {
        if let RowNode::Attribute { of, entity, field, .. } = &row.node {
            wanted.insert((entity.clone(), field.clone(), self.most(of)));
        }
        row.parts().into_iter().for_each(|part| self.gather(part, wanted));
    }

    /// Adds the values that attributes have for the entities of the segment's rows. No: they cannot be told.
    fn attributes(&self, pass: &Pass, hasher: &mut Xxh3Default) -> Result<bool, ExecError> {
        let merged = !self.merges(pass)?.is_empty();
        for (entity, field, most) in self.wanted(pass) {
            let known = self.source.scan.entity(&entity);
            if known.is_none_or(|known| known.attributes.iter().all(|attribute| attribute.name != field)) {
                // Once it is stored, this is another name.
                put(hasher, format!("{entity}.{field} is not there").as_bytes());
                continue;
            }
            let attribute = self.source.attribute(&entity, &field)?;
            put(hasher, format!("{entity}.{field}: {:?}", attribute.kind).as_bytes());
            let len = match most {
                // Rows of the segment have no other ids, unless ids mean others.
                Some(most) if !merged => attribute.values.len().min(most as usize + 1),
                _ => attribute.values.len(),
            };
            if !values(&attribute.values.slice(0, len), hasher) {
                return Ok(false);
            }
            if let Some(texts) = &attribute.dictionary
                && !values(&(Arc::clone(texts) as ArrayRef), hasher)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Adds values, and which of them are missing. No: they cannot be told, or are too many texts.
fn values(array: &ArrayRef, hasher: &mut Xxh3Default) -> bool {
    put(hasher, array.data_type().to_string().as_bytes());
    let len = array.len();
    // Where none is missing, it does not matter whether there are bits that say so.
    let missing = array.nulls().filter(|nulls| nulls.null_count() > 0);
    match missing {
        Some(known) => put_bits(hasher, known.inner()),
        None => put(hasher, b"all known"),
    }
    if let Some(texts) = array.as_string_opt::<i32>() {
        let bytes: usize = texts.iter().flatten().map(str::len).sum();
        if bytes > TEXTS_MAX {
            return false;
        }
        texts.iter().for_each(|text| put(hasher, text.unwrap_or_default().as_bytes()));
        return true;
    }
    if let Some(bits) = array.as_boolean_opt() {
        put_bits(hasher, bits.values());
        return true;
    }
    let data = array.to_data();
    let bytes = array.data_type().primitive_width().zip(data.buffers().first()).and_then(|(width, values)| {
        let start = data.offset() * width;
        values.as_slice().get(start..start + len * width)
    });
    // What a missing value is stored as may differ; then the name differs for nothing, which only costs time.
    bytes.is_some_and(|bytes| {
        put(hasher, bytes);
        true
    })
}

/// Adds bits, whatever place in a byte they begin at.
fn put_bits(hasher: &mut Xxh3Default, bits: &BooleanBuffer) {
    hasher.update(&(bits.len() as u64).to_le_bytes());
    bits.bit_chunks().iter_padded().for_each(|word| hasher.update(&word.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test may stop.

    use super::*;
    use arrow_array::{BooleanArray, new_null_array};
    use std::collections::HashSet;

    fn named(array: ArrayRef) -> u128 {
        let mut hasher = Xxh3Default::new();
        assert!(values(&array, &mut hasher));
        hasher.digest128()
    }

    #[test]
    fn names_tell_each_missing_value_and_nothing_else() {
        for len in [1_usize, 7, 63, 64, 65, 130] {
            let mut names = HashSet::new();
            let numbers = |gone: Option<usize>| -> UInt32Array {
                (0..len).map(|row| (gone != Some(row)).then_some(row as u32 / 3)).collect()
            };
            let bits = |gone: Option<usize>| -> BooleanArray {
                (0..len).map(|row| (gone != Some(row)).then_some(row % 3 == 0)).collect()
            };
            for gone in [None].into_iter().chain((0..len).map(Some)) {
                let whole: ArrayRef = Arc::new(numbers(gone));
                let name = named(Arc::clone(&whole));
                assert!(names.insert(name) && names.insert(named(Arc::new(bits(gone)))), "{len}, {gone:?}");
                // The same values behind others, at a place that is no whole byte.
                let before = new_null_array(whole.data_type(), 3);
                let behind = arrow_select::concat::concat(&[&before, &whole]).unwrap();
                assert_eq!(named(behind.slice(3, len)), name, "{len}, {gone:?}");
            }
        }
    }
}
