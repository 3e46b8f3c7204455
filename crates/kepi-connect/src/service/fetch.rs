//! A connector's request from the check of its address to an answer.

use super::address::is_public;
use super::fill::{Into, fill, masked};
use super::oauth;
use super::rate::Buckets;
use super::redirect::{HadSecrets, follow};
use super::retry::{Backoff, is_transient, moment, retry_after};
use super::scrub::Scrubber;
use super::send::{Incoming, Outgoing, SendError, Sender};
use super::settings::{HttpSettings, Imitation, Keep};
use kepi_extension::{HttpError, HttpRequest, HttpResponse};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use ureq::http::Uri;

/// The longest stretch of a wait in which nobody looks whether the run is cancelled.
const STRETCH: Duration = Duration::from_millis(200);
/// Waits that are shorter are not told.
const TOLD: Duration = Duration::from_secs(1);

/// Sends a run's requests.
#[derive(Debug)]
pub struct HttpService {
    settings: HttpSettings,
    sender: Sender,
    buckets: Mutex<Buckets>,
    backoff: Mutex<Backoff>,
    scrubber: Mutex<Scrubber>,
    /// Access tokens by name.
    tokens: Mutex<BTreeMap<String, String>>,
}

/// A request that is ready, and what was put in.
struct Ready {
    outgoing: Outgoing,
    secrets: HadSecrets,
    /// Names of the access tokens in it.
    tokens: Vec<String>,
}

impl HttpService {
    /// A service with these grants.
    pub fn new(settings: HttpSettings) -> HttpService {
        let limits = &settings.limits;
        let backoff = Backoff::new(settings.now as u64, limits.backoff_first, limits.backoff_max);
        HttpService {
            sender: Sender::new(settings.grants.clone(), limits),
            buckets: Mutex::new(Buckets::new(settings.rates.clone())),
            backoff: Mutex::new(backoff),
            scrubber: Mutex::new(Scrubber::default()),
            tokens: Mutex::new(BTreeMap::new()),
            settings,
        }
    }

    /// Sends a request and gives the answer, whatever its status; waits, redirects and failures that pass lie behind it.
    pub fn fetch(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        if let Keep::Replay(recorded) = &self.settings.keep {
            return recorded.answer(request).map_err(HttpError::Denied);
        }
        let answer = self.answer(request, true)?;
        let response = HttpResponse { status: answer.status, headers: answer.headers, body: answer.body };
        if let Keep::Record(recorder) = &self.settings.keep {
            recorder.add(request, &response, &|text| self.scrub(text)).map_err(HttpError::Denied)?;
        }
        Ok(response)
    }

    /// A secret in clear; it is taken out of texts from then on.
    pub fn secret(&self, name: &str) -> Result<String, String> {
        if let Keep::Replay(_) = self.settings.keep {
            return Err(format!("the secret {name} is not there while a recording is replayed"));
        }
        let value = self.settings.secrets.value(name)?;
        lock(&self.scrubber).add(&value, &format!("{{{{secret:{name}}}}}"));
        Ok(value)
    }

    /// A text without the secrets that were used so far.
    pub fn scrub(&self, text: &str) -> String {
        lock(&self.scrubber).scrub(text)
    }

    /// An answer after waits, redirects and further attempts. `refresh`: an access token may be asked for.
    fn answer(&self, request: &HttpRequest, refresh: bool) -> Result<Incoming, HttpError> {
        let (mut attempt, mut refreshed) = (0, false);
        loop {
            let ready = self.ready(request, refresh)?;
            let tokens = ready.tokens.clone();
            let result = self.hops(ready);
            attempt += 1;
            let last = attempt >= self.settings.limits.attempts_max;
            let wait = match result {
                Ok(answer) if answer.status == 401 && !tokens.is_empty() && !refreshed => {
                    // The token may have run out: one new one, not counted as an attempt.
                    tokens.iter().for_each(|name| drop(lock(&self.tokens).remove(name)));
                    (refreshed, attempt) = (true, attempt - 1);
                    continue;
                }
                Ok(answer) if is_transient(answer.status) && !last => {
                    let asked = answer.header("retry-after").and_then(|value| retry_after(value, self.now(&answer)));
                    match asked {
                        // Too long to wait here: the connector says so, and the run ends.
                        Some(asked) if asked > self.settings.limits.retry_after_max => return Ok(answer),
                        // A service that asks for no time at all is not asked at once again and again.
                        Some(asked) if !asked.is_zero() => (asked, format!("status {}", answer.status)),
                        _ => (lock(&self.backoff).wait(attempt - 1), format!("status {}", answer.status)),
                    }
                }
                Ok(answer) => return Ok(answer),
                Err(SendError::Network(reason)) if !last => (lock(&self.backoff).wait(attempt - 1), reason),
                Err(SendError::Network(reason)) => {
                    return Err(HttpError::Network(self.scrub(&format!("{reason} ({attempt} attempts)"))));
                }
                Err(SendError::Wrong(reason)) => return Err(HttpError::Network(self.scrub(&reason))),
                Err(SendError::Denied(reason)) => return Err(HttpError::Denied(self.scrub(&reason))),
                Err(SendError::TooLarge(reason)) => return Err(HttpError::TooLarge(self.scrub(&reason))),
                Err(SendError::Cancelled) => return Err(HttpError::Cancelled),
            };
            let (time, reason) = wait;
            tracing::debug!(attempt, ?time, "{}", self.scrub(&reason));
            self.wait(time, &reason)?;
        }
    }

    /// Checks the address, then puts secrets and access tokens in.
    fn ready(&self, request: &HttpRequest, refresh: bool) -> Result<Ready, HttpError> {
        let denied = |reason: String| HttpError::Denied(self.scrub(&reason));
        let no_address = |_| HttpError::Denied("the address of the request is none".to_string());
        let masked: Uri = masked(&request.url).map_err(denied)?.parse().map_err(no_address)?;
        self.settings.grants.check(&masked).map_err(denied)?;
        let mut tokens: Vec<String> = Vec::new();
        let mut needed: Option<HttpError> = None;
        let mut value = |kind: &str, name: &str| match kind {
            "oauth2" if !refresh => Err("an access token cannot be had with another one".to_string()),
            "oauth2" => {
                tokens.push(name.to_string());
                self.token(name).map_err(|error| {
                    let reason = error.to_string();
                    needed = Some(error);
                    reason
                })
            }
            _ => self.secret(name),
        };
        let mut secrets = HadSecrets::default();
        let filled = (|| {
            let (url, _) = fill(&request.url, Into::Address, &mut value)?;
            let mut headers = Vec::new();
            for (name, text) in &request.headers {
                let (text, secret) = fill(text, Into::Header, &mut value)?;
                if secret {
                    // What is made of a secret is one, too: user and password together, say.
                    lock(&self.scrubber).add(text.rsplit(' ').next().unwrap_or_default(), "{{secret}}");
                    secrets.headers.push(name.to_ascii_lowercase());
                }
                headers.push((name.clone(), text));
            }
            let body = match request.body.as_deref().map(|body| (body, std::str::from_utf8(body))) {
                None => None,
                Some((bytes, Err(_))) => Some(bytes.to_vec()),
                Some((_, Ok(text))) => {
                    let (text, secret) = fill(text, body_kind(request), &mut value)?;
                    secrets.body = secret;
                    Some(text.into_bytes())
                }
            };
            Ok::<_, String>((url, headers, body))
        })();
        let (url, headers, body) = match (filled, needed) {
            (Ok(filled), _) => filled,
            (Err(_), Some(error)) => return Err(error),
            (Err(reason), None) => return Err(denied(reason)),
        };
        let uri: Uri = url.parse().map_err(no_address)?;
        // A secret must not lead elsewhere than what was checked.
        self.settings.grants.check(&uri).map_err(denied)?;
        let method = request.method.to_ascii_uppercase();
        Ok(Ready { outgoing: Outgoing { method, uri, headers, body }, secrets, tokens })
    }

    /// Sends a request and follows where it is led, as far as that is granted.
    fn hops(&self, ready: Ready) -> Result<Incoming, SendError> {
        let Ready { mut outgoing, secrets, .. } = ready;
        for _ in 0..=self.settings.limits.redirects_max {
            let permit = self.settings.grants.check(&outgoing.uri).map_err(SendError::Denied)?;
            self.room(&permit.host, outgoing.uri.path())?;
            let answer = match &self.settings.imitation {
                Some(imitation) => imitated(imitation, &outgoing, permit.private)?,
                None => self.sender.send(outgoing.clone(), &*self.settings.cancelled)?,
            };
            let next =
                follow(&outgoing, answer.status, answer.header("location"), &secrets).map_err(SendError::Denied)?;
            let Some(next) = next else { return Ok(answer) };
            self.settings
                .grants
                .check(&next.uri)
                .map_err(|reason| SendError::Denied(format!("a redirect: {reason}")))?;
            outgoing = next;
        }
        Err(SendError::Wrong(format!("more than {} redirects", self.settings.limits.redirects_max)))
    }

    /// Waits for room in the rate buckets.
    fn room(&self, host: &str, path: &str) -> Result<(), SendError> {
        loop {
            let taken = lock(&self.buckets).take(host, path, self.settings.pace.elapsed());
            let Err(wait) = taken else { return Ok(()) };
            self.wait(wait.time, &wait.reason).map_err(|_| SendError::Cancelled)?;
        }
    }

    /// Waits, tells for what, and looks whether the run is cancelled.
    fn wait(&self, time: Duration, reason: &str) -> Result<(), HttpError> {
        let until = self.settings.pace.elapsed() + time;
        let told = time >= TOLD;
        let reason = self.scrub(reason);
        let mut last_told = 0;
        loop {
            if (self.settings.cancelled)() {
                return Err(HttpError::Cancelled);
            }
            let left = until.saturating_sub(self.settings.pace.elapsed());
            if left.is_zero() {
                break;
            }
            let seconds = left.as_millis().div_ceil(1_000);
            if told && seconds != last_told {
                (self.settings.tell)(&format!("waiting {seconds} s: {reason}"));
                last_told = seconds;
            }
            self.settings.pace.wait(left.min(STRETCH));
        }
        if told {
            (self.settings.tell)("");
        }
        Ok(())
    }

    /// The access token of this name, asked for where there is none yet.
    fn token(&self, name: &str) -> Result<String, HttpError> {
        if let Some(token) = lock(&self.tokens).get(name) {
            return Ok(token.clone());
        }
        let Some(how) = self.settings.oauth.get(name) else {
            return Err(HttpError::Denied(format!("there is no access token `{name}`")));
        };
        let request = HttpRequest {
            method: "POST".to_string(),
            url: how.token_url.clone(),
            headers: vec![
                ("Content-Type".to_string(), "application/x-www-form-urlencoded".to_string()),
                ("Accept".to_string(), "application/json".to_string()),
            ],
            body: Some(how.form().into_bytes()),
        };
        let answer = self.answer(&request, false)?;
        let token = oauth::token(answer.status, &answer.body).map_err(|reason| {
            HttpError::Denied(self.scrub(&format!("no access token from {}: {reason}", how.token_url)))
        })?;
        lock(&self.scrubber).add(&token, &format!("{{{{oauth2:{name}}}}}"));
        lock(&self.tokens).insert(name.to_string(), token.clone());
        Ok(token)
    }

    /// Now as the service sees it, else as the run began plus what has passed since.
    fn now(&self, answer: &Incoming) -> i64 {
        let passed = i64::try_from(self.settings.pace.elapsed().as_micros()).unwrap_or(i64::MAX);
        answer.header("date").and_then(moment).unwrap_or_else(|| self.settings.now.saturating_add(passed))
    }
}

/// An answer of somebody in the place of the network. Names lead to public addresses there; an address that is written
/// out is looked at as it is elsewhere.
fn imitated(imitation: &Imitation, outgoing: &Outgoing, private: bool) -> Result<Incoming, SendError> {
    let host = outgoing.uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if !private && address.is_ok_and(|address| !is_public(address)) {
        return Err(SendError::Denied(format!(
            "{host} is not on the public internet; name it in the source's `allow` if it is your own"
        )));
    }
    let Outgoing { method, uri, headers, body } = outgoing.clone();
    match imitation(&HttpRequest { method, url: uri.to_string(), headers, body }) {
        Ok(answer) => Ok(Incoming { status: answer.status, headers: answer.headers, body: answer.body }),
        Err(HttpError::Network(reason)) => Err(SendError::Network(reason)),
        Err(HttpError::Denied(reason)) => Err(SendError::Denied(reason)),
        Err(HttpError::TooLarge(reason)) => Err(SendError::TooLarge(reason)),
        Err(HttpError::Cancelled) => Err(SendError::Cancelled),
    }
}

/// How values are written into the body of a request.
fn body_kind(request: &HttpRequest) -> Into {
    let kind = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    match kind.map(|(_, value)| value.to_ascii_lowercase()) {
        Some(kind) if kind.contains("json") => Into::Json,
        Some(kind) if kind.contains("x-www-form-urlencoded") => Into::Address,
        _ => Into::Plain,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
