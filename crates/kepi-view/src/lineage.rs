//! Lineage as a tree of text, as JSON, and as graphs for Graphviz and Mermaid; how a definition changed.

use crate::ViewError;
use crate::formats::json_text;
use crate::grid::grid;
use crate::text::{inert, width};
use kepi_engine::{Answer, DefinitionDiff, LineageReport};

/// The tree of what the definition is made of, then the tree of what is made of it. What stands twice is told once.
pub fn lineage_text(report: &LineageReport) -> String {
    let mut out = String::new();
    let Some(root) = report.nodes.iter().position(|n| n.name == report.name) else { return out };
    let uses = |node: usize| report.edges.iter().filter(move |e| e.0 == node).map(|e| e.1).collect::<Vec<_>>();
    let used = |node: usize| report.edges.iter().filter(move |e| e.1 == node).map(|e| e.0).collect::<Vec<_>>();
    tree(&mut out, report, root, &uses);
    if !used(root).is_empty() {
        out.push_str("\nused by\n");
        let mut told = vec![root];
        for next in used(root) {
            branch(&mut out, report, next, 1, &used, &mut told);
        }
    }
    out
}

fn tree(out: &mut String, report: &LineageReport, root: usize, next: &dyn Fn(usize) -> Vec<usize>) {
    let mut told = Vec::new();
    branch(out, report, root, 0, next, &mut told);
}

fn branch(
    out: &mut String,
    report: &LineageReport,
    node: usize,
    depth: usize,
    next: &dyn Fn(usize) -> Vec<usize>,
    told: &mut Vec<usize>,
) {
    let item = &report.nodes[node];
    let place = item.place.as_ref().map(|(file, line)| format!("  ({file}:{line})")).unwrap_or_default();
    let again = told.contains(&node);
    let more = if again && !next(node).is_empty() { " …" } else { "" };
    let name = if item.kind == "test" { item.name.clone() } else { format!("{} {}", item.kind, bare(&item.name)) };
    out.push_str(&format!("{}{}{more}{place}\n", "  ".repeat(depth), inert(&name)));
    if again {
        return;
    }
    told.push(node);
    for inner in next(node) {
        branch(out, report, inner, depth + 1, next, told);
    }
}

/// A name without the kind that a source, a target or a report has in front.
fn bare(name: &str) -> &str {
    ["source ", "target ", "report "].iter().find_map(|kind| name.strip_prefix(kind)).unwrap_or(name)
}

/// The graph as JSON: `nodes` (name, kind, file, line) and `edges` (from what uses to what is used, by name).
pub fn lineage_json(report: &LineageReport) -> String {
    let quoted = |text: &str| {
        let mut out = String::new();
        json_text(&mut out, text);
        out
    };
    let nodes: Vec<String> = report
        .nodes
        .iter()
        .map(|n| {
            let place = n
                .place
                .as_ref()
                .map_or(String::new(), |(file, line)| format!(", \"file\": {}, \"line\": {line}", quoted(file)));
            format!("    {{\"name\": {}, \"kind\": {}{place}}}", quoted(bare(&n.name)), quoted(&n.kind))
        })
        .collect();
    let edges: Vec<String> = report
        .edges
        .iter()
        .map(|(from, to)| {
            let name = |i: &usize| quoted(bare(&report.nodes[*i].name));
            format!("    {{\"from\": {}, \"to\": {}}}", name(from), name(to))
        })
        .collect();
    format!(
        "{{\n  \"name\": {},\n  \"nodes\": [\n{}\n  ],\n  \"edges\": [\n{}\n  ]\n}}\n",
        quoted(&report.name),
        nodes.join(",\n"),
        edges.join(",\n")
    )
}

/// The graph in the language of Graphviz.
pub fn lineage_dot(report: &LineageReport) -> String {
    let quoted = |text: &str| format!("\"{}\"", inert(text).replace('\\', "\\\\").replace('"', "\\\""));
    let mut out = String::from("digraph lineage {\n  rankdir = LR;\n  node [shape = box];\n");
    for (number, node) in report.nodes.iter().enumerate() {
        let label = quoted(&format!("{} ({})", bare(&node.name), node.kind));
        out.push_str(&format!("  n{number} [label = {label}];\n"));
    }
    for (from, to) in &report.edges {
        out.push_str(&format!("  n{from} -> n{to};\n"));
    }
    out + "}\n"
}

/// The graph in the language of Mermaid.
pub fn lineage_mermaid(report: &LineageReport) -> String {
    let mut out = String::from("graph LR\n");
    for (number, node) in report.nodes.iter().enumerate() {
        let label = format!("{} ({})", bare(&node.name), node.kind);
        let label = inert(&label).replace('"', "#quot;");
        out.push_str(&format!("  n{number}[\"{label}\"]\n"));
    }
    for (from, to) in &report.edges {
        out.push_str(&format!("  n{from} --> n{to}\n"));
    }
    out
}

/// How a definition changed: the statements that differ, and the values of both.
pub fn definition_diff(diff: &DefinitionDiff) -> Result<String, ViewError> {
    let mut out = format!("{}  {}\n", inert(&diff.name), diff.hash);
    let Some(before) = &diff.before else { return Ok(out) };
    out.push_str(&format!("before: {}, by {} on {}\n\n", before.hash, inert(&before.author), inert(&before.at)));
    for (_, old, new) in &diff.changed {
        for (sign, text) in [('-', old), ('+', new)] {
            for line in text.iter().flat_map(|text| text.lines()) {
                out.push_str(&format!("{sign} {}\n", inert(line)));
            }
        }
        out.push('\n');
    }
    if diff.changed.is_empty() {
        out.push_str("the definitions are the same; a setting (time zone, currency, calendar) changed\n\n");
    }
    if let Some((old, new)) = &diff.values {
        values(&mut out, old, new)?;
    }
    Ok(out)
}

/// The values beside each other, period by period.
fn values(out: &mut String, old: &Answer, new: &Answer) -> Result<(), ViewError> {
    let (old, new) = (grid(old)?, grid(new)?);
    let (Some(periods), Some(before), Some(now)) = (new.columns.first(), old.columns.last(), new.columns.last()) else {
        return Ok(());
    };
    let mut rows = vec![[periods.header.clone(), "before".to_string(), "now".to_string(), String::new()]];
    for row in 0..new.height {
        let period = &periods.cells[row].text;
        let same = old.columns.first().and_then(|c| c.cells.iter().position(|cell| cell.text == *period));
        let was = same.map(|row| before.cells[row].text.clone()).unwrap_or_default();
        let is = now.cells[row].text.clone();
        let mark = if was == is { "" } else { "≠" };
        rows.push([period.clone(), was, is, mark.to_string()]);
    }
    let wide = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
    let widths = [wide(0), wide(1), wide(2)];
    for row in &rows {
        let blanks = |column: usize| " ".repeat(widths[column].saturating_sub(width(&row[column])));
        let line = format!("{}{}  {}{}  {}{}  {}", row[0], blanks(0), blanks(1), row[1], blanks(2), row[2], row[3]);
        out.push_str(line.trim_end());
        out.push('\n');
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.

    use super::*;
    use insta::assert_snapshot;
    use kepi_engine::{LineageItem, Recorded};

    /// A ratio of two events of one entity; a target and a test upon it, with names that mean something elsewhere.
    fn report() -> LineageReport {
        let item = |name: &str, kind: &str, line: usize| LineageItem {
            name: name.to_string(),
            kind: kind.to_string(),
            place: (line > 0).then(|| ("model/crm.kepi".to_string(), line)),
        };
        let nodes = vec![
            item("cac", "metric", 9),
            item("orders", "event", 2),
            item("spend", "event", 3),
            item("customer", "entity", 1),
            item("source book", "source", 12),
            item("orders \"new\".csv", "file", 0),
            item("target goal", "target", 20),
            item("test \"it [holds]\"", "test", 30),
        ];
        let edges = vec![(0, 1), (0, 2), (1, 3), (2, 3), (1, 4), (4, 5), (6, 0), (7, 0)];
        LineageReport { name: "cac".to_string(), nodes, edges }
    }

    #[test]
    fn trees_tell_everything_once() {
        let text = lineage_text(&report());
        assert_snapshot!(text);
        assert_eq!(text.matches("source book").count(), 1);
    }

    #[test]
    fn graphs_name_every_node_and_arrow() {
        assert_snapshot!(lineage_dot(&report()));
        assert_snapshot!(lineage_mermaid(&report()));
        let json: serde_json::Value = serde_json::from_str(&lineage_json(&report())).unwrap();
        assert_eq!(json["nodes"].as_array().unwrap().len(), 8);
        assert_eq!(json["edges"][5], serde_json::json!({ "from": "book", "to": "orders \"new\".csv" }));
        assert_eq!(json["nodes"][0]["line"], 9);
    }

    #[test]
    fn a_change_shows_both_texts() {
        let before = Recorded {
            name: "cac".to_string(),
            hash: "0123".to_string(),
            author: "ada".to_string(),
            at: "2026-03-01T00:00:00Z".to_string(),
            statements: Default::default(),
        };
        let changed = vec![
            (
                "cac".to_string(),
                Some("metric cac = a\n  with owner = \"x\"".to_string()),
                Some("metric cac = b".to_string()),
            ),
            ("gone".to_string(), Some("segment gone of a = b".to_string()), None),
        ];
        let diff = DefinitionDiff {
            name: "cac".to_string(),
            hash: "4567".to_string(),
            before: Some(before.clone()),
            changed,
            values: None,
            without: None,
        };
        assert_snapshot!(definition_diff(&diff).unwrap());
        let same = DefinitionDiff { changed: Vec::new(), ..diff.clone() };
        assert!(definition_diff(&same).unwrap().contains("a setting"), "a change without a text is explained");
        assert_eq!(definition_diff(&DefinitionDiff { before: None, ..diff }).unwrap(), "cac  4567\n");
    }

    #[test]
    fn values_stand_beside_each_other_where_they_differ_with_a_mark() {
        // January and February, a row each.
        let mut both = crate::samples::answers().swap_remove(0);
        both.frame.rows = both.frame.rows.slice(1, 2);
        let mut out = String::new();
        values(&mut out, &both, &both).unwrap();
        assert_eq!(out.lines().count(), 3, "{out}");
        assert!(!out.contains('≠'), "{out}");
        let mut january = both.clone();
        january.frame.rows = january.frame.rows.slice(0, 1);
        let mut fewer = String::new();
        values(&mut fewer, &january, &both).unwrap();
        assert_eq!(fewer.lines().filter(|line| line.ends_with('≠')).count(), 1, "{fewer}");
    }
}
