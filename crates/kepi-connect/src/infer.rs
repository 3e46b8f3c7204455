//! What a table is when nobody has said it: an event or an entity, and what each column means in it.

use crate::error::{ConnectError, Result};
use crate::moment::{MomentFormat, SHAPES};
use crate::naming;
use crate::options::ReadOptions;
use crate::profile::{ColumnProfile, Profile};
use crate::table::Table;
use kepi_model::value::{Currency, Kind, Unit};

/// What is known beyond the table; everything may be left empty.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    /// The event's name.
    pub name: Option<String>,
    /// The column of the event's moment.
    pub at: Option<String>,
    /// The column of the row's identity.
    pub id: Option<String>,
    /// Entities and the columns of their keys, the subject first.
    pub of: Vec<(String, String)>,
    /// The table holds attributes of this entity, by the key in this column.
    pub entity: Option<(String, String)>,
    /// The project's currency: amounts are money only if there is one, or if the cells say it.
    pub currency: Option<Currency>,
    /// Entities that are declared already.
    pub known_entities: Vec<String>,
    /// What the source reads, as it is to be written; else the first file.
    pub from: Option<String>,
}

/// What a table is taken for.
#[derive(Clone, Debug)]
pub struct Inferred {
    /// Event, entity or undated event.
    pub kind: InferredKind,
    /// The event's or entity's name.
    pub name: String,
    /// What the source reads.
    pub from: String,
    /// How many rows it has.
    pub rows: u64,
    /// The entities of an event, the subject first.
    pub entities: Vec<String>,
    /// Those of them, with their keys' names, that are not declared yet.
    pub new_entities: Vec<(String, String)>,
    /// The columns, in the table's order.
    pub columns: Vec<InferredColumn>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// The three things a table may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InferredKind {
    /// Rows happen at the time in this column.
    Event {
        /// The column.
        time: String,
    },
    /// Rows are entities with the key in this column.
    Entity {
        /// The column.
        key: String,
    },
    /// Rows happen, but nothing says when.
    UndatedEvent,
}

/// What a column is taken for.
#[derive(Clone, Debug)]
pub struct InferredColumn {
    /// The column in the table.
    pub column: String,
    /// The field's name as the language writes it, in backticks where needed.
    pub field: String,
    /// The unit of its values.
    pub unit: Unit,
    /// What it is for.
    pub role: Role,
    /// The format of its dates, for the source's options.
    pub moment: Option<String>,
    /// Why, or what it looks like, for the doc comment.
    pub why: String,
}

/// What a column is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The event's moment.
    Time,
    /// The row's identity.
    Id,
    /// The key of the table's own entity.
    Key,
    /// The key of an entity that the event is about; `id`: of the row as well.
    EntityKey {
        /// The entity.
        entity: String,
        /// Whether it identifies the row too.
        id: bool,
    },
    /// A field.
    Field,
    /// Its name cannot be written in the language.
    Skipped,
}

/// Says what a table is.
///
/// A time column makes an event; none but a unique key an entity; else an undated event.
///
/// # Errors
/// A hint names a column that the table does not have.
pub fn infer(table: &Table, profile: &Profile, hints: &Hints) -> Result<Inferred> {
    for column in [&hints.at, &hints.id]
        .into_iter()
        .flatten()
        .chain(hints.of.iter().map(|(_, c)| c))
        .chain(hints.entity.iter().map(|(_, c)| c))
    {
        table.column(column)?;
    }
    let stated = hints.at.as_ref().and_then(|at| profile.columns.iter().find(|c| c.name == *at));
    if let Some(column) = stated.filter(|c| c.guess.known > 0 && c.guess.moment.is_none()) {
        return Err(ConnectError::NotATime {
            file: table.first_file().to_string(),
            name: column.name.clone(),
            example: crate::error::shown(column.guess.examples.first().map_or("", String::as_str)),
        });
    }
    let stem = naming::snake(&table.stem());
    let mut notes = Vec::new();
    if profile.rows == 0 {
        notes.push("there are no rows, only names: all columns are taken as text".to_string());
    }
    let columns: Vec<Look> = profile.columns.iter().map(|c| Look::at(c, profile, hints)).collect();
    let mut time = time_column(&columns, hints, profile);
    // When a row was copied says nothing about it: a table of things with keys stays one.
    if hints.at.is_none()
        && time.as_deref().is_some_and(|t| naming::time_score(t) < -40)
        && key_column(&columns, &stem).is_some()
    {
        time = None;
    }
    let key = match (&hints.entity, &time) {
        (Some((_, column)), _) => Some(column.clone()),
        // What is called an event is one, though it has no time.
        (None, None) if hints.name.is_none() => key_column(&columns, &stem),
        _ => None,
    };
    let mut inferred = Inferred {
        kind: match (&key, &time) {
            (Some(key), _) => InferredKind::Entity { key: key.clone() },
            (None, Some(time)) => InferredKind::Event { time: time.clone() },
            _ => InferredKind::UndatedEvent,
        },
        name: stem.clone(),
        from: hints.from.clone().unwrap_or_else(|| table.first_file().to_string()),
        rows: profile.rows,
        entities: Vec::new(),
        new_entities: Vec::new(),
        columns: Vec::new(),
        notes,
    };
    if let Some(key) = &key {
        inferred.name = match &hints.entity {
            Some((name, _)) => name.clone(),
            None => naming::entity_of(key).map_or_else(|| entity_of_file(&stem), |(noun, _)| noun.to_string()),
        };
        inferred.entities.push(inferred.name.clone());
    }
    let (roles, id) = match key {
        Some(_) => (Vec::new(), None),
        None => {
            let roles = entity_columns(&columns, &stem, time.as_deref(), hints);
            let id = id_column(&columns, &stem, &roles, hints);
            (roles, id)
        }
    };
    for (entity, column) in &roles {
        inferred.entities.push(entity.clone());
        if !hints.known_entities.contains(entity) && naming::written(entity).is_some() {
            inferred.new_entities.push((entity.clone(), column.clone()));
        }
    }
    if matches!(inferred.kind, InferredKind::Event { .. } | InferredKind::UndatedEvent) {
        if let Some(name) = &hints.name {
            inferred.name.clone_from(name);
        } else if inferred.entities.contains(&inferred.name) || hints.known_entities.contains(&inferred.name) {
            let many = naming::plural(&inferred.name);
            inferred.name = if many == inferred.name { format!("{many}_rows") } else { many };
        }
    }
    let mut fields: Vec<String> = Vec::new();
    for look in &columns {
        let column = look.column(&fields, &key, &time, &roles, &id);
        if column.role == Role::Skipped {
            inferred.notes.push(format!(
                "column `{}` has a name that cannot be written and is left out; name the columns with `--columns`",
                crate::error::shown(&column.column)
            ));
        }
        fields.push(column.field.clone());
        inferred.notes.extend(look.profile.guess.notes.iter().map(|n| format!("column `{}`: {n}", look.profile.name)));
        inferred.columns.push(column);
    }
    Ok(inferred)
}

/// A column with what its name and values say together.
struct Look<'a> {
    profile: &'a ColumnProfile,
    unit: Unit,
    /// A field that holds the rows' currency makes amounts `money(field)`.
    why: String,
    idlike: bool,
    entity: Option<(&'static str, usize)>,
}

impl<'a> Look<'a> {
    fn at(column: &'a ColumnProfile, profile: &Profile, hints: &Hints) -> Look<'a> {
        let (name, guess) = (column.name.as_str(), &column.guess);
        let idlike = naming::is_id(name);
        let mut why = String::new();
        let kind = match &guess.kind {
            // Codes are not added up, and a leading zero is part of one.
            Kind::Number if guess.whole && (naming::is_code(name) || guess.leading_zeros) => {
                why = "a code, kept as text".to_string();
                Kind::Text
            }
            Kind::Date if guess.whole && idlike => Kind::Text,
            Kind::Number if is_zero_one(column) && !naming::is_counted(name) => {
                why = "0 is no, 1 is yes".to_string();
                Kind::Bool
            }
            Kind::Number if naming::is_amount(name) => {
                let (kind, currencies) = amount(profile, hints);
                why = currencies;
                kind
            }
            Kind::Bool if idlike => Kind::Text,
            other => other.clone(),
        };
        let textual = kind == Kind::Text || (kind == Kind::Number && guess.whole);
        let entity = naming::entity_of(name).filter(|_| textual && guess.known > 0);
        Look { profile: column, unit: Unit::of(kind), why, idlike, entity }
    }

    fn column(
        &self,
        taken: &[String],
        key: &Option<String>,
        time: &Option<String>,
        roles: &[(String, String)],
        id: &Option<String>,
    ) -> InferredColumn {
        let name = &self.profile.name;
        let is = |column: &Option<String>| column.as_ref() == Some(name);
        let role = if is(key) {
            Role::Key
        } else if is(time) {
            Role::Time
        } else if let Some((entity, _)) = roles.iter().find(|(_, c)| c == name) {
            Role::EntityKey { entity: entity.clone(), id: is(id) }
        } else if is(id) {
            Role::Id
        } else {
            Role::Field
        };
        // A path's dot would be read as one: `customer.id` is the field `customer_id`.
        let plain = name.replace('.', "_");
        let mut field = naming::written(&plain);
        let mut n = 2;
        while field.as_ref().is_some_and(|f| taken.contains(f)) {
            field = naming::written(&format!("{plain}_{n}"));
            n += 1;
        }
        let writable = field.is_some() && naming::written(name).is_some();
        let guess = &self.profile.guess;
        let unit = match role {
            Role::Key | Role::Id | Role::EntityKey { .. } => Unit::of(Kind::Text),
            _ => self.unit.clone(),
        };
        let iso = MomentFormat::Shape(SHAPES[0]);
        let dated = matches!(unit.kind, Kind::Time | Kind::Date);
        InferredColumn {
            column: name.clone(),
            field: field.unwrap_or_default(),
            moment: guess.moment.as_ref().filter(|m| dated && **m != iso).map(|m| m.strftime(false)),
            role: if writable { role } else { Role::Skipped },
            why: self.words(&unit),
            unit,
        }
    }

    /// What the column looks like, in a line.
    fn words(&self, unit: &Unit) -> String {
        let guess = &self.profile.guess;
        let mut parts = Vec::new();
        if guess.known == 0 {
            return "Empty in every row.".to_string();
        }
        if unit.kind == Kind::Text || !self.why.is_empty() {
            let examples: Vec<String> = guess.examples.iter().map(|e| crate::error::shown(e)).collect();
            let all = guess.distinct_exact && guess.distinct == examples.len() as u64;
            let word = match (all, examples.len()) {
                (true, 1) => "Always",
                (true, _) => "One of",
                _ => "Such as",
            };
            parts.push(format!("{word} {}", examples.join(", ")));
        }
        if !self.why.is_empty() {
            parts.push(self.why.clone());
        }
        if guess.missing > 0 {
            let all = guess.missing + guess.known;
            parts.push(format!("missing in {} of {all} rows", guess.missing));
        }
        if parts.is_empty() {
            return String::new();
        }
        let mut text = format!("{}.", parts.join("; "));
        text[..1].make_ascii_uppercase();
        text
    }
}

fn is_zero_one(column: &ColumnProfile) -> bool {
    let guess = &column.guess;
    guess.whole && guess.distinct == 2 && guess.known >= 10 && guess.examples.iter().all(|e| e == "0" || e == "1")
}

/// The unit of an amount, and what is to be said of it: the currency in the column beside it, else the project's, else
/// a plain number.
fn amount(profile: &Profile, hints: &Hints) -> (Kind, String) {
    let is_currency = |c: &&ColumnProfile| {
        naming::words(&c.name).last().is_some_and(|w| w == "currency")
            && c.guess.kind == Kind::Text
            && c.guess.longest == 3
    };
    let mut beside = profile.columns.iter().filter(is_currency);
    if let (Some(column), None) = (beside.next(), beside.next()) {
        let guess = &column.guess;
        let codes: Option<Vec<Currency>> = guess.examples.iter().map(|e| Currency::parse(e)).collect();
        if let Some(codes) = codes {
            if let ([currency], true, 0) = (codes.as_slice(), guess.distinct_exact, guess.missing) {
                return (Kind::Money(Some(*currency)), String::new());
            }
            // Sums over several currencies are not there yet: a plain number can be added up `by` the currency.
            if guess.missing == 0 {
                let name = crate::error::shown(&column.name);
                return (Kind::Number, format!("in the currency that `{name}` says: add up `by` it"));
            }
        }
    }
    (hints.currency.map_or(Kind::Number, |c| Kind::Money(Some(c))), String::new())
}

fn time_column(columns: &[Look<'_>], hints: &Hints, profile: &Profile) -> Option<String> {
    if hints.at.is_some() {
        return hints.at.clone();
    }
    let mut best: Option<(f64, &str)> = None;
    for look in columns {
        let guess = &look.profile.guess;
        if !matches!(look.unit.kind, Kind::Time | Kind::Date) || guess.known == 0 {
            continue;
        }
        let missing = guess.missing as f64 / profile.rows.max(1) as f64;
        let score = f64::from(naming::time_score(&look.profile.name)) - 60.0 * missing;
        // Of equals the first column is taken.
        if score > -100.0 && best.is_none_or(|b| score > b.0) {
            best = Some((score, &look.profile.name));
        }
    }
    best.map(|b| b.1.to_string())
}

/// The column that identifies the rows of a table of entities.
fn key_column(columns: &[Look<'_>], stem: &str) -> Option<String> {
    let unique: Vec<&Look<'_>> = columns
        .iter()
        .filter(|c| {
            c.profile.guess.unique && !matches!(c.unit.kind, Kind::Bool | Kind::Date | Kind::Time | Kind::Percent)
        })
        .filter(|c| c.unit.kind == Kind::Text || c.profile.guess.whole)
        .collect();
    let own = naming::words(&entity_of_file(stem)).pop().unwrap_or_default();
    let rank = |c: &Look<'_>| {
        let words = naming::words(&c.profile.name);
        let named_like_file = words.iter().any(|w| naming::singular(w) == own);
        match (c.idlike, named_like_file, c.entity.is_some()) {
            (true, _, _) if words.len() == 1 => 0,
            (true, true, _) => 1,
            (true, false, true) => 2,
            (false, true, _) if words.len() == 1 => 3,
            (true, false, false) => 4,
            (false, _, true) => 5,
            // A unique text in the first column names the rows: `sales_agent` in a table of teams.
            _ if c.unit.kind == Kind::Text && columns.first().is_some_and(|f| f.profile.name == c.profile.name) => 6,
            _ => 9,
        }
    };
    unique.into_iter().min_by_key(|c| rank(c)).filter(|c| rank(c) < 9).map(|c| c.profile.name.clone())
}

/// The entity that the rows of a file are: `crm_accounts_data` holds accounts.
fn entity_of_file(stem: &str) -> String {
    const NOISE: [&str; 16] = [
        "data", "history", "export", "table", "list", "dump", "raw", "csv", "file", "sample", "full", "all", "stg",
        "dim", "fact", "src",
    ];
    let words = naming::words(stem);
    if let Some((noun, _)) = words.iter().rev().find_map(|w| naming::entity_in(w)) {
        return noun.to_string();
    }
    let kept: Vec<String> = words.iter().filter(|w| !NOISE.contains(&w.as_str())).cloned().collect();
    let mut kept = if kept.is_empty() { words } else { kept };
    if let Some(last) = kept.last_mut() {
        *last = naming::singular(last);
    }
    naming::snake(&kept.join("_"))
}

/// The entities of an event with their columns, the subject first.
fn entity_columns(columns: &[Look<'_>], stem: &str, time: Option<&str>, hints: &Hints) -> Vec<(String, String)> {
    let mut roles = hints.of.clone();
    let mut found: Vec<(usize, usize, String, String)> = Vec::new();
    for (place, look) in columns.iter().enumerate() {
        let name = &look.profile.name;
        let mentioned = roles.iter().any(|(_, c)| c == name) || hints.id.as_ref() == Some(name) || time == Some(name);
        if mentioned {
            continue;
        }
        // The table's own rows are no entity of it: `order_id` that is unique in a table of orders.
        let own = look.profile.guess.unique && look.entity.is_some_and(|(e, _)| e == entity_of_file(stem));
        let repeated = !look.profile.guess.unique;
        match look.entity {
            Some((entity, rank)) if !own && (repeated || rank < 16) => {
                found.push((rank + if look.idlike { 0 } else { 2 }, place, entity.to_string(), name.clone()));
            }
            // The versions of a thing in its history: `id` repeats.
            None if look.idlike && repeated && naming::words(name).len() == 1 && look.unit.kind == Kind::Text => {
                found.push((50, place, entity_of_file(stem), name.clone()));
            }
            _ => {}
        }
    }
    found.sort();
    for (_, _, entity, column) in found {
        if !roles.iter().any(|(e, _)| *e == entity) {
            roles.push((entity, column));
        }
    }
    roles
}

/// The column that identifies a row of an event.
fn id_column(columns: &[Look<'_>], stem: &str, roles: &[(String, String)], hints: &Hints) -> Option<String> {
    if hints.id.is_some() {
        return hints.id.clone();
    }
    let own = naming::words(&entity_of_file(stem)).pop().unwrap_or_default();
    let rank = |c: &Look<'_>| {
        let words = naming::words(&c.profile.name);
        let of_entity = roles.iter().any(|(_, column)| *column == c.profile.name);
        match words.as_slice() {
            [_] if !of_entity => 0,
            _ if words.iter().any(|w| naming::singular(w) == own) => 1,
            _ if !of_entity => 2,
            _ => 3,
        }
    };
    let unique = columns.iter().filter(|c| c.profile.guess.unique && c.idlike);
    unique.min_by_key(|c| rank(c)).map(|c| c.profile.name.clone())
}

/// The options with which the table was read, as the source states them so that later loads need no flags.
pub(crate) fn source_options(table: &Table, profile: &Profile, inferred: &Inferred) -> ReadOptions {
    let mut options = table.options().clone();
    if let Some(dialect) = table.dialect() {
        let comma = crate::options::Delimiter::Byte(b',');
        options.delimiter = Some(dialect.delimiter).filter(|d| *d != comma || options.delimiter.is_some());
        if !dialect.header {
            options.header = Some(false);
            options.columns = Some(table.columns());
        } else if options.columns.is_some() {
            options.header = Some(true);
        }
    }
    if options.dates.is_empty() {
        for format in inferred.columns.iter().filter_map(|c| c.moment.clone()) {
            if !options.dates.contains(&format) {
                options.dates.push(format);
            }
        }
    }
    let comma = profile
        .columns
        .iter()
        .any(|c| c.guess.decimal == b',' && matches!(c.guess.kind, Kind::Number | Kind::Money(_) | Kind::Percent));
    if comma {
        options.decimal = Some(b',');
    }
    options
}

/// Infers what a table is in one go: reads it, judges it, and gives the options that the source should state.
///
/// # Errors
/// Whatever stops reading, or a hint that names no column.
pub fn infer_table(table: &Table, hints: &Hints) -> Result<(Inferred, ReadOptions, Profile)> {
    let profile = table.profile()?;
    if profile.rows == 0
        && let Some(first) = &profile.first_rejected
    {
        return Err(ConnectError::Malformed {
            file: first.file.clone(),
            reason: format!("no row can be read; the first, on line {}: {}", first.line, first.reason),
        });
    }
    let inferred = infer(table, &profile, hints)?;
    let options = source_options(table, &profile, &inferred);
    Ok((inferred, options, profile))
}
