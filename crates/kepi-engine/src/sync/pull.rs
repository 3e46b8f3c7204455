//! One page from a connector: in a thread of its own, so that what it waits for is told at once; asked for again where
//! the service cannot answer now; and looked at, whether the connector goes round in a circle.

use super::host::SyncHost;
use crate::api::EngineError;
use kepi_exec::Cancel;
use kepi_extension::{Connector, ConnectorError, Page, PageRequest};
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often a page is asked for.
const ATTEMPTS_MAX: u32 = 4;
/// The first wait between two attempts; later ones double.
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// A service that asks for a longer wait ends the run.
const WAIT_MAX: Duration = Duration::from_secs(900);
/// How often what is waited for is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// A cursor that comes back this often means that a connector does not go on.
const STUCK_PAGES: u32 = 3;

/// Pulls pages of one run.
pub(super) struct Pull<'a> {
    pub(super) connector: &'a dyn Connector,
    pub(super) host: &'a SyncHost,
    pub(super) cancel: &'a Cancel,
    /// What the services wait for.
    pub(super) heard: Receiver<String>,
    pub(super) told: &'a dyn Fn(&str),
    /// The cursors of this run.
    seen: BTreeSet<String>,
    stuck: u32,
}

impl<'a> Pull<'a> {
    pub(super) fn new(
        connector: &'a dyn Connector,
        host: &'a SyncHost,
        cancel: &'a Cancel,
        heard: Receiver<String>,
        told: &'a dyn Fn(&str),
    ) -> Pull<'a> {
        Pull { connector, host, cancel, heard, told, seen: BTreeSet::new(), stuck: 0 }
    }

    /// The page that is asked for.
    pub(super) fn page(&mut self, request: &PageRequest) -> Result<Page, EngineError> {
        let mut attempt = 0;
        let page = loop {
            attempt += 1;
            let (message, wait) = match self.once(request)? {
                Ok(page) => break page,
                Err(ConnectorError::Transient { message, retry_after, .. })
                    if attempt < ATTEMPTS_MAX && retry_after.is_none_or(|wait| wait <= WAIT_MAX) =>
                {
                    (message, retry_after.unwrap_or(WAIT_FIRST * 2u32.pow(attempt - 1)))
                }
                Err(error) => return Err(self.failure(&error)),
            };
            self.wait(wait, &self.host.service.scrub(&message))?;
        };
        let cursor = page.cursor.clone().unwrap_or_default();
        let known = request.cursor.as_ref() == page.cursor.as_ref() || !self.seen.insert(cursor);
        if page.more && known {
            self.stuck += 1;
        }
        if self.stuck >= STUCK_PAGES {
            let id = &self.host.plugin;
            return Err(EngineError::failed(format!("the connector {id} gives the same page again and again")));
        }
        Ok(page)
    }

    /// Asks once, and tells what is waited for meanwhile.
    fn once(&self, request: &PageRequest) -> Result<Result<Page, ConnectorError>, EngineError> {
        let (connector, host) = (self.connector, self.host);
        std::thread::scope(|scope| {
            let reader = scope.spawn(move || connector.read(request, host));
            while !reader.is_finished() {
                match self.heard.recv_timeout(LOOK) {
                    Ok(text) => (self.told)(&text),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            let answer = reader.join();
            if self.cancel.is_cancelled() {
                return Err(EngineError::Interrupted);
            }
            answer.map_err(|_| EngineError::failed(format!("the connector {} panicked", host.plugin)))
        })
    }

    fn wait(&self, time: Duration, reason: &str) -> Result<(), EngineError> {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if self.cancel.is_cancelled() {
                return Err(EngineError::Interrupted);
            }
            if left.is_zero() {
                return Ok(());
            }
            (self.told)(&format!("waiting {} s: {reason}", left.as_millis().div_ceil(1_000)));
            std::thread::sleep(left.min(LOOK * 4));
        }
    }

    /// A connector's failure in words, without secrets, and with what the user can do.
    fn failure(&self, error: &ConnectorError) -> EngineError {
        let message = self.host.service.scrub(&error.to_string());
        match error {
            ConnectorError::Config { .. } => EngineError::usage(message),
            ConnectorError::Refused { .. } => {
                EngineError::failed(message).with_help("are the secrets right, and may they read this?")
            }
            ConnectorError::Transient { .. } => {
                EngineError::failed(message).with_help("what was pulled is stored; the next sync goes on from there")
            }
            ConnectorError::Failed(_) => EngineError::failed(message),
        }
    }
}
