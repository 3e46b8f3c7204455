//! States: who is a customer, what they are worth, how long they stay.

use super::{Family, Question};

pub(super) const STATES: Family =
    Family { title: "states", streams: &["signups", "purchases", "surveys"], questions: &QUESTIONS };

const QUESTIONS: [Question; 9] = [
    Question::new(
        "customers of the last 12 months: opening, started, ended, closing per month",
        "show opening(active), count(started(active)), count(ended(active)), closing(active)
         per month since 2022-01-01",
        "
        with edges as (
                 select bought, bought + interval 12 month as stop,
                        lag(bought) over mine + interval 12 month as before, lead(bought) over mine as next
                 from purchases window mine as (partition by customer order by bought)),
             changes as (
                 select date_trunc('month', bought) as month, 1 as started, 0 as ended
                 from edges where before is null or before < bought
                 union all
                 select date_trunc('month', stop), 0, 1
                 from edges where (next is null or next > stop) and stop < timestamp '2026-01-01'),
             months as (select month, sum(started) as started, sum(ended) as ended from changes group by 1)
        select month,
               sum(started - ended) over (order by month) - started + ended, started, ended,
               sum(started - ended) over (order by month)
        from months",
    )
    .exact(),
    Question::new(
        "churn rate per month",
        "show churn_rate per month since 2022-01-01",
        "
        with edges as (
                 select bought, bought + interval 12 month as stop,
                        lag(bought) over mine + interval 12 month as before, lead(bought) over mine as next
                 from purchases window mine as (partition by customer order by bought)),
             changes as (
                 select date_trunc('month', bought) as month, 1 as started, 0 as ended
                 from edges where before is null or before < bought
                 union all
                 select date_trunc('month', stop), 0, 1
                 from edges where (next is null or next > stop) and stop < timestamp '2026-01-01'),
             months as (select month, sum(started) as started, sum(ended) as ended from changes group by 1)
        select month, ended / nullif(sum(started - ended) over (order by month) - started + ended, 0)
        from months",
    ),
    Question::new(
        "churn rate per month by country",
        "show churn_rate by customer.region per month since 2022-01-01",
        "
        with edges as (
                 select customer, bought, bought + interval 12 month as stop,
                        lag(bought) over mine + interval 12 month as before, lead(bought) over mine as next
                 from purchases window mine as (partition by customer order by bought)),
             changes as (
                 select customer, date_trunc('month', bought) as month, 1 as started, 0 as ended
                 from edges where before is null or before < bought
                 union all
                 select customer, date_trunc('month', stop), 0, 1
                 from edges where (next is null or next > stop) and stop < timestamp '2026-01-01'),
             months as (
                 select month, country, sum(started) as started, sum(ended) as ended
                 from changes join signups using (customer) group by 1, 2),
             held as (
                 select month, country, ended,
                        sum(started - ended) over (partition by country order by month) - started + ended as opening
                 from months)
        select month, country, ended / nullif(opening, 0) from held",
    ),
    Question::new(
        "customers of the last 12 months, average over each month",
        "show avg(active) per month since 2022-01-01",
        "
        with edges as (
                 select customer, bought, bought + interval 12 month as stop,
                        lag(bought) over mine + interval 12 month as before
                 from purchases window mine as (partition by customer order by bought)),
             numbered as (
                 select customer, bought, stop,
                        sum((before is null or before < bought)::int) over (partition by customer order by bought) as n
                 from edges),
             stays as (
                 select min(bought) as start, least(max(stop), timestamp '2026-01-01') as stop
                 from numbered group by customer, n),
             months as (
                 select m as start, m + interval 1 month as stop
                 from generate_series(timestamp '2022-01-01', timestamp '2025-12-01', interval 1 month) as t(m))
        select months.start,
               sum(epoch(least(stays.stop, months.stop)) - epoch(greatest(stays.start, months.start)))
                   / any_value(epoch(months.stop) - epoch(months.start))
        from months join stays on stays.start < months.stop and stays.stop > months.start
        group by months.start",
    ),
    Question::new(
        "how long customers stay: number and median of stays that ended, per month",
        "show count(stays(active)), median(stays(active).length) per month since 2022-01-01",
        "
        with edges as (
                 select customer, bought, bought + interval 12 month as stop,
                        lag(bought) over mine + interval 12 month as before
                 from purchases window mine as (partition by customer order by bought)),
             numbered as (
                 select customer, bought, stop,
                        sum((before is null or before < bought)::int) over (partition by customer order by bought) as n
                 from edges),
             stays as (select min(bought) as start, max(stop) as stop from numbered group by customer, n)
        select date_trunc('month', stop), count(*), median(epoch(stop) - epoch(start))
        from stays where stop < timestamp '2026-01-01' group by 1",
    ),
    Question::new(
        "a value that ends and comes back: opening and closing per month",
        "show opening(basket), closing(basket) per month since 2022-01-01",
        "
        with changes as (
                 select customer, bought as moment, amount, purchase as place from purchases
                 union all
                 select customer, answered, 0, 0 from surveys where score <= 4),
             steps as (
                 select moment, amount - lag(amount, 1, 0) over (partition by customer order by moment, place) as change
                 from changes),
             months as (select date_trunc('month', moment) as month, sum(change) as change from steps group by 1)
        select month, sum(change) over (order by month) - change, sum(change) over (order by month) from months",
    )
    .cents(),
    Question::new(
        "the same, average over each month",
        "show avg(basket) per month since 2022-01-01",
        "
        with changes as (
                 select customer, bought as moment, amount, purchase as place from purchases
                 union all
                 select customer, answered, 0, 0 from surveys where score <= 4),
             steps as (
                 select moment, amount - lag(amount, 1, 0) over (partition by customer order by moment, place) as change
                 from changes),
             months as (
                 select date_trunc('month', moment) as month, sum(change) as change,
                        sum(change * (epoch(date_trunc('month', moment) + interval 1 month) - epoch(moment))) as area
                 from steps group by 1)
        select month,
               sum(change) over (order by month) - change
                   + area / (epoch(month + interval 1 month) - epoch(month))
        from months",
    ),
    Question::new(
        "net retention of that value per month",
        "show ratio(closing(basket where opening(basket) > 0 EUR), opening(basket)) per month since 2022-01-01",
        "
        with changes as (
                 select customer, bought as moment, amount, purchase as place from purchases
                 union all
                 select customer, answered, 0, 0 from surveys where score <= 4),
             last as (
                 select customer, date_trunc('month', moment) as month, last(amount order by moment, place) as closing
                 from changes group by all),
             spans as (
                 select month, closing,
                        lag(closing, 1, 0) over (partition by customer order by month) as opening
                 from last),
             months as (
                 select month, sum(closing) filter (opening > 0) as moved, sum(opening) as left_over,
                        sum(closing) - sum(opening) as change
                 from spans group by 1),
             opened as (
                 select month, moved, left_over, sum(change) over (order by month) - change as opening from months)
        select month, (opening - left_over + coalesce(moved, 0)) / nullif(opening, 0) from opened",
    ),
    Question::new(
        "gross retention of that value per month",
        "show ratio(sum(least(opening(basket), closing(basket)) per customer), opening(basket))
         per month since 2022-01-01",
        "
        with changes as (
                 select customer, bought as moment, amount, purchase as place from purchases
                 union all
                 select customer, answered, 0, 0 from surveys where score <= 4),
             last as (
                 select customer, date_trunc('month', moment) as month, last(amount order by moment, place) as closing
                 from changes group by all),
             spans as (
                 select month, closing,
                        lag(closing, 1, 0) over (partition by customer order by month) as opening
                 from last),
             months as (
                 select month, sum(least(opening, closing)) as kept, sum(opening) as left_over,
                        sum(closing) - sum(opening) as change
                 from spans group by 1),
             opened as (
                 select month, kept, left_over, sum(change) over (order by month) - change as opening from months)
        select month, (opening - left_over + kept) / nullif(opening, 0) from opened",
    ),
];
