//! Expressions, calls and chains.

use super::{Lower, Parts};
use crate::ast::{
    Argument, BinaryOp, Chain, DateTime, Expr, ExprKind, InnerPer, Length, Link, NamedValue, Over, Scoped, TimeUnit,
    UnitWord,
};
use crate::chain::binary;
use crate::grammar::{Pair, Rule};
use crate::{chain, limits, text};

impl Lower<'_> {
    /// Lowers any rule that is an expression.
    pub(super) fn expression(&mut self, mut pair: Pair<'_>) -> Option<Expr> {
        loop {
            let span = self.span(&pair);
            match pair.as_rule() {
                Rule::expr | Rule::conjunct | Rule::filled | Rule::sum | Rule::product => {
                    let mut parts = pair.clone().into_inner();
                    let first = parts.next()?;
                    if parts.peek().is_none() {
                        pair = first;
                        continue;
                    }
                    return self.operators(pair);
                }
                Rule::negation => {
                    let mut parts = Parts::of(pair);
                    if parts.skip(Rule::k_not) {
                        let inner = parts.any()?;
                        let inner = self.deeper(1, span, |lower| lower.expression(inner))?;
                        return Some(Expr { kind: ExprKind::Not(Box::new(inner)), span });
                    }
                    pair = parts.any()?;
                }
                Rule::test_of => return self.test_of(pair),
                Rule::factor => {
                    let mut parts = Parts::of(pair);
                    let mut starts = Vec::new();
                    while let Some(minus) = parts.take(Rule::minus) {
                        starts.push(self.span(&minus));
                    }
                    let value = parts.any()?;
                    if starts.is_empty() {
                        pair = value;
                        continue;
                    }
                    let mut made = self.deeper(starts.len(), span, |lower| lower.expression(value))?;
                    for start in starts.into_iter().rev() {
                        let span = start.to(made.span);
                        made = Expr { kind: ExprKind::Negate(Box::new(made)), span };
                    }
                    return Some(made);
                }
                Rule::value => pair = Parts::of(pair).any()?,
                Rule::group => {
                    let inner = Parts::of(pair).any()?;
                    let inner = self.expression(inner)?;
                    return Some(Expr { span, ..inner });
                }
                _ => {
                    let kind = self.value(pair)?;
                    return Some(Expr { kind, span });
                }
            }
        }
    }

    /// Lowers a chain of operators of one binding: to the left, or as a balanced tree where that would be too high a one.
    fn operators(&mut self, pair: Pair<'_>) -> Option<Expr> {
        let span = self.span(&pair);
        let count = pair.clone().into_inner().count() / 2;
        let rule = pair.as_rule();
        let short = if rule == Rule::sum { limits::HEIGHT_MAX } else { chain::LEFT_MAX };
        // Further levels for the signs of a sum, and for what a product is divided by.
        let height = if count < short { count } else { count.ilog2() as usize + 3 };
        self.deeper(height, span, |lower| {
            let mut operands = Vec::with_capacity(count + 1);
            let mut parts = Parts::of(pair);
            let mut turned = false;
            while let Some(operand) = parts.any() {
                operands.push((turned, lower.expression(operand)?));
                turned = parts.any().is_some_and(|sign| matches!(sign.as_rule(), Rule::minus | Rule::divided));
            }
            let plain = |operands: Vec<(bool, Expr)>| operands.into_iter().map(|(_, operand)| operand).collect();
            Some(match rule {
                Rule::sum => chain::sum(operands),
                Rule::product => chain::product(operands),
                Rule::conjunct => chain::build(BinaryOp::And, plain(operands)),
                Rule::filled => chain::build(BinaryOp::Otherwise, plain(operands)),
                _ => chain::build(BinaryOp::Or, plain(operands)),
            })
        })
    }

    /// Lowers a comparison, `in`, `is` or `matches`, or what stands alone in their place.
    fn test_of(&mut self, pair: Pair<'_>) -> Option<Expr> {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let left = parts.any()?;
        if parts.peek().is_none() {
            return self.expression(left);
        }
        self.deeper(1, span, |lower| {
            let left = Box::new(lower.expression(left)?);
            if let Some(sign) = parts.take(Rule::compare) {
                let op = match sign.as_str() {
                    "=" => BinaryOp::Equal,
                    "!=" => BinaryOp::NotEqual,
                    "<" => BinaryOp::Less,
                    "<=" => BinaryOp::LessEqual,
                    ">" => BinaryOp::Greater,
                    ">=" => BinaryOp::GreaterEqual,
                    _ => return None,
                };
                let right = parts.any()?;
                let right = lower.expression(right)?;
                return Some(binary(op, *left, right));
            }
            if parts.skip(Rule::matches) {
                let right = parts.any()?;
                let right = lower.expression(right)?;
                return Some(binary(BinaryOp::Matches, *left, right));
            }
            if parts.skip(Rule::k_is) {
                let negated = parts.skip(Rule::k_not);
                // `is not missing` is `is known`, and the other way round.
                let known = parts.any()?.as_rule() == Rule::known;
                return Some(Expr { kind: ExprKind::IsMissing { value: left, negated: negated != known }, span });
            }
            let negated = parts.skip(Rule::k_not);
            parts.skip(Rule::k_in);
            let list = parts.any()?;
            let list = Box::new(lower.expression(list)?);
            Some(Expr { kind: ExprKind::In { value: left, list, negated }, span })
        })
    }

    /// Lowers what has no operator.
    fn value(&mut self, pair: Pair<'_>) -> Option<ExprKind> {
        let span = self.span(&pair);
        Some(match pair.as_rule() {
            Rule::quantity => self.quantity(pair)?,
            Rule::string => ExprKind::Text(text::unquote(pair.as_str())),
            Rule::yes_no => ExprKind::Bool(pair.as_str() == "yes"),
            Rule::missing => ExprKind::Missing,
            Rule::date => ExprKind::Date(self.date(pair)),
            Rule::list => self.deeper(1, span, |lower| {
                let mut parts = Parts::of(pair);
                let mut items = Vec::new();
                while let Some(item) = parts.any() {
                    items.push(lower.expression(item)?);
                }
                Some(ExprKind::List(items))
            })?,
            Rule::case => self.deeper(1, span, |lower| lower.case(pair))?,
            Rule::reference => return self.reference(pair),
            _ => return None,
        })
    }

    fn case(&mut self, pair: Pair<'_>) -> Option<ExprKind> {
        let mut parts = Parts::of(pair);
        let (mut whens, mut otherwise) = (Vec::new(), None);
        while let Some(word) = parts.any() {
            match word.as_rule() {
                Rule::k_when => {
                    let condition = parts.take(Rule::expr)?;
                    let condition = self.expression(condition)?;
                    parts.take(Rule::k_then)?;
                    let value = parts.take(Rule::expr)?;
                    whens.push((condition, self.expression(value)?));
                }
                Rule::k_else => {
                    let value = parts.take(Rule::expr)?;
                    otherwise = Some(Box::new(self.expression(value)?));
                }
                _ => {}
            }
        }
        Some(ExprKind::Case { whens, otherwise })
    }

    pub(super) fn quantity(&mut self, pair: Pair<'_>) -> Option<ExprKind> {
        let mut parts = Parts::of(pair);
        let number = parts.take(Rule::number)?.as_str().to_owned();
        let unit = match parts.any() {
            None => None,
            Some(unit) => Some(match unit.as_rule() {
                Rule::percent => UnitWord::Percent,
                Rule::points => UnitWord::Points,
                Rule::unit => UnitWord::Time(TimeUnit::named(unit.as_str())?),
                Rule::currency => UnitWord::Currency(unit.as_str().to_owned()),
                _ => return None,
            }),
        };
        Some(ExprKind::Quantity { number, unit })
    }

    pub(super) fn length(&mut self, pair: Pair<'_>) -> Option<Length> {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let number = parts.take(Rule::number)?.as_str().to_owned();
        let unit = TimeUnit::named(parts.take(Rule::unit)?.as_str())?;
        Some(Length { number, unit, span })
    }

    pub(super) fn date(&mut self, pair: Pair<'_>) -> DateTime {
        let span = self.span(&pair);
        self.check_moment(pair.as_str(), span);
        DateTime { text: pair.as_str().to_owned(), span }
    }

    fn reference(&mut self, pair: Pair<'_>) -> Option<ExprKind> {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let path = parts.take(Rule::path)?;
        let path = self.path(path);
        let Some(call) = parts.take(Rule::call) else {
            return Some(ExprKind::Path(path));
        };
        let fields: Vec<_> = std::iter::from_fn(|| parts.take(Rule::field_of)).collect();
        self.deeper(1 + fields.len(), span, |lower| {
            let mut place = path.span.to(lower.span(&call));
            let mut arguments = Vec::new();
            let mut inside = Parts::of(call);
            while let Some(argument) = inside.take(Rule::argument) {
                arguments.push(lower.argument(argument)?);
            }
            let mut made = ExprKind::Call { function: path, arguments };
            for field in fields {
                let word = Parts::of(field).take(Rule::word)?;
                let name = lower.name(word);
                let of = Box::new(Expr { kind: made, span: place });
                place = place.to(name.span);
                made = ExprKind::Field { of, name };
            }
            Some(made)
        })
    }

    fn argument(&mut self, pair: Pair<'_>) -> Option<Argument> {
        let mut parts = Parts::of(pair);
        let first = parts.any()?;
        match first.as_rule() {
            Rule::k_within => {
                let length = parts.any()?;
                Some(Argument::Within(self.expression(length)?))
            }
            Rule::named => {
                let mut parts = Parts::of(first);
                let name = parts.take(Rule::word)?;
                let name = self.name(name);
                let value = parts.any()?;
                let value = match value.as_rule() {
                    Rule::word => NamedValue::Word(self.name(value)),
                    _ => NamedValue::Chain(self.chain(value)?),
                };
                Some(Argument::Named { name, value })
            }
            _ => Some(Argument::Plain(self.chain(first)?)),
        }
    }

    fn chain(&mut self, pair: Pair<'_>) -> Option<Chain> {
        let mut parts = Parts::of(pair);
        let first = parts.take(Rule::scoped)?;
        let first = self.scoped(first)?;
        let mut rest = Vec::new();
        while let Some(next) = parts.any() {
            let without = match next.as_rule() {
                Rule::avoid => {
                    let mut avoid = Parts::of(next);
                    avoid.skip(Rule::k_without);
                    let step = avoid.take(Rule::scoped)?;
                    parts.take(Rule::arrow)?;
                    Some(self.scoped(step)?)
                }
                _ => None,
            };
            let step = parts.take(Rule::scoped)?;
            rest.push(Link { without, step: self.scoped(step)? });
        }
        Some(Chain { first, rest })
    }

    pub(super) fn scoped(&mut self, pair: Pair<'_>) -> Option<Scoped> {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let value = parts.take(Rule::expr)?;
        let mut made = Scoped { value: self.expression(value)?, per: None, filter: None, over: None, span };
        while let Some(part) = parts.any() {
            match part.as_rule() {
                Rule::inner_per => {
                    let mut parts = Parts::of(part);
                    parts.skip(Rule::k_per);
                    let every = parts.skip(Rule::k_every);
                    let mut grains = Vec::new();
                    while let Some(grain) = parts.take(Rule::grain) {
                        grains.push(self.grain(grain)?);
                    }
                    made.per = Some(InnerPer { every, grains });
                }
                Rule::filter => made.filter = Some(self.filter(part)?),
                Rule::over => {
                    let mut parts = Parts::of(part);
                    parts.skip(Rule::k_over);
                    let part = parts.any()?;
                    made.over = Some(match part.as_rule() {
                        Rule::over_period => Over::Period,
                        Rule::all_time => Over::AllTime,
                        _ => Over::Window(self.window(part)?),
                    });
                }
                _ => return None,
            }
        }
        Some(made)
    }
}
