//! In which zone the local times of a load were read: kept beside the store, so that another zone in the settings does
//! not move days without a word.

use crate::api::EngineError;
use crate::engine::Engine;
use crate::model::Model;
use kepi_extension::EventScan;
use kepi_store::Snapshot;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// By event or entity, by source: the zone.
type Zones = BTreeMap<String, BTreeMap<String, String>>;

impl Engine {
    fn zones_file(&self) -> PathBuf {
        self.project.root.join(".kepi").join("zones.json")
    }

    fn zones(&self) -> Zones {
        // Without the file, or where it is damaged, nothing is known, and nothing is said.
        let text = fs::read_to_string(self.zones_file()).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Remembers that rows of some events and entities were read in a zone. `local`: the names of those with times
    /// without an offset; the others of a load are forgotten.
    ///
    /// Errors: the file cannot be written.
    pub(super) fn remember_zone(
        &self,
        source: &str,
        zone: &str,
        targets: &[(String, bool)],
    ) -> Result<(), EngineError> {
        let before = self.zones();
        let mut zones = before.clone();
        for (target, local) in targets {
            match local {
                true => {
                    zones.entry(target.clone()).or_default().insert(source.to_string(), zone.to_string());
                }
                false => {
                    zones.get_mut(target).map(|sources| sources.remove(source));
                }
            }
        }
        zones.retain(|_, sources| !sources.is_empty());
        if zones == before {
            return Ok(());
        }
        let file = self.zones_file();
        let part = file.with_extension(format!("{}.part", std::process::id()));
        let io = |e: std::io::Error| EngineError::data(format!("cannot write {}: {e}", file.display()));
        let text = serde_json::to_string_pretty(&zones).map_err(EngineError::failed)?;
        fs::write(&part, text).and_then(|()| fs::rename(&part, &file)).map_err(io)
    }

    /// Remembers that rows of a page that was pulled were read in a zone. Those of earlier runs stay, so the zone of the
    /// first of them holds on, unless all is pulled `anew`.
    ///
    /// Errors: the file cannot be written.
    pub(crate) fn remember_zone_of_page(
        &self,
        source: &str,
        zone: &str,
        targets: &[(String, bool)],
        anew: bool,
    ) -> Result<(), EngineError> {
        let known = self.zones();
        let held = |target: &str| known.get(target).is_some_and(|sources| sources.contains_key(source));
        let local: Vec<(String, bool)> =
            targets.iter().filter(|(target, local)| *local && (anew || !held(target))).cloned().collect();
        if local.is_empty() { Ok(()) } else { self.remember_zone(source, zone, &local) }
    }

    /// Says which rows were read in another zone than the one that holds now; none: none that is known.
    pub(crate) fn other_zone(&self, model: &Model, snapshot: &Snapshot) -> Option<String> {
        let now = &model.catalog.settings.zone;
        let stored = snapshot.streams();
        let mut others: Vec<String> = Vec::new();
        let mut zone = String::new();
        for (target, sources) in self.zones() {
            let known = stored.contains(&target) || (!stored.is_empty() && model.catalog.entity(&target).is_some());
            if let Some(other) = sources.values().find(|zone| *zone != now).filter(|_| known) {
                others.push(format!("`{target}`"));
                zone.clone_from(other);
            }
        }
        (!others.is_empty()).then(|| {
            format!(
                "days and times of {} were read in {zone}, and the zone is {now} now: load the files again, or they lie \
                 elsewhere than they did",
                others.join(", ")
            )
        })
    }
}
