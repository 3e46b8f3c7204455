//! Means and sums of sums per entity, computed without making the groups: the sum of the groups' sums is the sum of their
//! rows, and a mean divides it by how many entities have a row, or by how many there are.
//!
//! Only where this gives the same digits as the groups would: for exact numbers and counts, where every group of a cell
//! counts, and where nothing is asked of a group's own value.

use super::Groups;
use crate::ExecError;
use crate::pass::plan::Plan;
use crate::pass::scalar::CellKey;
use crate::pass::state::{Cells, Outcome, State};
use crate::pass::{Part, Pass, Source, entity, onward, stream};
use kepi_model::calendar::{TimeUnit, Zone};
use kepi_model::core::{Aggregate, Base, FormulaNode, KEY, LABEL, Measure, Op, Row, RowNode, VALUE};
use kepi_model::value::{Kind, Unit};
use std::collections::HashMap;

/// A pass over groups as passes over what they are made of.
#[derive(Debug)]
pub(in crate::pass) struct Sums {
    /// The sums of rows (the first aggregate), and how many entities have any (the second).
    rows: Pass,
    /// How many entities there are; none: only those that have rows count.
    everyone: Option<Pass>,
}

/// The sums that stand for a pass over groups; none: it needs its groups.
pub(in crate::pass) fn of(groups: &Groups, pass: &Pass, source: &Source) -> Result<Option<Sums>, ExecError> {
    let Some(sums) = plain(groups, pass, source) else { return Ok(None) };
    let plan = Plan::new(&sums.rows, source)?;
    let exact = matches!(sums.rows.aggregates[0].measure, Measure::Count) || plan.is_exact(0);
    Ok(exact.then_some(sums))
}

fn plain(groups: &Groups, pass: &Pass, source: &Source) -> Option<Sums> {
    let [key] = groups.keys.as_slice() else { return None };
    let Kind::Entity(entity) = &key.unit.kind else { return None };
    let (inner, every) = match groups.aggregates.as_slice() {
        [one] => (one, None),
        [one, every] if is_everyone(every, entity) => (one, Some(every)),
        _ => return None,
    };
    let still = pass.moved().is_empty() && pass.shift.is_none() && !pass.moment && inner.moved.is_empty();
    let of_rows = !matches!(inner.events.base, Base::Entity(_)) && !inner.events.base.is_groups();
    let summed = matches!(inner.measure, Measure::Sum(_) | Measure::Count);
    let (Some(id), true) = (inner.labels.last(), matches!(groups.value.node, FormulaNode::Aggregate(0))) else {
        return None;
    };
    if !(still && of_rows && summed && periods_nest(groups, pass)) {
        return None;
    }
    let outer = pass.aggregates.first()?;
    let same = |a: &Aggregate| a.labels == outer.labels && a.filter == outer.filter && a.events.stages.is_empty();
    let plain = |a: &Aggregate| match &a.measure {
        Measure::Count => true,
        Measure::Sum(row) | Measure::Avg(row) => matches!(&row.node, RowNode::Field(name) if name == VALUE),
        _ => false,
    };
    if !pass.aggregates.iter().all(|a| same(a) && plain(a)) {
        return None;
    }
    // What groups are labelled and chosen by, asked of the rows.
    let of_rows = |row: &Row| said_of(row, &inner.labels, id);
    let labels = outer.labels.iter().map(of_rows).collect::<Option<Vec<Row>>>()?;
    let chosen = outer.filter.iter().map(of_rows).collect::<Option<Vec<Row>>>()?;
    let own_labels = &inner.labels[..inner.labels.len() - 1];
    let left_out = own_labels.iter().filter(|label| !labels.contains(label));
    if !left_out.into_iter().all(|label| crate::pass::plan::follows_from(label, id)) {
        return None;
    }
    if every.is_some() && (groups.per.is_some() || !rows_begin_entities(groups, inner, id, entity, source)) {
        return None;
    }
    // Groups of no entity are none.
    let known = not(call(Op::IsMissing, vec![id.clone()]));
    let taken = inner.filter.iter().cloned().chain(chosen);
    let sum = Aggregate { labels, filter: taken.chain([known]).reduce(and), ..inner.clone() };
    let taken = inner.filter.iter().cloned().chain(outer.filter.iter().filter_map(of_rows)).reduce(and);
    let named = Aggregate {
        measure: Measure::Unique(id.clone()),
        unit: Unit::of(Kind::Count),
        filter: taken,
        text: format!("{} with any", key.name),
        ..sum.clone()
    };
    let rows = Pass {
        base: inner.events.base.clone(),
        aggregates: vec![sum, named],
        per: groups.per.clone().or(pass.per.clone()),
        exists: None,
        ..pass.clone()
    };
    let everyone = match every {
        None => None,
        Some(every) => {
            let this = every.labels.last()?;
            let of_entity = |row: &Row| said_of(row, &every.labels, this);
            let counted = Aggregate {
                labels: outer.labels.iter().map(of_entity).collect::<Option<Vec<Row>>>()?,
                filter: outer.filter.iter().map(of_entity).collect::<Option<Vec<Row>>>()?.pop(),
                ..every.clone()
            };
            let exists = groups.existence.iter().find(|e| e.entity == *entity).cloned();
            Some(Pass { base: Base::Entity(entity.clone()), aggregates: vec![counted], exists, ..pass.clone() })
        }
    };
    Some(Sums { rows, everyone })
}

/// Whether an aggregate is what `per every` adds: all entities that exist.
fn is_everyone(every: &Aggregate, entity: &str) -> bool {
    matches!(&every.events.base, Base::Entity(name) if name == entity)
        && every.events.stages.is_empty()
        && every.measure == Measure::Count
        && every.existing
        && every.filter.is_none()
        && every.moved.is_empty()
}

/// Whether an entity begins with its first row at the latest, so that nobody has rows before they exist.
fn rows_begin_entities(groups: &Groups, inner: &Aggregate, id: &Row, entity: &str, source: &Source) -> bool {
    let (Base::Stream(stream), RowNode::Role(role)) = (&inner.events.base, &id.node) else { return false };
    let dated = source.scan.stream(stream).is_some_and(|info| info.dated);
    let begins = |(of, by): &(String, String)| of == stream && by == role;
    let existence = groups.existence.iter().find(|e| e.entity == entity);
    dated && existence.is_some_and(|e| e.from.is_none() && e.streams.iter().any(begins))
}

/// Whether each period of the groups lies in one cell.
fn periods_nest(groups: &Groups, pass: &Pass) -> bool {
    let (Some(inner), Some(outer)) = (&groups.per, &pass.per) else { return true };
    let months = |unit: TimeUnit| matches!(unit, TimeUnit::Month | TimeUnit::Quarter | TimeUnit::Year);
    let ordinary = inner.table.is_none() && outer.table.is_none();
    inner == outer
        || ordinary
            && inner.year_start == outer.year_start
            && (inner.unit == TimeUnit::Day && (months(outer.unit) || outer.unit == TimeUnit::Week)
                || months(inner.unit) && months(outer.unit) && inner.unit <= outer.unit)
}

/// What is asked of a group, asked of the rows that it is made of: `labels` are theirs, `id` is whose group it is. None:
/// it is no question about the group's key and labels alone.
fn said_of(row: &Row, labels: &[Row], id: &Row) -> Option<Row> {
    let all = |args: &[Row]| args.iter().map(|arg| said_of(arg, labels, id)).collect::<Option<Vec<Row>>>();
    let one = |of: &Row| said_of(of, labels, id).map(Box::new);
    let node = match &row.node {
        RowNode::Role(name) | RowNode::Field(name) => {
            if *name == format!("{KEY}0") {
                return Some(id.clone());
            }
            let place: usize = name.strip_prefix(LABEL)?.parse().ok()?;
            return labels.get(place).filter(|_| place + 1 < labels.len()).cloned();
        }
        RowNode::Const(value) => RowNode::Const(value.clone()),
        RowNode::Attribute { of, entity, field, history: false } => {
            RowNode::Attribute { of: one(of)?, entity: entity.clone(), field: field.clone(), history: false }
        }
        RowNode::Key { of, entity } => RowNode::Key { of: one(of)?, entity: entity.clone() },
        RowNode::Call { op, args } => RowNode::Call { op: op.clone(), args: all(args)? },
        RowNode::Case { whens, otherwise } => RowNode::Case {
            whens: whens
                .iter()
                .map(|(c, v)| Some((said_of(c, labels, id)?, said_of(v, labels, id)?)))
                .collect::<Option<Vec<_>>>()?,
            otherwise: match otherwise {
                Some(of) => Some(one(of)?),
                None => None,
            },
        },
        _ => return None,
    };
    Some(Row { unit: row.unit.clone(), node })
}

fn call(op: Op, args: Vec<Row>) -> Row {
    Row { unit: Unit::of(Kind::Bool), node: RowNode::Call { op, args } }
}

fn not(row: Row) -> Row {
    call(Op::Not, vec![row])
}

fn and(a: Row, b: Row) -> Row {
    call(Op::And, vec![a, b])
}

impl Sums {
    /// Cuts the work into up to `threads` parts by time; none: it is done in one go.
    pub(in crate::pass) fn parts(
        &self,
        pass: &Pass,
        source: &Source,
        threads: usize,
    ) -> Result<Option<Vec<Part>>, ExecError> {
        let plan = Plan::new(&self.rows, source)?;
        if onward::is_wanted(&self.rows, &plan, source)? {
            return Ok(None);
        }
        if pass.per.is_none() && self.everyone.is_none() {
            return Ok(stream::lots(&self.rows, &plan, threads));
        }
        // Parts are cut where cells end.
        if pass.per.is_none() || pass.first_instant().is_none() && self.everyone.is_some() {
            return Ok(None);
        }
        stream::stretches(&Pass { per: pass.per.clone(), ..self.rows.clone() }, source, threads)
    }

    /// Computes the outer aggregates of a part.
    pub(in crate::pass) fn run(&self, pass: &Pass, source: &Source, part: &Part) -> Result<Cells, ExecError> {
        let zone = Zone::named(&pass.zone).ok_or_else(|| ExecError::Plan(format!("no time zone `{}`", pass.zone)))?;
        let rows = stream::run(&self.rows, source, part)?;
        let (Some(own), Some(State::Unique(named)), Some(outcome)) =
            (rows.states.first(), rows.states.get(1), rows.types.first())
        else {
            return Err(ExecError::Plan("sums of groups were not computed".into()));
        };
        // A count's argument is the number of rows.
        let counted = matches!(own, State::Count).then_some(&rows.rows[0]);
        let outcome = if counted.is_some() { Outcome::Decimal(0) } else { outcome.clone() };
        let mut found = Found::default();
        for (i, key) in rows.keys.iter().enumerate() {
            if named[i] == 0 {
                continue;
            }
            let period = match (&self.rows.per, &pass.per, key.period) {
                (Some(inner), Some(outer), Some(at)) if inner != outer => Some(zone.truncate(outer, at)),
                (_, None, _) => None,
                (_, _, period) => period,
            };
            let place = found.place(CellKey { period, labels: key.labels.clone() });
            let digits = match (counted, own) {
                (Some(counted), _) => i128::from(counted[i]),
                (None, State::Sum { digits, .. }) => digits[i],
                _ => return Err(ExecError::Plan("a sum of groups is not exact".into())),
            };
            let sum = &mut found.digits[place];
            *sum = sum.checked_add(digits).ok_or_else(|| ExecError::Overflow("a sum".into()))?;
            found.groups[place] += named[i];
        }
        let mut report = rows.report;
        let lacking = report.without_entity.get(1).copied().unwrap_or(0);
        if let Some(everyone) = &self.everyone {
            let everyone = Pass {
                from: everyone.from.into_iter().chain(part.from).max(),
                until: part.until.map_or(everyone.until, |until| until.min(everyone.until)),
                ..everyone.clone()
            };
            let there = entity::run(&everyone, source)?;
            // Who has rows is among those who exist.
            found.groups.fill(0);
            for (key, count) in there.keys.into_iter().zip(&there.rows[0]) {
                let place = found.place(key);
                found.groups[place] += count;
            }
            report.rows_scanned += there.report.rows_scanned;
            report.first = report.first.into_iter().chain(there.report.first).min();
        }
        report.rows_kept = found.groups.iter().map(|count| count.unsigned_abs()).sum();
        report.without_entity = vec![lacking; pass.aggregates.len()];
        let Found { keys, digits, groups, .. } = found;
        let state = |aggregate: &Aggregate| match aggregate.measure {
            Measure::Count => State::Count,
            _ => State::Sum { digits: digits.clone(), floats: Vec::new(), known: groups.clone() },
        };
        let ty = |aggregate: &Aggregate| match aggregate.measure {
            Measure::Count => Outcome::Other,
            _ => outcome.clone(),
        };
        Ok(Cells {
            keys,
            rows: vec![groups.clone(); pass.aggregates.len()],
            states: pass.aggregates.iter().map(state).collect(),
            types: pass.aggregates.iter().map(ty).collect(),
            report,
            ..Cells::default()
        })
    }
}

/// The cells of the outer aggregates.
#[derive(Default)]
struct Found {
    keys: Vec<CellKey>,
    places: HashMap<CellKey, usize>,
    /// The sum of the groups of each.
    digits: Vec<i128>,
    /// How many groups each has.
    groups: Vec<i64>,
}

impl Found {
    fn place(&mut self, key: CellKey) -> usize {
        if let Some(&place) = self.places.get(&key) {
            return place;
        }
        let place = self.keys.len();
        self.keys.push(key.clone());
        self.places.insert(key, place);
        self.digits.push(0);
        self.groups.push(0);
        place
    }
}
