//! Funnels as tables, and conversion rates.

use super::cells::{Asking, Cell, Placed, takes};
use super::chains::Attempt;
use super::evaluate::Here;
use super::fold::{self, Fold};
use super::made::seconds;
use super::value::{Kind, Unit};
use super::{Number, Oracle, Value};
use kepi_syntax::ast::Argument;

impl Asking<'_> {
    /// The attempts of a chain, each in the cell of its first step.
    pub(super) fn place_attempts(&self, arguments: &[Argument]) -> Result<Vec<Placed>, String> {
        let mut placed = Vec::new();
        for (index, attempt) in self.oracle.attempts_of(arguments)?.iter().enumerate() {
            let time = Some(attempt.start);
            for period in self.periods_of(time) {
                let here = Here::Row { event: attempt.event.clone(), row: attempt.row };
                let found = self.place(period, &here, None, None, false)?;
                placed.extend(found.map(|found| Placed { time, index, ..found }));
            }
        }
        Ok(placed)
    }
}

impl Cell<'_> {
    /// The share of first steps to which a conversion is credited; none of no first steps.
    pub(super) fn conversion(&self, inside: &[Placed], arguments: &[Argument]) -> Result<Value, String> {
        let attempts = self.asking.oracle.attempts_of(arguments)?;
        let converted = inside.iter().filter(|row| attempts[row.index].converted).count();
        Ok(share(converted, inside.len()))
    }

    /// The rows of a funnel in a cell: step, reached, rate, rate of the step, mean and median time.
    pub(super) fn funnel(&self, arguments: &[Argument]) -> Result<Vec<Vec<Value>>, String> {
        let oracle = self.asking.oracle;
        let attempts = oracle.attempts_of(arguments)?;
        let placed = self.asking.place_attempts(arguments)?;
        let inside = placed.iter().filter(|row| row.period == self.period && takes(&self.labels, &row.labels));
        let inside: Vec<&Attempt> = inside.map(|row| &attempts[row.index]).collect();
        let entry = oracle.options(arguments)?.entry;
        let chosen = match entry.as_deref() {
            Some("every") => inside,
            None | Some("best") => best_of_each(&inside, |new, old| new.reached > old.reached),
            Some("first") => best_of_each(&inside, |_, _| false),
            Some(other) => return Err(format!("entry: {other} is not in the oracle")),
        };
        let chain = Oracle::chain_of(arguments)?;
        let steps = std::iter::once(&chain.first).chain(chain.rest.iter().map(|link| &link.step));
        let mut rows = Vec::new();
        for (index, step) in steps.enumerate() {
            let reached = |step: usize| chosen.iter().filter(|attempt| attempt.reached > step).count();
            let before = if index == 0 { chosen.len() } else { reached(index - 1) };
            let times: Vec<Value> = chosen.iter().filter_map(|attempt| attempt.took[index].map(seconds)).collect();
            let name = match oracle.options(arguments)?.is_free() {
                true => format!("{} step{}", index + 1, if index == 0 { "" } else { "s" }),
                false => kepi_syntax::scoped_text(step),
            };
            rows.push(vec![
                Value::Text(name),
                Value::count(reached(index)),
                share(reached(index), chosen.len()),
                share(reached(index), before),
                fold::fold(&Fold::Avg, &times)?,
                fold::fold(&Fold::Percentile(Number::whole(50), false), &times)?,
            ]);
        }
        Ok(rows)
    }
}

/// One attempt of each entity: the first, unless a later one is better.
fn best_of_each<'a>(attempts: &[&'a Attempt], is_better: impl Fn(&Attempt, &Attempt) -> bool) -> Vec<&'a Attempt> {
    let mut chosen: Vec<&Attempt> = Vec::new();
    for attempt in attempts {
        match chosen.iter_mut().find(|known| known.key == attempt.key) {
            Some(known) if is_better(attempt, known) => *known = attempt,
            Some(_) => {}
            None => chosen.push(attempt),
        }
    }
    chosen
}

pub(super) fn share(part: usize, whole: usize) -> Value {
    let share = Number::fraction(part as i128, whole as i128);
    share.map_or(Value::Missing, |share| Value::Number(share, Unit::of(Kind::Percent)))
}
