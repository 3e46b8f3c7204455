//! Where targets stand, with numbers that a person can check.
#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.

use super::{TargetState, TargetStatus};
use crate::api::LoadRequest;
use crate::{Engine, Request};
use std::fs;

const MODEL: &str = r#"
entity customer key id { }
event sales of customer at sold { amount: money(EUR)  region: text }
event costs of customer at booked { amount: money(EUR) }
event trials of customer at began { won: bool }
metric revenue : money = sum(sales.amount)
metric expense : money = sum(costs.amount) with better = "down"
metric lost : percent = share(trials where not won)

target year on revenue during 2025 reach 730 EUR with owner = "sales"
target never on revenue during 2025 reach 1000 EUR
target reached on revenue where region = "EU" during 2025 reach 600 EUR
target budget on expense during 2025 reach 365 EUR
target tight on expense during 2025 reach 120 EUR
target months on revenue where region = "US" during 2025-Q1 reach 60 EUR each month
target higher on revenue where region = "US" during 2025-Q1 reach 70 EUR each month
target level on lost by 2025-07-01 reach 20% from 50% at 2025-01-01 review monthly
target strict on lost by 2025-07-01 reach 10% from 50% at 2025-01-01 review monthly

source s from "sales.csv" { sales: at sold, of customer, amount, region }
source c from "costs.csv" { costs: at booked, of customer, amount }
source t from "trials.csv" { trials: at began, of customer, won }
"#;

const SALES: &str = "sold,customer,amount,region\n2025-01-10,a,100,US\n2025-02-10,a,60,US\n2025-03-05,a,20,US\n\
    2025-03-26,a,50,US\n2025-05-01,b,600,EU\n";
const COSTS: &str = "booked,customer,amount\n2025-01-10,a,50\n2025-03-10,a,100\n";

/// Ten trials in January (four lost), in February (five lost) and in June (two lost).
fn trials() -> String {
    let rows = |month: u32, lost: u32| {
        (1..=10).map(move |day| format!("2025-{month:02}-{day:02},c{day},{}\n", if day <= lost { "no" } else { "yes" }))
    };
    let rows: String = rows(1, 4).chain(rows(2, 5)).chain(rows(6, 2)).collect();
    format!("began,customer,won\n{rows}")
}

/// The targets as of midnights, UTC, in a project with all rows.
struct Targets {
    engine: Engine,
    _folder: tempfile::TempDir,
}

impl Targets {
    fn new() -> Targets {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        Engine::init(root, None).unwrap();
        fs::write(root.join("model/goals.kepi"), MODEL).unwrap();
        for (name, text) in [("sales", SALES.to_string()), ("costs", COSTS.to_string()), ("trials", trials())] {
            fs::write(root.join(format!("{name}.csv")), text).unwrap();
        }
        let engine = Engine::open(root).unwrap();
        for source in ["s", "c", "t"] {
            let request = LoadRequest { source: Some(source.to_string()), ..LoadRequest::default() };
            engine.load(request, &|_| ()).unwrap();
        }
        Targets { engine, _folder: folder }
    }

    fn at(&self, name: &str, day: &str) -> TargetStatus {
        let now = format!("{day}T00:00:00Z").parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let request = Request { now: Some(now), ..Request::default() };
        self.engine.targets(Some(name), &request).unwrap().remove(0)
    }
}

fn near(found: Option<f64>, wanted: f64) -> bool {
    found.is_some_and(|found| (found - wanted).abs() < 1e-9)
}

#[test]
fn a_total_is_on_track_at_its_elapsed_part() {
    let targets = Targets::new();
    // 730 EUR in 365 days are 2 EUR a day.
    let early = targets.at("year", "2025-03-01");
    assert_eq!((early.state, early.reach), (TargetState::OnTrack, 730.0));
    assert!(near(early.value, 160.0) && near(early.expected, 118.0), "{early:?}");
    // After 100 days 230 EUR came, 200 were asked for.
    assert_eq!(targets.at("year", "2025-04-11").state, TargetState::OnTrack);
    // 119 days: 238 are asked for.
    let late = targets.at("year", "2025-04-30");
    assert_eq!(late.state, TargetState::AtRisk);
    // 500 EUR are lacking for one day of April and eight months; the last three months brought 230.
    assert!(near(late.required, 500.0 / (1.0 / 30.0 + 8.0)) && near(late.trailing, 230.0 / 3.0), "{late:?}");
    assert_eq!(targets.at("year", "2025-05-02").state, TargetState::Met);
    // Of nobody's sales the sum is 0, and not nothing.
    assert_eq!(targets.at("reached", "2025-05-01").state, TargetState::AtRisk);
    assert_eq!(targets.at("reached", "2025-05-02").state, TargetState::Met);
    assert_eq!(targets.at("year", "2025-01-01").state, TargetState::NoData);
    assert_eq!(late.attributes, [("owner".to_string(), "sales".to_string())]);
}

#[test]
fn a_total_that_was_not_reached_is_missed_when_its_time_is_over() {
    let targets = Targets::new();
    let met = targets.at("year", "2026-06-01");
    assert_eq!((met.state, met.required), (TargetState::Met, None));
    assert_eq!(targets.at("never", "2025-12-31").state, TargetState::AtRisk);
    let missed = targets.at("never", "2026-01-01");
    assert_eq!((missed.state, missed.required), (TargetState::Missed, None));
    assert!(near(missed.value, 830.0) && near(missed.expected, 1000.0), "{missed:?}");
}

#[test]
fn where_less_is_better_a_total_must_not_be_exceeded() {
    let targets = Targets::new();
    // 1 EUR a day, and 50 EUR on the 50th day: just as much as may be.
    assert_eq!(targets.at("budget", "2025-02-20").state, TargetState::OnTrack);
    assert_eq!(targets.at("budget", "2025-02-19").state, TargetState::AtRisk);
    let spring = targets.at("budget", "2025-04-11");
    assert_eq!(spring.state, TargetState::AtRisk);
    assert!(near(spring.value, 150.0) && near(spring.expected, 100.0), "{spring:?}");
    assert_eq!(targets.at("budget", "2026-01-01").state, TargetState::Met);
    // 150 EUR are more than 120: nothing can mend that, long before the year is over.
    assert_eq!(targets.at("tight", "2025-03-10").state, TargetState::AtRisk);
    assert_eq!(targets.at("tight", "2025-03-11").state, TargetState::Missed);
}

#[test]
fn a_target_of_each_period_looks_at_every_one() {
    let targets = Targets::new();
    assert_eq!(targets.at("months", "2025-01-01").state, TargetState::NoData);
    // January 100, February 60: both reached; March has not begun.
    let two = targets.at("months", "2025-03-01");
    assert_eq!(two.state, TargetState::OnTrack);
    assert_eq!(
        two.periods.iter().map(|p| (p.value, p.met)).collect::<Vec<_>>(),
        [(Some(100.0), Some(true)), (Some(60.0), Some(true))]
    );
    // Ten of 31 days ask for 19.35 EUR, 20 came; 24 days ask for 46.45.
    let running = targets.at("months", "2025-03-11");
    assert_eq!((running.state, running.periods[2].met), (TargetState::OnTrack, None));
    assert!(near(running.expected, 60.0 * 10.0 / 31.0) && near(running.value, 20.0), "{running:?}");
    assert_eq!(targets.at("months", "2025-03-25").state, TargetState::AtRisk);
    let over = targets.at("months", "2025-04-01");
    assert_eq!(over.state, TargetState::Met);
    assert!(near(over.trailing, 230.0 / 3.0) && over.required.is_none(), "{over:?}");
    // February's 60 are less than 70, and that stays.
    assert_eq!(targets.at("higher", "2025-02-11").state, TargetState::OnTrack);
    assert_eq!(targets.at("higher", "2025-03-11").state, TargetState::Missed);
}

#[test]
fn a_level_is_measured_over_the_review_period_before_on_a_line_from_its_baseline() {
    let targets = Targets::new();
    // Nothing says `better`; the baseline of 50 % above the goal does.
    assert_eq!(targets.at("level", "2025-01-20").state, TargetState::NoData);
    // January 40 %; the line is at 50 % less 31 of 181 days of 30 points.
    let january = targets.at("level", "2025-02-15");
    assert_eq!(january.state, TargetState::OnTrack);
    assert!(near(january.value, 0.4) && near(january.expected, 0.5 - 0.3 * 31.0 / 181.0), "{january:?}");
    // February 50 %: behind. 30 points are needed in 17 of March's 31 days and three months.
    let february = targets.at("level", "2025-03-15");
    assert_eq!((february.state, february.trailing), (TargetState::AtRisk, None));
    assert!(near(february.required, -0.3 / (17.0 / 31.0 + 3.0)), "{february:?}");
    // Nobody tried in May.
    assert_eq!(targets.at("level", "2025-06-15").state, TargetState::NoData);
    // The day itself is the last: in June 20 % were lost, three months before March none were measured.
    let end = targets.at("level", "2025-07-02");
    assert_eq!((end.state, end.required), (TargetState::Met, None));
    assert!(near(end.value, 0.2), "{end:?}");
    assert_eq!(targets.at("strict", "2025-07-02").state, TargetState::Missed);
    assert_eq!(targets.at("strict", "2025-07-01").state, TargetState::AtRisk);
}

#[test]
fn a_target_that_is_not_there_is_told_with_those_that_are() {
    let targets = Targets::new();
    let error = targets.engine.targets(Some("yeer"), &Request::default()).unwrap_err();
    assert_eq!(error.to_string(), "there is no target `yeer`");
    assert_eq!(targets.engine.targets(None, &Request::default()).unwrap().len(), 9);
}
