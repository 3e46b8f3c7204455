//! Windows that overlap, cut into pieces of time: rows are folded once per piece, windows are put together of pieces.

use super::Pass;
use super::plan::Segment;
use super::windows::{Window, windows};
use crate::ExecError;
use crate::rows::{Base, Program};
use std::ops::Range;
use std::sync::Arc;

/// The pieces of windows that only go forward: neither end of one lies before that of the window before.
#[derive(Debug)]
pub(crate) struct Pieces {
    windows: Vec<Window>,
    /// Where pieces begin and end: piece i is `[cuts[i], cuts[i + 1])`.
    cuts: Vec<i64>,
    /// Per piece the windows that it lies in, from the first to behind the last.
    spans: Vec<(u32, u32)>,
}

/// How the rows of a pass are read.
#[derive(Debug)]
pub(crate) enum Reading {
    /// By the periods that they lie in.
    Plain,
    /// By pieces of windows.
    Pieces(Arc<Pieces>),
    /// Anew for each window: what a row is depends on the window, or windows go back.
    Apart(Vec<Window>),
}

impl Reading {
    /// How the rows of a pass are read by its program, once that is compiled.
    pub(crate) fn of(pass: &Pass, program: &Program) -> Result<Reading, ExecError> {
        if pass.moved().is_empty() && pass.shift.is_none() {
            return Ok(Reading::Plain);
        }
        let asks = pass.per.is_some() && pass.first_instant().is_none();
        let first = match &program.base {
            Base::Stream(_, Some(info)) if info.dated => info.first,
            Base::Made(stream) if asks => stream.rows(&program.source)?.at.first().copied(),
            Base::Made(_) => None,
            // Entities and groups look at each window for themselves; rows without a moment are in all of them.
            _ => return Ok(Reading::Plain),
        };
        let mut windows = windows(pass, first, program.clock.zone())?;
        windows.retain(|w| w.from < w.until);
        let forward = windows.windows(2).all(|w| w[0].from <= w[1].from && w[0].until <= w[1].until);
        if !forward {
            return Ok(Reading::Apart(windows));
        }
        let pieces = Pieces::of(windows);
        if program.needs_period && !pieces.have_one_start() {
            return Ok(Reading::Apart(pieces.windows));
        }
        Ok(Reading::Pieces(Arc::new(pieces)))
    }
}

impl Pieces {
    fn of(windows: Vec<Window>) -> Pieces {
        let mut cuts: Vec<i64> = windows.iter().flat_map(|w| [w.from, w.until]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let span = |&cut: &i64| {
            let (ended, begun) =
                (windows.partition_point(|w| w.until <= cut), windows.partition_point(|w| w.from <= cut));
            (ended as u32, begun as u32)
        };
        let spans = cuts.iter().take(cuts.len().saturating_sub(1)).map(span).collect();
        Pieces { windows, cuts, spans }
    }

    /// The windows, in order; none is empty.
    pub(crate) fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The windows that a piece lies in, from the first to behind the last.
    #[inline]
    pub(crate) fn span(&self, piece: usize) -> (u32, u32) {
        self.spans.get(piece).copied().unwrap_or((0, 0))
    }

    /// All the time that is read; none: nothing.
    pub(crate) fn time(&self) -> Option<(i64, i64)> {
        self.cuts.first().copied().zip(self.cuts.last().copied())
    }

    /// Whether all windows that a row lies in begin at one instant.
    fn have_one_start(&self) -> bool {
        let of = |&(first, behind): &(u32, u32)| self.windows.get(first as usize..behind as usize).unwrap_or(&[]);
        self.spans.iter().map(of).all(|w| w.first().map(|w| w.from) == w.last().map(|w| w.from))
    }

    /// Cuts rows where a piece ends. Rows in no window are in no segment.
    pub(crate) fn cut(&self, at: &[i64], rows: Range<usize>) -> Vec<Segment> {
        let mut segments = Vec::new();
        let mut row = rows.start;
        while row < rows.end {
            let behind = self.cuts.partition_point(|&cut| cut <= at[row]);
            let next = match self.cuts.get(behind) {
                Some(&cut) => row + at[row..rows.end].partition_point(|&t| t < cut),
                None => rows.end,
            };
            if let Some(piece) = behind.checked_sub(1)
                && self.span(piece).0 < self.span(piece).1
            {
                segments.push((row..next, Some(piece as i64)));
            }
            row = next;
        }
        segments
    }

    /// Where the windows of each row begin, as far as they begin at one instant; rows in no window have what those
    /// before them have.
    pub(crate) fn starts(&self, at: &[i64]) -> Vec<i64> {
        let mut starts = Vec::with_capacity(at.len());
        while let Some(&moment) = at.get(starts.len()) {
            let behind = self.cuts.partition_point(|&cut| cut <= moment);
            let row = starts.len();
            let next = match self.cuts.get(behind) {
                Some(&cut) => row + at[row..].partition_point(|&t| t < cut),
                None => at.len(),
            };
            // The last window that has begun; those of a row all begin with it.
            let begun = self.windows.partition_point(|w| w.from <= moment);
            let start = begun.checked_sub(1).map_or(i64::MIN, |i| self.windows[i].from);
            starts.resize(next, start);
        }
        starts
    }

    /// The pieces that begin up to an instant: where they do, and in which windows they lie.
    pub(crate) fn begun(&self, at: i64) -> (&[i64], &[(u32, u32)]) {
        let begun = self.cuts.partition_point(|&cut| cut <= at);
        (&self.cuts[..begun], &self.spans[..begun.min(self.spans.len())])
    }

    /// The last place not behind an instant where the time may be cut: `apart`: only where no window goes on.
    pub(crate) fn place_to_cut(&self, at: i64, apart: bool) -> i64 {
        if !apart {
            return at;
        }
        let mut piece = self.cuts.partition_point(|&cut| cut <= at).saturating_sub(1).min(self.spans.len());
        while piece > 0 && piece < self.spans.len() && self.spans[piece].0 < self.spans[piece - 1].1 {
            piece -= 1;
        }
        self.cuts.get(piece).copied().unwrap_or(at)
    }
}
