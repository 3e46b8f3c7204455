//! Cuts a file into statements before pest runs, so that each mistake costs only its own statement.

use crate::limits::STATEMENT_BYTES_MAX;
use crate::scan::{Kind, Lexer, Token};
use crate::words::{DEFINITIONS, FOLLOWERS, is_reserved};

/// A range of the text that is parsed by itself: usually one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Offset of the first token.
    pub(crate) start: usize,
    /// Offset behind the last token.
    pub(crate) end: usize,
}

/// Cuts a text into chunks, lazily: a chunk that is too large is skipped by lines and never tokenised whole.
pub(crate) struct Chunks<'t> {
    text: &'t str,
    lexer: Lexer<'t>,
    /// The token that begins the next chunk, already taken from the lexer.
    waiting: Option<Token>,
    /// Braces that were still open where a statement began nevertheless; their ends are skipped.
    abandoned: usize,
}

impl<'t> Chunks<'t> {
    /// Starts at the beginning of the text.
    pub(crate) fn new(text: &'t str) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Chunks { text, lexer: Lexer::new(text, at), waiting: None, abandoned: 0 }
    }

    fn token(&mut self) -> Option<Token> {
        self.waiting.take().or_else(|| self.lexer.find(|token| token.kind != Kind::Comment))
    }

    /// The next two words or marks on the same line, without taking them.
    fn ahead(&self) -> [Option<Token>; 2] {
        let mut lexer = self.lexer;
        let mut next = || lexer.next().filter(|token| !token.first && token.kind != Kind::Comment);
        let one = next();
        [one, one.and_then(|_| next())]
    }

    /// Whether a definition or a query must begin here, whatever is still open: its first words fit nothing else.
    fn surely_begins(&self, token: &Token, in_braces: bool) -> bool {
        let word = token.of(self.text);
        if token.kind != Kind::Word {
            return false;
        }
        if word == "show" {
            // `show = 1` and `show: 1` are an attribute and an argument of that name.
            let named = self.ahead()[0].is_some_and(|next| matches!(next.of(self.text), "=" | ":"));
            return !in_braces && !named;
        }
        if !DEFINITIONS.contains(&word) {
            return false;
        }
        let [one, two] = self.ahead();
        let Some(one) = one else { return false };
        // `target otherwise on` is an expression, a name that is no operator never follows one.
        let first = one.of(self.text);
        let named = one.kind == Kind::Ticked || one.kind == Kind::Word && !is_reserved(first) && first != "matches";
        let two = two.map(|token| token.of(self.text)).unwrap_or_default();
        match word {
            "module" => named && (two.is_empty() || two == "."),
            "use" => named && (two.is_empty() || two == "." || two == "as") || first == "plugin",
            "set" | "measure" => named && two == "=",
            "calendar" => named && (two == "=" || two == "from"),
            "entity" => named && matches!(two, "key" | "from" | "{"),
            "event" => named && matches!(two, "=" | "of" | "at" | "{"),
            "state" => named && two == "of",
            "segment" | "dimension" => named && matches!(two, "of" | "("),
            "metric" => named && matches!(two, "=" | ":" | "("),
            "function" => named && two == "(",
            "source" => named && two == "from",
            "target" => named && two == "on",
            "report" => named && matches!(two, "every" | "with" | "{"),
            "test" => one.kind == Kind::Text,
            _ => false,
        }
    }

    /// Whether a statement begins here, given that nothing is open and the word before may end one.
    fn may_begin(&self, token: &Token, definition: &str) -> bool {
        let word = token.of(self.text);
        match token.kind {
            Kind::Number | Kind::Text | Kind::Ticked | Kind::OpenText | Kind::OpenTick => true,
            Kind::Mark => word == "(" || word == "[",
            Kind::Word if matches!(word, "show" | "case" | "not" | "yes" | "no" | "missing") => true,
            Kind::Word if is_reserved(word) => false,
            Kind::Word => !self.continues(word, definition),
            Kind::Comment | Kind::Other => false,
        }
    }

    /// Whether the word at the beginning of a line goes on with the statement before it.
    fn continues(&self, word: &str, definition: &str) -> bool {
        let [one, _] = self.ahead();
        let next = one.map(|token| token.of(self.text)).unwrap_or_default();
        if FOLLOWERS.contains(&word) {
            return match word {
                "order" | "aligned" => next == "by",
                "to" => next == "date",
                "asc" | "desc" => true,
                "each" => one.is_some_and(|token| token.kind == Kind::Word),
                "from" | "matches" | "reach" if next == "(" => true,
                _ => !matches!(next, "" | "(" | "=" | "<" | ">" | "!=" | "<=" | ">=" | ","),
            };
        }
        match definition {
            "entity" => word == "key",
            "event" | "segment" | "dimension" | "state" => word == "of",
            "calendar" => matches!(word, "starts" | "named"),
            "target" => word == "on",
            "report" => word == "every",
            _ => false,
        }
    }

    /// The word of the definition that begins with this token; empty for a query, even if it begins with such a word.
    fn definition(&self, head: &Token) -> &'static str {
        let named = self.ahead()[0].is_some_and(|next| match next.kind {
            Kind::Word => !is_reserved(next.of(self.text)),
            kind => matches!(kind, Kind::Ticked | Kind::Text),
        });
        let word = DEFINITIONS.iter().find(|word| named && **word == head.of(self.text));
        word.copied().unwrap_or_default()
    }

    /// Skips by lines to the next one that begins like a statement; the lexer goes on there.
    fn skip_far(&mut self, from: usize) {
        let mut at = from;
        while let Some(end) = self.text.get(at..).and_then(|rest| rest.find('\n')) {
            at += end + 1;
            let line = self.text.as_bytes().get(at..).unwrap_or_default();
            // Most lines of a hostile text are sorted out by their first byte.
            if line.first().is_none_or(|byte| !byte.is_ascii_lowercase()) {
                continue;
            }
            let word = line.iter().take(12).take_while(|byte| byte.is_ascii_lowercase()).count();
            let begins = std::str::from_utf8(&line[..word]).is_ok_and(|w| w == "show" || DEFINITIONS.contains(&w));
            if begins && line.get(word) == Some(&b' ') {
                self.lexer = Lexer::new(self.text, at);
                return;
            }
        }
        self.lexer = Lexer::new(self.text, self.text.len());
    }
}

/// Whether an expression or clause must go on after this token.
pub(crate) fn is_open(token: &Token, text: &str) -> bool {
    let word = token.of(text);
    match token.kind {
        Kind::Mark => !matches!(word, ")" | "]" | "}" | "%"),
        Kind::Word => is_reserved(word) && !matches!(word, "yes" | "no" | "missing"),
        _ => false,
    }
}

impl Iterator for Chunks<'_> {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        let mut head = self.token()?;
        while self.abandoned > 0 && head.of(self.text) == "}" {
            self.abandoned -= 1;
            head = self.token()?;
        }
        let definition = self.definition(&head);
        // A definition goes on over lines until its body has begun.
        let mut bodiless = !matches!(definition, "" | "module" | "use");
        // That of a target begins with `reach`, which its name or metric may be as well, behind its period.
        let mut dated = false;
        let mut chunk = Chunk { start: head.start, end: head.end };
        let mut last = head;
        let mut braces = usize::from(head.of(self.text) == "{");
        let mut others = usize::from(matches!(head.of(self.text), "(" | "["));
        while let Some(token) = self.token() {
            let word = token.of(self.text);
            if token.first {
                let open = bodiless || is_open(&last, self.text);
                let outside = braces + others == 0;
                // A stray end, or a definition with a mistake in its head, costs the statement before it nothing.
                let stray = word == "}" && braces == 0 && self.abandoned == 0;
                let heads = outside && !is_open(&last, self.text) && !self.definition(&token).is_empty();
                let begins = stray
                    || heads
                    || self.surely_begins(&token, braces > 0)
                    || outside && !open && self.may_begin(&token, definition);
                if begins {
                    self.abandoned += braces;
                    self.waiting = Some(token);
                    return Some(chunk);
                }
            }
            bodiless &= match definition {
                "target" => {
                    dated |= matches!(word, "during" | "by");
                    !dated || word != "reach"
                }
                "calendar" => word != "=" && word != "from",
                _ => word != "=" && word != "{",
            };
            match word {
                "{" => braces += 1,
                "(" | "[" => others += 1,
                "}" if braces == 0 && self.abandoned > 0 => {
                    self.abandoned -= 1;
                    return Some(chunk);
                }
                "}" => {
                    braces = braces.saturating_sub(1);
                    others = 0;
                }
                ")" | "]" => others = others.saturating_sub(1),
                _ => {}
            }
            chunk.end = token.end;
            last = token;
            if chunk.end - chunk.start > STATEMENT_BYTES_MAX {
                self.abandoned = 0;
                self.skip_far(chunk.end);
                return Some(chunk);
            }
        }
        Some(chunk)
    }
}
