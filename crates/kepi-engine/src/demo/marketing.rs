//! Campaigns, what was spent on them, and the mails they sent.

use super::dice::Dice;
use super::moment::{Moment, date, days, growth};
use super::sales::Person;
use super::table::{Table, money};

/// Key, name, what it is for, and EUR a month at the beginning.
const CAMPAIGNS: &[(&str, &str, &str, f64)] = &[
    ("search", "Search advertising", "marketing", 7_400.0),
    ("social", "Social media", "marketing", 5_200.0),
    ("webinars", "Webinars", "marketing", 1_900.0),
    ("fair", "Trade fairs", "marketing", 4_300.0),
    ("newsletter", "Newsletter", "marketing", 600.0),
    ("partners", "Partner programme", "sales", 3_100.0),
    ("calls", "Cold calls", "sales", 4_600.0),
    ("loyalty", "Loyalty programme", "retention", 2_200.0),
    ("winback", "Win-back offer", "retention", 900.0),
];

/// Plays the marketing department.
pub(super) fn play(people: &[Person]) -> Vec<Table> {
    let mut campaigns = Table::new("campaigns.csv", "campaign,name,kind");
    for (key, name, kind, _) in CAMPAIGNS {
        campaigns.row([key, name, kind]);
    }
    vec![campaigns, spend(), emails(people)]
}

/// Each campaign is paid in the middle of the month; fairs are in March and September.
fn spend() -> Table {
    let mut dice = Dice::new(3);
    let mut spend = Table::new("spend.csv", "invoice,campaign,booked,amount");
    for day in (0..days()).filter(|&day| date(day).day() == 15) {
        for (key, _, _, base) in CAMPAIGNS {
            let fair = match (*key, date(day).month()) {
                ("fair", 3 | 9) => 4.5,
                ("fair", _) => 0.3,
                _ => 1.0,
            };
            let amount = base * fair * (0.4 + 0.6 * growth(day)) * dice.between(0.85, 1.15);
            let invoice = format!("I{:04}", spend.rows + 1);
            spend.row([&invoice, key, &date(day).to_string(), &money(amount)]);
        }
    }
    spend
}

/// A newsletter on the first Tuesday of the month, a win-back offer on the third; a row per mail and person.
fn emails(people: &[Person]) -> Table {
    let mut dice = Dice::new(4);
    let mut emails = Table::new("emails.csv", "message,customer,campaign,sent,delivered,opened,clicked,unsubscribed");
    for day in 0..days() {
        let date = date(day);
        let campaign = match (date.weekday().to_monday_one_offset(), (date.day() - 1) / 7) {
            (2, 0) => "newsletter",
            (2, 2) => "winback",
            _ => continue,
        };
        let sent = Moment::on(day, 10 * 60);
        let known = people.partition_point(|person| person.created < sent);
        let share = if campaign == "newsletter" { 0.09 } else { 0.03 };
        for person in &people[..known] {
            if !dice.chance(share) {
                continue;
            }
            let (mut times, mut at) = ([const { String::new() }; 4], sent);
            let interest = if campaign == "newsletter" { 0.36 } else { 0.27 };
            // Delivered, opened, clicked, unsubscribed: each only after the one before, the last rarely.
            for (step, chance) in [0.972, interest, 0.17, 0.03].into_iter().enumerate() {
                if !dice.chance(chance) {
                    break;
                }
                at = at.minutes_later(if step == 0 { 1.0 } else { 2.0 + 120.0 * dice.skewed() });
                if at.is_past() {
                    times[step] = at.text();
                }
            }
            let message = format!("M{:05}", emails.rows + 1);
            let [delivered, opened, clicked, left] = &times;
            emails.row([&message, &person.id, campaign, &sent.text(), delivered, opened, clicked, left]);
        }
    }
    emails
}
