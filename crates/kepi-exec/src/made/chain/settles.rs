//! Attempts that nothing can change any more: their time is over, so later rows are not theirs, and earlier ones never were.
//!
//! An attempt is made of its first row and of rows that are not earlier, up to its end. So those that begin before a
//! moment follow from the rows before the end of the last of them, and those from the moment on from the rows from there
//! on. A row of the last step is credited to the latest attempt that leads to it: one that begins earlier takes nothing
//! from it. The earliest one may, so there that is not so; nor where attempts have no end.

use super::super::{Maker, Stream, Stretch, Wanted, parents};
use super::read::{self, BACK_MAX};
use crate::rows::{self, Before, Program};
use crate::{ExecError, Source};
use kepi_model::calendar::Zone;
use kepi_model::core::{Credit, Made};
use kepi_model::value::CalendarSpan;

/// A chain whose attempts end.
pub(crate) struct Settling {
    made: Made,
    zone: Zone,
    /// An attempt ends at the latest so often this time behind its first row.
    span: CalendarSpan,
    times: usize,
    /// Of its steps' rows, and of what is asked of the rows of attempts.
    pub(crate) programs: Vec<Program>,
}

impl Settling {
    /// Of made rows of which a program reads some columns; none: they are no such attempts, or something that they are made
    /// of looks at more than rows that are stored.
    pub(crate) fn new(program: &Program, source: &Source) -> Result<Option<Settling>, ExecError> {
        let rows::Base::Made(stream) = &program.base else { return Ok(None) };
        let Made::Chain(chain) = &stream.made else { return Ok(None) };
        let (span, times) = match (chain.within, chain.each) {
            (Some(span), _) => (span, 1),
            (None, Some(span)) => (span, chain.steps.len() - 1),
            (None, None) => return Ok(None),
        };
        if chain.credit == Some(Credit::Earliest) {
            return Ok(None);
        }
        let maker = stream.maker(source);
        let mut programs = read::programs(&maker, chain)?;
        programs.extend(asked(stream, program, &maker)?);
        if !programs.iter().all(Program::can_go_on) {
            return Ok(None);
        }
        let zone = Zone::named(maker.zone).ok_or_else(|| ExecError::Plan(format!("no time zone `{}`", maker.zone)))?;
        Ok(Some(Settling { made: stream.made.clone(), zone, span, times, programs }))
    }

    /// All rows that attempts are made of which begin before a moment are earlier than this.
    pub(crate) fn reach(&self, moment: i64) -> i64 {
        let end = (0..self.times).fold(moment, |at, _| self.zone.add(at, self.span));
        end.saturating_add(BACK_MAX)
    }

    /// A moment, about as late as may be, whose reach is not beyond an instant; none: it is hard to find.
    pub(crate) fn begun(&self, until: i64) -> Option<i64> {
        let beyond = |moment: i64| self.reach(moment).saturating_sub(until);
        let earlier = |&moment: &i64| (beyond(moment) > 0).then(|| moment.saturating_sub(beyond(moment)));
        // Months are not of one length, so it takes a step or two.
        std::iter::successors(Some(until), earlier).take(8).find(|&moment| beyond(moment) <= 0)
    }

    /// A source for which attempts are made that begin from an instant on; `before`: all that do so before that one.
    pub(crate) fn attempts(&self, source: &Source, from: Option<i64>, before: Option<i64>) -> Source {
        let until = before.map(|before| self.reach(before));
        source.of_stretch(&self.made, Stretch { from, until, begun: before, ..Stretch::default() })
    }
}

/// Programs of what is asked of the rows that made rows are made of.
fn asked(stream: &Stream, program: &Program, maker: &Maker) -> Result<Vec<Program>, ExecError> {
    let mut programs = Vec::new();
    for (number, base) in parents(&stream.made).into_iter().enumerate() {
        let mut asked = maker.program(base)?;
        let mut any = false;
        for wanted in program.made_columns() {
            if let Wanted::Of(of, row) = wanted
                && *of == number
            {
                asked.row(row)?;
                any = true;
            }
        }
        programs.extend(any.then_some(asked));
    }
    Ok(programs)
}

impl Stream {
    /// The largest id that a column has in rows before a moment; none: it is no stored column.
    pub(crate) fn most(&self, wanted: &Wanted, before: &Before, source: &Source) -> Option<u32> {
        let Wanted::Of(parent, row) = wanted else { return None };
        let mut program = self.maker(source).program(parents(&self.made).get(*parent)?).ok()?;
        let node = program.row(row).ok()?;
        program.most(node, before)
    }
}
