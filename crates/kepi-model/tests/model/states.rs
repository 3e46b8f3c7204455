//! States: what they are made of, how they are measured per cell and read from rows, the events at their edges.

use crate::shop::{meant, now, said, shop};
use insta::assert_snapshot;
use std::fmt::Write;

#[test]
fn states_are_measured_per_cell() {
    assert_snapshot!(meant(
        &shop(""),
        &[
            "show opening(active), closing(active), kept(active) per month last 3 months",
            "show closing(mrr), opening(mrr), avg(mrr) by region",
            "show avg(active), avg(active over last 90 days), time_in(subscribed)",
            "show closing(balance) where region = \"EU\"",
            "show closing(stage) by stage",
            "show closing(stage where stage = \"new\")",
            "show closing(pipeline_value where open_deal), opening(pipeline_value), avg(pipeline_value) per month",
            "show retention_rate, churn_rate, nrr, grr, lifespan, pipeline_velocity",
            "show prior(closing(mrr), 1 year), trailing(churn_rate, 12 months) per month",
        ]
    ));
}

#[test]
fn segments_are_states_where_they_depend_on_one() {
    assert_snapshot!(meant(
        &shop(
            "segment paying of customer = mrr > 0 EUR\n\
             segment big of customer = paying and mrr >= 1000 EUR\n\
             segment at_risk of customer = now - last(orders.at) > 90 days\n\
             segment early(name: text = \"new\") of deal = stage = name"
        ),
        &[
            "show opening(open_deal), kept(open_deal), avg(open_deal), time_in(open_deal)",
            "show closing(big), count(started(big)), count(ended(mrr > 100 EUR))",
            "show closing(at_risk), opening(at_risk where region = \"EU\") per month",
            "show kept(at_risk) by region per month",
            "show closing(stage = \"won\"), count(stays(early))",
            "show closing(early(name: \"won\")), count(started(early(name: \"lost\")))",
            "show closing(active), opening(active) at 2026-06-30",
        ]
    ));
}

#[test]
fn events_at_the_edges_of_states() {
    assert_snapshot!(meant(
        &shop(
            "event first_churns = first(churns) per customer\n\
             event lost = ended(subscribed) where length < 1 year\n\
             event plans = stays(mrr) where value > 10 EUR"
        ),
        &[
            "show count(churns), sum(churns.amount) by kind, region",
            "show count(started(active)), count(first_churns), count(lost)",
            "show stage_length by value per quarter",
            "show median(stays(stage).length where stays(stage).value = \"new\"), avg(plans.value)",
            "show count(customer where count(ended(active)) > 1)",
            "show sum(stays(stage).length) by deal.owner, stage",
            "show count(orders where count(ended(subscribed)) = 0)",
        ]
    ));
}

#[test]
fn rows_read_states_at_their_moment() {
    assert_snapshot!(meant(
        &shop(
            "entity user key id { region: text }\n\
             entity listing key id { host: user  plan: text history }\n\
             event stays_booked of listing, user at booked { nights: number }\n\
             event handovers of listing at done { to: user }\n\
             state keeper of listing = handovers.to\n\
             state busy of user = from stays_booked for 30 days\n\
             dimension spent of user = sum(stays_booked.nights)\n\
             dimension host_spent of listing = host.spent\n\
             segment grown of customer = closing(mrr) > opening(mrr)"
        ),
        &[
            "show sum(revenue where subscribed), count(customer where active)",
            "show sum(revenue) by active, mrr > 100 EUR as large",
            "show count(wins) by stage, customer.mrr",
            "show count(orders where opening(mrr) > 0 EUR)",
            "show count(customer where grown and kept(subscribed))",
            "show count(customer where time_in(active) > 3 months and avg(mrr) > 10 EUR)",
            "show count(stays_booked) by listing.keeper, listing.keeper.region, listing.host.busy, listing.plan",
            "show count(listing) by plan, host_spent > 5, keeper.region",
            "show opening(mrr where closing(mrr) > 5 EUR) by subscribed",
        ]
    ));
}

#[test]
fn state_definitions() {
    assert_snapshot!(meant(
        &shop(
            "state vip of customer { value: bool }\n\
             state member of customer { }\n\
             state solved of ticket = closings.solved until contacts\n\
             state heavy of customer = from orders where count(orders over last 90 days) >= 3 for 6 months\n\
             state value_of of deal = stage_changes.value * 2 - first(stage_changes.value) until stage_changes where stage = \"lost\"\n\
             state bought of customer = orders.at"
        ),
        &[
            "show closing(vip), closing(member), closing(solved)",
            "show closing(heavy), closing(value_of)",
            "show count(stays(vip)), count(started(vip) where value)",
            "show count(orders where at - bought > 3 days)",
            "show count(ended(active and mrr > 5 EUR)), avg(active and region = \"EU\"), time_in(not (tier = \"gold\" or active))",
            "show count(started(count(orders) >= 3 and active))",
        ]
    ));
}

fn each(texts: &[&str]) -> String {
    let mut out = String::new();
    for text in texts {
        let said = said(text);
        assert!(!said.is_empty(), "{text}: must be refused");
        writeln!(out, "{said}").unwrap();
    }
    out
}

#[test]
fn wrong_measures_of_states() {
    assert_snapshot!(each(&[
        "show sum(mrr)",
        "show sum(mrr * 12)",
        "show max(mrr)",
        "show unique(stage)",
        "show count(active)",
        "show sum(mrr per customer)",
        "show mrr",
        "show closing(stage)",
        "show avg(stage)",
        "show time_in(stage)",
        "show kept(stage)",
        "show closing(stage) by owner",
        "show closing(orders)",
        "show closing(customer)",
        "show closing(revenue)",
        "show closing(customer.region)",
        "show closing(tenure)",
        "show closing(first_year)",
        "show closing(cac)",
        "show closing(mrr * 12)",
        "show closing(5)",
        "show closing(actve)",
        "show closing(active, mrr)",
        "show closing(mrr per customer)",
        "show closing(mrr over last 90 days)",
        "show closing(stage = 5)",
        "show closing(mrr > 5)",
        "show closing(mrr where amount > 5 EUR)",
        "show closing(active) by kind",
        "show closing(active) where campaign.kind = \"x\"",
        "show time_in(count(orders over last 90 days) > 3 and active)",
    ]));
}

#[test]
fn wrong_edges_of_states() {
    assert_snapshot!(each(&[
        "show count(ended(orders))",
        "show count(started(active where region = \"EU\"))",
        "show count(started())",
        "show count(started(active) per customer)",
        "segment at_risk of customer = now - last(orders.at) > 90 days\nshow count(started(at_risk)), avg(at_risk)",
        "show count(ended(active and max(sum(orders.amount) per month) > 3 EUR)), avg(active and subscribed and now > 2025-01-01)",
        "show count(ended(active and subscribed)) by kind, avg(started(active and subscribed).amount)",
        "show stays(stage)",
        "show stays(stage).length",
        "show avg(stays(stage).lenght)",
        "show avg(started(active).length)",
        "show avg(ended(active).value)",
        "show count(orders where stays(stage).length > 3 days)",
        "show count(orders where ended(active))",
        "event e = ended(active) over last 3 days",
    ]));
}

#[test]
fn wrong_states_in_rows() {
    assert_snapshot!(each(&[
        "show count(orders where closing(mrr) > 5 EUR)",
        "show count(orders where avg(mrr) > 5 EUR)",
        "show count(orders where stage = \"won\")",
        "show count(customer where stage = \"won\")",
        "show count(customer where opening(mrr where region = \"EU\") > 0 EUR)",
        "show count(customer where opening(mrr) > 0)",
        "show count(customer where mrr.plan = \"x\")",
        "show count(spend) by active",
        "dimension d of deal = active",
        "show count(orders) where sum(mrr) > 5 EUR",
        "event labels of customer { tag: text }\nshow count(labels where active)",
    ]));
}

#[test]
fn wrong_definitions_of_states() {
    assert_snapshot!(each(&[
        "state s of custmer = from orders for 12 months",
        "state s of deal = from orders until cancellations",
        "state s of customer = from orders until spend",
        "state s of customer = from customer for 1 month",
        "event labels of customer { tag: text }\nstate s of customer = labels.tag",
        "state s of customer = 5",
        "state s of customer = count(orders)",
        "state s of customer = orders.amout",
        "state s of customer = orders.amount - spend.amount",
        "state s of customer { amount: money(EUR) }",
        "state s of customer { value: money(EUR)  until: time }",
        "state s of custmer { value: money(EUR) }",
        "state s of customer = from orders where count(orders over period) = 1 for 1 month",
        "state s of customer = s.amount",
        "state a of customer = from orders where b for 1 month\nstate b of customer = from leads where a for 1 month",
        "state s of customer = from orders for 0 months",
        "state s of customer = from active for 1 month",
        "event moves of seller at moved { one: customer  two: customer }\nentity seller key id { }\nstate s of customer = from moves for 1 day",
    ]));
}

#[test]
fn sources_fill_stored_states() {
    assert_snapshot!(each(&[
        "source s from \"s.csv\" { balance: of customer c, until b, value = v }",
        "source s from \"s.csv\" { balance: of customer c, at a, key k, from a, value = v }",
        "source s from \"s.csv\" { balance: of deal c, from a, value = v }",
        "source s from \"s.csv\" { balance: of customer c, from a, amount = v }",
        "source s from \"s.csv\" { active: of customer c, from a, until b }",
        "source s from \"s.csv\" { orders: of customer c, from a }",
    ]));
    let mapped = "source s from \"s.csv\" { balance: id i, of customer c, from a, until b, value = v * 2 where v > 0 }";
    assert_eq!(said(mapped), "");
}

#[test]
fn states_are_told_in_lists() {
    let catalog = shop("state plan of customer = subscriptions.plan until cancellations with title = \"Plan\"");
    let now = now(&catalog);
    let listed = catalog.list(now).into_iter().filter(|l| l.kind == "state");
    let listed: Vec<String> =
        listed.map(|l| format!("{}: {} {}", l.name, l.unit.unwrap(), l.doc.unwrap_or_default())).collect();
    assert_eq!(
        listed,
        [
            "crm.active: bool ",
            "crm.balance: money(EUR) ",
            "crm.mrr: money(EUR) ",
            "crm.pipeline_value: money(EUR) ",
            "crm.plan: text Plan",
            "crm.stage: text ",
            "crm.subscribed: bool "
        ]
    );
    let balance = catalog.describe("balance", now).unwrap();
    let fields: Vec<&str> = balance.fields.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(fields, ["customer", "from", "until", "value"]);
    let plan = catalog.describe("plan", now).unwrap();
    assert_eq!(plan.uses, ["crm.cancellations", "crm.customer", "crm.subscriptions"]);
    assert!(catalog.describe("active", now).unwrap().used_by.contains(&"crm.churns".to_string()));
    // A stored state can be loaded by its name, one that is made of events cannot.
    assert_eq!(catalog.find_kind("balance", false).as_deref(), Some("crm.balance"));
    assert_eq!(catalog.find_kind("active", false), None);
    assert!(catalog.stream("crm.balance").is_some_and(|s| s.at.as_deref() == Some("from")));
}
