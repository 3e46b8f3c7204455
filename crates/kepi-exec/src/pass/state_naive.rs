//! States read row by row as they are defined, and states of each kind, for tests.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use super::naive::{V, measured, shown};
use super::testing::*;
use super::*;
use kepi_model::calendar::Zone;
use kepi_model::core::*;
use kepi_model::value::{CalendarSpan, Kind, Unit, Value};
use std::collections::BTreeMap;

/// A shop as lists of rows, and what is said of it.
pub(super) struct Data<'a> {
    pub(super) orders: &'a [Order],
    pub(super) visits: &'a [(i64, Option<u32>)],
    pub(super) texts: Vec<String>,
    pub(super) zone: Zone,
    pub(super) now: i64,
}

/// A cell: its period and labels.
type Key = (Option<i64>, Vec<String>);

/// A window: `[from, until)`.
#[derive(Clone, Copy, Debug)]
struct Time {
    from: Option<i64>,
    until: i64,
    /// What an opening or a closing in a condition looks at: the window before [`Move::Start`].
    cell: Option<(i64, i64)>,
}

impl Time {
    fn of(from: Option<i64>, until: i64) -> Time {
        Time { from, until, cell: None }
    }
}

impl Data<'_> {
    pub(super) fn rows(&self, stream: &str) -> Vec<(i64, Option<u32>)> {
        match stream {
            "orders" => self.orders.iter().map(|o| (o.0, o.1)).collect(),
            _ => self.visits.to_vec(),
        }
    }

    /// A row expression of an event.
    pub(super) fn of_event(&self, row: &Row, stream: &str, place: usize) -> V {
        let (at, who) = self.rows(stream)[place];
        match &row.node {
            RowNode::Const(value) => constant(value),
            RowNode::At => V::Time(at),
            RowNode::Role(_) => who.map_or(V::Missing, V::Id),
            RowNode::Field(name) => {
                let order = &self.orders[place];
                match name.as_str() {
                    "product" => V::Text(self.texts[order.2 as usize].clone()),
                    "amount" => order.3.map_or(V::Missing, |cents| V::Number(cents as f64 / 100.0)),
                    _ => order.4.map_or(V::Missing, V::Number),
                }
            }
            RowNode::Attribute { .. } => who.map_or(V::Missing, |id| self.region(id)),
            RowNode::Call { op, args } => {
                let args: Vec<V> = args.iter().map(|a| self.of_event(a, stream, place)).collect();
                self.call(op, &args)
            }
            RowNode::Case { whens, otherwise } => {
                let held = whens.iter().find(|w| self.of_event(&w.0, stream, place) == V::Bool(true));
                let picked = held.map(|w| &w.1).or(otherwise.as_deref());
                picked.map_or(V::Missing, |row| self.of_event(row, stream, place))
            }
            RowNode::State { state, when: When::Moment, .. } => match who {
                Some(id) => self.state(state, id, at),
                None => nothing(state),
            },
            other => panic!("{other:?} is not needed here"),
        }
    }

    fn region(&self, id: u32) -> V {
        if id % 3 < 2 { V::Text(self.texts[(id % 3) as usize].clone()) } else { V::Missing }
    }

    fn call(&self, op: &Op, args: &[V]) -> V {
        let known = args.iter().all(|a| *a != V::Missing);
        match (op, args) {
            (Op::Equal, [a, b]) => V::Bool(known && a == b),
            (Op::Less, [a, b]) => V::Bool(known && a < b),
            (Op::GreaterEqual, [a, b]) => V::Bool(known && a >= b),
            (Op::And, _) => V::Bool(args.iter().all(|a| *a == V::Bool(true))),
            (Op::Not, [a]) => V::Bool(*a != V::Bool(true)),
            (Op::IsMissing, [a]) => V::Bool(*a == V::Missing),
            (Op::AddSpan(span), [V::Time(t)]) => V::Time(self.zone.add(*t, *span)),
            (Op::Least, [V::Number(a), V::Number(b)]) => V::Number(a.min(*b)),
            _ => V::Missing,
        }
    }

    /// The places of the rows of a derived event that name an entity.
    fn taken(&self, events: &Events, key: &Row, id: u32) -> Vec<usize> {
        let Base::Stream(stream) = &events.base else { panic!("only streams") };
        let is = |row: &Row, place| self.of_event(row, stream, place) == V::Bool(true);
        let mut rows: Vec<usize> = (0..self.rows(stream).len()).collect();
        for stage in &events.stages {
            let Stage::Where(condition) = stage else { panic!("only conditions") };
            rows.retain(|&r| is(condition, r));
        }
        rows.retain(|&r| self.of_event(key, stream, r) == V::Id(id));
        rows
    }

    /// When a row of `from` begins what it begins, when that ends, what it is, and the row's place.
    fn stays(&self, state: &State, id: u32) -> Vec<(i64, i64, V, usize)> {
        let Base::Stream(stream) = &state.from.base else { panic!("only streams") };
        let mut stays: Vec<(i64, i64, V, usize)> = Vec::new();
        for place in self.taken(&state.from, &state.key, id) {
            let at = self.rows(stream)[place].0;
            let value = state.value.as_ref().map_or(V::Bool(true), |v| self.of_event(v, stream, place));
            let end = match &state.until {
                Until::Never => i64::MAX,
                Until::After(span) => self.zone.add(at, *span),
                Until::At(row) => match self.of_event(row, stream, place) {
                    V::Time(t) => t,
                    _ => i64::MAX,
                },
                Until::Event { events, key } => {
                    let Base::Stream(other) = &events.base else { panic!("only streams") };
                    let moments = self.taken(events, key, id).into_iter().map(|r| self.rows(other)[r].0);
                    // What ends at this moment is what held before it, if anything did.
                    let held = stays.iter().any(|s| s.0 < at && s.1 >= at);
                    moments.filter(|&t| if held { t > at } else { t >= at }).min().unwrap_or(i64::MAX)
                }
            };
            // What ends as it begins never was.
            if value != V::Missing && at < end {
                stays.push((at, end, value, place));
            }
        }
        stays
    }

    /// When rows first say anything of an entity that exists.
    fn first_stay(&self, state: &State, id: u32) -> Option<i64> {
        let birth = state.existence.as_ref().map_or(i64::MIN, |existence| self.begins(existence, id));
        let later = self.stays(state, id).into_iter().map(|stay| stay.0).find(|&at| at >= birth);
        self.said(state, id, birth).map(|_| birth).or(later)
    }

    /// The value that holds at a moment as rows say: of the last row, or for yes and no of any.
    fn said(&self, state: &State, id: u32, moment: i64) -> Option<V> {
        let mut begun = self.stays(state, id).into_iter().filter(|s| s.0 <= moment);
        let holds = |s: &(i64, i64, V, usize)| s.1 > moment;
        let value = match &state.value {
            None => begun.rfind(holds),
            Some(_) => begun.next_back().filter(holds),
        };
        value.map(|stay| stay.2)
    }

    /// The value that holds at a moment.
    fn value(&self, state: &State, id: u32, moment: i64) -> Option<V> {
        let value = self.said(state, id, moment);
        if state.existence.as_ref().is_some_and(|existence| self.begins(existence, id) > moment) {
            return None;
        }
        let Some(condition) = &state.holds else { return value };
        let value = if state.existence.is_some() { value.unwrap_or_else(|| nothing_of(&state.value)) } else { value? };
        Some(V::Bool(self.on_value(condition, &value) == V::Bool(true)))
    }

    /// Since when a customer exists.
    fn begins(&self, existence: &Existence, id: u32) -> i64 {
        let said = existence.from.as_ref().and_then(|_| since(id));
        let rows = existence.streams.iter().flat_map(|(stream, _)| self.rows(stream));
        said.unwrap_or_else(|| rows.filter(|row| row.1 == Some(id)).map(|row| row.0).min().unwrap_or(i64::MIN))
    }

    /// When somebody begins to exist and is in a state from there on.
    fn first_beginning(&self, state: &State) -> Option<i64> {
        let existence = state.existence.as_ref()?;
        let holds = self.on_value(state.holds.as_ref()?, &nothing_of(&state.value)) == V::Bool(true);
        (0..5).map(|id| self.begins(existence, id)).filter(|&begin| holds && begin > i64::MIN).min()
    }

    fn on_value(&self, row: &Row, value: &V) -> V {
        match &row.node {
            RowNode::Field(name) if name == VALUE => value.clone(),
            RowNode::Const(value) => constant(value),
            RowNode::Call { op, args } => {
                let args: Vec<V> = args.iter().map(|a| self.on_value(a, value)).collect();
                self.call(op, &args)
            }
            other => panic!("{other:?} is not needed here"),
        }
    }

    /// What a state is as a value.
    fn state(&self, state: &State, id: u32, moment: i64) -> V {
        self.value(state, id, moment).unwrap_or_else(|| nothing(state))
    }

    /// All moments at which anything may change for an entity.
    fn moments(&self, state: &State, id: u32) -> Vec<i64> {
        let mut moments: Vec<i64> = self.stays(state, id).into_iter().flat_map(|s| [s.0, s.1]).collect();
        moments.extend(state.existence.iter().map(|existence| self.begins(existence, id)).filter(|&t| t > i64::MIN));
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// For how many microseconds a state held in a time, and those weighted with its numbers.
    fn totals(&self, state: &State, id: u32, from: i64, until: i64) -> (f64, f64) {
        let mut cuts = vec![from];
        cuts.extend(self.moments(state, id).into_iter().filter(|&t| t > from && t < until));
        cuts.push(until);
        let (mut held, mut weighted) = (0.0, 0.0);
        for pair in cuts.windows(2) {
            let length = (pair[1] - pair[0]) as f64;
            let weight = match self.value(state, id, pair[0]) {
                None | Some(V::Bool(false)) => continue,
                Some(V::Number(n)) => n,
                Some(_) => 1.0,
            };
            held += length;
            weighted += length * weight;
        }
        (held, weighted)
    }

    /// The edges of a state: who, when, the value, the length in microseconds, and the product of the row that began it.
    pub(super) fn edges(&self, state: &State, edge: Edge, entities: u32) -> Vec<String> {
        let mut lines = Vec::new();
        for id in 0..entities {
            let stays = self.stays(state, id);
            let value = |moment| self.value(state, id, moment).filter(|v| *v != V::Bool(false));
            let product = |before: &dyn Fn(i64) -> bool| {
                let Base::Stream(stream) = &state.from.base else { panic!("only streams") };
                match stays.iter().rfind(|s| before(s.0)) {
                    Some(stay) if stream == "orders" => shown(&self.of_event(&field("product"), stream, stay.3)),
                    _ => "-".into(),
                }
            };
            // None: since ever.
            let (mut began, mut since) = (None, None);
            for at in self.moments(state, id).into_iter().filter(|&t| t < i64::MAX) {
                let mut put = |wanted, value: &V, from: Option<i64>, product: String| {
                    if edge == wanted {
                        let length = from.map_or(V::Missing, |from| V::Number((at - from) as f64 / 1e6));
                        let length = shown(&length);
                        lines.push(format!("c{id} {} {} {length} {product}", shown(&V::Time(at)), shown(value)));
                    }
                };
                match (value(at - 1), value(at)) {
                    (None, Some(new)) => {
                        put(Edge::Start, &new, Some(at), product(&|t| t <= at));
                        (began, since) = (Some(at), Some(at));
                    }
                    (Some(old), None) => {
                        put(Edge::End, &old, began, product(&|t| t < at));
                        put(Edge::Stay, &old, since, product(&|t| t < at));
                    }
                    (Some(old), Some(new)) if old != new => {
                        put(Edge::Stay, &old, since, product(&|t| t < at));
                        since = Some(at);
                    }
                    _ => {}
                }
            }
        }
        lines.sort();
        lines
    }

    /// A row expression of an entity just before the end of a window.
    fn of_entity(&self, row: &Row, id: u32, time: Time) -> V {
        match &row.node {
            RowNode::Const(value) => constant(value),
            RowNode::Role(_) => V::Id(id),
            RowNode::Attribute { .. } => self.region(id),
            RowNode::Call { op, args } => {
                let args: Vec<V> = args.iter().map(|a| self.of_entity(a, id, time)).collect();
                self.call(op, &args)
            }
            RowNode::State { state, when: When::Opening, .. } => match time.cell.map(|cell| cell.0).or(time.from) {
                Some(from) => self.state(state, id, from - 1),
                None => nothing(state),
            },
            RowNode::State { state, when: When::Closing, .. } => {
                self.state(state, id, time.cell.map_or(time.until, |cell| cell.1) - 1)
            }
            RowNode::State { state, .. } => self.state(state, id, time.until - 1),
            RowNode::StateAverage { state, .. } | RowNode::TimeIn { state, .. } => {
                let time = time.cell.map_or(time, |(from, until)| Time::of(Some(from), until));
                let until = time.until.min(self.now);
                let first = || {
                    let begun = (0..5).filter_map(|id| self.first_stay(state, id));
                    begun.chain(self.first_beginning(state)).min()
                };
                let Some(from) = time.from.or_else(first).filter(|&f| f < until) else { return V::Missing };
                let (held, weighted) = self.totals(state, id, from, until);
                match &row.node {
                    _ if held == 0.0 => V::Missing,
                    RowNode::TimeIn { .. } => V::Number(held / 1e6),
                    _ => V::Number(weighted / (until - from) as f64),
                }
            }
            other => panic!("{other:?} is not needed here"),
        }
    }

    /// The cells of a pass over entities, as lines.
    pub(super) fn cells(&self, pass: &Pass, entities: u32) -> Vec<String> {
        let begins = |id: u32| match &pass.exists {
            Some(_) => self.orders.iter().find(|o| o.1 == Some(id)).map_or(i64::MIN, |o| o.0),
            None => i64::MIN,
        };
        let mut cells: BTreeMap<Key, Vec<Vec<V>>> = BTreeMap::new();
        for (period, time) in self.windows(pass) {
            for (i, aggregate) in pass.aggregates.iter().enumerate() {
                let time = aggregate.moved.iter().try_fold(time, |time, m| self.moved(pass, m, time));
                let Some(time) = time else { continue };
                for id in 0..entities {
                    let filter = aggregate.filter.as_ref().map(|f| self.of_entity(f, id, time));
                    if filter.is_some_and(|f| f != V::Bool(true)) || aggregate.existing && begins(id) >= time.until {
                        continue;
                    }
                    let labels = aggregate.labels.iter().map(|l| shown(&self.of_entity(l, id, time))).collect();
                    let cell = cells.entry((period, labels)).or_insert_with(|| vec![Vec::new(); pass.aggregates.len()]);
                    cell[i].push(match aggregate.measure.rows().first() {
                        Some(row) => self.of_entity(row, id, time),
                        None => V::Missing,
                    });
                }
            }
        }
        let line = |((period, labels), values): (&Key, &Vec<Vec<V>>)| {
            let mut words: Vec<String> = period.iter().map(|p| shown(&V::Time(*p))).collect();
            words.extend(labels.iter().cloned());
            for (aggregate, values) in pass.aggregates.iter().zip(values) {
                words.push(shown(&measured(&aggregate.measure, values, values.len())));
                words.push(values.len().to_string());
            }
            words.join(" ")
        };
        let mut lines: Vec<String> = cells.iter().map(line).collect();
        lines.sort();
        lines
    }

    fn windows(&self, pass: &Pass) -> Vec<(Option<i64>, Time)> {
        let Some(grain) = &pass.per else { return vec![(None, Time::of(pass.from, pass.until))] };
        let mut windows = Vec::new();
        let from = pass.from.unwrap();
        let mut period = self.zone.truncate(grain, from);
        while period < pass.until {
            let next = self.zone.step(grain, period, 1);
            windows.push((Some(period), Time::of(Some(period.max(from)), next.min(pass.until))));
            period = next;
        }
        windows
    }

    fn moved(&self, pass: &Pass, of: &Move, time: Time) -> Option<Time> {
        let back = |s: &CalendarSpan| CalendarSpan { months: -s.months, days: -s.days, micros: -s.micros };
        Some(match of {
            Move::Prior(by) => {
                Time::of(time.from.map(|f| self.zone.add(f, back(by))), self.zone.add(time.until, back(by)))
            }
            Move::Trailing(by) => Time { from: Some(self.zone.add(time.until, back(by))), ..time },
            Move::ToDate(grain) => Time { from: Some(self.zone.truncate(grain, time.until - 1)), ..time },
            Move::Running => Time { from: pass.from, ..time },
            Move::AllTime => Time { from: None, ..time },
            Move::Start => Time { from: None, until: time.from?, cell: Some((time.from?, time.until)) },
        })
    }
}

fn constant(value: &Value) -> V {
    match value {
        Value::Decimal { digits, scale } => V::Number(*digits as f64 / 10_f64.powi(i32::from(*scale))),
        Value::Text(text) => V::Text(text.clone()),
        _ => V::Missing,
    }
}

/// What a state is where it does not hold.
fn nothing(state: &State) -> V {
    match state.unit.kind {
        Kind::Bool => V::Bool(false),
        Kind::Number => V::Number(0.0),
        _ => V::Missing,
    }
}

/// What stands for the value of a state that does not hold.
fn nothing_of(value: &Option<Row>) -> V {
    match value.as_ref().map(|value| &value.unit.kind) {
        None | Some(Kind::Bool) => V::Bool(false),
        Some(Kind::Number) => V::Number(0.0),
        Some(_) => V::Missing,
    }
}

/// The same as a condition on a customer who has to exist: since the attribute, where `from` says so.
fn of_existing(state: State, from: Option<&str>) -> State {
    let streams = ["orders", "visits"].map(|stream| (stream.to_string(), "customer".to_string())).to_vec();
    let from = from.map(String::from);
    let existence = Existence { entity: "customer".into(), from, streams, intervals: Vec::new() };
    State { existence: Some(existence), ..state }
}

pub(super) fn days(days: i32) -> CalendarSpan {
    CalendarSpan { months: 0, days, micros: 0 }
}

pub(super) fn state(from: Events, value: Option<Row>, until: Until, holds: Option<Row>) -> State {
    let kind = match (&value, &holds) {
        (Some(value), None) => value.unit.kind.clone(),
        _ => Kind::Bool,
    };
    State {
        text: "a state".into(),
        entity: "customer".into(),
        unit: Unit::of(kind),
        from,
        key: customer(),
        value,
        until,
        holds,
        existence: None,
    }
}

/// How many [`states`] there are.
pub(super) const STATES: usize = 22;

/// States of customers of each kind; the last ones are conditions on customers, most of them also yes of nothing.
pub(super) fn states() -> Vec<State> {
    let orders = || events("orders", vec![]);
    let at_least = |row, n| call(Op::GreaterEqual, &[row, number(n, 0)]);
    let large = || events("orders", vec![Stage::Where(at_least(field("amount"), 10))]);
    let visits = || Until::Event { events: events("visits", vec![]), key: customer() };
    let month = || Until::After(CalendarSpan { months: 1, days: 0, micros: 0 });
    let product = || Row { unit: Unit::of(Kind::Text), ..field("product") };
    let value = || row(Kind::Number, RowNode::Field(VALUE.into()));
    let later = |n| call(Op::AddSpan(days(n)), &[moment()]);
    let said = || {
        let whens = vec![
            (call(Op::Less, &[field("weight"), number(0, 0)]), later(3)),
            (call(Op::Less, &[field("weight"), number(1, 0)]), later(25)),
            (call(Op::Less, &[field("weight"), number(9, 0)]), moment()),
        ];
        Until::At(row(Kind::Time, RowNode::Case { whens, otherwise: None }))
    };
    let pear = call(Op::Equal, &[row(Kind::Text, RowNode::Field(VALUE.into())), text("pear")]);
    let less = |n| call(Op::Less, &[value(), number(n, 0)]);
    let of_text = || row(Kind::Text, RowNode::Field(VALUE.into()));
    let flag = || row(Kind::Bool, RowNode::Field(VALUE.into()));
    let not = |condition| call(Op::Not, &[condition]);
    let missing = call(Op::IsMissing, &[of_text()]);
    let since = Some("since");
    let apples = events("orders", vec![Stage::Where(call(Op::Equal, &[field("product"), text("apple")]))]);
    vec![
        state(orders(), None, month(), None),
        state(large(), None, Until::After(days(10)), None),
        state(orders(), None, visits(), None),
        state(orders(), None, said(), None),
        state(events("visits", vec![]), None, Until::Event { events: apples, key: customer() }, None),
        state(orders(), Some(field("amount")), Until::Never, None),
        state(orders(), Some(field("amount")), visits(), None),
        state(large(), Some(field("amount")), Until::After(days(12)), None),
        state(orders(), Some(field("weight")), month(), None),
        state(orders(), Some(field("amount")), said(), None),
        state(orders(), Some(product()), visits(), None),
        state(orders(), Some(product()), Until::After(days(20)), None),
        state(orders(), Some(field("amount")), visits(), Some(at_least(value(), 10))),
        state(orders(), Some(product()), Until::Never, Some(pear.clone())),
        state(orders(), Some(call(Op::Less, &[field("amount"), number(10, 0)])), visits(), None),
        of_existing(state(orders(), Some(field("amount")), visits(), Some(less(10))), None),
        of_existing(state(orders(), Some(product()), Until::Never, Some(not(pear.clone()))), None),
        of_existing(state(orders(), Some(product()), Until::After(days(20)), Some(missing)), None),
        of_existing(state(orders(), None, month(), Some(not(flag()))), None),
        of_existing(state(orders(), Some(field("weight")), said(), Some(less(1))), since),
        of_existing(state(orders(), Some(product()), visits(), Some(pear)), since),
        of_existing(state(orders(), None, visits(), Some(flag())), since),
    ]
}

pub(super) fn held(state: &State, when: When) -> Row {
    row(state.unit.kind.clone(), RowNode::State { state: Box::new(state.clone()), of: Box::new(customer()), when })
}

pub(super) fn mean_of(state: &State) -> Row {
    row(Kind::Number, RowNode::StateAverage { state: Box::new(state.clone()), of: Box::new(customer()) })
}

pub(super) fn time_in(state: &State) -> Row {
    row(Kind::Duration, RowNode::TimeIn { state: Box::new(state.clone()), of: Box::new(customer()) })
}

/// A condition of a state: that it holds, or that it has some value.
pub(super) fn condition(state: &State, when: When) -> Row {
    match state.unit.kind {
        Kind::Bool => held(state, when),
        Kind::Number => call(Op::GreaterEqual, &[held(state, when), number(1, 0)]),
        _ => call(Op::Not, &[call(Op::IsMissing, &[held(state, when)])]),
    }
}

pub(super) fn of_customers(filter: Option<Row>, measure: Measure, labels: Vec<Row>) -> Aggregate {
    let events = Events { base: Base::Entity("customer".into()), stages: vec![] };
    Aggregate { existing: false, ..aggregate(events, filter, measure, labels) }
}

pub(super) fn edges(state: &State, edge: Edge) -> Events {
    Events { base: Base::Made(Box::new(Made::Edges { state: state.clone(), edge })), stages: vec![] }
}
