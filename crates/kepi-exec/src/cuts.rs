//! Where time is cut for several threads.

use crate::Source;

/// What it costs to let a row go by, to what it costs to compute it.
const GOES_BY: f64 = 0.3;
/// Into so many times as many stretches as threads is time cut, to choose among the cuts.
const FINE: usize = 16;

/// Where to cut time, as shares of its rows, so that parts that have to see all that lies before them take equally long.
fn shares(parts: usize) -> Vec<f64> {
    let mut ends = vec![1.0];
    for _ in 1..parts {
        ends.push(1.0 + ends.last().copied().unwrap_or(0.0) * (1.0 - GOES_BY));
    }
    let all = ends.pop().unwrap_or(1.0);
    ends.into_iter().map(|end| end / all).collect()
}

/// The same for parts of which the first is computed while all but the first and the last go by, before all but the first
/// are computed side by side (`pass/in_turns.rs`): the first takes as long as another one to go by.
fn shares_in_turns(parts: usize) -> Vec<f64> {
    let all = parts as f64 - 1.0 + GOES_BY;
    (0..parts - 1).map(|before| (GOES_BY + before as f64) / all).collect()
}

impl Source {
    /// Moments of a stream that cut a time into up to `parts` stretches that take equally long. `past`: each of them has to
    /// see what lies before it, most of which only goes by.
    pub(crate) fn cuts(
        &self,
        stream: &str,
        (from, until): (Option<i64>, Option<i64>),
        parts: usize,
        past: bool,
    ) -> Vec<i64> {
        match past {
            false => self.scan.splits(stream, from, until, parts),
            true => self.cuts_at(stream, (from, until), &shares(parts)),
        }
    }

    /// The same for parts that are read in turns, at least two.
    pub(crate) fn cuts_in_turns(&self, stream: &str, until: i64, parts: usize) -> Vec<i64> {
        self.cuts_at(stream, (None, Some(until)), &shares_in_turns(parts))
    }

    /// Moments before which lie such shares of a stream's rows, about.
    fn cuts_at(&self, stream: &str, (from, until): (Option<i64>, Option<i64>), shares: &[f64]) -> Vec<i64> {
        let fine = self.scan.splits(stream, from, until, FINE * (shares.len() + 1));
        let cut = |share: &f64| fine.get(((share * (fine.len() + 1) as f64) as usize).saturating_sub(1)).copied();
        shares.iter().filter_map(cut).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_parts_are_shorter_where_they_see_the_past() {
        assert!(shares(1).is_empty());
        let ends: Vec<f64> = shares(3).into_iter().chain([1.0]).collect();
        let cost = |part: usize| {
            let begin = part.checked_sub(1).map_or(0.0, |before| ends[before]);
            begin * GOES_BY + ends[part] - begin
        };
        assert!((1..3).all(|part| (cost(part) - cost(0)).abs() < 1e-9), "{ends:?}");
    }

    #[test]
    fn in_turns_the_first_part_takes_as_long_as_others_to_go_by() {
        let ends: Vec<f64> = shares_in_turns(4).into_iter().chain([1.0]).collect();
        let length = |part: usize| ends[part] - ends[part - 1];
        assert!((2..4).all(|part| (length(part) - length(1)).abs() < 1e-9), "{ends:?}");
        assert!((ends[0] - GOES_BY * length(1)).abs() < 1e-9, "{ends:?}");
    }
}
