//! Aggregates inside a row's or an entity's expression: its history up to that moment, never ahead.

use super::cells::Shape;
use super::evaluate::{Here, Moment, Scope};
use super::fold::{self, Fold};
use super::names::{About, Base, MAKERS, dotted, is_aggregate, only_argument, plain};
use super::{Number, Oracle, Value};
use super::{calendar::Length, evaluate::unscoped};
use kepi_syntax::ast::{Argument, Expr, ExprKind, NamedValue, Over, Scoped, Window};

/// An aggregate, taken apart.
pub(super) struct Asked {
    pub(super) how: Fold,
    pub(super) base: Option<Base>,
    /// The rows, where the argument is an event that has no name.
    pub(super) rows: Option<Vec<usize>>,
    /// The value of each row; none where the rows themselves are meant.
    pub(super) value: Option<Expr>,
    pub(super) filter: Option<Expr>,
    pub(super) over: Option<Over>,
}

impl Oracle {
    /// Takes an aggregate's call apart.
    pub(super) fn asked(&self, name: &str, arguments: &[Argument]) -> Result<Asked, String> {
        let argument = arguments.first().ok_or_else(|| format!("{name} of what?"))?;
        let how = self.how(name, arguments)?;
        let scoped = plain(argument)?;
        let mut asked = Asked {
            how,
            base: None,
            rows: None,
            value: None,
            filter: scoped.filter.clone(),
            over: scoped.over.clone(),
        };
        match &scoped.value.kind {
            ExprKind::Call { .. } if self.names.is_event(scoped) => {
                let all = Scoped { over: None, filter: None, ..scoped.clone() };
                let (event, rows) = self.rows_of_scoped(&all)?;
                asked.base = Some(Base::Event(event));
                asked.rows = Some(rows);
            }
            _ if scoped.per.is_some() => return Err("an inner `per` is not in the oracle".to_string()),
            ExprKind::Path(path) if self.names.events.contains_key(&dotted(path)) => {
                asked.base = Some(Base::Event(dotted(path)));
            }
            ExprKind::Path(path) if self.names.entities.contains_key(&dotted(path)) => {
                asked.base = Some(Base::Entity(dotted(path)));
            }
            _ => {
                asked.base = self.names.base_of(&scoped.value)?;
                asked.value = Some(scoped.value.clone());
                if let Some(made) = maker(&scoped.value) {
                    asked.rows = Some(self.rows_of_scoped(&made)?.1);
                }
            }
        }
        match (&asked.how, &asked.value) {
            (Fold::Count | Fold::Share, Some(value)) => Err(format!("{name} counts rows, not {value:?}")),
            (Fold::Count | Fold::Share, None) => Ok(asked),
            (_, None) => Err(format!("{name} needs a value")),
            _ => Ok(asked),
        }
    }

    /// What an aggregate does with its values.
    pub(super) fn how(&self, name: &str, arguments: &[Argument]) -> Result<Fold, String> {
        let observed = arguments.iter().any(|argument| {
            matches!(argument, Argument::Named { name, value: NamedValue::Word(word) }
                if name.text == "mode" && word.text == "observed")
        });
        let others = arguments.get(1..).unwrap_or_default();
        Ok(match name {
            "count" => Fold::Count,
            "sum" => Fold::Sum,
            "avg" => Fold::Avg,
            "min" => Fold::Min,
            "max" => Fold::Max,
            "stddev" => Fold::Stddev,
            "first" => Fold::First,
            "last" => Fold::Last,
            "unique" | "approx_unique" => Fold::Unique,
            "share" => Fold::Share,
            "median" => Fold::Percentile(Number::whole(50), observed),
            "percentile" => {
                let percent = others.first().ok_or("percentile needs its percent")?;
                let percent = self.evaluate(&unscoped(percent)?, &Scope::at(Here::Cell))?;
                let (percent, unit) = percent.as_number().ok_or("percentile needs a number")?;
                // `95` and `95%` say the same.
                let whole = if unit.kind == super::Kind::Percent { 100 } else { 1 };
                Fold::Percentile(percent.times(Number::whole(whole)), observed)
            }
            other => return Err(format!("`{other}` is not in the oracle")),
        })
    }

    /// An aggregate over the history of the row's (or the) entity.
    pub(super) fn history(&self, name: &str, arguments: &[Argument], scope: &Scope<'_, '_>) -> Result<Value, String> {
        let asked = match self.shape(name, arguments)? {
            Shape::Rows(asked) => asked,
            Shape::Groups(inner) => return self.groups_here(name, arguments, &inner, scope),
            _ => return Err(format!("{name} in a condition is not in the oracle")),
        };
        let event = match (&asked.base, &scope.here) {
            (Some(Base::Event(event)), _) | (None, Here::Row { event, .. }) => event.clone(),
            (base, _) => return Err(format!("{base:?} has no history here")),
        };
        let rows = match asked.rows {
            Some(rows) => rows,
            None => self.rows_of(&event)?.to_vec(),
        };
        let mut values = Vec::new();
        let about = self.names.about(&event)?;
        for row in self.history_rows(&about, rows, asked.over.as_ref(), scope)? {
            let here = Scope { here: Here::Row { event: event.clone(), row }, period: scope.period, cell: None };
            let kept = match &asked.filter {
                Some(filter) => self.evaluate(filter, &here)?,
                None => Value::Bool(true),
            };
            match (&asked.how, &asked.value) {
                (Fold::Share, _) => values.push(kept),
                (_, _) if !kept.is_yes() => {}
                (_, Some(value)) => values.push(self.evaluate(value, &here)?),
                (_, None) => values.push(kept),
            }
        }
        fold::fold(&asked.how, &values)
    }

    /// Those rows that belong to the same entity and are not later.
    pub(super) fn history_rows(
        &self,
        theirs: &[About],
        rows: Vec<usize>,
        over: Option<&Over>,
        scope: &Scope<'_, '_>,
    ) -> Result<Vec<usize>, String> {
        let (role, key) = match &scope.here {
            Here::Row { event: mine, row } => {
                let (mine, theirs) = self.names.shared(&self.names.about(mine)?, theirs)?;
                (theirs, self.key(*row, &mine))
            }
            Here::Entity { entity, key, .. } => {
                let mine = [About { role: entity.clone(), entity: entity.clone() }];
                (self.names.shared(&mine, theirs)?.1, Some(key.clone()))
            }
            Here::Cell => return Err("a cell has no history".to_string()),
        };
        let Some(key) = key else { return Ok(vec![]) };
        // Of an entity the whole period of the cell counts, also where a state of it is read at the beginning.
        let of_cell =
            matches!(over, Some(Over::Period)) && matches!(scope.here, Here::Entity { moment: Moment::Before(_), .. });
        let mut kept = Vec::new();
        for row in rows {
            if self.key(row, &role).as_deref() == Some(&key)
                && (of_cell || !self.is_later(row, &scope.here)?)
                && self.is_within(row, over, scope)?
            {
                kept.push(row);
            }
        }
        Ok(kept)
    }

    /// Whether a row lies after the place in whose history it is looked for. Rows of the same stored event are
    /// ordered to the end; those of another one only by time.
    fn is_later(&self, row: usize, here: &Here) -> Result<bool, String> {
        let end = match here {
            Here::Row { row, .. } | Here::Entity { moment: Moment::With { row }, .. } => *row,
            Here::Entity { moment: Moment::Before(until), .. } => {
                return Ok(self.row(row).time.is_some_and(|at| at >= *until));
            }
            Here::Cell => return Err("a cell has no history".to_string()),
        };
        if self.row(end).event == self.row(row).event {
            return Ok(self.order(row, end).is_gt());
        }
        Ok(self.row(row).time > self.row(end).time)
    }

    fn is_within(&self, row: usize, over: Option<&Over>, scope: &Scope<'_, '_>) -> Result<bool, String> {
        let Some(over) = over else { return Ok(true) };
        let at = self.row(row).time.ok_or("`over` needs dated rows")?;
        match over {
            Over::AllTime => Ok(true),
            Over::Period => {
                let (from, until) = scope.period.ok_or("`over period` outside a query")?;
                Ok(from.is_none_or(|from| at >= from) && at < until)
            }
            Over::Window(Window::Last { length, to_date: false }) => {
                let number: i64 = length.number.parse().map_err(|_| "a length without a number")?;
                let back = Length::of(number, length.unit).negated();
                match &scope.here {
                    // Up to and including the row, so what is exactly so long ago is outside: (t - length, t].
                    Here::Row { row, .. } | Here::Entity { moment: Moment::With { row }, .. } => {
                        let end = self.row(*row).time.ok_or("`over` needs dated rows")?;
                        Ok(at > self.calendar.add(end, back))
                    }
                    // Windows are half-open: [end - length, end).
                    Here::Entity { moment: Moment::Before(until), .. } => Ok(at >= self.calendar.add(*until, back)),
                    Here::Cell => Err("a cell has no history".to_string()),
                }
            }
            Over::Window(Window::During(bound)) => {
                let (from, until) = self.calendar.bound(bound, self.now)?;
                Ok(from <= at && at < until)
            }
            Over::Window(other) => Err(format!("over {other:?} is not in the oracle")),
        }
    }

    /// `age(e)`, `age(e, month)` and `cohort(e, month)`: by the moment of the one event that the entity has had.
    pub(super) fn since_event(
        &self,
        name: &str,
        arguments: &[Argument],
        scope: &Scope<'_, '_>,
    ) -> Result<Value, String> {
        let (event, grain) = match arguments {
            [event] if name == "age" => (event, None),
            [event, grain] => (event, Some(grain)),
            _ => return Err(format!("{name} needs an event and a grain")),
        };
        let (event, rows) = self.rows_of_scoped(only_argument(std::slice::from_ref(event))?)?;
        let about = self.names.once_per(&event)?;
        let first = self.history_rows(&about, rows, None, scope)?.first().and_then(|row| self.row(*row).time);
        let now = match &scope.here {
            Here::Row { row, .. } | Here::Entity { moment: Moment::With { row }, .. } => self.row(*row).time,
            Here::Entity { moment: Moment::Before(until), .. } => Some(*until),
            Here::Cell => None,
        };
        let (Some(first), Some(now)) = (first, now) else { return Ok(Value::Missing) };
        let Some(grain) = grain else { return Ok(Value::Elapsed { from: first, to: now }) };
        let grain = match unscoped(grain)?.kind {
            ExprKind::Path(path) => self.calendar.grain(&path),
            _ => None,
        };
        let grain = grain.ok_or_else(|| format!("{name} needs a grain"))?;
        if name == "cohort" {
            return Ok(Value::Time(self.calendar.start(grain, first)));
        }
        let periods = self.calendar.periods_between(grain, first, now);
        Ok(Value::number(Number::whole(i128::from(periods))))
    }
}

/// What says in a row's expression which rows it is about: `stays(stage).length / 1 day`, `gap(orders where …)`.
fn maker(expr: &Expr) -> Option<Scoped> {
    let scoped = |value: &Expr| Scoped { value: value.clone(), per: None, filter: None, over: None, span: value.span };
    match &expr.kind {
        ExprKind::Call { function, .. } if MAKERS.contains(&&dotted(function)[..]) => Some(scoped(expr)),
        ExprKind::Call { function, arguments } if dotted(function) == "gap" => only_argument(arguments).ok().cloned(),
        ExprKind::Call { function, arguments } if !is_aggregate(&dotted(function)) => {
            arguments.iter().find_map(|argument| plain(argument).ok().and_then(|of| maker(&of.value)))
        }
        ExprKind::Field { of, .. } => maker(of),
        ExprKind::Binary { left, right, .. } => maker(left).or_else(|| maker(right)),
        ExprKind::Negate(value) | ExprKind::Not(value) => maker(value),
        _ => None,
    }
}
