//! Money in another currency, at the rate of the day.

use super::cells::Asking;
use super::evaluate::{Here, Moment};
use super::value::Kind;
use super::{Oracle, Unit, Value};

impl Asking<'_> {
    /// An amount in the currency that the query asks for, at the rate of the row's (or the measuring) moment.
    pub(super) fn converted(&self, value: Value, here: &Here) -> Result<Value, String> {
        let (Some(wanted), Value::Number(number, unit)) = (&self.query.currency, &value) else { return Ok(value) };
        let Kind::Money(currency) = &unit.kind else { return Ok(value) };
        if *currency == wanted.text {
            return Ok(value);
        }
        let (before, included) = match here {
            Here::Row { row, .. } | Here::Entity { moment: Moment::With { row }, .. } => {
                (self.oracle.row(*row).time.ok_or("money of no date has no rate")?, true)
            }
            Here::Entity { moment: Moment::Before(until), .. } => (*until, false),
            Here::Cell => return Err("an amount of no row".to_string()),
        };
        let rate = self.oracle.rate(currency, &wanted.text, before, included)?;
        Ok(Value::Number(number.times(rate), Unit { kind: Kind::Money(wanted.text.clone()), per: unit.per }))
    }
}

impl Oracle {
    /// The latest rate not after a moment.
    fn rate(&self, from: &str, to: &str, at: i64, included: bool) -> Result<super::Number, String> {
        let fits =
            |rate: &&super::Rate| rate.from == from && rate.to == to && (rate.at < at || (included && rate.at == at));
        // Of several of one moment the last one given holds.
        let mut best: Option<&super::Rate> = None;
        for rate in self.rates.iter().filter(fits) {
            if best.is_none_or(|best| rate.at >= best.at) {
                best = Some(rate);
            }
        }
        best.map(|rate| rate.rate).ok_or_else(|| format!("there is no rate from {from} to {to}"))
    }
}
