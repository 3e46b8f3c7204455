//! A record of what a service answered, and answers taken from it.
//!
//! A record is a folder with `recording.jsonl`: a head line with the run (its instant, its source, the state that it
//! began with), then a line per request and answer. Requests are written as the connector made them, with
//! `{{secret:NAME}}` in the place of secrets; answers with the values of secrets taken out.

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use kepi_extension::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const FILE: &str = "recording.jsonl";
const VERSION: u32 = 1;
/// Headers of answers that no connector needs and that tell of the session, or differ without meaning.
const LEFT_OUT: [&str; 6] =
    ["set-cookie", "authorization", "www-authenticate", "proxy-authenticate", "content-encoding", "transfer-encoding"];

/// About the run that a record is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    kepi_recording: u32,
    source: String,
    now: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    method: String,
    url: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    request_headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_body: Option<Body>,
    status: u16,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Body>,
}

/// A body: text where it is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Body {
    Text(String),
    Base64(String),
}

impl Body {
    fn of(bytes: &[u8], scrub: &dyn Fn(&str) -> String) -> Option<Body> {
        match std::str::from_utf8(bytes) {
            Ok("") => None,
            Ok(text) => Some(Body::Text(scrub(text))),
            Err(_) => Some(Body::Base64(BASE64.encode(bytes))),
        }
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Body::Text(text) => Some(text.clone().into_bytes()),
            Body::Base64(text) => BASE64.decode(text).ok(),
        }
    }
}

/// Writes a record.
#[derive(Debug)]
pub struct Recorder {
    file: Mutex<BufWriter<File>>,
}

impl Recorder {
    /// Begins a record in a folder, which is made where it is absent. The error says that there is one already, or what
    /// the disk says.
    pub fn begin(folder: &Path, source: &str, now: i64, state: Option<&str>) -> Result<Recorder, String> {
        let path = folder.join(FILE);
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                format!("{} is there already: name another folder, or remove it", path.display())
            }
            _ => format!("cannot write {}: {error}", path.display()),
        };
        fs::create_dir_all(folder).map_err(failed)?;
        let mut file = BufWriter::new(File::options().write(true).create_new(true).open(&path).map_err(failed)?);
        let head = Head { kepi_recording: VERSION, source: source.to_string(), now, state: state.map(str::to_string) };
        let line = serde_json::to_string(&head).map_err(|error| error.to_string())?;
        writeln!(file, "{line}").and_then(|()| file.flush()).map_err(failed)?;
        Ok(Recorder { file: Mutex::new(file) })
    }

    /// Writes an answer down; `scrub` takes secrets out of a text.
    pub(crate) fn add(
        &self,
        request: &HttpRequest,
        answer: &HttpResponse,
        scrub: &dyn Fn(&str) -> String,
    ) -> Result<(), String> {
        let pairs = |headers: &[(String, String)]| {
            let kept = headers.iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
            kept.map(|(name, value)| (name.clone(), scrub(value))).collect::<Vec<_>>()
        };
        let key = Key::of(request, scrub);
        let line = Line {
            method: key.method,
            url: key.url,
            // For a reader; two requests are the same whatever their headers are.
            request_headers: request.headers.iter().map(|(name, value)| (name.clone(), scrub(value))).collect(),
            request_body: key.body,
            status: answer.status,
            headers: pairs(&answer.headers),
            body: Body::of(&answer.body, scrub),
        };
        let text = serde_json::to_string(&line).map_err(|error| error.to_string())?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{text}")
            .and_then(|()| file.flush())
            .map_err(|error| format!("cannot write the record: {error}"))
    }
}

/// What makes two requests the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    method: String,
    url: String,
    body: Option<Body>,
}

impl Key {
    fn of(request: &HttpRequest, scrub: &dyn Fn(&str) -> String) -> Key {
        let body = request.body.as_deref().and_then(|body| Body::of(body, scrub));
        Key { method: request.method.to_ascii_uppercase(), url: scrub(&request.url), body }
    }
}

/// A record that is read.
#[derive(Debug)]
pub struct Recorded {
    path: PathBuf,
    head: Head,
    /// By request the answers in their order, and how many of them were given.
    answers: Mutex<BTreeMap<Key, (Vec<HttpResponse>, usize)>>,
}

impl Recorded {
    /// Reads a record from its folder; the error names file and line.
    pub fn open(folder: &Path) -> Result<Recorded, String> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let mut lines = text.lines().enumerate();
        let bad = |number: usize, what: &str| format!("{}:{}: {what}", path.display(), number + 1);
        let (_, first) = lines.next().ok_or_else(|| bad(0, "the file is empty"))?;
        let head: Head = serde_json::from_str(first).map_err(|_| bad(0, "this is no head of a recording"))?;
        if head.kepi_recording != VERSION {
            return Err(bad(
                0,
                &format!("the recording is of version {}, and {VERSION} is needed", head.kepi_recording),
            ));
        }
        let mut answers: BTreeMap<Key, (Vec<HttpResponse>, usize)> = BTreeMap::new();
        for (number, line) in lines {
            let line: Line = serde_json::from_str(line).map_err(|_| bad(number, "this is no recorded answer"))?;
            let key = Key { method: line.method, url: line.url, body: line.request_body };
            let body = match &line.body {
                None => Vec::new(),
                Some(body) => body.bytes().ok_or_else(|| bad(number, "the body is no base64"))?,
            };
            let answer = HttpResponse { status: line.status, headers: line.headers, body };
            answers.entry(key).or_default().0.push(answer);
        }
        Ok(Recorded { path, head, answers: Mutex::new(answers) })
    }

    /// The instant of the recorded run, in microseconds UTC.
    pub fn now(&self) -> i64 {
        self.head.now
    }

    /// The source that was recorded.
    pub fn source(&self) -> &str {
        &self.head.source
    }

    /// The state of the source with which the recorded run began.
    pub fn state(&self) -> Option<&str> {
        self.head.state.as_deref()
    }

    /// The next answer to a request; the error says which request has none.
    pub(crate) fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, String> {
        let key = Key::of(request, &|text| text.to_string());
        let shown = format!("{} {}", key.method, key.url);
        let with = match &key.body {
            Some(Body::Text(text)) => format!(" with the body {}", text.chars().take(300).collect::<String>()),
            _ => String::new(),
        };
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path.display();
        let Some((known, given)) = answers.get_mut(&key) else {
            return Err(format!("{shown}{with} is not in the recording {path}"));
        };
        let Some(answer) = known.get(*given) else {
            let count = known.len();
            return Err(format!("{shown}{with} is in the recording {path} {count} times, and is asked for once more"));
        };
        *given += 1;
        Ok(answer.clone())
    }
}
