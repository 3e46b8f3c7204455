//! Whether a connector does what every connector has to do: read against an imitated service that has ties, troubles,
//! redirects and refusals, and watched at all that it asks of its host.
//!
//! The service is a script beside the connector, `service.rhai`; its records are `fixtures/STREAM.json`. The connector
//! runs as it runs in a sync: what it was granted, its secrets and its redirects go through the same code, and only the
//! network is another one.

mod columns;
mod reading;
mod records;
mod rules;
mod stage;

use kepi_extension::{Connector, StreamShape};
use kepi_plugin::{Found, ImitatedService};
use records::World;
use rules::Checked;
use stage::Stage;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The script that imitates the service.
const SERVICE: &str = "service.rhai";
/// The folder with the records.
const FIXTURES: &str = "fixtures";

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It does not; the faults, each by its name.
    Broken(Vec<String>),
    /// It was not looked at; why.
    NotChecked(String),
}

/// A rule, and whether a connector keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleResult {
    /// The stream; empty where it is about the whole connector.
    pub stream: String,
    /// The rule in a few words.
    pub rule: &'static str,
    /// What became of it.
    pub verdict: Verdict,
}

/// Checks a connector against the service beside it. The error says what is missing or broken of that service.
pub(crate) fn check(found: &Found, connector: Arc<dyn Connector>) -> Result<Vec<RuleResult>, String> {
    let path = found.folder.join(SERVICE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(vec![RuleResult {
                stream: String::new(),
                rule: "the connector at work",
                verdict: Verdict::NotChecked(format!("there is no {SERVICE} that imitates the service")),
            }]);
        }
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    let world = Arc::new(World::of(fixtures(&found.folder.join(FIXTURES))?));
    let select = Arc::clone(&world);
    let service = ImitatedService::new(SERVICE, &text, Arc::new(move |wanted| select.select(wanted)))?;
    let stage = Stage::new(found, connector, service, world)?;
    let mut checked = Checked::default();
    let shapes = rules::streams(&stage, &mut checked)?;
    for shape in &shapes {
        rules::stream(&stage, shape, &mut checked)?;
    }
    rules::whole(&stage, &mut checked);
    Ok(checked.results)
}

/// The records of each stream, by its name.
fn fixtures(folder: &Path) -> Result<Vec<(String, Vec<serde_json::Value>)>, String> {
    let cannot = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let mut streams = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let records: Vec<serde_json::Value> = serde_json::from_str(&text)
            .map_err(|error| format!("{}:{}: this is no array of records: {error}", path.display(), error.line()))?;
        if let Some(at) = records.iter().position(|record| !record.is_object()) {
            return Err(format!("{}: record {at} is no object", path.display()));
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        streams.push((name, records));
    }
    streams.sort_by(|a: &(String, _), b| a.0.cmp(&b.0));
    match streams.is_empty() {
        true => Err(format!("{} has no records: a file STREAM.json for each stream is needed", folder.display())),
        false => Ok(streams),
    }
}

/// The name and the words of a stream's shape that rules need.
fn key_of(record: &serde_json::Value, shape: &StreamShape) -> String {
    if shape.primary_key.is_empty() {
        return record.to_string();
    }
    let parts = shape.primary_key.iter().map(|path| records::at(record, path).map(ToString::to_string));
    parts.map(|part| part.unwrap_or_else(|| "nothing".to_string())).collect::<Vec<_>>().join(", ")
}
