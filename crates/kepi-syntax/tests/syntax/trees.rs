//! What texts mean: trees dumped for reading.

use crate::dump;
use insta::assert_snapshot;
use kepi_syntax::ast::StatementKind;
use kepi_syntax::{decimal, parse_file, parse_query};

fn tree(text: &str) -> String {
    let (file, problems) = parse_file(text);
    assert_eq!(problems, [], "{text}");
    dump::file(&file)
}

#[test]
fn definitions() {
    assert_snapshot!(tree(include_str!("corpus/vocabulary.kepi")));
}

#[test]
fn queries() {
    assert_snapshot!(tree(include_str!("corpus/queries.kepi")));
}

#[test]
fn comments_belong_to_no_tree_but_docs_do() {
    assert_snapshot!(tree(include_str!("corpus/comments.kepi")));
}

#[test]
fn two_statements_may_share_a_line() {
    assert_snapshot!(tree("explain show sum(revenue)\nmodule a.b set b = 2"), @r"
    show explain
    show (sum revenue)
    module a.b
    set b 2
    ");
}

#[test]
fn a_new_line_may_begin_a_query_but_an_operator_goes_on() {
    assert_snapshot!(tree("cac\n(a + b)\nclv\n- clv\n\nnps by region\nlast 3 months\nlast(score)"), @r"
    show cac
    show (add a b)
    show (subtract clv clv)
    show nps | by region | last 3 month to_date=false
    show (last score)
    ");
}

#[test]
fn minus_leaves_the_arrow_alone() {
    assert_snapshot!(tree("show f(a->b), f(a - b), f(a -> -b), a-1, 2025-03"), @"show (f <a -> b>), (f (subtract a b)), (f <a -> (negate b)>), (subtract a 1), (subtract 2025 03)");
}

#[test]
fn words_of_definitions_are_names_elsewhere() {
    for word in [
        "state", "order", "target", "from", "last", "event", "test", "at", "metric", "source", "key", "of", "on", "to",
        "history", "id", "this", "for", "reach", "review", "each", "matches", "every", "known", "points", "previous",
    ] {
        tree(&format!("event e of c at {word} {{ {word}: text  a: text  b: {word} }}"));
        tree(&format!("entity e key {word} from {word} {{ {word}: number history }}"));
        tree(&format!("show sum(e.{word}), f({word}: {word}) by e.{word}, {word} where {word} = 1 and a = {word}"));
        tree(&format!("source s from \"f\" {{ e: {word}, {word} = {word} }}"));
        tree(&format!("test \"t\" {{ given e ({word}, a) (1, 2) expect count(e) by {word} gives 1 }}"));
        tree(&format!("set {word} = {word}\nmetric {word} = {word} with {word} = {word}"));
    }
}

#[test]
fn reserved_words_are_names_where_no_clause_can_stand() {
    for word in kepi_syntax::RESERVED {
        tree(&format!("event e of c at {word} {{ {word}: text }}"));
        tree(&format!("show sum(e.{word}), f({word}: 1), sum(`{word}`) as `{word}`"));
    }
}

#[test]
fn clauses_come_in_any_order() {
    let (one, problems) =
        parse_query("a per month where b in USD vs target fill 0 limit 3 last 2 years by c having d order by e at now");
    assert_eq!(problems, []);
    let (two, _) = parse_query(
        "show a at now order by e having d by c last 2 years limit 3 fill 0 vs target in USD where b per month",
    );
    assert_eq!(one.unwrap().without_spans(), two.unwrap().without_spans());
}

#[test]
fn spans_are_places_in_the_whole_text() {
    let text = "\u{feff}# año\nmetric a = b\n\n  metric c = sum(d.e where f)  \n";
    let (file, _) = parse_file(text);
    let of = |index: usize| {
        let span = file.statements[index].span;
        &text[span.start as usize..span.end as usize]
    };
    assert_eq!((of(0), of(1)), ("metric a = b", "metric c = sum(d.e where f)"));
    let StatementKind::Metric(metric) = &file.statements[1].kind else { panic!("a metric") };
    let span = metric.value.span;
    assert_eq!(&text[span.start as usize..span.end as usize], "sum(d.e where f)");
}

#[test]
fn every_number_that_is_read_has_a_value() {
    let (query, _) = parse_query("1, 1_000, 2.5, 2.5k, 1.2M EUR, 3bn, 5%, 30 points");
    for item in query.unwrap().items {
        let kepi_syntax::ast::ExprKind::Quantity { number, .. } = item.value.kind else { panic!("a number") };
        assert!(decimal(&number).is_some(), "{number}");
    }
}

#[test]
fn keywords_are_sorted_and_cover_the_reserved_words() {
    let words: Vec<&str> = kepi_syntax::KEYWORDS.iter().map(|(word, _)| *word).collect();
    assert!(words.is_sorted(), "{words:?}");
    for word in kepi_syntax::RESERVED {
        assert!(words.iter().any(|known| known.split(' ').any(|part| part == *word)), "{word} has no description");
    }
}
