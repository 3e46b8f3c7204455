//! What `explain` says of a query.

use super::testing::*;
use crate::cells::compare::side;
use crate::cells::periods::Span;
use crate::cells::plan::Times;
use crate::explain::sentences;
use kepi_model::calendar::{Grain, TimeUnit, Zone};
use kepi_model::core::*;
use kepi_model::value::{CalendarSpan, Kind, Unit, Value};

/// The user's own example: first-year revenue ÷ new customers.
fn first_year_value(mut asked: Ask) -> Ask {
    let customer = || Row { unit: Unit::of(Kind::Entity("customer".into())), node: RowNode::Role("customer".into()) };
    let at = || Row { unit: Unit::of(Kind::Time), node: RowNode::At };
    let new_customers =
        || Events { base: Base::Stream("orders".into()), stages: vec![Stage::First { per: customer() }] };
    let began = History {
        events: new_customers(),
        filter: None,
        measure: Measure::First(at()),
        key: customer(),
        subject: customer(),
        over: Reach::AllTime,
        before: false,
    };
    let began = Row { unit: Unit::of(Kind::Time), node: RowNode::History(Box::new(began)) };
    let year = CalendarSpan { months: 12, ..CalendarSpan::default() };
    let end = Row { unit: Unit::of(Kind::Time), node: RowNode::Call { op: Op::AddSpan(year), args: vec![began] } };
    let first_year = Row { unit: Unit::of(Kind::Bool), node: RowNode::Call { op: Op::Less, args: vec![at(), end] } };
    let sum = asked.aggregate("orders", Measure::Sum(field("amount")), Some(first_year));
    let count = asked.aggregate("orders", Measure::Count, None);
    asked.query.aggregates[0].text = "sum(revenue where first_year)".into();
    asked.query.aggregates[1].text = "count(new_customers)".into();
    asked.query.aggregates[1].events = new_customers();
    asked.show("value", call(Kind::Money(None), Op::Divide, vec![sum, count]));
    asked
}

fn told(asked: &Ask) -> Vec<String> {
    let query = &asked.query;
    let zone = Zone::named(&query.zone).unwrap();
    let span = Span::of(&query.window, query.now);
    let from = span.from.unwrap();
    let sides =
        query.compare.iter().map(|c| side(c, &zone, &query.zone, query.per.as_ref(), &span, from, query.now).unwrap());
    sentences(query, &Times { span, sides: sides.collect(), cut: None, total: false }, &zone)
}

#[test]
fn the_example_per_month_is_the_event_dated_reading() {
    let asked = ask("Europe/Amsterdam", "2025-06-10T12:00").during("2025-01-01", "2025-07-01", "this half");
    let mut asked = first_year_value(asked.per(TimeUnit::Month));
    asked = asked.vs("previous year", CompareWith::Previous(Grain::ordinary(TimeUnit::Year)));
    asked.query.limit = Some(Limit { rows: 5, with_other: false });
    insta::assert_snapshot!(told(&asked).join("\n"), @r"
    It looks at this half, from 2025-01-01 until before 2025-07-01, by the clock of Europe/Amsterdam. It is 2025-06-10 12:00:00 now, so the window still runs.
    `sum(revenue where first_year)` reads orders, keeps those where its moment is before the moment of the first orders of the same customer so far plus 1 year and adds up amount, each in the month in which it happened.
    `count(new_customers)` reads orders, keeps the first of each customer and counts them, each in the month in which it happened.
    Each of these is computed over its own rows; the results are then matched on the month, so no row is counted twice and none is lost where one side has nothing.
    Every month of the window has a row.
    This is the event-dated reading: `sum(revenue where first_year)` of a month is what happened in that month, also by those who began earlier, and is set against `count(new_customers)` of the same month. For what those who began in a month brought, ask `by cohort(…, month)` instead.
    `vs previous year` computes the same from 2024-01-01 until before 2024-06-10 12:00:00, each month set against the month one year earlier. What still runs counts up to now, and is compared with the same elapsed part.
    The first 5 rows are shown.
    ");
}

#[test]
fn the_example_by_cohort_is_the_cohort_dated_reading() {
    let mut asked = ask("UTC", "2025-06-10").during("2024-01-01", "2025-01-01", "during 2024").by("cohort");
    asked.query.by[0].grain = Some(Grain::ordinary(TimeUnit::Month));
    let asked = first_year_value(asked);
    insta::assert_snapshot!(told(&asked).join("\n"), @r"
    It looks at the time during 2024, from 2024-01-01 until before 2025-01-01, by the clock of UTC.
    `sum(revenue where first_year)` reads orders, keeps those where its moment is before the moment of the first orders of the same customer so far plus 1 year and adds up amount for each cohort.
    `count(new_customers)` reads orders, keeps the first of each customer and counts them for each cohort.
    Each of these is computed over its own rows; the results are then matched on their labels, so no row is counted twice and none is lost where one side has nothing.
    Each label for which something shown happened has a row.
    This is the cohort-dated reading: the rows of `sum(revenue where first_year)` count for the month (`cohort`) in which their entity began, whenever they happened in the window, and are set against `count(new_customers)` of the same month. Young cohorts have had less time.
    ");
}

#[test]
fn conditions_are_told_in_words() {
    let mut asked = ask("UTC", "2025-06-10").during("2024-01-01", "2025-01-01", "").by("region").per(TimeUnit::Day);
    let is = equals("kind", "upsell");
    let amount = Row { unit: Unit::of(Kind::Number), node: RowNode::Const(Value::Decimal { digits: 5, scale: 2 }) };
    let more = RowNode::Call { op: Op::GreaterEqual, args: vec![field("amount"), amount] };
    let both = Row {
        unit: Unit::of(Kind::Bool),
        node: RowNode::Call { op: Op::And, args: vec![is, Row { unit: Unit::of(Kind::Bool), node: more }] },
    };
    let formula = asked.aggregate("orders", Measure::Unique(field("customer")), Some(both));
    asked.show("people", formula);
    asked.query.fill = Some(Fill::Value(Value::Decimal { digits: 0, scale: 0 }));
    insta::assert_snapshot!(told(&asked).join("\n"), @r#"
    It looks at the time, from 2024-01-01 until before 2025-01-01, by the clock of UTC.
    `orders 0` reads orders, keeps those where kind is "upsell" and amount is at least 0.05 and counts every customer once for each region, each in the day in which it happened.
    Every label has a row in every day. `fill` puts its value where nothing happened.
    "#);
}

#[test]
fn a_history_is_told_with_its_reach_and_its_conditions() {
    let mut asked = ask("UTC", "2025-06-10").during("2024-01-01", "2025-01-01", "2024").by("loyalty");
    let customer = || Row { unit: Unit::of(Kind::Entity("customer".into())), node: RowNode::Role("customer".into()) };
    let days = CalendarSpan { days: 90, ..CalendarSpan::default() };
    let upsells = Events { base: Base::Stream("orders".into()), stages: vec![Stage::Where(equals("kind", "upsell"))] };
    let history = |over, before| History {
        events: upsells.clone(),
        filter: Some(equals("campaign", "k1")),
        measure: Measure::Count,
        key: customer(),
        subject: customer(),
        over,
        before,
    };
    let row = |history| Row { unit: Unit::of(Kind::Count), node: RowNode::History(Box::new(history)) };
    let number =
        |digits| Row { unit: Unit::of(Kind::Number), node: RowNode::Const(Value::Decimal { digits, scale: 0 }) };
    let no = |row: Row| Row {
        unit: Unit::of(Kind::Bool),
        node: RowNode::Call { op: Op::Equal, args: vec![row, number(0)] },
    };
    let formula = asked.aggregate("orders", Measure::Count, Some(no(row(history(Reach::Last(days), false)))));
    asked.show("quiet", formula);
    let whens = vec![(no(row(history(Reach::Period, false))), number(1))];
    let otherwise = Some(Box::new(row(history(Reach::AllTime, true))));
    let case = Row { unit: Unit::of(Kind::Number), node: RowNode::Case { whens, otherwise } };
    asked.query.aggregates[0].labels = vec![case.clone()];
    let formula = asked.aggregate("orders", Measure::Sum(case), None);
    asked.show("more", formula);
    insta::assert_snapshot!(told(&asked)[1..3].join("\n"), @r#"
    `orders 0` reads orders, keeps those where the number of orders of the same customer in the last 90 days (those where kind is "upsell" and campaign is "k1") is 0 and counts them for each loyalty.
    `orders 1` reads orders and adds up (1 where the number of orders of the same customer in the period (those where kind is "upsell" and campaign is "k1") is 0, else the number of orders of the same customer before it (those where kind is "upsell" and campaign is "k1")) for each loyalty.
    "#);
}

#[test]
fn groups_totals_and_places_are_told_in_words() {
    let mut asked = ask("UTC", "2025-06-10").during("2024-01-01", "2025-01-01", "during 2024").by("region");
    asked = asked.per(TimeUnit::Quarter);
    asked.aggregate("orders", Measure::Sum(field("amount")), None);
    let mut inner = asked.query.aggregates.remove(0);
    inner.text = "sum(amount)".into();
    let customer = Unit::of(Kind::Entity("customer".into()));
    inner.labels.push(Row { unit: customer.clone(), node: RowNode::Role("customer".into()) });
    let groups = Groups {
        keys: vec![Label { name: "customer".into(), unit: customer, grain: None }],
        per: Some(Grain::ordinary(TimeUnit::Month)),
        aggregates: vec![inner],
        value: Formula { unit: Unit::of(Kind::Money(None)), node: FormulaNode::Aggregate(0) },
        existence: Vec::new(),
    };
    let average = asked.aggregate("orders", Measure::Avg(field(VALUE)), None);
    let total = asked.aggregate("orders", Measure::Sum(field("amount")), None);
    asked.query.aggregates[0].text = "avg(sum(amount) per customer, month)".into();
    asked.query.aggregates[0].events.base = Base::Made(Box::new(Made::Groups(Box::new(groups))));
    asked.query.aggregates[0].labels = vec![field("_label_0")];
    asked.query.aggregates[1].across = vec![0];
    asked.show("average", average.clone());
    asked.show("of all", call(Kind::Percent, Op::Divide, vec![average.clone(), total]));
    asked.show(
        "rank",
        Formula { unit: Unit::of(Kind::Number), node: FormulaNode::Rank { of: Box::new(average), over: None } },
    );
    insta::assert_snapshot!(told(&asked).join("\n"), @r"
    It looks at the time during 2024, from 2024-01-01 until before 2025-01-01, by the clock of UTC.
    `avg(sum(amount) per customer, month)` takes, for each customer and month, `sum(amount)` and averages the value for each region, anew in each quarter.
    `orders 1` reads orders and adds up amount for each region, each in the quarter in which it happened. It is taken over all labels together and stands beside every row that it is a total of.
    Each of these is computed over its own rows; the results are then matched on quarter and labels, so no row is counted twice and none is lost where one side has nothing.
    A label has a row in each quarter in which something shown happened.
    `rank` gives places among the rows of a quarter, from 1 for the largest, before `having` leaves any out; equal values share a place.
    ");
}

#[test]
fn tables_of_their_own_are_told_in_words() {
    let mut asked = ask("UTC", "2025-06-10").during("2024-01-01", "2025-01-01", "during 2024").by("cohort").by("age");
    let size = asked.aggregate("returns", Measure::Count, None);
    asked.show("size", size.clone());
    let shape = Shape::Ages {
        cohort: 0,
        age: 1,
        size: 0,
        returned: 0,
        grain: Grain::ordinary(TimeUnit::Week),
        own_clock: true,
        onward: true,
        brackets: vec![1, 4],
    };
    asked.query.shape = Some(shape);
    let note = crate::told::retention(&asked.query).unwrap().text;
    insta::assert_snapshot!(told(&asked)[3..].join("\n") + "\n" + &note, @r"
    Every cohort has a row for each week of age, up to the one that runs; those too young to be over are marked, and totals leave them out.
    returned is who came back in that bracket or later (mode onward), weeks count from each one's own start (clock own), brackets end with week 1, 4
    ");
    asked.query.shape =
        Some(Shape::Steps { label: "step".into(), steps: vec!["a".into()], columns: vec!["size".into()] });
    insta::assert_snapshot!(told(&asked)[3..].join("\n"), @"Each row becomes one row per step, 1 of them in their order.");
}
