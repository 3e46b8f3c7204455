//! Expressions back to text, with as few parentheses as precedence allows.

use super::layout::Doc;
use super::{name, query};
use crate::ast::{
    Argument, BinaryOp, Chain, Expr, ExprKind, InnerPer, Length, NamedValue, Over, Scoped, TimeUnit, UnitWord,
};
use crate::chain;
use crate::text::quote;

/// How tightly each kind of expression binds; more is tighter.
const CASE: u8 = 0;
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const TEST: u8 = 4;
const OTHERWISE: u8 = 5;
const SUM: u8 = 6;
const PRODUCT: u8 = 7;
const NEGATE: u8 = 8;
const VALUE: u8 = 9;

/// Lays out an expression where any may stand.
pub(super) fn expr(expr: &Expr) -> Doc {
    tight(expr, CASE)
}

/// Lays out an expression where only a sum may stand: a target's value, a length.
pub(super) fn sum(expr: &Expr) -> Doc {
    tight(expr, SUM)
}

/// Lays out an expression where it must bind at least so tightly; looser ones get parentheses.
fn tight(expr: &Expr, least: u8) -> Doc {
    let doc = plain(expr);
    if binding(&expr.kind) >= least { doc } else { parenthesised(doc) }
}

fn parenthesised(doc: Doc) -> Doc {
    Doc::group(Doc::Cat(vec![Doc::text("("), Doc::nest(2, Doc::Cat(vec![Doc::Soft, doc])), Doc::Soft, Doc::text(")")]))
}

fn binding(kind: &ExprKind) -> u8 {
    match kind {
        ExprKind::Case { .. } => CASE,
        ExprKind::Binary { op, .. } => operator(*op).1,
        ExprKind::Not(_) => NOT,
        ExprKind::In { .. } | ExprKind::IsMissing { .. } => TEST,
        ExprKind::Negate(_) => NEGATE,
        _ => VALUE,
    }
}

/// Returns how an operator is written and how tightly it binds.
fn operator(op: BinaryOp) -> (&'static str, u8) {
    match op {
        BinaryOp::Or => ("or", OR),
        BinaryOp::And => ("and", AND),
        BinaryOp::Equal => ("=", TEST),
        BinaryOp::NotEqual => ("!=", TEST),
        BinaryOp::Less => ("<", TEST),
        BinaryOp::LessEqual => ("<=", TEST),
        BinaryOp::Greater => (">", TEST),
        BinaryOp::GreaterEqual => (">=", TEST),
        BinaryOp::Matches => ("matches", TEST),
        BinaryOp::Otherwise => ("otherwise", OTHERWISE),
        BinaryOp::Add => ("+", SUM),
        BinaryOp::Subtract => ("-", SUM),
        BinaryOp::Multiply => ("*", PRODUCT),
        BinaryOp::Divide => ("/", PRODUCT),
    }
}

fn plain(expr: &Expr) -> Doc {
    match &expr.kind {
        ExprKind::Quantity { number, unit } => Doc::Text(quantity(number, unit.as_ref())),
        ExprKind::Text(text) => Doc::Text(quote(text)),
        ExprKind::Bool(yes) => Doc::text(if *yes { "yes" } else { "no" }),
        ExprKind::Missing => Doc::text("missing"),
        ExprKind::Date(date) => Doc::text(&date.text),
        ExprKind::List(items) => bracketed("[", items.iter().map(self::expr), "]"),
        ExprKind::Path(path) => Doc::Text(name::path(path)),
        ExprKind::Call { function, arguments } => {
            bracketed(&format!("{}(", name::path(function)), self::arguments(arguments), ")")
        }
        ExprKind::Field { of, name } => Doc::Cat(vec![tight(of, VALUE), Doc::Text(format!(".{}", name::word(name)))]),
        ExprKind::Case { whens, otherwise } => case(whens, otherwise.as_deref()),
        ExprKind::Binary { op, left, right } => binary(*op, left, right),
        ExprKind::Negate(inner) => Doc::Cat(vec![Doc::text("-"), tight(inner, NEGATE)]),
        ExprKind::Not(inner) => Doc::Cat(vec![Doc::text("not "), tight(inner, NOT)]),
        ExprKind::In { value, list, negated } => {
            let word = if *negated { " not in " } else { " in " };
            Doc::Cat(vec![tight(value, OTHERWISE), Doc::text(word), tight(list, VALUE)])
        }
        ExprKind::IsMissing { value, negated } => {
            let word = if *negated { " is known" } else { " is missing" };
            Doc::Cat(vec![tight(value, OTHERWISE), Doc::text(word)])
        }
    }
}

/// Lays out a chain of operators of one binding: all on one line, or one operand on each.
fn binary(op: BinaryOp, left: &Expr, right: &Expr) -> Doc {
    let (mut sign, binds) = operator(op);
    if let Some(operands) = chain::long(op, left, right) {
        let mut operands = operands.into_iter();
        let first = operands.next().map_or(Doc::Soft, |operand| tight(operand, binds + 1));
        let behind = operands.flat_map(|operand| {
            let (sign, operand) = match (&operand.kind, op) {
                // A long sum has turned what is subtracted.
                (ExprKind::Negate(inner), BinaryOp::Add) => ("-", inner.as_ref()),
                _ => (sign, operand),
            };
            [Doc::Line, Doc::text(format!("{sign} ")), tight(operand, binds + 1)]
        });
        return Doc::group(Doc::Cat(vec![first, Doc::nest(2, Doc::Cat(behind.collect()))]));
    }
    // Comparisons do not chain, so both of their sides must bind more tightly.
    let chains = binds != TEST;
    let (mut left, mut right) = (left, right);
    let mut behind = Vec::new();
    loop {
        behind.push(tight(right, binds + 1));
        behind.push(Doc::text(format!("{sign} ")));
        behind.push(Doc::Line);
        match &left.kind {
            // A long chain is laid out by itself.
            ExprKind::Binary { op, left: further, right: nearer }
                if chains && operator(*op).1 == binds && chain::long(*op, further, nearer).is_none() =>
            {
                sign = operator(*op).0;
                left = further;
                right = nearer;
            }
            _ => break,
        }
    }
    behind.reverse();
    let first = tight(left, if chains { binds } else { binds + 1 });
    Doc::group(Doc::Cat(vec![first, Doc::nest(2, Doc::Cat(behind))]))
}

fn case(whens: &[(Expr, Expr)], otherwise: Option<&Expr>) -> Doc {
    let mut lines = Vec::new();
    for (condition, value) in whens {
        if !lines.is_empty() {
            lines.push(Doc::Line);
        }
        lines.extend([Doc::text("when "), tight(condition, OR), Doc::text(" then "), tight(value, OR)]);
    }
    if let Some(value) = otherwise {
        lines.extend([Doc::Line, Doc::text("else "), tight(value, OR)]);
    }
    Doc::group(Doc::Cat(vec![Doc::text("case "), Doc::nest(5, Doc::Cat(lines))]))
}

/// Lays out parts in brackets: on one line, or each on a line of its own.
fn bracketed(open: &str, parts: impl IntoIterator<Item = Doc>, close: &str) -> Doc {
    let mut inside = Vec::new();
    for part in parts {
        inside.extend(if inside.is_empty() { vec![Doc::Soft] } else { vec![Doc::text(","), Doc::Line] });
        inside.push(part);
    }
    if inside.is_empty() {
        return Doc::Text(format!("{open}{close}"));
    }
    Doc::group(Doc::Cat(vec![Doc::text(open), Doc::nest(2, Doc::Cat(inside)), Doc::Soft, Doc::text(close)]))
}

fn arguments(arguments: &[Argument]) -> Vec<Doc> {
    let mut all = Vec::new();
    // A comma and a bare name behind `per customer` would go on with `per`.
    let mut after_per = false;
    for argument in arguments {
        let (doc, ends_in_per) = match argument {
            Argument::Within(length) => (Doc::Cat(vec![Doc::text("within "), sum(length)]), false),
            Argument::Named { name, value } => {
                let head = Doc::Text(format!("{}: ", name::word(name)));
                match value {
                    // `yes`, `no` and `missing` are values, even behind a colon.
                    NamedValue::Word(word) => {
                        let word = name::column(word, &["yes", "no", "missing"]);
                        (Doc::Cat(vec![head, Doc::Text(word)]), false)
                    }
                    NamedValue::Chain(chain) => {
                        let value = self::chain(chain, is_bare_word(chain));
                        (Doc::Cat(vec![head, value]), ends_in_per(chain))
                    }
                }
            }
            Argument::Plain(chain) => {
                let bare_name = after_per && matches!(chain.first.value.kind, ExprKind::Path(_));
                let guarded = bare_name || begins_with(&chain.first.value, "within");
                (self::chain(chain, guarded), ends_in_per(chain))
            }
        };
        all.push(doc);
        after_per = ends_in_per;
    }
    all
}

/// Whether the written form begins with this bare word, so that the word could be taken for a clause.
pub(super) fn begins_with(expr: &Expr, word: &str) -> bool {
    match &expr.kind {
        ExprKind::Path(path) | ExprKind::Call { function: path, .. } => {
            matches!(path.parts.as_slice(), [only] if only.text == word)
        }
        ExprKind::Field { of: first, .. }
        | ExprKind::Binary { left: first, .. }
        | ExprKind::In { value: first, .. }
        | ExprKind::IsMissing { value: first, .. } => begins_with(first, word),
        _ => false,
    }
}

/// Whether a chain is nothing but one bare word, which behind a colon is no expression.
fn is_bare_word(chain: &Chain) -> bool {
    let Scoped { value, per: None, filter: None, over: None, .. } = &chain.first else { return false };
    chain.rest.is_empty() && matches!(&value.kind, ExprKind::Path(path) if path.parts.len() == 1)
}

fn ends_in_per(chain: &Chain) -> bool {
    let last = chain.rest.last().map_or(&chain.first, |link| &link.step);
    last.per.is_some() && last.filter.is_none() && last.over.is_none()
}

/// Lays out a chain of steps; `guarded` puts the first value in parentheses.
pub(super) fn chain(chain: &Chain, guarded: bool) -> Doc {
    let first = scoped_or(&chain.first, guarded);
    let mut parts = Vec::new();
    for link in &chain.rest {
        if let Some(without) = &link.without {
            parts.extend([Doc::Line, Doc::text("without "), scoped(without)]);
        }
        parts.extend([Doc::Line, Doc::text("-> "), scoped(&link.step)]);
    }
    behind(first, parts)
}

/// Puts further parts behind the first; where they break, they stand further to the right than it.
fn behind(first: Doc, parts: Vec<Doc>) -> Doc {
    if parts.is_empty() {
        return first;
    }
    Doc::group(Doc::Cat(vec![first, Doc::nest(2, Doc::Cat(parts))]))
}

/// Lays out an expression with its scope.
pub(super) fn scoped(scoped: &Scoped) -> Doc {
    scoped_or(scoped, false)
}

fn scoped_or(scoped: &Scoped, guarded: bool) -> Doc {
    let value = expr(&scoped.value);
    let value = if guarded { parenthesised(value) } else { value };
    let mut parts = Vec::new();
    if let Some(InnerPer { every, grains }) = &scoped.per {
        let every = if *every { "every " } else { "" };
        let grains: Vec<String> = grains.iter().map(name::grain).collect();
        parts.extend([Doc::Line, Doc::Text(format!("per {every}{}", grains.join(", ")))]);
    }
    if let Some(filter) = &scoped.filter {
        parts.extend([Doc::Line, Doc::text("where "), expr(filter)]);
    }
    if let Some(over) = &scoped.over {
        let over = match over {
            Over::Period => "over period".to_owned(),
            Over::AllTime => "over all time".to_owned(),
            Over::Window(window) => format!("over {}", query::window(window)),
        };
        parts.extend([Doc::Line, Doc::Text(over)]);
    }
    behind(value, parts)
}

/// Writes a number with its unit.
fn quantity(number: &str, unit: Option<&UnitWord>) -> String {
    match unit {
        None => number.to_owned(),
        Some(UnitWord::Percent) => format!("{number}%"),
        Some(UnitWord::Points) => format!("{number} points"),
        Some(UnitWord::Time(unit)) => time(number, *unit),
        Some(UnitWord::Currency(currency)) => format!("{number} {currency}"),
    }
}

/// Writes a length of time.
pub(super) fn length(length: &Length) -> String {
    time(&length.number, length.unit)
}

fn time(number: &str, unit: TimeUnit) -> String {
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {}{plural}", unit.word())
}
