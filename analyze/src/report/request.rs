//! What a report is asked about, and what sections say in one sentence.

use super::shell::lake_option;

/// A hypothesis as the study wrote it.
#[derive(Clone, Debug, Default)]
pub struct HypothesisText {
    /// The task.
    pub task: String,
    /// Its name, as in table `rsa`.
    pub name: String,
    /// SQL over pairs of prompts `a` and `b`.
    pub sql: String,
    /// Whether it is a control, which should not rise with examples.
    pub is_control: bool,
}

/// What a report is about.
#[derive(Clone, Debug, Default)]
pub struct ReportRequest {
    /// Title of the page, e.g. the study's name.
    pub title: String,
    /// The model, as the partitions of the lake spell it.
    pub model: String,
    /// The study's hypotheses; without them there are no similarity matrices.
    pub hypotheses: Vec<HypothesisText>,
    /// Further lines for the provenance: name and value, e.g. the study file, elapsed times.
    pub facts: Vec<(String, String)>,
    /// The `--lake` argument that commands need; `None` for the default lake.
    pub lake_argument: Option<String>,
}

/// One thing that the tables say about one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The task.
    pub task: String,
    /// What it is about, one word.
    pub topic: &'static str,
    /// Full sentences with numbers and intervals.
    pub text: String,
    /// The same as a clause for the summary; empty where it is not in it.
    pub brief: String,
}

impl ReportRequest {
    /// The SQL of a hypothesis.
    pub(super) fn hypothesis_sql(&self, task: &str, name: &str) -> Option<&str> {
        self.hypotheses.iter().find(|h| h.task == task && h.name == name).map(|h| h.sql.as_str())
    }

    /// Whether a hypothesis is a control: the study says so, or its name does.
    pub(super) fn is_control(&self, task: &str, name: &str) -> bool {
        let declared = self.hypotheses.iter().any(|h| h.task == task && h.name == name && h.is_control);
        declared || name.to_lowercase().contains("control")
    }

    /// That a table has no rows, and the command that makes them.
    pub(super) fn missing(&self, table: &str, command: &str) -> String {
        let lake = lake_option(self.lake_argument.as_deref());
        format!(
            "Table `{table}` has no rows for model `{}` yet. `hypercolumn {command}{lake}` makes them.",
            self.model
        )
    }
}
