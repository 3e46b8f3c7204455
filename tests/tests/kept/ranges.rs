//! Answers whose arrays by id and label take more memory than there may be: read in ranges of ids, they are the same.

use super::{load, project_of};
use kepi_engine::{Engine, Explanation, Limits, Request};
use std::fmt::Write;

const MODEL: &str = r#"
entity customer key id { }
event orders of customer at ordered { amount: money(EUR) product: text }
event new_customers = first(orders) per customer
source orders_table from "orders.csv" { orders: at ordered, id order_no, of customer, amount, product }
"#;

/// Questions, and whether most of what they keep is by id.
const QUERIES: [(&str, bool); 14] = [
    ("show trailing(unique(orders.customer), 28 days) by product per week during 2025", true),
    ("show unique(orders.customer over last 28 days) by product per month during 2025", true),
    ("show unique(orders.customer), sum(orders.amount) by product per month during 2025", false),
    ("show trailing(unique(orders.customer), 28 days), count(orders) per week during 2025", false),
    ("show avg(unique(orders.product) per customer), unique(orders.product) per quarter during 2025", false),
    ("show retention(new_customers -> orders, period: month) during 2025", true),
    ("show max(sum(orders.amount) per customer) during 2025", true),
    ("show median(sum(orders.amount) per customer) by product during 2025", true),
    ("show max(sum(orders.amount) per customer, month) by product per quarter during 2025", true),
    ("show funnel(orders -> orders where product = \"p2\" -> orders, within 60 days) during 2025", true),
    ("show funnel(orders -> orders where product = \"p2\", within 10 days, entry: every) by product during 2025", true),
    ("show funnel(orders -> orders, within 5 days, order: strict, entry: first) per quarter during 2025", true),
    ("show conversion(orders -> orders where product = \"p3\", within 90 days) by product per month during 2025", true),
    ("show trailing(conversion(orders -> orders, within 9 days), 2 months), count(orders) per month during 2025", true),
];

/// 30,000 orders of 4,000 customers, of eleven products.
fn table() -> String {
    let mut text = String::from("order_no,customer,ordered,amount,product\n");
    for number in 0..30_000_u64 {
        let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        let (customer, product, day) = (mixed % 4_000, mixed % 11, number / 85);
        let (month, day) = (1 + day / 28 % 12, 1 + day % 28);
        writeln!(text, "{number},c{customer},2025-{month:02}-{day:02},{}.00,p{product}", mixed % 90).unwrap();
    }
    text
}

fn explained(engine: &Engine, text: &str, memory: Option<u64>, threads: usize) -> Explanation {
    engine.explain(request(text, memory, threads)).unwrap().remove(0)
}

fn request(text: &str, memory: Option<u64>, threads: usize) -> Request {
    let now = "2026-01-10T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let limits = Limits { memory_bytes_max: memory, threads: Some(threads), ..Limits::default() };
    Request { text: text.to_string(), now: Some(now), no_cache: true, limits, ..Request::default() }
}

#[test]
fn an_answer_in_ranges_of_ids_is_the_one_without_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let engine = project_of(folder.path(), MODEL);
    load(&engine, folder.path(), &table());
    for (query, by_id) in QUERIES {
        let unlimited = engine.query(request(query, None, 2)).unwrap().remove(0);
        let mut in_ranges = 0;
        // What matches and orders rows needs some, too.
        let limits = [(400_000, 1), (400_000, 2), (200_000, 2), (120_000, 1)];
        // Of attempts more is kept; and there are rows to match of each step.
        let attempts = query.contains("funnel(") || query.contains("conversion(");
        let least = if by_id && !attempts { 0 } else { 200_000 };
        for (memory, threads) in limits.into_iter().filter(|limit| limit.0 > least) {
            let memory = if attempts { 5 * memory } else { memory };
            let limited = engine.query(request(query, Some(memory), threads));
            let limited = limited.map_err(|error| format!("{query}: {error}")).unwrap().remove(0);
            assert_eq!(limited.frame.rows, unlimited.frame.rows, "{query} in {memory} bytes");
            let told = explained(&engine, query, Some(memory), threads).steps;
            in_ranges += u32::from(told.iter().any(|step| step.text.contains("each for one range of ids")));
        }
        assert!(in_ranges > 0 || !by_id, "{query}");
        let told = explained(&engine, query, None, 2).steps;
        assert!(told.iter().all(|step| !step.text.contains("range of ids")), "{told:?}");
    }
}

#[test]
fn what_not_even_one_id_has_room_for_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let engine = project_of(folder.path(), MODEL);
    load(&engine, folder.path(), &table());
    let error = engine.query(request(QUERIES[0].0, Some(500), 1)).unwrap_err();
    assert_eq!(error.to_string(), "the query needs more memory than its limit of 500 bytes");
}
