//! Moved windows: trailing, to date, running, and beside other periods.

use super::{Family, Question};

pub(super) const WINDOWS: Family =
    Family { title: "moved windows", streams: &["visits", "purchases"], questions: &QUESTIONS };

const QUESTIONS: [Question; 9] = [
    Question::new(
        "revenue of 90 days, per day",
        "show trailing(sum(revenue), 90 days) per day since 2022-01-01",
        "
        select day, sum(revenue) over (order by day rows between 89 preceding and current row)
        from generate_series(timestamp '2022-01-01', timestamp '2025-12-31', interval 1 day) as all_days(day)
             left join (select date_trunc('day', bought) as day, sum(amount) as revenue from purchases group by 1)
             using (day)",
    )
    .cents(),
    Question::new(
        "margin ÷ revenue of 90 days, per day by channel",
        "show trailing(ratio(sum(margin), sum(revenue)), 90 days) by channel per day
         since 2022-06-01 until 2025-10-01",
        "
        with days as (
                 select date_trunc('day', bought) as day, channel, sum(amount) as revenue, sum(amount - cost) as margin
                 from purchases group by all),
             moved as (
                 select day, channel, sum(margin) over ninety / sum(revenue) over ninety as rate
                 from generate_series(timestamp '2022-01-01', timestamp '2025-12-31', interval 1 day) as all_days(day)
                      cross join (select distinct channel from days)
                      left join days using (day, channel)
                 window ninety as (partition by channel order by day rows between 89 preceding and current row))
        select day, channel, rate from moved
        where day >= timestamp '2022-06-01' and day < timestamp '2025-10-01'",
    ),
    Question::new(
        "revenue of the year so far, of all months so far, of the year before, per month",
        "show to_date(sum(revenue), year), running(sum(revenue)), prior(sum(revenue), 1 year)
         per month since 2022-01-01",
        "
        with months as (select date_trunc('month', bought) as month, sum(amount) as revenue from purchases group by 1)
        select month,
               sum(revenue) over (partition by date_trunc('year', month) order by month),
               sum(revenue) over (order by month), lag(revenue, 12) over (order by month)
        from months",
    )
    .cents(),
    Question::new(
        "growth of revenue on the week before",
        "show growth(sum(revenue), 1 week) per week since 2022-02-07 until 2025-12-29",
        "
        with weeks as (select date_trunc('week', bought) as week, sum(amount) as revenue from purchases group by 1),
             beside as (
                 select week, coalesce(revenue, 0) as revenue, lag(revenue) over (order by week) as before
                 from generate_series(timestamp '2022-01-03', timestamp '2025-12-22', interval 7 day) as all_weeks(week)
                      left join weeks using (week))
        select week, (revenue - before) / before from beside where week >= timestamp '2022-02-07'",
    ),
    Question::new(
        "distinct visitors of 28 days, per day",
        "show trailing(unique(visits.customer), 28 days) per day since 2022-01-01",
        "
        with days as (select distinct customer, date_trunc('day', visited)::date as day from visits),
             beside as (select day, lag(day) over (partition by customer order by day) as before from days),
             changes as (
                 select greatest(day, before + 28) as day, 1 as change from beside
                 union all
                 select day + 28, -1 from beside),
             summed as (select day, sum(change) as change from changes group by 1)
        select day::date, sum(change) over (order by day)
        from generate_series(timestamp '2022-01-01', timestamp '2025-12-31', interval 1 day) as all_days(day)
             left join summed using (day)",
    )
    .exact(),
    Question::new(
        "distinct buyers of the year so far, per month",
        "show to_date(unique(purchases.customer), year) per month since 2022-01-01",
        "
        with firsts as (
                 select date_trunc('month', min(bought)) as month
                 from purchases group by customer, date_trunc('year', bought)),
             months as (select month, count(*) as customers from firsts group by 1)
        select month, sum(customers) over (partition by date_trunc('year', month) order by month) from months",
    )
    .exact(),
    Question::new(
        "stickiness: daily ÷ monthly visitors, per month",
        "show ratio(avg(unique(visits.customer) per day), unique(visits.customer)) per month since 2022-01-01",
        "
        with days as (select distinct customer, date_trunc('day', visited) as day from visits),
             daily as (
                 select date_trunc('month', day) as month, avg(customers) as daily
                 from (select day, count(*) as customers from days group by 1) group by 1),
             monthly as (
                 select date_trunc('month', day) as month, count(distinct customer) as customers from days group by 1)
        select month, daily / customers from daily join monthly using (month)",
    ),
    Question::new(
        "revenue per month by country beside the year before",
        "show sum(revenue) by country per month since 2023-01-01 vs previous year",
        "
        with months as (
                 select date_trunc('month', bought) as month, country, sum(amount) as revenue
                 from purchases group by all),
             beside as (
                 select coalesce(now.month, before.month + interval 12 month) as month,
                        coalesce(now.country, before.country) as country,
                        coalesce(now.revenue, 0) as revenue, coalesce(before.revenue, 0) as before
                 from months as now
                      full join months as before
                      on now.country = before.country and now.month = before.month + interval 12 month)
        select month, country, revenue, before, revenue - before, (revenue - before) / nullif(before, 0)
        from beside where month >= timestamp '2023-01-01' and month < timestamp '2026-01-01'",
    ),
    Question::new(
        "top 10 products by growth on the year before",
        "show growth(sum(revenue), 1 year) as up by product during 2025 order by up desc limit 10",
        "
        with sums as (
                 select product, sum(amount) filter (bought >= timestamp '2025-01-01') as revenue,
                        sum(amount) filter (bought < timestamp '2025-01-01') as before
                 from purchases where bought >= timestamp '2024-01-01' group by 1)
        select product, (coalesce(revenue, 0) - before) / before as up
        from sums where before > 0 order by up desc limit 10",
    )
    .ordered(),
];
