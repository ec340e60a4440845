//! Estimates, tests and intervals of one entry, all layers of a condition together.

use super::change::{AgainstRival, Change, ChangeScope};
use super::clustered::{Aligner, Clustered, Way, model_rdm};
use super::condition_subset::{ConditionSubset, WithinUnits};
use super::replicates::{Replicated, measure};
use super::similarities::{Measured, Rdm};
use super::{Alignment, Hypothesis};
use crate::analyses::TaskContext;
use crate::error::AnalyzeError;
use crate::states::LayerSite;
use crate::stats::clusters::ClusterEstimate;
use crate::stats::comparison::compare;
use crate::stats::dyadic::{ClusterPairSums, familywise_p_values};
use crate::stats::partial::{MeasureResiduals, PartialComparison};
use crate::stats::permutation::{
    Alternative, Exchangeability, MeasureTest, PermutationResult, PermutationSettings, permutation_test,
};
use crate::stats::{Comparison, Normalization, NumericsError, RandomStream, Similarity, Undefined};
use hypercolumn_schemas::tables::RsaRow;
use hypercolumn_schemas::{Pooling, Progress};
use rayon::prelude::*;

/// What the rows of one entry have in common.
pub(super) struct Scope<'a> {
    /// The study's entry.
    pub entry: &'a Hypothesis,
    /// The pooling, one of the entry's.
    pub pooling: Pooling,
    /// SQL of the units.
    pub units: &'a str,
    /// SQL of the clusters.
    pub cluster: &'a str,
    /// Whether pairs within units take part.
    pub within: WithinUnits,
    /// Number of clusters of the task.
    pub n_clusters: usize,
}

/// One entry about to be computed.
pub(super) struct Inference<'a> {
    /// The task.
    pub context: TaskContext<'a>,
    /// What its rows have in common.
    pub scope: Scope<'a>,
    /// Similarities of the prompts of all subsets.
    pub measured: &'a Measured,
}

/// The test of one layer and site in one subset.
#[derive(Clone, Default)]
struct Aligned {
    estimate: Option<f64>,
    p_value: Option<f64>,
    p_value_fwer: Option<f64>,
    reason: Option<String>,
}

impl Inference<'_> {
    /// Computes the rows of all conditions and ways.
    pub(super) fn run(
        &self,
        subsets: &[ConditionSubset],
        alignment: &mut Alignment,
        progress: &dyn Progress,
    ) -> Result<(), AnalyzeError> {
        let entry = self.scope.entry;
        for &normalization in &entry.normalization {
            for &similarity in &entry.similarity {
                for subset in subsets.iter().enumerate() {
                    self.run_subset(subsets, subset, (normalization, similarity), alignment)?;
                }
            }
        }
        self.contrast_conditions(subsets, alignment)?;
        progress.advance(subsets.len() as u64);
        Ok(())
    }

    /// The rows of one condition: all layers, sites and comparisons of one kind of similarities.
    fn run_subset(
        &self,
        subsets: &[ConditionSubset],
        (s, subset): (usize, &ConditionSubset),
        (normalization, similarity): (Normalization, Similarity),
        alignment: &mut Alignment,
    ) -> Result<(), AnalyzeError> {
        let rdms = self.measured.of(s, normalization, similarity);
        let zero = self.measured.layer_zero(s, normalization, similarity);
        let aligner = |comparison: &Comparison| {
            Aligner::new(subset, &subset.pairs, *comparison, self.scope.n_clusters, zero)
        };
        let comparisons = self.scope.entry.comparisons();
        let aligners: Vec<Aligner> = comparisons.iter().map(aligner).collect::<Result<_, _>>()?;
        let tests = self.test_all(subset, rdms, (normalization, similarity), &aligners)?;
        let reference = self.find_reference(subsets, s);
        for ((&comparison, aligner), mut tests) in comparisons.iter().zip(&aligners).zip(tests) {
            let way = Way { normalization, similarity, comparison };
            let clustered: Vec<Option<Clustered>> =
                rdms.par_iter().map(|rdm| aligner.align(rdm.as_deref().ok()?).ok()).collect();
            if !subset.nuisances.is_empty() {
                let stream = self.stream(&subset.name, (normalization, similarity));
                self.test_over_clusters(&mut tests, &clustered, stream);
            }
            let changes = match reference {
                Some(r) => {
                    let stream = self.stream(&subset.name, (normalization, similarity));
                    let n_clusters = self.scope.n_clusters;
                    let (settings, measured) = (self.context.settings, self.measured);
                    ChangeScope { settings, measured, n_clusters, stream, subsets, before: r, after: s }
                        .changes(way)?
                }
                None => vec![Change::default(); rdms.len()],
            };
            let rivals = self.compare_with_rival(subset, rdms, zero, way)?;
            let of_layers = tests.iter().zip(&clustered).zip(changes).zip(rivals);
            for (at, (((test, clustered), change), rival)) in of_layers.enumerate() {
                alignment.rows.push(
                    self.row(&RowParts {
                        subset,
                        layer_site: &self.measured.layer_sites[at],
                        n_pairs: aligner.n_pairs(),
                        n_clusters: aligner.clusters.n_effective(),
                        unadjusted: clustered.as_ref().and_then(|c| c.unadjusted),
                        way,
                        test,
                        estimate: clustered.as_ref().and_then(Clustered::estimate),
                        reference: reference.map(|r| &subsets[r]),
                        change,
                        rival,
                        replicated: rdms[at]
                            .as_ref()
                            .map_or_else(|_| Replicated::default(), |rdm| measure(subset, rdm, way)),
                    }),
                );
            }
        }
        Ok(())
    }

    /// The condition that this one is compared with: the declared reference, or the first before it in the task's order
    /// (fewest examples first), if it shares items with it.
    fn find_reference(&self, subsets: &[ConditionSubset], s: usize) -> Option<usize> {
        let own = subsets[s].distinct_items();
        let shares = |r: &usize| *r != s && !subsets[*r].distinct_items().is_disjoint(&own);
        match self.context.design.reference {
            Some(declared) => subsets.iter().position(|subset| subset.condition == declared).filter(shares),
            None => (0..s).find(shares),
        }
    }

    /// Permutation tests by comparison, one a layer and site.
    fn test_all(
        &self,
        subset: &ConditionSubset,
        rdms: &[Rdm],
        geometry: (Normalization, Similarity),
        aligners: &[Aligner],
    ) -> Result<Vec<Vec<Aligned>>, AnalyzeError> {
        let comparisons = self.scope.entry.comparisons();
        let mut blank = vec![Aligned::default(); rdms.len()];
        let mut defined = Vec::new();
        for (at, rdm) in rdms.iter().enumerate() {
            match rdm {
                Ok(values) => defined.push((at, values.as_slice())),
                Err(error) => blank[at].reason = Some(undefined(error.clone())?.to_string()),
            }
        }
        let (positions, values): (Vec<usize>, Vec<&[f64]>) = defined.into_iter().unzip();
        let mut aligned = vec![blank; comparisons.len()];
        let mut ranked: Option<Vec<Aligned>> = None;
        for ((&comparison, aligner), aligned) in comparisons.iter().zip(aligners).zip(&mut aligned) {
            let is_plain = aligner.partial().is_none();
            let is_ranked = is_plain && matches!(comparison, Comparison::RhoA | Comparison::Spearman);
            let known = ranked.as_ref().filter(|_| is_ranked);
            let tested = match known.and_then(|known| rescale(subset, &values, comparison, known)) {
                Some(rescaled) => rescaled,
                None => {
                    let tested = self.test(
                        subset,
                        &values,
                        (comparison, aligner),
                        self.stream(&subset.name, geometry),
                    )?;
                    if is_ranked && tested.is_rescalable {
                        ranked = Some(tested.aligned.clone());
                    }
                    tested.aligned
                }
            };
            positions.iter().zip(tested).for_each(|(&at, test)| aligned[at] = test);
        }
        Ok(aligned)
    }

    /// The random numbers of one test: all layers of one condition (or contrast), given by name, and kind of similarities
    /// share them, and nothing else.
    pub(super) fn stream(
        &self,
        name: &str,
        (normalization, similarity): (Normalization, Similarity),
    ) -> RandomStream {
        let TaskContext { prompts, settings, .. } = self.context;
        let entry = self.scope.entry;
        RandomStream::new(
            settings.seed,
            &[
                "rsa",
                &prompts.task,
                &entry.hypothesis,
                &entry.segment,
                self.scope.pooling.name(),
                &normalization.to_string(),
                &similarity.to_string(),
                name,
            ],
        )
    }

    fn test(
        &self,
        subset: &ConditionSubset,
        rdms: &[&[f64]],
        (comparison, aligner): (Comparison, &Aligner),
        stream: RandomStream,
    ) -> Result<Tested, AnalyzeError> {
        let n_permutations = self.context.settings.n_permutations as usize;
        let settings = PermutationSettings { n_permutations, stream, alternative: Alternative::Greater };
        let allowed = Exchangeability {
            units: Some(&subset.units),
            blocks: subset.blocks.as_deref(),
            labels: subset.unit_labels,
        };
        let hypothesis = model_rdm(subset);
        let of_test = |test: Result<MeasureTest, Undefined>| match test {
            Ok(test) => Aligned {
                estimate: Some(test.estimate),
                p_value: (n_permutations > 0).then_some(test.p_value),
                p_value_fwer: (n_permutations > 0).then_some(test.p_value_fwer),
                reason: None,
            },
            Err(reason) => Aligned { reason: Some(reason.to_string()), ..Aligned::default() },
        };
        let result = match aligner.partial() {
            None => permutation_test(rdms, hypothesis, &subset.pairs, comparison, allowed, settings),
            Some(partial) => {
                partial.as_ref().map_err(Clone::clone).and_then(|p| test_partial(p, rdms, allowed, settings))
            }
        };
        match result {
            Ok(result) => {
                let is_rescalable =
                    result.n_remasked_permutations == 0 && result.n_undefined_permutations == 0;
                Ok(Tested { aligned: result.tests.into_iter().map(of_test).collect(), is_rescalable })
            }
            Err(error) => {
                let reason = undefined(error)?;
                // Labels that cannot move leave the estimate as it is.
                let estimate = |rdm: &&[f64]| {
                    let stands = reason == Undefined::NothingToPermute;
                    stands.then(|| aligner.align(rdm).ok().map(|clustered| clustered.value)).flatten()
                };
                let aligned = |rdm: &&[f64]| Aligned {
                    estimate: estimate(rdm),
                    reason: Some(reason.to_string()),
                    ..Aligned::default()
                };
                Ok(Tested { aligned: rdms.iter().map(aligned).collect(), is_rescalable: false })
            }
        }
    }

    /// With nuisances, the larger of the p-values by permutation and over clusters. Permuting is too lenient where the
    /// nuisance structures both sides (5 to 15 % false positives in simulations), Student's t over clusters is not.
    fn test_over_clusters(
        &self,
        tests: &mut [Aligned],
        clustered: &[Option<Clustered>],
        stream: RandomStream,
    ) {
        let estimates: Vec<Option<ClusterEstimate>> =
            clustered.iter().map(|c| c.as_ref().and_then(Clustered::estimate)).collect();
        let pairs = estimates.iter().zip(clustered);
        let family: Vec<(ClusterEstimate, &ClusterPairSums)> =
            pairs.filter_map(|(estimate, c)| Some(((*estimate)?, &c.as_ref()?.sums))).collect();
        let n_resamples = self.context.settings.n_bootstraps as usize;
        let mut corrected = familywise_p_values(&family, stream, n_resamples).into_iter();
        for (test, estimate) in tests.iter_mut().zip(&estimates) {
            let p_value = estimate.map(|e| one_sided(&e));
            let p_value_fwer = estimate.and_then(|_| corrected.next()).filter(|_| n_resamples > 0);
            test.p_value = test.p_value.zip(p_value).map(|(a, b)| a.max(b));
            test.p_value_fwer = test.p_value_fwer.zip(p_value_fwer).map(|(a, b)| a.max(b));
        }
    }

    fn row(&self, parts: &RowParts<'_>) -> RsaRow {
        let (entry, settings) = (self.scope.entry, self.context.settings);
        let RowParts { subset, layer_site, way, test, change, rival, .. } = parts;
        let interval = parts.estimate.filter(|_| test.estimate.is_some());
        let interval = interval.map(|estimate| estimate.correlation_interval(settings.confidence));
        RsaRow {
            condition: subset.name.to_string(),
            layer: layer_site.layer,
            site: layer_site.site.to_string(),
            role: entry.segment.clone(),
            pooling: self.scope.pooling.name().to_owned(),
            normalization: way.normalization.to_string(),
            similarity: way.similarity.to_string(),
            hypothesis: entry.hypothesis.clone(),
            comparison: way.comparison.to_string(),
            estimate: test.estimate,
            unadjusted: parts.unadjusted.filter(|_| test.estimate.is_some()),
            nuisances: (!entry.nuisances.is_empty()).then(|| entry.nuisances.join("; ")),
            rival: entry.rival.clone(),
            rival_estimate: rival.estimate,
            rival_difference: rival.difference.estimate,
            rival_ci_low: rival.difference.interval.map(|i| i.low),
            rival_ci_high: rival.difference.interval.map(|i| i.high),
            rival_p_value: rival.difference.p_value,
            rival_q_value: None,
            rival_p_value_fwer: rival.difference.p_value_fwer,
            replicates: entry.replicates.clone(),
            n_replicates: entry.replicates.as_ref().map(|_| subset.replicates.len() as i32),
            replicate_estimate: parts.replicated.estimate,
            ceiling_low: parts.replicated.ceiling.map(|c| c.low),
            ceiling_high: parts.replicated.ceiling.map(|c| c.high),
            p_value: test.p_value,
            q_value: None,
            p_value_fwer: test.p_value_fwer,
            ci_low: interval.map(|i| i.low),
            ci_high: interval.map(|i| i.high),
            n_prompts: subset.prompts.len() as i32,
            n_pairs: parts.n_pairs as i32,
            pairs_within_units: self.scope.within == WithinUnits::In,
            units: self.scope.units.to_owned(),
            n_units: subset.n_units as i32,
            cluster: self.scope.cluster.to_owned(),
            n_clusters: parts.n_clusters as i32,
            reference_condition: parts.reference.map(|r| r.name.to_string()),
            change: change.estimate,
            change_p_value: change.p_value,
            change_q_value: None,
            change_p_value_fwer: change.p_value_fwer,
            change_ci_low: change.interval.map(|i| i.low),
            change_ci_high: change.interval.map(|i| i.high),
            family: self.family(*way),
            n_permutations: settings.n_permutations as i32,
            n_bootstraps: settings.n_bootstraps as i32,
            confidence: settings.confidence,
            seed: settings.seed.to_string(),
            reason: test.reason.clone(),
        }
    }

    /// The rows that are corrected together: those of the study's family, or all layers, sites and conditions of one way
    /// of asking for one hypothesis.
    fn family(&self, way: Way) -> String {
        let entry = self.scope.entry;
        entry.family.clone().unwrap_or_else(|| format!("{} ({})", entry.hypothesis, self.variant(way)))
    }

    /// How the alignment is measured, in one word each.
    pub(super) fn variant(&self, Way { normalization, similarity, comparison }: Way) -> String {
        let pooling = self.scope.pooling.name();
        format!("{}, {pooling}, {normalization}, {similarity}, {comparison}", self.scope.entry.segment)
    }
}

/// The p-value of a positive value from the two-sided one.
fn one_sided(estimate: &ClusterEstimate) -> f64 {
    if estimate.value > 0.0 { 0.5 * estimate.p_value } else { 1.0 - 0.5 * estimate.p_value }
}

/// The permutation tests of a comparison that holds something constant; measures without residuals are undefined alone.
fn test_partial(
    partial: &PartialComparison,
    rdms: &[&[f64]],
    allowed: Exchangeability<'_>,
    settings: PermutationSettings,
) -> Result<PermutationResult, NumericsError> {
    let held: Vec<Result<MeasureResiduals, NumericsError>> =
        rdms.par_iter().map(|rdm| partial.hold_constant(rdm)).collect();
    let defined: Vec<&MeasureResiduals> = held.iter().filter_map(|held| held.as_ref().ok()).collect();
    let mut result = partial.permutation_test(&defined, allowed, settings)?;
    let mut tests = result.tests.into_iter();
    let test = |held: &Result<MeasureResiduals, NumericsError>| match held {
        Ok(_) => Ok(tests.next().expect("a test for each measure")),
        Err(error) => error.undefined().map(Err).ok_or_else(|| error.clone()),
    };
    result.tests = held.iter().map(test).collect::<Result<_, _>>()?;
    Ok(result)
}

/// Tests of one comparison, and whether every permutation compared the same pairs.
struct Tested {
    aligned: Vec<Aligned>,
    is_rescalable: bool,
}

/// What one row says.
struct RowParts<'a> {
    subset: &'a ConditionSubset,
    layer_site: &'a LayerSite,
    /// Pairs that the hypothesis says something of.
    n_pairs: usize,
    n_clusters: usize,
    way: Way,
    test: &'a Aligned,
    estimate: Option<ClusterEstimate>,
    unadjusted: Option<f64>,
    reference: Option<&'a ConditionSubset>,
    change: Change,
    rival: AgainstRival,
    replicated: Replicated,
}

/// The tests of one comparison of ranks from those of another. Where every permutation compares the same pairs, one is a
/// constant times the other, so that permutations exceed the observed value in both or in neither. The largest over
/// layers agrees only if the constant is the same for all (no layer has more ties than another); `None` where it is not.
fn rescale(
    subset: &ConditionSubset,
    rdms: &[&[f64]],
    comparison: Comparison,
    known: &[Aligned],
) -> Option<Vec<Aligned>> {
    let estimate = |rdm: &&[f64]| compare(rdm, model_rdm(subset), &subset.pairs, comparison).ok();
    let estimates: Vec<Option<f64>> = rdms.par_iter().map(estimate).collect();
    let factor = |(estimate, known): (&Option<f64>, &Aligned)| Some((*estimate)? / known.estimate?);
    let factors: Vec<f64> = estimates.iter().zip(known).filter_map(factor).collect();
    let is_constant = factors.iter().all(|f| (f - factors[0]).abs() <= SAME_FACTOR * factors[0].abs());
    let rescale = |(one, estimate): (&Aligned, Option<f64>)| Aligned { estimate, ..one.clone() };
    is_constant.then(|| known.iter().zip(estimates).map(rescale).collect())
}

/// Factors that differ by less than this share differ by rounding.
const SAME_FACTOR: f64 = 1e-9;

/// The reason for a null; any other error is a fault of this program.
fn undefined(error: crate::stats::NumericsError) -> Result<Undefined, AnalyzeError> {
    error.undefined().ok_or(AnalyzeError::Numerics(error))
}
