//! Entities, fields and attributes of rows, as nodes of a program.

use crate::ExecError;
use crate::made::{self, Wanted};
use crate::rows::column::{Column, Type};
use crate::rows::program::{AsOf, Base, Node, Program};
use crate::rows::stored;
use kepi_extension::{AT, ColumnKind, ID};
use kepi_model::core::{self, LABEL, Row, RowNode, VALUE};
use kepi_model::value::{Unit, Value};
use std::sync::Arc;

impl Program {
    pub(super) fn entity(&mut self, entity: &str, key: &str) -> Result<usize, ExecError> {
        let id = match self.source.scan.entity(entity) {
            Some(_) => self.source.scan.id_of(entity, key)?,
            None => None,
        };
        // An unknown key is known to be no entity that there is; `u32::MAX` is nobody's id.
        let digits = id.map_or(i128::from(u32::MAX), i128::from);
        let ty = Type::Id(Arc::from(entity));
        let value = Value::Decimal { digits, scale: 0 };
        Ok(self.add(format!("entity {entity} {digits}"), ty, || Node::Const { value, column: None }))
    }

    pub(super) fn field(&mut self, name: &str, unit: &Unit, node: &RowNode) -> Result<usize, ExecError> {
        if let (Some(value), core::VALUE) = (self.value_of_state, name) {
            return Ok(value);
        }
        let missing = || Type::of_unit(unit);
        let (ty, kind) = match &self.base {
            Base::Entity(entity) => {
                let entity = Arc::clone(entity);
                let this = self.add("entity".into(), Type::Id(Arc::clone(&entity)), || Node::Entity);
                return match node {
                    RowNode::Role(_) => Ok(this),
                    _ => self.attribute(this, &entity, name, false, unit),
                };
            }
            Base::Table(columns) => match columns.iter().find(|c| c.0 == name) {
                Some((_, ty)) => (ty.clone(), None),
                None => return Err(ExecError::Plan(format!("the table has no column `{name}`"))),
            },
            Base::Made(_) if name == AT => return Ok(self.add("at".into(), Type::Time, || Node::At)),
            Base::Made(stream) => {
                let stream = Arc::clone(stream);
                let wanted = match stream.own(name) {
                    Some(own) => Wanted::Own(own),
                    None if made::parents(&stream.made).is_empty() => {
                        return Err(ExecError::Plan(format!("{} have no `{name}`", stream.made.words())));
                    }
                    None => Wanted::Of(0, Box::new(Row { unit: unit.clone(), node: node.clone() })),
                };
                return self.made_column(&stream, wanted);
            }
            Base::Groups(_, value) if name == VALUE => {
                let value = Box::clone(value);
                return self.row(&value);
            }
            Base::Groups(columns, _) => match columns.iter().find(|c| c.0 == name) {
                Some((_, ty)) => (ty.clone(), None),
                // A label of the query that was left out of the groups.
                None if name.starts_with(LABEL) => {
                    return Ok(self.add(format!("missing {:?}", missing()), missing(), || Node::Missing));
                }
                None => return Err(ExecError::Plan(format!("groups have no `{name}`"))),
            },
            Base::Stream(_, info) if name == AT && info.is_some() => {
                return Ok(self.add("at".into(), Type::Time, || Node::At));
            }
            Base::Stream(stream, info) => match info.as_ref().and_then(|i| i.column(name)) {
                Some(column) => {
                    stored::as_declared(stream, name, &column.kind, unit)?;
                    (Type::of_kind(&column.kind), Some(column.kind.clone()))
                }
                // Declared, but nothing was ever loaded into it.
                None => {
                    if let Some(info) = info.as_ref().filter(|info| info.rows > 0) {
                        self.source.unfilled().note(stream, name, info.column(ID).is_some());
                    }
                    return Ok(self.add(format!("missing {:?}", missing()), missing(), || Node::Missing));
                }
            },
        };
        let input = self.input(name, kind)?;
        Ok(self.add(format!("input {input}"), ty, || Node::Input(input)))
    }

    pub(super) fn attribute(
        &mut self,
        of: usize,
        entity: &str,
        field: &str,
        history: bool,
        unit: &Unit,
    ) -> Result<usize, ExecError> {
        let key = format!("attribute {of} {entity} {field} {history}");
        if let Some(&known) = self.known.get(&key) {
            return Ok(known);
        }
        match &self.types[of] {
            Type::Id(of) if **of == *entity => {}
            Type::Missing => {}
            other => return Err(ExecError::Plan(format!("`{field}` of {entity} is asked of {}", other.words()))),
        }
        let info = self.source.scan.entity(entity);
        if info.as_ref().is_none_or(|i| i.attributes.iter().all(|a| a.name != field)) {
            if info.is_some_and(|info| info.count > 0) {
                self.source.unfilled().note(entity, field, true);
            }
            let ty = Type::of_unit(unit);
            return Ok(self.add(format!("missing {ty:?}"), ty, || Node::Missing));
        }
        let attribute = self.source.attribute(entity, field)?;
        stored::as_declared(entity, field, &attribute.kind, unit)?;
        let ty = Type::of_kind(&attribute.kind);
        if !history {
            let values = Column::of_scan(&attribute.values, &attribute.kind, attribute.dictionary.as_ref())?;
            return Ok(self.add(key, ty, || Node::Gather { of, values: Arc::new(values) }));
        }
        if !self.is_dated() {
            return Err(ExecError::Plan(format!("rows without a moment look up `{field}` as it was")));
        }
        let past = self.source.scan.attribute_history(entity, field)?;
        let column = |name: &str| {
            past.column_by_name(name).ok_or_else(|| ExecError::Plan(format!("the past of `{field}` has no {name}")))
        };
        let kind = ColumnKind::Id { entity: entity.to_string() };
        let ids = match Column::of_scan(column("id")?, &kind, None)?.values {
            crate::rows::Values::Id(ids, _) => ids.to_vec(),
            _ => Vec::new(),
        };
        let times = match Column::of_scan(column(AT)?, &ColumnKind::Time, None)?.values {
            crate::rows::Values::Time(times) => times.to_vec(),
            _ => Vec::new(),
        };
        let values = Column::of_scan(column("value")?, &attribute.kind, attribute.dictionary.as_ref())?;
        let history = Box::new(AsOf { ids, times, values, next: 0, current: vec![0; self.ids(entity)] });
        Ok(self.add(key, ty, || Node::AsOf { of, history }))
    }

    /// The text of a node: of an entity its key.
    pub(crate) fn as_text(&mut self, of: usize) -> Result<usize, ExecError> {
        let Type::Id(entity) = self.types[of].clone() else { return Ok(of) };
        let keys = self.keys(&entity)?;
        Ok(self.add(format!("keys {of}"), Type::Text, || Node::Keys { of, keys }))
    }
}
