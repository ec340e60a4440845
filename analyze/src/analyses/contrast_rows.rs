//! Rows of `contrasts`: what analyses find of the contrasts that a study declares.

use super::TaskContext;
use crate::design::DeclaredContrast;
use crate::stats::Undefined;
use crate::stats::clusters::ClusterEstimate;
use crate::stats::summary::Interval;
use hypercolumn_schemas::tables::ContrastRow;

/// What rows about one question of one contrast have in common.
#[derive(Clone, Copy)]
pub(crate) struct ContrastRows<'a> {
    pub(crate) context: TaskContext<'a>,
    pub(crate) contrast: &'a DeclaredContrast,
    /// The analysis' main table.
    pub(crate) analysis: &'a str,
    pub(crate) question: &'a str,
    pub(crate) variant: &'a str,
    /// The family that the entry declares.
    pub(crate) family: Option<&'a str>,
    pub(crate) cluster: &'a str,
}

/// Where in a model a change is.
pub(crate) struct Location<'a> {
    pub(crate) layer: i16,
    pub(crate) site: &'a str,
    pub(crate) head: i16,
}

impl Location<'_> {
    /// Of what is in no layer.
    pub(crate) const NOWHERE: Self = Self { layer: -1, site: "", head: -1 };
}

/// A change, or why there is none.
pub(crate) struct FoundChange {
    pub(crate) value: Option<f64>,
    pub(crate) p_value: Option<f64>,
    pub(crate) p_value_fwer: Option<f64>,
    pub(crate) interval: Option<Interval>,
    pub(crate) n_items: usize,
    pub(crate) n_clusters: usize,
    pub(crate) reason: Option<String>,
}

impl FoundChange {
    /// A change with its variation over clusters, over `n_items` items.
    pub(crate) fn new(estimate: Result<ClusterEstimate, Undefined>, confidence: f64, n_items: usize) -> Self {
        let known = estimate.ok();
        Self {
            value: known.map(|e| e.value),
            p_value: known.map(|e| e.p_value),
            p_value_fwer: None,
            interval: known.map(|e| e.interval(confidence)),
            n_items,
            n_clusters: known.map_or(0, |e| e.n_clusters),
            reason: estimate.err().map(|reason| reason.to_string()),
        }
    }
}

impl ContrastRows<'_> {
    /// One row.
    pub(crate) fn row(&self, at: &Location<'_>, found: FoundChange) -> ContrastRow {
        let TaskContext { prompts, settings, .. } = self.context;
        let condition = |number: usize| prompts.conditions[number].to_string();
        let variant = if self.variant.is_empty() { String::new() } else { format!(" ({})", self.variant) };
        ContrastRow {
            contrast: self.contrast.name.clone(),
            condition: condition(self.contrast.condition),
            reference_condition: condition(self.contrast.reference),
            analysis: self.analysis.to_owned(),
            question: self.question.to_owned(),
            variant: self.variant.to_owned(),
            layer: at.layer,
            site: at.site.to_owned(),
            head: at.head,
            change: found.value,
            ci_low: found.interval.map(|i| i.low),
            ci_high: found.interval.map(|i| i.high),
            p_value: found.p_value,
            q_value: None,
            p_value_fwer: found.p_value_fwer,
            n_items: found.n_items as i32,
            n_units: found.n_clusters as i32,
            n_clusters: found.n_clusters as i32,
            cluster: self.cluster.to_owned(),
            family: self
                .family
                .map_or_else(|| format!("{}: {}{variant}", self.contrast.name, self.question), str::to_owned),
            confidence: settings.confidence,
            n_bootstraps: settings.n_bootstraps as i32,
            seed: settings.seed.to_string(),
            reason: found.reason,
        }
    }
}
