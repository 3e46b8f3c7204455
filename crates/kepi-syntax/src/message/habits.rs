//! Habits from other languages, and words that are nearly those of this one: what to write instead.

use super::scene::Scene;
use crate::diagnostic::{Code, Diagnostic};
use crate::words::{DEFINITIONS, is_reserved};

/// Clauses and options, as far as they may be misspelt.
const CLAUSES: &[&str] = &[
    "where",
    "having",
    "limit",
    "during",
    "since",
    "until",
    "last",
    "this",
    "order",
    "fill",
    "with",
    "within",
    "without",
    "otherwise",
    "per",
];
const UNITS: &[&str] = &["seconds", "minutes", "hours", "days", "weeks", "months", "quarters", "years"];
const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Returns the message for what another language would take here.
pub(super) fn in_habit(scene: &Scene<'_>) -> Option<Diagnostic> {
    counting(scene)
        .or_else(|| sorting(scene))
        .or_else(|| patterns(scene))
        .or_else(|| periods(scene))
        .or_else(|| names(scene))
        .or_else(|| beginnings(scene))
        .or_else(|| misspelt(scene))
}

/// `count(*)`, `count(distinct x)`.
fn counting(scene: &Scene<'_>) -> Option<Diagnostic> {
    let call = scene.at(-2);
    if scene.found() == "*" && scene.before() == "(" && matches!(call, "count" | "sum") {
        let error = scene.error("`*` does not say what is counted");
        return Some(error.help("name the event, or the entity: `count(orders)`"));
    }
    if scene.before() == "distinct" && call == "(" {
        let what = written(scene, 0, ")");
        let place = scene.place_before();
        let error = Diagnostic::error(Code::Syntax, place, "there is no `distinct`");
        return Some(error.help(format!("`unique({what})` counts distinct values")));
    }
    None
}

/// `descending`, `sort by`.
fn sorting(scene: &Scene<'_>) -> Option<Diagnostic> {
    let found = scene.found();
    if found == "sort" && scene.at(1) == "by" {
        return Some(scene.error("there is no `sort by`").help("write `order by`"));
    }
    let shorter = match found {
        "descending" | "descend" => "desc",
        "ascending" | "ascend" => "asc",
        _ => return None,
    };
    scene
        .has_before("order")
        .then(|| scene.error(format!("`{found}` is no direction")).help(format!("write `{shorter}`")))
}

/// `kind like "re%"`, `limit 3 with others`, `aligned by day`.
fn patterns(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (before, found) = (scene.before(), scene.found());
    if matches!(found, "like" | "ilike" | "contains" | "starts_with" | "ends_with") && scene.is_name(-1) {
        let help = match found {
            "like" | "ilike" => {
                format!("`{before} matches \"^re\"` takes a pattern, `starts_with({before}, \"re\")` a beginning")
            }
            _ => format!("it is a function: `{found}({before}, …)`"),
        };
        return Some(scene.error(format!("`{found}` does not stand between two values")).help(help));
    }
    if found == "with" && scene.at(-2) == "limit" {
        let error = scene.error(format!("`limit {before}` takes `with other` alone"));
        return Some(error.help(format!("write `limit {before} with other`")));
    }
    (found == "aligned").then(|| {
        scene
            .error("periods are aligned by weekday, or by their dates")
            .help("write `vs previous year aligned by weekday`, or leave it out")
    })
}

/// `during Q3 2024`, `during march 2024`, `today`, `last 3 mnths`.
fn periods(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (before, found, next) = (scene.before(), scene.found(), scene.at(1));
    let day = match found {
        "today" => Some("this day to date"),
        "yesterday" => Some("last 1 day"),
        _ => None,
    };
    if let Some(window) = day.filter(|_| before == "during" || scene.is_value(-1) || before == ")") {
        return Some(scene.error(format!("`{found}` is no window")).help(format!("write `{window}`")));
    }
    if before == "during" {
        let year = if next.len() == 4 && scene.is_number(1) { next } else { "2026" };
        let word = found.to_ascii_lowercase();
        let quarter = word.strip_prefix('q').filter(|n| matches!(*n, "1" | "2" | "3" | "4"));
        let month = MONTHS.iter().position(|month| word.starts_with(month)).filter(|_| word.len() >= 3);
        let period = quarter.map(|n| format!("{year}-Q{n}"));
        let period = period.or_else(|| month.map(|month| format!("{year}-{:02}", month + 1)))?;
        let error = scene.error("`during` needs a period");
        return Some(error.help(format!("the year stands in front: `during {period}`")));
    }
    let at = if before == "last" && scene.is_number(0) {
        0
    } else if scene.at(-2) == "last" && scene.is_number(-1) {
        -1
    } else {
        return None;
    };
    let (count, word) = (scene.at(at), scene.at(at + 1));
    let error = || Diagnostic::error(Code::Syntax, scene.place_at(at + 1), format!("`last {count}` needs a unit"));
    let runs_on = UNITS.iter().any(|unit| word.starts_with(unit.trim_end_matches('s')));
    if let Some(unit) = near(word, UNITS.iter().copied()).filter(|_| !runs_on) {
        return Some(error().help(format!("did you mean `last {count} {unit}`?")));
    }
    None
}

/// Names with signs, digits in front or blanks.
fn names(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (first, found) = (scene.first(), scene.found());
    if scene.is_definition() && first != "test" && scene.index_is(1) && scene.is_number(0) {
        let help = format!("choose another, or write it in backticks: `` `{found}` ``");
        return Some(scene.error("a name begins with a letter").help(help));
    }
    let formula = matches!(first, "metric" | "measure" | "segment" | "dimension" | "state" | "event" | "function");
    if formula && scene.index_is(2) && found == "-" && scene.is_name(1) {
        let name = written(scene, -1, "=").replace('-', "_");
        let name = name.split([':', ' ', '(']).next().unwrap_or_default();
        return Some(scene.error("a name has letters, digits and `_`").help(format!("such as `{first} {name}`")));
    }
    if matches!(first, "metric" | "measure")
        && scene.index_is(2)
        && scene.is_name(0)
        && found != "of"
        && !is_reserved(found)
    {
        let words: Vec<&str> = (-1..6).map(|at| scene.at(at)).take_while(|word| !matches!(*word, "=" | ":")).collect();
        let ends = (0..6).find(|at| matches!(scene.at(*at), "=" | ":"));
        if ends.is_some() && (-1..ends.unwrap_or(0)).all(|at| scene.is_name(at)) {
            let help = format!("such as `{first} {}`, or in backticks: `` `{}` ``", words.join("_"), words.join(" "));
            return Some(scene.error("a name is one word").help(help));
        }
        let help = format!("write `{first} {} = …`", scene.before());
        return Some(scene.error("`=` is missing between the name and its formula").help(help));
    }
    if first == "source" && matches!(found, "," | "}") && scene.at(-2) == "." && scene.is_name(-3) {
        let name = format!("{}.{}", scene.at(-3), scene.before());
        let place = scene.place_at(-3).to(scene.place_at(-1));
        let error = Diagnostic::error(Code::Syntax, place, format!("`{name}` is no name of a column"));
        return Some(error.help(format!("with a dot in it, it stands in backticks: `` `{name}` ``")));
    }
    if first == "source" && matches!(found, "," | "}") && scene.at(-2) == "as" && scene.is_name(-3) {
        let (column, field) = (scene.at(-3), scene.before());
        let error = Diagnostic::error(Code::Syntax, scene.place_at(-2), "a mapping has no `as`");
        return Some(error.help(format!("the field stands before its column: `{field} {column}`")));
    }
    None
}

/// What a definition needs behind one of its words.
fn beginnings(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (first, before, found) = (scene.first(), scene.before(), scene.found());
    if first == "event" && before == "at" && !scene.is_name(0) {
        return Some(scene.error("`at` needs the field that has the time").help("such as `at ordered`"));
    }
    if first == "entity" && before == "key" && !scene.is_name(0) {
        return Some(scene.error("`key` needs the field that tells one from another").help("such as `key id`"));
    }
    if first == "state" && before == "for" {
        let help = if scene.is_number(0) {
            format!("say of what: `for {found} months`")
        } else {
            "such as `for 12 months`; what never ends is a value: `state plan of customer = subscriptions.plan`"
                .to_owned()
        };
        return Some(scene.error("`for` needs a length of time").help(help));
    }
    if first == "state"
        && found == "where"
        && let Some((opened, "(")) = scene.open_bracket()
        && matches!(scene.at(opened - 1), "from" | "until")
    {
        let word = scene.at(opened - 1);
        let error = scene.error(format!("what stands behind `{word}` has no parentheses"));
        return Some(error.help(format!("write `{word} {} where …`", written(scene, opened + 1, "where"))));
    }
    if first == "target" && found == "every" && scene.has_before("reach") {
        return Some(scene.error("a target for each period says `each`").help(format!("write `each {}`", scene.at(1))));
    }
    None
}

/// Words that are nearly a word of the language.
fn misspelt(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (before, found) = (scene.before(), scene.found());
    if scene.index_is(1) && scene.is_name(-1) && (scene.is_name(0) || scene.is_text(0)) && !is_reserved(before) {
        let word = near(before, DEFINITIONS.iter().copied().chain(["show"]))?;
        let error = Diagnostic::error(Code::Syntax, scene.place_before(), format!("`{before}` begins no definition"));
        return Some(error.help(format!("did you mean `{word} {found}`?")));
    }
    let ends_value = scene.is_value(-1) || matches!(before, ")" | "]");
    if scene.is_name(0) && ends_value && !is_reserved(found) && !is_reserved(before) {
        let word = near(found, CLAUSES.iter().copied())?;
        return Some(scene.error(format!("`{found}` is no clause")).help(format!("did you mean `{word}`?")));
    }
    // `withing 30 days`: the word is read as a name.
    if scene.is_number(0) && scene.is_name(-1) && scene.has_before("->") && !is_reserved(before) {
        let word = near(before, ["within"])?;
        let error = Diagnostic::error(Code::Syntax, scene.place_before(), format!("`{before}` is no option"));
        return Some(error.help(format!("did you mean `{word}`?")));
    }
    None
}

/// The tokens from a place up to a sign, as they would be written together.
fn written(scene: &Scene<'_>, from: isize, until: &str) -> String {
    (from..from + 12).map(|at| scene.at(at)).take_while(|word| *word != until && !word.is_empty()).collect()
}

/// The nearest of some words to one of four letters or more, which is none of them: at most a third of it differs.
fn near<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let letters = word.chars().count();
    if letters < 4 {
        return None;
    }
    let distances: Vec<_> = known.into_iter().map(|other| (strsim::damerau_levenshtein(word, other), other)).collect();
    if distances.iter().any(|(distance, _)| *distance == 0) {
        return None;
    }
    let distances = distances.into_iter();
    distances
        .filter(|(distance, _)| (1..=letters / 3).contains(distance))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}
