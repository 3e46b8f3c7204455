//! Data on the standard output, words on the standard error, colours only where somebody sees them.

use crate::failure::Failure;
use clap::ValueEnum;
use kepi_view::Look;
use nu_ansi_term::{Color, Style};
use std::io::{self, IsTerminal, Write};

/// When to use colours: on a terminal unless NO_COLOR is set, always, never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

/// The two streams and how they look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// The standard output.
    pub(crate) out: Look,
    /// The standard error.
    pub(crate) err: Look,
}

impl Terminal {
    /// Looks at the streams and the environment.
    pub(crate) fn new(colour: Colour) -> Terminal {
        // The convention of no-color.org: set and not empty. A dumb terminal shows codes as text.
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let plain = set("NO_COLOR") || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let look = |is_terminal: bool| Look {
            colour: match colour {
                Colour::Always => true,
                Colour::Never => false,
                Colour::Auto => is_terminal && !plain,
            },
            width: None,
        };
        Terminal { out: look(io::stdout().is_terminal()), err: look(io::stderr().is_terminal()) }
    }

    /// Writes data.
    pub(crate) fn data(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::PipeClosed),
            Err(error) => Err(Failure::io(format!("the standard output cannot be written: {error}"))),
        }
    }

    /// Says something, a line or more.
    pub(crate) fn words(&self, text: &str) {
        // Where nobody listens there is nobody to tell that either.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Says what went wrong.
    pub(crate) fn error(&self, text: &str) {
        self.words(&format!("{} {text}", self.paint(Color::Red.bold(), "error:")));
    }

    /// Says what would help.
    pub(crate) fn hint(&self, text: &str) {
        self.words(&format!("{} {text}", self.paint(Color::Cyan.bold(), "hint:")));
    }

    /// Says what should be known.
    pub(crate) fn note(&self, text: &str) {
        self.words(&format!("{} {text}", self.paint(Style::new().bold(), "note:")));
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.err.colour { style.paint(text).to_string() } else { text.to_string() }
    }
}
