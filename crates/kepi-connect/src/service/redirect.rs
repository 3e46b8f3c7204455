//! Redirects: where they lead, and what may be sent there.

use super::grant::place;
use super::send::Outgoing;
use ureq::http::Uri;

/// The request that follows a redirect; none: the status is no redirect, or says nowhere. `secrets` says which headers
/// had secrets put in, and whether the body had. A secret is not sent to another place.
pub(crate) fn follow(
    request: &Outgoing,
    status: u16,
    location: Option<&str>,
    secrets: &HadSecrets,
) -> Result<Option<Outgoing>, String> {
    let (true, Some(location)) = (matches!(status, 301 | 302 | 303 | 307 | 308), location) else { return Ok(None) };
    let uri = joined(&request.uri, location).ok_or("the redirect leads to something that is no address")?;
    let mut next = Outgoing { uri, ..request.clone() };
    if matches!(status, 301..=303) && !matches!(next.method.as_str(), "GET" | "HEAD") {
        next.method = "GET".to_string();
        next.body = None;
        next.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
    }
    if place(&next.uri)? != place(&request.uri)? {
        if secrets.body && next.body.is_some() {
            return Err("the redirect would carry a secret to another host".to_string());
        }
        let private = |name: &str| {
            let name = name.to_ascii_lowercase();
            secrets.headers.contains(&name)
                || matches!(name.as_str(), "authorization" | "cookie" | "proxy-authorization")
        };
        next.headers.retain(|(name, _)| !private(name));
    }
    Ok(Some(next))
}

/// Where secrets were put in.
#[derive(Clone, Debug, Default)]
pub(crate) struct HadSecrets {
    /// Names of headers, in small letters.
    pub(crate) headers: Vec<String>,
    pub(crate) body: bool,
}

/// A reference within an answer as a whole address (RFC 3986, section 5, without dot segments, which servers resolve).
pub(crate) fn joined(base: &Uri, reference: &str) -> Option<Uri> {
    let reference = reference.split('#').next().unwrap_or_default().trim();
    let scheme = base.scheme_str()?;
    let authority = base.authority()?.as_str();
    let has_scheme = reference.split_once("://").is_some_and(|(start, _)| {
        start.starts_with(|c: char| c.is_ascii_alphabetic())
            && start.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    let whole = if has_scheme {
        reference.to_string()
    } else if let Some(rest) = reference.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if reference.starts_with('/') {
        format!("{scheme}://{authority}{reference}")
    } else if reference.starts_with('?') {
        format!("{scheme}://{authority}{}{reference}", base.path())
    } else {
        let folder = base.path().rfind('/').map_or("/", |at| &base.path()[..=at]);
        format!("{scheme}://{authority}{folder}{reference}")
    };
    whole.parse::<Uri>().ok().filter(|uri| uri.host().is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    #[test]
    fn references_are_joined() {
        let base: Uri = "https://a.example:8443/x/y?z=1".parse().unwrap();
        for (reference, whole) in [
            ("/p?q=1#f", "https://a.example:8443/p?q=1"),
            ("p", "https://a.example:8443/x/p"),
            ("?q", "https://a.example:8443/x/y?q"),
            ("//b.example/p", "https://b.example/p"),
            ("http://c.example/p?u=https://d.example", "http://c.example/p?u=https://d.example"),
            ("p?u=https://d.example", "https://a.example:8443/x/p?u=https://d.example"),
        ] {
            assert_eq!(joined(&base, reference).unwrap().to_string(), whole);
        }
        assert!(joined(&base, "https:///p").is_none());
    }

    #[test]
    fn secrets_stay_where_they_belong() {
        let headers =
            [("Authorization", "Bearer x"), ("X-Key", "y"), ("Accept", "*/*"), ("Content-Type", "text/plain")];
        let request = Outgoing {
            method: "POST".to_string(),
            uri: "https://a.example/x".parse().unwrap(),
            headers: headers.map(|(name, value)| (name.to_string(), value.to_string())).to_vec(),
            body: Some(b"{}".to_vec()),
        };
        let secrets = HadSecrets { headers: vec!["x-key".to_string()], body: false };
        let names = |next: &Outgoing| next.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(" ");
        let same = follow(&request, 307, Some("/y"), &secrets).unwrap().unwrap();
        assert_eq!((same.method.as_str(), names(&same).as_str()), ("POST", "Authorization X-Key Accept Content-Type"));
        let other = follow(&request, 308, Some("https://b.example/y"), &secrets).unwrap().unwrap();
        assert_eq!(
            (other.method.as_str(), names(&other).as_str(), other.body.is_some()),
            ("POST", "Accept Content-Type", true)
        );
        let get = follow(&request, 302, Some("http://a.example/y"), &secrets).unwrap().unwrap();
        assert_eq!((get.method.as_str(), names(&get).as_str(), get.body.is_some()), ("GET", "Accept", false));
        let body = HadSecrets { body: true, ..secrets };
        assert!(follow(&request, 307, Some("https://b.example/"), &body).is_err());
        assert!(follow(&request, 200, Some("/y"), &body).unwrap().is_none());
        assert!(follow(&request, 302, None, &body).unwrap().is_none());
    }
}
