//! Minimum description length of labels given vectors, by online coding (Voita & Titov 2020,
//! arXiv 2003.12298): the labels are sent in growing portions, each coded with the probabilities of a
//! probe trained on all portions before it. The first portion is coded uniformly.
//!
//! Portions keep groups whole. Each stage chooses its own penalty, by inner cross-validation on what has
//! been sent; while that has too few groups or one class only, class frequencies take the probe's place.
//! Probabilities are mixed with the uniform ones as if one prompt more had been seen, spread over all
//! classes: the receiver can do the same, and a class not met before costs a finite number of bits.

use rand::seq::SliceRandom;

use super::classification::{count, select_class_penalty};
use super::design::FoldDesign;
use super::folds::{deal_rows, rows_by_group};
use super::logistic::{Logistic, TIGHT};
use super::permuted_labels::draw_control;
use super::settings::ProbeSettings;
use super::target::CodedClasses;
use super::{MIN_PROMPTS, Sample};
use crate::RandomStream;
use crate::random::Purpose;
use hypercolumn_schemas::Undefined;

/// Shares of the prompts at which portions end.
const SHARES: [f64; 5] = [0.0625, 0.125, 0.25, 0.5, 1.0];

/// Code lengths of one set of labels, in bits.
#[derive(Debug, Clone, PartialEq)]
pub struct OnlineCode {
    /// Bits to send all labels given the vectors.
    pub bits: f64,
    /// Bits under uniform probabilities: `n_prompts · log₂ n_classes`.
    pub uniform_bits: f64,
    /// `uniform_bits / bits`; 1 means that the vectors save nothing.
    pub compression: f64,
    /// Bits for the control task, sent the same way.
    pub control_bits: f64,
    /// Prompts sent at the end of each portion.
    pub portion_ends: Vec<usize>,
}

/// Computes the online code of `labels` (class codes, one a prompt). Uses the logistic penalties, the
/// inner folds and the random stream of `settings`.
///
/// # Errors
/// [`Undefined::TooFewPrompts`], [`Undefined::SingleClass`], [`Undefined::FewerGroupsThanFolds`] with
/// fewer than two groups, and those of unusable vectors.
///
/// # Panics
/// If vectors, groups and labels differ in length, or the settings have no penalties.
pub fn compute_online_code(
    sample: Sample,
    labels: &[usize],
    settings: &ProbeSettings,
) -> Result<OnlineCode, Undefined> {
    let n_prompts = sample.vectors.n_prompts();
    assert_eq!(sample.groups.len(), n_prompts, "groups of prompts");
    assert_eq!(labels.len(), n_prompts, "labels of prompts");
    if n_prompts < MIN_PROMPTS {
        return Err(Undefined::TooFewPrompts);
    }
    let coded = CodedClasses::new(labels, labels)?;
    sample.vectors.check()?;
    let (order, ends) = order_prompts(sample.groups, settings.stream)?;
    code_in_order(sample, coded, &order, ends, settings)
}

/// The online code for prompts sent in `order`, in portions that end at `ends`.
pub(super) fn code_in_order(
    sample: Sample,
    coded: CodedClasses,
    order: &[usize],
    ends: Vec<usize>,
    settings: &ProbeSettings,
) -> Result<OnlineCode, Undefined> {
    let n_classes = coded.classes.len();
    let uniform = (n_classes as f64).log2();
    let mut codes = vec![coded.train];
    let mut rng = settings.stream.generator(Purpose::Control, 0);
    codes.push(draw_control(sample.groups, &codes[0], &mut rng));
    let mut bits = vec![ends[0] as f64 * uniform; codes.len()];
    for portion in ends.windows(2) {
        let stage = Stage::new(sample, order, (portion[0], portion[1]), &codes[0], settings)?;
        for (bits, labels) in bits.iter_mut().zip(&codes) {
            *bits += stage.code(labels, n_classes, &settings.logistic_penalties);
        }
    }
    let uniform_bits = order.len() as f64 * uniform;
    Ok(OnlineCode {
        bits: bits[0],
        uniform_bits,
        compression: uniform_bits / bits[0],
        control_bits: bits[1],
        portion_ends: ends,
    })
}

/// Prompts in the order of sending, groups together, and where portions end.
fn order_prompts(groups: &[usize], stream: RandomStream) -> Result<(Vec<usize>, Vec<usize>), Undefined> {
    let mut members: Vec<Vec<usize>> = rows_by_group(groups).into_values().collect();
    if members.len() < 2 {
        return Err(Undefined::FewerGroupsThanFolds);
    }
    members.shuffle(&mut stream.generator(Purpose::OnlineCode, 0));
    let mut ends = Vec::new();
    let mut sent = 0;
    for rows in &members {
        let before = sent as f64 / groups.len() as f64;
        sent += rows.len();
        let after = sent as f64 / groups.len() as f64;
        if SHARES.iter().any(|&share| before < share && share <= after) {
            ends.push(sent);
        }
    }
    Ok((members.concat(), ends))
}

/// One portion to be sent, with what was sent before it.
struct Stage {
    design: FoldDesign,
    /// Whether enough groups were sent to choose a penalty.
    can_select: bool,
}

impl Stage {
    /// Prepares the vectors of `order[..start]` to code `order[start..end]`.
    fn new(
        sample: Sample,
        order: &[usize],
        (start, end): (usize, usize),
        labels: &[usize],
        settings: &ProbeSettings,
    ) -> Result<Self, Undefined> {
        let (train, test) = (order[..start].to_vec(), order[start..end].to_vec());
        let mut rng = settings.stream.generator(Purpose::InnerFolds, start);
        let inner = deal_rows(&train, sample.groups, labels, settings.n_inner_folds, &mut rng);
        let can_select = inner.is_ok();
        // One inner fold would hold out everything: fine, since it is then never fitted.
        let inner = inner.unwrap_or_else(|_| vec![0; order.len()]);
        let design = FoldDesign::new((sample.vectors, train), (sample.vectors, test), &inner)?;
        Ok(Self { design, can_select })
    }

    /// Bits for the labels of this portion.
    fn code(&self, labels: &[usize], n_classes: usize, penalties: &[f64]) -> f64 {
        let own: Vec<usize> = self.design.train.iter().map(|&row| labels[row]).collect();
        let counts = count(&own, n_classes);
        let present: Vec<usize> = (0..n_classes).filter(|&class| counts[class] > 0).collect();
        let n = own.len() as f64;
        let fitted = (self.can_select && present.len() > 1).then(|| {
            let code = |class| present.partition_point(|&other| other < class);
            let own: Vec<usize> = own.iter().map(|&class| code(class)).collect();
            let penalty = select_class_penalty(&self.design, &own, present.len(), penalties);
            let mut model = Logistic::new(&self.design.basis, &own, present.len());
            model.fit(penalty * self.design.penalty_unit, TIGHT);
            model.predict()
        });
        let probability = |i: usize, class: usize| match (&fitted, present.binary_search(&class)) {
            (_, Err(_)) => 0.0,
            (Some(fitted), Ok(column)) => fitted[(i, column)].exp(),
            (None, Ok(_)) => counts[class] as f64 / n,
        };
        let bits = |(i, &row): (usize, &usize)| {
            let mixed = (n * probability(i, labels[row]) + (n_classes as f64).recip()) / (n + 1.0);
            -mixed.log2()
        };
        self.design.test.iter().enumerate().map(bits).sum()
    }
}
