//! Messages about texts: a graphical report for people, JSON for editors and scripts.

use crate::Look;
use crate::excerpt::{Excerpt, position};
use crate::text::inert;
use kepi_engine::{Diagnostic, Severity, SourceText, Span};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan};
use serde_json::{Map, Value, json};
use std::fmt;

/// How many messages are shown in full; the rest are counted.
const SHOWN_MAX: usize = 50;
const WIDTH: usize = 100;

/// Writes messages for people: each with its code, its place underlined, what is wrong and the repair.
///
/// `texts` are what `Diagnostic::file` counts in; a message about a text that is not there is shown without a place.
pub fn diagnostics_report(texts: &[SourceText], diagnostics: &[Diagnostic], look: Look) -> String {
    let theme = if look.colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .with_context_lines(1)
        .with_break_words(false)
        .with_width(look.width.unwrap_or(WIDTH).clamp(40, 160));
    let mut out = String::new();
    for (index, diagnostic) in diagnostics.iter().take(SHOWN_MAX).enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let report = Report::new(texts, diagnostic);
        if handler.render_report(&mut out, &report).is_err() {
            // The report cannot draw it; the words alone always can be.
            out.push_str(&format!("{}: {}\n", diagnostic.code, inert(&diagnostic.message)));
        }
    }
    let out: Vec<&str> = out.lines().map(str::trim_end).collect();
    let mut out = out.join("\n");
    if !out.is_empty() {
        out.push('\n');
    }
    if let Some(more) = diagnostics.len().checked_sub(SHOWN_MAX).filter(|&more| more > 0) {
        out.push_str(&format!("\n… and {more} more\n"));
    }
    out
}

struct Report {
    code: String,
    severity: Severity,
    message: String,
    help: Option<String>,
    excerpt: Option<Excerpt>,
}

impl Report {
    fn new(texts: &[SourceText], diagnostic: &Diagnostic) -> Report {
        let text = texts.get(diagnostic.file as usize);
        let excerpt = text.map(|t| Excerpt::around(&t.path.to_string_lossy(), &t.text, diagnostic.span));
        let mut help: Vec<String> = diagnostic.help.iter().map(|h| inert(h).into_owned()).collect();
        for (span, words) in &diagnostic.related {
            let line = text.map_or(0, |t| position(&t.text, span.start as usize).0);
            help.push(format!("line {line}: {}", inert(words)));
        }
        Report {
            code: diagnostic.code.to_string(),
            severity: diagnostic.severity,
            message: inert(&diagnostic.message).into_owned(),
            help: (!help.is_empty()).then(|| help.join("\n")),
            excerpt,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)
    }
}

impl std::error::Error for Report {}

impl miette::Diagnostic for Report {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.excerpt.as_ref().map(|excerpt| excerpt as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.excerpt.as_ref()?.place.clone();
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(None, (place.start, place.len())))))
    }
}

/// Writes messages as JSON, schema 1: file, line and column (from 1, in characters), byte offsets, message, repair.
pub fn diagnostics_json(texts: &[SourceText], diagnostics: &[Diagnostic], definitions: usize) -> String {
    let messages: Vec<Value> = diagnostics
        .iter()
        .map(|diagnostic| {
            let file = texts.get(diagnostic.file as usize);
            let mut message = place(file, diagnostic.span);
            message.insert("code".to_string(), json!(diagnostic.code.to_string()));
            message.insert("severity".to_string(), json!(diagnostic.severity));
            message.insert("file".to_string(), json!(file.map(|t| t.path.to_string_lossy())));
            message.insert("message".to_string(), json!(diagnostic.message));
            message.insert("help".to_string(), json!(diagnostic.help));
            let related = diagnostic.related.iter().map(|(span, text)| {
                let mut related = place(file, *span);
                related.insert("text".to_string(), json!(text));
                Value::Object(related)
            });
            message.insert("related".to_string(), related.collect());
            Value::Object(message)
        })
        .collect();
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    let all = json!({
        "schema": 1,
        "definitions": definitions,
        "errors": errors,
        "warnings": diagnostics.len() - errors,
        "diagnostics": messages,
    });
    format!("{all:#}\n")
}

/// Where a span lies: lines and columns from 1, columns in characters, and its bytes.
fn place(file: Option<&SourceText>, span: Span) -> Map<String, Value> {
    let (line, column) = file.map_or((1, 1), |t| position(&t.text, span.start as usize));
    let (end_line, end_column) = file.map_or((1, 1), |t| position(&t.text, span.end as usize));
    let numbers = [
        ("line", line),
        ("column", column),
        ("end_line", end_line),
        ("end_column", end_column),
        ("start", span.start as usize),
        ("end", span.end as usize),
    ];
    numbers.into_iter().map(|(name, number)| (name.to_string(), json!(number))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;
    use kepi_engine::Code;

    fn text(path: &str, text: &str) -> SourceText {
        SourceText { path: path.into(), text: text.to_string() }
    }

    fn mistake(source: &str, at: &str) -> Diagnostic {
        let start = source.find(at).unwrap_or(0);
        Diagnostic::error(
            Code::UnknownName,
            Span::new(start, start + at.len()),
            format!("`{at}` is unknown; did you mean `revenue`?"),
        )
    }

    #[test]
    fn several_mistakes_are_underlined_in_their_files() {
        let model = "module crm\nmeasure revenue = orders.amount\nmetric total : money = sum(revenu)\n";
        let query = "show sum(ravenue)";
        let texts = [text("model/main.kepi", model), text("query", query)];
        let diagnostics = [
            mistake(model, "revenu)").help("write `sum(revenue)`"),
            Diagnostic { file: 1, ..mistake(query, "ravenue") },
            Diagnostic::warning(Code::LintNoDoc, Span::new(43, 48), "metric `total` says nothing about itself")
                .related(Span::new(0, 6), "its module"),
        ];
        assert_snapshot!(diagnostics_report(&texts, &diagnostics, Look::default()));
        assert_snapshot!(diagnostics_json(&texts, &diagnostics, 2));
    }

    #[test]
    fn a_place_in_a_huge_line_is_shown_with_its_surroundings() {
        let source = format!("show {}revenu{}", "(".repeat(100_000), ")".repeat(100_000));
        let report = diagnostics_report(&[text("query", &source)], &[mistake(&source, "revenu")], Look::default());
        assert!(report.contains("query:1:100006"), "{report}");
        assert!(report.len() < 4_000, "{} bytes", report.len());
    }

    #[test]
    fn escape_codes_in_a_text_are_shown() {
        let source = "show \x1b[31mrevenu";
        let report = diagnostics_report(&[text("a\x1b]0;x", source)], &[mistake(source, "revenu")], Look::default());
        assert!(!report.contains('\x1b') && report.contains("␛[31mrevenu"), "{report}");
    }

    #[test]
    fn places_beyond_the_text_are_no_panic() {
        for (source, start, end) in [("", 0, 9), ("añ", 2, 99), ("a\n", 2, 2), ("ab", 9, 3)] {
            let diagnostic = Diagnostic::error(Code::Syntax, Span::new(start, end), "expected a name");
            let report = diagnostics_report(&[text("query", source)], &[diagnostic], Look::default());
            assert!(report.contains("expected a name"), "{report}");
        }
        let nowhere = Diagnostic { file: 7, ..mistake("x", "x") };
        assert!(diagnostics_report(&[], &[nowhere], Look::default()).contains("unknown"));
    }
}
