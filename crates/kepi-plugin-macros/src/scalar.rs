//! `#[kepi::scalar]`: a type of the function's name that describes and calls it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, FnArg, Ident, ItemFn, Pat, ReturnType, Type};

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream, Error> {
    let sees_missing = match attribute.is_empty() {
        true => false,
        false => {
            let word: Ident = syn::parse2(attribute)?;
            if word != "sees_missing" {
                return Err(Error::new(word.span(), "there is only `sees_missing`"));
            }
            true
        }
    };
    let function: ItemFn = syn::parse2(item)?;
    let name = &function.sig.ident;
    let (words, visibility) = (name.to_string(), &function.vis);
    if let Some(generic) = function.sig.generics.params.first() {
        return Err(Error::new_spanned(generic, "a function of a plugin has no type parameters"));
    }
    let mut parameters: Vec<(Ident, Type)> = Vec::new();
    for input in &function.sig.inputs {
        let FnArg::Typed(typed) = input else {
            return Err(Error::new_spanned(input, "a function of a plugin has no self"));
        };
        let Pat::Ident(pattern) = typed.pat.as_ref() else {
            return Err(Error::new_spanned(&typed.pat, "a parameter needs a name: kepi-plugin.toml has the same one"));
        };
        parameters.push((pattern.ident.clone(), typed.ty.as_ref().clone()));
    }
    let ReturnType::Type(_, returns) = &function.sig.output else {
        return Err(Error::new_spanned(&function.sig, "a function of a plugin gives something"));
    };
    let descriptions = parameters.iter().map(|(name, ty)| {
        let name = name.to_string();
        quote!(::kepi_plugin_sdk::ParamInfo {
            name: #name,
            accepts: <#ty as ::kepi_plugin_sdk::Argument>::TYPE,
            optional: <#ty as ::kepi_plugin_sdk::Argument>::OPTIONAL && !#sees_missing,
        })
    });
    let opened = parameters
        .iter()
        .enumerate()
        .map(|(index, (name, ty))| quote!(let #name = <#ty as ::kepi_plugin_sdk::Argument>::open(arguments, #index)?;));
    let read = parameters.iter().map(|(name, ty)| quote!(<#ty as ::kepi_plugin_sdk::Argument>::get(&#name, row)));
    let doc = format!("Describes and calls `{words}`.");
    Ok(quote! {
        #function

        #[doc = #doc]
        #[allow(non_camel_case_types)]
        #visibility struct #name {}

        impl ::kepi_plugin_sdk::ScalarFunction for #name {
            const INFO: ::kepi_plugin_sdk::FunctionInfo = ::kepi_plugin_sdk::FunctionInfo {
                name: #words,
                params: &[#(#descriptions),*],
                returns: <<#returns as ::kepi_plugin_sdk::Returned>::Value as ::kepi_plugin_sdk::Value>::TYPE,
                sees_missing: #sees_missing,
            };

            fn call(
                rows: usize,
                arguments: &[::kepi_plugin_sdk::Column],
            ) -> ::core::result::Result<::kepi_plugin_sdk::Column, ::kepi_plugin_sdk::Error> {
                #(#opened)*
                ::kepi_plugin_sdk::collect(rows, |row| ::kepi_plugin_sdk::Returned::answer(#name(#(#read),*)))
            }
        }
    })
}
