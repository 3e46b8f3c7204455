//! Groups inside the expressions of entities and rows, and tiles: what is computed of a history's own groups.

use super::agree::agree;
use super::behaviour::{OF_CUSTOMER, OF_ORDER, filtered, from, with_clauses};
use super::life;
use super::pick::Pick;

/// A value of a group of a customer's history.
fn of_group(pick: &mut Pick) -> String {
    match pick.below(9) {
        0 => format!("count({})", filtered(pick, "orders", &OF_ORDER[..5])),
        1 => format!("closing({})", pick.of(&["mrr", "balance"])),
        2 => "opening(mrr) - closing(mrr)".to_string(),
        3 => format!("trailing(sum(orders.amount), {})", pick.of(&["2 months", "40 days"])),
        4 => format!("{}(count(orders), 1 month)", pick.of(&["prior", "growth"])),
        5 => "running(sum(orders.amount))".to_string(),
        6 => "sum(orders.amount) - closing(mrr)".to_string(),
        _ => format!("sum({})", filtered(pick, "orders.amount", &OF_ORDER[..5])),
    }
}

/// An aggregate of the groups of a customer's history, and a number to compare it with.
fn aggregate(pick: &mut Pick) -> (String, &'static str) {
    let how = pick.of(&["max", "sum", "avg", "min", "count", "first", "last", "median"]);
    let value = of_group(pick);
    let is_count = value.starts_with("count(") || value.starts_with("prior(");
    let least = match (how, is_count) {
        ("count", _) => pick.of(&["1", "2"]),
        (_, true) => pick.of(&["0", "1", "2"]),
        _ if value.starts_with("growth(") => "0",
        _ => pick.of(&["0 EUR", "15 EUR", "20 EUR"]),
    };
    let per = pick.of(&["month", "month", "quarter", "week", "month", "customer, month"]);
    let over = pick.of(&["", "", "", " over last 3 months", " over all time", " over period"]);
    let behind = match pick.below(4) {
        0 => format!(" where {}", pick.of(&OF_CUSTOMER[..8])),
        _ => String::new(),
    };
    (format!("{how}({value} per {per}{behind}{over})"), least)
}

fn of_entities(pick: &mut Pick) -> String {
    let (groups, least) = aggregate(pick);
    let sign = pick.of(&[">", ">=", "<"]);
    let value = match pick.below(4) {
        0 => format!("share(customer where {groups} {sign} {least})"),
        1 => format!("sum(sum(orders.amount) per customer where {groups} {sign} {least})"),
        2 => format!("closing(mrr where {groups} {sign} {least})"),
        _ => format!("count(customer where {groups} {sign} {least})"),
    };
    with_clauses(pick, &[value], &["region", "customer", "tier"], &[])
}

fn of_rows(pick: &mut Pick) -> String {
    let (groups, least) = aggregate(pick);
    let sign = pick.of(&[">", ">=", "<"]);
    let rows = pick.of(&["leads", "subs", "leads", "orders"]);
    // Of what a window moves, an order that is made of it has to be the only one of its moment.
    let (groups, least) = match rows == "orders" {
        true => ("max(sum(orders.amount) per month)".to_string(), "20 EUR"),
        false => (groups, least),
    };
    let value = format!("count({rows} where {groups} {sign} {least})");
    with_clauses(pick, &[value], &["region", "customer"], &[])
}

fn tiles(pick: &mut Pick) -> String {
    let of = pick.of(&[
        "sum(orders.amount)",
        "count(orders)",
        "count(orders over last 3 months)",
        "mrr",
        "max(orders.amount)",
        "max(sum(orders.amount) per month)",
        "avg(closing(mrr) per month)",
    ]);
    let tile = format!("tile({of}, {})", pick.of(&["2", "3", "4", "10"]));
    let window = pick.of(&[
        "",
        " at 2025-03-01",
        " per month during 2025-Q1",
        " per quarter during 2025",
        " during 2025",
        " last 5 months",
    ]);
    match pick.below(4) {
        0 => format!("show sum(sum(orders.amount) per every customer) as v0 by {tile} as part{window}"),
        1 => format!("show count(customer where {tile} = 1) as v0, closing(mrr where {tile} >= 2) as v1{window}"),
        _ => {
            let by = pick.of(&["", ", region", ", tier"]);
            format!("show count(customer) as v0 by {tile} as part{by}{window}")
        }
    }
}

#[test]
fn groups_in_entities_agree() {
    agree("groups in entities", 6, life::life(), from(of_entities));
}

#[test]
fn groups_in_rows_agree() {
    agree("groups in rows", 4, life::life(), from(of_rows));
}

#[test]
fn tiles_agree() {
    agree("tiles", 4, life::life(), from(tiles));
}
