//! `plan`: the steps of a study, which of them `run` would carry out, and why.

use super::extract::weights;
use super::{models, print, print_json};
use crate::args::PlanArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::output::{draw, format_count};
use crate::progress::{Reporter, bytes, duration};
use crate::resolve::{CheckedStudy, ModelNeed, ResolvedStudy, ResolvedTask, check_study};
use hypercolumn_analyze::PlannedStep;
use hypercolumn_extract::ExtractPlan;
use hypercolumn_extract::model::source::ResolvedModel;
use hypercolumn_extract::stage::resources::Resources;
use hypercolumn_schemas::{Snapshot, TaskRows};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// One step of a study.
#[derive(Debug, Serialize)]
struct Step {
    stage: &'static str,
    subject: String,
    action: Action,
    reason: String,
    /// Tokens that an extraction would run the model over; shared beginnings count once a shard.
    #[serde(skip_serializing_if = "Option::is_none")]
    n_unique_tokens: Option<usize>,
    /// Tokens of all prompts.
    #[serde(skip_serializing_if = "Option::is_none")]
    n_tokens: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Run,
    Reuse,
}

pub fn run(args: &PlanArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let CheckedStudy { study, rows } = check_study(&args.study, &args.model, ModelNeed::Files)?;
    let study = study.with_template(&args.chat);
    let steps = plan(&args.lake.lake, &study, rows, &args.resources.resources())?;
    let n_run = steps.iter().filter(|s| s.action == Action::Run).count();
    let exit = if args.check && n_run > 0 { Exit::Pending } else { Exit::Success };
    if args.json {
        print_json(
            &serde_json::json!({ "study": study.name, "model": study.model.name.clone(), "steps": steps }),
        )?;
        return Ok(exit);
    }
    let rows: Vec<_> = steps
        .iter()
        .map(|s| {
            let action = if s.action == Action::Run { "run" } else { "reuse" };
            vec![s.stage.to_owned(), s.subject.clone(), action.to_owned(), s.reason.clone()]
        })
        .collect();
    print(&draw(&["stage", "what", "action", "why"], &rows, &[]))?;
    reporter.say(&format!("{n_run} of {} steps would run by model `{}`", steps.len(), study.model.name));
    Ok(exit)
}

fn plan(
    path: &Path,
    study: &ResolvedStudy,
    rows: Vec<TaskRows>,
    resources: &Resources,
) -> Result<Vec<Step>, Failure> {
    // A lake that does not exist yet is planned for as an empty one.
    let snapshot = match path.exists() {
        true => super::open(path)?.snapshot().map_err(could_not("read lake", path.display()))?,
        false => Snapshot::default(),
    };
    let model = cached_model(study)?;
    let mut steps = Vec::new();
    for task in &study.tasks {
        steps.push(plan_ingest(&snapshot, task)?);
    }
    for (i, (task, rows)) in study.tasks.iter().zip(rows).enumerate() {
        let ingest = steps[i].action;
        let Some(model) = &model else {
            steps.push(Step::of("extract", &task.name, Action::Run, "the model is not fetched yet"));
            continue;
        };
        let plan = hypercolumn_extract::plan(snapshot.clone(), rows, model, &task.extract, resources)
            .map_err(could_not("plan", &task.name))?;
        steps.push(Step::of_extraction(task, &plan, ingest));
    }
    match steps.iter().all(|s| s.action == Action::Reuse) {
        true => steps.extend(plan_analyze(&snapshot, study)?),
        false => steps.push(Step::of("analyze", &study.name, Action::Run, "its inputs change")),
    }
    Ok(steps)
}

/// The model, if nothing needs to be fetched.
fn cached_model(study: &ResolvedStudy) -> Result<Option<ResolvedModel>, Failure> {
    Ok(study.model.cached(&models::caches()?))
}

fn plan_ingest(snapshot: &Snapshot, task: &ResolvedTask) -> Result<Step, Failure> {
    let plan = hypercolumn_ingest::plan(snapshot, &task.name, &task.source)
        .map_err(could_not("plan", &task.name))?;
    let action = if plan.reused { Action::Reuse } else { Action::Run };
    Ok(Step::of("ingest", &task.name, action, plan.reason))
}

impl Step {
    fn of(stage: &'static str, subject: &str, action: Action, reason: impl Into<String>) -> Self {
        let (subject, reason) = (subject.to_owned(), reason.into());
        Self { stage, subject, action, reason, n_unique_tokens: None, n_tokens: None }
    }

    fn of_extraction(task: &ResolvedTask, plan: &ExtractPlan, ingest: Action) -> Self {
        // Prompts may change in what no model reads, their params.
        let is_done = plan.n_shards_done == plan.n_shards;
        let why =
            if is_done || ingest == Action::Reuse { plan.reason.as_str() } else { "the prompts change" };
        let reason = match is_done {
            true => why.to_owned(),
            false => format!(
                "{why}; {} prompts, {} tokens, {} of them to compute in about {}, weights {}, about {}",
                format_count(plan.n_prompts as u64),
                format_count(plan.n_tokens as u64),
                format_count(plan.n_unique_tokens as u64),
                duration(Duration::from_secs_f64(plan.seconds)),
                weights(plan.placement),
                bytes(plan.memory.n_bytes()),
            ),
        };
        Self {
            n_tokens: Some(plan.n_tokens),
            n_unique_tokens: Some(plan.n_unique_tokens),
            ..Self::of("extract", &task.name, if is_done { Action::Reuse } else { Action::Run }, reason)
        }
    }
}

fn plan_analyze(snapshot: &Snapshot, study: &ResolvedStudy) -> Result<Vec<Step>, Failure> {
    let planned = hypercolumn_analyze::plan(snapshot, &study.model.name, &study.questions)
        .map_err(could_not("plan", &study.name))?;
    let step = |s: PlannedStep| {
        let action = match s.action {
            hypercolumn_analyze::Action::Run => Action::Run,
            hypercolumn_analyze::Action::Reuse => Action::Reuse,
        };
        Step::of("analyze", &format!("{}: {}", s.task(), s.analysis.name()), action, s.reason)
    };
    Ok(planned.into_iter().map(step).collect())
}
