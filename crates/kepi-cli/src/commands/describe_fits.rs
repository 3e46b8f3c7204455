//! What `kepi describe` says of the models behind a definition: what they learned, from how much, and how well it fits.

use kepi_engine::{Fit, Learned, grouped};
use kepi_view::inert;
use serde_json::{Value, json};

/// By what name a model warns.
const WARNING: &str = "warning";

/// A block for each model; empty without any.
pub(super) fn text(learned: &[Learned]) -> String {
    let mut out = String::new();
    for model in learned {
        out.push_str(&format!("\nfit of {}\n", inert(&model.text)));
        for fit in &model.fits {
            if !fit.of.is_empty() {
                out.push_str(&format!("  {}\n", inert(&fit.of)));
            }
            let mut facts = vec![("rows", grouped(fit.rows)), ("entities", grouped(fit.entities))];
            facts.extend(fit.diagnostics.iter().map(|(name, value)| (name.as_str(), value.clone())));
            let wide = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
            for (name, value) in facts {
                out.push_str(&format!("  {:wide$}  {}\n", inert(name), inert(&value)));
            }
        }
        if let Some(why) = &model.why {
            out.push_str(&format!("  not fitted: {}\n", inert(why)));
        }
    }
    out
}

/// The same for machines; warnings stand by themselves.
pub(super) fn value(learned: &[Learned]) -> Value {
    let fit = |fit: &Fit| {
        let pairs = fit.diagnostics.iter().filter(|(name, _)| name != WARNING);
        let warnings = fit.diagnostics.iter().filter(|(name, _)| name == WARNING).map(|(_, text)| text);
        json!({
            "of": fit.of,
            "rows": fit.rows,
            "entities": fit.entities,
            "diagnostics": pairs.map(|(name, value)| json!({"name": name, "value": value})).collect::<Vec<_>>(),
            "warnings": warnings.collect::<Vec<_>>(),
        })
    };
    let model = |model: &Learned| {
        let fits: Vec<Value> = model.fits.iter().map(fit).collect();
        json!({"model": model.text, "asked": model.cells, "missing": model.missing, "why": model.why, "fits": fits})
    };
    learned.iter().map(model).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fit_has_its_rows_its_parameters_and_its_warnings() {
        let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
        let diagnostics = vec![pair("r", "0.2430"), pair(WARNING, "b runs off\x1b")];
        let fit = Fit { of: "the rows up to 2026-02-28".to_string(), rows: 6_696, entities: 2_357, diagnostics };
        let model = Learned { text: "b.clv(…)".to_string(), cells: 1, fits: vec![fit], ..Learned::default() };
        let missing = Learned { text: "b.alive(…)".to_string(), cells: 1, missing: 1, ..Learned::default() };
        let learned = [model, Learned { why: Some("too little".to_string()), ..missing }];
        assert_eq!(
            text(&learned),
            "\nfit of b.clv(…)\n  the rows up to 2026-02-28\n  rows      6,696\n  entities  2,357\n  r         0.2430\n  \
             warning   b runs off␛\n\nfit of b.alive(…)\n  not fitted: too little\n"
        );
        let machine = value(&learned);
        assert_eq!(machine[0]["fits"][0]["diagnostics"], json!([{"name": "r", "value": "0.2430"}]));
        assert_eq!(machine[0]["fits"][0]["warnings"], json!(["b runs off\u{1b}"]));
        assert_eq!(machine[1]["why"], "too little");
        assert_eq!(text(&[]), "");
    }
}
