//! The prompt with a person: line editing, history, completion.

use super::command::{COMMANDS, parse};
use super::highlight::Colours;
use super::session::{Next, Session};
use crate::failure::Failure;
use kepi_engine::Engine;
use reedline::{
    Completer, CompletionResult, EditCommand, Emacs, FileBackedHistory, IdeMenu, KeyCode, KeyModifiers, MenuBuilder,
    Prompt, PromptEditMode, PromptHistorySearch, PromptHistorySearchStatus, Reedline, ReedlineEvent, ReedlineMenu,
    Signal, Span, Suggestion, ValidationResult, Validator, default_emacs_keybindings,
};
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

const MENU: &str = "completion";
const HISTORY_LINES_MAX: usize = 10_000;

/// Reads and runs statements until Ctrl-D or `quit`.
pub(super) fn run(session: &mut Session, project: &Path) -> Result<(), Failure> {
    let mut editor = editor(session, project);
    session.terminal.words("kepi: `help` says what can be written here, Ctrl-D leaves");
    loop {
        match editor.read_line(&Line) {
            Ok(Signal::Success(text)) => match session.run(&text) {
                Ok(Next::GoOn) => {}
                Ok(Next::Leave) => return Ok(()),
                // A person reads on after a mistake.
                Err(failure) => failure.say(&session.terminal),
            },
            // Ctrl-C clears the line; while a query runs it goes to the query instead.
            Ok(Signal::CtrlC) => {}
            Ok(Signal::CtrlD) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(Failure::io(format!("the terminal cannot be read: {error}"))),
        }
    }
}

fn editor(session: &Session, project: &Path) -> Reedline {
    let mut keys = default_emacs_keybindings();
    keys.add_binding(
        KeyModifiers::NONE,
        KeyCode::Tab,
        ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu(MENU.to_string()), ReedlineEvent::MenuNext]),
    );
    keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
    keys.add_binding(KeyModifiers::ALT, KeyCode::Enter, ReedlineEvent::Edit(vec![EditCommand::InsertNewline]));
    let menu = IdeMenu::default().with_name(MENU);
    let colour = session.terminal.out.colour;
    let mut editor = Reedline::create()
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_completer(Box::new(Names { engine: Arc::clone(&session.engine) }))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_validator(Box::new(Whole))
        .with_ansi_colors(colour);
    if colour {
        editor = editor.with_highlighter(Box::new(Colours));
    }
    match history(project) {
        Ok(history) => editor.with_history(Box::new(history)),
        Err(reason) => {
            session.terminal.note(&format!("this session's history is not kept: {reason}"));
            editor
        }
    }
}

fn history(project: &Path) -> Result<FileBackedHistory, String> {
    let folder = project.join(".kepi");
    std::fs::create_dir_all(&folder).map_err(|e| format!("{} cannot be made: {e}", folder.display()))?;
    FileBackedHistory::with_file(HISTORY_LINES_MAX, folder.join("history")).map_err(|e| e.to_string())
}

/// Names, keywords and functions of the engine, and the prompt's own commands.
struct Names {
    engine: Arc<Engine>,
}

impl Completer for Names {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let pos = line.floor_char_boundary(pos);
        let commands = COMMANDS
            .iter()
            .filter(|(word, ..)| pos > 0 && word.starts_with(&line[..pos]))
            .map(|(word, _, about)| suggestion((*word).to_string(), "command", about, Span::new(0, pos)));
        let names = self.engine.complete(line, pos).into_iter().filter_map(|found| {
            // reedline refuses a span that ends before it begins.
            let span = (found.replace.start <= found.replace.end && found.replace.end <= line.len())
                .then(|| Span::new(found.replace.start, found.replace.end))?;
            Some(suggestion(found.text, &found.kind, &found.description, span))
        });
        CompletionResult::fresh(commands.chain(names).collect::<Vec<_>>())
    }
}

fn suggestion(value: String, kind: &str, about: &str, span: Span) -> Suggestion {
    let description = if about.is_empty() { kind.to_string() } else { format!("{kind}: {about}") };
    Suggestion {
        value,
        description: Some(kepi_view::inert(&description).into_owned()),
        span,
        append_whitespace: false,
        ..Suggestion::default()
    }
}

/// Enter ends a whole statement, else begins a new line. A second empty line ends it as it is.
struct Whole;

impl Validator for Whole {
    fn validate(&self, line: &str) -> ValidationResult {
        let whole =
            line.trim().is_empty() || line.ends_with("\n\n") || parse(line).is_some() || kepi_engine::is_complete(line);
        if whole { ValidationResult::Complete } else { ValidationResult::Incomplete }
    }
}

/// The prompt's look.
struct Line;

impl Prompt for Line {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed("kepi")
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("  … ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        let failing = match search.status {
            PromptHistorySearchStatus::Passing => "",
            PromptHistorySearchStatus::Failing => "nothing ",
        };
        Cow::Owned(format!("({failing}found for {}) ", search.term))
    }
}
