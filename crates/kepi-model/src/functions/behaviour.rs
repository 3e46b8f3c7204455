//! Cohorts, age, funnels, retention: what entities do over time.

use super::{Builtin, Family, Lowering};

const fn behaviour(
    name: &'static str,
    usage: &'static str,
    lowering: Lowering,
    doc: &'static str,
    example: &'static str,
) -> Builtin {
    Builtin { name, family: Family::Behaviour, usage, doc, example, lowering }
}

pub(super) const ALL: &[Builtin] = &[
    behaviour(
        "age",
        "age(event), age(event, grain)",
        Lowering::Age,
        "Takes the time since an event that the entity has at most once: elapsed time, or with a grain the number of calendar periods. Missing before the event.",
        "age(new_customers) < 1 year",
    ),
    behaviour(
        "cohort",
        "cohort(event, grain)",
        Lowering::Cohort,
        "Takes the period in which the entity had an event that it has at most once. Missing before the event.",
        "sum(revenue) by cohort(new_customers, month)",
    ),
    behaviour(
        "funnel",
        "funnel(a -> b without x -> c, within 90 days, each: 7 days, edge: closed, order: ordered, among: e, where: condition, hold: field, entry: best, exclude: cut, per: customer)",
        Lowering::Funnel,
        "Counts the entities that reach each step: a table of `step`, `reached` (an entity once per period, dated by its first step), `rate` (of those of the first step), `step_rate` (of those of the step before; of the first step 100 %), `mean_time` and `median_time` (from the step before, of those who reached this one; with `order: any` from the first step; missing for the first). Each further step is not earlier than the one before, and all lie `within` the time after the first, its end included (`edge: open`: without it), with `each: 7 days` so soon after the step before. `order: later` (each step later than the one before: what happens at one moment is one step), `strict` (the very next row of the steps' events, and of `among: e`, is the next step) `any` (after the first in any order: `reached` then counts those with at least so many of the steps, and the times are those to the step itself) or `free` (any order, any of them first: the steps are rows of one event, and those of the table are `1 step`, `2 steps` …); `without x` forbids x between two steps: the attempt ends there, with `exclude: drop` it does not count at all; `where: condition` asks the rows of every step, `hold: field` wants it equal in all; `entry: best` counts the attempt of an entity that got furthest, `first` its first, `every` each. In `having` and `order by` the columns are those of the last step. Rates of nothing are missing.",
        "funnel(leads -> wins, within 90 days)",
    ),
    behaviour(
        "conversion",
        "conversion(a -> b, within 90 days, each: 7 days, edge: closed, order: ordered, among: e, where: condition, hold: field, credit: latest, exclude: cut, per: customer)",
        Lowering::Conversion,
        "Divides the first-step events with a conversion credited to them by all first-step events. Each conversion is credited to one of them, the `latest` or with `credit: earliest` the earliest that it may belong to (with `order: any` each row with which all steps are done is one); the other options are those of `funnel`. A percent, dated by the first step; without first steps missing, without conversions 0.",
        "conversion(leads -> wins, within 90 days)",
    ),
    behaviour(
        "retention",
        "retention(a -> b, period: month, mode: exact, clock: calendar, brackets: [1, 3, 7], at_least: 2, where: condition, hold: field, age: 1, per: customer)",
        Lowering::Retention,
        "Takes who of those with an event a in a period has an event b in each later one: a table of `cohort`, `age`, `size`, `returned`, `rate`. Age 0 is the group itself. `mode: onward` counts who is back in that period or later, `clock: own` counts periods from each entity's own start, `brackets` join periods (the first ends with period 1, the next with period 3 …), `at_least: 2` wants so many events b in the period, `where: condition` asks the rows of both events, and with `hold: field` only events b with the field of the first event count (who begins with several values in a period is a member with each; missing is never the same). With `age: n` it is a number: the share back in period n, dated by the cohort, a percent; missing of nothing, and totals leave out those for whom period n is not over.",
        "retention(new_customers -> orders, period: month)",
    ),
    behaviour(
        "lifecycle",
        "lifecycle(event, grain, per: customer)",
        Lowering::Lifecycle,
        "Labels entities by their events in the period and the one before: \"new\" (the first ever), \"returning\" (in both), \"resurrecting\" (not in the one before, but earlier), \"dormant\" (only in the one before). Missing for all others, who are not counted.",
        "count(customer) by lifecycle(orders, month)",
    ),
    behaviour(
        "tile",
        "tile(value, parts)",
        Lowering::Tile,
        "Says in which of so many parts of equal size an entity lies by a value, among all that exist at the cell's end: 1 has the least values, and equal values lie in one part. A number, as a label of entities; missing where the value is.",
        "count(customer) by tile(sum(orders.amount), 10)",
    ),
    behaviour(
        "sessions",
        "sessions(event, gap, per: customer)",
        Lowering::Sessions,
        "Makes an event per session, at its first row and with its fields: rows of an entity belong together while each follows the one before by no more than the gap. It has `length` (first to last row, a duration) and `count` (its rows).",
        "avg(sessions(views, 30 minutes).length)",
    ),
    behaviour(
        "gap",
        "gap(event, per: customer)",
        Lowering::Gap,
        "Takes the time since the entity's previous row of the event, as a value of the event's rows. A duration; missing for the first.",
        "median(gap(orders))",
    ),
];
