//! The well-known mistakes, recognised by the words around the place where the grammar stopped.

use super::scene::Scene;
use super::{definition, habits, number, query};
use crate::diagnostic::{Code, Diagnostic};
use crate::words::is_reserved;

/// Returns the message of a well-known mistake; the first one that fits.
pub(super) fn known(scene: &Scene<'_>) -> Option<Diagnostic> {
    const ALL: &[fn(&Scene<'_>) -> Option<Diagnostic>] = &[
        foreign_sign,
        capitals,
        number::short,
        habits::in_habit,
        bracket,
        reserved_name,
        trailing_scope,
        definition::in_definition,
        query::in_query,
        empty_place,
        side_by_side,
    ];
    ALL.iter().find_map(|repair| repair(scene))
}

/// Signs of other languages and of word processors.
fn foreign_sign(scene: &Scene<'_>) -> Option<Diagnostic> {
    let found = scene.found();
    let help = match found {
        "==" => "use `=`, which compares",
        "<>" => "write `!=`",
        "&&" | "&" => "write `and`",
        "||" | "|" => "write `or`",
        "!" => "write `not`, or `!=` between two values",
        "“" | "”" | "„" | "«" | "»" | "‘" | "’" | "'" => "text stands in straight double quotes: \"EU\"",
        "×" | "·" => "write `*`",
        "÷" => "write `/`",
        "−" | "–" | "—" => "write `-`",
        "≤" => "write `<=`",
        "≥" => "write `>=`",
        "≠" => "write `!=`",
        "→" => "write `->`",
        ";" => "a statement ends with its line: leave it out",
        "$" | "€" | "£" => "write the currency behind the number: `100 EUR`",
        _ => return None,
    };
    let what = if matches!(found, "==") {
        "`==` is not a comparison".to_owned()
    } else {
        format!("`{found}` is not a sign of the language")
    };
    Some(scene.error(what).help(help))
}

/// Words of the language have no capitals.
fn capitals(scene: &Scene<'_>) -> Option<Diagnostic> {
    let index = scene.nearby().find(|at| {
        let word = scene.at(*at);
        let shouts = word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase());
        shouts && (matches!(word, "SELECT" | "FROM") || is_reserved(&word.to_ascii_lowercase()))
    })?;
    let word = scene.at(index);
    let help = match word {
        "SELECT" | "FROM" => "a query begins with `show`: `show sum(revenue) by region per month`".to_owned(),
        word => format!("write `{}`", word.to_ascii_lowercase()),
    };
    Some(
        Diagnostic::error(
            Code::Syntax,
            scene.place_at(index),
            format!("words of the language have no capitals: `{word}`"),
        )
        .help(help),
    )
}

/// Brackets that are never closed, or closed by another.
fn bracket(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (opened, innermost) = scene.open_bracket()?;
    let closing = match innermost {
        "(" => ")",
        "[" => "]",
        _ => "}",
    };
    let found = scene.found();
    if found.is_empty() {
        if scene.needs_more() && scene.before() != innermost {
            return None;
        }
        let place = scene.place_at(opened);
        let error = Diagnostic::error(Code::Syntax, place, format!("`{innermost}` is never closed"));
        return Some(error.help(format!("close it with `{closing}`")));
    }
    if matches!(found, ")" | "]" | "}") && found != closing {
        return Some(
            scene
                .error(format!("`{innermost}` is closed by `{found}`"))
                .related(scene.place_at(opened), "opened here")
                .help(format!("close it with `{closing}`")),
        );
    }
    let only_outside = matches!(found, "by" | "vs" | "having" | "limit" | "during" | "fill" | "show" | "as" | "since")
        || found == "order" && scene.at(1) == "by"
        || found == "last" && scene.at(1).starts_with(|c: char| c.is_ascii_digit());
    if innermost == "(" && only_outside && !scene.needs_more() && scene.before() != "over" {
        return Some(
            scene
                .error(format!("`(` is not closed before `{found}`"))
                .related(scene.place_at(opened), "opened here")
                .help("close it with `)`"),
        );
    }
    None
}

/// A reserved word where a name is declared.
fn reserved_name(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (before, found) = (scene.before(), scene.found());
    let declares = scene.index_is(1) && scene.is_definition() && before != "test" || before == "as";
    if declares && is_reserved(found) {
        return Some(reserved(scene, 0));
    }
    // pest reads `metric show = …` as the query `metric`, then `show` and a query that begins with `=`.
    if scene.index_is(2)
        && scene.is_definition()
        && is_reserved(before)
        && matches!(found, "=" | ":" | "of" | "(" | "on")
    {
        return Some(reserved(scene, -1));
    }
    None
}

fn reserved(scene: &Scene<'_>, at: isize) -> Diagnostic {
    let word = scene.at(at);
    Diagnostic::error(Code::Syntax, scene.place_at(at), format!("`{word}` is a reserved word"))
        .help(format!("choose another name, or write it in backticks: `` `{word}` ``"))
}

/// `where`, `per` or a window after the formula of a definition.
fn trailing_scope(scene: &Scene<'_>) -> Option<Diagnostic> {
    let formula = matches!(scene.first(), "metric" | "measure" | "segment" | "dimension" | "function");
    let found = scene.found();
    if !formula || scene.open_bracket().is_some() || !scene.has_before("=") {
        return None;
    }
    let help = match found {
        "where" => "put the filter in the parentheses, `sum(revenue where region = \"EU\")`, or in the query",
        "per" => "put `per` in the parentheses, `avg(sum(revenue) per customer)`, or in the query",
        "over" => "put `over` in the parentheses: `sum(revenue over last 90 days)`",
        "by" | "during" | "since" | "until" | "vs" | "having" | "limit" | "fill" => {
            "a definition has no period and no labels; say them in the query that shows it"
        }
        "last" | "this" | "from" | "at" if scene.at(1).starts_with(|c: char| c.is_alphanumeric()) => {
            "a definition has no period; say it in the query, or use `over last 12 months` in parentheses"
        }
        _ => return None,
    };
    let what = match found {
        "where" => "a filter may not follow the formula of a definition".to_owned(),
        word => format!("`{word}` may not follow the formula of a definition"),
    };
    let place = scene.place().to(scene.place_of_last_before("with"));
    Some(Diagnostic::error(Code::TrailingScope, place, what).help(help))
}

/// A word or operator that has nothing behind it.
fn empty_place(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (before, found) = (scene.before(), scene.found());
    let place = scene.place_before();
    let error = |what: &str, help: &str| Some(Diagnostic::error(Code::Syntax, place, what).help(help));
    match before {
        "where" => error("`where` needs a condition", "such as `where region = \"EU\"`"),
        "having" => error("`having` needs a condition", "such as `having sum(revenue) > 1000 EUR`"),
        "when" => error("`when` needs a condition", "such as `case when profit > 0 EUR then \"yes\" else \"no\"`"),
        "by" => error("`by` needs a label", "such as `by region`"),
        "per" if found.starts_with(|c: char| c.is_ascii_digit()) => error(
            "`per` needs a period: a length does not say when one begins",
            "such as `per week`; a table can name periods of your own: `calendar fortnights from \"fortnights.csv\"`, `per fortnights.week`",
        ),
        "per" => error("`per` needs a period", "such as `per month`, or in parentheses `per customer`"),
        "as" => error("`as` needs a name", "such as `sum(revenue) as total`"),
        "over" => error("`over` needs a time", "such as `over last 90 days`, `over period` or `over all time`"),
        "vs" => error("`vs` needs something to compare with", "such as `vs previous year` or `vs target`"),
        "during" => error("`during` needs a period", "such as `during 2025`, `during 2025-03` or `during 2025-Q1`"),
        "since" => error("`since` needs a date", "such as `since 2026-01-01`"),
        "until" => error("`until` needs a date", "such as `until 2026-01-01`"),
        "fill" => error("`fill` needs a value", "such as `fill 0`, `fill previous` or `fill missing`"),
        "with" => error("`with` needs attributes", "such as `with owner = \"sales\"`"),
        "->" => error("a step is missing after `->`", "such as `leads -> orders`"),
        "," => error("something is missing after the comma", "write it, or leave the comma out"),
        "show" => error("there is nothing to show", "such as `show sum(revenue) by region`"),
        "and" | "or" | "not" | "otherwise" | "then" | "else" | "in" | "+" | "-" | "*" | "/" | "=" | "!=" | "<"
        | "<=" | ">" | ">=" | "matches"
            if found.is_empty() || matches!(found, ")" | "]" | "}" | ",") || is_reserved(found) =>
        {
            let what = format!("`{before}` has nothing on its right");
            Some(Diagnostic::error(Code::Syntax, place, what).help("write a value behind it, or leave it out"))
        }
        _ => None,
    }
}

/// Two values beside each other with nothing between.
fn side_by_side(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (before, found) = (scene.before(), scene.found());
    let ends_value = scene.is_value(-1) || matches!(before, ")" | "]");
    if !ends_value || !scene.is_value(0) || is_reserved(before) || is_reserved(found) {
        return None;
    }
    let what = format!("`{before}` and `{found}` stand side by side");
    let place = scene.place();
    if found == "end" {
        let help = "leave `end` out: `case when a then b else c`";
        return Some(Diagnostic::error(Code::Syntax, place, "`case` has no `end`").help(help));
    }
    let call = crate::words::FUNCTIONS.contains(&before);
    let help = if call {
        format!("the arguments of a function stand in parentheses: `{before}({found})`")
    } else if scene.is_name(-1) && scene.is_name(0) {
        "put an operator or a comma between them, or begin a new line; a name with blanks stands in backticks"
            .to_owned()
    } else {
        "put an operator or a comma between them, or begin a new line".to_owned()
    };
    Some(Diagnostic::error(Code::Syntax, place, what).help(help))
}
