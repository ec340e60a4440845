//! Exact decimal numbers for prompts: a scaled integer and its number of decimals.
//!
//! A number in a prompt and in its answer key must be the same text, free of what binary fractions
//! do to it (`13.799999`, `-0`). So coordinates are computed as integers and formatted once, here.

use std::fmt;

/// `units` × 10^−`decimals`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    /// The number times 10^decimals.
    pub(crate) units: i64,
    /// Decimal places, at most 9.
    pub(crate) decimals: u32,
}

impl Decimal {
    /// The nearest double, for a JSON number that prints as the decimal does.
    pub(crate) fn to_f64(self) -> f64 {
        // Both operands are exact below 2^53, and one correctly rounded division gives the double
        // that the shortest decimal text reads back to.
        self.units as f64 / 10_i64.pow(self.decimals) as f64
    }
}

/// The shortest text: no trailing zeros, no point without decimals, no negative zero.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = 10_u64.pow(self.decimals);
        let magnitude = self.units.unsigned_abs();
        if self.units < 0 {
            f.write_str("-")?;
        }
        write!(f, "{}", magnitude / scale)?;
        let fraction = magnitude % scale;
        if fraction != 0 {
            let digits = format!("{fraction:0width$}", width = self.decimals as usize);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(units: i64, decimals: u32) -> String {
        Decimal { units, decimals }.to_string()
    }

    #[test]
    fn the_shortest_form_is_written() {
        assert_eq!(text(1380, 2), "13.8");
        assert_eq!(text(1796, 2), "17.96");
        assert_eq!(text(2000, 2), "20");
        assert_eq!(text(63, 2), "0.63");
        assert_eq!(text(5, 2), "0.05");
        assert_eq!(text(0, 2), "0");
        assert_eq!(text(-5, 2), "-0.05");
        assert_eq!(text(-1380, 2), "-13.8");
        assert_eq!(text(42, 0), "42");
    }

    #[test]
    fn the_json_number_prints_as_the_text_does() {
        for decimals in 0..=4 {
            for units in -20_000..20_000 {
                let decimal = Decimal { units, decimals };
                assert_eq!(format!("{}", decimal.to_f64()), decimal.to_string());
            }
        }
    }
}
