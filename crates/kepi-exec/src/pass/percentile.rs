//! Percentiles of exact values.

/// Where a percentile of `count` sorted values lies: the lower neighbour's place and the way from it to the next.
fn place(count: usize, percent: f64) -> (usize, f64) {
    let rank = (percent / 100.0).clamp(0.0, 1.0) * (count - 1) as f64;
    let low = (rank.floor() as usize).min(count - 1);
    (low, rank - low as f64)
}

/// The percentile of values in any order, which is changed: the lower neighbour, the upper, and how far between them it
/// lies. None of nothing.
pub(crate) fn neighbours(values: &mut [i64], percent: f64) -> Option<(i64, i64, f64)> {
    if values.is_empty() {
        return None;
    }
    let (low, way) = place(values.len(), percent);
    let (_, &mut lower, above) = values.select_nth_unstable(low);
    // The upper neighbour is the smallest of what lies above.
    let upper = if way > 0.0 { above.iter().min().copied().unwrap_or(lower) } else { lower };
    Some((lower, upper, way))
}

/// The same of values in order.
pub(crate) fn sorted_neighbours(values: &[i64], percent: f64) -> Option<(i64, i64, f64)> {
    let last = values.len().checked_sub(1)?;
    let (low, way) = place(values.len(), percent);
    Some((values[low], values[(low + 1).min(last)], way))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_lies_between_its_neighbours() {
        assert_eq!(neighbours(&mut [40, 10, 30, 20], 50.0), Some((20, 30, 0.5)));
        assert_eq!(sorted_neighbours(&[10, 20, 30, 40], 50.0), Some((20, 30, 0.5)));
        assert_eq!(neighbours(&mut [5], 95.0), Some((5, 5, 0.0)));
        assert_eq!(neighbours(&mut [1, 2, 3], 100.0), Some((3, 3, 0.0)));
        assert_eq!(neighbours(&mut [], 50.0), None);
    }
}
