//! Text in quotes: what it says, and how it is written.

/// Returns what a quoted text says: `\"`, `\\`, `\n`, `\r` and `\t` are escapes, any other backslash is itself.
pub(crate) fn unquote(quoted: &str) -> String {
    let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(quoted);
    let mut said = String::with_capacity(inside.len());
    let mut letters = inside.chars();
    while let Some(c) = letters.next() {
        if c != '\\' {
            said.push(c);
            continue;
        }
        match letters.next() {
            Some('n') => said.push('\n'),
            Some('r') => said.push('\r'),
            Some('t') => said.push('\t'),
            Some(c @ ('"' | '\\')) => said.push(c),
            // A pattern such as `\d` needs no doubled backslash.
            Some(c) => said.extend(['\\', c]),
            None => said.push('\\'),
        }
    }
    said
}

/// Writes a text in quotes with as few escapes as possible, so that patterns stay readable.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\\' => match letters.peek() {
                None | Some('"' | '\\' | 'n' | 'r' | 't' | '\n' | '\r' | '\t') => quoted.push_str("\\\\"),
                Some(_) => quoted.push('\\'),
            },
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
