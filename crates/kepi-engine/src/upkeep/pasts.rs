//! What attributes with history were, when: a row of an exported entity for each moment at which one of them changed.

use super::export::scan_error;
use crate::api::EngineError;
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, UInt32Type};
use arrow_array::{ArrayRef, UInt32Array};
use kepi_extension::{AT, EventScan};
use kepi_store::{EVER, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// The pasts of some attributes of an entity.
#[derive(Debug)]
pub(super) struct Pasts {
    /// Id and moment of each row that is written, in order.
    pub(super) rows: Vec<(u32, i64)>,
    attributes: BTreeMap<String, Past>,
}

/// The values that an attribute has had.
#[derive(Debug)]
struct Past {
    values: ArrayRef,
    /// By id and moment the place of the value that holds from then on.
    places: BTreeMap<(u32, i64), u32>,
}

impl Pasts {
    /// Those of the attributes that keep a history; none: none of them does. `ids`: whose they are.
    pub(super) fn of(
        snapshot: &Snapshot,
        entity: &str,
        attributes: &[String],
        ids: &[u32],
    ) -> Result<Option<Pasts>, EngineError> {
        if attributes.is_empty() {
            return Ok(None);
        }
        let mut pasts = BTreeMap::new();
        let mut rows = BTreeSet::new();
        for attribute in attributes {
            let past = snapshot.attribute_history(entity, attribute).map_err(scan_error)?;
            let column = |name: &str| {
                let gone = || EngineError::failed(format!("the past of `{attribute}` has no {name}"));
                past.column_by_name(name).ok_or_else(gone)
            };
            let whose = column("id")?.as_primitive::<UInt32Type>().values();
            let moments = column(AT)?.as_primitive::<TimestampMicrosecondType>().values();
            // Of two values of one moment the one that was loaded last holds.
            let places: BTreeMap<(u32, i64), u32> =
                whose.iter().zip(moments).map(|(id, moment)| (*id, (*moment).max(EVER))).zip(0..).collect();
            rows.extend(places.keys().copied());
            let values = column("value")?.clone();
            pasts.insert(attribute.clone(), Past { values, places });
        }
        let known: BTreeSet<u32> = rows.iter().map(|(id, _)| *id).collect();
        let own: BTreeSet<u32> = ids.iter().copied().collect();
        rows.retain(|(id, _)| own.contains(id));
        rows.extend(own.difference(&known).map(|id| (*id, EVER)));
        Ok(Some(Pasts { rows: rows.into_iter().collect(), attributes: pasts }))
    }

    /// The values of an attribute in some of the rows; none: it has no past.
    pub(super) fn values(&self, attribute: &str, rows: &[(u32, i64)]) -> Option<Result<ArrayRef, EngineError>> {
        let past = self.attributes.get(attribute)?;
        let place = |(id, moment): &(u32, i64)| {
            past.places.range((*id, i64::MIN)..=(*id, *moment)).next_back().map(|(_, place)| *place)
        };
        let places: UInt32Array = rows.iter().map(place).collect();
        Some(arrow_select::take::take(past.values.as_ref(), &places, None).map_err(EngineError::failed))
    }
}
