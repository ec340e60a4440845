//! Responses that are drawn from the model's distribution beside the greedy one.

use crate::forward::Draw;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The most samples of a prompt: their numbers are stored in 16 bits.
const MOST_SAMPLES: usize = 1000;

/// How many responses are drawn, and from what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// Responses drawn for each prompt.
    pub n_samples: usize,
    /// What logits are divided by.
    pub temperature: f64,
    /// The probability that the nucleus holds at least: only its tokens are drawn.
    pub top_p: f64,
    /// Seed of all draws.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { n_samples: 0, temperature: 1.0, top_p: 1.0, seed: 7 }
    }
}

impl Sampling {
    /// Whether nothing is drawn and nothing is said of it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The key and the reason of the first setting that makes no sense.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        let Self { n_samples, temperature, top_p, seed } = self;
        let default = Self::default();
        if *n_samples > MOST_SAMPLES {
            return Some(("n_samples", format!("it is more than {MOST_SAMPLES}")));
        }
        if !(temperature.is_finite() && *temperature > 0.0) {
            let reason = "it is not a number above 0; every study has the greedy response as sample 0";
            return Some(("temperature", reason.to_owned()));
        }
        if !(*top_p > 0.0 && *top_p <= 1.0) {
            return Some(("top_p", "it is not a number above 0 and up to 1".to_owned()));
        }
        let stated = [
            ("temperature", *temperature != default.temperature),
            ("top_p", *top_p != default.top_p),
            ("seed", *seed != default.seed),
        ];
        let (key, _) = stated.into_iter().find(|(_, is_stated)| *n_samples == 0 && *is_stated)?;
        Some((key, "it changes nothing without `n_samples`".to_owned()))
    }
}

/// The random numbers of one sample of one prompt: they depend on nothing else, so that a response is the same whatever prompts
/// are read beside it, and samples of equal number use the same numbers with every model.
#[derive(Clone, Debug)]
pub struct Stream {
    temperature: f64,
    top_p: f64,
    random: ChaCha8Rng,
}

impl Stream {
    /// The stream of the sample numbered `sample`, from 1.
    pub fn new(sampling: &Sampling, prompt_id: &str, sample: usize) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(sampling.seed.to_le_bytes());
        hasher.update((sample as u64).to_le_bytes());
        hasher.update(prompt_id);
        let random = ChaCha8Rng::from_seed(hasher.finalize().into());
        Self { temperature: sampling.temperature, top_p: sampling.top_p, random }
    }

    /// The draw of the next token.
    pub fn draw(&mut self) -> Draw {
        Draw { temperature: self.temperature, top_p: self.top_p, uniform: self.random.random() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_depend_on_seed_prompt_and_sample() {
        let first = |seed, prompt, sample| {
            let mut stream = Stream::new(&Sampling { seed, ..Sampling::default() }, prompt, sample);
            stream.draw().uniform
        };
        let base = first(7, "a", 1);
        assert_eq!(base, first(7, "a", 1));
        for other in [first(8, "a", 1), first(7, "b", 1), first(7, "a", 2)] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn settings_without_sense_are_named() {
        let key = |sampling: Sampling| sampling.problem().map(|(key, _)| key);
        let some = Sampling { n_samples: 3, ..Sampling::default() };
        assert_eq!(key(some.clone()), None);
        assert_eq!(key(Sampling { temperature: 0.0, ..some.clone() }), Some("temperature"));
        assert_eq!(key(Sampling { temperature: f64::NAN, ..some.clone() }), Some("temperature"));
        assert_eq!(key(Sampling { top_p: 0.0, ..some.clone() }), Some("top_p"));
        assert_eq!(key(Sampling { top_p: 1.5, ..some.clone() }), Some("top_p"));
        assert_eq!(key(Sampling { n_samples: 40_000, ..some }), Some("n_samples"));
        assert_eq!(key(Sampling { seed: 3, ..Sampling::default() }), Some("seed"));
    }
}
