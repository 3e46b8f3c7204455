//! `kepi lineage`: what a definition is made of, and what is made of it.

use crate::api::EngineError;
use crate::engine::Engine;
use crate::model::Model;
use kepi_model::lineage::Lineage;
use std::collections::BTreeSet;

/// What a definition is made of, and what is made of it.
#[derive(Clone, Debug)]
pub struct LineageReport {
    /// The definition's full name.
    pub name: String,
    /// Everything on the way, by name.
    pub nodes: Vec<LineageItem>,
    /// From what uses to what is used, both by number in `nodes`.
    pub edges: Vec<(usize, usize)>,
}

/// Something on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineageItem {
    /// Its full name; of a field with its owner, of a file its path.
    pub name: String,
    /// metric, event, field, source, file …
    pub kind: String,
    /// The file that declares it and the line, where one does.
    pub place: Option<(String, usize)>,
}

impl Engine {
    /// What a definition is made of, down to fields, sources and files, and what is made of it.
    pub fn lineage(&self, name: &str) -> Result<LineageReport, EngineError> {
        let model = self.model("")?;
        let lineage = graph(&model);
        let name = full(&lineage, &model, name)?;
        let chosen: BTreeSet<String> = lineage.upstream(&name).union(&lineage.downstream(&name)).cloned().collect();
        let nodes: Vec<LineageItem> = chosen
            .iter()
            .filter_map(|name| lineage.nodes.get(name))
            .map(|node| LineageItem {
                name: node.name.clone(),
                kind: node.kind.clone(),
                place: node.place.and_then(|(file, span)| place(&model, file, span.start as usize)),
            })
            .collect();
        let number = |name: &str| nodes.iter().position(|n| n.name == name);
        let edges = lineage.edges.iter().filter_map(|(from, to)| number(from).zip(number(to))).collect();
        Ok(LineageReport { name, nodes, edges })
    }
}

/// The whole graph of a model.
pub(super) fn graph(model: &Model) -> Lineage {
    Lineage::of(&model.files, &model.catalog)
}

/// The full name of something in the graph: as typed, with its module, or with its kind (`source`, `target`, `report`).
pub(super) fn full(lineage: &Lineage, model: &Model, name: &str) -> Result<String, EngineError> {
    let declared = model.catalog.find(name).map(|symbol| symbol.full_name());
    let kinds = ["source", "target", "report"].map(|kind| format!("{kind} {name}"));
    let known = declared.into_iter().chain([name.to_string()]).chain(kinds);
    known.into_iter().find(|name| lineage.nodes.contains_key(name)).ok_or_else(|| {
        EngineError::failed(format!("nothing is called `{name}`")).with_help("`kepi list` shows what there is")
    })
}

fn place(model: &Model, file: u32, start: usize) -> Option<(String, usize)> {
    let source = model.texts.get(file as usize)?;
    let line = source.text.get(..start)?.matches('\n').count() + 1;
    Some((source.path.display().to_string(), line))
}
