//! Labels that a probe is fitted to, and those of its control task.
//!
//! **Control task** (Hewitt & Liang 2019): each type, which recurs in several groups, takes a label at random from those that
//! there are. What a probe then scores it has memorised from types alone.

use rand::seq::SliceRandom;

use super::target::Target;
use crate::RandomStream;
use crate::random::Purpose;

/// Labels of some prompts.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// Class codes for a logistic probe.
    Classes(Vec<usize>),
    /// Values for a ridge probe.
    Values(Vec<f64>),
}

impl Labels {
    /// The labels as a target.
    #[must_use]
    pub fn target(&self) -> Target<'_> {
        match self {
            Self::Classes(codes) => Target::Classes(codes),
            Self::Values(values) => Target::Values(values),
        }
    }

    /// The labels of the control task. `types` has one code `0..n_types` a prompt.
    ///
    /// # Panics
    /// If there are more types than prompts.
    #[must_use]
    pub fn control(&self, types: &[usize], stream: RandomStream) -> Self {
        let n_types = types.iter().max().map_or(0, |t| t + 1);
        let mut drawn: Vec<usize> = (0..n_types).map(|t| t * types.len() / n_types).collect();
        drawn.shuffle(&mut stream.generator(Purpose::Control, 0));
        match self {
            Self::Classes(codes) => {
                let mut sorted = codes.clone();
                sorted.sort_unstable();
                Self::Classes(types.iter().map(|&t| sorted[drawn[t]]).collect())
            }
            Self::Values(values) => {
                let mut sorted = values.clone();
                sorted.sort_unstable_by(f64::total_cmp);
                Self::Values(types.iter().map(|&t| sorted[drawn[t]]).collect())
            }
        }
    }
}
