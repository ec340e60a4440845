//! Which prompts may exchange their labels, and how a draw exchanges them.

use std::collections::BTreeMap;

use rand::RngExt;

use super::super::draws::{Purpose, generator};
use super::super::error::{NumericsError, check_length};

/// What the null hypothesis says may be exchanged. With neither field, any prompt with any other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exchangeability<'a> {
    /// For each prompt its unit (an item, say): prompts of a unit move together, in order of prompt
    /// number, and units change places with units of as many prompts.
    pub units: Option<&'a [u32]>,
    /// For each prompt its block (a template, say, or rows against columns of a rectangle): labels
    /// stay in their block.
    pub blocks: Option<&'a [u32]>,
}

/// The exchangeable units, grouped into classes whose members may change places.
pub(in super::super) struct LabelShuffler {
    n_prompts: usize,
    /// Class, unit, prompt.
    classes: Vec<Vec<Vec<u32>>>,
}

impl LabelShuffler {
    pub(in super::super) fn new(
        n_prompts: usize,
        allowed: Exchangeability<'_>,
    ) -> Result<Self, NumericsError> {
        for (what, labels) in [("units", allowed.units), ("blocks", allowed.blocks)] {
            labels.map_or(Ok(()), |labels| check_length(what, n_prompts, labels.len()))?;
        }
        let mut units: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for prompt in 0..n_prompts {
            let unit = allowed.units.map_or(prompt as u32, |units| units[prompt]);
            units.entry(unit).or_default().push(prompt as u32);
        }
        // Units are of one class when their prompts lie in the same blocks, one by one.
        let mut classes: BTreeMap<Vec<u32>, Vec<Vec<u32>>> = BTreeMap::new();
        for prompts in units.into_values() {
            let block = |&prompt: &u32| allowed.blocks.map_or(0, |blocks| blocks[prompt as usize]);
            classes.entry(prompts.iter().map(block).collect()).or_default().push(prompts);
        }
        Ok(Self { n_prompts, classes: classes.into_values().collect() })
    }

    /// Whether there is a permutation besides the identity.
    pub(super) fn can_shuffle(&self) -> bool {
        self.classes.iter().any(|class| class.len() > 1)
    }

    /// For each prompt, the prompt whose label it gets in this draw.
    pub(in super::super) fn shuffle(&self, seed: u64, stream: u64, draw: usize) -> Vec<u32> {
        let mut random = generator(seed, stream, Purpose::Permutation, draw);
        let mut labels = vec![0; self.n_prompts];
        for class in &self.classes {
            let mut sources: Vec<usize> = (0..class.len()).collect();
            for last in (1..sources.len()).rev() {
                sources.swap(last, random.random_range(0..=last as u32) as usize);
            }
            for (unit, source) in class.iter().zip(sources) {
                for (&prompt, &label) in unit.iter().zip(&class[source]) {
                    labels[prompt as usize] = label;
                }
            }
        }
        labels
    }
}
