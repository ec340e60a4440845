//! A prompt on a terminal. Each segment stands between `⟦¹` and `¹⟧`, with its number, so that overlaps can be read without
//! colours; with colours, the text has that of the shortest segment.

use crate::output::format_count;
use crate::visible::{escape, visible_line};
use hypercolumn_analyze::report::{ShownToken, TokenTable};
use hypercolumn_schemas::{Prompt, cut_at_segments};
use serde_json::Value;
use std::cmp::Reverse;

/// ANSI codes of roles: cyan, yellow, green, magenta, blue, red, and the same bright.
const ROLE_CODES: [u8; 12] = [36, 33, 32, 35, 34, 31, 96, 93, 92, 95, 94, 91];

/// Width of the names of fields.
const NAME_WIDTH: usize = 10;

/// Whether colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colors {
    Ansi,
    None,
}

/// A prompt that is to be shown.
#[derive(Debug)]
pub struct PromptText<'a> {
    pub task: &'a str,
    /// Index among the prompts of the task.
    pub number: usize,
    pub n_prompts: usize,
    pub prompt: &'a Prompt,
    pub tokens: Option<TokenTable>,
    pub colors: Colors,
}

impl PromptText<'_> {
    /// The whole text for standard output.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for (name, lines) in self.fields() {
            for (i, line) in lines.iter().enumerate() {
                let name = if i == 0 { name } else { "" };
                out.push_str(format!("{name:NAME_WIDTH$} {line}").trim_end());
                out.push('\n');
            }
        }
        out.push('\n');
        out.push_str(&self.marked_text());
        out.push('\n');
        if let Some(tokens) = &self.tokens {
            out.push_str(&self.token_lines(tokens));
        }
        out
    }

    fn fields(&self) -> Vec<(&'static str, Vec<String>)> {
        let prompt = self.prompt;
        let n_characters = prompt.text.chars().count() as u64;
        let (number, n_prompts) = (format_count(self.number as u64 + 1), format_count(self.n_prompts as u64));
        let mut fields = vec![
            ("prompt", vec![visible_line(&prompt.prompt_id)]),
            ("task", vec![format!("{} (prompt {number} of {n_prompts})", self.task)]),
            ("item", vec![visible_line(&prompt.item_id)]),
            ("condition", vec![visible_line(&prompt.condition)]),
            ("examples", vec![prompt.n_examples.to_string()]),
        ];
        fields.extend(prompt.expected.as_ref().map(|expected| ("expected", vec![visible_line(expected)])));
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let param = |(name, value): (&String, &Value)| visible_line(&format!("{name} = {}", text(value)));
        fields.push(("params", prompt.params.iter().map(param).collect()));
        fields.push(("segments", (0..prompt.segments.len()).map(|index| self.legend(index)).collect()));
        fields.push(("text", vec![format!("{} characters", format_count(n_characters))]));
        fields
    }

    fn legend(&self, index: usize) -> String {
        let segment = &self.prompt.segments[index];
        let name = format!("{} {}", index + 1, visible_line(&segment.role));
        format!("{}, characters {}–{}", self.paint(Some(index), &name), segment.start, segment.end)
    }

    /// The text with every segment between its marks.
    fn marked_text(&self) -> String {
        let segments = &self.prompt.segments;
        let characters: Vec<char> = self.prompt.text.chars().collect();
        let mut out = String::new();
        for piece in cut_at_segments(segments, 0, characters.len() as u32) {
            out.push_str(&self.closing_marks(piece.start));
            let mut opened: Vec<usize> =
                (0..segments.len()).filter(|i| segments[*i].start == piece.start).collect();
            opened.sort_by_key(|i| Reverse(segments[*i].end));
            for index in opened {
                out.push_str(&self.paint(Some(index), &format!("⟦{}", superscript(index + 1))));
            }
            let text = &characters[piece.start as usize..piece.end as usize];
            out.push_str(&self.paint(piece.segments.first().copied(), &text_of(text)));
        }
        out.push_str(&self.closing_marks(characters.len() as u32));
        out
    }

    /// The ends of the segments that end at a character, that of the segment that began last first.
    fn closing_marks(&self, end: u32) -> String {
        let segments = &self.prompt.segments;
        let mut closed: Vec<usize> = (0..segments.len()).filter(|i| segments[*i].end == end).collect();
        closed.sort_by_key(|i| Reverse((segments[*i].start, *i)));
        closed.iter().map(|i| self.paint(Some(*i), &format!("{}⟧", superscript(*i + 1)))).collect()
    }

    fn token_lines(&self, tokens: &TokenTable) -> String {
        let n_segments = self.prompt.segments.len();
        let belongs = |token: &ShownToken| {
            let names = token.segments.iter().map(|(number, role)| match *number as usize > n_segments {
                true => role.clone(),
                false => format!("{number} {}", visible_line(role)),
            });
            names.collect::<Vec<_>>().join(", ")
        };
        let names: Vec<String> = tokens.rows.iter().map(belongs).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let mut out = format!("\n{} tokens {}\n", format_count(tokens.rows.len() as u64), tokens.caption);
        for (token, name) in tokens.rows.iter().zip(&names) {
            let numbers = token.segments.iter().map(|(number, _)| *number as usize - 1);
            let segment = &self.prompt.segments;
            let given = numbers.filter(|index| *index < n_segments);
            let shortest = given.min_by_key(|index| segment[*index].end - segment[*index].start);
            let text = self.paint(shortest, &format!("\"{}\"", token.text));
            out.push_str(&format!("{:>5} {:>7}  {name:width$}  {text}\n", token.position, token.id));
        }
        out
    }

    /// `text` in the colour of a segment's role.
    fn paint(&self, segment: Option<usize>, text: &str) -> String {
        match (self.colors, segment) {
            (Colors::Ansi, Some(index)) => format!("\u{1b}[{}m{text}\u{1b}[0m", self.role_code(index)),
            _ => text.to_owned(),
        }
    }

    fn role_code(&self, segment: usize) -> u8 {
        let role = &self.prompt.segments[segment].role;
        let mut roles: Vec<&str> = Vec::new();
        for known in self.prompt.segments.iter().map(|segment| segment.role.as_str()) {
            if !roles.contains(&known) {
                roles.push(known);
            }
        }
        let number = roles.iter().position(|known| known == role).unwrap_or(0);
        ROLE_CODES[number % ROLE_CODES.len()]
    }
}

/// Characters of a prompt: line ends stay; what a terminal must not see, and the brackets of the marks, are escapes.
fn text_of(characters: &[char]) -> String {
    let show = |c: &char| match c {
        '\n' => "\n".to_owned(),
        '⟦' | '⟧' => c.escape_unicode().to_string(),
        c => escape(*c).unwrap_or_else(|| c.to_string()),
    };
    characters.iter().map(show).collect()
}

/// A number in superscript digits.
fn superscript(number: usize) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digit = |c: char| DIGITS[c.to_digit(10).expect("a decimal digit") as usize];
    number.to_string().chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hypercolumn_schemas::Segment;

    fn prompt(text: &str, segments: &[(&str, u32, u32)]) -> Prompt {
        let segment = |&(role, start, end): &(&str, u32, u32)| Segment { role: role.to_owned(), start, end };
        Prompt {
            prompt_id: "p".into(),
            item_id: "i".into(),
            condition: "c".into(),
            n_examples: 0,
            text: text.into(),
            expected: None,
            params: serde_json::Map::new(),
            segments: segments.iter().map(segment).collect(),
        }
    }

    fn marked(prompt: &Prompt, colors: Colors) -> String {
        PromptText { task: "t", number: 0, n_prompts: 1, prompt, tokens: None, colors }.marked_text()
    }

    #[test]
    fn overlaps_nest_or_cross_and_each_end_has_its_number() {
        let nested = prompt("abcdef", &[("fact", 1, 3), ("scene", 0, 4)]);
        assert_eq!(marked(&nested, Colors::None), "⟦²a⟦¹bc¹⟧d²⟧ef");
        let crossing = prompt("abcdef", &[("a", 0, 3), ("b", 2, 6)]);
        assert_eq!(marked(&crossing, Colors::None), "⟦¹ab⟦²c¹⟧def²⟧");
        let same = prompt("abc", &[("a", 0, 3), ("b", 0, 3)]);
        assert_eq!(marked(&same, Colors::None), "⟦¹⟦²abc²⟧¹⟧");
        let beside = prompt("abcd", &[("a", 0, 2), ("b", 2, 4)]);
        assert_eq!(marked(&beside, Colors::None), "⟦¹ab¹⟧⟦²cd²⟧");
        assert_eq!(marked(&prompt("a⟦b", &[]), Colors::None), "a\\u{27e6}b");
    }

    #[test]
    fn colours_are_of_roles_and_the_only_escapes() {
        let hostile = prompt("a\u{1b}]0;x\u{7}b\nc", &[("r", 0, 1), ("s", 7, 9), ("r", 9, 10)]);
        let shown = marked(&hostile, Colors::Ansi);
        assert!(
            shown.contains("\u{1b}[36ma\u{1b}[0m") && shown.contains("\u{1b}[36mc\u{1b}[0m"),
            "{shown:?}"
        );
        assert!(shown.contains("\\u{1b}]0;x\\u{7}") && shown.contains("b\n"), "{shown:?}");
        let own =
            |code: &str| code.starts_with('[') && code[1..3].chars().all(|c| c.is_ascii_digit() || c == 'm');
        assert!(shown.split('\u{1b}').skip(1).all(own), "{shown:?}");
    }
}
