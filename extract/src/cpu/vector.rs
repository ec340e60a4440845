//! Reductions and exponentials of f32 slices, compiled for the processor at hand.
//!
//! Plain loops that become vector code; every operation is an IEEE one in a fixed order, so results do not
//! depend on the vectors' width.

/// Partial results of a reduction: a fixed number, so that its rounding is fixed too.
pub(crate) const N_PARTS: usize = 16;

/// e^x within 2 units in the last place; arguments past ±87 are taken as ±87.
///
/// Cephes' reduction x = n ln 2 + r with |r| ≤ ln 2 / 2 and its polynomial in r.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding 1.5 · 2^23 rounds to a whole number and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const COEFFICIENTS: [f32; 6] =
        [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
    let x = x.clamp(-87.0, 87.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, x));
    let mut polynomial = COEFFICIENTS[0];
    for c in &COEFFICIENTS[1..] {
        polynomial = polynomial.mul_add(r, *c);
    }
    let value = polynomial.mul_add(r * r, r) + 1.0;
    f32::from_bits(value.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// Parts reduced to one, the upper half onto the lower until one is left.
#[inline(always)]
fn fold<T: Copy>(mut parts: [T; N_PARTS], join: impl Fn(T, T) -> T) -> T {
    let mut n = N_PARTS;
    while n > 1 {
        n /= 2;
        for i in 0..n {
            parts[i] = join(parts[i], parts[i + n]);
        }
    }
    parts[0]
}

/// Sum of `term` over the values.
#[inline(always)]
pub(crate) fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut parts = [0.0f32; N_PARTS];
    let (chunks, rest) = values.as_chunks::<N_PARTS>();
    for chunk in chunks {
        for (part, value) in parts.iter_mut().zip(chunk) {
            *part += term(*value);
        }
    }
    for (part, value) in parts.iter_mut().zip(rest) {
        *part += term(*value);
    }
    fold(
        parts.map(f64::from),
        #[inline(always)]
        |a, b| a + b,
    ) as f32
}

/// The largest value; negative infinity of nothing.
#[inline(always)]
pub(crate) fn largest(values: &[f32]) -> f32 {
    let mut parts = [f32::NEG_INFINITY; N_PARTS];
    let (chunks, rest) = values.as_chunks::<N_PARTS>();
    for chunk in chunks {
        for (part, value) in parts.iter_mut().zip(chunk) {
            *part = if *value > *part { *value } else { *part };
        }
    }
    for (part, value) in parts.iter_mut().zip(rest) {
        *part = if *value > *part { *value } else { *part };
    }
    fold(
        parts,
        #[inline(always)]
        |a, b| if a > b { a } else { b },
    )
}

/// Puts `function` of every value in its place.
#[inline(always)]
fn replace(values: &mut [f32], function: impl Fn(f32) -> f32) {
    let (chunks, rest) = values.as_chunks_mut::<N_PARTS>();
    for chunk in chunks {
        for value in chunk {
            *value = function(*value);
        }
    }
    for value in rest {
        *value = function(*value);
    }
}

/// Softmax of `scores`, in place.
#[inline(always)]
pub(crate) fn softmax(scores: &mut [f32]) {
    let largest = largest(scores);
    replace(
        scores,
        #[inline(always)]
        |score| exp(score - largest),
    );
    let scale = 1.0
        / sum(
            scores,
            #[inline(always)]
            |s| s,
        );
    replace(
        scores,
        #[inline(always)]
        |score| score * scale,
    );
}

/// A function that is compiled for the processor at hand. Its body uses loops rather than adaptors, and the macro a
/// type rather than a closure: only what is inlined becomes vector code.
macro_rules! vectorized {
    ($(#[$doc:meta])* $visibility:vis fn $name:ident<'a>($($argument:ident: $kind:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$doc])*
        $visibility fn $name<'a>($($argument: $kind),*) $(-> $result)? {
            struct Call<'a> {
                $($argument: $kind,)*
                lifetime: std::marker::PhantomData<&'a ()>,
            }
            impl<'a> pulp::WithSimd for Call<'a> {
                type Output = vectorized!(@output $($result)?);
                #[inline(always)]
                fn with_simd<S: pulp::Simd>(self, _: S) -> Self::Output {
                    let Self { $($argument,)* lifetime: _ } = self;
                    $body
                }
            }
            pulp::Arch::new().dispatch(Call { $($argument,)* lifetime: std::marker::PhantomData })
        }
    };
    (@output) => { () };
    (@output $result:ty) => { $result };
}
pub(crate) use vectorized;

vectorized! {
    /// Index of the largest value, the first of equals; 0 where none compares.
    pub(crate) fn position_of_largest<'a>(values: &'a [f32]) -> usize {
        let largest = largest(values);
        values.iter().position(|v| *v == largest).unwrap_or(0)
    }
}

vectorized! {
    /// Logarithm of the sum of exponentials.
    pub(crate) fn log_sum_exp<'a>(values: &'a [f32]) -> f64 {
        let largest = largest(values);
        let terms = sum(
            values,
            #[inline(always)]
            |v| exp(v - largest),
        );
        f64::from(largest) + f64::from(terms).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        for i in -87_000..=87_000 {
            let x = i as f32 / 1000.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs();
            assert!(error <= 2.0 * f64::from(f32::EPSILON) * exact, "exp({x}) = {}", exp(x));
        }
        assert!((0.0..1e-37).contains(&exp(-1e9)));
    }

    #[test]
    fn softmax_sums_to_one_and_does_not_overflow() {
        let mut scores: Vec<f32> = (0..37).map(|i| i as f32 * 30.0).collect();
        softmax(&mut scores);
        assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((scores[36] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn reductions_follow_their_definitions() {
        let values: Vec<f32> = (0..1003).map(|i| ((i * 389 % 1003) as f32 - 500.0) / 60.0).collect();
        let at = position_of_largest(&values);
        assert!(values.iter().all(|v| *v <= values[at]) && !values[..at].contains(&values[at]));
        let exact = values.iter().map(|v| f64::from(*v).exp()).sum::<f64>().ln();
        assert!((log_sum_exp(&values) - exact).abs() < 1e-6 * exact);
        assert_eq!(position_of_largest(&[f32::NAN, f32::NAN]), 0);
    }
}
