//! Placeholders of a request that only the host can fill: `{{secret:NAME}}`, `{{oauth2:NAME}}`, `{{base64:…}}`.

use super::scrub::percent_encoded;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;

/// Where a value is put, which decides how it is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Into {
    /// A part of an address, or of a form.
    Address,
    Header,
    /// Within a string of JSON.
    Json,
    /// As it is.
    Plain,
}

/// Puts the values of placeholders in. `value` gives that of a secret (`secret`, its name) or of an access token
/// (`oauth2`, its name). Within `{{base64:…}}` other placeholders are filled first. All other braces stay as they are.
/// Returns the text, and whether anything was put in.
pub(crate) fn fill(
    text: &str,
    into: Into,
    value: &mut dyn FnMut(&str, &str) -> Result<String, String>,
) -> Result<(String, bool), String> {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut filled) = (text, false);
    while let Some(start) = rest.find("{{") {
        out.push_str(&rest[..start]);
        let inner = &rest[start + 2..];
        let kind = ["secret:", "oauth2:", "base64:"].into_iter().find(|kind| inner.starts_with(kind));
        let Some(kind) = kind else {
            out.push_str("{{");
            rest = inner;
            continue;
        };
        let inner = &inner[kind.len()..];
        let end = closing(inner).ok_or_else(|| format!("`{{{{{kind}` is not closed with `}}}}`"))?;
        let plain = match kind {
            "base64:" => BASE64.encode(fill(&inner[..end], Into::Plain, value)?.0.as_bytes()),
            kind => value(&kind[..kind.len() - 1], &inner[..end])?,
        };
        out.push_str(&match into {
            Into::Address => percent_encoded(&plain),
            Into::Json => {
                let json = serde_json::Value::from(plain).to_string();
                json[1..json.len() - 1].to_string()
            }
            Into::Header | Into::Plain => plain,
        });
        filled = true;
        rest = &inner[end + 2..];
    }
    out.push_str(rest);
    Ok((out, filled))
}

/// Where the `}}` is that closes a placeholder, with other placeholders in it.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (0usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"{{") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"}}") {
            match depth {
                0 => return Some(at),
                _ => depth -= 1,
            }
            at += 2;
        } else {
            at += 1;
        }
    }
    None
}

/// An address with a letter in the place of each placeholder: what is looked at before secrets are put in.
pub(crate) fn masked(url: &str) -> Result<String, String> {
    fill(url, Into::Plain, &mut |_, _| Ok("x".to_string())).map(|(url, _)| url)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    fn filled(text: &str, into: Into) -> Result<String, String> {
        let mut value = |kind: &str, name: &str| match (kind, name) {
            ("secret", "A") => Ok("a b\"&c".to_string()),
            ("oauth2", "crm") => Ok("token".to_string()),
            _ => Err(format!("no {kind} {name}")),
        };
        fill(text, into, &mut value).map(|(text, _)| text)
    }

    #[test]
    fn values_are_written_as_their_place_needs() {
        assert_eq!(filled("?k={{secret:A}}&x", Into::Address).unwrap(), "?k=a%20b%22%26c&x");
        assert_eq!(filled("Bearer {{oauth2:crm}}", Into::Header).unwrap(), "Bearer token");
        assert_eq!(filled("{\"k\":\"{{secret:A}}\"}", Into::Json).unwrap(), "{\"k\":\"a b\\\"&c\"}");
        let basic = filled("Basic {{base64:me/token:{{secret:A}}}}", Into::Header).unwrap();
        assert_eq!(basic, format!("Basic {}", BASE64.encode(b"me/token:a b\"&c")));
        assert_eq!(filled("{{config.x}} }} {{", Into::Plain).unwrap(), "{{config.x}} }} {{");
        assert_eq!(filled("{{secret:B}}", Into::Plain).unwrap_err(), "no secret B");
        assert_eq!(filled("{{secret:A", Into::Plain).unwrap_err(), "`{{secret:` is not closed with `}}`");
        assert_eq!(masked("https://{{secret:A}}.example/").unwrap(), "https://x.example/");
    }
}
