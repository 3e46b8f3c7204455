//! What a pass asks of members of cohorts and their returns, where counting answers it.

use super::super::Pass;
use kepi_model::calendar::TimeUnit;
use kepi_model::core::{AGE, Aggregate, Base, COHORT, Made, Measure, Op, Returns, Row, RowNode, Stage};
use kepi_model::value::{Kind, Unit, Value};

/// A pass over members and returns, as what is asked of the rows that make members, and of the ages at which these come
/// back.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) returns: &'a Returns,
    /// The rows that make members. The first aggregate has all of them and names their entities; each other one is that of
    /// the pass with the number before it, without what it asks of ages.
    pub(super) members: Pass,
    /// By aggregate of the pass.
    pub(super) counted: Vec<Counted>,
}

/// What an aggregate counts.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) of: Of,
    /// Which of its labels are the age.
    pub(super) ages: Vec<usize>,
}

/// Members themselves, or their returns at ages from the first to the last of these.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Of {
    Members,
    Returns(i64, i64),
}

/// What a condition says about ages, so far.
struct Ages {
    of: Option<Of>,
    contradicts: bool,
}

impl Asked<'_> {
    /// Whether each calendar period is an age of its own, and who comes back counts in each.
    pub(super) fn is_plain(&self) -> bool {
        self.returns.brackets.is_empty() && !self.returns.onward && !self.returns.own_clock
    }
}

/// What a pass asks; none: it asks for more than counts, or members may begin more than once.
pub(super) fn of(pass: &Pass) -> Option<Asked<'_>> {
    let Base::Made(made) = &pass.base else { return None };
    let Made::Returns(returns) = &**made else { return None };
    let of_days = returns.grain.table.is_none() && returns.grain.unit >= TimeUnit::Day;
    let plain = returns.hold.is_none() && returns.at_least <= 1;
    let still = pass.moved().is_empty() && pass.shift.is_none() && !pass.moment;
    if !(of_days && plain && still && may_begin_once(returns)) {
        return None;
    }
    let start = &returns.start;
    let blank = |row: &Row| Row { unit: row.unit.clone(), node: RowNode::Const(Value::Missing) };
    let whose = Aggregate {
        events: start.events.clone(),
        filter: None,
        measure: Measure::Min(start.key.clone()),
        labels: pass.aggregates.first()?.labels.iter().map(blank).collect(),
        ..pass.aggregates.first()?.clone()
    };
    let (mut aggregates, mut counted) = (vec![whose], Vec::with_capacity(pass.aggregates.len()));
    for aggregate in &pass.aggregates {
        if aggregate.measure != Measure::Count {
            return None;
        }
        let mut ages = Ages { of: None, contradicts: false };
        let mut asked: Option<Row> = None;
        let stages = aggregate.events.stages.iter().map(|stage| match stage {
            Stage::Where(condition) => Some(condition),
            Stage::First { .. } => None,
        });
        for condition in stages.chain(aggregate.filter.iter().map(Some)) {
            for part in conjuncts(condition?) {
                if ages.take(part) {
                    continue;
                }
                let part = of_member(part, returns)?;
                asked = Some(match asked {
                    Some(asked) => {
                        let node = RowNode::Call { op: Op::And, args: vec![asked, part] };
                        Row { unit: Unit::of(Kind::Bool), node }
                    }
                    None => part,
                });
            }
        }
        let of = ages.of.filter(|_| !ages.contradicts)?;
        let is_age = |row: &Row| matches!(&row.node, RowNode::Field(name) if name == AGE);
        let label = |row: &Row| if is_age(row) { Some(blank(row)) } else { of_member(row, returns) };
        let labels = aggregate.labels.iter().map(label).collect::<Option<Vec<Row>>>()?;
        let places = (0..aggregate.labels.len()).filter(|&i| is_age(&aggregate.labels[i])).collect();
        counted.push(Counted { of, ages: places });
        aggregates.push(Aggregate { events: start.events.clone(), filter: asked, labels, ..aggregate.clone() });
    }
    // Whose return was the first is known of all returns together.
    let limited = |counted: &Counted| matches!(counted.of, Of::Returns(from, to) if from > 1 || to < i64::MAX);
    if counted.iter().all(|counted| counted.of != Of::Members) && counted.iter().any(limited) {
        return None;
    }
    let members = Pass { base: start.events.base.clone(), aggregates, exists: None, ..pass.clone() };
    Some(Asked { returns, members, counted })
}

/// Whether it may be that nobody is a member of several cohorts: whoever comes back by the very event that makes members
/// is, unless only the first of them does.
fn may_begin_once(returns: &Returns) -> bool {
    let first = |stage: &Stage| matches!(stage, Stage::First { per } if *per == returns.start.key);
    returns.start.events.stages.iter().any(first) || returns.start.events.base != returns.back.events.base
}

/// The conditions that must all hold for one to hold.
fn conjuncts(row: &Row) -> Vec<&Row> {
    match &row.node {
        RowNode::Call { op: Op::And, args } => args.iter().flat_map(conjuncts).collect(),
        _ => vec![row],
    }
}

impl Ages {
    /// Takes a condition on the age alone; whether it is one.
    fn take(&mut self, row: &Row) -> bool {
        let RowNode::Call { op, args } = &row.node else { return false };
        let is_age = |row: &Row| matches!(&row.node, RowNode::Field(name) if name == AGE);
        let of = match (op, args.as_slice()) {
            (Op::IsMissing, [age]) if is_age(age) => Of::Members,
            (Op::Not, [known]) => match &known.node {
                RowNode::Call { op: Op::IsMissing, args } if args.iter().all(is_age) => Of::Returns(1, i64::MAX),
                _ => return false,
            },
            (Op::Equal | Op::GreaterEqual, [age, number]) if is_age(age) => {
                let RowNode::Const(Value::Decimal { digits, scale: 0 }) = &number.node else { return false };
                let Ok(digits) = i64::try_from(*digits) else { return false };
                Of::Returns(digits, if *op == Op::Equal { digits } else { i64::MAX })
            }
            _ => return false,
        };
        self.of = Some(match (self.of, of) {
            (None, of) => of,
            (Some(Of::Returns(a, b)), Of::Returns(c, d)) => Of::Returns(a.max(c), b.min(d)),
            (Some(before), of) => {
                self.contradicts |= before != of;
                before
            }
        });
        true
    }
}

/// What is asked of a member and of each of its returns, asked of the row that makes the member; none: something else may
/// be meant there.
fn of_member(row: &Row, returns: &Returns) -> Option<Row> {
    let all = |rows: &[Row]| rows.iter().map(|row| of_member(row, returns)).collect::<Option<Vec<Row>>>();
    let one = |row: &Row| of_member(row, returns).map(Box::new);
    let node = match &row.node {
        RowNode::Field(name) if name == COHORT => {
            let at = Row { unit: Unit::of(Kind::Time), node: RowNode::At };
            RowNode::Call { op: Op::Truncate(returns.grain.clone()), args: vec![at] }
        }
        RowNode::Field(name) if name == AGE => return None,
        RowNode::Const(_) | RowNode::At | RowNode::Field(_) | RowNode::Role(_) => row.node.clone(),
        RowNode::Attribute { of, entity, field, history } => {
            RowNode::Attribute { of: one(of)?, entity: entity.clone(), field: field.clone(), history: *history }
        }
        RowNode::Key { of, entity } => RowNode::Key { of: one(of)?, entity: entity.clone() },
        RowNode::Call { op, args } => RowNode::Call { op: op.clone(), args: all(args)? },
        RowNode::Case { whens, otherwise } => {
            let when = |(c, v): &(Row, Row)| Some((of_member(c, returns)?, of_member(v, returns)?));
            RowNode::Case {
                whens: whens.iter().map(when).collect::<Option<Vec<_>>>()?,
                otherwise: match otherwise {
                    Some(of) => Some(one(of)?),
                    None => None,
                },
            }
        }
        _ => return None,
    };
    Some(Row { unit: row.unit.clone(), node })
}
