//! What a source grants its connector: a folder, hosts, secrets.
//!
//! Writing a source with a connector that is part of kepi grants that connector what its manifest asks for: its
//! service's own hosts and its secrets. A plugin of the project's own gets what `kepi plugin add` granted it, as
//! `kepi.lock` says, and nothing before. In both cases a source may name further hosts (`allow`), and only those may
//! lie in a private network; and it may leave secrets out, by naming those that it uses (`secrets`).

use crate::api::EngineError;
use crate::plugins::UsedConnector;
use kepi_connect::{Grants, OAuth, RateRule, Secrets};
use kepi_model::declared::SourceDecl;
use kepi_plugin::Standing;
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

/// Whether a plugin that would get something was added. The error says what it asks for, and how that is granted.
pub(super) fn added(used: &UsedConnector, source: &SourceDecl) -> Result<(), EngineError> {
    let asks = &used.manifest.capabilities;
    let nothing = asks.is_empty() && option(source, "allow").is_none();
    if used.standing != Standing::NotAdded || nothing {
        return Ok(());
    }
    let asked = match asks.in_words().as_slice() {
        [] => format!("the source `{}` lets it call hosts", source.name),
        words => format!("it asks {}", words.join(", ")),
    };
    let message = format!("the plugin {} was granted nothing yet, and {asked}", used.id);
    Err(EngineError::usage(message).with_help(format!("`kepi plugin add {}` grants it", used.id)))
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
    added(used, source)?;
    for host in option(source, "allow").unwrap_or_default().split_whitespace() {
        granted.hosts.allow_own(host).map_err(|reason| usage(format!("`allow`: {reason}")))?;
    }
    for host in &asks.hosts {
        granted.hosts.allow(host).map_err(|reason| usage(format!("{}: {reason}", used.id)))?;
    }
    let named: Option<Vec<&str>> = option(source, "secrets").map(|names| names.split_whitespace().collect());
    let compiled_in = used.manifest.runtime == kepi_plugin::Runtime::Native;
    for name in named.iter().flatten().filter(|name| !asks.secrets.iter().any(|asked| asked == **name)) {
        // What is compiled in is shown any secret that the user names, for an account beside the usual one.
        if compiled_in {
            granted.secrets.allow(name).map_err(|reason| usage(format!("`secrets`: {reason}")))?;
            continue;
        }
        let other = name;
        let message = format!("`secrets` names {other}, for which the plugin {} does not ask", used.id);
        return Err(usage(message).with_help(match asks.secrets.as_slice() {
            [] => "it asks for no secret".to_string(),
            secrets => format!("it asks for {}", secrets.join(", ")),
        }));
    }
    for name in asks.secrets.iter().filter(|name| named.as_ref().is_none_or(|named| named.contains(&name.as_str()))) {
        granted.secrets.allow(name).map_err(|reason| usage(format!("{}: {reason}", used.id)))?;
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
