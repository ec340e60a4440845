//! What a report is asked about, and what sections say in one sentence.

use hypercolumn_schemas::Slot;

/// A model RDM (hypothesis matrix) as the study wrote it.
#[derive(Clone, Debug, Default)]
pub struct ModelRdmText {
    /// The task whose prompts it is about.
    pub task: String,
    /// Its name, as in the column `hypothesis` of table `rsa`.
    pub name: String,
    /// SQL over pairs of prompts `a` and `b`.
    pub sql: String,
    /// Whether alignment with it should not rise with examples.
    pub is_control: bool,
}

/// The clusters of one task's prompts.
#[derive(Clone, Debug, Default)]
pub struct TaskCluster {
    /// The task.
    pub task: String,
    /// SQL over one prompt: prompts with equal values belong to one cluster.
    pub sql: String,
}

/// The condition that a task's others are compared with, where the study names one.
#[derive(Clone, Debug, Default)]
pub struct TaskReference {
    /// The task.
    pub task: String,
    /// The condition.
    pub condition: String,
}

/// A line of the provenance, e.g. the study file.
#[derive(Clone, Debug)]
pub struct Fact {
    /// The line's first column.
    pub name: String,
    /// The line's second column.
    pub value: String,
}

/// What a report is about.
#[derive(Clone, Debug, Default)]
pub struct ReportRequest {
    /// The study, as the partitions of the lake spell it; it is the page's title too.
    pub study: String,
    /// The study's tasks: others that the lake holds are not on the page.
    pub tasks: Vec<String>,
    /// The model, as the partitions of the lake spell it.
    pub model: String,
    /// The study's model RDMs; without them the page has no similarity matrices.
    pub model_rdms: Vec<ModelRdmText>,
    /// The clusters of tasks whose items are not independent.
    pub clusters: Vec<TaskCluster>,
    /// The declared reference conditions of tasks.
    pub references: Vec<TaskReference>,
    /// Text of the study's file.
    pub study_text: Option<String>,
    /// Further lines for the provenance.
    pub facts: Vec<Fact>,
    /// The `--lake` argument that commands need; `None` for the default lake.
    pub lake_argument: Option<String>,
    /// Arguments, quoted for a shell, with which a stage's command works on the study, the model and the lake.
    pub study_arguments: String,
}

/// One thing that the tables say about one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The task, by which findings are grouped.
    pub task: String,
    /// One word for the kind of result, e.g. `Probe`.
    pub topic: &'static str,
    /// Full sentences with numbers and intervals.
    pub text: String,
    /// The same as a clause for the summary; empty where it is not in it.
    pub brief: String,
}

impl ReportRequest {
    /// Whether what a slot holds is a subject of the page.
    pub fn concerns(&self, slot: &Slot) -> bool {
        match slot {
            Slot::Ingest { task } => self.tasks.contains(task),
            Slot::Extract { model, task, .. } => *model == self.model && self.tasks.contains(task),
            Slot::Analyze { study, model, .. } => *study == self.study && *model == self.model,
        }
    }

    /// The SQL of a model RDM.
    pub(super) fn model_rdm_sql(&self, task: &str, name: &str) -> Option<&str> {
        self.model_rdms.iter().find(|h| h.task == task && h.name == name).map(|h| h.sql.as_str())
    }

    /// SQL that a task's clusters have in common, where the study or the generator names one.
    pub(super) fn cluster(&self, task: &str) -> Option<&str> {
        self.clusters.iter().find(|cluster| cluster.task == task).map(|cluster| cluster.sql.as_str())
    }

    /// The declared reference condition of a task.
    pub(super) fn reference(&self, task: &str) -> Option<&str> {
        self.references.iter().find(|r| r.task == task).map(|r| r.condition.as_str())
    }

    /// Whether a model RDM is a control: the study says so, or its name does.
    pub(super) fn is_control(&self, task: &str, name: &str) -> bool {
        let declared = self.model_rdms.iter().any(|h| h.task == task && h.name == name && h.is_control);
        declared || name.to_lowercase().contains("control")
    }

    /// That a table has no rows, and the command that makes them.
    pub(super) fn missing(&self, table: &str, command: &str) -> String {
        let Self { model, study_arguments, .. } = self;
        let command = format!("hypercolumn {command} {study_arguments}");
        format!("Table `{table}` has no rows for model `{model}` yet. `{}` makes them.", command.trim_end())
    }
}
