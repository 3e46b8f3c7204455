//! What a history keeps per entity, as bytes, so that it can go on at another time from where it was.

use super::fold::{Fold, Kept, NEVER};
use crate::number_bytes;
use crate::rows::Type;
use serde::Serialize;
use serde::de::DeserializeOwned;

impl Fold {
    /// Whether what it keeps can be written. Lists of all values cannot, nor texts, whose numbers hold for one reading only.
    pub(crate) fn can_be_written(&self) -> bool {
        let plain = match &self.kept {
            Kept::Count(_) | Kept::Sum(_) | Kept::FloatSum(_) | Kept::Avg(_) | Kept::FloatAvg(_) => true,
            Kept::First(_) | Kept::Last(_) | Kept::Min(_) | Kept::Max(_) | Kept::Spread(_) => true,
            Kept::Lagging { .. } | Kept::Recent(..) => true,
            Kept::Unique(..) | Kept::Sorted(_) => false,
        };
        plain && *self.argument.ty() != Type::Text
    }

    /// Puts what it keeps behind bytes. No: it cannot be written.
    pub(crate) fn put(&self, bytes: &mut Vec<u8>) -> bool {
        if !self.can_be_written() {
            return false;
        }
        match &self.kept {
            Kept::Count(values) | Kept::Sum(values) => put_numbers(bytes, values.iter().copied()),
            Kept::First(values) => number_bytes::put(bytes, values.iter().map(|&v| Some(v).filter(|&v| v != NEVER))),
            Kept::Last(values) | Kept::Min(values) | Kept::Max(values) => {
                number_bytes::put(bytes, values.iter().copied())
            }
            Kept::FloatSum(values) => put_plain(bytes, values),
            Kept::Avg(values) => put_plain(bytes, values),
            Kept::FloatAvg(values) => put_plain(bytes, values),
            Kept::Spread(values) => put_plain(bytes, values),
            Kept::Lagging { values, queue, old, .. } => {
                put_numbers(bytes, values.iter().copied())
                    && put_numbers(bytes, queue.iter().map(|row| row.0))
                    && put_numbers(bytes, queue.iter().map(|row| i64::from(row.1)))
                    && put_numbers(bytes, queue.iter().map(|row| row.2))
                    && put_numbers(bytes, std::iter::once(*old as i64))
            }
            Kept::Recent(_, rows) => {
                let all: Vec<(i64, i64)> = rows.iter().flatten().copied().collect();
                put_numbers(bytes, rows.iter().map(|rows| rows.len() as i64))
                    && put_numbers(bytes, all.iter().map(|row| row.0))
                    && put_numbers(bytes, all.iter().map(|row| row.1))
            }
            Kept::Unique(..) | Kept::Sorted(_) => false,
        }
    }

    /// Takes what was put from the front of bytes; there may be more entities by now. None: they are other bytes.
    pub(crate) fn take(&mut self, bytes: &mut &[u8]) -> Option<()> {
        let ids = self.ids();
        match &mut self.kept {
            Kept::Count(values) | Kept::Sum(values) => *values = take_numbers(bytes)?,
            Kept::First(values) => *values = number_bytes::take(bytes, |v| v.unwrap_or(NEVER))?,
            Kept::Last(values) | Kept::Min(values) | Kept::Max(values) => *values = number_bytes::take(bytes, |v| v)?,
            Kept::FloatSum(values) => *values = take_plain(bytes)?,
            Kept::Avg(values) => *values = take_plain(bytes)?,
            Kept::FloatAvg(values) => *values = take_plain(bytes)?,
            Kept::Spread(values) => *values = take_plain(bytes)?,
            Kept::Lagging { values, queue, old, .. } => {
                *values = take_numbers(bytes)?;
                let (at, of, value) = (take_numbers(bytes)?, take_numbers(bytes)?, take_numbers(bytes)?);
                let rows = at.into_iter().zip(of).zip(value);
                *queue = rows.map(|((at, of), value)| (at, of as u32, value)).collect();
                *old = usize::try_from(*take_numbers(bytes)?.first()?).ok()?;
                if *old > queue.len() || queue.iter().any(|row| row.1 as usize >= values.len()) {
                    return None;
                }
            }
            Kept::Recent(_, rows) => {
                let lengths = take_numbers(bytes)?;
                let mut all = take_numbers(bytes)?.into_iter().zip(take_numbers(bytes)?);
                *rows = lengths.iter().map(|&len| all.by_ref().take(len as usize).collect()).collect();
                if all.next().is_some() {
                    return None;
                }
            }
            Kept::Unique(..) | Kept::Sorted(_) => return None,
        }
        let fits = self.ids() <= ids;
        self.grow(ids);
        fits.then_some(())
    }
}

fn put_numbers(bytes: &mut Vec<u8>, numbers: impl ExactSizeIterator<Item = i64> + Clone) -> bool {
    number_bytes::put(bytes, numbers.map(Some))
}

fn take_numbers(bytes: &mut &[u8]) -> Option<Vec<i64>> {
    number_bytes::take(bytes, Option::unwrap_or_default)
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
