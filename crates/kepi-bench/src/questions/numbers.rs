//! Percentiles, sketches, shares, ranks, lift, currencies.

use super::{Family, Question};

pub(super) const NUMBERS: Family =
    Family { title: "numbers", streams: &["signups", "visits", "purchases", "rates"], questions: &QUESTIONS };

const QUESTIONS: [Question; 8] = [
    Question::new(
        "median and 90th percentile of a purchase per quarter by channel",
        "show median(revenue), percentile(revenue, 90) by channel per quarter since 2022-01-01",
        "
        select date_trunc('quarter', bought), channel, median(amount::double), quantile_cont(amount::double, 0.9)
        from purchases group by 1, 2",
    ),
    Question::new(
        "average and standard deviation of a purchase per month by country",
        "show avg(revenue), stddev(revenue) by country per month since 2022-01-01",
        "
        select date_trunc('month', bought), country, avg(amount), stddev_samp(amount) from purchases group by 1, 2",
    ),
    Question::new(
        "distinct visitors per month, about",
        "show approx_unique(visits.customer) per month since 2022-01-01",
        "select date_trunc('month', visited), approx_count_distinct(customer) from visits group by 1",
    )
    .about(),
    Question::new(
        "share of each country in the month's revenue",
        "show of_total(sum(revenue)) by country per month since 2022-01-01",
        "
        select date_trunc('month', bought) as month, country, sum(amount) / sum(sum(amount)) over (partition by month)
        from purchases group by 1, 2",
    ),
    Question::new(
        "rank of products by revenue per year",
        "show rank(sum(revenue)) by product per year since 2022-01-01",
        "
        select date_trunc('year', bought) as year, product, rank() over (partition by year order by sum(amount) desc)
        from purchases group by 1, 2",
    )
    .exact(),
    Question::new(
        "lift of margin per customer, one plan beside another",
        "show lift(avg(sum(margin) per customer), test: customer.tier = \"plus\", control: customer.tier = \"basic\")
         since 2022-01-01",
        "
        with sums as (
                 select plan, sum(amount - cost)::double as margin
                 from purchases join signups using (customer)
                 where plan in ('plus', 'basic') group by customer, plan),
             parts as (
                 select avg(margin) filter (plan = 'plus') as test, avg(margin) filter (plan = 'basic') as control,
                        var_samp(margin) filter (plan = 'plus') / count(*) filter (plan = 'plus')
                            + var_samp(margin) filter (plan = 'basic') / count(*) filter (plan = 'basic') as variance
                 from sums)
        select test - control, test / control,
               test - control - 1.959963984540054 * sqrt(variance), test - control + 1.959963984540054 * sqrt(variance)
        from parts",
    ),
    Question::new(
        "revenue in dollars at each day's rate, per month by country",
        "show sum(revenue) by country per month since 2022-01-01 in USD",
        "
        select date_trunc('month', bought), country, sum(amount * rate)
        from purchases join rates on rates.day = date_trunc('day', bought)
        group by 1, 2",
    ),
    Question::new(
        "purchases of 2025 by product, the five largest and the rest",
        "show count(purchases) by product during 2025 order by count(purchases) desc, product limit 5 with other",
        "
        with sums as (select product, count(*) as n from purchases where bought >= timestamp '2025-01-01' group by 1),
             ranked as (select product, n, row_number() over (order by n desc, product) as place from sums)
        select case when place <= 5 then product else 'other' end, sum(n)
        from ranked group by 1 order by min(place)",
    )
    .exact(),
];
