//! Percentiles of exact values.

use kepi_model::core::Measure;

/// How a percentile is taken: between the values, or as the least one that so many percent of all do not exceed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Percent {
    /// 0 to 100.
    pub(crate) percent: f64,
    /// Whether it is a value that occurs.
    pub(crate) observed: bool,
}

impl Percent {
    /// What a measure takes; any other than a percentile its median.
    pub(crate) fn of(measure: &Measure) -> Percent {
        match measure {
            Measure::Percentile { percent, observed, .. } => Percent { percent: *percent, observed: *observed },
            _ => Percent { percent: 50.0, observed: false },
        }
    }

    /// Where it lies among `count` sorted values: the lower neighbour's place and the way from it to the next.
    fn place(self, count: usize) -> (usize, f64) {
        if self.observed {
            // 95 percent of 20 are 19 values, whatever a product of floats says.
            let among = (self.percent.clamp(0.0, 100.0) * count as f64 / 100.0 - 1e-9).ceil() as usize;
            return (among.clamp(1, count) - 1, 0.0);
        }
        let rank = (self.percent / 100.0).clamp(0.0, 1.0) * (count - 1) as f64;
        let low = (rank.floor() as usize).min(count - 1);
        (low, rank - low as f64)
    }
}

/// The percentile of values in any order, which is changed: the lower neighbour, the upper, and how far between them it
/// lies. None of nothing.
pub(crate) fn neighbours(values: &mut [i64], percent: Percent) -> Option<(i64, i64, f64)> {
    if values.is_empty() {
        return None;
    }
    let (low, way) = percent.place(values.len());
    let (_, &mut lower, above) = values.select_nth_unstable(low);
    // The upper neighbour is the smallest of what lies above.
    let upper = if way > 0.0 { above.iter().min().copied().unwrap_or(lower) } else { lower };
    Some((lower, upper, way))
}

/// The same of values in order.
pub(crate) fn sorted_neighbours(values: &[i64], percent: Percent) -> Option<(i64, i64, f64)> {
    let last = values.len().checked_sub(1)?;
    let (low, way) = percent.place(values.len());
    Some((values[low], values[(low + 1).min(last)], way))
}

/// The same of values in several lists, each in order.
pub(crate) fn neighbours_of_sorted(lists: &[Vec<i64>], percent: Percent) -> Option<(i64, i64, f64)> {
    let count: usize = lists.iter().map(Vec::len).sum();
    if count <= lists.len() * GATHERED {
        return neighbours(&mut lists.concat(), percent);
    }
    let (low, way) = percent.place(count);
    let up_to = |value: i64| -> usize { lists.iter().map(|l| l.partition_point(|&v| v <= value)).sum() };
    // The least value that more than `low` do not exceed lies between these two, both included.
    let mut least = lists.iter().filter_map(|l| l.first()).min().copied()?;
    let mut most = lists.iter().filter_map(|l| l.last()).max().copied()?;
    while least < most {
        let middle = ((i128::from(least) + i128::from(most)) >> 1) as i64;
        if up_to(middle) > low {
            most = middle;
        } else {
            least = middle + 1;
        }
    }
    let behind = |list: &Vec<i64>| list.get(list.partition_point(|&v| v <= least)).copied();
    let upper = match way > 0.0 && up_to(least) <= low + 1 {
        true => lists.iter().filter_map(behind).min().unwrap_or(least),
        false => least,
    };
    Some((least, upper, way))
}

/// Up to so many values per list it is quicker to look at all of them than to search each list.
const GATHERED: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn between(percent: f64) -> Percent {
        Percent { percent, observed: false }
    }

    #[test]
    fn an_observed_percentile_is_the_least_that_so_many_do_not_exceed() {
        let of = |percent: f64, count: i64| {
            let found = neighbours(&mut (1..=count).rev().collect::<Vec<_>>(), Percent { percent, observed: true });
            found.map(|(low, _, way)| (low, way == 0.0))
        };
        let found = [of(50.0, 4), of(50.0, 5), of(95.0, 20), of(99.0, 5), of(0.0, 3), of(100.0, 3), of(99.9, 1000)];
        assert_eq!(found, [2, 3, 19, 5, 1, 3, 999].map(|value| Some((value, true))));
        assert_eq!(of(50.0, 0), None);
    }

    #[test]
    fn a_percentile_lies_between_its_neighbours() {
        assert_eq!(neighbours(&mut [40, 10, 30, 20], between(50.0)), Some((20, 30, 0.5)));
        assert_eq!(sorted_neighbours(&[10, 20, 30, 40], between(50.0)), Some((20, 30, 0.5)));
        assert_eq!(neighbours(&mut [5], between(95.0)), Some((5, 5, 0.0)));
        assert_eq!(neighbours(&mut [1, 2, 3], between(100.0)), Some((3, 3, 0.0)));
        assert_eq!(neighbours(&mut [], between(50.0)), None);
    }

    #[test]
    fn values_in_many_lists_have_the_percentiles_of_one() {
        let value = |i: i64| (i * 7_919) % 613 - 300;
        let lists: Vec<Vec<i64>> = (0..5)
            .map(|list| {
                let mut values: Vec<i64> = (0..700 * list).map(|i| value(i + list)).collect();
                values.sort_unstable();
                values
            })
            .collect();
        for percent in [0.0, 0.01, 12.5, 50.0, 77.7, 99.999, 100.0] {
            assert_eq!(
                neighbours_of_sorted(&lists, between(percent)),
                neighbours(&mut lists.concat(), between(percent))
            );
        }
        assert_eq!(neighbours_of_sorted(&[vec![], vec![4], vec![1, 9]], between(50.0)), Some((4, 4, 0.0)));
        assert_eq!(neighbours_of_sorted(&[vec![]], between(50.0)), None);
        let far = vec![i64::MIN; 300].into_iter().chain(vec![i64::MAX; 301]).collect();
        assert_eq!(neighbours_of_sorted(&[far], between(50.0)), Some((i64::MAX, i64::MAX, 0.0)));
    }
}
