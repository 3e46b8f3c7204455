//! Cohorts, retention, lifecycle, sessions, gaps.

use super::{Family, Question};

pub(super) const COHORTS: Family = Family {
    title: "cohorts, retention, sessions",
    streams: &["signups", "visits", "purchases"],
    questions: &QUESTIONS,
};

const QUESTIONS: [Question; 9] = [
    Question::new(
        "revenue by month of the first purchase and age in months",
        "show sum(revenue) by cohort(new_customers, month) as cohort, age(new_customers, month) as age
         since 2022-01-01",
        "
        with firsts as (
                 select date_trunc('month', min(bought) over (partition by customer)) as cohort,
                        date_trunc('month', bought) as month, amount
                 from purchases)
        select cohort, date_diff('month', cohort, month), sum(amount) from firsts group by 1, 2",
    )
    .cents(),
    Question::new(
        "retention by month: back in month n",
        "show retention(new_customers -> purchases, period: month) since 2022-01-01",
        "
        with active as (
                 select customer, date_trunc('month', bought) as month from purchases group by all),
             aged as (
                 select customer, min(month) over (partition by customer) as cohort, month from active),
             counted as (
                 select cohort, date_diff('month', cohort, month) as age, count(*) as customers
                 from aged group by 1, 2),
             sizes as (select cohort, customers as size from counted where age = 0)
        select cohort, ages.age, size, coalesce(customers, 0), coalesce(customers, 0) / size
        from sizes
             join range(48) as ages(age) on cohort + to_months(ages.age::int) < timestamp '2026-01-01'
             left join counted using (cohort, age)",
    ),
    Question::new(
        "retention by month: back in month n or later",
        "show retention(new_customers -> purchases, period: month, mode: onward) since 2022-01-01",
        "
        with lives as (
                 select date_trunc('month', min(bought)) as cohort, date_trunc('month', max(bought)) as last
                 from purchases group by customer),
             counted as (
                 select cohort, date_diff('month', cohort, last) as age, count(*) as customers from lives group by 1, 2),
             grid as (
                 select cohort, ages.age
                 from (select distinct cohort from counted)
                      join range(48) as ages(age) on cohort + to_months(ages.age::int) < timestamp '2026-01-01')
        select cohort, age,
               sum(sum(coalesce(customers, 0))) over (partition by cohort),
               sum(sum(coalesce(customers, 0))) over (partition by cohort order by age desc),
               sum(sum(coalesce(customers, 0))) over (partition by cohort order by age desc)
                   / sum(sum(coalesce(customers, 0))) over (partition by cohort)
        from grid left join counted using (cohort, age) group by 1, 2",
    ),
    Question::new(
        "retention of visits by each customer's own weeks",
        "show retention(signups -> visits, period: week, clock: own) since 2022-01-03",
        "
        with own as (
                 select distinct customer, date_trunc('week', joined) as cohort,
                        (epoch_us(visited) - epoch_us(joined)) // (7 * 86400000000) as age
                 from visits join signups using (customer)
                 where joined >= timestamp '2022-01-03' and visited >= joined),
             counted as (select cohort, age, count(*) as customers from own where age > 0 group by 1, 2),
             sizes as (
                 select date_trunc('week', joined) as cohort, count(*) as size
                 from signups where joined >= timestamp '2022-01-03' group by 1)
        select cohort, ages.age, size,
               case when ages.age = 0 then size else coalesce(customers, 0) end,
               case when ages.age = 0 then size else coalesce(customers, 0) end / size
        from sizes
             join range(210) as ages(age) on cohort + to_days((7 * ages.age)::int) < timestamp '2026-01-01'
             left join counted using (cohort, age)",
    ),
    Question::new(
        "lifecycle of buyers per month: new, returning, resurrecting, dormant",
        "show count(customer) by lifecycle(purchases, month) as stage per month since 2022-01-01",
        "
        with active as (
                 select customer, date_trunc('month', bought) as month from purchases group by all),
             beside as (
                 select month, lag(month) over mine as before, lead(month) over mine as next
                 from active window mine as (partition by customer order by month))
        select month,
               case when before is null then 'new'
                    when before = month - interval 1 month then 'returning' else 'resurrecting' end as stage,
               count(*)
        from beside group by 1, 2
        union all
        select month + interval 1 month, 'dormant', count(*)
        from beside
        where (next is null or next > month + interval 1 month) and month < timestamp '2025-12-01'
        group by 1",
    )
    .exact(),
    Question::new(
        "sessions per month: number, median length, average visits",
        "show count(journeys), median(journeys.length), avg(journeys.count) per month since 2022-01-01",
        "
        with beside as (
                 select customer, visited, row_number() over mine as n,
                        epoch_us(lag(visited) over mine) as before, epoch_us(lead(visited) over mine) as next
                 from visits window mine as (partition by customer order by visited)),
             edges as (
                 select customer, visited, n,
                        before is null or epoch_us(visited) - before > 1800000000 as first,
                        next is null or next - epoch_us(visited) > 1800000000 as last
                 from beside where first or last),
             sessions as (
                 select first, visited as start,
                        case when last then 0 else epoch(lead(visited) over mine) - epoch(visited) end as length,
                        case when last then 1 else lead(n) over mine - n + 1 end as visits
                 from edges window mine as (partition by customer order by n))
        select date_trunc('month', start), count(*), median(length), avg(visits) from sessions where first group by 1",
    ),
    Question::new(
        "time since the purchase before: median and 90th percentile per quarter",
        "show median(gap(purchases)), percentile(gap(purchases), 90) per quarter since 2022-01-01",
        "
        with gaps as (
                 select date_trunc('quarter', bought) as quarter,
                        epoch(bought) - epoch(lag(bought) over (partition by customer order by bought)) as gap
                 from purchases)
        select quarter, median(gap), quantile_cont(gap, 0.9) from gaps group by 1",
    ),
    Question::new(
        "customers' average gap, 90th percentile per year",
        "show percentile(avg(gap(purchases)) per customer, 90) per year since 2022-01-01",
        "
        with gaps as (
                 select date_trunc('year', bought) as year, customer,
                        epoch(bought) - epoch(lag(bought) over (partition by customer order by bought)) as gap
                 from purchases),
             means as (select year, avg(gap) as usual from gaps group by year, customer)
        select year, quantile_cont(usual, 0.9) from means group by 1",
    ),
    Question::new(
        "share of each cohort that is back in the next month",
        "show retention(new_customers -> purchases, period: month, age: 1) per month since 2022-01-01 until 2025-12-01",
        "
        with active as (
                 select customer, date_trunc('month', bought) as month from purchases group by all),
             beside as (
                 select month, lead(month) over mine as next, row_number() over mine as n
                 from active window mine as (partition by customer order by month))
        select month, avg((next is not distinct from month + interval 1 month)::int)
        from beside where n = 1 and month < timestamp '2025-12-01' group by 1",
    ),
];
