//! `vs target`: what the shown values should be by now.

use super::calendar::Grain;
use super::cells::Cell;
use super::evaluate::{Here, Scope};
use super::names::{dotted, only_argument};
use super::window::Period;
use super::{Number, Oracle, Value};
use kepi_syntax::ast::{BinaryOp, Bound, DateTime, Expr, ExprKind, Goal, Target};
use std::collections::BTreeSet;

impl Oracle {
    /// The target of a shown value in a cell, or the one of a name; none where there is none for it.
    pub(super) fn target_of(&self, value: &Expr, name: Option<&str>, cell: &Cell<'_>) -> Result<Value, String> {
        let Some(period) = cell.asking.periods[cell.period] else { return Ok(Value::Missing) };
        if cell.is_rest {
            return Ok(Value::Missing);
        }
        let text = kepi_syntax::expr_text(value);
        // A target on the whole says nothing of a part: its condition names the part, too.
        let mut asked = BTreeSet::new();
        if let Some(filter) = &cell.asking.query.filter {
            all_of(filter, &mut asked);
        }
        let labels = cell.labels.first().into_iter().flatten();
        for (item, label) in cell.asking.query.by.iter().zip(labels) {
            let Some(Value::Text(label)) = label else { return Ok(Value::Missing) };
            asked.insert(format!("{} = \"{label}\"", kepi_syntax::expr_text(&item.value)));
        }
        let mine = |target: &&Target| {
            let mut own = BTreeSet::new();
            if let Some(filter) = &target.filter {
                all_of(filter, &mut own);
            }
            let meant = name.is_none_or(|name| target.name.text == name);
            meant && kepi_syntax::expr_text(&target.on) == text && own == asked
        };
        let mine: Vec<&Target> = self.names.targets.iter().filter(mine).collect();
        let moment = cell.asking.query.moment.is_some();
        match self.fitting(mine, cell)?.as_slice() {
            [] => Ok(Value::Missing),
            [target] => self.should_be(target, period, moment),
            // Totals of several times: what they ask for together.
            several if several.iter().all(|target| matches!(target.goal, Goal::Total { .. })) => {
                let mut sum = Value::Missing;
                if !self.adds_up(value) {
                    let parts = several.iter().map(|target| self.should_be(target, period, moment));
                    let parts: Vec<Value> = parts.collect::<Result<_, _>>()?;
                    let mut known = parts.into_iter().filter(|part| !part.is_missing());
                    // Where two of them meet neither is meant.
                    return Ok(known.next().filter(|_| known.next().is_none()).unwrap_or(Value::Missing));
                }
                for target in several {
                    sum = match (sum.as_number(), self.should_be(target, period, moment)?) {
                        (_, Value::Missing) => sum,
                        (None, part) => part,
                        (Some((before, unit)), part) => match part.as_number() {
                            Some((part, _)) => Value::Number(before.plus(part), unit),
                            None => return Err("a target that is no number".to_string()),
                        },
                    };
                }
                Ok(sum)
            }
            _ => Err("several levels on one value".to_string()),
        }
    }

    /// Of several targets on one value those of the query's window, of these those that span it, and of these those of
    /// its periods: `each month` beside `per month`, a total without `per`.
    fn fitting<'t>(&self, mut mine: Vec<&'t Target>, cell: &Cell<'_>) -> Result<Vec<&'t Target>, String> {
        let periods = || cell.asking.periods.iter().flatten();
        let Some(from) = periods().filter_map(|p| p.from).min() else { return Ok(mine) };
        let (_, until) = super::window::range(&cell.asking.query, &self.calendar, self.now)?;
        let mut of_window = Vec::new();
        for target in &mine {
            let inside = match &target.goal {
                Goal::Total { during, .. } => {
                    let (start, end) = self.calendar.bound(during, self.now)?;
                    start < until && from < end
                }
                Goal::Level { by, .. } => from < self.calendar.bound(&Bound::Date(by.clone()), self.now)?.0,
            };
            of_window.extend(inside.then_some(*target));
        }
        if mine.len() > 1 && !of_window.is_empty() {
            mine = of_window;
        }
        let mut spanning = Vec::new();
        for target in &mine {
            if let (Goal::Total { during, .. }, Some(_)) = (&target.goal, &cell.asking.query.window) {
                let (start, end) = self.calendar.bound(during, self.now)?;
                spanning.extend((start <= from && until <= end).then_some(*target));
            }
        }
        if mine.len() > 1 && !spanning.is_empty() {
            mine = spanning;
        }
        let per = cell.asking.query.per.as_ref().and_then(|per| self.calendar.grain(per));
        let of_periods: Vec<&Target> = mine
            .iter()
            .copied()
            .filter(|target| match (&target.goal, per) {
                (Goal::Total { each: Some(each), .. }, Some(per)) => self.calendar.grain(each) == Some(per),
                (Goal::Total { each: None, .. }, None) => true,
                _ => false,
            })
            .collect();
        if mine.len() > 1 && !of_periods.is_empty() {
            mine = of_periods;
        }
        Ok(mine)
    }

    fn should_be(&self, target: &Target, period: Period, moment: bool) -> Result<Value, String> {
        let at = moment.then_some(period.until);
        let from = at.or(period.from).ok_or("a target in a window without a beginning")?;
        if from >= self.now && !moment {
            // Of a period that has not begun nothing can be asked.
            return Ok(Value::Missing);
        }
        // A running period is compared as far as it has come.
        let until = if from < self.now { period.until.min(self.now) } else { period.until };
        let worth = |value: &Expr| self.evaluate(value, &Scope::at(Here::Cell));
        let times = |value: Value, part: Number| match value.as_number() {
            Some((number, unit)) => Value::Number(number.times(part), unit),
            None => Value::Missing,
        };
        match &target.goal {
            Goal::Total { during, reach, each } => {
                let (start, end) = self.calendar.bound(during, self.now)?;
                let (from, until) = (from.max(start), until.min(end));
                if from >= until {
                    return Ok(Value::Missing);
                }
                if !self.adds_up(&target.on) {
                    return worth(reach);
                }
                let part = match each {
                    None => self.part((start, end), (from, until)),
                    Some(grain) => {
                        let grain = self.calendar.grain(grain).ok_or("each what?")?;
                        self.periods_in(grain, from, until)
                    }
                };
                Ok(times(worth(reach)?, part))
            }
            Goal::Level { by, reach, from: baseline } => {
                let at = |date: &DateTime| self.calendar.bound(&Bound::Date(date.clone()), self.now).map(|(at, _)| at);
                let by = at(by)?;
                let Some((begin, since)) = baseline else {
                    return if from > by { Ok(Value::Missing) } else { worth(reach) };
                };
                let since = at(since)?;
                if from > by || until < since {
                    return Ok(Value::Missing);
                }
                let way = self.part((since, by), (since, until.min(by)));
                let (Some((goal, unit)), Some((begin, _))) = (worth(reach)?.as_number(), worth(begin)?.as_number())
                else {
                    return Err("a target that is no number".to_string());
                };
                Ok(Value::Number(begin.plus(goal.minus(begin).times(way)), unit))
            }
        }
    }

    /// Whether the parts of a time make the whole: what is counted or summed, and sums and multiples of that.
    fn adds_up(&self, value: &Expr) -> bool {
        match &value.kind {
            ExprKind::Path(path) => self.names.values.get(&dotted(path)).is_some_and(|(_, d)| self.adds_up(&d.value)),
            ExprKind::Call { function, arguments } => {
                let of_entity = only_argument(arguments).is_ok_and(|of| match &of.value.kind {
                    ExprKind::Path(path) => self.names.entities.contains_key(&dotted(path)),
                    _ => false,
                });
                matches!(&dotted(function)[..], "count" | "sum" | "unique" | "time_in") && !of_entity
            }
            ExprKind::Binary { op: BinaryOp::Add | BinaryOp::Subtract, left, right } => {
                self.adds_up(left) && self.adds_up(right)
            }
            ExprKind::Binary { op: BinaryOp::Multiply | BinaryOp::Divide, left, right } => {
                self.adds_up(left) && matches!(right.kind, ExprKind::Quantity { .. })
            }
            ExprKind::Negate(inner) => self.adds_up(inner),
            _ => false,
        }
    }

    /// How many periods lie in a stretch of time, parts of them by their length.
    fn periods_in(&self, grain: Grain, from: i64, until: i64) -> Number {
        let mut all = Number::ZERO;
        let mut start = self.calendar.start(grain, from);
        while start < until {
            let end = self.calendar.next(grain, start);
            all = all.plus(self.part((start, end), (from.max(start), until.min(end))));
            start = end;
        }
        all
    }

    /// Which part of a stretch of time another one is that lies in it, by what clocks on the wall show; of less than a day
    /// by how long it lasts.
    fn part(&self, whole: (i64, i64), part: (i64, i64)) -> Number {
        let shown = |at| self.calendar.local(at).datetime();
        let lasts = |(from, until): (i64, i64)| i128::from(until) - i128::from(from);
        let length = |(from, until): (i64, i64)| match lasts(whole) < 22 * 3_600_000_000 {
            true => lasts((from, until)),
            false => shown(until).duration_since(shown(from)).as_micros(),
        };
        Number::fraction(length(part), length(whole)).unwrap_or(Number::ZERO)
    }
}

/// The conditions that all must hold for one to hold.
fn all_of(condition: &Expr, into: &mut BTreeSet<String>) {
    match &condition.kind {
        ExprKind::Binary { op: BinaryOp::And, left, right } => {
            all_of(left, into);
            all_of(right, into);
        }
        _ => {
            into.insert(kepi_syntax::expr_text(condition));
        }
    }
}
