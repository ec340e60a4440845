//! Numbers and intervals in words, the same way everywhere.

/// A value and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    pub(super) value: f64,
    /// Lower end of the interval, if there is one.
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
    /// Coverage of the interval, as a share.
    pub(super) confidence: f64,
}

impl Estimate {
    /// Whether the interval lies wholly on one side of zero.
    pub(super) fn excludes_zero(self) -> bool {
        matches!((self.low, self.high), (Some(l), Some(h)) if l > 0.0 || h < 0.0)
    }
}

/// A number in three significant digits, a true minus, no exponent where it can be avoided.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(0.0005..1e7).contains(&size) {
        return format!("{value:.1e}").replace('-', "−");
    }
    let decimals = match size {
        s if s >= 99.95 => 0,
        s if s >= 9.995 => 1,
        s if s >= 0.0995 || s == 0.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let is_zero = text.bytes().all(|b| matches!(b, b'-' | b'0' | b'.'));
    if is_zero { text.replace('-', "") } else { text.replace('-', "−") }
}

/// A change with its sign.
pub(super) fn signed(value: f64) -> String {
    let text = number(value);
    if value > 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) { format!("+{text}") } else { text }
}

/// The coverage of an interval, e.g. `95 %`.
pub(super) fn coverage(confidence: f64) -> String {
    format!("{}\u{a0}%", number(100.0 * confidence).trim_end_matches(".0"))
}

/// `low to high`, or that there is no interval.
pub(super) fn interval(estimate: Estimate) -> String {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => {
            let coverage = coverage(estimate.confidence);
            format!("{coverage} interval {} to {}", number(low), number(high))
        }
        _ => "no interval".to_owned(),
    }
}

/// A value with its interval in brackets, short.
pub(super) fn with_interval(estimate: Estimate) -> String {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => {
            format!("{} ({} to {})", number(estimate.value), number(low), number(high))
        }
        _ => number(estimate.value),
    }
}

/// `1 layer`, `3 layers`; thousands apart.
pub(super) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{} {noun}s", thousands(n)) }
}

/// A whole number with a thin space between thousands.
pub(super) fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A share of one as per cent.
pub(super) fn percent(value: f64) -> String {
    format!("{:.0}\u{a0}%", value * 100.0)
}

/// `absolute_error` as words.
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// The reason for a null, in words.
pub(super) fn reason_words(reason: Option<&str>) -> String {
    reason.map_or_else(|| "no reason is recorded".to_owned(), words)
}

/// A text with its first letter large.
pub(super) fn sentence_case(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |c| c.to_uppercase().chain(characters).collect())
}

/// Layers as ranges: `0–3, 7`.
pub(super) fn layer_ranges(layers: &[i64]) -> String {
    let mut sorted = layers.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for layer in sorted {
        match ranges.last_mut() {
            Some((_, end)) if *end + 1 == layer => *end = layer,
            _ => ranges.push((layer, layer)),
        }
    }
    let text = |&(a, b): &(i64, i64)| if a == b { a.to_string() } else { format!("{a}–{b}") };
    ranges.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits_and_a_true_minus() {
        assert_eq!(number(-0.2134), "−0.21");
        assert_eq!(number(0.0456), "0.046");
        assert_eq!(number(-0.0), "0.00");
        assert_eq!(number(12.345), "12.3");
        assert_eq!(number(1234.5), "1234");
        assert_eq!(number(0.00001), "1.0e−5");
        assert_eq!(signed(0.5), "+0.50");
        assert_eq!(signed(0.0), "0.00");
        assert_eq!(thousands(1234567), "1\u{202f}234\u{202f}567");
    }

    #[test]
    fn layers_are_joined_to_ranges() {
        assert_eq!(layer_ranges(&[5, 1, 2, 3, 5]), "1–3, 5");
    }
}
