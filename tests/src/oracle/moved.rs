//! Windows other than the cell's: `prior`, `trailing`, `to_date`, `running`, `over`; totals and ranks.

use super::calendar::{Grain, Length};
use super::cells::{Asking, Cell, exactly};
use super::evaluate::{Here, Scope, unscoped};
use super::names::dotted;
use super::value::{Kind, Unit};
use super::window::Period;
use super::{Number, Oracle, Value};
use kepi_syntax::ast::{Argument, BinaryOp, Chain, Expr, ExprKind, Over, Scoped, Window};
use std::cmp::Ordering;
use std::rc::Rc;

/// How a window is made of another one.
#[derive(Clone, Debug)]
pub(super) enum Move {
    Prior(Length),
    Trailing(Length),
    ToDate(Grain),
    Running,
    AllTime,
    To(Option<i64>, i64),
}

impl<'a> Asking<'a> {
    /// The first argument of a function that moves the window, and how it moves.
    pub(super) fn movement<'b>(
        &self,
        name: &str,
        arguments: &'b [Argument],
    ) -> Result<Option<(&'b Argument, Move)>, String> {
        let length = |argument: &Argument| match self.oracle.evaluate(&unscoped(argument)?, &Scope::at(Here::Cell))? {
            Value::Length(length) => Ok(length),
            other => Err(format!("{name} needs a length, not {other:?}")),
        };
        Ok(match (name, arguments) {
            ("prior" | "growth", [of, by]) => Some((of, Move::Prior(length(by)?))),
            ("trailing", [of, by]) => Some((of, Move::Trailing(length(by)?))),
            ("to_date", [of, grain]) => {
                let grain = match unscoped(grain)?.kind {
                    ExprKind::Path(path) => self.oracle.calendar.grain(&path),
                    _ => None,
                };
                Some((of, Move::ToDate(grain.ok_or("to_date needs a period")?)))
            }
            ("running", [of]) => Some((of, Move::Running)),
            _ => None,
        })
    }

    /// The same question in moved windows.
    pub(super) fn moved_by(self: &Rc<Self>, how: &Move) -> Result<Rc<Asking<'a>>, String> {
        let key = format!("{how:?}");
        if let Some(known) = self.moved.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        let calendar = &self.oracle.calendar;
        if let Move::ToDate(grain) = how
            && self.periods.iter().flatten().any(|period| calendar.has_no_period(*grain, period.until - 1))
        {
            return Err("what lies outside a calendar's table has no period of it".to_string());
        }
        let moved = |period: &Period| {
            let (from, until) = match how {
                Move::Prior(length) => {
                    let back = length.negated();
                    (period.from.map(|from| calendar.add(from, back)), calendar.add(period.until, back))
                }
                Move::Trailing(length) => (Some(calendar.add(period.until, length.negated())), period.until),
                Move::ToDate(grain) => (Some(calendar.start(*grain, period.until - 1)), period.until),
                Move::Running => (self.start, period.until),
                Move::AllTime => (None, period.until),
                Move::To(from, until) => (*from, *until),
            };
            Period { start: period.start, from, until, partial: period.partial }
        };
        let periods = self.periods.iter().map(|period| period.as_ref().map(moved)).collect();
        let asking = Rc::new(self.with(periods));
        self.moved.borrow_mut().insert(key, Rc::clone(&asking));
        Ok(asking)
    }

    /// The cells that an aggregate with `over` is asked in, and its arguments without it.
    pub(super) fn reached(self: &Rc<Self>, arguments: &[Argument]) -> Result<(Rc<Asking<'a>>, Vec<Argument>), String> {
        let Some(Argument::Plain(Chain { first: Scoped { over: Some(over), .. }, .. })) = arguments.first() else {
            return Ok((Rc::clone(self), arguments.to_vec()));
        };
        let mut arguments = arguments.to_vec();
        if let Argument::Plain(chain) = &mut arguments[0] {
            chain.first.over = None;
        }
        let calendar = &self.oracle.calendar;
        let how = match over {
            Over::Period => return Ok((Rc::clone(self), arguments)),
            Over::AllTime => Move::AllTime,
            Over::Window(Window::Last { length, to_date: false }) => {
                let number = length.number.parse().map_err(|_| "a length without a number")?;
                Move::Trailing(Length::of(number, length.unit))
            }
            Over::Window(Window::During(bound)) => {
                let (from, until) = calendar.bound(bound, self.oracle.now)?;
                Move::To(Some(from), until)
            }
            Over::Window(other) => return Err(format!("over {other:?} is not in the oracle")),
        };
        Ok((self.moved_by(&how)?, arguments))
    }
}

impl Oracle {
    /// A function of the cell's window or of the other cells; none where the name is not one.
    pub(super) fn of_cells(
        &self,
        name: &str,
        arguments: &[Argument],
        cell: &Cell<'_>,
    ) -> Result<Option<Value>, String> {
        if let Some((of, how)) = cell.asking.movement(name, arguments)? {
            let of = unscoped(of)?;
            let there = Cell { asking: cell.asking.moved_by(&how)?, ..cell.clone() };
            let value = self.in_cell(&of, &there)?;
            if name != "growth" {
                return Ok(Some(value));
            }
            return growth(self.in_cell(&of, cell)?, value).map(Some);
        }
        match (name, arguments) {
            ("total" | "of_total", [of, dimension @ ..]) => {
                let of = unscoped(of)?;
                let mut labels = cell.labels.clone();
                for one in &mut labels {
                    match dimension {
                        [] => one.iter_mut().for_each(|label| *label = None),
                        [dimension] => {
                            let index = self.label_named(&unscoped(dimension)?, cell)?;
                            one[index] = None;
                        }
                        _ => return Err("a total over one dimension".to_string()),
                    }
                }
                let whole = self.in_cell(&of, &Cell { labels, ..cell.clone() })?;
                if name == "total" {
                    return Ok(Some(whole));
                }
                let part = self.in_cell(&of, cell)?;
                self.binary(BinaryOp::Divide, &part, &whole).map(|value| Some(as_percent(value)))
            }
            ("lift~difference" | "lift~ratio" | "lift~low" | "lift~high", _) => {
                self.lift(name, arguments, cell).map(Some)
            }
            ("rank", [of, rest @ ..]) => {
                let over = match rest {
                    [] => None,
                    [label, ..] => Some(self.label_named(&unscoped(label)?, cell)?),
                };
                self.rank(&unscoped(of)?, over, cell).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Which label of the query a name is.
    fn label_named(&self, name: &Expr, cell: &Cell<'_>) -> Result<usize, String> {
        let ExprKind::Path(path) = &name.kind else { return Err("a total over a label".to_string()) };
        let by = &cell.asking.query.by;
        let named = by.iter().position(|item| {
            item.alias.as_ref().is_some_and(|alias| alias.text == dotted(path))
                || matches!(&item.value.kind, ExprKind::Path(p) if dotted(p) == dotted(path))
        });
        named.ok_or_else(|| format!("{} is no label of the query", dotted(path)))
    }

    /// The place of the cell among those of its period, or those that differ only in one label, the largest first;
    /// equal ones share the first place.
    fn rank(&self, of: &Expr, over: Option<usize>, cell: &Cell<'_>) -> Result<Value, String> {
        let mine = self.in_cell(of, cell)?;
        // What is put together has no place among its parts.
        if mine.is_missing() || cell.is_rest || cell.labels.len() != 1 {
            return Ok(Value::Missing);
        }
        let mut above = 0;
        for (period, labels) in cell.asking.places.borrow().iter() {
            let equal = |index: usize| match &cell.labels[0][index] {
                Some(mine) => mine.order(&labels[index]) == Ordering::Equal,
                None => true,
            };
            let compared = over.is_none_or(|over| (0..labels.len()).all(|index| index == over || equal(index)));
            if *period == cell.period && compared {
                let there = Cell { labels: exactly(labels), ..cell.clone() };
                let other = self.in_cell(of, &there)?;
                above += usize::from(!other.is_missing() && other.order(&mine) == Ordering::Greater);
            }
        }
        Ok(Value::count(above + 1))
    }
}

/// From a negative or zero base there is no growth; that of a percent is in points.
fn growth(value: Value, base: Value) -> Result<Value, String> {
    let (Some((a, unit)), Some((b, _))) = (value.as_number(), base.as_number()) else { return Ok(Value::Missing) };
    if matches!(unit.kind, Kind::Percent | Kind::Points) {
        return Ok(Value::Number(a.minus(b), Unit::of(Kind::Points)));
    }
    if b.compare(Number::ZERO) != Ordering::Greater {
        return Ok(Value::Missing);
    }
    let grown = a.minus(b).divided_by(b);
    Ok(grown.map_or(Value::Missing, |grown| Value::Number(grown, Unit::of(Kind::Percent))))
}

fn as_percent(value: Value) -> Value {
    match value {
        Value::Number(number, _) => Value::Number(number, Unit::of(Kind::Percent)),
        other => other,
    }
}
