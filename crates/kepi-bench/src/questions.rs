//! The questions, as kepi text and as DuckDB's SQL.

/// When two values are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Whole numbers, exactly.
    Exact,
    /// Money, to the cent.
    Cents,
    /// Quotients, to a billionth of their size.
    Quotient,
}

/// A question that is asked on both sides.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// What it asks, as the table shows it.
    pub title: &'static str,
    /// The query in kepi's language.
    pub kepi: &'static str,
    /// The query in SQL: first the keys, then the value.
    pub sql: &'static str,
    /// When two answers are equal.
    pub comparison: Comparison,
}

/// All questions, in the order of the table. They need the stream `purchases`.
pub const QUESTIONS: [Question; 6] = [
    Question {
        title: "revenue per month",
        kepi: "show sum(revenue) per month since 2022-01-01",
        sql: "select date_trunc('month', bought), sum(amount) from purchases group by 1",
        comparison: Comparison::Cents,
    },
    Question {
        title: "revenue per month by country and channel",
        kepi: "show sum(revenue) by country, channel per month since 2022-01-01",
        sql: "select date_trunc('month', bought), country, channel, sum(amount) from purchases group by 1, 2, 3",
        comparison: Comparison::Cents,
    },
    Question {
        title: "distinct buyers per month",
        kepi: "show unique(purchases.customer) per month since 2022-01-01",
        sql: "select date_trunc('month', bought), count(distinct customer) from purchases group by 1",
        comparison: Comparison::Exact,
    },
    Question {
        title: "new customers per month by country",
        kepi: "show count(new_customers) by country per month since 2022-01-01",
        sql: "
            select date_trunc('month', first), country, count(*)
            from (select min(bought) as first, arg_min(country, bought) as country
                  from purchases group by customer)
            group by 1, 2",
        comparison: Comparison::Exact,
    },
    Question {
        title: "first-year revenue ÷ new customers per month",
        kepi: "show ratio(sum(revenue where first_year), count(new_customers)) per month since 2022-01-01",
        sql: "
            with firsts as (select customer, min(bought) as first from purchases group by customer),
                 acquired as (select date_trunc('month', first) as month, count(*) as customers from firsts group by 1),
                 earned as (select date_trunc('month', bought) as month, sum(amount) as revenue
                            from purchases join firsts using (customer)
                            where bought < first + interval 1 year group by 1)
            select month, revenue / customers from earned full join acquired using (month)",
        comparison: Comparison::Quotient,
    },
    Question {
        title: "share of repeat purchases per month",
        kepi: "show repeat_share per month since 2022-01-01",
        sql: "
            select date_trunc('month', bought), avg((nth > 1)::int)
            from (select bought, row_number() over (partition by customer order by bought, purchase) as nth
                  from purchases)
            group by 1",
        comparison: Comparison::Quotient,
    },
];
