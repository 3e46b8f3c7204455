//! Yes and no in the spellings of tables.

/// Reads `true/false`, `yes/no`, `t/f`, `y/n`, `1/0` in any case; none for anything else.
pub(crate) fn parse(text: &str) -> Option<bool> {
    const YES: [&str; 5] = ["true", "yes", "t", "y", "1"];
    const NO: [&str; 5] = ["false", "no", "f", "n", "0"];
    if text.len() > 5 {
        return None;
    }
    if YES.iter().any(|w| text.eq_ignore_ascii_case(w)) {
        return Some(true);
    }
    NO.iter().any(|w| text.eq_ignore_ascii_case(w)).then_some(false)
}

/// Whether a cell says "nothing here" in a column that is not text: `NULL`, `NA`, `N/A`, `NaN`, `None`, `\N`, `#N/A`
/// in any case, or a lone dash. In a text column the same cell is that text.
pub(crate) fn is_missing_word(text: &str) -> bool {
    const WORDS: [&str; 8] = ["null", "na", "n/a", "nan", "none", "\\n", "#n/a", "-"];
    text.len() <= 4 && WORDS.iter().any(|w| text.eq_ignore_ascii_case(w))
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_every_spelling_in_any_case() {
        for (text, value) in [
            ("true", Some(true)),
            ("FALSE", Some(false)),
            ("Yes", Some(true)),
            ("n", Some(false)),
            ("1", Some(true)),
            ("0", Some(false)),
            ("No phone service", None),
            ("2", None),
            ("", None),
        ] {
            assert_eq!(super::parse(text), value, "{text}");
        }
    }
}
