//! Kinds as a manifest spells them: the words of the language.

use kepi_model::declared::Returns;
use kepi_model::value::{Currency, Kind, PerUnit, Unit};

/// All spellings, for messages.
const SPELLINGS: &str = "number, count, percent, points, money, money(EUR), duration, text, bool, time, date, and `any` and `entity` for a \
     parameter";

/// Reads the kind of a parameter; empty: any.
pub(crate) fn parse_accepted(words: &str) -> Result<Vec<Kind>, String> {
    match words.trim() {
        "any" => return Ok(Vec::new()),
        "entity" => return Ok(vec![Kind::Entity(String::new())]),
        _ => {}
    }
    parse_kind(words).map(|kind| vec![kind])
}

/// Reads what a function returns: a kind, `money per day`, or `same as x` with the name of a parameter.
pub(crate) fn parse_returns(words: &str, parameters: &[&str]) -> Result<Returns, String> {
    let words = words.trim();
    if let Some(name) = words.strip_prefix("same as ") {
        let index = parameters.iter().position(|p| *p == name.trim());
        let unknown = || format!("`same as {}` names no parameter; there are {}", name.trim(), parameters.join(", "));
        return index.map(Returns::SameAs).ok_or_else(unknown);
    }
    let (kind, per) = match words.split_once(" per ") {
        None => (words, None),
        Some((kind, per)) => (kind, Some(parse_per(per.trim())?)),
    };
    Ok(Returns::Unit(Unit { kind: parse_kind(kind)?, per }))
}

fn parse_kind(words: &str) -> Result<Kind, String> {
    let words = words.trim();
    if let Some(code) = words.strip_prefix("money(").and_then(|rest| rest.strip_suffix(')')) {
        let wrong = || format!("`{code}` is no currency: three capital letters such as EUR are needed");
        return Currency::parse(code.trim()).map(|c| Kind::Money(Some(c))).ok_or_else(wrong);
    }
    match words {
        "number" => Ok(Kind::Number),
        "count" => Ok(Kind::Count),
        "percent" => Ok(Kind::Percent),
        "points" => Ok(Kind::Points),
        "money" => Ok(Kind::Money(None)),
        "duration" => Ok(Kind::Duration),
        "text" => Ok(Kind::Text),
        "bool" => Ok(Kind::Bool),
        "time" => Ok(Kind::Time),
        "date" => Ok(Kind::Date),
        _ => Err(format!("`{words}` is no kind; there are {SPELLINGS}")),
    }
}

fn parse_per(word: &str) -> Result<PerUnit, String> {
    match word {
        "second" => Ok(PerUnit::Second),
        "minute" => Ok(PerUnit::Minute),
        "hour" => Ok(PerUnit::Hour),
        "day" => Ok(PerUnit::Day),
        "week" => Ok(PerUnit::Week),
        "month" => Ok(PerUnit::Month),
        "quarter" => Ok(PerUnit::Quarter),
        "year" => Ok(PerUnit::Year),
        _ => Err(format!("`per {word}` is no time; there are second, minute, hour, day, week, month, quarter, year")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    #[test]
    fn kinds_are_spelled_as_in_the_language() {
        let eur = Currency::parse("EUR");
        assert_eq!(parse_accepted("money(EUR)").unwrap(), [Kind::Money(eur)]);
        assert_eq!(parse_accepted("money").unwrap(), [Kind::Money(None)]);
        assert_eq!(parse_accepted("any").unwrap(), []);
        assert_eq!(parse_returns("same as y", &["x", "y"]).unwrap(), Returns::SameAs(1));
        let per_day = Unit { kind: Kind::Money(None), per: Some(PerUnit::Day) };
        assert_eq!(parse_returns("money per day", &[]).unwrap(), Returns::Unit(per_day));
    }

    #[test]
    fn a_mistake_says_what_would_be_right() {
        assert!(parse_accepted("float").unwrap_err().contains("there are number, count, percent"));
        assert!(parse_accepted("money(eur)").unwrap_err().contains("three capital letters"));
        assert_eq!(
            parse_returns("same as z", &["x", "y"]).unwrap_err(),
            "`same as z` names no parameter; there are x, y"
        );
        assert!(parse_returns("money per fortnight", &[]).unwrap_err().contains("second, minute"));
    }
}
