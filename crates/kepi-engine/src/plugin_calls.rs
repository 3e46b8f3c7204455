//! Which functions of plugins a query calls, by name.

use kepi_model::core::{Aggregate, Base, Formula, FormulaNode, Made, Measure, OrderBy, Query, Row, RowNode};

/// The names, as often as they are called.
pub(crate) fn plugin_calls(query: &Query) -> Vec<&str> {
    let ordered = query.order.iter().filter_map(|key| match &key.by {
        OrderBy::Formula(formula) => Some(formula),
        _ => None,
    });
    let mut names = Vec::new();
    for formula in query.columns.iter().map(|c| &c.formula).chain(&query.having).chain(ordered) {
        of_formula(formula, &mut names);
    }
    query.aggregates.iter().for_each(|aggregate| of_aggregate(aggregate, &mut names));
    names
}

fn of_formula<'a>(formula: &'a Formula, names: &mut Vec<&'a str>) {
    if let FormulaNode::Plugin { name, .. } | FormulaNode::Series { name, .. } = &formula.node {
        names.push(name);
    }
    formula.parts().into_iter().for_each(|part| of_formula(part, names));
}

fn of_aggregate<'a>(aggregate: &'a Aggregate, names: &mut Vec<&'a str>) {
    if let Base::Made(made) = &aggregate.events.base
        && let Made::Groups(groups) = &**made
    {
        of_formula(&groups.value, names);
        groups.aggregates.iter().for_each(|inner| of_aggregate(inner, names));
    }
    of_measure(&aggregate.measure, names);
    aggregate.rows().into_iter().for_each(|row| of_row(row, names));
}

fn of_measure<'a>(measure: &'a Measure, names: &mut Vec<&'a str>) {
    if let Measure::Plugin { name, .. } = measure {
        names.push(name);
    }
}

fn of_row<'a>(row: &'a Row, names: &mut Vec<&'a str>) {
    match &row.node {
        RowNode::Plugin { name, .. } => names.push(name),
        RowNode::Modelled(modelled) => names.push(&modelled.name),
        RowNode::History(history) => of_measure(&history.measure, names),
        _ => {}
    }
    row.parts().into_iter().for_each(|part| of_row(part, names));
}
