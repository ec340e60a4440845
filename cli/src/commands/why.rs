//! `status --why`: what the rows of a table or a slot were computed from, and whether they would be computed again.

use super::steps::{Action, Graph, Place, Planned, plan};
use super::{print, print_json};
use crate::args::{ModelOptions, StatusArgs, StudyOption};
use crate::failure::Failure;
use crate::output::{draw, format_count};
use crate::resolve::{CheckedStudy, ModelNeed, check_study};
use crate::suggestion::suggest;
use hypercolumn_extract::stage::resources::Resources;
use hypercolumn_schemas::{Change, Commit, Recompute, Record, Slot, Snapshot, changes, tables};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What one slot holds, or all shards of an extraction.
#[derive(Serialize)]
struct Origin {
    slot: String,
    n_rows: u64,
    /// Numbers of the log's entries.
    entries: Vec<u64>,
    keys: Vec<String>,
    program: String,
    code_version: Option<u32>,
    /// Settings, source and model.
    settings: Value,
    /// Tables that the rows were computed from, each with its slot.
    reads: Vec<String>,
    stale: Option<String>,
    /// `run`, `reuse`, or none where that is not known.
    action: Option<Action>,
    /// Why.
    reason: String,
}

/// Prints the origin of what `target` names.
pub fn run(target: &str, args: &StatusArgs, snapshot: &Snapshot) -> Result<(), Failure> {
    let found = select(snapshot, target)?;
    let mut plans = Plans { args, snapshot, made: BTreeMap::new() };
    let origins: Vec<Origin> = found.values().map(|commits| origin(snapshot, commits, &mut plans)).collect();
    match args.json {
        true => print_json(&origins),
        false => print(&origins.iter().map(describe).collect::<Vec<_>>().join("\n")),
    }
}

/// The commits of a table, an analysis or a slot; all shards of an extraction together.
fn select<'a>(snapshot: &'a Snapshot, target: &str) -> Result<BTreeMap<String, Vec<&'a Commit>>, Failure> {
    let is_meant = |commit: &&Commit| {
        let is_of_table = commit.files.iter().any(|file| file.table == target);
        let is_of_question = matches!(&commit.slot, Slot::Analyze { question, .. } if question == target);
        let slot = [commit.slot.to_string(), commit.slot.without_shard()];
        is_of_table || is_of_question || slot.iter().any(|slot| slot == target)
    };
    let mut found: BTreeMap<String, Vec<&Commit>> = BTreeMap::new();
    for commit in snapshot.commits().filter(is_meant) {
        found.entry(commit.slot.without_shard()).or_default().push(commit);
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let failure = Failure::usage(format!("could not explain `{target}`"));
    if tables::by_name(target).is_some() {
        return Err(failure.because("the table has no rows"));
    }
    let slots: BTreeSet<String> = snapshot.commits().map(|commit| commit.slot.without_shard()).collect();
    let names = tables::ALL.into_iter().map(|table| table.name).chain(slots.iter().map(String::as_str));
    Err(failure.because("it is neither a table nor a slot of the lake").hint(suggest(
        target,
        "names",
        &names.collect::<Vec<_>>(),
    )))
}

fn origin(snapshot: &Snapshot, commits: &[&Commit], plans: &mut Plans<'_>) -> Origin {
    let first = commits[0];
    let (code_version, settings) = settings_of(first);
    let stale = snapshot.stale().into_iter().find(|stale| stale.slot == first.slot).map(|stale| stale.reason);
    let (action, reason) = match plans.planned(first) {
        Ok(planned) => (Some(planned.action), planned.reason),
        Err(reason) => (None, reason),
    };
    Origin {
        slot: first.slot.without_shard(),
        n_rows: commits.iter().flat_map(|commit| &commit.files).map(|file| file.n_rows).sum(),
        entries: commits.iter().map(|commit| commit.sequence).collect(),
        keys: commits.iter().map(|commit| commit.key.clone()).collect(),
        program: first.program.clone(),
        code_version,
        settings,
        reads: reads(snapshot, commits),
        stale,
        action,
        reason,
    }
}

/// The code version, and what else beside the inputs decides the rows.
fn settings_of(commit: &Commit) -> (Option<u32>, Value) {
    match &commit.details {
        Record::Ingest(record) => (None, json!({ "source": record.source })),
        Record::Extract(record) => (
            Some(record.code_version),
            json!({
                "model": record.model, "backend": record.backend, "chat_template": record.chat_template,
                "settings": record.settings, "prompts_digest": record.prompts_digest,
            }),
        ),
        Record::Analyze(record) => (Some(record.code_version), record.settings.clone()),
    }
}

/// The tables that commits read, each with the slot that holds it now.
fn reads(snapshot: &Snapshot, commits: &[&Commit]) -> Vec<String> {
    let holders: BTreeMap<&str, &Slot> = snapshot
        .commits()
        .flat_map(|commit| commit.files.iter().map(|file| (file.path.as_str(), &commit.slot)))
        .collect();
    let read = commits.iter().flat_map(|commit| &commit.reads).map(|path| {
        let table = path.split('/').next().unwrap_or_default();
        match holders.get(path.as_str()) {
            Some(slot) => format!("{table} of {}", slot.without_shard()),
            None => format!("{table}, replaced since ({path})"),
        }
    });
    read.collect::<BTreeSet<_>>().into_iter().collect()
}

/// What studies would do with the lake, planned once each.
struct Plans<'a> {
    args: &'a StatusArgs,
    snapshot: &'a Snapshot,
    /// By the study's and the model's arguments.
    made: BTreeMap<(Vec<String>, Option<String>), Result<Plan, String>>,
}

/// A study's steps and what each would do.
struct Plan {
    graph: Graph,
    planned: Vec<Planned>,
}

impl Plans<'_> {
    /// What the step that fills a commit's slot would do, or why that is not known.
    fn planned(&mut self, commit: &Commit) -> Result<Planned, String> {
        let Some(study) = self.study_of(commit) else {
            return Err("which study asked is not recorded; `status STUDY --why …` names one".to_owned());
        };
        let model = commit.slot.model().map(str::to_owned);
        let key = (study.clone(), model.clone());
        if !self.made.contains_key(&key) {
            let made = self.plan(&study, model.as_deref());
            self.made.insert(key.clone(), made);
        }
        let Plan { graph, planned } = self.made[&key].as_ref().map_err(Clone::clone)?;
        let gone = || format!("its file is study `{}` now, which has no such step", graph.study);
        let number = graph.step_of(&commit.slot).ok_or_else(gone)?;
        Ok(planned[number].clone())
    }

    /// The arguments of the study that the user names, or of the latest one that asked about the slot's task and model.
    fn study_of(&self, commit: &Commit) -> Option<Vec<String>> {
        let StudyOption { study, preset } = &self.args.study;
        if let Some(path) = study {
            return Some(vec![path.display().to_string()]);
        }
        if let Some(name) = preset {
            return Some(vec!["--preset".to_owned(), name.clone()]);
        }
        let asked = |other: &&Commit| {
            other.slot == commit.slot
                || (other.slot.task() == commit.slot.task()
                    && !matches!(commit.slot, Slot::Analyze { .. })
                    && commit.slot.model().is_none_or(|model| other.slot.model() == Some(model)))
        };
        let records =
            self.snapshot.commits().filter(asked).filter_map(|other| {
                Some((other.sequence, other.details.as_analyze()?.study_arguments.clone()?))
            });
        shlex::split(&records.max()?.1)
    }

    fn plan(&self, study: &[String], model: Option<&str>) -> Result<Plan, String> {
        let option = match study {
            [path] => StudyOption { study: Some(path.into()), preset: None },
            [_, name] => StudyOption { study: None, preset: Some(name.clone()) },
            _ => StudyOption { study: None, preset: None },
        };
        let made = self.check(&option, model).and_then(|CheckedStudy { study, rows }| {
            let graph = Graph::of(&study)?;
            let resources = Resources { memory_bytes: None };
            let place = Place { lake: &self.args.lake.lake, report: None, resources: &resources };
            let planned = plan(&place, &study, &rows, &graph, Recompute::Changed)?;
            Ok(Plan { graph, planned })
        });
        made.map_err(|failure| failure.sentence().0)
    }

    /// The study with the model that the lake's rows are of, which the command line may have named.
    fn check(&self, option: &StudyOption, model: Option<&str>) -> Result<CheckedStudy, Failure> {
        let given = &self.args.model;
        let own = check_study(option, given, ModelNeed::Name)?;
        let Some(model) = model.filter(|model| *model != own.study.model.name && given.model.is_none())
        else {
            return Ok(own);
        };
        let source = self.snapshot.extractions().find(|(_, record)| record.model.name == model);
        let source = source.map(|(_, record)| record.model.source.clone());
        let options = ModelOptions { model: source, model_name: Some(model.to_owned()) };
        check_study(option, &options, ModelNeed::Name)
    }
}

fn describe(origin: &Origin) -> String {
    let list = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let mut rows = vec![
        vec!["rows".to_owned(), format_count(origin.n_rows)],
        vec!["entries of the log".to_owned(), list(&origin.entries)],
        vec!["key".to_owned(), origin.keys.join(", ")],
        vec!["program".to_owned(), origin.program.clone()],
    ];
    rows.extend(origin.code_version.map(|version| vec!["code version".to_owned(), version.to_string()]));
    rows.extend(origin.reads.iter().map(|read| vec!["computed from".to_owned(), read.clone()]));
    for Change { path, now, .. } in changes(&json!({}), &origin.settings) {
        if !path.is_empty() {
            rows.push(vec![path, now.unwrap_or_default()]);
        }
    }
    rows.extend(origin.stale.iter().map(|reason| vec!["stale".to_owned(), reason.clone()]));
    let next = match origin.action {
        Some(Action::Run) => format!("computed again: {}", origin.reason),
        Some(Action::Reuse) => format!("reused: {}", origin.reason),
        None => format!("not known: {}", origin.reason),
    };
    rows.push(vec!["in the next run".to_owned(), next]);
    format!("{}\n{}", origin.slot, draw(&["what", "value"], &rows, &[]))
}
