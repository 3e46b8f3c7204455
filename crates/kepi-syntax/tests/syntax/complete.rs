//! What a prompt that reads several lines asks: is this all?

use kepi_syntax::is_complete;

#[test]
fn whole_statements_are_complete() {
    for text in [
        "",
        "  ",
        "# only a comment",
        "cac",
        "show sum(revenue)",
        "show a by b per month",
        "metric x = 1",
        "metric x = 1 # why (",
        "entity c key id { a: text }",
        "report r {\n  show a\n}",
        "last",
        "state",
        "show a last 3 months",
        "event e = first(f) per g",
        "state s of c = from a for 3 months",
        "show a > 5%",
        "show missing",
    ] {
        assert!(is_complete(text), "{text}");
    }
}

#[test]
fn what_more_lines_may_finish_is_not() {
    for text in [
        "show sum(",
        "show f(a,",
        "entity c key id {",
        "report r {\n  show a",
        "show a +",
        "show a,",
        "metric x =",
        "show",
        "show a by",
        "show a where b and",
        "show a vs",
        "metric x : ",
        "show a where not",
        "show a in [1, 2",
        "metric x",
        "case when a then",
        "state s of c = from a",
        "show a order by",
        "metric x = 1 with",
        "# a\nshow a per # b",
        "test \"t\" {",
        "target t on x",
    ] {
        assert!(!is_complete(text), "{text}");
    }
}

#[test]
fn what_no_further_line_can_mend_is_complete() {
    for text in
        ["show a)", "show (a]", "show f(\"a", "show `a", "metric x = sum(a) where b", "show a b", "show a last 12"]
    {
        assert!(is_complete(text), "{text}");
    }
}
