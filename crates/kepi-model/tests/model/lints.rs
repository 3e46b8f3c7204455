//! What is right and probably not meant: rates of no period in a product.

use crate::shop::{listed, now, shop};
use insta::assert_snapshot;
use kepi_syntax::Code;
use std::fmt::Write;

#[test]
fn a_bare_rate_in_a_product_is_told() {
    let definitions = "metric lost_value = churn_rate * sum(revenue)\n\
        metric kept_value = sum(revenue) * (1 - churn_rate)\n\
        metric lifetime_value = ratio(avg(orders.amount), churn_rate)\n\
        metric inline = count(churns) / avg(active) * sum(margin)\n\
        metric twice_over : percent = lost_share * win_rate\n\
        metric lost_share : percent = ratio(count(churns), opening(active)) with title = \"Lost\"\n\
        metric windowed = trailing(churn_rate, 12 months) * sum(revenue)\n\
        metric scaled = churn_rate * 100\n\
        metric a_year = churn_rate * 12\n\
        metric of_no_state = win_rate * sum(revenue)\n\
        metric stocks_only = ratio(closing(mrr), opening(mrr)) * sum(revenue)\n";
    let catalog = shop(definitions);
    let mut out = String::new();
    let text = format!("{}\n{definitions}", include_str!("shop.kepi"));
    for problem in catalog.check(now(&catalog)) {
        if problem.code == Code::LintBareRate {
            write!(out, "{}", listed(&text, &[problem])).unwrap();
        }
    }
    assert_snapshot!(out);
}
