//! An entity whose table came after an event that has its keys as texts: said with what is to be written.

use crate::engine::Engine;
use crate::model::Model;
use arrow_array::Array;
use kepi_extension::{ColumnKind, EventScan};
use kepi_model::declared::{EntityDecl, SourceDecl, StreamDecl, Target};
use kepi_model::value::Kind;
use kepi_store::Snapshot;

impl Engine {
    /// What is said of the entities that a source fills, after its load: which events have their keys as texts, so that
    /// they are not about them. Only where nearly all of these texts are keys of the entity.
    pub(super) fn linking(&self, model: &Model, source: &SourceDecl) -> Vec<String> {
        let entities = source.mappings.iter().filter_map(|mapping| match &mapping.target {
            Target::Entity(name) => Some(name),
            Target::Stream(_) | Target::Merge(_) => None,
        });
        let entities: Vec<&String> = entities.collect();
        if entities.is_empty() {
            return Vec::new();
        }
        let Ok(snapshot) = self.snapshot(None) else { return Vec::new() };
        let mut notes = Vec::new();
        for name in entities {
            let Some(entity) = model.catalog.entity(name) else { continue };
            for stream in model.catalog.streams().filter(|stream| stream.roles.iter().all(|r| r.entity != *name)) {
                notes.extend(note(&snapshot, stream, entity));
            }
        }
        notes
    }
}

fn note(snapshot: &Snapshot, stream: &StreamDecl, entity: &EntityDecl) -> Option<String> {
    let bare = |name: &str| name.rsplit('.').next().unwrap_or(name).to_string();
    let own = bare(&entity.name);
    let named = |name: &str| name == entity.key || name == own;
    let field = stream.fields.iter().find(|field| field.unit.kind == Kind::Text && named(&field.name))?;
    let stored = snapshot.stream(&stream.name)?;
    // Texts with too many values for a dictionary are not looked through.
    if stored.column(&field.name)?.kind != ColumnKind::Code {
        return None;
    }
    let texts = snapshot.dictionary(&stream.name, &field.name).ok()?;
    let known = |text: &str| snapshot.id_of(&entity.name, text).is_ok_and(|id| id.is_some());
    let keys = texts.iter().flatten().filter(|text| known(text)).count();
    let all = texts.len() - texts.null_count();
    if keys == 0 || keys * 10 < all * 9 {
        return None;
    }
    let field = &field.name;
    let event = bare(&stream.name);
    let of: Vec<String> = stream.roles.iter().map(|role| bare(&role.name)).chain([own.clone()]).collect();
    let attribute = entity.fields.first().map_or_else(|| entity.key.clone(), |field| field.name.clone());
    Some(format!(
        "`{field}` of `{event}` is a text and has the keys of `{own}`: for `by {own}.{attribute}` declare `event {event} \
         of {}`, let its source map `{own} {field}` instead of `{field}`, and load its files again",
        of.join(", ")
    ))
}
