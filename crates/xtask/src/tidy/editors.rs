//! Whether the grammar for editors knows the functions and words of the language.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const GRAMMAR: &str = "grammar/editors/kepi.tmLanguage.json";

/// Words of the grammar that are no keywords by themselves: parts of `over all time`, `limit 5 with other` and their kin.
const PARTS: &[&str] = &["all", "other", "period", "plugin", "previous", "time"];

/// Where the words of patterns stand that are neither functions nor keywords.
const NO_WORDS: &[&str] = &["comments", "strings", "ticked", "dates", "numbers", "fields", "types", "operators"];

/// What is in the language and not in the grammar, and the other way round.
pub(crate) fn problems(root: &Path) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(root.join(GRAMMAR)).map_err(|e| format!("{GRAMMAR}: {e}"))?;
    let grammar: Value = serde_json::from_str(&text).map_err(|e| format!("{GRAMMAR}: {e}"))?;
    let functions = kepi_model::functions::all().map(|f| f.name.to_string()).collect();
    let words = kepi_syntax::KEYWORDS.iter().map(|(word, _)| *word).chain(kepi_syntax::RESERVED.iter().copied());
    let keywords = words.flat_map(str::split_whitespace).map(str::to_string).collect();
    Ok(differences(&grammar, &functions, &keywords))
}

fn differences(grammar: &Value, functions: &BTreeSet<String>, keywords: &BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    let (mut own_functions, mut own_keywords) = (BTreeSet::new(), BTreeSet::new());
    for (name, rule) in grammar["repository"].as_object().into_iter().flatten() {
        match name.as_str() {
            "functions" => words(rule, &mut own_functions),
            name if NO_WORDS.contains(&name) => {}
            _ => words(rule, &mut own_keywords),
        }
    }
    for (what, wanted, own) in [("function", functions, &own_functions), ("keyword", keywords, &own_keywords)] {
        problems.extend(wanted.difference(own).map(|word| format!("{GRAMMAR} lacks the {what} `{word}`")));
        let unknown = own.difference(wanted).filter(|word| what == "function" || !PARTS.contains(&word.as_str()));
        problems.extend(unknown.map(|word| format!("{GRAMMAR} has `{word}`, which is no {what} of kepi")));
    }
    problems
}

/// The words in the patterns of a rule: letters that belong to no class, group or escape.
fn words(rule: &Value, into: &mut BTreeSet<String>) {
    if let Some(pattern) = rule["match"].as_str() {
        literal_words(pattern, into);
    }
    for inner in rule["patterns"].as_array().into_iter().flatten() {
        words(inner, into);
    }
}

fn literal_words(pattern: &str, into: &mut BTreeSet<String>) {
    let mut word = String::new();
    let mut in_class = false;
    let mut letters = pattern.chars();
    let mut end = |word: &mut String| {
        if !word.is_empty() {
            into.insert(std::mem::take(word));
        }
    };
    while let Some(c) = letters.next() {
        match c {
            // `\p{L}` has a name in braces.
            '\\' => {
                end(&mut word);
                if letters.next() == Some('p') {
                    letters.by_ref().find(|c| *c == '}');
                }
            }
            '[' => in_class = true,
            ']' => in_class = false,
            _ if in_class => {}
            c if c.is_ascii_lowercase() || c == '_' => word.push(c),
            _ => end(&mut word),
        }
        if in_class {
            end(&mut word);
        }
    }
    end(&mut word);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test may stop.

    use super::*;
    use serde_json::json;

    #[test]
    fn the_grammar_knows_the_language() {
        assert_eq!(problems(&crate::root()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_lacks_and_what_is_too_much_is_told() {
        let grammar = json!({ "repository": {
            "functions": { "match": "(?<![\\w.])(?:sum|summ)(?=\\s*\\()" },
            "clauses": { "patterns": [{ "match": "(?:order\\s+by|nay)(?![a-z])" }] },
            "fields": { "match": "anything" }
        }});
        let set = |words: &[&str]| words.iter().map(|w| (*w).to_string()).collect::<BTreeSet<_>>();
        let told = differences(&grammar, &set(&["sum", "count"]), &set(&["order", "by", "show"]));
        assert_eq!(told.len(), 4, "{told:?}");
        for (place, part) in ["`count`", "`summ`", "`show`", "`nay`"].iter().enumerate() {
            assert!(told[place].contains(part), "{told:?}");
        }
    }
}
