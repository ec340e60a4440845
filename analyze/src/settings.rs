//! What a study may ask of the analysis: its `[[rsa]]`, `[[probe]]` and `[[attention_ratio]]` entries and
//! its `[analysis]` table, as serde reads them. Whether the questions can be asked of the data is
//! found out by [`crate::run`].

use crate::stats::{Comparison, Normalization, Similarity};
use hypercolumn_schemas::{Pooling, Site};
use serde::{Deserialize, Serialize};

/// Everything that the stage is asked to do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Questions {
    /// Name of the study that asks.
    pub study: String,
    /// The tasks to analyse; none means every task that the model has read.
    #[serde(skip)]
    pub tasks: Vec<String>,
    /// Settings shared by all analyses.
    pub analysis: AnalysisSettings,
    /// Hypotheses about similarities.
    pub rsa: Vec<Hypothesis>,
    /// Targets to read from states.
    pub probe: Vec<Probe>,
    /// Attention to relevant against irrelevant segments.
    pub attention_ratio: Vec<AttentionRatio>,
}

/// The `[analysis]` table: what all analyses share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnalysisSettings {
    /// Seed of every random draw.
    pub seed: u64,
    /// Permutations of a test; 0 leaves p-values of permutations out.
    pub n_permutations: u32,
    /// Bootstrap draws of an interval; 0 leaves intervals out.
    pub n_bootstraps: u32,
    /// Coverage of intervals, above 0 and below 1.
    pub confidence: f64,
    /// Outer folds of probes, from 2.
    pub n_folds: u32,
    /// Inner folds of probes, which choose the penalty, from 2.
    pub n_inner_folds: u32,
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        Self {
            seed: 7,
            n_permutations: 1_000,
            n_bootstraps: 500,
            confidence: 0.95,
            n_folds: 5,
            n_inner_folds: 3,
        }
    }
}

impl AnalysisSettings {
    /// The key at fault and what it accepts, for the first value that makes no sense.
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            return Some(("confidence", "a number above 0 and below 1"));
        }
        if self.n_folds < 2 {
            return Some(("n_folds", "a whole number from 2"));
        }
        (self.n_inner_folds < 2).then_some(("n_inner_folds", "a whole number from 2"))
    }
}

/// A `[[rsa]]` entry: which similarities of prompts a hypothesis predicts.
///
/// Without `rows` and `columns`, all pairs of prompts of one condition are compared. With them, prompts
/// that satisfy `rows` (a, one condition at a time) are compared with prompts that satisfy `columns`
/// (b): those of the same condition where it has any, and otherwise all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hypothesis {
    /// The task.
    pub task: String,
    /// Name of the hypothesis.
    pub hypothesis: String,
    /// SQL over two prompts, `a` and `b`: a number or a boolean, larger where they are expected to be
    /// more alike, null where the pair is to be left out.
    pub sql: String,
    /// Role of the segment whose states are compared.
    #[serde(default = "whole_prompt")]
    pub segment: String,
    /// Poolings; the first gives the measure that is set against behaviour.
    #[serde(default = "mean_pooling")]
    pub pooling: Vec<Pooling>,
    /// What is done to each dimension across the prompts of a condition; the first gives the measure.
    #[serde(default = "both_normalizations")]
    pub normalization: Vec<Normalization>,
    /// How two vectors are compared; the first gives the measure.
    #[serde(default = "cosine")]
    pub similarity: Vec<Similarity>,
    /// How similarities are compared with the hypothesis; the first gives the measure.
    #[serde(default = "rank_comparisons")]
    pub comparison: Vec<Comparison>,
    /// Sites; all of them if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Vec<Site>>,
    /// SQL over one prompt: which prompts take part.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// SQL over one prompt: the prompts `a` of a rectangle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    /// SQL over one prompt: the prompts `b` of a rectangle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<String>,
    /// SQL over one prompt: labels are permuted only among prompts with equal values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<String>,
    /// Whether this is a control, which should not rise with examples; the report says so.
    #[serde(default)]
    pub control: bool,
}

/// The kinds of probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// Multinomial logistic regression with an L2 penalty, for classes.
    Logistic,
    /// Ridge regression, for numbers.
    Ridge,
}

impl ProbeKind {
    /// The name in the tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logistic => "logistic",
            Self::Ridge => "ridge",
        }
    }
}

/// A `[[probe]]` entry: what is to be read from the states by a linear model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The task.
    pub task: String,
    /// SQL over one prompt: the class or number to be read; prompts where it is null are left out.
    pub target: String,
    /// Name of the target; its SQL if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The kind; if absent, ridge for fractional numbers and logistic for text, booleans and whole numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ProbeKind>,
    /// SQL over one prompt: prompts with equal values are never on both sides of a split.
    #[serde(default = "by_item")]
    pub group: String,
    /// Role of the segment whose states are read.
    #[serde(default = "whole_prompt")]
    pub segment: String,
    /// Poolings; the first gives the measure that is set against behaviour.
    #[serde(default = "mean_pooling")]
    pub pooling: Vec<Pooling>,
    /// Sites; all of them if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Vec<Site>>,
    /// SQL over one prompt: which prompts take part.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

impl Probe {
    /// The target's name in the tables.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.target)
    }
}

/// An `[[attention_ratio]]` entry. Its SQL is over one segment: `role`, `segment` (its number) and the
/// columns of its prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionRatio {
    /// The task.
    pub task: String,
    /// Name of the ratio among the measures; made from the roles if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// SQL: the segments that attend.
    pub query: String,
    /// SQL: the segments that should be attended to.
    pub relevant: String,
    /// SQL: the segments that should not.
    pub irrelevant: String,
}

impl AttentionRatio {
    /// The ratio's name among the measures, e.g. `final to informative over distractor`.
    pub fn label(&self) -> String {
        let made = || {
            let parts = [&self.query, &self.relevant, &self.irrelevant].map(|sql| name_roles(sql));
            format!("{} to {} over {}", parts[0], parts[1], parts[2])
        };
        self.name.clone().unwrap_or_else(made)
    }
}

/// The role in `role = 'x'`; any other SQL as it is.
fn name_roles(sql: &str) -> &str {
    let role = sql.trim().strip_prefix("role").and_then(|rest| rest.trim_start().strip_prefix('='));
    let quoted = role.and_then(|rest| rest.trim().strip_prefix('\'')?.strip_suffix('\''));
    quoted.filter(|name| !name.contains('\'')).unwrap_or(sql)
}

fn whole_prompt() -> String {
    "prompt".to_owned()
}

fn by_item() -> String {
    "item_id".to_owned()
}

fn mean_pooling() -> Vec<Pooling> {
    vec![Pooling::Mean]
}

fn both_normalizations() -> Vec<Normalization> {
    vec![Normalization::Standardize, Normalization::None]
}

fn cosine() -> Vec<Similarity> {
    vec![Similarity::Cosine]
}

fn rank_comparisons() -> Vec<Comparison> {
    vec![Comparison::RhoA, Comparison::Spearman]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_need_only_what_has_no_default() {
        let json = r#"{"rsa": [{"task": "t", "hypothesis": "same line", "sql": "a.slope = b.slope"}],
            "probe": [{"task": "t", "target": "slope"}],
            "attention_ratio": [{"task": "t", "query": "role = 'final'", "relevant": "role='informative'",
                "irrelevant": "role = 'distractor' AND segment > 1"}]}"#;
        let questions: Questions = serde_json::from_str(json).unwrap();
        assert_eq!(questions.rsa[0].segment, "prompt");
        assert_eq!(questions.rsa[0].comparison, [Comparison::RhoA, Comparison::Spearman]);
        assert_eq!(questions.probe[0].group, "item_id");
        let label = questions.attention_ratio[0].label();
        assert_eq!(label, "final to informative over role = 'distractor' AND segment > 1");
    }

    #[test]
    fn unknown_keys_and_values_are_refused_with_what_is_accepted() {
        let parse = |json: &str| serde_json::from_str::<Hypothesis>(json).unwrap_err().to_string();
        let found = parse(r#"{"task": "t", "hypothesis": "h", "sql": "1", "poling": ["mean"]}"#);
        assert!(found.contains("poling") && found.contains("`pooling`"), "{found}");
        let found = parse(r#"{"task": "t", "hypothesis": "h", "sql": "1", "pooling": ["median"]}"#);
        assert!(found.contains("median") && found.contains("`last`"), "{found}");
    }
}
