//! Arithmetic on single rows: normalization, activation, soft caps, rotation.

use crate::cpu::vector::{exp, sum, vectorized};
use crate::model::architecture::{Activation, Norm, NormWeights, RotaryAngles};

vectorized! {
    /// Normalizes rows of `x` into `out`; a row is as long as the weights.
    pub fn normalize<'a>(norm: Norm, weights: &'a NormWeights, x: &'a [f32], out: &'a mut [f32]) {
        let width = weights.scale.len();
        for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
            normalize_row(norm, weights, x, out);
        }
    }
}

#[inline(always)]
fn normalize_row(norm: Norm, weights: &NormWeights, x: &[f32], out: &mut [f32]) {
    let n = x.len() as f32;
    let (mean, epsilon) = match norm {
        Norm::Rms { epsilon } => (0.0, epsilon),
        Norm::Layer { epsilon } => {
            let total = sum(
                x,
                #[inline(always)]
                |v| v,
            );
            (total / n, epsilon)
        }
    };
    let squares = sum(
        x,
        #[inline(always)]
        |v| (v - mean) * (v - mean),
    );
    let factor = 1.0 / (squares / n + epsilon).sqrt();
    for ((o, v), scale) in out.iter_mut().zip(x).zip(&weights.scale) {
        *o = (v - mean) * factor * scale;
    }
    if let Some(shift) = &weights.shift {
        for (o, s) in out.iter_mut().zip(shift) {
            *o += s;
        }
    }
}

vectorized! {
    /// Adds `other` to `x`.
    pub fn add<'a>(x: &'a mut [f32], other: &'a [f32]) {
        for (x, o) in x.iter_mut().zip(other) {
            *x += o;
        }
    }
}

vectorized! {
    /// activation(x) of every value, in place.
    pub fn activate<'a>(activation: Activation, values: &'a mut [f32]) {
        match activation {
            Activation::Silu => {
                for v in values {
                    *v /= 1.0 + exp(-*v);
                }
            }
            // x/2 · (1 + tanh u) = x / (1 + e^(-2u)), which loses nothing where tanh u is near -1.
            Activation::GeluTanh => {
                const FACTOR: f32 = 0.797_884_6; // √(2/π)
                for v in values {
                    let u = FACTOR * (0.044_715 * *v * *v).mul_add(*v, *v);
                    *v /= 1.0 + exp(-2.0 * u);
                }
            }
            Activation::Gelu => {
                for v in values {
                    *v *= 0.5 * (1.0 + libm::erff(*v * std::f32::consts::FRAC_1_SQRT_2));
                }
            }
        }
    }
}

vectorized! {
    /// Multiplies `x` by `other`.
    pub fn multiply_by<'a>(x: &'a mut [f32], other: &'a [f32]) {
        for (x, o) in x.iter_mut().zip(other) {
            *x *= o;
        }
    }
}

/// c · tanh(x / c) of every value.
pub fn softcap(values: &mut [f32], c: f32) {
    values.iter_mut().for_each(|v| *v = c * (*v / c).tanh());
}

/// Cosines and sines of rotary angles, for positions from 0.
#[derive(Debug, Default)]
pub struct RotaryTable {
    n_pairs: usize,
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

impl RotaryTable {
    /// Angles of `n_positions` positions.
    pub fn new(angles: &RotaryAngles, n_positions: usize) -> Self {
        let n_pairs = angles.frequencies.len();
        let at = |p: usize| angles.frequencies.iter().map(move |f| p as f32 * f);
        let (cosines, sines) = (0..n_positions)
            .flat_map(at)
            .map(|a| (a.cos() * angles.magnitude, a.sin() * angles.magnitude))
            .unzip();
        Self { n_pairs, cosines, sines }
    }

    /// Positions that the table covers.
    pub fn n_positions(&self) -> usize {
        self.cosines.len() / self.n_pairs.max(1)
    }

    /// Rotates one head's vector in place: dimension i turns with dimension i + n, the rest stays.
    pub fn rotate(&self, head: &mut [f32], position: usize) {
        let n = self.n_pairs;
        let (low, rest) = head.split_at_mut(n);
        let cosines = &self.cosines[position * n..][..n];
        let sines = &self.sines[position * n..][..n];
        for (((a, b), cosine), sine) in low.iter_mut().zip(&mut rest[..n]).zip(cosines).zip(sines) {
            (*a, *b) = (*a * cosine - *b * sine, *b * cosine + *a * sine);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_follow_their_definitions() {
        let x: Vec<f32> = (-600..600).map(|i| i as f32 / 50.0).collect();
        let gelu = |v: f64| 0.5 * v * (1.0 + libm::erf(v / 2f64.sqrt()));
        let tanh = |v: f64| {
            0.5 * v * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (v + 0.044_715 * v.powi(3))).tanh())
        };
        let silu = |v: f64| v / (1.0 + (-v).exp());
        let cases: [(Activation, &dyn Fn(f64) -> f64); 3] =
            [(Activation::Silu, &silu), (Activation::GeluTanh, &tanh), (Activation::Gelu, &gelu)];
        for (activation, definition) in cases {
            let mut out = x.clone();
            activate(activation, &mut out);
            for (v, o) in x.iter().zip(&out) {
                let exact = definition(f64::from(*v));
                let error = (f64::from(*o) - exact).abs();
                assert!(error <= 1e-6 * exact.abs().max(0.1), "{activation:?}({v}) = {o}, not {exact}");
            }
        }
    }

    #[test]
    fn a_rotation_keeps_lengths_and_depends_on_distance_alone() {
        let frequencies = (0..4).map(|i| 10_000f32.powf(-2.0 * i as f32 / 8.0)).collect();
        let table = RotaryTable::new(&RotaryAngles { frequencies, magnitude: 1.0 }, 64);
        let turned = |position| {
            let mut head: Vec<f32> = (1..11).map(|v| v as f32 / 9.0).collect();
            table.rotate(&mut head, position);
            assert_eq!(head[8..], [1.0, 10.0 / 9.0], "what has no angle stays");
            head
        };
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
        let (a, b) = (dot(&turned(3), &turned(10)), dot(&turned(40), &turned(47)));
        assert!((a - b).abs() < 1e-4, "{a} against {b}");
        assert!((dot(&turned(5), &turned(5)) - dot(&turned(0), &turned(0))).abs() < 1e-5);
    }
}
