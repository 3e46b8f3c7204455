//! Puts written items and the comments of the source between them on lines.

use crate::scan::Comment;

/// Text that grows line by line; comments come back at the place where they stood.
pub(super) struct Lines<'t> {
    pub(super) out: String,
    source: &'t str,
    comments: &'t [Comment],
    /// How far the source has been written.
    behind: usize,
    /// How many comments have been written.
    written: usize,
}

impl<'t> Lines<'t> {
    /// Starts at an offset of the source, with the comments that lie behind it.
    pub(super) fn new(source: &'t str, comments: &'t [Comment], behind: usize) -> Self {
        Lines { out: String::new(), source, comments, behind, written: 0 }
    }

    /// Ends the current line, unless nothing is on it, and keeps one blank line where the source has some.
    fn begin(&mut self, start: usize, indent: usize) {
        if !self.out.is_empty() {
            self.out.push('\n');
            let between = self.source.get(self.behind..start).unwrap_or_default();
            if between.matches('\n').count() > 1 && !self.out.ends_with("{\n") {
                self.out.push('\n');
            }
        }
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    /// Writes what stands at `start` to `end` of the source, after the comments above it, and the one behind it.
    pub(super) fn item(&mut self, text: &str, start: usize, end: usize, indent: usize) {
        self.comments_until(start, indent);
        self.begin(start, indent);
        self.out.push_str(text);
        self.behind = self.behind.max(end);
        self.comment_behind();
    }

    /// Writes the comment that follows on the same line, if there is one.
    pub(super) fn comment_behind(&mut self) {
        let Some(comment) = self.comments.get(self.written) else { return };
        let between = self.source.get(self.behind..comment.start);
        let follows = between.is_some_and(|gap| gap.bytes().all(|b| matches!(b, b' ' | b'\t' | b')' | b'}' | b',')));
        if !comment.own_line && follows {
            self.out.push_str("  ");
            self.push_comment();
        }
    }

    /// Writes the comments up to an offset, each on its own line.
    pub(super) fn comments_until(&mut self, offset: usize, indent: usize) {
        while let Some(comment) = self.comments.get(self.written).filter(|comment| comment.start < offset) {
            self.begin(comment.start, indent);
            self.push_comment();
        }
    }

    fn push_comment(&mut self) {
        if let Some(comment) = self.comments.get(self.written) {
            self.out.push_str(self.source.get(comment.start..comment.end).unwrap_or_default().trim_end());
            self.behind = self.behind.max(comment.end);
            self.written += 1;
        }
    }
}
