//! A mistake costs only its own statement.

use crate::dump;
use insta::assert_snapshot;
use kepi_syntax::{Code, parse_file};

/// What came back: the number and line of each message, then the statements that could be read.
fn read(text: &str) -> String {
    let (file, problems) = parse_file(text);
    let line = |at: u32| kepi_syntax::line_column(text, at as usize).0;
    let messages: Vec<String> =
        problems.iter().map(|p| format!("line {}: {}", line(p.span.start), p.message)).collect();
    format!("{}\n--\n{}", messages.join("\n"), dump::file(&file))
}

#[test]
fn five_mistakes_are_five_messages() {
    let text = "module crm\nmetric a = sum(x\nmetric b = 1 +\nmetric c = 2\nshow sum(y where) by z\nshow ok by\n\
                event e = first(f) per g\ncase\ntest \"t\" { }\n";
    assert_snapshot!(read(text));
    assert_eq!(parse_file(text).1.len(), 6);
}

#[test]
fn open_brackets_and_braces_end_at_the_next_definition() {
    assert_snapshot!(read(
        "entity a key id {\n  x: text\nevent b of a at t { y: text }\nshow f(g(\nshow h\nreport r {\n  show [1, 2\n\
         metric m = 3\n}\nmetric n = 4\nsource s from \"f\" {\n  e: at day,\n}\n\nstate t of a = from x for 3 days"
    ));
}

#[test]
fn stray_closing_brackets() {
    assert_snapshot!(read("metric a = 1)\nmetric b = 2\n}\nmetric c = 3\nshow ]\nshow d"));
}

#[test]
fn quotes_end_with_their_line() {
    assert_snapshot!(read("set a = \"open\nmetric b = `c d\nshow e = \"closed\""));
}

#[test]
fn comments_hide_nothing() {
    assert_snapshot!(read("# metric a = (\nmetric b = 1 # (\n## doc\n# ( \"\nmetric c = 2"));
}

#[test]
fn windows_line_ends_change_nothing() {
    let text = include_str!("corpus/vocabulary.kepi");
    let (unix, _) = parse_file(text);
    let (windows, problems) = parse_file(&text.replace('\n', "\r\n"));
    assert_eq!(problems, []);
    assert_eq!(dump::file(&unix), dump::file(&windows));
}

#[test]
fn endless_mistakes_are_cut_short_and_said() {
    let (_, problems) = parse_file(&"show )\n".repeat(1000));
    assert_eq!(problems.len(), kepi_syntax::MISTAKES_MAX + 1);
    assert_eq!(problems.last().unwrap().code, Code::TooLarge);
}

#[test]
fn every_prefix_and_every_cut_is_read_without_a_panic() {
    for corpus in [include_str!("corpus/queries.kepi"), include_str!("corpus/comments.kepi")] {
        let ends: Vec<usize> = corpus.char_indices().map(|(at, _)| at).collect();
        for at in ends.iter().step_by(7) {
            let _ = parse_file(&corpus[..*at]);
            let _ = kepi_syntax::is_complete(&corpus[*at..]);
        }
    }
}
