//! Events, histories, entities, cohorts, windows and comparisons.

use super::agree::agree;
use super::{Given, NOW, table};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const MODEL: &str = r#"
calendar fiscal = year starts "april", week starts "monday"
entity customer key id { region: text }
entity campaign key id { kind: text }
event orders of customer, campaign at ordered { amount: money(EUR)  items: number  product: text  gift: bool }
event leads of customer, campaign at created { score: number  source: text }
event spend of campaign at booked { amount: money(EUR) }
event new_customers = first(orders) per customer
event first_gifts = first(orders where gift) per customer
event repeats = orders where count(orders) > 1
event large = orders where amount >= 20 EUR
event second_large = large where count(large) = 2
measure revenue = orders.amount
segment first_year of orders = age(new_customers) < 1 year
segment loyal of customer = count(orders) >= 2
dimension size of customer = case when sum(orders.amount) >= 50 EUR then "big" when count(orders) > 0 then "small" else "none"
dimension basket of orders = case when items is missing then "unknown" when items > 2 then "many" else "few"
metric aov : money = ratio(sum(revenue), count(orders))
metric cac : money = ratio(sum(spend.amount), count(new_customers))
metric good : percent = share(leads where score >= 8)
function pct(a, b) = ratio(a - b, a) otherwise 0
"#;

/// A data set: zone, whether rows have ids, the rows as cells.
#[derive(Clone, Debug)]
struct Data {
    zone: &'static str,
    with_ids: bool,
    orders: Vec<Vec<&'static str>>,
    leads: Vec<Vec<&'static str>>,
    spend: Vec<Vec<&'static str>>,
    customers: Vec<&'static str>,
}

pub(super) fn data() -> impl Strategy<Value = Given> {
    data_where(any::<bool>()).prop_map(|data| data.given())
}

/// Data sets where every row has an id.
pub(super) fn data_with_ids() -> impl Strategy<Value = Given> {
    data_where(Just(true)).prop_map(|data| data.given())
}

fn data_where(ids: impl Strategy<Value = bool>) -> impl Strategy<Value = Data> {
    let time = || select(&super::TIMES[..]);
    let customer = || select(&["ada", "bob", "cyd", "dan", "-"][..]);
    let campaign = || select(&["a", "b", "-"][..]);
    let amount = || select(&["10", "20.5", "33.33", "0.01", "-7.25", "100", "-"][..]);
    let items = select(&["1", "2", "3", "0", "-"][..]);
    let product = select(&["pen", "ink", "nib", "-"][..]);
    let gift = select(&["yes", "no", "-"][..]);
    let score = select(&["10", "8", "3", "0", "-"][..]);
    let source = select(&["web", "mail", "-"][..]);
    let order = (time(), customer(), campaign(), amount(), items, product, gift)
        .prop_map(|(a, b, c, d, e, f, g)| vec![a, b, c, d, e, f, g]);
    let lead = (time(), customer(), campaign(), score, source).prop_map(|(a, b, c, d, e)| vec![a, b, c, d, e]);
    let spent = (time(), campaign(), amount()).prop_map(|(a, b, c)| vec![a, b, c]);
    let customers = vec(select(&["EU", "US", "-"][..]), 0..4);
    (select(&super::ZONES[..]), ids, vec(order, 0..22), vec(lead, 0..12), vec(spent, 0..6), customers).prop_map(
        |(zone, with_ids, orders, leads, spend, customers)| Data { zone, with_ids, orders, leads, spend, customers },
    )
}

impl Data {
    fn given(&self) -> Given {
        let people = ["ada", "bob", "cyd"].iter().zip(&self.customers);
        let people: Vec<Vec<&str>> = people.map(|(id, region)| vec![*id, *region]).collect();
        Given {
            model: format!("set timezone = \"{}\"\n{}", self.zone, MODEL.trim_start()),
            tables: vec![
                table("orders", "ordered customer campaign amount items product gift", &self.orders, self.with_ids),
                table("leads", "created customer campaign score source", &self.leads, self.with_ids),
                table("spend", "booked campaign amount", &self.spend, self.with_ids),
                table("customer", "id region", &people, false),
                table("campaign", "id kind", &[vec!["a", "mail"]], false),
            ],
            now: NOW,
        }
    }
}

/// What a query asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Orders,
    Leads,
    Spend,
    Customer,
}

/// Conditions on a row (or an entity) of a kind.
fn conditions(about: About) -> Vec<&'static str> {
    match about {
        About::Orders => vec![
            "amount > 15 EUR",
            "amount <= 20.5 EUR",
            "items >= 2",
            "items != 1",
            "product = \"pen\"",
            "product in [\"pen\", \"ink\"]",
            "product not in [\"pen\"]",
            "product matches \"n\"",
            "gift",
            "not gift",
            "items is missing",
            "region = \"EU\"",
            "region is known",
            "campaign.kind = \"mail\"",
            "count(orders) = 1",
            "count(orders where gift) >= 1",
            "count(orders over last 90 days) >= 2",
            "sum(orders.amount) > 40 EUR",
            "amount > avg(orders.amount)",
            "amount = max(orders.amount)",
            "product = first(orders.product)",
            "count(leads) >= 1",
            "last(leads.score) >= 8",
            "first(leads.at) is missing",
            "ordered - first(leads.at) > 30 days",
            "age(new_customers) < 2 months",
            "age(new_customers) >= 1 year",
            "age(new_customers, month) <= 3",
            "first_year",
            "count(repeats) >= 2",
            "count(repeats where items > 1) = 1",
            "unique(orders.product) >= 2",
            "share(orders where gift) > 30%",
            "basket = \"few\"",
            "weekday(ordered) >= 5",
            "month_of_year(ordered) in [2, 3]",
            "ordered < 2025-01-01",
            "(items otherwise 2) > 1",
        ],
        About::Leads => vec![
            "score >= 8",
            "score < 8",
            "source = \"web\"",
            "source is missing",
            "region = \"EU\"",
            "count(leads) > 1",
            "count(orders) = 0",
            "sum(orders.amount) > 20 EUR",
            "score = max(leads.score)",
            "age(new_customers) < 6 months",
            "last(orders.product) = \"pen\"",
            "count(large) >= 1",
            "campaign.kind is missing",
        ],
        About::Spend => {
            vec!["amount > 15 EUR", "campaign.kind = \"mail\"", "campaign.kind is missing", "booked < 2025-01-01"]
        }
        About::Customer => vec![
            "count(orders) >= 2",
            "count(orders) = 0",
            "region = \"EU\"",
            "region is missing",
            "sum(orders.amount over last 60 days) > 10 EUR",
            "count(orders over period) >= 1",
            "last(leads.score) >= 8",
            "loyal",
            "size = \"big\"",
            "age(new_customers) >= 1 year",
            "first(orders.at) >= 2025-01-01",
            "count(first_gifts) = 1",
            "median(orders.items) > 1",
        ],
    }
}

pub(super) fn condition(about: About) -> BoxedStrategy<String> {
    let atom = || select(conditions(about)).prop_map(str::to_string);
    prop_oneof![
        4 => atom(),
        1 => atom().prop_map(|c| format!("not ({c})")),
        1 => (atom(), atom()).prop_map(|(a, b)| format!("{a} and {b}")),
        1 => (atom(), atom()).prop_map(|(a, b)| format!("({a}) or not ({b})")),
    ]
    .boxed()
}

/// A value to show, without an alias.
fn shown(about: About) -> BoxedStrategy<String> {
    let with = |templates: &'static [&'static str], events: &'static [&'static str]| {
        (select(templates), select(events), condition(about), any::<bool>())
            .prop_map(|(template, event, condition, filtered)| {
                let condition =
                    if filtered || template.contains("share") { format!(" where {condition}") } else { String::new() };
                template.replace("E", event).replace("?", &condition)
            })
            .boxed()
    };
    match about {
        About::Orders => {
            let simple = with(
                &[
                    "count(E?)",
                    "sum(E.amount?)",
                    "avg(E.amount?)",
                    "min(E.items?)",
                    "max(E.amount?)",
                    "median(E.amount?)",
                    "percentile(E.items?, 90)",
                    "unique(E.customer?)",
                    "unique(E.product?)",
                    "first(E.amount?)",
                    "last(E.items?)",
                    "share(E?)",
                    "stddev(E.items?)",
                    "sum(E.amount?) otherwise 1",
                ][..13],
                &["orders", "new_customers", "repeats", "large", "second_large", "first_gifts"],
            );
            let fixed = select(vec![
                "aov",
                "sum(revenue where first_year)",
                "ratio(sum(revenue where first_year), count(new_customers))",
                "pct(sum(orders.amount), sum(large.amount))",
                "count(repeats) - count(new_customers)",
                "avg(orders.at - first(leads.at))",
                "ratio(count(repeats), count(orders))",
                "sum(orders.amount * 2 + 1 EUR)",
                "sum(case when orders.gift then orders.amount else 0 EUR)",
                "avg(orders.items) otherwise 0",
                "count(first(orders where items > 1) per customer)",
                "max(orders.at)",
            ]);
            prop_oneof![3 => simple, 1 => fixed.prop_map(str::to_string)].boxed()
        }
        About::Leads => with(
            &["count(E?)", "avg(E.score?)", "share(E?)", "unique(E.customer?)", "min(E.score?)", "sum(E.score?)"],
            &["leads"],
        ),
        About::Spend => with(&["sum(E.amount?)", "count(E?)", "max(E.amount?)"], &["spend"]),
        About::Customer => with(&["count(E?)", "share(E?)"], &["customer"]),
    }
}

/// Labels that every one of these has.
pub(super) fn labels(about: &[About]) -> Vec<&'static str> {
    let of = |about: About| match about {
        About::Orders => vec![
            "region",
            "customer",
            "campaign.kind",
            "cohort(new_customers, month) as cohort",
            "age(new_customers, quarter) as age",
            "product",
            "gift",
            "basket",
            "month(ordered) as month_of",
            "customer.region as where_from",
        ],
        About::Leads => {
            vec!["region", "customer", "campaign.kind", "cohort(new_customers, month) as cohort", "source"]
        }
        About::Spend => vec!["campaign.kind", "campaign"],
        // `loyal` and `size` are for entities only: of an event without its customer the engine says what they are of
        // a customer without orders, the oracle that they are missing.
        About::Customer => vec!["region", "customer", "size", "loyal", "cohort(new_customers, month) as cohort"],
    };
    let mut common = of(about[0]);
    common.retain(|label| about.iter().all(|about| of(*about).contains(label)));
    common
}

pub(super) fn query() -> impl Strategy<Value = String> {
    let about = select(vec![
        vec![About::Orders],
        vec![About::Leads],
        vec![About::Customer],
        vec![About::Orders, About::Leads],
        vec![About::Orders, About::Spend],
        vec![About::Customer, About::Orders],
        vec![About::Orders, About::Orders],
    ]);
    about.prop_flat_map(|about| {
        let values: Vec<BoxedStrategy<String>> = about.iter().map(|about| shown(*about)).collect();
        let label = labels(&about);
        let by = if label.is_empty() {
            Just(vec![]).boxed()
        } else {
            proptest::sample::subsequence(label.clone(), 0..=label.len().min(2)).boxed()
        };
        let one = about.iter().all(|a| *a == about[0]);
        let filter = if one { condition(about[0]).prop_map(Some).boxed() } else { Just(None).boxed() };
        let event = match about[0] {
            About::Orders => "orders",
            About::Leads => "leads",
            About::Spend => "spend",
            About::Customer => "customer",
        };
        let period = prop_oneof![
            3 => Just(("", 0)),
            4 => select(vec!["month", "quarter", "year", "fiscal.quarter", "week"]).prop_map(|g| (g, 1)),
            1 => select(vec!["day"]).prop_map(|g| (g, 2)),
        ];
        // Entities that have always been there give no first row, so their queries have a window.
        let free = about.iter().all(|about| *about != About::Customer);
        let rest = (any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>());
        (values, by, filter, period, rest).prop_map(move |(values, by, filter, (grain, kind), rest)| {
            let (window, versus, filtered, tail, fill) = rest;
            let pick = |list: &[&'static str], byte: u8| list[usize::from(byte) % list.len()];
            let mut text = format!(
                "show {}",
                values.iter().enumerate().map(|(n, v)| format!("{v} as v{n}")).collect::<Vec<_>>().join(", ")
            );
            if !by.is_empty() {
                text.push_str(&format!(" by {}", by.join(", ")));
            }
            if kind > 0 {
                text.push_str(&format!(" per {grain}"));
            }
            if filtered % 3 == 0
                && let Some(filter) = filter
            {
                text.push_str(&format!(" where {filter}"));
            }
            let short = ["during 2025-03", "last 10 days", "since 2025-02-25 until 2025-03-03", "during 2024-W09"];
            let long = [
                "during 2025",
                "last 3 months",
                "last 5 months to date",
                "this year to date",
                "this year",
                "during 2025-Q1",
                "since 2025-01-15",
                "since 2024-02-29 until 2025-03-01T12:00",
                "during fiscal.2026",
                "last 400 days",
                "until 2025-03-01",
                "",
            ];
            let closed = &long[..10];
            let chosen = match kind {
                2 => pick(&short, window),
                _ if !free => pick(closed, window),
                _ => pick(&long, window),
            };
            text.push_str(&format!(" {chosen}"));
            let open = chosen.is_empty() || chosen.starts_with("until");
            if versus % 3 == 0 && !open {
                text += match (grain, versus % 4) {
                    ("month" | "", 0) => " vs previous month",
                    ("month" | "", 3) if chosen == "during 2025" => " vs 2024",
                    (_, 1) => " vs previous",
                    _ => " vs previous year",
                };
            }
            match tail % 8 {
                0 => text.push_str(&format!(" having count({event}) >= 2")),
                1 => text += " order by v0 desc",
                2 => text += " order by v0 limit 3",
                _ => {}
            }
            if fill % 6 == 0 && kind > 0 && !versus.is_multiple_of(3) {
                let filled = pick(&[" fill 0", " fill missing", " fill previous"], fill / 6);
                // A time takes no number.
                text += if text.contains(".at)") && filled == " fill 0" { " fill missing" } else { filled };
            }
            text
        })
    })
}

#[test]
fn engine_and_oracle_agree() {
    agree("plain", 6, data(), query());
}
