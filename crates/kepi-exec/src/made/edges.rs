//! Edges of a state: where being in it begins and ends, and the stays with one value.

use super::{Maker, Rows};
use crate::ExecError;
use crate::pass::{Standing, Timeline};
use crate::rows::{Column, Type, Values};
use kepi_model::core::{Edge, LENGTH, State, VALUE};

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

/// Edges in the making.
struct Edges {
    /// Which ones are wanted.
    edge: Edge,
    beings: Vec<Being>,
    at: Vec<i64>,
    values: Vec<i64>,
    lengths: Vec<i64>,
    places: Vec<u32>,
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
    let mut timeline = timeline(state, maker)?;
    let flags = *timeline.ty() == Type::Bool;
    let beings = vec![Being::default(); timeline.standing.ids()];
    let (at, values, lengths, places) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut edges = Edges { edge, beings, at, values, lengths, places };
    let each = |edges: &mut Edges, standing: &Standing, at: i64, id: u32, place: u32| {
        let value = standing.value(id as usize, at).filter(|&value| !flags || value != 0);
        edges.look(at, id, value, place);
    };
    let without = timeline.walk(&mut edges, each, Edges::order)?;
    let Edges { at, values, lengths, places, .. } = edges;
    let scanned = timeline.rows_scanned();
    let own = vec![timeline.payload.decode(values, None), Column::new(Values::Decimal(lengths.into(), 6), None)];
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
                self.add(Edge::Stay, at, before.since, before);
                (being.since, being.value, being.place) = (at, value, place);
            }
            Some(value) => {
                being = Being { held: true, began: at, since: at, value, place };
                self.add(Edge::Start, at, at, being);
            }
            None if before.held => {
                being.held = false;
                self.add(Edge::End, at, before.began, before);
                self.add(Edge::Stay, at, before.since, before);
            }
            None => return,
        }
        self.beings[id as usize] = being;
    }

    fn add(&mut self, edge: Edge, at: i64, since: i64, of: Being) {
        if self.edge == edge {
            self.at.push(at);
            self.values.push(of.value);
            self.lengths.push(at.saturating_sub(since));
            self.places.push(of.place);
        }
    }

    /// Puts the edges of the last instant in the order of the rows that they are made of.
    fn order(&mut self) {
        let Some(last) = self.at.last() else { return };
        let first = self.at.iter().rposition(|at| at != last).map_or(0, |before| before + 1);
        if self.places[first..].is_sorted() {
            return;
        }
        let mut order: Vec<(u32, i64, i64)> =
            (first..self.at.len()).map(|i| (self.places[i], self.values[i], self.lengths[i])).collect();
        order.sort_unstable();
        for (i, (place, value, length)) in order.into_iter().enumerate() {
            (self.places[first + i], self.values[first + i], self.lengths[first + i]) = (place, value, length);
        }
    }
}
