//! The same formula on another window, across labels, and its place among the other cells.

use super::behaviour::length;
use super::call::{counted, needed, plain};
use super::cell::CellScope;
use super::grain::grain_word;
use super::{Cx, Node, expr, number};
use crate::core::{Aggregate, Formula, FormulaNode, Move, Op};
use crate::functions::{self, WindowKind};
use crate::value::{Kind, Unit, Value};
use kepi_syntax::ast::{Argument, Expr};
use kepi_syntax::{Code, Span};

impl CellScope<'_> {
    /// `prior(m, d)` and its kin: the formula with everything in it on the moved window.
    pub(super) fn on_another_window(
        &mut self,
        cx: &mut Cx<'_>,
        kind: WindowKind,
        name: &str,
        args: &[Argument],
        span: Span,
    ) -> Option<Formula> {
        let arity = match kind {
            WindowKind::Running => (1, 1),
            WindowKind::Total | WindowKind::OfTotal | WindowKind::Rank => (1, 2),
            _ => (2, 2),
        };
        let values = whole_values(cx, name, args, arity, span)?;
        let (formula, second) = (values[0], values.get(1).copied());
        // The second argument of the others is there, see `arity`.
        let second = || second.unwrap_or(formula);
        match kind {
            WindowKind::Prior => {
                let moved = Move::Prior(length(cx, name, second())?);
                self.moved_by(cx, moved, formula)
            }
            WindowKind::Trailing => {
                let moved = Move::Trailing(length(cx, name, second())?);
                self.moved_by(cx, moved, formula)
            }
            WindowKind::ToDate => {
                let moved = Move::ToDate(grain_word(cx, second())?);
                self.moved_by(cx, moved, formula)
            }
            WindowKind::Running => self.moved_by(cx, Move::Running, formula),
            WindowKind::Growth => {
                let moved = Move::Prior(length(cx, name, second())?);
                let current: Option<Formula> = expr::lower(cx, self, formula);
                let earlier = self.moved_by(cx, moved, formula);
                growth(cx, current?, earlier?, formula.span)
            }
            WindowKind::Total => Some(self.part_and_whole(cx, formula, values.get(1).copied())?.1),
            WindowKind::OfTotal => {
                let (part, whole) = self.part_and_whole(cx, formula, values.get(1).copied())?;
                Some(Formula::call(Op::Divide, vec![part, whole], Unit::of(Kind::Percent)))
            }
            WindowKind::Rank => {
                if !self.across.is_empty() {
                    return cx.error_help(
                        Code::WrongKind,
                        span,
                        "a total has no place among the cells",
                        "write `rank(of_total(…))`: the place of the share",
                    );
                }
                let value: Formula = expr::lower(cx, self, formula)?;
                if !value.unit.kind.is_numeric() && !matches!(value.unit.kind, Kind::Time | Kind::Date) {
                    let message = format!("only numbers and times have places, this is {}", value.unit);
                    return cx.error(Code::TypeMismatch, formula.span, message);
                }
                let over = match values.get(1) {
                    Some(label) if !self.alone => Some(self.label_called(cx, label)?),
                    _ => None,
                };
                Some(Formula { unit: Unit::of(Kind::Number), node: FormulaNode::Rank { of: Box::new(value), over } })
            }
        }
    }

    /// The formula with every aggregate below it on the moved window.
    fn moved_by(&mut self, cx: &mut Cx<'_>, by: Move, formula: &Expr) -> Option<Formula> {
        self.moved.push(by);
        let lowered = expr::lower(cx, self, formula);
        self.moved.pop();
        lowered
    }

    /// A formula that was lowered where nothing is moved, as it is here.
    pub(super) fn moved_too(&mut self, formula: Formula) -> Formula {
        if self.moved.is_empty() && self.across.is_empty() {
            return formula;
        }
        let Formula { unit, node } = formula;
        let all = |scope: &mut Self, formulas: Vec<Formula>| formulas.into_iter().map(|f| scope.moved_too(f)).collect();
        let node = match node {
            FormulaNode::Aggregate(index) => {
                let aggregate = self.aggregates[index].clone();
                let moved = self.moved.iter().chain(&aggregate.moved).cloned().collect();
                let mut across = aggregate.across.clone();
                across.extend(self.across.iter().filter(|l| !aggregate.across.contains(l)));
                across.sort_unstable();
                return self.keep(Aggregate { moved, across, ..aggregate });
            }
            FormulaNode::Call { op, args } => FormulaNode::Call { op, args: all(self, args) },
            FormulaNode::Plugin { name, args } => FormulaNode::Plugin { name, args: all(self, args) },
            FormulaNode::Case { whens, otherwise } => FormulaNode::Case {
                whens: whens.into_iter().map(|(when, then)| (self.moved_too(when), self.moved_too(then))).collect(),
                otherwise: otherwise.map(|o| Box::new(self.moved_too(*o))),
            },
            FormulaNode::Rank { of, over } => FormulaNode::Rank { of: Box::new(self.moved_too(*of)), over },
            FormulaNode::Series { name, of, constants } => {
                FormulaNode::Series { name, of: Box::new(self.moved_too(*of)), constants }
            }
            FormulaNode::Const(_) | FormulaNode::Label(_) | FormulaNode::Period => node,
        };
        Formula { unit, node }
    }

    /// Which label of the query a name is.
    fn label_called(&self, cx: &mut Cx<'_>, name: &Expr) -> Option<usize> {
        let text = kepi_syntax::expr_text(name);
        let called = |index: usize| {
            kepi_syntax::expr_text(&self.by[index]) == text
                || self.label_names.get(index).is_some_and(|name| *name == text)
        };
        let found = (0..self.by.len()).find(|&index| called(index));
        if found.is_none() {
            let message = format!("`{text}` is no label of this query");
            let help = format!("ask `by {text}` too, or leave it out to take all labels together");
            return cx.error_help(Code::WrongKind, name.span, message, help);
        }
        found
    }

    /// What `of_total(m)` divides: m, and m over all labels or over those of one label. A total by itself has the cells
    /// of m too, so m is lowered for it as well.
    fn part_and_whole(
        &mut self,
        cx: &mut Cx<'_>,
        formula: &Expr,
        dimension: Option<&Expr>,
    ) -> Option<(Formula, Formula)> {
        let across = match dimension {
            None => (0..self.label_count()).collect(),
            Some(_) if self.alone => Vec::new(),
            Some(dimension) => vec![self.label_called(cx, dimension)?],
        };
        let part: Formula = expr::lower(cx, self, formula)?;
        if !part.unit.kind.is_numeric() {
            let message = format!("only numbers have totals, this is {}", part.unit);
            return cx.error(Code::TypeMismatch, formula.span, message);
        }
        let outer = self.across.clone();
        self.across.extend(across);
        self.across.sort_unstable();
        self.across.dedup();
        let whole = expr::lower(cx, self, formula);
        self.across = outer;
        Some((part, whole?))
    }
}

/// The change since an earlier value, as a part of it; of a percent the difference in points.
fn growth(cx: &mut Cx<'_>, current: Formula, earlier: Formula, span: Span) -> Option<Formula> {
    match current.unit.kind {
        Kind::Percent | Kind::Points => {
            Some(Formula::call(Op::Subtract, vec![current, earlier], Unit::of(Kind::Points)))
        }
        ref kind if kind.is_numeric() => {
            let zero = Formula::constant(Value::Decimal { digits: 0, scale: 0 }, earlier.unit.clone());
            let positive = Formula::call(Op::Greater, vec![earlier.clone(), zero], Unit::of(Kind::Bool));
            let ratio = Formula::call(Op::Divide, vec![current, earlier], Unit::of(Kind::Number));
            let change = Formula::call(Op::Subtract, vec![ratio, number(1.0)], Unit::of(Kind::Percent));
            Some(Formula::case(vec![(positive, change)], None, Unit::of(Kind::Percent)))
        }
        _ => cx.error(Code::TypeMismatch, span, format!("only numbers grow, this is {}", current.unit)),
    }
}

/// The arguments without scopes and names: what is moved is moved as a whole.
fn whole_values<'e>(
    cx: &mut Cx<'_>,
    name: &str,
    args: &'e [Argument],
    arity: (usize, usize),
    span: Span,
) -> Option<Vec<&'e Expr>> {
    let found = functions::find(name);
    let usage = found.map_or("", |f| f.usage);
    let mut values = Vec::new();
    for arg in args {
        match plain(arg) {
            Some(scoped) if scoped.per.is_none() && scoped.filter.is_none() && scoped.over.is_none() => {
                values.push(&scoped.value);
            }
            Some(scoped) => {
                let word = match (&scoped.filter, &scoped.per) {
                    (Some(_), _) => "where",
                    (None, Some(_)) => "per",
                    _ => "over",
                };
                let help = format!("`{word}` belongs into the aggregate, such as `{}`", inside(name, word));
                let message = format!("`{name}` takes a value as a whole");
                return cx.error_help(Code::TrailingScope, scoped.span, message, help);
            }
            None => {
                let message = format!("`{name}` takes plain values only");
                return cx.error_help(Code::Arguments, span, message, format!("it is written as `{usage}`"));
            }
        }
    }
    if values.len() < arity.0 || values.len() > arity.1 {
        let message = format!("{} given, {} needed", counted(values.len()), needed(arity));
        let help = format!("it is written as `{usage}`, such as `{}`", found.map_or("", |f| f.example));
        return cx.error_help(Code::Arguments, span, message, help);
    }
    Some(values)
}

fn inside(name: &str, word: &str) -> String {
    let scoped = match word {
        "where" => "sum(revenue where first_year)",
        "per" => "avg(sum(revenue) per customer)",
        _ => "sum(revenue)",
    };
    match name {
        "prior" | "growth" => format!("{name}({scoped}, 1 year)"),
        "trailing" => format!("{name}({scoped}, 3 months)"),
        "to_date" => format!("{name}({scoped}, year)"),
        _ => format!("{name}({scoped})"),
    }
}
