//! Reading declarations: what each statement of the files adds to the catalog.

use crate::catalog::{Catalog, ModelFile, Placed, StateDecl, Symbol, SymbolKind, full_name, module_of};
use crate::declared::{EntityDecl, FieldDecl, RoleDecl, Signature, StreamDecl};
use crate::lower::RATES;
use crate::settings::Settings;
use crate::value::{Kind, Unit};
use crate::{names, units};
use kepi_syntax::ast::{EventBody, Field, Name, Path, SourceItem, State, StateBody, Statement, StatementKind};
use kepi_syntax::{Code, Diagnostic, Span};

/// Declares everything that the files say; see [`Catalog::build`].
pub(crate) fn read(files: &[ModelFile], settings: Settings, plugins: Vec<Signature>) -> (Catalog, Vec<Diagnostic>) {
    let mut builder = Builder {
        catalog: Catalog { settings, plugins, ..Catalog::default() },
        diagnostics: Vec::new(),
        file: 0,
        module: String::new(),
    };
    let entities = entity_names(files);
    let modules: Vec<String> = files.iter().map(|f| module_of(&f.tree)).collect();
    // Settings first: a field of type `money` takes the project's currency, wherever it is set.
    for file in files {
        builder.file = file.index;
        for statement in &file.tree.statements {
            builder.setting(statement);
        }
    }
    builder.catalog.settings.finish();
    for file in files {
        builder.file = file.index;
        builder.module = module_of(&file.tree);
        for statement in &file.tree.statements {
            builder.declare(statement, &entities, &modules);
        }
    }
    builder.rates();
    (builder.catalog, builder.diagnostics)
}

/// Entities by (module, name), known before fields are read, since a field's type may be one.
fn entity_names(files: &[ModelFile]) -> Vec<(String, String)> {
    let mut names = Vec::new();
    for file in files {
        let module = module_of(&file.tree);
        for statement in &file.tree.statements {
            if let StatementKind::Entity(entity) = &statement.kind {
                names.push((module.clone(), entity.name.text.clone()));
            }
        }
    }
    names
}

struct Builder {
    catalog: Catalog,
    diagnostics: Vec<Diagnostic>,
    file: u32,
    module: String,
}

impl Builder {
    fn error(&mut self, code: Code, span: Span, message: impl Into<String>, help: Option<String>) {
        let mut diagnostic = Diagnostic::error(code, span, message);
        diagnostic.help = help;
        diagnostic.file = self.file;
        self.diagnostics.push(diagnostic);
    }

    fn setting(&mut self, statement: &Statement) {
        match &statement.kind {
            StatementKind::Set { name, value } => {
                self.catalog.settings.set(name, value, self.file, &mut self.diagnostics);
            }
            StatementKind::Calendar(calendar) => {
                self.catalog.settings.calendar(calendar, self.file, &mut self.diagnostics);
            }
            _ => {}
        }
    }

    fn declare(&mut self, statement: &Statement, entities: &[(String, String)], modules: &[String]) {
        let doc = statement.doc.clone();
        let span = statement.span;
        match &statement.kind {
            StatementKind::Module(_)
            | StatementKind::Query(_)
            | StatementKind::Set { .. }
            | StatementKind::Calendar(_) => {}
            StatementKind::Use { path, plugin: None, alias } => self.module_used(path, alias.as_ref(), modules),
            StatementKind::Use { .. } => {}
            StatementKind::Entity(entity) => {
                let mut fields = self.fields(&entity.fields, entities);
                let key = entity.key.as_ref().map_or("id".to_string(), |k| k.text.clone());
                fields.retain(|f| f.name != key);
                if let Some(from) = &entity.from {
                    let known = fields.iter().find(|f| f.name == from.text);
                    match known.map(|f| &f.unit.kind) {
                        Some(Kind::Time | Kind::Date) => {}
                        Some(_) => self.error(
                            Code::TypeMismatch,
                            from.span,
                            format!("`{}` is no time, so nothing can exist from it", from.text),
                            Some(format!("declare it as `{}: time`", from.text)),
                        ),
                        None => self.error(
                            Code::UnknownName,
                            from.span,
                            format!("`{}` has no field `{}`", entity.name.text, from.text),
                            Some(format!("add `{}: time` to the entity's fields", from.text)),
                        ),
                    }
                }
                let decl = EntityDecl {
                    name: full_name(&self.module, &entity.name.text),
                    key,
                    from: entity.from.as_ref().map(|f| f.text.clone()),
                    fields,
                };
                self.symbol(&entity.name, doc, SymbolKind::Entity(decl));
            }
            StatementKind::Event(event) => match &event.body {
                EventBody::Stored { of, at, fields } => {
                    let decl = self.stream(&event.name, of, at.as_ref(), fields, entities);
                    self.symbol(&event.name, doc, SymbolKind::Stream(decl));
                }
                EventBody::Derived { value, .. } => {
                    self.symbol(&event.name, doc, SymbolKind::Derived(value.clone()));
                }
            },
            StatementKind::State(state) => {
                let stored = match &state.body {
                    StateBody::Stored { fields } => Some(self.intervals(state, fields, entities)),
                    _ => None,
                };
                self.symbol(&state.name, doc, SymbolKind::State(StateDecl { tree: state.clone(), stored }));
            }
            StatementKind::Measure(d) => self.symbol(&d.name, doc, SymbolKind::Measure(d.clone())),
            StatementKind::Segment(d) => self.symbol(&d.name, doc, SymbolKind::Segment(d.clone())),
            StatementKind::Dimension(d) => self.symbol(&d.name, doc, SymbolKind::Dimension(d.clone())),
            StatementKind::Metric(d) => self.symbol(&d.name, doc, SymbolKind::Metric(d.clone())),
            StatementKind::Function(function) => {
                let key = (self.module.clone(), function.name.text.clone());
                if crate::functions::find(&function.name.text).is_some() {
                    self.error(
                        Code::DeclaredTwice,
                        function.name.span,
                        format!("`{}` is a function of the language", function.name.text),
                        Some("choose another name".to_string()),
                    );
                } else if self.catalog.functions.contains_key(&key) {
                    self.error(
                        Code::DeclaredTwice,
                        function.name.span,
                        format!("the function `{}` is declared twice", function.name.text),
                        None,
                    );
                } else {
                    let placed = self.placed(doc, span, function.clone());
                    self.catalog.functions.insert(key, placed);
                }
            }
            StatementKind::Source(source) => {
                let placed = self.placed(doc, span, source.clone());
                self.catalog.sources.push(placed);
            }
            StatementKind::Target(target) => {
                let placed = self.placed(doc, span, target.clone());
                self.catalog.targets.push(placed);
            }
            StatementKind::Report(report) => {
                let placed = self.placed(doc, span, report.clone());
                self.catalog.reports.push(placed);
            }
            StatementKind::Test(test) => {
                let placed = self.placed(doc, span, test.clone());
                self.catalog.tests.push(placed);
            }
        }
    }

    /// `use shop`, `use shop as s`.
    fn module_used(&mut self, path: &Path, alias: Option<&Name>, modules: &[String]) {
        let module = names::text(path);
        if !modules.contains(&module) {
            let known = modules.iter().map(String::as_str).filter(|m| !m.is_empty());
            let help = names::suggestion(&module, known)
                .unwrap_or_else(|| format!("a file begins with `module {module}` to make it"));
            self.error(Code::UnknownModule, path.span, format!("there is no module `{module}`"), Some(help));
            return;
        }
        match alias {
            Some(alias) => {
                self.catalog.aliases.insert((self.module.clone(), alias.text.clone()), module);
            }
            None => self.catalog.uses.entry(self.module.clone()).or_default().push(module),
        }
    }

    /// The built-in stream of rates, where a source fills it and the project has none of its own.
    fn rates(&mut self) {
        let fills = |item: &SourceItem| match item {
            SourceItem::Mapping(mapping) if names::text(&mapping.target) == RATES => Some(mapping.target.span),
            _ => None,
        };
        let filled = self.catalog.sources.iter().find_map(|s| Some((s.file, s.item.items.iter().find_map(fills)?)));
        let Some((file, span)) = filled else { return };
        if self.catalog.symbols.values().any(|s| s.name == RATES) {
            return;
        }
        let field = |name: &str, kind, doc: &str| FieldDecl {
            name: name.to_string(),
            unit: Unit::of(kind),
            history: false,
            doc: Some(doc.to_string()),
        };
        let stream = StreamDecl {
            name: RATES.to_string(),
            roles: Vec::new(),
            at: Some("day".to_string()),
            fields: vec![
                field("from", Kind::Text, "The currency that is converted."),
                field("to", Kind::Text, "The currency that comes out."),
                field("rate", Kind::Number, "How much of `to` one of `from` is."),
            ],
        };
        let symbol = Symbol {
            module: String::new(),
            name: RATES.to_string(),
            file,
            span,
            doc: Some("Exchange rates, each from its day on; `in USD` converts with them.".to_string()),
            kind: SymbolKind::Stream(stream),
        };
        self.catalog.symbols.insert((String::new(), RATES.to_string()), symbol);
    }

    fn placed<T>(&self, doc: Option<String>, span: Span, item: T) -> Placed<T> {
        Placed { module: self.module.clone(), file: self.file, span, doc, item }
    }

    fn symbol(&mut self, name: &Name, doc: Option<String>, kind: SymbolKind) {
        let key = (self.module.clone(), name.text.clone());
        if let Some(other) = self.catalog.symbols.get(&key) {
            let message = format!("`{}` is declared twice: {} and {}", name.text, other.kind.word(), kind.word());
            let (other_span, same_file) = (other.span, other.file == self.file);
            let mut diagnostic = Diagnostic::error(Code::DeclaredTwice, name.span, message).help(
                "events, states, measures, segments, dimensions and metrics share one namespace: rename one of them",
            );
            if same_file {
                diagnostic = diagnostic.related(other_span, "first declared here");
            }
            diagnostic.file = self.file;
            self.diagnostics.push(diagnostic);
            return;
        }
        let symbol = Symbol {
            module: self.module.clone(),
            name: name.text.clone(),
            file: self.file,
            span: name.span,
            doc,
            kind,
        };
        self.catalog.symbols.insert(key, symbol);
    }

    fn entity_named(&self, name: &str, entities: &[(String, String)]) -> Option<String> {
        let own = entities.iter().find(|(m, n)| *m == self.module && n == name);
        let found = own.or_else(|| entities.iter().find(|(_, n)| n == name))?;
        Some(full_name(&found.0, &found.1))
    }

    fn stream(
        &mut self,
        name: &Name,
        of: &[Name],
        at: Option<&Name>,
        fields: &[Field],
        entities: &[(String, String)],
    ) -> StreamDecl {
        let mut roles: Vec<RoleDecl> = Vec::new();
        for role in of {
            let Some(entity) = self.entity_named(&role.text, entities) else {
                let known: Vec<&str> = entities.iter().map(|(_, n)| n.as_str()).collect();
                let help = names::suggestion(&role.text, known.iter().copied())
                    .unwrap_or_else(|| format!("declare it: `entity {} key id {{ }}`", role.text));
                self.error(Code::UnknownName, role.span, format!("there is no entity `{}`", role.text), Some(help));
                continue;
            };
            if roles.iter().any(|r| r.name == role.text) {
                self.error(Code::DeclaredTwice, role.span, format!("`{}` stands twice", role.text), None);
                continue;
            }
            roles.push(RoleDecl { name: role.text.clone(), entity });
        }
        let mut declared = self.fields(fields, entities);
        // A field of an entity's type is a role like those after `of`, under the field's name.
        declared.retain(|field| match &field.unit.kind {
            Kind::Entity(entity) => {
                if !roles.iter().any(|r| r.name == field.name) {
                    roles.push(RoleDecl { name: field.name.clone(), entity: entity.clone() });
                }
                false
            }
            _ => true,
        });
        if let Some(at) = at {
            declared.retain(|f| f.name != at.text);
        }
        StreamDecl {
            name: full_name(&self.module, &name.text),
            roles,
            at: at.map(|a| a.text.clone()),
            fields: declared,
        }
    }

    /// The stream of a stored state: one row per interval, dated by its start.
    fn intervals(&mut self, state: &State, fields: &[Field], entities: &[(String, String)]) -> StreamDecl {
        let from = Name { text: "from".to_string(), span: state.name.span };
        for field in fields.iter().filter(|f| ["from", "until"].contains(&f.name.text.as_str())) {
            self.error(
                Code::DeclaredTwice,
                field.name.span,
                format!("a stored state has `{}` by itself", field.name.text),
                Some("leave it out: a source fills it, such as `from start_date, until end_date`".to_string()),
            );
        }
        if let (Some(first), false) = (fields.first(), fields.iter().any(|f| f.name.text == "value")) {
            self.error(
                Code::UnknownName,
                first.name.span,
                format!("which of its fields is the value of `{}`?", state.name.text),
                Some("call it `value`; a state that only holds or not has an empty block".to_string()),
            );
        }
        let mut stream = self.stream(&state.name, std::slice::from_ref(&state.of), Some(&from), fields, entities);
        stream.fields.retain(|f| f.name != "until");
        let until = FieldDecl { name: "until".to_string(), unit: Unit::of(Kind::Time), history: false, doc: None };
        stream.fields.insert(0, until);
        stream
    }

    fn fields(&mut self, fields: &[Field], entities: &[(String, String)]) -> Vec<FieldDecl> {
        let mut declared: Vec<FieldDecl> = Vec::new();
        for field in fields {
            if declared.iter().any(|f| f.name == field.name.text) {
                self.error(
                    Code::DeclaredTwice,
                    field.name.span,
                    format!("the field `{}` is declared twice", field.name.text),
                    None,
                );
                continue;
            }
            let is_entity = |name: &str| entities.iter().any(|(_, n)| n == name);
            let mut unit = match units::named(&field.ty, &is_entity) {
                Ok(unit) => unit,
                Err(message) => {
                    let help = names::suggestion(&field.ty.name.text, units::TYPE_NAMES.iter().copied())
                        .unwrap_or_else(|| format!("types are {}", units::TYPE_NAMES.join(", ")));
                    self.error(Code::TypeMismatch, field.ty.span, message, Some(help));
                    continue;
                }
            };
            if let Kind::Entity(name) = &unit.kind
                && let Some(full) = self.entity_named(name, entities)
            {
                unit.kind = Kind::Entity(full);
            }
            if unit.kind == Kind::Money(None) {
                unit.kind = Kind::Money(self.catalog.settings.currency);
            }
            declared.push(FieldDecl {
                name: field.name.text.clone(),
                unit,
                history: field.history,
                doc: field.doc.clone(),
            });
        }
        for field in fields {
            if let Some(word) = field.ty.argument.as_ref().filter(|word| names_no_currency(&declared, &word.text)) {
                self.error(
                    Code::TypeMismatch,
                    word.span,
                    format!("`{}` is neither a currency nor a text field beside it", word.text),
                    Some("a currency has three capitals, such as `money(EUR)`; a field holds the currency of each row, such as `money(currency)`".to_string()),
                );
            }
        }
        declared
    }
}

/// Whether the word after `money` is neither a currency nor a text field that says one.
fn names_no_currency(declared: &[FieldDecl], word: &str) -> bool {
    let says_one = |f: &FieldDecl| f.name == word && f.unit.kind == Kind::Text;
    let used = declared.iter().any(|f| matches!(&f.unit.kind, Kind::MoneyOf(field) if field == word));
    used && !declared.iter().any(says_one)
}
