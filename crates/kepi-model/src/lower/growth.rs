//! How a value changes with the length of its time: an amount adds up, a level stays, a rate of its period does neither.

use crate::core::{Aggregate, Base, Formula, FormulaNode, Made, Measure, Move, Op, Row, RowNode};

/// What a longer time makes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// What is counted or summed: the parts of a time make the whole.
    Amount,
    /// A share, a mean, what holds at a moment, what has a window of its own: the same for a longer time.
    Level,
    /// A flow by a state, such as a churn rate, or an amount that was computed with: another value for a longer time,
    /// and not the sum of its parts.
    Rate,
}

/// How often a value holds the length of its time as a factor, as far as that is known.
#[derive(Clone, Copy)]
struct Factor {
    /// 1 of an amount, 0 of a level; none: nothing is known of it.
    length: Option<i32>,
    adds_up: bool,
    constant: bool,
}

const CONSTANT: Factor = Factor { length: Some(0), adds_up: true, constant: true };
const AMOUNT: Factor = Factor { length: Some(1), adds_up: true, constant: false };
const LEVEL: Factor = Factor { length: Some(0), adds_up: false, constant: false };
const UNKNOWN: Factor = Factor { length: None, adds_up: false, constant: false };

/// How a formula over aggregates changes. What is not known counts as a level.
pub(super) fn of(formula: &Formula, aggregates: &[Aggregate]) -> Growth {
    match of_formula(formula, aggregates) {
        Factor { length: Some(0) | None, .. } => Growth::Level,
        Factor { adds_up: true, .. } => Growth::Amount,
        _ => Growth::Rate,
    }
}

fn of_formula(formula: &Formula, aggregates: &[Aggregate]) -> Factor {
    match &formula.node {
        FormulaNode::Const(_) => CONSTANT,
        FormulaNode::Aggregate(number) => aggregates.get(*number).map_or(UNKNOWN, of_aggregate),
        FormulaNode::Label(_) | FormulaNode::Period | FormulaNode::Rank { .. } => LEVEL,
        FormulaNode::Plugin { .. } => UNKNOWN,
        // What it goes on with stands for further periods of the same.
        FormulaNode::Series { of, .. } => of_formula(of, aggregates),
        FormulaNode::Call { op, args } => {
            let factors: Vec<Factor> = args.iter().map(|arg| of_formula(arg, aggregates)).collect();
            called(op, &factors)
        }
        FormulaNode::Case { whens, otherwise } => {
            let branches = whens.iter().map(|(_, value)| value).chain(otherwise.as_deref());
            alike(&branches.map(|branch| of_formula(branch, aggregates)).collect::<Vec<_>>())
        }
    }
}

fn called(op: &Op, args: &[Factor]) -> Factor {
    match (op, args) {
        (Op::Add | Op::Subtract, [a, b]) => Factor {
            adds_up: a.adds_up && b.adds_up && a.length == b.length,
            constant: a.constant && b.constant,
            // What is added to a rate leaves it one: `1 - churn_rate`.
            length: match (a.length, b.length) {
                (Some(0), other) | (other, Some(0)) => other,
                (a, b) => {
                    if a == b {
                        a
                    } else {
                        None
                    }
                }
            },
        },
        (Op::Negate, [a]) => *a,
        (Op::Multiply, [a, b]) => match (a.constant, b.constant) {
            (true, _) => *b,
            (_, true) => *a,
            _ => Factor { length: a.length.zip(b.length).map(|(a, b)| a + b), adds_up: false, constant: false },
        },
        (Op::Divide, [a, b]) if b.constant => *a,
        (Op::Divide, [a, b]) => {
            Factor { length: a.length.zip(b.length).map(|(a, b)| a - b), adds_up: false, constant: false }
        }
        (Op::Otherwise, [a, b]) if b.constant => *a,
        (Op::Otherwise | Op::Least | Op::Greatest, args) => Factor { adds_up: false, ..alike(args) },
        (Op::Abs | Op::Round | Op::Floor | Op::Ceil, [a, ..]) => Factor { adds_up: false, ..*a },
        _ => UNKNOWN,
    }
}

/// One of several values, constants beside them left out.
fn alike(factors: &[Factor]) -> Factor {
    let mut rest = factors.iter().filter(|factor| !factor.constant);
    let Some(first) = rest.next() else { return CONSTANT };
    let length = if rest.all(|other| other.length == first.length) { first.length } else { None };
    Factor { length, adds_up: first.adds_up && factors.len() == 1, constant: false }
}

fn of_aggregate(aggregate: &Aggregate) -> Factor {
    let own_window = |of: &Move| matches!(of, Move::Trailing(_) | Move::ToDate(_) | Move::Running | Move::AllTime);
    if aggregate.moved.iter().any(own_window) {
        return LEVEL;
    }
    match (&aggregate.events.base, &aggregate.measure) {
        (_, Measure::Plugin { .. }) => UNKNOWN,
        // Of entities and states there is what holds at a moment, and for how long it has held.
        (Base::Entity(_), Measure::Sum(row)) if measures_time(row) => AMOUNT,
        (Base::Entity(_), _) => LEVEL,
        (Base::Made(made), measure) if aggregate.events.base.is_groups() => {
            let Made::Groups(groups) = &**made else { return UNKNOWN };
            let each = of_formula(&groups.value, &groups.aggregates);
            match measure {
                Measure::Count | Measure::Unique(_) => AMOUNT,
                Measure::Sum(_) if groups.per.is_some() => AMOUNT,
                Measure::Sum(_) => each,
                _ if groups.per.is_some() => LEVEL,
                _ => Factor { adds_up: false, constant: false, ..each },
            }
        }
        (_, Measure::Count | Measure::Sum(_) | Measure::Unique(_)) => AMOUNT,
        _ => LEVEL,
    }
}

/// Whether a value of an entity says for how long a state held.
fn measures_time(row: &Row) -> bool {
    matches!(row.node, RowNode::TimeIn { .. }) || row.parts().into_iter().any(measures_time)
}
