//! Whom chains and sessions follow, where their events are of several entities.

use crate::Note;
use kepi_extension::{ColumnKind, EventScan};
use kepi_model::core::{Aggregate, Base, Keyed, Made, Query};
use kepi_model::value::Kind;

/// A note on each entity that a funnel, a conversion or sessions follow although another could be followed, too.
pub(crate) fn followed(query: &Query, scan: &dyn EventScan) -> Vec<Note> {
    let mut found: Vec<(&str, Vec<String>)> = Vec::new();
    query.aggregates.iter().for_each(|aggregate| chosen(aggregate, scan, &mut found));
    let note = |(entity, others): (&str, Vec<String>)| {
        let others: Vec<String> = others.iter().map(|other| format!("`per: {other}`")).collect();
        let others = others.join(" or ");
        let text = format!(
            "rows that follow each other are those of the same `{entity}`; {others} among the arguments follows another"
        );
        Note { code: "followed".into(), text }
    };
    found.into_iter().map(note).collect()
}

/// Whom an aggregate's rows are made of, and whom else they could be, where there is a choice.
fn chosen<'q>(aggregate: &'q Aggregate, scan: &dyn EventScan, found: &mut Vec<(&'q str, Vec<String>)>) {
    let Base::Made(made) = &aggregate.events.base else { return };
    let (key, all): (_, Vec<&Base>) = match &**made {
        Made::Groups(groups) => return groups.aggregates.iter().for_each(|inner| chosen(inner, scan, found)),
        Made::Chain(chain) => {
            let Some(Keyed { key, .. }) = chain.steps.first().map(|step| &step.rows) else { return };
            (key, chain.steps.iter().map(|step| &step.rows.events.base).collect())
        }
        Made::Sessions { events, key, .. } => (key, vec![&events.base]),
        // A retention always says whom it follows.
        Made::Returns(_) | Made::Edges { .. } | Made::Changes(_) => return,
    };
    let Kind::Entity(entity) = &key.unit.kind else { return };
    let mut others: Option<Vec<String>> = None;
    for base in all {
        let Some(theirs) = entities(base, scan) else { return };
        match &mut others {
            None => others = Some(theirs),
            Some(others) => others.retain(|other| theirs.contains(other)),
        }
    }
    let others: Vec<String> = others.unwrap_or_default().into_iter().filter(|other| other != entity).collect();
    let bare = |name: &str| name.rsplit('.').next().unwrap_or(name).to_string();
    let name = entity.rsplit('.').next().unwrap_or(entity);
    if !others.is_empty() && !found.iter().any(|(known, _)| *known == name) {
        found.push((name, others.iter().map(|other| bare(other)).collect()));
    }
}

/// The entities that rows of a stored event are of, each once; none: the rows are made of others.
fn entities(base: &Base, scan: &dyn EventScan) -> Option<Vec<String>> {
    let Base::Stream(name) = base else { return None };
    let info = scan.stream(name)?;
    let mut all: Vec<String> = Vec::new();
    for column in &info.columns {
        if let ColumnKind::Id { entity } = &column.kind
            && !all.contains(entity)
        {
            all.push(entity.clone());
        }
    }
    Some(all)
}
