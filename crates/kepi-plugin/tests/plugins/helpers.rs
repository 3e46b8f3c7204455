//! What the tests share: loading a plugin, making columns, reading answers.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array, StringArray};
use kepi_extension::ScalarFunction;
use kepi_plugin::{Found, Loaded, Settings, load, shipped};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder `plugins/` of the project.
pub(crate) fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins")
}

/// Loads one of the plugins that are part of kepi.
pub(crate) fn load_shipped(id: &str, alias: &str) -> Loaded {
    let found = shipped().into_iter().find(|f| f.manifest.id == id).unwrap();
    load(&found, alias, &Settings::default()).unwrap()
}

/// Loads a plugin of the project's folder.
pub(crate) fn load_folder(name: &str, settings: &Settings) -> Loaded {
    load(&Found::in_folder(&plugins().join(name)).unwrap(), "p", settings).unwrap()
}

/// A scalar function by full name.
pub(crate) fn scalar(loaded: &Loaded, name: &str) -> Arc<dyn ScalarFunction> {
    Arc::clone(&loaded.functions().scalars[name])
}

/// A column of numbers.
pub(crate) fn floats(values: &[Option<f64>]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

/// A column of as many numbers as are given, none missing.
pub(crate) fn numbers(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

/// The numbers of an answer.
pub(crate) fn as_floats(array: &ArrayRef) -> Vec<Option<f64>> {
    array.as_primitive::<Float64Type>().iter().collect()
}

/// The texts of an answer.
pub(crate) fn as_texts(array: &ArrayRef) -> Vec<Option<String>> {
    let texts: &StringArray = array.as_string();
    assert_eq!(texts.len(), array.len());
    texts.iter().map(|t| t.map(str::to_string)).collect()
}

/// What is said of a call that has to fail.
pub(crate) fn failure<T, E: std::fmt::Display>(answer: Result<T, E>) -> String {
    match answer {
        Ok(_) => panic!("this call has to fail"),
        Err(error) => error.to_string(),
    }
}
