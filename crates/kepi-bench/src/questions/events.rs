//! Plain questions about purchases.

use super::{Family, Question};

pub(super) const EVENTS: Family = Family { title: "events", streams: &["purchases"], questions: &QUESTIONS };

const QUESTIONS: [Question; 6] = [
    Question::new(
        "revenue per month",
        "show sum(revenue) per month since 2022-01-01",
        "select date_trunc('month', bought), sum(amount) from purchases group by 1",
    )
    .cents(),
    Question::new(
        "revenue per month by country and channel",
        "show sum(revenue) by country, channel per month since 2022-01-01",
        "select date_trunc('month', bought), country, channel, sum(amount) from purchases group by 1, 2, 3",
    )
    .cents(),
    Question::new(
        "distinct buyers per month",
        "show unique(purchases.customer) per month since 2022-01-01",
        "select date_trunc('month', bought), count(distinct customer) from purchases group by 1",
    )
    .exact(),
    Question::new(
        "new customers per month by country",
        "show count(new_customers) by country per month since 2022-01-01",
        "
            select date_trunc('month', first), country, count(*)
            from (select min(bought) as first, arg_min(country, bought) as country
                  from purchases group by customer)
            group by 1, 2",
    )
    .exact(),
    Question::new(
        "first-year revenue ÷ new customers per month",
        "show ratio(sum(revenue where first_year), count(new_customers)) per month since 2022-01-01",
        "
            with firsts as (select customer, min(bought) as first from purchases group by customer),
                 acquired as (select date_trunc('month', first) as month, count(*) as customers from firsts group by 1),
                 earned as (select date_trunc('month', bought) as month, sum(amount) as revenue
                            from purchases join firsts using (customer)
                            where bought < first + interval 1 year group by 1)
            select month, revenue / customers from earned full join acquired using (month)",
    ),
    Question::new(
        "share of repeat purchases per month",
        "show repeat_share per month since 2022-01-01",
        "
            select date_trunc('month', bought), avg((nth > 1)::int)
            from (select bought, row_number() over (partition by customer order by bought, purchase) as nth
                  from purchases)
            group by 1",
    ),
];
