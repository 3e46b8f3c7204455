//! What is declared, for people: lists, descriptions, completion.

mod beside;

use crate::calendar::{TABLE_UNITS, unit_name};
use crate::catalog::{Catalog, StateDecl, Symbol, SymbolKind};
use crate::functions;
use kepi_syntax::KEYWORDS;
use kepi_syntax::ast::{ExprKind, Pair, Parameter, StateBody};
use serde::Serialize;

/// A line of `kepi list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// metric, event, measure …
    pub kind: String,
    /// Its name, with the module in front if it has one.
    pub name: String,
    /// Its unit, where it has one.
    pub unit: Option<String>,
    /// The first line of its doc comment, else its title.
    pub doc: Option<String>,
}

/// What `kepi describe` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Described {
    /// metric, event, function …
    pub kind: String,
    /// Its full name.
    pub name: String,
    /// Its unit, where it has one.
    pub unit: Option<String>,
    /// The whole doc comment.
    pub doc: Option<String>,
    /// What stands after `with`.
    pub attributes: Vec<(String, String)>,
    /// The fields of an event or entity: name, type, doc.
    pub fields: Vec<(String, String, Option<String>)>,
    /// The names it uses.
    pub uses: Vec<String>,
    /// The names that use it.
    pub used_by: Vec<String>,
    /// Where it is declared: the file's number and the place.
    pub place: Option<(u32, kepi_syntax::Span)>,
}

/// A way to go on from what was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The word.
    pub text: String,
    /// What it is.
    pub kind: String,
    /// What it means, in a line.
    pub description: String,
}

impl Catalog {
    /// Everything that is declared, by kind and name.
    pub fn list(&self, now: i64) -> Vec<Listed> {
        let mut listed: Vec<Listed> = self
            .symbols()
            .map(|s| Listed {
                kind: s.kind.word().to_string(),
                name: s.full_name(),
                unit: self.unit_of(s, now).map(|u| u.to_string()),
                doc: summary(s),
            })
            .collect();
        listed.extend(self.list_beside());
        listed.sort_by(|a, b| (order(&a.kind), &a.name).cmp(&(order(&b.kind), &b.name)));
        listed
    }

    /// What is known of a name: declared, a function of the language or of a plugin.
    pub fn describe(&self, name: &str, now: i64) -> Option<Described> {
        if let Some(symbol) = self.find(name) {
            return Some(self.describe_symbol(symbol, now));
        }
        self.describe_beside(name)
    }

    fn describe_symbol(&self, symbol: &Symbol, now: i64) -> Described {
        let attributes = with(symbol).iter().map(attribute).collect();
        let fields = match &symbol.kind {
            SymbolKind::Entity(e) => {
                let mut rows = vec![(e.key.clone(), "key".to_string(), None)];
                rows.extend(e.fields.iter().map(|f| (f.name.clone(), f.unit.to_string(), f.doc.clone())));
                rows
            }
            SymbolKind::Stream(s) | SymbolKind::State(StateDecl { stored: Some(s), .. }) => {
                let mut rows: Vec<(String, String, Option<String>)> =
                    s.roles.iter().map(|r| (r.name.clone(), format!("entity {}", r.entity), None)).collect();
                rows.extend(s.at.iter().map(|at| (at.clone(), "time".to_string(), None)));
                rows.extend(s.fields.iter().map(|f| (f.name.clone(), f.unit.to_string(), f.doc.clone())));
                rows
            }
            SymbolKind::Measure(d) | SymbolKind::Metric(d) | SymbolKind::Segment(d) | SymbolKind::Dimension(d) => {
                d.parameters.iter().map(parameter).collect()
            }
            _ => Vec::new(),
        };
        let uses = self.used(symbol);
        let used_by = self
            .symbols()
            .filter(|s| s.full_name() != symbol.full_name() && self.used(s).contains(&symbol.full_name()))
            .map(Symbol::full_name)
            .chain(self.used_beside(&symbol.full_name()))
            .collect();
        Described {
            kind: symbol.kind.word().to_string(),
            name: symbol.full_name(),
            unit: self.unit_of(symbol, now).map(|u| u.to_string()),
            doc: symbol.doc.clone(),
            attributes,
            fields,
            uses,
            used_by,
            place: Some((symbol.file, symbol.span)),
        }
    }

    /// The declared names that a definition's text uses, in order of name.
    fn used(&self, symbol: &Symbol) -> Vec<String> {
        let mut words = Vec::new();
        match &symbol.kind {
            SymbolKind::Measure(d) | SymbolKind::Metric(d) | SymbolKind::Segment(d) | SymbolKind::Dimension(d) => {
                words_of(&kepi_syntax::expr_text(&d.value), &mut words);
                words.extend(d.of.iter().map(|o| o.text.clone()));
            }
            SymbolKind::Derived(scoped) => {
                words_of(&kepi_syntax::expr_text(&scoped.value), &mut words);
                if let Some(filter) = &scoped.filter {
                    words_of(&kepi_syntax::expr_text(filter), &mut words);
                }
            }
            SymbolKind::Stream(s) => words.extend(s.roles.iter().map(|r| r.entity.clone())),
            SymbolKind::State(state) => {
                words.push(state.tree.of.text.clone());
                words_of(&state_text(&state.tree.body), &mut words);
            }
            _ => {}
        }
        let mut found = self.named_in(&symbol.module, &words);
        found.retain(|name| *name != symbol.full_name());
        found
    }

    /// The declared names among some words of a module, in order of name.
    fn named_in(&self, module: &str, words: &[String]) -> Vec<String> {
        let names = words.iter().filter_map(|word| self.lookup(module, &[word.as_str()], true));
        let mut found: Vec<String> = names.map(|(symbol, _)| symbol.full_name()).collect();
        found.sort();
        found.dedup();
        found
    }

    /// Words that begin with what was typed: names, functions, keywords.
    pub fn suggest(&self, prefix: &str) -> Vec<Suggestion> {
        let mut found = Vec::new();
        let mut add = |text: &str, kind: &str, description: String| {
            if text.starts_with(prefix) {
                found.push(Suggestion { text: text.to_string(), kind: kind.to_string(), description });
            }
        };
        // `orders.` goes on with the fields of `orders`.
        if let Some((owner, _)) = prefix.rsplit_once('.')
            && let Some(symbol) = self.find(owner)
        {
            let mut names: Vec<(String, String)> = Vec::new();
            match &symbol.kind {
                SymbolKind::Stream(s) => {
                    names.push(("at".to_string(), "time".to_string()));
                    names.extend(s.roles.iter().map(|r| (r.name.clone(), format!("entity {}", r.entity))));
                    names.extend(s.fields.iter().map(|f| (f.name.clone(), f.unit.to_string())));
                }
                SymbolKind::Entity(e) => names.extend(e.fields.iter().map(|f| (f.name.clone(), f.unit.to_string()))),
                _ => {}
            }
            for (name, unit) in names {
                add(&format!("{owner}.{name}"), "field", unit);
            }
        }
        // `retail.` goes on with the periods of the calendar.
        for (calendar, rules) in &self.settings.calendars {
            for unit in TABLE_UNITS.into_iter().filter(|unit| rules.table.as_ref().is_none_or(|t| t.has(*unit))) {
                add(&format!("{calendar}.{}", unit_name(unit)), "period", format!("a {} of it", unit_name(unit)));
            }
        }
        for symbol in self.symbols() {
            add(&symbol.name, symbol.kind.word(), summary(symbol).unwrap_or_default());
        }
        for signature in self.plugins() {
            add(&signature.name, "plugin function", first_line(&signature.doc));
        }
        for function in self.functions() {
            add(&function.item.name.text, "function", function.doc.clone().unwrap_or_default());
        }
        for function in functions::all() {
            add(function.name, "function", first_line(function.doc));
        }
        // Named behind `report`, `target`, `describe` and `load --source`.
        for listed in self.list_beside() {
            if matches!(listed.kind.as_str(), "source" | "target" | "report" | "calendar") {
                add(crate::names::bare(&listed.name), &listed.kind, listed.doc.unwrap_or_default());
            }
        }
        for (word, meaning) in KEYWORDS {
            add(word, "keyword", (*meaning).to_string());
        }
        found.dedup_by(|a, b| a.text == b.text);
        found
    }
}

/// What stands after `with`.
fn with(symbol: &Symbol) -> &[Pair] {
    match &symbol.kind {
        SymbolKind::Metric(d) | SymbolKind::Measure(d) | SymbolKind::Segment(d) | SymbolKind::Dimension(d) => &d.with,
        SymbolKind::State(state) => &state.tree.with,
        _ => &[],
    }
}

/// What a state is made of, as text.
fn state_text(body: &StateBody) -> String {
    match body {
        StateBody::Stored { .. } => String::new(),
        StateBody::For { from, .. } => kepi_syntax::scoped_text(from),
        StateBody::From { from, until } => {
            format!("{} {}", kepi_syntax::scoped_text(from), kepi_syntax::scoped_text(until))
        }
        StateBody::Value { value, until } => {
            let until = until.as_ref().map_or(String::new(), kepi_syntax::scoped_text);
            format!("{} {until}", kepi_syntax::expr_text(value))
        }
    }
}

fn words_of(text: &str, words: &mut Vec<String>) {
    let mut quoted = false;
    for piece in text.split_inclusive('"') {
        if !quoted {
            words.extend(
                piece.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty()).map(str::to_string),
            );
        }
        if piece.ends_with('"') {
            quoted = !quoted;
        }
    }
}

/// What stands after `with`: name and value.
fn attribute(pair: &Pair) -> (String, String) {
    let text = match &pair.value.kind {
        ExprKind::Text(text) => text.clone(),
        _ => kepi_syntax::expr_text(&pair.value),
    };
    (pair.name.text.clone(), text)
}

/// A parameter: its name, its type and its default.
fn parameter(parameter: &Parameter) -> (String, String, Option<String>) {
    let ty = parameter.ty.as_ref().map_or("any value", |ty| ty.name.text.as_str());
    let default = parameter.default.as_ref().map_or(String::new(), |d| format!(" = {}", kepi_syntax::expr_text(d)));
    (parameter.name.text.clone(), format!("{ty}{default}"), None)
}

/// The kinds of what has a name, in the order of lists.
const KINDS: [&str; 14] = [
    "metric",
    "event",
    "entity",
    "measure",
    "segment",
    "dimension",
    "state",
    "target",
    "report",
    "test",
    "source",
    "calendar",
    "function",
    "plugin function",
];

fn order(kind: &str) -> usize {
    KINDS.iter().position(|k| *k == kind).unwrap_or(KINDS.len())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_string()
}

fn summary(symbol: &Symbol) -> Option<String> {
    if let Some(doc) = &symbol.doc {
        return Some(first_line(doc));
    }
    with(symbol).iter().find(|p| p.name.text == "title").and_then(|p| match &p.value.kind {
        ExprKind::Text(text) => Some(text.clone()),
        _ => None,
    })
}
