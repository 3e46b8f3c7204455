//! Several texts at once: threads share their statements, whichever file they are of.

use crate::ast::{File, Statement};
use crate::diagnostic::Diagnostic;
use crate::limits::MISTAKES_MAX;
use crate::parse::{CommentsOnDemand, gave_up, parse_chunk, parse_file};
use crate::scan::Comment;
use crate::split::{Chunk, Chunks};
use kepi_threads::{AtWork, give_way};
use std::sync::atomic::{AtomicUsize, Ordering};

/// So much text is worth a thread: it takes longer to parse than a thread takes to begin.
const BYTES_PER_THREAD: usize = 1024;
/// More threads than that are never at it.
const THREADS_MAX: usize = 4;
/// Texts that are longer together are parsed one after the other, so that nothing is cut far ahead.
const CUT_AHEAD_BYTES: usize = 4 << 20;

/// A chunk of one of the texts.
struct Piece {
    text: usize,
    chunk: Chunk,
    comments: Vec<Comment>,
}

/// What a piece holds.
type Parsed = (Vec<Statement>, Vec<Diagnostic>);

/// Parses files, side by side where they are long enough; of each comes what [`parse_file`] gives.
pub fn parse_files(texts: &[&str]) -> Vec<(File, Vec<Diagnostic>)> {
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    let threads = (bytes / BYTES_PER_THREAD).min(THREADS_MAX);
    if threads < 2 || bytes > CUT_AHEAD_BYTES {
        return texts.iter().map(|text| parse_file(text)).collect();
    }
    let pieces = pieces(texts);
    let parsed = shared(texts, &pieces, threads);
    let mut files: Vec<(File, Vec<Diagnostic>)> = texts.iter().map(|_| (File::default(), Vec::new())).collect();
    let mut gave_up_in = None;
    for (piece, (statements, found)) in pieces.iter().zip(parsed) {
        if gave_up_in == Some(piece.text) {
            continue;
        }
        let (file, problems) = &mut files[piece.text];
        file.statements.extend(statements);
        problems.extend(found);
        if gave_up(problems, piece.chunk, texts[piece.text]) {
            gave_up_in = Some(piece.text);
        }
    }
    files
}

fn pieces(texts: &[&str]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (place, text) in texts.iter().enumerate() {
        let mut comments = CommentsOnDemand::new(text);
        for chunk in Chunks::new(text) {
            pieces.push(Piece { text: place, chunk, comments: comments.around(chunk).to_vec() });
        }
    }
    pieces
}

/// Parses pieces on so many threads, each of which takes the next one that nobody has taken; in their order.
fn shared(texts: &[&str], pieces: &[Piece], threads: usize) -> Vec<Parsed> {
    let next = AtomicUsize::new(0);
    let mistakes: Vec<AtomicUsize> = texts.iter().map(|_| AtomicUsize::new(0)).collect();
    let parse = || {
        let mut parsed = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = pieces.get(place) else { return parsed };
            // Of a text with so many mistakes in pieces before this one the rest is left unread.
            let found = &mistakes[piece.text];
            if found.load(Ordering::Relaxed) < MISTAKES_MAX {
                let own = parse_chunk(texts[piece.text], piece.chunk, &piece.comments);
                found.fetch_add(own.1.len(), Ordering::Relaxed);
                parsed.push((place, own));
            }
        }
    };
    let beside = || {
        let _at_work = AtWork::begin_beside();
        parse()
    };
    let mut all: Vec<Parsed> = Vec::new();
    all.resize_with(pieces.len(), Parsed::default);
    let _at_work = AtWork::begin();
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(beside)).collect();
        give_way();
        let own = parse();
        let others = others.into_iter().map(|other| other.join().unwrap_or_else(|e| std::panic::resume_unwind(e)));
        for (place, parsed) in std::iter::once(own).chain(others).flatten() {
            all[place] = parsed;
        }
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Statements of all kinds with comments, some of them wrong.
    fn text(statements: usize, wrong: usize) -> String {
        let line = |at: usize| match at % wrong {
            0 => format!("metric m{at} = sum(\n"),
            1 => format!("# what follows\n## said of it\nmetric m{at} = count(orders) # behind\n"),
            2 => format!("event e{at} of customer {{\n  amount: money # its worth\n}}\n"),
            _ => format!("segment s{at} of orders = amount > {at}\n"),
        };
        (0..statements).map(line).collect()
    }

    #[test]
    fn texts_parsed_side_by_side_are_what_each_is_by_itself() {
        let (many, few) = (text(400, 7), text(90, 11));
        let (bad, short) = (text(2000, 1), text(2, 5));
        let texts = ["", &many, &short, &bad, &few, &bad, "# nothing\n", &many];
        let alone: Vec<_> = texts.iter().map(|text| parse_file(text)).collect();
        assert!(alone[1].0.statements.len() > 300 && alone[1].1.len() > 50);
        assert_eq!(alone[3].1.len(), MISTAKES_MAX + 1, "it gives up");
        assert_eq!(parse_files(&texts), alone);
        assert_eq!(parse_files(&texts[..3]), alone[..3]);
        assert_eq!(parse_files(&[]), Vec::new());
    }
}
