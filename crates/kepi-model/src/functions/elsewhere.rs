//! What functions of other languages are here: for whoever writes one of them out of habit.

/// How something is written here that is called this elsewhere.
pub(crate) fn written_here(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "if" | "iff" | "iif" | "switch" | "decode" => "write `case when a then b else c`",
        "coalesce" | "ifnull" | "nvl" | "isnull" | "zn" => "write `x otherwise 0`",
        "nullif" => "write `case when x != 0 then x`",
        "mean" | "average" => "write `avg(x)`",
        "countif" | "count_if" | "countifs" => "write `count(orders where kind = \"upsell\")`",
        "sumif" | "sum_if" | "sumifs" => "write `sum(orders.amount where kind = \"upsell\")`",
        "count_distinct" | "countd" | "distinct" | "uniq" | "nunique" | "dcount" => "write `unique(orders.customer)`",
        "approx_count_distinct" | "hll" => "write `approx_unique(orders.customer)`",
        "stdev" | "std" | "stddev_samp" => "write `stddev(x)`",
        "quantile" | "percentile_cont" | "quantile_cont" => "write `percentile(x, 95)`",
        "percentile_disc" => "write `percentile(x, 95, mode: observed)`",
        "ntile" | "decile" | "quintile" | "quartile" => "write `tile(x, 10)`, a label of entities",
        "top" | "topn" => "write `order by sum(revenue) desc limit 5`",
        "row_number" | "dense_rank" => "write `rank(m)`",
        "lag" => "write `prior(m, 1 month)`",
        "lead" => "nothing looks ahead; what came before is `prior(m, 1 month)`",
        "cumsum" | "cumulative" | "running_sum" | "running_total" => "write `running(m)`",
        "moving_average" | "rolling" | "rolling_sum" | "moving_sum" => "write `trailing(m, 3 months)`",
        "yoy" | "mom" | "wow" | "pct_change" => "write `growth(m, 1 year)`, or `vs previous year` behind the query",
        "ytd" | "mtd" | "qtd" => "write `to_date(m, year)`",
        "share_of" | "percent_of_total" | "pct_of_total" => "write `of_total(m)`",
        "safe_divide" | "div0" | "divide" => "write `ratio(a, b)`, or `a / b`: by 0 it is missing",
        "date_trunc" | "trunc" | "to_month" => "write `month(orders.at)`, or `per month` behind the query",
        "datediff" | "date_diff" | "timestampdiff" => "subtract two times: `wins.at - first(leads.at)`",
        "dateadd" | "date_add" => "add a length: `orders.at + 30 days`",
        "today" | "getdate" | "current_date" | "current_timestamp" => "write `now`",
        "dayofweek" | "dow" | "day_of_week" => "write `weekday(orders.at)`",
        "hour_of" | "hourofday" => "write `hour_of_day(orders.at)`",
        "like" | "regexp" | "regexp_like" | "rlike" => "write `x matches \"pattern\"`, or `contains(x, \"part\")`",
        "ucase" => "write `upper(x)`",
        "lcase" => "write `lower(x)`",
        "len" | "char_length" => "write `length(x)`",
        "cast" | "convert" | "text" | "str" | "to_char" => "values keep their types; a label may be of any",
        "between" => "write `x >= a and x < b`",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::written_here;
    use crate::functions::{all, find};

    #[test]
    fn what_is_there_needs_no_translation() {
        assert!(all().all(|function| written_here(function.name).is_none()));
        assert!(written_here("IF").is_some_and(|help| help.contains("case when")));
        assert!(find("tile").is_some());
    }
}
