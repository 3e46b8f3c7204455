//! What a source grants its connector: a folder, hosts, secrets.
//!
//! Writing a source with a connector that is part of kepi grants that connector what its manifest asks for: its
//! service's own hosts and its secrets. A plugin of the project's own gets only what the source names: `allow` for
//! hosts, `secrets` for secrets. Only hosts that a source names itself may lie in a private network.

use crate::api::EngineError;
use crate::plugins::UsedConnector;
use kepi_connect::{Grants, OAuth, RateRule, Secrets};
use kepi_model::declared::SourceDecl;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Options of a source that speak to the host, not to the connector.
pub(super) const HOST_OPTIONS: [&str; 3] = ["allow", "secrets", "token_url"];

/// What a source grants.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) hosts: Grants,
    pub(super) secrets: Secrets,
    pub(super) oauth: BTreeMap<String, OAuth>,
    pub(super) rates: Vec<RateRule>,
}

/// An option of a source.
pub(super) fn option<'s>(source: &'s SourceDecl, name: &str) -> Option<&'s str> {
    source.options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// What a source grants its connector. `secrets`: the file with the values. The error says what is missing or makes no
/// sense.
pub(super) fn granted(used: &UsedConnector, source: &SourceDecl, secrets: PathBuf) -> Result<Granted, EngineError> {
    let usage = |message: String| EngineError::usage(format!("the source `{}`: {message}", source.name));
    let asks = &used.manifest.capabilities;
    let mut granted = Granted {
        hosts: Grants::default(),
        secrets: Secrets::new(Some(secrets)),
        oauth: BTreeMap::new(),
        rates: Vec::new(),
    };
    for host in option(source, "allow").unwrap_or_default().split_whitespace() {
        granted.hosts.allow_own(host).map_err(|reason| usage(format!("`allow`: {reason}")))?;
    }
    let named: Vec<&str> = option(source, "secrets").unwrap_or_default().split_whitespace().collect();
    for name in &asks.secrets {
        if !used.shipped && !named.contains(&name.as_str()) {
            let message = format!("the plugin {} asks for the secret {name}, which was not granted", used.id);
            return Err(
                usage(message).with_help(format!("add `secrets = \"{}\"` to its options", asks.secrets.join(" ")))
            );
        }
        granted.secrets.allow(name).map_err(|reason| usage(format!("{}: {reason}", used.id)))?;
    }
    if used.shipped {
        for host in &asks.hosts {
            granted.hosts.allow(host).map_err(|reason| usage(format!("{}: {reason}", used.id)))?;
        }
    } else if !asks.hosts.is_empty() && granted.hosts.is_empty() {
        let message = format!("the plugin {} asks for hosts that were not granted: {}", used.id, asks.hosts.join(", "));
        return Err(usage(message).with_help("add `allow = \"https://…\"` with those that it may call to its options"));
    }
    for (name, how) in &used.manifest.oauth2 {
        let oauth = OAuth {
            token_url: option(source, "token_url").unwrap_or(&how.token_url).to_string(),
            client_id: how.client_id.clone(),
            client_secret: how.client_secret.clone(),
            refresh_token: how.refresh_token.clone(),
        };
        granted.oauth.insert(name.clone(), oauth);
    }
    for rate in &used.manifest.rates {
        let rule = RateRule::new(&rate.name, &rate.host, &rate.path, &rate.limit);
        granted.rates.push(rule.map_err(|reason| usage(format!("{}: {reason}", used.id)))?);
    }
    Ok(granted)
}
