//! Passes against loops over rows: random shops, random cuts, random batch sizes, the same cells.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod moved;

use super::testing::*;
use super::*;
use crate::LeafExec;
use arrow_array::RecordBatch;
use kepi_model::calendar::{Grain, TimeUnit, Zone};
use kepi_model::core::*;
use kepi_model::value::{CalendarSpan, Value};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A value, read row by row.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(super) enum V {
    Number(f64),
    Text(String),
    Bool(bool),
    Time(i64),
    Id(u32),
    /// A value and its rank.
    Ranked(Box<V>, Box<V>),
    Missing,
}

/// A cell: its period and labels.
type Key = (Option<i64>, Vec<String>);

/// A shop as lists of rows, and the way to look at them.
struct Shop<'a> {
    orders: &'a [Order],
    visits: &'a [(i64, Option<u32>)],
    texts: Vec<String>,
    zone: Zone,
    per: Option<Grain>,
    from: Option<i64>,
    /// Where the window begins that is looked at, where windows are moved.
    start: Option<i64>,
}

impl Shop<'_> {
    fn rows(&self, stream: &str) -> usize {
        if stream == "orders" { self.orders.len() } else { self.visits.len() }
    }

    fn at(&self, stream: &str, row: usize) -> i64 {
        if stream == "orders" { self.orders[row].0 } else { self.visits[row].0 }
    }

    fn who(&self, stream: &str, row: usize) -> Option<u32> {
        if stream == "orders" { self.orders[row].1 } else { self.visits[row].1 }
    }

    fn is(&self, condition: &Row, stream: &str, row: usize) -> bool {
        self.value(condition, stream, row) == V::Bool(true)
    }

    fn value(&self, expression: &Row, stream: &str, row: usize) -> V {
        match &expression.node {
            RowNode::Const(Value::Decimal { digits, scale }) => {
                V::Number(*digits as f64 / 10_f64.powi(i32::from(*scale)))
            }
            RowNode::Const(Value::Text(text)) => V::Text(text.clone()),
            RowNode::At => V::Time(self.at(stream, row)),
            RowNode::Role(_) => self.who(stream, row).map_or(V::Missing, V::Id),
            RowNode::Field(name) => {
                let order = &self.orders[row];
                match name.as_str() {
                    "product" => V::Text(self.texts[order.2 as usize].clone()),
                    "amount" => order.3.map_or(V::Missing, |cents| V::Number(cents as f64 / 100.0)),
                    _ => order.4.map_or(V::Missing, V::Number),
                }
            }
            RowNode::Attribute { .. } => match self.who(stream, row) {
                Some(id) if id % 3 < 2 => V::Text(self.texts[(id % 3) as usize].clone()),
                _ => V::Missing,
            },
            RowNode::History(history) => self.history(history, stream, row),
            RowNode::Call { op, args } => {
                let args: Vec<V> = args.iter().map(|a| self.value(a, stream, row)).collect();
                self.call(op, &args)
            }
            other => panic!("{other:?} is not needed here"),
        }
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
            (Op::Add, [V::Number(a), V::Number(b)]) => V::Number(a + b),
            (Op::Otherwise, [a, b]) => {
                if *a == V::Missing {
                    b.clone()
                } else {
                    a.clone()
                }
            }
            (Op::AddSpan(span), [V::Time(t)]) => V::Time(self.zone.add(*t, *span)),
            (Op::Truncate(grain), [V::Time(t)]) => V::Time(self.zone.truncate(grain, *t)),
            (Op::PeriodsBetween(grain), [V::Time(a), V::Time(b)]) => {
                V::Number(self.zone.periods_between(grain, *b, *a) as f64)
            }
            (Op::Elapsed, [V::Time(a), V::Time(b)]) => V::Number((a - b) as f64 / 1e6),
            _ => V::Missing,
        }
    }

    fn history(&self, history: &History, stream: &str, row: usize) -> V {
        let V::Id(subject) = self.value(&history.subject, stream, row) else {
            return measured(&history.measure, &[], 0);
        };
        let Base::Stream(other) = &history.events.base else { panic!("only streams") };
        let moment = self.at(stream, row);
        let lower = match &history.over {
            Reach::AllTime => i64::MIN,
            Reach::Last(s) => {
                self.zone.add(moment, CalendarSpan { months: -s.months, days: -s.days, micros: -s.micros })
            }
            Reach::Period => match &self.per {
                _ if self.start.is_some() => self.start.map_or(0, |s| s.saturating_sub(1)),
                Some(grain) => self.zone.truncate(grain, moment).max(self.from.unwrap_or(i64::MIN)) - 1,
                None => self.from.map_or(i64::MIN, |f| f - 1),
            },
        };
        let seen = |&r: &usize| if other == stream { r <= row } else { self.at(other, r) <= moment };
        let rows: Vec<usize> = self
            .taken(&history.events, history.filter.as_ref())
            .into_iter()
            .filter(seen)
            .filter(|&r| self.value(&history.key, other, r) == V::Id(subject) && self.at(other, r) > lower)
            .collect();
        let values: Vec<V> = rows.iter().map(|&r| self.argument(&history.measure, other, r)).collect();
        measured(&history.measure, &values, rows.len())
    }

    fn argument(&self, measure: &Measure, stream: &str, row: usize) -> V {
        match measure {
            Measure::Count => V::Missing,
            Measure::Percentile { of, .. } => self.value(of, stream, row),
            Measure::Sum(of) | Measure::Avg(of) | Measure::Min(of) | Measure::Max(of) => self.value(of, stream, row),
            Measure::Stddev(of) | Measure::First(of) | Measure::Last(of) | Measure::Unique(of) => {
                self.value(of, stream, row)
            }
            Measure::Best { of, rank } => {
                V::Ranked(Box::new(self.value(of, stream, row)), Box::new(self.value(rank, stream, row)))
            }
            Measure::Plugin { .. } => panic!("not here"),
        }
    }

    /// The rows of a derived event that pass a filter.
    fn taken(&self, events: &Events, filter: Option<&Row>) -> Vec<usize> {
        let Base::Stream(stream) = &events.base else { panic!("only streams") };
        let mut rows: Vec<usize> = (0..self.rows(stream)).collect();
        for stage in &events.stages {
            match stage {
                Stage::Where(condition) => rows.retain(|&r| self.is(condition, stream, r)),
                Stage::First { per } => {
                    let mut seen = BTreeSet::new();
                    rows.retain(|&r| match self.value(per, stream, r) {
                        V::Id(id) => seen.insert(id),
                        _ => false,
                    });
                }
            }
        }
        rows.retain(|&r| filter.is_none_or(|f| self.is(f, stream, r)));
        rows
    }

    /// Per cell: the values and how many rows.
    fn cells(&self, pass: &Pass) -> Vec<String> {
        let Base::Stream(stream) = &pass.base else { panic!("only streams") };
        let mut cells: BTreeMap<Key, Vec<Vec<V>>> = BTreeMap::new();
        for (i, aggregate) in pass.aggregates.iter().enumerate() {
            for row in self.taken(&aggregate.events, aggregate.filter.as_ref()) {
                let at = self.at(stream, row);
                if at >= pass.until || pass.from.is_some_and(|from| at < from) {
                    continue;
                }
                let labels = aggregate.labels.iter().map(|l| shown(&self.value(l, stream, row))).collect();
                let period = pass.per.as_ref().map(|g| self.zone.truncate(g, at));
                let cell = cells.entry((period, labels)).or_insert_with(|| vec![Vec::new(); pass.aggregates.len()]);
                cell[i].push(self.argument(&aggregate.measure, stream, row));
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
}

pub(super) fn measured(measure: &Measure, values: &[V], rows: usize) -> V {
    let known: Vec<&V> = values.iter().filter(|v| **v != V::Missing).collect();
    let numbers: Vec<f64> = known.iter().filter_map(|v| if let V::Number(n) = v { Some(*n) } else { None }).collect();
    let sum: f64 = numbers.iter().sum();
    let count = numbers.len() as f64;
    let number = |n: f64| if n.is_finite() { V::Number(n) } else { V::Missing };
    let order = |a: &&&V, b: &&&V| a.partial_cmp(b).unwrap();
    let some = |v: Option<&&V>| v.map_or(V::Missing, |v| (*v).clone());
    match measure {
        Measure::Count => V::Number(rows as f64),
        Measure::Sum(_) => number(sum),
        Measure::Avg(_) => number(sum / count),
        Measure::Min(_) => some(known.iter().min_by(order)),
        Measure::Max(_) => some(known.iter().max_by(order)),
        Measure::First(_) => some(known.first()),
        Measure::Last(_) => some(known.last()),
        Measure::Unique(_) => V::Number(known.iter().map(|v| shown(v)).collect::<BTreeSet<_>>().len() as f64),
        Measure::Stddev(_) if numbers.len() < 2 => V::Missing,
        Measure::Stddev(_) => {
            let mean = sum / count;
            number((numbers.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt())
        }
        Measure::Percentile { percent, observed, .. } => {
            let mut sorted = numbers;
            sorted.sort_by(f64::total_cmp);
            let Some(last) = sorted.len().checked_sub(1) else { return V::Missing };
            if *observed {
                let covered = |place: &usize| (place + 1) as f64 >= percent / 100.0 * sorted.len() as f64 - 1e-9;
                return number(sorted[(0..=last).find(covered).unwrap_or(last)]);
            }
            let rank = percent / 100.0 * last as f64;
            let (low, high) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
            number(low + (high - low) * rank.fract())
        }
        Measure::Best { .. } => {
            let mut best: Option<(&V, &V)> = None;
            for value in &known {
                let V::Ranked(of, rank) = value else { panic!("a value has no rank") };
                let greater = match best {
                    None => true,
                    Some((_, old)) => **rank != V::Missing && (*old == V::Missing || **rank > *old),
                };
                if greater {
                    best = Some((of, rank));
                }
            }
            best.map_or(V::Missing, |b| b.0.clone())
        }
        Measure::Plugin { .. } => panic!("not here"),
    }
}

/// A value as a word; numbers with the digits that a naive sum has right.
///
/// They are moved a little first: two ways to add come to numbers that differ in their last digits, and a mean that ends
/// in half a last decimal (23.3578125) would be rounded up by one and down by the other. What is moved ends in no half.
pub(super) fn shown(value: &V) -> String {
    match value {
        V::Number(n) => format!("{:.6}", n + 1.732_050_8e-7).replace("-0.000000", "0.000000"),
        V::Text(text) => text.clone(),
        V::Bool(b) => b.to_string(),
        V::Time(t) => jiff::Timestamp::from_microsecond(*t).unwrap().to_string(),
        V::Id(id) => format!("c{id}"),
        V::Ranked(of, _) => shown(of),
        V::Missing => "-".into(),
    }
}

/// The lines of a batch in the same words.
pub(super) fn shown_lines(batch: &RecordBatch, pass: &Pass) -> Vec<String> {
    let first = usize::from(pass.per.is_some()) + pass.labels.len();
    let word = |(column, word): (usize, &str)| {
        let rows = column >= first && (column - first) % 2 == 1;
        match word.parse::<f64>() {
            Ok(n) if !rows => shown(&V::Number(n)),
            _ => word.to_string(),
        }
    };
    let line = |line: String| line.split(' ').enumerate().map(word).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = lines(batch).into_iter().map(line).collect();
    lines.sort();
    lines
}

fn orders() -> Events {
    events("orders", vec![])
}

fn measures() -> Vec<Measure> {
    let (amount, weight) = (|| field("amount"), || field("weight"));
    vec![
        Measure::Count,
        Measure::Sum(amount()),
        Measure::Sum(weight()),
        Measure::Avg(amount()),
        Measure::Avg(weight()),
        Measure::Min(amount()),
        Measure::Max(weight()),
        Measure::Min(field("product")),
        Measure::First(amount()),
        Measure::Last(field("product")),
        Measure::First(moment()),
        Measure::Unique(customer()),
        Measure::Unique(field("product")),
        Measure::Unique(amount()),
        Measure::Stddev(amount()),
        Measure::Stddev(weight()),
        Measure::Percentile { of: amount(), percent: 50.0, observed: false },
        Measure::Percentile { of: weight(), percent: 90.0, observed: true },
        Measure::Sum(call(Op::Add, &[amount(), call(Op::Otherwise, &[weight(), number(1, 0)])])),
        // Not of a history.
        Measure::Best { of: field("product"), rank: amount() },
        Measure::Best { of: weight(), rank: weight() },
        Measure::Best { of: amount(), rank: field("product") },
    ]
}

fn reaches() -> Vec<Reach> {
    let span = CalendarSpan { months: 1, days: 3, micros: 0 };
    vec![Reach::AllTime, Reach::Last(span), Reach::Period]
}

/// Conditions on orders: of the row alone (the first five), then with history.
fn conditions() -> Vec<Row> {
    let first = || history(orders(), None, Measure::First(moment()), Reach::AllTime);
    let span = CalendarSpan { months: 2, days: 0, micros: 0 };
    let month = Grain::ordinary(TimeUnit::Month);
    let nth = |n| call(Op::Equal, &[history(orders(), None, Measure::Count, Reach::AllTime), number(n, 0)]);
    let seconds = events("orders", vec![Stage::Where(nth(2))]);
    vec![
        call(Op::Equal, &[field("product"), text("pear")]),
        call(Op::Not, &[call(Op::Less, &[field("amount"), number(105, 1)])]),
        call(Op::IsMissing, &[region(false)]),
        call(Op::GreaterEqual, &[field("weight"), field("amount")]),
        call(
            Op::And,
            &[call(Op::Equal, &[region(false), text("north")]), call(Op::Less, &[field("amount"), number(30, 0)])],
        ),
        call(Op::Less, &[moment(), call(Op::AddSpan(span), &[first()])]),
        call(Op::Equal, &[call(Op::PeriodsBetween(month), &[moment(), first()]), number(1, 0)]),
        nth(2),
        call(
            Op::GreaterEqual,
            &[history(events("visits", vec![]), None, Measure::Count, Reach::AllTime), number(2, 0)],
        ),
        call(Op::Less, &[history(seconds, None, Measure::Sum(field("amount")), Reach::AllTime), number(20, 0)]),
    ]
}

fn labels() -> Vec<Row> {
    let first = history(orders(), None, Measure::First(moment()), Reach::AllTime);
    vec![
        field("product"),
        region(false),
        customer(),
        call(Op::Truncate(Grain::ordinary(TimeUnit::Month)), &[first]),
        history(orders(), None, Measure::Last(field("product")), Reach::AllTime),
        field("amount"),
    ]
}

/// Days of orders and visits in rising order, with several on one moment.
pub(super) fn shops() -> impl Strategy<Value = (Vec<Order>, Vec<(i64, Option<u32>)>)> {
    let who = || proptest::option::weighted(0.9, 0..5_u32);
    let amount = proptest::option::weighted(0.8, -50..40_i64);
    let weight = proptest::option::weighted(0.8, -5..5_i32);
    let order = (0..240_i64, who(), 2..5_u32, amount, weight);
    let visits = proptest::collection::vec((0..240_i64, who()), 0..30);
    // Half days, so that zones matter; an hour before midnight in summer.
    let at = |t: i64| 19_700 * DAY + t * DAY / 2 - 3_600_000_000;
    (proptest::collection::vec(order, 0..60), visits).prop_map(move |(orders, visits)| {
        let order = |o: (i64, Option<u32>, u32, Option<i64>, Option<i32>)| {
            (at(o.0), o.1, o.2, o.3.map(|cents| cents * 100 + 25), o.4.map(|w| f64::from(w) * 0.25))
        };
        let mut orders: Vec<Order> = orders.into_iter().map(order).collect();
        orders.sort_by_key(|o| o.0);
        let mut visits: Vec<_> = visits.into_iter().map(|v| (at(v.0), v.1)).collect();
        visits.sort_by_key(|v| v.0);
        (orders, visits)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn passes_agree_with_loops_over_rows(
        (orders_, visits) in shops(),
        picked in proptest::collection::vec((0..22_usize, proptest::option::of(0..10_usize), 0..4_u8), 1..4),
        by in proptest::collection::vec(0..6_usize, 0..3),
        per in proptest::option::of(proptest::sample::select(vec![TimeUnit::Day, TimeUnit::Week, TimeUnit::Month])),
        windowed in any::<bool>(), batch in 1..40_usize, zoned in any::<bool>(),
    ) {
        let mut memory = shop(5, &orders_, &visits);
        memory.batch = batch;
        let by: Vec<Row> = by.into_iter().map(|l| labels()[l].clone()).collect();
        let aggregates = picked.into_iter().map(|(measure, condition, stage)| {
            let condition = condition.map(|c| conditions()[c].clone());
            let first = Stage::First { per: customer() };
            let pears = Stage::Where(conditions()[0].clone());
            let stages = match stage {
                0 => vec![],
                1 => vec![first],
                2 => vec![pears, first],
                _ => vec![pears],
            };
            aggregate(events("orders", stages), condition, measures()[measure].clone(), by.clone())
        });
        let mut pass = pass(aggregates.collect());
        pass.per = per.map(Grain::ordinary);
        pass.zone = if zoned { "America/New_York".into() } else { "UTC".into() };
        (pass.from, pass.until) = (windowed.then_some(19_730 * DAY), 19_790 * DAY);
        let shop = Shop {
            orders: &orders_,
            visits: &visits,
            texts: memory.texts.clone(),
            zone: Zone::named(&pass.zone).unwrap(),
            per: pass.per.clone(),
            from: pass.from,
            start: None,
        };
        prop_assert_eq!(shown_lines(&cells(&memory, &pass), &pass), shop.cells(&pass));
    }

    #[test]
    fn histories_agree_with_loops_over_rows(
        (orders_, visits) in shops(), measure in 0..19_usize, reach in 0..3_usize,
        filter in proptest::option::of(0..10_usize), batch in 1..40_usize, outside in any::<bool>(),
        per in proptest::option::of(proptest::sample::select(vec![TimeUnit::Day, TimeUnit::Month])),
    ) {
        let mut memory = shop(5, &orders_, &visits);
        memory.batch = batch;
        let filter = filter.map(|f| conditions()[f].clone());
        let value = history(orders(), filter, measures()[measure].clone(), reaches()[reach].clone());
        let base = if outside { "visits" } else { "orders" };
        let mut pass = pass(vec![aggregate(events(base, vec![]), None, Measure::Last(value), vec![customer(), moment()])]);
        pass.per = per.map(Grain::ordinary);
        let shop = Shop {
            orders: &orders_, visits: &visits, texts: memory.texts.clone(), zone: Zone::utc(), per: pass.per.clone(), from: None, start: None,
        };
        prop_assert_eq!(shown_lines(&cells(&memory, &pass), &pass), shop.cells(&pass));
    }

    #[test]
    fn parts_by_time_and_batches_change_no_digit(
        (orders_, visits) in shops(),
        picked in proptest::collection::vec((0..22_usize, proptest::option::of(0..5_usize)), 1..4),
        by in proptest::collection::vec(0..3_usize, 0..3), monthly in any::<bool>(),
        cuts in proptest::collection::vec(0..4_i64, 0..4), sizes in (1..50_usize, 1..50_usize),
    ) {
        let mut memory = shop(5, &orders_, &visits);
        let by: Vec<Row> = by.into_iter().map(|l| labels()[l].clone()).collect();
        let of = |(measure, condition): (usize, Option<usize>)| {
            aggregate(orders(), condition.map(|c| conditions()[c].clone()), measures()[measure].clone(), by.clone())
        };
        let mut pass = pass(picked.into_iter().map(of).collect());
        let unique = pass.aggregates.iter().any(|a| matches!(a.measure, Measure::Unique(_)));
        pass.per = (monthly || unique).then(|| Grain::ordinary(TimeUnit::Month));
        memory.batch = sizes.0;
        let whole = cells(&memory, &pass);
        memory.batch = sizes.1;
        // Cuts at the starts of months, as `parts` makes them.
        let start = |n: i64| Zone::utc().step(&Grain::ordinary(TimeUnit::Month), Zone::utc().truncate(&Grain::ordinary(TimeUnit::Month), 19_700 * DAY), n);
        let cuts: BTreeSet<i64> = cuts.into_iter().map(start).collect();
        let cuts: Vec<i64> = cuts.into_iter().collect();
        prop_assert_eq!(cells_of_parts(&memory, &pass, &cuts), whole);
    }
}

#[test]
fn large_passes_are_cut_where_periods_begin() {
    let orders_: Vec<Order> = (0..250_000_i64)
        .map(|i| (i * DAY / 1000, Some((i % 7) as u32), 2 + (i % 3) as u32, Some(i % 977), None))
        .collect();
    let memory = shop(7, &orders_, &[]);
    let unique = aggregate(orders(), None, Measure::Unique(customer()), vec![field("product")]);
    let sum = aggregate(orders(), None, Measure::Sum(field("amount")), vec![field("product")]);
    let mut pass = pass(vec![unique, sum]);
    pass.per = Some(Grain::ordinary(TimeUnit::Month));
    let parts = super::parts(&pass, &source(&memory), 2).unwrap().unwrap();
    assert_eq!(parts.len(), 2);
    assert_eq!(shown(&V::Time(parts[1].from.unwrap())), "1970-05-01T00:00:00Z");
    let many = collected(LeafExec::plan(pass.clone(), source(&memory), 2).unwrap()).unwrap();
    assert_eq!(many, cells(&memory, &pass));
    // Distinct entities without periods, and whatever looks back at them, are dealt out by them.
    let is_dealt = |pass: &Pass| {
        let parts = super::parts(pass, &source(&memory), 2).unwrap().unwrap();
        assert!(parts.iter().all(|part| part.lot.is_some() == parts[0].lot.is_some()));
        let many = collected(LeafExec::plan(pass.clone(), source(&memory), 2).unwrap()).unwrap();
        assert_eq!(many, cells(&memory, pass));
        parts[0].lot.is_some()
    };
    pass.per = None;
    assert!(is_dealt(&pass));
    pass.aggregates.remove(0);
    assert!(!is_dealt(&pass));
    let before = super::testing::history(orders(), None, Measure::Last(field("product")), Reach::AllTime);
    pass.aggregates[0].labels = vec![before];
    assert!(is_dealt(&pass));
    // What is first of all depends on the rows of everybody.
    pass.aggregates[0].measure = Measure::First(field("amount"));
    assert_eq!(super::parts(&pass, &source(&memory), 2).unwrap(), None);
}
