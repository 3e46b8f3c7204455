//! A component that loops, grows, panics and lies: each fault has its message, and the next call works.

use crate::helpers::{as_floats, failure, load_folder, numbers, scalar};
use arrow_array::ArrayRef;
use kepi_extension::FunctionError;
use kepi_plugin::{Limits, Loaded, Settings, Stop};
use std::time::{Duration, Instant};

fn plugin() -> Loaded {
    with_time(Limits::default().wall_time_max)
}

/// With little time, but more than a busy machine needs for a call without fault.
fn hasty() -> Loaded {
    with_time(Duration::from_secs(1))
}

fn with_time(wall_time_max: Duration) -> Loaded {
    let limits = Limits { wall_time_max, memory_bytes_max: 64 << 20, answer_bytes_max: 32 << 20, ..Limits::default() };
    load_folder("misbehaves", &Settings { limits, ..Settings::default() })
}

fn call(loaded: &Loaded, name: &str) -> Result<ArrayRef, FunctionError> {
    scalar(loaded, &format!("p.{name}")).call(3, &[numbers([1.0, 2.0, 3.0])])
}

/// What is said of a fault. Afterwards a call without fault must work.
fn fault(name: &str) -> String {
    fault_of(&plugin(), name)
}

fn fault_of(loaded: &Loaded, name: &str) -> String {
    let message = failure(call(loaded, name));
    assert_eq!(as_floats(&call(loaded, "fine").unwrap()), [Some(1.0), Some(2.0), Some(3.0)], "after {name}");
    message
}

#[test]
fn time_is_limited() {
    let begin = Instant::now();
    assert_eq!(fault_of(&hasty(), "loops"), "the plugin test.misbehaves exceeded its 1 s in p.loops");
    assert!(begin.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_stop_from_outside_ends_a_call() {
    let stop = Stop::default();
    let loaded = load_folder("misbehaves", &Settings { stop: stop.clone(), ..Settings::default() });
    call(&loaded, "fine").unwrap();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            stop.stop();
        });
        let message = failure(call(&loaded, "loops"));
        assert_eq!(message, "the plugin test.misbehaves failed in p.loops: it was stopped");
    });
    assert!(begin.elapsed() < Duration::from_secs(5), "the limit of 10 s did not end it");
    stop.reset();
    call(&loaded, "fine").unwrap();
}

#[test]
fn memory_is_limited_and_told_from_a_panic() {
    assert_eq!(fault("grows"), "the plugin test.misbehaves exceeded its 64 MiB of memory in p.grows");
    let panicked = fault("panics");
    let expected = "the plugin test.misbehaves failed in p.panics: panicked at src/lib.rs:";
    assert!(panicked.starts_with(expected), "{panicked}");
    assert!(panicked.ends_with("index out of bounds: the len is 0 but the index is 7"), "{panicked}");
    let silent = "the plugin test.misbehaves failed in p.panics_silently: it panicked without a message";
    assert_eq!(fault("panics_silently"), silent);
}

#[test]
fn stack_and_host_calls_are_limited() {
    assert_eq!(fault("recurses"), "the plugin test.misbehaves exceeded its 512 KiB of stack in p.recurses");
    let flood = "the plugin test.misbehaves exceeded its 1000 calls of its host in p.floods_the_log";
    assert_eq!(fault("floods_the_log"), flood);
}

#[test]
fn answers_are_checked() {
    let failed = |name: &str| fault(name).replace(&format!("the plugin test.misbehaves failed in p.{name}: "), "");
    assert_eq!(failed("too_few_rows"), "it gave 2 values for 3 rows");
    assert_eq!(failed("too_many_rows"), "it gave 4 values for 3 rows");
    assert_eq!(failed("wrong_type"), "it gave texts where floats was due");
    assert_eq!(failed("bad_offsets"), "it gave texts that are not well formed");
    assert_eq!(failed("bad_utf8"), "it gave texts that are not well formed");
    assert_eq!(failed("short_validity"), "it gave 0 bytes of validity for 3 rows");
}

#[test]
fn answers_are_limited_and_inert() {
    assert_eq!(fault("huge_text"), "the plugin test.misbehaves exceeded its 32 MiB for an answer in p.huge_text");
    let message = fault("huge_error");
    assert!(message.contains("\\u{1b}[2J") && !message.contains('\u{1b}'), "{message}");
    assert!(message.len() < 6_000, "{} bytes", message.len());
    call(&plugin(), "shouts").unwrap();
}

#[test]
fn what_is_no_number_is_missing() {
    assert_eq!(as_floats(&call(&plugin(), "not_a_number").unwrap()), [None, None, None]);
}

#[test]
fn it_is_told_whose_fault_it_is() {
    assert_eq!(fault("refuses"), "p.refuses does not take this: a negative price");
    assert_eq!(fault("gives_up"), "the plugin test.misbehaves failed in p.gives_up: out of ideas");
    let wasi = fault("wants_wasi");
    assert!(wasi.contains("it calls `wasi") && wasi.ends_with(", which kepi does not offer"), "{wasi}");
}

#[test]
fn a_failed_aggregation_stays_failed_and_the_next_one_works() {
    let functions = plugin().functions();
    let mut broken = functions.aggregates["p.panics_in_update"].start().unwrap();
    let rows = [numbers([1.0, 2.0])];
    broken.update(&[0, 1], 2, &rows).unwrap();
    let message = "the plugin test.misbehaves failed in p.panics_in_update: it panicked without a message";
    assert_eq!(failure(broken.update(&[0, 1], 2, &rows)), message);
    assert_eq!(failure(broken.finish()), message, "its groups are gone: no answer may come of them");

    let mut sums = functions.aggregates["p.sums"].start().unwrap();
    sums.update(&[0, 1], 3, &rows).unwrap();
    sums.update(&[1, 1], 3, &rows).unwrap();
    assert_eq!(as_floats(&sums.finish().unwrap()), [Some(1.0), Some(5.0), Some(0.0)]);
}

#[test]
fn aggregates_are_limited_and_checked() {
    let finished = |loaded: &Loaded, name: &str| {
        let mut groups = loaded.functions().aggregates[name].start().unwrap();
        groups.update(&[0, 1], 2, &[numbers([1.0, 2.0])]).unwrap();
        failure(groups.finish())
    };
    assert_eq!(
        finished(&hasty(), "p.loops_in_finish"),
        "the plugin test.misbehaves exceeded its 1 s in p.loops_in_finish"
    );
    let lost = "the plugin test.misbehaves failed in p.loses_groups: it gave 1 values for 2 rows";
    assert_eq!(finished(&plugin(), "p.loses_groups"), lost);
    let mut bloated = plugin().functions().aggregates["p.bloats"].start().unwrap();
    bloated.update(&[0, 1], 2, &[numbers([1.0, 2.0])]).unwrap();
    let message = failure(bloated.save());
    assert_eq!(message, "the plugin test.misbehaves failed in p.bloats: it gave 1 states for 2 groups");
}
