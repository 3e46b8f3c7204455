//! Funnels and conversions.

use super::{Family, Question};

pub(super) const FUNNELS: Family =
    Family { title: "funnels", streams: &["signups", "visits", "purchases", "surveys"], questions: &QUESTIONS };

const QUESTIONS: [Question; 9] = [
    Question::new(
        "three steps within 7 days of joining, by channel",
        "show funnel(signups -> visits where page = \"/page/03\" -> purchases, within 7 days) by channel
         since 2022-01-01",
        "
        with second as (
                 select s.customer, s.channel, s.joined, min(v.visited) as moment
                 from signups as s
                      left join visits as v
                      on v.customer = s.customer and v.page = '/page/03'
                         and v.visited >= s.joined and v.visited <= s.joined + interval 7 day
                 group by all),
             third as (
                 select c.customer, c.channel, c.joined, c.moment, min(p.bought) as last
                 from second as c
                      left join purchases as p
                      on p.customer = c.customer and p.bought >= c.moment and p.bought <= c.joined + interval 7 day
                 group by all),
             counted as (
                 select channel, count(*) as one, count(moment) as two, count(last) as three,
                        avg(epoch(moment) - epoch(joined)) as mean_two, median(epoch(moment) - epoch(joined)) as median_two,
                        avg(epoch(last) - epoch(moment)) as mean_three, median(epoch(last) - epoch(moment)) as median_three
                 from third group by 1)
        select channel, 'signups', one, 1, 1, null, null from counted
        union all
        select channel, 'visits where page = \"/page/03\"', two, two / one, two / one, mean_two, median_two from counted
        union all
        select channel, 'purchases', three, three / one, three / two, mean_three, median_three from counted",
    ),
    Question::new(
        "three steps with many entries within 7 days, per month",
        "show funnel(visits where page = \"/page/03\" -> visits where page = \"/page/07\" -> purchases, within 7 days)
         per month since 2022-01-01",
        "
        with one as (select customer, visited as start from visits where page = '/page/03'),
             two as (
                 select o.customer, start, case when v.visited <= start + interval 7 day then v.visited end as moment
                 from one as o asof left join (select * from visits where page = '/page/07') as v
                      on v.customer = o.customer and v.visited >= o.start),
             three as (
                 select o.customer, start, moment, p.bought <= start + interval 7 day as in_time
                 from two as o asof left join purchases as p on p.customer = o.customer and p.bought >= o.moment),
             reached as (
                 select date_trunc('month', start) as month, customer,
                        max(case when in_time then 3 when moment is not null then 2 else 1 end) as reached
                 from three group by all),
             steps as (
                 select month, step, count(*) as n
                 from reached join range(1, 4) as t(step) on reached >= step group by all)
        select month, ([
                'visits where page = \"/page/03\"',
                'visits where page = \"/page/07\"',
                'purchases'])[step], n, n / first_value(n) over mine, n / lag(n, 1, n) over mine
        from steps window mine as (partition by month order by step)",
    ),
    Question::new(
        "five steps within 30 days",
        "show funnel(visits where page = \"/page/00\" -> visits where page = \"/page/01\"
                 -> visits where page = \"/page/02\" -> visits where page = \"/page/03\" -> purchases,
                 within 30 days)
         since 2022-01-01",
        "
        with one as (select customer, visited as start from visits where page = '/page/00'),
             two as (
                 select o.customer, start, v.visited as moment
                 from one as o asof left join (select * from visits where page = '/page/01') as v
                      on v.customer = o.customer and v.visited >= o.start),
             three as (
                 select o.customer, start, v.visited as moment
                 from (from two where moment <= start + interval 30 day) as o
                      asof left join (select * from visits where page = '/page/02') as v
                      on v.customer = o.customer and v.visited >= o.moment),
             four as (
                 select o.customer, start, v.visited as moment
                 from (from three where moment <= start + interval 30 day) as o
                      asof left join (select * from visits where page = '/page/03') as v
                      on v.customer = o.customer and v.visited >= o.moment),
             five as (
                 select o.customer, start, p.bought as moment
                 from (from four where moment <= start + interval 30 day) as o
                      asof left join purchases as p
                      on p.customer = o.customer and p.bought >= o.moment),
             reached as (
                 select 1 as step, count(distinct customer) as n from one
                 union all
                 select 2, count(distinct customer) from two where moment <= start + interval 30 day
                 union all
                 select 3, count(distinct customer) from three where moment <= start + interval 30 day
                 union all
                 select 4, count(distinct customer) from four where moment <= start + interval 30 day
                 union all
                 select 5, count(distinct customer) from five where moment <= start + interval 30 day)
        select ([
                'visits where page = \"/page/00\"',
                'visits where page = \"/page/01\"',
                'visits where page = \"/page/02\"',
                'visits where page = \"/page/03\"',
                'purchases'])[step], n, n / first_value(n) over (order by step), n / lag(n, 1, n) over (order by step) from reached",
    ),
    Question::new(
        "five steps within 30 days, by plan",
        "show funnel(visits where page = \"/page/00\" -> visits where page = \"/page/01\"
                 -> visits where page = \"/page/02\" -> visits where page = \"/page/03\" -> purchases,
                 within 30 days)
         by customer.tier since 2022-01-01",
        "
        with one as (select customer, visited as start from visits where page = '/page/00'),
             two as (
                 select o.customer, start, v.visited as moment
                 from one as o asof left join (select * from visits where page = '/page/01') as v
                      on v.customer = o.customer and v.visited >= o.start),
             three as (
                 select o.customer, start, v.visited as moment
                 from (from two where moment <= start + interval 30 day) as o
                      asof left join (select * from visits where page = '/page/02') as v
                      on v.customer = o.customer and v.visited >= o.moment),
             four as (
                 select o.customer, start, v.visited as moment
                 from (from three where moment <= start + interval 30 day) as o
                      asof left join (select * from visits where page = '/page/03') as v
                      on v.customer = o.customer and v.visited >= o.moment),
             five as (
                 select o.customer, start, p.bought as moment
                 from (from four where moment <= start + interval 30 day) as o
                      asof left join purchases as p
                      on p.customer = o.customer and p.bought >= o.moment),
             reached as (
                 select 1 as step, customer from one
                 union all
                 select 2, customer from two where moment <= start + interval 30 day
                 union all
                 select 3, customer from three where moment <= start + interval 30 day
                 union all
                 select 4, customer from four where moment <= start + interval 30 day
                 union all
                 select 5, customer from five where moment <= start + interval 30 day),
             steps as (
                 select plan, step, count(distinct customer) as n from reached join signups using (customer) group by all)
        select plan, ([
                'visits where page = \"/page/00\"',
                'visits where page = \"/page/01\"',
                'visits where page = \"/page/02\"',
                'visits where page = \"/page/03\"',
                'purchases'])[step], n, n / first_value(n) over mine, n / lag(n, 1, n) over mine
        from steps window mine as (partition by plan order by step)",
    ),
    Question::new(
        "the next row must be the next step: three steps within a day",
        "show funnel(visits where page = \"/page/00\" -> visits where page = \"/page/01\"
                 -> visits where page = \"/page/02\", within 1 day, order: strict) since 2022-01-01",
        "
        with beside as (
                 select customer, visited, page, lead(page) over mine as second, lead(page, 2) over mine as third,
                        lead(visited) over mine <= visited + interval 1 day as two_in_time,
                        lead(visited, 2) over mine <= visited + interval 1 day as three_in_time
                 from visits window mine as (partition by customer order by visited, rowid)),
             reached as (
                 select customer,
                        max(case when second = '/page/01' and two_in_time
                                 then case when third = '/page/02' and three_in_time then 3 else 2 end
                                 else 1 end) as reached
                 from beside where page = '/page/00' group by 1),
             steps as (
                 select step, count(*) as n from reached join range(1, 4) as t(step) on reached >= step group by 1)
        select ([
                'visits where page = \"/page/00\"',
                'visits where page = \"/page/01\"',
                'visits where page = \"/page/02\"'])[step], n, n / first_value(n) over (order by step), n / lag(n, 1, n) over (order by step) from steps",
    ),
    Question::new(
        "two steps without a survey between, within 30 days",
        "show funnel(visits where page = \"/page/05\" without surveys -> purchases, within 30 days) since 2022-01-01",
        "
        with one as (select customer, visited as start from visits where page = '/page/05'),
             two as (
                 select o.customer, start, p.bought as moment
                 from one as o asof left join purchases as p on p.customer = o.customer and p.bought >= o.start),
             barred as (
                 select t.customer, t.moment
                 from (from two where moment <= start + interval 30 day) as t
                      asof left join surveys as s on s.customer = t.customer and s.answered >= t.start
                 where s.answered is null or s.answered >= t.moment),
             steps as (
                 select 1 as step, count(distinct customer) as n from one
                 union all
                 select 2, count(distinct customer) from barred)
        select ([
                'visits where page = \"/page/05\"',
                'purchases'])[step], n, n / first_value(n) over (order by step), n / lag(n, 1, n) over (order by step) from steps",
    ),
    Question::new(
        "a step and two more in any order within 7 days",
        "show funnel(visits where page = \"/page/02\" -> visits where page = \"/page/04\" -> purchases,
                 within 7 days, order: any) since 2022-01-01",
        "
        with one as (select customer, visited as start from visits where page = '/page/02'),
             two as (
                 select o.customer, start, coalesce(v.visited <= start + interval 7 day, false)::int as second
                 from one as o asof left join (select * from visits where page = '/page/04') as v
                      on v.customer = o.customer and v.visited >= o.start),
             three as (
                 select t.customer, second, coalesce(p.bought <= start + interval 7 day, false)::int as third
                 from two as t asof left join purchases as p on p.customer = t.customer and p.bought >= t.start),
             reached as (select customer, max(1 + second + third) as reached from three group by 1),
             steps as (
                 select step, count(*) as n from reached join range(1, 4) as t(step) on reached >= step group by 1)
        select ([
                'visits where page = \"/page/02\"',
                'visits where page = \"/page/04\"',
                'purchases'])[step], n, n / first_value(n) over (order by step), n / lag(n, 1, n) over (order by step) from steps",
    ),
    Question::new(
        "conversion of visits to a page into purchases within 7 days, per month",
        "show conversion(visits where page = \"/page/05\" -> purchases, within 7 days) per month since 2022-01-01",
        "
        with pages as (select customer, visited, rowid as visit from visits where page = '/page/05'),
             credited as (
                 select distinct v.visit
                 from purchases as p asof join pages as v on v.customer = p.customer and v.visited <= p.bought
                 where p.bought <= v.visited + interval 7 day)
        select date_trunc('month', visited), avg((credited.visit is not null)::int)
        from pages left join credited using (visit) group by 1",
    ),
    Question::new(
        "conversion of joining into a purchase by the same channel within 90 days, per month by plan",
        "show conversion(signups -> purchases, within 90 days, hold: channel) by plan per month since 2022-01-01",
        "
        with firsts as (
                 select s.customer, date_trunc('month', joined) as month, plan, joined, min(bought) as bought
                 from signups as s
                      left join purchases as p
                      on p.customer = s.customer and p.channel = s.channel and p.bought >= s.joined
                 group by all)
        select month, plan, avg(coalesce(bought <= joined + interval 90 day, false)::int) from firsts group by 1, 2",
    ),
];
