//! What the models behind a definition have learned, for `kepi describe`.

use crate::answer::Request;
use crate::api::EngineError;
use crate::engine::Engine;
use crate::otherwise;
use crate::plugin_calls::plugin_calls;
use crate::watch::Watch;
use kepi_exec::Learned;
use kepi_model::catalog::{Symbol, SymbolKind};
use kepi_syntax::{Severity, name_text, parse_query};
use std::sync::Arc;

impl Engine {
    /// Fits the models that a metric, or a dimension or segment of an entity, is made with, on all rows up to the request's
    /// now; each with its parameters, rows and what it tells of itself. Empty where it is made with none; its text is not read.
    ///
    /// Errors: as those of a query.
    pub fn learned(&self, name: &str, request: &Request) -> Result<Vec<Learned>, EngineError> {
        let model = self.model("")?;
        let Some(symbol) = model.catalog.find(name) else { return Ok(Vec::new()) };
        let now = model.now(&self.project, request.now)?;
        let Some(tree) = question(symbol).and_then(|text| parse_query(&text).0) else { return Ok(Vec::new()) };
        let (query, mistakes) = model.catalog.query_of(&symbol.module, &tree, now, 0);
        let functions = &model.plugins.functions;
        let Some(query) = query.filter(|_| mistakes.iter().all(|d| d.severity != Severity::Error)) else {
            return Ok(Vec::new());
        };
        if !plugin_calls(&query).iter().any(|name| functions.models.contains_key(*name)) {
            return Ok(Vec::new());
        }
        let options = self.run_options(request, &self.kept.as_of_now())?;
        let _watch = Watch::over(&model.plugins, &options.cancel);
        let data = self.snapshot(request.snapshot)? as Arc<dyn kepi_extension::EventScan>;
        let told = kepi_exec::explain(&query, data, functions, &options)
            .map_err(|error| otherwise::failed(&model, error, &options.cancel))?;
        Ok(told.learned)
    }
}

/// What is asked so that the models of a definition are fitted once.
fn question(symbol: &Symbol) -> Option<String> {
    let name = name_text(&symbol.name);
    match &symbol.kind {
        SymbolKind::Metric(d) if d.parameters.is_empty() => Some(format!("show {name}")),
        SymbolKind::Segment(d) if d.parameters.is_empty() => {
            Some(format!("show count({} where {name})", name_text(&d.of.as_ref()?.text)))
        }
        SymbolKind::Dimension(d) if d.parameters.is_empty() => {
            Some(format!("show count({} where {name} is known)", name_text(&d.of.as_ref()?.text)))
        }
        _ => None,
    }
}
