//! Plain passes over what each customer has done: retention by month, and churn.

use super::Floor;
use crate::answer::Answer;
use crate::civil::{DAY, date_text, year_later};
use crate::shop::{END, END_DAY, FIRST_DAY};

const NEVER: i64 = i64::MIN;

impl Floor {
    /// Of those whose first purchase was in a month, how many bought in the month n behind it: by cohort and n the
    /// cohort's size, how many came back, and their share.
    pub(super) fn retention(&self) -> Answer {
        let months = self.month_starts.len();
        let (mut first, mut last) = (vec![u8::MAX; self.customers], vec![u8::MAX; self.customers]);
        let mut counts = vec![0u32; months * months];
        for (at, customer) in self.at.iter().zip(&self.customer) {
            let (month, customer) = (self.month(*at), *customer as usize);
            if first[customer] == u8::MAX {
                first[customer] = month as u8;
            }
            if usize::from(last[customer]) != month {
                last[customer] = month as u8;
                let cohort = usize::from(first[customer]);
                counts[cohort * months + month - cohort] += 1;
            }
        }
        let mut rows = Vec::new();
        for cohort in 0..months {
            let size = f64::from(counts[cohort * months]);
            for age in 0..months - cohort {
                let back = f64::from(counts[cohort * months + age]);
                let keys = vec![date_text(self.month_starts[cohort]), age.to_string()];
                rows.push((keys, vec![Some(size), Some(back), (size > 0.0).then(|| back / size)]));
            }
        }
        Answer::of_rows(2, rows)
    }

    /// Of the customers at a month's beginning, the share whose last purchase was twelve months ago in it.
    pub(super) fn churn(&self) -> Answer {
        let months = self.month_starts.len();
        let mut stop = vec![NEVER; self.customers];
        let (mut started, mut ended) = (vec![0i64; months], vec![0i64; months]);
        let year_behind: Vec<i64> = (FIRST_DAY..END_DAY).map(|day| year_later(day * DAY) - day * DAY).collect();
        for (at, customer) in self.at.iter().zip(&self.customer) {
            let stop = &mut stop[*customer as usize];
            if *stop < *at {
                started[self.month(*at)] += 1;
                if *stop != NEVER {
                    ended[self.month(*stop)] += 1;
                }
            }
            *stop = *at + year_behind[(*at / DAY - FIRST_DAY) as usize];
        }
        for stop in stop.into_iter().filter(|stop| *stop != NEVER && *stop < END) {
            ended[self.month(stop)] += 1;
        }
        let mut opening = 0;
        let rates = started.iter().zip(&ended).map(|(started, ended)| {
            let rate = (opening > 0).then(|| *ended as f64 / opening as f64);
            opening += started - ended;
            rate
        });
        let rates: Vec<Option<f64>> = rates.collect();
        Answer::new(self.month_starts.iter().zip(rates).map(|(start, rate)| (vec![date_text(*start)], rate)))
    }
}
