//! What a table is when nobody has said it: an event or an entity, and what each column means in it.

use crate::about;
use crate::error::{ConnectError, Result};
use crate::moment::{MomentFormat, SHAPES};
use crate::naming;
use crate::nouns::{self, Own};
use crate::options::ReadOptions;
use crate::profile::{ColumnProfile, Profile};
use crate::table::Table;
use arrow_schema::DataType;
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
    pub known: Vec<KnownEntity>,
    /// All names that are declared already, of entities too.
    pub taken: Vec<String>,
    /// What the source reads, as it is to be written; else the first file.
    pub from: Option<String>,
}

/// An entity that is declared already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownEntity {
    /// Its name.
    pub name: String,
    /// The name of its key.
    pub key: String,
    /// Whether it has no attributes yet, so that a table may bring them.
    pub open: bool,
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
        /// The column of the moment from which each of them exists.
        from: Option<String>,
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
/// A time column makes an event; none but a unique key an entity; else an undated event. A table of things, such as
/// `customers` with a `customer_id`, is an entity that exists from that time on; one that links things, or has the parts
/// of one, is an event of them.
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
    let own = Own::of(&table.stem());
    let mut notes = Vec::new();
    if profile.rows == 0 {
        notes.push("there are no rows, only names: all columns are taken as text".to_string());
    }
    let columns: Vec<Look> = profile.columns.iter().map(|c| Look::at(c, profile, hints)).collect();
    let time = time_column(&columns, hints, profile);
    let rows = about::rows(&columns, &own, time, profile.rows, hints, &mut notes);
    let mut inferred = Inferred {
        name: naming::snake(&table.stem()),
        from: hints.from.clone().unwrap_or_else(|| table.first_file().to_string()),
        rows: profile.rows,
        entities: Vec::new(),
        new_entities: Vec::new(),
        columns: Vec::new(),
        notes,
        kind: rows.kind,
    };
    let (roles, id) = match &inferred.kind {
        InferredKind::Entity { .. } => {
            if let Some((entity, _)) = rows.entity {
                inferred.entities.push(entity.clone());
                inferred.name = entity;
            }
            (Vec::new(), None)
        }
        _ => {
            let roles = about::entity_columns(&columns, &own, &inferred.kind, rows.entity, hints, &mut inferred.notes);
            let id = about::id_column(&columns, &own, &roles, hints);
            (roles, id)
        }
    };
    for (entity, column) in &roles {
        inferred.entities.push(entity.clone());
        if !hints.known.iter().any(|k| k.name == *entity) && naming::written(entity).is_some() {
            inferred.new_entities.push((entity.clone(), column.clone()));
        }
    }
    let (key, time) = match &inferred.kind {
        InferredKind::Entity { key, .. } => (Some(key.clone()), None),
        InferredKind::Event { time } => (None, Some(time.clone())),
        InferredKind::UndatedEvent => (None, None),
    };
    if key.is_none() {
        inferred.name = match &hints.name {
            Some(name) => name.clone(),
            None => about::event_name(&inferred.name, &inferred.entities, hints),
        };
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
pub(crate) struct Look<'a> {
    pub(crate) profile: &'a ColumnProfile,
    pub(crate) unit: Unit,
    why: String,
    /// The format of times that are written as numbers.
    epoch: Option<MomentFormat>,
    /// Whether the name says that the values are identities.
    pub(crate) idlike: bool,
    /// The entity that the values refer to, and how likely it is the subject (0 first).
    pub(crate) entity: Option<(String, usize)>,
}

impl<'a> Look<'a> {
    fn at(column: &'a ColumnProfile, profile: &Profile, hints: &Hints) -> Look<'a> {
        let (name, guess) = (column.name.as_str(), &column.guess);
        let idlike = naming::is_id(name);
        let mut why = String::new();
        let counted = guess.epoch.filter(|_| column.stored == DataType::Utf8 && naming::is_moment(name) && !idlike);
        let epoch = counted.filter(|_| guess.kind == Kind::Number && guess.whole).map(MomentFormat::Epoch);
        let kind = match &guess.kind {
            Kind::Number if epoch.is_some() => {
                why = "counted from 1970".to_string();
                Kind::Time
            }
            Kind::Number if guess.whole && guess.beyond => {
                why = "a code, kept as text: no number holds all its digits".to_string();
                Kind::Text
            }
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
        let refers = about::known_of(name, &hints.known).or_else(|| {
            let (noun, rank) = nouns::entity_of(name)?;
            Some((noun.to_string(), rank))
        });
        let entity = refers.filter(|_| textual && guess.known > 0);
        Look { profile: column, unit: Unit::of(kind), why, epoch, idlike, entity }
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
            moment: (self.epoch.as_ref().or(guess.moment.as_ref()))
                .filter(|m| dated && **m != iso)
                .map(|m| m.strftime(false)),
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
