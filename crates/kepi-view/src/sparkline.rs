//! A series as one line of blocks.

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws a series, a character per value: the smallest is `▁`, the largest `█`, a missing value `·`. A series
/// without differences is drawn in the middle.
pub fn sparkline(values: &[Option<f64>]) -> String {
    let known = || values.iter().flatten().copied().filter(|x| x.is_finite());
    let low = known().fold(f64::INFINITY, f64::min);
    let high = known().fold(f64::NEG_INFINITY, f64::max);
    let height = |x: f64| {
        let share = if high > low { (x - low) / (high - low) } else { 0.5 };
        // In 0..=7: the share lies in 0..=1, and a difference beyond the floats gives NaN, which casts to 0.
        BLOCKS[((share * 7.0).round() as usize).min(7)]
    };
    values.iter().map(|x| x.filter(|x| x.is_finite()).map_or('·', height)).collect()
}

#[cfg(test)]
mod tests {
    use super::sparkline;

    #[test]
    fn series_become_blocks() {
        assert_eq!(sparkline(&[Some(0.0), Some(3.5), None, Some(7.0)]), "▁▅·█");
        assert_eq!(sparkline(&[Some(2.0), Some(2.0)]), "▅▅");
        assert_eq!(sparkline(&[None, Some(f64::NAN)]), "··");
        assert_eq!(sparkline(&[Some(f64::MIN), Some(f64::MAX)]).chars().count(), 2);
        assert_eq!(sparkline(&[]), "");
    }
}
