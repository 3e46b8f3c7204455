//! The services against a server on this machine.
#![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.

use super::mock::{Asked, Mock, Said, said};
use super::pace::QuickPace;
use super::*;
use kepi_extension::{HttpError, HttpRequest};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const NOW: i64 = 1_700_000_000_000_000;

fn settings(mock: &Mock) -> HttpSettings {
    let mut grants = Grants::default();
    grants.allow_own(&format!("http://127.0.0.1:{}", mock.port)).unwrap();
    let pairs = [("TOKEN", "tok/en 12345"), ("ID", "client-1"), ("KEY", "client-secret"), ("REFRESH", "refresh-1")];
    let mut secrets = Secrets::given(pairs.map(|(name, value)| (name.to_string(), value.to_string())));
    pairs.iter().for_each(|(name, _)| secrets.allow(name).unwrap());
    HttpSettings { grants, secrets, now: NOW, pace: Arc::new(QuickPace::default()), ..HttpSettings::default() }
}

fn get(url: String) -> HttpRequest {
    HttpRequest { method: "GET".to_string(), url, ..HttpRequest::default() }
}

type Heard = Arc<Mutex<Vec<String>>>;

/// What is told, and whom to tell.
fn told() -> (Heard, Tell) {
    let heard = Heard::default();
    let to = Arc::clone(&heard);
    (heard, Arc::new(move |text: &str| to.lock().unwrap().push(text.to_string())))
}

#[test]
fn hosts_that_were_not_granted_are_not_called() {
    let mock = Mock::start(|_, _| said(200, "{}"));
    let service = HttpService::new(settings(&mock));
    let denied = |url: &str| match service.fetch(&get(url.to_string())) {
        Err(HttpError::Denied(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(denied("https://evil.example/"), "https://evil.example is not among the hosts that were granted");
    let by_name = denied(&format!("http://localhost:{}/", mock.port));
    assert!(by_name.ends_with("is not among the hosts that were granted"), "{by_name}");
    denied(&format!("http://127.0.0.1:{}@evil.example/", mock.port));
    assert_eq!(mock.asked().len(), 0);
    assert_eq!(service.fetch(&get(mock.url("/x"))).unwrap().status, 200);
}

#[test]
fn a_granted_name_that_leads_inside_is_refused_after_it_is_resolved() {
    let mock = Mock::start(|_, _| said(200, "{}"));
    let mut settings = settings(&mock);
    settings.grants = Grants::default();
    // As a plugin asks for it: nobody said that it lies in this network.
    settings.grants.allow(&format!("http://localhost:{}", mock.port)).unwrap();
    let error = HttpService::new(settings).fetch(&get(format!("http://localhost:{}/", mock.port))).unwrap_err();
    assert!(
        matches!(&error, HttpError::Denied(reason) if reason.contains("is not on the public internet")),
        "{error:?}"
    );
    assert_eq!(mock.asked().len(), 0);
}

#[test]
fn secrets_go_in_after_the_check_and_come_out_of_everything_that_is_shown() {
    let mock = Mock::start(|asked: &Asked, _| said(200, &format!("you sent {}", asked.header("x-key").unwrap())));
    let service = HttpService::new(settings(&mock));
    let mut request = get(mock.url("/x?key={{secret:TOKEN}}"));
    request.headers.push(("X-Key".to_string(), "{{secret:TOKEN}}".to_string()));
    request.headers.push(("Authorization".to_string(), "Basic {{base64:me:{{secret:TOKEN}}}}".to_string()));
    let answer = service.fetch(&request).unwrap();
    let asked = &mock.asked()[0];
    assert_eq!(asked.target, "/x?key=tok%2Fen%2012345");
    assert_eq!(asked.header("x-key"), Some("tok/en 12345"));
    assert_eq!(asked.header("authorization"), Some("Basic bWU6dG9rL2VuIDEyMzQ1"));
    let shown = String::from_utf8(answer.body).unwrap();
    assert_eq!(service.scrub(&shown), "you sent {{secret:TOKEN}}");
    assert_eq!(
        service.scrub("at /x?key=tok%2Fen%2012345 and bWU6dG9rL2VuIDEyMzQ1"),
        "at /x?key={{secret:TOKEN}} and {{secret}}"
    );
    let error = service.fetch(&get(mock.url("/{{secret:OTHER}}"))).unwrap_err();
    assert_eq!(error, HttpError::Denied("the secret OTHER was not granted".to_string()));
    // Not even the name of a host can be made of a secret.
    assert!(service.fetch(&get("http://{{secret:TOKEN}}/".to_string())).is_err());
}

#[test]
fn a_redirect_is_checked_and_carries_no_secret_to_another_place() {
    let inner = Mock::start(|_, _| said(200, "inner"));
    let port = inner.port;
    let mock = Mock::start(move |asked: &Asked, _| match asked.target.as_str() {
        "/other" => said(302, "").with("Location", &format!("http://127.0.0.1:{port}/x")),
        "/inside" => said(302, "").with("Location", "http://169.254.169.254/latest/meta-data"),
        "/round" => said(301, "").with("Location", "/round"),
        "/here" => said(307, "").with("Location", "there"),
        _ => said(200, "there"),
    });
    let mut granted = settings(&mock);
    granted.grants.allow_own(&format!("http://127.0.0.1:{port}")).unwrap();
    let service = HttpService::new(granted);
    let fetch = |path: &str| {
        let mut request = get(mock.url(path));
        request.headers.push(("X-Key".to_string(), "{{secret:TOKEN}}".to_string()));
        service.fetch(&request)
    };
    assert_eq!(fetch("/here").unwrap().body, b"there");
    assert_eq!(mock.asked()[1].header("x-key"), Some("tok/en 12345"));
    assert_eq!(fetch("/other").unwrap().body, b"inner");
    assert_eq!(inner.asked()[0].header("x-key"), None);
    let error = fetch("/inside").unwrap_err();
    let reason = "a redirect: http://169.254.169.254 is not among the hosts that were granted";
    assert_eq!(error, HttpError::Denied(reason.to_string()));
    assert_eq!(fetch("/round").unwrap_err(), HttpError::Network("more than 5 redirects".to_string()));
}

#[test]
fn what_may_pass_is_tried_again_as_late_as_the_service_asks() {
    let mock = Mock::start(|_, number| match number {
        0 => said(429, "slow down").with("Retry-After", "38"),
        1 => said(503, "")
            .with("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
            .with("Retry-After", "Sun, 06 Nov 1994 08:49:47 GMT"),
        2 => Said { cut: Some(3), ..said(200, "{\"whole\":true}") },
        3 => said(500, ""),
        _ => said(200, "{\"whole\":true}"),
    });
    let (heard, tell) = told();
    let pace = Arc::new(QuickPace::default());
    let service = HttpService::new(HttpSettings { tell, pace: pace.clone(), ..settings(&mock) });
    assert_eq!(service.fetch(&get(mock.url("/"))).unwrap().body, b"{\"whole\":true}");
    assert_eq!(mock.asked().len(), 5);
    let waited = pace.elapsed().as_secs_f64();
    assert!((48.0 + 2.0 + 4.0 - 0.01..=48.0 + 4.0 + 8.0).contains(&waited), "{waited}");
    let heard = heard.lock().unwrap();
    assert_eq!(heard[0], "waiting 38 s: status 429");
    assert!(heard.iter().any(|text| text == "waiting 10 s: status 503"), "{heard:?}");
    assert!(heard.iter().any(|text| text.ends_with("s: the answer was cut off")), "{heard:?}");
}

#[test]
fn attempts_end_and_a_wait_that_is_too_long_is_told() {
    let mock = Mock::start(|asked: &Asked, _| match asked.target.as_str() {
        "/later" => said(429, "").with("Retry-After", "7200"),
        _ => said(502, "down"),
    });
    let service = HttpService::new(settings(&mock));
    assert_eq!(service.fetch(&get(mock.url("/down"))).unwrap().status, 502);
    assert_eq!(mock.asked().len(), 6);
    let later = service.fetch(&get(mock.url("/later"))).unwrap();
    assert_eq!((later.status, later.header("retry-after"), mock.asked().len()), (429, Some("7200"), 7));
    let mut nobody = settings(&mock);
    nobody.grants.allow_own("http://127.0.0.1:1").unwrap();
    let gone = HttpService::new(nobody).fetch(&get("http://127.0.0.1:1/".to_string()));
    assert!(matches!(&gone, Err(HttpError::Network(reason)) if reason.ends_with("(6 attempts)")), "{gone:?}");
}

#[test]
fn a_full_bucket_is_waited_for_and_told() {
    let mock = Mock::start(|_, _| said(200, ""));
    let (heard, tell) = told();
    let pace = Arc::new(QuickPace::default());
    let rates = vec![RateRule::new("search", "127.0.0.1", "/*/search", "2/40s").unwrap()];
    let service = HttpService::new(HttpSettings { tell, rates, pace: pace.clone(), ..settings(&mock) });
    for _ in 0..5 {
        service.fetch(&get(mock.url("/deals/search?x=1"))).unwrap();
        service.fetch(&get(mock.url("/owners"))).unwrap();
    }
    assert_eq!(pace.elapsed(), Duration::from_secs(80));
    assert_eq!(heard.lock().unwrap()[0], "waiting 40 s: search 2/40s");
}

#[test]
fn an_answer_that_is_too_large_is_refused_also_when_it_is_packed() {
    let mock = Mock::start(|asked: &Asked, _| match asked.target.as_str() {
        "/packed" => {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            std::io::Write::write_all(&mut packer, &vec![b' '; 3 << 20]).unwrap();
            Said { body: packer.finish().unwrap(), ..said(200, "") }.with("Content-Encoding", "gzip")
        }
        "/small" => {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            std::io::Write::write_all(&mut packer, b"small").unwrap();
            Said { body: packer.finish().unwrap(), ..said(200, "") }.with("Content-Encoding", "gzip")
        }
        _ => said(200, &" ".repeat(3 << 20)),
    });
    let limits = HttpLimits { body_bytes_max: 2 << 20, ..HttpLimits::default() };
    let service = HttpService::new(HttpSettings { limits, ..settings(&mock) });
    let too_large = HttpError::TooLarge("the answer is larger than 2 MiB".to_string());
    assert_eq!(service.fetch(&get(mock.url("/plain"))).unwrap_err(), too_large);
    assert_eq!(service.fetch(&get(mock.url("/packed"))).unwrap_err(), too_large);
    assert_eq!(service.fetch(&get(mock.url("/small"))).unwrap().body, b"small");
}

#[test]
fn cancelling_ends_a_request_and_a_wait_within_a_second() {
    let mock = Mock::start(|asked: &Asked, _| match asked.target.as_str() {
        "/slow" => Said { after: Duration::from_secs(20), ..said(200, "") },
        _ => said(429, "").with("Retry-After", "300"),
    });
    for path in ["/slow", "/limited"] {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let cancelled = Arc::new(move || asked.load(Ordering::Relaxed));
        let pace = Arc::new(WallPace::default());
        let service = HttpService::new(HttpSettings { cancelled, pace, ..settings(&mock) });
        let stopper = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            stop.store(true, Ordering::Relaxed);
            Instant::now()
        });
        assert_eq!(service.fetch(&get(mock.url(path))).unwrap_err(), HttpError::Cancelled, "{path}");
        let ended = stopper.join().unwrap().elapsed();
        assert!(ended < Duration::from_secs(1), "{path}: {ended:?}");
    }
}

#[test]
fn a_service_that_does_not_answer_in_time_is_given_up() {
    let mock = Mock::start(|_, _| Said { after: Duration::from_secs(5), ..said(200, "") });
    let limits = HttpLimits { answer_time_max: Duration::from_millis(100), attempts_max: 2, ..HttpLimits::default() };
    let error = HttpService::new(HttpSettings { limits, ..settings(&mock) }).fetch(&get(mock.url("/"))).unwrap_err();
    assert_eq!(error, HttpError::Network("the service did not answer in time (2 attempts)".to_string()));
}

#[test]
fn an_access_token_is_fetched_once_and_anew_when_it_has_run_out() {
    let mock = Mock::start(|asked: &Asked, number| match asked.target.as_str() {
        "/token" => said(200, &format!("{{\"access_token\":\"access-{number}\"}}")),
        _ if asked.header("authorization") == Some("Bearer access-0") && number > 2 => said(401, "expired"),
        "/never" => said(401, "never"),
        _ => said(200, asked.header("authorization").unwrap()),
    });
    let oauth = OAuth {
        token_url: mock.url("/token"),
        client_id: "ID".to_string(),
        client_secret: "KEY".to_string(),
        refresh_token: "REFRESH".to_string(),
    };
    let oauth = [("crm".to_string(), oauth)].into();
    let service = HttpService::new(HttpSettings { oauth, ..settings(&mock) });
    let fetch = |path: &str| {
        let mut request = get(mock.url(path));
        request.headers.push(("Authorization".to_string(), "Bearer {{oauth2:crm}}".to_string()));
        service.fetch(&request).unwrap()
    };
    assert_eq!(fetch("/a").body, b"Bearer access-0");
    assert_eq!(fetch("/b").body, b"Bearer access-0");
    // The fourth request finds the token run out: one more for a new token, and the request again.
    assert_eq!(fetch("/c").body, b"Bearer access-4");
    assert_eq!(fetch("/never").status, 401);
    let paths: Vec<String> = mock.asked().into_iter().map(|asked| asked.target).collect();
    assert_eq!(paths, ["/token", "/a", "/b", "/c", "/token", "/c", "/never", "/token", "/never"]);
    let form = &mock.asked()[0];
    assert_eq!(form.method, "POST");
    assert_eq!(
        form.body,
        "grant_type=refresh_token&client_id=client-1&client_secret=client-secret&refresh_token=refresh-1"
    );
    assert_eq!(service.scrub("access-4 refresh-1"), "{{oauth2:crm}} {{secret:REFRESH}}");
}

#[test]
fn a_record_answers_like_the_service_and_holds_no_secret() {
    let mock = Mock::start(|asked: &Asked, number| {
        said(200, &format!("{{\"n\":{number},\"token\":\"{}\"}}", asked.header("x-key").unwrap()))
            .with("Set-Cookie", "session=1")
            .with("Link", "</next?key=tok%2Fen%2012345>; rel=\"next\"")
    });
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("record");
    let recorder = Recorder::begin(&place, "deals", NOW, Some("{\"after\":7}")).unwrap();
    let service = HttpService::new(HttpSettings { keep: Keep::Record(Arc::new(recorder)), ..settings(&mock) });
    let request = |path: &str| {
        let mut request = get(mock.url(path));
        request.headers.push(("X-Key".to_string(), "{{secret:TOKEN}}".to_string()));
        request.body = Some(b"{\"k\":\"{{secret:TOKEN}}\"}".to_vec());
        request.method = "POST".to_string();
        request
    };
    for path in ["/a", "/b", "/a"] {
        service.fetch(&request(path)).unwrap();
    }
    let text = std::fs::read_to_string(place.join("recording.jsonl")).unwrap();
    assert!(!text.contains("12345") && !text.contains("session"), "{text}");
    assert!(Recorder::begin(&place, "deals", NOW, None).unwrap_err().contains("is there already"));

    let asked = mock.asked().len();
    let recorded = Recorded::open(&place).unwrap();
    assert_eq!((recorded.now(), recorded.source(), recorded.state()), (NOW, "deals", Some("{\"after\":7}")));
    // Neither grants nor secrets are needed.
    let replayed = HttpService::new(HttpSettings { keep: Keep::Replay(Arc::new(recorded)), ..HttpSettings::default() });
    let body = |path: &str| String::from_utf8(replayed.fetch(&request(path)).unwrap().body).unwrap();
    assert_eq!(body("/a"), "{\"n\":0,\"token\":\"{{secret:TOKEN}}\"}");
    assert_eq!(body("/a"), "{\"n\":2,\"token\":\"{{secret:TOKEN}}\"}");
    assert_eq!(body("/b"), "{\"n\":1,\"token\":\"{{secret:TOKEN}}\"}");
    let error = |path: &str| replayed.fetch(&request(path)).unwrap_err().to_string();
    assert!(
        error("/c").contains("/c with the body {\"k\":\"{{secret:TOKEN}}\"} is not in the recording"),
        "{}",
        error("/c")
    );
    assert!(error("/a").ends_with("2 times, and is asked for once more"), "{}", error("/a"));
    assert_eq!(mock.asked().len(), asked);
}
