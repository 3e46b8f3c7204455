//! `lift`: a test group beside a control group, with the 95 % interval of the difference.

use super::cells::{Asking, Cell, Shape};
use super::evaluate::unscoped;
use super::fold::{self, Fold};
use super::names::{Role, dotted};
use super::value::{Kind, Unit};
use super::{Number, Oracle, Value};
use kepi_syntax::ast::{Argument, BinaryOp, Expr, ExprKind, Item, NamedValue, Path, Query};
use std::rc::Rc;

/// So many standard errors of a normal distribution to either side hold 95 % of it.
const NORMAL_95: f64 = 1.959_963_984_540_054;

/// The columns of a lift.
const COLUMNS: [&str; 4] = ["lift~difference", "lift~ratio", "lift~low", "lift~high"];

impl<'a> Asking<'a> {
    /// The same question of one of the two groups of a lift.
    pub(super) fn narrowed_to(&self, arguments: &[Argument], wanted: &str) -> Result<Rc<Asking<'a>>, String> {
        let condition = arguments.iter().find_map(|argument| match argument {
            Argument::Named { name, value: NamedValue::Chain(chain) } if name.text == wanted => {
                Some(chain.first.value.clone())
            }
            Argument::Named { name, value: NamedValue::Word(word) } if name.text == wanted => {
                let path = Path { parts: vec![word.clone()], span: word.span };
                Some(Expr { kind: ExprKind::Path(path), span: word.span })
            }
            _ => None,
        });
        let mut narrowed = self.narrowed.clone();
        narrowed.push(condition.ok_or_else(|| format!("a lift without {wanted}:"))?);
        Ok(Rc::new(Asking { narrowed, ..self.with(self.periods.clone()) }))
    }
}

impl Oracle {
    /// The query with the columns of `lift` for each of its calls, also where a metric is one.
    pub(super) fn with_lift(&self, query: &Query) -> Result<Query, String> {
        let mut items = Vec::new();
        for item in &query.items {
            let value = match &item.value.kind {
                ExprKind::Path(path) => match self.names.values.get(&dotted(path)) {
                    Some((Role::Metric, metric)) => &metric.value,
                    _ => &item.value,
                },
                _ => &item.value,
            };
            match &value.kind {
                ExprKind::Call { function, arguments } if dotted(function) == "lift" => {
                    for column in COLUMNS {
                        let mut function: Path = function.clone();
                        function.parts[0].text = column.to_string();
                        let kind = ExprKind::Call { function, arguments: arguments.clone() };
                        items.push(Item { value: Expr { kind, span: value.span }, alias: None });
                    }
                }
                _ => items.push(item.clone()),
            }
        }
        Ok(Query { items, ..query.clone() })
    }

    /// A column of a lift.
    pub(super) fn lift(&self, name: &str, arguments: &[Argument], cell: &Cell<'_>) -> Result<Value, String> {
        let value = unscoped(arguments.first().ok_or("a lift of what?")?)?;
        let group = |wanted: &str| {
            let cell = Cell { asking: cell.asking.narrowed_to(arguments, wanted)?, ..cell.clone() };
            Ok::<_, String>((self.in_cell(&value, &cell)?, self.variance(&value, &cell)?))
        };
        let ((test, test_variance), (control, control_variance)) = (group("test")?, group("control")?);
        if name == "lift~ratio" {
            return self.binary(BinaryOp::Divide, &test, &control);
        }
        let difference = self.binary(BinaryOp::Subtract, &test, &control)?;
        let (Some((middle, unit)), false) = (difference.as_number(), name == "lift~difference") else {
            return Ok(difference);
        };
        let (Some(a), Some(b)) = (test_variance, control_variance) else { return Ok(Value::Missing) };
        let margin = NORMAL_95 * (a + b).sqrt() * if name == "lift~low" { -1.0 } else { 1.0 };
        Ok(Value::Number(Number::Float(middle.to_f64() + margin), unit))
    }

    /// The square of the standard error of a mean, or of a share of counts.
    fn variance(&self, value: &Expr, cell: &Cell<'_>) -> Result<Option<f64>, String> {
        let ExprKind::Call { function, arguments } = &value.kind else {
            let ExprKind::Path(path) = &value.kind else { return Err("a lift of no mean".to_string()) };
            return match self.names.values.get(&dotted(path)) {
                Some((Role::Metric, metric)) => self.variance(&metric.value, cell),
                _ => Err("a lift of no mean".to_string()),
            };
        };
        let known = |values: Vec<Value>| values.into_iter().filter(|v| !v.is_missing()).collect::<Vec<Value>>();
        match &dotted(function)[..] {
            "avg" => {
                let values = known(match self.shape("avg", arguments)? {
                    Shape::Groups(inner) => cell.group_values("avg", &inner)?,
                    _ => cell.rows_of("avg", arguments)?,
                });
                let spread = fold::fold(&Fold::Stddev, &values)?.as_number().map(|(spread, _)| spread.to_f64());
                Ok(spread.map(|spread| spread * spread / values.len() as f64))
            }
            "share" => {
                let values = cell.rows_of("share", arguments)?;
                let part = values.iter().filter(|value| value.is_yes()).count() as f64 / values.len() as f64;
                Ok((!values.is_empty()).then(|| part * (1.0 - part) / values.len() as f64))
            }
            "ratio" => {
                let [part, whole] = &arguments[..] else { return Err("ratio takes two values".to_string()) };
                let count = |argument: &Argument| {
                    let value = self.in_cell(&unscoped(argument)?, cell)?;
                    match value.as_number() {
                        Some((number, Unit { kind: Kind::Count, .. })) => Ok(number.to_f64()),
                        _ => Err("a lift of a ratio of no counts".to_string()),
                    }
                };
                let (part, whole) = (count(part)?, count(whole)?);
                Ok((whole != 0.0).then(|| part / whole * (1.0 - part / whole) / whole))
            }
            other => Err(format!("a lift of {other} has no interval")),
        }
    }
}

impl Cell<'_> {
    /// The values of an aggregate's rows in a cell.
    fn rows_of(&self, name: &str, arguments: &[Argument]) -> Result<Vec<Value>, String> {
        let placed = self.asking.placed(name, arguments)?;
        let inside =
            placed.iter().filter(|row| row.period == self.period && super::cells::takes(&self.labels, &row.labels));
        Ok(inside.map(|row| row.value.clone()).collect())
    }
}
