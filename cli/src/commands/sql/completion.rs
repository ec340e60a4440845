//! Words that the shell completes: commands, tables, columns, functions and words of SQL.

use super::dot_command::COMMANDS;
use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use hypercolumn_analyze::{Catalog, query};
use std::collections::BTreeSet;

/// Words by kind.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// Tables, views and their columns, params included.
    names: BTreeSet<String>,
    functions: BTreeSet<String>,
    keywords: BTreeSet<String>,
}

const NAMES: &str = "SELECT table_name AS word FROM duckdb_columns() WHERE NOT internal
    UNION SELECT column_name FROM duckdb_columns() WHERE NOT internal";
const FUNCTIONS: &str = "SELECT DISTINCT function_name AS word FROM duckdb_functions()
    WHERE regexp_full_match(function_name, '[a-z][a-z0-9_]*') AND NOT starts_with(function_name, 'pg_')";
const KEYWORDS: &str = "SELECT keyword_name AS word FROM duckdb_keywords()";

impl Words {
    /// The words of a lake.
    pub(super) fn of(catalog: &Catalog) -> Self {
        Self {
            names: ask(catalog, NAMES),
            functions: ask(catalog, FUNCTIONS),
            keywords: ask(catalog, KEYWORDS),
        }
    }

    /// Whether a word is one of SQL's own.
    pub(super) fn is_keyword(&self, word: &str) -> bool {
        !self.names.contains(word) && self.keywords.contains(&word.to_lowercase())
    }

    /// Where the word before `position` begins, and the words that it may become: names before functions before words of SQL.
    pub(super) fn complete(&self, line: &str, position: usize) -> (usize, Vec<String>) {
        let before = &line[..position];
        if before.trim_start().starts_with('.') {
            return complete_command(before, &self.names);
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let start = before
            .char_indices()
            .rev()
            .take_while(|(_, c)| is_word(*c))
            .last()
            .map_or(position, |(at, _)| at);
        let word = &before[start..];
        if word.is_empty() {
            return (start, Vec::new());
        }
        let lower = word.to_lowercase();
        let fits = |words: &BTreeSet<String>| -> Vec<String> {
            words.iter().filter(|known| known.to_lowercase().starts_with(&lower)).cloned().collect()
        };
        let in_case = |known: String| match word.chars().all(|c| !c.is_lowercase()) {
            true => known.to_uppercase(),
            false => known,
        };
        let mut found = fits(&self.names);
        found.extend(fits(&self.functions).into_iter().map(|name| format!("{name}(")));
        found.extend(fits(&self.keywords).into_iter().map(in_case));
        let mut seen = BTreeSet::new();
        found.retain(|word| seen.insert(word.clone()));
        (start, found)
    }
}

fn complete_command(before: &str, names: &BTreeSet<String>) -> (usize, Vec<String>) {
    let start = before.find('.').unwrap_or(0);
    match before[start..].split_once(' ') {
        Some((_, argument)) => {
            let fits = names.iter().filter(|name| name.starts_with(argument.trim_start())).cloned();
            (before.len() - argument.trim_start().len(), fits.collect())
        }
        None => {
            let names = COMMANDS.iter().filter_map(|(name, _)| name.split(' ').next());
            (start, names.filter(|name| name.starts_with(&before[start..])).map(str::to_owned).collect())
        }
    }
}

/// The words of a query; none where it cannot be answered, since a shell without completion is a shell.
fn ask(catalog: &Catalog, sql: &str) -> BTreeSet<String> {
    let Ok(answer) = query(catalog, sql) else { return BTreeSet::new() };
    let columns =
        answer.batches.iter().filter_map(|batch| cast(batch.column_by_name("word")?, &DataType::Utf8).ok());
    let words =
        |column: ArrayRef| column.as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>();
    columns.flat_map(words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let of = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Words {
            names: of(&["rsa", "responses", "response"]),
            functions: of(&["round", "row_number"]),
            keywords: of(&["select", "rows"]),
        }
    }

    #[test]
    fn words_are_completed_where_the_cursor_stands() {
        let words = words();
        assert_eq!(
            words.complete("SELECT ro", 9),
            (7, vec!["round(".into(), "row_number(".into(), "rows".into()])
        );
        assert_eq!(words.complete("FROM res WHERE", 8), (5, vec!["response".into(), "responses".into()]));
        assert_eq!(words.complete("SEL", 3), (0, vec!["SELECT".into()]));
        assert_eq!(words.complete("SELECT ", 7), (7, Vec::<String>::new()));
        assert_eq!(words.complete("SELECT é.rs", 12), (10, vec!["rsa".into()]));
    }

    #[test]
    fn commands_and_their_tables_are_completed() {
        let words = words();
        assert_eq!(words.complete(".sch", 4), (0, vec![".schema".into()]));
        assert_eq!(words.complete(".schema rs", 10), (8, vec!["rsa".into()]));
        assert!(!words.is_keyword("rsa") && words.is_keyword("SELECT"));
    }
}
