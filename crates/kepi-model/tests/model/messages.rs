//! Messages about names and types: every known mistake, what is said about it, and where.

use crate::shop::said;
use insta::assert_snapshot;
use std::fmt::Write;

/// The cases of the file, each with its title and its text.
fn rejects() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("rejects.txt").split("\n---\n").map(|case| {
        let (title, text) = case.trim().split_once('\n').unwrap();
        (title.trim_start_matches("# "), text)
    })
}

#[test]
fn rejected_texts() {
    let mut out = String::new();
    for (title, text) in rejects() {
        let said = said(text);
        assert!(!said.is_empty(), "{title}: must be refused");
        writeln!(out, "# {title}\n{said}").unwrap();
    }
    assert_snapshot!(out);
}

pub(crate) fn each(texts: &[&str]) -> String {
    let mut out = String::new();
    for text in texts {
        let said = said(text);
        assert!(!said.is_empty(), "{text}: must be refused");
        writeln!(out, "{said}").unwrap();
    }
    out
}

#[test]
fn names() {
    assert_snapshot!(each(&[
        "show sum(amount)",
        "show sum(orders.amout)",
        "show sum(revenue) by regoin",
        "show sum(revenue) by channel",
        "show sum(revenue) where customer.regio = \"EU\"",
        "show sum(revenue) by customer.region.name",
        "show summ(revenue)",
        "show sum(orders)",
        "show orders",
        "show customer per month",
        "show first_year",
        "show active",
        "show orders.amount",
        "show count(revenue)",
        "show count(orders.customer)",
        "show count(mrr)",
        "show sum(first_year)",
        "show sum(cac)",
        "show count(cac)",
        "show sum(revenue) where cac > 5 EUR",
        "show sum(revenue) by cac",
        "show sum(revenue) by leads",
        "show sum(revenue) by leads.source",
        "show count(spend) where tenure > 1 year",
        "show sum(revenue) per customer",
        "show sum(revenue) per months.days",
        "show sum(revenue) per fortnight",
        "show region",
        "show sum",
        "show revenue where first_year",
        "show count(hops where last = 5)",
        "show sum(zzz) by qqq",
        "show count(orders) by orders",
        "show funel(leads -> orders)",
        "show bgnbd.clv(orders.customer)",
    ]));
}

#[test]
fn one_name_one_meaning() {
    assert_snapshot!(each(&[
        "show cac by kind",
        "show count(sends), count(opens) by message",
        "show ratio(count(renewals), count(expiries)) by plan",
        "show count(orders), count(leads), count(spend) where region = \"EU\"",
        "show sum(revenue), sum(spend.amount) by cohort(new_customers, month)",
        "show sum(revenue), count(closes) by customer",
    ]));
    // What the help says works, and so does a rate of the one event that led to the other.
    let of_customer = "dimension plan_of of customer = last(expiries.plan)\n";
    assert_eq!(said(&format!("{of_customer}show ratio(count(renewals), count(expiries)) by plan_of")), "");
    assert_eq!(said("show conversion(expiries -> renewals, hold: plan) by plan"), "");
    // The same attribute through other roles, and of the entity itself, is the same thing.
    assert_eq!(said("show count(customer), sum(revenue), count(wins) by region, customer.tier"), "");
    assert_eq!(said("show campaign_profit by campaign.kind, campaign"), "");
    assert_eq!(said("show count(wins), count(losses) by stage, owner"), "");
}

#[test]
fn functions_and_arguments() {
    assert_snapshot!(each(&[
        "show sum()",
        "show sum(revenue, 5)",
        "show sum(revenue -> orders)",
        "show sum(revenue, mode: observed)",
        "show percentile(revenue)",
        "show percentile(revenue, 120)",
        "show percentile(revenue, 95, mode: nearest)",
        "show share(orders)",
        "show ratio(sum(revenue))",
        "show round(sum(revenue), 2, 3)",
        "show ratio(count(orders where kind = \"a\"), revenue)",
        "show count(orders within 3 days)",
        "show age(new_customers)",
        "show avg(age(new_customers))",
        "show sum(revenue) by age(wins, month)",
        "show sum(revenue) by cohort(new_customers)",
        "show sum(revenue) by cohort(new_customers, fortnight)",
        "show sum(revenue) by age(customer, month)",
        "show count(first(orders))",
        "show count(first(orders) per deal)",
        "show count(first(orders) per customer, campaign)",
        "show count(last(orders) per customer)",
        "show count(orders where count(orders over this month) > 1)",
        "show count(customer over last 90 days)",
        "show stats.mode(orders.kind, orders.amount)",
        "show stats.mode(5)",
        "show sum(tax.net(orders.kind))",
        "show sum(orders.amount + leads.at)",
        "show sum(orders.amount - spend.amount)",
        "show sum(first(orders.amount))",
        "show sum(max(orders.amount) - min(orders.amount))",
    ]));
}

#[test]
fn clauses() {
    assert_snapshot!(each(&[
        "show sum(revenue), sum(revenue)",
        "show sum(revenue) as x by region as x",
        "show sum(revenue) by region having region",
        "show sum(revenue) having amount > 5 EUR",
        "show sum(revenue) order by amount",
        "show sum(revenue) by region order by regoin",
        "show sum(revenue) limit 0.5",
        "show sum(revenue) per month fill revenue",
        "show sum(revenue) per month fill \"none\"",
        "show 1 + 1",
        "show sum(revenue) where [1, 2]",
    ]));
}

#[test]
fn rows_without_a_moment() {
    let labels = "event labels of customer { tag: text }\n";
    let texts = [
        "show count(labels) last 3 days",
        "show count(labels) per month",
        "show count(labels where age(new_customers) < 1 year)",
        "show count(labels where now > customer.created)",
        "show count(labels) by customer.tier",
        "show count(labels where count(orders) > 1)",
        "show count(labels where count(labels over last 3 days) > 1)",
        "show count(orders where count(labels over last 3 days) > 1)",
        "show count(labels) by cohort(new_customers, month)",
        "show max(labels.at)",
    ];
    let texts: Vec<String> = texts.iter().map(|text| format!("{labels}{text}")).collect();
    assert_snapshot!(each(&texts.iter().map(String::as_str).collect::<Vec<_>>()));
    // Its own rows have an order, and an attribute as it is now no moment.
    assert_eq!(said(&format!("{labels}show count(labels where count(labels) = 1) by region")), "");
    assert_eq!(said(&format!("{labels}show count(orders where count(labels) > 0)")), "");
}

#[test]
fn amounts_whose_currency_is_a_field() {
    let event = "event fees of customer at day { paid: money(currency)  tip: money(currency)  currency: text }\n";
    let texts = ["sum(fees.paid)", "max(fees.paid)", "count(fees where paid + 5 EUR > tip)", "stddev(fees.paid)"];
    let texts: Vec<String> = texts.iter().map(|text| format!("{event}show {text}")).collect();
    assert_snapshot!(each(&texts.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!(said(&format!("{event}show avg(fees.tip / fees.paid), count(fees where tip > paid)")), "");
}

#[test]
fn several_mistakes_are_told_at_once() {
    assert_snapshot!(each(&[
        "show sum(revenu), count(ordres) by regoin per moth where knd = 1 having zzz > 1 order by yyy",
        "show sum(revenue) by regoin, channel where amount > 5 and knd = \"x\" last 0 days",
        "metric a = sum(revenu)\nmetric b = count(orders where amount > 5)\nmetric c : count = sum(revenue)\n\
         segment d of orders = kind\nevent e = first(orders)\nmetric f = a + b",
    ]));
}

#[test]
fn declarations() {
    assert_snapshot!(each(&[
        "entity robot key id from built { made: date }",
        "entity robot key id from made { made: text }",
        "entity robot key id { a: txt  b: text  b: text  c: text(EUR)  d: money(EUR) per fortnight }",
        "event moves of robbot, customer, customer at day { }",
        "event moves of customer at day { to: money(EURO) }",
        "metric orders = 1",
        "function sum(x) = x",
        "function f(x) = x\nfunction f(y) = y",
        "function f(x) = g(x)\nfunction g(x) = f(x)\nmetric a = f(count(orders))",
        "function f(x) = summ(x)",
        "metric a = b\nmetric b = a",
        "measure m = 5",
        "measure m = count(orders)",
        "measure m = orders.amount - spend.amount",
        "segment s of robot = yes",
        "segment s of customer = region",
        "dimension d of orders = amout",
        "event e = orders.amount",
        "event e = sum(orders)",
        "event e = orders over last 3 days",
        "event e = first(orders) per customer where kind = \"x\"",
        "metric r = ratio(count(leads), count(orders))",
        "metric p(least: money, how: text) = count(orders where amount >= least and knd = how)",
        "metric p(least: money) = count(orders where kind >= least)",
        "metric p(x) = sum(revenu) * x",
        "set timezone = \"Europe/Amsterdm\"",
        "set timezone = 5",
        "set currency = \"euro\"",
        "set colour = \"red\"",
        "calendar c = year starts \"apr\", week starts \"mon\", quarter starts \"april\"",
        "calendar fiscal = year starts \"may\"",
    ]));
}

#[test]
fn what_was_meant() {
    assert_snapshot!(each(&[
        "show avg(stage = \"won\" and stge = \"lost\")",
        "show closing(actve and region = \"EU\")",
        "show count(deal) by stges",
        "show count(customer where amount > 5 EUR)",
        "show count(orders) by month",
        "show count(orders) by weekday",
        "show opening(count(orders) >= 3)",
        "show sum(closing(mrr))",
        "measure m = amount",
        "report r every fortnight { show count(orders) }",
        "source s from \"a.csv\" with time = \"unix\" { orders: at day }",
    ]));
}
