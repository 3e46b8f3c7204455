//! Where a connector may send requests: the list of granted hosts.

use ureq::http::Uri;

/// The addresses that a connector may call; none at first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    https: bool,
    host: Host,
    port: u16,
    /// Whether the host may lie in a private network.
    private: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Exactly(String),
    /// Any host below this one, but not itself.
    Below(String),
}

/// What may be done with an address that is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permit {
    pub(crate) host: String,
    /// Whether it may resolve to a private address.
    pub(crate) private: bool,
}

impl Grants {
    /// Grants what a plugin asks for: `api.example.com`, `*.example.com`, `https://api.example.com:8443`. Such hosts are
    /// never private ones, and are called by https unless the entry says `http://`.
    pub fn allow(&mut self, entry: &str) -> Result<(), String> {
        self.rules.push(rule(entry, false)?);
        Ok(())
    }

    /// Grants a host that the user names herself, which may lie in her own network: `http://localhost:8080`.
    pub fn allow_own(&mut self, entry: &str) -> Result<(), String> {
        let rule = rule(entry, true)?;
        if matches!(rule.host, Host::Below(_)) {
            return Err(format!("`{entry}` names many hosts; write out the one that is meant"));
        }
        self.rules.push(rule);
        Ok(())
    }

    /// Whether nothing at all is granted.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether an address is granted; the error says why not.
    pub(crate) fn check(&self, uri: &Uri) -> Result<Permit, String> {
        let place = place(uri)?;
        let mut other_scheme = false;
        let mut permit: Option<Permit> = None;
        for rule in &self.rules {
            let fits = match &rule.host {
                Host::Exactly(host) => *host == place.host,
                Host::Below(host) => {
                    place.host.strip_suffix(host.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
                }
            };
            if !fits {
                continue;
            }
            if rule.https != place.https || rule.port != place.port {
                other_scheme = true;
                continue;
            }
            let private = rule.private || permit.is_some_and(|permit| permit.private);
            permit = Some(Permit { host: place.host.clone(), private });
        }
        permit.ok_or_else(|| match other_scheme {
            true => format!("{} is granted, but not by this scheme and port: {}", place.host, place.shown()),
            false => format!("{} is not among the hosts that were granted", place.shown()),
        })
    }
}

/// Scheme, host and port: what makes two addresses the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) https: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Place {
    /// As messages show it.
    pub(crate) fn shown(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        match self.port == default_port(self.https) {
            true => format!("{scheme}://{}", self.host),
            false => format!("{scheme}://{}:{}", self.host, self.port),
        }
    }
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

/// Where an address leads. Everything that two readers could understand differently is refused.
pub(crate) fn place(uri: &Uri) -> Result<Place, String> {
    let https = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        Some(other) => return Err(format!("`{other}://` is neither https nor http")),
        None => return Err("the address has no scheme such as `https://`".to_string()),
    };
    let authority = uri.authority().ok_or("the address has no host")?;
    if authority.as_str().contains('@') {
        return Err("an address with a user's name before `@` is not called".to_string());
    }
    let host = authority.host().to_ascii_lowercase();
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if host.is_empty() || !host.chars().all(good) {
        return Err(format!("`{}` is no host", authority.host()));
    }
    // A port that is written and no number would be left out in silence.
    let port = match authority.as_str().len() > host.len() {
        true => authority.port_u16().ok_or_else(|| format!("`{authority}` has no port that is a number"))?,
        false => default_port(https),
    };
    Ok(Place { https, host, port })
}

fn rule(entry: &str, private: bool) -> Result<Rule, String> {
    let (https, rest) = match entry.split_once("://") {
        Some(("https", rest)) => (true, rest),
        Some(("http", rest)) => (false, rest),
        Some((other, _)) => return Err(format!("`{other}://` is neither https nor http")),
        None => (true, entry),
    };
    let (below, name) = match rest.strip_prefix("*.") {
        Some(name) => (true, name),
        None => (false, rest),
    };
    let scheme = if https { "https" } else { "http" };
    let uri: Uri = format!("{scheme}://{name}").parse().map_err(|_| format!("`{entry}` names no host"))?;
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() || name.ends_with('/') {
        return Err(format!("`{entry}` is more than a host: leave the path out"));
    }
    let place = place(&uri).map_err(|reason| format!("`{entry}` names no host: {reason}"))?;
    let labels = place.host.split('.').collect::<Vec<_>>();
    let is_number = labels.last().is_some_and(|last| last.parse::<u32>().is_ok()) || place.host.starts_with('[');
    if below && (labels.len() < 2 || is_number) {
        return Err(format!("`{entry}` grants too much: a domain such as `*.example.com` is needed"));
    }
    let host = if below { Host::Below(place.host) } else { Host::Exactly(place.host) };
    Ok(Rule { https, host, port: place.port, private })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    fn granted(entries: &[&str]) -> Grants {
        let mut grants = Grants::default();
        entries.iter().for_each(|entry| grants.allow(entry).unwrap());
        grants
    }

    fn may(grants: &Grants, url: &str) -> bool {
        url.parse::<Uri>().is_ok_and(|uri| grants.check(&uri).is_ok())
    }

    #[test]
    fn a_host_is_granted_by_its_parsed_name() {
        let grants = granted(&["api.example.com", "*.shop.example", "http://plain.example:8080"]);
        for url in [
            "https://api.example.com/x?y=1",
            "https://API.Example.COM",
            "https://api.example.com:443/",
            "https://a.shop.example/",
            "https://a.b.shop.example/",
            "http://plain.example:8080/x",
        ] {
            assert!(may(&grants, url), "{url}");
        }
        for url in [
            "http://api.example.com/",
            "https://api.example.com:8443/",
            "https://example.com/",
            "https://api.example.com.evil.example/",
            "https://api.example.com@evil.example/",
            "https://evil.example/api.example.com",
            "https://evil.example?api.example.com",
            "https://evil.example#api.example.com",
            "https://evil.example\\@api.example.com/",
            "https://shop.example/",
            "https://.shop.example/",
            "https://evilshop.example/",
            "https://plain.example:8080/",
            "http://plain.example/",
            "https://api.example.com:/",
            "https://api.example.com:0x1bb/",
            "https://api.example.com./",
            "ftp://api.example.com/",
            "/x",
            "api.example.com",
        ] {
            assert!(!may(&grants, url), "{url}");
        }
    }

    #[test]
    fn entries_that_grant_too_much_or_nothing_are_refused() {
        for entry in [
            "*",
            "*.com",
            "*.",
            "",
            "https://",
            "a.example/path",
            "a.example/",
            "ftp://a.example",
            "*.1.2",
            "a b",
            "u@a.example",
            "*.*.example.com",
        ] {
            assert!(Grants::default().allow(entry).is_err(), "{entry}");
        }
        assert!(Grants::default().allow_own("*.example.com").is_err());
    }

    #[test]
    fn only_hosts_that_the_user_names_may_be_private() {
        let mut grants = granted(&["api.example.com"]);
        grants.allow_own("http://localhost:8080").unwrap();
        let permit = |url: &str| grants.check(&url.parse().unwrap()).unwrap().private;
        assert!(!permit("https://api.example.com/"));
        assert!(permit("http://localhost:8080/x"));
    }
}
