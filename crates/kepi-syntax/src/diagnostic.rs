//! Diagnostics as values: a stable number, a place, plain words, a repair.

use crate::span::Span;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The text has no meaning until this is mended.
    Error,
    /// The text has a meaning, but probably not the one that was wanted.
    Warning,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+) => {
        /// The stable numbers of all messages. A number is never used for anything else.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Code { $($(#[doc = $doc])+ $name = $number,)+ }

        impl Code {
            /// Every code with its explanation, in the order of the numbers.
            pub const ALL: &'static [(Code, &'static str)] = &[$((Code::$name, concat!($($doc),+)),)+];
        }
    };
}

codes! {
    // 1xx: the text.
    /// The text does not follow the grammar.
    Syntax = 101,
    /// The text is longer, deeper or larger than the limits allow.
    TooLarge = 102,
    /// A clause stands twice in one query.
    ClauseTwice = 103,
    /// A date or period that does not exist.
    NoSuchDay = 104,
    /// Text without its closing quote, or a backtick that is never closed.
    Unclosed = 105,
    /// A filter or `per` after a formula: it belongs in the parentheses or in the query.
    TrailingScope = 106,
    // 2xx: names.
    /// A name that nothing in scope has.
    UnknownName = 201,
    /// A name that is declared twice.
    DeclaredTwice = 202,
    /// A name that means different things for the aggregates shown.
    Ambiguous = 203,
    /// A field that one of the events lacks.
    FieldLacking = 204,
    /// A function that does not exist.
    UnknownFunction = 205,
    /// A definition that uses itself.
    Cycle = 206,
    /// A module or plugin that is not there.
    UnknownModule = 207,
    /// A setting or attribute that does not exist, or a value that it does not take.
    BadSetting = 208,
    /// A name that belongs to another kind of thing than is needed here.
    WrongKind = 209,
    // 3xx: types and levels.
    /// A row-level value stands where one value per group is needed.
    NotAggregated = 301,
    /// An aggregate inside an aggregate without `per`.
    NestedAggregate = 302,
    /// Units that do not fit together.
    UnitMismatch = 303,
    /// The declared type is not that of the formula.
    DeclaredType = 304,
    /// A value of another type than is needed here.
    TypeMismatch = 305,
    /// Too few or too many arguments, or one that does not exist.
    Arguments = 306,
    /// A state that is summed or counted like an event.
    StateMeasured = 307,
    /// Nothing dates the aggregates of a row expression.
    NoRow = 308,
    /// The events have no subject in common.
    NoSubject = 309,
    /// An event or entity that has no moment where one is needed.
    Undated = 310,
    /// Age or cohort of an event that an entity may have more than once.
    NotOnce = 311,
    /// An inner period that is coarser than the query's.
    CoarsePeriod = 312,
    /// Money of several currencies without `in`.
    SeveralCurrencies = 313,
    /// A column or role that a source mapping may not have, or lacks.
    Mapping = 314,
    /// A field that is stored otherwise than it is declared now.
    StoredOtherwise = 315,
    // 4xx: what is not there.
    /// Part of the language that this version does not run yet.
    NotYet = 401,
    // 5xx: lints.
    /// A ratio metric without documentation.
    LintNoDoc = 501,
    /// A trailing condition on `first` that filters after the choice.
    LintFirstWhere = 502,
    /// A bare rate of a period in a product.
    LintBareRate = 503,
    /// A segment that no row matches.
    LintNeverMatches = 504,
    /// A first row chosen among several at the same moment.
    LintSeveralFirst = 505,
    /// Two mappings that fill one event with the same ids.
    LintSameIds = 506,
    /// A value beside a target for a period of another length.
    LintOtherPeriod = 507,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "K{:03}", *self as u16)
    }
}

/// A message about a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Its stable number.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The place that is underlined.
    pub span: Span,
    /// What is wrong, in plain words; lower case, without a full stop.
    pub message: String,
    /// A repair, where one is known.
    pub help: Option<String>,
    /// Further places that matter, each with what it shows.
    pub related: Vec<(Span, String)>,
    /// Which file, as an index that the caller gave the text; 0 for a single text.
    pub file: u32,
}

impl Diagnostic {
    /// Makes an error.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity: Severity::Error,
            span,
            message: message.into(),
            help: None,
            related: Vec::new(),
            file: 0,
        }
    }

    /// Makes a warning.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// Adds the repair.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a further place.
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push((span, text.into()));
        self
    }
}
