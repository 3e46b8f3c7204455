//! `#[derive(State)]`: a struct is saved as its fields, one behind the other.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Fields, ItemStruct};

pub(crate) fn expand(item: TokenStream) -> Result<TokenStream, Error> {
    fields(&syn::parse2(item)?)
}

pub(crate) fn fields(item: &ItemStruct) -> Result<TokenStream, Error> {
    let ident = &item.ident;
    if let Some(generic) = item.generics.params.first() {
        return Err(Error::new_spanned(generic, "a state has no type parameters"));
    }
    let names: Vec<_> = match &item.fields {
        Fields::Named(fields) => fields.named.iter().filter_map(|field| field.ident.as_ref()).collect(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(_) => return Err(Error::new_spanned(ident, "the fields of a state have names")),
    };
    let built = if matches!(item.fields, Fields::Unit) { quote!(#ident) } else { quote!(#ident { #(#names),* }) };
    Ok(quote! {
        impl ::kepi_plugin_sdk::State for #ident {
            #[allow(unused_variables)]
            fn save(&self, bytes: &mut ::std::vec::Vec<u8>) {
                #(::kepi_plugin_sdk::State::save(&self.#names, bytes);)*
            }

            #[allow(unused_variables)]
            fn load(bytes: &mut &[u8]) -> ::core::option::Option<Self> {
                #(let #names = ::kepi_plugin_sdk::State::load(bytes)?;)*
                ::core::option::Option::Some(#built)
            }
        }
    })
}
