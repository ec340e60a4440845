//! Hints on SQL expressions that people write and DuckDB refuses: a `;`, a whole statement, a param whose name is a word of
//! SQL, text in double quotes.

use crate::answer::ask;
use crate::error::CatalogError;
use duckdb::Connection;

/// Words that begin a statement or a clause, none of which an expression begins with.
const CLAUSES: [&str; 8] = ["select", "where", "from", "with", "having", "order", "group", "limit"];

/// What to write in place of `sql`, which is refused for `reason`; `from` are the rows that it is asked of.
///
/// # Errors
/// If DuckDB cannot list its keywords or the columns.
pub(crate) fn hint(
    connection: &Connection,
    sql: &str,
    reason: &str,
    from: &str,
) -> Result<Option<String>, CatalogError> {
    let parts = unquoted(sql);
    if parts.iter().any(|part| part.contains(';')) {
        return Ok(Some("leave out the `;`: one expression is expected, not a statement".to_owned()));
    }
    let words: Vec<&str> = parts.iter().flat_map(|part| words_of(part)).collect();
    let columns = format!("DESCRIBE SELECT * FROM {from}");
    let columns = ask(connection, &columns, &[], "list columns")?.column::<String>("column_name")?;
    let reserved = "SELECT keyword_name AS word FROM duckdb_keywords() WHERE keyword_category = 'reserved'";
    let reserved = ask(connection, reserved, &[], "list keywords")?.column::<String>("word")?;
    let is_column = |word: &str| columns.iter().any(|column| column.eq_ignore_ascii_case(word));
    let is_reserved = |word: &str| reserved.iter().any(|known| known.eq_ignore_ascii_case(word));
    if let Some(word) = words.iter().find(|word| is_reserved(word) && is_column(word)) {
        return Ok(Some(format!("`{word}` is a word of SQL: for the param of that name write \"{word}\"")));
    }
    let first = words.first().filter(|word| CLAUSES.iter().any(|clause| clause.eq_ignore_ascii_case(word)));
    if let Some(word) = first.filter(|word| sql.trim_start().starts_with(**word)) {
        return Ok(Some(format!("leave out `{word}`: an expression is expected, such as `n_examples > 1`")));
    }
    let missing = reason.split_once("Referenced column \"").and_then(|(_, rest)| rest.split_once('"'));
    Ok(missing.filter(|(name, _)| sql.contains(&format!("\"{name}\""))).map(|(name, _)| {
        format!("\"{name}\" in double quotes is the name of a column; text stands in single quotes: '{name}'")
    }))
}

/// The parts of `sql` outside of quotes.
fn unquoted(sql: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut begin, mut quote) = (0, None);
    for (at, c) in sql.char_indices().filter(|(_, c)| matches!(c, '\'' | '"')) {
        match quote {
            None => {
                parts.push(&sql[begin..at]);
                quote = Some(c);
            }
            Some(open) if open == c => {
                begin = at + c.len_utf8();
                quote = None;
            }
            Some(_) => {}
        }
    }
    if quote.is_none() {
        parts.push(&sql[begin..]);
    }
    parts
}

fn words_of(part: &str) -> impl Iterator<Item = &str> {
    part.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_quotes_is_no_sql() {
        assert_eq!(unquoted("a = 'x; y' AND \"order\" = 'it''s'"), ["a = ", " AND ", " = ", "", ""]);
        assert_eq!(unquoted("a = 'open"), ["a = "]);
    }

    #[test]
    fn hints_name_what_to_write() {
        let connection = crate::statement::isolated().expect("a database");
        connection
            .execute_batch("CREATE TABLE t AS SELECT 1 AS \"order\", 2 AS slope, 'x' AS role")
            .expect("a table");
        let hint = |sql: &str| {
            let whole = format!("SELECT ({sql}) FROM t");
            let reason = connection.prepare(&whole).err().map(|error| error.to_string()).unwrap_or_default();
            hint(&connection, sql, &reason, "t").expect("keywords")
        };
        let hints = [
            ("slope;", "leave out the `;`"),
            ("slope > 1; DROP TABLE t", "leave out the `;`"),
            ("FROM t", "leave out `FROM`"),
            ("where slope > 1", "leave out `where`"),
            ("order = 1", "`order` is a word of SQL: for the param of that name write \"order\""),
            ("role = \"final\"", "text stands in single quotes: 'final'"),
        ];
        for (sql, part) in hints {
            let found = hint(sql).expect(sql);
            assert!(found.contains(part), "{sql}: {found}");
        }
        for sql in ["\"order\" = 1", "slope = 'a;b'", "slop > 1", "(SELECT max(slope) FROM t"] {
            assert_eq!(hint(sql), None, "{sql}");
        }
    }
}
