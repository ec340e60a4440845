//! The stage itself: what is to be done, what is done already, and doing the rest.

mod answer_prefix;
mod batch;
mod chunk;
mod collect;
pub(crate) mod forecast;
mod identity;
pub mod inspect;
mod job;
mod model_file;
mod output;
pub mod prompt_tokens;
pub mod resources;
pub mod sampling;
mod segment_plan;
pub mod settings;
mod shard;
mod tokenized_prompt;

pub use identity::check_model;
pub use model_file::ModelFile;

use crate::cpu::Cpu;
use crate::error::ExtractError;
use crate::forward::profile::Profile;
use crate::forward::{Backend, MemoryForecast, Placed, Placement};
use crate::model::source::ResolvedModel;
use crate::stage::forecast::{predicted_lake_bytes, product_flop, seconds};
use crate::stage::job::Job;
use crate::stage::resources::Resources;
use crate::stage::settings::Settings;
use hypercolumn_schemas::{Lake, Progress, Recompute, Slot, Snapshot, TaskRows, tables};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Instant;

/// Raised when the same prompts, model and settings would give other rows than before.
const CODE_VERSION: u32 = 3;

/// The backend that extractions run on.
static BACKEND: &dyn Backend = &Cpu;

/// What an extraction would do.
#[derive(Clone, Debug, Serialize)]
pub struct ExtractPlan {
    /// Where the weights would be.
    pub placement: Placement,
    /// Memory at most, about, by what it is for.
    pub memory: MemoryForecast,
    /// Bytes that the lake grows by, about, if nothing is there yet.
    pub n_lake_bytes: u64,
    /// Seconds of computing and writing what is missing, about: by the rate of products that the machine has at this
    /// moment. How soon responses end is a guess. Loading the model is not in it.
    pub seconds: f64,
    /// Shards that the prompts make.
    pub n_shards: usize,
    /// Shards that are in the lake already.
    pub n_shards_done: usize,
    /// Shards that an extraction of other prompts left and this one keeps.
    pub n_shards_kept: usize,
    /// Prompts.
    pub n_prompts: usize,
    /// Tokens of all prompts.
    pub n_tokens: usize,
    /// Tokens when each shared beginning counts once a shard: what has to be computed.
    pub n_unique_tokens: usize,
    /// Why there is something to do, or that there is nothing.
    pub reason: String,
}

/// What an extraction did.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Prompts of the task.
    pub n_prompts: usize,
    /// Tokens of all prompts.
    pub n_tokens: usize,
    /// Tokens when each shared beginning counts once a shard.
    pub n_unique_tokens: usize,
    /// Shards computed now.
    pub n_shards_run: usize,
    /// Shards that were there already.
    pub n_shards_reused: usize,
    /// Wall time in seconds.
    pub elapsed_s: f64,
    /// Seconds of it that reading and packing the weights took.
    pub load_s: f64,
    /// Seconds that passes and writing took.
    pub shards_s: f64,
    /// Where the time of the passes went.
    pub profile: Profile,
}

/// Says what [`extract`] would do with `rows` in a lake that holds `snapshot`, reading no weights.
///
/// # Errors
/// As [`extract`], short of those of the forward pass and of writing.
pub fn plan(
    snapshot: Snapshot,
    rows: TaskRows,
    model: &ResolvedModel,
    settings: &Settings,
    resources: &Resources,
    recompute: Recompute,
) -> Result<ExtractPlan, ExtractError> {
    let job = Job::prepare(snapshot, rows, model, settings, recompute)?;
    let n_shards = job.shards.len();
    let n_shards_done = (0..n_shards).filter(|i| job.is_done(*i)).count();
    let n_shards_kept = (0..n_shards).filter(|i| job.is_kept(*i)).count();
    let reason = if recompute == Recompute::Always {
        "it is asked for again".to_owned()
    } else if n_shards_done == n_shards {
        "same prompts, model and settings".to_owned()
    } else if n_shards_done > 0 {
        format!("{} of {n_shards} shards are missing", n_shards - n_shards_done)
    } else if let Some((_, before)) = job.snapshot.shards(&model.name, &job.task).next() {
        match n_shards_kept {
            0 => job.explain_change(before),
            kept => format!("{}; {kept} of {n_shards} shards are kept", job.explain_change(before)),
        }
    } else {
        format!("`{}` has not read it", model.name)
    };
    let n_unique_tokens = job.n_unique_tokens();
    let n_tokens = job.n_tokens();
    let Placed { placement, forecast: memory } = job.place(resources)?;
    let architecture = job.file.architecture();
    let missing = job.missing();
    let missing = missing.iter().map(|shard| &job.shards[*shard]);
    let flop = product_flop(
        BACKEND.block_bytes(architecture),
        architecture,
        &job.tokenized_prompts,
        missing,
        &job.settings,
    );
    let seconds = if flop > 0.0 { seconds(flop, BACKEND.product_flop_per_second(architecture)) } else { 0.0 };
    Ok(ExtractPlan {
        placement,
        memory,
        n_lake_bytes: predicted_lake_bytes(
            &job.tokenized_prompts,
            &job.settings,
            architecture.shape,
            n_shards,
        ),
        seconds,
        n_shards,
        n_shards_done,
        n_shards_kept,
        n_prompts: job.tokenized_prompts.len(),
        n_tokens,
        n_unique_tokens,
        reason,
    })
}

/// Runs a model over a task's prompts and commits the tables shard by shard; shards that are in the lake with the
/// same content key are not computed again unless `recompute` says so.
///
/// # Errors
/// [`ExtractError::UnknownTask`], [`ExtractError::Model`], [`ExtractError::TooLong`], [`ExtractError::Memory`] and others before anything is
/// written; an error of the forward pass or the lake leaves the shards committed before it.
pub fn extract(
    lake: &Lake,
    task: &str,
    model: &ResolvedModel,
    settings: &Settings,
    resources: &Resources,
    recompute: Recompute,
    progress: &dyn Progress,
) -> Result<Outcome, ExtractError> {
    let started = Instant::now();
    let _claim = lake.claim_extraction(&model.name, task)?;
    let snapshot = lake.without_misplaced(lake.snapshot()?, |slot| matches!(slot, Slot::Extract { .. }));
    let rows = read_task(lake, &snapshot, task)?;
    let job = Job::prepare(snapshot, rows, model, settings, recompute)?;
    let missing = job.missing();
    let placement = if missing.is_empty() { None } else { Some(job.place(resources)?.placement) };
    let mut removes = job.outdated_slots();
    job.warn_of_replacement(&removes, progress);
    job.keep_shards(lake, &mut removes)?;
    let spent = match placement {
        Some(placement) => job.run(lake, &missing, placement, removes, progress)?,
        None => Spent::default(),
    };
    Ok(Outcome {
        n_prompts: job.tokenized_prompts.len(),
        n_tokens: job.n_tokens(),
        n_unique_tokens: job.n_unique_tokens(),
        n_shards_run: missing.len(),
        n_shards_reused: job.shards.len() - missing.len(),
        elapsed_s: started.elapsed().as_secs_f64(),
        load_s: spent.load_s,
        shards_s: spent.shards_s,
        profile: spent.profile,
    })
}

/// Seconds of an extraction's parts.
#[derive(Default)]
struct Spent {
    load_s: f64,
    shards_s: f64,
    profile: Profile,
}

/// The rows of a task of the lake.
///
/// # Errors
/// [`ExtractError::UnknownTask`] with the tasks that there are; errors of the lake.
pub fn read_task(lake: &Lake, snapshot: &Snapshot, task: &str) -> Result<TaskRows, ExtractError> {
    let rows = TaskRows::read(lake, snapshot, task)?;
    if !rows.prompts.is_empty() {
        return Ok(rows);
    }
    let tasks: BTreeSet<_> =
        snapshot.files(&tables::PROMPTS).filter_map(|f| f.partition.task.clone()).collect();
    Err(ExtractError::UnknownTask { task: task.to_owned(), available: tasks.into_iter().collect() })
}
