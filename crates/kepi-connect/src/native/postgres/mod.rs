//! Tables, views and queries of a PostgreSQL database, read in read-only transactions.

mod connect;
mod table;

use super::config_error;
use super::keyset::{Place, page};
use super::options::{Known, Options, schema};
use connect::{said, session};
use kepi_extension::{Connector, ConnectorError, ConnectorHost, Page, PageRequest, StreamShape};
use postgres::Client;
use std::fmt;
use std::sync::Mutex;
use table::{Table, shapes};

/// The id of the plugin.
pub(super) const ID: &str = "kepi.postgres";

const OPTIONS: &[Known] = &[
    ("host", "The server, or the folder of its socket."),
    ("port", "Its port; 5432 where it is left out."),
    ("database", "The database."),
    ("user", "The role that reads; it needs SELECT, and nothing else."),
    ("password_from", "The secret with the password; POSTGRES_PASSWORD where it is left out."),
    ("sslmode", "`verify-full`, as is usual for servers elsewhere, or `disable`, as is usual on this machine."),
    ("root_cert", "A PEM file with the certificates that the server's is signed by; else those of the public web."),
    ("query", "A select in the place of the table or view that the stream names."),
    ("cursor", "The column that rises when a row is added or changed; without it every run reads all rows."),
    ("key", "The columns that tell rows apart, where they are not the primary key."),
    ("deleted", "The column that is filled, or true, in rows that are deleted."),
    ("lookback", "How far each run goes back, for transactions that end later than they write: `10 minutes`."),
];

/// Reads PostgreSQL databases. The connection is kept from page to page.
#[derive(Default)]
pub(super) struct Postgres {
    open: Mutex<Option<(String, Client)>>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Postgres")
    }
}

impl Postgres {
    /// Does something with a connection, which is opened where there is none; one that failed is not used again.
    fn with<T>(
        &self,
        config: &str,
        host: &dyn ConnectorHost,
        act: impl FnOnce(&Options, &mut Client) -> Result<T, ConnectorError>,
    ) -> Result<T, ConnectorError> {
        let options = Options::parse(ID, config, OPTIONS)?;
        // A thread that panicked left nothing half done: the connection was taken out.
        let mut kept = self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut client = match kept.take() {
            Some((known, client)) if known == config && !client.is_closed() => client,
            _ => connect::connect(&options, host)?,
        };
        let done = act(&options, &mut client)?;
        *kept = Some((config.to_string(), client));
        Ok(done)
    }
}

impl Connector for Postgres {
    fn config_schema(&self) -> Result<Option<String>, ConnectorError> {
        Ok(Some(schema(OPTIONS, &["host", "database", "user"])))
    }

    fn check(&self, config: &str, host: &dyn ConnectorHost) -> Result<(), ConnectorError> {
        self.with(config, host, |_, client| {
            client.batch_execute("select 1").map_err(|error| said("the server", &error))
        })
    }

    fn discover(&self, config: &str, host: &dyn ConnectorHost) -> Result<Vec<StreamShape>, ConnectorError> {
        self.with(config, host, |_, client| shapes(&mut session(client)?))
    }

    fn read(&self, request: &PageRequest, host: &dyn ConnectorHost) -> Result<Page, ConnectorError> {
        self.with(&request.config, host, |options, client| {
            let mut session = session(client)?;
            let table = Table::of(&mut session, &request.stream, options)?;
            let since = match request.since.filter(|_| request.cursor.is_none() && table.moment.is_some()) {
                Some(since) => Some(table.since(&mut session, since)?),
                None => None,
            };
            let mut place = Place::begin(request.cursor.as_deref(), table.moment.is_some(), since)
                .map_err(|reason| config_error(ID, reason))?;
            if let (Some(lookback), true) =
                (options.get("lookback"), request.cursor.as_deref().is_some_and(Place::ended))
            {
                place.after = table.before(&mut session, &place.after, lookback)?;
            }
            page(place, request.page_size, |place, wanted| table.page(&mut session, place, wanted))
        })
    }
}
