//! Groups of one entity without periods: sums and counts in arrays by id, read in one go over the rows.
//!
//! What follows from the entity (its region) is looked up once for each, when all rows have gone by; so a label costs
//! nothing per row, and another region of somebody changes nothing of what was added up. So what was added up before a
//! moment is kept, and later rows go on from there.

use super::Ranged;
use super::inner::{Time, inner_passes};
use crate::ExecError;
use crate::number_bytes;
use crate::pass::accumulate::Rows;
use crate::pass::frontier::{Frontier, ROWS_MIN, WORTH, name_of};
use crate::pass::plan::follows_from;
use crate::pass::state::{Outcome, State};
use crate::pass::table::Table;
use crate::pass::{Part, Pass, Report, Source, stream};
use crate::rows::{Base, Column, Frame, Program, Type, Values};
use crate::side_by_side::side_by_side;
use arrow_buffer::{BooleanBuffer, NullBuffer};
use kepi_extension::Partials;
use kepi_model::core::{self, Groups, KEY, Measure, Row, RowNode, VALUE};
use kepi_model::value::{Kind, Unit};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Instant;
use xxhash_rust::xxh3::Xxh3Default;

/// A part of a name: the way in which this is kept. It changes with what it is made of.
const FORM: u32 = 1;
/// Fewer rows than this are not worth a thread of their own.
const PART_ROWS_MIN: u64 = if cfg!(any(test, debug_assertions)) { 4 } else { 100_000 };
/// So many times as many ids as rows there may be: else most of the arrays is empty.
const EMPTY_MAX: u64 = 4;

/// What one aggregate has of an entity.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Own {
    digits: i64,
    rows: u32,
    /// How many of the rows have no value.
    lacking: u32,
}

/// The rows of a pass, compiled.
struct ById {
    program: Program,
    id: usize,
    /// Whose rows are added, where not everybody's are.
    ranged: Option<Ranged>,
    /// The id of the first entity.
    first: usize,
    /// By aggregate: which rows it takes, and what it adds up.
    of: Vec<(Option<usize>, Option<usize>)>,
    entity: Arc<str>,
    ids: usize,
}

/// What all rows of some time add.
struct Sums {
    /// By aggregate, by id; behind the last that of nobody.
    own: Vec<Vec<Own>>,
    first: Option<i64>,
    scanned: u64,
}

/// What stands in front of kept bytes; then come numbers by aggregate and id.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Head {
    /// All rows before this moment have gone by.
    moment: i64,
    meaning: u128,
    first: Option<i64>,
}

/// Whether the groups of a pass are made of arrays by id.
pub(super) fn makes(groups: &Groups, pass: &Pass, source: &Source) -> Result<bool, ExecError> {
    if groups.per.is_some() || pass.per.is_some() || !pass.moved().is_empty() {
        return Ok(false);
    }
    let time = Time { per: None, from: pass.from, until: pass.until, moved: Vec::new() };
    match inner_passes(groups, pass, &time).as_slice() {
        [(inner, _)] => Ok(ById::new(inner, source)?.is_some()),
        _ => Ok(false),
    }
}

/// The cells of a pass whose last label is an entity; none: they are made in other ways.
pub(super) fn table(pass: &Pass, source: &Source) -> Result<Option<Table>, ExecError> {
    let Some(by_id) = ById::new(pass, source)? else { return Ok(None) };
    if let Some(ranged) = &source.ranged {
        // On each thread, in all, and while they are read out of bytes that were kept; then as columns.
        let own = size_of::<Own>() * (1 + source.threads).max(3) + 48;
        ranged.fits((by_id.ids + 1) * (own * by_id.of.len() + 24), source)?;
    }
    let (found, continued) = match &source.partials {
        Some(partials) if by_id.ranged.is_none() => by_id.going_on(pass, source, partials.as_ref())?,
        _ => (by_id.read(pass, source, None)?, None),
    };
    let Some(sums) = found else { return Ok(None) };
    let count = pass.aggregates.len();
    let report =
        Report { without_entity: vec![0; count], rows_scanned: sums.scanned, first: sums.first, ..Report::default() };
    let report = Report { continued, ..report };
    let has = |id: &usize| sums.own.iter().any(|own| own[*id].rows > 0);
    let there: Vec<usize> = (0..=by_id.ids).filter(has).collect();
    let mut values = Vec::with_capacity(count);
    for ((own, aggregate), (_, arg)) in sums.own.iter().zip(&pass.aggregates).zip(&by_id.of) {
        let rows: Vec<i64> = there.iter().map(|&id| i64::from(own[id].rows)).collect();
        let outcome = arg.map_or(Outcome::Other, |arg| Outcome::of(by_id.program.ty(arg)));
        let state = match aggregate.measure {
            Measure::Count => State::Count,
            _ => State::Sum {
                digits: there.iter().map(|&id| i128::from(own[id].digits)).collect(),
                floats: Vec::new(),
                known: there.iter().map(|&id| i64::from(own[id].rows - own[id].lacking)).collect(),
            },
        };
        values.push((rows, state, outcome));
    }
    let known = (there.last() == Some(&by_id.ids))
        .then(|| NullBuffer::new(BooleanBuffer::collect_bool(there.len(), |place| there[place] < by_id.ids)));
    let id = |&place: &usize| (by_id.first + place) as u32;
    let ids = Column::new(Values::Id(there.iter().map(id).collect(), Arc::clone(&by_id.entity)), known);
    let labels = labels(pass, source, &by_id, ids)?;
    let mut table = Table::sorted(vec![None; there.len()], labels, values);
    table.report = report;
    Ok(Some(table))
}

impl ById {
    /// None: the rows have periods, or something else is asked of them than exact sums by entity.
    fn new(pass: &Pass, source: &Source) -> Result<Option<ById>, ExecError> {
        let Some(first) = pass.aggregates.first() else { return Ok(None) };
        let Some((id, own)) = first.labels.split_last() else { return Ok(None) };
        let plain = pass.per.is_none() && pass.moved().is_empty() && pass.shift.is_none();
        let summed = |measure: &Measure| matches!(measure, Measure::Count | Measure::Sum(_) | Measure::Avg(_));
        let same = pass.aggregates.iter().all(|a| a.labels == first.labels && summed(&a.measure));
        if !plain
            || !same
            || !matches!(pass.base, core::Base::Stream(_))
            || !own.iter().all(|own| of_key(own, id).is_some())
        {
            return Ok(None);
        }
        let mut program = Program::of_base(&pass.base, source, &pass.zone, pass.now)?;
        let mut of = Vec::with_capacity(pass.aggregates.len());
        for aggregate in &pass.aggregates {
            let mask = program.rows_of(&aggregate.events, aggregate.filter.as_ref())?;
            of.push((mask, program.argument(&aggregate.measure)?));
        }
        let id = program.row(id)?;
        let Type::Id(entity) = program.ty(id).clone() else { return Ok(None) };
        let exact = |&(_, arg): &(Option<usize>, Option<usize>)| {
            arg.is_none_or(|arg| matches!(program.ty(arg), Type::Decimal(_)) && program.conversions(arg).is_empty())
        };
        let alone = of.iter().any(|(mask, _)| mask.is_some_and(|mask| program.only(mask).is_some()));
        let apart = !program.looks_back() && !program.needs_past && !program.sequential && !program.needs_period;
        let Base::Stream(_, Some(info)) = &program.base else { return Ok(None) };
        let all = program.ids(&entity);
        let fits = all as u64 <= info.rows.saturating_mul(EMPTY_MAX) && info.rows < u64::from(u32::MAX);
        let ranged = source.ranged.clone().filter(|ranged| !ranged.is_all());
        let ids = match &ranged {
            None => 0..all,
            Some(ranged) => match ranged.ids(own.len()) {
                Some(ids) => ids,
                None => return Ok(None),
            },
        };
        if alone || !apart || !info.dated || !fits || !of.iter().all(exact) {
            return Ok(None);
        }
        Ok(Some(ById { program, id, ranged, first: ids.start, of, entity, ids: ids.len() }))
    }

    /// What all rows add, or those before an instant; none: more than there is room for.
    fn read(&self, pass: &Pass, source: &Source, until: Option<i64>) -> Result<Option<Sums>, ExecError> {
        let Base::Stream(stream, Some(info)) = &self.program.base else { return Ok(None) };
        let (from, until) = (pass.first_instant(), until.map_or(pass.until, |until| until.min(pass.until)));
        let threads = source.threads.min((info.rows / PART_ROWS_MIN) as usize);
        let cuts = if threads > 1 { source.cuts(stream, (from, Some(until)), threads, false) } else { Vec::new() };
        let read = |part: Part| {
            let Some(mut own) = ById::new(pass, source)? else { return Ok(None) };
            let sums = Sums { own: vec![vec![Own::default(); own.ids + 1]; own.of.len()], first: None, scanned: 0 };
            own.add(sums, from.into_iter().chain(part.from).max(), part.until.unwrap_or(until))
        };
        let parts = stream::between(cuts, from, until);
        let mut all: Option<Sums> = None;
        for sums in side_by_side(source.threads, parts, read)? {
            let Some(sums) = sums else { return Ok(None) };
            let fits = match &mut all {
                None => {
                    all = Some(sums);
                    true
                }
                Some(all) => all.add(&sums),
            };
            if !fits {
                return Ok(None);
            }
        }
        Ok(all)
    }

    /// Adds rows on one thread; none: a sum has too many digits.
    fn add(&mut self, mut sums: Sums, from: Option<i64>, until: i64) -> Result<Option<Sums>, ExecError> {
        let ById { program, id, ranged, first: first_id, of, .. } = self;
        let mut frames = program.frames(from, Some(until))?;
        while let Some(frame) = frames.next(program)? {
            program.evaluate(&frame)?;
            let key = program.value(*id);
            let missing;
            let keys: &[u32] = match &key.values {
                Values::Id(keys, _) => keys,
                _ => {
                    missing = vec![u32::MAX; frame.len];
                    &missing
                }
            };
            let known = key.known();
            // Rows of nobody have a place behind all.
            let behind;
            let places = match &known {
                None if *first_id == 0 && !matches!(key.values, Values::Missing(_)) => keys,
                _ => {
                    let of = |(row, &key): (usize, &u32)| match &known {
                        Some(known) if !known.value(row) => u32::MAX,
                        _ => key.wrapping_sub(*first_id as u32),
                    };
                    behind = keys.iter().enumerate().map(of).collect::<Vec<u32>>();
                    &behind
                }
            };
            let own_rows = ranged.as_ref().map(|ranged| ranged.rows(key)).transpose()?;
            let mut first: Option<usize> = None;
            for ((mask, arg), own) in of.iter().zip(&mut sums.own) {
                let mask = mask.map(|mask| program.value(mask).mask()).transpose()?;
                let mask = match (mask, &own_rows) {
                    (Some(mask), Some(own)) => Some(&mask & own),
                    (mask, own) => mask.or_else(|| own.clone()),
                };
                let rows = Rows { range: &(0..frame.len), mask: mask.as_ref() };
                let begin = match rows.mask {
                    None => (frame.len > 0).then_some(0),
                    Some(mask) => mask.set_indices().next(),
                };
                first = first.into_iter().chain(begin).min();
                if !add_rows(own, rows, places, arg.map(|arg| program.value(arg))) {
                    return Ok(None);
                }
            }
            if sums.first.is_none()
                && let (Some(row), Some(at)) = (first, &frame.at)
            {
                sums.first = Some(at[row]);
            }
        }
        sums.scanned += frames.scanned() + program.rows_scanned_elsewhere();
        Ok(Some(sums))
    }

    /// All rows, of which those before a moment may have been kept, with that moment.
    fn going_on(
        &self,
        pass: &Pass,
        source: &Source,
        partials: &dyn Partials,
    ) -> Result<(Option<Sums>, Option<i64>), ExecError> {
        let anew = || Ok((self.read(pass, source, None)?, None));
        let later = |sums: Sums, from: i64, until: i64| match ById::new(pass, source)? {
            Some(mut own) => own.add(sums, pass.first_instant().into_iter().chain([from]).max(), until),
            None => Ok(None),
        };
        let Base::Stream(base, Some(info)) = &self.program.base else { return anew() };
        if info.rows < ROWS_MIN || !self.program.can_go_on() {
            return anew();
        }
        let Some(frontier) = Frontier::new(base, info.rows, pass.until, &[&self.program], source) else {
            return anew();
        };
        let meaning = |moment: i64| -> Result<Option<u128>, ExecError> {
            let (before, mut hasher) = (frontier.before(moment), Xxh3Default::new());
            let told = before.put(&mut hasher) && self.program.put_meaning(&before, &mut hasher)?;
            Ok(told.then(|| hasher.digest128()))
        };
        let mut plain = pass.clone();
        plain.labels.clear();
        for aggregate in &mut plain.aggregates {
            aggregate.text.clear();
            aggregate.labels.drain(..aggregate.labels.len().saturating_sub(1));
        }
        (plain.from, plain.until, plain.now, plain.moment) = (pass.first_instant(), 0, 0, false);
        let names =
            frontier.names(pass.until, |until| name_of(&("by id", FORM, env!("CARGO_PKG_VERSION"), &plain, until)))?;
        let mut kept = None;
        for name in &names {
            if let Some(bytes) = partials.read(*name)
                && let Some((head, sums)) = self.kept(&bytes)
                && head.moment <= pass.until
                && meaning(head.moment)? == Some(head.meaning)
            {
                kept = Some((head.moment, sums));
                break;
            }
        }
        let continued = kept.as_ref().map(|kept| kept.0);
        let (moment, sums) = match kept {
            Some(kept) if kept.0 >= frontier.moment || frontier.is_fresh(kept.0) => kept,
            kept => {
                let begin = Instant::now();
                let Some(meaning) = meaning(frontier.moment)? else { return anew() };
                let sums = match kept {
                    Some((from, sums)) => later(sums, from, frontier.moment)?,
                    None => self.read(pass, source, Some(frontier.moment))?,
                };
                let Some(sums) = sums else { return Ok((None, None)) };
                if begin.elapsed() >= WORTH
                    && let Some(bytes) = sums.to_bytes(Head { moment: frontier.moment, meaning, first: sums.first })?
                {
                    partials.write(names[0], &bytes, begin.elapsed());
                }
                (frontier.moment, sums)
            }
        };
        Ok((later(sums, moment, pass.until)?, continued))
    }

    /// What is kept in bytes, of as many ids as there are now; none: it is something else.
    fn kept(&self, bytes: &[u8]) -> Option<(Head, Sums)> {
        let (head, mut rest) = postcard::take_from_bytes::<Head>(bytes).ok()?;
        let mut all = Vec::new();
        for _ in &self.of {
            let digits = number_bytes::take(&mut rest, Option::unwrap_or_default)?;
            let rows = number_bytes::take(&mut rest, |n| n.and_then(|n| u32::try_from(n).ok()))?;
            let lacking = number_bytes::take(&mut rest, |n| n.and_then(|n| u32::try_from(n).ok()))?;
            if digits.len() > self.ids + 1 || rows.len() != digits.len() || lacking.len() != digits.len() {
                return None;
            }
            let one = |((digits, rows), lacking): ((i64, Option<u32>), Option<u32>)| {
                Some(Own { digits, rows: rows?, lacking: lacking? })
            };
            let mut own = digits.into_iter().zip(rows).zip(lacking).map(one).collect::<Option<Vec<Own>>>()?;
            // There may be more ids by now; that of nobody stays the last.
            let nobody = own.pop()?;
            own.resize(self.ids, Own::default());
            own.push(nobody);
            all.push(own);
        }
        rest.is_empty().then_some((head, Sums { own: all, first: head.first, scanned: 0 }))
    }
}

impl Sums {
    /// Adds those of other rows. No: a sum has too many digits.
    fn add(&mut self, other: &Sums) -> bool {
        self.first = self.first.into_iter().chain(other.first).min();
        self.scanned += other.scanned;
        let mut fits = true;
        for (own, other) in self.own.iter_mut().zip(&other.own) {
            for (own, other) in own.iter_mut().zip(other) {
                let (digits, over) = own.digits.overflowing_add(other.digits);
                fits &= !over;
                *own = Own { digits, rows: own.rows + other.rows, lacking: own.lacking + other.lacking };
            }
        }
        fits
    }

    /// None: it takes more bytes than is worth it.
    fn to_bytes(&self, head: Head) -> Result<Option<Vec<u8>>, ExecError> {
        let bytes = postcard::to_allocvec(&head);
        let mut bytes = bytes.map_err(|e| ExecError::Failed(format!("sums cannot be kept: {e}")))?;
        let whole = self.own.iter().all(|own| {
            number_bytes::put(&mut bytes, own.iter().map(|own| Some(own.digits)))
                && number_bytes::put(&mut bytes, own.iter().map(|own| Some(i64::from(own.rows))))
                && number_bytes::put(&mut bytes, own.iter().map(|own| Some(i64::from(own.lacking))))
        });
        Ok(whole.then_some(bytes))
    }
}

/// Adds rows to what their entities have, those behind all to the last. No: a sum has too many digits.
fn add_rows(own: &mut [Own], rows: Rows<'_>, places: &[u32], arg: Option<&Column>) -> bool {
    let Some(nobody) = own.len().checked_sub(1) else { return false };
    let place = |row: usize| (places[row] as usize).min(nobody);
    let Some(arg) = arg else {
        rows.each(|row| own[place(row)].rows += 1);
        return true;
    };
    let mut fits = true;
    match (&arg.values, arg.known()) {
        // Without calls, so that many of them are on their way to memory at once.
        (Values::Decimal(digits, _), None) if rows.mask.is_none() => {
            let range = rows.range.clone();
            for (&place, &number) in places[range.clone()].iter().zip(&digits[range]) {
                let own = &mut own[(place as usize).min(nobody)];
                let (sum, over) = own.digits.overflowing_add(number);
                fits &= !over;
                (own.digits, own.rows) = (sum, own.rows + 1);
            }
        }
        (Values::Decimal(digits, _), None) => rows.each(|row| {
            let own = &mut own[place(row)];
            let (sum, over) = own.digits.overflowing_add(digits[row]);
            fits &= !over;
            *own = Own { digits: sum, rows: own.rows + 1, ..*own };
        }),
        (Values::Decimal(digits, _), Some(known)) => rows.each(|row| {
            let own = &mut own[place(row)];
            let is_known = known.value(row);
            let (sum, over) = own.digits.overflowing_add(if is_known { digits[row] } else { 0 });
            fits &= !over;
            *own = Own { digits: sum, rows: own.rows + 1, lacking: own.lacking + u32::from(!is_known) };
        }),
        (Values::Missing(_), _) => rows.each(|row| {
            let own = &mut own[place(row)];
            (own.rows, own.lacking) = (own.rows + 1, own.lacking + 1);
        }),
        // Digits that do not fit 64 bits.
        _ => fits = false,
    }
    fits
}

/// The columns of a pass's labels: what follows from the entity, then the entity itself.
fn labels(pass: &Pass, source: &Source, by_id: &ById, ids: Column) -> Result<Vec<Column>, ExecError> {
    let Some((id, own)) = pass.aggregates.first().and_then(|first| first.labels.split_last()) else {
        return Err(ExecError::Plan("groups by id have no key".into()));
    };
    let mut labels = Vec::with_capacity(own.len() + 1);
    if !own.is_empty() {
        let columns = vec![(key_name(), Type::Id(Arc::clone(&by_id.entity)))];
        let value = Row { unit: id.unit.clone(), node: RowNode::Field(VALUE.into()) };
        let mut program = Program::new(Base::Groups(columns, Box::new(value)), source, &pass.zone, pass.now)?;
        let own = own.iter().filter_map(|own| of_key(own, id));
        let nodes = own.map(|own| program.row(&own)).collect::<Result<Vec<usize>, ExecError>>()?;
        let wanted = program.scanned().len();
        let len = ids.len();
        program.evaluate(&Frame {
            len,
            at: Some(vec![pass.until; len].into()),
            back: 1,
            columns: vec![ids.clone(); wanted],
            ids: None,
            cell_starts: None,
            cell_end: None,
            window: 0..len,
        })?;
        labels.extend(nodes.into_iter().map(|node| program.value(node).clone()));
    }
    labels.push(ids);
    Ok(labels)
}

/// The column of groups that holds their entity.
fn key_name() -> String {
    format!("{KEY}0")
}

/// What is asked of an entity, which `id` says, asked of the key of a group; none: it does not follow from the entity.
fn of_key(row: &Row, id: &Row) -> Option<Row> {
    if row == id {
        return Some(Row { unit: Unit::of(id.unit.kind.clone()), node: RowNode::Role(key_name()) });
    }
    if !follows_from(row, id) {
        return None;
    }
    let all = |rows: &[Row]| rows.iter().map(|row| of_key(row, id)).collect::<Option<Vec<Row>>>();
    let one = |row: &Row| of_key(row, id).map(Box::new);
    let node = match &row.node {
        RowNode::Const(value) if !matches!(row.unit.kind, Kind::Entity(_)) => RowNode::Const(value.clone()),
        RowNode::Attribute { of, entity, field, history: false } => {
            RowNode::Attribute { of: one(of)?, entity: entity.clone(), field: field.clone(), history: false }
        }
        RowNode::Key { of, entity } => RowNode::Key { of: one(of)?, entity: entity.clone() },
        RowNode::Call { op, args } => RowNode::Call { op: op.clone(), args: all(args)? },
        RowNode::Case { whens, otherwise } => RowNode::Case {
            whens: whens.iter().map(|(c, v)| Some((of_key(c, id)?, of_key(v, id)?))).collect::<Option<Vec<_>>>()?,
            otherwise: match otherwise {
                Some(of) => Some(one(of)?),
                None => None,
            },
        },
        _ => return None,
    };
    Some(Row { unit: row.unit.clone(), node })
}
