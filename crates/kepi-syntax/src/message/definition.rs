//! Well-known mistakes in definitions: what each kind must say.

use super::scene::Scene;
use crate::diagnostic::{Code, Diagnostic};
use crate::words::is_reserved;

/// Returns the message for something that a definition lacks.
pub(super) fn in_definition(scene: &Scene<'_>) -> Option<Diagnostic> {
    match scene.first() {
        "state" => state(scene),
        "segment" | "dimension" => labels(scene),
        "entity" | "event" => fields(scene),
        "source" => source(scene),
        "target" => target(scene),
        "report" => report(scene),
        "test" => test(scene),
        "calendar" => calendar(scene),
        "metric" | "measure" => formula(scene),
        _ => None,
    }
}

fn formula(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (word, name) = (scene.first(), scene.at(-1));
    if scene.index_is(2) && scene.found() == "of" && word == "metric" {
        let help = "its events are those of its formula; who counts is said in the query: `by region`";
        return Some(scene.error("a metric is of nothing").help(help));
    }
    let ended = scene.found().is_empty() && scene.index_is(2);
    ended.then(|| scene.error(format!("`{word} {name}` needs a formula")).help(format!("such as `{word} {name} = …`")))
}

fn state(scene: &Scene<'_>) -> Option<Diagnostic> {
    if scene.index_is(2) && scene.found() != "of" {
        let name = scene.before();
        let error = scene.error("a state says of what");
        return Some(error.help(format!("such as `state {name} of customer = …`")));
    }
    let from = scene.has_before("from") && !scene.has("until") && !scene.has("for");
    if from && scene.open_bracket().is_none() && (scene.found().is_empty() || scene.found() == "with") {
        let error = scene.error("the state begins and says no end");
        return Some(error.help("add `until` and an event, or a length: `for 12 months`"));
    }
    fields(scene)
}

fn labels(scene: &Scene<'_>) -> Option<Diagnostic> {
    if scene.index_is(2) && scene.found() != "of" && scene.found() != "(" {
        let (word, name) = (scene.first(), scene.before());
        let error = scene.error(format!("a {word} says of what"));
        return Some(error.help(format!("such as `{word} {name} of orders = …`")));
    }
    None
}

fn fields(scene: &Scene<'_>) -> Option<Diagnostic> {
    let declares = matches!(scene.first(), "entity" | "event");
    if declares && scene.is_name(0) && matches!(scene.at(-2), "at" | "key" | "from") && scene.open_bracket().is_none() {
        let help = format!("such as `{} {{ {}: text }}`", scene.before(), scene.found());
        return Some(scene.error("fields stand in braces").help(help));
    }
    let (opened, bracket) = scene.open_bracket()?;
    if bracket != "{" {
        return None;
    }
    let (before, found) = (scene.before(), scene.found());
    if found == "," {
        return Some(scene.error("fields stand without commas").help("leave the comma out: `{ a: text  b: number }`"));
    }
    if scene.is_name(-1) && found != ":" && opened < -1 && scene.at(-2) != ":" {
        let error = Diagnostic::error(Code::Syntax, scene.place_before(), format!("the field `{before}` needs a type"));
        return Some(error.help(format!("such as `{before}: text`, `number`, `money(EUR)`, `time`, `bool`")));
    }
    let only = opened == -2 && scene.is_name(-1) && found != ":";
    only.then(|| {
        Diagnostic::error(Code::Syntax, scene.place_before(), format!("the field `{before}` needs a type"))
            .help(format!("such as `{before}: text`, `number`, `money(EUR)`, `time`, `bool`"))
    })
}

fn source(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (before, found) = (scene.before(), scene.found());
    if scene.index_is(2) && found != "from" {
        let error = scene.error("a source says from which file");
        return Some(error.help(format!("such as `source {before} from \"orders.csv\" {{ … }}`")));
    }
    if before == "from" && scene.index_is(3) {
        return Some(scene.error("the file stands in quotes").help("such as `from \"orders.csv\"`"));
    }
    scene.open_bracket()?;
    if before == ":" && (found == "}" || found.is_empty()) {
        let error = scene.error(format!("nothing fills `{}`", scene.at(-2)));
        return Some(error.help("name its columns: `orders: at day, id number, amount`"));
    }
    if scene.at(-3) == "merge" || scene.at(-4) == "merge" {
        let error = scene.error("`merge` says into what");
        return Some(error.help("such as `merge customer anonymous_id into user_id`"));
    }
    // `at a b,` is read as `at a` and the next mapping, `b:`.
    let (role, taken, more) = (scene.at(-3), scene.at(-2), scene.at(-1));
    let names = scene.is_name(-1) && scene.is_name(-2);
    if names && matches!(found, "," | "}") && matches!(role, "at" | "id" | "key") && matches!(scene.at(-4), ":" | ",") {
        let error = Diagnostic::error(Code::Syntax, scene.place_at(-1), format!("`{role}` takes one column"));
        return Some(error.help(format!("write `{role} {taken}` or `{role} {more}`: the name of the table's column")));
    }
    // `id a at day` is read as a mapping that begins with `at`; the comma belongs before it.
    let role = |word: &str| matches!(word, "at" | "id" | "key" | "from" | "until" | "to" | "of");
    if scene.is_name(0) && scene.is_name(-1) && scene.is_name(-2) && !is_reserved(found) {
        let at = if role(before) { -1 } else { 0 };
        let error = Diagnostic::error(Code::Syntax, scene.place_at(at), "a comma is missing between two parts");
        return Some(error.help(format!("write a comma before `{}`", scene.at(at))));
    }
    None
}

fn target(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (before, found) = (scene.before(), scene.found());
    if scene.index_is(2) && found != "on" {
        let error = scene.error("a target says on which metric");
        return Some(error.help(format!("such as `target {before} on churn_rate by 2026-12-31 reach 2%`")));
    }
    if found == "reach" && !scene.has_before("during") && !scene.has_before("by") {
        let error = scene.error("a target says `during` which period or `by` which date");
        return Some(
            error.help("such as `during 2026 reach 1.2M EUR` for a total, `by 2026-12-31 reach 2%` for a level"),
        );
    }
    if before == "by" {
        let year: String = found.chars().take_while(char::is_ascii_digit).collect();
        let year = if year.len() == 4 { year } else { "2026".to_owned() };
        let error = scene.error("a level is reached by a date");
        return Some(error.help(format!("such as `by {year}-12-31`; for a total over a period write `during {year}`")));
    }
    if scene.has_before("from") && found != "at" && !scene.has_before("at") {
        let error = scene.error("the baseline needs its date");
        return Some(error.help("such as `from 4% at 2026-01-01`"));
    }
    if matches!(found, "by" | "during") {
        return None;
    }
    let asks = scene.has_before("during") || scene.has_before("by");
    (asks && !scene.has("reach")).then(|| scene.error("a target says what to reach").help("such as `reach 1.2M EUR`"))
}

fn report(scene: &Scene<'_>) -> Option<Diagnostic> {
    let empty = scene.before() == "{" && (scene.found() == "}" || scene.found().is_empty());
    empty.then(|| scene.error("the report shows nothing").help("put queries in it: `{ show sum(revenue) per month }`"))
}

fn test(scene: &Scene<'_>) -> Option<Diagnostic> {
    let (before, found) = (scene.before(), scene.found());
    if scene.index_is(1) {
        return Some(scene.error("a test has a title in quotes").help("such as `test \"returns count\" { … }`"));
    }
    if found == "}" && !scene.has("expect") {
        let error = scene.error("the test expects nothing");
        return Some(error.help("add at least one `expect QUERY gives VALUE`"));
    }
    if matches!(found, "}" | "expect" | "given") && scene.last_expect_lacks_gives() {
        let error = scene.error("the expectation says no value: `gives` is missing");
        return Some(error.help("`=` compares; write `expect sum(revenue) gives 5 EUR`"));
    }
    if before == "given" && !scene.is_name(0) {
        return Some(
            scene
                .error("`given` needs an event")
                .help("such as `given orders (customer, ordered) (\"c1\", 2025-03-01)`"),
        );
    }
    None
}

fn calendar(scene: &Scene<'_>) -> Option<Diagnostic> {
    if scene.is_text(0) && scene.before() != "starts" && scene.before() != "from" {
        let error = scene.error("`starts` is missing");
        return Some(error.help(format!("write `{} starts {}`", scene.before(), scene.found())));
    }
    (scene.before() == "starts" && !scene.is_text(0))
        .then(|| scene.error("the beginning stands in quotes").help("such as `year starts \"april\"`"))
}
