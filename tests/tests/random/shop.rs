//! Data with numbers of all kinds, two currencies and their rates, groups of a test, targets, merges and references.

use super::pick::Pick;
use super::{Given, NOW, TIMES, ZONES, table};
use proptest::prelude::*;

const MODEL: &str = r#"
set currency = "EUR"
entity customer key id from joined { joined: time  region: text  tier: text history  arm: text  budget: money(EUR)  home: campaign }
entity campaign key id { kind: text  owner: text history }
event sales of customer, campaign at sold { amount: money(currency)  cost: money(EUR)  currency: text  items: number  note: text  seen: bool  due: date  by: campaign }
event visits of customer at came { pages: number  took: duration }
event plans of customer at began { fee: money(EUR)  level: text }
event stops of customer at left { }
event marks of customer { points: points }
state fee of customer = plans.fee until stops
state level of customer = plans.level
segment heavy(least: number = 2) of customer = count(sales) >= least
segment dear(least: money(EUR) = 20 EUR) of sales = cost >= least
dimension bucket of sales = case when items is missing then "none" when items > 2 then "many" else "few"
measure margin = sales.cost * 2 - 1 EUR
function part(a, b) = ratio(a, a + b) otherwise 0
metric revenue : money = sum(sales.cost)
metric sold : count = count(sales)
metric rate : percent = ratio(count(sales where dear), count(sales))
metric above(least: money(EUR) = 15 EUR) : count = count(sales where cost > least)
metric pace : money per day = ratio(sum(sales.cost), 30 days)
metric left_share : percent = ratio(count(ended(fee)), opening(fee > 0 EUR))
"#;

/// Targets: totals, amounts of each period, levels with and without a line.
const TARGETS: [&str; 10] = [
    "target a on revenue during 2025 reach 730 EUR",
    "target a on revenue where region = \"EU\" during fiscal.2025 reach 1200 EUR",
    "target b on sold during 2025 reach 2 each month",
    "target b on sold during 2025-Q1 reach 9 each week",
    "target c on rate by 2025-12-31 reach 50%",
    "target c on rate during 2025 reach 55% each month",
    "target c on rate during 2025 reach 45%",
    "target c on rate by 2025-06-30 reach 60% from 40% at 2025-01-01 review monthly",
    "target c on rate by 2025-03-31 reach 10% from 40% at 2024-07-01 review weekly",
    "target b on sold by 2025-06-30 reach 12 from 4 at 2024-12-31",
];

/// Data sets of few people, few moments and many ties.
pub(super) fn shop() -> impl Strategy<Value = Given> {
    any::<u64>().prop_map(|seed| given(&mut Pick::new(seed), false))
}

/// The same of people who are in a group of a test, and have bought something: most lifts of nobody say nothing.
pub(super) fn of_groups() -> impl Strategy<Value = Given> {
    any::<u64>().prop_map(|seed| given(&mut Pick::new(seed), true))
}

/// The people with attributes.
const PEOPLE: [&str; 6] = ["ada", "bob", "eve", "fay", "gus", "hal"];

fn given(pick: &mut Pick, tested: bool) -> Given {
    let fiscal =
        pick.of(&["year starts \"april\"", "year starts \"july\", named by start", "year starts \"february\""]);
    let week = pick.of(&["monday", "sunday", "thursday"]);
    let (first, second) = (pick.below(2), pick.below(3));
    let targets = [TARGETS[first], TARGETS[2 + second % 2], TARGETS[4 + second]];
    let model = format!(
        "set timezone = \"{}\"\ncalendar fiscal = {fiscal}, week starts \"{week}\"{MODEL}{}\n",
        pick.of(&ZONES),
        targets.join("\n")
    );
    let with_ids = pick.once_in(2);
    let few = !tested && pick.once_in(6);
    let least = if tested { 16 } else { 0 };
    let most = move |pick: &mut Pick, most: usize| match most {
        _ if few => pick.below(3),
        most if most > least => least + pick.below(most - least),
        most => pick.below(most),
    };
    let time = |pick: &mut Pick| pick.of(&TIMES);
    let who = |pick: &mut Pick| match tested && !pick.once_in(8) {
        true => pick.of(&PEOPLE),
        false => pick.of(&["ada", "ada", "bob", "bob", "cyd", "dan", "Zoë", "-"]),
    };
    let campaign = |pick: &mut Pick| pick.of(&["a", "b", "b", "-"]);
    let money = |pick: &mut Pick| pick.of(&["10", "20.5", "33.33", "20.5", "0", "-7.25", "100", "0.1", "-"]);
    let items = |pick: &mut Pick| pick.of(&["1", "2", "3", "0", "2.5", "-1", "10", "-"]);
    let note = |pick: &mut Pick| pick.of(&["pen", "Ink", "a pen", "ñandú", "x_y", "-", "-"]);
    let mut rows = |most_rows: usize, row: &dyn Fn(&mut Pick) -> Vec<&'static str>| {
        (0..most(pick, most_rows)).map(|_| row(pick)).collect::<Vec<_>>()
    };
    let sales = rows(26, &|pick| {
        let currency = pick.of(&["EUR", "EUR", "USD", "GBP"]);
        let due = pick.of(&["2025-01-31", "2025-03-01", "2024-12-31", "-"]);
        let seen = pick.of(&["yes", "no", "-"]);
        let by = campaign(pick);
        let first = vec![time(pick), who(pick), campaign(pick), money(pick), money(pick), currency];
        [first, vec![items(pick), note(pick), seen, due, by]].concat()
    });
    let visits = rows(14, &|pick| vec![time(pick), who(pick), items(pick), pick.of(&["30", "5400", "0.5", "-"])]);
    let plans = rows(8, &|pick| vec![time(pick), who(pick), money(pick), pick.of(&["s", "m", "l", "-"])]);
    let stops = rows(5, &|pick| vec![time(pick), who(pick)]);
    let marks = rows(6, &|pick| vec![who(pick), pick.of(&["0.1", "0.25", "-"])]);
    let mut people = Vec::new();
    for (number, id) in PEOPLE.into_iter().enumerate() {
        for _ in 0..1 + pick.below(2) {
            let joined = pick.of(&["2024-02-29", "2025-01-01", "2025-03-30T02:30", "2024-12-31T23:59:59", "-"]);
            let region = if tested { pick.of(&["EU", "EU", "US", "-", "-"]) } else { pick.of(&["EU", "US", "-"]) };
            let tier = pick.of(&["gold", "silver", "-"]);
            let drawn = pick.of(&["test", "test", "control", "control", "-"]);
            let arm = if tested && number < 4 { ["test", "control"][number % 2] } else { drawn };
            let home = pick.of(&["a", "b", "-"]);
            let changed = pick.of(&["2024-01-01", "2024-12-31T23:59:59", "2025-02-28", "2025-03-01"]);
            people.push(vec![id, joined, region, tier, arm, money(pick), home, changed]);
        }
    }
    let owned = |pick: &mut Pick| pick.of(&["ann", "ben", "-"]);
    let campaigns = vec![
        vec!["a", "mail", owned(pick), "2024-01-01"],
        vec!["a", "mail", owned(pick), "2025-02-01"],
        vec!["b", "-", owned(pick), "2025-01-31"],
    ];
    let rates: Vec<Vec<&str>> = [
        ["2024-01-01", "EUR", "USD", "1.10"],
        ["2025-02-01", "EUR", "USD", "1.25"],
        ["2025-03-01", "EUR", "USD", "1.2"],
        ["2024-01-01", "USD", "EUR", "0.90"],
        ["2024-12-31", "USD", "EUR", "0.80"],
        ["2024-01-01", "GBP", "EUR", "1.20"],
        ["2024-02-29", "GBP", "USD", "1.30"],
        ["2024-01-01", "GBP", "USD", "1.40"],
    ]
    .iter()
    .map(|row| row.to_vec())
    .collect();
    let mut tables = vec![
        table("sales", "sold customer campaign amount cost currency items note seen due by", &sales, with_ids),
        table("visits", "came customer pages took", &visits, with_ids),
        table("plans", "began customer fee level", &plans, with_ids),
        table("stops", "left customer", &stops, with_ids),
        table("marks", "customer points", &marks, with_ids),
        table("customer", "id joined region tier arm budget home changed", &people, false),
        table("campaign", "id kind owner changed", &campaigns, false),
        table("rates", "day from to rate", &rates, false),
    ];
    // Who is merged has no rows of attributes: nothing says whose hold where both are dated the same.
    let merges: &[&[[&str; 2]]] =
        &[&[], &[], &[], &[["cyd", "bob"]], &[["dan", "ada"], ["cyd", "dan"]], &[["dan", "eve"], ["Zoë", "bob"]]];
    let merges = merges[pick.below(merges.len())];
    if !merges.is_empty() {
        let rows: Vec<Vec<&str>> = merges.iter().map(|row| row.to_vec()).collect();
        tables.push(table("merges customer", "from into", &rows, false));
    }
    Given { model, tables, now: NOW }
}
