//! A connector in a component that breaks its contract in each way: what is said of it, and that the next page works.

use crate::helpers::{failure, load_folder, numbers};
use arrow_array::{ArrayRef, StringArray, TimestampMicrosecondArray};
use kepi_extension::{
    Connector, ConnectorError, ConnectorHost, HttpError, HttpRequest, HttpResponse, Page, PageRequest,
};
use kepi_plugin::{FolderHost, Limits, Settings};
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A host with a folder, one address and one secret, which remembers what it was asked.
struct Host {
    folder: FolderHost,
    asked: Mutex<Vec<HttpRequest>>,
    said: Mutex<Vec<String>>,
    /// How long an answer takes.
    slow: Duration,
}

impl Host {
    fn new(folder: &std::path::Path) -> Host {
        let folder = FolderHost::new("test.misbehaves", folder, 1_000).unwrap();
        Host { folder, asked: Mutex::default(), said: Mutex::default(), slow: Duration::ZERO }
    }
}

impl ConnectorHost for Host {
    fn read_file(&self, path: &str) -> Result<String, String> {
        self.folder.read_file(path)
    }

    fn list_files(&self, pattern: &str) -> Result<Vec<String>, String> {
        self.folder.list_files(pattern)
    }

    fn fetch(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        self.asked.lock().unwrap().push(request.clone());
        if !request.url.starts_with("https://api.example.com/") {
            return Err(HttpError::Denied(format!("{} was not granted", request.url)));
        }
        std::thread::sleep(self.slow);
        Ok(HttpResponse { status: 200, headers: Vec::new(), body: br#"{"id": 0, "at": 7}"#.to_vec() })
    }

    fn secret(&self, name: &str) -> Result<String, String> {
        if name == "TOKEN" { Ok("s3cr3t-t0ken".to_string()) } else { Err(format!("the secret {name} was not granted")) }
    }

    fn now(&self) -> i64 {
        1_000
    }

    fn log(&self, message: &str) {
        self.said.lock().unwrap().push(message.to_string());
    }
}

fn connector() -> Arc<dyn Connector> {
    with_calls(Limits::default().host_calls_max, Duration::from_secs(1))
}

fn with_calls(host_calls_max: u32, wall_time_max: Duration) -> Arc<dyn Connector> {
    let limits = Limits {
        wall_time_max,
        memory_bytes_max: 64 << 20,
        answer_bytes_max: 32 << 20,
        host_calls_max,
        ..Limits::default()
    };
    load_folder("misbehaves", &Settings { limits, ..Settings::default() }).connector().unwrap()
}

fn read(host: &Host, stream: &str, cursor: Option<&str>) -> Result<Page, ConnectorError> {
    let (stream, cursor) = (stream.to_string(), cursor.map(str::to_string));
    let request = PageRequest { stream, config: "{}".to_string(), cursor, page_size: 100, since: Some(5) };
    connector().read(&request, host)
}

fn in_folder<T>(body: impl FnOnce(&Host) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let granted = folder.path().join("granted");
    fs::create_dir(&granted).unwrap();
    fs::write(granted.join("own.json"), r#"{"id": 9}"#).unwrap();
    fs::write(folder.path().join("secret.txt"), "{}").unwrap();
    body(&Host::new(&granted))
}

#[test]
fn pages_come_with_cursors_and_deletes() {
    in_folder(|host| {
        let first = read(host, "fine", None).unwrap();
        assert_eq!(first.records, [r#"{"id": 0, "at": 7}"#, r#"{"id": 1, "at": 1000}"#]);
        assert_eq!((first.cursor.as_deref(), first.more, first.deleted.len()), (Some("1"), true, 0));
        let last = read(host, "fine", Some("1")).unwrap();
        assert_eq!((last.records.len(), last.more, last.deleted), (1, false, vec![r#"{"id": 0}"#.to_string()]));
        // The secret is the host's to put in.
        let asked = host.asked.lock().unwrap();
        assert_eq!(asked[0].url, "https://api.example.com/records?since=5");
        assert_eq!(asked[0].headers, [("authorization".to_string(), "Bearer {{secret:TOKEN}}".to_string())]);
        assert_eq!(read(host, "reads_outside", Some("own.json")).unwrap().records, [r#"{"id": 9}"#]);
    });
    let connector = connector();
    assert!(connector.config_schema().unwrap().unwrap().contains("kepi-secret"));
    in_folder(|host| {
        connector.check("{}", host).unwrap();
        assert_eq!(failure(connector.check("wrong", host)), "test.misbehaves: the account is wrong");
        let shapes = connector.discover("{}", host).unwrap();
        assert_eq!((shapes[0].name.as_str(), shapes[0].cursor_field.as_deref()), ("fine", Some("at")));
        assert_eq!(
            (shapes[0].fields[1].kind.as_str(), shapes[0].primary_key.as_slice()),
            ("time", &["id".to_string()][..])
        );
    });
}

#[test]
fn each_fault_has_its_words_and_the_next_page_works() {
    let faults = [
        ("loops", "exceeded its 1 s in read"),
        ("panics", "failed in read: panicked at src/connector.rs"),
        ("grows", "exceeded its 64 MiB of memory in read"),
        ("floods_the_log", "exceeded its 1000 calls of its host in read"),
        ("repeats_its_cursor", "failed in read: there is more, but the cursor is that of the page before"),
        ("forgets_its_cursor", "failed in read: there is more, but no cursor"),
        ("gives_no_json", "failed in read: record 1 is no JSON object"),
        ("huge_cursor", "exceeded its 64 KiB of a cursor in read"),
        ("is_refused", "test.misbehaves was refused: the token has expired"),
        ("is_throttled", "test.misbehaves cannot answer now: too many requests"),
        ("wrong_config", "test.misbehaves: there is no account 7"),
    ];
    in_folder(|host| {
        for (stream, words) in faults {
            let cursor = (stream == "repeats_its_cursor").then_some("same");
            let message = failure(read(host, stream, cursor));
            assert!(message.contains(words), "{stream}: {message}");
            read(host, "fine", Some("1")).unwrap();
        }
        let throttled = read(host, "is_throttled", None).unwrap_err();
        let ConnectorError::Transient { retry_after, .. } = throttled else { panic!("{throttled}") };
        assert_eq!(retry_after, Some(Duration::from_secs(38)));
    });
}

/// It asks the clock for each of its 20,000 records.
#[test]
fn the_records_of_a_page_are_limited() {
    let connector = with_calls(100_000, Duration::from_secs(60));
    let request = PageRequest { stream: "gives_too_many".to_string(), page_size: 1, ..PageRequest::default() };
    let message = in_folder(|host| failure(connector.read(&request, host)));
    assert_eq!(message, "the plugin test.misbehaves exceeded its 10000 records of a page in read");
}

#[test]
fn nothing_is_kept_between_pages() {
    let connector = connector();
    in_folder(|host| {
        let request = PageRequest { stream: "keeps_state".to_string(), page_size: 1, ..PageRequest::default() };
        let first = connector.read(&request, host).unwrap();
        assert_eq!(connector.read(&request, host).unwrap(), first);
    });
}

#[test]
fn no_path_and_no_address_leads_out() {
    in_folder(|host| {
        for path in ["../secret.txt", "/etc/passwd", "a/../../secret.txt", "own.json\0"] {
            let message = failure(read(host, "reads_outside", Some(path)));
            assert!(message.starts_with("the plugin test.misbehaves failed in read: "), "{path}: {message}");
        }
        let message = failure(read(host, "calls_elsewhere", None));
        assert!(message.ends_with("https://evil.example.org/ was not granted"), "{message}");
        let message = failure(read(host, "asks_for_any_secret", None));
        assert!(message.contains("kepi-plugin.toml does not ask to see HOME"), "{message}");
    });
}

#[test]
fn a_secret_is_shown_nowhere() {
    in_folder(|host| {
        read(host, "logs_its_secret", None).unwrap();
        assert_eq!(*host.said.lock().unwrap(), ["signing with ***"]);
        assert_eq!(failure(read(host, "tells_its_secret", None)), "test.misbehaves was refused: *** is not accepted");
        let message = failure(read(host, "panics_with_its_secret", None));
        assert!(message.contains("*** is too short") && !message.contains("s3cr3t"), "{message}");
        assert!(!host.said.lock().unwrap().iter().any(|line| line.contains("s3cr3t")));
    });
}

/// A service that lets it wait takes longer than the plugin may run, and that is no fault of the plugin.
#[test]
fn waiting_for_the_service_is_not_the_plugins_time() {
    let folder = tempfile::tempdir().unwrap();
    let slow = Host { slow: Duration::from_millis(1_300), ..Host::new(folder.path()) };
    let begin = Instant::now();
    assert_eq!(read(&slow, "fine", None).unwrap().records.len(), 2);
    assert!(begin.elapsed() > Duration::from_secs(1));
}

#[test]
fn models_and_series_that_lie_are_caught() {
    let loaded = load_folder("misbehaves", &Settings::default());
    let said = |name: &str| {
        let mut accumulator = loaded.functions().aggregates[&format!("p.{name}")].start().unwrap();
        let who: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a"]));
        let at: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![3, 2, 1]).with_timezone("UTC"));
        accumulator.update(&[0, 0, 0], 1, &[who, numbers([1.0, 2.0, 3.0]), at]).unwrap();
        let values = accumulator.finish_at(&[10]).map(|v| crate::helpers::as_floats(&v));
        (values.map_err(|e| e.to_string()), accumulator.told())
    };
    let (values, told) = said("counts_rows");
    assert_eq!(values, Ok(vec![Some(3.0)]));
    assert_eq!(told[0].diagnostics, [("rows\\u{1b}[2J".to_string(), "3".to_string())]);
    assert_eq!(
        said("fit_traps").0.unwrap_err(),
        "the plugin test.misbehaves failed in p.fit_traps: it panicked without a message"
    );
    assert!(said("loses_entities").0.unwrap_err().ends_with("it gave 1 values for 2 rows"));
    assert!(said("gives_texts").0.unwrap_err().ends_with("it gave booleans where floats was due"));
    let (values, told) = said("learns_nothing");
    assert_eq!((values, told[0].missing.as_deref()), (Ok(vec![None]), Some("nothing can be learned of this")));
    let series = loaded.functions().series;
    let extend = |name: &str| series[&format!("p.{name}")].extend(&numbers([1.0, 5.0]), None, 2, &[]);
    assert_eq!(crate::helpers::as_floats(&extend("repeats_the_last").unwrap()), [Some(5.0), Some(5.0)]);
    assert!(failure(extend("gives_one_too_few")).ends_with("it gave 1 values for 2 rows"));
}
