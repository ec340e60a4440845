//! Texts of the user's data and files on a terminal: control characters, which could move the cursor or set the window's title, and
//! characters that turn or hide what stands beside them are written as escapes, such as `\u{1b}`.

/// The text with every such character as an escape, line ends and tabs too.
pub fn visible_line(text: &str) -> String {
    visible_but(text, &[])
}

/// The text with every such character as an escape; line ends and tabs stay.
pub fn visible(text: &str) -> String {
    visible_but(text, &['\n', '\t'])
}

/// The escape of a character that must not reach a terminal.
pub fn escape(c: char) -> Option<String> {
    let is_hidden = matches!(c,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    (c.is_control() || is_hidden).then(|| c.escape_default().to_string())
}

fn visible_but(text: &str, kept: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match escape(c) {
            Some(escaped) if !kept.contains(&c) => out.push_str(&escaped),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_hides_or_turns_is_escaped_and_writing_is_not() {
        assert_eq!(visible_line("a\u{1b}[31m\n\t\r\u{9b}\u{7f}"), "a\\u{1b}[31m\\n\\t\\r\\u{9b}\\u{7f}");
        assert_eq!(visible("a\n\tb\u{7}"), "a\n\tb\\u{7}");
        assert_eq!(visible_line("\u{202e}\u{2066}\u{feff}"), "\\u{202e}\\u{2066}\\u{feff}");
        let writing = "Zoë 東京 👩‍🔬 می‌خواهم \\ «…»";
        assert_eq!(visible_line(writing), writing);
    }
}
