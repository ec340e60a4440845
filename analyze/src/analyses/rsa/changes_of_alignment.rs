//! Changes of alignment between the conditions of declared contrasts.

use super::Alignment;
use super::change::{Change, ChangeScope};
use super::clustered::Way;
use super::condition_subset::ConditionSubset;
use super::inference::Inference;
use crate::analyses::contrast_rows::{ContrastRows, FoundChange, Location};
use crate::design::DeclaredContrast;
use crate::error::AnalyzeError;

impl Inference<'_> {
    /// The rows of all contrasts and ways; none of a contrast whose conditions the entry does not compare.
    pub(super) fn contrast_conditions(
        &self,
        subsets: &[ConditionSubset],
        alignment: &mut Alignment,
    ) -> Result<(), AnalyzeError> {
        for contrast in &self.context.design.contrasts {
            let find = |condition: usize| subsets.iter().position(|subset| subset.condition == condition);
            let (Some(before), Some(after)) = (find(contrast.reference), find(contrast.condition)) else {
                continue;
            };
            let ways = self.ways();
            for way in ways {
                let name = format!("contrast {}", contrast.name);
                let scope = ChangeScope {
                    settings: self.context.settings,
                    measured: self.measured,
                    n_clusters: self.scope.n_clusters,
                    stream: self.stream(&name, (way.normalization, way.similarity)),
                    subsets,
                    before,
                    after,
                };
                let n_items = scope.shared_items().len();
                let changes = scope.changes(way)?;
                self.push_contrast(contrast, way, (&changes, n_items), alignment);
            }
        }
        Ok(())
    }

    fn ways(&self) -> Vec<Way> {
        let entry = self.scope.entry;
        let mut ways = Vec::new();
        for &normalization in &entry.normalization {
            for &similarity in &entry.similarity {
                let way = |&comparison| Way { normalization, similarity, comparison };
                ways.extend(entry.comparisons().iter().map(way));
            }
        }
        ways
    }

    fn push_contrast(
        &self,
        contrast: &DeclaredContrast,
        way: Way,
        (changes, n_items): (&[Change], usize),
        alignment: &mut Alignment,
    ) {
        let entry = self.scope.entry;
        let variant = self.variant(way);
        let rows = ContrastRows {
            context: self.context,
            contrast,
            analysis: "rsa",
            question: &entry.hypothesis,
            variant: &variant,
            family: entry.family.as_deref(),
            cluster: self.scope.cluster,
        };
        for (change, layer_site) in changes.iter().zip(&self.measured.layer_sites) {
            let found = FoundChange {
                value: change.estimate,
                p_value: change.p_value,
                p_value_fwer: change.p_value_fwer,
                interval: change.interval,
                n_items,
                n_clusters: change.n_clusters,
                reason: change.reason.clone(),
            };
            let site = layer_site.site.to_string();
            alignment
                .contrasts
                .push(rows.row(&Location { layer: layer_site.layer, site: &site, head: -1 }, found));
        }
    }
}
