//! Every name that the files of a project declare, before any definition is looked into.

use crate::declare;
use crate::declared::{EntityDecl, Signature, StreamDecl};
use crate::settings::Settings;
use kepi_syntax::ast::{Definition, File, Function, Report, Scoped, Source, State, StatementKind, Target, Test};
use kepi_syntax::{Diagnostic, Span};
use std::collections::BTreeMap;

/// A file of the project: its number in diagnostics, and what it says.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// The number that its diagnostics carry.
    pub index: u32,
    /// What it says.
    pub tree: File,
}

/// A declared name.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// Its module; empty for files without one.
    pub module: String,
    /// Its name in the module.
    pub name: String,
    /// The file it stands in.
    pub file: u32,
    /// Where it stands.
    pub span: Span,
    /// The doc comment above it.
    pub doc: Option<String>,
    /// What it is.
    pub kind: SymbolKind,
}

/// A state as declared.
#[derive(Clone, Debug)]
pub struct StateDecl {
    /// What it says.
    pub tree: State,
    /// For a stored state: its intervals as a stream, dated by `from`, with the field `until`.
    pub stored: Option<StreamDecl>,
}

/// What a name is.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // A project has few of these, and boxes would make every reader unpack them.
pub enum SymbolKind {
    /// An entity.
    Entity(EntityDecl),
    /// A stored event.
    Stream(StreamDecl),
    /// A derived event.
    Derived(Scoped),
    /// A state.
    State(StateDecl),
    /// A value of an event.
    Measure(Definition),
    /// A condition.
    Segment(Definition),
    /// A label.
    Dimension(Definition),
    /// An aggregate without a grain.
    Metric(Definition),
}

impl SymbolKind {
    /// What it is, in a word.
    pub fn word(&self) -> &'static str {
        match self {
            SymbolKind::Entity(_) => "entity",
            SymbolKind::Stream(_) | SymbolKind::Derived(_) => "event",
            SymbolKind::State(_) => "state",
            SymbolKind::Measure(_) => "measure",
            SymbolKind::Segment(_) => "segment",
            SymbolKind::Dimension(_) => "dimension",
            SymbolKind::Metric(_) => "metric",
        }
    }
}

impl SymbolKind {
    /// What it is, with its article, for messages.
    pub fn a_word(&self) -> String {
        let word = self.word();
        let article = if word.starts_with('e') { "an" } else { "a" };
        format!("{article} {word}")
    }
}

impl Symbol {
    /// The name with its module in front.
    pub fn full_name(&self) -> String {
        full_name(&self.module, &self.name)
    }

    pub(crate) fn is_state(&self) -> bool {
        matches!(self.kind, SymbolKind::State(_))
    }
}

/// A name with its module in front, if it has one.
pub fn full_name(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_string() } else { format!("{module}.{name}") }
}

/// A statement that is no name of the shared namespace, with where it stands.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    /// Its module.
    pub module: String,
    /// Its file.
    pub file: u32,
    /// Where it stands.
    pub span: Span,
    /// The doc comment above it.
    pub doc: Option<String>,
    /// What it is.
    pub item: T,
}

/// Everything that a project declares.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    pub(crate) symbols: BTreeMap<(String, String), Symbol>,
    pub(crate) functions: BTreeMap<(String, String), Placed<Function>>,
    pub(crate) sources: Vec<Placed<Source>>,
    pub(crate) targets: Vec<Placed<Target>>,
    pub(crate) reports: Vec<Placed<Report>>,
    pub(crate) tests: Vec<Placed<Test>>,
    /// Module → modules that its files use.
    pub(crate) uses: BTreeMap<String, Vec<String>>,
    /// (Module, alias) → the module that it stands for.
    pub(crate) aliases: BTreeMap<(String, String), String>,
    pub(crate) plugins: Vec<Signature>,
    /// What `set` and `calendar` say.
    pub settings: Settings,
}

impl Catalog {
    /// Declares everything that the files say. Mistakes in names and types come back; what is right is declared.
    /// Definitions are looked into by [`Catalog::check`].
    pub fn build(files: &[ModelFile], settings: Settings, plugins: Vec<Signature>) -> (Catalog, Vec<Diagnostic>) {
        declare::read(files, settings, plugins)
    }

    /// All declared names, in order of module and name.
    pub fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.symbols.values()
    }

    /// All stored events, and the intervals of stored states.
    pub fn streams(&self) -> impl Iterator<Item = &StreamDecl> {
        self.symbols.values().filter_map(|s| match &s.kind {
            SymbolKind::Stream(stream) => Some(stream),
            SymbolKind::State(state) => state.stored.as_ref(),
            _ => None,
        })
    }

    /// All entities.
    pub fn entities(&self) -> impl Iterator<Item = &EntityDecl> {
        self.symbols.values().filter_map(|s| match &s.kind {
            SymbolKind::Entity(entity) => Some(entity),
            _ => None,
        })
    }

    /// The entity of a full name.
    pub fn entity(&self, name: &str) -> Option<&EntityDecl> {
        self.entities().find(|e| e.name == name)
    }

    /// The stored event of a full name.
    pub fn stream(&self, name: &str) -> Option<&StreamDecl> {
        self.streams().find(|s| s.name == name)
    }

    /// Whether a stream has the intervals of a stored state.
    pub fn is_stored_state(&self, name: &str) -> bool {
        let is = |state: &StateDecl| state.stored.as_ref().is_some_and(|stream| stream.name == name);
        self.symbols.values().any(|s| matches!(&s.kind, SymbolKind::State(state) if is(state)))
    }

    /// The functions written in the language, with their docs.
    pub fn functions(&self) -> impl Iterator<Item = &Placed<Function>> {
        self.functions.values()
    }

    /// The functions of plugins.
    pub fn plugins(&self) -> &[Signature] {
        &self.plugins
    }
}

/// The module that a file names; empty without one.
pub fn module_of(file: &File) -> String {
    file.statements
        .iter()
        .find_map(|s| match &s.kind {
            StatementKind::Module(path) => {
                Some(path.parts.iter().map(|p| p.text.as_str()).collect::<Vec<_>>().join("."))
            }
            _ => None,
        })
        .unwrap_or_default()
}
