//! The prompt's own commands, which are no part of the language.

/// What a line asks of the prompt itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReplCommand {
    Help,
    List(Option<String>),
    Describe(String),
    Explain(String),
    Format(Option<String>),
    Quit,
}

/// Each command's word, what follows it, and what it does.
pub(super) const COMMANDS: &[(&str, &str, &str)] = &[
    ("help", "", "what can be written here"),
    ("list", "[KIND]", "what the model defines"),
    ("describe", "NAME", "everything about a definition"),
    ("explain", "QUERY", "how a query is understood and run"),
    ("format", "NAME", "how answers are shown: table, line, md, csv, sheet, json, jsonl"),
    ("quit", "", "leave; Ctrl-D does as well"),
];

/// Reads a command; none for what belongs to the language. A dot or backslash in front is allowed, so that a metric
/// called `list` can be told apart: `show list`, `.list`.
pub(super) fn parse(text: &str) -> Option<ReplCommand> {
    let text = text.trim().trim_end_matches(';').trim_end();
    let (marked, text) = match text.strip_prefix(['.', '\\']) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (word, rest) = text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim()));
    let name = || rest.to_string();
    // One name, nothing that could be the language: `format(x)` and `list, cac` are queries.
    let simple = rest.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '`'));
    match word {
        "help" | "?" if rest.is_empty() => Some(ReplCommand::Help),
        "quit" | "exit" if rest.is_empty() => Some(ReplCommand::Quit),
        "q" if marked && rest.is_empty() => Some(ReplCommand::Quit),
        "list" if rest.is_empty() => Some(ReplCommand::List(None)),
        "list" if simple => Some(ReplCommand::List(Some(name()))),
        "describe" if !rest.is_empty() && simple => Some(ReplCommand::Describe(rest.trim_matches('`').to_string())),
        "explain" if !rest.is_empty() => Some(ReplCommand::Explain(name())),
        "format" if rest.is_empty() => Some(ReplCommand::Format(None)),
        "format" if simple => Some(ReplCommand::Format(Some(name()))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_the_language() {
        assert_eq!(parse("help"), Some(ReplCommand::Help));
        assert_eq!(parse(" .quit ; "), Some(ReplCommand::Quit));
        assert_eq!(parse("\\q"), Some(ReplCommand::Quit));
        assert_eq!(parse("q"), None);
        assert_eq!(parse("list metrics"), Some(ReplCommand::List(Some("metrics".to_string()))));
        assert_eq!(parse("describe cac"), Some(ReplCommand::Describe("cac".to_string())));
        assert_eq!(parse("explain show cac\nper month"), Some(ReplCommand::Explain("show cac\nper month".to_string())));
        assert_eq!(parse("format json"), Some(ReplCommand::Format(Some("json".to_string()))));
        for language in ["show list", "list, cac", "format(x)", "cac", "describe", "list cac per month", "help me"] {
            assert_eq!(parse(language), None, "{language}");
        }
    }
}
