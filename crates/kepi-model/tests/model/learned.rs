//! Models and series of plugins: what they mean, and what is said where they are called wrongly.

use crate::dump;
use crate::shop::now;
use kepi_model::catalog::{Catalog, ModelFile};
use kepi_model::core::{Measure, Move, RowNode};
use kepi_model::declared::{FunctionKind, Returns, Signature, SignatureParameter};
use kepi_model::settings::Settings;
use kepi_model::value::{Kind, Unit};
use kepi_syntax::{Severity, parse_file, parse_query};

fn parameter(name: &str, kind: Kind, constant: bool, optional: bool) -> SignatureParameter {
    SignatureParameter { name: name.into(), accepts: vec![kind], constant, optional }
}

/// A model and a series, as those that are shipped.
fn plugins() -> Vec<Signature> {
    let any_entity = Kind::Entity(String::new());
    vec![
        Signature {
            name: "bgnbd.clv".into(),
            kind: FunctionKind::Model,
            doc: "Expected value.".into(),
            parameters: vec![
                parameter("customer", any_entity, false, false),
                parameter("at", Kind::Time, false, false),
                parameter("amount", Kind::Money(None), false, false),
                parameter("horizon", Kind::Duration, true, false),
                parameter("discount", Kind::Percent, true, true),
            ],
            returns: Returns::SameAs(2),
        },
        Signature {
            name: "holt.forecast".into(),
            kind: FunctionKind::Series,
            doc: "What comes.".into(),
            parameters: vec![
                parameter("x", Kind::Money(None), false, false),
                parameter("level", Kind::Number, true, true),
                parameter("trend", Kind::Number, true, true),
            ],
            returns: Returns::SameAs(0),
        },
    ]
}

fn catalog() -> Catalog {
    let (tree, problems) = parse_file(include_str!("shop.kepi"));
    assert_eq!(problems, []);
    let (catalog, problems) = Catalog::build(&[ModelFile { index: 0, tree }], Settings::default(), plugins());
    assert_eq!(problems, []);
    catalog
}

/// The messages of the errors of a query.
fn said(text: &str) -> Vec<String> {
    let catalog = catalog();
    let (query, problems) = parse_query(text);
    assert_eq!(problems, [], "{text}");
    let (_, problems) = catalog.query(&query.unwrap(), now(&catalog), 0);
    problems.into_iter().filter(|p| p.severity == Severity::Error).map(|p| p.message).collect()
}

fn meant(text: &str) -> kepi_model::core::Query {
    let catalog = catalog();
    let (query, _) = parse_query(text);
    let (query, problems) = catalog.query(&query.unwrap(), now(&catalog), 0);
    assert!(!problems.iter().any(|p| p.severity == Severity::Error), "{text}: {problems:?}");
    query.unwrap()
}

const CLV: &str = "bgnbd.clv(orders.customer, orders.at, orders.amount, horizon: 3 years)";

#[test]
fn a_model_looks_at_all_time_and_is_told_the_time_of_each_row() {
    let query = meant(&format!("show {CLV} by region per month during 2025"));
    let [aggregate] = query.aggregates.as_slice() else { panic!("{}", dump::query(&query)) };
    assert_eq!(aggregate.moved, [Move::AllTime]);
    assert!(matches!(aggregate.unit.kind, Kind::Money(Some(_))), "{:?}", aggregate.unit);
    let Measure::Plugin { name, args } = &aggregate.measure else { panic!("{aggregate:?}") };
    assert_eq!((name.as_str(), args.len()), ("bgnbd.clv", 5));
    assert_eq!((&args[4].node, &args[4].unit), (&RowNode::At, &Unit::of(Kind::Time)));
    // Named or in order, with the discount or without; equal calls are one.
    let both = format!(
        "show {CLV}, bgnbd.clv(orders.customer, orders.at, orders.amount, 3 years), \
         bgnbd.clv(orders.customer where kind = \"upsell\", orders.at, orders.amount, discount: 10%, horizon: 3 years)"
    );
    let query = meant(&both);
    assert_eq!(query.aggregates.len(), 2, "{}", dump::query(&query));
    assert!(query.aggregates[1].filter.is_some());
}

#[test]
fn a_model_that_is_called_wrongly_is_refused_in_words() {
    let one = |text: &str| {
        let said = said(&format!("show {text}"));
        assert_eq!(said.len(), 1, "{text}: {said:?}");
        said[0].clone()
    };
    assert_eq!(one("bgnbd.clv(orders.customer, orders.at, orders.amount)"), "`bgnbd.clv` needs horizon");
    assert_eq!(
        one("bgnbd.clv(orders.kind, orders.at, orders.amount, horizon: 3 years)"),
        "`customer` of `bgnbd.clv` takes an entity, this is text"
    );
    assert_eq!(
        one("bgnbd.clv(orders.customer, orders.amount, orders.amount, horizon: 3 years)"),
        "`at` of `bgnbd.clv` takes time, this is money(EUR)"
    );
    assert_eq!(
        one("bgnbd.clv(orders.customer, orders.at, orders.amount, horizon: 5)"),
        "`horizon` of `bgnbd.clv` takes duration, this is number"
    );
    assert_eq!(
        one("bgnbd.clv(orders.customer, orders.at, orders.amount, horizon: now - orders.at)"),
        "`horizon` of `bgnbd.clv` is one value for all rows"
    );
    assert_eq!(
        one("bgnbd.clv(orders.customer, orders.at, orders.amount, horizont: 3 years)"),
        "`bgnbd.clv` has no parameter `horizont`"
    );
    assert_eq!(
        one("bgnbd.clv(orders.customer, orders.at, orders.amount, 3 years, horizon: 3 years)"),
        "`horizon` is given twice"
    );
    assert_eq!(
        one("bgnbd.clv(orders.customer over last 90 days, orders.at, orders.amount, horizon: 3 years)"),
        "`bgnbd.clv` looks at all time up to the end of the cell's window"
    );
    assert_eq!(
        one("bgnbd.clv(orders.customer, leads.at, orders.amount, horizon: 3 years)"),
        "the arguments are values of different events"
    );
}

#[test]
fn a_model_is_asked_of_each_entity_in_its_expressions() {
    let query = meant(&format!(
        "show count(customer where {CLV} > 500 EUR) by region per month during 2025 where region = \"EU\""
    ));
    let [aggregate] = query.aggregates.as_slice() else { panic!("{}", dump::query(&query)) };
    let text = dump::query(&query);
    // It learns of all rows: the query's condition is not in it.
    assert!(text.contains("bgnbd.clv(") && aggregate.moved.is_empty(), "{text}");
    let at_a_moment = "`bgnbd.clv` says something of each entity at one moment, and the rows of `orders` have one each";
    assert_eq!(said(&format!("show avg({CLV})")), [at_a_moment]);
    assert_eq!(said(&format!("show sum(orders.amount where {CLV} > 500 EUR)")), [at_a_moment]);
    let elsewhere = "`bgnbd.clv` is asked here of a campaign, and learns from customer";
    assert_eq!(said(&format!("show count(campaign where {CLV} > 500 EUR)")), [elsewhere]);
}

#[test]
fn a_series_needs_periods_and_no_other_window() {
    let query = meant("show holt.forecast(sum(revenue), level: 0.5) per month during 2026");
    assert_eq!(query.aggregates.len(), 1);
    let text = dump::query(&query);
    assert!(text.contains("holt.forecast(#0"), "{text}");
    assert_eq!(
        said("show holt.forecast(sum(revenue)) during 2026"),
        ["`holt.forecast` goes on with periods, and this query has none"]
    );
    assert_eq!(
        said("show trailing(holt.forecast(sum(revenue)), 90 days) per month during 2026"),
        ["`holt.forecast` goes on with the cells of the answer: it has no other window"]
    );
    assert_eq!(
        said("show holt.forecast(count(orders)) per month during 2026"),
        ["`x` of `holt.forecast` takes money, this is count"]
    );
    assert_eq!(
        said("show holt.forecast(sum(revenue), level: count(orders)) per month during 2026"),
        ["`level` of `holt.forecast` is one value for all rows"]
    );
}
