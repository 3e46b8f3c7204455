//! Numbers and lengths as other tools and people shorten them: `1.2K`, `3 mio`, `90d`, `1e6`.

use super::scene::Scene;
use crate::diagnostic::Diagnostic;

/// A number with an abbreviation behind it that is none of the language.
pub(super) fn short(scene: &Scene<'_>) -> Option<Diagnostic> {
    let found = scene.found();
    let behind = found.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')?;
    let (digits, word) = found.split_at(behind);
    if digits.is_empty() {
        // `2 K` is meant as one thing, `2 days` is one.
        let number = scene.before();
        let is_plain = scene.is_number(-1) && number.ends_with(|c: char| c.is_ascii_digit());
        let suffix = amount(word).filter(|_| is_plain)?;
        return Some(scene.error(format!("`{number} {word}` is no number")).help(written(number, suffix)));
    }
    let wants_time = matches!(scene.before(), "last" | "within" | "for");
    if let Some(unit) = unit(word).or((wants_time && word.eq_ignore_ascii_case("m")).then_some("month")) {
        let many = if digits == "1" { "" } else { "s" };
        return Some(scene.error(format!("`{found}` is no length")).help(format!("write `{digits} {unit}{many}`")));
    }
    if matches!(word, "k" | "M" | "bn") {
        return None;
    }
    if let Some(suffix) = amount(word) {
        return Some(scene.error(format!("`{found}` is no number")).help(written(digits, suffix)));
    }
    let exponent = word.strip_prefix(['e', 'E'])?;
    let is_exponent = !exponent.is_empty() && exponent.chars().all(|c| c.is_ascii_digit());
    is_exponent.then(|| {
        let help = "write it out, such as `1_000_000`, or short: `1M`, `20k`, `3bn`";
        scene.error(format!("`{found}` is no number")).help(help)
    })
}

fn written(digits: &str, suffix: &str) -> String {
    format!("write `{digits}{suffix}`: thousands are `k`, millions `M`, billions `bn`")
}

/// What stands behind a number in place of this word.
fn amount(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "k" | "tsd" | "thousand" => "k",
        "m" | "mm" | "mn" | "mio" | "mln" | "million" | "millions" => "M",
        "b" | "g" | "bn" | "mrd" | "billion" | "billions" => "bn",
        _ => return None,
    })
}

/// The unit of time that an abbreviation, or a word without a blank before it, means.
fn unit(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => "second",
        "min" | "mins" | "minute" | "minutes" => "minute",
        "h" | "hr" | "hrs" | "hour" | "hours" => "hour",
        "d" | "day" | "days" => "day",
        "w" | "wk" | "wks" | "week" | "weeks" => "week",
        "mo" | "mon" | "mth" | "mths" | "month" | "months" => "month",
        "q" | "qtr" | "quarter" | "quarters" => "quarter",
        "y" | "yr" | "yrs" | "year" | "years" => "year",
        _ => return None,
    })
}
