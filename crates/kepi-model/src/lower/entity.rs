//! Names behind an entity: its key, its attributes, its definitions, the entities it refers to.

use super::Cx;
use super::row::RowScope;
use crate::catalog::{Symbol, SymbolKind};
use crate::core::{Row, RowNode};
use crate::declared::{EntityDecl, FieldDecl};
use crate::names;
use crate::value::{Kind, Unit};
use kepi_syntax::Code;
use kepi_syntax::ast::{Definition, Path};

impl RowScope<'_> {
    /// What follows an entity in a path: its key, an attribute, one of its definitions, an entity it refers to.
    pub(super) fn entity_path(
        &mut self,
        cx: &mut Cx<'_>,
        path: &Path,
        row: Row,
        role: &str,
        entity: &EntityDecl,
        rest: &[&str],
    ) -> Option<Row> {
        let name = rest[0];
        if rest.len() == 1 && name == entity.key && !entity.fields.iter().any(|f| f.name == name) {
            self.see(path, "key", &entity.name, &format!("{role}.{name}"));
            return Some(Row {
                unit: Unit::of(Kind::Text),
                node: RowNode::Key { of: Box::new(row), entity: entity.name.clone() },
            });
        }
        if let Some(field) = entity.fields.iter().find(|f| f.name == name) {
            if field.history {
                self.dated(cx, path.span, &format!("`{name}` is kept as it was at a moment"))?;
            }
            let value = attribute(row, entity, field);
            if rest.len() == 1 {
                let written = format!(
                    "{}.{name}",
                    role.rsplit_once('.').filter(|_| *role == entity.name).map_or(role, |(_, bare)| bare)
                );
                self.see(path, "attribute", &format!("{}.{name}", entity.name), &written);
                return Some(value);
            }
            if let Kind::Entity(next) = &field.unit.kind {
                let next = cx.catalog.entity(next).cloned()?;
                let role = format!("{role}.{name}");
                return self.entity_path(cx, path, value, &role, &next, &rest[1..]);
            }
            let message = format!("`{name}` of `{}` is {}: it has no fields", names::bare(&entity.name), field.unit);
            return cx.error(Code::WrongKind, path.span, message);
        }
        if let Some((symbol, definition)) = definition_of(cx, rest, &entity.name) {
            self.see(path, "definition", &symbol.full_name(), &symbol.name);
            return self.expand(cx, path.span, &symbol, &definition, &[], Some((entity.clone(), row)));
        }
        if let Some(done) = self.state_behind(cx, path, &row, entity, rest) {
            return done;
        }
        let help = super::meant::of_entity(cx, &entity.name, name);
        let message = format!("`{}` has no `{name}`", names::bare(&entity.name));
        cx.error_help(Code::FieldLacking, path.span, message, help)
    }

    pub(super) fn focus_path(&mut self, cx: &mut Cx<'_>, path: &Path, entity: EntityDecl, row: Row) -> Option<Row> {
        let all = names::parts(path);
        let own = all.len() > 1 && (all[0] == entity.name || entity.name.ends_with(&format!(".{}", all[0])));
        let parts = if own { &all[1..] } else { &all[..] };
        let name = parts[0];
        let known = has(&entity, name) || definition_of(cx, parts, &entity.name).is_some();
        if known || (own && cx.catalog.lookup(&cx.module, parts, cx.anywhere).is_some_and(|(s, _)| s.is_state())) {
            return self.entity_path(cx, path, row, &entity.name.clone(), &entity, parts);
        }
        if all.len() == 1 && (name == entity.name || entity.name.ends_with(&format!(".{name}"))) {
            return Some(row);
        }
        if let Some(done) = self.state(cx, path, &all) {
            return done;
        }
        if let Some((symbol, _)) = cx.catalog.lookup(&cx.module, &all, cx.anywhere) {
            let word = symbol.kind.a_word();
            let symbol_name = symbol.name.clone();
            return cx.error_help(
                Code::NoRow,
                path.span,
                format!("`{symbol_name}` is {word} with many values for one `{}`", names::bare(&entity.name)),
                format!(
                    "take one value of its history, such as `last({})` or `count({symbol_name})`",
                    names::text(path)
                ),
            );
        }
        let help = super::meant::of_entity(cx, &entity.name, name);
        cx.error_help(Code::FieldLacking, path.span, format!("`{}` has no `{name}`", names::bare(&entity.name)), help)
    }
}

pub(super) fn has(entity: &EntityDecl, name: &str) -> bool {
    entity.fields.iter().any(|f| f.name == name) || entity.key == name
}

fn attribute(row: Row, entity: &EntityDecl, field: &FieldDecl) -> Row {
    Row {
        unit: field.unit.clone(),
        node: RowNode::Attribute {
            of: Box::new(row),
            entity: entity.name.clone(),
            field: field.name.clone(),
            history: field.history,
        },
    }
}

/// A segment or dimension of an entity.
pub(super) fn definition_of(cx: &Cx<'_>, parts: &[&str], entity: &str) -> Option<(Symbol, Definition)> {
    let (symbol, used) = cx.catalog.lookup(&cx.module, parts, cx.anywhere)?;
    if used != parts.len() {
        return None;
    }
    let (SymbolKind::Segment(definition) | SymbolKind::Dimension(definition)) = &symbol.kind else { return None };
    let of = definition.of.as_ref()?;
    let (owner, _) = cx.catalog.lookup(&symbol.module, &[of.text.as_str()], true)?;
    (owner.full_name() == entity).then(|| (symbol.clone(), definition.clone()))
}
