//! The model of the plugin `test.specimens`, by what its documentation says: the mean of an entity's amounts, drawn
//! towards everyone's mean as if the entity had `weight` more of that size; missing with fewer than two entities.

use super::evaluate::{Here, Moment, Scope, unscoped};
use super::value::Unit;
use super::{Number, Oracle, Value};
use kepi_syntax::ast::{Argument, Chain, ExprKind, NamedValue};

impl Oracle {
    /// What the model says of an entity at a moment.
    pub(super) fn next_order(&self, arguments: &[Argument], scope: &Scope<'_, '_>) -> Result<Value, String> {
        let Here::Entity { key, moment: Moment::Before(until), .. } = &scope.here else {
            return Err("a model is asked of entities".to_string());
        };
        let [Argument::Plain(Chain { first: who, .. }), amount, weight] = arguments else {
            return Err("next_order(customer, amount, weight)".to_string());
        };
        let ExprKind::Path(path) = &who.value.kind else { return Err("the entity of a row is a name".to_string()) };
        let event = path.parts.first().ok_or("a name without parts")?.text.clone();
        let weight = match weight {
            Argument::Named { value: NamedValue::Chain(chain), .. } => chain.first.value.clone(),
            other => unscoped(other)?,
        };
        let weight = self.evaluate(&weight, &Scope::at(Here::Cell))?.as_number().ok_or("the weight is no number")?.0;
        // It learns of nothing that has not happened yet.
        let until = (*until).min(self.now);
        let mut known: Vec<(String, Number, Unit)> = Vec::new();
        for &row in self.rows_of(&event)?.iter() {
            if self.row(row).time.is_none_or(|at| at >= until) {
                continue;
            }
            let here = Scope::at(Here::Row { event: event.clone(), row });
            let kept = who.filter.as_ref().map_or(Ok(Value::Bool(true)), |filter| self.evaluate(filter, &here))?;
            let (Value::Text(of), true) = (self.evaluate(&who.value, &here)?, kept.is_yes()) else { continue };
            if let Some((amount, unit)) = self.evaluate(&unscoped(amount)?, &here)?.as_number() {
                known.push((of, amount, unit));
            }
        }
        let whole = |count: usize| Number::whole(count as i128);
        let sum = |amounts: &mut dyn Iterator<Item = Number>| amounts.fold(Number::ZERO, Number::plus);
        let own: Vec<Number> = known.iter().filter(|(of, ..)| of == key).map(|(_, amount, _)| *amount).collect();
        let (Some((_, _, unit)), true) =
            (known.first(), !own.is_empty() && known.iter().any(|(of, ..)| *of != known[0].0))
        else {
            return Ok(Value::Missing);
        };
        let everyone = sum(&mut known.iter().map(|(_, amount, _)| *amount)).divided_by(whole(known.len()));
        let everyone = everyone.ok_or("a mean of nothing")?;
        let drawn = sum(&mut own.iter().copied()).plus(weight.times(everyone));
        let value = drawn.divided_by(whole(own.len()).plus(weight)).ok_or("a mean of nothing")?;
        Ok(Value::Number(value, unit.clone()))
    }
}
