//! What folds of two stretches of time keep, put together.

use super::fold::{Fold, Kept, NEVER, better};
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

    /// Adds what a later stretch has kept to what an earlier one has. None: they are of different kinds, or a sum is too large.
    pub(crate) fn add_up(&self, own: &mut Kept, later: &Kept) -> Option<()> {
        match (own, later) {
            (Kept::Count(own), Kept::Count(later)) | (Kept::Sum(own), Kept::Sum(later)) => {
                for (own, later) in own.iter_mut().zip(later) {
                    *own = own.checked_add(*later)?;
                }
            }
            (Kept::FloatSum(own), Kept::FloatSum(later)) => each(own, later, |own, later| own.merge(later)),
            (Kept::Avg(own), Kept::Avg(later)) => each(own, later, |own, later| {
                own.0 += later.0;
                own.1 += later.1;
            }),
            (Kept::FloatAvg(own), Kept::FloatAvg(later)) => each(own, later, |own, later| {
                own.0.merge(&later.0);
                own.1 += later.1;
            }),
            (Kept::First(own), Kept::First(later)) => each(own, later, |own, later| {
                if *own == NEVER {
                    *own = *later;
                }
            }),
            (Kept::Last(own), Kept::Last(later)) => each(own, later, |own, later| *own = later.or(*own)),
            (Kept::Min(own), Kept::Min(later)) => self.best(own, later, Ordering::Less),
            (Kept::Max(own), Kept::Max(later)) => self.best(own, later, Ordering::Greater),
            (Kept::Spread(own), Kept::Spread(later)) => each(own, later, |own, later| own.merge(later)),
            _ => return None,
        }
        Some(())
    }

    fn best(&self, own: &mut [Option<i64>], later: &[Option<i64>], wanted: Ordering) {
        each(own, later, |own, later| {
            if let Some(later) = later {
                better(own, *later, &self.argument, wanted);
            }
        });
    }
}

fn each<T>(own: &mut [T], later: &[T], add: impl Fn(&mut T, &T)) {
    own.iter_mut().zip(later).for_each(|(own, later)| add(own, later));
}
