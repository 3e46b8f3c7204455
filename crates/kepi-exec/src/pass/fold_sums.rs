//! What folds of two stretches of time keep, put together.

use super::fold::{Fold, Kept, NEVER};
use crate::rows::Type;
use std::cmp::Ordering;

impl Fold {
    /// Whether what it keeps of two stretches of time can be put together. Lists of values and rows that drop out cannot, nor
    /// texts, whose numbers hold for one reading only.
    pub(crate) fn adds_up(&self) -> bool {
        let plain = match &self.kept {
            Kept::Count(_) | Kept::Sum(_) | Kept::FloatSum(_) | Kept::Avg(_) | Kept::FloatAvg(_) => true,
            Kept::First(_) | Kept::Last(_) | Kept::Min(_) | Kept::Max(_) | Kept::Spread(_) => true,
            Kept::Unique(..) | Kept::Sorted(_) | Kept::Lagging { .. } | Kept::Recent(..) => false,
        };
        plain && *self.argument.ty() != Type::Text
    }

    /// Adds what an earlier stretch has kept. None: they are of different kinds, or a sum is too large.
    pub(crate) fn go_on_from(&self, own: &mut Kept, earlier: &Kept) -> Option<()> {
        match (own, earlier) {
            (Kept::Count(own), Kept::Count(earlier)) | (Kept::Sum(own), Kept::Sum(earlier)) => {
                let mut fits = true;
                each(own, earlier, |own, earlier| {
                    let (sum, over) = own.overflowing_add(*earlier);
                    fits &= !over;
                    *own = sum;
                });
                return fits.then_some(());
            }
            (Kept::FloatSum(own), Kept::FloatSum(earlier)) => each(own, earlier, |own, earlier| own.merge(earlier)),
            (Kept::Avg(own), Kept::Avg(earlier)) => each(own, earlier, |own, earlier| {
                own.0 += earlier.0;
                own.1 += earlier.1;
            }),
            (Kept::FloatAvg(own), Kept::FloatAvg(earlier)) => each(own, earlier, |own, earlier| {
                own.0.merge(&earlier.0);
                own.1 += earlier.1;
            }),
            (Kept::First(own), Kept::First(earlier)) => each(own, earlier, |own, earlier| {
                if *earlier != NEVER {
                    *own = *earlier;
                }
            }),
            (Kept::Last(own), Kept::Last(earlier)) => each(own, earlier, |own, earlier| *own = own.or(*earlier)),
            (Kept::Min(own), Kept::Min(earlier)) => self.best(own, earlier, Ordering::Less),
            (Kept::Max(own), Kept::Max(earlier)) => self.best(own, earlier, Ordering::Greater),
            (Kept::Spread(own), Kept::Spread(earlier)) => each(own, earlier, |own, earlier| own.merge(earlier)),
            _ => return None,
        }
        Some(())
    }

    /// Of values that are alike the earlier one stays.
    fn best(&self, own: &mut [Option<i64>], earlier: &[Option<i64>], wanted: Ordering) {
        each(own, earlier, |own, earlier| {
            if let Some(mut best) = *earlier {
                if let Some(value) = *own
                    && self.argument.compare(value, best) == wanted
                {
                    best = value;
                }
                *own = Some(best);
            }
        });
    }
}

fn each<T>(own: &mut [T], earlier: &[T], mut add: impl FnMut(&mut T, &T)) {
    own.iter_mut().zip(earlier).for_each(|(own, earlier)| add(own, earlier));
}
