//! A small HTTP server for tests: it answers with what a function makes of each request.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it came in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query as sent.
    pub(crate) target: String,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Only so many bytes of the body are sent before the connection ends.
    pub(crate) cut: Option<usize>,
    /// Waits before it answers.
    pub(crate) after: Duration,
}

pub(crate) fn said(status: u16, body: &str) -> Said {
    Said { status, headers: Vec::new(), body: body.as_bytes().to_vec(), cut: None, after: Duration::ZERO }
}

impl Said {
    pub(crate) fn with(mut self, name: &str, value: &str) -> Said {
        self.headers.push((name.to_string(), value.to_string()));
        self
    }
}

/// A running server; it ends with the process.
#[derive(Clone, Debug)]
pub(crate) struct Mock {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Mock {
    pub(crate) fn start(answer: impl Fn(&Asked, usize) -> Said + Send + Sync + 'static) -> Mock {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (known, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (known, answer) = (Arc::clone(&known), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &known, &*answer));
            }
        });
        Mock { port, asked }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no request panics").clone()
    }
}

fn serve(stream: TcpStream, known: &Mutex<Vec<Asked>>, answer: &dyn Fn(&Asked, usize) -> Said) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).ok()? == 0 {
            return None;
        }
        let mut words = first.split_whitespace();
        let mut asked =
            Asked { method: words.next()?.to_string(), target: words.next()?.to_string(), ..Asked::default() };
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            asked.headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
        }
        let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        asked.body = String::from_utf8(body).ok()?;
        let number = {
            let mut known = known.lock().ok()?;
            known.push(asked.clone());
            known.len() - 1
        };
        let said = answer(&asked, number);
        std::thread::sleep(said.after);
        let mut head = format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\n", said.status, said.body.len());
        said.headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        writer.write_all(format!("{head}\r\n").as_bytes()).ok()?;
        let sent = said.cut.unwrap_or(said.body.len());
        writer.write_all(&said.body[..sent]).ok()?;
        writer.flush().ok()?;
        if said.cut.is_some() {
            return None;
        }
    }
}
