//! `--select`, `--until`, `--force` and `--keep-going`: which steps of a study are carried out, and how.

use clap::{Args, ValueEnum};
use hypercolumn_schemas::Recompute;

/// A choice among a study's steps.
#[derive(Debug, Default, Args)]
pub struct SelectOptions {
    /// Steps to carry out: a stage (ingest, extract, analyze, report), an analysis (rsa, probes, …), `task:NAME`,
    /// `model:NAME` or `state:modified` (what would run); `+X` is X and what it depends on, `X+` is X and what depends on
    /// it; a comma takes what both have in common, several take what any has. Goes behind STUDY.
    #[arg(long, value_name = "EXPR", num_args = 1..)]
    pub select: Vec<String>,
    /// Carry out no stage behind this one.
    #[arg(long, value_enum, value_name = "STAGE")]
    pub until: Option<Stage>,
    /// Compute the selected steps again though the lake holds what they give.
    #[arg(long)]
    pub force: bool,
    /// Go on with the steps that do not depend on one that failed; the exit code is 1 all the same.
    #[arg(long)]
    pub keep_going: bool,
}

impl SelectOptions {
    /// Whether the options leave out steps.
    pub fn leaves_out(&self) -> bool {
        !self.select.is_empty() || self.until.is_some()
    }

    /// What becomes of finished steps.
    pub fn recompute(&self) -> Recompute {
        if self.force { Recompute::Always } else { Recompute::Changed }
    }
}

/// A stage, in the order of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Stage {
    /// Prompts into the lake.
    Ingest,
    /// The model over the prompts.
    Extract,
    /// The study's questions.
    Analyze,
    /// The page of results.
    Report,
}

impl Stage {
    /// All stages, in the order of work.
    pub const ALL: [Self; 4] = [Self::Ingest, Self::Extract, Self::Analyze, Self::Report];

    /// The name on the command line and in plans.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Extract => "extract",
            Self::Analyze => "analyze",
            Self::Report => "report",
        }
    }
}
