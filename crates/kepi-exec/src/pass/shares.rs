//! Arrays by id that take more memory than there may be, as those of distinct values and of members: the rows are read
//! several times, and each reading keeps what belongs to one share of the ids.
//!
//! All readings see the same rows in the same order; only what they count differs, and adds up. A share that does not fit
//! is halved, down to one id or to so few that reading would never end.

use super::plan::Plan;
use super::state::Cells;
use super::{Report, Source};
use crate::ExecError;
use crate::rows::{Column, Payload, Values};
use arrow_buffer::BooleanBuffer;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Values that are no entities have no numbers in a row; beyond so many shares each is about one of them.
const OF_VALUES_MAX: u32 = 1 << 16;
/// More readings than this take longer than anybody waits.
const SHARES_MAX: u32 = 1 << 12;

/// What a reading of a share comes to.
pub(super) trait OfShare: Sized {
    /// Lets go what was kept only to count.
    fn settle(&mut self) {}

    /// Adds what the same rows gave of another share.
    fn add_share(&mut self, other: Self) -> Result<(), ExecError>;

    /// What it has to say.
    fn report(&mut self) -> &mut Report;
}

impl OfShare for Plan {
    fn settle(&mut self) {
        self.settle();
    }

    fn add_share(&mut self, other: Plan) -> Result<(), ExecError> {
        self.add_share(other)
    }

    fn report(&mut self) -> &mut Report {
        &mut self.report
    }
}

/// Cells of a share say of all rows only what no other share says.
impl OfShare for Cells {
    fn add_share(&mut self, mut other: Cells) -> Result<(), ExecError> {
        other.dealt = true;
        self.merge(other)
    }

    fn report(&mut self) -> &mut Report {
        &mut self.report
    }
}

/// Which ids a reading counts: those of one of several ranges of about the same length; of other values as many.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    number: u32,
    of: u32,
    noted: Arc<Noted>,
}

/// What a reading found out about its share.
#[derive(Debug, Default)]
struct Noted {
    /// Whether what is kept of it takes more memory than there may be.
    full: AtomicBool,
    /// The most ids, or numbers of values, that there are of all that is counted.
    most: AtomicU32,
}

impl Default for Share {
    fn default() -> Share {
        Share { number: 0, of: 1, noted: Arc::default() }
    }
}

impl Share {
    /// Whether it is everybody.
    pub(crate) fn is_all(&self) -> bool {
        self.of == 1
    }

    /// Whether it is the first: what is the same for all is told once.
    pub(super) fn is_first(&self) -> bool {
        self.number == 0
    }

    /// Says that what is kept of it takes more memory than there may be.
    pub(super) fn note_full(&self) {
        self.noted.full.store(true, Ordering::Relaxed);
    }

    /// Fails where what is kept of it takes more bytes than there may be while others work beside it.
    pub(super) fn fits(&self, bytes: usize, source: &Source) -> Result<(), ExecError> {
        match source.made.bytes_max() {
            Some(limit) if bytes as u64 > limit / source.threads as u64 => {
                self.note_full();
                Err(ExecError::Memory { limit })
            }
            _ => Ok(()),
        }
    }

    /// Says of how many ids something is counted; 0: of values that are no entities.
    pub(super) fn note_ids(&self, count: usize) {
        let count = if count == 0 { OF_VALUES_MAX } else { u32::try_from(count).unwrap_or(u32::MAX) };
        self.noted.most.fetch_max(count, Ordering::Relaxed);
    }

    /// Its range out of so many ids.
    pub(super) fn ids(&self, count: usize) -> Range<usize> {
        let end = |number: u32| (count as u64 * u64::from(number) / u64::from(self.of)) as usize;
        end(self.number)..end(self.number + 1)
    }

    /// Whether a value that is no entity is one of it.
    fn has(&self, value: i64) -> bool {
        let mixed = (value as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        (mixed * u64::from(self.of)) >> 32 == u64::from(self.number)
    }

    /// Its halves; none: it is of one id at most.
    fn halves(&self) -> Option<[Share; 2]> {
        let most = self.noted.most.load(Ordering::Relaxed).min(SHARES_MAX);
        let half = |number: u32| Share { number, of: 2 * self.of, noted: Arc::default() };
        (self.of < most).then(|| [half(2 * self.number), half(2 * self.number + 1)])
    }

    /// The rows of a column that are of it, out of those of a mask; and of entities the column with ids that count from
    /// the first of `range`.
    pub(super) fn of_column(
        &self,
        column: &Column,
        mask: Option<&BooleanBuffer>,
        range: &Range<usize>,
        payload: &mut Payload,
    ) -> Result<(Column, BooleanBuffer), ExecError> {
        let (column, own) = match &column.values {
            Values::Id(ids, entity) => {
                let (first, len) = (range.start as u32, range.len() as u32);
                let moved: Vec<u32> = ids.iter().map(|id| id.wrapping_sub(first)).collect();
                let own = BooleanBuffer::collect_bool(moved.len(), |row| moved[row] < len);
                (Column::new(Values::Id(moved.into(), Arc::clone(entity)), column.valid.clone()), own)
            }
            _ => {
                let values = payload.encode(column)?;
                (column.clone(), BooleanBuffer::collect_bool(column.len(), |row| self.has(values[row])))
            }
        };
        Ok((column, mask.map_or_else(|| own.clone(), |mask| mask & &own)))
    }
}

impl Source {
    /// Fails where what is kept of the source's share takes more bytes than there may be.
    pub(super) fn fits_share(&self, bytes: usize) -> Result<(), ExecError> {
        self.share.fits(bytes, self)
    }
}

/// A plan that has seen all its rows, which `read` does on a source: in one reading of the share of this source, or in as
/// many as it takes for what each keeps to fit.
pub(super) fn read(source: &Source, read: impl Fn(&Source) -> Result<Plan, ExecError>) -> Result<Plan, ExecError> {
    let plan = read_if(source, |source| read(source).map(Some))?;
    plan.ok_or_else(|| ExecError::Plan("nobody was counted".into()))
}

/// The same of what may turn out to be asked in vain: none as soon as a reading gives none.
pub(super) fn read_if<T: OfShare>(
    source: &Source,
    read: impl Fn(&Source) -> Result<Option<T>, ExecError>,
) -> Result<Option<T>, ExecError> {
    let mut waiting = vec![source.share.clone()];
    let (mut all, mut ranges) = (None::<T>, 0);
    while let Some(share) = waiting.pop() {
        source.check()?;
        let source = source.of_share(share.clone());
        match read(&source) {
            Ok(found) if share.is_all() => return Ok(found),
            Ok(None) => return Ok(None),
            Ok(Some(mut found)) => {
                ranges += 1;
                found.settle();
                match &mut all {
                    None => all = Some(found),
                    Some(all) => all.add_share(found)?,
                }
            }
            Err(error) if share.noted.full.load(Ordering::Relaxed) => {
                let [one, other] = share.halves().ok_or(error)?;
                waiting.extend([other, one]);
            }
            Err(error) => return Err(error),
        }
    }
    if let Some(all) = &mut all {
        all.report().ranges = ranges;
    }
    Ok(all)
}
