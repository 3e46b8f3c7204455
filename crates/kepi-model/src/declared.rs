//! What the model files declare, as other crates need it: streams, entities, sources, plugin functions.

use crate::core::Row;
use crate::value::{Kind, Unit};
use serde::{Deserialize, Serialize};

/// A stored event as declared: `event orders of customer, campaign at ordered { … }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamDecl {
    /// Its name, with the module in front where there are several: `crm.orders`.
    pub name: String,
    /// The entities, the subject first.
    pub roles: Vec<RoleDecl>,
    /// The name of the time field; none: undated.
    pub at: Option<String>,
    /// Its fields, without roles and time.
    pub fields: Vec<FieldDecl>,
}

/// An entity that an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleDecl {
    /// The name in the event: the entity's, or that of the field that refers to it.
    pub name: String,
    /// The entity.
    pub entity: String,
}

impl RoleDecl {
    /// Whether a word means it: the role's name, or the entity's with or without its module.
    pub(crate) fn is_called(&self, word: &str) -> bool {
        self.name == word || self.entity == word || self.entity.strip_suffix(word).is_some_and(|m| m.ends_with('.'))
    }
}

/// A field of an event or an entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldDecl {
    /// Its name.
    pub name: String,
    /// Its unit; `Kind::Entity` where it refers to an entity.
    pub unit: Unit,
    /// Whether values are kept as they were.
    pub history: bool,
    /// The doc comment.
    pub doc: Option<String>,
}

/// An entity as declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntityDecl {
    /// Its name.
    pub name: String,
    /// The name of its key.
    pub key: String,
    /// The field from which an entity exists.
    pub from: Option<String>,
    /// Its attributes.
    pub fields: Vec<FieldDecl>,
}

/// A `source` block, resolved: how the rows of a table fill streams and entities.
///
/// The row expressions of its mappings read the table: `RowNode::Field(column)` is a column, and its unit says what
/// the column's text is to be read as (`Kind::Raw` and `Kind::Text`: as it is).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceDecl {
    /// Its name.
    pub name: String,
    /// The file (pattern), relative to the project, or the connector's stream (`connector:stream`).
    pub from: String,
    /// The options after `with`: name and text.
    pub options: Vec<(String, String)>,
    /// What it fills.
    pub mappings: Vec<MappingDecl>,
}

/// One mapping of a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingDecl {
    /// What is filled.
    pub target: Target,
    /// The rows that it takes.
    pub filter: Option<Row>,
    /// The event's moment, or the moment from which an entity's attributes hold.
    pub at: Option<Row>,
    /// The declared identity of a row.
    pub id: Option<Row>,
    /// An entity's key (only for entities).
    pub key: Option<Row>,
    /// The keys of the event's entities: role and value.
    pub roles: Vec<(String, Row)>,
    /// The other fields.
    pub fields: Vec<(String, Row)>,
}

impl MappingDecl {
    /// Makes a mapping that fills nothing yet.
    pub fn of(target: Target, filter: Option<Row>) -> MappingDecl {
        MappingDecl { target, filter, at: None, id: None, key: None, roles: Vec::new(), fields: Vec::new() }
    }
}

/// What a mapping fills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// The rows of a stored event.
    Stream(String),
    /// The attributes of an entity.
    Entity(String),
    /// Which keys of an entity mean another one: `key` is the key that is merged, the field [`INTO`] the one that it is
    /// merged into.
    Merge(String),
}

/// The field of a mapping that says until when an entity's attributes with history hold.
pub const ENDS: &str = "_until";

/// The one field of a mapping that merges keys.
pub const INTO: &str = "_into";

/// A function of a plugin, as the type checker needs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// `module.name`, the module as in `use plugin "…" as module`.
    pub name: String,
    /// What it takes: rows one by one, rows together, a table, a series.
    pub kind: FunctionKind,
    /// What it does, for `describe`, completion and the manual.
    pub doc: String,
    /// Its parameters.
    pub parameters: Vec<SignatureParameter>,
    /// What comes back.
    pub returns: Returns,
}

/// What a plugin's function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FunctionKind {
    /// Rows one by one.
    Scalar,
    /// Rows together.
    Aggregate,
    /// A table with the rows of entities: it learns from it, then gives a value per entity.
    Model,
    /// The values of past periods: it gives those of later ones.
    Series,
}

impl FunctionKind {
    /// The word of a manifest.
    pub fn word(self) -> &'static str {
        match self {
            FunctionKind::Scalar => "scalar",
            FunctionKind::Aggregate => "aggregate",
            FunctionKind::Model => "model",
            FunctionKind::Series => "series",
        }
    }
}

/// A parameter of a plugin's function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignatureParameter {
    /// Its name, for `name: value` and messages.
    pub name: String,
    /// The kinds it takes, any where empty. `Money(None)` takes any currency, an entity without a name any entity.
    pub accepts: Vec<Kind>,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it is one value for all rows, written as a literal.
    pub constant: bool,
}

/// The unit that a plugin's function returns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Returns {
    /// Always this.
    Unit(Unit),
    /// That of this parameter.
    SameAs(usize),
}
