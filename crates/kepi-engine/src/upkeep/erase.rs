//! Erasing keys: out of the store, and out of everything else that `.kepi` keeps.
//!
//! What is to be erased is noted in a file first, and the file is removed last. So an erasure that was interrupted is
//! finished by whoever opens the project next.

use super::clock;
use super::reports::EraseReport;
use crate::api::EngineError;
use crate::engine::{Engine, store_error};
use kepi_extension::EventScan;
use kepi_store::{Store, StoreError, Writer, mentions};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What is being erased, as it lies in its file while that goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Intent {
    /// Entities and keys.
    keys: Vec<(String, String)>,
    /// The keys with those merged with them: what is looked for in files.
    texts: Vec<String>,
}

impl Engine {
    /// Erases keys of entities: all rows that name them, in whatever column, their attributes, and what else is kept of
    /// them: rejected rows, kept answers, the prompt's history. Keys merged with them are the same person and go too.
    ///
    /// Errors: an entity that is not known, or none of the keys is.
    pub fn store_erase(&self, keys: &[(String, String)]) -> Result<EraseReport, EngineError> {
        let mut writer = self.writer("kepi store erase")?;
        let snapshot = writer.snapshot().map_err(store_error)?;
        let model = self.model("")?;
        for (entity, _) in keys {
            if snapshot.entity(entity).is_none() && model.catalog.entity(entity).is_none() {
                let known: Vec<String> = model.catalog.entities().map(|known| known.name.clone()).collect();
                return Err(EngineError::usage(format!("there is no entity `{entity}`"))
                    .with_help(format!("the entities are {}", known.join(", "))));
            }
        }
        drop(snapshot);
        let mut texts: BTreeSet<String> = BTreeSet::new();
        let mut unknown = 0;
        for (entity, key) in keys {
            let same = writer.aliases(entity, key).map_err(store_error)?;
            unknown += u64::from(same.is_empty());
            texts.extend(same);
            texts.insert(key.clone());
        }
        let intent = Intent { keys: keys.to_vec(), texts: texts.into_iter().collect() };
        note(&self.intent_file(), &intent)?;
        let mut report = self.carry_out(&mut writer, &intent)?;
        report.unknown = unknown;
        if unknown == keys.len() as u64 && report.rejected == 0 {
            let entities: BTreeSet<&str> = keys.iter().map(|(entity, _)| entity.as_str()).collect();
            let entities: Vec<&str> = entities.into_iter().collect();
            let message = format!("nothing is stored of {} with this key", entities.join(" or "));
            return Err(EngineError::failed(message).with_help("a key is written as it stands in the data"));
        }
        Ok(report)
    }

    /// Does what an interrupted erasure left undone.
    pub(super) fn finish_erasure(&self, writer: &mut Writer) -> Result<(), EngineError> {
        let text = match fs::read(self.intent_file()) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(cannot("read", &self.intent_file(), &error)),
        };
        let intent: Intent = serde_json::from_slice(&text).map_err(|error| {
            EngineError::data(format!("{} cannot be read: {error}", self.intent_file().display()))
                .with_help("an erasure was interrupted: remove the file and erase again")
        })?;
        self.carry_out(writer, &intent).map(drop)
    }

    /// The same when nobody was going to write; gives what to say where it cannot be finished now. While another process
    /// writes, that is its task.
    pub(crate) fn finish_erasure_if_any(&self) -> Option<String> {
        if !self.intent_file().exists() {
            return None;
        }
        let finished = match Store::open_writer(&self.project.store(), "finishing an erasure") {
            Ok(mut writer) => self.finish_erasure(&mut writer),
            Err(StoreError::Held { .. }) => return None,
            Err(error) => Err(store_error(error)),
        };
        // Questions are answered all the same, from the snapshot that there is.
        finished.err().map(|error| format!("an erasure was begun and cannot be finished: {error}"))
    }

    fn carry_out(&self, writer: &mut Writer, intent: &Intent) -> Result<EraseReport, EngineError> {
        // A number stands in many texts and means other things there.
        let telling: Vec<String> = intent.texts.iter().filter(|key| key.parse::<f64>().is_err()).cloned().collect();
        let removed = writer.erase(&intent.keys, &telling, clock()).map_err(|error| {
            store_error(error)
                .with_help("either nothing or all of it was removed; the next command in this project finishes it")
        })?;
        let mut report = EraseReport {
            snapshot: removed.snapshot,
            rows: removed.rows,
            keys: removed.keys,
            mentions: removed.mentions,
            ..EraseReport::default()
        };
        report.answers = self.kept.clear().map_err(|(file, error)| cannot("remove", &file, &error))?;
        let folder = self.project.rejected();
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            report.rejected += without_lines(&entry.path(), &intent.texts)?;
        }
        let own = self.project.root.join(".kepi");
        report.history = without_lines(&own.join("history"), &intent.texts)?;
        for file in ["definitions.jsonl", "zones.json"] {
            let lines = read(&own.join(file))?;
            let found = lines.lines().filter(|line| line_mentions(line, &telling)).count() as u64;
            if found > 0 {
                report.mentions.insert(format!(".kepi/{file}"), found);
            }
        }
        for text in self.project.model_texts()? {
            let found = text.text.lines().filter(|line| line_mentions(line, &telling)).count() as u64;
            if found > 0 {
                report.mentions.insert(text.path.display().to_string(), found);
            }
        }
        let file = self.intent_file();
        fs::remove_file(&file).and_then(|()| File::open(&own)?.sync_all()).map_err(|e| cannot("remove", &file, &e))?;
        Ok(report)
    }

    fn intent_file(&self) -> PathBuf {
        self.project.root.join(".kepi").join("erasing.json")
    }
}

/// Notes what is to be erased; on the disk before anything else happens.
fn note(file: &Path, intent: &Intent) -> Result<(), EngineError> {
    let text = serde_json::to_vec(intent).map_err(EngineError::failed)?;
    replace(file, &text)
}

/// Puts a text in the place of a file, whole or not at all.
fn replace(file: &Path, text: &[u8]) -> Result<(), EngineError> {
    let part = file.with_extension("part");
    let write = || {
        let mut out = File::create(&part)?;
        out.write_all(text)?;
        out.sync_all()?;
        fs::rename(&part, file)?;
        match file.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    };
    write().map_err(|error| cannot("write", file, &error))
}

/// Removes the lines of a file that name one of the keys, and the file where none is left; gives how many they were.
fn without_lines(file: &Path, keys: &[String]) -> Result<u64, EngineError> {
    let text = read(file)?;
    let (gone, kept): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line_mentions(line, keys));
    if gone.is_empty() {
        return Ok(0);
    }
    match kept.is_empty() {
        true => fs::remove_file(file).map_err(|error| cannot("remove", file, &error))?,
        false => replace(file, (kept.join("\n") + "\n").as_bytes())?,
    }
    Ok(gone.len() as u64)
}

/// A file's text; empty where there is none.
fn read(file: &Path) -> Result<String, EngineError> {
    match fs::read(file) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(cannot("read", file, &error)),
    }
}

/// Whether one of the keys stands in a line: as it is, as a table writes it, or in a text of JSON.
fn line_mentions(line: &str, keys: &[String]) -> bool {
    let plain = |text: &str| keys.iter().any(|key| mentions(text, key) || mentions(text, &key.replace('"', "\"\"")));
    match serde_json::from_str(line) {
        // The number of a line is no key.
        Ok(value @ Value::Object(_)) => any_text(&value, &plain),
        _ => plain(line),
    }
}

fn any_text(value: &Value, holds: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => {
            holds(text) || serde_json::from_str(text).is_ok_and(|v: Value| !v.is_string() && any_text(&v, holds))
        }
        Value::Array(items) => items.iter().any(|item| any_text(item, holds)),
        Value::Object(fields) => fields.iter().any(|(name, value)| holds(name) || any_text(value, holds)),
        _ => false,
    }
}

fn cannot(what: &str, file: &Path, error: &std::io::Error) -> EngineError {
    EngineError::data(format!("cannot {what} {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_however_a_line_writes_it() {
        let keys = ["a\"b".to_string(), "c-1".to_string()];
        for line in [
            "{\"raw\":\"1,c-1,x\"}",
            "x,\"a\"\"b\",y",
            "{\"raw\":\"a\\\"b\"}",
            "{\"raw\":\"{\\\"id\\\":\\\"c-1\\\"}\"}",
        ] {
            assert!(line_mentions(line, &keys), "{line}");
        }
        assert!(!line_mentions("{\"raw\":\"1,c-12,x\"}", &keys));
        assert!(!line_mentions("{\"line\":17,\"raw\":\"1,2\"}", &["17".to_string()]));
    }
}
