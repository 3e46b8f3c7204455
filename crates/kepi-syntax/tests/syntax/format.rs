//! The formatter: one canonical layout, every comment kept, twice is once.

use insta::assert_snapshot;
use kepi_syntax::{expr_text, format_text, parse_file, parse_query, query_text};

/// Formats, and checks what must hold for every text.
pub(crate) fn formatted(text: &str) -> String {
    let once = format_text(text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
    let twice = format_text(&once).unwrap_or_else(|problems| panic!("{problems:?}\n{once}"));
    assert_eq!(once, twice, "formatting twice changes the text");
    assert_eq!(parse_file(text).0.without_spans(), parse_file(&once).0.without_spans(), "the meaning changed:\n{once}");
    let comments = |text: &str| {
        let mut all: Vec<String> =
            text.lines().filter_map(|line| line.find('#').map(|at| line[at..].trim_end().to_owned())).collect();
        all.sort();
        all
    };
    assert_eq!(comments(text), comments(&once), "a comment is lost:\n{once}");
    once
}

#[test]
fn vocabulary() {
    assert_snapshot!(formatted(include_str!("corpus/vocabulary.kepi")));
}

#[test]
fn queries() {
    assert_snapshot!(formatted(include_str!("corpus/queries.kepi")));
}

#[test]
fn comments() {
    assert_snapshot!(formatted(include_str!("corpus/comments.kepi")));
}

#[test]
fn long_formulas_break_at_their_loosest_places() {
    assert_snapshot!(formatted(
        "metric a = first_operand_of_the_sum + second_operand_of_the_sum + third_operand_of_the_sum - fourth_operand\n\
         metric b = ratio(sum(first_operand_of_the_sum where a_condition and another_condition or a_third_condition and so_on), count(x where y))\n\
         metric c = funnel(leads -> stage_changes where stage = \"proposal\" -> wins without losses -> orders, within 90 days, order: strict)\n\
         event d = some_event_of_the_past where one_long_condition_here = \"value\" and another_long_condition = \"other\"\n\
         show one_long_name_of_a_metric, another_long_name_of_a_metric, a_third_long_name_of_a_metric by a, b where c in [\"aaaaaaaaaaaaaaaaaa\", \"bbbbbbbbbbbbbbbbbbbbbbbb\", \"cccccccccccccccccccc\", \"d\"]\n"
    ));
}

#[test]
fn a_text_with_mistakes_is_not_rewritten() {
    assert_eq!(format_text("show a\nshow b by").unwrap_err().len(), 1);
    assert_eq!(format_text("").unwrap(), "");
    assert_eq!(format_text("\n\n# only\n\n\n# comments\n\n").unwrap(), "# only\n\n# comments\n");
}

#[test]
fn one_line_texts() {
    let text =
        "show   sum( a  where b=1 ),(a-b)-c,a-(b-c),(a or b)and c as x limit 3 by `from`, `b y` where not(a and b)";
    let (query, _) = parse_query(text);
    assert_snapshot!(query_text(&query.unwrap()), @"show sum(a where b = 1), a - b - c, a - (b - c), (a or b) and c as x by from, `b y` where not (a and b) limit 3");
    let (query, _) = parse_query("`show`(`per`.`per`) + within.`a b`.3");
    assert_snapshot!(expr_text(&query.unwrap().items[0].value), @"`show`(`per`.per) + within.`a b`.3");
}

#[test]
fn a_block_without_fields_may_be_left_out() {
    let text = "entity customer key id\nentity invoice key `no` from created\nevent orders of customer, invoice at ordered # of the shop\n\
                event clicks at clicked\nentity empty { }\nevent others of customer at day { }\nshow count(orders)\n";
    assert_snapshot!(formatted(text), @r"
    entity customer key id
    entity invoice key no from created
    event orders of customer, invoice at ordered  # of the shop
    event clicks at clicked
    entity empty { }
    event others of customer at day { }
    show count(orders)
    ");
    let long = "entity customer\n  key id\nevent orders\n  of customer\n  at ordered\n  {\n  }\n";
    assert_snapshot!(formatted(long), @r"
    entity customer key id
    event orders of customer at ordered {
    }
    ");
}
