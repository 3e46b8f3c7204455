//! What must hold of a manifest as a whole: its id, its contract, its file, and that it provides what it says.

use super::functions::check_function;
use super::written::Written;
use super::{Manifest, ManifestFunction, Provides, Runtime};
use kepi_model::declared::FunctionKind;
use std::ops::Range;
use std::path::{Component, Path};
use toml::Spanned;

/// The contract that this kepi speaks.
const API: &str = "0.1";

/// A mistake and where it stands.
pub(super) type Mistake = (Range<usize>, String);

/// The manifest, or its first mistake.
pub(super) fn check(written: Written) -> Result<Manifest, Mistake> {
    if !is_id(written.id.get_ref()) {
        let what =
            "is no id: small letters, digits, `-` and `_` are needed, in parts joined by dots, as in \"acme.margins\"";
        return Err((written.id.span(), format!("`{}` {what}", written.id.get_ref())));
    }
    if written.version.get_ref().is_empty() {
        return Err((written.version.span(), "the version is empty".to_string()));
    }
    if written.api.get_ref() != API {
        let asked = written.api.get_ref();
        return Err((written.api.span(), format!("the plugin needs api \"{asked}\", and this kepi speaks \"{API}\"")));
    }
    if written.provides.get_ref().is_empty() {
        return Err((written.provides.span(), "it provides nothing".to_string()));
    }
    match (&written.file, written.runtime) {
        (None, Runtime::Native) => {}
        (Some(file), Runtime::Native) => {
            return Err((file.span(), "what is compiled in has no file: leave `file` out".to_string()));
        }
        (Some(file), _) => check_file(file)?,
        (None, _) => {
            return Err((written.id.span(), "`file` is missing: the component, script or description".to_string()));
        }
    }
    let name = match written.runtime {
        Runtime::Rest => "rest",
        Runtime::Native => "native",
        Runtime::Wasm | Runtime::Rhai => "",
    };
    if !name.is_empty() && *written.provides.get_ref() != [Provides::Connector] {
        let message =
            format!("the runtime \"{name}\" provides a connector, and nothing else: provides = [\"connector\"]");
        return Err((written.provides.span(), message));
    }
    let provides = written.provides.get_ref().clone();
    let mut functions: Vec<ManifestFunction> = Vec::new();
    for function in written.functions {
        let kind = *function.kind.get_ref();
        if !provides.contains(&Provides::functions(kind)) {
            return Err((function.kind.span(), format!("`provides` does not say \"{}\"", kind.word())));
        }
        if functions.iter().any(|f| f.signature.name == *function.name.get_ref()) {
            return Err((function.name.span(), format!("the function `{}` is there twice", function.name.get_ref())));
        }
        functions.push(check_function(function)?);
    }
    for kind in [FunctionKind::Scalar, FunctionKind::Aggregate, FunctionKind::Model, FunctionKind::Series] {
        if provides.contains(&Provides::functions(kind)) && !functions.iter().any(|f| f.signature.kind == kind) {
            let kind = kind.word();
            let message = format!("it provides \"{kind}\", but no [[function]] has kind = \"{kind}\"");
            return Err((written.provides.span(), message));
        }
    }
    Ok(Manifest {
        id: written.id.into_inner(),
        version: written.version.into_inner(),
        description: written.description,
        runtime: written.runtime,
        provides,
        file: written.file.map(Spanned::into_inner).unwrap_or_default(),
        functions,
        capabilities: written.capabilities,
        oauth2: written.oauth2,
        rates: written.rates,
    })
}

/// The file must lie in the plugin's own folder: no way out of it, whoever wrote the manifest.
fn check_file(file: &Spanned<String>) -> Result<(), Mistake> {
    let inside = Path::new(file.get_ref()).components().all(|part| matches!(part, Component::Normal(_)));
    if file.get_ref().is_empty() || file.get_ref().contains('\0') || !inside {
        let message = "the file must lie in the plugin's folder, named without `..` and from the manifest on";
        return Err((file.span(), message.to_string()));
    }
    Ok(())
}

/// Whether a text can name a function, a parameter or an alias.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_id(text: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    text.split('.').all(|part| part.starts_with(|c: char| c.is_ascii_lowercase()) && part.chars().all(good))
}
