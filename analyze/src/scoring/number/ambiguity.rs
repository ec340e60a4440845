//! What stands behind a numeral and makes it a part of something else.

use super::cursor::Cursor;

/// Words that multiply the number before them, or may.
const SCALES: [&str; 28] = [
    "k",
    "m",
    "b",
    "t",
    "bn",
    "mn",
    "mm",
    "tn",
    "mio",
    "mrd",
    "dozen",
    "hundred",
    "hundreds",
    "thousand",
    "thousands",
    "million",
    "millions",
    "billion",
    "billions",
    "trillion",
    "trillions",
    "lakh",
    "lakhs",
    "crore",
    "crores",
    "millionen",
    "milliarden",
    "millones",
];

const ORDINALS: [&str; 4] = ["st", "nd", "rd", "th"];

/// Whether the numeral that ends here, `plain` in plain characters, can be read in two ways, or is a part of another
/// thing: a fraction, a date, a time, a power, an ordinal, a code, a number with a scale word.
pub(super) fn is_ambiguous(end: Cursor<'_>, plain: &str) -> bool {
    let rest = end.rest();
    let Some(next) = rest.chars().next() else { return false };
    let continues =
        matches!(next, '.' | ',' | ':' | '\'' | '’' | '\u{A0}' | '\u{2007}' | '\u{2009}' | '\u{202F}')
            && end.is_digit_behind(next.len_utf8());
    let is_list = next == ',' && (plain.contains('.') || second_has_point(end));
    let is_power = next == '^' || rest.strip_prefix("**").is_some_and(starts_with_digit);
    let is_numeral = next.is_numeric() || next == '‰';
    (continues && !is_list)
        || is_power
        || is_numeral
        || is_division(rest)
        || is_date(rest)
        || (!plain.contains(['.', 'e']) && (is_spaced_group(rest) || is_mixed(rest)))
        || multiplies(rest)
}

/// Whether the digits behind a comma have a point behind them: `22,13.8` is two numbers, `3,5` may be one.
fn second_has_point(end: Cursor<'_>) -> bool {
    let mut ahead = end;
    ahead.at += 1;
    ahead.take_digits();
    ahead.rest().starts_with('.') && ahead.is_digit_behind(1)
}

fn is_division(rest: &str) -> bool {
    let denominator = rest.trim_start_matches(' ').strip_prefix(['/', '÷', '⁄']);
    denominator.is_some_and(|rest| starts_with_digit(rest.trim_start_matches(' ')))
}

/// `2024-05-01`
fn is_date(rest: &str) -> bool {
    let month = rest.strip_prefix('-').filter(|rest| starts_with_digit(rest));
    let day = month.and_then(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix('-'));
    day.is_some_and(starts_with_digit)
}

/// `1 234`
fn is_spaced_group(rest: &str) -> bool {
    let group = rest.strip_prefix(' ').unwrap_or_default();
    group.len() - group.trim_start_matches(|c: char| c.is_ascii_digit()).len() == 3
}

/// `1 1/2`, `1 ½`
fn is_mixed(rest: &str) -> bool {
    let Some(fraction) = rest.strip_prefix(' ') else { return false };
    let behind = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_half = fraction.starts_with(|c: char| c.is_numeric() && !c.is_ascii_digit());
    is_half || (behind.len() < fraction.len() && behind.strip_prefix('/').is_some_and(starts_with_digit))
}

/// Whether a scale word, an ordinal's ending or more of a code follows.
fn multiplies(rest: &str) -> bool {
    let word = rest.strip_prefix([' ', '\u{A0}']).unwrap_or(rest);
    if word.starts_with(|c: char| "十百千万亿萬億兆만억조천백십".contains(c)) {
        return true;
    }
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    let word = &word[..word.find(|c| !is_letter(c)).unwrap_or(word.len())];
    let lower = word.to_lowercase();
    let is_apart = rest.len() > word.len() && rest.starts_with([' ', '\u{A0}']);
    let is_code = word.contains(|c: char| c.is_ascii_digit() || c == '_');
    let joins = !is_apart && (is_code || ORDINALS.contains(&lower.as_str()));
    // Apart from the number, a single letter is a word or a unit.
    joins || (SCALES.contains(&lower.as_str()) && (!is_apart || lower.len() > 1))
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}
