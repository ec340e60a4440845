//! Values that transformers computed for a checkpoint, and how far another computation is from them.

use crate::reference::Passed;
use safetensors::SafeTensors;
use std::path::Path;

/// The largest absolute differences over every position, layer and head.
#[derive(Clone, Copy, Debug, Default)]
pub struct Difference {
    pub hidden: f64,
    pub attention: f64,
    pub logits: f64,
}

impl Difference {
    pub fn largest(&self) -> f64 {
        self.hidden.max(self.attention).max(self.logits)
    }

    pub fn include(&mut self, other: Self) {
        self.hidden = self.hidden.max(other.hidden);
        self.attention = self.attention.max(other.attention);
        self.logits = self.logits.max(other.logits);
    }
}

/// `expected.safetensors` beside a checkpoint.
pub struct Expected {
    bytes: Vec<u8>,
}

impl Expected {
    pub fn read(path: &Path) -> Self {
        Self { bytes: std::fs::read(path).expect("expected values") }
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).expect("safetensors")
    }

    fn floats(&self, name: &str) -> Vec<f64> {
        let tensors = self.tensors();
        let data = tensors.tensor(name).expect("a tensor").data();
        data.as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
    }

    fn integers(&self, name: &str) -> Vec<u32> {
        let tensors = self.tensors();
        let data = tensors.tensor(name).expect("a tensor").data();
        data.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b) as u32).collect()
    }

    /// Token ids of every prompt.
    pub fn prompts(&self) -> Vec<Vec<u32>> {
        let (ids, lengths) = (self.integers("input_ids"), self.integers("lengths"));
        let rows = ids.chunks(ids.len() / lengths.len());
        rows.zip(&lengths).map(|(row, n)| row[..*n as usize].to_vec()).collect()
    }

    /// How far `passed` is from the values of a prompt. The reference pads texts to the longest and gives, for the last
    /// layer, the state after the last norm.
    pub fn compare(&self, prompt: usize, passed: &Passed) -> Difference {
        let ids = self.integers("input_ids");
        let width = ids.len() / self.integers("lengths").len();
        let (n_tokens, n_layers) = (passed.hidden[0].len(), passed.attention.len());
        let mut difference = Difference::default();
        let widen = |largest: &mut f64, ours: f64, theirs: f64| {
            let apart = (ours - theirs).abs();
            *largest = largest.max(if apart.is_nan() { f64::INFINITY } else { apart });
        };
        for layer in 0..=n_layers {
            let theirs = self.floats(&format!("hidden.{layer}"));
            let ours = &passed.hidden[if layer == n_layers { layer + 1 } else { layer }];
            let d = ours[0].len();
            for (t, i) in (0..n_tokens).flat_map(|t| (0..d).map(move |i| (t, i))) {
                widen(&mut difference.hidden, ours[t][i], theirs[(prompt * width + t) * d + i]);
            }
        }
        for (layer, ours) in passed.attention.iter().enumerate() {
            let theirs = self.floats(&format!("attention.{}", layer + 1));
            let n_heads = ours.len();
            for (head, t) in (0..n_heads).flat_map(|h| (0..n_tokens).map(move |t| (h, t))) {
                let row = ((prompt * n_heads + head) * width + t) * width;
                for key in 0..n_tokens {
                    widen(&mut difference.attention, ours[head][t][key], theirs[row + key]);
                }
            }
        }
        let theirs = self.floats("logits");
        let ours = passed.logits.last().expect("a token");
        let theirs = &theirs[prompt * ours.len()..][..ours.len()];
        for (ours, theirs) in log_softmax(ours).into_iter().zip(log_softmax(theirs)) {
            widen(&mut difference.logits, ours, theirs);
        }
        difference
    }
}

/// Log-probabilities of logits, or of log-probabilities themselves.
fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|v| (v - largest).exp()).sum();
    logits.iter().map(|v| v - largest - sum.ln()).collect()
}
