//! The stage itself: what is to be done, what is done already, and doing the rest.

mod answer_prefix;
mod batch;
mod chunk;
mod collect;
pub(crate) mod forecast;
mod identity;
pub mod inspect;
mod model_file;
mod output;
pub mod prompt_tokens;
pub mod resources;
mod segment_plan;
pub mod settings;
mod shard;
mod tokenized_prompt;

pub use identity::check_model;
pub use model_file::ModelFile;

use crate::cpu::Cpu;
use crate::error::{ExtractError, TooLongPrompt};
use crate::forward::profile::{Profile, Work};
use crate::forward::{Backend, MemoryForecast, Placed, Placement, ResumeCheckpoint};
use crate::model::source::ResolvedModel;
use crate::stage::batch::Runner;
use crate::stage::forecast::{predicted_lake_bytes, product_flop, seconds};
use crate::stage::identity::check_identity;
use crate::stage::resources::Resources;
use crate::stage::settings::Settings;
use crate::stage::shard::{Shard, ShardRunner, count_unique, plan_shards, workload, writing_thread};
use crate::stage::tokenized_prompt::{TokenizedPrompt, tokenize_task};
use hypercolumn_schemas::{
    BackendId, CommitInfo, ExtractRecord, FileEntry, Lake, ModelRecord, Partition, Progress, Prompt,
    Recompute, Record, RecordVersion, Slot, Snapshot, TaskRows, content_key, describe_changes,
    prompts_digest, tables,
};
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
    let job = Job { recompute, ..Job::prepare(snapshot, rows, model, settings)? };
    let n_shards = job.shards.len();
    let n_shards_done = (0..n_shards).filter(|i| job.is_done(*i)).count();
    let reason = if recompute == Recompute::Always {
        "it is asked for again".to_owned()
    } else if n_shards_done == n_shards {
        "same prompts, model and settings".to_owned()
    } else if n_shards_done > 0 {
        format!("{} of {n_shards} shards are missing", n_shards - n_shards_done)
    } else if let Some((_, before)) = job.snapshot.shards(&model.name, &job.task).next() {
        job.explain_change(before)
    } else {
        format!("`{}` has not read it", model.name)
    };
    let n_unique_tokens = job.n_unique_tokens();
    let n_tokens = job.n_tokens();
    let Placed { placement, forecast: memory } = job.place(resources)?;
    let architecture = job.file.architecture();
    let missing = job.shards.iter().enumerate().filter(|(i, _)| !job.is_done(*i)).map(|(_, shard)| shard);
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
    let job = Job { recompute, ..Job::prepare(snapshot, rows, model, settings)? };
    let missing: Vec<usize> = (0..job.shards.len()).filter(|i| !job.is_done(*i)).collect();
    let mut spent = Spent::default();
    if !missing.is_empty() {
        let placement = job.place(resources)?.placement;
        spent = job.run(lake, &missing, placement, progress)?;
    }
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

/// Everything that is known before a weight is read.
struct Job<'a> {
    task: String,
    model: &'a ResolvedModel,
    /// Those asked for, joined to those of the extraction that the lake holds.
    settings: Settings,
    template: Option<String>,
    file: ModelFile,
    content_hash: String,
    snapshot: Snapshot,
    tokenized_prompts: Vec<TokenizedPrompt>,
    shards: Vec<Vec<usize>>,
    keys: Vec<String>,
    run_key: String,
    prompts_digest: String,
    recompute: Recompute,
}

impl<'a> Job<'a> {
    fn prepare(
        snapshot: Snapshot,
        rows: TaskRows,
        model: &'a ResolvedModel,
        asked: &Settings,
    ) -> Result<Self, ExtractError> {
        let task = rows.task.clone();
        let held = snapshot.shards(&model.name, &task).next();
        let held = held.and_then(|(_, earlier)| serde_json::from_value(earlier.settings.clone()).ok());
        let settings = held.map_or_else(|| asked.clone(), |held| asked.joined_to(&held));
        let file = ModelFile::open(model)?;
        let (tokenized_prompts, template) = tokenize_task(rows, &file, &settings)?;
        check_lengths(&tokenized_prompts, &settings, file.shape().n_ctx)?;
        let shards = plan_shards(&tokenized_prompts);
        let content_hash = file.content_hash()?.to_owned();
        check_identity(&snapshot, model, &content_hash)?;
        let inputs = KeyInputs {
            code_version: CODE_VERSION,
            content_hash: &content_hash,
            backend: BACKEND.id(),
            settings: &settings,
            chat_template: template.as_deref(),
        };
        let keys: Vec<String> =
            shards.iter().map(|shard| shard_key(&inputs, &tokenized_prompts, shard)).collect();
        let run_key = content_key(&keys);
        let prompts_digest = digest_of(&tokenized_prompts);
        Ok(Self {
            task,
            model,
            settings,
            template,
            file,
            content_hash,
            snapshot,
            tokenized_prompts,
            shards,
            keys,
            run_key,
            prompts_digest,
            recompute: Recompute::Changed,
        })
    }

    fn slot(&self, shard: usize) -> Slot {
        Slot::Extract { model: self.model.name.clone(), task: self.task.clone(), shard: shard as u32 }
    }

    fn is_done(&self, shard: usize) -> bool {
        self.recompute == Recompute::Changed && self.is_held(shard)
    }

    /// Whether the lake holds what the shard would give.
    fn is_held(&self, shard: usize) -> bool {
        self.snapshot.slot(&self.slot(shard)).is_some_and(|c| {
            c.key == self.keys[shard]
                && c.details.as_extract().is_some_and(|record| record.run_key == self.run_key)
        })
    }

    /// Why shards are read again that an earlier record describes.
    fn explain_change(&self, before: &ExtractRecord) -> String {
        let now = serde_json::to_value(&self.settings).expect("settings are JSON");
        let mut reasons = Vec::new();
        let mut add =
            |is_other: bool, what: &str| reasons.extend(is_other.then(|| format!("{what} changed")));
        add(before.prompts_digest != self.prompts_digest, "the prompts");
        add(before.model.content_hash != self.content_hash, &format!("the model `{}`", self.model.name));
        add(before.chat_template != self.template, "the chat template");
        add(before.backend != BACKEND.id(), "the backend");
        add(before.code_version != CODE_VERSION, "the stage's method");
        reasons.extend(describe_changes(&before.settings, &now));
        if reasons.is_empty() { "the shards were cut otherwise".to_owned() } else { reasons.join("; ") }
    }

    /// The files that the prompts were read from.
    fn prompt_files(&self) -> impl Iterator<Item = &FileEntry> {
        let is_of_task = |file: &&FileEntry| file.partition.task.as_deref() == Some(&self.task);
        [&tables::PROMPTS, &tables::SEGMENTS]
            .into_iter()
            .flat_map(|t| self.snapshot.files(t))
            .filter(is_of_task)
    }

    fn n_tokens(&self) -> usize {
        self.tokenized_prompts.iter().map(|r| r.ids.len()).sum()
    }

    fn n_unique_tokens(&self) -> usize {
        self.shards.iter().map(|shard| count_unique(&self.tokenized_prompts, shard)).sum()
    }

    /// Where the weights go, and the memory that this is predicted to take.
    fn place(&self, resources: &Resources) -> Result<Placed, ExtractError> {
        let available_bytes = resources.available_bytes();
        let workload =
            workload(&self.tokenized_prompts, &self.shards, &self.settings, self.file.shape().d_model);
        BACKEND
            .place(self.file.architecture(), &workload, available_bytes)
            .map_err(|needed| ExtractError::Memory { needed_bytes: needed.n_bytes(), available_bytes })
    }

    fn run(
        &self,
        lake: &Lake,
        missing: &[usize],
        placement: Placement,
        progress: &dyn Progress,
    ) -> Result<Spent, ExtractError> {
        let loading = Instant::now();
        let model = BACKEND.load(self.file.checkpoint(), placement)?;
        let mut spent = Spent { load_s: loading.elapsed().as_secs_f64(), ..Spent::default() };
        let runner = ShardRunner {
            runner: Runner { model: &*model, tokenizer: &self.file.tokenizer, settings: &self.settings },
            resume_layout: BACKEND.resume_layout(),
            partition: Partition::of_model(&self.model.name, &self.task),
            keeps_layers: placement != Placement::Resident,
            writing: writing_thread(),
        };
        let tokens =
            |shard: &usize| self.shards[*shard].iter().map(|p| self.tokenized_prompts[*p].ids.len() as u64);
        progress.start(&format!("extract {}", self.task), missing.iter().flat_map(tokens).sum(), "tokens");
        self.warn_of_merged_answers(missing, progress);
        let mut spelt_otherwise = Vec::new();
        let mut removes = self.outdated_slots();
        self.warn_of_replacement(&removes, progress);
        for &shard in missing {
            let started = Instant::now();
            let mut transaction = lake.begin(self.slot(shard))?;
            transaction.require(self.prompt_files());
            let named = Shard { prompts: &self.shards[shard], key: &self.keys[shard] };
            let read = runner.read_shard(&self.tokenized_prompts, &named, &mut transaction, progress)?;
            let profile = model.take_profile();
            let elapsed_s = started.elapsed().as_secs_f64();
            let info = CommitInfo {
                key: self.keys[shard].clone(),
                details: self.record(shard, &Spent { load_s: spent.load_s, shards_s: elapsed_s, profile }),
                removes: std::mem::take(&mut removes),
            };
            transaction.commit(info)?;
            read.checkpoints.into_iter().for_each(ResumeCheckpoint::remove);
            spelt_otherwise.extend(read.spelt_otherwise);
            spent.shards_s += elapsed_s;
            spent.profile += profile;
        }
        progress.finish();
        self.warn_of_spelling(&spelt_otherwise, progress);
        Ok(spent)
    }

    /// Warns of shards of an earlier extraction that this one replaces, with what changed.
    fn warn_of_replacement(&self, removes: &[Slot], progress: &dyn Progress) {
        let replaced = removes.iter().find_map(|slot| self.snapshot.slot(slot)?.details.as_extract());
        if let Some(before) = replaced {
            let (task, model) = (&self.task, &self.model.name);
            let changes = self.explain_change(before);
            progress.warn(&format!("{task}: what `{model}` read before is replaced: {changes}"));
        }
    }

    fn warn_of_merged_answers(&self, missing: &[usize], progress: &dyn Progress) {
        let prompts =
            missing.iter().flat_map(|shard| &self.shards[*shard]).map(|p| &self.tokenized_prompts[*p]);
        let mut merged = prompts.filter(|prompt| prompt.answers.iter().any(|answer| answer.merges));
        let Some(first) = merged.next() else { return };
        progress.warn(&format!(
            "{}: {} of {} prompts have an answer whose beginning this tokenizer merges with the prompt's end; the prompt's \
             tokens stay, the answer is read apart from them (the first is `{}`)",
            self.task,
            1 + merged.count(),
            self.tokenized_prompts.len(),
            first.prompt.prompt_id
        ));
    }

    fn warn_of_spelling(&self, prompts: &[String], progress: &dyn Progress) {
        let Some(first) = prompts.first() else { return };
        progress.warn(&format!(
            "{}: for {} of {} prompts the response begins with the expected answer in other tokens than those that \
             expected_logprob is of, which is then too low (the first is `{first}`); the column `scored` of responses shows \
             what was scored, answer_prefix sets what stands before it",
            self.task,
            prompts.len(),
            self.tokenized_prompts.len()
        ));
    }

    /// Slots of an earlier extraction with other prompts, model or settings: emptied by this one's first commit, so
    /// that no reader ever sees two runs side by side.
    fn outdated_slots(&self) -> Vec<Slot> {
        let current: Vec<Slot> =
            (0..self.shards.len()).filter(|i| self.is_held(*i)).map(|i| self.slot(i)).collect();
        let slots = self.snapshot.shards(&self.model.name, &self.task).map(|(c, _)| c.slot.clone());
        slots.filter(|slot| !current.contains(slot)).collect()
    }

    fn record(&self, shard: usize, spent: &Spent) -> Record {
        let shape = self.file.shape();
        let seconds = |work: &Work| (work.name().to_owned(), spent.profile.seconds(*work));
        Record::Extract(Box::new(ExtractRecord {
            version: RecordVersion,
            run_key: self.run_key.clone(),
            shard: shard as u32,
            n_shards: self.shards.len() as u32,
            prompts_digest: self.prompts_digest.clone(),
            n_prompts: self.shards[shard].len(),
            n_unique_tokens: count_unique(&self.tokenized_prompts, &self.shards[shard]),
            model: ModelRecord {
                name: self.model.name.clone(),
                source: self.model.source.clone(),
                content_hash: self.content_hash.clone(),
                n_layers: shape.n_layers,
                d_model: shape.d_model,
                n_heads: shape.n_heads,
                n_vocabulary: shape.n_vocabulary,
            },
            backend: BACKEND.id(),
            settings: serde_json::to_value(&self.settings).expect("settings are JSON"),
            chat_template: self.template.clone(),
            code_version: CODE_VERSION,
            load_s: spent.load_s,
            elapsed_s: spent.shards_s,
            profile_s: Work::ALL.iter().map(seconds).collect(),
            linear_flop: spent.profile.linear_flop,
        }))
    }
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

fn check_lengths(
    tokenized_prompts: &[TokenizedPrompt],
    settings: &Settings,
    n_ctx: usize,
) -> Result<(), ExtractError> {
    let needed = |prompt: &TokenizedPrompt| {
        let answer = prompt.answers.iter().map(|a| a.ids.len()).max().unwrap_or(0);
        prompt.ids.len() + answer.max(settings.max_new_tokens)
    };
    let sized = tokenized_prompts
        .iter()
        .map(|prompt| TooLongPrompt { prompt_id: prompt.prompt.prompt_id.clone(), n_tokens: needed(prompt) });
    let too_long: Vec<_> = sized.filter(|prompt| prompt.n_tokens > n_ctx).collect();
    if too_long.is_empty() { Ok(()) } else { Err(ExtractError::TooLong { too_long, n_ctx }) }
}

fn digest_of(tokenized_prompts: &[TokenizedPrompt]) -> String {
    let prompts: Vec<Prompt> = tokenized_prompts.iter().map(|p| p.prompt.clone()).collect();
    prompts_digest(&prompts)
}

/// What decides the rows of a shard beside its prompts.
#[derive(Serialize)]
struct KeyInputs<'a> {
    code_version: u32,
    content_hash: &'a str,
    backend: BackendId,
    settings: &'a Settings,
    chat_template: Option<&'a str>,
}

fn shard_key(inputs: &KeyInputs, tokenized_prompts: &[TokenizedPrompt], shard: &[usize]) -> String {
    let prompts: Vec<_> = shard.iter().map(|i| tokenized_prompts[*i].prompt.as_read()).collect();
    content_key(&(inputs, prompts))
}
