//! The records of the imitated service, and what is done to them: more of them, shared times, changes.

use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Blocks of so many records get one time.
const TIED: usize = 5;

/// The records of each stream as the service has them now.
#[derive(Debug, Default)]
pub(super) struct World {
    given: BTreeMap<String, Vec<Value>>,
    now: Mutex<BTreeMap<String, Vec<Value>>>,
    /// What happened to records, in order: `{ id, stream, at, record }`.
    changes: Mutex<Vec<Value>>,
}

impl World {
    pub(super) fn of(streams: Vec<(String, Vec<Value>)>) -> World {
        let given: BTreeMap<String, Vec<Value>> = streams.into_iter().collect();
        World { now: Mutex::new(given.clone()), given, changes: Mutex::default() }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.given.keys().cloned().collect()
    }

    /// The records of a stream as they are now.
    pub(super) fn records(&self, stream: &str) -> Vec<Value> {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.get(stream).cloned().unwrap_or_default()
    }

    /// Puts records in the place of those of a stream; nothing happened to them.
    pub(super) fn put(&self, stream: &str, records: Vec<Value>) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.now.lock().unwrap_or_else(PoisonError::into_inner).insert(stream.to_string(), records);
    }

    /// As the fixture has them.
    pub(super) fn given(&self, stream: &str) -> Vec<Value> {
        self.given.get(stream).cloned().unwrap_or_default()
    }

    /// Changes the first record of a stream at a time, in microseconds; gives it as it is then.
    pub(super) fn change(&self, stream: &str, cursor_field: &str, at_us: i64) -> Option<Value> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let record = now.get_mut(stream)?.first_mut()?;
        let time = at(record, cursor_field).and_then(|known| like(known, at_us))?;
        set(record, cursor_field, time);
        let record = record.clone();
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let id = format!("change_{}", changes.len() + 1);
        changes.push(json!({"id": id, "stream": stream, "at": at_us / 1_000_000, "record": record}));
        Some(record)
    }

    /// What a service's script asks for: `#{ stream, order, after, behind, from, before, where, skip, limit }` gives
    /// `#{ records, total, more, next }`. The stream `changes` has what happened to records.
    pub(super) fn select(&self, wanted: &Value) -> Result<Value, String> {
        const KNOWN: [&str; 10] =
            ["stream", "order", "descending", "after", "behind", "from", "before", "where", "skip", "limit"];
        let wanted = wanted.as_object().ok_or("select takes a map")?;
        if let Some(other) = wanted.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(format!("select has no `{other}`; it has {}", KNOWN.join(", ")));
        }
        let stream = wanted.get("stream").and_then(Value::as_str).ok_or("select needs a stream")?;
        let mut records = match stream {
            "changes" => self.changes.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            _ => self.records(stream),
        };
        let bounds = |key: &str| wanted.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
        let (from, before, equal) = (bounds("from"), bounds("before"), bounds("where"));
        let each = |bounds: &Map<String, Value>, record: &Value, good: &dyn Fn(Ordering) -> bool| {
            bounds
                .iter()
                .all(|(path, bound)| bound.is_null() || at(record, path).is_some_and(|v| good(compare(v, bound))))
        };
        records.retain(|record| {
            each(&from, record, &|order| order != Ordering::Less)
                && each(&before, record, &|order| order == Ordering::Less)
                && each(&equal, record, &|order| order == Ordering::Equal)
        });
        let paths = |key: &str| -> Vec<String> {
            let listed = wanted.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
            listed.iter().filter_map(Value::as_str).map(str::to_string).collect()
        };
        let order = paths("order");
        let by = |a: &Value, b: &Value| {
            let parts = order
                .iter()
                .map(|path| compare(at(a, path).unwrap_or(&Value::Null), at(b, path).unwrap_or(&Value::Null)));
            parts.fold(Ordering::Equal, Ordering::then)
        };
        records.sort_by(by);
        if wanted.get("descending").and_then(Value::as_bool) == Some(true) {
            records.reverse();
        }
        if let Some(after) = wanted.get("after").and_then(Value::as_array).filter(|after| !after.is_empty()) {
            records.retain(|record| {
                let parts = order.iter().zip(after).map(|(path, bound)| match bound.is_null() {
                    true => Ordering::Greater,
                    false => compare(at(record, path).unwrap_or(&Value::Null), bound),
                });
                parts.fold(Ordering::Equal, Ordering::then) == Ordering::Greater
            });
        }
        for (path, value) in bounds("behind").iter().filter(|(_, value)| !value.is_null()) {
            let place = records
                .iter()
                .position(|record| at(record, path).is_some_and(|v| compare(v, value) == Ordering::Equal));
            records.drain(..place.map_or(0, |place| place + 1));
        }
        let whole = |key: &str| wanted.get(key).and_then(number).map(|number| number.max(0.0) as usize);
        let total = records.len();
        let skip = whole("skip").unwrap_or(0).min(total);
        let rest = records.split_off(skip);
        let limit = whole("limit").unwrap_or(rest.len()).min(rest.len());
        let more = limit < rest.len();
        let next = more.then_some(skip + limit);
        Ok(json!({"records": rest[..limit], "total": total, "more": more, "next": next}))
    }
}

/// The value at a path with dots; a name that has a dot itself counts first.
pub(super) fn at<'v>(record: &'v Value, path: &str) -> Option<&'v Value> {
    if let Some(value) = record.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    at(record.get(first)?, rest)
}

fn set(record: &mut Value, path: &str, value: Value) {
    if record.get(path).is_some() {
        record[path] = value;
    } else if let Some((first, rest)) = path.split_once('.')
        && let Some(inner) = record.get_mut(first)
    {
        set(inner, rest, value);
    }
}

/// Gives blocks of records the time of their first one, in the order of time.
pub(super) fn tied(mut records: Vec<Value>, cursor_field: &str) -> Vec<Value> {
    let null = Value::Null;
    records.sort_by(|a, b| compare(at(a, cursor_field).unwrap_or(&null), at(b, cursor_field).unwrap_or(&null)));
    for block in records.chunks_mut(TIED) {
        let Some(time) = block.first().and_then(|record| at(record, cursor_field)).cloned() else { continue };
        block.iter_mut().for_each(|record| set(record, cursor_field, time.clone()));
    }
    records
}

/// So many records, made of these with other keys.
pub(super) fn grown(records: &[Value], primary_key: &[String], count: usize) -> Vec<Value> {
    let mut grown = records.to_vec();
    let Some(key) = primary_key.first() else { return grown };
    for round in 1.. {
        if grown.len() >= count || records.is_empty() {
            break;
        }
        for record in records {
            let mut copy = record.clone();
            let other = match at(record, key) {
                Some(Value::Number(number)) => number.as_i64().map(|number| json!(number + round * 1_000_000)),
                Some(Value::String(text)) => Some(match text.parse::<i64>() {
                    Ok(number) => json!((number + round * 1_000_000).to_string()),
                    Err(_) => json!(format!("{text}x{round:03}")),
                }),
                _ => None,
            };
            let Some(other) = other else { return grown };
            set(&mut copy, key, other);
            grown.push(copy);
        }
    }
    grown.truncate(count.max(records.len()));
    grown
}

/// The order of two values: numbers and moments by what they mean, other texts by their characters.
fn compare(a: &Value, b: &Value) -> Ordering {
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return a.total_cmp(&b);
    }
    if let (Some(a), Some(b)) = (moment(a), moment(b)) {
        return a.cmp(&b);
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    text(a).cmp(&text(b))
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// A moment in microseconds: a text of ISO 8601, or a number of seconds or milliseconds since 1970.
pub(super) fn moment(value: &Value) -> Option<i64> {
    if let Some(text) = value.as_str().filter(|text| text.parse::<f64>().is_err()) {
        return text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond);
    }
    let number = number(value)? as i64;
    Some(number * if number.abs() < 100_000_000_000 { 1_000_000 } else { 1_000 })
}

/// A moment written as another value is.
fn like(known: &Value, at_us: i64) -> Option<Value> {
    let as_number = |number: i64| if number.abs() < 100_000_000_000 { at_us / 1_000_000 } else { at_us / 1_000 };
    match known {
        Value::Number(number) => Some(json!(as_number(number.as_i64()?))),
        Value::String(text) => Some(json!(match text.parse::<i64>() {
            Ok(number) => as_number(number).to_string(),
            Err(_) => {
                moment(known)?;
                let moment = jiff::Timestamp::from_microsecond(at_us).ok()?;
                let end = text.get(19..).unwrap_or("Z");
                // With the fraction and the offset of the other, so that texts have the order of moments.
                format!("{}{end}", moment.strftime("%Y-%m-%dT%H:%M:%S"))
            }
        })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    #[test]
    fn records_are_selected_in_order_and_behind_a_key() {
        let record = |id: i64, at: &str| json!({"id": id, "p": {"at": at}});
        let world = World::of(vec![(
            "deals".to_string(),
            vec![
                record(3, "2024-01-02T00:00:00.000+0000"),
                record(1, "2024-01-01T00:00:00Z"),
                record(2, "2024-01-02T00:00:00Z"),
            ],
        )]);
        let ids = |wanted: Value| -> Vec<i64> {
            let found = world.select(&wanted).unwrap();
            found["records"].as_array().unwrap().iter().map(|record| record["id"].as_i64().unwrap()).collect()
        };
        let order = json!(["p.at", "id"]);
        assert_eq!(ids(json!({"stream": "deals", "order": order})), [1, 2, 3]);
        let after = json!(["2024-01-02T00:00:00Z", 2]);
        assert_eq!(ids(json!({"stream": "deals", "order": order, "after": after})), [3]);
        assert_eq!(ids(json!({"stream": "deals", "from": {"p.at": "1704153600"}, "order": order})), [2, 3]);
        assert_eq!(ids(json!({"stream": "deals", "order": order, "behind": {"id": "1"}, "limit": 1})), [2]);
        assert_eq!(ids(json!({"stream": "deals", "where": {"id": 3}})), [3]);
        let page = |skip: i64| world.select(&json!({"stream": "deals", "skip": skip, "limit": 2})).unwrap();
        assert_eq!((&page(0)["next"], &page(2)["next"], &page(0)["total"]), (&json!(2), &Value::Null, &json!(3)));
        assert!(world.select(&json!({"stream": "deals", "sort": 1})).unwrap_err().contains("no `sort`"));
        let changed = world.change("deals", "p.at", 1_704_153_600_000_000 + 3_600_000_000).unwrap();
        assert_eq!(changed["p"]["at"], "2024-01-02T01:00:00.000+0000");
        assert_eq!(world.select(&json!({"stream": "changes"})).unwrap()["records"][0]["record"]["id"], 3);
    }

    #[test]
    fn grown_records_have_keys_of_their_own_and_tied_ones_share_times() {
        let records: Vec<Value> = (0..7).map(|i| json!({"id": format!("a{i}"), "at": 1_700_000_000 + i})).collect();
        let grown = grown(&records, &["id".to_string()], 20);
        let mut keys: Vec<String> = grown.iter().map(|record| record["id"].to_string()).collect();
        keys.sort();
        keys.dedup();
        assert_eq!((grown.len(), keys.len()), (20, 20));
        let mut times: Vec<i64> = tied(records, "at").iter().map(|record| record["at"].as_i64().unwrap()).collect();
        times.dedup();
        assert_eq!(times, [1_700_000_000, 1_700_000_005]);
    }
}
