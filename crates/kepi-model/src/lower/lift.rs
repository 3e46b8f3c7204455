//! Test against control: the difference of two groups, their ratio, and how sure it is.

use super::behaviour::usage;
use super::call::plain;
use super::cell::CellScope;
use super::{Cx, Node, expr, number};
use crate::core::{Aggregate, Formula, FormulaNode, Measure, Op, Row};
use crate::units;
use crate::value::{Kind, Unit};
use kepi_syntax::ast::{Argument, BinaryOp, Chain, Expr, ExprKind, NamedValue, Path};
use kepi_syntax::{Code, Span};

/// How many standard errors of a normal distribution hold 95 % of it, to either side.
const NORMAL_95: f64 = 1.959_963_984_540_054;

/// A group's value and the square of its standard error.
struct Group {
    value: Formula,
    variance: Formula,
}

impl CellScope<'_> {
    /// `lift(m, test: c, control: c)`: difference, ratio, and the ends of the 95 % confidence interval of the
    /// difference, each with what stands behind the column's name.
    pub(super) fn lift(
        &mut self,
        cx: &mut Cx<'_>,
        args: &[Argument],
        span: Span,
    ) -> Option<Vec<(&'static str, Formula)>> {
        let (value, test, control) = groups(cx, args, span)?;
        let test = self.group(cx, &value, test);
        let control = self.group(cx, &value, control);
        let (test, control) = (test?, control?);
        let unit = test.value.unit.clone();
        let difference_unit = units::sum(BinaryOp::Subtract, &unit, &control.value.unit).unwrap_or(unit);
        let number_unit = || Unit::of(Kind::Number);
        let difference =
            Formula::call(Op::Subtract, vec![test.value.clone(), control.value.clone()], difference_unit.clone());
        let ratio = Formula::call(Op::Divide, vec![test.value, control.value], number_unit());
        let variance = Formula::call(Op::Add, vec![test.variance, control.variance], number_unit());
        let error = Formula::call(Op::Sqrt, vec![variance], number_unit());
        let margin = Formula::call(Op::Multiply, vec![number(NORMAL_95), error], difference_unit.clone());
        let end = |op| Formula::call(op, vec![difference.clone(), margin.clone()], difference_unit.clone());
        let (low, high) = (end(Op::Subtract), end(Op::Add));
        Some(vec![("", difference), ("ratio", ratio), ("low", low), ("high", high)])
    }

    /// The value among the rows for which a condition holds.
    fn group(&mut self, cx: &mut Cx<'_>, value: &Expr, condition: Expr) -> Option<Group> {
        let module = cx.module.clone();
        self.narrowed.push((condition, module));
        let lowered: Option<Formula> = expr::lower(cx, self, value);
        self.narrowed.pop();
        let lowered = lowered?;
        let variance = self.variance(&lowered);
        match variance {
            Some(variance) => Some(Group { value: lowered, variance }),
            None => cx.error_help(
                Code::WrongKind,
                value.span,
                "how sure a lift is can be told of a mean, a share or a ratio of counts, not of this",
                "take the mean of each one, such as `lift(avg(sum(revenue) per every customer), …)`, or a share",
            ),
        }
    }

    /// The square of the standard error of a mean or of a part of a count; none: nothing is known of it.
    fn variance(&mut self, value: &Formula) -> Option<Formula> {
        let plain = |op, args| Formula::call(op, args, Unit::of(Kind::Number));
        match &value.node {
            // s² / n.
            FormulaNode::Aggregate(index) => {
                let aggregate = self.aggregates[*index].clone();
                let Measure::Avg(row) = &aggregate.measure else { return None };
                let spread = self.keep(Aggregate { measure: Measure::Stddev(row.clone()), ..aggregate.clone() });
                let missing = Row::call(Op::IsMissing, vec![row.clone()], Unit::of(Kind::Bool));
                let known = Row::call(Op::Not, vec![missing], Unit::of(Kind::Bool));
                let filter = match aggregate.filter.clone() {
                    Some(filter) => Row::call(Op::And, vec![filter, known], Unit::of(Kind::Bool)),
                    None => known,
                };
                let count = self.keep(Aggregate {
                    measure: Measure::Count,
                    filter: Some(filter),
                    unit: Unit::of(Kind::Count),
                    ..aggregate
                });
                let squared = plain(Op::Multiply, vec![spread.clone(), spread]);
                Some(plain(Op::Divide, vec![squared, count]))
            }
            // p (1 - p) / n.
            FormulaNode::Call { op: Op::Divide, args } => {
                let [part, whole] = args.as_slice() else { return None };
                let counted = |formula: &Formula| match formula.node {
                    FormulaNode::Aggregate(index) => {
                        matches!(self.aggregates[index].measure, Measure::Count | Measure::Unique(_))
                    }
                    _ => false,
                };
                if !counted(part) || !counted(whole) {
                    return None;
                }
                let rest = plain(Op::Subtract, vec![number(1.0), value.clone()]);
                let product = plain(Op::Multiply, vec![value.clone(), rest]);
                Some(plain(Op::Divide, vec![product, whole.clone()]))
            }
            _ => None,
        }
    }
}

/// The value, and the conditions of the two groups.
fn groups(cx: &mut Cx<'_>, args: &[Argument], span: Span) -> Option<(Expr, Expr, Expr)> {
    let mut value = None;
    let (mut test, mut control) = (None, None);
    let help = || format!("it is written as `{}`", usage("lift"));
    for arg in args {
        match arg {
            Argument::Plain(_) => match plain(arg) {
                Some(scoped)
                    if value.is_none() && scoped.per.is_none() && scoped.filter.is_none() && scoped.over.is_none() =>
                {
                    value = Some(scoped.value.clone());
                }
                _ => return cx.error_help(Code::Arguments, span, "`lift` takes one value as a whole", help()),
            },
            Argument::Named { name, value } if matches!(name.text.as_str(), "test" | "control") => {
                let condition = match value {
                    NamedValue::Word(word) => {
                        let path = Path { parts: vec![word.clone()], span: word.span };
                        Expr { kind: ExprKind::Path(path), span: word.span }
                    }
                    NamedValue::Chain(Chain { first, .. }) => first.value.clone(),
                };
                let place = if name.text == "test" { &mut test } else { &mut control };
                if place.replace(condition).is_some() {
                    return cx.error(Code::Arguments, name.span, format!("`{}` stands twice", name.text));
                }
            }
            Argument::Named { name, .. } => {
                let message = format!("`lift` takes no argument `{}`", name.text);
                return cx.error_help(Code::Arguments, name.span, message, help());
            }
            Argument::Within(within) => {
                return cx.error_help(Code::Arguments, within.span, "`lift` takes no `within`", help());
            }
        }
    }
    match (value, test, control) {
        (Some(value), Some(test), Some(control)) => Some((value, test, control)),
        (None, ..) => cx.error_help(Code::Arguments, span, "`lift` compares a value of two groups", help()),
        (_, None, _) => cx.error_help(Code::Arguments, span, "which rows are the test?", help()),
        (_, _, None) => cx.error_help(Code::Arguments, span, "which rows are the control?", help()),
    }
}
