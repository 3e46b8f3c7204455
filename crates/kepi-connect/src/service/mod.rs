//! What kepi does for a connector: requests to granted addresses, secrets, waiting, records of what was answered.
//!
//! A connector says what it wants, [`HttpService::fetch`] decides whether and how it goes out. In this order: is the
//! address granted ([`Grants`])? Put the secrets in ([`Secrets`]). Is there room in the rate bucket ([`RateRule`])?
//! Send, to an address that was looked at after the name was resolved. Follow redirects, each checked anew. Try again
//! what may succeed, as late as the service asks. Keep the answer, without secrets, where a record is asked for.

mod address;
mod fetch;
mod fill;
mod grant;
mod keyring;
#[cfg(test)]
pub(crate) mod mock;
mod oauth;
mod pace;
mod rate;
mod recording;
mod redirect;
mod retry;
mod scrub;
mod secrets;
mod send;
mod settings;
#[cfg(test)]
mod tests;

pub use fetch::HttpService;
pub use grant::Grants;
pub use oauth::OAuth;
pub use pace::{Pace, WallPace};
pub use rate::RateRule;
pub(crate) use rate::period;
pub use recording::{Recorded, Recorder};
pub(crate) use scrub::percent_encoded;
pub use secrets::Secrets;
pub use settings::{HttpLimits, HttpSettings, Imitation, Keep, Tell};
