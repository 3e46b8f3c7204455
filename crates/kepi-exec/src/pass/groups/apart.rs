//! Groups of a history that its rows do not give while they go by: of states, of moved windows, or chosen by what looks
//! back itself. They are those of a pass over groups that ends with the moment, taken by whose they are.
//!
//! One pass gives the groups of all entities. So rows of entities, which have one moment per cell, cost a pass per cell;
//! events cost one per moment, and may have so many.

use super::inner::{table, type_of};
use super::of;
use crate::ExecError;
use crate::pass::plan::Plan;
use crate::pass::windows::NO_BEGINNING;
use crate::pass::{Over, Pass, Source};
use crate::rows::{Clock, Column, Days, Frame, Payload, Program, Type, Values};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use kepi_model::core::{Aggregate, Base, Groups, History, Label, Measure, Row, RowNode};
use kepi_model::value::{CalendarSpan, Kind, Unit};
use std::collections::HashSet;
use std::fmt;

/// The most moments at which rows may ask for groups that are made anew for each.
const MOMENTS_MAX: u64 = 10_000;

/// An aggregate over the groups of an entity's history, as a pass of its own.
pub(crate) struct Apart {
    subject: usize,
    over: Over,
    /// One aggregate, by whose groups they are; its time is that of the moment.
    pass: Pass,
    source: Source,
    types: Vec<Type>,
    arrow: DataType,
    payload: Payload,
    /// Whether the rows that ask are rows of its groups, too, of which one moment may have several.
    own_rows: bool,
    days: Days,
    /// The time that was looked at last.
    time: Option<(Option<i64>, i64)>,
    /// By id what came of it.
    found: Vec<Option<i64>>,
    moments: u64,
    /// Who has asked at the last moment.
    asked: (i64, HashSet<u32>),
    scanned: u64,
}

impl fmt::Debug for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Apart").field("subject", &self.subject).field("pass", &self.pass).finish_non_exhaustive()
    }
}

/// Whether groups of a history take a pass of their own.
pub(crate) fn is_needed(history: &History) -> bool {
    let mut behind = history.filter.iter().chain(history.measure.rows());
    of(&history.events.base).is_some_and(|groups| made_apart(groups) || behind.any(looks_back))
}

fn made_apart(groups: &Groups) -> bool {
    groups.aggregates.iter().any(|aggregate| {
        let Aggregate { events, filter, measure, labels, moved, .. } = aggregate;
        let behind =
            |inner: &Groups| made_apart(inner) || filter.iter().chain(measure.rows()).chain(labels).any(looks_back);
        !moved.is_empty() || matches!(events.base, Base::Entity(_)) || of(&events.base).is_some_and(behind)
    })
}

/// Whether an expression looks at what was before, or at a rate of its moment.
fn looks_back(row: &Row) -> bool {
    let own = match &row.node {
        RowNode::Attribute { history, .. } => *history,
        RowNode::History(_) | RowNode::State { .. } | RowNode::StateAverage { .. } | RowNode::TimeIn { .. } => true,
        RowNode::Lifecycle { .. } | RowNode::Tile { .. } | RowNode::Modelled(_) | RowNode::Convert { .. } => true,
        _ => false,
    };
    own || row.parts().into_iter().any(looks_back)
}

/// Whether groups are made of the rows of a program.
fn reads(groups: &Groups, program: &Program) -> bool {
    groups.aggregates.iter().any(|aggregate| match of(&aggregate.events.base) {
        Some(inner) => reads(inner, program),
        None => program.reads(&aggregate.events.base),
    })
}

impl Apart {
    /// Compiles an aggregate over groups of a history.
    pub(crate) fn new(outer: &mut Program, history: &History, subject: usize, over: Over) -> Result<Apart, ExecError> {
        let Some(groups) = of(&history.events.base) else {
            return Err(ExecError::Plan("a history of groups has none".into()));
        };
        if !outer.is_dated() {
            return Err(ExecError::NotYet("groups of a history seen from rows without a moment".into()));
        }
        let measure = history.measure.clone();
        let name = match &history.key.node {
            RowNode::Role(name) => name.clone(),
            _ => return Err(ExecError::Plan("groups of a history are of nobody".into())),
        };
        let unit = match measure.rows().first() {
            Some(argument) if !matches!(measure, Measure::Count | Measure::Unique(_)) => argument.unit.clone(),
            _ => Unit::of(Kind::Count),
        };
        let aggregate = Aggregate {
            text: "groups of a history".into(),
            events: history.events.clone(),
            filter: history.filter.clone(),
            measure,
            labels: vec![history.key.clone()],
            unit: unit.clone(),
            existing: false,
            moved: Vec::new(),
            across: Vec::new(),
            aging: None,
        };
        let pass = Pass {
            base: history.events.base.clone(),
            aggregates: vec![aggregate],
            labels: vec![Label { name, unit: history.key.unit.clone(), grain: None }],
            per: None,
            zone: outer.zone.clone(),
            from: None,
            until: outer.now,
            now: outer.now,
            moment: false,
            exists: None,
            shift: None,
        };
        let plan = Plan::new(&pass, &outer.source)?;
        let types = vec![plan.label_type(0, &pass.labels[0])?];
        let schema = plan.schema(&pass)?;
        let arrow = schema.field(pass.labels.len()).data_type().clone();
        let ty = type_of(&arrow, &unit)?;
        let own_rows = !outer.is_of_entities() && reads(groups, outer);
        Ok(Apart {
            subject,
            over,
            pass,
            source: outer.source.clone(),
            types,
            arrow,
            payload: Payload::new(ty),
            own_rows,
            days: Days::default(),
            time: None,
            found: Vec::new(),
            moments: 0,
            asked: (i64::MIN, HashSet::new()),
            scanned: 0,
        })
    }

    /// The type of what it gives. Of nobody's groups it is missing, whatever it computes.
    pub(crate) fn ty(&self) -> Type {
        self.payload.ty().clone()
    }

    /// Whose groups they are: a node.
    pub(crate) fn subject(&self) -> usize {
        self.subject
    }

    /// How many rows were read.
    pub(crate) fn rows_scanned(&self) -> u64 {
        self.scanned
    }

    /// Computes, for each row, what its subject's groups come to by then.
    pub(crate) fn evaluate(
        &mut self,
        values: &[Column],
        frame: &Frame,
        clock: &mut Clock,
    ) -> Result<Column, ExecError> {
        let Some(at) = &frame.at else { return Err(ExecError::Plan("a row has no moment".into())) };
        let subjects = &values[self.subject];
        let Values::Id(ids, _) = &subjects.values else { return Ok(Column::missing(frame.len)) };
        let lowers = match self.over {
            Over::Last(span) => {
                let back = CalendarSpan { months: -span.months, days: -span.days, micros: -span.micros };
                Some(clock.add_all(back, &mut self.days, at))
            }
            Over::All | Over::Period => None,
        };
        let over = self.over;
        let time = |row: usize| {
            // What lies in the cell does so wherever it is asked from.
            let end = frame.cell_end.filter(|_| over == Over::Period);
            let until = end.unwrap_or(at[row]).saturating_sub(frame.back).saturating_add(1);
            let from = match (&lowers, &frame.cell_starts, over) {
                // Of events what is exactly so long ago is outside.
                (Some(lowers), _, _) => Some(lowers[row].saturating_sub(frame.back).saturating_add(1)),
                (None, Some(starts), Over::Period) => Some(starts[row]).filter(|&start| start != NO_BEGINNING),
                _ => None,
            };
            (from, until)
        };
        let mut out: Vec<Option<i64>> = vec![None; frame.len];
        for row in (0..frame.len).filter(|&row| subjects.is_known(row)) {
            if self.own_rows {
                self.ask(at[row], ids[row])?;
            }
            self.look_at(time(row), frame.ids.is_some())?;
            out[row] = self.found.get(ids[row] as usize).copied().flatten();
        }
        let valid = NullBuffer::from_iter(out.iter().map(Option::is_some));
        Ok(self.payload.decode(out.into_iter().map(Option::unwrap_or_default).collect(), Some(valid)))
    }

    /// Of two rows of an entity at one moment, the first does not see the second, which a pass up to it would.
    fn ask(&mut self, at: i64, id: u32) -> Result<(), ExecError> {
        if self.asked.0 != at {
            self.asked = (at, HashSet::new());
        }
        match self.asked.1.insert(id) {
            true => Ok(()),
            false => Err(ExecError::NotYet(
                "groups of moved windows or of states, asked by several rows of one moment that they are made of,"
                    .into(),
            )),
        }
    }

    /// Makes the groups of a time.
    fn look_at(&mut self, time: (Option<i64>, i64), of_entities: bool) -> Result<(), ExecError> {
        if self.time == Some(time) {
            return Ok(());
        }
        self.moments += 1;
        if !of_entities && self.moments > MOMENTS_MAX {
            let what = "moments at which groups of states or of moved windows are made for a row".into();
            return Err(ExecError::TooLarge { what, count: self.moments, max: MOMENTS_MAX });
        }
        (self.pass.from, self.pass.until) = time;
        let table = table(&self.pass, &self.source, &self.types)?;
        self.scanned += table.report.rows_scanned;
        let values = table.value(0, &self.pass.aggregates[0], &self.arrow, &self.source)?;
        let numbers = self.payload.encode(&values)?;
        self.found.clear();
        if let Some(label) = table.labels.first()
            && let Values::Id(ids, _) = &label.values
        {
            for place in (0..ids.len()).filter(|&place| label.is_known(place) && values.is_known(place)) {
                let id = ids[place] as usize;
                if self.found.len() <= id {
                    self.found.resize(id + 1, None);
                }
                self.found[id] = Some(numbers[place]);
            }
        }
        self.time = Some(time);
        Ok(())
    }
}
