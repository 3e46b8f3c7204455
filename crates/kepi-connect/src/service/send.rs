//! One request over the wire: to addresses that were looked at, with limits, and abandoned when the run is cancelled.

use super::HttpLimits;
use super::address::is_public;
use super::grant::Grants;
use std::fmt;
use std::io::{self, Read};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

/// How often a running request looks whether it is cancelled.
const LOOK: Duration = Duration::from_millis(50);

/// A request with its secrets in it.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) method: String,
    pub(crate) uri: Uri,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) status: u16,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Incoming {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SendError {
    /// It must not go there.
    Denied(String),
    /// It may work another time.
    Network(String),
    /// It makes no sense, or its answer does not.
    Wrong(String),
    TooLarge(String),
    Cancelled,
}

/// Sends requests.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    agent: Agent,
    body_bytes_max: u64,
}

impl Sender {
    pub(crate) fn new(grants: Grants, limits: &HttpLimits) -> Sender {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // Each hop is checked by the caller.
            .max_redirects(0)
            // A proxy would resolve the name itself, and nobody would have looked at the address.
            .proxy(None)
            .user_agent(concat!("kepi/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(limits.connect_time_max))
            .timeout_recv_response(Some(limits.answer_time_max))
            .timeout_global(Some(limits.whole_time_max))
            .build();
        let resolver = CheckedResolver { inner: DefaultResolver::default(), grants };
        let agent = Agent::with_parts(config, DefaultConnector::default(), resolver);
        Sender { agent, body_bytes_max: limits.body_bytes_max }
    }

    /// Sends a request and reads the whole answer. A cancelled one is left to its thread, which ends by the limits.
    pub(crate) fn send(&self, request: Outgoing, cancelled: &dyn Fn() -> bool) -> Result<Incoming, SendError> {
        let (give, take) = sync_channel(1);
        let sender = self.clone();
        let started = std::thread::Builder::new().name("kepi request".to_string()).spawn(move || {
            // Nobody may be there any more to take it.
            let _ = give.send(sender.exchange(request));
        });
        started.map_err(|error| SendError::Network(format!("no thread for a request: {error}")))?;
        loop {
            match take.recv_timeout(LOOK) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) if cancelled() => return Err(SendError::Cancelled),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(SendError::Network("the request's thread ended".to_string()));
                }
            }
        }
    }

    fn exchange(&self, request: Outgoing) -> Result<Incoming, SendError> {
        let mut builder = ureq::http::Request::builder().method(request.method.as_str()).uri(request.uri);
        for (name, value) in &request.headers {
            builder = builder.header(name.as_str(), value.as_str());
        }
        let wrong = |_| SendError::Wrong("the method or a header of the request cannot be sent".to_string());
        let answer = match request.body {
            Some(body) => self.agent.run(builder.body(body).map_err(wrong)?),
            None => self.agent.run(builder.body(()).map_err(wrong)?),
        };
        let (parts, body) = answer.map_err(failure)?.into_parts();
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        let headers = headers.collect();
        let mut bytes = Vec::new();
        // One byte more tells an answer that is just long enough from one that is too long.
        let mut reader = body.into_with_config().limit(u64::MAX).reader().take(self.body_bytes_max + 1);
        reader.read_to_end(&mut bytes).map_err(|error| failure(Error::from(error)))?;
        if bytes.len() as u64 > self.body_bytes_max {
            let most = self.body_bytes_max >> 20;
            return Err(SendError::TooLarge(format!("the answer is larger than {most} MiB")));
        }
        Ok(Incoming { status: parts.status.as_u16(), headers, body: bytes })
    }
}

/// A failure in words without the address, which may hold a secret.
fn failure(error: Error) -> SendError {
    match error {
        Error::Other(inner) => match inner.downcast::<Denied>() {
            Ok(denied) => SendError::Denied(denied.0),
            Err(_) => SendError::Network("the request failed".to_string()),
        },
        Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            SendError::Network("the answer was cut off".to_string())
        }
        Error::Io(error) => SendError::Network(format!("the connection failed: {error}")),
        Error::Timeout(_) => SendError::Network("the service did not answer in time".to_string()),
        Error::HostNotFound => SendError::Network("the host's name is not known".to_string()),
        Error::ConnectionFailed | Error::BodyStalled => SendError::Network("the connection failed".to_string()),
        Error::Protocol(error) => SendError::Network(format!("the answer is no HTTP: {error}")),
        Error::Decompress(kind, error) => SendError::Network(format!("the answer is no good {kind}: {error}")),
        Error::LargeResponseHeader(..) => SendError::TooLarge("the headers of the answer are too large".to_string()),
        Error::Http(_) | Error::BadUri(_) => SendError::Wrong("the address or a header cannot be sent".to_string()),
        Error::Tls(error) => SendError::Wrong(format!("no secure connection: {error}")),
        Error::Rustls(error) => SendError::Wrong(format!("no secure connection: {error}")),
        other => SendError::Network(format!("the request failed: {other}")),
    }
}

/// What the resolver says to the caller through the client.
#[derive(Debug)]
struct Denied(String);

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Denied {}

/// Resolves names, and looks at the addresses. The client connects to just these, so a name that gives another address
/// at the next look-up gains nothing.
#[derive(Debug)]
struct CheckedResolver {
    inner: DefaultResolver,
    grants: Grants,
}

impl Resolver for CheckedResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let permit = self.grants.check(uri).map_err(|reason| Error::Other(Box::new(Denied(reason))))?;
        let addresses = self.inner.resolve(uri, config, timeout)?;
        if !permit.private
            && let Some(inside) = addresses.iter().find(|address| !is_public(address.ip()))
        {
            let reason = format!(
                "{} leads to {}, which is not on the public internet; name the host in the source's `allow` if it is your own",
                permit.host,
                inside.ip()
            );
            return Err(Error::Other(Box::new(Denied(reason))));
        }
        Ok(addresses)
    }
}
