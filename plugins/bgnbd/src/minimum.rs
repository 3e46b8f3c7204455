//! The least value of a smooth function of a few unknowns, without its slopes: the downhill simplex of Nelder and Mead
//! (1965), started again from its own result until that no longer moves.

/// How often it is started at most.
const ROUNDS_MAX: usize = 8;
/// How often the function is asked in a round at most.
const CALLS_MAX: usize = 2_000;
/// Where the values of the simplex differ by less than this, relatively, a round ends.
const FLAT: f64 = 1e-13;

/// Where a function is least.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Least<const N: usize> {
    /// The place.
    pub at: [f64; N],
    /// The value there.
    pub value: f64,
    /// Whether the last round found nothing better; else the rounds were used up.
    pub settled: bool,
}

/// Where `f` is least, from `start`; none where it has no finite value on the way.
pub fn least<const N: usize>(f: impl Fn(&[f64; N]) -> f64, start: [f64; N]) -> Option<Least<N>> {
    let mut best = (start, f(&start));
    let mut settled = false;
    for round in 0..ROUNDS_MAX {
        let step = if round == 0 { 0.5 } else { 0.05 };
        let next = simplex(&f, best.0, step);
        let gained = best.1 - next.1;
        let done = round > 0 && gained <= 1e-10 * next.1.abs().max(1.0);
        if next.1 < best.1 || !best.1.is_finite() {
            best = next;
        }
        if done {
            settled = true;
            break;
        }
    }
    best.1.is_finite().then_some(Least { at: best.0, value: best.1, settled })
}

fn simplex<const N: usize>(f: &impl Fn(&[f64; N]) -> f64, start: [f64; N], step: f64) -> ([f64; N], f64) {
    // What is no number is worse than all that is.
    let value = |x: &[f64; N]| {
        let y = f(x);
        if y.is_nan() { f64::INFINITY } else { y }
    };
    let mut corners: Vec<([f64; N], f64)> = vec![(start, value(&start))];
    for i in 0..N {
        let mut corner = start;
        corner[i] += step;
        corners.push((corner, value(&corner)));
    }
    for _ in 0..CALLS_MAX {
        corners.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (low, high) = (corners[0].1, corners[N].1);
        if high - low <= FLAT * (low.abs() + high.abs()).max(1.0) {
            break;
        }
        let mut centre = [0.0; N];
        for (corner, _) in &corners[..N] {
            for (sum, x) in centre.iter_mut().zip(corner) {
                *sum += x / N as f64;
            }
        }
        let worst = corners[N].0;
        let along = |factor: f64| {
            let mut x = centre;
            for (x, worst) in x.iter_mut().zip(&worst) {
                *x += factor * (*x - worst);
            }
            (x, value(&x))
        };
        let reflected = along(1.0);
        corners[N] = if reflected.1 < low {
            let expanded = along(2.0);
            if expanded.1 < reflected.1 { expanded } else { reflected }
        } else if reflected.1 < corners[N - 1].1 {
            reflected
        } else {
            let nearer = if reflected.1 < high { along(0.5) } else { along(-0.5) };
            if nearer.1 < reflected.1.min(high) {
                nearer
            } else {
                let best = corners[0].0;
                for (corner, y) in &mut corners[1..] {
                    for (x, best) in corner.iter_mut().zip(&best) {
                        *x = best + 0.5 * (*x - best);
                    }
                    *y = value(corner);
                }
                continue;
            }
        };
    }
    corners.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).expect("a simplex has corners")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_bottom_of_a_bent_valley() {
        let bottom = least(|[x, y]| (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2), [-1.2, 1.0]).unwrap();
        let [x, y] = bottom.at;
        assert!(bottom.value < 1e-12 && (x - 1.0).abs() < 1e-5 && (y - 1.0).abs() < 1e-5 && bottom.settled, "{bottom:?}");
    }

    #[test]
    fn a_valley_of_too_many_bends_does_not_settle() {
        let bends = |x: &[f64; 24]| -> f64 {
            x.windows(2).map(|w| (1.0 - w[0]).powi(2) + 100.0 * (w[1] - w[0] * w[0]).powi(2)).sum()
        };
        assert!(!least(bends, [-1.2; 24]).unwrap().settled);
    }

    #[test]
    fn nothing_finite_is_no_minimum() {
        assert!(least(|_: &[f64; 2]| f64::NAN, [0.0, 0.0]).is_none());
    }
}
