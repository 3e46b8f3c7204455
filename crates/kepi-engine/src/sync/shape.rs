//! The shape of records: a new column is noted; one that the source reads and that vanished or changed its kind is an
//! error before anything of its page is stored.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How many records have to have had a column, all of them, before its absence from a whole page is taken for more than
/// a service that leaves out what is empty.
const EVIDENCE: u64 = 20;
/// How deep objects are looked into.
const DEPTH_MAX: usize = 16;

/// The columns of a source's records as they were so far, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Shape(BTreeMap<String, Column>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Column {
    /// `text`, `number`, `bool`, `list`, `object`; nothing: it was always null.
    kinds: BTreeSet<String>,
    /// How many records had it.
    seen: u64,
    /// Whether all of them had it, since it was first seen.
    always: bool,
}

impl Shape {
    /// Whether nothing was seen yet.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in a page of records. `read`: the columns that the source reads. Returns the columns that are new; the
    /// error says which one is not what it was, and then nothing is taken in.
    pub(super) fn take(&mut self, records: &[String], read: &[String]) -> Result<Vec<String>, String> {
        let mut page: BTreeMap<String, Column> = BTreeMap::new();
        for record in records {
            // What is no JSON object is rejected where it is read.
            if let Ok(value @ Value::Object(_)) = serde_json::from_str::<Value>(record) {
                note(&value, "", 0, &mut page);
            }
        }
        let count = records.len() as u64;
        let is_read = |name: &str| read.iter().any(|column| column == name);
        for (name, known) in self.0.iter().filter(|(name, _)| is_read(name)) {
            match page.get(name) {
                None if known.always && known.seen >= EVIDENCE && count > 0 => {
                    return Err(format!(
                        "`{name}` was in all {} records so far, and none of these {count} has it",
                        known.seen
                    ));
                }
                Some(column) if !known.kinds.is_empty() => {
                    if let Some(kind) = column.kinds.difference(&known.kinds).next() {
                        let before: Vec<&str> = known.kinds.iter().map(String::as_str).collect();
                        return Err(format!("`{name}` is {kind} now and was {} before", before.join(" or ")));
                    }
                }
                _ => {}
            }
        }
        let first = self.0.is_empty();
        let mut new = Vec::new();
        for (name, known) in &mut self.0 {
            known.always &= page.get(name).is_some_and(|column| column.seen == count) || count == 0;
        }
        for (name, column) in page {
            match self.0.get_mut(&name) {
                Some(known) => {
                    known.kinds.extend(column.kinds);
                    known.seen += column.seen;
                }
                None => {
                    new.extend((!first).then(|| name.clone()));
                    self.0.insert(name, Column { always: column.seen == count, ..column });
                }
            }
        }
        Ok(new)
    }
}

fn note(value: &Value, path: &str, depth: usize, page: &mut BTreeMap<String, Column>) {
    let kind = match value {
        Value::Object(members) if !members.is_empty() && depth < DEPTH_MAX => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                note(member, &path, depth + 1, page);
            }
            return;
        }
        Value::Object(_) => Some("object"),
        Value::Null => None,
        Value::String(_) => Some("text"),
        Value::Number(_) => Some("number"),
        Value::Bool(_) => Some("bool"),
        Value::Array(_) => Some("list"),
    };
    let column = page.entry(path.to_string()).or_default();
    column.seen += 1;
    column.kinds.extend(kind.map(str::to_string));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    fn page(record: &str, count: usize) -> Vec<String> {
        vec![record.to_string(); count]
    }

    #[test]
    fn new_columns_are_told_and_changed_ones_refused() {
        let read = ["id".to_string(), "owner.name".to_string()];
        let mut shape = Shape::default();
        assert_eq!(shape.take(&page(r#"{"id":1,"owner":{"name":"x"},"other":1}"#, 25), &read).unwrap(), [""; 0]);
        assert_eq!(
            shape.take(&page(r#"{"id":2,"owner":{"name":null},"other":"x","stage":"won"}"#, 1), &read).unwrap(),
            ["stage"]
        );
        let before = shape.clone();
        assert_eq!(
            shape.take(&page(r#"{"id":"3","owner":{"name":"x"}}"#, 1), &read).unwrap_err(),
            "`id` is text now and was number before"
        );
        let gone = shape.take(&page(r#"{"id":3,"owner":null}"#, 2), &read).unwrap_err();
        assert_eq!(gone, "`owner.name` was in all 26 records so far, and none of these 2 has it");
        assert_eq!(shape, before);
        // What nobody reads may go, and what was left out before may be left out again.
        shape.take(&page(r#"{"id":3,"owner":{"name":"x"}}"#, 30), &read).unwrap();
        let mut sparse = Shape::default();
        sparse.take(&page(r#"{"id":1,"owner":{"name":"x"}}"#, 40), &["id".to_string()]).unwrap();
        sparse.take(&[page(r#"{"id":1}"#, 1), page(r#"{"id":1,"owner":{"name":"x"}}"#, 1)].concat(), &read).unwrap();
        assert_eq!(sparse.take(&page(r#"{"id":1}"#, 5), &read).unwrap(), [""; 0]);
    }
}
