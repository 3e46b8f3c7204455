//! A retention's answer: every age of every cohort has a cell, up to the one that runs.

use super::align::zone;
use super::cell::{Cell, read, write};
use super::layout::Layout;
use super::number::Number;
use super::plan::{Times, shown_aggregates};
use crate::{ExecError, PartialRow, tables};
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow_schema::SchemaRef;
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take;
use kepi_model::calendar::{Grain, Zone, date_of, span_of};
use kepi_model::core::{Query, Row, RowNode, Shape};
use kepi_model::value::{CalendarSpan, Value};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The most ages that a cohort may have.
const AGES_MAX: u64 = 100_000;

/// What makes ages dense.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ages {
    layout: Layout,
    clock: Clock,
    /// The label that is the cohort, and the one that is the age.
    cohort: usize,
    age: usize,
    /// The aggregate that counts members, and the one that counts those who returned.
    size: usize,
    returned: usize,
    onward: bool,
    /// Whether there is one cell per age for all cohorts that are old enough.
    total: bool,
}

/// How old cohorts are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Clock {
    zone: String,
    now: i64,
    grain: Grain,
    own: bool,
    brackets: Vec<i64>,
}

/// The query in which the cells without an age hold the members of their cohort.
pub(crate) fn with_members(query: &Query) -> Query {
    let mut query = query.clone();
    if let Some(Shape::Ages { size, age, .. }) = &query.shape
        && let Some(aggregate) = query.aggregates.get_mut(*size)
    {
        aggregate.across.retain(|label| label != age);
        if let Some(label) = aggregate.labels.get_mut(*age) {
            *label = Row { unit: label.unit.clone(), node: RowNode::Const(Value::Missing) };
        }
    }
    query
}

/// Keeps cohort and age as labels of a query whose labels were left out. Where the age lies then, and where in the rows
/// of the query itself; none: it has no ages.
pub(crate) fn keep(query: &Query, total: &mut Query) -> Option<(usize, usize)> {
    let Some(Shape::Ages { cohort, age, .. }) = &query.shape else { return None };
    total.by = [cohort, age].iter().filter_map(|label| query.by.get(**label).cloned()).collect();
    for (aggregate, own) in total.aggregates.iter_mut().zip(&query.aggregates) {
        aggregate.labels = [cohort, age].iter().filter_map(|label| own.labels.get(**label).cloned()).collect();
        aggregate.across = if own.across.contains(age) { vec![1] } else { Vec::new() };
    }
    if let Some(Shape::Ages { cohort, age, .. }) = &mut total.shape {
        (*cohort, *age) = (0, 1);
    }
    Some((1, usize::from(query.per.is_some()) + age))
}

/// What makes the ages of a query dense; none: it has no ages.
pub(crate) fn of(query: &Query, times: &Times, layout: Layout) -> Option<Ages> {
    let Some(Shape::Ages { cohort, age, size, returned, onward, .. }) = &query.shape else { return None };
    let (cohort, age, size, returned, onward) = (*cohort, *age, *size, *returned, *onward);
    Some(Ages { layout, clock: clock(query)?, cohort, age, size, returned, onward, total: times.total })
}

fn clock(query: &Query) -> Option<Clock> {
    let Some(Shape::Ages { grain, own_clock, brackets, .. }) = &query.shape else { return None };
    let (zone, grain, brackets) = (query.zone.clone(), grain.clone(), brackets.clone());
    Some(Clock { zone, now: query.now, grain, own: *own_clock, brackets })
}

/// The rows of an answer that are too young to be complete.
pub(crate) fn young(query: &Query, rows: &RecordBatch) -> Result<Vec<PartialRow>, ExecError> {
    let first = usize::from(query.per.is_some());
    let Some(clock) = clock(query) else { return young_numbers(query, rows, first) };
    let Some(Shape::Ages { cohort, age, .. }) = &query.shape else { return Ok(Vec::new()) };
    let zone = zone(&clock.zone)?;
    let (cohorts, ages) = (read(rows.column(first + cohort))?, read(rows.column(first + age))?);
    let is_young = |row: &usize| match (start(&cohorts[*row], &zone), whole(&ages[*row])) {
        (Some(cohort), Some(age)) => !clock.is_complete(&zone, cohort, age),
        _ => false,
    };
    Ok((0..rows.num_rows()).filter(is_young).map(|row| clock.partial(row)).collect())
}

/// The same of rows that show a retention at one age.
fn young_numbers(query: &Query, rows: &RecordBatch, first: usize) -> Result<Vec<PartialRow>, ExecError> {
    let mut found = BTreeMap::new();
    for aggregate in shown_aggregates(query).into_iter().filter_map(|i| query.aggregates.get(i)) {
        let Some(aging) = aggregate.aging.as_ref().filter(|_| aggregate.moved.is_empty()) else { continue };
        let (grain, own, brackets) = (aging.grain.clone(), aging.own_clock, Vec::new());
        let clock = Clock { zone: query.zone.clone(), now: query.now, grain, own, brackets };
        let zone = zone(&clock.zone)?;
        let starts = read(rows.column(aging.label.map_or(0, |label| first + label)))?;
        for (row, cell) in starts.iter().enumerate() {
            let cohort = start(cell, &zone).map(|at| zone.truncate(&clock.grain, at));
            if cohort.is_some_and(|cohort| !clock.is_complete(&zone, cohort, aging.periods - 1)) {
                found.entry(row).or_insert_with(|| clock.partial(row));
            }
        }
    }
    Ok(found.into_values().collect())
}

/// The first instant of a cohort.
fn start(cell: &Cell, zone: &Zone) -> Option<i64> {
    match cell {
        Cell::Time(start) => Some(*start),
        Cell::Date(day) => Some(zone.start_of_day(date_of(*day))),
        _ => None,
    }
}

fn whole(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Number(number) => number.digits_at(0).and_then(|digits| i64::try_from(digits).ok()),
        _ => None,
    }
}

impl Clock {
    /// The first and the last period of an age: with brackets it is the number of a bracket.
    fn periods(&self, age: i64) -> (i64, i64) {
        if age < 1 || self.brackets.is_empty() {
            return (age, age);
        }
        let end = |bracket: i64| {
            let place = bracket.checked_sub(1).and_then(|i| usize::try_from(i).ok());
            place.and_then(|i| self.brackets.get(i)).copied()
        };
        (end(age - 1).unwrap_or(0) + 1, end(age).unwrap_or(i64::MAX))
    }

    /// What is said of a row of which an age is not over.
    fn partial(&self, row: usize) -> PartialRow {
        PartialRow { row, reason: format!("the {} still runs for some", self.grain.name()) }
    }

    /// The age that runs just before `now`.
    fn last(&self, zone: &Zone, cohort: i64) -> i64 {
        let period = zone.periods_between(&self.grain, cohort, self.now.saturating_sub(1)).max(0);
        match self.brackets.len() as i64 {
            0 => period,
            count => (1..=count).take_while(|age| self.periods(*age).0 <= period).last().unwrap_or(0),
        }
    }

    /// Whether an age is over for all members of a cohort.
    fn is_complete(&self, zone: &Zone, cohort: i64, age: i64) -> bool {
        let behind = self.periods(age).1.saturating_add(1);
        let end = match self.own {
            false => zone.step(&self.grain, cohort, behind),
            // The last member may have begun at the end of the cohort's period.
            true => {
                let span =
                    span_of(behind, self.grain.unit).unwrap_or(CalendarSpan { months: i32::MAX, days: 0, micros: 0 });
                zone.add(zone.step(&self.grain, cohort, 1), span)
            }
        };
        end <= self.now
    }
}

/// The cells of a cohort before: the one of its members, and by age those of who returned.
#[derive(Default)]
struct Cohort {
    start: i64,
    /// Any of its cells: the labels that are not the age.
    labels: u32,
    members: Option<u32>,
    ages: HashMap<i64, u32>,
}

/// A cell that is made.
struct Made {
    cohort: usize,
    age: i64,
    /// The cell of who returned at this age.
    own: Option<u32>,
    /// Whether the age has begun. One that has not, of rows dated behind `now`, is not shown, but returning in it is
    /// returning later than before.
    begun: bool,
}

impl Ages {
    /// Makes the cells.
    pub(crate) fn apply(&self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ExecError> {
        let zone = zone(&self.clock.zone)?;
        let cohorts = self.cohorts(batch, &zone)?;
        let mut made = Vec::new();
        for (i, cohort) in cohorts.iter().enumerate() {
            tables::has(&self.clock.grain, &zone, cohort.start)?;
            let running = self.clock.last(&zone, cohort.start);
            let last = cohort.ages.keys().copied().max().unwrap_or(0).max(running);
            if last.unsigned_abs() > AGES_MAX {
                return Err(ExecError::TooLarge { what: "ages".into(), count: last.unsigned_abs(), max: AGES_MAX });
            }
            let begun = |age: i64| age <= running;
            made.extend((0..=last).map(|age| Made {
                cohort: i,
                age,
                own: cohort.ages.get(&age).copied(),
                begun: begun(age),
            }));
        }
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        let taken = |column: &ArrayRef, rows: &UInt32Array| {
            take(column, rows, None).map_err(|e| ExecError::Plan(e.to_string()))
        };
        let labels: UInt32Array = made.iter().map(|m| Some(cohorts[m.cohort].labels)).collect();
        let members: UInt32Array = made.iter().map(|m| cohorts[m.cohort].members).collect();
        let own: UInt32Array = made.iter().map(|m| m.own).collect();
        for (i, field) in schema.fields().iter().enumerate() {
            let column = batch.column(i);
            columns.push(if i < self.layout.keys() {
                match i == self.layout.label(self.age) {
                    true => {
                        let ages: Vec<Cell> = made.iter().map(|m| Cell::Number(Number::whole(m.age))).collect();
                        write(&ages, field.data_type(), field.name())?
                    }
                    false => taken(column, &labels)?,
                }
            } else {
                match (0..self.layout.sides).find_map(|side| self.kind(side, i)) {
                    Some(Kind::Size) => taken(column, &members)?,
                    Some(Kind::Returned(size)) => {
                        let (own, size) = (read(&taken(column, &own)?)?, read(&taken(batch.column(size), &members)?)?);
                        write(&self.returned(&made, own, size)?, field.data_type(), field.name())?
                    }
                    Some(Kind::Start) => taken(column, &labels)?,
                    None => taken(column, &own)?,
                }
            });
        }
        let rows = RecordBatch::try_new(Arc::clone(schema), columns).map_err(|e| ExecError::Plan(e.to_string()))?;
        let is_shown =
            |m: &Made| m.begun && (!self.total || self.clock.is_complete(&zone, cohorts[m.cohort].start, m.age));
        let shown: BooleanArray = made.iter().map(|m| Some(is_shown(m))).collect();
        let rows = filter_record_batch(&rows, &shown).map_err(|e| ExecError::Plan(e.to_string()))?;
        if self.total { self.totals(&rows, schema) } else { Ok(rows) }
    }

    /// What a column behind the keys is, on a side; none: a value of something else, or of another side.
    fn kind(&self, side: usize, column: usize) -> Option<Kind> {
        let layout = &self.layout;
        let (size, returned) = (layout.value(side, self.size), layout.value(side, self.returned));
        match column {
            _ if column == layout.period_of(side) => Some(Kind::Start),
            _ if column == size || column == size + 1 => Some(Kind::Size),
            _ if column == returned => Some(Kind::Returned(size)),
            _ => None,
        }
    }

    /// The cells by cohort, and by what labels there are beside it.
    fn cohorts(&self, batch: &RecordBatch, zone: &Zone) -> Result<Vec<Cohort>, ExecError> {
        let starts = read(batch.column(self.layout.label(self.cohort)))?;
        let ages = read(batch.column(self.layout.label(self.age)))?;
        let others = (0..self.layout.keys()).filter(|key| *key != self.layout.label(self.age));
        let others = others.map(|key| read(batch.column(key))).collect::<Result<Vec<Vec<Cell>>, ExecError>>()?;
        let mut cohorts: Vec<Cohort> = Vec::new();
        let mut index: HashMap<String, usize> = HashMap::new();
        for row in 0..batch.num_rows() {
            let Some(start) = start(&starts[row], zone) else { continue };
            let key: Vec<&Cell> = others.iter().map(|cells| &cells[row]).collect();
            let place = *index.entry(format!("{key:?}")).or_insert_with(|| {
                cohorts.push(Cohort { start, labels: row as u32, ..Cohort::default() });
                cohorts.len() - 1
            });
            match whole(&ages[row]) {
                None => cohorts[place].members = Some(row as u32),
                Some(age) => {
                    cohorts[place].ages.insert(age, row as u32);
                }
            }
        }
        Ok(cohorts)
    }

    /// How many returned: at age 0 all members, and with `onward` all who returned at a later age, too.
    fn returned(&self, made: &[Made], own: Vec<Cell>, size: Vec<Cell>) -> Result<Vec<Cell>, ExecError> {
        let mut returned = own;
        let mut later = Number::whole(0);
        for (row, made_cell) in made.iter().enumerate().rev() {
            if made.get(row + 1).is_none_or(|next| next.cohort != made_cell.cohort) {
                later = Number::whole(0);
            }
            let count = match (&returned[row], made_cell.age) {
                (_, 0) => size[row].clone(),
                (Cell::Number(count), _) => Cell::Number(*count),
                _ => Cell::Number(Number::whole(0)),
            };
            returned[row] = match (count, self.onward && made_cell.age > 0) {
                (Cell::Number(count), true) => {
                    later = sum(later, count)?;
                    Cell::Number(later)
                }
                (Cell::Number(count), false) => Cell::Number(count),
                _ => Cell::Number(Number::whole(0)),
            };
        }
        Ok(returned)
    }

    /// One row per age: sums over all cohorts.
    fn totals(&self, rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ExecError> {
        let ages = read(rows.column(self.layout.label(self.age)))?;
        let mut all: Vec<i64> = ages.iter().filter_map(whole).collect();
        all.sort_unstable();
        all.dedup();
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (i, field) in schema.fields().iter().enumerate() {
            let cells = read(rows.column(i))?;
            let mut totals = vec![Cell::Missing; all.len()];
            for (cell, age) in cells.iter().zip(&ages) {
                let Some(place) = whole(age).and_then(|age| all.binary_search(&age).ok()) else { continue };
                totals[place] = match (&totals[place], cell) {
                    _ if i == self.layout.label(self.age) => age.clone(),
                    _ if i < self.layout.keys() => Cell::Missing,
                    (Cell::Number(so_far), Cell::Number(more)) => Cell::Number(sum(*so_far, *more)?),
                    (Cell::Missing, first) => first.clone(),
                    (so_far, _) => so_far.clone(),
                };
            }
            columns.push(write(&totals, field.data_type(), field.name())?);
        }
        RecordBatch::try_new(Arc::clone(schema), columns).map_err(|e| ExecError::Plan(e.to_string()))
    }

    /// What it does, in words.
    pub(crate) fn words(&self) -> String {
        let grain = self.clock.grain.name();
        match self.total {
            false => format!("a row for each {grain} of age of every cohort, up to the one that runs"),
            true => format!("a row for each {grain} of age, over the cohorts that are old enough"),
        }
    }
}

/// What a column is.
enum Kind {
    Start,
    Size,
    /// With the column of the size.
    Returned(usize),
}

fn sum(a: Number, b: Number) -> Result<Number, ExecError> {
    let sum = a.add(b).map_err(|_| ExecError::Overflow("a total".into()))?;
    sum.ok_or_else(|| ExecError::Overflow("a total".into()))
}
