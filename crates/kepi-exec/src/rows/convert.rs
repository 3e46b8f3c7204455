//! Amounts in another currency, at the rates that are stored.
//!
//! A rate holds from its moment on until the next one of the same two currencies. Where the wanted direction is stored
//! for two currencies at all, only that is used; the inverse of the other direction only where it alone is stored. No
//! rate is made of two others.

use super::column::{Column, Type, Values};
use super::program::{Frame, Node, Program};
use crate::ExecError;
use arrow_buffer::{BooleanBuffer, NullBuffer};
use kepi_model::core::{Base, Row, RowNode, When};
use kepi_model::value::{Kind, Unit, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// The stored stream of rates.
const RATES: &str = "rates";
/// The most decimals of an exact amount.
const SCALE_MAX: u8 = 18;
/// In place of a currency's number: none is known, it is the wanted one, nothing converts it.
const UNKNOWN: u32 = u32::MAX;
const SAME: u32 = u32::MAX - 1;
const NO_RATES: u32 = u32::MAX - 2;

/// A conversion into one currency.
#[derive(Debug)]
pub(super) struct Convert {
    of: usize,
    from: usize,
    to: String,
    /// Whether the rate is that of the first instant of the cell's window, instead of the row's moment.
    opening: bool,
    /// The rates of each currency, by its number.
    rates: Vec<Rates>,
    numbers: HashMap<String, u32>,
    /// The numbers of the currencies of a dictionary.
    coded: Option<(Arc<arrow_array::StringArray>, Vec<u32>)>,
    /// Whether somebody looks later which rows wanted for a rate; else each of them is an error.
    lenient: bool,
    /// The rows that wanted for a rate, of the last batch.
    lacking: Option<BooleanBuffer>,
}

/// The rates of a currency, their moments rising.
#[derive(Debug, Default)]
struct Rates {
    at: Vec<i64>,
    /// Digits of the scale that all exact rates have; empty where one is not exact.
    digits: Vec<i64>,
    floats: Vec<f64>,
}

/// A rate as it is stored.
struct Stored {
    at: i64,
    from: String,
    to: String,
    /// Digits and decimals; none: a float.
    exact: Option<(i64, u8)>,
    float: f64,
}

impl Program {
    /// Compiles an amount in another currency. It is exact where the amount and all rates that may be needed are.
    pub(super) fn convert(&mut self, of: &Row, from: &Row, to: &str, when: When) -> Result<usize, ExecError> {
        let opening = when == When::Opening;
        self.needs_period |= opening;
        let only = match &from.node {
            RowNode::Const(Value::Text(currency)) => Some(currency.clone()),
            _ => None,
        };
        let of = self.row(of)?;
        let from = self.row(from)?;
        let from = self.as_text(from)?;
        let key = format!("convert {of} {from} {to} {opening} {}", self.judged_later);
        if let Some(&known) = self.known.get(&key) {
            return Ok(known);
        }
        let amount = self.types[of].clone();
        if !amount.is_number() || !matches!(self.types[from], Type::Text | Type::Missing) {
            return Err(ExecError::Plan(format!("{} is converted from {}", amount.words(), self.types[from].words())));
        }
        if !self.is_dated() {
            return Err(ExecError::NotYet("an amount of undated rows in another currency".into()));
        }
        let (scale, rates, numbers) = self.rates(to, only.as_deref())?;
        let ty = match (amount, scale) {
            (Type::Decimal(own), Some(scale)) if own + scale <= SCALE_MAX => Type::Decimal(own + scale),
            (Type::Missing, _) => Type::Missing,
            _ => Type::Float,
        };
        let (to, lenient) = (to.to_string(), self.judged_later);
        let node = Convert { of, from, to, opening, rates, numbers, coded: None, lenient, lacking: None };
        Ok(self.add(key, ty, || Node::Convert(Box::new(node))))
    }

    /// The rates into a currency, of one other or of all, and the number of each of these. The scale is missing where a
    /// rate is not exact.
    #[allow(clippy::type_complexity)] // What is read together.
    fn rates(&self, to: &str, only: Option<&str>) -> Result<(Option<u8>, Vec<Rates>, HashMap<String, u32>), ExecError> {
        let stored = self.stored_rates()?;
        let wanted = |currency: &str| currency != to && only.is_none_or(|only| only == currency);
        let mut names: Vec<&str> = Vec::new();
        for rate in &stored {
            let other = if rate.to == to { &rate.from } else { &rate.to };
            if (rate.to == to || rate.from == to) && wanted(other) && !names.contains(&other.as_str()) {
                names.push(other);
            }
        }
        let mut scale = Some(0);
        let mut all = Vec::with_capacity(names.len());
        for name in &names {
            let direct: Vec<&Stored> = stored.iter().filter(|rate| rate.from == **name && rate.to == to).collect();
            if direct.is_empty() {
                scale = None;
                let inverse = stored.iter().filter(|rate| rate.from == to && rate.to == **name && rate.float != 0.0);
                let (at, floats) = inverse.map(|rate| (rate.at, 1.0 / rate.float)).unzip();
                all.push(Rates { at, digits: Vec::new(), floats });
                continue;
            }
            for rate in &direct {
                scale = scale.zip(rate.exact).map(|(scale, (digits, own))| u8::max(scale, needed(digits, own)));
            }
            let (at, floats) = direct.iter().map(|rate| (rate.at, rate.float)).unzip();
            all.push(Rates { at, digits: Vec::new(), floats });
        }
        // All exact rates at one scale, so that amounts of all currencies have one.
        if let Some(common) = scale {
            for (name, rates) in names.iter().zip(&mut all) {
                let direct = stored.iter().filter(|rate| rate.from == **name && rate.to == to);
                let digits: Option<Vec<i64>> = direct.map(|rate| at_scale(rate.exact?, common)).collect();
                match digits {
                    Some(digits) => rates.digits = digits,
                    None => scale = None,
                }
            }
        }
        let numbers = names.iter().enumerate().map(|(number, name)| (name.to_string(), number as u32)).collect();
        Ok((scale, all, numbers))
    }

    /// All stored rates, in the order of time.
    fn stored_rates(&self) -> Result<Vec<Stored>, ExecError> {
        let mut program = Program::of_base(&Base::Stream(RATES.into()), &self.source, &self.zone, self.now)?;
        let field = |kind, name: &str| Row { unit: Unit::of(kind), node: RowNode::Field(name.into()) };
        let from = program.row(&field(Kind::Text, "from"))?;
        let to = program.row(&field(Kind::Text, "to"))?;
        let rate = program.row(&field(Kind::Number, "rate"))?;
        if !program.is_dated() {
            return Err(ExecError::Plan("rates have no day".into()));
        }
        let mut all = Vec::new();
        let mut frames = program.frames(None, None)?;
        while let Some(frame) = frames.next(&program)? {
            program.evaluate(&frame)?;
            let (from, to, rate) = (program.value(from), program.value(to), program.value(rate));
            let Some(at) = &frame.at else { continue };
            if matches!(rate.values, Values::Missing(_)) {
                continue;
            }
            let floats = rate.floats()?;
            for row in (0..frame.len).filter(|&row| rate.is_known(row)) {
                let (Some(from), Some(to)) = (from.text(row), to.text(row)) else { continue };
                let exact = match &rate.values {
                    Values::Decimal(digits, scale) => Some((digits[row], *scale)),
                    _ => None,
                };
                all.push(Stored { at: at[row], from: from.into(), to: to.into(), exact, float: floats[row] });
            }
        }
        Ok(all)
    }

    /// The conversions that a node's values come from, of which nobody has judged whether a rate is lacking.
    pub(crate) fn conversions(&self, node: usize) -> Vec<usize> {
        let below = match &self.nodes[node] {
            Node::Convert(convert) => return if convert.lenient { vec![node] } else { Vec::new() },
            Node::Call { args, .. } | Node::Times { args, .. } => args.clone(),
            Node::Otherwise { args, .. } | Node::Extreme { args, .. } => args.clone(),
            Node::Case { whens, otherwise, .. } => {
                whens.iter().flat_map(|(condition, value)| [*condition, *value]).chain(*otherwise).collect()
            }
            Node::Plugin { args, .. } => args.iter().map(|arg| arg.0).collect(),
            Node::Keys { of, .. } => vec![*of],
            _ => Vec::new(),
        };
        below.into_iter().flat_map(|node| self.conversions(node)).collect()
    }

    /// The rows of the last batch that wanted for a rate.
    pub(crate) fn lacks_rate(&self, node: usize) -> Option<&BooleanBuffer> {
        match &self.nodes[node] {
            Node::Convert(convert) => convert.lacking.as_ref(),
            _ => None,
        }
    }

    /// Why a row of the last batch has no rate.
    pub(crate) fn no_rate(&self, node: usize, frame: &Frame, row: usize) -> ExecError {
        match &self.nodes[node] {
            Node::Convert(convert) => convert.error(&self.values[convert.from], frame, row, self.clock.zone()),
            _ => ExecError::Plan("no conversion wants for a rate".into()),
        }
    }
}

/// How many decimals a rate needs.
fn needed(mut digits: i64, mut scale: u8) -> u8 {
    while scale > 0 && digits % 10 == 0 {
        digits /= 10;
        scale -= 1;
    }
    scale
}

/// The digits at a scale; none: they do not fit.
fn at_scale((digits, own): (i64, u8), scale: u8) -> Option<i64> {
    match scale.checked_sub(own) {
        Some(more) => digits.checked_mul(10_i64.checked_pow(u32::from(more))?),
        // Only zeros are left out.
        None => Some(digits / 10_i64.checked_pow(u32::from(own - scale))?),
    }
}

impl Convert {
    /// The amounts in the wanted currency.
    pub(super) fn evaluate(
        &mut self,
        values: &[Column],
        frame: &Frame,
        ty: &Type,
        zone: &kepi_model::calendar::Zone,
    ) -> Result<Column, ExecError> {
        self.lacking = None;
        if frame.at.is_none() {
            return Err(ExecError::Plan("a row has no moment".into()));
        }
        let (of, from) = (&values[self.of], &values[self.from]);
        if matches!(of.values, Values::Missing(_)) {
            return Ok(Column::missing(frame.len));
        }
        let currencies = self.currencies(from, frame.len);
        let mut places = vec![usize::MAX; frame.len];
        let mut lacking = Vec::new();
        // Rows come in the order of time, so most have the rate that the last one had.
        let mut lasts: Vec<Option<(usize, i64, i64)>> = vec![None; self.rates.len()];
        for row in 0..frame.len {
            if !of.is_known(row) || currencies[row] >= SAME {
                continue;
            }
            let moment = self.moment(frame, row);
            let currency = currencies[row] as usize;
            let found = match lasts.get(currency) {
                Some(Some((place, from, until))) if (*from..*until).contains(&moment) => Some(*place),
                Some(_) => {
                    let rates = &self.rates[currency];
                    let place = rates.place(moment);
                    lasts[currency] = place
                        .map(|place| (place, rates.at[place], rates.at.get(place + 1).copied().unwrap_or(i64::MAX)));
                    place
                }
                None => None,
            };
            match found {
                Some(place) => places[row] = place,
                // Nothing is nothing in any currency.
                None if is_zero(of, row) => {}
                None => lacking.push(row),
            }
        }
        let known = BooleanBuffer::collect_bool(frame.len, |row| {
            of.is_known(row)
                && (currencies[row] == SAME || places[row] != usize::MAX || is_zero(of, row))
                && currencies[row] != UNKNOWN
        });
        if !lacking.is_empty() {
            if !self.lenient {
                return Err(self.error(from, frame, lacking[0], zone));
            }
            let mut next = lacking.iter().peekable();
            self.lacking = Some(BooleanBuffer::collect_bool(frame.len, |row| next.next_if(|n| **n == row).is_some()));
        }
        let rate = |row: usize| match currencies[row] {
            SAME | UNKNOWN | NO_RATES => None,
            currency => self.rates.get(currency as usize).filter(|_| places[row] != usize::MAX),
        };
        let converted = match (ty, &of.values) {
            (Type::Decimal(scale), Values::Decimal(_, own) | Values::Wide(_, own)) => {
                let one = 10_i128.pow(u32::from(scale - own));
                let amount = |row: usize| match &of.values {
                    Values::Decimal(digits, _) => i128::from(digits[row]),
                    Values::Wide(digits, _) => digits[row],
                    _ => 0,
                };
                if let Values::Decimal(digits, _) = &of.values
                    && let Ok(one) = i64::try_from(one)
                {
                    // Most products are small.
                    let narrow = (0..frame.len).map(|row| match known.value(row) {
                        false => Some(0),
                        true => digits[row].checked_mul(rate(row).map_or(one, |rates| rates.digits[places[row]])),
                    });
                    if let Some(narrow) = narrow.collect::<Option<Vec<i64>>>() {
                        let valid = Some(NullBuffer::new(known));
                        return Ok(Column::new(Values::Decimal(narrow.into(), *scale), valid));
                    }
                }
                let digits = (0..frame.len).map(|row| match known.value(row) {
                    false => Ok(0),
                    true => {
                        let rate = rate(row).map_or(one, |rates| i128::from(rates.digits[places[row]]));
                        amount(row).checked_mul(rate).ok_or_else(|| ExecError::Overflow("an amount".into()))
                    }
                });
                Values::Wide(digits.collect::<Result<Vec<i128>, ExecError>>()?.into(), *scale)
            }
            _ => {
                let amounts = of.floats()?;
                let converted = |row: usize| match rate(row) {
                    Some(rates) => amounts[row] * rates.floats[places[row]],
                    None => amounts[row],
                };
                Values::Float((0..frame.len).map(converted).collect())
            }
        };
        Ok(Column::new(converted, Some(NullBuffer::new(known))).narrowed())
    }

    /// The number of each row's currency.
    fn currencies(&mut self, from: &Column, len: usize) -> Vec<u32> {
        let number = |text: &str| match text == self.to {
            true => SAME,
            false => self.numbers.get(text).copied().unwrap_or(NO_RATES),
        };
        match &from.values {
            Values::Codes(codes, dictionary) => {
                if self.coded.as_ref().is_none_or(|(known, _)| !Arc::ptr_eq(known, dictionary)) {
                    let numbers = dictionary.iter().map(|text| text.map_or(UNKNOWN, number)).collect();
                    self.coded = Some((Arc::clone(dictionary), numbers));
                }
                let numbers = self.coded.as_ref().map_or(&[][..], |(_, numbers)| numbers);
                let of = |row: usize| match from.is_known(row) {
                    true => numbers.get(codes[row] as usize).copied().unwrap_or(UNKNOWN),
                    false => UNKNOWN,
                };
                (0..len).map(of).collect()
            }
            _ => (0..len).map(|row| from.text(row).map_or(UNKNOWN, number)).collect(),
        }
    }

    /// The moment whose rate a row takes.
    fn moment(&self, frame: &Frame, row: usize) -> i64 {
        match (&frame.cell_starts, &frame.at) {
            (Some(starts), _) if self.opening => starts[row].saturating_sub(1),
            (_, Some(at)) => at[row].saturating_sub(frame.back),
            (_, None) => 0,
        }
    }

    fn error(&self, from: &Column, frame: &Frame, row: usize, zone: &kepi_model::calendar::Zone) -> ExecError {
        let moment = self.moment(frame, row);
        ExecError::NoRate {
            from: from.text(row).unwrap_or_default().to_string(),
            to: self.to.clone(),
            day: zone.local(moment).date().to_string(),
        }
    }
}

impl Rates {
    /// The place of the latest rate that is not after a moment.
    fn place(&self, moment: i64) -> Option<usize> {
        self.at.partition_point(|&at| at <= moment).checked_sub(1)
    }
}

fn is_zero(amount: &Column, row: usize) -> bool {
    match &amount.values {
        Values::Decimal(digits, _) => digits[row] == 0,
        Values::Wide(digits, _) => digits[row] == 0,
        Values::Float(value) => value[row] == 0.0,
        _ => false,
    }
}
