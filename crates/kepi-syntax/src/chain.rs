//! Chains of operators: a tree to the left while they are short, a balanced one where they are long, so that no text makes a
//! tree that is too high to walk. In a long sum what is subtracted is added with its sign turned; a long product is that of
//! its factors, divided once by that of what divides.

use crate::ast::{BinaryOp, Expr, ExprKind};
use crate::limits::HEIGHT_MAX;

/// How many operands a chain has at most that becomes a tree to the left.
pub(crate) const LEFT_MAX: usize = HEIGHT_MAX / 2;

/// Joins two expressions.
pub(crate) fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    let span = left.span.to(right.span);
    Expr { kind: ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }, span }
}

/// Builds the tree of a chain. Which one depends only on its operands, with those of chains of the same operator in
/// parentheses where the whole is long.
pub(crate) fn build(op: BinaryOp, operands: Vec<Expr>) -> Expr {
    let total: usize = operands.iter().map(|operand| count(op, operand)).sum();
    if total <= LEFT_MAX {
        let mut operands = operands.into_iter();
        // The grammar gives a chain its operands; without them there would be nothing to build.
        let first = operands.next().unwrap_or(Expr { kind: ExprKind::Missing, span: Default::default() });
        return operands.fold(first, |left, right| binary(op, left, right));
    }
    let mut flat = Vec::with_capacity(total);
    operands.into_iter().for_each(|operand| take_apart(op, operand, &mut flat));
    balanced(op, flat)
}

/// Builds the tree of a sum, each operand with whether it is subtracted. A short one keeps its signs, since the
/// difference of two percents has another unit than their sum.
pub(crate) fn sum(operands: Vec<(bool, Expr)>) -> Expr {
    let total: usize =
        operands.iter().map(|(minus, operand)| if *minus { 1 } else { count(BinaryOp::Add, operand) }).sum();
    if total <= HEIGHT_MAX {
        let mut operands = operands.into_iter();
        let first =
            operands.next().map_or(Expr { kind: ExprKind::Missing, span: Default::default() }, |(_, first)| first);
        return operands.fold(first, |left, (minus, right)| {
            binary(if minus { BinaryOp::Subtract } else { BinaryOp::Add }, left, right)
        });
    }
    let mut flat = Vec::with_capacity(total);
    for (minus, operand) in operands {
        match minus {
            true => {
                let span = operand.span;
                flat.push(Expr { kind: ExprKind::Negate(Box::new(operand)), span });
            }
            false => take_apart(BinaryOp::Add, operand, &mut flat),
        }
    }
    balanced(BinaryOp::Add, flat)
}

/// Builds the tree of a product, each operand with whether it divides. A short one keeps its order, since not all units
/// multiply in any.
pub(crate) fn product(operands: Vec<(bool, Expr)>) -> Expr {
    let total: usize = operands.iter().map(|(_, operand)| count(BinaryOp::Multiply, operand)).sum();
    let mut operands = operands.into_iter();
    let first = operands.next().map_or(Expr { kind: ExprKind::Missing, span: Default::default() }, |(_, first)| first);
    if total <= LEFT_MAX {
        return operands.fold(first, |left, (divides, right)| {
            binary(if divides { BinaryOp::Divide } else { BinaryOp::Multiply }, left, right)
        });
    }
    let (mut factors, mut divisors) = (Vec::with_capacity(total), Vec::new());
    take_apart(BinaryOp::Multiply, first, &mut factors);
    for (divides, operand) in operands {
        take_apart(BinaryOp::Multiply, operand, if divides { &mut divisors } else { &mut factors });
    }
    let factors = build(BinaryOp::Multiply, factors);
    match divisors.is_empty() {
        true => factors,
        false => binary(BinaryOp::Divide, factors, build(BinaryOp::Multiply, divisors)),
    }
}

/// The operands of a long chain, in order; none: it is short.
pub(crate) fn long<'e>(op: BinaryOp, left: &'e Expr, right: &'e Expr) -> Option<Vec<&'e Expr>> {
    let short = match op {
        BinaryOp::And | BinaryOp::Or | BinaryOp::Otherwise | BinaryOp::Multiply => LEFT_MAX,
        BinaryOp::Add => HEIGHT_MAX,
        _ => return None,
    };
    if count(op, left) + count(op, right) <= short {
        return None;
    }
    let mut operands = Vec::new();
    let mut open = vec![right, left];
    while let Some(next) = open.pop() {
        match &next.kind {
            ExprKind::Binary { op: inner, left, right } if *inner == op => open.extend([right.as_ref(), left.as_ref()]),
            _ => operands.push(next),
        }
    }
    Some(operands)
}

fn count(op: BinaryOp, expr: &Expr) -> usize {
    let (mut found, mut open) = (0, vec![expr]);
    while let Some(next) = open.pop() {
        match &next.kind {
            ExprKind::Binary { op: inner, left, right } if *inner == op => open.extend([right.as_ref(), left.as_ref()]),
            _ => found += 1,
        }
    }
    found
}

fn take_apart(op: BinaryOp, expr: Expr, flat: &mut Vec<Expr>) {
    let mut open = vec![expr];
    while let Some(next) = open.pop() {
        match next.kind {
            ExprKind::Binary { op: inner, left, right } if inner == op => open.extend([*right, *left]),
            _ => flat.push(next),
        }
    }
}

fn balanced(op: BinaryOp, mut nodes: Vec<Expr>) -> Expr {
    while nodes.len() > 1 {
        let mut halved = Vec::with_capacity(nodes.len().div_ceil(2));
        let mut left = None;
        for node in nodes {
            match left.take() {
                None => left = Some(node),
                Some(first) => halved.push(binary(op, first, node)),
            }
        }
        halved.extend(left);
        nodes = halved;
    }
    nodes.pop().unwrap_or(Expr { kind: ExprKind::Missing, span: Default::default() })
}
