//! The rules that every connector has to keep, and the name of each fault.

use super::reading::{How, Reading};
use super::records::{at, grown, moment, tied};
use super::stage::{NOW, Stage, Trouble};
use super::{RuleResult, Verdict, columns, key_of};
use kepi_extension::StreamShape;
use serde_json::Value;
use std::collections::BTreeSet;

/// Later runs come so much later, in microseconds.
const LATER: i64 = 7_200_000_000;
/// So many cursors of a run are gone on from.
const RESUMED_MAX: usize = 8;

/// What was found so far.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) results: Vec<RuleResult>,
    /// The stream against which the whole connector is tried.
    first: Option<StreamShape>,
    leaks: BTreeSet<String>,
}

impl Checked {
    fn say(&mut self, stream: &str, rule: &'static str, faults: Vec<String>) {
        let verdict = if faults.is_empty() { Verdict::Holds } else { Verdict::Broken(faults) };
        self.results.push(RuleResult { stream: stream.to_string(), rule, verdict });
    }

    fn skip(&mut self, stream: &str, rule: &'static str, why: &str) {
        self.results.push(RuleResult {
            stream: stream.to_string(),
            rule,
            verdict: Verdict::NotChecked(why.to_string()),
        });
    }

    /// Looks for secrets in what a run gave.
    fn listen(&mut self, stage: &Stage, reading: &Reading) {
        for (name, value) in &stage.secrets {
            let has = |text: &str| text.contains(value.as_str());
            let mut leak = |place: &str| {
                self.leaks.insert(format!("leaks the secret {name} into {place}"));
            };
            for page in &reading.pages {
                if page.cursor.as_deref().is_some_and(has) {
                    leak("its cursor, which is stored");
                }
                if page.records.iter().any(|record| has(&record.to_string())) {
                    leak("its records");
                }
            }
            if reading.errors.iter().any(|error| has(error)) {
                leak("its error messages");
            }
        }
    }
}

/// The streams that can be checked.
pub(super) fn streams(stage: &Stage, checked: &mut Checked) -> Result<Vec<StreamShape>, String> {
    let host = stage.host(NOW, Trouble::None)?;
    let mut faults = Vec::new();
    if let Ok(Some(schema)) = stage.connector.config_schema()
        && !serde_json::from_str::<Value>(&schema).is_ok_and(|schema| schema.is_object())
    {
        faults.push("describes its configuration by something that is no JSON object".to_string());
    }
    let discovered = stage.connector.discover(&stage.config, &host);
    let mut shapes = match &discovered {
        Ok(shapes) => shapes.clone(),
        Err(error) => return Err(format!("the connector cannot say what streams it has: {error}")),
    };
    if !matches!(stage.connector.discover(&stage.config, &host), Ok(again) if again == shapes) {
        faults.push("names other streams when it is asked again".to_string());
    }
    let mut names: Vec<&str> = shapes.iter().map(|shape| shape.name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        faults.push(format!("names the stream {} twice", twice[0]));
    }
    if let Err(error) = stage.connector.check(&stage.config, &host) {
        faults.push(format!("does not accept a good configuration: {error}"));
    }
    checked.say("", "streams", faults);
    if shapes.is_empty() {
        // Any name will do.
        let shape = |name: String| StreamShape { name, ..StreamShape::default() };
        shapes = stage.world.names().into_iter().map(shape).collect();
    }
    Ok(shapes)
}

/// A stream by itself.
pub(super) fn stream(stage: &Stage, shape: &StreamShape, checked: &mut Checked) -> Result<(), String> {
    let name = shape.name.as_str();
    let given = stage.world.given(name);
    if given.is_empty() {
        checked.skip(name, "every record once", &format!("there is no fixtures/{name}.json"));
        return Ok(());
    }
    checked.first.get_or_insert_with(|| shape.clone());
    let plain = How { page_size: 1_000, cursor: None, now: NOW, trouble: Trouble::None };
    let mut faults = Vec::new();
    let mut retyped = BTreeSet::new();
    let whole = Reading::of(stage, shape, plain)?;
    let expected = expected(&given, &whole, shape);
    let gives = |path: &str| whole.pages.iter().flat_map(|page| &page.records).any(|record| at(record, path).is_some());
    let some = whole.pages.iter().any(|page| !page.records.is_empty());
    if let Some(path) = shape.primary_key.iter().find(|path| some && !gives(path)) {
        faults.push(format!("names {path} as the key of its records, and they have none"));
    }
    for page_size in [1_000, 3, 2, 1] {
        if !faults.is_empty() {
            break;
        }
        let reading = Reading::of(stage, shape, How { page_size, ..plain })?;
        checked.listen(stage, &reading);
        retyped.extend(columns::faults(&reading, shape));
        faults.extend(once(&reading, &expected));
    }
    let sound = faults.is_empty();
    checked.say(name, "every record once", faults);
    if !sound {
        checked.say(name, "columns keep their kinds", retyped.into_iter().collect());
        return Ok(());
    }
    // So many records, and pages so small, that there are several pages.
    let (records, page_size) = enough(stage, shape, &given)?;
    let how = How { page_size, ..plain };
    let cursor_field = shape
        .cursor_field
        .as_deref()
        .filter(|path| records.iter().all(|record| at(record, path).is_some_and(|value| moment(value).is_some())));
    let mut held = records.clone();
    let named = shape.cursor_field.as_deref().filter(|path| !gives(path));
    match cursor_field {
        None if named.is_some() => {
            let fault = format!("names the cursor field {}, and its records have none", named.unwrap_or_default());
            checked.say(name, "ties on the cursor", vec![fault]);
        }
        None => checked.skip(name, "ties on the cursor", "it names no cursor field that its records have"),
        Some(path) => {
            held = tied(records, path);
            stage.world.put(name, held.clone());
            let mut faults = Vec::new();
            for page_size in [page_size, page_size.min(2)] {
                let reading = Reading::of(stage, shape, How { page_size, ..how })?;
                let lost = lost(&reading, &keys_of(&held, shape, &expected));
                if !lost.is_empty() {
                    let (count, all) = (lost.len(), held.len());
                    faults.push(format!(
                        "loses ties: {count} of {all} records, which share their {path} with others, do not come in pages of {page_size}"
                    ));
                    break;
                }
                faults.extend(twice(&reading));
            }
            faults.truncate(1);
            checked.say(name, "ties on the cursor", faults);
        }
    }
    stage.world.put(name, held.clone());
    let expected = keys_of(&held, shape, &expected);
    let reading = Reading::of(stage, shape, how)?;
    retyped.extend(columns::faults(&reading, shape));
    checked.say(name, "columns keep their kinds", retyped.into_iter().collect());
    let again = Reading::of(stage, shape, how)?;
    let same = reading.pages == again.pages;
    let fault = "gives other pages when the same data are read again".to_string();
    checked.say(name, "the same data twice", if same { Vec::new() } else { vec![fault] });
    resumed(stage, shape, how, &reading, &expected, checked)?;
    later(stage, shape, how, &reading, cursor_field, checked)?;
    stage.world.put(name, held.clone());
    troubles(stage, shape, how, &expected, checked)?;
    stage.world.put(name, given);
    Ok(())
}

/// The keys that a stream has to give: those of the service's records, or where the connector makes other keys those
/// of a whole reading.
fn expected(given: &[Value], whole: &Reading, shape: &StreamShape) -> BTreeSet<String> {
    let own: BTreeSet<String> = given.iter().map(|record| key_of(record, shape)).collect();
    let came = delivered(whole);
    match own.is_disjoint(&came) && !came.is_empty() && !shape.primary_key.is_empty() {
        true => came,
        false => own,
    }
}

/// The keys of other records of the same stream.
fn keys_of(records: &[Value], shape: &StreamShape, known: &BTreeSet<String>) -> BTreeSet<String> {
    let keys: BTreeSet<String> = records.iter().map(|record| key_of(record, shape)).collect();
    if shape.primary_key.is_empty() || !keys.is_disjoint(known) { keys } else { known.clone() }
}

/// What came: records, and records that are gone.
fn delivered(reading: &Reading) -> BTreeSet<String> {
    let mut keys: BTreeSet<String> = reading.keys().into_iter().map(str::to_string).collect();
    keys.extend(reading.pages.iter().flat_map(|page| page.gone.iter().cloned()));
    keys
}

fn lost(reading: &Reading, expected: &BTreeSet<String>) -> Vec<String> {
    expected.difference(&delivered(reading)).cloned().collect()
}

fn twice(reading: &Reading) -> Option<String> {
    let (key, first, second) = reading.repeated()?;
    Some(match first == second {
        true => format!("gives a record twice: {key}, in page {first}"),
        false => format!("repeats a page: {key} came in page {first} and in page {second}"),
    })
}

fn once(reading: &Reading, expected: &BTreeSet<String>) -> Vec<String> {
    if let Some(error) = &reading.failed {
        // The runtimes of plugins look for this by themselves.
        return vec![match error.contains("the cursor is that of the page before") {
            true => format!("ignores the cursor: {error}"),
            false => format!("gives no page: {error}"),
        }];
    }
    if reading.endless {
        return vec![match (reading.begins_anew(), twice(reading)) {
            (true, _) => "ignores the cursor: its second page is its first one again, without end".to_string(),
            (false, Some(fault)) => format!("{fault}, and it does not end"),
            (false, None) => format!("does not end: after {} pages there is more", reading.pages.len()),
        }];
    }
    let lost = lost(reading, expected);
    let mut faults: Vec<String> = twice(reading).into_iter().collect();
    if let Some(one) = lost.first() {
        faults.push(format!("loses {} of {} records, among them {one}", lost.len(), expected.len()));
    }
    faults
}

/// Records and a size of pages that make at least three pages.
fn enough(stage: &Stage, shape: &StreamShape, given: &[Value]) -> Result<(Vec<Value>, u32), String> {
    for (count, page_size) in [(given.len(), 3), (given.len().max(12), 3), (350, 100)] {
        let records = grown(given, &shape.primary_key, count);
        stage.world.put(&shape.name, records.clone());
        let how = How { page_size, cursor: None, now: NOW, trouble: Trouble::None };
        if Reading::of(stage, shape, how)?.pages.len() >= 3 {
            return Ok((records, page_size));
        }
    }
    Ok((grown(given, &shape.primary_key, 3_500), 1_000))
}

/// Going on from the cursors of a run, each on a fresh host, as after a crash behind any page.
fn resumed(
    stage: &Stage,
    shape: &StreamShape,
    how: How<'_>,
    whole: &Reading,
    expected: &BTreeSet<String>,
    checked: &mut Checked,
) -> Result<(), String> {
    const RULE: &str = "going on from any page";
    let last = whole.pages.len().saturating_sub(1);
    if last == 0 {
        checked.skip(&shape.name, RULE, "all records came in one page");
        return Ok(());
    }
    let step = last.div_ceil(RESUMED_MAX).max(1);
    let mut faults = Vec::new();
    for end in (0..last).step_by(step) {
        let Some(cursor) = whole.pages[end].cursor.as_deref() else { continue };
        let rest = Reading::of(stage, shape, How { cursor: Some(cursor), ..how })?;
        checked.listen(stage, &rest);
        let before: BTreeSet<&str> =
            whole.pages[..=end].iter().flat_map(|page| &page.keys).map(String::as_str).collect();
        // A page may tell that records are gone, which then come no more.
        let gone: BTreeSet<&str> = whole.pages[..=end].iter().flat_map(|page| &page.gone).map(String::as_str).collect();
        let again = rest.keys().intersection(&before).count();
        let behind = end + 1;
        if let Some(error) = &rest.failed {
            faults.push(format!("does not go on from page {behind}: {error}"));
        } else if rest.pages.first().is_some_and(|page| !page.keys.is_empty() && page.keys == whole.pages[0].keys) {
            faults.push(format!("ignores the cursor: from page {behind} on it begins with page 1 again"));
        } else if again > 0 {
            faults.push(format!("repeats a page: from page {behind} on it gives {again} records again"));
        } else {
            let known = |key: &String| before.contains(key.as_str()) || gone.contains(key.as_str());
            let missing: Vec<String> = lost(&rest, expected).into_iter().filter(|key| !known(key)).collect();
            if let Some(one) = missing.first() {
                faults.push(format!(
                    "loses {} records when it goes on from page {behind}, among them {one}",
                    missing.len()
                ));
            }
        }
        if !faults.is_empty() {
            break;
        }
    }
    checked.say(&shape.name, RULE, faults);
    Ok(())
}

/// Later runs: nothing new, then one record that has changed.
fn later(
    stage: &Stage,
    shape: &StreamShape,
    how: How<'_>,
    whole: &Reading,
    cursor_field: Option<&str>,
    checked: &mut Checked,
) -> Result<(), String> {
    const RULE: &str = "only what is new";
    let Some(path) = cursor_field else {
        checked.skip(&shape.name, RULE, "the stream is read whole each time");
        return Ok(());
    };
    let Some(end) = whole.end() else {
        checked.say(&shape.name, RULE, vec!["gives no cursor at the end, so that each run begins anew".to_string()]);
        return Ok(());
    };
    let how = How { cursor: Some(end), now: NOW + LATER, ..how };
    let second = Reading::of(stage, shape, how)?;
    checked.listen(stage, &second);
    let held = stage.world.records(&shape.name);
    let newest = held.iter().filter_map(|record| moment(at(record, path)?)).max();
    // Of the newest time there may be more, so those records may come again.
    let newest: BTreeSet<String> = held
        .iter()
        .filter(|record| at(record, path).and_then(moment) == newest)
        .map(|record| key_of(record, shape))
        .collect();
    let again = second.keys().into_iter().filter(|key| !newest.contains(*key)).count();
    let mut faults = Vec::new();
    if let Some(error) = &second.failed {
        faults.push(format!("cannot be read a second time: {error}"));
    } else if second.endless {
        faults.push("does not end when it is read a second time".to_string());
    } else if again > 0 {
        faults.push(format!("ignores the cursor: a second run gives {again} known records again, and nothing is new"));
    } else if let Some(record) = stage.world.change(&shape.name, path, NOW + LATER / 2) {
        let third = Reading::of(stage, shape, how)?;
        let key = key_of(&record, shape);
        if !delivered(&third).contains(&key) {
            faults.push(format!("does not see that the record {key} has changed"));
        }
    }
    checked.say(&shape.name, RULE, faults);
    Ok(())
}

/// A service that is busy, full, silent, cuts answers off or gives one twice: in the end the same records.
fn troubles(
    stage: &Stage,
    shape: &StreamShape,
    how: How<'_>,
    expected: &BTreeSet<String>,
    checked: &mut Checked,
) -> Result<(), String> {
    const RULE: &str = "troubles of the service";
    if stage.reads_files {
        checked.skip(&shape.name, RULE, "it reads files");
        return Ok(());
    }
    let before = stage.watch().sent;
    Reading::of(stage, shape, how)?;
    let requests = stage.watch().sent - before;
    let mut places = vec![0, 1, 2, requests / 2, requests.saturating_sub(1)];
    places.sort_unstable();
    places.dedup();
    places.retain(|place| *place < requests);
    let mut faults = Vec::new();
    for place in places {
        for (trouble, words) in [
            (Trouble::Status(place, 429, 1), "says 429 and asks for a second"),
            (Trouble::Status(place, 503, 3_600), "says 503 and asks for an hour"),
            (Trouble::Silent(place), "does not answer for a while"),
            (Trouble::Cut(place), "cuts an answer off"),
            (Trouble::Repeated(place), "gives the page before once more"),
        ] {
            let reading = Reading::of(stage, shape, How { trouble, ..how })?;
            checked.listen(stage, &reading);
            let lost = lost(&reading, expected);
            let request = place + 1;
            if let Some(error) = &reading.failed {
                faults.push(format!("does not get over a service that {words} (request {request}): {error}"));
            } else if reading.endless {
                faults.push(format!("does not end where the service {words} (request {request})"));
            } else if let Some(one) = lost.first() {
                let count = lost.len();
                faults.push(format!(
                    "loses {count} records where the service {words} (request {request}), among them {one}"
                ));
            }
        }
        if !faults.is_empty() {
            break;
        }
    }
    checked.say(&shape.name, RULE, faults);
    Ok(())
}

/// What is about the whole connector: refusals, redirects, hosts, secrets.
pub(super) fn whole(stage: &Stage, checked: &mut Checked) {
    if let Some(shape) = checked.first.clone().filter(|_| !stage.reads_files) {
        let outcome = refusal(stage, &shape, checked).and_then(|()| astray(stage, &shape, checked));
        if let Err(error) = outcome {
            checked.say("", "refusals and redirects", vec![error]);
        }
    }
    let watch = stage.watch();
    let mut hosts: BTreeSet<String> = BTreeSet::new();
    for (url, reason) in &watch.denied {
        let place = origin(url);
        hosts.insert(match reason.contains("granted, but not by") || reason.contains("hosts that were granted") {
            true => format!("calls a host that is not granted: {place}"),
            false => format!("asks for what it was not granted: {place}: {reason}"),
        });
    }
    for (name, value) in &stage.secrets {
        if watch.log.iter().any(|line| line.contains(value.as_str())) {
            checked.leaks.insert(format!("leaks the secret {name} into the log"));
        }
    }
    drop(watch);
    if !stage.reads_files {
        checked.say("", "only hosts that are granted", hosts.into_iter().collect());
    }
    let leaks = std::mem::take(&mut checked.leaks).into_iter().collect();
    match stage.secrets.is_empty() {
        true => checked.skip("", "secrets stay secret", "it asks for none"),
        false => checked.say("", "secrets stay secret", leaks),
    }
}

fn refusal(stage: &Stage, shape: &StreamShape, checked: &mut Checked) -> Result<(), String> {
    let how = How { page_size: 3, cursor: None, now: NOW, trouble: Trouble::Refused };
    let reading = Reading::of(stage, shape, how)?;
    checked.listen(stage, &reading);
    let mut faults = Vec::new();
    if reading.failed.is_none() {
        faults.push("takes a refusal (401) for a page".to_string());
    }
    let before = stage.watch().sent;
    let host = stage.host(NOW, Trouble::Refused)?;
    let said = stage.connector.check(&stage.config, &host);
    if said.is_ok() && stage.watch().sent > before {
        faults.push("says that all is well where the service refuses the credentials (401)".to_string());
    }
    checked.say("", "a refusal is told", faults);
    Ok(())
}

fn astray(stage: &Stage, shape: &StreamShape, checked: &mut Checked) -> Result<(), String> {
    let how = How { page_size: 3, cursor: None, now: NOW, trouble: Trouble::Astray };
    stage.watch().astray.clear();
    let reading = Reading::of(stage, shape, how)?;
    checked.listen(stage, &reading);
    let private = stage.watch().astray.iter().find(|url| url.contains("169.254.")).cloned();
    let fault = match private {
        Some(url) => Some(format!("follows a redirect to a private address: it asks for {}", origin(&url))),
        None if reading.failed.is_none() && reading.errors.is_empty() => {
            Some("takes a redirect that was refused for an answer".to_string())
        }
        None => None,
    };
    checked.say("", "redirects lead nowhere else", fault.into_iter().collect());
    Ok(())
}

/// Scheme and host of an address: the rest may hold what nobody should see.
fn origin(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "something that is no address".to_string() };
    format!("{scheme}://{}", rest.split(['/', '?', '#']).next().unwrap_or_default())
}
