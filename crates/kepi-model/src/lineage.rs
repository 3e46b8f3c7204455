//! What depends on what: definitions, the fields they read, the sources that fill them.

use crate::catalog::{Catalog, ModelFile, SymbolKind, full_name, module_of};
use crate::names;
use kepi_syntax::Span;
use kepi_syntax::ast::{EventBody, ExprKind, Path, Scoped, StatementKind};
use kepi_syntax::{Names, statement_paths};
use std::collections::{BTreeMap, BTreeSet};

/// Something that is declared, or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineageNode {
    /// Its full name; of a field with its owner, of a file its path.
    pub name: String,
    /// metric, event, field, source, file …
    pub kind: String,
    /// Where it is declared: the file's number and the place.
    pub place: Option<(u32, Span)>,
}

/// All of a model: what uses what.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    /// By name.
    pub nodes: BTreeMap<String, LineageNode>,
    /// From what uses to what is used.
    pub edges: BTreeSet<(String, String)>,
}

impl Lineage {
    /// Reads the files of a model that has been declared.
    pub fn of(files: &[ModelFile], catalog: &Catalog) -> Lineage {
        let mut lineage = Lineage::default();
        for file in files {
            let module = module_of(&file.tree);
            for statement in &file.tree.statements {
                let Some((name, kind)) = declared(&statement.kind) else { continue };
                let name = match kind {
                    "test" => format!("test \"{name}\""),
                    "target" | "report" | "source" => format!("{kind} {}", full_name(&module, &name)),
                    _ => full_name(&module, &name),
                };
                let place = Some((file.index, statement.span));
                lineage.node(&name, kind, place);
                let mut reader =
                    Reader { catalog, lineage: &mut lineage, from: name.clone(), module: &module, rows: Vec::new() };
                if let StatementKind::Segment(d) | StatementKind::Dimension(d) = &statement.kind
                    && let Some(of) = &d.of
                    && let Some((symbol, _)) = catalog.lookup(&module, &[of.text.as_str()], true)
                {
                    let owner = symbol.full_name();
                    reader.uses(&owner, symbol.kind.word());
                    reader.rows.push(vec![owner]);
                }
                if let StatementKind::Source(source) = &statement.kind {
                    let file = source.from.clone();
                    reader.uses(&file, "file");
                }
                reader.entities(&statement.kind);
                statement_paths(statement, &mut reader);
            }
        }
        lineage.turn_sources();
        lineage
    }

    /// What a thing needs, directly or not, itself included.
    pub fn upstream(&self, name: &str) -> BTreeSet<String> {
        self.reach(name, |(from, to)| (from, to))
    }

    /// What needs a thing, directly or not, itself included.
    pub fn downstream(&self, name: &str) -> BTreeSet<String> {
        self.reach(name, |(from, to)| (to, from))
    }

    /// What a thing uses itself, in order of name.
    pub fn uses<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.edges.iter().filter(move |(from, _)| from == name).map(|(_, to)| to.as_str())
    }

    fn reach<'a>(
        &'a self,
        name: &str,
        way: impl Fn((&'a String, &'a String)) -> (&'a String, &'a String),
    ) -> BTreeSet<String> {
        let mut found = BTreeSet::from([name.to_string()]);
        let mut open = vec![name.to_string()];
        while let Some(next) = open.pop() {
            for edge in &self.edges {
                let (from, to) = way((&edge.0, &edge.1));
                if *from == next && found.insert(to.clone()) {
                    open.push(to.clone());
                }
            }
        }
        found
    }

    fn node(&mut self, name: &str, kind: &str, place: Option<(u32, Span)>) {
        let node = self.nodes.entry(name.to_string()).or_insert_with(|| LineageNode {
            name: name.to_string(),
            kind: kind.to_string(),
            place: None,
        });
        if place.is_some() {
            (node.place, node.kind) = (place, kind.to_string());
        }
    }

    /// A source names what it fills; what is filled needs the source.
    fn turn_sources(&mut self) {
        let is_source = |name: &String| self.nodes.get(name).is_some_and(|n| n.kind == "source");
        let is_file = |name: &String| self.nodes.get(name).is_some_and(|n| n.kind == "file");
        let turned = self.edges.iter().map(|(from, to)| match is_source(from) && !is_file(to) {
            true => (to.clone(), from.clone()),
            false => (from.clone(), to.clone()),
        });
        self.edges = turned.collect();
    }
}

/// The name and kind that a statement declares.
fn declared(kind: &StatementKind) -> Option<(String, &'static str)> {
    let (name, kind) = match kind {
        StatementKind::Entity(e) => (&e.name, "entity"),
        StatementKind::Event(e) => (&e.name, "event"),
        StatementKind::State(s) => (&s.name, "state"),
        StatementKind::Measure(d) => (&d.name, "measure"),
        StatementKind::Segment(d) => (&d.name, "segment"),
        StatementKind::Dimension(d) => (&d.name, "dimension"),
        StatementKind::Metric(d) => (&d.name, "metric"),
        StatementKind::Function(f) => (&f.name, "function"),
        StatementKind::Source(s) => (&s.name, "source"),
        StatementKind::Target(t) => (&t.name, "target"),
        StatementKind::Report(r) => (&r.name, "report"),
        StatementKind::Test(t) => return Some((t.title.clone(), "test")),
        _ => return None,
    };
    Some((name.text.clone(), kind))
}

/// Reads the names of one statement.
struct Reader<'a> {
    catalog: &'a Catalog,
    lineage: &'a mut Lineage,
    from: String,
    module: &'a str,
    /// The events and entities whose rows conditions are about, innermost last.
    rows: Vec<Vec<String>>,
}

impl Reader<'_> {
    fn uses(&mut self, name: &str, kind: &str) {
        if name != self.from {
            self.lineage.node(name, kind, None);
            self.lineage.edges.insert((self.from.clone(), name.to_string()));
        }
    }

    /// The entities that a stored event or a state is of.
    fn entities(&mut self, kind: &StatementKind) {
        let of: Vec<String> = match kind {
            StatementKind::Event(event) => match &event.body {
                EventBody::Stored { of, .. } => of.iter().map(|n| n.text.clone()).collect(),
                EventBody::Derived { .. } => Vec::new(),
            },
            StatementKind::State(state) => vec![state.of.text.clone()],
            _ => Vec::new(),
        };
        for name in of {
            if let Some((symbol, _)) = self.catalog.lookup(self.module, &[name.as_str()], true) {
                let owner = symbol.full_name();
                self.uses(&owner, "entity");
            }
        }
    }

    /// The stored event or entity that a name's rows are rows of.
    fn base(&self, name: &str) -> Option<String> {
        let mut name = name.to_string();
        // As many steps as names may be derived from one another.
        for _ in 0..64 {
            let symbol = self.catalog.symbols().find(|s| s.full_name() == name)?;
            match &symbol.kind {
                SymbolKind::Stream(_) | SymbolKind::Entity(_) => return Some(name),
                SymbolKind::Derived(body) => name = self.root(body, &symbol.module)?,
                _ => return None,
            }
        }
        None
    }

    /// The event that an expression begins with.
    fn root(&self, scoped: &Scoped, module: &str) -> Option<String> {
        let mut expr = &scoped.value;
        loop {
            match &expr.kind {
                ExprKind::Path(path) => {
                    let parts = names::parts(path);
                    return self.catalog.lookup(module, &parts, true).map(|(s, _)| s.full_name());
                }
                ExprKind::Call { arguments, .. } => {
                    let first = arguments.iter().find_map(|a| match a {
                        kepi_syntax::ast::Argument::Plain(chain) => Some(&chain.first),
                        _ => None,
                    })?;
                    expr = &first.value;
                }
                ExprKind::Field { of, .. } => expr = of,
                _ => return None,
            }
        }
    }

    /// The full name of a field that a bare name means in the condition at hand.
    fn field_of_rows(&self, name: &str) -> Option<String> {
        self.rows.iter().rev().flatten().find_map(|owner| {
            let base = self.base(owner)?;
            self.has_field(&base, name).then(|| format!("{base}.{name}"))
        })
    }

    fn has_field(&self, owner: &str, name: &str) -> bool {
        let stream = self.catalog.stream(owner).is_some_and(|s| {
            s.fields.iter().any(|f| f.name == name)
                || s.roles.iter().any(|r| r.name == name)
                || s.at.as_deref() == Some(name)
        });
        stream || self.catalog.entity(owner).is_some_and(|e| e.fields.iter().any(|f| f.name == name))
    }
}

impl<'t> Names<'t> for Reader<'_> {
    fn name(&mut self, path: &'t Path) {
        let parts = names::parts(path);
        if let [only] = parts.as_slice()
            && let Some(field) = self.field_of_rows(only)
        {
            self.uses(&field, "field");
            if let Some((owner, _)) = field.rsplit_once('.') {
                self.lineage.edges.insert((field.clone(), owner.to_string()));
            }
            return;
        }
        if let Some((symbol, used)) = self.catalog.lookup(self.module, &parts, true) {
            let (owner, word) = (symbol.full_name(), symbol.kind.word());
            let field = parts.get(used).filter(|_| self.base(&owner).is_some());
            match field.zip(self.base(&owner)) {
                Some((field, base)) if self.has_field(&base, field) => {
                    let field = format!("{base}.{field}");
                    self.uses(&field, "field");
                    self.lineage.edges.insert((field, base));
                    // What is derived is needed too.
                    self.uses(&owner, word);
                }
                _ => self.uses(&owner, word),
            }
            return;
        }
        let text = parts.join(".");
        let own = self.catalog.functions().find(|f| f.item.name.text == text);
        if let Some(function) = own {
            let name = full_name(&function.module, &function.item.name.text);
            self.uses(&name, "function");
        } else if self.catalog.plugins().iter().any(|s| s.name == text) {
            self.uses(&text, "plugin function");
        }
    }

    fn enter(&mut self, scoped: &'t Scoped) {
        let owner = self.root(scoped, self.module);
        self.rows.push(owner.into_iter().collect());
    }

    fn leave(&mut self) {
        self.rows.pop();
    }
}
