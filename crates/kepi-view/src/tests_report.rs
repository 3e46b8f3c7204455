//! What `kepi test` says: a line per test, and of those that fail what was given, wanted and got.

use crate::formats::find_format;
use crate::text::inert;
use crate::{Look, ViewError, diagnostics_report};
use kepi_engine::{ExpectReport, TestReport, TestResult};

/// The report for people.
pub fn test_report(report: &TestReport, look: Look) -> Result<String, ViewError> {
    let mut out = String::new();
    for test in &report.tests {
        let path = report.texts.get(test.file as usize).map(|t| t.path.display().to_string()).unwrap_or_default();
        let text = report.texts.get(test.file as usize).map_or("", |t| t.text.as_str());
        let line = text.get(..test.span.start as usize).map_or(1, |before| before.matches('\n').count() + 1);
        let mark = if test.passed() { "ok  " } else { "FAIL" };
        out.push_str(&format!("{mark}  {}  ({path}:{line})\n", inert(&test.title)));
        if !test.passed() {
            failed(&mut out, report, test, look)?;
        }
    }
    Ok(out)
}

fn failed(out: &mut String, report: &TestReport, test: &TestResult, look: Look) -> Result<(), ViewError> {
    if !test.mistakes.is_empty() {
        indent(out, diagnostics_report(&report.texts, &test.mistakes, look).trim_end());
        return Ok(());
    }
    for given in &test.given {
        indent_words(out, "given", given.strip_prefix("given").unwrap_or(given).trim_start());
    }
    if let Some(failure) = &test.failure {
        indent_words(out, "failed", failure);
    }
    for expect in test.expects.iter().filter(|e| e.difference.is_some()) {
        unmet(out, expect)?;
    }
    Ok(())
}

fn unmet(out: &mut String, expect: &ExpectReport) -> Result<(), ViewError> {
    indent_words(out, "expect", &expect.query);
    indent_words(out, "wanted", &expect.wanted.join("\n"));
    if let Some(answer) = &expect.got {
        let table = find_format("table").map(|format| (format.write)(std::slice::from_ref(&**answer), Look::default()));
        if let Ok(bytes) = table {
            indent_words(out, "got", String::from_utf8_lossy(&bytes?).trim_end());
        }
    }
    if let Some(difference) = &expect.difference {
        indent_words(out, "since", difference);
    }
    Ok(())
}

fn indent(out: &mut String, text: &str) {
    for line in text.lines() {
        out.push_str(&format!("      {line}\n"));
    }
}

/// A word, and lines beside it.
fn indent_words(out: &mut String, word: &str, text: &str) {
    for (number, line) in text.lines().enumerate() {
        let word = if number == 0 { word } else { "" };
        out.push_str(&format!("      {word:<7} {}\n", inert(line.trim_end())));
    }
}
