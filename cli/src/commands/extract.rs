//! `extract`: a model over the lake's prompts.

use super::{open, print};
use crate::args::ExtractArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::model_argument;
use crate::output::{draw, format_count};
use crate::progress::{Reporter, bytes, duration};
use crate::resolve::{ModelNeed, override_settings, resolve_study};
use crate::suggestion::suggest;
use hypercolumn_extract::Outcome;
use hypercolumn_extract::forward::Placement;
use hypercolumn_extract::forward::profile::{Work, peak_flop_per_second};
use hypercolumn_extract::model::source::{ALIASES, NamedModel, ResolvedModel};
use hypercolumn_extract::stage::resources::Resources;
use hypercolumn_extract::stage::settings::Settings;
use hypercolumn_schemas::{Lake, Recompute};
use std::time::Duration;

pub fn run(args: &ExtractArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let Request { model: named, tasks } = resolve(args)?;
    let lake = open(&args.lake.lake)?;
    let model = named.named(model_argument::fetch(&named.source, reporter)?);
    if args.dry_run {
        return dry_run(&lake, &model, &tasks, &args.resources.resources());
    }
    for TaskSettings { task, settings } in &tasks {
        let resources = args.resources.resources();
        let outcome = extract(&lake, task, &model, settings, &resources, Recompute::Changed, reporter)?;
        if args.profile {
            print(&profile(task, &outcome))?;
        }
    }
    Ok(Exit::Success)
}

/// Prints what extractions would compute.
fn dry_run(
    lake: &Lake,
    model: &ResolvedModel,
    tasks: &[TaskSettings],
    resources: &Resources,
) -> Result<Exit, Failure> {
    let count = |n: usize| format_count(n as u64);
    let mut rows = Vec::new();
    for TaskSettings { task, settings } in tasks {
        let snapshot = lake.snapshot().map_err(could_not("read lake", lake.root().display()))?;
        let prompts =
            hypercolumn_extract::read_task(lake, &snapshot, task).map_err(could_not("plan", task))?;
        let plan =
            hypercolumn_extract::plan(snapshot, prompts, model, settings, resources, Recompute::Changed)
                .map_err(could_not("plan", task))?;
        rows.push(vec![
            task.clone(),
            count(plan.n_prompts),
            count(plan.n_tokens),
            count(plan.n_unique_tokens),
            format!("{} of {}", plan.n_shards - plan.n_shards_done - plan.n_shards_kept, plan.n_shards),
            duration(Duration::from_secs_f64(plan.seconds)),
            bytes(plan.memory.n_bytes()),
            bytes(plan.n_lake_bytes),
            weights(plan.placement).to_owned(),
        ]);
    }
    let names = ["task", "prompts", "tokens", "unique", "shards to run", "time", "memory", "lake", "weights"];
    print(&draw(&names, &rows, &[]))?;
    Ok(Exit::Success)
}

/// The placement of a model's weights during a forward pass, in words.
pub fn weights(placement: Placement) -> &'static str {
    match placement {
        Placement::Resident => "in memory",
        Placement::Streamed { .. } => "read block by block",
    }
}

/// The profile of an extraction, as lines.
fn profile(task: &str, outcome: &Outcome) -> String {
    let Outcome { load_s, shards_s, profile, .. } = outcome;
    if outcome.n_shards_run == 0 {
        return format!("profile of {task}: nothing was computed\n");
    }
    let named: Vec<(&str, f64)> = Work::ALL.iter().map(|w| (w.name(), profile.seconds(*w))).collect();
    let rest = shards_s - named.iter().map(|(_, seconds)| seconds).sum::<f64>();
    let mut lines = vec![format!(
        "profile of {task}: {load_s:.1} s loading, {shards_s:.1} s in forward passes and writing"
    )];
    for (name, seconds) in named.into_iter().chain([("waiting", rest)]) {
        lines.push(format!("  {name:<12} {seconds:>8.2} s {:>5.1} %", 100.0 * seconds / shards_s));
    }
    let achieved = profile.linear_flop_per_second();
    let possible = peak_flop_per_second();
    lines.push(format!(
        "  linear layers: {:.0} GFLOP/s, {:.0} % of the {:.0} GFLOP/s that the arithmetic units reach now",
        achieved / 1e9,
        100.0 * achieved / possible,
        possible / 1e9
    ));
    lines.join("\n") + "\n"
}

/// A task to extract, with what is kept of the forward pass over its prompts.
struct TaskSettings {
    task: String,
    settings: Settings,
}

/// The model, and the tasks to extract with it.
struct Request {
    model: NamedModel,
    tasks: Vec<TaskSettings>,
}

fn resolve(args: &ExtractArgs) -> Result<Request, Failure> {
    if let (false, Some(task)) = (args.study.is_given(), &args.task) {
        let model = model_argument::parse(args.model.model.as_deref().unwrap_or(ALIASES[0].name))?;
        let model = model_argument::name(model, args.model.model_name.as_deref())?;
        let settings = override_settings(Settings::default(), &args.keep)?;
        return Ok(Request { model, tasks: vec![TaskSettings { task: task.clone(), settings }] });
    }
    let study = resolve_study(&args.study, &args.model, ModelNeed::Files)?;
    let names: Vec<_> = study.tasks.iter().map(|t| t.name.clone()).collect();
    let chosen = |name: &String| args.task.as_ref().is_none_or(|task| task == name);
    let tasks: Vec<_> = study
        .tasks
        .into_iter()
        .filter(|task| chosen(&task.name))
        .map(|task| {
            let settings = override_settings(task.extract, &args.keep)?;
            Ok(TaskSettings { task: task.name, settings })
        })
        .collect::<Result<_, Failure>>()?;
    match &args.task {
        Some(task) if tasks.is_empty() => {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            Err(Failure::usage(format!("could not extract `{task}`"))
                .because("the study has no such task")
                .hint(suggest(task, "tasks", &names)))
        }
        _ => Ok(Request { model: study.model, tasks }),
    }
}

/// Runs the model over one task and reports what was computed.
pub fn extract(
    lake: &Lake,
    task: &str,
    model: &ResolvedModel,
    settings: &Settings,
    resources: &Resources,
    recompute: Recompute,
    reporter: &Reporter,
) -> Result<Outcome, Failure> {
    let outcome = hypercolumn_extract::extract(lake, task, model, settings, resources, recompute, reporter)
        .map_err(could_not("extract", task))?;
    let n_shards = outcome.n_shards_run + outcome.n_shards_reused;
    let tokens = format!(
        "{} prompts, {} tokens ({} unique)",
        format_count(outcome.n_prompts as u64),
        format_count(outcome.n_tokens as u64),
        format_count(outcome.n_unique_tokens as u64)
    );
    reporter.say(&match outcome.n_shards_run {
        0 => format!("extract {task}: {tokens}, all {n_shards} shards reused"),
        n => {
            let elapsed = duration(Duration::from_secs_f64(outcome.elapsed_s));
            format!("extract {task}: {tokens}, {n} of {n_shards} shards run in {elapsed}")
        }
    });
    Ok(outcome)
}
