//! `#[kepi::aggregate]`, `#[kepi::model]` and `#[kepi::series]`: what a struct is called and what it takes.

use crate::state;
use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Ident, ItemStruct, LitInt, LitStr, Meta, Token, Type};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Aggregate,
    Model,
    Series,
}

/// A parameter: its name, and its type where it has one here.
struct Parameter {
    name: Ident,
    ty: Option<Type>,
}

impl syn::parse::Parse for Parameter {
    fn parse(input: syn::parse::ParseStream<'_>) -> syn::Result<Parameter> {
        let name = input.parse()?;
        let ty = if input.parse::<Option<Token![:]>>()?.is_some() { Some(input.parse()?) } else { None };
        Ok(Parameter { name, ty })
    }
}

pub(crate) fn expand(what: What, attribute: TokenStream, item: TokenStream) -> Result<TokenStream, Error> {
    let item: ItemStruct = syn::parse2(item)?;
    let ident = &item.ident;
    let mut name = snake_case(&ident.to_string());
    let mut parameters: Option<Vec<Parameter>> = None;
    let (mut version, mut sees_missing) = (quote!(1), false);
    for meta in Punctuated::<Meta, Token![,]>::parse_terminated.parse2(attribute)? {
        let key = meta.path().get_ident().map(ToString::to_string).unwrap_or_default();
        match (key.as_str(), &meta) {
            ("name", Meta::NameValue(pair)) => name = syn::parse2::<LitStr>(value(&pair.value))?.value(),
            ("params", Meta::List(list)) => {
                let listed = Punctuated::<Parameter, Token![,]>::parse_terminated.parse2(list.tokens.clone())?;
                parameters = Some(listed.into_iter().collect());
            }
            ("state_version", Meta::NameValue(pair)) if what == What::Aggregate => {
                let number: LitInt = syn::parse2(value(&pair.value))?;
                version = quote!(#number);
            }
            ("sees_missing", Meta::Path(_)) if what == What::Aggregate => sees_missing = true,
            _ => {
                let known = match what {
                    What::Aggregate => "params(x, y), name = \"…\", state_version = 1 and sees_missing",
                    What::Model | What::Series => "params(x: f64, y: f64) and name = \"…\"",
                };
                return Err(Error::new(meta.span(), format!("there is {known}")));
            }
        }
    }
    let parameters = parameters.ok_or_else(|| Error::new_spanned(ident, "say what it takes: params(x)"))?;
    let names: Vec<String> = parameters.iter().map(|parameter| parameter.name.to_string()).collect();
    if what == What::Aggregate {
        if let Some(typed) = parameters.iter().find(|parameter| parameter.ty.is_some()) {
            return Err(Error::new_spanned(&typed.name, "the type is that of the Row of `impl Aggregate`"));
        }
        let saved = state::fields(&item)?;
        return Ok(quote! {
            #item
            #saved
            impl ::kepi_plugin_sdk::AggregateInfo for #ident {
                const NAME: &'static str = #name;
                const PARAMS: &'static [&'static str] = &[#(#names),*];
                const STATE_VERSION: u32 = #version;
                const SEES_MISSING: bool = #sees_missing;
            }
        });
    }
    let mut descriptions = Vec::new();
    for (parameter, name) in parameters.iter().zip(&names) {
        let Some(ty) = &parameter.ty else {
            return Err(Error::new_spanned(&parameter.name, format!("`{name}` needs a type: `{name}: f64`")));
        };
        descriptions.push(quote!(::kepi_plugin_sdk::ParamInfo {
            name: #name,
            accepts: <#ty as ::kepi_plugin_sdk::Argument>::TYPE,
            optional: <#ty as ::kepi_plugin_sdk::Argument>::OPTIONAL,
        }));
    }
    let saved = if what == What::Model { state::fields(&item)? } else { TokenStream::new() };
    Ok(quote! {
        #item
        #saved
        impl ::kepi_plugin_sdk::LearnedInfo for #ident {
            const NAME: &'static str = #name;
            const PARAMS: &'static [::kepi_plugin_sdk::ParamInfo] = &[#(#descriptions),*];
        }
    })
}

fn value(expression: &syn::Expr) -> TokenStream {
    quote!(#expression)
}

/// `NetRevenue` as `net_revenue`.
fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for (index, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && index > 0 {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}
