//! What each step would do in a lake as it is, and why.

use super::Graph;
use crate::commands::{extract, open, report};
use crate::failure::{Failure, could_not};
use crate::model_argument;
use crate::output::format_count;
use crate::progress::{bytes, duration};
use crate::resolve::{ResolvedStudy, ResolvedTask};
use crate::select_options::Stage;
use hypercolumn_analyze::StepName;
use hypercolumn_extract::ExtractPlan;
use hypercolumn_extract::stage::resources::Resources;
use hypercolumn_schemas::{Lake, Recompute, Snapshot, TaskRows};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a step would do.
#[derive(Clone, Debug)]
pub struct Planned {
    pub action: Action,
    pub reason: String,
    /// Tokens that an extraction would run the model over; shared beginnings count once a shard.
    pub n_unique_tokens: Option<usize>,
    /// Tokens of all prompts.
    pub n_tokens: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Run,
    Reuse,
}

impl Planned {
    fn new(action: Action, reason: impl Into<String>) -> Self {
        Self { action, reason: reason.into(), n_unique_tokens: None, n_tokens: None }
    }
}

/// Where a study is planned for.
pub struct Place<'a> {
    /// The lake's directory, which need not be there yet.
    pub lake: &'a Path,
    /// The report's path; in the lake if absent.
    pub report: Option<&'a Path>,
    pub resources: &'a Resources,
}

impl Place<'_> {
    /// Where the report goes.
    pub fn report_path(&self, lake: &Lake, study: &str) -> PathBuf {
        self.report.map_or_else(|| lake.report_path(study), Path::to_owned)
    }
}

/// Plans every step of `study`, whose prompts are `rows`, in the order of `graph`; with [`Recompute::Always`] every step would run.
///
/// # Errors
/// If the study, its prompts or its model are refused, or the lake cannot be read.
pub fn plan(
    place: &Place<'_>,
    study: &ResolvedStudy,
    rows: &[TaskRows],
    graph: &Graph,
    recompute: Recompute,
) -> Result<Vec<Planned>, Failure> {
    // A lake that does not exist yet is planned for as an empty one.
    let lake = match place.lake.exists() {
        true => Some(open(place.lake)?),
        false => None,
    };
    let snapshot = match &lake {
        Some(lake) => lake.snapshot().map_err(could_not("read lake", lake.root().display()))?,
        None => Snapshot::default(),
    };
    let ingests: Vec<Planned> =
        study.tasks.iter().map(|task| plan_ingest(&snapshot, task)).collect::<Result<_, _>>()?;
    let extracts = plan_extracts(&snapshot, study, rows, place.resources, &ingests, recompute)?;
    let is_pending =
        |number: &usize| ingests[*number].action == Action::Run || extracts[*number].action == Action::Run;
    let pending = (0..study.tasks.len()).filter(is_pending).map(|number| study.tasks[number].name.clone());
    let analyses = plan_analyses(&snapshot, study, &pending.collect())?;
    let mut planned: Vec<Planned> = ingests.into_iter().chain(extracts).collect();
    for step in &graph.steps[planned.len()..] {
        planned.push(match step.analysis_name() {
            Some(name) => analyses[&name].clone(),
            None => plan_report(place, study, lake.as_ref(), &planned),
        });
    }
    if recompute == Recompute::Always {
        for (step, planned) in graph.steps.iter().zip(&mut planned) {
            let reason =
                if step.stage == Stage::Extract { planned.reason.clone() } else { FORCED.to_owned() };
            *planned = Planned { action: Action::Run, reason, ..planned.clone() };
        }
    }
    Ok(planned)
}

/// Why a step runs whose result is there.
const FORCED: &str = "it is asked for again";

fn plan_ingest(snapshot: &Snapshot, task: &ResolvedTask) -> Result<Planned, Failure> {
    let plan = hypercolumn_ingest::plan(snapshot, &task.name, &task.source)
        .map_err(could_not("plan", &task.name))?;
    Ok(Planned::new(if plan.reused { Action::Reuse } else { Action::Run }, plan.reason))
}

fn plan_extracts(
    snapshot: &Snapshot,
    study: &ResolvedStudy,
    rows: &[TaskRows],
    resources: &Resources,
    ingests: &[Planned],
    recompute: Recompute,
) -> Result<Vec<Planned>, Failure> {
    // A model that is not on this machine yet cannot be asked for its tokens.
    let Some(model) = study.model.cached(&model_argument::caches()?) else {
        let unknown = |_: &ResolvedTask| Planned::new(Action::Run, "the model is not fetched yet");
        return Ok(study.tasks.iter().map(unknown).collect());
    };
    let mut planned = Vec::new();
    for ((task, rows), ingest) in study.tasks.iter().zip(rows).zip(ingests) {
        let plan = hypercolumn_extract::plan(
            snapshot.clone(),
            rows.clone(),
            &model,
            &task.extract,
            resources,
            recompute,
        )
        .map_err(could_not("plan", &task.name))?;
        planned.push(of_extraction(&plan, ingest.action));
    }
    Ok(planned)
}

fn of_extraction(plan: &ExtractPlan, ingest: Action) -> Planned {
    // Prompts may change in what no model reads, their params.
    let is_done = plan.n_shards_done == plan.n_shards;
    let why = match is_done || plan.n_shards_kept > 0 || ingest == Action::Reuse {
        true => plan.reason.as_str(),
        false => "the prompts change",
    };
    let reason = match is_done {
        true => why.to_owned(),
        false => format!(
            "{why}; {} prompts, {} tokens, {} of them to compute in about {}, weights {}, about {}",
            format_count(plan.n_prompts as u64),
            format_count(plan.n_tokens as u64),
            format_count(plan.n_unique_tokens as u64),
            duration(Duration::from_secs_f64(plan.seconds)),
            extract::weights(plan.placement),
            bytes(plan.memory.n_bytes()),
        ),
    };
    Planned {
        n_tokens: Some(plan.n_tokens),
        n_unique_tokens: Some(plan.n_unique_tokens),
        ..Planned::new(if is_done { Action::Reuse } else { Action::Run }, reason)
    }
}

fn plan_analyses(
    snapshot: &Snapshot,
    study: &ResolvedStudy,
    pending: &BTreeSet<String>,
) -> Result<BTreeMap<StepName, Planned>, Failure> {
    let steps = hypercolumn_analyze::plan_behind(snapshot, &study.model.name, &study.questions, pending)
        .map_err(could_not("plan", &study.name))?;
    let planned = steps.into_iter().map(|step| {
        let action = match step.action {
            hypercolumn_analyze::Action::Run => Action::Run,
            hypercolumn_analyze::Action::Reuse => Action::Reuse,
        };
        (step.name(), Planned::new(action, step.reason))
    });
    Ok(planned.collect())
}

/// The report is composed to see whether it would be another page than the one that is there.
fn plan_report(place: &Place<'_>, study: &ResolvedStudy, lake: Option<&Lake>, before: &[Planned]) -> Planned {
    let Some(lake) = lake.filter(|_| before.iter().all(|step| step.action == Action::Reuse)) else {
        return Planned::new(Action::Run, "its results change");
    };
    let path = place.report_path(lake, &study.name);
    match (path.exists(), report::is_current(lake, study, &path)) {
        (_, Ok(true)) => Planned::new(Action::Reuse, "the page is the same"),
        (true, Ok(false)) => Planned::new(Action::Run, "the page changes"),
        (false, Ok(false)) => Planned::new(Action::Run, "there is no page yet"),
        // Other steps may be selected.
        (_, Err(failure)) => Planned::new(Action::Run, failure.sentence().0),
    }
}
