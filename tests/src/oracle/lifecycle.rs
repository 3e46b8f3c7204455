//! `lifecycle(e, grain)`, `gap(e)` and `tile(v, n)`: what an entity is by when it had rows, and among the others.

use super::evaluate::{Here, Moment, Scope, unscoped};
use super::made::seconds;
use super::names::{only_argument, plain};
use super::{Number, Oracle, Value};
use kepi_syntax::ast::{Argument, ExprKind};

impl Oracle {
    /// New, returning, resurrecting or dormant, by the periods in which the entity has rows; else missing.
    pub(super) fn lifecycle(&self, arguments: &[Argument], scope: &Scope<'_, '_>) -> Result<Value, String> {
        let per = self.options_per(arguments);
        let arguments: Vec<&Argument> = arguments.iter().filter(|a| matches!(a, Argument::Plain(_))).collect();
        let [of, grain] = arguments[..] else { return Err("lifecycle of an event, by a period".to_string()) };
        let grain = match unscoped(grain)?.kind {
            ExprKind::Path(path) => self.calendar.grain(&path),
            _ => None,
        };
        let grain = grain.ok_or("lifecycle needs a period")?;
        let moment = match &scope.here {
            // The last instant that the entity is looked at.
            Here::Entity { moment: Moment::Before(until), .. } => until - 1,
            Here::Row { row, .. } | Here::Entity { moment: Moment::With { row }, .. } => match self.row(*row).time {
                Some(at) => at,
                None => return Ok(Value::Missing),
            },
            Here::Cell => return Err("lifecycle is a label of entities".to_string()),
        };
        let (event, rows) = self.rows_of_scoped(plain(of)?)?;
        let mut theirs = self.names.about(&event)?;
        theirs.retain(|about| per.as_ref().is_none_or(|per| about.entity == *per));
        let rows = self.history_rows(&theirs, rows, None, scope)?;
        let current = self.calendar.start(grain, moment);
        let before = self.calendar.step(grain, current, -1);
        let times: Vec<i64> = rows.iter().filter_map(|row| self.row(*row).time).collect();
        let now = times.iter().any(|at| *at >= current);
        let just_before = times.iter().any(|at| (before..current).contains(at));
        let ever_before = times.iter().any(|at| *at < current);
        Ok(match (now, just_before, ever_before) {
            (true, _, false) => Value::Text("new".to_string()),
            (true, true, _) => Value::Text("returning".to_string()),
            (true, false, true) => Value::Text("resurrecting".to_string()),
            (false, true, _) => Value::Text("dormant".to_string()),
            (false, false, _) => Value::Missing,
        })
    }

    /// The time since the entity's previous row of the same event.
    pub(super) fn gap(&self, arguments: &[Argument], scope: &Scope<'_, '_>) -> Result<Value, String> {
        let Here::Row { row, .. } = &scope.here else { return Err("a gap is a value of a row".to_string()) };
        let (event, rows) = self.rows_of_scoped(only_argument(arguments)?)?;
        let rows = self.history_rows(&self.names.about(&event)?, rows, None, scope)?;
        let before = rows.into_iter().rfind(|before| before != row).and_then(|before| self.row(before).time);
        Ok(match (before, self.row(*row).time) {
            (Some(before), Some(at)) => seconds(at - before),
            _ => Value::Missing,
        })
    }

    /// In which of so many parts of equal size the entity lies by a value, among all that exist.
    pub(super) fn tile(&self, arguments: &[Argument], scope: &Scope<'_, '_>) -> Result<Value, String> {
        let [of, parts] = arguments else { return Err("tile of a value, in parts".to_string()) };
        let (of, parts) = (unscoped(of)?, unscoped(parts)?);
        let Value::Number(Number::Exact { over: parts, under: 1 }, _) = self.evaluate(&parts, scope)? else {
            return Err("tile needs a number of parts".to_string());
        };
        let Here::Entity { entity, key, moment: Moment::Before(until) } = &scope.here else {
            return Err("tile is a label of entities".to_string());
        };
        let mut all = Vec::new();
        for other in self.keys(entity)? {
            if self.exists_from(entity, &other)?.is_none_or(|from| from < *until) {
                let here = Here::Entity { entity: entity.clone(), key: other.clone(), moment: Moment::Before(*until) };
                let value = self.evaluate(&of, &Scope { here, period: scope.period, cell: None })?;
                all.extend((!value.is_missing()).then_some((value, other)));
            }
        }
        let Some((own, _)) = all.iter().find(|(_, other)| other == key) else { return Ok(Value::Missing) };
        let less = all.iter().filter(|(value, _)| value.order(own).is_lt()).count() as i128;
        // Part after part is filled, each with as many as there would be if all were told apart.
        let (mut part, mut end) = (1, 0);
        loop {
            end += all.len() as i128 / parts + i128::from(part <= all.len() as i128 % parts);
            if less < end {
                return Ok(Value::number(Number::whole(part)));
            }
            part += 1;
        }
    }
}
