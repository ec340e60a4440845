//! Numbers as people and models write them.
//!
//! ```text
//! number   = [sign] (digits | grouped) ["." digits] [exponent] | [sign] "." digits [exponent]
//! sign     = "+" | "-" | "−" (U+2212)
//! grouped  = 1 to 3 digits, then groups of 3 behind one kind of separator: "," or a no-break, thin or narrow space
//! exponent = ("e" | "E") [sign] digits
//! ```
//!
//! What can be read in two ways is no number: `3,5`, `1.2.3`, `1/2`, `3:30`.

/// A number in a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found<'a> {
    /// The number as it stands.
    pub(crate) text: &'a str,
    /// Its value.
    pub(crate) value: f64,
}

/// The first number of a text. The reading ends at a closing bracket, so that a second point that the model writes after
/// the first is not taken for an answer. `None` where there is none, or the first can be read in two ways.
pub(crate) fn find_number(text: &str) -> Option<Found<'_>> {
    let answer = text[..text.find(')').unwrap_or(text.len())].trim_start();
    let starts = answer.char_indices().filter(|(at, c)| begins(answer, *at, *c));
    let start = starts.map(|(at, _)| at).next()?;
    let (value, n_bytes) = parse(&answer[start..])?;
    Some(Found { text: &answer[start..start + n_bytes], value })
}

/// The number that a whole text is, white space around it aside.
pub(crate) fn read_number(text: &str) -> Option<f64> {
    let text = text.trim();
    parse(text).filter(|(_, n_bytes)| *n_bytes == text.len()).map(|(value, _)| value)
}

/// Whether a number begins here: a digit, or a sign or point before one, not in the middle of a word or number.
fn begins(text: &str, at: usize, c: char) -> bool {
    let before = text[..at].chars().next_back();
    let is_joined = before.is_some_and(|b| b.is_alphanumeric() || b == '_');
    let rest = &text[at + c.len_utf8()..];
    let next = rest.chars().next();
    let digit_or_point = |c: char| c.is_ascii_digit() || c == '.';
    match c {
        _ if is_joined => false,
        '0'..='9' => true,
        '.' => next.is_some_and(|n| n.is_ascii_digit()),
        // A sign apart from its digits is one at the beginning only: elsewhere it is a dash.
        _ if is_sign(c) && at == 0 => rest.trim_start().starts_with(digit_or_point),
        _ if is_sign(c) => next.is_some_and(digit_or_point),
        _ => false,
    }
}

/// Value and length of the number that a text begins with.
fn parse(text: &str) -> Option<(f64, usize)> {
    let mut cursor = Cursor { text, at: 0 };
    let mut plain = String::new();
    if let Some(sign) = cursor.take_if(is_sign) {
        if sign != '+' {
            plain.push('-');
        }
        cursor.at = text.len() - cursor.rest().trim_start_matches(' ').len();
    }
    let whole = cursor.take_whole()?;
    plain.push_str(&whole);
    let n_before = plain.len();
    if cursor.rest().starts_with('.') && cursor.next_is_digit_after(1) {
        cursor.at += 1;
        plain.push('.');
        plain.push_str(cursor.take_digits());
    }
    if whole.is_empty() && plain.len() == n_before {
        return None;
    }
    if let Some(exponent) = cursor.take_exponent() {
        plain.push_str(&exponent);
    }
    let value = plain.parse::<f64>().ok().filter(|value| value.is_finite())?;
    let goes_on = cursor.rest().starts_with(['.', ',', '/', ':']) && cursor.next_is_digit_after(1);
    // `22,13.8` is a number and another; `3,5` may be one with a decimal comma.
    let is_list = cursor.rest().starts_with(',') && (plain.contains('.') || cursor.second_has_point());
    (!goes_on || is_list).then_some((value, cursor.at))
}

fn is_sign(c: char) -> bool {
    matches!(c, '+' | '-' | '\u{2212}')
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn take_if(&mut self, is_wanted: fn(char) -> bool) -> Option<char> {
        let c = self.rest().chars().next().filter(|c| is_wanted(*c))?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn take_digits(&mut self) -> &'a str {
        let rest = self.rest();
        let n = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        self.at += n;
        &rest[..n]
    }

    /// Digits before a point, without the separators of groups; empty where a point follows at once.
    fn take_whole(&mut self) -> Option<String> {
        let first = self.take_digits();
        let mut digits = first.to_owned();
        let separator = self.rest().chars().next().filter(|c| is_separator(*c));
        if let Some(separator) = separator.filter(|_| (1..=3).contains(&first.len())) {
            let start = self.at;
            while let Some(group) = self.group_behind(separator) {
                digits.push_str(group);
                self.at += separator.len_utf8() + group.len();
            }
            let is_cut = self.rest().starts_with(separator) && self.next_is_digit_after(separator.len_utf8());
            if is_cut {
                // Groups of other sizes: a list, which ends before the first separator.
                self.at = start;
                digits.truncate(first.len());
            }
        }
        (!digits.is_empty() || self.rest().starts_with('.')).then_some(digits)
    }

    /// Three digits behind a separator, and no fourth.
    fn group_behind(&self, separator: char) -> Option<&'a str> {
        let group = self.rest().strip_prefix(separator)?;
        let n = group.len() - group.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        (n == 3).then(|| &group[..n])
    }

    /// An exponent in plain characters, if one follows that no further letter or digit joins.
    fn take_exponent(&mut self) -> Option<String> {
        let mut ahead = Cursor { text: self.text, at: self.at };
        ahead.take_if(|c| matches!(c, 'e' | 'E'))?;
        let sign = ahead.take_if(is_sign).filter(|sign| *sign != '+');
        let digits = ahead.take_digits();
        let is_joined = ahead.rest().starts_with(char::is_alphanumeric);
        if digits.is_empty() || is_joined {
            return None;
        }
        self.at = ahead.at;
        Some(format!("e{}{digits}", sign.map_or("", |_| "-")))
    }

    fn next_is_digit_after(&self, n_bytes: usize) -> bool {
        self.rest()[n_bytes..].starts_with(|c: char| c.is_ascii_digit())
    }

    /// Whether the digits behind the next character have a point behind them.
    fn second_has_point(&self) -> bool {
        let mut ahead = Cursor { text: self.text, at: self.at + 1 };
        ahead.take_digits();
        ahead.rest().starts_with('.') && ahead.next_is_digit_after(1)
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, ',' | '\u{A0}' | '\u{2009}' | '\u{202F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_is_read_as_it_stands() {
        let cases = [
            ("22.2); (0.44,13.8)", Some(("22.2", 22.2))),
            (" -3", Some(("-3", -3.0))),
            (" - 3", Some(("- 3", -3.0))),
            (" \u{2212}3", Some(("\u{2212}3", -3.0))),
            ("+.5 or so", Some(("+.5", 0.5))),
            ("the answer is 7.", Some(("7", 7.0))),
            ("it is -7, I think", Some(("-7", -7.0))),
            ("x = 3 - 4", Some(("3", 3.0))),
            ("3-4", Some(("3", 3.0))),
            ("3, 4", Some(("3", 3.0))),
            ("22,13.8", Some(("22", 22.0))),
            ("2.5,3", Some(("2.5", 2.5))),
            ("1e-3", Some(("1e-3", 1e-3))),
            ("6.02e23 of them", Some(("6.02e23", 6.02e23))),
            ("1E+3", Some(("1E+3", 1e3))),
            ("1e\u{2212}3", Some(("1e\u{2212}3", 1e-3))),
            ("2 eggs, 3e", Some(("2", 2.0))),
            ("5em", Some(("5", 5.0))),
            ("1,234", Some(("1,234", 1234.0))),
            ("-1,234,567.5 km", Some(("-1,234,567.5", -1_234_567.5))),
            ("12\u{202F}345", Some(("12\u{202F}345", 12_345.0))),
            ("1,234, and 5", Some(("1,234", 1234.0))),
            ("$5", Some(("5", 5.0))),
            ("50%", Some(("50", 50.0))),
            ("route B2, then 7", Some(("7", 7.0))),
            ("007", Some(("007", 7.0))),
            ("3,5", None),
            ("1.2.3", None),
            ("1/2", None),
            ("3:30", None),
            ("1,23,456", None),
            ("x); 5", None),
            ("none", None),
            ("e5", None),
            ("-", None),
            ("1e999", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let found = find_number(text).map(|found| (found.text, found.value));
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn a_whole_text_is_a_number_or_not() {
        assert_eq!(read_number(" 1,234 "), Some(1234.0));
        assert_eq!(read_number("1e-3"), Some(1e-3));
        for text in ["No. 5", "5 km", "3, 4", "3,5", "inf", "NaN", "0x10", "1_000", "", "."] {
            assert_eq!(read_number(text), None, "{text:?}");
        }
    }
}
