//! Columns that a load fills for the first time: what was stored before has no value for them, which is told.

use crate::api::TargetReport;
use kepi_extension::{EventScan, ID};
use kepi_model::declared::{SourceDecl, Target};

/// What a load brings new to something that has rows already.
#[derive(Debug)]
pub(super) struct Anew {
    target: String,
    fields: Vec<String>,
    /// The rows from before; of an entity its keys.
    rows: u64,
    /// Whether rows are known again when they come with more columns.
    known_again: bool,
}

/// The fields of a source that nothing was loaded into yet, of what has rows.
pub(super) fn of(source: &SourceDecl, data: &dyn EventScan) -> Vec<Anew> {
    let mut all: Vec<Anew> = Vec::new();
    for mapping in &source.mappings {
        let (target, columns, rows, known_again) = match &mapping.target {
            Target::Stream(name) => match data.stream(name) {
                Some(info) => (name, info.columns.clone(), info.rows, info.column(ID).is_some()),
                None => continue,
            },
            // Keys alone are what events have made known: there the attributes come first.
            Target::Entity(name) => match data.entity(name).filter(|info| !info.attributes.is_empty()) {
                Some(info) => (name, info.attributes, u64::from(info.count), true),
                None => continue,
            },
            Target::Merge(_) => continue,
        };
        let names = mapping.roles.iter().chain(&mapping.fields).map(|(name, _)| name);
        let is_new = |name: &&String| !name.starts_with('_') && columns.iter().all(|column| column.name != **name);
        let fields: Vec<String> = names.filter(is_new).cloned().collect();
        if rows > 0 && !fields.is_empty() && all.iter().all(|known| known.target != *target) {
            all.push(Anew { target: target.clone(), fields, rows, known_again });
        }
    }
    all
}

impl Anew {
    /// What to tell once the load is done; none: it brought nothing, or what was there has the values now.
    pub(super) fn told(&self, done: &[TargetReport]) -> Option<String> {
        let done = done.iter().find(|target| target.name == self.target)?;
        let before = self.rows.saturating_sub(done.replaced);
        if before == 0 || done.added + done.replaced == 0 {
            return None;
        }
        let names: Vec<String> = self.fields.iter().map(|field| format!("`{field}`")).collect();
        let (names, is) = (names.join(" and "), if self.fields.len() == 1 { "is" } else { "are" });
        let (of, entity) = (&self.target, done.kind == "entity");
        let from_before = match (entity, before) {
            (true, _) => "whom no file named since".to_string(),
            (false, 1) => "1 row from before".to_string(),
            (false, rows) => format!("{rows} rows from before"),
        };
        let have = if before == 1 && !entity { "has" } else { "have" };
        let help = match self.known_again {
            true => "load the files again to fill it".to_string(),
            false => "rows without an id are other rows once they have it: take out the loads that brought them (`kepi store \
                      loads`, `kepi store unload N`) before you load their files again"
                .to_string(),
        };
        Some(format!("{names} {is} new to `{of}`, and {from_before} {have} no value for it; {help}"))
    }
}
