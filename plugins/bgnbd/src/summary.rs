//! A customer's purchases in four numbers, as both models want them.

const DAY: i64 = 86_400_000_000;
/// Times are in weeks, as in the papers.
const DAYS_OF_A_WEEK: f64 = 7.0;

/// What is known of a customer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// On how many days they bought again.
    pub repeats: f64,
    /// Weeks from the first day to the last one on which they bought.
    pub recency: f64,
    /// Weeks from the first day on which they bought to the end of the window.
    pub age: f64,
    /// What a repeat day brought on average; 0 without repeats.
    pub amount: f64,
}

/// Sums rows in the order of time up to one summary per customer. `amounts` may be empty: then they are 0.
pub fn summaries(customers: &[u32], count: usize, at: &[i64], amounts: &[f64], now: i64) -> Vec<Summary> {
    struct Seen {
        first: i64,
        last: i64,
        days: u32,
        repeat_amount: f64,
    }
    // The window's end is open: its last day is that of the instant before.
    let end = (now - 1).div_euclid(DAY);
    let mut seen: Vec<Option<Seen>> = (0..count).map(|_| None).collect();
    for (row, &customer) in customers.iter().enumerate() {
        let day = at[row].div_euclid(DAY);
        let amount = amounts.get(row).copied().unwrap_or_default();
        match &mut seen[customer as usize] {
            slot @ None => *slot = Some(Seen { first: day, last: day, days: 1, repeat_amount: 0.0 }),
            Some(seen) => {
                if day > seen.last {
                    seen.days += 1;
                    seen.last = day;
                }
                if day > seen.first {
                    seen.repeat_amount += amount;
                }
            }
        }
    }
    let weeks = |days: i64| days as f64 / DAYS_OF_A_WEEK;
    let summary = |seen: Option<Seen>| {
        seen.map_or(Summary::default(), |s| {
            let repeats = f64::from(s.days - 1);
            let amount = if repeats > 0.0 { s.repeat_amount / repeats } else { 0.0 };
            Summary { repeats, recency: weeks(s.last - s.first), age: weeks(end.max(s.last) - s.first), amount }
        })
    };
    seen.into_iter().map(summary).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Lifetimes' tests, in days instead of weeks.
    #[test]
    fn frequency_recency_age_and_money() {
        let day = |d: i64| d * DAY + 12 * 3_600_000_000;
        let rows: [(u32, i64, f64); 13] = [
            (0, 0, 1.0),
            (1, 0, 2.0),
            (2, 0, 3.0),
            (2, 1, 1.0),
            (2, 4, 5.0),
            (3, 15, 6.0),
            (4, 15, 3.0),
            (4, 16, 1.0),
            (4, 17, 8.0),
            (3, 32, 3.0),
            (5, 32, 5.0),
            (3, 35, 3.0),
            (0, 36, 2.0),
        ];
        let customers: Vec<u32> = rows.iter().map(|r| r.0).collect();
        let at: Vec<i64> = rows.iter().map(|r| day(r.1)).collect();
        let amounts: Vec<f64> = rows.iter().map(|r| r.2).collect();
        let got = summaries(&customers, 6, &at, &amounts, 38 * DAY);
        let wanted = [
            (1.0, 36.0, 37.0, 2.0),
            (0.0, 0.0, 37.0, 0.0),
            (2.0, 4.0, 37.0, 3.0),
            (2.0, 20.0, 22.0, 3.0),
            (2.0, 2.0, 22.0, 4.5),
            (0.0, 0.0, 5.0, 0.0),
        ];
        for (got, (repeats, recency, age, amount)) in got.iter().zip(wanted) {
            let wanted = Summary { repeats, recency: recency / 7.0, age: age / 7.0, amount };
            assert_eq!(*got, wanted);
        }
    }

    #[test]
    fn two_purchases_of_a_day_are_one() {
        let got = summaries(&[0, 0, 0], 1, &[0, 3_600_000_000, DAY * 7], &[5.0, 6.0, 7.0], DAY * 14);
        assert_eq!(got, [Summary { repeats: 1.0, recency: 1.0, age: 13.0 / 7.0, amount: 7.0 }]);
    }
}
