//! How far a table is read: by a column that rises when a row changes, and the row's key, so that no row is lost where
//! many share one moment, and none is asked for twice.
//!
//! A run reads the rows without a moment first, all of them each time, since nothing tells which of them are new; then
//! the others in order. Without such a column a run reads the whole table in the order of its key.

use kepi_extension::{ConnectorError, Page};
use serde::{Deserialize, Serialize};

/// Where a source stands in its table, kept between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// The row after which to go on: the moment, then the key. Only a moment: from there on, with it. Empty: all.
    pub(super) after: Vec<String>,
    /// The key of the row after which to go on among those without a moment; none: they are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) without: Option<Vec<String>>,
    /// Whether the run came to its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) done: bool,
}

impl Place {
    /// Where a page begins. `moments`: whether there is a column that rises. `since`: a moment from which on rows are
    /// wanted, where the table was not read before. The error: the stored place is not one.
    pub(super) fn begin(stored: Option<&str>, moments: bool, since: Option<String>) -> Result<Place, String> {
        let place = match stored {
            Some(text) => serde_json::from_str(text).map_err(|error| format!("the state cannot be read: {error}"))?,
            None => Place { after: since.into_iter().collect(), done: false, without: moments.then(Vec::new) },
        };
        Ok(match place.done {
            false => place,
            // A new run: with a moment, what has come since; else all again.
            true if moments => Place { without: Some(Vec::new()), done: false, ..place },
            true => Place::default(),
        })
    }

    /// Whether a stored place is the end of a run.
    pub(super) fn ended(stored: &str) -> bool {
        serde_json::from_str::<Place>(stored).is_ok_and(|place| place.done)
    }

    /// The place after a page. `rows`: how many it has, of `wanted`; `last`: the moment and key of its last row.
    pub(super) fn next(mut self, rows: usize, wanted: usize, last: Option<Vec<String>>) -> Place {
        let full = rows >= wanted;
        match (&mut self.without, last) {
            (Some(key), Some(last)) if full => *key = last,
            (Some(_), _) => self.without = None,
            (None, last) => {
                if let Some(last) = last {
                    self.after = last;
                }
                self.done = !full;
            }
        }
        self
    }

    /// As it is stored.
    pub(super) fn text(&self) -> String {
        // Strings and booleans: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Some rows of a table.
pub(super) struct Rows {
    /// Those that are there, and those that are marked as gone, each as JSON.
    pub(super) records: Vec<String>,
    pub(super) deleted: Vec<String>,
    /// The moment and key of the last of both; among rows without a moment only the key.
    pub(super) last: Option<Vec<String>>,
}

/// The page that begins at a place. `read` gives so many rows from a place on.
pub(super) fn page(
    mut place: Place,
    page_size: u32,
    mut read: impl FnMut(&Place, usize) -> Result<Rows, ConnectorError>,
) -> Result<Page, ConnectorError> {
    let mut page = Page::default();
    loop {
        let wanted = page_size as usize - page.records.len() - page.deleted.len();
        let read = read(&place, wanted)?;
        let rows = read.records.len() + read.deleted.len();
        let alone = place.without.is_some();
        place = place.next(rows, wanted, read.last);
        page.records.extend(read.records);
        page.deleted.extend(read.deleted);
        // Where no row is without a moment, which is nearly always, the others follow at once.
        if place.done || !alone || rows > 0 {
            break;
        }
    }
    page.more = !place.done;
    page.cursor = Some(place.text());
    Ok(page)
}

/// The condition and the order of a page in SQL, from names that are already quoted, and how many of the place's texts
/// it takes as parameters: `parameter` writes the n-th, from 1, for the column of that number among moment and key.
pub(super) fn clauses(
    place: &Place,
    moment: Option<&str>,
    key: &[String],
    parameter: impl Fn(usize, usize) -> String,
) -> (String, String, Vec<String>) {
    let columns: Vec<&str> = match (&place.without, moment) {
        (None, Some(moment)) => std::iter::once(moment).chain(key.iter().map(String::as_str)).collect(),
        _ => key.iter().map(String::as_str).collect(),
    };
    let first = usize::from(place.without.is_some() && moment.is_some());
    let after = place.without.as_ref().unwrap_or(&place.after);
    let compared = match after.len() {
        0 => None,
        // Only a moment, not a row.
        1 if columns.len() > 1 => Some(format!("{} >= {}", columns[0], parameter(1, first))),
        count => {
            let parameters: Vec<String> = (0..count).map(|index| parameter(index + 1, first + index)).collect();
            Some(format!("({}) > ({})", columns.join(", "), parameters.join(", ")))
        }
    };
    let known = moment.map(|moment| match &place.without {
        Some(_) => format!("{moment} is null"),
        None => format!("{moment} is not null"),
    });
    let conditions: Vec<String> = known.into_iter().chain(compared).collect();
    let filter = if conditions.is_empty() { "true".to_string() } else { conditions.join(" and ") };
    (filter, columns.join(", "), after.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    fn row(moment: &str, key: &str) -> Option<Vec<String>> {
        Some(vec![moment.to_string(), key.to_string()])
    }

    #[test]
    fn a_run_reads_what_has_no_moment_and_then_what_is_new() {
        let key = vec!["id".to_string()];
        let said = |place: &Place| {
            let (filter, order, given) = clauses(place, Some("at"), &key, |n, column| format!("?{n}:{column}"));
            format!("{filter} | {order} | {}", given.join(","))
        };
        let place = Place::begin(None, true, None).unwrap();
        assert_eq!(said(&place), "at is null | id | ");
        let place = place.next(2, 2, Some(vec!["7".to_string()]));
        assert_eq!(said(&place), "at is null and (id) > (?1:1) | id | 7");
        let place = place.next(1, 2, Some(vec!["8".to_string()]));
        assert_eq!(said(&place), "at is not null | at, id | ");
        let place = place.next(2, 2, row("t2", "2"));
        assert_eq!(said(&place), "at is not null and (at, id) > (?1:0, ?2:1) | at, id | t2,2");
        let end = place.next(0, 2, None);
        assert!(end.done && end.after == row("t2", "2").unwrap());
        // The next run asks again for rows without a moment, and for those behind the last.
        let again = Place::begin(Some(&end.text()), true, None).unwrap();
        assert_eq!(said(&again), "at is null | id | ");
        assert_eq!(again.next(0, 2, None).next(0, 2, None), end);
    }

    #[test]
    fn without_a_moment_every_run_reads_all() {
        let key = vec!["a".to_string(), "b".to_string()];
        let said = |place: &Place| clauses(place, None, &key, |n, _| format!("?{n}")).0;
        let place = Place::begin(None, false, None).unwrap();
        assert_eq!(said(&place), "true");
        let place = place.next(5, 5, row("1", "x"));
        assert_eq!(said(&place), "(a, b) > (?1, ?2)");
        let end = place.next(3, 5, row("2", "x"));
        assert_eq!(Place::begin(Some(&end.text()), false, None).unwrap(), Place::default());
    }

    #[test]
    fn a_moment_alone_is_where_reading_begins() {
        let place = Place::begin(None, true, Some("2026-01-01".to_string())).unwrap().next(0, 9, None);
        let (filter, _, given) = clauses(&place, Some("at"), &["id".to_string()], |n, _| format!("?{n}"));
        assert_eq!((filter.as_str(), given), ("at is not null and at >= ?1", vec!["2026-01-01".to_string()]));
        assert!(Place::begin(Some("{\"afetr\":1}"), true, None).is_err());
    }
}
