//! Whether what is stored of a field is what its declaration says: a field may be declared otherwise after its load.

use super::column::Type;
use crate::{ExecError, Note};
use kepi_extension::ColumnKind;
use kepi_model::value::{Kind, Unit};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What is stored and what is declared, in words, where the one cannot be read as the other.
pub fn stored_otherwise(kind: &ColumnKind, unit: &Unit) -> Option<(String, String)> {
    let (stored, declared) = (Type::of_kind(kind), Type::of_unit(unit));
    let number = |ty: &Type| matches!(ty, Type::Decimal(_) | Type::Float);
    // What ends an interval is a time, and may be stored as a day.
    let moment = |ty: &Type| matches!(ty, Type::Time | Type::Date);
    let same = match (&stored, &declared) {
        (_, Type::Missing) => true,
        (Type::Decimal(_) | Type::Float, other) => number(other),
        (Type::Time | Type::Date, other) => moment(other),
        (stored, declared) => stored == declared,
    };
    let words = |ty: &Type| match ty {
        Type::Id(entity) => format!("{} keys", entity.rsplit('.').next().unwrap_or(entity)),
        Type::Text => "texts".to_string(),
        ty if number(ty) => "numbers".to_string(),
        Type::Bool => "yes and no".to_string(),
        Type::Time => "times".to_string(),
        _ => "dates".to_string(),
    };
    let wanted = match &unit.kind {
        Kind::Entity(_) => words(&declared),
        kind => Unit::of(kind.clone()).to_string(),
    };
    (!same).then(|| (words(&stored), wanted))
}

/// Fails where a field is stored otherwise than it is declared.
pub(super) fn as_declared(of: &str, field: &str, kind: &ColumnKind, unit: &Unit) -> Result<(), ExecError> {
    match stored_otherwise(kind, unit) {
        Some((stored, declared)) => {
            Err(ExecError::StoredOtherwise { of: of.into(), field: field.into(), stored, declared })
        }
        None => Ok(()),
    }
}

/// Fields that a query asked for and of which nothing was ever loaded, though other fields beside them were.
#[derive(Debug, Default)]
pub(crate) struct Unfilled(Mutex<BTreeMap<(String, bool), Vec<String>>>);

impl Unfilled {
    /// Notes a field of an event or an entity. `known_again`: whether its rows are known when they come again.
    pub(super) fn note(&self, of: &str, field: &str, known_again: bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fields = known.entry((of.to_string(), known_again)).or_default();
        if !fields.iter().any(|known| known == field) {
            fields.push(field.to_string());
        }
    }

    /// What is said of them.
    pub(crate) fn notes(&self) -> Vec<Note> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let note = |((of, known_again), fields): (&(String, bool), &Vec<String>)| {
            let of = of.rsplit('.').next().unwrap_or(of);
            let mut names: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
            names.sort();
            let (names, is) = (names.join(" and "), if fields.len() == 1 { "is" } else { "are" });
            Note {
                code: "not_loaded".into(),
                text: format!(
                    "{names} of `{of}` {is} missing everywhere: nothing has been loaded into it; where it was declared \
                     after the load, {}",
                    match known_again {
                        true => "load the files again",
                        false => {
                            "take the loads out (`kepi store loads`, `kepi store unload N`) and load the files again: \
                             without an id rows that have more columns would stand beside those from before"
                        }
                    }
                ),
            }
        };
        known.iter().map(note).collect()
    }
}
