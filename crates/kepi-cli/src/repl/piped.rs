//! The prompt without a person: statements from a pipe.

use super::command;
use super::session::{Next, Session};
use crate::failure::Failure;
use std::io::BufRead;

/// Answers statement by statement. A failure is said and the next statement runs; the exit code is that of the
/// first failure.
pub(super) fn run(session: &mut Session, input: impl BufRead) -> Result<(), Failure> {
    let mut first_failure = None;
    for statement in statements(input) {
        match session.run(&statement?) {
            Ok(Next::GoOn) => {}
            Ok(Next::Leave) => break,
            Err(Failure::PipeClosed) => return Err(Failure::PipeClosed),
            Err(failure) => {
                failure.say(&session.terminal);
                first_failure.get_or_insert(failure.exit_code());
            }
        }
    }
    first_failure.map_or(Ok(()), |code| Err(Failure::Said(code)))
}

/// Cuts the input into statements: one ends where it is complete, unless the next line is indented.
fn statements(input: impl BufRead) -> impl Iterator<Item = Result<String, Failure>> {
    let mut lines = input.lines().peekable();
    std::iter::from_fn(move || {
        let mut statement = String::new();
        loop {
            let Some(line) = lines.next() else {
                // What is left is given as it is, so that its mistake is said.
                return (!statement.trim().is_empty()).then_some(Ok(statement));
            };
            match line {
                Ok(line) => statement.push_str(&line),
                Err(error) => {
                    return Some(Err(Failure::io(format!("the standard input cannot be read: {error}"))));
                }
            }
            statement.push('\n');
            if statement.trim().is_empty() {
                statement.clear();
                continue;
            }
            let goes_on =
                matches!(lines.peek(), Some(Ok(next)) if next.starts_with([' ', '\t']) && !next.trim().is_empty());
            let whole = command::parse(&statement).is_some() || kepi_engine::is_complete(&statement);
            if whole && !goes_on {
                return Some(Ok(statement));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::statements;

    #[test]
    fn an_indented_line_belongs_to_the_one_before() {
        let input = "show cac\n  per month\n\nlist\nshow aov\n";
        let found: Vec<String> = statements(input.as_bytes()).map(Result::unwrap).collect();
        assert_eq!(found, ["show cac\n  per month\n", "list\n", "show aov\n"]);
    }
}
