//! Laws that hold for every tree: printing then parsing is the identity, formatting twice is formatting once.

use crate::{dump, random};
use kepi_syntax::ast::File;
use kepi_syntax::{expr_text, file_text, format_text, is_complete, parse_file, parse_query, query_text};
use proptest::prelude::*;

/// Parses a text that must be right, and returns its tree without places.
fn read(text: &str) -> Result<File, TestCaseError> {
    let (file, problems) = parse_file(text);
    prop_assert!(problems.is_empty(), "{problems:#?}\n{text}");
    Ok(file.without_spans())
}

/// As many cases as the environment asks for, else so many that the tests stay short.
fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(64), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn printed_expressions_parse_to_themselves(expr in random::expr()) {
        let text = expr_text(&expr);
        let (query, problems) = parse_query(&format!("show {text}"));
        prop_assert!(problems.is_empty(), "{problems:#?}\n{text}");
        let back = query.unwrap().items.remove(0).value.without_spans();
        prop_assert_eq!(dump::expr(&back), dump::expr(&expr), "{}", text);
        prop_assert_eq!(back, expr);
    }

    #[test]
    fn printed_queries_parse_to_themselves(query in random::query()) {
        let text = query_text(&query);
        prop_assert!(!text.contains('\n'));
        prop_assert!(is_complete(&text), "{}", text);
        let (back, problems) = parse_query(&text);
        prop_assert!(problems.is_empty(), "{problems:#?}\n{text}");
        prop_assert_eq!(back.unwrap().without_spans(), query, "{}", text);
    }

    #[test]
    fn printed_files_parse_to_themselves(file in random::file()) {
        let text = file_text(&file);
        let back = read(&text)?;
        prop_assert_eq!(dump::file(&back), dump::file(&file), "{}", text);
        prop_assert_eq!(back, file, "{}", text);
    }

    #[test]
    fn formatting_twice_is_formatting_once(file in random::file(), seed in any::<u64>()) {
        let text = with_comments(&file_text(&file), seed);
        let meaning = read(&text)?;
        let once = format_text(&text).unwrap();
        prop_assert_eq!(read(&once)?, meaning, "{}\n=>\n{}", text, once);
        prop_assert_eq!(once.matches("#!").count(), text.matches("#!").count(), "a comment is lost:\n{}\n=>\n{}", text, once);
        prop_assert_eq!(&format_text(&once).unwrap(), &once, "{}", text);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "[a-z0-9 .,:=+<>\"`#(){}\\[\\]\\-\n\u{0}-\u{ff}]{0,60}") {
        let _ = parse_file(&text);
        let _ = parse_query(&text);
        let _ = is_complete(&text);
        let _ = format_text(&text);
    }

    #[test]
    fn any_words_are_read_without_a_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..20)) {
        let text = words.join(" ");
        let _ = parse_query(&text);
        for problem in parse_file(&text).1 {
            prop_assert!(text.get(problem.span.start as usize..problem.span.end as usize).is_some());
        }
        let _ = is_complete(&text);
    }
}

const WORDS: &[&str] = &[
    "show",
    "metric",
    "event",
    "state",
    "source",
    "target",
    "report",
    "test",
    "x",
    "y",
    "=",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    "->",
    ":",
    "where",
    "by",
    "per",
    "of",
    "at",
    "from",
    "until",
    "last",
    "12",
    "months",
    "2025-03",
    "2026-01-01",
    "\"t\"",
    "case",
    "when",
    "then",
    "else",
    "+",
    "-",
    "not",
    "in",
    "is",
    "missing",
    "as",
    "with",
    "given",
    "expect",
    "gives",
    "on",
    "during",
    "reach",
    "\n",
    "# c\n",
    "## d\n",
    "merge",
    "into",
    "order",
    "limit",
    "vs",
    "previous",
];

/// Puts comments at the ends of lines and between them, where the seed says so.
fn with_comments(text: &str, seed: u64) -> String {
    let mut out = String::new();
    let mut bits = seed;
    for line in text.lines() {
        // A small generator of the same bits for the same seed.
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let choice = bits >> 61;
        if choice == 0 {
            out += "   #! above\n\n\n";
        }
        out += line;
        if choice == 1 && !line.trim_start().starts_with("##") {
            out += " #! behind";
        }
        out.push('\n');
    }
    out
}
