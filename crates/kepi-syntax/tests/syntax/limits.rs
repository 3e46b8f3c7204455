//! Hostile texts: each is a message with its place, soon, on the stack of a test.

use kepi_syntax::{Code, Diagnostic, line_column, parse_file, parse_query};
use std::time::{Duration, Instant};

/// Reads it in all ways; returns the first message of each.
fn refused(text: &str) -> [Diagnostic; 2] {
    let of_file = in_time(|| parse_file(text).1);
    let of_query = in_time(|| parse_query(text).1);
    in_time(|| kepi_syntax::is_complete(text));
    let first = |problems: Vec<Diagnostic>| problems.into_iter().next().expect("the text must be refused");
    [first(of_file), first(of_query)]
}

/// Runs it and checks that it was soon over: each takes less than a second, the rest is for a busy machine.
fn in_time<T>(run: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let made = run();
    assert!(began.elapsed() < Duration::from_secs(4), "took {:?}", began.elapsed());
    made
}

fn too_large(text: &str) -> [String; 2] {
    refused(text).map(|problem| {
        assert_eq!(problem.code, Code::TooLarge, "{}", problem.message);
        assert!((problem.span.start as usize) < text.len());
        problem.message
    })
}

#[test]
fn deep_parentheses() {
    for depth in [65, 1000, 60_000, 100_000] {
        too_large(&"(".repeat(depth));
        too_large(&format!("show {}a{}", "(".repeat(depth), ")".repeat(depth)));
    }
}

#[test]
fn what_is_just_not_too_deep_is_read() {
    for (open, close) in [("(", ")"), ("f(", ")"), ("[", "]"), ("not ", ""), ("-", ""), ("case when a then ", "")] {
        let text = format!("show {}a{}", open.repeat(64), close.repeat(64));
        let (query, problems) = parse_query(&text);
        assert_eq!(problems, [], "{open}");
        assert!(query.is_some());
        too_large(&format!("show {}a{}", open.repeat(65), close.repeat(65)));
    }
}

#[test]
fn calls_that_are_never_closed() {
    let bomb = format!("{}!", "f(".repeat(22));
    assert_eq!(bomb.len(), 45);
    refused(&bomb);
    for part in [
        "f(",
        "f(a, ",
        "f(within ",
        "f(a: ",
        "f(a where ",
        "f(a -> ",
        "f([",
        "(1 + ",
        "case when a then (",
        "f(a per b, ",
    ] {
        for times in [22, 31] {
            refused(&format!("{}!", part.repeat(times)));
            refused(&part.repeat(times));
        }
    }
}

#[test]
fn long_chains() {
    too_large(&format!("{}a", "a or ".repeat(20_000)));
    // Long chains are balanced: only the number of names and operators limits them.
    for operator in [" or ", " and ", " + ", " - ", " - b + ", " * ", " / ", " * b / ", " otherwise "] {
        too_large(&format!("show {}", vec!["a"; 5_001].join(operator)));
        for count in [63, 64, 65, 66, 127, 128, 129, 130, 2_490] {
            let text = format!("show {}", vec!["a"; count].join(operator));
            let (query, problems) = in_time(|| parse_query(&text));
            assert_eq!(problems, [], "{count}{operator}");
            let query = query.expect("a query without problems");
            // Written out and read again, it is the same tree; so is one with parentheses around a part.
            let again = format!(
                "show {}{operator}({})",
                vec!["a"; count / 2].join(operator),
                vec!["a"; count - count / 2].join(operator)
            );
            // Of sums the parentheses count as levels of their own; what is divided by a quotient is none of its parts.
            let deep = operator.contains(['+', '-', '/']) && count > 65;
            for text in [Some(text), Some(again).filter(|_| !deep)].into_iter().flatten() {
                let (read, _) = parse_query(&text);
                let read = read.expect("a query");
                let printed = kepi_syntax::query_text(&read);
                assert_eq!(parse_query(&printed).0.map(|q| q.without_spans()), Some(read.without_spans()), "{count}");
            }
            drop(query);
        }
    }
    in_time(|| assert_eq!(parse_query(&format!("show {}", vec!["a"; 4_990].join(" and "))).1, []));
    for operator in [" - ", " * ", " / ", " otherwise "] {
        in_time(|| assert_eq!(parse_query(&format!("show {}", vec!["a"; 4_990].join(operator))).1, []));
    }
    // Chains in chains: what counts is the height of the whole tree.
    let inner = vec!["a"; 100].join(" + ");
    too_large(&format!("show {}", vec![format!("({inner})"); 60].join(" * ")));
}

#[test]
fn many_nodes() {
    too_large(&format!("show f({})", vec!["a"; 10_001].join(", ")));
    too_large(&format!("show a in [{}]", vec!["1"; 12_000].join(",")));
    let (query, problems) = parse_query(&format!("show f({})", vec!["a"; 3_000].join(", ")));
    assert_eq!(problems, []);
    assert!(query.is_some());
}

#[test]
fn long_texts() {
    let long = 10_000_000;
    too_large(&"(".repeat(long));
    too_large(&"a ".repeat(long / 2));
    too_large(&format!("show \"{}\"", "x".repeat(long)));
    too_large(&"é".repeat(long / 2));
    refused(&"\"".repeat(long));
    refused(&"\0".repeat(long));
    let comment = "#".repeat(long);
    assert_eq!(in_time(|| parse_file(&comment).1), []);
}

#[test]
fn long_garbage_on_many_lines() {
    refused(&"a b\n".repeat(2_500_000));
    refused(&")\n".repeat(5_000_000));
    refused(&"(\n".repeat(5_000_000));
    refused(&"show (\n".repeat(1_400_000));
}

#[test]
fn the_statements_around_a_large_one_are_read() {
    let text = format!("metric a = 1\nmetric b = {}\nmetric c = 2\n", "1 + ".repeat(1_000_000));
    let (file, problems) = parse_file(&text);
    assert_eq!(file.statements.len(), 2);
    assert_eq!(problems.len(), 1);
    assert_eq!(line_column(&text, problems[0].span.start as usize), (2, 1));
}

#[test]
fn a_large_file_of_small_statements_is_fine() {
    let text = "metric a = sum(b) # c\n".repeat(1_000);
    let (file, problems) = parse_file(&text);
    assert_eq!((file.statements.len(), problems), (1_000, vec![]));
}

#[test]
fn a_small_stack_is_enough() {
    // A thread of a server may have no more than this.
    let small = std::thread::Builder::new().stack_size(512 * 1024);
    let read = small.spawn(|| {
        for (open, close) in [("(", ")"), ("f(a, ", ")"), ("f(x: [", "])"), ("not (", ")"), ("(case when a then ", ")")]
        {
            for depth in 1..32 {
                let text = format!("metric m = {}a{}", open.repeat(depth), close.repeat(depth));
                let (file, problems) = parse_file(&text);
                assert_eq!(problems, [], "{text}");
                assert!(!kepi_syntax::file_text(&file).is_empty());
            }
        }
    });
    read.unwrap().join().unwrap();
}
