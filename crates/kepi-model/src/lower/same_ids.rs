//! Whether two mappings give rows of one event the same ids, so that one row takes the place of another.

use crate::catalog::Placed;
use crate::declared::{SourceDecl, Target};
use kepi_syntax::ast::{Name, Part, Role, Source, SourceItem};
use kepi_syntax::{Code, Diagnostic};

/// A mapping that takes its ids from a column as they are.
struct Ids<'a> {
    stream: &'a str,
    column: &'a Name,
    source: &'a Source,
    file: u32,
    filtered: bool,
}

/// Warns where two mappings of one table, or tables of two files, fill one event with ids that are columns as they are. A
/// service beside a file is how a history is filled up, where the same id is the same row.
pub(super) fn lints(sources: &[(&Placed<Source>, SourceDecl)]) -> Vec<Diagnostic> {
    let mut known: Vec<Ids<'_>> = Vec::new();
    let mut found = Vec::new();
    for (placed, decl) in sources {
        // Of a source without mistakes each item has become a mapping.
        for (item, mapping) in placed.item.items.iter().zip(&decl.mappings) {
            let (SourceItem::Mapping(written), Target::Stream(stream)) = (item, &mapping.target) else { continue };
            let id = written.parts.iter().find_map(|part| match part {
                Part::Role { role: Role::Id, column } => Some(column),
                _ => None,
            });
            let Some(column) = id else { continue };
            let filtered = written.filter.is_some();
            let ids = Ids { stream, column, source: &placed.item, file: placed.file, filtered };
            if let Some(other) = known.iter().find(|other| collide(other, &ids)) {
                found.push(warning(other, &ids));
            }
            known.push(ids);
        }
    }
    found
}

fn collide(one: &Ids<'_>, other: &Ids<'_>) -> bool {
    if one.stream != other.stream {
        return false;
    }
    match one.source.name.text == other.source.name.text {
        // Two conditions may share the rows out between them.
        true => one.column.text == other.column.text && !(one.filtered && other.filtered),
        false => !one.source.from.contains(':') && !other.source.from.contains(':'),
    }
}

fn warning(one: &Ids<'_>, other: &Ids<'_>) -> Diagnostic {
    let (stream, column) = (crate::names::bare(other.stream), &other.column.text);
    let same = one.source.name.text == other.source.name.text;
    let message = if same {
        format!("`{stream}` is filled twice from one row with the same id, so that only one of the two is kept")
    } else {
        let (here, there) = (&other.source.name.text, &one.source.name.text);
        format!(
            "`{stream}` is also filled by `{there}`: a row of `{here}` with an id from there takes that row's place"
        )
    };
    let prefix = if same { stream } else { &other.source.name.text };
    let column = kepi_syntax::name_text(column);
    let help = format!("where these are different rows, make the ids differ: id = concat(\"{prefix}-\", {column})");
    let mut diagnostic = Diagnostic::warning(Code::LintSameIds, other.column.span, message).help(help);
    diagnostic.file = other.file;
    diagnostic
}
