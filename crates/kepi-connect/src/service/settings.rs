//! What a run grants its connector, and how far the services go for it.

use super::{Grants, OAuth, Pace, RateRule, Recorded, Recorder, Secrets, WallPace};
use kepi_extension::{HttpError, HttpRequest, HttpResponse};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Somebody who is told what happens.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// Somebody who answers in the place of the network: requests as they would go out, with their secrets.
pub type Imitation = Arc<dyn Fn(&HttpRequest) -> Result<HttpResponse, HttpError> + Send + Sync>;

/// What a run grants its connector.
#[derive(Clone)]
pub struct HttpSettings {
    /// Where requests may go.
    pub grants: Grants,
    /// Which secrets may be put into them.
    pub secrets: Secrets,
    /// Access tokens by name, for `{{oauth2:NAME}}`.
    pub oauth: BTreeMap<String, OAuth>,
    /// How many requests a service takes.
    pub rates: Vec<RateRule>,
    /// How far the services go.
    pub limits: HttpLimits,
    /// Whether answers are kept, or taken from what was kept.
    pub keep: Keep,
    /// Answers in the place of the network. All that is checked before a request goes out is checked before it, too.
    pub imitation: Option<Imitation>,
    /// The instant of the run, in microseconds UTC; also the seed of what differs between waits.
    pub now: i64,
    /// The clock that is waited by.
    pub pace: Arc<dyn Pace>,
    /// Whether the run is to end.
    pub cancelled: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Is told what is waited for: `waiting 38 s: search 5/s`; an empty text when the wait is over.
    pub tell: Tell,
}

impl Default for HttpSettings {
    /// Nothing is granted.
    fn default() -> Self {
        HttpSettings {
            grants: Grants::default(),
            secrets: Secrets::default(),
            oauth: BTreeMap::new(),
            rates: Vec::new(),
            limits: HttpLimits::default(),
            keep: Keep::Nothing,
            imitation: None,
            now: 0,
            pace: Arc::new(WallPace::default()),
            cancelled: Arc::new(|| false),
            tell: Arc::new(|_| {}),
        }
    }
}

impl fmt::Debug for HttpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSettings").field("grants", &self.grants).field("now", &self.now).finish_non_exhaustive()
    }
}

/// Whether answers are kept.
#[derive(Clone, Debug)]
pub enum Keep {
    /// They are not.
    Nothing,
    /// They are written down, without secrets.
    Record(Arc<Recorder>),
    /// They are taken from a record, and nothing goes out.
    Replay(Arc<Recorded>),
}

/// How far the services go for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// How often a request is sent.
    pub attempts_max: u32,
    /// The first wait after a failure; later ones double.
    pub backoff_first: Duration,
    /// The longest wait of that kind.
    pub backoff_max: Duration,
    /// The longest wait that a service may ask for; it is told to the connector instead of being waited out.
    pub retry_after_max: Duration,
    /// How many redirects are followed.
    pub redirects_max: u32,
    /// The longest answer, in bytes, after it was unpacked.
    pub body_bytes_max: u64,
    /// Time for the connection.
    pub connect_time_max: Duration,
    /// Time until the answer begins.
    pub answer_time_max: Duration,
    /// Time for all of one attempt.
    pub whole_time_max: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        HttpLimits {
            attempts_max: 6,
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            retry_after_max: Duration::from_secs(900),
            redirects_max: 5,
            body_bytes_max: 64 << 20,
            connect_time_max: Duration::from_secs(10),
            answer_time_max: Duration::from_secs(60),
            whole_time_max: Duration::from_secs(180),
        }
    }
}
