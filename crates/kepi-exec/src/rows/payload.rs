//! Values as plain 64-bit numbers, so that arrays by id and cells hold any type alike.

use super::column::{Column, Type, Values};
use crate::ExecError;
use arrow_array::{Array, StringArray};
use arrow_buffer::ScalarBuffer;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

/// Texts by number: those of the first dictionary seen keep their codes.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    dictionary: Option<Arc<StringArray>>,
    extra: Vec<String>,
    index: Option<HashMap<String, u32>>,
    tables: Vec<(Arc<StringArray>, Vec<u32>)>,
    joined: Option<Arc<StringArray>>,
}

impl Texts {
    /// How many texts have a number.
    pub(crate) fn count(&self) -> usize {
        self.dictionary.as_ref().map_or(0, |d| d.len()) + self.extra.len()
    }

    /// The text of a number.
    pub(crate) fn text(&self, number: u32) -> &str {
        let first = self.dictionary.as_ref().map_or(0, |d| d.len());
        let number = number as usize;
        match &self.dictionary {
            Some(dictionary) if number < first => dictionary.value(number),
            _ => self.extra.get(number - first).map_or("", String::as_str),
        }
    }

    /// All texts by number.
    pub(crate) fn all(&mut self) -> Arc<StringArray> {
        if let (Some(dictionary), true) = (&self.dictionary, self.extra.is_empty()) {
            return Arc::clone(dictionary);
        }
        let count = self.count();
        if let Some(joined) = self.joined.as_ref().filter(|j| j.len() == count) {
            return Arc::clone(joined);
        }
        let joined = Arc::new(StringArray::from_iter_values((0..count).map(|i| self.text(i as u32))));
        self.joined = Some(Arc::clone(&joined));
        joined
    }

    fn number(&mut self, text: &str) -> u32 {
        let index = match &mut self.index {
            Some(index) => index,
            none => {
                let texts = self.dictionary.iter().flat_map(|d| d.iter()).enumerate();
                none.insert(texts.map(|(i, t)| (t.unwrap_or("").to_string(), i as u32)).collect())
            }
        };
        if let Some(&number) = index.get(text) {
            return number;
        }
        let number = (self.dictionary.as_ref().map_or(0, |d| d.len()) + self.extra.len()) as u32;
        index.insert(text.to_string(), number);
        self.extra.push(text.to_string());
        number
    }

    /// The numbers of a dictionary's codes; none: they are the codes.
    fn table(&mut self, dictionary: &Arc<StringArray>) -> Option<usize> {
        if self.dictionary.is_none() && self.extra.is_empty() {
            self.dictionary = Some(Arc::clone(dictionary));
        }
        if self.dictionary.as_ref().is_some_and(|d| Arc::ptr_eq(d, dictionary)) {
            return None;
        }
        if let Some(known) = self.tables.iter().position(|(d, _)| Arc::ptr_eq(d, dictionary)) {
            return Some(known);
        }
        let table = dictionary.iter().map(|t| self.number(t.unwrap_or(""))).collect();
        self.tables.push((Arc::clone(dictionary), table));
        Some(self.tables.len() - 1)
    }

    /// The numbers of a column of texts.
    pub(crate) fn encode(&mut self, column: &Column) -> Vec<i64> {
        match &column.values {
            Values::Codes(codes, dictionary) => match self.table(dictionary) {
                None => codes.iter().map(|&c| i64::from(c)).collect(),
                Some(table) => {
                    let table = &self.tables[table].1;
                    codes.iter().map(|&c| table.get(c as usize).copied().map_or(0, i64::from)).collect()
                }
            },
            Values::Text(texts) => (0..texts.len())
                .map(|row| if column.is_known(row) { i64::from(self.number(texts.value(row))) } else { 0 })
                .collect(),
            _ => vec![0; column.len()],
        }
    }
}

/// Writes the values of one expression as numbers, and reads them back.
///
/// Equal values have equal numbers; except for texts, greater values have greater numbers.
#[derive(Debug)]
pub(crate) struct Payload {
    ty: Type,
    texts: Texts,
}

impl Payload {
    /// For an expression of this type.
    pub(crate) fn new(ty: Type) -> Payload {
        Payload { ty, texts: Texts::default() }
    }

    /// The numbers of a column of entities or codes, where they are what the column holds already; those of missing
    /// values mean nothing.
    pub(crate) fn small<'a>(&mut self, column: &'a Column) -> Option<&'a [u32]> {
        match (&self.ty, &column.values) {
            (Type::Id(_), Values::Id(ids, _)) => Some(ids),
            (Type::Text, Values::Codes(codes, dictionary)) if self.texts.table(dictionary).is_none() => Some(codes),
            _ => None,
        }
    }

    /// The type of the expression.
    pub(crate) fn ty(&self) -> &Type {
        &self.ty
    }

    /// How many texts there are in the dictionary whose codes are the numbers; none: nothing was written yet.
    pub(crate) fn codes(&self) -> Option<usize> {
        self.texts.dictionary.as_ref().map(|dictionary| dictionary.len())
    }

    /// The texts behind numbers of texts.
    pub(crate) fn texts(&mut self) -> &mut Texts {
        &mut self.texts
    }

    /// The numbers of a column; what stands for a missing value means nothing.
    pub(crate) fn encode(&mut self, column: &Column) -> Result<ScalarBuffer<i64>, ExecError> {
        let fit = |fits: Option<Vec<i64>>| {
            fits.map(ScalarBuffer::from).ok_or_else(|| ExecError::Overflow("a row's expression".into()))
        };
        match (&self.ty, &column.values) {
            (_, Values::Missing(len)) => Ok(vec![0; *len].into()),
            (Type::Decimal(scale), Values::Decimal(v, own)) if scale == own => Ok(v.clone()),
            (Type::Decimal(scale), Values::Decimal(..) | Values::Wide(..)) => {
                let wide = super::numbers::wide_at(column, *scale);
                fit(wide.and_then(|w| {
                    w.into_iter()
                        .enumerate()
                        .map(|(row, d)| if column.is_known(row) { i64::try_from(d).ok() } else { Some(0) })
                        .collect()
                }))
            }
            (Type::Decimal(_), Values::Float(_)) => fit(None),
            (Type::Float, _) => Ok(column.floats()?.iter().map(|&x| from_float(x)).collect()),
            (Type::Time, Values::Time(v)) => Ok(v.clone()),
            (Type::Date, Values::Date(v)) => Ok(v.iter().map(|&d| i64::from(d)).collect()),
            (Type::Bool, Values::Bool(v)) => Ok(v.iter().map(i64::from).collect()),
            (Type::Id(_), Values::Id(v, _)) => Ok(v.iter().map(|&d| i64::from(d)).collect()),
            (Type::Text, Values::Codes(..) | Values::Text(_)) => Ok(self.texts.encode(column).into()),
            (ty, values) => Err(ExecError::Plan(format!("{} is {}", ty.words(), values.words()))),
        }
    }

    /// The column of some numbers.
    pub(crate) fn decode(&mut self, numbers: Vec<i64>, valid: Option<arrow_buffer::NullBuffer>) -> Column {
        let values = match &self.ty {
            Type::Decimal(scale) => Values::Decimal(numbers.into(), *scale),
            Type::Float => Values::Float(numbers.into_iter().map(to_float).collect()),
            Type::Time => Values::Time(numbers.into()),
            Type::Date => Values::Date(numbers.into_iter().map(|d| d as i32).collect()),
            Type::Bool => Values::Bool(numbers.into_iter().map(|b| b != 0).collect()),
            Type::Id(entity) => Values::Id(numbers.into_iter().map(|d| d as u32).collect(), Arc::clone(entity)),
            Type::Text => {
                let texts = self.texts.all();
                if texts.is_empty() {
                    return Column::missing(numbers.len());
                }
                Values::Codes(numbers.into_iter().map(|d| d as u32).collect(), texts)
            }
            Type::Missing => return Column::missing(numbers.len()),
        };
        Column::new(values, valid)
    }

    /// The order of the values behind two numbers.
    #[inline]
    pub(crate) fn compare(&self, a: i64, b: i64) -> Ordering {
        match self.ty {
            Type::Text if a != b => self.texts.text(a as u32).cmp(self.texts.text(b as u32)),
            _ => a.cmp(&b),
        }
    }
}

/// A number that is ordered as the float is; both zeros are one.
pub(crate) fn from_float(value: f64) -> i64 {
    let bits = (value + 0.0).to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// The float of such a number.
pub(crate) fn to_float(number: i64) -> f64 {
    f64::from_bits((number ^ (((number >> 63) as u64) >> 1) as i64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_keep_their_order_as_numbers() {
        let floats = [f64::NEG_INFINITY, -2.5, -1e-300, 0.0, 1e-300, 7.25, f64::INFINITY];
        let numbers: Vec<i64> = floats.iter().map(|&f| from_float(f)).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        assert!(numbers.iter().zip(floats).all(|(&n, f)| to_float(n) == f));
        assert_eq!(from_float(-0.0), from_float(0.0));
    }
}
