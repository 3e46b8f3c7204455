//! The streams, row by row in the order of time: signups, visits, purchases, surveys, spend, and the rates of a currency.

use crate::civil::{DAY, SECOND, date_of, day_of};
use crate::dice::Dice;
use crate::error::BenchError;
use crate::shop::{CHANNELS, COUNTRIES, Customer, END, END_DAY, FIRST_DAY, PLANS, Shop, time_of_day};
use crate::table::{Format, Kind, TableWriter};
use std::path::Path;

/// The streams by name, which is also the name of their files.
pub const STREAMS: [&str; 6] = ["signups", "visits", "purchases", "surveys", "spend", "rates"];

/// Writes a stream; gives its number of rows.
pub(crate) fn write(
    stream: &str,
    shop: &Shop,
    customers: u32,
    folder: &Path,
    formats: &[Format],
) -> Result<u64, BenchError> {
    let table = |columns: &[(&str, Kind)]| TableWriter::create(folder, stream, columns, formats);
    match stream {
        "signups" => signups(shop, customers, table(&SIGNUPS)?),
        "visits" => visits(shop, customers, table(&VISITS)?),
        "purchases" => purchases(shop, customers, table(&PURCHASES)?),
        "surveys" => surveys(shop, customers, table(&SURVEYS)?),
        "spend" => spend(shop, table(&SPEND)?),
        "rates" => rates(shop, table(&RATES)?),
        other => Err(BenchError::Data(format!("there is no stream `{other}`: there are {}", STREAMS.join(", ")))),
    }
}

const SIGNUPS: [(&str, Kind); 5] = [
    ("customer", Kind::Text),
    ("joined", Kind::Time),
    ("channel", Kind::Text),
    ("country", Kind::Text),
    ("plan", Kind::Text),
];

fn signups(shop: &Shop, customers: u32, mut table: TableWriter) -> Result<u64, BenchError> {
    let mut rows: Vec<(i64, u32)> = (0..customers).map(|n| (shop.customer(n).joined, n)).collect();
    rows.sort_unstable();
    for (joined, number) in rows {
        let customer = shop.customer(number);
        table.text(&Customer::key(number));
        table.time(joined);
        table.text(CHANNELS[usize::from(customer.channel)]);
        table.text(COUNTRIES[usize::from(customer.country)]);
        table.text(PLANS[usize::from(customer.plan)]);
        table.end_row()?;
    }
    table.close()
}

const VISITS: [(&str, Kind); 3] = [("visited", Kind::Time), ("customer", Kind::Text), ("page", Kind::Text)];

/// Customers come in sessions of a few pages; most sessions are in the weeks behind joining.
fn visits(shop: &Shop, customers: u32, mut table: TableWriter) -> Result<u64, BenchError> {
    let mut rows: Vec<(i64, u32, u8)> = Vec::new();
    for number in 0..customers {
        let customer = shop.customer(number);
        let mut dice = Dice::new(shop.seed, 2, u64::from(number));
        let sessions = match customer.class {
            0 => 1 + dice.below(5),
            1 => 3 + dice.below(12),
            2 => 8 + dice.below(25),
            _ => 25 + dice.below(90),
        };
        let life = (END - customer.joined) as f64 * (0.15 + 0.85 * dice.unit());
        for _ in 0..sessions {
            let mut at = customer.joined + whole_seconds(life * dice.unit() * dice.unit());
            for _ in 0..1 + dice.below(6) {
                if at < END {
                    rows.push((at, number, shop.pages.draw(&mut dice) as u8));
                }
                at += (1.0 + 40.0 * dice.skewed()) as i64 * SECOND;
            }
        }
    }
    rows.sort_unstable();
    for (at, number, page) in rows {
        table.time(at);
        table.text(&Customer::key(number));
        table.text(&format!("/page/{page:02}"));
        table.end_row()?;
    }
    table.close()
}

const PURCHASES: [(&str, Kind); 8] = [
    ("purchase", Kind::Number),
    ("bought", Kind::Time),
    ("customer", Kind::Text),
    ("product", Kind::Text),
    ("amount", Kind::Money),
    ("cost", Kind::Money),
    ("channel", Kind::Text),
    ("country", Kind::Text),
];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Purchase {
    at: i64,
    customer: u32,
    product: u8,
    channel: u8,
    country: u8,
    /// Cents.
    amount: i64,
    cost: i64,
}

fn purchases(shop: &Shop, customers: u32, mut table: TableWriter) -> Result<u64, BenchError> {
    let mut rows: Vec<Purchase> = Vec::new();
    for number in 0..customers {
        buy(shop, &shop.customer(number), &mut rows);
    }
    rows.sort_unstable();
    for (place, row) in rows.iter().enumerate() {
        table.number(place as i64 + 1);
        table.time(row.at);
        table.text(&Customer::key(row.customer));
        table.text(&format!("P{:03}", row.product));
        table.money(row.amount);
        table.money(row.cost);
        table.text(CHANNELS[usize::from(row.channel)]);
        table.text(COUNTRIES[usize::from(row.country)]);
        table.end_row()?;
    }
    table.close()
}

/// What a customer buys: 15 % never anything, a few hundreds of times.
fn buy(shop: &Shop, customer: &Customer, rows: &mut Vec<Purchase>) {
    let mut dice = Dice::new(shop.seed, 3, u64::from(customer.number));
    if dice.percent(15) {
        return;
    }
    let count = match customer.class {
        0 => 1 + dice.below(5),
        1 => 3 + dice.below(14),
        2 => 10 + dice.below(31),
        _ => 40 + dice.below(111),
    };
    let wait = if dice.percent(40) { dice.unit() * 0.02 } else { dice.skewed() * 9.0 };
    let first = customer.joined + whole_seconds(wait * DAY as f64);
    if first >= END {
        return;
    }
    let life = (END - first) as f64 * (0.15 + 0.85 * dice.unit());
    let mut at = first;
    for n in 0..count {
        if n > 0 {
            // Some come back within the hour; others are spread over their time here, more of them at its beginning.
            at = if dice.percent(6) {
                at + (60 + dice.below(3_540) as i64) * SECOND
            } else {
                let day = (first + whole_seconds(life * dice.unit() * (0.3 + 0.7 * dice.unit()))) / DAY * DAY;
                in_november(day, &mut dice).max(first - first.rem_euclid(DAY) + DAY) + time_of_day(&mut dice)
            };
            if at >= END {
                continue;
            }
        }
        let product = shop.products.draw(&mut dice);
        let pieces = if dice.percent(75) { 1 } else { 1 + dice.below(5) as i64 };
        let bulk = if dice.percent(1) { 10 + dice.below(30) as i64 } else { 1 };
        let amount = shop.prices[product] * pieces * bulk * (80 + dice.below(21) as i64) / 100;
        let cost = amount * (35 + dice.below(45) as i64) / 100;
        let channel = if dice.percent(70) { customer.channel } else { shop.channels.draw(&mut dice) as u8 };
        rows.push(Purchase {
            at,
            customer: customer.number,
            product: product as u8,
            channel,
            country: customer.country,
            amount,
            cost,
        });
    }
}

/// Some days become one of the last week of that year's November.
fn in_november(day: i64, dice: &mut Dice) -> i64 {
    if !dice.percent(5) {
        return day;
    }
    let (year, _, _) = date_of(day.div_euclid(DAY));
    day_of(year, 11, 24 + dice.below(7) as i64) * DAY
}

const SURVEYS: [(&str, Kind); 4] =
    [("survey", Kind::Number), ("answered", Kind::Time), ("customer", Kind::Text), ("score", Kind::Number)];

fn surveys(shop: &Shop, customers: u32, mut table: TableWriter) -> Result<u64, BenchError> {
    let scores = crate::dice::Weights::new([3, 1, 2, 2, 2, 6, 8, 14, 24, 20, 18]);
    let mut rows: Vec<(i64, u32, u8)> = Vec::new();
    for number in 0..customers {
        let customer = shop.customer(number);
        let mut dice = Dice::new(shop.seed, 4, u64::from(number));
        for _ in 0..dice.below(3) {
            let at = customer.joined + whole_seconds((END - customer.joined) as f64 * dice.unit());
            rows.push((at, number, scores.draw(&mut dice) as u8));
        }
    }
    rows.sort_unstable();
    for (place, (at, number, score)) in rows.into_iter().enumerate() {
        table.number(place as i64 + 1);
        table.time(at);
        table.text(&Customer::key(number));
        table.number(i64::from(score));
        table.end_row()?;
    }
    table.close()
}

const SPEND: [(&str, Kind); 3] = [("booked", Kind::Time), ("channel", Kind::Text), ("amount", Kind::Money)];

/// A few invoices per day and channel, whatever the scale.
fn spend(shop: &Shop, mut table: TableWriter) -> Result<u64, BenchError> {
    let mut dice = Dice::new(shop.seed, 5, 0);
    for day in FIRST_DAY..END_DAY {
        for (rank, channel) in CHANNELS.iter().enumerate() {
            for invoice in 0..1 + dice.below(3) as i64 {
                table.time(day * DAY + (6 + invoice) * 3_600 * SECOND);
                table.text(channel);
                table.money((200_000.0 * dice.skewed()) as i64 / (rank as i64 + 1));
                table.end_row()?;
            }
        }
    }
    table.close()
}

const RATES: [(&str, Kind); 4] =
    [("day", Kind::Time), ("base", Kind::Text), ("quote", Kind::Text), ("rate", Kind::Money)];

/// Dollars for a euro, a rate a day with two decimals.
fn rates(shop: &Shop, mut table: TableWriter) -> Result<u64, BenchError> {
    let mut dice = Dice::new(shop.seed, 6, 0);
    for day in FIRST_DAY..END_DAY {
        table.time(day * DAY);
        table.text("EUR");
        table.text("USD");
        table.money(100 + dice.below(15) as i64);
        table.end_row()?;
    }
    table.close()
}

fn whole_seconds(micros: f64) -> i64 {
    micros as i64 / SECOND * SECOND
}
