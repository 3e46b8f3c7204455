//! Fields that are stored otherwise than they are declared now: told with their place, and with the way out.

use crate::api::EngineError;
use crate::engine::ended;
use crate::model::Model;
use kepi_exec::{Cancel, ExecError, stored_otherwise};
use kepi_extension::{ColumnInfo, EventScan};
use kepi_model::declared::{SourceDecl, Target};
use kepi_model::value::{Kind, Unit};
use kepi_syntax::ast::{EventBody, Field, StateBody, StatementKind};
use kepi_syntax::{Code, Diagnostic, Span, parse_file};

/// The failure of a run: where a field is stored otherwise than it is declared, a mistake with its place.
pub(crate) fn failed(model: &Model, error: ExecError, cancel: &Cancel) -> EngineError {
    match error {
        ExecError::StoredOtherwise { of, field, stored, declared } => {
            model.text_error(vec![told(model, &of, &field, &stored, &declared)])
        }
        other => ended(other, cancel),
    }
}

/// All fields of the model that are stored otherwise than they are declared now.
pub(crate) fn found(model: &Model, data: &dyn EventScan) -> Vec<Diagnostic> {
    all(model, data).into_iter().map(|(_, diagnostic)| diagnostic).collect()
}

/// Those of what a source fills: nothing can be loaded into them.
pub(crate) fn of(model: &Model, data: &dyn EventScan, source: &SourceDecl) -> Vec<Diagnostic> {
    let is_filled = |name: &str| {
        source.mappings.iter().any(|mapping| match &mapping.target {
            Target::Stream(target) | Target::Entity(target) => target == name,
            Target::Merge(_) => false,
        })
    };
    all(model, data).into_iter().filter(|(of, _)| is_filled(of)).map(|(_, diagnostic)| diagnostic).collect()
}

/// The same, each with the name of its event, state or entity.
fn all(model: &Model, data: &dyn EventScan) -> Vec<(String, Diagnostic)> {
    let mut found = Vec::new();
    let mut compare = |of: &str, field: &str, unit: &Unit, columns: &[ColumnInfo]| {
        let column = columns.iter().find(|column| column.name == field);
        let differs = column.and_then(|column| stored_otherwise(&column.kind, unit));
        let told = differs.map(|(stored, declared)| told(model, of, field, &stored, &declared));
        found.extend(told.map(|told| (of.to_string(), told)));
    };
    for stream in model.catalog.streams() {
        if let Some(info) = data.stream(&stream.name) {
            stream.fields.iter().for_each(|f| compare(&stream.name, &f.name, &f.unit, &info.columns));
            for role in &stream.roles {
                compare(&stream.name, &role.name, &Unit::of(Kind::Entity(role.entity.clone())), &info.columns);
            }
        }
    }
    for entity in model.catalog.entities() {
        if let Some(info) = data.entity(&entity.name) {
            entity.fields.iter().for_each(|f| compare(&entity.name, &f.name, &f.unit, &info.attributes));
        }
    }
    found
}

fn told(model: &Model, of: &str, field: &str, stored: &str, declared: &str) -> Diagnostic {
    let bare = of.rsplit('.').next().unwrap_or(of);
    let (file, span) = place(model, of, field).unwrap_or((model.last(), Span::default()));
    let message = format!("`{field}` of `{bare}` is declared as {declared}, and {stored} are stored in it");
    let help = "declare it as it was, or give it another name and load the files again; to keep its name, remove \
                .kepi/store and load every file again (taking its loads out is not enough)";
    let mut diagnostic = Diagnostic::error(Code::StoredOtherwise, span, message).help(help);
    diagnostic.file = file;
    diagnostic
}

/// Where a field is declared: its file, and its type there.
fn place(model: &Model, of: &str, field: &str) -> Option<(u32, Span)> {
    let symbol = model.catalog.symbols().find(|symbol| symbol.full_name() == of)?;
    let text = model.texts.get(symbol.file as usize)?;
    let (tree, _) = parse_file(&text.text);
    let whole = |fields: &[Field]| fields.iter().find(|own| own.name.text == field).map(|own| own.ty.name.span);
    let own = tree.statements.iter().find_map(|statement| {
        let (name, fields) = match &statement.kind {
            StatementKind::Entity(entity) => (&entity.name, &entity.fields),
            StatementKind::Event(event) => match &event.body {
                EventBody::Stored { fields, .. } => (&event.name, fields),
                EventBody::Derived { .. } => return None,
            },
            StatementKind::State(state) => match &state.body {
                StateBody::Stored { fields } => (&state.name, fields),
                _ => return None,
            },
            _ => return None,
        };
        if name.text == symbol.name { whole(fields) } else { None }
    });
    Some((symbol.file, own.unwrap_or(symbol.span)))
}
