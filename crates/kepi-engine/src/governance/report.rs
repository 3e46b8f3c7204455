//! `kepi report`: the queries of a report, answered together.

use crate::answer::{Answer, Request};
use crate::api::EngineError;
use crate::engine::Engine;
use crate::otherwise;
use crate::watch::Watch;
use kepi_extension::EventScan;
use kepi_model::catalog::full_name;
use kepi_syntax::ast::ExprKind;
use std::sync::Arc;
use std::time::Instant;

/// A report that has been run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its name.
    pub name: String,
    /// Its title, where it has one.
    pub title: Option<String>,
    /// What its doc comment says.
    pub doc: Option<String>,
    /// The answers to its queries, in order.
    pub answers: Vec<Answer>,
}

impl Engine {
    /// Runs a report. Of the request, its moment, limits and cancellation count.
    pub fn report(&self, name: &str, request: &Request) -> Result<Report, EngineError> {
        let model = self.model("")?;
        let now = model.now(&self.project, request.now)?;
        let reports = model.catalog.reports();
        let named = |r: &&kepi_model::catalog::Placed<kepi_syntax::ast::Report>| {
            r.item.name.text == name || full_name(&r.module, &r.item.name.text) == name
        };
        let Some(placed) = reports.iter().find(named) else {
            let known: Vec<&str> = reports.iter().map(|r| r.item.name.text.as_str()).collect();
            let help = match known.as_slice() {
                [] => "the model declares none: `report monthly every month { show … }`".to_string(),
                known => format!("there are {}", known.join(", ")),
            };
            return Err(EngineError::usage(format!("there is no report `{name}`")).with_help(help));
        };
        let mut queries = Vec::new();
        let mut mistakes = Vec::new();
        for query in &placed.item.queries {
            let (lowered, diagnostics) = model.catalog.query_of(&placed.module, query, now, placed.file);
            match lowered {
                Some(lowered) => queries.push((lowered, diagnostics)),
                None => mistakes.extend(diagnostics),
            }
        }
        if !mistakes.is_empty() {
            return Err(model.text_error(mistakes));
        }
        let options = self.run_options(request, &self.kept.as_of_now())?;
        let snapshot = self.snapshot(request.snapshot)?;
        let _watch = Watch::over(&model.plugins, &options.cancel);
        let mut answers = Vec::new();
        for (query, warnings) in queries {
            let started = Instant::now();
            let data = Arc::clone(&snapshot) as Arc<dyn EventScan>;
            let frame = kepi_exec::run(&query, data, &model.plugins.functions, &options)
                .map_err(|error| otherwise::failed(&model, error, &options.cancel))?;
            answers.push(Answer::computed(&query, frame, warnings, started, EventScan::snapshot(snapshot.as_ref())));
        }
        let title = placed.item.with.iter().find(|p| p.name.text == "title").and_then(|p| match &p.value.kind {
            ExprKind::Text(text) => Some(text.clone()),
            _ => None,
        });
        Ok(Report { name: placed.item.name.text.clone(), title, doc: placed.doc.clone(), answers })
    }
}
