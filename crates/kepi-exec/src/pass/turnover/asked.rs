//! What a pass asks of a state, where counting who comes and goes answers it.

use super::super::Pass;
use kepi_model::core::{Aggregate, Base, Edge, Existence, Made, Measure, Move, Op, Row, RowNode, Stage, State, When};
use kepi_model::value::{Kind, Unit, Value};

/// A pass, as what is counted of one state for entities of which only what they are is asked.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) state: &'a State,
    /// What labels and conditions look at, each once: expressions over rows of entities.
    pub(super) columns: Vec<Row>,
    /// By aggregate of the pass.
    pub(super) counted: Vec<Counted>,
}

/// What an aggregate counts.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) of: Of,
    /// Its labels, by the number of the column.
    pub(super) labels: Vec<usize>,
    /// The conditions on the entity, likewise.
    pub(super) conditions: Vec<usize>,
}

/// What is counted in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// How often being in the state begins.
    Started,
    /// How often it ends.
    Ended,
    /// Who is in it at the ends of the window.
    In(Ends),
}

impl Of {
    /// At which ends of a window entities are looked at; none: edges are.
    pub(super) fn ends(self) -> Option<Ends> {
        match self {
            Of::In(ends) => Some(ends),
            Of::Started | Of::Ended => None,
        }
    }
}

/// At which ends of a window an entity is in a state to count; whoever is at neither does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) first_alone: bool,
    pub(super) last_alone: bool,
    pub(super) both: bool,
}

impl Ends {
    /// Whoever counts by one of two.
    pub(super) fn or(self, other: Ends) -> Ends {
        Ends {
            first_alone: self.first_alone || other.first_alone,
            last_alone: self.last_alone || other.last_alone,
            both: self.both || other.both,
        }
    }

    /// Whether only the first end is looked at.
    pub(super) fn is_of_first(self) -> bool {
        self == Ends { first_alone: true, last_alone: false, both: true }
    }

    /// Whether only the last end is looked at.
    pub(super) fn is_of_last(self) -> bool {
        self == Ends { first_alone: false, last_alone: true, both: true }
    }

    /// Whether it takes both ends together to tell who counts.
    pub(super) fn needs_both(self) -> bool {
        self != Ends::default() && !self.is_of_first() && !self.is_of_last()
    }
}

/// What a pass asks; none: it asks for more.
pub(super) fn of(pass: &Pass) -> Option<Asked<'_>> {
    let (state, edge) = match &pass.base {
        Base::Entity(entity) => (in_conditions(pass).filter(|state| state.entity == *entity)?, None),
        Base::Made(made) => match &**made {
            Made::Edges { state, edge: edge @ (Edge::Start | Edge::End) } => (state, Some(*edge)),
            _ => return None,
        },
        Base::Stream(_) => return None,
    };
    let RowNode::Role(role) = &state.key.node else { return None };
    // Of a value, and of a condition, more has to be known than whether it holds.
    let plain = state.value.is_none() && state.holds.is_none() && state.existence.is_none();
    if !plain || !matches!(state.from.base, Base::Stream(_)) {
        return None;
    }
    let whose = Whose { entity: &state.entity, role: edge.map(|_| role.as_str()) };
    let starts = pass.moved().last() == Some(&Move::Start);
    let mut asked = Asked { state, columns: Vec::new(), counted: Vec::with_capacity(pass.aggregates.len()) };
    for aggregate in &pass.aggregates {
        if aggregate.measure != Measure::Count || aggregate.existing && edge.is_none() && !exists(pass, state) {
            return None;
        }
        let conditions = conditions(aggregate)?;
        let (of, conditions) = match edge {
            Some(Edge::Start) => (Of::Started, conditions),
            Some(_) => (Of::Ended, conditions),
            None => {
                let (of_state, others): (Vec<&Row>, Vec<&Row>) =
                    conditions.into_iter().partition(|condition| state_of(condition).is_some());
                (Of::In(ends(&of_state, state, starts)?), others)
            }
        };
        let mut column = |row: &Row| {
            let row = whose.of_entity(row)?;
            let known = asked.columns.iter().position(|known| *known == row);
            Some(known.unwrap_or_else(|| {
                asked.columns.push(row);
                asked.columns.len() - 1
            }))
        };
        let labels = aggregate.labels.iter().map(&mut column).collect::<Option<Vec<usize>>>()?;
        let conditions = conditions.into_iter().map(column).collect::<Option<Vec<usize>>>()?;
        asked.counted.push(Counted { of, labels, conditions });
    }
    Some(asked)
}

/// The first state that the conditions of a pass look at.
fn in_conditions(pass: &Pass) -> Option<&State> {
    pass.aggregates.iter().find_map(|aggregate: &Aggregate| aggregate.filter.as_ref().and_then(state_of))
}

/// The first state that a condition looks at.
fn state_of(row: &Row) -> Option<&State> {
    match &row.node {
        RowNode::State { state, .. } => Some(state),
        RowNode::Call { args, .. } => args.iter().find_map(state_of),
        _ => None,
    }
}

/// Whether whoever is in a state exists: a row that names them came before.
fn exists(pass: &Pass, state: &State) -> bool {
    // When the first entity begins to exist matters where nobody says when the window does.
    let named = |of: &Existence| is_first_named(of, &state.from.base, &state.key) && pass.first_instant().is_some();
    pass.exists.as_ref().is_none_or(named)
}

/// Whether an entity exists, at the latest, from a row on that names it.
pub(super) fn is_first_named(of: &Existence, base: &Base, key: &Row) -> bool {
    let (Base::Stream(stream), RowNode::Role(role)) = (base, &key.node) else { return false };
    of.from.is_none() && of.streams.iter().any(|(s, r)| s == stream && r == role)
}

/// An expression over rows of entities, where it follows from the entity alone; none: it may be another at another moment.
pub(super) fn of_entity(entity: &str, row: &Row) -> Option<Row> {
    Whose { entity, role: None }.of_entity(row)
}

/// The conditions on rows that an aggregate takes, all of which must hold; none: it asks for more than conditions.
pub(super) fn conditions(aggregate: &Aggregate) -> Option<Vec<&Row>> {
    let mut all: Vec<&Row> = Vec::new();
    for stage in &aggregate.events.stages {
        let Stage::Where(condition) = stage else { return None };
        all.extend(conjuncts(condition));
    }
    all.extend(aggregate.filter.iter().flat_map(conjuncts));
    Some(all)
}

/// The conditions that must all hold for one to hold.
fn conjuncts(row: &Row) -> Vec<&Row> {
    match &row.node {
        RowNode::Call { op: Op::And, args } => args.iter().flat_map(conjuncts).collect(),
        _ => vec![row],
    }
}

/// At which ends conditions hold of an entity that is in the state; none: they look at something else, or hold of
/// entities that are in it at neither end.
fn ends(conditions: &[&Row], state: &State, starts: bool) -> Option<Ends> {
    let all = |first: bool, last: bool| {
        let of = |row: &&Row| holds(row, state, starts, (first, last));
        conditions.iter().map(of).try_fold(true, |all, held| Some(held? && all))
    };
    let neither = all(false, false)?;
    let ends = Ends { first_alone: all(true, false)?, last_alone: all(false, true)?, both: all(true, true)? };
    (!neither && !conditions.is_empty()).then_some(ends)
}

/// Whether a condition on the state alone holds of an entity that is in it or not at the window's beginning and end.
fn holds(row: &Row, state: &State, starts: bool, (first, last): (bool, bool)) -> Option<bool> {
    let of = |row: &Row| holds(row, state, starts, (first, last));
    match &row.node {
        RowNode::State { state: own, of, when } if **own == *state && matches!(of.node, RowNode::Role(_)) => {
            Some(match when {
                When::Opening => first,
                When::Closing => last,
                When::Moment => {
                    if starts {
                        first
                    } else {
                        last
                    }
                }
            })
        }
        RowNode::Const(Value::Bool(is)) => Some(*is),
        RowNode::Call { op: Op::And, args } => args.iter().map(of).try_fold(true, |all, held| Some(held? && all)),
        RowNode::Call { op: Op::Or, args } => args.iter().map(of).try_fold(false, |any, held| Some(held? || any)),
        RowNode::Call { op: Op::Not, args } => match args.as_slice() {
            [one] => of(one).map(|held| !held),
            _ => None,
        },
        _ => None,
    }
}

/// Whose rows expressions are over: entities themselves, or rows that name them in a role.
struct Whose<'a> {
    entity: &'a str,
    role: Option<&'a str>,
}

impl Whose<'_> {
    /// The same expression over the entity alone; none: it may be another for another row.
    fn of_entity(&self, row: &Row) -> Option<Row> {
        let entity = || Row {
            unit: Unit::of(Kind::Entity(self.entity.to_string())),
            node: RowNode::Role(self.entity.to_string()),
        };
        let all = |rows: &[Row]| rows.iter().map(|row| self.of_entity(row)).collect::<Option<Vec<Row>>>();
        let boxed = |row: &Row| self.of_entity(row).map(Box::new);
        let node = match &row.node {
            RowNode::Const(_) => row.node.clone(),
            RowNode::Role(role) if self.role.is_none_or(|own| own == role) => return Some(entity()),
            // Of an entity that is an attribute.
            RowNode::Field(field) if self.role.is_none() => {
                let (of, entity, field) = (Box::new(entity()), self.entity.to_string(), field.clone());
                RowNode::Attribute { of, entity, field, history: false }
            }
            RowNode::Attribute { of, entity, field, history: false } => {
                let (of, entity, field) = (boxed(of)?, entity.clone(), field.clone());
                RowNode::Attribute { of, entity, field, history: false }
            }
            RowNode::Key { of, entity } => RowNode::Key { of: boxed(of)?, entity: entity.clone() },
            RowNode::Call { op, args } => RowNode::Call { op: op.clone(), args: all(args)? },
            RowNode::Case { whens, otherwise } => {
                let when = |(c, v): &(Row, Row)| Some((self.of_entity(c)?, self.of_entity(v)?));
                let whens = whens.iter().map(when).collect::<Option<Vec<_>>>()?;
                let otherwise = match otherwise {
                    Some(otherwise) => Some(boxed(otherwise)?),
                    None => None,
                };
                RowNode::Case { whens, otherwise }
            }
            _ => return None,
        };
        Some(Row { unit: row.unit.clone(), node })
    }
}
