//! What a connector in a component may ask of its host. The component runs on a thread of its own, while the calling
//! thread, which has the host, answers.

use super::bindings::kepi::plugin::{clock, files, http, secrets};
use super::instance::State;
use crate::manifest::Capabilities;
use kepi_extension::{ConnectorHost, HttpRequest, HttpResponse};
use std::sync::mpsc::{Receiver, Sender, channel};

/// The way to the host, for one call.
pub(super) struct Services {
    asking: Sender<Question>,
    capabilities: Capabilities,
}

/// What is asked, and where the answer goes.
pub(super) struct Question {
    what: Ask,
    answer: Sender<Result<Answer, String>>,
}

enum Ask {
    ReadFile(String),
    ListFiles(String),
    Fetch(HttpRequest),
    Secret(String),
    Now,
    Log(String),
}

enum Answer {
    Text(String),
    Names(Vec<String>),
    Response(HttpResponse),
    Instant(i64),
    Nothing,
}

impl Services {
    /// The way to a host and the questions that come along it.
    pub(super) fn new(capabilities: &Capabilities) -> (Services, Receiver<Question>) {
        let (asking, asked) = channel();
        (Services { asking, capabilities: capabilities.clone() }, asked)
    }

    fn ask(&self, what: Ask) -> Result<Answer, String> {
        let allowed = &self.capabilities;
        match &what {
            Ask::ReadFile(_) | Ask::ListFiles(_) if allowed.files.is_none() => {
                return Err("kepi-plugin.toml does not ask for files: [capabilities] files = \"read\"".to_string());
            }
            Ask::Fetch(_) if allowed.hosts.is_empty() => {
                return Err("kepi-plugin.toml asks for no hosts: [capabilities] hosts = [\"…\"]".to_string());
            }
            Ask::Secret(name) if !allowed.sees_secrets || !allowed.secrets.contains(name) => {
                let name = crate::failure::inert(name);
                return Err(format!(
                    "kepi-plugin.toml does not ask to see {name}: [capabilities] secrets and sees_secrets = true"
                ));
            }
            _ => {}
        }
        let (answer, answered) = channel();
        self.asking.send(Question { what, answer }).map_err(|_| "the host is gone".to_string())?;
        answered.recv().map_err(|_| "the host is gone".to_string())?
    }

    /// Sends a line to the host's log.
    pub(super) fn log(&self, message: &str) {
        // Nobody is told where the host is gone: the call ends soon.
        let _ = self.ask(Ask::Log(message.to_string()));
    }
}

/// Answers until the component's thread has let go of its way to the host.
pub(super) fn serve(host: &dyn ConnectorHost, asked: &Receiver<Question>) {
    while let Ok(Question { what, answer }) = asked.recv() {
        let given = match what {
            Ask::ReadFile(path) => host.read_file(&path).map(Answer::Text),
            Ask::ListFiles(pattern) => host.list_files(&pattern).map(Answer::Names),
            Ask::Fetch(request) => host.fetch(&request).map(Answer::Response).map_err(|error| error.to_string()),
            Ask::Secret(name) => host.secret(&name).map(Answer::Text),
            Ask::Now => Ok(Answer::Instant(host.now())),
            Ask::Log(message) => {
                host.log(&message);
                Ok(Answer::Nothing)
            }
        };
        // The component's thread may have ended meanwhile.
        let _ = answer.send(given);
    }
}

/// Asks on behalf of a component: it counts as a call of the host, and the time that it takes is not the component's.
fn asked(state: &mut State, what: Ask) -> wasmtime::Result<Result<Answer, String>> {
    state.calls_host()?;
    let begin = std::time::Instant::now();
    let answer = match &state.services {
        Some(services) => services.ask(what),
        None => Err("only a connector has a host to ask".to_string()),
    };
    state.waited(begin.elapsed());
    Ok(answer)
}

impl clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<i64> {
        match asked(self, Ask::Now)? {
            Ok(Answer::Instant(now)) => Ok(now),
            other => Err(wasmtime::Error::msg(other.err().unwrap_or_default())),
        }
    }
}

impl files::Host for State {
    fn list_files(&mut self, pattern: String) -> wasmtime::Result<Result<Vec<String>, String>> {
        Ok(match asked(self, Ask::ListFiles(pattern))? {
            Ok(Answer::Names(names)) => Ok(names),
            other => Err(other.err().unwrap_or_default()),
        })
    }

    fn read_file(&mut self, path: String) -> wasmtime::Result<Result<String, String>> {
        Ok(match asked(self, Ask::ReadFile(path))? {
            Ok(Answer::Text(text)) => Ok(text),
            other => Err(other.err().unwrap_or_default()),
        })
    }
}

/// Status, headers, body.
type Response = (u16, Vec<(String, String)>, Vec<u8>);

impl http::Host for State {
    fn fetch(
        &mut self,
        method: String,
        url: String,
        headers: Vec<(String, String)>,
        body: Option<Vec<u8>>,
    ) -> wasmtime::Result<Result<Response, String>> {
        Ok(match asked(self, Ask::Fetch(HttpRequest { method, url, headers, body }))? {
            Ok(Answer::Response(response)) => Ok((response.status, response.headers, response.body)),
            other => Err(other.err().unwrap_or_default()),
        })
    }
}

impl secrets::Host for State {
    fn get(&mut self, name: String) -> wasmtime::Result<Result<String, String>> {
        Ok(match asked(self, Ask::Secret(name))? {
            Ok(Answer::Text(secret)) => {
                self.keep_secret(&secret);
                Ok(secret)
            }
            other => Err(other.err().unwrap_or_default()),
        })
    }
}
