//! A small pretty-printer: text with places where a line may break, after Wadler.

/// How wide a line may be, in characters.
pub(crate) const WIDTH: usize = 100;

/// A text that knows where its lines may break.
#[derive(Clone, Debug)]
pub(crate) enum Doc {
    /// Text without a line end.
    Text(String),
    /// A blank, or a new line where the group around it does not fit.
    Line,
    /// Nothing, or a new line where the group around it does not fit.
    Soft,
    /// Further to the right where lines break inside.
    Nest(usize, Box<Doc>),
    /// On one line if it fits; else all its own breaks are taken.
    Group(Box<Doc>),
    /// One after the other.
    Cat(Vec<Doc>),
}

impl Doc {
    pub(crate) fn text(text: impl Into<String>) -> Doc {
        Doc::Text(text.into())
    }

    pub(crate) fn nest(by: usize, doc: Doc) -> Doc {
        Doc::Nest(by, Box::new(doc))
    }

    pub(crate) fn group(doc: Doc) -> Doc {
        Doc::Group(Box::new(doc))
    }

    /// Puts parts side by side with commas; a line breaks only before a part that does not fit.
    pub(crate) fn fill(parts: impl IntoIterator<Item = Doc>) -> Doc {
        let mut all = Vec::new();
        for part in parts {
            if all.is_empty() {
                all.push(part);
            } else {
                all.push(Doc::text(","));
                all.push(Doc::group(Doc::Cat(vec![Doc::Line, part])));
            }
        }
        Doc::Cat(all)
    }

    /// Writes everything on one line.
    pub(crate) fn flat(&self) -> String {
        let mut out = String::new();
        let mut stack = vec![self];
        while let Some(doc) = stack.pop() {
            match doc {
                Doc::Text(text) => out.push_str(text),
                Doc::Line => out.push(' '),
                Doc::Soft => {}
                Doc::Nest(_, inner) | Doc::Group(inner) => stack.push(inner),
                Doc::Cat(parts) => stack.extend(parts.iter().rev()),
            }
        }
        out
    }

    /// Writes it with line breaks where it is too wide; it begins at `column`, broken lines at `indent`.
    pub(crate) fn broken(&self, indent: usize, column: usize) -> String {
        let mut out = String::new();
        let mut column = column;
        let mut stack = vec![(indent, false, self)];
        while let Some((indent, flat, doc)) = stack.pop() {
            match doc {
                Doc::Text(text) => {
                    out.push_str(text);
                    column += text.chars().count();
                }
                Doc::Line if flat => {
                    out.push(' ');
                    column += 1;
                }
                Doc::Soft if flat => {}
                Doc::Line | Doc::Soft => {
                    out.push('\n');
                    out.extend(std::iter::repeat_n(' ', indent));
                    column = indent;
                }
                Doc::Nest(by, inner) => stack.push((indent + by, flat, inner)),
                Doc::Group(inner) => {
                    let flat = flat || fits(inner, column, &stack);
                    stack.push((indent, flat, inner));
                }
                Doc::Cat(parts) => stack.extend(parts.iter().rev().map(|part| (indent, flat, part))),
            }
        }
        out
    }
}

/// Whether the document fits flat on the rest of the line, with what follows it up to the next possible break.
fn fits(doc: &Doc, column: usize, rest: &[(usize, bool, &Doc)]) -> bool {
    let mut left = WIDTH.saturating_sub(column);
    let mut inside = vec![(true, doc)];
    let mut rest = rest.iter().rev();
    loop {
        let (flat, doc) = match inside.pop() {
            Some(next) => next,
            None => match rest.next() {
                Some((_, flat, doc)) => (*flat, *doc),
                None => return true,
            },
        };
        let width = match doc {
            Doc::Text(text) => text.chars().count(),
            Doc::Line if flat => 1,
            Doc::Soft if flat => 0,
            Doc::Line | Doc::Soft => return true,
            Doc::Nest(_, inner) | Doc::Group(inner) => {
                inside.push((flat, inner));
                0
            }
            Doc::Cat(parts) => {
                inside.extend(parts.iter().rev().map(|part| (flat, part)));
                0
            }
        };
        match left.checked_sub(width) {
            Some(less) => left = less,
            None => return false,
        }
    }
}
