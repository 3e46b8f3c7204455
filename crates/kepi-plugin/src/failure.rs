//! What went wrong inside a call, before it is known which function of which plugin it was.

use kepi_extension::{ConnectorError, FunctionError};
use std::time::Duration;

/// Why a call gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The caller gave values that make no sense.
    Argument(String),
    /// The plugin failed.
    Failed(String),
    /// The plugin used more than it may; which limit, with its number.
    Limit(String),
    /// A connector says that its service does not accept the credentials.
    Refused(String),
    /// A connector says that its service cannot answer now, and when to try again.
    Transient(String, Option<Duration>),
}

impl Failure {
    /// Says which function of which plugin it was.
    pub(crate) fn of(self, plugin: &str, function: &str) -> FunctionError {
        let (plugin, function) = (plugin.to_string(), function.to_string());
        match self {
            Failure::Argument(message) => FunctionError::BadArgument { function, message },
            Failure::Failed(message) | Failure::Refused(message) | Failure::Transient(message, _) => {
                FunctionError::Failed { plugin, function, message }
            }
            Failure::Limit(limit) => FunctionError::Limit { plugin, function, limit },
        }
    }
}

impl Failure {
    /// The same of a connector, where whose fault it is counts for what is done next.
    pub(crate) fn of_connector(self, plugin: &str, function: &str) -> ConnectorError {
        let connector = plugin.to_string();
        match self {
            Failure::Argument(message) => ConnectorError::Config { connector, message },
            Failure::Refused(message) => ConnectorError::Refused { connector, message },
            Failure::Transient(message, retry_after) => ConnectorError::Transient { connector, message, retry_after },
            other => other.of(plugin, function).into(),
        }
    }
}

/// The longest message of a plugin that is shown, in characters.
const MESSAGE_CHARACTERS_MAX: usize = 500;

/// Makes a plugin's own words fit for a terminal: control characters are shown as `\u{1b}`, line ends as ` / `, and what
/// is too long is cut with a sign of it.
pub(crate) fn inert(text: &str) -> String {
    let mut shown = String::new();
    let mut characters = text.trim().chars();
    for c in characters.by_ref().take(MESSAGE_CHARACTERS_MAX) {
        match c {
            '\n' => shown.push_str(" / "),
            c if c.is_control() || is_bidi(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    if characters.next().is_some() {
        shown.push_str(" …");
    }
    shown
}

/// Whether a character turns the direction of what follows, with which text can be made to look like another.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_codes_are_shown_and_length_is_cut() {
        assert_eq!(inert("a\u{1b}[2J\nb"), "a\\u{1b}[2J / b");
        let long = inert(&"x".repeat(501));
        assert_eq!(long.chars().count(), 502);
        assert!(long.ends_with("x …"));
        assert_eq!(inert(&"x".repeat(500)), "x".repeat(500));
    }
}
