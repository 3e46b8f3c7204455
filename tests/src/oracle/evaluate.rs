//! What an expression is worth: for a row, for an entity at a moment, for a cell of the answer.

use super::cells::Cell;
use super::names::{AGGREGATES, OF_STATES, Role, dotted, is_aggregate, plain};
use super::value::{Kind, Unit};
use super::{Number, Oracle, Value};
use super::{arithmetic, calendar, expand, functions};
use kepi_syntax::ast::{Argument, BinaryOp, Definition, Expr, ExprKind, Path, TypeName, UnitWord};
use std::cmp::Ordering;

/// Where an expression stands.
#[derive(Clone, Debug)]
pub(super) enum Here {
    /// In a row of an event.
    Row { event: String, row: usize },
    /// In an entity, as it is at a moment.
    Entity { entity: String, key: String, moment: Moment },
    /// In a cell of the answer.
    Cell,
}

/// Up to when an entity's history goes.
#[derive(Clone, Debug)]
pub(super) enum Moment {
    /// Up to, not including, an instant: the end of a cell.
    Before(i64),
    /// Up to and including a row.
    With { row: usize },
}

/// Where an expression stands, and what surrounds it.
#[derive(Clone)]
pub(super) struct Scope<'a, 'o> {
    pub(super) here: Here,
    /// The period of the cell being computed, for `over period`.
    pub(super) period: Option<(Option<i64>, i64)>,
    pub(super) cell: Option<&'a Cell<'o>>,
}

impl Scope<'_, '_> {
    pub(super) fn at(here: Here) -> Scope<'static, 'static> {
        Scope { here, period: None, cell: None }
    }
}

impl Oracle {
    /// Computes an expression.
    pub(super) fn evaluate(&self, expr: &Expr, scope: &Scope<'_, '_>) -> Result<Value, String> {
        match &expr.kind {
            ExprKind::Quantity { number, unit } => literal(number, unit.as_ref()),
            ExprKind::Text(text) => Ok(Value::Text(text.clone())),
            ExprKind::Bool(yes) => Ok(Value::Bool(*yes)),
            ExprKind::Missing => Ok(Value::Missing),
            ExprKind::Date(date) => self.calendar.literal(&date.text),
            ExprKind::List(_) => Err("a list stands only behind `in`".to_string()),
            ExprKind::Path(path) => self.path(path, scope),
            ExprKind::Call { function, arguments } => self.call(&dotted(function), arguments, scope),
            // `stays(stage).length`: the rows are those of the call.
            ExprKind::Field { name, .. } => {
                let path = Path { parts: vec![name.clone()], span: expr.span };
                self.path(&path, scope)
            }
            ExprKind::Case { whens, otherwise } => {
                for (when, then) in whens {
                    if self.evaluate(when, scope)?.is_yes() {
                        return self.evaluate(then, scope);
                    }
                }
                otherwise.as_ref().map_or(Ok(Value::Missing), |otherwise| self.evaluate(otherwise, scope))
            }
            ExprKind::Binary { op, left, right } => {
                let left = self.evaluate(left, scope)?;
                let right = self.evaluate(right, scope)?;
                self.binary(*op, &left, &right)
            }
            ExprKind::Negate(value) => match self.evaluate(value, scope)? {
                Value::Missing => Ok(Value::Missing),
                Value::Length(length) => Ok(Value::Length(length.negated())),
                value => {
                    let (number, unit) = value.as_number().ok_or_else(|| format!("-{value:?} has no meaning"))?;
                    Ok(Value::Number(number.negated(), unit))
                }
            },
            ExprKind::Not(value) => Ok(Value::Bool(!self.evaluate(value, scope)?.is_yes())),
            ExprKind::In { value, list, negated } => {
                let ExprKind::List(items) = &list.kind else { return Err("`in` needs a list".to_string()) };
                let value = self.evaluate(value, scope)?;
                let mut found = false;
                for item in items {
                    let item = self.evaluate(item, scope)?;
                    found |= value.compare(&item, &self.calendar)? == Some(Ordering::Equal);
                }
                Ok(Value::Bool(found != *negated))
            }
            ExprKind::IsMissing { value, negated } => {
                Ok(Value::Bool(self.evaluate(value, scope)?.is_missing() != *negated))
            }
        }
    }

    pub(super) fn binary(&self, op: BinaryOp, left: &Value, right: &Value) -> Result<Value, String> {
        let compare = || left.compare(right, &self.calendar);
        let yes = match op {
            BinaryOp::Or => left.is_yes() || right.is_yes(),
            BinaryOp::And => left.is_yes() && right.is_yes(),
            BinaryOp::Equal => compare()? == Some(Ordering::Equal),
            BinaryOp::NotEqual => compare()? != Some(Ordering::Equal),
            BinaryOp::Less => compare()? == Some(Ordering::Less),
            BinaryOp::Greater => compare()? == Some(Ordering::Greater),
            BinaryOp::LessEqual => compare()?.is_some_and(Ordering::is_le),
            BinaryOp::GreaterEqual => compare()?.is_some_and(Ordering::is_ge),
            BinaryOp::Matches => match (left, right) {
                (Value::Text(text), Value::Text(pattern)) => {
                    regex::Regex::new(pattern).map_err(|e| e.to_string())?.is_match(text)
                }
                (Value::Missing, _) => false,
                _ => return Err(format!("{left:?} matches {right:?} has no meaning")),
            },
            BinaryOp::Otherwise => return Ok(if left.is_missing() { right.clone() } else { left.clone() }),
            _ => return arithmetic::compute(op, left, right, &self.calendar),
        };
        Ok(Value::Bool(yes))
    }

    fn call(&self, name: &str, arguments: &[Argument], scope: &Scope<'_, '_>) -> Result<Value, String> {
        if let Some(function) = self.names.functions.get(name) {
            let bound = expand::bind(&function.parameters, arguments)?;
            return self.evaluate(&expand::put_in(&function.value, &bound), scope);
        }
        if let Some((role, definition)) = self.names.values.get(name) {
            let bound = expand::bind(&definition.parameters, arguments)?;
            let value = expand::put_in(&definition.value, &bound);
            let definition = Definition { value, parameters: vec![], ..definition.clone() };
            return self.defined(*role, &definition, scope);
        }
        if name == "ratio" {
            let [part, whole] = arguments else { return Err("ratio takes two values".to_string()) };
            let part = self.evaluate(&unscoped(part)?, scope)?;
            let whole = self.evaluate(&unscoped(whole)?, scope)?;
            return self.binary(BinaryOp::Divide, &part, &whole);
        }
        if let Some(cell) = scope.cell {
            if let Some(value) = self.of_cells(name, arguments, cell)? {
                return Ok(value);
            }
            if is_aggregate(name) {
                return self.cell_aggregate(name, arguments, cell);
            }
        } else {
            let of_state = match arguments.first() {
                Some(Argument::Plain(chain)) if name == "avg" => self.names.is_state(&chain.first.value),
                _ => OF_STATES.contains(&name),
            };
            match name {
                _ if of_state => return self.state_here(name, arguments, scope),
                "lifecycle" => return self.lifecycle(arguments, scope),
                "tile" => return self.tile(arguments, scope),
                "specimens.next_order" => return self.next_order(arguments, scope),
                "gap" => return self.gap(arguments, scope),
                _ if AGGREGATES.contains(&name) => return self.history(name, arguments, scope),
                _ => {}
            }
        }
        if name == "age" || name == "cohort" {
            return self.since_event(name, arguments, scope);
        }
        let mut values = Vec::new();
        for argument in arguments {
            values.push(self.evaluate(&unscoped(argument)?, scope)?);
        }
        functions::call(name, &values, &self.calendar)
    }

    fn path(&self, path: &Path, scope: &Scope<'_, '_>) -> Result<Value, String> {
        let parts: Vec<&str> = path.parts.iter().map(|part| &part.text[..]).collect();
        match &scope.here {
            Here::Cell => {
                let cell = scope.cell.ok_or("a cell without its place")?;
                if let Some(value) = self.cell_name(&parts, cell)? {
                    return Ok(value);
                }
                if parts == ["now"] {
                    return Ok(Value::Time(self.now));
                }
                match self.names.values.get(&parts.join(".")) {
                    Some((role, definition)) if parts.len() == 1 => self.defined(*role, definition, scope),
                    _ => Err(format!("{} has no value in a cell", parts.join("."))),
                }
            }
            Here::Row { event, row } => {
                let lineage = self.names.lineage(event)?;
                let rest = match &parts[..] {
                    [first, rest @ ..] if !rest.is_empty() && lineage.iter().any(|name| name == first) => rest,
                    all => all,
                };
                self.row_path(event, *row, rest, &lineage, scope)
            }
            Here::Entity { entity, key, moment } => {
                if parts == ["now"] {
                    return Ok(match moment {
                        Moment::Before(until) => Value::Time(*until),
                        Moment::With { row } => self.row(*row).time.map_or(Value::Missing, Value::Time),
                    });
                }
                match &parts[..] {
                    [one] if one == entity => Ok(Value::Text(key.clone())),
                    [first, rest @ ..] if first == entity => self.follow(entity, Some(key), rest, moment, scope),
                    all => self.follow(entity, Some(key), all, moment, scope),
                }
            }
        }
    }

    fn row_path(
        &self,
        event: &str,
        row: usize,
        parts: &[&str],
        lineage: &[String],
        scope: &Scope<'_, '_>,
    ) -> Result<Value, String> {
        let moment = Moment::With { row };
        let about = self.names.about(event)?;
        if let [name] = parts {
            if let Some(value) = self.field(event, row, name)? {
                return Ok(value);
            }
            if *name == "now" {
                return Ok(self.row(row).time.map_or(Value::Missing, Value::Time));
            }
            if let Some((role, definition)) = self.names.values.get(*name) {
                let of = definition.of.as_ref().map(|of| &of.text);
                return match (of, about.iter().find(|about| Some(&about.entity) == of)) {
                    (None, _) => self.defined(*role, definition, scope),
                    (Some(of), _) if lineage.contains(of) => self.defined(*role, definition, scope),
                    (_, Some(about)) => {
                        self.follow(&about.entity, self.key(row, &about.role).as_deref(), parts, &moment, scope)
                    }
                    _ => Err(format!("{event} has no {name}")),
                };
            }
            if let Some(state) = self.names.states.get(*name) {
                let of = about.iter().find(|about| about.entity == state.of.text);
                let of = of.ok_or_else(|| format!("{event} has no {name}"))?;
                return self.follow(&of.entity, self.key(row, &of.role).as_deref(), parts, &moment, scope);
            }
            let mut having = about.iter().filter(|about| self.has_attribute(&about.entity, name));
            return match (having.next(), having.next()) {
                (Some(about), None) => {
                    self.follow(&about.entity, self.key(row, &about.role).as_deref(), parts, &moment, scope)
                }
                (Some(_), Some(_)) => Err(format!("several entities of {event} have {name}")),
                _ => Err(format!("{event} has no {name}")),
            };
        }
        let [first, rest @ ..] = parts else { return Err("an empty path".to_string()) };
        // In a chain `wins.owner` is that of the row which served the step.
        if let Some(step) = self.row(row).fields.get(&format!("~step:{first}")) {
            let Value::Text(number) = step else { return Ok(Value::Missing) };
            let row = number.parse().map_err(|_| "a step without a row")?;
            return self.row_path(first, row, rest, &self.names.lineage(first)?, scope);
        }
        let entity = match about.iter().find(|about| about.role == *first) {
            Some(about) => about.entity.clone(),
            None => self
                .declared_type(event, first)
                .map(|ty| ty.name.text.clone())
                .filter(|ty| self.names.entities.contains_key(ty))
                .ok_or_else(|| format!("{event} has no {}", parts.join(".")))?,
        };
        self.follow(&entity, self.key(row, first).as_deref(), rest, &moment, scope)
    }

    /// `customer.region`, `listing.user.region`: an attribute or a definition of an entity, by way of others.
    fn follow(
        &self,
        entity: &str,
        key: Option<&str>,
        parts: &[&str],
        moment: &Moment,
        scope: &Scope<'_, '_>,
    ) -> Result<Value, String> {
        let declared = self.names.entities.get(entity).ok_or_else(|| format!("there is no entity {entity}"))?;
        let [name, rest @ ..] = parts else { return Err(format!("{entity} without a field")) };
        if !rest.is_empty() {
            let ty = self.declared_type(entity, name).ok_or_else(|| format!("{entity} has no {name}"))?;
            let next = match key {
                Some(key) => self.attribute(entity, key, name, moment)?,
                None => Value::Missing,
            };
            let next = if let Value::Text(next) = &next { Some(&next[..]) } else { None };
            return self.follow(&ty.name.text, next, rest, moment, scope);
        }
        if let Some((role, definition)) = self.names.values.get(*name)
            && definition.of.as_ref().is_some_and(|of| of.text == entity)
        {
            let Some(key) = key else { return Ok(Value::Missing) };
            let here = Here::Entity { entity: entity.into(), key: key.into(), moment: moment.clone() };
            return self.defined(*role, definition, &Scope { here, period: scope.period, cell: None });
        }
        if !self.has_attribute(entity, name)
            && let Some(state) = self.names.states.get(*name).filter(|state| state.of.text == entity)
        {
            let at = match moment {
                Moment::Before(until) => Some(until - 1),
                Moment::With { row } => self.row(*row).time,
            };
            let path = Path { parts: vec![state.name.clone()], span: state.name.span };
            let state = Expr { kind: ExprKind::Path(path), span: state.name.span };
            return self.state_value(&state, key.filter(|_| at.is_some()), at.unwrap_or(0));
        }
        if !self.has_attribute(entity, name) {
            if declared.key.as_ref().is_some_and(|k| k.text == *name) {
                return Ok(key.map_or(Value::Missing, |key| Value::Text(key.to_string())));
            }
            return Err(format!("{entity} has no {name}"));
        }
        match key {
            Some(key) => self.attribute(entity, key, name, moment),
            None => Ok(Value::Missing),
        }
    }

    pub(super) fn has_attribute(&self, entity: &str, name: &str) -> bool {
        let declared = self.names.entities.get(entity);
        declared.is_some_and(|declared| declared.fields.iter().any(|field| field.name.text == name))
    }

    /// The value of a measure, segment, dimension or metric where it is used.
    fn defined(&self, role: Role, definition: &Definition, scope: &Scope<'_, '_>) -> Result<Value, String> {
        if (role == Role::Metric) != scope.cell.is_some() {
            return Err(format!("{} does not belong here", definition.name.text));
        }
        let value = if definition.parameters.is_empty() {
            self.evaluate(&definition.value, scope)?
        } else {
            let bound = expand::bind(&definition.parameters, &[])?;
            self.evaluate(&expand::put_in(&definition.value, &bound), scope)?
        };
        match &definition.ty {
            Some(ty) => as_declared(value, ty),
            None => Ok(value),
        }
    }
}

/// The expression of an argument that has no `where`, `per` or `over` of its own.
pub(super) fn unscoped(argument: &Argument) -> Result<Expr, String> {
    let scoped = plain(argument)?;
    if scoped.per.is_some() || scoped.filter.is_some() || scoped.over.is_some() {
        return Err("`where`, `per` or `over` without an aggregate".to_string());
    }
    Ok(scoped.value.clone())
}

/// The declared unit; it names the kind, and a rate must be per the time that its formula gives.
fn as_declared(value: Value, ty: &TypeName) -> Result<Value, String> {
    let Some((number, unit)) = value.as_number() else { return Ok(value) };
    // The sum of nothing is a 0 that does not know its unit.
    let nothing = number.is_zero() && unit.kind == Kind::Number;
    let kind = match &ty.name.text[..] {
        "number" => Kind::Number,
        "count" => Kind::Count,
        "percent" => Kind::Percent,
        "points" => Kind::Points,
        "duration" => Kind::Duration,
        _ => unit.kind,
    };
    let per = ty.per.as_ref().and_then(|name| calendar::unit_named(&name.text));
    if per != unit.per && !nothing {
        return Err(format!("declared per {per:?}, but its formula is per {:?}", unit.per));
    }
    Ok(Value::Number(number, Unit { kind, per }))
}

fn literal(number: &str, unit: Option<&UnitWord>) -> Result<Value, String> {
    let value = Number::parse(number).ok_or_else(|| format!("{number} is no number"))?;
    let hundredth = || value.divided_by(Number::whole(100)).unwrap_or(Number::ZERO);
    Ok(match unit {
        None => Value::number(value),
        Some(UnitWord::Percent) => Value::Number(hundredth(), Unit::of(Kind::Percent)),
        Some(UnitWord::Points) => Value::Number(hundredth(), Unit::of(Kind::Points)),
        Some(UnitWord::Currency(code)) => Value::Number(value, Unit::of(Kind::Money(code.clone()))),
        Some(UnitWord::Time(unit)) => match value {
            Number::Exact { over, under: 1 } => {
                let whole = i64::try_from(over).map_err(|_| format!("{number} is too long"))?;
                Value::Length(calendar::Length::of(whole, *unit))
            }
            part => {
                let seconds = part.times(Number::whole(calendar::seconds_in(*unit)));
                Value::Number(seconds, Unit::of(Kind::Duration))
            }
        },
    })
}
