//! Numbers as people and models write them.
//!
//! ```text
//! number   = [sign] [currency] (digits | grouped) ["." digits] [exponent] | [sign] "." digits [exponent]
//! sign     = "+" | "-" | "−" (U+2212), or a hyphen or en dash before a digit
//! grouped  = 1 to 3 digits, then groups of 3 behind one kind of separator: ",", an apostrophe, a no-break, figure, thin
//!            or narrow space
//! exponent = ("e" | "E") [sign] digits | ("×" | "x" | "*" | "·") "10" ("^" | "**") [sign] digits, or in superscript
//! ```
//!
//! Where a study asks for them, also `number "/" digits`, `\frac{1}{2}`, `1 1/2` ([`NumberForm::Fraction`]) and `number "%"` as
//! hundredths ([`NumberForm::Percent`]); otherwise a percent sign is a unit. What can be read in two ways is no number:
//! `3,5`, `1.2.3`, `1/2`, `3:30`, `1 234`, `2024-05-01`, `5k`, `5 million`, `2nd`, `0x10`, `10^5`, `½`.

mod ambiguity;
mod cursor;

use ambiguity::is_ambiguous;
use cursor::{Cursor, is_sign, minus};
use hypercolumn_schemas::is_unspaced;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A form of numbers that is read only where a study asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NumberForm {
    /// `1/2`, `1 1/2` and `\frac{1}{2}`.
    Fraction,
    /// `50%` as 0.5.
    Percent,
}

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
pub(crate) fn find_number<'a>(text: &'a str, forms: &[NumberForm]) -> Option<Found<'a>> {
    let answer = text[..text.find(')').unwrap_or(text.len())].trim_start();
    let mut at = 0;
    while let Some(c) = answer[at..].chars().next() {
        let rest = &answer[at..];
        if c.is_numeric() && !c.is_ascii_digit() || c == '±' {
            return None;
        }
        if begins(rest, at) {
            let is_bullet = is_sign(c) && rest[c.len_utf8()..].starts_with(' ') && rest.contains("\n- ");
            let (value, n_bytes) = parse(rest, forms).filter(|_| !is_bullet)?;
            return Some(Found { text: &rest[..n_bytes], value });
        }
        at += if is_letter(c) { word_length(rest) } else { c.len_utf8() };
    }
    None
}

/// The number that a whole text is, white space around it aside.
pub(crate) fn read_number(text: &str, forms: &[NumberForm]) -> Option<f64> {
    let text = text.trim();
    parse(text, forms).filter(|(_, n_bytes)| *n_bytes == text.len()).map(|(value, _)| value)
}

/// Whether a number begins a text that has `n_before` bytes before it.
fn begins(rest: &str, n_before: usize) -> bool {
    let is_digit = |c: char| c.is_ascii_digit();
    let starts = |text: &str| {
        let text = text.strip_prefix(is_currency).unwrap_or(text);
        text.starts_with(is_digit) || text.strip_prefix('.').is_some_and(|text| text.starts_with(is_digit))
    };
    match rest.strip_prefix(is_sign) {
        // A sign apart from its digits is one at the beginning only: elsewhere it is a dash.
        Some(behind) if n_before == 0 => starts(behind.trim_start_matches(' ')),
        Some(behind) => starts(behind),
        None => starts(rest) || FRACTIONS.iter().any(|name| rest.starts_with(name)),
    }
}

/// LaTeX's fractions.
const FRACTIONS: [&str; 3] = ["\\frac{", "\\dfrac{", "\\tfrac{"];

/// Letters of scripts that put spaces between words, to which a digit may be joined without being a number.
fn is_letter(c: char) -> bool {
    (c.is_alphabetic() && !is_unspaced(c)) || c == '_'
}

/// Bytes of the word that a text begins with, and of the numerals that belong to it: `B2.5`, `covid-19`.
fn word_length(text: &str) -> usize {
    let is_part = |c: char| is_letter(c) || c.is_ascii_digit();
    let mut n = text.find(|c| !is_part(c)).unwrap_or(text.len());
    while let Some(more) =
        text[n..].strip_prefix(['.', '-', '\u{2010}', '\u{2011}']).filter(|more| more.starts_with(is_part))
    {
        n = text.len() - more.len() + more.find(|c| !is_part(c)).unwrap_or(more.len());
    }
    n
}

/// Value and length of the number that a text begins with.
fn parse(text: &str, forms: &[NumberForm]) -> Option<(f64, usize)> {
    let mut cursor = Cursor::new(text);
    let sign = cursor.take_if(is_sign);
    cursor.skip_spaces();
    cursor.take_if(is_currency);
    let inner = cursor.take_if(is_sign).filter(|_| sign.is_none());
    let reads_fractions = forms.contains(&NumberForm::Fraction);
    if let Some(value) = reads_fractions.then(|| cursor.attempt(take_fraction)).flatten() {
        return finish(cursor, (sign.or(inner), value), "", forms);
    }
    let plain = cursor.take_unsigned()?;
    finish(cursor, (sign.or(inner), plain.parse().ok()?), &plain, forms)
}

/// A number whose digits have been read, unless what follows makes it another thing.
fn finish(
    mut cursor: Cursor<'_>,
    (sign, value): (Option<char>, f64),
    plain: &str,
    forms: &[NumberForm],
) -> Option<(f64, usize)> {
    if is_ambiguous(cursor, plain) {
        return None;
    }
    let mut value = if minus(sign).is_empty() { value } else { -value };
    let take_percent = |cursor: &mut Cursor<'_>| {
        cursor.skip_spaces();
        cursor.take_any(&["\\%", "%"])
    };
    if forms.contains(&NumberForm::Percent) && cursor.attempt(take_percent).is_some() {
        value /= 100.0;
    }
    value.is_finite().then_some((value, cursor.at))
}

/// `1/2`, `1 1/2`, `\frac{1}{2}`.
fn take_fraction(cursor: &mut Cursor<'_>) -> Option<f64> {
    let digits = |cursor: &mut Cursor<'_>| cursor.take_digits()?.parse::<f64>().ok();
    if cursor.take_any(&FRACTIONS).is_some() {
        let numerator = digits(cursor)?;
        cursor.take_any(&["}{"])?;
        let denominator = digits(cursor)?;
        cursor.take_any(&["}"])?;
        return (denominator != 0.0).then_some(numerator / denominator);
    }
    let mixed = cursor.attempt(|cursor| {
        let whole = digits(cursor)?;
        cursor.take_any(&[" "])?;
        cursor.rest().starts_with(|c: char| c.is_ascii_digit()).then_some(whole)
    });
    let numerator: f64 = cursor.take_unsigned()?.parse().ok()?;
    cursor.skip_spaces();
    cursor.take_any(&["/", "⁄"])?;
    cursor.skip_spaces();
    let denominator: f64 = cursor.take_unsigned()?.parse().ok()?;
    (denominator != 0.0).then_some(mixed.unwrap_or(0.0) + numerator / denominator)
}

fn is_currency(c: char) -> bool {
    matches!(c, '$' | '€' | '£' | '¥' | '₹' | '₩')
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
            ("$5", Some(("$5", 5.0))),
            ("50%", Some(("50", 50.0))),
            ("route B2, then 7", Some(("7", 7.0))),
            ("007", Some(("007", 7.0))),
            ("答案是8个", Some(("8", 8.0))),
            ("route B2.5, then 7", Some(("7", 7.0))),
            ("GPT-4 says 7", Some(("7", 7.0))),
            ("-$5", Some(("-$5", -5.0))),
            ("$-5", Some(("-5", -5.0))),
            ("is \u{2013}3", Some(("\u{2013}3", -3.0))),
            ("1\u{2019}234", Some(("1\u{2019}234", 1234.0))),
            ("6.02 × 10^23", Some(("6.02 × 10^23", 6.02e23))),
            ("6.02×10²³ of them", Some(("6.02×10²³", 6.02e23))),
            ("$1.5 \\times 10^{-3}$", Some(("$1.5 \\times 10^{-3}", 1.5e-3))),
            ("3 x 4", Some(("3", 3.0))),
            ("**8**", Some(("8", 8.0))),
            ("5 km", Some(("5", 5.0))),
            ("5 a day", Some(("5", 5.0))),
            ("7. Then", Some(("7", 7.0))),
            ("3 or 4", Some(("3", 3.0))),
            ("- 3\n- 4", None),
            ("±3", None),
            ("0x10", None),
            ("1_000", None),
            ("5k", None),
            ("5 million people", None),
            ("3万", None),
            ("the 2nd", None),
            ("10^5", None),
            ("2**3", None),
            ("x²", None),
            ("2½", None),
            ("1 ½", None),
            ("1 1/2", None),
            ("3 / 4", None),
            ("\\frac{1}{2}", None),
            ("1 234", None),
            ("2024-05-01", None),
            ("٣ of 4", None),
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
            let found = find_number(text, &[]).map(|found| (found.text, found.value));
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn a_whole_text_is_a_number_or_not() {
        assert_eq!(read_number(" 1,234 ", &[]), Some(1234.0));
        assert_eq!(read_number("1e-3", &[]), Some(1e-3));
        for text in ["No. 5", "5 km", "3, 4", "3,5", "inf", "NaN", "0x10", "1_000", "", "."] {
            assert_eq!(read_number(text, &[]), None, "{text:?}");
        }
    }

    #[test]
    fn fractions_and_percent_are_read_where_asked() {
        let both = [NumberForm::Fraction, NumberForm::Percent];
        let cases = [
            ("it is 1/2.", Some(0.5)),
            ("-3 / 4", Some(-0.75)),
            ("1 1/2 cups", Some(1.5)),
            ("\\frac{3}{4}", Some(0.75)),
            ("50%", Some(0.5)),
            ("12.5 \\%", Some(0.125)),
            ("7", Some(7.0)),
            ("3 4", Some(3.0)),
            ("1/0", None),
            ("1/2/3", None),
            ("5/12/2024", None),
            ("3,5", None),
        ];
        for (text, value) in cases {
            assert_eq!(find_number(text, &both).map(|found| found.value), value, "{text:?}");
        }
        assert_eq!(find_number("50%", &[NumberForm::Fraction]).map(|found| found.value), Some(50.0));
        assert_eq!(read_number("1/4", &both), Some(0.25));
    }
}
