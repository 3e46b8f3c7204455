//! Answers in one currency: what `in USD` lowers to, and what is said where it cannot be.

use crate::messages::each;
use crate::shop::{catalog, core, listed, meant, now, said, shop};
use insta::assert_snapshot;
use kepi_model::declared::Target;

const PAYMENTS: &str = "event payments of customer at paid { amount: money(currency)  fee: money(currency)  currency: text }\n\
     entity shop key id { turnover: money(coin)  coin: text history }\n\
     event visits_paid of customer at paid { of_shop: shop }\n";

#[test]
fn amounts_are_converted_row_by_row() {
    assert_snapshot!(meant(
        &shop(PAYMENTS),
        &[
            "show sum(revenue), sum(closes.amount), count(orders where amount > 1000 EUR), max(margin) in USD",
            // What is in the currency already stays.
            "show sum(closes.amount), median(payments.amount - payments.fee) in USD",
            "show avg(visits_paid.of_shop.turnover) by of_shop in EUR",
            "show cac, ratio(sum(revenue), count(orders)) otherwise 0 EUR as each by campaign.kind as kind per month in USD",
            "show of_total(sum(revenue)), growth(sum(revenue), 1 year) by region during 2025-Q3 in USD",
        ]
    ));
}

#[test]
fn rates_are_a_stored_stream() {
    let catalog = shop("");
    let rates = catalog.stream("rates").unwrap();
    assert_eq!(rates.fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["from", "to", "rate"]);
    let (sources, _) = catalog.sources(now(&catalog));
    let fx = sources.iter().find(|s| s.name == "crm.fx").unwrap();
    assert_eq!(fx.mappings[0].target, Target::Stream("rates".into()));
    assert_eq!(fx.mappings[0].fields.iter().map(|(f, _)| f.as_str()).collect::<Vec<_>>(), ["from", "to", "rate"]);
    core(&catalog, "show last(rates.rate) by rates.from, to where to = \"USD\"");
}

#[test]
fn wrong_currencies() {
    let with = |query: &str| format!("{PAYMENTS}{query}");
    assert_snapshot!(each(&[
        "show sum(revenue) in usd",
        "show count(orders) in USD",
        "show sum(revenue) + sum(closes.amount)",
        "show sum(revenue) - 100 EUR in USD",
        "show sum(revenue) having sum(revenue) > 5 EUR in USD",
        &with("show sum(payments.amount)"),
        &with("show count(payments where amount + 5 EUR > fee)"),
        &with("show count(customer where sum(payments.amount over last 30 days) > 5)"),
        &with("show sum(payments.amount - last(payments.fee)) in USD"),
        &with("show avg(orders.amount - last(payments.amount)) in USD"),
    ]));
}

#[test]
fn without_rates_nothing_is_converted() {
    let (catalog, problems) =
        catalog(&["entity customer key id { }\nevent orders of customer at day { amount: money(EUR) }"]);
    assert_eq!(problems, []);
    let text = "show sum(orders.amount) in USD";
    let query = kepi_syntax::parse_query(text).0.unwrap();
    assert_snapshot!(listed(text, &catalog.query(&query, now(&catalog), 0).1));
    // What is in the currency already needs none.
    let query = kepi_syntax::parse_query("show sum(orders.amount) in EUR").0.unwrap();
    assert_eq!(catalog.query(&query, now(&catalog), 0).1, []);
    assert_eq!(said("show sum(revenue) in EUR"), "");
    // Beside an amount that is written out, what each row has in a currency of its own is converted to that of the
    // amount: also what a history adds up.
    for text in [
        "show count(payments where amount > 5 EUR and 5 USD <= fee)",
        "show count(payments where amount in [5 EUR, 10 EUR])",
        "show count(customer where sum(payments.amount) > 100 EUR) in USD",
        "segment spender of customer = last(payments.amount) >= 100 EUR\nshow count(customer where spender)",
        "dimension spent of customer = sum(payments.amount)\nshow count(customer where spent > avg(payments.fee)) in USD",
    ] {
        assert_eq!(said(&format!("{PAYMENTS}{text}")), "", "{text}");
    }
    // A definition does not say the currency: the query does.
    let paid =
        format!("{PAYMENTS}metric paid : money = sum(payments.amount)\nshow paid, paid / count(payments) in EUR");
    assert_eq!(said(&paid), "");
}
