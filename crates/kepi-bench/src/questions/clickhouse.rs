//! The questions of which ClickHouse has functions of its own, in its SQL: the same keys, and at least the first value.
//!
//! Where arrays per customer are faster than window functions there, arrays are used, and the other way round.

/// A question's text for ClickHouse, by its title.
pub(crate) fn in_clickhouse(title: &str) -> Option<&'static str> {
    CLICKHOUSE.iter().find(|(of, _)| *of == title).map(|(_, sql)| *sql)
}

const CLICKHOUSE: [(&str, &str); 18] = [
    ("revenue per month", "select toStartOfMonth(bought) as month, sum(amount) from purchases group by month"),
    (
        "revenue per month by country and channel",
        "select toStartOfMonth(bought) as month, country, channel, sum(amount) from purchases
         group by month, country, channel",
    ),
    (
        "distinct buyers per month",
        "select toStartOfMonth(bought) as month, uniqExact(customer) from purchases group by month",
    ),
    (
        "distinct buyers per month by product",
        "select toStartOfMonth(bought) as month, product, uniqExact(customer) from purchases group by month, product",
    ),
    (
        "distinct visitors per month, about",
        "select toStartOfMonth(visited) as month, uniq(customer) from visits group by month",
    ),
    (
        "distinct visitors of 28 days, per day",
        "
        with lives as (select arraySort(groupUniqArray(toDate(visited))) as days from visits group by customer),
             changes as (
                 select arrayJoin(arrayConcat(
                            arrayMap((day, before) -> (greatest(day, before + 28), 1),
                                     days, arrayPopBack(arrayPushFront(days, toDate('1970-01-01')))),
                            arrayMap(day -> (day + 28, -1), days))) as pair
                 from lives),
             summed as (select pair.1 as day, sum(pair.2) as change from changes group by day),
             all_days as (
                 select toDate('2022-01-01') + number as day, 0 as change
                 from numbers(toUInt64(toDate('2026-01-01') - toDate('2022-01-01')))),
             both as (
                 select day, sum(change) as change
                 from (select day, change from summed union all select day, change from all_days) group by day)
        select day, sum(change) over (order by day) from both where day < toDate('2026-01-01')",
    ),
    (
        "new customers per month by country",
        "select toStartOfMonth(first) as month, country, count()
         from (select min(bought) as first, argMin(country, bought) as country from purchases group by customer)
         group by month, country",
    ),
    (
        "first-year revenue ÷ new customers per month",
        "
        with lives as (
                 select groupArray((bought, amount)) as rows, arrayMin(row -> row.1, rows) as first
                 from purchases group by customer)
        select month, toFloat64(sum(amount)) / sum(is_first)
        from (select toStartOfMonth(row.1) as month, row.2 as amount, row.1 = first as is_first
              from lives array join rows as row where row.1 < first + interval 1 year)
        group by month",
    ),
    (
        "share of repeat purchases per month",
        "
        with lives as (select arraySort(groupArray(bought)) as moments from purchases group by customer)
        select toStartOfMonth(moment) as month, avg(nth > 1)
        from lives array join moments as moment, arrayEnumerate(moments) as nth group by month",
    ),
    (
        "churn rate per month",
        "
        with edges as (
                 select bought, bought + interval 12 month as stop,
                        lagInFrame(toNullable(bought)) over mine + interval 12 month as before,
                        leadInFrame(toNullable(bought)) over mine as next
                 from purchases
                 window mine as (
                     partition by customer order by bought rows between unbounded preceding and unbounded following)),
             changes as (
                 select toStartOfMonth(bought) as month, 1 as started, 0 as ended
                 from edges where before is null or before < bought
                 union all
                 select toStartOfMonth(stop), 0, 1
                 from edges
                 where (next is null or next > stop) and stop < toDateTime64('2026-01-01 00:00:00', 6, 'UTC')),
             months as (
                 select month, toInt64(sum(started)) as started, toInt64(sum(ended)) as ended from changes group by month)
        select month, ended / nullif(sum(started - ended) over (order by month) - started + ended, 0) from months",
    ),
    (
        "average lifetime margin by country",
        "select country, avg(toFloat64(margin))
         from (select customer, sum(amount - cost) as margin from purchases group by customer) as spent
              join signups using (customer)
         group by country",
    ),
    (
        "weekly revenue of customers who had spent over 2,000 by then",
        "select toMonday(bought) as week, sum(amount)
         from (select bought, amount, sum(amount) over (partition by customer order by bought, purchase) as spent
               from purchases)
         where spent > 2000 and bought >= toDateTime64('2022-01-03 00:00:00', 6, 'UTC')
               and bought < toDateTime64('2025-12-29 00:00:00', 6, 'UTC')
         group by week",
    ),
    (
        "NPS per month by country",
        "select toStartOfMonth(answered) as month, country, avg(multiIf(score >= 9, 1, score <= 6, -1, 0))
         from surveys join signups using (customer) group by month, country",
    ),
    (
        "median and 90th percentile of the time to the first purchase, per quarter",
        "
        with firsts as (select customer, min(bought) as first from purchases group by customer),
             waits as (
                 select toStartOfQuarter(first) as quarter,
                        (toUnixTimestamp64Micro(first) - toUnixTimestamp64Micro(joined)) / 1000000 as wait
                 from firsts join signups using (customer))
        select quarter, quantileExactInclusive(0.5)(wait), quantileExactInclusive(0.9)(wait)
        from waits group by quarter",
    ),
    (
        "retention by month: back in month n",
        "
        with lives as (
                 select groupUniqArray(toStartOfMonth(bought)) as months, arrayMin(months) as first
                 from purchases group by customer),
             counted as (
                 select first, dateDiff('month', first, month) as age, count() as customers
                 from lives array join months as month group by first, age),
             sizes as (select first as cohort, customers as size from counted where age = 0)
        select cohort, ages.number, size, customers, customers / size
        from sizes
             cross join numbers(48) as ages
             left join counted on counted.first = sizes.cohort and counted.age = ages.number
        where addMonths(cohort, ages.number) < toDate('2026-01-01')",
    ),
    (
        "three steps within 7 days of joining, by channel",
        "
        with steps as (
                 select customer, channel, joined as moment, 1 as step from signups
                 union all
                 select customer, '', visited, 2 from visits where page = '/page/03'
                 union all
                 select customer, '', bought, 3 from purchases),
             reached as (
                 select anyIf(channel, step = 1) as channel,
                        windowFunnel(604800000000)(
                            toUInt64(toUnixTimestamp64Micro(moment)), step = 1, step = 2, step = 3) as reached
                 from steps group by customer having reached > 0)
        select channel, ['signups', 'visits where page = \"/page/03\"', 'purchases'][step], count()
        from reached array join range(1, reached + 1) as step group by channel, step",
    ),
    (
        "five steps within 30 days",
        "
        with pages as (select ['/page/00', '/page/01', '/page/02', '/page/03'] as pages),
             steps as (
                 select customer, visited as moment, indexOf((select pages from pages), page) as step
                 from visits where page in ('/page/00', '/page/01', '/page/02', '/page/03')
                 union all
                 select customer, bought, 5 from purchases),
             reached as (
                 select windowFunnel(2592000000000)(
                            toUInt64(toUnixTimestamp64Micro(moment)),
                            step = 1, step = 2, step = 3, step = 4, step = 5) as reached
                 from steps group by customer)
        select if(step = 5, 'purchases', concat('visits where page = \"', (select pages from pages)[step], '\"')), count()
        from reached array join range(1, reached + 1) as step group by step",
    ),
    (
        "five steps within 30 days, by plan",
        "
        with pages as (select ['/page/00', '/page/01', '/page/02', '/page/03'] as pages),
             steps as (
                 select customer, visited as moment, indexOf((select pages from pages), page) as step
                 from visits where page in ('/page/00', '/page/01', '/page/02', '/page/03')
                 union all
                 select customer, bought, 5 from purchases),
             reached as (
                 select customer,
                        windowFunnel(2592000000000)(
                            toUInt64(toUnixTimestamp64Micro(moment)),
                            step = 1, step = 2, step = 3, step = 4, step = 5) as reached
                 from steps group by customer having reached > 0),
             planned as (select plan, reached from reached join signups using (customer))
        select plan, if(step = 5, 'purchases', concat('visits where page = \"', (select pages from pages)[step], '\"')),
               count()
        from planned array join range(1, reached + 1) as step group by plan, step",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::questions::FAMILIES;

    #[test]
    fn each_is_a_question_of_the_table() {
        for (title, _) in CLICKHOUSE {
            let of_this_title = FAMILIES.iter().flat_map(|family| family.questions).filter(|q| q.title == title);
            assert_eq!(of_this_title.count(), 1, "{title}");
        }
    }
}
