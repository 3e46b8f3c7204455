//! The thread on which a script runs, and what it may ask of its host there.
//!
//! Scripts get a thread of their own for two reasons: its stack is large enough that the depth limits are met before
//! the stack ends, and what a call may use can lie in a thread-local, out of reach of the script and of other calls.

use crate::failure::{Failure, inert};
use crate::settings::{Limits, Settings, Stop};
use kepi_extension::{ConnectorHost, HttpError, HttpRequest, HttpResponse};
use std::cell::RefCell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

/// The stack of a script's thread, in bytes. Only what is used of it takes memory. Nested data are walked and dropped
/// by recursion, up to the limits on items and entries.
const STACK_BYTES: usize = 512 << 20;

/// What one run of a script may use.
pub(super) struct Context {
    plugin: String,
    limits: Limits,
    stop: Stop,
    deadline: Instant,
    host_calls: u32,
    files: bool,
    host: Option<Sender<Question>>,
}

/// Why a script is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    Time,
    HostCalls,
    Stopped,
}

/// What a script asks of its host, and where the answer goes.
struct Question {
    what: Ask,
    answer: Sender<Result<Answer, String>>,
}

/// The questions that there are.
pub(super) enum Ask {
    ReadFile(String),
    ListFiles(String),
    Fetch(HttpRequest),
    Secret(String),
    Now,
    Log(String),
}

/// The answers to them.
pub(super) enum Answer {
    Text(String),
    Names(Vec<String>),
    Http(Result<HttpResponse, HttpError>),
    Instant(i64),
    Nothing,
}

thread_local! {
    static CONTEXT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

impl Context {
    /// Full time and host calls for one run.
    pub(super) fn new(plugin: &str, settings: &Settings, files: bool) -> Context {
        Context {
            plugin: plugin.to_string(),
            limits: settings.limits.clone(),
            stop: settings.stop.clone(),
            deadline: Instant::now() + settings.limits.wall_time_max,
            host_calls: 0,
            files,
            host: None,
        }
    }
}

/// Runs `body` on a script's thread, while the calling thread answers what it asks of the host.
pub(super) fn on_script_thread<R: Send>(
    mut context: Context,
    host: Option<&dyn ConnectorHost>,
    body: impl FnOnce() -> Result<R, Failure> + Send,
) -> Result<R, Failure> {
    let (asking, asked) = channel();
    context.host = host.map(|_| asking);
    let text_bytes_max = context.limits.script_text_bytes_max;
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("kepi-script".to_string()).stack_size(STACK_BYTES);
        let running = builder.spawn_scoped(scope, move || {
            CONTEXT.set(Some(context));
            let answer = body();
            // Ends the loop in `serve`.
            CONTEXT.set(None);
            answer
        });
        let running = running.map_err(|error| Failure::Failed(format!("it cannot be started: {error}")))?;
        if let Some(host) = host {
            serve(host, &asked, text_bytes_max);
        }
        running.join().unwrap_or_else(|_| Err(Failure::Failed("the interpreter of scripts panicked".to_string())))
    })
}

/// Answers until the script has ended.
fn serve(host: &dyn ConnectorHost, asked: &Receiver<Question>, text_bytes_max: usize) {
    while let Ok(Question { what, answer }) = asked.recv() {
        let given = match what {
            Ask::ReadFile(path) => host.read_file(&path).and_then(|text| match text.len() {
                length if length > text_bytes_max => {
                    Err(format!("{path} has {length} bytes; {text_bytes_max} is the most that a script may read"))
                }
                _ => Ok(Answer::Text(text)),
            }),
            Ask::ListFiles(pattern) => host.list_files(&pattern).map(Answer::Names),
            Ask::Fetch(request) => Ok(Answer::Http(host.fetch(&request))),
            Ask::Secret(name) => host.secret(&name).map(Answer::Text),
            Ask::Now => Ok(Answer::Instant(host.now())),
            Ask::Log(message) => {
                host.log(&message);
                Ok(Answer::Nothing)
            }
        };
        // Nobody waits any more where the script's thread panicked.
        let _ = answer.send(given);
    }
}

/// Asks the host; the error is in words.
pub(super) fn ask(what: Ask) -> Result<Answer, String> {
    let host = CONTEXT.with_borrow_mut(|context| {
        let context = context.as_mut().ok_or("there is no host")?;
        context.host_calls += 1;
        if context.host_calls > context.limits.host_calls_max {
            return Err("too many calls of the host".to_string());
        }
        if matches!(what, Ask::ReadFile(_) | Ask::ListFiles(_)) && !context.files {
            return Err("kepi-plugin.toml does not ask for files: [capabilities] files = \"read\"".to_string());
        }
        context.host.clone().ok_or("only a connector has a host to ask".to_string())
    })?;
    let (answer, answered) = channel();
    let waits = matches!(what, Ask::Fetch(_));
    let asked = Instant::now();
    host.send(Question { what, answer }).map_err(|_| "the host is gone".to_string())?;
    let given = answered.recv().map_err(|_| "the host is gone".to_string())?;
    if waits {
        // The network has limits of its own; its time is not the script's.
        CONTEXT.with_borrow_mut(|context| {
            if let Some(context) = context {
                context.deadline += asked.elapsed();
            }
        });
    }
    given
}

/// Says something to the log: through the host where there is one.
pub(super) fn log(message: &str) {
    let message = inert(message);
    let sent = CONTEXT.with_borrow(|context| context.as_ref().is_some_and(|c| c.host.is_some()));
    if sent {
        // A refusal shows at the next `halt`.
        let _ = ask(Ask::Log(message));
        return;
    }
    CONTEXT.with_borrow_mut(|context| {
        if let Some(context) = context {
            context.host_calls += 1;
            if context.host_calls <= context.limits.host_calls_max {
                tracing::info!(plugin = context.plugin.as_str(), "{message}");
            }
        }
    });
}

/// Whether the run has to end now.
pub(super) fn halt() -> Option<Halt> {
    CONTEXT.with_borrow(|context| {
        let context = context.as_ref()?;
        if context.stop.is_stopped() {
            return Some(Halt::Stopped);
        }
        if context.host_calls > context.limits.host_calls_max {
            return Some(Halt::HostCalls);
        }
        (Instant::now() >= context.deadline).then_some(Halt::Time)
    })
}

impl Halt {
    /// What is said of it.
    pub(super) fn failure(self, limits: &Limits) -> Failure {
        match self {
            Halt::Time => Failure::Limit(limits.time_in_words()),
            Halt::HostCalls => Failure::Limit(format!("{} calls of its host", limits.host_calls_max)),
            Halt::Stopped => Failure::Failed("it was stopped".to_string()),
        }
    }
}
