//! Messages: every known mistake, what is said about it, and where.

use insta::assert_snapshot;
use kepi_syntax::{Code, Diagnostic, line_column, parse_file, parse_query};
use std::fmt::Write;

/// Writes a message as a person sees it: number, words, the place underlined, the repair.
pub(crate) fn rendered(text: &str, problem: &Diagnostic) -> String {
    let (line, column) = line_column(text, problem.span.start as usize);
    let source = text.lines().nth(line - 1).unwrap_or_default();
    let inside = text.get(problem.span.start as usize..problem.span.end as usize).unwrap();
    let width = inside.lines().next().map_or(1, |first| first.chars().count().max(1));
    let mut out = format!(
        "{} {}\n  {source}\n  {}{}\n",
        problem.code,
        problem.message,
        " ".repeat(column - 1),
        "^".repeat(width)
    );
    if let Some(help) = &problem.help {
        writeln!(out, "  help: {help}").unwrap();
    }
    out
}

fn all(text: &str) -> String {
    parse_file(text).1.iter().map(|problem| rendered(text, problem)).collect()
}

/// The cases of the file, each with its title and its text.
fn rejects() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("rejects.txt").split("\n---\n").map(|case| {
        let (title, text) = case.trim().split_once('\n').unwrap();
        (title.trim_start_matches("# "), text)
    })
}

#[test]
fn rejected_texts() {
    let mut out = String::new();
    for (title, text) in rejects().filter(|(title, _)| !title.starts_with("semantic:")) {
        let (_, problems) = parse_file(text);
        assert!(!problems.is_empty(), "{title}: must be refused");
        assert!(problems.iter().all(|problem| problem.help.is_some()), "{title}: must have a repair");
        writeln!(out, "# {title}\n{}", all(text)).unwrap();
    }
    assert_snapshot!(out);
}

#[test]
fn what_needs_names_and_types_to_be_wrong_parses() {
    for (title, text) in rejects().filter(|(title, _)| title.starts_with("semantic:")) {
        let (file, problems) = parse_file(text);
        let expected = match title {
            "semantic: a clause twice" => vec![Code::ClauseTwice],
            "semantic: no such day" => vec![Code::NoSuchDay],
            _ => vec![],
        };
        assert_eq!(problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), expected, "{title}");
        assert!(!file.statements.is_empty(), "{title}");
    }
}

#[test]
fn dates_and_clauses() {
    assert_snapshot!(all(
        "show a during 2025-13 vs 2025-Q5, fiscal.2025-W54\nshow a = 2026-02-30 since 2025-01-01T25:00\n\
         show a where b where c last 3 days this year limit 2 limit 3 in USD in EUR\n\
         test \"t\" { given now 2026-04-31 given now 2026-04-30 expect a gives 1 }\nshow a limit 2.5"
    ));
}

#[test]
fn other_languages_and_word_processors() {
    assert_snapshot!(all(
        "show a where b && c\nshow a where b <> c\nshow a where b = 'EU'\nshow a where b = “EU”\nshow a ÷ b\n\
         show a group by b\nshow a;\nshow a WHERE b = 1\nshow sum(a by b\nshow a where b in (1, 2)\nshow $5\n\
         show a where b => 1\nshow case a when 1 then 2\nshow a vs\nshow a per\nshow sum(a over)"
    ));
}

#[test]
fn half_definitions() {
    assert_snapshot!(all(
        "entity customer key id { id: text, name: text }\nmetric x\nmetric y of orders = 1\nevent e of c at t {\n\
         target t on x during 2026\ntarget t during 2026 reach 5\ntest t { expect a gives 1 }\n\
         calendar c = year starts april\nmetric case = 1\nsegment s of c = a as b\nuse plugin acme\nmodule\n\
         dimension d of e = f last 3 months\nmeasure m = a by b\nreport by { show a }\nstate s of c = from a until"
    ));
}

#[test]
fn one_query_alone() {
    let mut out = String::new();
    for text in ["", "  # only a comment", "metric x = 1", "show a show b", "cac by", "show a\n\nshow b"] {
        let (_, problems) = parse_query(text);
        writeln!(out, "> {text}").unwrap();
        out.extend(problems.iter().map(|problem| rendered(text, problem)));
    }
    assert_snapshot!(out);
}

#[test]
fn no_message_shows_a_rule_of_the_grammar() {
    // Cutting every sentence of the corpus after every token meets each place where a rule may fail.
    let rules = include_str!("../../../../grammar/kepi.pest");
    let names: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.split(" =").next())
        .map(str::trim)
        .filter(|name| name.contains('_') && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .collect();
    assert!(names.len() > 20);
    for corpus in [include_str!("corpus/queries.kepi"), include_str!("corpus/vocabulary.kepi")] {
        for line in corpus.lines() {
            for (at, _) in line.match_indices([' ', '(', ')', ',']) {
                for problem in parse_file(&line[..at]).1.into_iter().chain(parse_file(&format!("{} @", &line[..at])).1)
                {
                    let said = format!("{} {}", problem.message, problem.help.unwrap_or_default());
                    let shown = names
                        .iter()
                        .find(|name| said.split(|c: char| c != '_' && !c.is_alphabetic()).any(|word| word == **name));
                    assert!(shown.is_none() || line.contains(shown.unwrap()), "{said}");
                }
            }
        }
    }
}

#[test]
fn habits_and_slips() {
    let texts = "show count(*)\nshow count(distinct orders.customer)\nshow a by b order by a descending\nshow a by b sort by a\n\
         show count(a where b like \"re%\")\nshow a by b limit 3 with others\nshow a vs previous year aligned by day\n\
         show a during Q3 2024\nshow a during march 2024\nshow a today\nshow a last 3 mnths\n\
         metric 2nd = a\nmetric orders-per-day = a\nmetric average order value = a\nmetric x sum(a)\nmetrik x = a\n\
         source s from \"a.csv\" { orders: at day, of customer.ref, amount }\n\
         source s from \"a.csv\" { orders: at day, amount as price }\nevent e of c at { a: text }\nentity c key { a: text }\n\
         state s of c = from e for 3\nstate s of c = from e for ever\nstate s of c = from d until (e where a = 1)\ntarget t on a during 2026 reach 5 EUR every month\n\
         show a wher b = 1\nshow funnel(a -> b, withing 30 days)";
    let mut out = String::new();
    for text in texts.lines() {
        let (_, problems) = parse_file(text);
        assert_eq!(problems.len(), 1, "{text}");
        assert!(problems[0].help.is_some(), "{text}");
        out += &all(text);
    }
    assert_snapshot!(out);
}
