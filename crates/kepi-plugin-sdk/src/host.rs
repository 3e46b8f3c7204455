//! What a plugin may ask of kepi. In tests, [`crate::testing::with_host`] answers.

/// An answer of the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The status, whatever it is.
    pub status: u16,
    /// Headers, their names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

#[cfg(target_arch = "wasm32")]
mod asked {
    use super::Response;
    use crate::wasm::connector_world::kepi::plugin as contract;

    pub(super) fn fetch(
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: Option<&[u8]>,
    ) -> Result<Response, String> {
        let (status, headers, body) = contract::http::fetch(method, url, headers, body)?;
        Ok(Response { status, headers, body })
    }

    pub(super) fn secret(name: &str) -> Result<String, String> {
        contract::secrets::get(name)
    }

    pub(super) fn read_file(path: &str) -> Result<String, String> {
        contract::files::read_file(path)
    }

    pub(super) fn list_files(pattern: &str) -> Result<Vec<String>, String> {
        contract::files::list_files(pattern)
    }

    pub(super) fn now() -> i64 {
        contract::clock::now()
    }

    pub(super) fn log(message: &str) {
        contract::log::write("info", message);
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod asked {
    use super::Response;
    use crate::testing::host;

    pub(super) fn fetch(
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: Option<&[u8]>,
    ) -> Result<Response, String> {
        host(|host| host.fetch(method, url, headers, body))?
    }

    pub(super) fn secret(name: &str) -> Result<String, String> {
        host(|host| host.secret(name))?
    }

    pub(super) fn read_file(path: &str) -> Result<String, String> {
        host(|host| host.read_file(path))?
    }

    pub(super) fn list_files(pattern: &str) -> Result<Vec<String>, String> {
        host(|host| host.list_files(pattern))?
    }

    pub(super) fn now() -> i64 {
        host(|host| host.now()).unwrap_or_default()
    }

    pub(super) fn log(message: &str) {
        // Without a host nobody listens, in kepi as in a test.
        let _ = host(|host| host.log(message));
    }
}

/// Sends a request to an address that was granted. Address, headers and body may hold `{{secret:NAME}}`, which kepi
/// fills in. kepi waits where the service says so, follows redirects within the grant, and tries again.
pub fn fetch(method: &str, url: &str, headers: &[(String, String)], body: Option<&[u8]>) -> Result<Response, String> {
    asked::fetch(method, url, headers, body)
}

/// A secret in clear, only for a plugin that was granted to see it.
pub fn secret(name: &str) -> Result<String, String> {
    asked::secret(name)
}

/// A file of the folder that was granted, as text.
pub fn read_file(path: &str) -> Result<String, String> {
    asked::read_file(path)
}

/// The files of the granted folder that fit a pattern such as `2026/*.json`, sorted.
pub fn list_files(pattern: &str) -> Result<Vec<String>, String> {
    asked::list_files(pattern)
}

/// The instant of the run in microseconds UTC, the only clock there is.
pub fn now() -> i64 {
    asked::now()
}

/// Says something to the log.
pub fn log(message: &str) {
    asked::log(message);
}

/// A text as a part of an address: every byte but letters, digits and `-._~` is written as `%` and two digits.
pub fn url_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte as char),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}
