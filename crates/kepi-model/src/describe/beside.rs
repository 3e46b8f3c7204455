//! What has a name beside the shared ones: functions, sources, targets, reports, tests and calendars.

use super::{Described, Listed, first_line, words_of};
use crate::catalog::{Catalog, Placed, full_name};
use crate::declared::{FunctionKind, Returns, Signature};
use crate::functions::Builtin;
use crate::settings::{Rules, Settings};
use kepi_syntax::ast::{File, Function, Pair, Statement, StatementKind};
use kepi_syntax::{Span, expr_text};

/// A statement with a name of its own.
struct Named<'a> {
    kind: &'static str,
    module: &'a str,
    name: &'a str,
    doc: Option<&'a str>,
    with: &'a [Pair],
    place: (u32, Span),
    statement: StatementKind,
}

impl Named<'_> {
    fn full_name(&self) -> String {
        match self.kind {
            // A test's title is a sentence.
            "test" => self.name.to_string(),
            _ => full_name(self.module, self.name),
        }
    }

    /// The words that it says.
    fn words(&self) -> Vec<String> {
        let (kind, span) = (self.statement.clone(), self.place.1);
        let text = kepi_syntax::file_text(&File { statements: vec![Statement { doc: None, kind, span }] });
        let mut words = Vec::new();
        words_of(&text, &mut words);
        words
    }
}

/// The statement's place and doc, with what it is.
fn named<'a, T: Clone>(
    placed: &'a Placed<T>,
    kind: &'static str,
    name: &'a str,
    with: &'a [Pair],
    statement: impl FnOnce(T) -> StatementKind,
) -> Named<'a> {
    Named {
        kind,
        module: &placed.module,
        name,
        doc: placed.doc.as_deref(),
        with,
        place: (placed.file, placed.span),
        statement: statement(placed.item.clone()),
    }
}

impl Catalog {
    fn named(&self) -> Vec<Named<'_>> {
        let mut all: Vec<Named<'_>> = Vec::new();
        // What a source has after `with` says how to read its file, and stands in its text.
        all.extend(self.sources.iter().map(|s| named(s, "source", &s.item.name.text, &[], StatementKind::Source)));
        for target in &self.targets {
            all.push(named(target, "target", &target.item.name.text, &target.item.with, StatementKind::Target));
        }
        for report in &self.reports {
            all.push(named(report, "report", &report.item.name.text, &report.item.with, StatementKind::Report));
        }
        all.extend(self.tests.iter().map(|t| named(t, "test", &t.item.title, &[], StatementKind::Test)));
        all
    }

    /// The lines of `kepi list` for what has a name beside the shared ones.
    pub(super) fn list_beside(&self) -> Vec<Listed> {
        let line = |kind: &str, name, doc| Listed { kind: kind.to_string(), name, unit: None, doc };
        let mut listed: Vec<Listed> = Vec::new();
        for function in self.functions() {
            let name = full_name(&function.module, &function.item.name.text);
            listed.push(line("function", name, function.doc.as_deref().map(first_line)));
        }
        for plugin in self.plugins() {
            listed.push(line("plugin function", plugin.name.clone(), Some(first_line(&plugin.doc))));
        }
        for one in self.named() {
            let doc = one.doc.map(first_line).or_else(|| match &one.statement {
                StatementKind::Target(target) => Some(format!("on {}", expr_text(&target.on))),
                _ => None,
            });
            listed.push(line(one.kind, one.full_name(), doc));
        }
        for (name, rules) in &self.settings.calendars {
            listed.push(line("calendar", name.clone(), Some(calendar_words(&self.settings, rules))));
        }
        listed
    }

    /// What is known of a name that is not a shared one; with a kind in front (`target cac`) of that kind only.
    pub(super) fn describe_beside(&self, name: &str) -> Option<Described> {
        let (kind, name) = match name.split_once(' ') {
            Some((kind, rest)) if super::KINDS.contains(&kind) => (Some(kind), rest.trim()),
            _ => (None, name),
        };
        let is = |wanted: &str| kind.is_none_or(|kind| kind == wanted);
        if is("function") {
            if let Some(function) = crate::functions::find(name) {
                return Some(builtin(function));
            }
            let own =
                |f: &&Placed<Function>| f.item.name.text == name || full_name(&f.module, &f.item.name.text) == name;
            if let Some(function) = self.functions().find(own) {
                return Some(own_function(function));
            }
        }
        if let Some(signature) = self.plugins().iter().find(|s| s.name == name && is("function")) {
            return Some(plugin(signature));
        }
        let called = |one: &Named<'_>| is(one.kind) && (one.name == name || one.full_name() == name);
        if let Some(one) = self.named().into_iter().find(called) {
            let uses = self.named_in(one.module, &one.words());
            return Some(Described {
                doc: one.doc.map(str::to_string),
                attributes: one.with.iter().map(super::attribute).collect(),
                uses,
                place: Some(one.place),
                ..Described::nothing(one.kind, &one.full_name())
            });
        }
        let rules = self.settings.calendars.get(name).filter(|_| is("calendar"))?;
        let doc = Some(calendar_words(&self.settings, rules));
        Some(Described { doc, ..Described::nothing("calendar", name) })
    }

    /// The sources, targets, reports and tests whose text uses a declared name, each with its kind in front.
    pub(super) fn used_beside(&self, full_name: &str) -> Vec<String> {
        let uses = |one: &Named<'_>| self.named_in(one.module, &one.words()).iter().any(|name| name == full_name);
        self.named().into_iter().filter(uses).map(|one| format!("{} {}", one.kind, one.full_name())).collect()
    }
}

impl Described {
    fn nothing(kind: &str, name: &str) -> Described {
        Described {
            kind: kind.to_string(),
            name: name.to_string(),
            unit: None,
            doc: None,
            attributes: Vec::new(),
            fields: Vec::new(),
            uses: Vec::new(),
            used_by: Vec::new(),
            place: None,
        }
    }
}

fn builtin(function: &Builtin) -> Described {
    let attribute = |name: &str, value: &str| (name.to_string(), value.to_string());
    Described {
        doc: Some(function.doc.to_string()),
        attributes: vec![attribute("written", function.usage), attribute("example", function.example)],
        ..Described::nothing("function", function.name)
    }
}

fn own_function(function: &Placed<Function>) -> Described {
    let parameters = function.item.parameters.iter().map(super::parameter);
    Described {
        doc: function.doc.clone(),
        fields: parameters.collect(),
        place: Some((function.file, function.span)),
        ..Described::nothing("function", &full_name(&function.module, &function.item.name.text))
    }
}

fn plugin(signature: &Signature) -> Described {
    let names: Vec<&str> = signature.parameters.iter().map(|p| p.name.as_str()).collect();
    let fields = signature.parameters.iter().map(|parameter| {
        let accepts: Vec<String> = parameter.accepts.iter().map(crate::lower::plugin_kind_words).collect();
        let accepts = if accepts.is_empty() { "any value".to_string() } else { accepts.join(" or ") };
        let optional = if parameter.optional { ", may be left out" } else { "" };
        let constant = if parameter.constant { ", one value for all" } else { "" };
        (parameter.name.clone(), format!("{accepts}{constant}{optional}"), None)
    });
    let returns = match &signature.returns {
        Returns::Unit(unit) => unit.to_string(),
        Returns::SameAs(place) => match names.get(*place) {
            Some(name) => format!("as `{name}`"),
            None => "a value".to_string(),
        },
    };
    let of = match signature.kind {
        FunctionKind::Scalar => "single values",
        FunctionKind::Aggregate => "rows together",
        FunctionKind::Model => "the rows of entities; it learns from them, then has a value for each",
        FunctionKind::Series => "the values of past periods, and goes on with them",
    };
    Described {
        doc: Some(signature.doc.clone()),
        attributes: vec![
            ("written".to_string(), format!("{}({})", signature.name, names.join(", "))),
            ("takes".to_string(), of.to_string()),
            ("returns".to_string(), returns),
        ],
        fields: fields.collect(),
        ..Described::nothing("plugin function", &signature.name)
    }
}

/// What a calendar says, in words.
fn calendar_words(settings: &Settings, rules: &Rules) -> String {
    if let Some(table) = &rules.table {
        return format!("from a table of the days from {} until {}", table.first(), table.end());
    }
    let month = usize::try_from(rules.year_start - 1).ok().and_then(|month| crate::calendar::MONTHS.get(month));
    let weeks = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let day = usize::try_from(rules.week_start.unwrap_or(settings.week_start) - 1).ok().and_then(|day| weeks.get(day));
    format!("years start in {}, weeks on {}", month.unwrap_or(&"january"), day.unwrap_or(&"monday"))
}
