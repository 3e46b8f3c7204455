//! What holds for each entity, in arrays by id, while the rows that begin and end a state go by in the order of time.

use super::Source;
use super::exact::FloatSum;
use super::outside::Outside;
use crate::ExecError;
use crate::made::Taken;
use crate::rows::float_of;
use crate::zeros::zeros;

/// What the values of a state are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// There are none: it holds or it does not, and intervals that touch or overlap are one.
    None,
    /// Whether it holds, 1 or 0.
    Flags,
    /// Numbers, by their digits.
    Digits,
    /// Numbers that are not exact.
    Floats,
    /// Anything else.
    Others,
}

/// What a row that begins a state does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// It would end as it begins, or what ends it lies at its moment: it never was.
    Nothing,
    /// What holds goes on.
    GoesOn,
    /// Something else holds from now on.
    New,
}

/// The value that holds for each entity, and until when as far as is known.
#[derive(Debug)]
pub(crate) struct Standing {
    kind: Values,
    /// How many entities there are.
    ids: usize,
    /// By id; empty until there is a row to read, so that whoever only asks for types pays nothing.
    beings: Vec<Being>,
    /// Whether rows end it.
    ends: bool,
    /// What comes together over time; by id, likewise.
    totals: Option<Totals>,
    taken: Option<Taken>,
    /// Of a condition on an entity: how it is told from what the rows say.
    outside: Option<Outside>,
}

/// What holds for an entity; all of it lies together, since entities come in no order.
#[derive(Clone, Copy, Debug)]
struct Being {
    /// The instant from which on it does not hold any more; `i64::MIN`: it never held.
    until: i64,
    /// The number of a payload; 1 without values.
    value: i64,
    /// The last moment at which a row ended it while the entity was not in it.
    missed: i64,
}

/// What has come together up to the stay that lasts.
#[derive(Debug, Default)]
struct Totals {
    /// Since when the stay lasts.
    since: Vec<i64>,
    /// For how many microseconds it held before.
    micros: Vec<i64>,
    /// The same weighted with the values, as digits or as floats; empty where values are no numbers.
    digits: Vec<i128>,
    floats: Vec<FloatSum>,
}

impl Standing {
    /// Nothing holds for `ids` entities. With `totals`, what comes together over time is kept, too.
    pub(crate) fn new(kind: Values, ids: usize, totals: bool) -> Standing {
        let totals = totals.then(Totals::default);
        Standing { kind, ids, beings: Vec::new(), ends: false, totals, taken: None, outside: None }
    }

    /// Makes room for what holds for each entity, before the first row; nothing where there is room already.
    ///
    /// Errors: it takes more memory than there may be.
    pub(crate) fn make_room(&mut self, source: &Source) -> Result<(), ExecError> {
        if self.taken.is_none() {
            let value = match self.kind {
                Values::Digits => size_of::<i128>(),
                Values::Floats => size_of::<FloatSum>(),
                Values::None | Values::Flags | Values::Others => 0,
            };
            let each = size_of::<Being>() + if self.has_totals() { 2 * size_of::<i64>() + value } else { 0 };
            self.taken = Some(source.take(self.ids * each)?);
            self.fill();
        }
        Ok(())
    }

    fn fill(&mut self) {
        let (kind, ids) = (self.kind, self.ids);
        self.beings = vec![Being { until: i64::MIN, value: i64::from(kind == Values::None), missed: i64::MIN }; ids];
        if let Some(totals) = &mut self.totals {
            *totals = Totals {
                since: vec![i64::MIN; ids],
                micros: zeros(ids),
                digits: zeros(if kind == Values::Digits { ids } else { 0 }),
                floats: vec![FloatSum::default(); if kind == Values::Floats { ids } else { 0 }],
            };
        }
    }

    /// Makes room for rows that end it.
    pub(crate) fn with_ends(self) -> Standing {
        Standing { ends: true, ..self }
    }

    /// Makes it the state of a condition on an entity.
    pub(crate) fn with_outside(self, outside: Option<Outside>) -> Standing {
        Standing { outside, ..self }
    }

    /// How a condition is told from what the rows say.
    pub(crate) fn outside(&self) -> Option<&Outside> {
        self.outside.as_ref()
    }

    /// How many entities there is room for.
    pub(crate) fn ids(&self) -> usize {
        self.ids
    }

    /// Whether it keeps what comes together over time.
    pub(crate) fn has_totals(&self) -> bool {
        self.totals.is_some()
    }

    /// A row that begins it for an entity at `at`, until `end` as far as is known. Of the rows at one moment those that
    /// end it come before it: where an entity was not in it, they end what begins.
    #[inline]
    pub(crate) fn begin(&mut self, id: usize, at: i64, end: i64, value: i64) -> Begun {
        let Being { until, value: before, missed } = self.beings[id];
        if end <= at || self.ends && until < at && missed == at {
            return Begun::Nothing;
        }
        if self.kind == Values::None {
            if until >= at {
                self.beings[id].until = until.max(end);
                return Begun::GoesOn;
            }
        } else if until >= at && before == value {
            self.beings[id].until = end;
            return Begun::GoesOn;
        }
        self.close(id, until.min(at), at);
        let being = &mut self.beings[id];
        being.until = end;
        if self.kind != Values::None {
            being.value = value;
        }
        Begun::New
    }

    /// A row that ends it for an entity at `at`; whether it held.
    #[inline]
    pub(crate) fn end(&mut self, id: usize, at: i64) -> bool {
        let being = &mut self.beings[id];
        let held = being.until > at;
        if held {
            being.until = at;
        } else {
            being.missed = at;
        }
        held
    }

    /// Adds up the stay that ended at `end`; the next one begins at `next`.
    #[inline]
    fn close(&mut self, id: usize, end: i64, next: i64) {
        let Some(totals) = &mut self.totals else { return };
        let since = totals.since[id].max(self.outside.as_ref().map_or(i64::MIN, |o| o.begin(id)));
        if totals.since[id] != i64::MIN {
            let value = self.beings[id].value;
            totals.add(id, end.saturating_sub(since).max(0), self.kind, value);
        }
        totals.since[id] = next;
    }

    /// Until when what holds for an entity does, as far as is known.
    #[inline]
    pub(crate) fn until(&self, id: usize) -> i64 {
        self.beings.get(id).map_or(i64::MIN, |being| being.until)
    }

    /// The value that holds at a moment not before the last row; 1 without values.
    #[inline]
    pub(crate) fn value(&self, id: usize, moment: i64) -> Option<i64> {
        let being = self.beings.get(id);
        let value = being.filter(|being| being.until > moment).map(|being| being.value);
        match &self.outside {
            None => value,
            Some(outside) => outside.value(id, moment, value),
        }
    }

    /// What lasts of the present stay up to an instant.
    fn lasting(&self, id: usize, instant: i64) -> i64 {
        match self.totals.as_ref().map(|t| t.since[id]) {
            Some(since) if since != i64::MIN => {
                let since = since.max(self.outside.as_ref().map_or(i64::MIN, |o| o.begin(id)));
                self.until(id).min(instant).saturating_sub(since).max(0)
            }
            _ => 0,
        }
    }

    /// For how many microseconds it held before an instant that is later than the last row.
    #[inline]
    pub(crate) fn micros(&self, id: usize, instant: i64) -> i64 {
        let lasting = match self.kind {
            Values::Flags if self.beings[id].value == 0 => 0,
            _ => self.lasting(id, instant),
        };
        let told = self.totals.as_ref().map_or(0, |t| t.micros[id]).saturating_add(lasting);
        self.outside.as_ref().map_or(told, |outside| outside.micros(id, instant, told))
    }

    /// The same weighted with the values' digits.
    pub(crate) fn digits(&self, id: usize, instant: i64) -> i128 {
        let before = self.totals.as_ref().and_then(|t| t.digits.get(id)).copied().unwrap_or(0);
        before + i128::from(self.beings[id].value) * i128::from(self.lasting(id, instant))
    }

    /// The same weighted with the values where they are floats.
    pub(crate) fn floats(&self, id: usize, instant: i64) -> FloatSum {
        let mut sum = self.totals.as_ref().and_then(|t| t.floats.get(id)).cloned().unwrap_or_default();
        sum.add_product(float_of(self.beings[id].value), self.lasting(id, instant) as f64);
        sum
    }
}

impl Totals {
    fn add(&mut self, id: usize, micros: i64, kind: Values, value: i64) {
        if kind != Values::Flags || value != 0 {
            self.micros[id] = self.micros[id].saturating_add(micros);
        }
        match kind {
            Values::Digits => self.digits[id] += i128::from(value) * i128::from(micros),
            Values::Floats => self.floats[id].add_product(float_of(value), micros as f64),
            Values::None | Values::Flags | Values::Others => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_one(kind: Values) -> Standing {
        let mut standing = Standing::new(kind, 1, true);
        standing.fill();
        standing
    }

    #[test]
    fn a_renewal_on_the_day_it_ends_is_no_end() {
        let mut standing = of_one(Values::None);
        assert_eq!(standing.begin(0, 10, 20, 1), Begun::New);
        assert_eq!(standing.begin(0, 20, 30, 1), Begun::GoesOn);
        assert_eq!((standing.value(0, 29), standing.value(0, 30)), (Some(1), None));
        // A shorter one within does not shorten it; one that ends where it begins is nothing.
        assert_eq!(standing.begin(0, 22, 25, 1), Begun::GoesOn);
        assert_eq!(standing.begin(0, 23, 23, 1), Begun::Nothing);
        assert_eq!((standing.until(0), standing.micros(0, 40)), (30, 20));
    }

    #[test]
    fn what_ends_and_begins_at_one_moment_goes_on_or_never_was() {
        for kind in [Values::None, Values::Digits] {
            let mut standing = of_one(kind).with_ends();
            // Nothing held: all that begins at that moment ends there, however many rows there are.
            assert!(!standing.end(0, 10));
            assert_eq!(standing.begin(0, 10, i64::MAX, 1), Begun::Nothing);
            assert_eq!(standing.begin(0, 10, i64::MAX, 2), Begun::Nothing);
            assert_eq!((standing.value(0, 10), standing.micros(0, 20)), (None, 0));
            // It held: it ends, and goes on.
            assert_eq!(standing.begin(0, 20, i64::MAX, 1), Begun::New);
            assert!(standing.end(0, 30));
            assert!(!standing.end(0, 30));
            assert_eq!(standing.begin(0, 30, i64::MAX, 1), Begun::GoesOn);
            assert_eq!((standing.value(0, 30), standing.micros(0, 40)), (Some(1), 20));
        }
        let mut standing = of_one(Values::Digits).with_ends();
        standing.begin(0, 0, i64::MAX, 7);
        assert!(standing.end(0, 10));
        assert_eq!(standing.begin(0, 10, i64::MAX, 5), Begun::New);
        assert_eq!((standing.value(0, 10), standing.digits(0, 20)), (Some(5), 120));
    }

    #[test]
    fn a_later_value_replaces_the_one_that_holds_with_its_own_end() {
        let mut standing = of_one(Values::Digits);
        standing.begin(0, 0, 100, 7);
        standing.begin(0, 10, 20, 5);
        assert_eq!((standing.value(0, 19), standing.value(0, 20)), (Some(5), None));
        assert_eq!((standing.micros(0, 50), standing.digits(0, 50)), (20, 7 * 10 + 5 * 10));
        // Back after a gap.
        standing.begin(0, 30, i64::MAX, 5);
        assert!(standing.end(0, 40));
        assert!(!standing.end(0, 41));
        assert_eq!((standing.micros(0, 35), standing.micros(0, 50)), (25, 30));
    }

    #[test]
    fn flags_that_are_no_count_for_nothing() {
        let mut standing = of_one(Values::Flags);
        standing.begin(0, 0, i64::MAX, 1);
        standing.begin(0, 10, i64::MAX, 0);
        standing.begin(0, 15, i64::MAX, 1);
        assert_eq!((standing.value(0, 16), standing.micros(0, 14), standing.micros(0, 20)), (Some(1), 10, 15));
    }
}
