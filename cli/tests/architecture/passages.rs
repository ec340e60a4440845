//! Passages that stand twice.

use crate::sources::Source;
use std::collections::HashMap;

/// Lines of a passage that counts.
const N_LINES: usize = 6;

/// A line that says something, with its number from 1.
struct Line<'a> {
    number: usize,
    text: &'a str,
}

/// Places of passages of [`N_LINES`] lines that stand twice, each overlap once.
pub fn repeated(sources: &[Source]) -> Vec<String> {
    let lines: Vec<Vec<Line>> = sources.iter().map(|source| telling(&source.text)).collect();
    let mut first: HashMap<Vec<&str>, (usize, usize)> = HashMap::new();
    let mut found = Vec::new();
    for (file, lines) in lines.iter().enumerate() {
        let mut reported = 0;
        for window in lines.windows(N_LINES) {
            let text = window.iter().map(|line| line.text).collect();
            let at = (file, window[0].number);
            let (other_file, other) = *first.entry(text).or_insert(at);
            let is_overlap = other_file == file && window[0].number < other + N_LINES;
            if (other_file, other) != at && !is_overlap && window[0].number >= reported {
                let (here, there) = (&sources[file].path, &sources[other_file].path);
                found.push(format!("{here}:{} and {there}:{other}", window[0].number));
                reported = window[N_LINES - 1].number + 1;
            }
        }
    }
    found
}

/// Lines that are neither imports, module declarations, attributes, comments, parameters, blank nor braces alone. The
/// parameters of a trait's function stand again in each of its implementations.
fn telling(text: &str) -> Vec<Line<'_>> {
    let mut skipped = Skipped::Nothing;
    let mut lines = Vec::new();
    for (number, line) in text.lines().map(str::trim).enumerate() {
        let item =
            ["pub(crate) ", "pub(super) ", "pub "].iter().find_map(|p| line.strip_prefix(p)).unwrap_or(line);
        let begins = match skipped {
            Skipped::Nothing if item.starts_with("use ") || item.starts_with("mod ") => Skipped::Import,
            Skipped::Nothing if item.starts_with("fn ") && line.ends_with('(') => Skipped::Parameters,
            same => same,
        };
        let says_something = line.chars().filter(|c| c.is_alphanumeric()).count() > 1;
        let is_code = !line.starts_with("#[") && !line.starts_with("//") && begins == Skipped::Nothing;
        if says_something && is_code {
            lines.push(Line { number: number + 1, text: line });
        }
        skipped = match begins {
            Skipped::Import if line.ends_with(';') => Skipped::Nothing,
            Skipped::Parameters if line.starts_with(')') => Skipped::Nothing,
            same => same,
        };
    }
    lines
}

/// The item that a line is a part of, if its lines do not count.
#[derive(Clone, Copy, PartialEq)]
enum Skipped {
    Nothing,
    Import,
    Parameters,
}
