//! Making any text harmless where it is put: in HTML, in a script block, in a plot's own markup, in a
//! shell command. Prompts, task names and SQL are the user's data and may hold anything.

/// `text` as HTML content or a quoted attribute.
pub(super) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Controls are no HTML text; a line break and a tab are.
            c if c.is_control() && c != '\n' && c != '\t' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// JSON for the inside of a `<script>` block: equal JSON, with nothing left that could end the block.
pub(super) fn script_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

/// `text` for labels and hover texts of plotly, which understands some tags and would make links of them.
pub(super) fn plot_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `text` as one argument of a POSIX shell: in double quotes where that reads better, in single quotes
/// where double quotes would not be literal (an interactive bash expands `!` inside them).
pub(super) fn shell(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_its_place() {
        assert_eq!(html("<a b=\"c\">'&\u{0}"), "&lt;a b=&quot;c&quot;&gt;&#39;&amp;\u{fffd}");
        let escaped = script_json(r#"{"a":"</script><!--"}"#);
        assert!(!escaped.contains('<'));
        let value: serde_json::Value = serde_json::from_str(&escaped).unwrap();
        assert_eq!(value["a"], "</script><!--");
        assert_eq!(plot_text("<a href='x'>&"), "&lt;a href='x'&gt;&amp;");
    }

    #[test]
    fn shells_get_one_literal_argument() {
        assert_eq!(shell("SELECT 'a'"), "\"SELECT 'a'\"");
        assert_eq!(shell("\"$x`\\"), "\"\\\"\\$x\\`\\\\\"");
        assert_eq!(shell("a!'b"), "'a!'\\''b'");
    }
}
