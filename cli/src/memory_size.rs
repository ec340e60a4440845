//! `--memory`: a number of bytes with its unit. A number alone is refused: 8 bytes are never meant.

use bytesize::ByteSize;

const ACCEPTED: &str = "accepted: a number with its unit, such as 8GB, 7.5GiB or 900MB";

/// Parses a size.
///
/// # Errors
/// What is accepted, and what a number without a unit may have meant.
pub fn memory_size(text: &str) -> Result<ByteSize, String> {
    let text = text.trim();
    if text.parse::<f64>().is_ok_and(|number| number.is_finite() && number >= 0.0) {
        return Err(format!("it has no unit; say `{text}GB` or `{text}MB`"));
    }
    text.parse().map_err(|_| ACCEPTED.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_powers_of_ten_and_of_two() {
        let bytes = |text| memory_size(text).expect("a size").as_u64();
        assert_eq!(["8GB", "8gb", "8 GB", "8G"].map(bytes), [8_000_000_000; 4]);
        assert_eq!(["1GiB", "1Gi", "1024 MiB"].map(bytes), [1 << 30; 3]);
        assert_eq!(bytes("7.5MB"), 7_500_000);
        assert_eq!(bytes("16B"), 16);
    }

    #[test]
    fn a_number_without_a_unit_is_asked_for_one() {
        for number in ["8", " 8 ", "8.5", "1e9", "16000000000"] {
            let problem = memory_size(number).expect_err("no unit");
            assert!(problem.contains(&format!("`{}GB`", number.trim())), "{problem}");
        }
        for other in ["", "GB", "8Q", "-8GB", "-8", "nan", "inf", "8,5GB", "8 GB free"] {
            assert_eq!(memory_size(other), Err(ACCEPTED.to_owned()), "{other}");
        }
    }
}
