//! Tables of their own, by hand: the steps of a funnel, the ages of a retention.

use super::testing::*;
use crate::PartialRow;
use kepi_model::calendar::{Grain, TimeUnit};
use kepi_model::core::*;
use kepi_model::value::{Kind, Unit, Value};
use std::sync::Arc;

/// Attempts as rows of a stream: how far each got.
fn attempts() -> Vec<Event> {
    let attempt = |time, source, far| event("attempts", time, &[("source", source), ("far", far)]);
    vec![
        attempt("2025-01-03", "web", "three"),
        attempt("2025-01-04", "web", "one"),
        attempt("2025-01-05", "shop", "two"),
        attempt("2025-02-05", "shop", "one"),
        attempt("2025-02-06", "shop", "one"),
    ]
}

/// A funnel of three steps with the columns `reached` and `rate`.
fn funnel(mut asked: Ask) -> Ask {
    let far = |words: &[&str]| {
        let any = words
            .iter()
            .map(|word| equals("far", word))
            .reduce(|a, b| Row { unit: Unit::of(Kind::Bool), node: RowNode::Call { op: Op::Or, args: vec![a, b] } });
        any.unwrap()
    };
    let first = asked.aggregate("attempts", Measure::Count, None);
    let reached = [
        first.clone(),
        asked.aggregate("attempts", Measure::Count, Some(far(&["two", "three"]))),
        asked.aggregate("attempts", Measure::Count, Some(far(&["three"]))),
    ];
    for (i, step) in reached.into_iter().enumerate() {
        asked.show(&format!("reached {}", i + 1), step.clone());
        let rate = match i {
            0 => Formula {
                unit: Unit::of(Kind::Percent),
                node: FormulaNode::Const(Value::Decimal { digits: 1, scale: 0 }),
            },
            _ => call(Kind::Percent, Op::Divide, vec![step, first.clone()]),
        };
        asked.show(&format!("rate {}", i + 1), rate);
    }
    asked.query.shape = Some(Shape::Steps {
        label: "step".into(),
        steps: vec!["leads".into(), "talks".into(), "wins".into()],
        columns: vec!["reached".into(), "rate".into()],
    });
    asked
}

fn year() -> Ask {
    ask("UTC", "2026-01-01").during("2025-01-01", "2025-03-01", "2025")
}

#[test]
fn a_cell_becomes_a_row_per_step() {
    let asked = Ask { totals: true, ..funnel(year()) };
    let frame = asked.frame(&attempts()).unwrap();
    let expected = ["leads 5 1", "talks 2 0.4", "wins 1 0.2"];
    assert_eq!(lines(&frame.rows, "UTC"), expected);
    assert_eq!(lines(&frame.totals.unwrap(), "UTC"), expected);
    let names: Vec<&str> = frame.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["step", "reached", "rate"]);
    assert_eq!(frame.columns[2].unit, Unit::of(Kind::Percent));
    let steps: Vec<&str> = frame.steps.iter().map(|s| s.text.as_str()).collect();
    assert!(steps.contains(&"a row for each of the 3 steps"), "{steps:?}");
}

#[test]
fn cells_are_ordered_as_a_whole_and_their_steps_stay_in_order() {
    let by_source = || funnel(year().by("source"));
    let all = by_source().rows(&attempts());
    assert_eq!(
        all,
        [
            "shop leads 3 1",
            "shop talks 1 0.3333333333333333",
            "shop wins 0 0",
            "web leads 2 1",
            "web talks 1 0.5",
            "web wins 1 0.5"
        ]
    );
    let mut asked = by_source();
    let overall = asked.query.columns[5].formula.clone();
    asked.query.order = vec![OrderKey { by: OrderBy::Formula(overall.clone()), descending: true }];
    assert_eq!(asked.rows(&attempts()), [&all[3..], &all[..3]].concat());
    asked.query.limit = Some(Limit { rows: 4, with_other: false });
    assert_eq!(asked.rows(&attempts()), [&all[3..], &all[..1]].concat());
    asked.query.having = Some(call(Kind::Bool, Op::Less, vec![overall, number(1, 1)]));
    assert_eq!(asked.rows(&attempts()), all[..3]);
    // By the step: all first steps, then all second ones.
    asked.query.having = None;
    asked.query.order = vec![OrderKey { by: OrderBy::Label(1), descending: false }];
    assert_eq!(asked.rows(&attempts())[..3], ["shop leads 3 1", "web leads 2 1", "shop talks 1 0.3333333333333333"]);
    // Labels are kept whole, and all others are one label.
    asked.query.limit = Some(Limit { rows: 2, with_other: true });
    assert_eq!(asked.rows(&attempts()).len(), 6);
    asked.query.limit = Some(Limit { rows: 1, with_other: true });
    let other: Vec<String> = all[3..].iter().map(|row| row.replace("web", "other")).collect();
    assert_eq!(asked.rows(&attempts()), [&all[..3], &other[..]].concat());
}

#[test]
fn comparisons_go_along_with_their_steps() {
    let month = CompareWith::Previous(Grain::ordinary(TimeUnit::Month));
    let mut asked = funnel(year().per(TimeUnit::Month)).vs("previous", month);
    asked.query.window.from = Some(at("UTC", "2025-02-01"));
    let frame = asked.frame(&attempts()).unwrap();
    assert_eq!(
        lines(&frame.rows, "UTC"),
        [
            "2025-02-01 leads 2 3 -1 -0.3333333333333333 1 1 0 -",
            "2025-02-01 talks 0 2 -2 -1 0 0.6666666666666666 -0.6666666666666666 -",
            "2025-02-01 wins 0 1 -1 -1 0 0.3333333333333333 -0.3333333333333333 -",
        ]
    );
    let names: Vec<&str> = frame.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names[2..6], ["reached", "reached previous", "reached change", "reached change %"]);
}

/// Members and returns as they are made, in memory: cohort, age (missing: the member), plan.
mod stored {
    use super::*;
    use crate::pass::testing::{Memory, Stream};
    use arrow_array::{ArrayRef, Decimal64Array, TimestampMicrosecondArray, UInt32Array};
    use kepi_extension::ColumnKind;

    pub(super) fn memory(events: &[(&str, Option<i64>, u32)]) -> Memory {
        let cohorts: TimestampMicrosecondArray = events.iter().map(|e| Some(at("UTC", e.0))).collect();
        let ages: Decimal64Array = events.iter().map(|e| e.1).collect();
        let plans: UInt32Array = events.iter().map(|e| Some(e.2)).collect();
        let column = |name: &str, kind, array: ArrayRef| (name.to_string(), kind, array);
        let stream = Stream {
            at: Some(events.iter().map(|e| at("UTC", e.0) + 1).collect()),
            columns: vec![
                column("cohort", ColumnKind::Time, Arc::new(cohorts.with_timezone("UTC"))),
                column(
                    "age",
                    ColumnKind::Decimal { scale: 0 },
                    Arc::new(ages.with_precision_and_scale(18, 0).unwrap()),
                ),
                column("plan", ColumnKind::Code, Arc::new(plans)),
            ],
            rows: events.len(),
        };
        let mut memory = Memory { texts: vec!["a".into(), "b".into()], batch: 3, ..Memory::default() };
        memory.streams.insert("returns".into(), stream);
        memory
    }
}

fn memory() -> crate::pass::testing::Memory {
    stored::memory(&[
        ("2025-01-01", None, 0),
        ("2025-01-01", None, 0),
        ("2025-01-01", None, 1),
        ("2025-01-01", Some(1), 0),
        ("2025-01-01", Some(3), 0),
        ("2025-01-01", Some(3), 1),
        ("2025-02-01", None, 0),
        ("2025-03-01", None, 1),
        ("2025-03-01", Some(1), 1),
    ])
}

fn retention(now: &str, plan: bool, own_clock: bool, onward: bool, brackets: &[i64]) -> Ask {
    let mut asked = ask("UTC", now);
    let row = |kind, name: &str| Row { unit: Unit::of(kind), node: RowNode::Field(name.into()) };
    let mut labels = Vec::new();
    if plan {
        labels.push(row(Kind::Text, "plan"));
    }
    let cohort = labels.len();
    labels.push(row(Kind::Time, "cohort"));
    labels.push(row(Kind::Count, "age"));
    for (label, name) in labels.iter().zip(["plan", "cohort", "age"].iter().skip(usize::from(!plan))) {
        let grain = (*name == "cohort").then(|| Grain::ordinary(TimeUnit::Month));
        asked.query.by.push(Label { name: (*name).into(), unit: label.unit.clone(), grain });
    }
    let is_member = Row {
        unit: Unit::of(Kind::Bool),
        node: RowNode::Call { op: Op::IsMissing, args: vec![row(Kind::Count, "age")] },
    };
    let back = Row { unit: Unit::of(Kind::Bool), node: RowNode::Call { op: Op::Not, args: vec![is_member.clone()] } };
    let size = asked.aggregate("returns", Measure::Count, Some(is_member));
    let returned = asked.aggregate("returns", Measure::Count, Some(back));
    for aggregate in &mut asked.query.aggregates {
        aggregate.labels.clone_from(&labels);
    }
    asked.query.aggregates[0].across = vec![cohort + 1];
    asked.show("size", size.clone());
    asked.show("returned", returned.clone());
    asked.show("rate", call(Kind::Percent, Op::Divide, vec![returned, size]));
    asked.query.shape = Some(Shape::Ages {
        cohort,
        age: cohort + 1,
        size: 0,
        returned: 1,
        grain: Grain::ordinary(TimeUnit::Month),
        own_clock,
        onward,
        brackets: brackets.to_vec(),
    });
    Ask { totals: true, ..asked }
}

fn run(asked: &Ask, threads: usize) -> crate::Frame {
    let options = crate::RunOptions { threads, totals: asked.totals, ..crate::RunOptions::default() };
    crate::run(&asked.query, Arc::new(memory()), &kepi_extension::Functions::default(), &options).unwrap()
}

fn young(frame: &crate::Frame) -> Vec<usize> {
    frame.partial_rows.iter().map(|p: &PartialRow| p.row).collect()
}

#[test]
fn every_cohort_has_every_age_up_to_the_one_that_runs() {
    let frame = run(&retention("2025-04-15", false, false, false, &[]), 1);
    assert_eq!(
        lines(&frame.rows, "UTC"),
        [
            "2025-01-01 0 3 3 1",
            "2025-01-01 1 3 1 0.3333333333333333",
            "2025-01-01 2 3 0 0",
            "2025-01-01 3 3 2 0.6666666666666666",
            "2025-02-01 0 1 1 1",
            "2025-02-01 1 1 0 0",
            "2025-02-01 2 1 0 0",
            "2025-03-01 0 1 1 1",
            "2025-03-01 1 1 1 1",
        ]
    );
    // April still runs: age 3 of January, age 2 of February, age 1 of March.
    assert_eq!(young(&frame), [3, 6, 8]);
    // Over cohorts that are old enough: all 5, then January and February, then January.
    assert_eq!(lines(&frame.totals.unwrap(), "UTC"), ["- 0 5 5 1", "- 1 4 1 0.25", "- 2 3 0 0"]);
    let note = frame.notes.iter().find(|n| n.code == "retention").unwrap();
    assert_eq!(
        note.text,
        "returned is who came back in that very month (mode exact), months are those of the calendar (clock calendar)"
    );
}

#[test]
fn onward_counts_for_all_ages_before_and_the_own_clock_runs_longer() {
    let frame = run(&retention("2025-05-01", false, true, true, &[]), 2);
    // The last member of March may have begun on the 31st: its first month is over on 1 May, its second is not.
    assert_eq!(
        lines(&frame.rows, "UTC"),
        [
            "2025-01-01 0 3 3 1",
            "2025-01-01 1 3 3 1",
            "2025-01-01 2 3 2 0.6666666666666666",
            "2025-01-01 3 3 2 0.6666666666666666",
            "2025-02-01 0 1 1 1",
            "2025-02-01 1 1 0 0",
            "2025-02-01 2 1 0 0",
            "2025-03-01 0 1 1 1",
            "2025-03-01 1 1 1 1",
        ]
    );
    assert_eq!(young(&frame), [3, 6, 8]);
    assert_eq!(lines(&frame.totals.unwrap(), "UTC"), ["- 0 5 5 1", "- 1 4 3 0.75", "- 2 3 2 0.6666666666666666"]);
}

#[test]
fn brackets_and_further_labels() {
    let frame = run(&retention("2025-04-15", true, false, false, &[1, 3]), 1);
    // Bracket 1 is month 1, bracket 2 months 2 and 3; here a row says 3, which is no bracket, and has not begun.
    let rows = lines(&frame.rows, "UTC");
    assert_eq!(rows[..3], ["a 2025-01-01 0 2 2 1", "a 2025-01-01 1 2 1 0.5", "a 2025-01-01 2 2 0 0"]);
    // February's second bracket ends with May, January's with April; March's first with April.
    assert_eq!(rows[3..6], ["a 2025-02-01 0 1 1 1", "a 2025-02-01 1 1 0 0", "a 2025-02-01 2 1 0 0"]);
    assert_eq!(young(&frame), [2, 5, 8, 10]);
    assert_eq!(frame.columns[2].words, ["0", "1", "2 to 3"]);
    assert!(frame.columns[1].words.is_empty());
    // Totals are over all plans.
    assert_eq!(lines(&frame.totals.unwrap(), "UTC"), ["- - 0 5 5 1", "- - 1 4 1 0.25"]);
}

#[test]
fn a_retention_of_nobody_has_no_rows() {
    let asked = retention("2025-04-15", false, false, false, &[]);
    let empty = crate::pass::testing::Memory { batch: 3, ..Default::default() };
    let options = crate::RunOptions { totals: true, ..crate::RunOptions::default() };
    let frame = crate::run(&asked.query, Arc::new(empty), &kepi_extension::Functions::default(), &options).unwrap();
    assert_eq!((frame.rows.num_rows(), frame.totals.map(|t| t.num_rows())), (0, Some(0)));
}
