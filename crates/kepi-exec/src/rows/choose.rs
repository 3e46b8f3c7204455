//! `case`, `otherwise`, `least` and `greatest`: for each row the value of one of several columns.

use super::clock::Clock;
use super::column::{Column, Type, Values};
use super::compare::instants;
use super::numbers::{narrow_at, wide_at};
use super::text::Union;
use crate::ExecError;
use arrow_array::StringArray;
use arrow_buffer::{BooleanBuffer, NullBuffer};
use std::sync::Arc;

/// No branch: the row's value is missing.
pub(crate) const NONE: u16 = u16::MAX;

/// The dictionary that several dictionaries were put together into, with the new codes of each.
#[derive(Debug, Default)]
pub(crate) struct Unions {
    of: Vec<Arc<StringArray>>,
    tables: Vec<Vec<u32>>,
    texts: Option<Arc<StringArray>>,
}

impl Unions {
    fn renew(&mut self, dictionaries: &[&Arc<StringArray>]) -> Arc<StringArray> {
        let same =
            self.of.len() == dictionaries.len() && self.of.iter().zip(dictionaries).all(|(a, b)| Arc::ptr_eq(a, b));
        match &self.texts {
            Some(texts) if same => Arc::clone(texts),
            _ => {
                let mut union = Union::default();
                let number = |texts: &&Arc<StringArray>| texts.iter().map(|t| union.add(t.unwrap_or(""))).collect();
                self.tables = dictionaries.iter().map(number).collect();
                self.of = dictionaries.iter().map(|&d| Arc::clone(d)).collect();
                let texts = union.finish();
                self.texts = Some(Arc::clone(&texts));
                texts
            }
        }
    }
}

/// The type that several branches have in common.
pub(crate) fn common_type(types: &[Type]) -> Result<Type, ExecError> {
    let mut common = Type::Missing;
    for ty in types {
        common = match (common, ty) {
            (Type::Missing, other) => other.clone(),
            (other, Type::Missing) => other,
            (a, b) if a == *b => a,
            (Type::Decimal(a), Type::Decimal(b)) => Type::Decimal(a.max(*b)),
            (a, b) if a.is_number() && b.is_number() => Type::Float,
            (Type::Date, Type::Time) | (Type::Time, Type::Date) => Type::Time,
            (Type::Text, Type::Id(_)) | (Type::Id(_), Type::Text) => Type::Text,
            (a, b) => return Err(ExecError::Plan(format!("{} stands beside {}", a.words(), b.words()))),
        };
    }
    Ok(common)
}

/// For each row the value of the branch `pick[row]`.
pub(crate) fn choose(
    pick: &[u16],
    branches: &[&Column],
    ty: &Type,
    unions: &mut Unions,
    clock: &mut Clock,
) -> Result<Column, ExecError> {
    let known = |row: usize| pick[row] != NONE && branches[usize::from(pick[row])].is_known(row);
    let valid = Some(NullBuffer::new(BooleanBuffer::collect_bool(pick.len(), known)));
    let values = match ty {
        Type::Missing => return Ok(Column::missing(pick.len())),
        Type::Decimal(scale) => return decimals(pick, branches, *scale, valid),
        Type::Float => {
            let floats = branches.iter().map(|b| b.floats()).collect::<Result<Vec<_>, _>>()?;
            Values::Float(gather(pick, &floats).into())
        }
        Type::Text => return Ok(texts(pick, branches, valid, unions)),
        Type::Bool => {
            let value = |row: usize| match pick[row] {
                NONE => false,
                branch => matches!(&branches[usize::from(branch)].values, Values::Bool(v) if v.value(row)),
            };
            Values::Bool(BooleanBuffer::collect_bool(pick.len(), value))
        }
        Type::Time => {
            let times = branches.iter().map(|b| instants(b, clock)).collect::<Result<Vec<_>, _>>()?;
            Values::Time(gather(pick, &times).into())
        }
        Type::Date => {
            let dates: Vec<Vec<i32>> = branches
                .iter()
                .map(|b| match &b.values {
                    Values::Date(v) => v.to_vec(),
                    _ => vec![0; pick.len()],
                })
                .collect();
            Values::Date(gather(pick, &dates).into())
        }
        Type::Id(entity) => {
            let ids: Vec<Vec<u32>> = branches
                .iter()
                .map(|b| match &b.values {
                    Values::Id(v, _) => v.to_vec(),
                    _ => vec![0; pick.len()],
                })
                .collect();
            Values::Id(gather(pick, &ids).into(), Arc::clone(entity))
        }
    };
    Ok(Column::new(values, valid))
}

fn gather<T: Copy + Default, V: AsRef<[T]>>(pick: &[u16], branches: &[V]) -> Vec<T> {
    let value = |(row, &branch): (usize, &u16)| match branch {
        NONE => T::default(),
        branch => branches[usize::from(branch)].as_ref()[row],
    };
    pick.iter().enumerate().map(value).collect()
}

fn decimals(pick: &[u16], branches: &[&Column], scale: u8, valid: Option<NullBuffer>) -> Result<Column, ExecError> {
    let blank = |b: &Column| matches!(b.values, Values::Missing(_));
    let narrow: Option<Vec<Vec<i64>>> = branches
        .iter()
        .map(|b| if blank(b) { Some(vec![0; pick.len()]) } else { narrow_at(b, scale).map(|v| v.to_vec()) })
        .collect();
    if let Some(narrow) = narrow {
        return Ok(Column::new(Values::Decimal(gather(pick, &narrow).into(), scale), valid));
    }
    let wide: Option<Vec<Vec<i128>>> =
        branches.iter().map(|b| if blank(b) { Some(vec![0; pick.len()]) } else { wide_at(b, scale) }).collect();
    if let Some(wide) = wide {
        return Ok(Column::new(Values::Wide(gather(pick, &wide).into(), scale), valid));
    }
    // A branch had to become a float, so all are.
    let floats = branches.iter().map(|b| b.floats()).collect::<Result<Vec<_>, _>>()?;
    Ok(Column::new(Values::Float(gather(pick, &floats).into()), valid))
}

fn texts(pick: &[u16], branches: &[&Column], valid: Option<NullBuffer>, unions: &mut Unions) -> Column {
    let empty = Arc::new(StringArray::from_iter_values::<&str, _>([]));
    let dictionaries: Option<Vec<&Arc<StringArray>>> = branches
        .iter()
        .map(|b| match &b.values {
            Values::Codes(_, dictionary) => Some(dictionary),
            Values::Missing(_) => Some(&empty),
            _ => None,
        })
        .collect();
    let Some(dictionaries) = dictionaries else {
        let text = |(row, &branch): (usize, &u16)| match branch {
            NONE => None,
            branch => branches[usize::from(branch)].text(row),
        };
        let texts: StringArray = pick.iter().enumerate().map(text).collect();
        return Column::new(Values::Text(texts), valid);
    };
    // The empty dictionary of a missing branch must not look new in every batch.
    let known: Vec<&Arc<StringArray>> = dictionaries.into_iter().filter(|d| !Arc::ptr_eq(d, &empty)).collect();
    let union = unions.renew(&known);
    let mut next = 0;
    let tables: Vec<Option<(&[u32], &[u32])>> = branches
        .iter()
        .map(|b| match &b.values {
            Values::Codes(codes, _) => {
                let table = unions.tables[next].as_slice();
                next += 1;
                Some((&codes[..], table))
            }
            _ => None,
        })
        .collect();
    let code = |(row, &branch): (usize, &u16)| match branch {
        NONE => 0,
        branch => {
            tables[usize::from(branch)].and_then(|(codes, table)| table.get(codes[row] as usize).copied()).unwrap_or(0)
        }
    };
    Column::new(Values::Codes(pick.iter().enumerate().map(code).collect(), union), valid)
}
