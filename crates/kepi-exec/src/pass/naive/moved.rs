//! Moved windows against loops over windows and rows.

use super::*;
use crate::pass::pieces::Reading;

/// A cell's period and the time that is looked at in it.
type Looked = (Option<i64>, i64, i64);

/// The windows of a pass, as the language says them: one move after the other on `[s, e)`.
fn windows(pass: &Pass, zone: &Zone) -> Vec<Looked> {
    let back = |t: i64, by: &CalendarSpan| {
        let by = CalendarSpan { months: -by.months, days: -by.days, micros: -by.micros };
        if t == i64::MIN { t } else { zone.add(t, by) }
    };
    let from = pass.from.filter(|_| !pass.moment);
    let begins = from.unwrap_or(i64::MIN);
    let mut cells = Vec::new();
    match &pass.per {
        None => cells.push((None, begins, pass.until)),
        Some(grain) => {
            let mut start = zone.truncate(grain, begins);
            while start < pass.until {
                let end = zone.step(grain, start, 1);
                cells.push((Some(start), start.max(begins), end.min(pass.until)));
                start = end;
            }
        }
    }
    let moved = |(period, mut s, mut e): Looked| {
        let mut first = begins;
        if let Some(by) = &pass.shift {
            let forth = |t: i64| if t == i64::MIN { t } else { zone.add(t, *by) };
            (s, e, first) = (forth(s), forth(e), forth(first));
        }
        for of in &pass.aggregates[0].moved {
            (s, e) = match of {
                Move::Prior(by) => (back(s, by), back(e, by)),
                Move::Trailing(by) => (back(e, by), e),
                Move::ToDate(grain) => (zone.truncate(grain, e.saturating_sub(1)), e),
                Move::Running => (first, e),
                Move::AllTime => (i64::MIN, e),
                Move::Start => (i64::MIN, s),
            };
        }
        (period, s, e)
    };
    cells.into_iter().map(moved).collect()
}

impl Shop<'_> {
    /// Per cell, with the rows of its own window: the values and how many rows.
    fn moved_cells(&mut self, pass: &Pass) -> Vec<String> {
        let mut lines = Vec::new();
        for (period, from, until) in windows(pass, &self.zone.clone()) {
            self.start = Some(from);
            let mut alone = pass.clone();
            (alone.per, alone.from, alone.until) = (None, Some(from), until);
            let period: Vec<String> = period.iter().map(|p| shown(&V::Time(*p))).collect();
            for line in self.cells(&alone) {
                lines.push([period.clone(), vec![line]].concat().join(" "));
            }
        }
        lines.sort();
        lines
    }
}

fn days(days: i32) -> CalendarSpan {
    CalendarSpan { months: 0, days, micros: 0 }
}

fn months(months: i32) -> CalendarSpan {
    CalendarSpan { months, days: 0, micros: 0 }
}

fn moves() -> Vec<Move> {
    vec![
        Move::Prior(days(9)),
        Move::Prior(months(1)),
        Move::Prior(CalendarSpan { micros: 3_600_000_000, ..days(0) }),
        Move::Trailing(days(28)),
        Move::Trailing(months(1)),
        Move::Trailing(days(2)),
        Move::ToDate(Grain::ordinary(TimeUnit::Week)),
        Move::ToDate(Grain::ordinary(TimeUnit::Month)),
        Move::ToDate(Grain::ordinary(TimeUnit::Year)),
        Move::Running,
        Move::AllTime,
        Move::Start,
    ]
}

/// Conditions that depend on where the window begins, behind those that do not.
fn condition(i: usize) -> Row {
    let seen = history(orders(), None, Measure::Count, Reach::Period);
    match conditions().get(i) {
        Some(known) => known.clone(),
        None => call(Op::GreaterEqual, &[seen, number(2, 0)]),
    }
}

fn units() -> impl Strategy<Value = Option<TimeUnit>> {
    let units = vec![TimeUnit::Day, TimeUnit::Day, TimeUnit::Week, TimeUnit::Month, TimeUnit::Quarter];
    proptest::option::weighted(0.8, proptest::sample::select(units))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn moved_windows_agree_with_loops_over_rows(
        (orders_, visits) in shops(),
        moved in proptest::collection::vec(0..12_usize, 1..3),
        picked in proptest::collection::vec((0..22_usize, proptest::option::of(0..11_usize), any::<bool>()), 1..4),
        by in proptest::collection::vec(0..6_usize, 0..3),
        per in units(), zone in proptest::sample::select(vec!["UTC", "America/New_York", "Australia/Lord_Howe"]),
        (from, length) in (0..90_i64, 1..70_i64), batch in 1..40_usize,
        moment in proptest::bool::weighted(0.1), shift in proptest::bool::weighted(0.2),
    ) {
        let mut memory = shop(5, &orders_, &visits);
        memory.batch = batch;
        let by: Vec<Row> = by.into_iter().map(|l| labels()[l].clone()).collect();
        let moved: Vec<Move> = moved.into_iter().map(|m| moves()[m].clone()).collect();
        let aggregates = picked.into_iter().map(|(measure, filter, first)| {
            let stages = if first { vec![Stage::First { per: customer() }] } else { vec![] };
            let filter = filter.map(condition);
            let mut made = aggregate(events("orders", stages), filter, measures()[measure].clone(), by.clone());
            made.moved = moved.clone();
            made
        });
        let mut pass = pass(aggregates.collect());
        pass.zone = zone.into();
        let begin = 19_700 * DAY + from * DAY + from * 3_600_000_000;
        (pass.from, pass.until) = (Some(begin), begin + length * DAY + 7_200_000_000);
        pass.per = per.filter(|_| !moment).map(Grain::ordinary);
        pass.moment = moment;
        pass.shift = shift.then(|| days(-5));
        let mut shop = Shop {
            orders: &orders_, visits: &visits, texts: memory.texts.clone(), zone: Zone::named(zone).unwrap(),
            per: None, from: None, start: None,
        };
        prop_assert_eq!(shown_lines(&cells(&memory, &pass), &pass), shop.moved_cells(&pass));
    }

    #[test]
    fn ranges_of_ids_change_no_digit_of_moved_windows(
        (orders_, visits) in shops(), moved in 0..12_usize, batch in 1..40_usize,
        filters in proptest::collection::vec((any::<bool>(), proptest::option::of(0..5_usize)), 1..4),
        by in proptest::collection::vec(0..6_usize, 0..3), per in units(), bytes in proptest::sample::select(vec![100_u64, 700, 1_500, 3_000, 6_000, 12_000, 24_000]),
    ) {
        let mut memory = shop(5, &orders_, &visits);
        memory.batch = batch;
        let by: Vec<Row> = by.into_iter().map(|l| labels()[l].clone()).collect();
        let aggregates = filters.into_iter().enumerate().map(|(i, (values, filter))| {
            let of = if values { field("product") } else { customer() };
            let measure = if i == 2 { Measure::Sum(field("amount")) } else { Measure::Unique(of) };
            let mut made = aggregate(orders(), filter.map(condition), measure, by.clone());
            made.moved = if moved < 10 { vec![moves()[moved].clone()] } else { Vec::new() };
            made
        });
        let mut pass = pass(aggregates.collect());
        (pass.per, pass.from, pass.until) = (per.map(Grain::ordinary), Some(19_721 * DAY + 5), 19_790 * DAY);
        let limited = LeafExec::plan(pass.clone(), source(&memory).with_memory_max(Some(bytes)), 2).unwrap();
        match collected(Arc::clone(&limited)) {
            Ok(found) => prop_assert_eq!(lines(&found), lines(&cells(&memory, &pass))),
            // Not even one of them fits, with a list per label and some room for each thread.
            Err(error) => prop_assert!(bytes < 12_000 && matches!(error, ExecError::Memory { .. }), "{bytes}: {error}"),
        }
        let (limited, whole) = (limited.report(), LeafExec::plan(pass.clone(), source(&memory), 1).unwrap());
        if limited.ranges > 1 {
            collected(Arc::clone(&whole)).unwrap();
            let told = |r: &Report| (r.rows_kept, r.without_entity.clone(), r.first);
            prop_assert_eq!(told(&limited), told(&whole.report()));
        }
    }

    #[test]
    fn parts_by_time_change_no_digit_of_moved_windows(
        (orders_, visits) in shops(),
        moved in proptest::collection::vec(0..12_usize, 1..3),
        picked in proptest::collection::vec((0..22_usize, proptest::option::of(0..5_usize)), 1..4),
        by in proptest::collection::vec(0..3_usize, 0..3),
        per in units(), cuts in proptest::collection::vec(0..120_i64, 0..4), sizes in (1..50_usize, 1..50_usize),
    ) {
        let mut memory = shop(5, &orders_, &visits);
        let by: Vec<Row> = by.into_iter().map(|l| labels()[l].clone()).collect();
        let moved: Vec<Move> = moved.into_iter().map(|m| moves()[m].clone()).collect();
        let of = |(measure, filter): (usize, Option<usize>)| {
            let mut made = aggregate(orders(), filter.map(condition), measures()[measure].clone(), by.clone());
            made.moved = moved.clone();
            made
        };
        let mut pass = pass(picked.into_iter().map(of).collect());
        (pass.per, pass.from, pass.until) = (per.map(Grain::ordinary), Some(19_721 * DAY + 5), 19_790 * DAY);
        let plan = crate::pass::plan::Plan::new(&pass, &source(&memory)).unwrap();
        let apart = !plan.counts_can_be_joined(&pass);
        let Reading::Pieces(pieces) = plan.reading else { return Ok(()) };
        let place = |day: i64| pieces.place_to_cut(19_700 * DAY + day * DAY, apart);
        let cuts: BTreeSet<i64> = cuts.into_iter().map(place).collect();
        let cuts: Vec<i64> = cuts.into_iter().filter(|&t| t > i64::MIN).collect();
        memory.batch = sizes.0;
        let whole = cells(&memory, &pass);
        memory.batch = sizes.1;
        prop_assert_eq!(cells_of_parts(&memory, &pass, &cuts), whole);
    }
}

#[test]
fn distinct_entities_of_windows_that_overlap_are_cut_in_time_and_other_values_read_in_one_go() {
    let orders_: Vec<Order> =
        (0..250_000_i64).map(|i| (i * DAY / 1000, Some((i % 7) as u32), 2, Some(i % 977), None)).collect();
    let memory = shop(7, &orders_, &[]);
    let parts = |moved: Move, measure: Measure| {
        let mut made = aggregate(orders(), None, measure, vec![]);
        made.moved = vec![moved];
        let mut pass = pass(vec![made]);
        (pass.per, pass.from, pass.until) = (Some(Grain::ordinary(TimeUnit::Month)), Some(0), 250 * DAY);
        let parts = crate::pass::parts(&pass, &source(&memory), 2).unwrap().unwrap_or_default();
        let many = collected(LeafExec::plan(pass.clone(), source(&memory), 2).unwrap()).unwrap();
        assert_eq!(many, cells(&memory, &pass));
        (parts.len(), parts.iter().any(|part| part.lot.is_some()))
    };
    let unique = || Measure::Unique(customer());
    assert_eq!(parts(Move::Trailing(months(3)), unique()), (2, false));
    assert_eq!(parts(Move::Running, unique()), (2, false));
    assert_eq!(parts(Move::Prior(months(1)), unique()), (2, false));
    assert_eq!(parts(Move::Running, Measure::Unique(field("product"))), (0, false));
    assert_eq!(parts(Move::Running, Measure::Sum(field("amount"))), (2, false));
}
