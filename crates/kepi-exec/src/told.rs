//! Groups, totals across labels, ranks and tables of their own, in words.

use crate::Note;
use kepi_model::core::{
    AGE, Aggregate, Base, COHORT, CONVERTED, COUNT, ChainOrder, Formula, FormulaNode, Groups, KEY, LABEL, LENGTH, Made,
    OrderBy, Query, REACHED, Row, RowNode, Shape, Stage, VALUE,
};
use kepi_model::value::Kind;

/// What groups an aggregate is taken of: "customer and month".
pub(crate) fn group(groups: &Groups) -> String {
    let mut keys: Vec<String> = groups.keys.iter().map(|key| key.name.clone()).collect();
    keys.extend(groups.per.iter().map(|grain| grain.name()));
    if keys.is_empty() { "cell".to_string() } else { keys.join(" and ") }
}

/// What is computed for each group, its aggregates in the formatter's words.
pub(crate) fn value(groups: &Groups) -> String {
    let mut texts: Vec<String> = Vec::new();
    for aggregate in &groups.aggregates {
        let text = format!("`{}`", aggregate.text);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join(" and ")
}

/// The name of a field that rows have which were made of others.
pub(crate) fn field(name: &str) -> String {
    match name {
        VALUE => "the value".to_string(),
        LENGTH => "the length".to_string(),
        COUNT => "the number of rows".to_string(),
        REACHED => "the step that was reached".to_string(),
        CONVERTED => "it led to a conversion".to_string(),
        COHORT => "the cohort".to_string(),
        AGE => "the age".to_string(),
        _ if name.starts_with(KEY) => "the group's key".to_string(),
        _ if name.starts_with(LABEL) => "the label".to_string(),
        _ => name.to_string(),
    }
}

/// Over which labels an aggregate is taken; none: it has those of its cell.
pub(crate) fn across(aggregate: &Aggregate, query: &Query) -> Option<String> {
    let names: Vec<String> =
        aggregate.across.iter().filter_map(|i| query.by.get(*i)).map(|l| format!("`{}`", l.name)).collect();
    if names.is_empty() {
        return None;
    }
    let all = if names.len() == query.by.len() { "all labels" } else { "all values of" };
    let of = if names.len() == query.by.len() { String::new() } else { format!(" {}", names.join(" and ")) };
    Some(format!("It is taken over {all}{of} together and stands beside every row that it is a total of."))
}

/// What `rank` does, where the query asks for it.
pub(crate) fn ranks(query: &Query) -> Option<String> {
    let order = query.order.iter().filter_map(|key| match &key.by {
        OrderBy::Formula(formula) => Some(formula),
        OrderBy::Period | OrderBy::Label(_) => None,
    });
    let formulas = query.columns.iter().map(|c| &c.formula).chain(&query.having).chain(order);
    let mut overs = Vec::new();
    formulas.for_each(|formula| ranked_over(formula, &mut overs));
    if overs.is_empty() {
        return None;
    }
    let all = query.per.as_ref().map_or("all rows".to_string(), |grain| format!("the rows of a {}", grain.name()));
    let among = overs.iter().map(|over| match over.and_then(|label| query.by.get(label)) {
        Some(label) => format!("{all} that differ only in `{}`", label.name),
        None => all.clone(),
    });
    let among = among.collect::<Vec<_>>().join(", and among ");
    Some(format!(
        "`rank` gives places among {among}, from 1 for the largest, before `having` leaves any out; equal values share a place."
    ))
}

/// Over which labels places are given, each once; none: over all.
fn ranked_over(formula: &Formula, found: &mut Vec<Option<usize>>) {
    if let FormulaNode::Rank { over, .. } = &formula.node
        && !found.contains(over)
    {
        found.push(*over);
    }
    formula.parts().into_iter().for_each(|part| ranked_over(part, found));
}

/// What table the answer is, where it is one of its own.
pub(crate) fn shape(query: &Query) -> Option<String> {
    match query.shape.as_ref()? {
        Shape::Steps { steps, .. } => {
            Some(format!("Each row becomes one row per step, {} of them in their order.", steps.len()))
        }
        Shape::Ages { grain, .. } => Some(format!(
            "Every cohort has a row for each {} of age, up to the one that runs; those too young to be over are marked, \
             and totals leave them out.",
            grain.name()
        )),
    }
}

/// How a retention counts: whom it follows, its mode and its clock are always said.
pub(crate) fn retention(query: &Query) -> Option<Note> {
    let Some(Shape::Ages { grain, own_clock, onward, brackets, returned, .. }) = &query.shape else { return None };
    let grain = grain.name();
    let made = match query.aggregates.get(*returned).map(|aggregate| &aggregate.events.base) {
        Some(Base::Made(made)) => Some(&**made),
        _ => None,
    };
    let (mut often, mut who) = (String::new(), "who".to_string());
    if let Some(Made::Returns(returns)) = made {
        // Of events about several entities the first is followed, which may not be whom one thinks of.
        if let Kind::Entity(entity) = &returns.start.key.unit.kind {
            who = format!("which `{}`", entity.rsplit('.').next().unwrap_or(entity));
        }
        if returns.at_least > 1 {
            often = format!(", at least {} times in a {grain}", returns.at_least);
        }
        if returns.hold.is_some() {
            often += ", with what is held as in the first event";
        }
    }
    let what = match (brackets.is_empty(), onward) {
        (true, false) => format!("{who} came back in that very {grain} (mode exact)"),
        (true, true) => format!("{who} came back in that {grain} or later (mode onward)"),
        (false, false) => format!("{who} came back in that bracket (mode exact)"),
        (false, true) => format!("{who} came back in that bracket or later (mode onward)"),
    };
    let clock = match own_clock {
        false => format!("{grain}s are those of the calendar (clock calendar)"),
        true => format!("{grain}s count from each one's own start (clock own)"),
    };
    let brackets = match brackets.is_empty() {
        true => String::new(),
        false => {
            let ends: Vec<String> = brackets.iter().map(i64::to_string).collect();
            format!(", brackets end with {grain} {}", ends.join(", "))
        }
    };
    Some(Note { code: "retention".into(), text: format!("returned is {what}{often}, {clock}{brackets}") })
}

/// Whose fields a condition of the query asks for, where the rows follow each other: those of the first step only.
pub(crate) fn first_step(query: &Query) -> Option<Note> {
    let mut found = None;
    query.aggregates.iter().for_each(|aggregate| asked_of_first(aggregate, &mut found));
    let (first, asked) = found?;
    let (first, free) = first;
    let first = match &query.shape {
        Some(Shape::Steps { steps, .. }) if !free => steps.first().cloned().unwrap_or(first),
        _ => first,
    };
    let (is, them) = if asked.len() == 1 { ("is", "it") } else { ("are", "them") };
    let asked: Vec<String> = asked.iter().map(|name| format!("`{name}`")).collect();
    let text = format!(
        "{} in `where` {is} of the first step, `{first}`; `where:` among the arguments asks for {them} in every step",
        asked.join(" and ")
    );
    Some(Note { code: "first_step".into(), text })
}

/// The fields that an aggregate over attempts or members asks for of the first step alone, with the rows of that step and
/// whether any step may be the first.
fn asked_of_first(aggregate: &Aggregate, found: &mut Option<((String, bool), Vec<String>)>) {
    let Base::Made(made) = &aggregate.events.base else { return };
    let first = match &**made {
        Made::Groups(groups) => return groups.aggregates.iter().for_each(|inner| asked_of_first(inner, found)),
        Made::Chain(chain) => {
            chain.steps.first().map(|step| (step.rows.events.base.words(), chain.order == ChainOrder::Free))
        }
        Made::Returns(returns) => Some((returns.start.events.base.words(), false)),
        Made::Edges { .. } | Made::Sessions { .. } | Made::Changes(_) => None,
    };
    let asked = match &**made {
        Made::Returns(returns) if returns.asked => match returns.start.events.stages.last() {
            Some(Stage::Where(condition)) => Some(condition),
            _ => None,
        },
        _ => aggregate.filter.as_ref(),
    };
    let (Some(first), Some(filter)) = (first, asked) else { return };
    let mut names = Vec::new();
    let mut steps = false;
    own_fields(filter, &mut names, &mut steps);
    if steps || names.is_empty() {
        // Who names a later step knows that there are several.
        return;
    }
    let (_, all) = found.get_or_insert_with(|| (first, Vec::new()));
    names.retain(|name| !all.contains(name));
    all.append(&mut names);
}

/// The fields of the row itself; and whether later steps are asked, too.
fn own_fields(row: &Row, names: &mut Vec<String>, steps: &mut bool) {
    match &row.node {
        RowNode::Field(name) if names.contains(name) => {}
        RowNode::Field(name) if ![REACHED, CONVERTED, COHORT, AGE].contains(&name.as_str()) => {
            names.push(name.clone());
        }
        RowNode::Step { .. } => *steps = true,
        RowNode::Call { .. } | RowNode::Case { .. } | RowNode::Plugin { .. } | RowNode::Convert { .. } => {
            row.parts().into_iter().for_each(|part| own_fields(part, names, steps));
        }
        _ => {}
    }
}
