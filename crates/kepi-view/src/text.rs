//! Text from data, made harmless: what could steer a terminal is shown instead of obeyed.

use std::borrow::Cow;

/// Shows control characters instead of letting them act: `␛` for the escape character, `\u{202e}` for those without
/// a picture. Other text comes back as it is.
pub fn inert(text: &str) -> Cow<'_, str> {
    inert_but(text, |_| false)
}

/// The same, but lets some characters through.
pub(crate) fn inert_but(text: &str, passes: impl Fn(char) -> bool) -> Cow<'_, str> {
    let acts = |c: char| is_acting(c) && !passes(c);
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            c if !acts(c) => shown.push(c),
            '\0'..='\x1f' => shown.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}')),
            '\x7f' => shown.push('\u{2421}'),
            c => shown.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(shown)
}

/// Whether a character acts on what shows it: controls of both sets, line separators, and those that turn the
/// direction of writing.
fn is_acting(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// How many terminal columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

#[cfg(test)]
mod tests {
    use super::inert;

    #[test]
    fn escape_codes_and_direction_marks_are_shown() {
        assert_eq!(inert("a\x1b[31mb\x07\u{9b}1m\u{202e}"), "a␛[31mb␇\\u{9b}1m\\u{202e}");
        assert_eq!(inert("line\nnext\ttab\x7f"), "line␊next␉tab␡");
        assert_eq!(inert("año €"), "año €");
    }
}
