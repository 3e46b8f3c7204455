//! The attributes of `kepi-plugin-sdk`. See there; this crate only turns declarations into descriptions.

mod described;
mod scalar;
mod state;

use proc_macro::TokenStream;

/// Makes a function of rows. The parameters are numbers (`f64`), counts (`i64`), `bool`, `String`, `Time` or `Date`, or
/// an `Option` of these for one that may be left out; the result is one of these, an `Option` of it (missing), or a
/// `Result` of either.
///
/// `#[kepi::scalar(sees_missing)]`: it is called for rows with a missing argument, and every `Option` may be missing.
#[proc_macro_attribute]
pub fn scalar(attribute: TokenStream, item: TokenStream) -> TokenStream {
    scalar::expand(attribute.into(), item.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Makes a struct with named fields an aggregate's state, which `impl Aggregate` tells what to do with rows:
/// `#[kepi::aggregate(params(x), state_version = 1)]`. Raise the version when the fields change, so that states that
/// were saved by an older build are computed anew and not misread. Fields are saved in their order.
#[proc_macro_attribute]
pub fn aggregate(attribute: TokenStream, item: TokenStream) -> TokenStream {
    described::expand(described::What::Aggregate, attribute.into(), item.into())
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Makes a struct with named fields the state of a model, which `impl Model` fits and applies:
/// `#[kepi::model(params(at: Time, amount: f64, discount: Option<f64>))]`. The entity is no parameter here.
#[proc_macro_attribute]
pub fn model(attribute: TokenStream, item: TokenStream) -> TokenStream {
    described::expand(described::What::Model, attribute.into(), item.into())
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Makes a struct without fields a series, which `impl Series` extends: `#[kepi::series(params(past: f64, alpha: f64))]`.
#[proc_macro_attribute]
pub fn series(attribute: TokenStream, item: TokenStream) -> TokenStream {
    described::expand(described::What::Series, attribute.into(), item.into())
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Lets a struct with named fields be saved and read again, field by field.
#[proc_macro_derive(State)]
pub fn state(item: TokenStream) -> TokenStream {
    state::expand(item.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}
