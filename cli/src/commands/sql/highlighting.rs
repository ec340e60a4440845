//! Colours of SQL in the shell: words of the language, texts, numbers and comments.

/// A part of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Word,
    Quoted,
    Number,
    Comment,
    Other,
}

const RESET: &str = "\x1b[0m";

/// A line with escape sequences around its parts; the characters stay as they are.
pub(super) fn highlight(line: &str, is_keyword: impl Fn(&str) -> bool) -> String {
    let mut colored = String::with_capacity(line.len() * 2);
    let mut rest = line;
    while !rest.is_empty() {
        let (part, length) = next_part(rest);
        let (text, after) = rest.split_at(length);
        let color = match part {
            Part::Word if is_keyword(text) => "\x1b[1;34m",
            Part::Quoted => "\x1b[32m",
            Part::Number => "\x1b[36m",
            Part::Comment => "\x1b[2m",
            Part::Word | Part::Other => "",
        };
        match color {
            "" => colored.push_str(text),
            color => colored.extend([color, text, RESET]),
        }
        rest = after;
    }
    colored
}

/// The kind and the length in bytes of the part that a text begins with.
fn next_part(text: &str) -> (Part, usize) {
    let until =
        |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    let while_true = |is: fn(char) -> bool| text.find(|c: char| !is(c)).unwrap_or(text.len());
    let first = text.chars().next().expect("a text that is not empty");
    match first {
        _ if text.starts_with("--") => (Part::Comment, text.find('\n').unwrap_or(text.len())),
        _ if text.starts_with("/*") => (Part::Comment, until("*/", 2)),
        '\'' => (Part::Quoted, until("'", 1)),
        '"' => (Part::Quoted, until("\"", 1)),
        _ if first.is_ascii_digit() => (Part::Number, while_true(|c| c.is_ascii_alphanumeric() || c == '.')),
        _ if first.is_alphabetic() || first == '_' => {
            (Part::Word, while_true(|c| c.is_alphanumeric() || c == '_'))
        }
        _ => (Part::Other, first.len_utf8()),
    }
}

/// Whether a query ends with a semicolon that is neither in a text nor in a comment.
pub(super) fn is_complete(query: &str) -> bool {
    let mut rest = query;
    let mut ends = false;
    while !rest.is_empty() {
        let (part, length) = next_part(rest);
        match part {
            Part::Comment => {}
            Part::Other if rest.starts_with(char::is_whitespace) => {}
            Part::Other => ends = rest.starts_with(';'),
            Part::Quoted => {
                let quote = &rest[..1];
                if length < 2 || !rest[..length].ends_with(quote) {
                    return false;
                }
                ends = false;
            }
            Part::Word | Part::Number => ends = false,
        }
        rest = &rest[length..];
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_leave_the_characters_as_they_are() {
        let keywords = |word: &str| ["SELECT", "from"].contains(&word);
        let line = "SELECT 'it''s', \"a b\", 1.5e3, é from t_1 -- 'no' 7";
        let colored = highlight(line, keywords);
        let mut plain = colored.clone();
        for escape in [RESET, "\x1b[1;34m", "\x1b[32m", "\x1b[36m", "\x1b[2m"] {
            plain = plain.replace(escape, "");
        }
        assert_eq!(plain, line);
        assert!(colored.starts_with("\x1b[1;34mSELECT\x1b[0m \x1b[32m'it'\x1b[0m"), "{colored:?}");
        assert!(colored.ends_with("t_1 \x1b[2m-- 'no' 7\x1b[0m"), "{colored:?}");
    }

    #[test]
    fn a_query_is_complete_at_a_semicolon_of_its_own() {
        for complete in ["SELECT 1;", "SELECT ';' ; -- done", "SELECT 1; /* ; */\n", "SELECT 'it''s';"] {
            assert!(is_complete(complete), "{complete}");
        }
        for open in ["SELECT 1", "SELECT ';'", "SELECT 1 -- ;", "SELECT 'a;", "SELECT 1; SELECT 2", "'", ""] {
            assert!(!is_complete(open), "{open}");
        }
    }
}
