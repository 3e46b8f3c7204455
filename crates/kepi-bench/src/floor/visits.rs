//! Plain passes over visits: distinct visitors of the last days, and three steps in a row.

use super::Floor;
use crate::answer::Answer;
use crate::civil::{DAY, date_text};
use crate::shop::{END_DAY, FIRST_DAY};

const NEVER: i64 = i64::MIN;
const DAYS: i64 = 28;
const WITHIN: i64 = 7 * DAY;

impl Floor {
    /// Per day, how many customers visited in it or in the 27 days before; none: there are no visits here.
    pub(super) fn recent_visitors(&self) -> Option<Answer> {
        if self.visits.at.is_empty() {
            return None;
        }
        let days = (END_DAY - FIRST_DAY) as usize;
        // A visit counts for 28 days, of which those that an earlier visit has covered count already.
        let mut covered = vec![0u16; self.customers];
        let mut changes = vec![0i32; days + DAYS as usize + 1];
        for (at, customer) in self.visits.at.iter().zip(&self.visits.customer) {
            let day = (at / DAY - FIRST_DAY) as u16;
            let covered = &mut covered[*customer as usize];
            let end = day + DAYS as u16;
            if *covered < end {
                changes[usize::from(day.max(*covered))] += 1;
                changes[usize::from(end)] -= 1;
                *covered = end;
            }
        }
        let mut visitors = 0;
        Some(Answer::new(changes.iter().take(days).enumerate().map(|(day, change)| {
            visitors += change;
            (vec![date_text((FIRST_DAY + day as i64) * DAY)], Some(f64::from(visitors)))
        })))
    }

    /// Of those who joined by a channel, how many saw a page and then bought, all within a week; none: there are no
    /// visits or signups here.
    pub(super) fn three_steps(&self) -> Option<Answer> {
        let page = self.visits.pages.iter().position(|page| page == "/page/03")? as u8;
        let channels = self.signups.channels.len();
        let mut joined = vec![NEVER; self.customers];
        let mut channel = vec![0u8; self.customers];
        let mut counts = vec![[0u32; 3]; channels];
        for row in 0..self.signups.at.len() {
            let customer = self.signups.customer[row] as usize;
            (joined[customer], channel[customer]) = (self.signups.at[row], self.signups.channel[row]);
            counts[usize::from(self.signups.channel[row])][0] += 1;
        }
        let in_time = |customer: usize, at: i64| joined[customer] != NEVER && at <= joined[customer] + WITHIN;
        let mut seen = vec![NEVER; self.customers];
        for row in 0..self.visits.at.len() {
            let (customer, at) = (self.visits.customer[row] as usize, self.visits.at[row]);
            if self.visits.page[row] == page
                && seen[customer] == NEVER
                && at >= joined[customer]
                && in_time(customer, at)
            {
                seen[customer] = at;
                counts[usize::from(channel[customer])][1] += 1;
            }
        }
        let mut bought = vec![false; self.customers];
        for (at, customer) in self.at.iter().zip(&self.customer) {
            let customer = *customer as usize;
            if seen[customer] != NEVER && *at >= seen[customer] && in_time(customer, *at) && !bought[customer] {
                bought[customer] = true;
                counts[usize::from(channel[customer])][2] += 1;
            }
        }
        let steps = ["signups", "visits where page = \"/page/03\"", "purchases"];
        Some(Answer::new(self.signups.channels.iter().zip(counts).flat_map(|(channel, counts)| {
            let row = |(step, count): (&str, u32)| (vec![channel.clone(), step.to_string()], Some(f64::from(count)));
            steps.into_iter().zip(counts).map(row).collect::<Vec<_>>()
        })))
    }
}
