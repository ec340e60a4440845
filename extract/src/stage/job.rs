//! One extraction: what there is to compute, what the lake holds of it, and computing the rest.
//!
//! What this module leaves to others: cutting shards and running one (`shard`), what the stage says of it (`stage`).

use super::{BACKEND, CODE_VERSION, Spent};
use crate::error::{ExtractError, TooLongPrompt};
use crate::forward::profile::Work;
use crate::forward::{Placed, Placement, ResumeCheckpoint};
use crate::model::source::ResolvedModel;
use crate::stage::ModelFile;
use crate::stage::batch::Runner;
use crate::stage::identity::check_identity;
use crate::stage::resources::Resources;
use crate::stage::settings::Settings;
use crate::stage::shard::{Shard, ShardRunner, count_unique, plan_shards, workload, writing_thread};
use crate::stage::tokenized_prompt::{TokenizedPrompt, tokenize_task};
use hypercolumn_schemas::{
    BackendId, Commit, CommitInfo, ExtractRecord, FileEntry, Lake, ModelRecord, Partition, Progress, Prompt,
    Recompute, Record, RecordVersion, Slot, Snapshot, TaskRows, content_key, describe_changes,
    prompts_digest, tables,
};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

/// Everything that is known before a weight is read.
pub(super) struct Job<'a> {
    pub(super) task: String,
    model: &'a ResolvedModel,
    /// Those asked for, joined to those of the extraction that the lake holds.
    pub(super) settings: Settings,
    template: Option<String>,
    pub(super) file: ModelFile,
    content_hash: String,
    pub(super) snapshot: Snapshot,
    pub(super) tokenized_prompts: Vec<TokenizedPrompt>,
    pub(super) shards: Vec<Vec<usize>>,
    keys: Vec<String>,
    /// Numbers of the shards' slots.
    numbers: Vec<u32>,
    run_key: String,
    prompts_digest: String,
    recompute: Recompute,
}

impl<'a> Job<'a> {
    pub(super) fn prepare(
        snapshot: Snapshot,
        rows: TaskRows,
        model: &'a ResolvedModel,
        asked: &Settings,
        recompute: Recompute,
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
        let numbers = number_shards(&snapshot, &model.name, &task, &keys);
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
            numbers,
            run_key,
            prompts_digest,
            recompute,
        })
    }

    fn slot(&self, shard: usize) -> Slot {
        let shard = self.numbers[shard];
        Slot::Extract { model: self.model.name.clone(), task: self.task.clone(), shard }
    }

    /// Whether the lake holds the shard as one of this run.
    pub(super) fn is_done(&self, shard: usize) -> bool {
        self.recompute == Recompute::Changed
            && self.held(shard).is_some_and(|(_, record)| record.run_key == self.run_key)
    }

    /// Whether the lake holds the shard as one of an earlier run over other prompts.
    pub(super) fn is_kept(&self, shard: usize) -> bool {
        self.recompute == Recompute::Changed && self.held(shard).is_some() && !self.is_done(shard)
    }

    /// The shards to compute.
    pub(super) fn missing(&self) -> Vec<usize> {
        (0..self.shards.len()).filter(|shard| !self.is_done(*shard) && !self.is_kept(*shard)).collect()
    }

    /// What the lake holds of what the shard would give.
    fn held(&self, shard: usize) -> Option<(&Commit, &ExtractRecord)> {
        let commit = self.snapshot.slot(&self.slot(shard))?;
        (commit.key == self.keys[shard]).then_some(commit).zip(commit.details.as_extract())
    }

    /// Makes shards of an earlier run shards of this one, which leaves their files as they are.
    pub(super) fn keep_shards(&self, lake: &Lake, removes: &mut Vec<Slot>) -> Result<(), ExtractError> {
        for shard in (0..self.shards.len()).filter(|shard| self.is_kept(*shard)) {
            let Some((commit, earlier)) = self.held(shard) else { continue };
            let mut transaction = lake.begin(self.slot(shard))?;
            transaction.require(self.prompt_files());
            transaction.keep(&commit.files);
            let record = ExtractRecord {
                run_key: self.run_key.clone(),
                n_shards: self.shards.len() as u32,
                prompts_digest: self.prompts_digest.clone(),
                ..earlier.clone()
            };
            transaction.commit(CommitInfo {
                key: commit.key.clone(),
                details: Record::Extract(Box::new(record)),
                removes: std::mem::take(removes),
            })?;
        }
        Ok(())
    }

    /// Why shards are read again that an earlier record describes.
    pub(super) fn explain_change(&self, before: &ExtractRecord) -> String {
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

    pub(super) fn n_tokens(&self) -> usize {
        self.tokenized_prompts.iter().map(|r| r.ids.len()).sum()
    }

    pub(super) fn n_unique_tokens(&self) -> usize {
        self.shards.iter().map(|shard| count_unique(&self.tokenized_prompts, shard)).sum()
    }

    /// Where the weights go, and the memory that this is predicted to take.
    pub(super) fn place(&self, resources: &Resources) -> Result<Placed, ExtractError> {
        let available_bytes = resources.available_bytes();
        let workload =
            workload(&self.tokenized_prompts, &self.shards, &self.settings, self.file.shape().d_model);
        BACKEND
            .place(self.file.architecture(), &workload, available_bytes)
            .map_err(|needed| ExtractError::Memory { needed_bytes: needed.n_bytes(), available_bytes })
    }

    pub(super) fn run(
        &self,
        lake: &Lake,
        missing: &[usize],
        placement: Placement,
        mut removes: Vec<Slot>,
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
    pub(super) fn warn_of_replacement(&self, removes: &[Slot], progress: &dyn Progress) {
        let replaced = removes.iter().find_map(|slot| self.snapshot.slot(slot)?.details.as_extract());
        if let Some(before) = replaced {
            let (task, model) = (&self.task, &self.model.name);
            let changes = self.explain_change(before);
            let kept = match (0..self.shards.len()).filter(|shard| self.is_kept(*shard)).count() {
                0 => String::new(),
                n => format!("; {n} of {} shards are kept", self.shards.len()),
            };
            progress.warn(&format!("{task}: what `{model}` read before is replaced: {changes}{kept}"));
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
    pub(super) fn outdated_slots(&self) -> Vec<Slot> {
        let held = |shard: usize| self.held(shard).map(|(commit, _)| commit.slot.clone());
        let current: Vec<Slot> = (0..self.shards.len()).filter_map(held).collect();
        let slots = self.snapshot.shards(&self.model.name, &self.task).map(|(c, _)| c.slot.clone());
        slots.filter(|slot| !current.contains(slot)).collect()
    }

    fn record(&self, shard: usize, spent: &Spent) -> Record {
        let shape = self.file.shape();
        let seconds = |work: &Work| (work.name().to_owned(), spent.profile.seconds(*work));
        Record::Extract(Box::new(ExtractRecord {
            version: RecordVersion,
            run_key: self.run_key.clone(),
            shard: self.numbers[shard],
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

/// Numbers for the slots of shards: a shard that the lake holds has the number that it has there, every other the least that
/// none of these has.
fn number_shards(snapshot: &Snapshot, model: &str, task: &str, keys: &[String]) -> Vec<u32> {
    let held: HashMap<&str, u32> =
        snapshot.shards(model, task).map(|(commit, record)| (commit.key.as_str(), record.shard)).collect();
    let own = |key: &String| held.get(key.as_str()).copied();
    let taken: BTreeSet<u32> = keys.iter().filter_map(own).collect();
    let mut free = (0..).filter(|number| !taken.contains(number));
    keys.iter().map(|key| own(key).unwrap_or_else(|| free.next().expect("numbers are many"))).collect()
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
