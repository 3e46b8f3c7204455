//! The seventeen questions for which there are goals.

use super::{FAMILIES, Family, Question};

/// A question for which there are goals.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// Its title, which is that of a question of a family.
    pub title: &'static str,
    /// Whether what a row adds depends on that row alone, so that after new rows only these have to be read.
    pub row_local: bool,
}

/// In the order of the table.
pub const GOALS: [Goal; 17] = [
    local("revenue per month"),
    local("revenue per month by country and channel"),
    local("distinct buyers per month"),
    with_history("distinct visitors of 28 days, per day"),
    with_history("new customers per month by country"),
    with_history("first-year revenue ÷ new customers per month"),
    with_history("retention by month: back in month n"),
    with_history("churn rate per month"),
    with_history("three steps within 7 days of joining, by channel"),
    with_history("median and 90th percentile of the time to the first purchase, per quarter"),
    local("NPS per month by country"),
    with_history("cost of acquisition by channel per quarter"),
    with_history("average lifetime margin by country"),
    local("top 10 products by growth on the year before"),
    with_history("share of repeat purchases per month"),
    local("one customer's totals"),
    with_history("weekly revenue of customers who had spent over 2,000 by then"),
];

const fn local(title: &'static str) -> Goal {
    Goal { title, row_local: true }
}

const fn with_history(title: &'static str) -> Goal {
    Goal { title, row_local: false }
}

impl Goal {
    /// The question, with its family.
    pub fn question(&self) -> Option<(&'static Family, &'static Question)> {
        FAMILIES.iter().find_map(|family| {
            let question = family.questions.iter().find(|question| question.title == self.title)?;
            Some((family, question))
        })
    }

    /// The goal of a title.
    pub fn of(title: &str) -> Option<&'static Goal> {
        GOALS.iter().find(|goal| goal.title == title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_question_of_one_family() {
        for goal in &GOALS {
            let of_this_title = |family: &&Family| family.questions.iter().any(|q| q.title == goal.title);
            assert_eq!(FAMILIES.iter().filter(of_this_title).count(), 1, "{}", goal.title);
            assert!(goal.question().is_some());
        }
    }
}
