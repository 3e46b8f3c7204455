//! Leads, deals, orders and subscriptions: the funnel of the demo.

use super::dice::Dice;
use super::moment::{Moment, business, days, growth};
use super::table::{Table, money};

/// Where a lead comes from: campaign, the word in `leads.source`, and how often.
const ORIGINS: &[((&str, &str), f64)] = &[
    (("search", "web"), 30.0),
    (("social", "web"), 20.0),
    (("webinars", "event"), 12.0),
    (("fair", "event"), 8.0),
    (("partners", "partner"), 14.0),
    (("calls", "outbound"), 10.0),
    (("newsletter", "e-mail"), 6.0),
];
const REGIONS: &[(&str, f64)] =
    &[("Benelux", 30.0), ("DACH", 26.0), ("France", 16.0), ("Nordics", 12.0), ("Iberia", 9.0), ("UK and Ireland", 7.0)];
const TIERS: &[((&str, f64), f64)] = &[(("small", 0.6), 60.0), (("medium", 1.3), 30.0), (("large", 3.2), 10.0)];
const OWNERS: &[(&str, f64)] =
    &[("Anna Visser", 4.0), ("Ben Okafor", 3.5), ("Carla Ruiz", 3.0), ("Dirk Maes", 2.5), ("Emma Lund", 2.0)];
const PLANS: &[((&str, f64), f64)] = &[(("basic", 29.0), 50.0), (("pro", 79.0), 35.0), (("premium", 199.0), 15.0)];
const REASONS: &[(&str, f64)] = &[("price", 4.0), ("went to another", 3.0), ("no longer needed", 3.0), ("", 1.0)];

/// Somebody in the customer table, whether or not they ever buy.
pub(super) struct Person {
    pub(super) id: String,
    pub(super) created: Moment,
    region: &'static str,
    tier: &'static str,
    size: f64,
}

/// A purchase.
pub(super) struct Order {
    pub(super) customer: usize,
    pub(super) at: Moment,
}

/// What the funnel made.
pub(super) struct Sales {
    pub(super) people: Vec<Person>,
    pub(super) orders: Vec<Order>,
    pub(super) tables: Vec<Table>,
}

struct Tables {
    customers: Table,
    leads: Table,
    deals: Table,
    stages: Table,
    orders: Table,
    subscriptions: Table,
}

/// Plays the years, lead by lead.
pub(super) fn play() -> Sales {
    let mut dice = Dice::new(1);
    let mut people: Vec<Person> = Vec::new();
    let mut buyers = vec![];
    let mut orders = Vec::new();
    let mut tables = Tables {
        customers: Table::new("customers.csv", "id,created,region,tier,email"),
        leads: Table::new("leads.csv", "lead,customer,campaign,created,source,qualified"),
        deals: Table::new("deals.csv", "deal,owner"),
        stages: Table::new("stages.csv", "deal,customer,changed,stage,value"),
        orders: Table::new("orders.csv", "order,customer,campaign,ordered,kind,amount,cost"),
        subscriptions: Table::new("subscriptions.csv", "subscription,customer,began,plan,mrr,left,reason"),
    };
    for day in 0..days() {
        for _ in 0..dice.around(11.0 * business(day)) {
            let at = Moment::on(day, dice.below(24 * 60) as i64).at_work();
            // Some ask again: the same person, another lead.
            let again = people.len() > 100 && dice.chance(0.07);
            let customer =
                if again { dice.below(people.len()) } else { person(&mut people, &mut tables, &mut dice, at) };
            let (campaign, source) = dice.pick(ORIGINS);
            let qualified = dice.chance(if source == "outbound" { 0.35 } else { 0.55 });
            let id = format!("L{:05}", tables.leads.rows + 1);
            let word = if qualified { "yes" } else { "no" };
            tables.leads.row([&id, &people[customer].id, campaign, &at.text(), source, word]);
            let first = if qualified {
                deal(&people[customer], &mut tables, &mut dice, at)
            } else {
                // The shop sells without a salesman.
                dice.chance(0.08).then(|| (at.days_later(dice.skewed() * 3.0).at_work(), dice.between(60.0, 260.0)))
            };
            if let Some((at, value)) = first.filter(|(at, _)| at.is_past()) {
                buyers.push((customer, at, value, campaign));
            }
        }
    }
    for (customer, at, value, campaign) in buyers {
        buy(customer, &people[customer], (at, value, campaign), &mut tables, &mut orders, &mut dice);
    }
    orders.sort_by_key(|order: &Order| (order.at, order.customer));
    let Tables { customers, leads, deals, stages, orders: book, subscriptions } = tables;
    Sales { people, orders, tables: vec![customers, leads, deals, stages, book, subscriptions] }
}

fn person(people: &mut Vec<Person>, tables: &mut Tables, dice: &mut Dice, at: Moment) -> usize {
    let number = people.len() + 1;
    let (tier, size) = dice.pick(TIERS);
    let made = Person { id: format!("C{number:05}"), created: at, region: dice.pick(REGIONS), tier, size };
    // Real tables have gaps.
    let region = if dice.chance(0.02) { "" } else { made.region };
    let email = match dice.unit() {
        u if u < 0.04 => String::new(),
        u if u < 0.05 => format!("contact{number}.example.com"),
        _ => format!("contact{number}@example.com"),
    };
    tables.customers.row([&made.id, &at.text(), region, made.tier, &email]);
    people.push(made);
    number - 1
}

/// Walks a deal through its stages; gives the moment and the value when it is won.
fn deal(person: &Person, tables: &mut Tables, dice: &mut Dice, lead: Moment) -> Option<(Moment, f64)> {
    let id = format!("D{:05}", tables.deals.rows + 1);
    let owner = dice.pick(OWNERS);
    let value = (person.size * 520.0 * (0.6 + 0.5 * dice.skewed())).round();
    // The newer the company's practice, the shorter the way and the better the odds; large deals take longer.
    let years = lead.day() as f64 / 365.0;
    let pace = (1.15 - 0.08 * years) * if person.tier == "large" { 1.5 } else { 1.0 };
    let lost = 0.27 - 0.015 * years + if owner == "Emma Lund" { 0.05 } else { 0.0 };
    let mut at = lead.days_later(dice.between(0.1, 2.5)).at_work();
    let mut named = false;
    for (stage, wait) in [("qualified", 6.0), ("proposal", 11.0), ("negotiation", 9.0), ("won", 0.0)] {
        if !at.is_past() {
            return None;
        }
        if !named {
            tables.deals.row([&id, owner]);
            named = true;
        }
        tables.stages.row([&id, &person.id, &at.text(), stage, &money(value)]);
        if stage == "won" {
            return Some((at, value));
        }
        // A stage ends on another day, so that it never ends before it began.
        at = at.days_later(1.0 + wait * pace * dice.skewed()).at_work();
        if dice.chance(lost) {
            if at.is_past() {
                tables.stages.row([&id, &person.id, &at.text(), "lost", &money(value)]);
            }
            return None;
        }
    }
    None
}

/// The first order and what follows it: more orders, perhaps a subscription.
fn buy(
    customer: usize,
    person: &Person,
    (at, value, campaign): (Moment, f64, &str),
    tables: &mut Tables,
    orders: &mut Vec<Order>,
    dice: &mut Dice,
) {
    let loyalty = dice.unit();
    let (mut at, mut amount, mut kind, mut from) = (at, value, "new", campaign);
    while at.is_past() {
        let cost = amount * dice.between(0.42, 0.66);
        let id = format!("O{:05}", tables.orders.rows + 1);
        tables.orders.row([&id, &person.id, from, &at.text(), kind, &money(amount), &money(cost)]);
        orders.push(Order { customer, at });
        if !dice.chance(0.5 + 0.38 * loyalty) {
            break;
        }
        at = at.days_later(20.0 + 75.0 * dice.skewed()).at_work();
        let upsell = dice.chance(0.15);
        kind = if upsell { "upsell" } else { "repeat" };
        amount = value * dice.between(0.3, 0.9) * if upsell { 1.9 } else { 1.0 };
        from = match dice.unit() {
            u if u < 0.55 => campaign,
            u if u < 0.70 => "loyalty",
            u if u < 0.78 => "winback",
            _ => "",
        };
    }
    subscribe(person, at, tables, dice);
}

fn subscribe(person: &Person, last: Moment, tables: &mut Tables, dice: &mut Dice) {
    let began = last.days_later(3.0 + dice.skewed() * 10.0).at_work();
    if !began.is_past() || !dice.chance(0.35) {
        return;
    }
    let (plan, price) = dice.pick(PLANS);
    let mrr = price * if growth(began.day()) > 1.5 { 1.1 } else { 1.0 };
    let left = began.days_later(60.0 + 300.0 * dice.skewed()).at_work();
    let (left, reason) = if left.is_past() { (left.text(), dice.pick(REASONS)) } else { (String::new(), "") };
    let id = format!("S{:05}", tables.subscriptions.rows + 1);
    tables.subscriptions.row([&id, &person.id, &began.text(), plan, &money(mrr), &left, reason]);
}
