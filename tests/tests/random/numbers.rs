//! Functions, units, currencies, places and parts, lifts, targets and orders: each in a query of its own kind.

use super::agree::{agree, agree_saying};
use super::behaviour::from;
use super::pick::Pick;
use super::shop;

/// Conditions on a sale.
const OF_SALE: [&str; 22] = [
    "cost > 15 EUR",
    "items >= 2",
    "items != 2",
    "note = \"pen\"",
    "contains(note, \"pen\")",
    "starts_with(lower(note), \"i\")",
    "ends_with(note, \"n\")",
    "length(note) > 3",
    "replace(note, \"_\", \" \") = \"x y\"",
    "trim(upper(note)) in [\"PEN\", \"INK\"]",
    "seen",
    "due is known",
    "due < 2025-02-01",
    "sold >= 2025-01-01",
    "dear",
    "dear(50 EUR)",
    "bucket = \"few\"",
    "currency = \"USD\"",
    "tier = \"gold\"",
    "campaign.owner = \"ann\"",
    "customer.home.kind = \"mail\"",
    "fee > 10 EUR",
];

/// Conditions on a customer.
const OF_CUSTOMER: [&str; 9] = [
    "heavy",
    "heavy(1)",
    "region = \"EU\"",
    "tier is missing",
    "budget > 20 EUR",
    "home.kind = \"mail\"",
    "level = \"s\"",
    "sum(sales.cost) > 30 EUR",
    "joined < 2025-01-01",
];

const LABELS: [&str; 15] = [
    "region",
    "tier",
    "arm",
    "customer",
    "note",
    "currency",
    "seen",
    "bucket",
    "campaign.kind",
    "campaign.owner",
    "customer.home.kind as home_kind",
    "level",
    "dear",
    "weekday(sold) as day_of",
    "month(sold) as month_of",
];

/// What is counted once.
const FIELDS: [&str; 6] =
    ["sales.customer", "sales.note", "upper(sales.note)", "sales.items", "month(sales.at)", "sales.seen"];

fn filtered(pick: &mut Pick, what: &str) -> String {
    match pick.below(3) {
        0 => format!("{what} where {}", pick.of(&OF_SALE)),
        1 if pick.once_in(3) => format!("{what} where {} and not ({})", pick.of(&OF_SALE), pick.of(&OF_SALE)),
        _ => what.to_string(),
    }
}

/// A number of sales.
fn number(pick: &mut Pick) -> String {
    let value = pick.of(&[
        "sales.cost",
        "sales.cost",
        "sales.items",
        "margin",
        "abs(sales.cost)",
        "round(sales.items / 3, 1)",
        "round(sales.cost)",
        "floor(sales.items / 2)",
        "ceil(sales.items / 2)",
        "sqrt(sales.items)",
        "ln(sales.items)",
        "least(sales.cost, 20 EUR)",
        "greatest(sales.items, 1, 2)",
        "sales.items * sales.cost",
        "sales.cost / sales.items",
        "sales.items otherwise 1",
        "case when sales.seen then sales.items else 0",
        "length(sales.note)",
        "hour_of_day(sales.at)",
        "day_of_year(sales.at)",
        "quarter_of_year(sales.at)",
        "sales.at - sales.customer.joined",
    ]);
    let field = pick.of(&FIELDS);
    match pick.below(14) {
        0 => format!("percentile({}, {})", filtered(pick, value), pick.of(&["90", "25", "33.3", "0", "100", "95%"])),
        1 => format!("percentile({}, {}, mode: observed)", filtered(pick, value), pick.of(&["90", "50", "10", "100"])),
        2 => format!("stddev({})", filtered(pick, value)),
        3 => format!("median({})", filtered(pick, value)),
        4 => format!("avg({})", filtered(pick, value)),
        5 => format!("{}({})", pick.of(&["min", "max", "first", "last"]), filtered(pick, value)),
        6 => format!("approx_unique({})", filtered(pick, field)),
        7 => format!("unique({})", filtered(pick, field)),
        8 => format!("count({})", filtered(pick, "sales")),
        9 => pick
            .of(&[
                "rate",
                "above",
                "above(30 EUR)",
                "above(least: 0 EUR)",
                "pace * 10 days",
                "part(sold, count(visits))",
                "1 - rate",
                "rate - share(sales where seen)",
                "revenue / sold",
                "ratio(revenue, 1 EUR) * 100",
                "sold / 1 month",
            ])
            .to_string(),
        10 => format!(
            "share({})",
            filtered(pick, "sales where items > 1").replace("where items > 1 where", "where items > 1 and")
        ),
        _ => format!("sum({})", filtered(pick, value)),
    }
}

/// Of the sales of currencies, only in one of them.
fn money(pick: &mut Pick) -> String {
    match pick.below(8) {
        0 => format!("sum({})", filtered(pick, "sales.amount")),
        1 => format!("avg({})", filtered(pick, "sales.amount")),
        2 => format!("{}(sales.amount)", pick.of(&["max", "min", "median", "last"])),
        3 => "sum(sales.amount) - sum(sales.cost)".to_string(),
        4 => format!("avg(sum({}) per customer)", filtered(pick, "sales.amount")),
        5 => pick
            .of(&["closing(fee)", "opening(fee)", "sum(closing(fee) per customer)", "avg(closing(fee) per customer)"])
            .to_string(),
        6 => format!("trailing(sum(sales.amount), {})", pick.of(&["1 month", "90 days"])),
        _ => pick.of(&["revenue", "sum(plans.fee)", "max(sales.cost)", "ratio(sum(sales.amount), sold)"]).to_string(),
    }
}

fn window(pick: &mut Pick, grain: &str) -> &'static str {
    match grain {
        "day" => pick_window(pick, &["during 2025-03", "last 9 days", "since 2025-02-26 until 2025-03-04"]),
        _ => pick_window(
            pick,
            &[
                "during 2025",
                "during 2025-Q1",
                "last 7 months",
                "this year to date",
                "last 400 days",
                "since 2024-02-29 until 2025-03-01T12:00",
                "during fiscal.2025",
                "until 2025-03-01",
                "",
                "last 20 weeks to date",
            ],
        ),
    }
}

fn pick_window(pick: &mut Pick, windows: &[&'static str]) -> &'static str {
    windows[pick.below(windows.len())]
}

fn grain(pick: &mut Pick) -> &'static str {
    ["", "", "", "month", "quarter", "week", "year", "fiscal.year", "fiscal.quarter", "day"][pick.below(10)]
}

/// The labels of a query, written.
fn labelled(pick: &mut Pick) -> (String, Vec<&'static str>) {
    let mut labels = Vec::new();
    for _ in 0..[0, 1, 1, 1, 2][pick.below(5)] {
        let label = LABELS[pick.below(LABELS.len())];
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    let text = if labels.is_empty() { String::new() } else { format!(" by {}", labels.join(", ")) };
    (text, labels)
}

fn numbers(pick: &mut Pick) -> String {
    let values: Vec<String> = (0..1 + pick.below(3)).map(|_| number(pick)).collect();
    let only_sales = !values.iter().any(|value| value.contains("visits"));
    let (mut by, _) = labelled(pick);
    if !only_sales {
        by = pick.of(&["", " by region", " by customer", " by level"]).to_string();
    }
    let shown: Vec<String> = values.iter().enumerate().map(|(n, value)| format!("{value} as v{n}")).collect();
    let grain = grain(pick);
    let per = if grain.is_empty() { String::new() } else { format!(" per {grain}") };
    let filter = if pick.once_in(3) && only_sales { format!(" where {}", pick.of(&OF_SALE)) } else { String::new() };
    // In a column of numbers, times or yes and no the rest has no name.
    let words = !["weekday", "month(", "seen", "dear"].iter().any(|label| by.contains(label));
    let tail = match pick.below(8) {
        0 => " order by v0 desc",
        1 => " order by v0, v0 desc limit 2",
        2 => " having v0 is known order by v0",
        3 if !grain.is_empty() => " fill missing",
        4 if !by.is_empty() && words => " limit 2 with other",
        5 if !by.is_empty() && words => " order by v0 desc limit 1 with other",
        _ => "",
    };
    format!("show {}{by}{per}{filter} {}{tail}", shown.join(", "), window(pick, grain))
}

fn currencies(pick: &mut Pick) -> String {
    let values: Vec<String> = (0..1 + pick.below(2)).map(|_| money(pick)).collect();
    let shown: Vec<String> = values.iter().enumerate().map(|(n, value)| format!("{value} as v{n}")).collect();
    let by = pick.of(&["", " by region", " by customer", " by tier, region", " by arm"]);
    let grain = grain(pick);
    let per = if grain.is_empty() { String::new() } else { format!(" per {grain}") };
    let window = window(pick, grain);
    let of_state = values.iter().any(|value| value.contains("fee)"));
    let window = if window.is_empty() && of_state { "last 400 days" } else { window };
    let versus =
        if window.is_empty() || window.starts_with("until") || !pick.once_in(5) { "" } else { " vs previous year" };
    let currency = pick.of(&["EUR", "USD", "USD"]);
    let tail = match pick.below(6) {
        0 => " order by v0 desc",
        1 if !by.is_empty() && grain.is_empty() => " order by v0 desc limit 1 with other",
        2 if currency == "USD" => " having v0 > 12 USD",
        _ => "",
    };
    format!("show {}{by}{per} {window}{versus}{tail} in {currency}", shown.join(", "))
}

fn places(pick: &mut Pick) -> String {
    let value = match pick.below(4) {
        0 => "count(visits)".to_string(),
        1 => format!("closing({})", pick.of(&["fee", "fee > 10 EUR", "heavy"])),
        _ => format!("{}({})", pick.of(&["sum", "max", "avg"]), filtered(pick, "sales.cost")),
    };
    let of_sales = value.contains("sales");
    let labels: &[&str] =
        if of_sales { &["region", "customer", "tier", "note", "seen"] } else { &["region", "customer", "tier"] };
    let (first, second) = (pick.of(labels), pick.of(labels));
    let two = first != second && pick.once_in(2);
    let by = if two { format!("{first}, {second}") } else { first.to_string() };
    let part =
        if two && pick.once_in(2) { format!("of_total({value}, {second})") } else { format!("of_total({value})") };
    let place = if two { String::new() } else { format!(", rank({value}) as v1") };
    let grain = pick.of(&["", "", "month", "year", "quarter"]);
    let per = if grain.is_empty() { String::new() } else { format!(" per {grain}") };
    let window = pick.of(&["during 2025", "last 400 days", "during 2025-Q1", "since 2024-02-01 until 2025-07-01"]);
    let tail = match pick.below(7) {
        0 => " order by v0 desc limit 2",
        1 if grain.is_empty() && !by.contains("seen") => " order by v0 desc limit 1 with other",
        2 => " having v0 > 10%",
        3 => " vs previous year",
        _ => "",
    };
    format!("show {part} as v0{place} by {by}{per} {window}{tail}")
}

fn lifts(pick: &mut Pick) -> String {
    let value = match pick.below(6) {
        0 => format!("avg(sum({}) per every customer)", filtered(pick, "sales.cost")),
        1 => format!("avg(count({}) per customer)", filtered(pick, "sales")),
        2 => format!("share(sales where {})", pick.of(&OF_SALE[..18])),
        3 => format!("share(customer where {})", pick.of(&OF_CUSTOMER)),
        4 => "rate".to_string(),
        _ => {
            let of = pick.of(&["sales.cost", "sales.items"]);
            format!("avg({})", filtered(pick, of))
        }
    };
    let groups = pick.of(&[
        "test: arm = \"test\", control: arm = \"control\"",
        "test: region = \"EU\", control: region is missing",
        "test: tier = \"gold\", control: tier != \"gold\"",
    ]);
    let by = pick.of(&["", "", " by region", " by tier"]);
    let grain = pick.of(&["", "", " per month", " per quarter"]);
    let window = pick.of(&["during 2025", "last 400 days", "during 2025-Q1"]);
    format!("show lift({value}, {groups}){by}{grain} {window}")
}

fn targets(pick: &mut Pick) -> String {
    let value = pick.of(&["revenue", "sold", "rate"]);
    let more = pick.of(&["", "", ", previous year", ", previous month"]);
    let grain = pick.of(&["", "day", "week", "month", "month", "quarter", "year", "fiscal.quarter"]);
    let more = if ["month", ""].contains(&grain) || more != ", previous month" { more } else { "" };
    let per = if grain.is_empty() { String::new() } else { format!(" per {grain}") };
    let window = match grain {
        "day" => pick.of(&["during 2025-03", "last 9 days"]),
        _ => pick.of(&[
            "during 2025",
            "this year to date",
            "during 2025-Q1",
            "last 5 months",
            "during fiscal.2025",
            "last 400 days",
            "since 2025-01-15 until 2025-06-15",
        ]),
    };
    let filter = pick.of(&["", "", " where region = \"EU\""]);
    format!("show {value}{per}{filter} {window} vs target{more}")
}

#[test]
fn numbers_agree() {
    agree("numbers", 8, shop::shop(), from(numbers));
}

#[test]
fn currencies_agree() {
    agree("currencies", 6, shop::shop(), from(currencies));
}

#[test]
fn places_and_parts_agree() {
    agree("places and parts", 5, shop::shop(), from(places));
}

#[test]
fn lifts_agree() {
    agree_saying("lifts", 50, 4, shop::of_groups(), from(lifts));
}

#[test]
fn targets_agree() {
    agree("targets", 5, shop::shop(), from(targets));
}
