//! Test against control: what it lowers to, and what is said about wrong ones.

use crate::messages::each;
use crate::shop::{meant, shop};
use insta::assert_snapshot;

#[test]
fn a_lift_is_four_columns() {
    assert_snapshot!(meant(
        &shop("metric uplift : money = lift(avg(margin), test: arm = \"test\", control: arm = \"control\")"),
        &[
            "show uplift, count(orders) by kind where region = \"EU\" since 2026-01-01 until 2026-03-01",
            // Each one's sum, also of those who bought nothing.
            "show lift(avg(sum(margin) per every customer), test: arm = \"test\", control: arm = \"control\") by region",
            "show lift(avg(sum(revenue) per customer where count(orders) > 1), test: arm = \"a\", control: arm = \"b\")",
            "show lift(csat, test: tier = \"gold\", control: tier != \"gold\") as gold order by gold desc",
            "show lift(conversion(leads -> wins, within 90 days), test: arm = \"test\", control: arm = \"control\")",
            "show lift(ratio(unique(upsells.customer), unique(orders.customer)), test: arm = \"a\", control: arm = \"b\")",
        ]
    ));
}

#[test]
fn wrong_lifts() {
    assert_snapshot!(each(&[
        "show lift(sum(revenue), test: arm = \"a\", control: arm = \"b\")",
        "show lift(cac, test: campaign = \"a\", control: campaign = \"b\")",
        "show lift(avg(revenue), test: arm = \"a\")",
        "show lift(avg(revenue), control: arm = \"a\")",
        "show lift(test: arm = \"a\", control: arm = \"b\")",
        "show lift(avg(revenue), test: arm = \"a\", control: arm = \"b\", level: 90%)",
        "show lift(avg(revenue), test: arn = \"a\", control: arm = \"b\")",
        "show lift(avg(revenue), test: arm, control: arm = \"b\")",
        "show lift(avg(revenue) where kind = \"x\", test: arm = \"a\", control: arm = \"b\")",
        "show lift(avg(revenue), test: arm = \"a\", control: arm = \"b\") * 2",
        "show lift(avg(revenue), test: arm = \"a\", control: arm = \"b\"), lift(avg(margin), test: arm = \"a\", control: arm = \"b\")",
        "metric l : percent = lift(avg(revenue), test: arm = \"a\", control: arm = \"b\")",
        "metric l = lift(avg(revenue), test: arm = \"a\", control: arm = \"b\")\nmetric m = 2 * l",
    ]));
}
