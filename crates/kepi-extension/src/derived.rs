//! What is worked out of a snapshot and kept with it, for as long as a process has it open.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Values by name. They follow from the snapshot alone, so that whoever finds one need not make it again.
#[derive(Default)]
pub struct Derived(Mutex<HashMap<String, Arc<dyn Any + Send + Sync>>>);

impl Derived {
    /// The value of a name; none: nobody has made one of this type.
    pub fn get<T: Any + Send + Sync>(&self, name: &str) -> Option<Arc<T>> {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.get(name).cloned().and_then(|value| value.downcast().ok())
    }

    /// The value of a name, which begins empty: the same for all who ask at the same time.
    pub fn shared<T: Any + Send + Sync + Default>(&self, name: &str) -> Arc<T> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = values.get(name).cloned().and_then(|value| value.downcast().ok());
        known.unwrap_or_else(|| {
            let value = Arc::<T>::default();
            values.insert(name.to_owned(), value.clone());
            value
        })
    }

    /// Keeps a value.
    pub fn keep<T: Any + Send + Sync>(&self, name: String, value: Arc<T>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, value);
    }
}

impl fmt::Debug for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Derived").finish_non_exhaustive()
    }
}
