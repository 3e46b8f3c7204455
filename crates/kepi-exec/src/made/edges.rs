//! Edges of a state: where being in it begins and ends, and the stays with one value.

use super::stays::Stays;
use super::{Maker, NOWHERE, Rows};
use crate::ExecError;
use crate::pass::{Standing, Timeline};
use crate::rows::{Column, Type, Values};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use kepi_model::core::{Base, Edge, LENGTH, Made, State, VALUE};
use std::sync::Arc;

/// What an entity was in when it was last looked at.
#[derive(Clone, Copy, Default)]
struct Being {
    held: bool,
    /// Since when it is in the state, and since when with this value.
    began: i64,
    since: i64,
    value: i64,
    /// The last row that began it.
    place: u32,
}

/// In place of the moment since when something holds that has held since ever.
const EVER: i64 = i64::MIN;

/// Edges in the making.
struct Edges {
    /// Which ones are wanted.
    edge: Edge,
    beings: Vec<Being>,
    at: Vec<i64>,
    rows: Vec<Row>,
}

/// What an edge has beside its moment. They come in the order of the rows that they are made of; without one, of entities.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    place: u32,
    id: u32,
    value: i64,
    /// None: it has held since ever.
    length: Option<i64>,
}

/// The own columns of edges.
pub(super) fn own(state: &State, maker: &Maker) -> Result<Vec<(String, Type)>, ExecError> {
    let timeline = timeline(state, maker)?;
    Ok(vec![(VALUE.into(), timeline.ty().clone()), (LENGTH.into(), Type::Decimal(6))])
}

fn timeline(state: &State, maker: &Maker) -> Result<Timeline, ExecError> {
    Timeline::new(state, maker.source, maker.zone, maker.now, false)
}

/// Makes one row per edge. What holds is compared before and after each instant at which a row or an end lies, for the
/// entities that these are about: so what begins and ends at one instant is no edge.
pub(super) fn make(maker: &Maker, state: &State, edge: Edge) -> Result<Rows, ExecError> {
    if let Some(stays) = maker.source.stays(state, maker.zone, maker.now)? {
        return of_stays(maker, state, &stays, edge);
    }
    let mut timeline = timeline(state, maker)?;
    let flags = *timeline.ty() == Type::Bool;
    let being = |id: usize| match timeline.standing.outside() {
        Some(outside) if outside.holds_since_ever(id) => {
            Being { held: true, began: EVER, since: EVER, value: 1, place: NOWHERE }
        }
        _ => Being::default(),
    };
    let beings = (0..timeline.standing.ids()).map(being).collect();
    let mut edges = Edges { edge, beings, at: Vec::new(), rows: Vec::new() };
    let each = |edges: &mut Edges, standing: &Standing, at: i64, id: u32, place: u32| {
        let value = standing.value(id as usize, at).filter(|&value| !flags || value != 0);
        edges.look(at, id, value, place);
    };
    let without = timeline.walk(&mut edges, each, Edges::order)?;
    let without = match &state.from.base {
        // Changes have their entity; the rows that they come from may lack it.
        Base::Made(made) if matches!(**made, Made::Changes(_)) => {
            maker.source.made(made, maker.zone, maker.now)?.rows(maker.source)?.without.clone()
        }
        _ => without,
    };
    let Edges { at, rows, .. } = edges;
    let lengths = rows.iter().map(|row| row.length.unwrap_or(0)).collect::<Vec<_>>();
    let known = BooleanBuffer::collect_bool(rows.len(), |row| rows[row].length.is_some());
    let known = (known.count_set_bits() < rows.len()).then(|| NullBuffer::new(known));
    let own = vec![
        timeline.payload.decode(rows.iter().map(|row| row.value).collect(), None),
        Column::new(Values::Decimal(lengths.into(), 6), known),
    ];
    let places: Vec<u32> = rows.iter().map(|row| row.place).collect();
    // Whose it is is known without a row.
    let known = if places.contains(&NOWHERE) {
        let ids: Vec<u32> = rows.iter().map(|row| row.id).collect();
        let ids = Column::new(Values::Id(ids.into(), Arc::from(state.entity.as_str())), None);
        vec![(0, state.key.clone(), ids)]
    } else {
        Vec::new()
    };
    Ok(Rows { at: at.into(), own, parents: vec![places], known, without, scanned: timeline.rows_scanned() })
}

/// Makes the same of stays that are known already.
fn of_stays(maker: &Maker, state: &State, stays: &Stays, edge: Edge) -> Result<Rows, ExecError> {
    // Moment, the row that it is made of, how long the stay was.
    let edges: Vec<(i64, u32, i64)> = match edge {
        Edge::Start => stays.list.iter().map(|stay| (stay.began, stay.first, 0)).collect(),
        Edge::End | Edge::Stay => {
            let ended = stays.list.iter().filter(|stay| stay.until != i64::MAX);
            ended.map(|stay| (stay.until, stay.last, stay.until.saturating_sub(stay.began))).collect()
        }
    };
    let edges = if edges.is_sorted() {
        edges
    } else {
        let mut edges = edges;
        edges.sort_unstable();
        edges
    };
    let values = vec![1; edges.len()];
    let lengths: Vec<i64> = edges.iter().map(|edge| edge.2).collect();
    let at: Vec<i64> = edges.iter().map(|edge| edge.0).collect();
    let places = edges.iter().map(|edge| edge.1).collect();
    let mut payload = timeline(state, maker)?.payload;
    let own = vec![payload.decode(values, None), Column::new(Values::Decimal(lengths.into(), 6), None)];
    let (without, scanned) = (stays.without.clone(), stays.take_scanned());
    Ok(Rows { at: at.into(), own, parents: vec![places], known: Vec::new(), without, scanned })
}

impl Edges {
    /// Compares what an entity is in now with what it was in before.
    fn look(&mut self, at: i64, id: u32, value: Option<i64>, place: u32) {
        let Some(&before) = self.beings.get(id as usize) else { return };
        let mut being = before;
        match value {
            Some(value) if before.held && before.value == value => being.place = place,
            Some(value) if before.held => {
                self.add(Edge::Stay, id, at, before.since, before);
                (being.since, being.value, being.place) = (at, value, place);
            }
            Some(value) => {
                being = Being { held: true, began: at, since: at, value, place };
                self.add(Edge::Start, id, at, at, being);
            }
            None if before.held => {
                being.held = false;
                self.add(Edge::End, id, at, before.began, before);
                self.add(Edge::Stay, id, at, before.since, before);
            }
            None => return,
        }
        self.beings[id as usize] = being;
    }

    fn add(&mut self, edge: Edge, id: u32, at: i64, since: i64, of: Being) {
        if self.edge == edge {
            self.at.push(at);
            let length = (since != EVER).then(|| at.saturating_sub(since));
            self.rows.push(Row { place: of.place, id, value: of.value, length });
        }
    }

    /// Puts the edges of the last instant in the order of the rows that they are made of.
    fn order(&mut self) {
        let Some(last) = self.at.last() else { return };
        let first = self.at.iter().rposition(|at| at != last).map_or(0, |before| before + 1);
        if !self.rows[first..].is_sorted_by_key(|row| row.place) {
            self.rows[first..].sort_unstable();
        }
    }
}
