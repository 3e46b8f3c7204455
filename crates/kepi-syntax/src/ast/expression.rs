//! Expressions, calls, chains and what stands behind a value: `per`, `where`, `over`.

use super::{DateTime, Name, Path, TimeUnit, Window};
use crate::span::Span;
use serde::{Deserialize, Serialize};

/// An expression with its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expr {
    /// What it says.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the language's own words.
pub enum ExprKind {
    /// A literal number with its unit: `1.2M EUR`, `5%`, `30 points`, `3 days`, `12`.
    Quantity {
        number: String,
        unit: Option<UnitWord>,
    },
    Text(String),
    Bool(bool),
    Missing,
    Date(DateTime),
    List(Vec<Expr>),
    Path(Path),
    Call {
        function: Path,
        arguments: Vec<Argument>,
    },
    /// `stays(stage).length`.
    Field {
        of: Box<Expr>,
        name: Name,
    },
    Case {
        whens: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Negate(Box<Expr>),
    Not(Box<Expr>),
    In {
        value: Box<Expr>,
        list: Box<Expr>,
        negated: bool,
    },
    IsMissing {
        value: Box<Expr>,
        negated: bool,
    },
}

/// What stands behind a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the language's own words.
pub enum UnitWord {
    Percent,
    Points,
    Time(TimeUnit),
    Currency(String),
}

/// The operators between two expressions, loosest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the language's own words.
pub enum BinaryOp {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Matches,
    Otherwise,
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the language's own words.
pub enum Argument {
    /// `within 90 days`.
    Within(Expr),
    /// `entry: first`, `age: 1`, `test: arm = "test"`.
    Named { name: Name, value: NamedValue },
    /// `sum(margin) per customer where x over period`, `leads -> wins`.
    Plain(Chain),
}

/// The value of a named argument: a bare word, or an expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants say it.
#[allow(clippy::large_enum_variant)] // A tree has few of these, and boxes would make every reader unpack them.
pub enum NamedValue {
    Word(Name),
    Chain(Chain),
}

/// `a -> b without x -> c`; a single step is a chain of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields say it.
pub struct Chain {
    pub first: Scoped,
    pub rest: Vec<Link>,
}

/// A further step of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields say it.
pub struct Link {
    pub without: Option<Scoped>,
    pub step: Scoped,
}

/// An expression with the scope it is computed in: `sum(margin) per customer, year where c over last 90 days`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields say it.
pub struct Scoped {
    pub value: Expr,
    pub per: Option<InnerPer>,
    pub filter: Option<Expr>,
    pub over: Option<Over>,
    pub span: Span,
}

/// `per every customer, year`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The fields say it.
pub struct InnerPer {
    pub every: bool,
    pub grains: Vec<Path>,
}

/// `over last 90 days`, `over period`, `over all time`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The variants are the language's own words.
pub enum Over {
    Period,
    AllTime,
    Window(Window),
}
