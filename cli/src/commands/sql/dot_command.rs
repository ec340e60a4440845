//! What a line of the shell says that begins with a point.

use crate::args::FormatArg;
use crate::suggestion::suggest;
use clap::ValueEnum;
use std::path::PathBuf;

/// A command of the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DotCommand {
    Help,
    Tables,
    /// Of the table, or of all.
    Schema(Option<String>),
    Examples,
    /// The format of results; the one that is set if absent.
    Mode(Option<FormatArg>),
    /// A file for results; the terminal if absent.
    Output(Option<PathBuf>),
    Reload,
    Quit,
}

/// The commands and what they do.
pub(super) const COMMANDS: [(&str, &str); 8] = [
    (".tables", "list the tables and views"),
    (".schema [TABLE]", "describe a table, or all of them"),
    (".examples", "show queries to start from"),
    (".mode [FORMAT]", "set the format of results: table, csv, json, parquet or arrow"),
    (".output [FILE]", "write results to a file; without one, to the terminal again"),
    (".reload", "see what was committed to the lake since the shell opened"),
    (".help", "show this list"),
    (".quit", "leave the shell, as Ctrl-D does"),
];

impl DotCommand {
    /// The command of a line; `None` where the line is none.
    ///
    /// # Errors
    /// What is wrong with it, and what there is.
    pub(super) fn parse(line: &str) -> Option<Result<Self, String>> {
        let line = line.trim().trim_end_matches(';').trim_end();
        if !line.starts_with('.') {
            return None;
        }
        let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let argument = Some(argument.trim()).filter(|argument| !argument.is_empty());
        Some(match (name, argument) {
            (".schema", table) => Ok(Self::Schema(table.map(str::to_owned))),
            (".mode", None) => Ok(Self::Mode(None)),
            (".mode", Some(format)) => FormatArg::from_str(format, true)
                .map(|format| Self::Mode(Some(format)))
                .map_err(|_| format!("`{format}` is no format; there are table, csv, json, parquet, arrow")),
            (".output", path) => Ok(Self::Output(path.map(PathBuf::from))),
            (".help" | ".tables" | ".examples" | ".reload" | ".quit" | ".exit", Some(argument)) => {
                Err(format!("`{name}` takes no argument, found `{argument}`"))
            }
            (".help", None) => Ok(Self::Help),
            (".tables", None) => Ok(Self::Tables),
            (".examples", None) => Ok(Self::Examples),
            (".reload", None) => Ok(Self::Reload),
            (".quit" | ".exit", None) => Ok(Self::Quit),
            _ => {
                let names: Vec<&str> =
                    COMMANDS.iter().filter_map(|(name, _)| name.split(' ').next()).collect();
                Err(format!("there is no command `{name}`; {}", suggest(name, "commands", &names)))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_begin_with_a_point_are_commands() {
        assert_eq!(DotCommand::parse("SELECT 1;"), None);
        let parse = |line: &str| DotCommand::parse(line).expect("a command");
        assert_eq!(parse(" .tables ;"), Ok(DotCommand::Tables));
        assert_eq!(parse(".schema rsa"), Ok(DotCommand::Schema(Some("rsa".into()))));
        assert_eq!(parse(".mode CSV"), Ok(DotCommand::Mode(Some(FormatArg::Csv))));
        assert_eq!(parse(".output my file.csv"), Ok(DotCommand::Output(Some("my file.csv".into()))));
        assert_eq!(parse(".exit"), Ok(DotCommand::Quit));
        assert!(parse(".mode xml").expect_err("no format").contains("table, csv"));
        assert!(parse(".table").expect_err("misspelt").contains("`.tables`"));
        assert!(parse(".quit now").expect_err("an argument").contains("takes no argument"));
        for (command, _) in COMMANDS {
            let name = command.split(' ').next().expect("a name");
            assert!(parse(name).is_ok(), "{name}");
        }
    }
}
