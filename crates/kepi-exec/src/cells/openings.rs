//! What holds when a cell begins, asked in the cell's own time: so it shares a pass with what holds at its end.

use kepi_model::core::{Aggregate, Base, Measure, Move, Query, Row, RowNode, When};

/// The same query, where what entities are at the start of each cell is no moved window any more, as far as that says
/// the same: of states, in cells that have a beginning.
pub(crate) fn in_own_time(query: &Query) -> Query {
    let mut query = query.clone();
    if query.window.from.is_some() && !query.window.moment {
        for aggregate in &mut query.aggregates {
            if let Some(own) = opened(aggregate) {
                *aggregate = own;
            }
        }
    }
    query
}

fn opened(aggregate: &Aggregate) -> Option<Aggregate> {
    // Who exists is judged at the end of a window.
    let of_entities = matches!(aggregate.events.base, Base::Entity(_)) && aggregate.events.stages.is_empty();
    if !of_entities || aggregate.existing || aggregate.moved != [Move::Start] {
        return None;
    }
    let measure = match &aggregate.measure {
        Measure::Count => Measure::Count,
        Measure::Sum(of) => Measure::Sum(row(of)?),
        Measure::Avg(of) => Measure::Avg(row(of)?),
        _ => return None,
    };
    let filter = match &aggregate.filter {
        Some(filter) => Some(row(filter)?),
        None => None,
    };
    let labels = aggregate.labels.iter().map(row).collect::<Option<Vec<Row>>>()?;
    Some(Aggregate { measure, filter, labels, moved: Vec::new(), ..aggregate.clone() })
}

/// A value at the start of a cell; none: it depends on more than states and what never changes.
fn row(of: &Row) -> Option<Row> {
    let all = |args: &[Row]| args.iter().map(row).collect::<Option<Vec<Row>>>();
    let node = match &of.node {
        RowNode::Const(_) | RowNode::Field(_) | RowNode::Role(_) => of.node.clone(),
        RowNode::Attribute { of, entity, field, history: false } => {
            RowNode::Attribute { of: Box::new(row(of)?), entity: entity.clone(), field: field.clone(), history: false }
        }
        RowNode::Key { of, entity } => RowNode::Key { of: Box::new(row(of)?), entity: entity.clone() },
        RowNode::Call { op, args } => RowNode::Call { op: op.clone(), args: all(args)? },
        RowNode::State { state, of, when: When::Moment } => {
            RowNode::State { state: state.clone(), of: Box::new(row(of)?), when: When::Opening }
        }
        _ => return None,
    };
    Some(Row { unit: of.unit.clone(), node })
}
