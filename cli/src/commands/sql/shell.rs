//! The shell: queries one after the other over one state of the lake, with history, completion and colours.
//!
//! Ctrl-C at the prompt drops the line, during a query the query; Ctrl-D leaves.

use super::completion::Words;
use super::dot_command::{COMMANDS, DotCommand};
use super::highlighting::{highlight, is_complete};
use super::warn_of_stale;
use crate::args::FormatArg;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::output;
use crate::progress::Reporter;
use hypercolumn_analyze::{Catalog, CatalogError, QueryResult, query};
use hypercolumn_schemas::{Lake, schema_page, tables};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use signal_hook::consts::SIGINT;
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const PROMPT: &str = "lake> ";

/// Time between two looks at whether a query is to end.
const INTERVAL: Duration = Duration::from_millis(20);

/// Queries to start from.
const EXAMPLES: &str = "\
SELECT condition, metric, avg(score) FROM behavior GROUP BY ALL ORDER BY ALL;
SELECT prompt_id, response FROM responses LIMIT 10;
SELECT layer, condition, estimate, ci_low, ci_high FROM rsa WHERE site = 'resid_post' ORDER BY ALL LIMIT 20;
SELECT role, count(*) FROM segments GROUP BY role;
SUMMARIZE attention_ratios;";

/// Opens the shell on what the lake holds, with results in `format`.
///
/// # Errors
/// If the terminal cannot be read.
pub(super) fn run(
    lake: &Lake,
    catalog: Catalog,
    format: FormatArg,
    reporter: &Reporter,
) -> Result<(), Failure> {
    let config = Config::builder().completion_type(CompletionType::List).build();
    let mut editor: Editor<Assistant, FileHistory> =
        Editor::with_config(config).map_err(|e| unreadable(&e))?;
    let colored =
        std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && io::stdout().is_terminal();
    editor.set_helper(Some(Assistant { words: Words::of(&catalog), colored }));
    let history = history_path();
    if let Some(path) = &history {
        // A shell without an earlier history is a shell.
        let _ = editor.load_history(path);
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&interrupted))?;
    reporter.say(&format!("{} · queries end with `;` · .help lists commands", lake.root().display()));
    let mut session = Session { lake, catalog, format, output: None, interrupted, reporter };
    loop {
        match editor.readline(PROMPT) {
            Ok(line) => {
                let _ = editor.add_history_entry(&line);
                match session.take(&line) {
                    Ok(Next::Line) => {}
                    Ok(Next::Words) => {
                        let words = Words::of(&session.catalog);
                        if let Some(helper) = editor.helper_mut() {
                            helper.words = words;
                        }
                    }
                    Ok(Next::End) => break,
                    Err(failure) => {
                        failure.show();
                    }
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(unreadable(&error)),
        }
        if let Some(path) = &history {
            let _ = editor.save_history(path);
        }
    }
    Ok(())
}

fn unreadable(error: &ReadlineError) -> Failure {
    Failure::new(Exit::Failure, "could not read the terminal").because(error.to_string())
}

/// `$XDG_STATE_HOME/hypercolumn/sql_history`, with the directory made; none where there is no such directory to be had.
fn history_path() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let state = state.or_else(|| Some(std::env::home_dir()?.join(".local/state")))?;
    let directory = state.join("hypercolumn");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("sql_history"))
}

/// What the shell does after a line.
enum Next {
    Line,
    /// The lake may have other words.
    Words,
    End,
}

struct Session<'a> {
    lake: &'a Lake,
    catalog: Catalog,
    format: FormatArg,
    /// The file that results are written to; standard output if absent.
    output: Option<PathBuf>,
    interrupted: Arc<AtomicBool>,
    reporter: &'a Reporter,
}

impl Session<'_> {
    /// Carries out a command, or answers a query.
    fn take(&mut self, line: &str) -> Result<Next, Failure> {
        if line.trim().is_empty() {
            return Ok(Next::Line);
        }
        match DotCommand::parse(line) {
            None => self.answer(line)?,
            Some(Err(problem)) => return Err(Failure::usage(problem)),
            Some(Ok(DotCommand::Quit)) => return Ok(Next::End),
            Some(Ok(DotCommand::Reload)) => {
                self.catalog =
                    Catalog::open(self.lake).map_err(could_not("open lake", self.lake.root().display()))?;
                return Ok(Next::Words);
            }
            Some(Ok(DotCommand::Help)) => {
                for (command, meaning) in COMMANDS {
                    writeln!(io::stdout(), "{command:<18} {meaning}")?;
                }
            }
            Some(Ok(DotCommand::Examples)) => writeln!(io::stdout(), "{EXAMPLES}")?,
            Some(Ok(DotCommand::Tables)) => {
                for table in tables::ALL {
                    writeln!(io::stdout(), "{:<18} {}", table.name, table.doc)?;
                }
                writeln!(io::stdout(), "{:<18} The prompts, with their params as columns.", "prompt_params")?;
            }
            Some(Ok(DotCommand::Schema(name))) => self.describe(name.as_deref())?,
            Some(Ok(DotCommand::Mode(None))) => writeln!(io::stdout(), "{:?}", self.format)?,
            Some(Ok(DotCommand::Mode(Some(format)))) => self.format = format,
            Some(Ok(DotCommand::Output(path))) => self.output = path,
        }
        Ok(Next::Line)
    }

    fn describe(&self, name: Option<&str>) -> Result<(), Failure> {
        match name.map(|name| (name, tables::by_name(name))) {
            None => writeln!(io::stdout(), "{}", schema_page(&tables::ALL))?,
            Some((_, Some(table))) => {
                let page = schema_page(&[table]);
                // The page's heading is about all tables.
                writeln!(io::stdout(), "{}", page.find("## ").map_or(page.as_str(), |at| &page[at..]))?;
            }
            // Views are described by what they give.
            Some((name, None)) => self.answer(&format!("DESCRIBE \"{}\"", name.replace('"', "\"\"")))?,
        }
        Ok(())
    }

    fn answer(&self, sql: &str) -> Result<(), Failure> {
        let started = Instant::now();
        let result = self.ask(sql).map_err(|error| match self.interrupted.load(Ordering::SeqCst) {
            true => Failure::usage("the query was interrupted"),
            false => could_not("answer", sql.trim())(error),
        })?;
        warn_of_stale(self.catalog.snapshot(), &result.tables, self.reporter);
        match &self.output {
            Some(path) => {
                let bytes = output::encode(&result, self.format, self.reporter)?;
                std::fs::write(path, bytes).map_err(|error| {
                    Failure::usage(format!("could not write `{}`", path.display())).because(error.to_string())
                })?;
            }
            None => {
                output::check_destination(self.format)?;
                output::write(&result, self.format, self.reporter)?;
            }
        }
        let rows = match result.n_rows() {
            1 => "1 row".to_owned(),
            n => format!("{} rows", output::format_count(n as u64)),
        };
        self.reporter.say(&format!("{rows} in {:.1} s", started.elapsed().as_secs_f64()));
        Ok(())
    }

    /// Answers a query, which ends at Ctrl-C.
    fn ask(&self, sql: &str) -> Result<QueryResult, CatalogError> {
        self.interrupted.store(false, Ordering::SeqCst);
        let is_done = AtomicBool::new(false);
        // The catalog itself stays on this thread.
        let (interrupted, interrupter) = (&self.interrupted, self.catalog.interrupter());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::SeqCst) {
                    if interrupted.load(Ordering::SeqCst) {
                        interrupter.interrupt();
                    }
                    std::thread::sleep(INTERVAL);
                }
            });
            let result = query(&self.catalog, sql);
            is_done.store(true, Ordering::SeqCst);
            result
        })
    }
}

/// What the line editor asks while a line is typed.
struct Assistant {
    words: Words,
    colored: bool,
}

impl Helper for Assistant {}

impl Hinter for Assistant {
    type Hint = String;
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.words.complete(line, position))
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let line = context.input();
        let ends = line.trim().is_empty() || DotCommand::parse(line).is_some() || is_complete(line);
        Ok(if ends { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        match self.colored && !line.trim_start().starts_with('.') {
            true => Cow::Owned(highlight(line, |word| self.words.is_keyword(word))),
            false => Cow::Borrowed(line),
        }
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        self.colored
    }
}
