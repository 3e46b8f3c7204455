//! The floor: what the same answers cost as single passes over plain arrays, without any library, on one thread.
//!
//! Rows come in the order of time, customers are dense numbers, labels are small codes; that is all the passes use.

mod people;
mod visits;

use crate::answer::Answer;
use crate::civil::{DAY, date_of, date_text, year_later};
use crate::error::BenchError;
use crate::shop::{END_DAY, FIRST_DAY};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

const NEVER: i64 = i64::MIN;

/// Purchases, visits and signups as plain arrays in the order of time.
#[derive(Debug, Default)]
pub struct Floor {
    at: Vec<i64>,
    customer: Vec<u32>,
    country: Vec<u8>,
    channel: Vec<u8>,
    /// Cents.
    amount: Vec<i64>,
    customers: usize,
    countries: Vec<String>,
    channels: Vec<String>,
    /// The month of each day, counted from the first.
    months: Vec<u8>,
    month_starts: Vec<i64>,
    visits: Visits,
    signups: Signups,
}

/// The visits.
#[derive(Debug, Default)]
struct Visits {
    at: Vec<i64>,
    customer: Vec<u32>,
    page: Vec<u8>,
    pages: Vec<String>,
}

/// The signups.
#[derive(Debug, Default)]
struct Signups {
    at: Vec<i64>,
    customer: Vec<u32>,
    channel: Vec<u8>,
    channels: Vec<String>,
}

impl Floor {
    /// Reads `data/purchases.parquet` of a generated project, and visits and signups where they are there. None of this
    /// is timed.
    pub fn read(folder: &Path) -> Result<Floor, BenchError> {
        let mut floor = Floor::default();
        for day in FIRST_DAY..END_DAY {
            if date_of(day).2 == 1 {
                floor.month_starts.push(day * DAY);
            }
            floor.months.push((floor.month_starts.len() - 1) as u8);
        }
        let mut customers = Codes::default();
        let (mut countries, mut channels) = (Codes::default(), Codes::default());
        each_batch(folder, "purchases", |batch| {
            times(batch, "bought", &mut floor.at)?;
            let amounts = column(batch, "amount")?.as_primitive::<Decimal128Type>();
            floor.amount.extend(amounts.values().iter().map(|cents| *cents as i64));
            customers.take(column(batch, "customer")?, |code| floor.customer.push(code));
            countries.take(column(batch, "country")?, |code| floor.country.push(code as u8));
            channels.take(column(batch, "channel")?, |code| floor.channel.push(code as u8));
            Ok(())
        })?;
        (floor.countries, floor.channels) = (countries.texts, channels.texts);
        if folder.join("data").join("visits.parquet").is_file() {
            let (visits, mut pages) = (&mut floor.visits, Codes::default());
            each_batch(folder, "visits", |batch| {
                times(batch, "visited", &mut visits.at)?;
                customers.take(column(batch, "customer")?, |code| visits.customer.push(code));
                pages.take(column(batch, "page")?, |code| visits.page.push(code as u8));
                Ok(())
            })?;
            visits.pages = pages.texts;
        }
        if folder.join("data").join("signups.parquet").is_file() {
            let (signups, mut channels) = (&mut floor.signups, Codes::default());
            each_batch(folder, "signups", |batch| {
                times(batch, "joined", &mut signups.at)?;
                customers.take(column(batch, "customer")?, |code| signups.customer.push(code));
                channels.take(column(batch, "channel")?, |code| signups.channel.push(code as u8));
                Ok(())
            })?;
            signups.channels = channels.texts;
        }
        for times in [&floor.at, &floor.visits.at, &floor.signups.at] {
            if !times.is_sorted() {
                return Err(BenchError::Data("a file is not in the order of time".to_string()));
            }
        }
        floor.customers = customers.texts.len();
        Ok(floor)
    }

    /// How many purchases there are.
    pub fn rows(&self) -> u64 {
        self.at.len() as u64
    }

    /// Answers the question of this title; none: there is no pass for it.
    pub fn ask(&self, title: &str) -> Option<Answer> {
        match title {
            "revenue per month" => Some(self.revenue()),
            "revenue per month by country and channel" => Some(self.revenue_by_country_and_channel()),
            "distinct buyers per month" => Some(self.buyers()),
            "new customers per month by country" => Some(self.new_customers_by_country()),
            "first-year revenue ÷ new customers per month" => Some(self.first_year_value()),
            "share of repeat purchases per month" => Some(self.repeat_share()),
            "retention by month: back in month n" => Some(self.retention()),
            "churn rate per month" => Some(self.churn()),
            "distinct visitors of 28 days, per day" => self.recent_visitors(),
            "three steps within 7 days of joining, by channel" => self.three_steps(),
            _ => None,
        }
    }

    #[inline]
    fn month(&self, at: i64) -> usize {
        usize::from(self.months[(at / DAY - FIRST_DAY) as usize])
    }

    fn per_month(&self, value: impl Fn(usize) -> f64) -> Answer {
        let cell = |(month, start): (usize, &i64)| (vec![date_text(*start)], Some(value(month)));
        Answer::new(self.month_starts.iter().enumerate().map(cell))
    }

    fn revenue(&self) -> Answer {
        let mut sums = vec![0i64; self.month_starts.len()];
        for (at, amount) in self.at.iter().zip(&self.amount) {
            sums[self.month(*at)] += amount;
        }
        self.per_month(|month| sums[month] as f64 / 100.0)
    }

    fn revenue_by_country_and_channel(&self) -> Answer {
        let (countries, channels) = (self.countries.len(), self.channels.len());
        let mut sums = vec![0i64; self.month_starts.len() * countries * channels];
        for row in 0..self.at.len() {
            let label = usize::from(self.country[row]) * channels + usize::from(self.channel[row]);
            sums[self.month(self.at[row]) * countries * channels + label] += self.amount[row];
        }
        Answer::new(sums.iter().enumerate().map(|(cell, sum)| {
            let (month, label) = (cell / (countries * channels), cell % (countries * channels));
            let (country, channel) = (&self.countries[label / channels], &self.channels[label % channels]);
            let keys = vec![date_text(self.month_starts[month]), country.clone(), channel.clone()];
            (keys, Some(*sum as f64 / 100.0))
        }))
    }

    fn buyers(&self) -> Answer {
        // Time only goes on: a customer is new to a month when it is not the one they were last seen in.
        let mut last = vec![u8::MAX; self.customers];
        let mut counts = vec![0u32; self.month_starts.len()];
        for (at, customer) in self.at.iter().zip(&self.customer) {
            let month = self.month(*at);
            let last = &mut last[*customer as usize];
            counts[month] += u32::from(usize::from(*last) != month);
            *last = month as u8;
        }
        self.per_month(|month| f64::from(counts[month]))
    }

    fn new_customers_by_country(&self) -> Answer {
        let countries = self.countries.len();
        let mut seen = vec![false; self.customers];
        let mut counts = vec![0u32; self.month_starts.len() * countries];
        for row in 0..self.at.len() {
            let seen = &mut seen[self.customer[row] as usize];
            if !*seen {
                *seen = true;
                counts[self.month(self.at[row]) * countries + usize::from(self.country[row])] += 1;
            }
        }
        Answer::new(counts.iter().enumerate().map(|(cell, count)| {
            let keys = vec![date_text(self.month_starts[cell / countries]), self.countries[cell % countries].clone()];
            (keys, Some(f64::from(*count)))
        }))
    }

    fn first_year_value(&self) -> Answer {
        let mut first_year_ends = vec![NEVER; self.customers];
        let mut revenue = vec![0i64; self.month_starts.len()];
        let mut acquired = vec![0i64; self.month_starts.len()];
        // How much longer than its date's year each year is, by day: a table instead of a calendar per customer.
        let year_behind: Vec<i64> = (FIRST_DAY..END_DAY).map(|day| year_later(day * DAY) - day * DAY).collect();
        for row in 0..self.at.len() {
            let at = self.at[row];
            let month = self.month(at);
            let end = &mut first_year_ends[self.customer[row] as usize];
            if *end == NEVER {
                *end = at + year_behind[(at / DAY - FIRST_DAY) as usize];
                acquired[month] += 1;
            }
            revenue[month] += if at < *end { self.amount[row] } else { 0 };
        }
        self.per_month(|month| revenue[month] as f64 / 100.0 / acquired[month].max(1) as f64)
    }

    fn repeat_share(&self) -> Answer {
        let mut seen = vec![false; self.customers];
        let mut counts = vec![(0u32, 0u32); self.month_starts.len()];
        for (at, customer) in self.at.iter().zip(&self.customer) {
            let seen = &mut seen[*customer as usize];
            let (repeated, all) = &mut counts[self.month(*at)];
            *repeated += u32::from(*seen);
            *all += 1;
            *seen = true;
        }
        self.per_month(|month| f64::from(counts[month].0) / f64::from(counts[month].1.max(1)))
    }
}

/// Texts as numbers, in the order in which they are first seen.
#[derive(Default)]
struct Codes {
    known: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Codes {
    fn take(&mut self, column: &ArrayRef, mut put: impl FnMut(u32)) {
        let column = column.as_string::<i32>();
        for row in 0..column.len() {
            let text = column.value(row);
            let code = match self.known.get(text) {
                Some(code) => *code,
                None => {
                    let code = self.texts.len() as u32;
                    self.known.insert(text.to_string(), code);
                    self.texts.push(text.to_string());
                    code
                }
            };
            put(code);
        }
    }
}

/// Calls for each batch of a stream's Parquet file.
fn each_batch(
    folder: &Path,
    stream: &str,
    mut take: impl FnMut(&RecordBatch) -> Result<(), BenchError>,
) -> Result<(), BenchError> {
    let path = folder.join("data").join(format!("{stream}.parquet"));
    let file = File::open(&path).map_err(BenchError::io(&path))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|builder| builder.with_batch_size(65_536).build())
        .map_err(BenchError::parquet(&path))?;
    for batch in reader {
        take(&batch.map_err(BenchError::parquet(&path))?)?;
    }
    Ok(())
}

fn times(batch: &RecordBatch, name: &str, into: &mut Vec<i64>) -> Result<(), BenchError> {
    into.extend_from_slice(column(batch, name)?.as_primitive::<TimestampMicrosecondType>().values());
    Ok(())
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, BenchError> {
    batch.column_by_name(name).ok_or_else(|| BenchError::Data(format!("a file has no column `{name}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_plain_questions() {
        let floor = Floor::default();
        for question in crate::FAMILIES[0].questions {
            assert!(floor.ask(question.title).is_some(), "{}", question.title);
        }
    }
}
