//! Going on from a moment: what is known by entity of the rows before it, and what was counted of them, as bytes.

use super::super::frontier::{Frontier, ROWS_MIN, WORTH, name_of};
use super::Question;
use super::by_id::ById;
use super::tally::Tally;
use super::walk::Walk;
use crate::rows::{Base, put};
use crate::{ExecError, Source};
use kepi_extension::{Partials, StreamInfo};
use serde::{Deserialize, Serialize};
use std::time::Instant;
use xxhash_rust::xxh3::Xxh3Default;

/// A part of a name: the way in which this is kept. It changes with what it is made of.
const FORM: u32 = 1;

/// A question whose answer goes on from a moment, up to which rows are stored for good.
pub(super) struct Going<'a> {
    question: &'a Question,
    source: &'a Source,
    partials: &'a dyn Partials,
    by_id: &'a ById,
    frontier: Frontier,
    /// The instant behind the last row that matters.
    last: i64,
}

/// What stands in front of kept bytes; then comes what is known by entity.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// All rows before this moment have gone by.
    moment: i64,
    meaning: u128,
    /// What the programs of rows that begin and end the state keep.
    programs: Vec<Vec<u8>>,
}

/// What is known of all rows before a moment.
struct Done {
    moment: i64,
    tally: Tally,
    programs: Vec<Vec<u8>>,
}

impl<'a> Going<'a> {
    /// None: nothing is kept of it, since it cannot go on, or most rows lie behind the moment.
    pub(super) fn new(
        question: &'a Question,
        walk: &Walk,
        by_id: &'a ById,
        source: &'a Source,
        last: i64,
    ) -> Result<Option<Going<'a>>, ExecError> {
        let Some(partials) = source.partials.as_deref() else { return Ok(None) };
        let programs = walk.programs();
        if !programs.iter().all(|program| program.can_go_on()) {
            return Ok(None);
        }
        let stream = |base: &'_ Base| match base {
            Base::Stream(_, info) => info.clone(),
            _ => None,
        };
        let largest = programs.iter().filter_map(|program| stream(&program.base)).max_by_key(|info| info.rows);
        let Some(StreamInfo { name, rows: rows @ ROWS_MIN.., .. }) = largest else { return Ok(None) };
        let Some(frontier) = Frontier::new(&name, rows, last, &programs, source) else { return Ok(None) };
        let going = Going { question, source, partials, by_id, frontier, last };
        // What it is kept by may not be told.
        Ok(going.meaning(walk, going.frontier.moment)?.map(|_| going))
    }

    /// What is known of all rows, the moment from which they were read where those before it were kept, and how many
    /// stored ones were.
    pub(super) fn run(&self, nothing: &dyn Fn() -> Tally) -> Result<(Tally, Option<i64>, u64), ExecError> {
        let name = self.name()?;
        let kept = match self.partials.read(name) {
            Some(bytes) => self.kept(&bytes, nothing())?,
            None => None,
        };
        let from = kept.as_ref().map(|done| done.moment);
        let mut scanned = 0;
        let mut done = match kept {
            Some(done) if done.moment >= self.frontier.moment || self.frontier.is_fresh(done.moment) => done,
            kept => {
                let begin = Instant::now();
                let none = || Done { moment: i64::MIN, tally: nothing(), programs: Vec::new() };
                let (done, read, meaning) = self.up_to(kept.unwrap_or_else(none))?;
                scanned += read;
                if let Some(meaning) = meaning.filter(|_| begin.elapsed() >= WORTH)
                    && let Some(bytes) = done.to_bytes(meaning)?
                {
                    self.partials.write(name, &bytes, begin.elapsed());
                }
                done
            }
        };
        let mut rest = self.walk(&done, self.last)?;
        scanned += rest.read(&mut done.tally)?;
        Ok((done.tally, from, scanned))
    }

    /// The name under which it is kept, whatever is stored.
    fn name(&self) -> Result<u128, ExecError> {
        let Question { state, columns, both, zone, made_of, .. } = self.question;
        let mut plain = state.clone();
        plain.text.clear();
        // The end matters to the rows behind it. Where there are none yet, it is going to be another one each time.
        let until = (self.last <= self.frontier.moment).then_some(self.last);
        name_of(&("turnover", FORM, env!("CARGO_PKG_VERSION"), plain, columns, both, zone, made_of, until))
    }

    /// A number for all that is looked at of the rows before a moment; none: there is none.
    fn meaning(&self, walk: &Walk, moment: i64) -> Result<Option<u128>, ExecError> {
        let before = self.frontier.before(moment);
        let mut hasher = Xxh3Default::new();
        let bounds = &self.question.bounds[..self.question.bounds.partition_point(|&bound| bound < moment)];
        put(&mut hasher, arrow_buffer::ToByteSlice::to_byte_slice(bounds));
        let mut told = before.put(&mut hasher);
        for program in walk.programs() {
            told = told && program.put_meaning(&before, &mut hasher)?;
        }
        told = told && self.by_id.put_meaning(walk.from.most(&before, &self.question.state.entity)?, &mut hasher);
        Ok(told.then(|| hasher.digest128()))
    }

    /// Rows behind what is done, up to an instant, by programs that know what came before.
    fn walk(&self, done: &Done, until: i64) -> Result<Walk, ExecError> {
        let from = Some(done.moment).filter(|&from| from != i64::MIN);
        let mut walk = Walk::new(self.question, self.source, (from, until))?;
        if let Some(from) = from {
            for (program, bytes) in walk.programs_mut().zip(&done.programs) {
                if program.take_kept(from, &mut &bytes[..]).is_none() {
                    return Err(ExecError::Plan("what a program keeps cannot be read".into()));
                }
            }
        }
        Ok(walk)
    }

    /// What is kept, where it holds.
    fn kept(&self, bytes: &[u8], mut tally: Tally) -> Result<Option<Done>, ExecError> {
        let Ok((Head { moment, meaning, programs }, mut rest)) = postcard::take_from_bytes(bytes) else {
            return Ok(None);
        };
        let mut walk = Walk::new(self.question, self.source, (Some(moment), self.last))?;
        if moment > self.last || self.meaning(&walk, moment)? != Some(meaning) {
            return Ok(None);
        }
        let read = |(program, bytes): (&mut crate::rows::Program, &Vec<u8>)| program.take_kept(moment, &mut &bytes[..]);
        let fits = walk.programs().len() == programs.len()
            && walk.programs_mut().zip(&programs).map(read).all(|read| read.is_some())
            && tally.take(&mut rest).is_some()
            && rest.is_empty();
        Ok(fits.then_some(Done { moment, tally, programs }))
    }

    /// All rows before the moment, of which some are done; how many were read, and what they are kept by.
    fn up_to(&self, done: Done) -> Result<(Done, u64, Option<u128>), ExecError> {
        let moment = self.frontier.moment;
        let mut walk = self.walk(&done, moment)?;
        let meaning = self.meaning(&walk, moment)?;
        walk.programs_mut().for_each(|program| program.stop_at(moment));
        let Done { mut tally, .. } = done;
        let scanned = walk.read(&mut tally)?;
        let mut programs = Vec::new();
        for program in walk.programs_mut() {
            let mut bytes = Vec::new();
            if !program.put_kept(moment, &mut bytes)? {
                return Err(ExecError::Plan("what a program keeps cannot be written".into()));
            }
            programs.push(bytes);
        }
        Ok((Done { moment, tally, programs }, scanned, meaning))
    }
}

impl Done {
    /// None: it cannot be written.
    fn to_bytes(&self, meaning: u128) -> Result<Option<Vec<u8>>, ExecError> {
        let head = Head { moment: self.moment, meaning, programs: self.programs.clone() };
        let bytes = postcard::to_allocvec(&head);
        let mut bytes = bytes.map_err(|e| ExecError::Failed(format!("a count of stays cannot be kept: {e}")))?;
        Ok(self.tally.put(self.moment, &mut bytes).then_some(bytes))
    }
}
