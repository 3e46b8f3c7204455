//! Arrays by entity, and counts by stretch of time: rows that begin and end a state are taken in the order of time, and no
//! stay is kept once it is over.
//!
//! That a stay has ended is found out when the entity's next row comes, or behind the last. So a stay is counted as ended
//! in the stretch of time in which it did, whenever that is found out.

use super::by_id::ById;
use super::places::Places;
use crate::number_bytes;
use crate::zeros::zeros;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// In place of an instant: there was no stay.
const NEVER: i64 = i64::MIN;
/// In place of an instant: the stay does not end.
const OPEN: i64 = i64::MAX;

/// What is known of the rows that have gone by.
#[derive(Debug)]
pub(super) struct Tally {
    /// By id the instant from which on the entity is not in the state any more.
    until: Vec<i64>,
    /// By id the last moment at which a row ended it while the entity was not in it; empty where rows end nothing.
    missed: Vec<i64>,
    /// By id, where it is asked who is in it at both ends of a stretch of time: see [`Since`].
    since: Vec<Since>,
    pub(super) counts: Counts,
    by_id: Arc<ById>,
    places: Arc<Places>,
}

/// In which stretch of time the last stay began, twice, and one more where the entity was in the state at the beginning
/// of that stretch.
type Since = u32;

/// Counts, by group of entities and stretch of time.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) intervals: usize,
    /// How many stays began.
    pub(super) started: Vec<i64>,
    /// How many ended.
    pub(super) ended: Vec<i64>,
    /// How many entities were in it at the beginning and at the end, more than in the stretch before; empty where nobody
    /// asks.
    both: Vec<i64>,
    /// The first instants at which one began and ended; [`OPEN`]: none did.
    pub(super) first_started: Vec<i64>,
    pub(super) first_ended: Vec<i64>,
    /// How many rows named nobody, by stretch of time alone.
    pub(super) without: Vec<i64>,
    /// The moment of the first row that began anything.
    pub(super) first: Option<i64>,
}

/// Counts on their way.
#[derive(Debug, Serialize, Deserialize)]
struct Plain {
    groups: usize,
    intervals: usize,
    lists: Vec<Vec<i64>>,
    without: Vec<i64>,
    first: Option<i64>,
}

impl Counts {
    fn new(groups: usize, intervals: usize, both: bool) -> Counts {
        let cells = groups * intervals;
        Counts {
            intervals,
            started: vec![0; cells],
            ended: vec![0; cells],
            both: vec![0; if both { cells } else { 0 }],
            first_started: vec![OPEN; cells],
            first_ended: vec![OPEN; cells],
            without: vec![0; intervals],
            first: None,
        }
    }

    /// How many entities of a group were in the state at the beginning and at the end of each stretch of time.
    pub(super) fn at_both(&self, group: usize) -> Vec<i64> {
        let changes = self.both.get(group * self.intervals..(group + 1) * self.intervals).unwrap_or_default();
        let sum = |sum: &mut i64, change: &i64| {
            *sum += change;
            Some(*sum)
        };
        changes.iter().scan(0, sum).collect()
    }

    fn lists(&self) -> [&Vec<i64>; 5] {
        [&self.started, &self.ended, &self.both, &self.first_started, &self.first_ended]
    }

    fn lists_mut(&mut self) -> [&mut Vec<i64>; 5] {
        [&mut self.started, &mut self.ended, &mut self.both, &mut self.first_started, &mut self.first_ended]
    }
}

impl Tally {
    /// Nothing has gone by, for `ids` entities. `ends`: rows end it, too; `both`: who is in it at both ends of a stretch of
    /// time is counted.
    pub(super) fn new(ids: usize, ends: bool, both: bool, by_id: Arc<ById>, places: Arc<Places>) -> Tally {
        let counts = Counts::new(by_id.groups(), places.intervals(), both);
        let missed = vec![NEVER; if ends { ids } else { 0 }];
        Tally { until: vec![NEVER; ids], missed, since: zeros(if both { ids } else { 0 }), counts, by_id, places }
    }

    /// How many bytes the arrays of `ids` entities take.
    pub(super) fn bytes(ids: usize, ends: bool, both: bool) -> usize {
        let moments = 1 + usize::from(ends);
        ids * (moments * size_of::<i64>() + if both { size_of::<Since>() } else { 0 })
    }

    /// The stretches of time.
    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    /// A row that begins it for an entity at `at`, which lies in a stretch of time, until `end` as far as is known. Of
    /// the rows at one moment those that end it come before it: where an entity was not in it, they end what begins.
    #[inline]
    pub(super) fn begin(&mut self, id: usize, at: i64, end: i64, interval: usize) {
        let Some(until) = self.until.get_mut(id) else { return };
        if *until >= at {
            *until = end.max(*until);
        } else if end > at {
            self.start(id, at, end, interval);
        }
    }

    fn start(&mut self, id: usize, at: i64, end: i64, interval: usize) {
        if self.missed.get(id) == Some(&at) {
            return;
        }
        let before = std::mem::replace(&mut self.until[id], end);
        let group = self.by_id.group(id);
        let cell = group * self.counts.intervals + interval;
        self.counts.started[cell] += 1;
        self.counts.first_started[cell] = self.counts.first_started[cell].min(at);
        self.counts.first.get_or_insert(at);
        let mut was_in = false;
        if before != NEVER {
            let ended = self.close(id, group, before);
            if let Some(since) = self.since.get(id) {
                was_in = ended == interval && ((since >> 1) as usize != interval || since & 1 == 1);
            }
        }
        if let Some(since) = self.since.get_mut(id) {
            *since = (interval as u32) << 1 | u32::from(was_in);
        }
    }

    /// A row that ends it for an entity at `at`.
    #[inline]
    pub(super) fn end(&mut self, id: usize, at: i64) {
        match self.until.get_mut(id) {
            Some(until) if *until > at => *until = at,
            Some(_) => self.missed[id] = at,
            None => {}
        }
    }

    /// Counts a stay that has ended; gives the stretch of time in which it did.
    fn close(&mut self, id: usize, group: usize, until: i64) -> usize {
        let interval = self.places.interval(until);
        let cell = group * self.counts.intervals + interval;
        self.counts.ended[cell] += 1;
        self.counts.first_ended[cell] = self.counts.first_ended[cell].min(until);
        self.lasted(id, group, interval);
        interval
    }

    /// Counts the stretches of time at both of whose ends an entity was in it, whose stay has ended in a stretch.
    fn lasted(&mut self, id: usize, group: usize, ended: usize) {
        let Some(since) = self.since.get(id) else { return };
        let began = (since >> 1) as usize;
        if ended <= began {
            return;
        }
        let from = if since & 1 == 1 { began } else { began + 1 };
        let cells = group * self.counts.intervals;
        self.counts.both[cells + from] += 1;
        self.counts.both[cells + ended] -= 1;
    }

    /// The counts, when no row comes any more.
    pub(super) fn finish(mut self) -> Counts {
        let last = self.counts.intervals - 1;
        for id in 0..self.until.len() {
            match self.until[id] {
                NEVER => {}
                OPEN => self.lasted(id, self.by_id.group(id), last),
                until => {
                    self.close(id, self.by_id.group(id), until);
                }
            }
        }
        self.counts
    }

    /// Puts behind bytes what is known when all rows before a moment, and no others, have gone by. No: it cannot be
    /// written.
    pub(super) fn put(&self, moment: i64, bytes: &mut Vec<u8>) -> bool {
        // Nothing was counted behind the moment.
        let (all, intervals) = (self.counts.intervals, self.places.before(moment) + 1);
        let cut = |list: &Vec<i64>| list.chunks(all).flat_map(|group| &group[..intervals]).copied().collect();
        let plain = Plain {
            groups: self.by_id.groups(),
            intervals,
            lists: self.counts.lists().into_iter().map(cut).collect(),
            without: self.counts.without[..intervals].to_vec(),
            first: self.counts.first,
        };
        let Ok(head) = postcard::to_allocvec(&plain) else { return false };
        bytes.extend((head.len() as u64).to_le_bytes());
        bytes.extend(head);
        let is_open = self.until.contains(&OPEN);
        let open = if is_open { &self.until[..] } else { &[] };
        number_bytes::put(bytes, self.until.iter().map(|&until| (until != NEVER && until != OPEN).then_some(until)))
            && number_bytes::put(bytes, open.iter().map(|&until| (until == OPEN).then_some(1)))
            && number_bytes::put(bytes, self.since.iter().map(|&since| Some(i64::from(since))))
    }

    /// Takes what [`Tally::put`] has written from bytes, where nothing has gone by yet. None: they are other bytes.
    pub(super) fn take(&mut self, bytes: &mut &[u8]) -> Option<()> {
        let (length, rest) = bytes.split_at_checked(8)?;
        let length = usize::try_from(u64::from_le_bytes(length.try_into().ok()?)).ok()?;
        let (head, rest) = rest.split_at_checked(length)?;
        *bytes = rest;
        let Plain { groups, intervals, lists, without, first } = postcard::from_bytes(head).ok()?;
        let until = number_bytes::take(bytes, |until| until.unwrap_or(NEVER))?;
        let open = number_bytes::take(bytes, |open| open.is_some())?;
        let since = number_bytes::take(bytes, |since| since.and_then(|since| u32::try_from(since).ok()))?;
        let since = since.into_iter().collect::<Option<Vec<u32>>>()?;
        let all = self.counts.intervals;
        let fits = groups <= self.by_id.groups() && (1..=all).contains(&intervals) && without.len() == intervals;
        let both_fit = since.len() == if self.since.is_empty() { 0 } else { until.len() };
        if !fits || !both_fit || until.len() > self.until.len() || !open.is_empty() && open.len() != until.len() {
            return None;
        }
        // No stay began in a stretch that there is not.
        if since.iter().any(|since| (since >> 1) as usize >= intervals) {
            return None;
        }
        let own = self.counts.lists_mut();
        if lists.len() != own.len() {
            return None;
        }
        for (own, list) in own.into_iter().zip(&lists) {
            if list.len() != if own.is_empty() { 0 } else { groups * intervals } {
                return None;
            }
            for (own, list) in own.chunks_mut(all).zip(list.chunks(intervals)) {
                own[..intervals].copy_from_slice(list);
            }
        }
        self.counts.without[..intervals].copy_from_slice(&without);
        self.counts.first = first;
        self.until[..until.len()].copy_from_slice(&until);
        open.iter().zip(&mut self.until).filter(|(open, _)| **open).for_each(|(_, until)| *until = OPEN);
        self.since[..since.len()].copy_from_slice(&since);
        Some(())
    }
}
