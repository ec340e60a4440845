//! Restricted permutations: which prompts may take each other's labels.

use super::super::error::{NumericsError, check_length};
use super::super::random::{Purpose, RandomStream};
use rand::RngExt;
use std::collections::BTreeMap;

/// What may be permuted. By default every prompt may take the label of any other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exchangeability<'a> {
    /// For each prompt its unit (an item, a line), `[n_prompts]`: prompts of a unit move together.
    pub units: Option<&'a [u32]>,
    /// For each prompt its block (a template, the rows or the columns of a rectangle), `[n_prompts]`: labels stay in
    /// their block.
    pub blocks: Option<&'a [u32]>,
    /// Which label of its new unit a prompt takes.
    pub labels: UnitLabels,
}

/// How the labels of a unit stand to its prompts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnitLabels {
    /// Each prompt has its own, in order: units exchange only with units of as many prompts in the same blocks.
    #[default]
    ByPrompt,
    /// All prompts of a unit have the same, so that units of any size exchange.
    Shared,
}

/// The prompts of a unit by block, in order.
type UnitPrompts = Vec<Vec<u32>>;

/// The exchangeable units, grouped into classes whose members may exchange labels.
pub(in super::super) struct LabelPermuter {
    n_prompts: usize,
    /// By class, the units.
    classes: Vec<Vec<UnitPrompts>>,
}

impl LabelPermuter {
    pub(in super::super) fn new(
        n_prompts: usize,
        allowed: Exchangeability<'_>,
    ) -> Result<Self, NumericsError> {
        for (what, labels) in [("units", allowed.units), ("blocks", allowed.blocks)] {
            labels.map_or(Ok(()), |labels| check_length(what, n_prompts, labels.len()))?;
        }
        let mut units: BTreeMap<u32, BTreeMap<u32, Vec<u32>>> = BTreeMap::new();
        for prompt in 0..n_prompts {
            let unit = allowed.units.map_or(prompt as u32, |units| units[prompt]);
            let block = allowed.blocks.map_or(0, |blocks| blocks[prompt]);
            units.entry(unit).or_default().entry(block).or_default().push(prompt as u32);
        }
        let mut classes: BTreeMap<Vec<(u32, usize)>, Vec<UnitPrompts>> = BTreeMap::new();
        for blocks in units.into_values() {
            let size = |prompts: &Vec<u32>| match allowed.labels {
                UnitLabels::ByPrompt => prompts.len(),
                UnitLabels::Shared => 1,
            };
            let class = blocks.iter().map(|(block, prompts)| (*block, size(prompts))).collect();
            classes.entry(class).or_default().push(blocks.into_values().collect());
        }
        Ok(Self { n_prompts, classes: classes.into_values().collect() })
    }

    /// Whether there is a permutation besides the identity.
    pub(super) fn can_permute(&self) -> bool {
        self.classes.iter().any(|class| class.len() > 1)
    }

    /// For each prompt, the prompt whose label it takes in this permutation; `[n_prompts]`.
    pub(in super::super) fn permute(&self, stream: RandomStream, permutation: usize) -> Vec<u32> {
        let mut random = stream.generator(Purpose::Permutation, permutation);
        let mut labels = vec![0; self.n_prompts];
        for class in &self.classes {
            let mut sources: Vec<usize> = (0..class.len()).collect();
            for last in (1..sources.len()).rev() {
                sources.swap(last, random.random_range(0..=last as u32) as usize);
            }
            for (unit, source) in class.iter().zip(sources) {
                for (prompts, labelled) in unit.iter().zip(&class[source]) {
                    for (&prompt, &label) in prompts.iter().zip(labelled.iter().cycle()) {
                        labels[prompt as usize] = label;
                    }
                }
            }
        }
        labels
    }
}
