//! The current values of attributes, read once per query: every part of every pass that looks one up shares them.

use crate::{ExecError, Source};
use kepi_extension::Attribute;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// By entity and field what was read.
#[derive(Debug, Default)]
pub(crate) struct Attributes(Mutex<BTreeMap<(String, String), Attribute>>);

impl Source {
    /// The current values of an attribute, by id. Codes are stored in as few bytes as they need and widened here, so a
    /// large entity's are made once and not once for each part.
    ///
    /// Errors: the store has no such attribute, or cannot read it.
    pub(crate) fn attribute(&self, entity: &str, field: &str) -> Result<Attribute, ExecError> {
        // Held while it is read: who asks for it meanwhile would only make it, too.
        let mut read = self.made.attributes.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (entity.to_string(), field.to_string());
        if let Some(known) = read.get(&name) {
            return Ok(known.clone());
        }
        let attribute = self.scan.attribute(entity, field)?;
        read.insert(name, attribute.clone());
        Ok(attribute)
    }
}
