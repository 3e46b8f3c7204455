//! `kepi lineage`: what a definition is made of, and what is made of it.

use crate::args::{LineageArgs, LineageFormat};
use crate::context::Context;
use crate::failure::Failure;
use kepi_view::{lineage_dot, lineage_json, lineage_mermaid, lineage_text};

pub(crate) fn run(context: &Context, args: &LineageArgs) -> Result<(), Failure> {
    let report = context.engine()?.lineage(&args.name)?;
    let text = match args.format {
        LineageFormat::Text => lineage_text(&report),
        LineageFormat::Json => lineage_json(&report),
        LineageFormat::Dot => lineage_dot(&report),
        LineageFormat::Mermaid => lineage_mermaid(&report),
    };
    context.terminal.data(text.as_bytes())
}
