//! Which objects are read: by when they were written, with those of the last day by name, since an object that took long
//! to write appears later than its moment says.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far back objects are known by name, in microseconds.
const RECENT: i64 = 86_400_000_000;

/// An object of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    /// Its name, from the bucket on.
    pub(super) name: String,
    /// When it was written, in microseconds UTC.
    pub(super) at: i64,
    /// What is another when its content is another.
    pub(super) mark: String,
}

/// Where a source stands in its bucket, kept between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// When the latest object that was read was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    /// Objects that were written before are not wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
    /// The objects of the day before `until` that are read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    recent: BTreeMap<String, Read>,
    /// The object that is read in part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    within: Option<Within>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    at: i64,
    mark: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Within {
    name: String,
    mark: String,
    rows: u64,
}

impl Place {
    /// The stored place; `since` counts where there is none.
    pub(super) fn parse(stored: Option<&str>, since: Option<i64>) -> Result<Place, String> {
        let Some(text) = stored else { return Ok(Place { since, ..Place::default() }) };
        serde_json::from_str(text).map_err(|error| format!("the state cannot be read: {error}"))
    }

    /// The next object to read: the one that is begun, else the earliest that is new.
    pub(super) fn next(&self, listed: &[Object]) -> Option<Object> {
        let begun = |object: &&Object| self.row(object) > 0;
        if let Some(object) = listed.iter().find(begun) {
            return Some(object.clone());
        }
        let from = self.until.map(|until| until - RECENT).max(self.since).unwrap_or(i64::MIN);
        let is_new = |object: &&Object| {
            object.at >= from && self.recent.get(&object.name).is_none_or(|read| read.mark != object.mark)
        };
        listed.iter().filter(is_new).min_by_key(|object| (object.at, object.name.as_str())).cloned()
    }

    /// How many rows of an object are read, where it was begun and is still the same.
    pub(super) fn row(&self, object: &Object) -> u64 {
        let within = self.within.as_ref().filter(|within| within.name == object.name && within.mark == object.mark);
        within.map_or(0, |within| within.rows)
    }

    /// So many rows of an object are read.
    pub(super) fn within(&mut self, object: &Object, rows: u64) {
        self.within = Some(Within { name: object.name.clone(), mark: object.mark.clone(), rows });
    }

    /// An object is read.
    pub(super) fn read(&mut self, object: &Object) {
        let until = self.until.map_or(object.at, |until| until.max(object.at));
        self.within = None;
        self.until = Some(until);
        self.recent.insert(object.name.clone(), Read { at: object.at, mark: object.mark.clone() });
        self.recent.retain(|_, read| read.at >= until - RECENT);
    }

    /// As it is stored.
    pub(super) fn text(&self) -> String {
        // Texts and numbers: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    fn object(name: &str, hour: i64, mark: &str) -> Object {
        Object { name: name.to_string(), at: hour * 3_600_000_000, mark: mark.to_string() }
    }

    /// The names of all that are new, in order, each read whole.
    fn run(place: &mut Place, listed: &[Object]) -> Vec<String> {
        let mut names = Vec::new();
        while let Some(object) = place.next(listed) {
            place.read(&object);
            names.push(object.name);
        }
        *place = Place::parse(Some(&place.text()), None).unwrap();
        names
    }

    #[test]
    fn each_object_is_read_once_also_one_that_appears_late_and_again_when_it_is_written_anew() {
        let mut place = Place::default();
        let mut listed = vec![object("b", 10, "1"), object("a", 10, "1"), object("c", 40, "1")];
        assert_eq!(run(&mut place, &listed), ["a", "b", "c"]);
        assert!(run(&mut place, &listed).is_empty());
        listed.push(object("late", 39, "1"));
        listed.push(object("c", 41, "2"));
        listed.remove(2);
        assert_eq!(run(&mut place, &listed), ["late", "c"]);
        assert_eq!(place.recent.len(), 2, "what is older than a day is known by its moment");
    }

    #[test]
    fn an_object_that_is_begun_is_read_on_unless_it_is_another_now() {
        let mut place = Place::parse(None, Some(15 * 3_600_000_000)).unwrap();
        let listed = [object("a", 10, "1"), object("b", 20, "1"), object("c", 16, "1")];
        assert_eq!(place.next(&listed).unwrap().name, "c");
        place.within(&listed[1], 7);
        assert_eq!((place.next(&listed).unwrap(), place.row(&listed[1])), (listed[1].clone(), 7));
        let written = [listed[0].clone(), object("b", 30, "2")];
        assert_eq!((place.next(&written).unwrap(), place.row(&written[1])), (written[1].clone(), 0));
        assert!(Place::parse(Some("{\"util\":1}"), None).is_err());
    }
}
