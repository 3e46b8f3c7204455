//! Well-known mistakes in expressions and queries.

use super::scene::Scene;
use crate::diagnostic::{Code, Diagnostic};
use crate::words::{DEFINITIONS, is_reserved};

/// Returns the message for a mistake in an expression or in a query's clauses.
pub(super) fn in_query(scene: &Scene<'_>) -> Option<Diagnostic> {
    nothing_to_show(scene)
        .or_else(|| windows(scene))
        .or_else(|| clauses(scene))
        .or_else(|| conditions(scene))
        .or_else(|| chains(scene))
        .or_else(|| definition_inside(scene))
        .or_else(|| run_together(scene))
        .or_else(|| word_behind(scene))
}

fn nothing_to_show(scene: &Scene<'_>) -> Option<Diagnostic> {
    let clause = is_reserved(scene.found()) || scene.found().is_empty();
    let error = scene.error("there is nothing to show").help("name a value: `show sum(revenue) by region`");
    (scene.before() == "show" && clause).then_some(error)
}

fn windows(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (before, found, next) = (scene.before(), scene.found(), scene.at(1));
    let number = scene.is_number(0);
    if before == "last" && !number {
        let unit = if unit(found).is_some() { found.trim_end_matches('s') } else { "month" };
        let help = format!("such as `last 12 {unit}s`; the one before this is `last 1 {unit}`");
        return Some(scene.error("`last` needs a number").help(help));
    }
    // pest stops at the number when its unit is missing, or behind it.
    if before == "last" && number || scene.at(-2) == "last" && scene.is_number(-1) {
        let at = if before == "last" { 0 } else { -1 };
        let (count, word) = (scene.at(at), scene.at(at + 1));
        let help = match unit(word) {
            Some(unit) => format!("write `last {count} {unit}`, with a blank behind the unit"),
            None => format!("say of what: `last {count} months`"),
        };
        let error = Diagnostic::error(Code::Syntax, scene.place_at(at), format!("`last {count}` needs a unit"));
        return Some(error.help(help));
    }
    if found == "between" {
        let (from, until) = if scene.is_number(1) && scene.is_number(3) { (next, scene.at(3)) } else { ("A", "B") };
        let help = format!("write `from {from} until {until}`; the end itself is outside");
        return Some(scene.error("there is no `between`").help(help));
    }
    if scene.at(-2) == "from" && scene.is_number(-1) && found != "until" && scene.first() != "target" {
        let from = before;
        let place = scene.place_at(-2).to(scene.place_at(-1));
        let error = Diagnostic::error(Code::Syntax, place, format!("`from {from}` needs an end"));
        return Some(error.help(format!("write `from {from} until …`, or `since {from}`")));
    }
    if number && is_period(found) && (matches!(before, ")" | "]") || scene.is_name(-1)) && !is_reserved(before) {
        let help = match found.len() {
            10.. => format!("say how it is meant: `since {found}`, `until {found}` or `at {found}`"),
            _ => format!("say how it is meant: `during {found}`"),
        };
        return Some(scene.error(format!("`{found}` is no window by itself")).help(help));
    }
    None
}

fn clauses(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (before, found, next) = (scene.before(), scene.found(), scene.at(1));
    if found == "order" && next != "by" {
        return Some(scene.error("`order` needs `by`").help(format!("write `order by {next}`")));
    }
    if matches!(found, "group" | "GROUP") && next == "by" {
        return Some(scene.error("there is no `group by`").help("`by` alone groups: `show sum(revenue) by region`"));
    }
    if before == "limit" {
        return Some(scene.error("`limit` needs a number of rows").help("such as `limit 5`, or `limit 5 with other`"));
    }
    if found == "else" && !scene.has_before("case") {
        return Some(
            scene.error("`else` belongs to `case`").help("a value for what is missing is `otherwise`: `a otherwise 0`"),
        );
    }
    if found == "," && matches!(scene.at(-2), "vs" | "per") {
        return Some(
            scene.error("a comma does not go on here").help("a query has one `per`; several labels stand in `by`"),
        );
    }
    if before == "," && is_reserved(found) && !matches!(found, "case" | "not") {
        let error = Diagnostic::error(Code::Syntax, scene.place_before(), "something is missing after the comma");
        return Some(error.help("write it, or leave the comma out"));
    }
    None
}

fn conditions(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (before, found) = (scene.before(), scene.found());
    let compares = |word: &str| matches!(word, "=" | "!=" | "<" | "<=" | ">" | ">=");
    if compares(found) && compares(scene.at(-2)) {
        let (left, first, middle, right) = (scene.at(-3), scene.at(-2), before, scene.at(1));
        let help = format!("join two with `and`: `{left} {first} {middle} and {middle} {found} {right}`");
        return Some(scene.error("comparisons do not chain").help(help));
    }
    if compares(before) && compares(found) {
        let help = format!("write `{before}` alone");
        return Some(scene.error(format!("`{before} {found}` is not a comparison")).help(help));
    }
    if before == "in" && scene.is_value(0) && !is_reserved(found) {
        return Some(scene.error("`in` needs a list").help(format!("write `in [{found}]`, or compare with `=`")));
    }
    if before == "in" && found == "(" {
        return Some(scene.error("a list stands in square brackets").help("such as `in [\"EU\", \"US\"]`"));
    }
    if before == "is" || before == "not" && scene.at(-2) == "is" {
        let nothing = matches!(found.to_ascii_lowercase().as_str(), "null" | "none" | "nil" | "empty");
        let help = if scene.is_value(0) && !nothing {
            format!("compare with `=` or `!=`: `= {found}`")
        } else {
            "write `is missing` or `is known`".to_owned()
        };
        return Some(scene.error("`is` asks only for `missing` or `known`").help(help));
    }
    if scene.has_before("case") && found != "then" && scene.open_case_lacks_then() {
        let error = scene.error("`then` is missing between the condition and the value");
        return Some(error.help("a case reads `case when a then b else c`"));
    }
    if before == "case" && found != "when" {
        return Some(scene.error("`case` needs `when`").help("a case reads `case when a then b else c`"));
    }
    None
}

fn chains(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (before, found) = (scene.before(), scene.found());
    if found == "->" && before == "(" {
        return Some(scene.error("a chain begins with a step").help("such as `leads -> orders`"));
    }
    if before == "->" {
        let error = Diagnostic::error(Code::Syntax, scene.place_before(), "a step is missing after `->`");
        return Some(error.help("such as `leads -> orders`"));
    }
    if matches!(found, ")" | ",") && scene.at(-2) == "without" {
        let without = before;
        let error = scene.error(format!("`without {without}` needs a step behind it"));
        return Some(error.help(format!("say between which steps: `a -> b without {without} -> c`")));
    }
    None
}

/// A definition before the query or the block has ended.
fn definition_inside(scene: &Scene<'_>) -> Option<Diagnostic> {
    let found = scene.found();
    if DEFINITIONS.contains(&found) && scene.is_name(1) && matches!(scene.at(2), "=" | ":" | "of" | "(" | "on" | "key")
    {
        let error = scene.error(format!("a definition cannot stand inside a {}", scene.kind()));
        return Some(error.help(format!("put `{found} {}` on a line of its own, outside", scene.at(1))));
    }
    None
}

/// A word of the language that runs into the next: `perday`.
fn run_together(scene: &Scene<'_>) -> Option<Diagnostic> {
    let found = scene.found();
    let (word, rest) =
        ["per", "by", "last", "this", "during", "since", "until", "where", "vs"].iter().find_map(|word| {
            let rest = found.strip_prefix(word)?;
            let known = unit(rest) == Some(rest) || rest.starts_with(|c: char| c.is_ascii_digit());
            known.then_some((*word, rest))
        })?;
    let what = format!("`{found}` is not a word of the language");
    Some(scene.error(what).help(format!("with a blank between: `{word} {rest}`")))
}

/// A word behind a complete window or period.
fn word_behind(scene: &Scene<'_>) -> Option<Diagnostic> {
    let found = scene.found();
    let clause = scene.at(-2);
    if !scene.is_name(0)
        || is_reserved(found)
        || !matches!(clause, "during" | "since" | "until" | "per" | "this" | "at")
    {
        return None;
    }
    let what = format!("`{found}` does not fit behind `{clause} {}`", scene.before());
    let help = "what is shown stands before the clauses: `show sum(revenue) per month`; labels stand behind `by`";
    Some(scene.error(what).help(help))
}

/// Whether a number token is a date or a period rather than a plain number.
fn is_period(text: &str) -> bool {
    let year = text.len() >= 4 && text.bytes().take(4).all(|b| b.is_ascii_digit());
    year && (text.len() == 4 || text.as_bytes().get(4) == Some(&b'-'))
}

/// Returns the unit of time that a word begins with, whole words first.
fn unit(word: &str) -> Option<&'static str> {
    const UNITS: &[&str] = &[
        "seconds", "minutes", "hours", "days", "weeks", "months", "quarters", "years", "second", "minute", "hour",
        "day", "week", "month", "quarter", "year",
    ];
    UNITS.iter().find(|unit| word.starts_with(**unit)).copied()
}
