//! From row expressions to the nodes of a program.

use super::choose::{Unions, common_type};
use super::column::{Column, Type};
use super::program::{AsOf, Base, Node, Program};
use super::text::{Cached, Map, Test, regex};
use super::times::Tables;
use super::{choose, numbers, stored, times};
use crate::ExecError;
use crate::made::{self, Wanted};
use crate::pass::{Apart, Asked, Elsewhere, Grouped, Held, Lifecycle, Lookback, ModelOf, Over, Tile, groups_apart};
use kepi_extension::{AT, ColumnKind};
use kepi_model::calendar::Grain;
use kepi_model::core::{self, Events, History, LABEL, Op, Reach, Row, RowNode, Stage, VALUE};
use kepi_model::value::{CalendarSpan, Kind, Unit, Value};
use std::sync::Arc;

impl Program {
    /// Compiles a row expression; gives its node.
    pub(crate) fn row(&mut self, row: &Row) -> Result<usize, ExecError> {
        match &row.node {
            RowNode::Const(value) => self.constant(value, &row.unit),
            RowNode::At if matches!(self.base, Base::Table(_)) || !self.is_dated() => {
                Err(ExecError::Plan("rows without a moment are asked for it".into()))
            }
            RowNode::At => Ok(self.add("at".into(), Type::Time, || Node::At)),
            RowNode::Field(name) | RowNode::Role(name) => self.field(name, &row.unit, &row.node),
            RowNode::Attribute { of, entity, field, history } => {
                let of = self.row(of)?;
                self.attribute(of, entity, field, *history, &row.unit)
            }
            RowNode::Key { of, .. } => {
                let of = self.row(of)?;
                self.as_text(of)
            }
            RowNode::History(history) => self.history(history, None),
            RowNode::Call { op, args } => self.call(op, args, &row.unit),
            RowNode::Case { whens, otherwise } => {
                let whens = whens.iter().map(|(c, v)| Ok((self.condition(c)?, self.row(v)?)));
                let mut whens = whens.collect::<Result<Vec<_>, ExecError>>()?;
                let mut otherwise = otherwise.as_ref().map(|o| self.row(o)).transpose()?;
                if whens.len() >= usize::from(choose::NONE) {
                    let (what, count) = ("branches of a case".into(), whens.len() as u64);
                    return Err(ExecError::TooLarge { what, count, max: u64::from(choose::NONE) - 1 });
                }
                let branches = || whens.iter().map(|w| w.1).chain(otherwise);
                let ty = common_type(&branches().map(|b| self.types[b].clone()).collect::<Vec<_>>())?;
                if ty == Type::Text {
                    for branch in whens.iter_mut().map(|w| &mut w.1).chain(&mut otherwise) {
                        *branch = self.as_text(*branch)?;
                    }
                }
                let key = format!("case {whens:?} {otherwise:?}");
                Ok(self.add(key, ty, || Node::Case { whens, otherwise, unions: Unions::default() }))
            }
            RowNode::Plugin { name, args } => self.plugin(name, args, &row.unit),
            RowNode::State { state, of, when } => self.held(state, of, Asked::Value(*when)),
            RowNode::StateAverage { state, of } => self.held(state, of, Asked::Average),
            RowNode::TimeIn { state, of } => self.held(state, of, Asked::Time),
            RowNode::Lifecycle { rows, of, grain } => self.lifecycle(rows, of, grain),
            RowNode::Tile { of, subject, entity, parts, existence } => {
                let subject = self.row(subject)?;
                let key = format!("tile {parts} {subject} {entity} {of:?}");
                if let Some(&known) = self.known.get(&key) {
                    return Ok(known);
                }
                let node = Tile::new(self, of, subject, entity, *parts, existence.as_ref())?;
                Ok(self.add(key, Type::Decimal(0), || Node::Tile(Box::new(node))))
            }
            RowNode::Modelled(modelled) => {
                let subject = self.row(&modelled.subject)?;
                let key = format!("modelled {subject} {modelled:?}");
                if let Some(&known) = self.known.get(&key) {
                    return Ok(known);
                }
                let node = ModelOf::new(self, modelled, subject)?;
                Ok(self.add(key, Type::Float, || Node::Modelled(Box::new(node))))
            }
            RowNode::Step { step, of } => match &self.base {
                Base::Made(stream) => {
                    let stream = Arc::clone(stream);
                    self.made_column(&stream, Wanted::Of(*step, of.clone()))
                }
                _ => Err(ExecError::Plan("only attempts of a chain have steps".into())),
            },
            RowNode::Convert { of, from, to, when } => self.convert(of, from, to, *when),
        }
    }

    /// Compiles a condition.
    pub(crate) fn condition(&mut self, row: &Row) -> Result<usize, ExecError> {
        let node = self.row(row)?;
        match &self.types[node] {
            Type::Bool | Type::Missing => Ok(node),
            other => Err(ExecError::Plan(format!("a condition is {}", other.words()))),
        }
    }

    /// Compiles which rows of the base are rows of a derived event that pass a filter; none: all of them.
    pub(crate) fn rows_of(&mut self, events: &Events, filter: Option<&Row>) -> Result<Option<usize>, ExecError> {
        let mut mask = None;
        for stage in &events.stages {
            mask = match stage {
                Stage::Where(condition) => {
                    let condition = self.condition(condition)?;
                    Some(self.both(mask, condition))
                }
                Stage::First { per } => Some(self.first(mask, per)?),
            };
        }
        if let Some(filter) = filter {
            let filter = self.condition(filter)?;
            mask = Some(self.both(mask, filter));
        }
        Ok(mask)
    }

    /// Which rows both conditions take.
    pub(crate) fn both(&mut self, mask: Option<usize>, with: usize) -> usize {
        match mask {
            None => with,
            Some(mask) if mask == with => with,
            Some(mask) => self.add(format!("both {mask} {with}"), Type::Bool, || Node::Both(mask, with)),
        }
    }

    /// Compiles a condition on the value that a node gives, named [`core::VALUE`].
    pub(crate) fn condition_on(&mut self, value: usize, condition: &Row) -> Result<usize, ExecError> {
        let outer = self.value_of_state.replace(value);
        let node = self.condition(condition);
        self.value_of_state = outer;
        node
    }

    fn held(&mut self, state: &core::State, of: &Row, asked: Asked) -> Result<usize, ExecError> {
        if matches!(self.base, Base::Table(_)) {
            return Err(ExecError::Plan("a row of a table is in no state".into()));
        }
        let of = self.row(of)?;
        let key = format!("held {of} {asked:?} {state:?}");
        if let Some(&known) = self.known.get(&key) {
            return Ok(known);
        }
        let node = Held::new(self, state, of, asked)?;
        let ty = node.ty();
        Ok(self.add(key, ty, || Node::Held(Box::new(node))))
    }

    fn lifecycle(&mut self, rows: &core::Keyed, of: &Row, grain: &Grain) -> Result<usize, ExecError> {
        let of = self.row(of)?;
        let key = format!("lifecycle {of} {rows:?} {grain:?}");
        if let Some(&known) = self.known.get(&key) {
            return Ok(known);
        }
        let node = Lifecycle::new(self, rows, of, grain)?;
        Ok(self.add(key, Type::Text, || Node::Lifecycle(Box::new(node))))
    }

    /// The node of the number of the period in which a row's moment lies.
    pub(crate) fn period_of_moment(&mut self, grain: &Grain) -> Result<usize, ExecError> {
        let at = self.row(&Row { unit: Unit::of(Kind::Time), node: RowNode::At })?;
        self.time_node(&Op::PeriodsBetween(grain.clone()), at, &Unit::of(Kind::Count))
    }

    fn first(&mut self, mask: Option<usize>, per: &Row) -> Result<usize, ExecError> {
        if matches!(self.base, Base::Entity(_)) {
            return Err(ExecError::Plan("entities have no first row".into()));
        }
        let per = self.row(per)?;
        let count = match self.types[per].clone() {
            Type::Id(entity) => self.ids(&entity),
            Type::Missing => 0,
            other => return Err(ExecError::Plan(format!("the first row is taken per {}", other.words()))),
        };
        self.needs_past = true;
        self.sequential = true;
        let node = || Node::First { mask, per, seen: vec![0; count.div_ceil(64)], without: 0 };
        Ok(self.add(format!("first {mask:?} {per}"), Type::Bool, node))
    }

    fn constant(&mut self, value: &Value, unit: &Unit) -> Result<usize, ExecError> {
        let value = match value {
            Value::Span(span) => seconds(*span),
            other => other.clone(),
        };
        let ty = match &value {
            Value::Missing => Type::Missing,
            Value::Decimal { digits, scale } if *scale > 18 => {
                let value = Value::Float(numbers::to_float(*digits, *scale));
                return self.constant(&value, unit);
            }
            Value::Decimal { scale, .. } => Type::Decimal(*scale),
            Value::Float(_) => Type::Float,
            Value::Text(key) => match &unit.kind {
                // A constant entity is the id of its key.
                Kind::Entity(entity) => return self.entity(entity, key),
                _ => Type::Text,
            },
            Value::Bool(_) => Type::Bool,
            Value::Time(_) => Type::Time,
            Value::Date(_) => Type::Date,
            Value::Span(_) | Value::List(_) => {
                return Err(ExecError::Plan("a list stands where one value belongs".into()));
            }
        };
        Ok(self.add(format!("const {value:?}"), ty, || Node::Const { value, column: None }))
    }

    fn entity(&mut self, entity: &str, key: &str) -> Result<usize, ExecError> {
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

    fn field(&mut self, name: &str, unit: &Unit, node: &RowNode) -> Result<usize, ExecError> {
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
                    if info.as_ref().is_some_and(|info| info.rows > 0) {
                        self.source.unfilled().note(stream, name);
                    }
                    return Ok(self.add(format!("missing {:?}", missing()), missing(), || Node::Missing));
                }
            },
        };
        let input = self.input(name, kind)?;
        Ok(self.add(format!("input {input}"), ty, || Node::Input(input)))
    }

    fn attribute(
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
                self.source.unfilled().note(entity, field);
            }
            let ty = Type::of_unit(unit);
            return Ok(self.add(format!("missing {ty:?}"), ty, || Node::Missing));
        }
        let attribute = self.source.scan.attribute(entity, field)?;
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
            super::Values::Id(ids, _) => ids.to_vec(),
            _ => Vec::new(),
        };
        let times = match Column::of_scan(column(AT)?, &ColumnKind::Time, None)?.values {
            super::Values::Time(times) => times.to_vec(),
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

    fn call(&mut self, op: &Op, args: &[Row], unit: &Unit) -> Result<usize, ExecError> {
        if let Some(rewritten) = calendar_comparison(op, args) {
            return self.row(&rewritten);
        }
        match op {
            Op::In => return self.is_in(args, unit),
            Op::And | Op::Or | Op::Not => {
                let args = args.iter().map(|a| self.condition(a)).collect::<Result<Vec<_>, _>>()?;
                let key = format!("call {op:?} {args:?}");
                return Ok(self.add(key, Type::Bool, || Node::Call { op: op.clone(), args, digits: None }));
            }
            _ => {}
        }
        if let Some(tested) = self.text_test(op, args)? {
            return Ok(tested);
        }
        match (op, args) {
            (Op::PeriodsBetween(_), [to, from]) => {
                let args = vec![self.of_time(op, to, unit)?, self.of_time(op, from, unit)?];
                let key = format!("call {op:?} {args:?}");
                return Ok(self.add(key, Type::Decimal(0), || Node::Call { op: Op::Subtract, args, digits: None }));
            }
            (Op::AddSpan(_) | Op::Truncate(_), [of]) => return self.of_time(op, of, unit),
            _ => {}
        }
        let nodes = args.iter().map(|a| self.row(a)).collect::<Result<Vec<_>, _>>()?;
        self.operation(op, nodes, args, unit)
    }

    /// A function of one time. That of a first or last time is the first or last of the function's values, which costs
    /// less: the rows come in the order of time, the firsts of their subjects do not.
    fn of_time(&mut self, op: &Op, of: &Row, unit: &Unit) -> Result<usize, ExecError> {
        if let RowNode::History(history) = &of.node
            && let core::Measure::First(_) | core::Measure::Last(_) = history.measure
        {
            return self.history(history, Some((op, unit)));
        }
        let node = self.row(of)?;
        self.time_node(op, node, unit)
    }

    pub(crate) fn time_node(&mut self, op: &Op, node: usize, unit: &Unit) -> Result<usize, ExecError> {
        let given = self.types[node].clone();
        match times::type_of(op, std::slice::from_ref(&given), unit) {
            Some(ty) if matches!(given, Type::Time | Type::Date | Type::Missing) => {
                let (op, args) = (op.clone(), vec![node]);
                let key = format!("of time {op:?} {args:?} {ty:?}");
                Ok(self.add(key, ty, || Node::Times { op, args, tables: Tables::default() }))
            }
            _ => Err(ExecError::Plan(format!("{op:?} does not take {}", given.words()))),
        }
    }

    fn operation(&mut self, op: &Op, mut nodes: Vec<usize>, args: &[Row], unit: &Unit) -> Result<usize, ExecError> {
        let types =
            |program: &Program, nodes: &[usize]| nodes.iter().map(|&n| program.types[n].clone()).collect::<Vec<_>>();
        if nodes.len() < arity(op) {
            return Err(ExecError::Plan(format!("{op:?} has too few arguments")));
        }
        let all_ids = types(self, &nodes).iter().all(|t| matches!(t, Type::Id(_)));
        let some_text = types(self, &nodes).contains(&Type::Text);
        if is_text(op) || (some_text && !all_ids) {
            for node in &mut nodes {
                *node = self.as_text(*node)?;
            }
        }
        let of_types = types(self, &nodes);
        let (key, op2) = (format!("call {op:?} {nodes:?}"), op.clone());
        let missing = Value::Missing;
        let text_of = |i: usize| match args.get(i).map(|a| &a.node) {
            Some(RowNode::Const(Value::Text(text))) => Some(text.clone()),
            _ => None,
        };
        let digits = match args.get(1).map_or(&RowNode::Const(missing), |a| &a.node) {
            RowNode::Const(Value::Decimal { digits, scale: 0 }) if *op == Op::Round => i64::try_from(*digits).ok(),
            _ => None,
        };
        if *op == Op::Round && nodes.len() > 1 && digits.is_none() {
            return Err(ExecError::NotYet("rounding to a number of decimals that is not a constant".into()));
        }
        let map = match op {
            Op::Lower => Some(Map::Lower),
            Op::Upper => Some(Map::Upper),
            Op::Trim => Some(Map::Trim),
            Op::Replace => match text_of(1).zip(text_of(2)) {
                Some((from, to)) => Some(Map::Replace(from, to)),
                None => return Err(ExecError::NotYet("replacing a text that is not a constant".into())),
            },
            _ => None,
        };
        if let Some(map) = map {
            let of = nodes[0];
            return Ok(self.add(format!("map {map:?} {of}"), Type::Text, || Node::Map {
                of,
                map,
                cache: Cached::default(),
            }));
        }
        let known = |ty| (ty, Node::Call { op: op2.clone(), args: nodes.clone(), digits });
        let (ty, node) = match op {
            Op::Length => (Type::Decimal(0), Node::Length { of: nodes[0], cache: Cached::default() }),
            Op::Concat => known(Type::Text),
            Op::Otherwise => {
                (common_type(&of_types)?, Node::Otherwise { args: nodes.clone(), unions: Unions::default() })
            }
            Op::Least | Op::Greatest => {
                let greatest = *op == Op::Greatest;
                let unions = Unions::default();
                (common_type(&of_types)?, Node::Extreme { args: nodes.clone(), greatest, unions })
            }
            Op::Equal | Op::NotEqual | Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual | Op::IsMissing => {
                known(Type::Bool)
            }
            Op::Matches | Op::Contains | Op::StartsWith | Op::EndsWith => {
                return Err(ExecError::NotYet(format!("{op:?} with a text that is not a constant")));
            }
            // A difference of times is the time elapsed, however it is written.
            Op::Subtract if of_types.iter().all(|t| matches!(t, Type::Time | Type::Date)) => {
                return self.operation(&Op::Elapsed, nodes, args, unit);
            }
            _ => match (numbers::type_of(op, &of_types, digits), times::type_of(op, &of_types, unit)) {
                (Some(ty), _) if of_types.iter().all(Type::is_number) => known(ty),
                (_, Some(ty)) if of_types.iter().all(|t| matches!(t, Type::Time | Type::Date | Type::Missing)) => {
                    (ty, Node::Times { op: op.clone(), args: nodes.clone(), tables: Tables::default() })
                }
                _ => {
                    let given = of_types.iter().map(Type::words).collect::<Vec<_>>().join(" and ");
                    return Err(ExecError::Plan(format!("{op:?} does not take {given}")));
                }
            },
        };
        Ok(self.add(format!("{key} {ty:?}"), ty, || node))
    }

    fn is_in(&mut self, args: &[Row], unit: &Unit) -> Result<usize, ExecError> {
        let Some((of, list)) = args.split_first() else { return Err(ExecError::Plan("In has no argument".into())) };
        // A list is its values, one by one.
        let mut choices = Vec::new();
        for row in list {
            match &row.node {
                RowNode::Const(Value::List(values)) => {
                    let kind = match &row.unit.kind {
                        Kind::List(kind) => (**kind).clone(),
                        other => other.clone(),
                    };
                    let constant = |v: &Value| Row { unit: Unit::of(kind.clone()), node: RowNode::Const(v.clone()) };
                    choices.extend(values.iter().map(constant));
                }
                _ => choices.push(row.clone()),
            }
        }
        let texts: Option<_> = choices
            .iter()
            .map(|c| match &c.node {
                RowNode::Const(Value::Text(text)) => Some(text.clone()),
                _ => None,
            })
            .collect();
        let node = self.row(of)?;
        if let (Some(texts), Type::Text | Type::Id(_)) = (texts, &self.types[node]) {
            return self.test(node, Test::In(texts));
        }
        let mut any: Option<usize> = None;
        for choice in &choices {
            let equal = self.call(&Op::Equal, &[of.clone(), choice.clone()], unit)?;
            any = Some(match any {
                None => equal,
                Some(any) => {
                    let args = vec![any, equal];
                    let key = format!("call Or {args:?}");
                    self.add(key, Type::Bool, || Node::Call { op: Op::Or, args, digits: None })
                }
            });
        }
        match any {
            Some(any) => Ok(any),
            None => self.constant(&Value::Bool(false), &Unit::of(Kind::Bool)),
        }
    }

    /// A condition on one text with a constant.
    fn text_test(&mut self, op: &Op, args: &[Row]) -> Result<Option<usize>, ExecError> {
        let [of, Row { node: RowNode::Const(Value::Text(text)), .. }] = args else { return Ok(None) };
        let test = match op {
            Op::Equal | Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual => {
                Test::Compare(op.clone(), text.clone())
            }
            Op::NotEqual => {
                let equal = self.call(&Op::Equal, args, &Unit::of(Kind::Bool))?;
                let key = format!("call Not {equal}");
                return Ok(Some(self.add(key, Type::Bool, || Node::Call {
                    op: Op::Not,
                    args: vec![equal],
                    digits: None,
                })));
            }
            Op::Matches => Test::Matches(Box::new(regex(text)?)),
            Op::Contains => Test::Contains(text.clone()),
            Op::StartsWith => Test::StartsWith(text.clone()),
            Op::EndsWith => Test::EndsWith(text.clone()),
            _ => return Ok(None),
        };
        let of = self.row(of)?;
        match self.types[of].clone() {
            // The key's id is looked up once; no other key is read.
            Type::Id(entity) if *op == Op::Equal => {
                let args = vec![of, self.entity(&entity, text)?];
                let key = format!("call Equal {args:?}");
                Ok(Some(self.add(key, Type::Bool, || Node::Call { op: Op::Equal, args, digits: None })))
            }
            Type::Text | Type::Id(_) | Type::Missing => Ok(Some(self.test(of, test)?)),
            other => Err(ExecError::Plan(format!("{} is tested as a text", other.words()))),
        }
    }

    fn test(&mut self, of: usize, test: Test) -> Result<usize, ExecError> {
        let of = self.as_text(of)?;
        let key = match &test {
            // A set has no order of its own.
            Test::In(set) => format!("test in {:?} {of}", set.iter().collect::<std::collections::BTreeSet<_>>()),
            other => format!("test {other:?} {of}"),
        };
        Ok(self.add(key, Type::Bool, || Node::Test { of, test, cache: Cached::default() }))
    }

    fn plugin(&mut self, name: &str, args: &[Row], unit: &Unit) -> Result<usize, ExecError> {
        let function = self.source.functions.scalars.get(name).cloned();
        let function = function.ok_or_else(|| ExecError::Plan(format!("no plugin gives `{name}`")))?;
        let args = args.iter().map(|a| Ok((self.row(a)?, a.unit.clone()))).collect::<Result<Vec<_>, ExecError>>()?;
        let args = args.into_iter().map(|(n, u)| Ok((self.as_text(n)?, u))).collect::<Result<Vec<_>, ExecError>>()?;
        let ty = match Type::of_unit(unit) {
            Type::Decimal(_) if unit.kind != Kind::Count => Type::Float,
            Type::Id(_) => Type::Text,
            other => other,
        };
        Ok(self.add(format!("plugin {name} {args:?}"), ty, || Node::Plugin { function, args }))
    }

    /// Compiles a history; `of_time`: a function of times for its argument.
    fn history(&mut self, history: &History, of_time: Option<(&Op, &Unit)>) -> Result<usize, ExecError> {
        // Rows of a history are taken without anybody's judging them.
        let judged_later = self.judged_later;
        self.judged_later = false;
        let node = self.history_node(history, of_time);
        self.judged_later = judged_later;
        node
    }

    fn history_node(&mut self, history: &History, of_time: Option<(&Op, &Unit)>) -> Result<usize, ExecError> {
        if matches!(history.events.base, core::Base::Entity(_)) {
            return Err(ExecError::NotYet("an aggregate over entities inside a row".into()));
        }
        if matches!(self.base, Base::Table(_)) {
            return Err(ExecError::Plan("a row of a table has no history".into()));
        }
        self.sequential = true;
        let over = match &history.over {
            Reach::AllTime => Over::All,
            Reach::Last(span) => Over::Last(*span),
            Reach::Period => {
                self.needs_period = true;
                Over::Period
            }
        };
        let subject = self.row(&history.subject)?;
        if groups_apart(history) {
            return self.groups_apart(history, of_time, subject, over);
        }
        if history.events.base.is_groups() {
            let name = format!("grouped {subject} {history:?} {of_time:?}");
            if let Some(&known) = self.known.get(&name) {
                return Ok(known);
            }
            let node = Grouped::new(self, history, of_time, subject, over)?;
            let ty = node.ty();
            return Ok(self.add(name, ty, || Node::Grouped(Box::new(node))));
        }
        if self.reads(&history.events.base) {
            self.needs_past = true;
            let mask = self.rows_of(&history.events, history.filter.as_ref())?;
            let (key, arg) = (self.row(&history.key)?, self.argument_of(&history.measure, of_time)?);
            let (before, measure) = (history.before, measure_name(&history.measure));
            let name = format!("history {mask:?} {key} {subject} {arg:?} {over:?} {before} {measure}");
            if let Some(&known) = self.known.get(&name) {
                return Ok(known);
            }
            let node = Lookback::new(self, &history.measure, mask, key, subject, arg, (over, before))?;
            let ty = node.ty();
            return Ok(self.add(name, ty, || Node::History(Box::new(node))));
        }
        let name = format!("elsewhere {subject} {history:?} {of_time:?}");
        if let Some(&known) = self.known.get(&name) {
            return Ok(known);
        }
        let node = Elsewhere::new(self, history, of_time, subject, over)?;
        let ty = node.ty();
        Ok(self.add(name, ty, || Node::Elsewhere(Box::new(node))))
    }

    /// Compiles groups of a history that a pass of their own makes.
    fn groups_apart(
        &mut self,
        history: &History,
        of_time: Option<(&Op, &Unit)>,
        subject: usize,
        over: Over,
    ) -> Result<usize, ExecError> {
        let name = format!("apart {subject} {history:?}");
        let node = match self.known.get(&name) {
            Some(&known) => known,
            None => {
                let node = Apart::new(self, history, subject, over)?;
                let ty = node.ty();
                self.add(name, ty, || Node::Apart(Box::new(node)))
            }
        };
        if let Some((op, unit)) = of_time {
            return self.time_node(op, node, unit);
        }
        let zero = match history.measure {
            core::Measure::Count | core::Measure::Sum(_) | core::Measure::Unique(_) => {
                let zero = RowNode::Const(Value::Decimal { digits: 0, scale: 0 });
                self.row(&Row { unit: Unit::of(Kind::Number), node: zero })?
            }
            _ => return Ok(node),
        };
        // Of who has no groups.
        let args = vec![node, zero];
        let ty = common_type(&[self.types[node].clone(), self.types[zero].clone()])?;
        let key = format!("call {:?} {args:?}", Op::Otherwise);
        Ok(self.add(key, ty, || Node::Otherwise { args, unions: Unions::default() }))
    }

    /// Compiles what a measure is computed of, with a function of times around it.
    pub(crate) fn argument_of(
        &mut self,
        measure: &core::Measure,
        of_time: Option<(&Op, &Unit)>,
    ) -> Result<Option<usize>, ExecError> {
        match (self.argument(measure)?, of_time) {
            (Some(argument), Some((op, unit))) => Ok(Some(self.time_node(op, argument, unit)?)),
            (argument, _) => Ok(argument),
        }
    }

    /// Compiles what a measure is computed of.
    pub(crate) fn argument(&mut self, measure: &core::Measure) -> Result<Option<usize>, ExecError> {
        use core::Measure::*;
        match measure {
            Count | Plugin { .. } => Ok(None),
            Sum(of) | Avg(of) | Min(of) | Max(of) | Stddev(of) | First(of) | Last(of) | Unique(of) => {
                Ok(Some(self.row(of)?))
            }
            Percentile { of, .. } => Ok(Some(self.row(of)?)),
            Best { .. } => Err(ExecError::NotYet("the best row of a history".into())),
        }
    }
}

/// `elapsed(a, b) < 1 year` by the calendar: `a < b + 1 year`, so that leap days count as the calendar says.
fn calendar_comparison(op: &Op, args: &[Row]) -> Option<Row> {
    let comparison = matches!(op, Op::Equal | Op::NotEqual | Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual);
    let [left, right] = args else { return None };
    let (elapsed, span, flipped) = match (&left.node, &right.node) {
        (RowNode::Call { op: Op::Elapsed, args }, RowNode::Const(Value::Span(span))) => (args, span, false),
        (RowNode::Const(Value::Span(span)), RowNode::Call { op: Op::Elapsed, args }) => (args, span, true),
        _ => return None,
    };
    let [to, from] = elapsed.as_slice() else { return None };
    if !comparison || (span.months == 0 && span.days == 0) {
        return None;
    }
    let time = Unit::of(Kind::Time);
    let end = Row { unit: time, node: RowNode::Call { op: Op::AddSpan(*span), args: vec![from.clone()] } };
    let args = if flipped { vec![end, to.clone()] } else { vec![to.clone(), end] };
    Some(Row { unit: Unit::of(Kind::Bool), node: RowNode::Call { op: op.clone(), args } })
}

/// A span as a number of seconds: exact without months.
fn seconds(span: CalendarSpan) -> Value {
    if span.months == 0 {
        let digits = i128::from(span.days) * 86_400_000_000 + i128::from(span.micros);
        return Value::Decimal { digits, scale: 6 };
    }
    Value::Float(span.seconds())
}

fn arity(op: &Op) -> usize {
    match op {
        Op::Add
        | Op::Subtract
        | Op::Multiply
        | Op::Divide
        | Op::Equal
        | Op::NotEqual
        | Op::Less
        | Op::LessEqual
        | Op::Greater
        | Op::GreaterEqual
        | Op::Matches
        | Op::Contains
        | Op::StartsWith
        | Op::EndsWith
        | Op::Elapsed
        | Op::PeriodsBetween(_) => 2,
        Op::Replace => 3,
        _ => 1,
    }
}

fn is_text(op: &Op) -> bool {
    use Op::*;
    matches!(op, Lower | Upper | Trim | Length | Concat | Replace | Matches | Contains | StartsWith | EndsWith)
}

fn measure_name(measure: &core::Measure) -> String {
    use core::Measure::*;
    match measure {
        Count => "count".into(),
        Sum(_) => "sum".into(),
        Avg(_) => "avg".into(),
        Min(_) => "min".into(),
        Max(_) => "max".into(),
        Percentile { percent, observed, .. } => format!("percentile {percent} {observed}"),
        Stddev(_) => "stddev".into(),
        Best { .. } => "best".into(),
        First(_) => "first".into(),
        Last(_) => "last".into(),
        Unique(_) => "unique".into(),
        Plugin { name, .. } => format!("plugin {name}"),
    }
}
