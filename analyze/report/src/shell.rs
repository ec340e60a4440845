//! Commands that a reader can paste into a POSIX shell.

/// `text` as one argument: in double quotes where that reads better, in single quotes where double quotes would not
/// be literal (an interactive bash expands `!` inside them).
pub(super) fn shell_argument(text: &str) -> String {
    if text.contains('!') {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    let mut out = String::from("\"");
    for character in text.chars() {
        if matches!(character, '"' | '$' | '`' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
    out
}

/// The option ` --lake LAKE`; empty for the default lake.
pub(super) fn lake_option(lake: Option<&str>) -> String {
    lake.map(|lake| format!(" --lake {}", shell_argument(lake))).unwrap_or_default()
}

/// The command that runs `sql` over the lake.
pub(super) fn sql_command(sql: &str, lake: Option<&str>) -> String {
    format!("hypercolumn sql{} {}", lake_option(lake), shell_argument(sql))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_get_one_literal_argument() {
        assert_eq!(shell_argument("SELECT 'a'"), "\"SELECT 'a'\"");
        assert_eq!(shell_argument("\"$x`\\"), "\"\\\"\\$x\\`\\\\\"");
        assert_eq!(shell_argument("a!'b"), "'a!'\\''b'");
    }
}
