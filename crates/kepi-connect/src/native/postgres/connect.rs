//! A connection to a PostgreSQL server: where, as whom, and whether it is the right one.

use super::super::options::Options;
use super::super::{config_error, failed, transient};
use super::ID;
use kepi_extension::{ConnectorError, ConnectorHost};
use postgres::config::SslMode;
use postgres::error::SqlState;
use postgres::{Client, Config, Error, NoTls, Transaction};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a server that does not answer is waited for.
const CONNECT: Duration = Duration::from_secs(10);
/// The secret with the password where none is named.
const PASSWORD: &str = "POSTGRES_PASSWORD";

/// Opens a connection.
pub(super) fn connect(options: &Options, host: &dyn ConnectorHost) -> Result<Client, ConnectorError> {
    let server = options.need("host", "db.example.com")?;
    let port: u16 = match options.get("port") {
        None => 5432,
        Some(text) => text.parse().map_err(|_| config_error(ID, format!("`port`: `{text}` is no port")))?,
    };
    let mut config = Config::new();
    config.host(server).port(port).connect_timeout(CONNECT).application_name("kepi");
    config.dbname(options.need("database", "shop")?).user(options.need("user", "kepi_reader")?);
    let password = host.secret(options.get("password_from").unwrap_or(PASSWORD));
    if let Ok(password) = &password {
        config.password(password);
    }
    let local = server.starts_with('/') || matches!(server, "localhost" | "127.0.0.1" | "::1");
    let mode = options.get("sslmode").unwrap_or(if local { "disable" } else { "verify-full" });
    let connected = match mode {
        "disable" => config.ssl_mode(SslMode::Disable).connect(NoTls),
        "verify-full" => {
            let tls = MakeRustlsConnect::new(trusting(options.get("root_cert"), host)?);
            config.ssl_mode(SslMode::Require).connect(tls)
        }
        other => {
            let why = "other modes do not know who answers";
            return Err(config_error(ID, format!("`sslmode`: `{other}` is neither verify-full nor disable; {why}")));
        }
    };
    connected.map_err(|error| {
        let what = format!("{server}:{port}");
        match (said(&what, &error), password) {
            // What is asked for is a password, and there is none.
            (ConnectorError::Transient { message, .. }, Err(reason)) if message.contains("password missing") => {
                let message = format!("{what} asks for a password: {reason}");
                ConnectorError::Refused { connector: ID.to_string(), message }
            }
            (failure, _) => failure,
        }
    })
}

/// Who is believed to be the server: whoever has a certificate for its name from one of these.
fn trusting(root_cert: Option<&str>, host: &dyn ConnectorHost) -> Result<ClientConfig, ConnectorError> {
    let mut roots = RootCertStore::empty();
    match root_cert {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => {
            let wrong = |reason: String| config_error(ID, format!("`root_cert`: {file}: {reason}"));
            let path = host.path(file).map_err(wrong)?;
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))? {
                let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(wrong("there is no certificate in it".to_string()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| failed(ID, error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// A read-only transaction in which values are written as kepi reads them.
pub(super) fn session(client: &mut Client) -> Result<Transaction<'_>, ConnectorError> {
    let wrong = |error: Error| said("the server", &error);
    let mut transaction = client.build_transaction().read_only(true).start().map_err(wrong)?;
    let settings = "set local timezone = 'UTC'; set local datestyle = 'ISO'; set local statement_timeout = '10min'";
    transaction.batch_execute(settings).map_err(wrong)?;
    Ok(transaction)
}

/// What the server, or the way to it, says; by what the user can do.
pub(super) fn said(what: &str, error: &Error) -> ConnectorError {
    let Some(database) = error.as_db_error() else {
        let reason = std::error::Error::source(error).map_or_else(|| error.to_string(), |source| source.to_string());
        return transient(ID, format!("{what}: {reason}"), None);
    };
    let mut message = format!("{what}: {}", database.message());
    for more in [database.detail(), database.hint()].into_iter().flatten() {
        message.push_str(&format!(" ({more})"));
    }
    let code = database.code();
    if *code == SqlState::QUERY_CANCELED {
        let help = "an index on the `cursor` column and the key makes pages fast";
        return failed(ID, format!("{message}: {help}"));
    }
    // A server may send anything as its code.
    match code.code().get(..2).unwrap_or_default() {
        "28" => ConnectorError::Refused { connector: ID.to_string(), message },
        // Connection, rollback, resources, and a server that starts or stops.
        "08" | "40" | "53" | "57" => transient(ID, message, None),
        _ if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            ConnectorError::Refused { connector: ID.to_string(), message }
        }
        _ => config_error(ID, message),
    }
}
