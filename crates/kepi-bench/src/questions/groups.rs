//! Aggregates of aggregates, and what a customer has done so far.

use super::{Family, Question};

pub(super) const GROUPS: Family =
    Family { title: "sums per customer", streams: &["signups", "purchases"], questions: &QUESTIONS };

const QUESTIONS: [Question; 9] = [
    Question::new(
        "average of revenue per customer, per month",
        "show avg(sum(revenue) per customer) per month since 2022-01-01",
        "
        select month, avg(revenue)
        from (select date_trunc('month', bought) as month, customer, sum(amount) as revenue
              from purchases group by all)
        group by 1",
    ),
    Question::new(
        "average of revenue per customer and month, per year by country",
        "show avg(sum(revenue) per customer, month) by country per year since 2022-01-01",
        "
        select date_trunc('year', month), country, avg(revenue)
        from (select date_trunc('month', bought) as month, country, customer, sum(amount) as revenue
              from purchases group by all)
        group by 1, 2",
    ),
    Question::new(
        "average of revenue per customer, buyers or not, per month",
        "show avg(sum(revenue) per every customer) per month since 2022-01-01",
        "
        with sums as (select date_trunc('month', bought) as month, sum(amount) as revenue from purchases group by 1),
             joins as (select date_trunc('month', joined) as month, count(*) as joined from signups group by 1),
             there as (select month, sum(joined) over (order by month) as customers from joins)
        select month, revenue / customers from sums join there using (month)",
    ),
    Question::new(
        "90th percentile of customers' average purchase, per quarter",
        "show percentile(avg(revenue) per customer, 90) per quarter since 2022-01-01",
        "
        select quarter, quantile_cont(average, 0.9)
        from (select date_trunc('quarter', bought) as quarter, customer, avg(amount) as average
              from purchases group by all)
        group by 1",
    ),
    Question::new(
        "average lifetime margin by country",
        "show avg(sum(margin) per customer) by customer.region since 2022-01-01",
        "
        select signups.country, avg(margin)
        from (select customer, sum(amount - cost) as margin from purchases group by 1)
             join signups using (customer)
        group by 1",
    ),
    Question::new(
        "weekly revenue of customers who had spent over 2,000 by then",
        "show sum(revenue where sum(revenue) > 2000 EUR) per week since 2022-01-03 until 2025-12-29",
        "
        select date_trunc('week', bought), sum(amount)
        from (select bought, amount, sum(amount) over (partition by customer order by bought, purchase) as spent
              from purchases)
        where spent > 2000 and bought >= timestamp '2022-01-03' and bought < timestamp '2025-12-29'
        group by 1",
    )
    .cents(),
    Question::new(
        "revenue per month by what the customer had spent by then",
        "show sum(revenue) by customer.spent per month since 2022-01-01",
        "
        select date_trunc('month', bought),
               case when spent >= 2000 then '2000' when spent >= 500 then '500' when spent >= 100 then '100'
                    else '0' end,
               sum(amount)
        from (select bought, amount, sum(amount) over (partition by customer order by bought, purchase) as spent
              from purchases)
        group by 1, 2",
    )
    .cents(),
    Question::new(
        "customers per quarter by what they had spent by then",
        "show count(customer) by spent per quarter since 2022-01-01",
        "
        with quarters as (
                 select customer, date_trunc('quarter', bought) as quarter, sum(amount) as amount
                 from purchases group by all),
             sums as (
                 select customer, quarter, sum(amount) over (partition by customer order by quarter) as spent
                 from quarters),
             bands as (
                 select customer, quarter,
                        case when spent >= 2000 then '2000' when spent >= 500 then '500' when spent >= 100 then '100'
                             else '0' end as band
                 from sums),
             moves as (
                 select quarter, band, lag(band, 1, '0') over (partition by customer order by quarter) as before
                 from bands),
             changes as (
                 select quarter, band, 1 as change from moves where band != before
                 union all
                 select quarter, before, -1 from moves where band != before
                 union all
                 select date_trunc('quarter', joined), '0', 1 from signups),
             summed as (select quarter, band, sum(change) as change from changes group by all)
        select quarter, band, sum(change) over (partition by band order by quarter) from summed",
    )
    .exact(),
    Question::new(
        "revenue by lifetime-spend decile, as of the end",
        "show sum(sum(revenue) per every customer), count(customer) by tile(sum(revenue), 10) at 2026-01-01",
        "
        with spent as (
                 select customer, coalesce(sum(amount), 0) as spent
                 from signups left join purchases using (customer) group by 1),
             parts as (select spent, ntile(10) over (order by spent) as part from spent),
             -- Equal values lie where the first of them does.
             placed as (select spent, min(part) over (partition by spent) as decile from parts)
        select decile, sum(spent), count(*) from placed group by 1",
    )
    .cents(),
];
