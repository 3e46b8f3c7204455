//! States in cells and in conditions: `opening`, `closing`, `kept`, `avg`, `time_in`.

use super::cells::{Asking, Placed};
use super::evaluate::{Here, Moment, Scope};
use super::made::seconds;
use super::names::dotted;
use super::states::{parts, value_at};
use super::value::{Kind, Unit};
use super::window::{EVER, Period};
use super::{Number, Oracle, Value};
use kepi_syntax::ast::{Argument, Expr, ExprKind, Scoped};

impl Asking<'_> {
    /// The entities that a state's measure takes, each in its cell with what it adds.
    pub(super) fn place_state(&self, name: &str, of: &Scoped) -> Result<Vec<Placed>, String> {
        let oracle = self.oracle;
        let entity = oracle.names.entity_of(&of.value)?.ok_or_else(|| format!("{name} of no state"))?;
        let mut placed = Vec::new();
        for (index, period) in self.periods.iter().enumerate() {
            let Some(period) = period else { continue };
            for (number, key) in oracle.keys(&entity)?.iter().enumerate() {
                if !self.is_subject(&entity, key) {
                    continue;
                }
                let range = (period.from, period.until);
                let first = oracle.first_in(&of.value, key)?;
                let value = match period.from {
                    None if period.start == EVER || name != "closing" => {
                        first.filter(|first| *first < period.until).map(|_| Value::Bool(true))
                    }
                    _ => oracle.state_measure(name, &of.value, &entity, key, range)?,
                };
                if self.grouped && matches!(name, "opening" | "closing") {
                    placed.extend(self.place_either(of, &entity, key, index)?);
                }
                let Some(value) = value else {
                    continue;
                };
                // What is measured at the start is seen as it was then, with its labels and conditions.
                let moment = match (name, period.from) {
                    ("opening", Some(from)) => from,
                    _ => period.until,
                };
                let here = Here::Entity { entity: entity.clone(), key: key.clone(), moment: Moment::Before(moment) };
                if let Some(found) = self.place(index, &here, of.filter.as_ref(), None, false)? {
                    let value = self.converted(value, &here)?;
                    placed.push(Placed { value, time: first, index: number, ..found });
                }
            }
        }
        Ok(placed)
    }

    /// A group also exists where a number has a value at one end only: it has the labels of the end, and nothing is added
    /// to it.
    fn place_either(&self, of: &Scoped, entity: &str, key: &str, index: usize) -> Result<Option<Placed>, String> {
        let Some(Period { from: Some(from), until, .. }) = self.periods[index] else { return Ok(None) };
        let measured = |name| self.oracle.state_measure(name, &of.value, entity, key, (Some(from), until));
        let unit = match measured("opening")?.or(measured("closing")?) {
            Some(Value::Number(_, unit)) => unit,
            _ => return Ok(None),
        };
        let here = Here::Entity { entity: entity.into(), key: key.into(), moment: Moment::Before(until) };
        let found = self.place(index, &here, of.filter.as_ref(), None, false)?;
        let value = self.converted(Value::Number(Number::ZERO, unit), &here)?;
        Ok(found.map(|found| Placed { value, time: None, ..found }))
    }

    fn is_subject(&self, entity: &str, key: &str) -> bool {
        match &self.subject {
            None => true,
            Some(scope) => match self.oracle.key_here(entity, scope) {
                Ok(found) => found.as_deref() == Some(key),
                Err(_) => true,
            },
        }
    }
}

impl Oracle {
    /// What an entity adds to a state's measure over a window; none where it takes no part.
    fn state_measure(
        &self,
        name: &str,
        state: &Expr,
        entity: &str,
        key: &str,
        (from, until): (Option<i64>, i64),
    ) -> Result<Option<Value>, String> {
        let at = |at: Option<i64>| match at {
            Some(at) => self.held(state, entity, key, at - 1),
            None => Ok(None),
        };
        match name {
            "opening" => at(from),
            "closing" => at(Some(until)),
            "kept" => Ok((at(from)?.is_some() && at(Some(until))?.is_some()).then_some(Value::Bool(true))),
            _ => {
                let from = from.ok_or_else(|| format!("{name} over all time has no length"))?;
                let end = until.min(self.now);
                let spells = self.spells(state)?;
                let parts = spells.get(key).map(|spells| parts(spells, from, end)).unwrap_or_default();
                if parts.is_empty() {
                    return Ok(None);
                }
                if name == "time_in" {
                    return Ok(Some(seconds(parts.iter().map(|(_, length)| length).sum())));
                }
                let (mut total, mut unit) = (Number::ZERO, Unit::of(Kind::Number));
                for (stay, length) in parts {
                    let (value, its) = match &stay.value {
                        Value::Number(value, unit) => (*value, unit.clone()),
                        _ => (Number::whole(1), Unit::of(Kind::Number)),
                    };
                    total = total.plus(value.times(Number::whole(i128::from(length))));
                    unit = its;
                }
                let mean = total.divided_by(Number::whole(i128::from(end - from)));
                Ok(mean.map(|mean| Value::Number(mean, unit)))
            }
        }
    }

    /// The value of a state (yes, of a segment or a condition) for an entity at an instant; none where it does not hold.
    fn held(&self, state: &Expr, entity: &str, key: &str, at: i64) -> Result<Option<Value>, String> {
        if let ExprKind::Path(path) = &state.kind
            && self.names.states.contains_key(&dotted(path))
        {
            let spells = self.spells(state)?;
            return Ok(spells.get(key).and_then(|spells| value_at(spells, at)).cloned());
        }
        if self.exists_from(entity, key)?.is_some_and(|from| from > at) {
            return Ok(None);
        }
        let here = Here::Entity { entity: entity.into(), key: key.into(), moment: Moment::Before(at + 1) };
        let value = self.evaluate(state, &Scope::at(here))?;
        Ok(value.is_yes().then_some(value))
    }

    /// When an entity first was in a state; none where it always was.
    fn first_in(&self, state: &Expr, key: &str) -> Result<Option<i64>, String> {
        let spells = self.spells(state)?;
        let first = spells.get(key).and_then(|spells| spells.first()).map(|spell| spell.from);
        Ok(first.filter(|from| *from > i64::MIN / 8))
    }

    /// A state's measure in a condition: that of the one entity, over the window of the cell.
    pub(super) fn state_here(
        &self,
        name: &str,
        arguments: &[Argument],
        scope: &Scope<'_, '_>,
    ) -> Result<Value, String> {
        let of = super::names::only_argument(arguments)?;
        if of.filter.is_some() || of.per.is_some() || of.over.is_some() {
            return Err(format!("{name} with a scope, in a condition, is not in the oracle"));
        }
        let entity = self.names.entity_of(&of.value)?.ok_or_else(|| format!("{name} of no state"))?;
        let range = scope.period.ok_or_else(|| format!("{name} outside a query"))?;
        if matches!(scope.here, Here::Row { .. }) && name != "opening" {
            return Err(format!("a row never looks ahead, and {name} does"));
        }
        let Some(key) = self.key_here(&entity, scope)? else { return Ok(Value::Missing) };
        let found = self.state_measure(name, &of.value, &entity, &key, range)?;
        match (found, name) {
            (Some(value), _) => Ok(value),
            (None, "opening" | "closing") => self.state_value(&of.value, None, 0),
            (None, "kept") => Ok(Value::Bool(false)),
            (None, _) => Ok(Value::Missing),
        }
    }

    /// The key of the entity of this kind that a row or an entity is about.
    pub(super) fn key_here(&self, entity: &str, scope: &Scope<'_, '_>) -> Result<Option<String>, String> {
        match &scope.here {
            Here::Entity { entity: mine, key, .. } if mine == entity => Ok(Some(key.clone())),
            Here::Row { event, row } => {
                let about = self.names.about(event)?;
                let role = about.iter().find(|about| about.entity == entity);
                let role = role.ok_or_else(|| format!("{event} has no {entity}"))?;
                Ok(self.key(*row, &role.role))
            }
            other => Err(format!("{other:?} is about no {entity}")),
        }
    }
}
