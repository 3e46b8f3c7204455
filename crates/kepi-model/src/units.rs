//! The algebra of units: what two values make together, and what a declared unit accepts.

use crate::value::{Currency, Kind, PerUnit, Unit};
use kepi_syntax::ast::{BinaryOp, TypeName};
use std::fmt;

/// How a product or quotient is brought to its unit: a constant that the plain result is multiplied by.
pub(crate) type Factor = f64;

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        match self.per {
            Some(per) => write!(f, " per {}", per_name(per)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Number => f.write_str("number"),
            Kind::Count => f.write_str("count"),
            Kind::Percent => f.write_str("percent"),
            Kind::Points => f.write_str("points"),
            Kind::Money(None) => f.write_str("money"),
            Kind::Money(Some(currency)) => write!(f, "money({currency})"),
            Kind::MoneyOf(field) => write!(f, "money({field})"),
            Kind::Duration => f.write_str("duration"),
            Kind::Text => f.write_str("text"),
            Kind::Bool => f.write_str("bool"),
            Kind::Time => f.write_str("time"),
            Kind::Date => f.write_str("date"),
            Kind::Entity(name) => f.write_str(name),
            Kind::List(kind) => write!(f, "list of {kind}"),
            Kind::Raw => f.write_str("a column's text"),
            Kind::Missing => f.write_str("missing"),
        }
    }
}

/// The word of a per-unit.
pub fn per_name(per: PerUnit) -> &'static str {
    match per {
        PerUnit::Second => "second",
        PerUnit::Minute => "minute",
        PerUnit::Hour => "hour",
        PerUnit::Day => "day",
        PerUnit::Week => "week",
        PerUnit::Month => "month",
        PerUnit::Quarter => "quarter",
        PerUnit::Year => "year",
    }
}

fn per_named(name: &str) -> Option<PerUnit> {
    Some(match name {
        "second" => PerUnit::Second,
        "minute" => PerUnit::Minute,
        "hour" => PerUnit::Hour,
        "day" => PerUnit::Day,
        "week" => PerUnit::Week,
        "month" => PerUnit::Month,
        "quarter" => PerUnit::Quarter,
        "year" => PerUnit::Year,
        _ => return None,
    })
}

/// The names of the types that are not entities, for messages and completion.
pub const TYPE_NAMES: &[&str] =
    &["money", "percent", "points", "count", "duration", "number", "text", "bool", "time", "date"];

/// Reads a written type; `is_entity` knows the entities. The error says what is wrong, in words.
pub(crate) fn named(ty: &TypeName, is_entity: &dyn Fn(&str) -> bool) -> Result<Unit, String> {
    let argument = ty.argument.as_ref().map(|a| a.text.as_str());
    let kind = match (ty.name.text.as_str(), argument) {
        ("money", None) => Kind::Money(None),
        ("money", Some(word)) => match Currency::parse(word) {
            Some(currency) => Kind::Money(Some(currency)),
            None => Kind::MoneyOf(word.to_string()),
        },
        (name, Some(_)) => return Err(format!("only `money` takes something in parentheses, `{name}` does not")),
        ("number", _) => Kind::Number,
        ("count", _) => Kind::Count,
        ("percent", _) => Kind::Percent,
        ("points", _) => Kind::Points,
        ("duration", _) => Kind::Duration,
        ("text", _) => Kind::Text,
        ("bool", _) => Kind::Bool,
        ("time", _) => Kind::Time,
        ("date", _) => Kind::Date,
        (name, _) if is_entity(name) => Kind::Entity(name.to_string()),
        (name, _) => return Err(format!("`{name}` is neither a type nor an entity")),
    };
    let per = match &ty.per {
        None => None,
        Some(word) => Some(
            per_named(&word.text)
                .ok_or_else(|| format!("`{}` is no unit of time; say `per day`, `per month` …", word.text))?,
        ),
    };
    Ok(Unit { kind, per })
}

impl Kind {
    /// Whether it can be summed and averaged.
    pub fn is_numeric(&self) -> bool {
        matches!(
            self,
            Kind::Number
                | Kind::Count
                | Kind::Percent
                | Kind::Points
                | Kind::Money(_)
                | Kind::MoneyOf(_)
                | Kind::Duration
        )
    }

    fn is_plain(&self) -> bool {
        matches!(self, Kind::Number | Kind::Count)
    }
}

/// Two kinds of which one stands for the other: the same, or one without its currency.
fn same(a: &Kind, b: &Kind) -> Option<Kind> {
    match (a, b) {
        (Kind::Money(None), Kind::Money(c)) | (Kind::Money(c), Kind::Money(None)) => Some(Kind::Money(*c)),
        _ => (a == b).then(|| a.clone()),
    }
}

/// Why two units do not go together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Clash {
    /// Two different currencies.
    Currencies,
    /// Anything else, with a repair where one is known.
    Units(Option<String>),
}

fn clash<T>() -> Result<T, Clash> {
    Err(Clash::Units(None))
}

fn repair<T>(help: &str) -> Result<T, Clash> {
    Err(Clash::Units(Some(help.to_string())))
}

fn currencies(a: &Kind, b: &Kind) -> bool {
    match (a, b) {
        (Kind::Money(Some(x)), Kind::Money(Some(y))) => x != y,
        (Kind::MoneyOf(_), Kind::Money(_)) | (Kind::Money(_), Kind::MoneyOf(_)) => true,
        _ => false,
    }
}

/// The unit in which two values can stand for one another: branches of `case`, `otherwise`, lists, comparisons.
pub(crate) fn join(a: &Unit, b: &Unit) -> Result<Unit, Clash> {
    if a.kind == Kind::Missing {
        return Ok(b.clone());
    }
    if b.kind == Kind::Missing {
        return Ok(a.clone());
    }
    // A column's text is read as what stands beside it.
    if a.kind == Kind::Raw || b.kind == Kind::Raw {
        return Ok(if a.kind == Kind::Raw { b.clone() } else { a.clone() });
    }
    if a.per != b.per {
        return clash();
    }
    if let Some(kind) = same(&a.kind, &b.kind) {
        return Ok(Unit { kind, per: a.per });
    }
    if currencies(&a.kind, &b.kind) {
        return Err(Clash::Currencies);
    }
    let kind = match (&a.kind, &b.kind) {
        (x, y) if x.is_plain() && y.is_plain() => Kind::Number,
        // A plain number meets percent as a fraction.
        (Kind::Percent, Kind::Number) | (Kind::Number, Kind::Percent) => Kind::Percent,
        (Kind::Points, Kind::Number) | (Kind::Number, Kind::Points) => Kind::Points,
        (Kind::Time, Kind::Date) | (Kind::Date, Kind::Time) => Kind::Time,
        (Kind::Entity(_), Kind::Text) | (Kind::Text, Kind::Entity(_)) => Kind::Text,
        (Kind::Money(c), Kind::Number) | (Kind::Number, Kind::Money(c)) => {
            return repair(&currency_needed(*c));
        }
        (Kind::Duration, Kind::Number) | (Kind::Number, Kind::Duration) => return repair(UNIT_NEEDED),
        _ => return clash(),
    };
    Ok(Unit { kind, per: a.per })
}

const UNIT_NEEDED: &str = "a length of time needs its unit, such as `30 days`";

fn currency_needed(currency: Option<Currency>) -> String {
    let code = currency.map_or("EUR".to_string(), |c| c.to_string());
    format!("an amount of money needs its currency, such as `1000 {code}`")
}

/// The unit of a sum or difference.
pub(crate) fn sum(op: BinaryOp, a: &Unit, b: &Unit) -> Result<Unit, Clash> {
    let minus = op == BinaryOp::Subtract;
    if a.kind == Kind::Missing {
        return Ok(b.clone());
    }
    if b.kind == Kind::Missing {
        return Ok(a.clone());
    }
    if a.per != b.per {
        return clash();
    }
    if currencies(&a.kind, &b.kind) {
        return Err(Clash::Currencies);
    }
    let kind = match (&a.kind, &b.kind) {
        (Kind::Percent, Kind::Percent) if minus => Kind::Points,
        (Kind::Percent, Kind::Points) => Kind::Percent,
        (Kind::Points, Kind::Percent) if !minus => Kind::Percent,
        (Kind::Percent, y) | (y, Kind::Percent) if *y == Kind::Number => Kind::Percent,
        (Kind::Count, Kind::Count) => Kind::Count,
        (x, y) if x.is_plain() && y.is_plain() => Kind::Number,
        (Kind::Text, Kind::Text) => return repair("texts are joined by `concat(a, b)`"),
        (Kind::Money(c), Kind::Number) | (Kind::Number, Kind::Money(c)) => return repair(&currency_needed(*c)),
        (Kind::Duration, Kind::Number) | (Kind::Number, Kind::Duration) => return repair(UNIT_NEEDED),
        (x, y) if x.is_numeric() => match same(x, y) {
            Some(kind) => kind,
            None => return clash(),
        },
        _ => return clash(),
    };
    Ok(Unit { kind, per: a.per })
}

/// The unit of a product, and the factor that brings the plain product to it.
pub(crate) fn product(a: &Unit, b: &Unit) -> Result<(Unit, Factor), Clash> {
    if a.kind == Kind::Missing || b.kind == Kind::Missing {
        return Ok((if a.kind == Kind::Missing { b.clone() } else { a.clone() }, 1.0));
    }
    // X per year × duration = X; a duration is in seconds.
    match (a.per, b.per) {
        (Some(per), None) if b.kind == Kind::Duration => return Ok((Unit::of(a.kind.clone()), 1.0 / per.seconds())),
        (None, Some(per)) if a.kind == Kind::Duration => return Ok((Unit::of(b.kind.clone()), 1.0 / per.seconds())),
        (Some(_), Some(_)) => return clash(),
        _ => {}
    }
    let per = a.per.or(b.per);
    let kind = match (&a.kind, &b.kind) {
        (Kind::Percent, Kind::Percent) => Kind::Percent,
        (Kind::Percent, Kind::Number) | (Kind::Number, Kind::Percent) => Kind::Percent,
        (Kind::Percent, Kind::Count) | (Kind::Count, Kind::Percent) => Kind::Number,
        (Kind::Percent, x) | (x, Kind::Percent) if x.is_numeric() => x.clone(),
        (x, y) if x.is_plain() && y.is_plain() => Kind::Number,
        (x, y) | (y, x) if y.is_plain() && x.is_numeric() => x.clone(),
        _ => return clash(),
    };
    Ok((Unit { kind, per }, 1.0))
}

/// The unit of a quotient, and the factor that brings the plain quotient to it.
pub(crate) fn quotient(a: &Unit, b: &Unit) -> Result<(Unit, Factor), Clash> {
    if a.kind == Kind::Missing || b.kind == Kind::Missing {
        return Ok((if a.kind == Kind::Missing { b.clone() } else { a.clone() }, 1.0));
    }
    if currencies(&a.kind, &b.kind) {
        return Err(Clash::Currencies);
    }
    if a.per == b.per && same(&a.kind, &b.kind).is_some() && a.kind.is_numeric() {
        return Ok((Unit::of(Kind::Number), 1.0));
    }
    if let Some(other) = b.per {
        let like = same(&a.kind, &b.kind).is_some() && a.kind.is_numeric() && a.kind != Kind::Duration;
        return match a.per {
            _ if !like => clash(),
            // Money ÷ money per day = how long it takes.
            None => Ok((Unit::of(Kind::Duration), other.seconds())),
            // Money per day ÷ money per year = number.
            Some(per) => Ok((Unit::of(Kind::Number), other.seconds() / per.seconds())),
        };
    }
    // Money per year ÷ money = number per year.
    if a.per.is_some() && same(&a.kind, &b.kind).is_some() && a.kind.is_numeric() {
        return Ok((Unit { kind: Kind::Number, per: a.per }, 1.0));
    }
    if b.kind == Kind::Duration && a.per.is_none() {
        let (kind, per) = match &a.kind {
            x if x.is_plain() => (Kind::Number, PerUnit::Year),
            x @ Kind::Money(_) => (x.clone(), PerUnit::Day),
            x @ (Kind::Percent | Kind::Points) => (x.clone(), PerUnit::Year),
            _ => return clash(),
        };
        return Ok((Unit { kind, per: Some(per) }, per.seconds()));
    }
    let kind = match (&a.kind, &b.kind) {
        (x, y) if x.is_plain() && y.is_plain() => Kind::Number,
        // X ÷ percent = X.
        (Kind::Count, Kind::Percent) => Kind::Number,
        (x, Kind::Percent) if x.is_numeric() => x.clone(),
        (x, y) if y.is_plain() && x.is_numeric() => x.clone(),
        _ => return clash(),
    };
    Ok((Unit { kind, per: a.per }, 1.0))
}

/// Whether a declared unit accepts that of its formula.
pub(crate) fn accepts(declared: &Unit, found: &Unit) -> bool {
    if found.kind == Kind::Missing {
        return true;
    }
    if declared.per != found.per {
        return false;
    }
    match (&declared.kind, &found.kind) {
        (Kind::Money(None), Kind::Money(_)) => true,
        (Kind::Percent, Kind::Number) => true,
        (Kind::Number, Kind::Count) => true,
        (a, b) => same(a, b).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur() -> Unit {
        Unit::of(Kind::Money(Currency::parse("EUR")))
    }

    #[test]
    fn percent_minus_percent_is_points() {
        let percent = Unit::of(Kind::Percent);
        assert_eq!(sum(BinaryOp::Subtract, &percent, &percent), Ok(Unit::of(Kind::Points)));
        assert_eq!(sum(BinaryOp::Subtract, &Unit::of(Kind::Number), &percent), Ok(percent.clone()));
        assert!(!accepts(&percent, &Unit::of(Kind::Points)));
    }

    #[test]
    fn money_by_time_is_money_per_day_and_back() {
        let duration = Unit::of(Kind::Duration);
        let (per_day, factor) = quotient(&eur(), &duration).expect("money ÷ duration is defined");
        assert_eq!((per_day.to_string().as_str(), factor), ("money(EUR) per day", 86_400.0));
        assert_eq!(product(&per_day, &duration), Ok((eur(), 1.0 / 86_400.0)));
        assert_eq!(quotient(&eur(), &per_day), Ok((duration.clone(), 86_400.0)));
        let a_year = Unit { kind: eur().kind, per: Some(PerUnit::Year) };
        assert_eq!(quotient(&per_day, &a_year), Ok((Unit::of(Kind::Number), 365.2425)));
        let (per_year, _) = quotient(&Unit::of(Kind::Count), &duration).expect("count ÷ duration is defined");
        assert_eq!(per_year.to_string(), "number per year");
    }

    #[test]
    fn currencies_do_not_mix() {
        let usd = Unit::of(Kind::Money(Currency::parse("USD")));
        assert_eq!(sum(BinaryOp::Add, &eur(), &usd), Err(Clash::Currencies));
        assert_eq!(quotient(&eur(), &usd), Err(Clash::Currencies));
        assert!(matches!(join(&eur(), &Unit::of(Kind::Number)), Err(Clash::Units(Some(_)))));
        assert!(sum(BinaryOp::Add, &eur(), &Unit::of(Kind::Percent)).is_err());
    }
}
