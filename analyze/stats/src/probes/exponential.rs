//! Exponentials of many numbers that are not positive, which the compiler can compute several at a time.

/// Below this the exponential is smaller than any sum that it enters can tell.
const LEAST: f64 = -708.0;
/// 1.5 · 2⁵²: adding it rounds to a whole number, which is then in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// ln 2 in two parts; the first has so few bits that a whole number times it is exact.
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// 1/13!, …, 1/1!, 1/0!: enough terms for |r| ≤ ½ ln 2.
const TERMS: [f64; 14] = [
    1.0 / 6_227_020_800.0,
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

/// eˣ for x ≤ 0, within 4e-16 of its value; below −708, e⁻⁷⁰⁸.
#[inline]
pub(super) fn exp_nonpositive(x: f64) -> f64 {
    let x = if x > LEAST { x } else { LEAST };
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let power = shifted - ROUND;
    let rest = (x - power * LN_2_HIGH) - power * LN_2_LOW;
    let value = TERMS.iter().fold(0.0, |sum, term| sum * rest + term);
    value * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
}

#[cfg(test)]
mod tests {
    use super::exp_nonpositive;

    #[test]
    fn exponentials_are_those_of_the_standard_library() {
        for i in 0..700_000 {
            let x = -1e-3 * f64::from(i) * (1.0 + 1e-7 * f64::from(i % 13));
            let (found, expected) = (exp_nonpositive(x), x.exp());
            assert!((found - expected).abs() <= 4e-16 * expected, "exp({x}) is {expected}, not {found}");
        }
        assert_eq!(exp_nonpositive(0.0), 1.0);
        assert!(exp_nonpositive(-1e4) < 1e-300 && exp_nonpositive(f64::NEG_INFINITY) < 1e-300);
    }
}
