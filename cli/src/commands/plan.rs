//! `plan`: what `run` would do, step by step, and why.

use super::extract::weights;
use super::{models, print, print_json};
use crate::answer::{draw, format_count};
use crate::args::PlanArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::progress::{Reporter, bytes, duration};
use crate::resolve::{ResolvedStudy, ResolvedTask, resolve_study};
use hypercolumn_extract::ExtractPlan;
use hypercolumn_extract::model::source::ResolvedModel;
use hypercolumn_extract::stage::resources::Resources;
use hypercolumn_schemas::Snapshot;
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

impl Action {
    fn of(reused: bool) -> Self {
        if reused { Self::Reuse } else { Self::Run }
    }
}

pub fn run(args: &PlanArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let study = resolve_study(args.study.as_deref(), &args.model)?.with_template(&args.chat);
    let steps = plan(&args.lake.lake, &study, &args.resources.resources())?;
    if args.json {
        print_json(
            &serde_json::json!({ "study": study.name, "model": study.model.name.clone(), "steps": steps }),
        )?;
        return Ok(Exit::Success);
    }
    let rows: Vec<_> = steps
        .iter()
        .map(|s| {
            let action = if s.action == Action::Run { "run" } else { "reuse" };
            vec![s.stage.to_owned(), s.subject.clone(), action.to_owned(), s.reason.clone()]
        })
        .collect();
    print(&draw(&["stage", "what", "action", "why"], &rows, &[]))?;
    let n_run = steps.iter().filter(|s| s.action == Action::Run).count();
    reporter.say(&format!("{n_run} of {} steps would run", steps.len()));
    Ok(Exit::Success)
}

fn plan(path: &Path, study: &ResolvedStudy, resources: &Resources) -> Result<Vec<Step>, Failure> {
    let rows = super::ingest::rows(&study.tasks)?;
    hypercolumn_analyze::check(&rows, &study.questions).map_err(could_not("use study", &study.label))?;
    // A lake that is not there yet is an empty one.
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
        let is_ingested = steps[i].action == Action::Reuse;
        let Some(model) = &model else {
            steps.push(Step::extract(task, "the model is not fetched yet"));
            continue;
        };
        let plan = hypercolumn_extract::plan(snapshot.clone(), rows, model, &task.extract, resources)
            .map_err(could_not("plan", &task.name))?;
        steps.push(Step::of_extraction(task, &plan, is_ingested));
    }
    let is_extracted = steps.iter().all(|s| s.action == Action::Reuse);
    steps.extend(plan_analyze(&snapshot, study, is_extracted)?);
    Ok(steps)
}

/// The model, if nothing needs to be fetched.
fn cached_model(study: &ResolvedStudy) -> Result<Option<ResolvedModel>, Failure> {
    Ok(study.model.cached(&models::caches()?))
}

fn plan_ingest(snapshot: &Snapshot, task: &ResolvedTask) -> Result<Step, Failure> {
    let plan = hypercolumn_ingest::plan(snapshot, &task.name, &task.source)
        .map_err(could_not("plan", &task.name))?;
    Ok(Step {
        stage: "ingest",
        subject: task.name.clone(),
        action: Action::of(plan.reused),
        reason: plan.reason,
        n_unique_tokens: None,
        n_tokens: None,
    })
}

impl Step {
    /// An extraction that is to run.
    fn extract(task: &ResolvedTask, reason: &str) -> Self {
        Self {
            stage: "extract",
            subject: task.name.clone(),
            action: Action::Run,
            reason: reason.to_owned(),
            n_unique_tokens: None,
            n_tokens: None,
        }
    }

    fn of_extraction(task: &ResolvedTask, plan: &ExtractPlan, is_ingested: bool) -> Self {
        let is_done = is_ingested && plan.n_shards_done == plan.n_shards;
        let why = if is_ingested { plan.reason.as_str() } else { "the prompts change" };
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
            action: Action::of(is_done),
            n_tokens: Some(plan.n_tokens),
            n_unique_tokens: Some(plan.n_unique_tokens),
            ..Self::extract(task, &reason)
        }
    }
}

fn plan_analyze(
    snapshot: &Snapshot,
    study: &ResolvedStudy,
    is_extracted: bool,
) -> Result<Vec<Step>, Failure> {
    let step = |subject: String, action, reason| Step {
        stage: "analyze",
        subject,
        action,
        reason,
        n_unique_tokens: None,
        n_tokens: None,
    };
    if !is_extracted {
        return Ok(vec![step(study.name.clone(), Action::Run, "what it reads changes".into())]);
    }
    let planned = hypercolumn_analyze::plan(snapshot, &study.model.name, &study.questions)
        .map_err(could_not("plan", &study.name))?;
    let steps = planned.into_iter();
    Ok(steps
        .map(|s| {
            let is_done = s.action == hypercolumn_analyze::Action::Reuse;
            step(format!("{}: {}", s.task(), s.analysis.name()), Action::of(is_done), s.reason)
        })
        .collect())
}
