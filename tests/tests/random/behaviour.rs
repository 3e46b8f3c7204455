//! States, groups, moved windows, chains and returns: each with labels, periods, windows and comparisons.

use super::agree::agree;
use super::life;
use super::pick::Pick;
use proptest::prelude::*;

/// Conditions on a customer.
pub(super) const OF_CUSTOMER: [&str; 12] = [
    "region = \"EU\"",
    "region is missing",
    "tier = \"gold\"",
    "count(orders) >= 2",
    "count(orders over period) >= 1",
    "subscribed",
    "mrr > 15 EUR",
    "paying",
    "big",
    "opening(mrr) > 0 EUR",
    "closing(subscribed)",
    "count(orders over last 2 months) = 0",
];

/// Conditions on an order.
pub(super) const OF_ORDER: [&str; 10] = [
    "amount > 15 EUR",
    "product = \"pen\"",
    "campaign.kind = \"mail\"",
    "region = \"EU\"",
    "tier = \"gold\"",
    "subscribed",
    "mrr >= 20 EUR",
    "count(orders) = 1",
    "age(new_customers) < 2 months",
    "customer.spent > 20 EUR",
];

/// What measures a state.
const OF_STATES: [&str; 7] = ["opening(", "closing(", "kept(", "avg(", "time_in(", "nrr", "churn"];

pub(super) fn from(query: fn(&mut Pick) -> String) -> impl Strategy<Value = String> {
    any::<u64>().prop_map(move |seed| query(&mut Pick::new(seed)))
}

/// `x where c`, or x alone.
pub(super) fn filtered(pick: &mut Pick, what: &str, conditions: &[&str]) -> String {
    match pick.below(3) {
        0 => format!("{what} where {}", pick.of(conditions)),
        _ => what.to_string(),
    }
}

/// A query of these values, with everything that may stand behind them.
pub(super) fn with_clauses(pick: &mut Pick, values: &[String], labels: &[&str], conditions: &[&str]) -> String {
    let shown = values.iter().enumerate().map(|(index, value)| format!("{value} as v{index}"));
    let mut text = format!("show {}", shown.collect::<Vec<_>>().join(", "));
    let by = pick.below(5);
    if by >= 2 && !labels.is_empty() {
        let first = pick.of(labels);
        text.push_str(&format!(" by {first}"));
        let second = pick.of(labels);
        if by == 4 && second != first {
            text.push_str(&format!(", {second}"));
        }
    }
    let grain = pick.of(&["", "", "month", "month", "quarter", "week", "year", "fiscal.quarter", "day"]);
    if !grain.is_empty() {
        text.push_str(&format!(" per {grain}"));
    }
    if pick.once_in(4) && !conditions.is_empty() {
        text.push_str(&format!(" where {}", pick.of(conditions)));
    }
    let window = match grain {
        "day" => pick.of(&["during 2025-03", "last 9 days", "since 2025-02-26 until 2025-03-04"]),
        _ => pick.of(&[
            "during 2025",
            "during 2025-Q1",
            "last 5 months",
            "last 3 months to date",
            "this year to date",
            "since 2025-01-15 until 2025-06-15",
            "since 2024-02-29 until 2025-03-01T12:00",
            "last 300 days",
            "during fiscal.2025",
            // What is measured of a state has no first row before there are periods.
            if values.iter().any(|value| OF_STATES.iter().any(|of| value.contains(of))) { "last 400 days" } else { "" },
        ]),
    };
    text.push_str(&format!(" {window}"));
    let ahead = window == "during 2025";
    if pick.once_in(4) && !window.is_empty() && !ahead {
        // The window just before has the same periods where these are whole.
        let whole = grain == "month" && ["during 2025-Q1", "last 5 months"].contains(&window);
        text += match grain {
            "" => pick.of(&[" vs previous month", " vs previous year", " vs previous"]),
            "month" if whole => pick.of(&[" vs previous month", " vs previous year", " vs previous"]),
            "month" => pick.of(&[" vs previous month", " vs previous year"]),
            _ => " vs previous year",
        };
    }
    match pick.below(9) {
        0 => text += " order by v0 desc",
        1 => text += " order by v0 limit 3",
        2 => text += " having v0 is known",
        3 if !grain.is_empty() && !text.contains(" vs ") => text += pick.of(&[" fill missing", " fill previous"]),
        _ => {}
    }
    text
}

const LABELS: [&str; 4] = ["region", "customer", "tier", "plan"];

/// A measure of a state.
fn of_state(pick: &mut Pick) -> String {
    // Those of the second half are yes also where there is no value.
    let yes_no = [
        "subscribed",
        "active",
        "paying",
        "plan = \"s\"",
        "mrr > 15 EUR",
        "small",
        "other_plan",
        "away",
        "plan is missing",
        "not active",
        "balance <= 20 EUR",
        // Of several states, and of attributes.
        "keen",
        "european",
        "plan = \"s\" and active",
        "active and not paying",
        "not active or balance > 20 EUR",
        "mrr > 15 EUR and region = \"EU\"",
        "tier = \"gold\" and subscribed",
        "not (tier = \"gold\" or plan = \"m\")",
        "balance > mrr",
        // And of what happened so far.
        "big",
        "big and not subscribed",
        "subscribed and count(orders) >= 2",
        "not (subscribed or last(orders.product) = \"pen\")",
        "mrr > 0 EUR and sum(orders.amount where product = \"ink\") > mrr",
    ];
    let state = match pick.below(3) {
        0 => pick.of(&["mrr", "balance"]),
        _ => pick.of(&yes_no),
    };
    match pick.below(10) {
        0 => format!("opening({})", filtered(pick, state, &OF_CUSTOMER)),
        1 | 2 => format!("closing({})", filtered(pick, state, &OF_CUSTOMER)),
        3 => format!("avg({state})"),
        4 => format!("kept({})", filtered(pick, state, &OF_CUSTOMER)),
        5 => format!("count({})", filtered(pick, &format!("started({state})"), &OF_CUSTOMER[..3])),
        6 => format!("count({})", filtered(pick, &format!("ended({state})"), &OF_CUSTOMER[..3])),
        7 => {
            let of = pick.of(&["plan", "mrr", "subscribed", "keen", "active and balance > 10 EUR", "away and small"]);
            format!("{}(stays({of}).length)", pick.of(&["sum", "max", "median"]))
        }
        8 => format!("time_in({})", pick.of(&yes_no)),
        _ => pick
            .of(&[
                "churn",
                "nrr",
                "closing(mrr) - opening(mrr)",
                "max(stays(mrr).value)",
                "count(churns) + count(started(subscribed))",
                "sum(least(opening(mrr), closing(mrr)) per customer)",
                "sum(closing(mrr) per customer where opening(mrr) = 0 EUR)",
                "sum(greatest(opening(mrr) - closing(mrr), 0 EUR) per customer)",
                "sum(time_in(subscribed) per customer)",
                "count(customer where subscribed)",
                "sum(started(subscribed).fee)",
                "count(started(active) where amount > 15 EUR)",
                "count(ended(subscribed) where level = \"s\")",
                "max(ended(active).amount)",
                "sum(stays(subscribed).fee)",
            ])
            .to_string(),
    }
}

fn states(pick: &mut Pick) -> String {
    let values: Vec<String> = (0..1 + pick.below(2)).map(|_| of_state(pick)).collect();
    with_clauses(pick, &values, &LABELS, &OF_CUSTOMER[..10])
}

/// An aggregate of aggregates.
fn of_groups(pick: &mut Pick) -> String {
    let how = pick.of(&["avg", "sum", "max", "median", "min", "count", "stddev", "first", "last", "unique"]);
    let inner = match pick.below(6) {
        0 => format!("count({})", filtered(pick, "orders", &OF_ORDER)),
        1 => format!("avg({})", filtered(pick, "orders.amount", &OF_ORDER)),
        2 => "max(orders.amount) - min(orders.amount)".to_string(),
        3 => "sum(orders.amount) / count(orders)".to_string(),
        _ => format!("sum({})", filtered(pick, "orders.amount", &OF_ORDER)),
    };
    // Groups of entities have no order.
    let in_order = ["first", "last"].contains(&how);
    match if in_order { 3 } else { pick.below(8) } {
        0 => format!("{how}({inner} per campaign)"),
        1 => format!("{how}({inner} per every customer)"),
        2 => format!("{how}({inner} per customer, month)"),
        3 => format!("{how}({inner} per {})", pick.of(&["day", "week", "month"])),
        4 => format!("{how}({inner} per customer where {})", pick.of(&OF_CUSTOMER)),
        5 => format!("{how}({inner} per customer over {})", pick.of(&["all time", "last 2 months"])),
        6 => format!("{how}(avg({inner} per month) per customer)"),
        _ => format!("{how}({inner} per customer)"),
    }
}

fn groups(pick: &mut Pick) -> String {
    let mut values = vec![of_groups(pick)];
    if pick.once_in(3) {
        values.push(pick.of(&["count(orders)", "sum(orders.amount)", "aov"]).to_string());
    }
    let of_campaign = values[0].contains("per campaign");
    let labels: &[&str] = match of_campaign || values[0].contains("per every") {
        true => &["region"],
        false => &["region", "product", "campaign.kind", "tier"],
    };
    // What is asked of a group's entity must be known of it.
    let conditions: &[&str] = if values[0].contains("per every") { &[] } else { &OF_ORDER };
    let grain_inside = [" per day)", " per week)", " per month)", ", month)", "per month) per"];
    let mut text = with_clauses(pick, &values, labels, conditions);
    // Inner periods are not coarser than the query's.
    if grain_inside.iter().any(|inside| values[0].contains(inside)) {
        for grain in [" per week", " per day", " per quarter", " per fiscal.quarter", " per year", " per month"] {
            let at = text.find(" as v0").unwrap_or(0);
            if let Some(found) = text[at..].find(grain) {
                text.replace_range(at + found..at + found + grain.len(), "");
                text = text.replacen(" vs previous month", " vs previous year", 1);
                break;
            }
        }
    }
    text
}

fn windows(pick: &mut Pick) -> String {
    let inner = |pick: &mut Pick| match pick.below(4) {
        0 => of_state(pick),
        1 => pick.of(&["aov", "churn", "nrr", "won", "count(visits)", "unique(orders.customer)"]).to_string(),
        2 => format!("sum({})", filtered(pick, "orders.amount", &OF_ORDER)),
        _ => pick.of(&["count(orders)", "max(orders.amount)", "median(orders.amount)", "count(leads)"]).to_string(),
    };
    let length =
        |pick: &mut Pick| pick.of(&["1 month", "3 months", "1 year", "10 days", "2 weeks", "1 quarter"]).to_string();
    let mut value = inner(pick);
    for _ in 0..1 + usize::from(pick.once_in(4)) {
        value = match pick.below(7) {
            0 => format!("prior({value}, {})", length(pick)),
            1 | 2 => format!("trailing({value}, {})", length(pick)),
            3 => format!("to_date({value}, {})", pick.of(&["year", "quarter", "month", "week", "fiscal.year"])),
            4 => format!("running({value})"),
            5 => format!("{value} - prior({value}, {})", length(pick)),
            _ => format!("{}({value})", pick.of(&["total", "of_total"])),
        };
    }
    let mut values = vec![value];
    if pick.once_in(3) {
        values.push(format!("rank({})", pick.of(&["count(orders)", "sum(orders.amount)"])));
    }
    let text = with_clauses(pick, &values, &["region", "customer"], &[]);
    // A label that is there can be the one over which places are given.
    match text.contains(" by region, customer") && pick.once_in(2) {
        true => text.replace("rank(count(orders))", "rank(count(orders), customer)"),
        false => text,
    }
}

fn chains(pick: &mut Pick) -> String {
    let step = |pick: &mut Pick, first: bool| {
        pick.of(match first {
            true => &["leads", "leads where source = \"web\"", "orders", "subs"],
            false => &[
                "offers",
                "wins",
                "orders",
                "leads",
                "offers where price > 1",
                "orders where amount > 15 EUR",
                "churns",
            ],
        })
        .to_string()
    };
    let mut chain = step(pick, true);
    for _ in 0..1 + pick.below(3) {
        if pick.once_in(5) {
            chain.push_str(&format!(" without {}", pick.of(&["cancels", "offers", "leads where source = \"mail\""])));
        }
        chain.push_str(&format!(" -> {}", step(pick, false)));
    }
    // Over customers: a subscription has no campaign, so this is said where it would not be clear.
    chain += ", per: customer";
    if !pick.once_in(3) {
        chain.push_str(&format!(", within {}", pick.of(&["1 day", "30 days", "1 month", "1 year"])));
    }
    if chain.contains("without") && pick.once_in(3) {
        chain.push_str(&format!(", exclude: {}", pick.of(&["drop", "drop", "cut"])));
    }
    let of_campaigns = !chain.contains("subs") && !chain.contains("churns");
    if pick.once_in(5) && of_campaigns {
        chain += ", hold: campaign";
    }
    if pick.once_in(6) {
        chain.push_str(&format!(", where: {}", pick.of(&["region = \"EU\"", "tier = \"gold\"", "count(orders) < 3"])));
    }
    let labels = ["region", "customer", "tier"];
    if pick.once_in(2) {
        match pick.below(8) {
            0 if !chain.contains("without") => chain += ", order: any",
            1 => chain += ", order: strict",
            2 => chain += ", order: strict, among: offers",
            3 => chain += ", order: later",
            _ => {}
        }
        if pick.once_in(4) && !chain.contains("order: any") {
            chain.push_str(&format!(", each: {}", pick.of(&["1 day", "20 days", "1 month"])));
        }
        if pick.once_in(3) {
            chain.push_str(&format!(", entry: {}", pick.of(&["best", "first", "every"])));
        }
        let mut text = format!("show funnel({chain})");
        if pick.once_in(2) {
            text.push_str(&format!(" by {}", pick.of(&labels)));
        }
        text +=
            pick.of(&["", " per month during 2025-Q1", " during 2025", " per year since 2024-01-01 until 2026-01-01"]);
        if text.contains(" by ") && pick.once_in(4) {
            text.push_str(&format!(" limit {} with other", pick.of(&["1", "2"])));
        }
        return text;
    }
    if pick.once_in(3) {
        chain.push_str(&format!(", credit: {}", pick.of(&["latest", "earliest"])));
    }
    match pick.below(6) {
        0 if !chain.contains("without") => chain += ", order: any",
        1 | 2 => chain.push_str(&format!(", each: {}", pick.of(&["1 day", "20 days", "1 month"]))),
        _ => {}
    }
    let conversion = format!("conversion({chain})");
    let value = match pick.below(4) {
        0 => format!("trailing({conversion}, 3 months)"),
        1 => format!("1 - {conversion}"),
        _ => conversion,
    };
    with_clauses(pick, &[value], &labels, &["region = \"EU\"", "tier is known", "count(orders) >= 1"])
}

/// A funnel in any order, of which any step may be the first.
fn free(pick: &mut Pick) -> String {
    let steps = [
        "orders where product = \"pen\"",
        "orders where amount > 15 EUR",
        "orders where amount <= 15 EUR",
        "orders where product is missing or product != \"pen\"",
        "orders where tier = \"gold\"",
        "orders",
    ];
    let count = 2 + pick.below(2);
    let mut chain = (0..count).map(|_| pick.of(&steps)).collect::<Vec<_>>().join(" -> ");
    chain += ", order: free, per: customer";
    if pick.once_in(2) {
        chain.push_str(&format!(", within {}", pick.of(&["1 day", "30 days", "2 months"])));
    }
    if pick.once_in(4) {
        chain += pick.of(&[", hold: product", ", hold: campaign"]);
    }
    if pick.once_in(3) {
        chain.push_str(&format!(", entry: {}", pick.of(&["best", "first", "every"])));
    }
    let by = pick.of(&["", " by region", " by product", " by customer"]);
    let window = pick.of(&["", " per month during 2025-Q1", " during 2025", " per week last 10 weeks"]);
    format!("show funnel({chain}){by}{window}")
}

/// A condition on the rows that make members: one that says which of several of a period does.
fn asked_of_members(pick: &mut Pick, start: &str) -> String {
    if !pick.once_in(3) {
        return String::new();
    }
    let condition = match start {
        "orders" => pick.of(&OF_ORDER),
        "leads" => pick.of(&["source = \"web\"", "source is missing", "tier = \"gold\"", "count(leads) >= 2"]),
        _ => pick.of(&["region = \"EU\"", "tier = \"gold\"", "subscribed", "count(orders) = 1"]),
    };
    format!(" where {condition}")
}

fn returning(pick: &mut Pick) -> String {
    let start = pick.of(&["leads", "new_customers", "leads where source = \"web\"", "orders", "started(subscribed)"]);
    let back = pick.of(&["orders", "leads", "orders where amount > 15 EUR", "wins", "subs"]);
    let period = pick.of(&["month", "week", "quarter", "year"]);
    let mode = pick.of(&["", "", ", mode: onward"]);
    let mut clock = pick.of(&["", "", ", clock: own"]).to_string();
    if pick.once_in(4) {
        clock += pick.of(&[", at_least: 2", ", at_least: 2", ", at_least: 3"]);
    }
    if pick.once_in(6) {
        clock += pick.of(&[", where: region = \"EU\"", ", where: count(orders) >= 2"]);
    }
    if pick.once_in(4) {
        // What both events have.
        clock += match (start, back) {
            ("orders", "orders" | "orders where amount > 15 EUR") => ", hold: product",
            _ => ", hold: tier",
        };
    }
    match pick.below(6) {
        0 | 1 => {
            let brackets = if pick.once_in(4) { ", brackets: [1, 3, 7]" } else { "" };
            let by = pick.of(&["", "", " by region"]);
            let window = pick.of(&["", " during 2025", " during 2025-Q1", " since 2024-06-01 until 2025-03-01"]);
            let other = if by.is_empty() || pick.once_in(2) { "" } else { " limit 1 with other" };
            let call = format!("retention({start} -> {back}, period: {period}, per: customer{mode}{clock}{brackets})");
            let asked = asked_of_members(pick, start);
            format!("show {call}{by}{asked}{window}{other}")
        }
        2 => {
            let age = pick.of(&["1", "2", "3"]);
            let value =
                format!("retention({start} -> {back}, period: {period}, per: customer{mode}{clock}, age: {age})");
            let per = pick.of(&["", " per month during 2025", " per week last 20 weeks", " per day during 2025-03"]);
            let per = if period == "month" || per.is_empty() { per } else { "" };
            let by = pick.of(&["", " by region", " by tier"]);
            format!("show {value}{by}{}{per}", asked_of_members(pick, start))
        }
        3 => {
            let of = pick.of(&["orders", "leads", "orders where amount > 15 EUR", "subs"]);
            let grain = pick.of(&["day", "week", "month", "quarter"]);
            let window = match grain {
                "day" => " per day since 2025-02-26 until 2025-03-04",
                "week" => " per week last 20 weeks",
                "month" => {
                    pick.of(&[" per month during 2025", " per month last 8 months to date", " per quarter during 2025"])
                }
                _ => " per quarter since 2024-01-01 until 2025-07-01",
            };
            format!("show count(customer) by lifecycle({of}, {grain}) as stage{}{window}", pick.of(&["", ", region"]))
        }
        4 => {
            let value = pick.of(&[
                "median(gap(orders))",
                "max(gap(leads))",
                "count(orders where gap(orders) > 30 days)",
                "avg(gap(orders where amount > 15 EUR))",
                "percentile(avg(gap(orders)) per customer, 90)",
                "count(customer where now - last(orders.at) > 2 * median(gap(orders)))",
            ]);
            with_clauses(pick, &[value.to_string()], &["region", "customer"], &[])
        }
        _ => {
            let value = pick.of(&[
                "count(visits)",
                "sum(visits.length)",
                "max(visits.count)",
                "avg(count(visits) per customer)",
                "count(visits where length > 12 hours)",
                "count(sessions(orders, 2 days))",
                "sum(sessions(orders where amount > 15 EUR, 1 month).count)",
                "count(visits where count(visits) > 1)",
            ]);
            with_clauses(pick, &[value.to_string()], &["region", "customer"], &[])
        }
    }
}

#[test]
fn states_agree() {
    agree("states", 6, life::life(), from(states));
}

#[test]
fn groups_agree() {
    agree("groups", 6, life::life(), from(groups));
}

#[test]
fn moved_windows_agree() {
    agree("moved windows", 6, life::life(), from(windows));
}

#[test]
fn chains_agree() {
    agree("chains", 6, life::life(), from(chains));
}

#[test]
fn chains_of_any_first_step_agree() {
    agree("chains of any first step", 6, life::life(), from(free));
}

#[test]
fn what_returns_agrees() {
    agree("what returns", 6, life::life(), from(returning));
}
