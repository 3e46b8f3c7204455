//! Data with states, steps and returns: subscriptions that begin and end, balances, leads, offers and wins.

use super::{Given, NOW, TIMES, ZONES, table};
use kepi_tests::case::GivenTable;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const MODEL: &str = r#"
calendar fiscal = year starts "april", week starts "sunday"
entity customer key id { region: text  tier: text history }
entity campaign key id { kind: text }
event orders of customer, campaign at ordered { amount: money(EUR)  product: text }
event leads of customer, campaign at created { source: text }
event offers of customer, campaign at offered { price: number }
event wins of customer, campaign at won { owner: text }
event subs of customer at began { level: text  fee: money(EUR) }
event cancels of customer at left { }
state subscribed of customer = from subs until cancels
state mrr of customer = subs.fee until cancels
state plan of customer = subs.level
state active of customer = from orders for 1 month
state balance of customer { value: money(EUR) }
event churns = ended(subscribed)
event new_customers = first(orders) per customer
event visits = sessions(leads, 1 day)
segment paying of customer = mrr > 15 EUR
segment small of customer = mrr < 15 EUR
segment other_plan of customer = plan not in ["s"]
segment away of customer = not subscribed
segment keen of customer = active and balance > 10 EUR or plan = "m"
segment european of customer = region = "EU"
segment big of customer = sum(orders.amount) >= 50 EUR
dimension spent of customer = sum(orders.amount over last 3 months)
metric churn : percent = ratio(count(churns), opening(subscribed))
metric aov : money = ratio(sum(orders.amount), count(orders))
metric won : percent = conversion(leads -> wins, within 3 months)
metric nrr : percent = ratio(closing(mrr where opening(mrr) > 0 EUR), opening(mrr))
metric back : percent = retention(leads -> orders, period: month, age: 1)
"#;

type Rows = Vec<Vec<&'static str>>;

/// A data set.
#[derive(Clone, Debug)]
struct Life {
    zone: &'static str,
    with_ids: bool,
    orders: Rows,
    leads: Rows,
    offers: Rows,
    wins: Rows,
    subs: Rows,
    cancels: Rows,
    balance: Rows,
    people: Rows,
    merges: bool,
    /// Whether an attribute says since when people exist.
    begins: bool,
}

/// Data sets of few people, few moments and many ties.
pub(super) fn life() -> impl Strategy<Value = Given> {
    lives().prop_map(|life| Given {
        model: {
            let model = match life.begins {
                true => MODEL.replace("entity customer key id {", "entity customer key id from since { since: time "),
                false => MODEL.to_string(),
            };
            format!("set timezone = \"{}\"\n{}", life.zone, model.trim_start())
        },
        tables: life.tables(),
        now: NOW,
    })
}

fn lives() -> impl Strategy<Value = Life> {
    let time = || select(&TIMES[..]);
    let who = || select(&["ada", "ada", "bob", "cyd", "-"][..]);
    let campaign = || select(&["a", "b", "-"][..]);
    let amount = || select(&["10", "20.5", "33.33", "0", "-7.25", "100", "-"][..]);
    let order = (time(), who(), campaign(), amount(), select(&["pen", "ink", "-"][..]));
    let order = order.prop_map(|(a, b, c, d, e)| vec![a, b, c, d, e]);
    let word = || select(&["web", "mail", "-"][..]);
    let lead = (time(), who(), campaign(), word()).prop_map(|(a, b, c, d)| vec![a, b, c, d]);
    let offer = (time(), who(), campaign(), select(&["1", "2", "-"][..])).prop_map(|(a, b, c, d)| vec![a, b, c, d]);
    let win = (time(), who(), campaign(), word()).prop_map(|(a, b, c, d)| vec![a, b, c, d]);
    let sub = (time(), who(), select(&["s", "m", "-"][..]), select(&["10", "20", "30", "-"][..]));
    let sub = sub.prop_map(|(a, b, c, d)| vec![a, b, c, d]);
    let cancel = (time(), who()).prop_map(|(a, b)| vec![a, b]);
    let balance = (who(), 0..TIMES.len(), 0..=TIMES.len(), amount()).prop_map(|(who, from, more, value)| {
        let until = TIMES.get(from + more % 8 + 1).copied().unwrap_or("-");
        vec![who, TIMES[from], until, value]
    });
    let person = |id: &'static str| {
        let tier = select(&["gold", "silver", "-"][..]);
        let changed = select(&["2024-01-01", "2024-12-31T23:59:59", "2025-02-28", "2025-03-01"][..]);
        let since = select(&["2024-02-29", "2024-12-30", "2025-01-15", "2025-03-01", "-"][..]);
        (select(&["EU", "US", "-"][..]), tier, changed, since)
            .prop_map(move |(region, tier, from, since)| vec![id, region, tier, from, since])
    };
    let people = (vec(person("ada"), 0..3), vec(person("bob"), 0..2), vec(person("dan"), 0..2));
    let people = people.prop_map(|(a, b, c)| a.into_iter().chain(b).chain(c).collect::<Rows>());
    let events = (vec(order, 0..28), vec(lead, 0..18), vec(offer, 0..12), vec(win, 0..12));
    let states = (vec(sub, 0..12), vec(cancel, 0..6), vec(balance, 0..6));
    (select(&ZONES[..]), any::<bool>(), events, states, people, any::<u8>()).prop_map(
        |(zone, with_ids, (orders, leads, offers, wins), (subs, cancels, balance), people, chances)| Life {
            zone,
            with_ids,
            orders,
            leads,
            offers,
            wins,
            subs,
            cancels,
            balance,
            people,
            merges: chances % 4 == 0,
            begins: chances / 4 % 3 == 0,
        },
    )
}

impl Life {
    fn tables(&self) -> Vec<GivenTable> {
        // Without an entity there is no interval.
        let balance: Rows = self.balance.iter().filter(|row| row[0] != "-").cloned().collect();
        let width = if self.begins { 5 } else { 4 };
        let people: Rows = self.people.iter().map(|row| row[..width].to_vec()).collect();
        let columns = ["id", "region", "tier", "changed", "since"][..width].join(" ");
        let mut tables = vec![
            table("orders", "ordered customer campaign amount product", &self.orders, self.with_ids),
            table("leads", "created customer campaign source", &self.leads, self.with_ids),
            table("offers", "offered customer campaign price", &self.offers, self.with_ids),
            table("wins", "won customer campaign owner", &self.wins, self.with_ids),
            table("subs", "began customer level fee", &self.subs, self.with_ids),
            table("cancels", "left customer", &self.cancels, self.with_ids),
            table("balance", "customer from until value", &balance, false),
            table("customer", &columns, &people, false),
            table("campaign", "id kind", &[vec!["a", "mail"]], false),
        ];
        if self.merges {
            tables.push(table("merges customer", "from into", &[vec!["cyd", "bob"]], false));
        }
        tables
    }
}
