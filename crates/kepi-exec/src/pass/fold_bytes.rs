//! What a history keeps per entity, as bytes, so that it can go on at another time from where it was.

use super::fold::{Fold, Kept, NEVER};
use crate::number_bytes;
use crate::rows::Type;
use serde::Serialize;
use serde::de::DeserializeOwned;

impl Fold {
    /// Whether what it keeps can be written. Lists of all values cannot, nor rows that drop out again, nor texts, whose
    /// numbers hold for one reading only.
    pub(crate) fn can_be_written(&self) -> bool {
        let plain = match &self.kept {
            Kept::Count(_) | Kept::Sum(_) | Kept::FloatSum(_) | Kept::Avg(_) | Kept::FloatAvg(_) => true,
            Kept::First(_) | Kept::Last(_) | Kept::Min(_) | Kept::Max(_) | Kept::Spread(_) => true,
            Kept::Unique(..) | Kept::Sorted(_) | Kept::Lagging { .. } | Kept::Recent(..) => false,
        };
        plain && *self.argument.ty() != Type::Text
    }

    /// Puts what it keeps behind bytes. No: it cannot be written.
    pub(crate) fn put(&self, bytes: &mut Vec<u8>) -> bool {
        if !self.can_be_written() {
            return false;
        }
        match &self.kept {
            Kept::Count(values) | Kept::Sum(values) => number_bytes::put(bytes, values.iter().map(|&v| Some(v))),
            Kept::First(values) => number_bytes::put(bytes, values.iter().map(|&v| Some(v).filter(|&v| v != NEVER))),
            Kept::Last(values) | Kept::Min(values) | Kept::Max(values) => {
                number_bytes::put(bytes, values.iter().copied())
            }
            Kept::FloatSum(values) => put_plain(bytes, values),
            Kept::Avg(values) => put_plain(bytes, values),
            Kept::FloatAvg(values) => put_plain(bytes, values),
            Kept::Spread(values) => put_plain(bytes, values),
            Kept::Unique(..) | Kept::Sorted(_) | Kept::Lagging { .. } | Kept::Recent(..) => false,
        }
    }

    /// Takes what was put from the front of bytes; there may be more entities by now. None: they are other bytes.
    pub(crate) fn take(&mut self, bytes: &mut &[u8]) -> Option<()> {
        let ids = self.ids();
        match &mut self.kept {
            Kept::Count(values) | Kept::Sum(values) => *values = number_bytes::take(bytes, Option::unwrap_or_default)?,
            Kept::First(values) => *values = number_bytes::take(bytes, |v| v.unwrap_or(NEVER))?,
            Kept::Last(values) | Kept::Min(values) | Kept::Max(values) => *values = number_bytes::take(bytes, |v| v)?,
            Kept::FloatSum(values) => *values = take_plain(bytes)?,
            Kept::Avg(values) => *values = take_plain(bytes)?,
            Kept::FloatAvg(values) => *values = take_plain(bytes)?,
            Kept::Spread(values) => *values = take_plain(bytes)?,
            Kept::Unique(..) | Kept::Sorted(_) | Kept::Lagging { .. } | Kept::Recent(..) => return None,
        }
        let fits = self.ids() <= ids;
        self.grow(ids);
        fits.then_some(())
    }
}

fn put_plain<T: Serialize>(bytes: &mut Vec<u8>, values: &[T]) -> bool {
    let Ok(plain) = postcard::to_allocvec(values) else { return false };
    bytes.extend_from_slice(&plain);
    true
}

fn take_plain<T: DeserializeOwned>(bytes: &mut &[u8]) -> Option<Vec<T>> {
    let (values, rest) = postcard::take_from_bytes(bytes).ok()?;
    *bytes = rest;
    Some(values)
}
