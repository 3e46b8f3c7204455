//! What a table's rows are: things with a key, or what happened to things; whom they are about, what identifies them,
//! and under which name they are kept.

use crate::infer::{Hints, InferredKind, KnownEntity, Look};
use crate::naming;
use crate::nouns::{self, Own};
use kepi_model::value::Kind;

/// From this many rows on, keys that never repeat are not so by chance.
const MANY: u64 = 50;

/// What the rows are, and the entity with the column of its key: the one that they are, or one that an event is of.
pub(crate) struct Rows {
    pub(crate) kind: InferredKind,
    pub(crate) entity: Option<(String, String)>,
}

/// What a column whose values are all different is to the rows.
enum Relation {
    /// It is their key; the entity's name.
    Own(String),
    /// They are attributes of this entity, a row for each.
    Attributes(String),
    /// It refers to something that a further file may have more rows of.
    Reference,
}

/// Says what the rows are.
pub(crate) fn rows(
    columns: &[Look<'_>],
    own: &Own,
    mut time: Option<String>,
    count: u64,
    hints: &Hints,
    notes: &mut Vec<String>,
) -> Rows {
    if let Some((entity, key)) = &hints.entity {
        let from = hints.at.clone().or_else(|| begins(columns, own, entity, count));
        return Rows {
            kind: InferredKind::Entity { key: key.clone(), from },
            entity: Some((entity.clone(), key.clone())),
        };
    }
    // When a row was copied says nothing about when it happened.
    if let Some(copied) = time.as_ref().filter(|t| hints.at.is_none() && naming::time_score(t) < -40) {
        let copied = crate::error::shown(copied);
        notes.push(format!("`{copied}` says when rows were copied; `--at {copied}` takes it for when they happened"));
        time = None;
    }
    let event = |time: Option<String>, entity| Rows {
        kind: time.map_or(InferredKind::UndatedEvent, |time| InferredKind::Event { time }),
        entity,
    };
    // What is called an event is one, and so is what has its time told.
    if hints.name.is_some() || hints.at.is_some() {
        return event(time, None);
    }
    let Some(key) = key_column(columns, own) else { return event(time, None) };
    let name = &key.profile.name;
    let wanted = match (relation(columns, own, key, count), &time) {
        (Relation::Own(entity), None) | (Relation::Attributes(entity), _) => entity,
        (Relation::Own(entity), Some(time)) if is_thing(columns, own, key, time, &entity, hints) => entity,
        (Relation::Own(_), Some(_)) => return event(time, None),
        (Relation::Reference, _) => {
            // Of two things that are linked the file is named like one; the parts of a thing are nobody's key.
            let linked = if own.is_key(name) { !own.is_part() } else { time.is_none() || own.mentions(name) };
            let refers = key.entity.as_ref().filter(|_| linked);
            return event(time, refers.map(|(entity, _)| (entity.clone(), name.clone())));
        }
    };
    let known = hints.known.iter().find(|k| k.name == wanted);
    let free = |entity: &String| !hints.taken.contains(entity);
    let entity = match known {
        Some(known) if known.open => wanted.clone(),
        None if free(&wanted) => wanted.clone(),
        _ if own.full != wanted && own.is_key(name) && free(&own.full) => own.full.clone(),
        _ => {
            if known.is_some() {
                let file = crate::error::shown(hints.from.as_deref().unwrap_or("FILE"));
                let key = crate::error::shown(name);
                notes.push(format!(
                    "`{wanted}` has its attributes from elsewhere, so these rows are kept as an event of it; \
                     `kepi load {file} --entity {wanted} --key {key} --all` adds their columns to it instead"
                ));
            }
            return event(time, known.map(|known| (known.name.clone(), name.clone())));
        }
    };
    let from = begins(columns, own, &entity, count);
    Rows { kind: InferredKind::Entity { key: name.clone(), from }, entity: Some((entity, name.clone())) }
}

fn relation(columns: &[Look<'_>], own: &Own, key: &Look<'_>, count: u64) -> Relation {
    let name = &key.profile.name;
    let others = || columns.iter().filter(|c| c.profile.name != *name);
    // `deal_contact` links deals and contacts, `order_line` has the parts of orders.
    let mut links = others().filter(|c| c.idlike && own.mentions(&c.profile.name));
    if own.is_key(name) {
        // Two keys of the same kind, of which one repeats: the rows say something of each of the others.
        if others().any(|c| c.idlike && own.is_key(&c.profile.name) && !c.profile.guess.unique) {
            return Relation::Reference;
        }
        let records = |c: &Look<'_>| c.idlike && c.entity.as_ref().is_some_and(|(e, _)| !nouns::is_thing(e));
        let holds = (own.is_called_part() && others().any(records))
            || links.any(|c| c.entity.as_ref().is_none_or(|(e, _)| !nouns::is_thing(e)) || !describes(columns));
        return if holds || own.is_part() { Relation::Reference } else { Relation::Own(named_by(own, key)) };
    }
    if own.mentions(name) {
        let alone = !others().any(|c| c.idlike || c.profile.guess.unique);
        let attributes = own.sums_up(name) || (count >= MANY && alone && !own.is_past());
        return match key.entity.as_ref().filter(|_| attributes) {
            Some((entity, _)) => Relation::Attributes(entity.clone()),
            None => Relation::Reference,
        };
    }
    // The file says nothing of the key: `telco.csv` with a row for each `customerID`.
    match &key.entity {
        Some((entity, _)) if nouns::is_thing(entity) => {
            let records = |c: &Look<'_>| c.entity.as_ref().is_some_and(|(e, _)| !nouns::is_thing(e));
            match others().any(|c| c.idlike && records(c)) {
                true => Relation::Reference,
                false => Relation::Own(entity.clone()),
            }
        }
        Some(_) => Relation::Reference,
        None if key.idlike && !nouns::key_noun(name).is_empty() => Relation::Reference,
        None => Relation::Own(own.name.clone()),
    }
}

/// What rows are called whose key this is.
fn named_by(own: &Own, key: &Look<'_>) -> String {
    key.entity.as_ref().map_or_else(|| own.name.clone(), |(entity, _)| entity.clone())
}

/// Whether rows with a time are things all the same: the file is named like them, or only describes what is known.
fn is_thing(columns: &[Look<'_>], own: &Own, key: &Look<'_>, time: &str, entity: &str, hints: &Hints) -> bool {
    let of_another = |name: &str| {
        naming::words(name)
            .iter()
            .any(|w| nouns::entity_in(w).is_some_and(|(noun, _)| noun != entity && noun != own.name))
    };
    if own.is_past() || of_another(time) {
        return false;
    }
    if own.speaks_of(&key.profile.name) {
        let awaited = hints.known.iter().any(|k| k.name == entity && k.open) && nouns::entity_in(own.head()).is_none();
        return own.is_thing() || (awaited && !own.is_recorded() && describes(columns));
    }
    let created = ["created", "create", "createdate", "signup", "signed", "registered", "joined", "since"];
    let begins = naming::words(time).iter().any(|w| created.contains(&w.as_str()));
    let amounts = columns.iter().any(|c| matches!(c.unit.kind, Kind::Money(_)) || naming::is_amount(&c.profile.name));
    let other_key = columns.iter().any(|c| c.idlike && c.profile.name != key.profile.name);
    begins && describes(columns) && !amounts && !other_key
}

/// Whether a column names or reaches somebody.
fn describes(columns: &[Look<'_>]) -> bool {
    columns.iter().any(|c| {
        let words = naming::words(&c.profile.name);
        words.iter().any(|w| ["name", "firstname", "lastname", "fullname", "email", "title"].contains(&w.as_str()))
    })
}

/// The column of the moment from which things exist: when they were created, joined or signed up.
fn begins(columns: &[Look<'_>], own: &Own, entity: &str, count: u64) -> Option<String> {
    const REPORTED: [&str; 6] = ["snapshot", "export", "exported", "extract", "report", "reported"];
    let mut best: Option<(i32, &str)> = None;
    for look in columns {
        let (guess, name) = (&look.profile.guess, look.profile.name.as_str());
        let words = naming::words(name);
        let of_another =
            words.iter().any(|w| nouns::entity_in(w).is_some_and(|(noun, _)| noun != entity && noun != own.name));
        let dated = matches!(look.unit.kind, Kind::Time | Kind::Date) && guess.known * 2 > guess.missing + guess.known;
        // The day of an export is the same in all rows.
        let varies = guess.distinct > 1 || count == 1;
        let reported = words.iter().any(|w| REPORTED.contains(&w.as_str()));
        let score = naming::time_score(name);
        if dated && varies && !reported && !of_another && score >= 60 && best.is_none_or(|b| score > b.0) {
            best = Some((score, name));
        }
    }
    best.map(|b| b.1.to_string())
}

/// The entity that is known under a column's name: by its key, or by its own name with `id` behind.
pub(crate) fn known_of(column: &str, known: &[KnownEntity]) -> Option<(String, usize)> {
    let words = naming::words(column);
    let noun = nouns::key_noun(column);
    let id = noun.len() < words.len();
    let named = known.iter().find(|k| id && !noun.is_empty() && naming::words(&k.name) == noun);
    // `id`, `name` and `code` are keys of many, and so may be a longer name.
    let same_key = |k: &&KnownEntity| words.len() > 1 && naming::words(&k.key) == words;
    let found = named.or_else(|| {
        let mut same = known.iter().filter(same_key);
        same.next().filter(|_| same.next().is_none())
    })?;
    let rank = nouns::entity_in(naming::words(&found.name).last()?).map_or(40, |(_, rank)| rank);
    Some((found.name.clone(), rank))
}

/// The column that identifies the rows of a table of things.
fn key_column<'a, 'b>(columns: &'a [Look<'b>], own: &Own) -> Option<&'a Look<'b>> {
    let rank = |c: &Look<'_>| {
        let words = naming::words(&c.profile.name);
        let named_like_file = words.iter().any(|w| naming::singular(w) == own.head());
        match (c.idlike, own.is_key(&c.profile.name), c.entity.is_some()) {
            (true, _, _) if words.len() == 1 && nouns::key_noun(&c.profile.name).is_empty() => 0,
            (true, true, _) => 1,
            (false, true, true) => 2,
            (true, false, true) => 3,
            (false, _, _) if named_like_file && words.len() == 1 => 4,
            (true, false, false) => 5,
            (false, _, true) => 6,
            // A unique text in the first column names the rows: `sales_agent` in a table of teams.
            _ if c.unit.kind == Kind::Text && columns.first().is_some_and(|f| f.profile.name == c.profile.name) => 7,
            _ => 9,
        }
    };
    let unique = columns.iter().filter(|c| {
        let valued = matches!(c.unit.kind, Kind::Bool | Kind::Date | Kind::Time | Kind::Percent);
        c.profile.guess.unique && !valued && (c.unit.kind == Kind::Text || c.profile.guess.whole)
    });
    unique.min_by_key(|c| rank(c)).filter(|c| rank(c) < 9)
}

/// The entities of an event with their columns, the subject first; `also`: one that it is of in any case.
pub(crate) fn entity_columns(
    columns: &[Look<'_>],
    own: &Own,
    kind: &InferredKind,
    also: Option<(String, String)>,
    hints: &Hints,
    notes: &mut Vec<String>,
) -> Vec<(String, String)> {
    let time = match kind {
        InferredKind::Event { time } => Some(time),
        _ => None,
    };
    let mut roles = hints.of.clone();
    let mut found: Vec<(usize, usize, String, String)> = Vec::new();
    for (place, look) in columns.iter().enumerate() {
        let name = &look.profile.name;
        if roles.iter().any(|(_, c)| c == name) || time == Some(name) {
            continue;
        }
        let unique = look.profile.guess.unique;
        let number = if look.idlike { 0 } else { 2 };
        if unique && (look.idlike || look.entity.is_some()) && own.is_key(name) {
            // Other tables refer to orders, deals and tickets; to what is a fact and no more, nobody does.
            let entity = look.entity.clone().or_else(|| {
                let (noun, rank) = nouns::entity_in(own.head())?;
                Some((noun.to_string(), rank))
            });
            if let Some((entity, rank)) = entity.filter(|_| own.is_recorded()) {
                let rank = if nouns::is_record(&entity) { rank + 100 } else { rank };
                found.push((rank, place, entity, name.clone()));
            }
            continue;
        }
        if hints.id.as_ref() == Some(name) {
            continue;
        }
        match &look.entity {
            Some((entity, rank)) if !unique || *rank < 16 || own.mentions(name) => {
                found.push((rank + number, place, entity.clone(), name.clone()));
            }
            // The versions of a thing in its history: `id` repeats.
            None if look.idlike && !unique && naming::words(name).len() == 1 && look.unit.kind == Kind::Text => {
                found.push((50, place, own.name.clone(), name.clone()));
            }
            _ => {}
        }
    }
    if let Some((entity, column)) = also.filter(|(_, column)| !found.iter().any(|f| f.3 == *column)) {
        let place = columns.iter().position(|c| c.profile.name == column).unwrap_or_default();
        let rank = columns.get(place).and_then(|c| c.entity.as_ref()).map_or(40, |(_, rank)| *rank);
        found.push((rank, place, entity, column));
    }
    found.sort();
    for (_, _, entity, column) in found {
        let declared = hints.known.iter().any(|k| k.name == entity);
        if !declared && hints.taken.contains(&entity) {
            let column = crate::error::shown(&column);
            notes.push(format!(
                "`{column}` stays a text: `{entity}` is declared already, and is no entity; `--of NAME={column}` gives it \
                 another name"
            ));
        } else if !roles.iter().any(|(e, _)| *e == entity) {
            roles.push((entity, column));
        }
    }
    roles
}

/// The column that identifies a row of an event. What refers to others does not, though it may not repeat yet.
pub(crate) fn id_column(columns: &[Look<'_>], own: &Own, roles: &[(String, String)], hints: &Hints) -> Option<String> {
    if hints.id.is_some() {
        return hints.id.clone();
    }
    let rank = |c: &Look<'_>| match naming::words(&c.profile.name).as_slice() {
        [_] => 0,
        _ if own.is_key(&c.profile.name) => 1,
        _ => 2,
    };
    let refers = |c: &Look<'_>| roles.iter().any(|(_, column)| *column == c.profile.name);
    let unique = columns.iter().filter(|c| c.profile.guess.unique && c.idlike);
    let unique = unique.filter(|c| match refers(c) {
        true => own.is_recorded() && own.is_key(&c.profile.name),
        false => true,
    });
    unique.min_by_key(|c| rank(c)).map(|c| c.profile.name.clone())
}

/// The name of an event: the file's, in the plural where it is that of an entity, and one that is free.
pub(crate) fn event_name(stem: &str, entities: &[String], hints: &Hints) -> String {
    let is_entity =
        |name: &str| entities.iter().any(|e| e == name) || nouns::entity_in(name).is_some_and(|(noun, _)| noun == name);
    let mut name = stem.to_string();
    if is_entity(&name) {
        name = naming::plural(stem);
    }
    if is_entity(&name) || hints.taken.contains(&name) {
        name = format!("{stem}_rows");
    }
    let mut number = 2;
    while hints.taken.contains(&name) {
        name = format!("{stem}_{number}");
        number += 1;
    }
    name
}
