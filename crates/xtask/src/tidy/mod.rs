//! What compiler and linter do not see: arrows between crates, licences, stubs, stale documents, lost snapshots.

mod arrows;
mod editors;
mod files;
mod licences;
mod pages;
mod snapshots;
mod words;

use crate::{docs, metadata};
use std::path::Path;

/// `tidy`: tells everything that is wrong, then fails if something was.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), String> {
    if let Some(argument) = arguments.first() {
        return Err(format!("{argument} is not known; there are no options"));
    }
    let files = files::all(root)?;
    let own = metadata::own(root)?;
    let mut problems = arrows::problems(&own);
    problems.extend(pages::problems(root, &files, &own));
    problems.extend(words::problems(&files));
    problems.extend(snapshots::problems(&files));
    problems.extend(docs::stale(root));
    problems.extend(editors::problems(root)?);
    problems.extend(licences::problems(root, &metadata::all(root)?)?);
    for warning in words::warnings(&files) {
        println!("worth a look: {warning}");
    }
    for problem in &problems {
        println!("{problem}");
    }
    match problems.len() {
        0 => Ok(()),
        1 => Err("1 thing has to be mended".to_string()),
        many => Err(format!("{many} things have to be mended")),
    }
}
