//! From the syntax tree to core nodes: names are resolved, units checked, definitions expanded.
//!
//! Lowering never stops at the first mistake: a part that is wrong becomes `None`, everything beside it is still
//! looked at.

mod aggregate;
mod behaviour;
mod bind;
mod call;
mod cell;
mod chain;
mod check;
mod convert;
mod edges;
mod entity;
mod events;
mod expr;
mod funnel;
mod grain;
mod group_keys;
mod group_rows;
mod groups;
mod growth;
mod held;
mod history;
mod history_groups;
mod holds;
mod home;
mod labels;
mod lift;
mod lint;
mod literal;
mod meant;
mod measured;
mod model;
mod moves;
mod nobody;
mod operator;
mod over;
mod plugin;
pub(crate) use plugin::kind_words as plugin_kind_words;
mod query;
mod retention;
mod row;
mod same_ids;
mod source;
mod state;
mod state_row;
mod table;
mod target;
mod test;
mod tile;
mod versus;
mod window;

pub use growth::Growth;
pub use target::TargetDecl;
pub use test::{GivenColumn, GivenRows};

pub(crate) use convert::RATES;
pub use source::SOURCE_OPTIONS;

use crate::catalog::Catalog;
use crate::core::{Formula, FormulaNode, Op, Row, RowNode};
use crate::value::{Currency, Kind, Unit, Value};
use kepi_syntax::{Code, Diagnostic, Severity, Span};

/// How deep definitions may use one another.
const DEPTH_MAX: usize = 64;

/// "states are not there yet", with the verb that fits.
pub(crate) fn later(what: &str) -> String {
    let subject = [" (", " in ", " of ", " over ", " outside ", " that "]
        .iter()
        .fold(what, |text, cut| text.split_once(cut).map_or(text, |(subject, _)| subject));
    if subject.ends_with('s') {
        format!("{what} are not there yet: this version cannot run them")
    } else {
        format!("{what} is not there yet: this version cannot run it")
    }
}

/// What lowering carries along: where names are looked up, and the mistakes found so far.
pub(crate) struct Cx<'a> {
    pub(crate) catalog: &'a Catalog,
    /// The module whose names are seen.
    pub(crate) module: String,
    /// Whether names of any module are seen (a query at a prompt).
    pub(crate) anywhere: bool,
    /// The instant for which a query is evaluated.
    pub(crate) now: i64,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The currency that a query is answered in (`in USD`).
    pub(crate) currency: Option<Currency>,
    /// Whether anything had to be converted for it.
    pub(crate) converted: bool,
    /// Whether a definition is looked at by itself, so that a query may still say the currency.
    pub(crate) undecided: bool,
    /// Whether a history is looked into: an amount of a declared currency stays in it there.
    pub(crate) looking_back: bool,
    /// The currency of the amount that something is being compared with.
    pub(crate) beside: Option<Currency>,
    file: u32,
    /// The module of the text itself, while definitions of others are expanded.
    home: String,
    /// Definitions being expanded, outermost first: each with its full name.
    stack: Vec<String>,
    /// Where the outermost expansion stands: mistakes inside are the user's place, not the definition's.
    site: Option<(Span, u32)>,
}

impl<'a> Cx<'a> {
    pub(crate) fn new(catalog: &'a Catalog, module: &str, file: u32, now: i64, anywhere: bool) -> Cx<'a> {
        Cx {
            catalog,
            module: module.to_string(),
            anywhere,
            now,
            diagnostics: Vec::new(),
            currency: None,
            converted: false,
            undecided: false,
            looking_back: false,
            beside: None,
            file,
            home: module.to_string(),
            stack: Vec::new(),
            site: None,
        }
    }

    pub(crate) fn report(&mut self, mut diagnostic: Diagnostic) {
        if let Some((span, file)) = self.site {
            diagnostic.span = span;
            diagnostic.file = file;
            diagnostic.related.clear();
            if let Some(name) = self.stack.last() {
                diagnostic.message = format!("in `{name}`: {}", diagnostic.message);
            }
        } else {
            diagnostic.file = self.file;
        }
        // The same mistake shows once, however many aggregates run into it.
        if !self.diagnostics.contains(&diagnostic) {
            self.diagnostics.push(diagnostic);
        }
    }

    pub(crate) fn error<T>(&mut self, code: Code, span: Span, message: impl Into<String>) -> Option<T> {
        self.report(Diagnostic::error(code, span, message));
        None
    }

    pub(crate) fn error_help<T>(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        self.report(Diagnostic::error(code, span, message).help(help));
        None
    }

    pub(crate) fn warn(&mut self, code: Code, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.report(Diagnostic::warning(code, span, message).help(help));
    }

    pub(crate) fn not_yet<T>(&mut self, span: Span, what: &str) -> Option<T> {
        self.error(Code::NotYet, span, later(what))
    }

    /// Looks into a definition: names are those of its module, mistakes are reported where it is used.
    pub(crate) fn expand<T>(
        &mut self,
        name: &str,
        module: &str,
        span: Span,
        inner: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        if self.stack.iter().any(|n| n == name) {
            return self.error_help(
                Code::Cycle,
                span,
                format!("`{}` is defined by itself", crate::names::bare(name)),
                "a definition may use others, but never come back to itself",
            );
        }
        if self.stack.len() >= DEPTH_MAX {
            return self.error(Code::TooLarge, span, format!("definitions use one another more than {DEPTH_MAX} deep"));
        }
        let outer_module = std::mem::replace(&mut self.module, module.to_string());
        let outer_site = self.site;
        if self.site.is_none() {
            self.site = Some((span, self.file));
        }
        self.stack.push(name.to_string());
        let result = inner(self);
        self.stack.pop();
        self.site = outer_site;
        self.module = outer_module;
        result
    }

    /// Looks into a definition in its own place: mistakes are reported there (`kepi check`).
    pub(crate) fn begin(&mut self, name: &str) {
        self.stack.clear();
        self.stack.push(name.to_string());
        self.site = None;
        self.undecided = true;
    }

    pub(crate) fn failed(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// What rows and cells have in common, so that one lowering of expressions serves both.
pub(crate) trait Node: Sized + Clone {
    /// Whether it is a value per cell.
    const OF_CELLS: bool;
    fn constant(value: Value, unit: Unit) -> Self;
    fn call(op: Op, args: Vec<Self>, unit: Unit) -> Self;
    fn case(whens: Vec<(Self, Self)>, otherwise: Option<Box<Self>>, unit: Unit) -> Self;
    fn plugin(name: String, args: Vec<Self>, unit: Unit) -> Self;
    fn unit(&self) -> &Unit;
    fn set_unit(&mut self, unit: Unit);
    fn as_constant(&self) -> Option<&Value>;
    /// The operation and its arguments, where it is one.
    fn as_call(&self) -> Option<(&Op, &[Self])>;
    /// An amount of whichever currency its row says in this one; of a cell nothing is known of its rows.
    fn in_currency(self, cx: &mut Cx<'_>, to: Currency, span: Span) -> Option<Self>;
}

macro_rules! node {
    ($name:ident, $inner:ident, $of_cells:literal, $converted:path) => {
        impl Node for $name {
            const OF_CELLS: bool = $of_cells;
            fn constant(value: Value, unit: Unit) -> Self {
                $name { unit, node: $inner::Const(value) }
            }
            fn call(op: Op, args: Vec<Self>, unit: Unit) -> Self {
                $name { unit, node: $inner::Call { op, args } }
            }
            fn case(whens: Vec<(Self, Self)>, otherwise: Option<Box<Self>>, unit: Unit) -> Self {
                $name { unit, node: $inner::Case { whens, otherwise } }
            }
            fn plugin(name: String, args: Vec<Self>, unit: Unit) -> Self {
                $name { unit, node: $inner::Plugin { name, args } }
            }
            fn unit(&self) -> &Unit {
                &self.unit
            }
            fn set_unit(&mut self, unit: Unit) {
                self.unit = unit;
            }
            fn as_constant(&self) -> Option<&Value> {
                match &self.node {
                    $inner::Const(value) => Some(value),
                    _ => None,
                }
            }
            fn as_call(&self) -> Option<(&Op, &[Self])> {
                match &self.node {
                    $inner::Call { op, args } => Some((op, args)),
                    _ => None,
                }
            }
            fn in_currency(self, cx: &mut Cx<'_>, to: Currency, span: Span) -> Option<Self> {
                $converted(cx, self, to, span)
            }
        }
    };
}

node!(Row, RowNode, false, convert::beside);
node!(Formula, FormulaNode, true, as_it_is);

fn as_it_is(_: &mut Cx<'_>, formula: Formula, _: Currency, _: Span) -> Option<Formula> {
    Some(formula)
}

/// A plain number as a constant.
pub(crate) fn number<N: Node>(value: f64) -> N {
    N::constant(Value::Float(value), Unit::of(Kind::Number))
}
