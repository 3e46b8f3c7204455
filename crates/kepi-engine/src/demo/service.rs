//! Surveys, tickets and contacts: what happens after an order.

use super::dice::Dice;
use super::moment::Moment;
use super::sales::{Order, Person};
use super::table::Table;

const CHANNELS: &[(&str, f64)] = &[("e-mail", 45.0), ("phone", 30.0), ("chat", 25.0)];

/// Plays what follows the orders.
pub(super) fn play(people: &[Person], orders: &[Order]) -> Vec<Table> {
    let mut dice = Dice::new(2);
    let mut surveys = Table::new("surveys.csv", "survey,customer,returned,score,rating,effort");
    let mut tickets = Table::new("tickets.csv", "ticket,customer,channel,asked,replied,closed,solved");
    let mut contacts = Table::new("contacts.csv", "contact,ticket,customer,opened,channel");
    for order in orders {
        let customer = &people[order.customer].id;
        let ticket_at = dice.chance(0.24).then(|| order.at.days_later(dice.between(0.2, 20.0)).at_work());
        let solved = match ticket_at.filter(|at| at.is_past()) {
            Some(at) => ticket(customer, at, &mut tickets, &mut contacts, &mut dice),
            None => true,
        };
        let survey_at = order.at.days_later(dice.between(2.0, 25.0)).at_work();
        if dice.chance(0.27) && survey_at.is_past() {
            survey(customer, survey_at, solved, &mut surveys, &mut dice);
        }
    }
    vec![surveys, tickets, contacts]
}

/// A ticket with its contacts; gives whether the matter was solved (one that is still open counts as solved here).
fn ticket(customer: &str, asked: Moment, tickets: &mut Table, contacts: &mut Table, dice: &mut Dice) -> bool {
    let id = format!("T{:05}", tickets.rows + 1);
    let channel = dice.pick(CHANNELS);
    // Answers get faster by the year; mail waits longest.
    let years = asked.day() as f64 / 365.0;
    let wait = if channel == "e-mail" { 150.0 } else { 25.0 };
    let replied = asked.minutes_later(5.0 + wait * (1.3 - 0.15 * years) * dice.skewed());
    let times = match dice.unit() {
        u if u < 0.66 + 0.03 * years => 1,
        u if u < 0.90 => 2,
        _ => 3,
    };
    let mut at = asked;
    let mut last = replied;
    for _ in 0..times {
        if !at.is_past() {
            break;
        }
        let contact = format!("K{:05}", contacts.rows + 1);
        contacts.row([&contact, &id, customer, &at.text(), channel]);
        last = last.max(at);
        at = at.days_later(dice.between(0.3, 3.0)).at_work();
    }
    let closed = last.minutes_later(20.0 + 300.0 * dice.skewed());
    let solved = dice.chance(0.9 - 0.06 * f64::from(times));
    let reached = |at: Moment| if at.is_past() { at.text() } else { String::new() };
    let word = match (closed.is_past(), solved) {
        (false, _) => "",
        (true, true) => "yes",
        (true, false) => "no",
    };
    tickets.row([&id, customer, channel, &asked.text(), &reached(replied), &reached(closed), word]);
    solved
}

fn survey(customer: &str, at: Moment, solved: bool, surveys: &mut Table, dice: &mut Dice) {
    let years = at.day() as f64 / 365.0;
    let mood = 0.68 + 0.03 * years - if solved { 0.0 } else { 0.25 };
    let mood = (mood + dice.between(-0.32, 0.42)).clamp(0.0, 1.0);
    // Questions are skipped, each for itself.
    let mut answer = |value: f64| if dice.chance(0.06) { String::new() } else { (value.round() as i64).to_string() };
    let (score, rating, effort) = (answer(mood * 10.0), answer(1.0 + mood * 4.0), answer(1.0 + (1.0 - mood) * 6.0));
    let id = format!("A{:05}", surveys.rows + 1);
    surveys.row([&id, customer, &at.text(), &score, &rating, &effort]);
}
