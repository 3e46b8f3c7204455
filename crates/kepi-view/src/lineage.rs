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
