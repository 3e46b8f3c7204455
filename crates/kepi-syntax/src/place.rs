//! Lines and columns for people.

/// Returns the line and column of a byte offset, both from 1; a column counts characters, not bytes.
///
/// An offset behind the text, or inside a character, is moved back to the nearest place that exists.
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::line_column;

    #[test]
    fn columns_count_characters() {
        assert_eq!(line_column("", 0), (1, 1));
        assert_eq!(line_column("año = 1\nb", 5), (1, 5));
        assert_eq!(line_column("año\nb", 5), (2, 1));
        assert_eq!(line_column("año\nb", 2), (1, 2));
        assert_eq!(line_column("a\n", 99), (2, 1));
    }
}
