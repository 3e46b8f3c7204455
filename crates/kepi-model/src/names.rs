//! Looking names up, and guessing what was meant.

use crate::catalog::{Catalog, Symbol, SymbolKind, full_name};
use kepi_syntax::ast::Path;

/// "did you mean `x`?" for the nearest of some names, if one is near.
pub(crate) fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|best| format!("did you mean `{best}`?"))
}

/// The nearest of some names: at most a third of its letters differ, and ties go to the first.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in known.into_iter().filter(|candidate| *candidate != name) {
        let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
        // Of one or two letters, one is half the name.
        let letters = name.chars().count();
        let limit = if letters < 3 { 1 } else { letters / 3 + 1 };
        if distance < limit && best.is_none_or(|(d, _)| distance < d) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

impl Catalog {
    /// Finds the symbol that the first parts of a path name, as seen from a module, and how many parts that took.
    ///
    /// Order: an alias of a module, own module, files without a module, modules in use; with `anywhere` (a query at a prompt) any module that
    /// alone has the name.
    pub(crate) fn lookup<'a>(&'a self, module: &str, parts: &[&str], anywhere: bool) -> Option<(&'a Symbol, usize)> {
        let first = *parts.first()?;
        let alias = self.aliases.get(&(module.to_string(), first.to_string()));
        if let (Some(target), Some(second)) = (alias, parts.get(1)) {
            let symbol = self.symbols.get(&(target.clone(), (*second).to_string()));
            return symbol.map(|symbol| (symbol, 2));
        }
        let get = |m: &str, n: &str| self.symbols.get(&(m.to_string(), n.to_string()));
        if let Some(symbol) = get(module, first).or_else(|| get("", first)) {
            return Some((symbol, 1));
        }
        if let Some(symbol) = self.uses.get(module).into_iter().flatten().find_map(|m| get(m, first)) {
            return Some((symbol, 1));
        }
        // `crm.sales.orders`: a module's name in front.
        for length in 1..parts.len() {
            if let Some(symbol) = get(&parts[..length].join("."), parts[length]) {
                return Some((symbol, length + 1));
            }
        }
        if anywhere {
            let mut found = self.symbols.values().filter(|s| s.name == first);
            return match (found.next(), found.next()) {
                (Some(symbol), None) => Some((symbol, 1)),
                _ => None,
            };
        }
        None
    }

    /// Finds a symbol by a name as a user types it: bare or with its module.
    pub fn find(&self, name: &str) -> Option<&Symbol> {
        let parts: Vec<&str> = name.split('.').collect();
        match self.lookup("", &parts, true) {
            Some((symbol, used)) if used == parts.len() => Some(symbol),
            _ => None,
        }
    }

    /// The full name of the event (or stored state) or entity that a user types.
    pub fn find_kind(&self, name: &str, entity: bool) -> Option<String> {
        let symbol = self.find(name)?;
        let fits = match &symbol.kind {
            SymbolKind::Entity(_) => entity,
            SymbolKind::Stream(_) => !entity,
            SymbolKind::State(state) => !entity && state.stored.is_some(),
            _ => false,
        };
        fits.then(|| full_name(&symbol.module, &symbol.name))
    }

    /// All names that a path could have begun with, for suggestions.
    pub(crate) fn visible(&self, module: &str) -> impl Iterator<Item = &str> {
        let module = module.to_string();
        self.symbols
            .values()
            .filter(move |s| s.module == module || s.module.is_empty() || module.is_empty())
            .map(|s| s.name.as_str())
    }
}

/// The parts of a path as texts.
pub(crate) fn parts(path: &Path) -> Vec<&str> {
    path.parts.iter().map(|p| p.text.as_str()).collect()
}

/// A path as text, for messages.
pub(crate) fn text(path: &Path) -> String {
    parts(path).join(".")
}

/// A name without its module: how it is written where it is declared, for messages.
pub(crate) fn bare(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
