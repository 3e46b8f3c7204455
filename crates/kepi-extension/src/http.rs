//! What a connector asks of the network: one request, one answer; the host decides whether it goes out.

use std::fmt;

/// A request. The address and the headers may hold `{{secret:NAME}}`: the host puts the secret in after it has checked
/// that the address may be called, so that a connector never sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// The whole address, `https://…`.
    pub url: String,
    /// Headers in the order in which they are sent.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
}

/// An answer: any status, also 404; redirects, waits after 429 and retries lie behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// Headers, their names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body, decompressed.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// The first header of this name, given in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// The host does not allow it: an address outside the grant, a private one, an unknown secret.
    Denied(String),
    /// The answer took too long, or the network failed, also after retries.
    Network(String),
    /// The answer is larger than allowed.
    TooLarge(String),
    /// The run was cancelled.
    Cancelled,
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpError::Denied(what) | HttpError::Network(what) | HttpError::TooLarge(what) => f.write_str(what),
            HttpError::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for HttpError {}
