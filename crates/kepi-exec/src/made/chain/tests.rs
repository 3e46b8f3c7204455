//! Attempts against all choices of rows, tried one by one; and cases with known answers.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use super::super::{NOWHERE, Settling, Stretch};
use crate::Source;
use crate::pass::testing::*;
use crate::rows::{Program, Values};
use kepi_model::core::*;
use kepi_model::value::CalendarSpan;
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// A row as the naive reading sees it.
#[derive(Clone, Debug)]
struct Seen {
    at: i64,
    who: u32,
    /// Which stream, and which row of it.
    event: (usize, u32),
    hold: Option<u32>,
}

#[derive(Clone, Debug)]
struct Case {
    orders: Vec<Order>,
    visits: Vec<(i64, Option<u32>)>,
    /// Per step: whose rows they are (see `picked`).
    steps: Vec<usize>,
    without: Vec<Option<usize>>,
    among: Option<usize>,
    within: Option<i64>,
    each: Option<i64>,
    order: ChainOrder,
    hold: bool,
    drops: bool,
    credit: Option<Credit>,
}

/// The rows that steps are made of: orders of one product, of two, all, and visits.
fn picked(which: usize) -> Events {
    let product = |name| call(Op::Equal, &[field("product"), text(name)]);
    let condition = match which {
        0 => product("apple"),
        1 => product("pear"),
        2 => call(Op::Or, &[product("apple"), product("plum")]),
        3 => return events("orders", vec![]),
        _ => return events("visits", vec![]),
    };
    events("orders", vec![Stage::Where(condition)])
}

impl Case {
    fn chain(&self) -> Made {
        let keyed = |which: usize| Keyed { events: picked(which), key: customer() };
        let step = |(i, &which): (usize, &usize)| ChainStep {
            rows: keyed(which),
            hold: self.hold.then(|| field("amount")),
            without: self.without[i].filter(|_| i > 0).map(keyed),
        };
        Made::Chain(Box::new(Chain {
            steps: self.steps.iter().enumerate().map(step).collect(),
            within: self.within.map(|days| CalendarSpan { months: 0, days: 0, micros: days * DAY }),
            // As days of the calendar, which in this zone are as long.
            each: self.each.map(|days| CalendarSpan { months: 0, days: days as i32, micros: 0 }),
            order: self.order,
            among: self.among.map(keyed).into_iter().collect(),
            without_drops: self.drops,
            credit: self.credit,
        }))
    }

    /// The rows of a derived event, in order.
    fn rows(&self, which: usize) -> Vec<Seen> {
        if which > 3 {
            let visits = self.visits.iter().enumerate();
            let seen = |(i, v): (usize, &(i64, Option<u32>))| {
                Some(Seen { at: v.0, who: v.1?, event: (1, i as u32), hold: None })
            };
            return visits.filter_map(seen).collect();
        }
        let takes = |product: u32| match which {
            0 => product == 2,
            1 => product == 3,
            2 => product == 2 || product == 4,
            _ => true,
        };
        let rows = self.orders.iter().enumerate().filter(|(_, o)| takes(o.2));
        let seen = |(i, o): (usize, &Order)| {
            Some(Seen { at: o.0, who: o.1?, event: (0, i as u32), hold: o.3.map(|h| h as u32) })
        };
        rows.filter_map(seen).collect()
    }

    fn holds(&self, a: &Seen, b: &Seen) -> bool {
        !self.hold || (a.hold.is_some() && a.hold == b.hold)
    }

    fn end(&self, start: &Seen) -> i64 {
        self.within.map_or(i64::MAX, |days| start.at + days * DAY)
    }

    /// Until when a step may follow one that was served at a moment.
    fn soon(&self, at: i64) -> i64 {
        self.each.map_or(i64::MAX, |days| at + days * DAY)
    }

    fn forbidden(&self, step: usize, who: u32) -> Vec<i64> {
        let Some(which) = self.without[step].filter(|_| step > 0) else { return Vec::new() };
        self.rows(which).into_iter().filter(|r| r.who == who).map(|r| r.at).collect()
    }

    /// All ways from a start, each as the rows of the steps after it: also those that stop early.
    fn ways(&self, start: &Seen) -> Vec<Vec<Seen>> {
        let mut all = vec![vec![]];
        let mut longest: Vec<Vec<Seen>> = vec![vec![]];
        for step in 1..self.steps.len() {
            let rows = self.rows(self.steps[step]);
            let forbidden = self.forbidden(step, start.who);
            let mut next = Vec::new();
            for way in &longest {
                let last = way.last().unwrap_or(start);
                for row in &rows {
                    let used = row.event == start.event || way.iter().any(|w| w.event == row.event);
                    let closed = forbidden.iter().any(|&x| last.at < x && x < row.at);
                    let later = row.at > last.at || (row.at == last.at && self.order != ChainOrder::Later);
                    let fits = row.who == start.who && later && self.holds(start, row);
                    if fits && !used && !closed && row.at <= self.soon(last.at) {
                        next.push([way.clone(), vec![row.clone()]].concat());
                    }
                }
            }
            // One way per last event and set of used rows at its moment is enough; tiny data need no more thought.
            next.sort_by_key(|w| w.iter().map(|r| (r.at, r.event)).collect::<Vec<_>>());
            all.extend(next.iter().cloned());
            longest = next;
        }
        all
    }

    /// How far a start gets, and when it has been at each step.
    fn reached(&self, start: &Seen) -> (usize, Vec<i64>) {
        let end = self.end(start);
        match self.order {
            ChainOrder::Ordered | ChainOrder::Later => {
                let ways = self.ways(start).into_iter().filter(|w| w.iter().all(|r| r.at <= end));
                let times = |w: Vec<Seen>| w.iter().map(|r| r.at).collect::<Vec<_>>();
                let best = ways.map(times).min_by_key(|w| (Reverse(w.len()), w.clone())).unwrap();
                (best.len() + 1, best)
            }
            ChainOrder::Strict => {
                let mut times = vec![];
                let mut which: Vec<usize> = self.steps.clone();
                which.extend(self.among);
                // Streams in the order in which they are first named.
                let mut streams = vec![];
                let mut named = which.clone();
                named.truncate(self.steps.len());
                named.extend(self.without.iter().skip(1).flatten());
                named.extend(self.among);
                for w in named {
                    let stream = usize::from(w > 3);
                    if !streams.contains(&stream) {
                        streams.push(stream);
                    }
                }
                let place = |e: &(i64, (usize, u32))| (e.0, streams.iter().position(|s| *s == e.1.0), e.1.1);
                let mut line: Vec<(i64, (usize, u32))> = vec![];
                for w in &which {
                    line.extend(self.rows(*w).iter().filter(|r| r.who == start.who).map(|r| (r.at, r.event)));
                }
                line.sort_by_key(place);
                line.dedup();
                let own = line.iter().position(|e| e.1 == start.event).unwrap();
                let mut last = start.at;
                for (step, next) in (1..self.steps.len()).zip(&line[own + 1..]) {
                    let rows = self.rows(self.steps[step]);
                    let Some(row) = rows.iter().find(|r| r.event == next.1) else { break };
                    let closed = self.forbidden(step, start.who).iter().any(|&x| last < x && x < row.at);
                    if row.at > end.min(self.soon(last)) || closed || !self.holds(start, row) {
                        break;
                    }
                    times.push(row.at);
                    last = row.at;
                }
                (times.len() + 1, times)
            }
            ChainOrder::Any => {
                fn most(case: &Case, start: &Seen, step: usize, used: &mut Vec<(usize, u32)>) -> usize {
                    if step == case.steps.len() {
                        return 0;
                    }
                    let mut best = most(case, start, step + 1, used);
                    for row in case.rows(case.steps[step]) {
                        let fits = row.who == start.who && row.at >= start.at && row.at <= case.end(start);
                        if fits && case.holds(start, &row) && !used.contains(&row.event) {
                            used.push(row.event);
                            best = best.max(1 + most(case, start, step + 1, used));
                            used.pop();
                        }
                    }
                    best
                }
                (1 + most(self, start, 1, &mut vec![start.event]), vec![])
            }
            ChainOrder::Free => {
                // All choices of rows, as their moments in order: the most, and of those the earliest.
                let mut all: Vec<Vec<Seen>> = vec![vec![]];
                for which in &self.steps[1..] {
                    let rows = self.rows(*which);
                    let fits =
                        |r: &&Seen| r.who == start.who && r.at >= start.at && r.at <= end && self.holds(start, r);
                    let longer = |way: &Vec<Seen>| -> Vec<Vec<Seen>> {
                        let free = rows.iter().filter(fits).filter(|r| way.iter().all(|w| w.event != r.event));
                        free.map(|r| [way.clone(), vec![r.clone()]].concat()).collect()
                    };
                    let more: Vec<Vec<Seen>> = all.iter().flat_map(longer).collect();
                    all.extend(more);
                }
                let times = |way: &Vec<Seen>| {
                    let mut times: Vec<i64> = way.iter().map(|r| r.at).collect();
                    times.sort_unstable();
                    times
                };
                let best = all.iter().map(times).min_by_key(|t| (Reverse(t.len()), t.clone())).unwrap();
                (best.len().max(1), best)
            }
        }
    }

    fn dropped(&self, start: &Seen, times: &[i64]) -> bool {
        let next = times.len() + 1;
        let last = times.last().copied().unwrap_or(start.at);
        let limit = self.end(start).min(self.soon(last));
        self.drops
            && next < self.steps.len()
            && !matches!(self.order, ChainOrder::Any | ChainOrder::Free)
            && self.forbidden(next, start.who).iter().any(|&x| last < x && x <= limit)
    }

    fn converted(&self, starts: &[Seen]) -> BTreeSet<usize> {
        let mut converted = BTreeSet::new();
        let Some(credit) = self.credit else { return converted };
        if self.order == ChainOrder::Any {
            return self.converted_in_any_order(starts, credit);
        }
        let ways: Vec<Vec<Vec<Seen>>> = starts.iter().map(|s| self.ways(s)).collect();
        for end in self.rows(*self.steps.last().unwrap()) {
            let leads = |&i: &usize| {
                starts[i].who == end.who
                    && end.at <= self.end(&starts[i])
                    && ways[i].iter().any(|w| w.len() + 1 == self.steps.len() && w[w.len() - 1].event == end.event)
            };
            let mut found = (0..starts.len()).filter(leads);
            converted.extend(match credit {
                Credit::Earliest => found.next(),
                Credit::Latest => found.next_back(),
            });
        }
        converted
    }
}

impl Case {
    /// Each row of a further step with which all of them are done, no other row being later, is credited.
    fn converted_in_any_order(&self, starts: &[Seen], credit: Credit) -> BTreeSet<usize> {
        fn all(case: &Case, start: &Seen, end: &Seen, step: usize, used: &mut Vec<(usize, u32)>) -> bool {
            if step == case.steps.len() {
                return used.contains(&end.event);
            }
            case.rows(case.steps[step]).iter().any(|row| {
                let fits = row.who == start.who && row.at >= start.at && row.at <= end.at && case.holds(start, row);
                if !fits || used.contains(&row.event) {
                    return false;
                }
                used.push(row.event);
                let found = all(case, start, end, step + 1, used);
                used.pop();
                found
            })
        }
        let mut ends: Vec<Seen> = self.steps[1..].iter().flat_map(|which| self.rows(*which)).collect();
        ends.sort_by_key(|end| end.event);
        ends.dedup_by_key(|end| end.event);
        let mut converted = BTreeSet::new();
        for end in ends {
            let leads = |&i: &usize| {
                let start = &starts[i];
                let in_time = start.who == end.who && end.at <= self.end(start) && end.event != start.event;
                in_time && all(self, start, &end, 1, &mut vec![start.event])
            };
            let mut found = (0..starts.len()).filter(leads);
            converted.extend(match credit {
                Credit::Earliest => found.next(),
                Credit::Latest => found.next_back(),
            });
        }
        converted
    }
}

/// What is made: per attempt its moment, how far it got, when it was at each step, and whether it is converted.
fn made(case: &Case, batch: usize, threads: usize) -> Vec<(i64, i64, Vec<i64>, bool)> {
    let mut memory = shop(3, &case.orders, &case.visits);
    memory.batch = batch;
    let source = source(&memory).with_threads(threads);
    let stream = source.made(&case.chain(), "UTC", 0).unwrap();
    let rows = stream.rows(&source).unwrap();
    let (Values::Decimal(reached, 0), Values::Bool(converted)) = (&rows.own[0].values, &rows.own[1].values) else {
        panic!("other columns")
    };
    let at = |step: usize, place: u32| match case.steps[step] {
        4 => case.visits[place as usize].0,
        _ => case.orders[place as usize].0,
    };
    let who = |step: usize, place: u32| match case.steps[step] {
        4 => case.visits[place as usize].1,
        _ => case.orders[place as usize].1,
    };
    let times = |i: usize| {
        let steps = rows.parents.iter().enumerate().skip(1).filter(|(_, p)| p[i] != NOWHERE);
        steps.map(|(step, p)| at(step, p[i])).collect::<Vec<_>>()
    };
    assert!(rows.at.iter().zip(&rows.parents[0]).all(|(&t, &place)| t == at(0, place)));
    assert!(rows.parents[0].is_sorted());
    for (parent, _, column) in &rows.known {
        for i in 0..rows.at.len() {
            let place = rows.parents[*parent][i];
            match &column.values {
                Values::Time(times) => {
                    assert_eq!(column.is_known(i), place != NOWHERE);
                    assert!(!column.is_known(i) || times[i] == at(*parent, place));
                }
                Values::Id(ids, _) => assert_eq!(Some(ids[i]), who(*parent, place)),
                other => panic!("{}", other.words()),
            }
        }
    }
    (0..rows.at.len()).map(|i| (rows.at[i], reached[i], times(i), converted.value(i))).collect()
}

fn expected(case: &Case) -> Vec<(i64, i64, Vec<i64>, bool)> {
    let starts = case.rows(case.steps[0]);
    let converted = case.converted(&starts);
    let mut attempts = Vec::new();
    for (i, start) in starts.iter().enumerate() {
        let (reached, times) = case.reached(start);
        let complete = reached == case.steps.len();
        let by_credit = case.credit.is_some() && case.order != ChainOrder::Strict;
        let converted = if by_credit { converted.contains(&i) } else { complete };
        if !case.dropped(start, &times) {
            attempts.push((start.at, reached as i64, times, converted));
        }
    }
    attempts
}

fn cases() -> impl Strategy<Value = Case> {
    let who = || proptest::option::weighted(0.9, 0..2_u32);
    let hold = proptest::option::weighted(0.8, 0..2_i64);
    let orders = proptest::collection::vec((0..40_i64, who(), 2..5_u32, hold), 0..11);
    let visits = proptest::collection::vec((0..40_i64, who()), 0..6);
    let steps = proptest::collection::vec(0..5_usize, 2..5);
    let without = proptest::collection::vec(proptest::option::weighted(0.4, 0..5_usize), 5);
    let among = proptest::option::of(0..5_usize);
    let within = (proptest::option::of(0..12_i64), proptest::option::weighted(0.3, 1..6_i64));
    // Many rows at one moment, or few.
    let coarse = proptest::sample::select(vec![1, 4, 10_i64]);
    use ChainOrder::{Any, Free, Later, Ordered, Strict};
    let order = proptest::sample::select(vec![Ordered, Ordered, Later, Strict, Any, Free]);
    let credit = proptest::sample::select(vec![None, Some(Credit::Latest), Some(Credit::Earliest)]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    ((orders, visits, steps), (without, among, within, order), (credit, coarse), flags).prop_map(
        |((orders, visits, mut steps), (without, among, times, order), (credit, coarse), (hold, drops, forbids))| {
            let (within, each) = times;
            let mut orders: Vec<Order> =
                orders.into_iter().map(|o| (o.0 / coarse * DAY, o.1, o.2, o.3, None)).collect();
            orders.sort_by_key(|o| o.0);
            let mut visits: Vec<_> = visits.into_iter().map(|v| (v.0 / coarse * DAY, v.1)).collect();
            visits.sort_by_key(|v| v.0);
            if hold {
                // Visits have nothing to hold.
                steps.iter_mut().for_each(|s| *s %= 4);
            }
            let any = matches!(order, Any | Free);
            if order == Free {
                // The first step has the rows of all others, and each of its rows serves one of them.
                let kinds: [&[usize]; 5] = [&[3, 0, 1, 2], &[3, 2, 1], &[3, 3, 0, 1], &[2, 0, 2], &[3, 1, 2, 2]];
                steps = kinds[steps.iter().sum::<usize>() % kinds.len()].to_vec();
            }
            Case {
                orders,
                visits,
                without: if forbids && !any { without } else { vec![None; 5] },
                // A conversion is never asked to be later.
                credit: credit.filter(|_| !matches!(order, Later | Free)),
                each: each.filter(|_| !any),
                steps,
                among,
                within,
                order,
                hold,
                drops,
            }
        },
    )
}

/// An attempt: its moment, whose it is, how far it got, when each further step was served, and whether it is converted.
type Attempt = (i64, u32, i64, Vec<Option<i64>>, bool);

fn attempts(case: &Case, source: &Source) -> Vec<Attempt> {
    let stream = source.made(&case.chain(), "UTC", 0).unwrap();
    let rows = stream.rows(source).unwrap();
    let (Values::Decimal(reached, 0), Values::Bool(converted)) = (&rows.own[0].values, &rows.own[1].values) else {
        panic!("other columns")
    };
    let who = |i: usize| match &rows.known[0].2.values {
        Values::Id(ids, _) => ids[i],
        other => panic!("{}", other.words()),
    };
    let times = |i: usize| {
        let known = rows.known[1..].iter().map(|known| match &known.2.values {
            Values::Time(times) => known.2.is_known(i).then(|| times[i]),
            other => panic!("{}", other.words()),
        });
        known.collect()
    };
    (0..rows.at.len()).map(|i| (rows.at[i], who(i), reached[i], times(i), converted.value(i))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn attempts_of_some_rows_are_those_of_all(
        case in cases(), day in 0..42_i64, batch in 1..12_usize, threads in 1..4_usize,
    ) {
        let mut memory = shop(3, &case.orders, &case.visits);
        memory.batch = batch;
        let source = source(&memory).with_threads(threads);
        let all = attempts(&case, &source);
        let made = case.chain();
        let of = |ids| attempts(&case, &source.of_stretch(&made, Stretch { ids: Some(ids), ..Stretch::default() }));
        let mut by_id = [of((0, 1)), of((1, 3))].concat();
        let mut sorted = all.clone();
        by_id.sort();
        sorted.sort();
        prop_assert_eq!(by_id, sorted, "{:?}", &made);
        let base = Base::Made(Box::new(made.clone()));
        let program = Program::of_base(&base, &source, "UTC", 0).unwrap();
        let Some(settling) = Settling::new(&program, &source).unwrap() else {
            let endless = case.within.is_none() && case.each.is_none();
            // A stream without rows is none that could be gone on with.
            let empty = case.orders.is_empty() || case.visits.is_empty();
            prop_assert!(endless || empty || case.credit == Some(Credit::Earliest));
            return Ok(());
        };
        let moment = day * DAY;
        prop_assert!(settling.reach(settling.begun(moment).unwrap()) <= moment);
        let mut parts = attempts(&case, &settling.attempts(&source, None, Some(moment)));
        parts.retain(|attempt| attempt.0 < moment);
        parts.extend(attempts(&case, &settling.attempts(&source, Some(moment), None)));
        prop_assert_eq!(parts, all, "{:?}", &made);
    }

    #[test]
    fn of_those_that_got_furthest_the_first_is_left(
        case in cases(), (from, days) in (0..42_i64, 0..42_i64), (batch, threads) in (1..12_usize, 1..4_usize),
    ) {
        let mut memory = shop(3, &case.orders, &case.visits);
        memory.batch = batch;
        let source = source(&memory).with_threads(threads);
        // Numbers of attempts are what credit goes by: nobody asks both.
        let case = Case { credit: None, ..case };
        let time = from * DAY..(from + days) * DAY;
        let all: Vec<Attempt> = attempts(&case, &source).into_iter().filter(|a| time.contains(&a.0)).collect();
        let found = attempts(&case, &source.of_furthest(&case.chain(), time.start, time.end));
        // Equal ones of an entity lie at one moment.
        let of = |who: u32| all.iter().filter(move |a| a.1 == who);
        let best = |who: u32| of(who).min_by_key(|a| Reverse(a.2));
        let wanted: Vec<&Attempt> = all.iter().filter(|&a| best(a.1) == Some(a)).collect();
        prop_assert!(wanted.iter().all(|a| found.contains(a)), "{:?}", case.chain());
        let first = |who: u32| all.iter().find(|a| a.1 / 2 == who / 2);
        prop_assert!(found.iter().all(|a| wanted.contains(&a) || first(a.1) == Some(a)), "{:?}", case.chain());
        let mut once = BTreeSet::new();
        prop_assert!(found.iter().filter(|a| wanted.contains(a)).all(|a| once.insert(a.1) || first(a.1) == Some(a)));
        prop_assert_eq!(found.first(), all.first());
    }

    #[test]
    fn attempts_are_what_all_choices_allow(case in cases(), batch in 1..12_usize, threads in 1..4_usize) {
        let (mut found, mut wanted) = (made(&case, batch, threads), expected(&case));
        if case.order == ChainOrder::Any {
            found.iter_mut().chain(&mut wanted).for_each(|a| a.2.clear());
        }
        prop_assert_eq!(found, wanted, "{:?}", case.chain());
    }
}

/// Visits of a site, as orders of three products; times in minutes.
fn site(rows: &[(i64, u32, u32)]) -> Memory {
    let minute = 60_000_000;
    let mut orders: Vec<Order> =
        rows.iter().map(|&(at, who, what)| (at * minute, Some(who), what, None, None)).collect();
    orders.sort_by_key(|o| o.0);
    shop(8, &orders, &[])
}

/// How many people reach each step of a funnel over the products in order, and the sum of seconds to the second step.
fn funnel(memory: &Memory, steps: &[&str], within: CalendarSpan) -> Vec<String> {
    let step = |name: &&str| {
        let events = events("orders", vec![Stage::Where(call(Op::Equal, &[field("product"), text(name)]))]);
        ChainStep { rows: Keyed { events, key: customer() }, hold: None, without: None }
    };
    let chain = Chain {
        steps: steps.iter().map(step).collect(),
        within: Some(within),
        each: None,
        order: ChainOrder::Ordered,
        among: vec![],
        without_drops: false,
        credit: None,
    };
    let base = || Events { base: Base::Made(Box::new(Made::Chain(Box::new(chain.clone())))), stages: vec![] };
    let reached = || row(kepi_model::value::Kind::Count, RowNode::Field(REACHED.into()));
    let far = |step: usize| call(Op::GreaterEqual, &[reached(), number(step as i128, 0)]);
    let mut aggregates: Vec<Aggregate> =
        (1..=steps.len()).map(|step| aggregate(base(), Some(far(step)), Measure::Unique(customer()), vec![])).collect();
    let second = row(kepi_model::value::Kind::Time, RowNode::Step { step: 1, of: Box::new(moment()) });
    let time = call(Op::Elapsed, &[second, moment()]);
    aggregates.push(aggregate(base(), None, Measure::Avg(time.clone()), vec![]));
    let with_product = row(kepi_model::value::Kind::Text, RowNode::Step { step: 1, of: Box::new(field("product")) });
    aggregates.push(aggregate(base(), None, Measure::Best { of: with_product, rank: time }, vec![]));
    lines(&cells(memory, &pass(aggregates)))
}

#[test]
fn known_funnels() {
    let minutes = |count: i64| CalendarSpan { months: 0, days: 0, micros: count * 60_000_000 };
    let days = |days| CalendarSpan { months: 0, days, micros: 0 };
    // PostHog, test_funnel.py, test_funnel_events: apple is the signing up, pear the payment, plum the movie.
    let signed =
        [(0, 0, 2), (0, 1, 2), (1, 1, 3), (0, 2, 2), (1, 2, 3), (2, 2, 4), (0, 3, 4), (0, 4, 3), (1, 4, 2), (2, 4, 4)];
    assert_eq!(funnel(&site(&signed), &["apple", "pear", "plum"], days(14)), ["4 4 2 2 1 1 60 4 pear 4"]);
    // PostHog, conversion_time_cases.py, test_funnel_times_with_different_conversion_windows.
    let two = [(120, 0, 2), (125, 0, 3), (123, 1, 2), (0, 2, 2), (15, 2, 3)];
    assert_eq!(funnel(&site(&two), &["apple", "pear"], days(14)), ["3 3 2 2 600 3 pear 3"]);
    assert_eq!(funnel(&site(&two), &["apple", "pear"], minutes(5)), ["3 3 1 1 300 3 pear 3"]);
    // PostHog, a funnel of rows at one moment.
    let many: Vec<(i64, u32, u32)> = (0..32).map(|i| (7, 0, 2 + i % 3)).collect();
    assert_eq!(funnel(&site(&many), &["apple", "pear", "plum"], days(1)), ["1 11 1 11 1 11 0 11 pear 11"]);
}

#[test]
fn a_hundred_thousand_rows_of_one_entity_are_no_trouble() {
    let rows: Vec<(i64, u32, u32)> = (0..100_000).map(|i| (i / 3, 0, 2 + (i % 3) as u32)).collect();
    let memory = site(&rows);
    let keyed = |which: usize| Keyed { events: picked(which), key: customer() };
    let step =
        |which, without: Option<usize>| ChainStep { rows: keyed(which), hold: None, without: without.map(keyed) };
    let orders = [ChainOrder::Ordered, ChainOrder::Strict, ChainOrder::Any];
    // Rows of their own, and rows that may serve every step.
    let credits = [Credit::Latest, Credit::Earliest];
    let cases = orders.into_iter().flat_map(|o| [(o, [0, 1, 2]), (o, [3, 3, 3])]);
    for ((order, whose), credit) in cases.flat_map(|case| credits.map(|credit| (case, credit))) {
        let any = order == ChainOrder::Any;
        let forbidden = if any { None } else { Some(1) };
        let chain = Chain {
            steps: vec![step(whose[0], None), step(whose[1], forbidden), step(whose[2], None)],
            within: None,
            each: None,
            order,
            among: vec![],
            without_drops: false,
            credit: Some(credit),
        };
        let source = source(&memory);
        let stream = source.made(&Made::Chain(Box::new(chain)), "UTC", 0).unwrap();
        let begun = std::time::Instant::now();
        let made = stream.rows(&source).unwrap().at.len();
        assert!(made > 30_000);
        assert!(begun.elapsed().as_secs() < 30, "{order:?} {whose:?} {credit:?} took {:?}", begun.elapsed());
    }
}
