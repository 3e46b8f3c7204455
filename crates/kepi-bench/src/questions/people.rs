//! Conditions over an entity's history, and surveys.

use super::{Family, Question};

pub(super) const PEOPLE: Family = Family {
    title: "conditions over histories",
    streams: &["signups", "visits", "purchases", "surveys", "spend"],
    questions: &QUESTIONS,
};

const QUESTIONS: [Question; 11] = [
    Question::new(
        "distinct buyers per month by product",
        "show unique(purchases.customer) by product per month since 2022-01-01",
        "select date_trunc('month', bought), product, count(distinct customer) from purchases group by 1, 2",
    )
    .exact(),
    Question::new(
        "repeat rate: share of customers with two purchases in the month",
        "show share(customer where count(purchases over period) >= 2) per month since 2022-01-01",
        "
        with counts as (
                 select date_trunc('month', bought) as month, customer, count(*) as n from purchases group by all),
             repeats as (select month, count(*) filter (n >= 2) as customers from counts group by 1),
             joins as (select date_trunc('month', joined) as month, count(*) as joined from signups group by 1),
             there as (select month, sum(joined) over (order by month) as all_customers from joins)
        select month, customers / all_customers from repeats join there using (month)",
    ),
    Question::new(
        "customers with three purchases in the last 90 days, per week",
        "show count(customer where count(purchases over last 90 days) >= 3) per week
         since 2022-01-03 until 2025-12-29",
        "
        with beside as (
                 select bought, lag(bought, 2) over mine + interval 90 day as until_then, lead(bought) over mine as next
                 from purchases window mine as (partition by customer order by bought, purchase)),
             spans as (
                 select bought as start, least(until_then, coalesce(next, until_then)) as stop
                 from beside where until_then > bought),
             changes as (
                 select date_trunc('week', start) as week, 1 as change from spans
                 union all
                 select date_trunc('week', stop), -1 from spans),
             summed as (select week, sum(change) as change from changes group by 1),
             weeks as (
                 select week, coalesce(change, 0) as change
                 from generate_series(timestamp '2021-12-27', timestamp '2025-12-22', interval 7 day) as all_weeks(week)
                      left join summed using (week))
        select week, sum(change) over (order by week) from weeks",
    )
    .exact(),
    Question::new(
        "repeat rate of 90 days, per day: of the customers who bought in them, the share that did so twice",
        "show ratio(count(customer where count(purchases over last 90 days) >= 2),
                    count(customer where count(purchases over last 90 days) >= 1)) per day since 2022-01-01",
        "
        with beside as (
                 select bought, lag(bought) over mine + interval 90 day as two_until,
                        bought + interval 90 day as one_until, lead(bought) over mine as next
                 from purchases window mine as (partition by customer order by bought, purchase)),
             changes as (
                 select date_trunc('day', bought) as day, 1 as one, coalesce(two_until > bought, false)::int as two
                 from beside
                 union all
                 select date_trunc('day', least(one_until, coalesce(next, one_until))), -1, 0 from beside
                 union all
                 select date_trunc('day', least(two_until, coalesce(next, two_until))), 0, -1
                 from beside where two_until > bought),
             summed as (select day, sum(one) as one, sum(two) as two from changes group by 1),
             days as (
                 select day, coalesce(one, 0) as one, coalesce(two, 0) as two
                 from generate_series(timestamp '2022-01-01', timestamp '2025-12-31', interval 1 day) as all_days(day)
                      left join summed using (day))
        select day, sum(two) over (order by day) / nullif(sum(one) over (order by day), 0) from days",
    ),
    Question::new(
        "NPS by each customer's latest answer, per month",
        "show nps_latest per month since 2022-01-01",
        "
        with marks as (
                 select answered, customer, survey,
                        case when score >= 9 then 1 when score <= 6 then -1 else 0 end as mark
                 from surveys),
             steps as (
                 select date_trunc('month', answered) as month,
                        mark - lag(mark, 1, 0) over mine as change,
                        (row_number() over mine = 1)::int as fresh
                 from marks window mine as (partition by customer order by answered, survey)),
             months as (select month, sum(change) as change, sum(fresh) as fresh from steps group by 1)
        select month, sum(change) over (order by month) / sum(fresh) over (order by month)
        from generate_series(timestamp '2022-01-01', timestamp '2025-12-01', interval 1 month) as all_months(month)
             left join months using (month)",
    ),
    Question::new(
        "NPS per month by country",
        "show nps by customer.region per month since 2022-01-01",
        "
        select date_trunc('month', answered), country,
               avg(case when score >= 9 then 1 when score <= 6 then -1 else 0 end)
        from surveys join signups using (customer) group by 1, 2",
    ),
    Question::new(
        "customers who are late by three times their median gap, now",
        "show count(customer where now - last(purchases.at) > 3 * median(gap(purchases))) at 2026-01-01",
        "
        with gaps as (
                 select customer, bought,
                        epoch(bought) - epoch(lag(bought) over (partition by customer order by bought)) as gap
                 from purchases),
             medians as (select customer, max(bought) as last, median(gap) as usual from gaps group by 1)
        select count(*) from medians where epoch(timestamp '2026-01-01') - epoch(last) > 3 * usual",
    )
    .exact(),
    Question::new(
        "median and 90th percentile of the time to the first purchase, per quarter",
        "show median(new_customers.at - first(signups.at)), percentile(new_customers.at - first(signups.at), 90)
         per quarter since 2022-01-01",
        "
        with firsts as (select customer, min(bought) as first from purchases group by 1),
             waits as (
                 select date_trunc('quarter', first) as quarter, epoch(first) - epoch(joined) as wait
                 from firsts join signups using (customer))
        select quarter, median(wait), quantile_cont(wait, 0.9) from waits group by 1",
    ),
    Question::new(
        "cost of acquisition by channel per quarter",
        "show cac by channel per quarter since 2022-01-01",
        "
        with firsts as (
                 select min(bought) as first, arg_min(channel, (bought, purchase)) as channel
                 from purchases group by customer),
             acquired as (
                 select date_trunc('quarter', first) as quarter, channel, count(*) as customers
                 from firsts group by 1, 2),
             spent as (
                 select date_trunc('quarter', booked) as quarter, channel, sum(amount) as amount
                 from spend group by 1, 2)
        select quarter, channel, amount / customers from spent full join acquired using (quarter, channel)",
    ),
    Question::new(
        "revenue of customers who bought twice in the 90 days before, per month",
        "show sum(revenue where count(purchases over last 90 days) >= 3) per month since 2022-01-01",
        "
        select date_trunc('month', bought), sum(amount)
        from (select bought, amount,
                     lag(bought, 2) over (partition by customer order by bought, purchase) as third
              from purchases)
        where third >= bought - interval 90 day
        group by 1",
    )
    .cents(),
    Question::new(
        "one customer's totals",
        "show sum(revenue), count(purchases), max(revenue) where customer = \"cus_3c6ef362\" since 2022-01-01",
        "select sum(amount), count(*), max(amount) from purchases where customer = 'cus_3c6ef362'",
    )
    .cents(),
];
