//! What the prompt does with one statement.

use super::command::{COMMANDS, ReplCommand, parse};
use crate::commands::{describe, explain, list, query};
use crate::failure::Failure;
use crate::interrupt;
use crate::terminal::Terminal;
use kepi_engine::{Cancel, Engine, Request, SourceText};
use kepi_view::{Format, diagnostics_report, find_format, inert};
use std::sync::Arc;

/// The state of a prompt.
pub(super) struct Session {
    pub(super) engine: Arc<Engine>,
    pub(super) terminal: Terminal,
    format: &'static Format,
}

/// Whether the prompt goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    Leave,
}

impl Session {
    /// Begins with tables.
    pub(super) fn new(engine: Engine, terminal: Terminal) -> Result<Session, Failure> {
        Ok(Session { engine: Arc::new(engine), terminal, format: named_format("table")? })
    }

    /// Runs a statement or command.
    pub(super) fn run(&mut self, text: &str) -> Result<Next, Failure> {
        if text.trim().is_empty() {
            return Ok(Next::GoOn);
        }
        match parse(text) {
            Some(ReplCommand::Quit) => return Ok(Next::Leave),
            Some(command) => self.command(command)?,
            None => self.statement(text)?,
        }
        Ok(Next::GoOn)
    }

    fn command(&mut self, command: ReplCommand) -> Result<(), Failure> {
        let terminal = self.terminal;
        match command {
            ReplCommand::Help => terminal.data(help().as_bytes()),
            ReplCommand::List(kind) => {
                let listed = self.engine.list();
                terminal.data(list::lines(&list::wanted(&listed, kind.as_deref())?).as_bytes())
            }
            ReplCommand::Describe(name) => terminal.data(describe::with_fits(&self.engine, &name)?.as_bytes()),
            ReplCommand::Explain(text) => {
                let (request, _guard) = request(text);
                let explained = self.engine.explain(request)?;
                let shown: Vec<String> = explained.iter().map(|e| explain::explanation(e, &[])).collect();
                terminal.data(shown.join("\n").as_bytes())
            }
            ReplCommand::Format(None) => terminal.data(format!("{}\n", self.format.name).as_bytes()),
            ReplCommand::Format(Some(name)) => {
                self.format = named_format(&name)?;
                Ok(())
            }
            // `run` has left already.
            ReplCommand::Quit => Ok(()),
        }
    }

    /// Keeps the definitions, answers the queries.
    fn statement(&mut self, text: &str) -> Result<(), Failure> {
        let defined = self.engine.define(text)?;
        if !defined.warnings.is_empty() {
            let texts = [SourceText { path: "query".into(), text: text.to_string() }];
            let report = diagnostics_report(&texts, &defined.warnings, self.terminal.err);
            self.terminal.words(report.trim_end());
        }
        if !defined.names.is_empty() {
            let names: Vec<_> = defined.names.iter().map(|name| inert(name)).collect();
            self.terminal.words(&format!("defined {}", names.join(", ")));
        }
        let Some(queries) = defined.queries else { return Ok(()) };
        let (request, guard) = request(queries.clone());
        let answers = self.engine.query(request)?;
        drop(guard);
        self.terminal.data(&(self.format.write)(&answers, self.terminal.out)?)?;
        query::say_beside(&self.terminal, self.format, &queries, None, &answers);
        Ok(())
    }
}

/// A request that Ctrl-C stops while the guard lives.
fn request(text: String) -> (Request, interrupt::Guard) {
    let cancel = Cancel::default();
    let guard = interrupt::stops(&cancel);
    (Request { text, cancel, ..Request::default() }, guard)
}

fn named_format(name: &str) -> Result<&'static Format, Failure> {
    find_format(name).map_err(|e| Failure::usage(e.to_string()))
}

fn help() -> String {
    let mut out = String::from(
        "A query begins with `show`, or is an expression:  show new_revenue by region per month last 12 months\n\
         A definition holds for this session:              metric big : count = count(orders where amount > 1000 EUR)\n\
         Tab completes, Alt-Enter begins a new line, Ctrl-C stops a query.\n\n",
    );
    for (word, arguments, about) in COMMANDS {
        out.push_str(&format!("  {:20}{about}\n", format!("{word} {arguments}")));
    }
    out
}
