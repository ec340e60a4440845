//! The tasks of a study: the sources of their prompts, their designs and their extraction settings.

use super::ResolvedTask;
use crate::study::{Problem, Study, TASK_KEYS, TaskEntry};
use crate::suggestion::suggest;
use hypercolumn_analyze::{Scoring, TaskDesign};
use hypercolumn_extract::stage::settings::Settings;
use hypercolumn_ingest::{
    ColumnMap, Generator, IngestError, PromptSource, PromptsFile, TemplateTask, check_task,
};
use serde_json::Map;
use toml::Spanned;

/// A task of a study, without what was refused of it.
pub(super) struct DraftTask {
    pub(super) task: ResolvedTask,
    /// Its number among the study's tasks.
    pub(super) index: usize,
    /// Whether a part of it was refused, so that its prompts are not those that the study means.
    pub(super) is_flawed: bool,
    /// Whether that part is among its extraction settings.
    pub(super) is_extract_flawed: bool,
}

/// The task as settings, without what is refused of it; none where its prompts have no source.
pub(super) fn resolve_task(
    study: &Study,
    index: usize,
    entry: &TaskEntry,
    problems: &mut Vec<Problem>,
) -> Option<DraftTask> {
    let n_before = problems.len();
    let name = entry.name.get_ref().clone();
    if let Err(error) = check_task(&name) {
        problems.push(Problem::at(entry.name.span(), error.to_string()));
    }
    let source = match &entry.prompts {
        Some(file) => resolve_prompts(study, entry, file, problems).map(PromptSource::File),
        None if entry.settings.iter().any(|(key, _)| TEMPLATE_KEYS.contains(&key.get_ref().as_str())) => {
            resolve_template(study, entry, problems).map(|task| PromptSource::Template(Box::new(task)))
        }
        None => resolve_generator(entry, problems).map(PromptSource::Generator),
    }?;
    let extract = entry.extract.over(study.file.extract.over(Settings::default()));
    let stated = |value: &Option<Spanned<String>>| value.as_ref().map(|value| value.get_ref().clone());
    let generator = match &source {
        PromptSource::Generator(generator) => Some(generator),
        PromptSource::File(_) | PromptSource::Template(_) => None,
    };
    let of_generator = generator.map(|generator| generator.cluster().to_owned());
    let control = generator.and_then(|generator| generator.control()).map(str::to_owned);
    let cluster = stated(&entry.cluster).or(of_generator);
    let scoring = Scoring {
        pmi_baseline: stated(&entry.pmi_baseline),
        scorer: entry.scorer.as_ref().map(|scorer| *scorer.get_ref()),
        tolerance: entry.tolerance.as_ref().map(|tolerance| *tolerance.get_ref()),
        numbers: entry.numbers.as_ref().map_or_else(Vec::new, |numbers| numbers.get_ref().clone()),
    };
    let reference = stated(&entry.reference);
    let design = TaskDesign { cluster, reference, control, contrasts: Vec::new(), scoring };
    let is_flawed = entry.is_flawed || problems.len() > n_before;
    let is_extract_flawed = entry.extract.is_flawed || study.file.extract.is_flawed;
    if !is_extract_flawed {
        check_sampling(study, index, &extract, problems);
    }
    Some(DraftTask {
        task: ResolvedTask { name, source, design, extract },
        index,
        is_flawed,
        is_extract_flawed,
    })
}

/// Refuses settings of drawn responses that make no sense: at the task's own key, or once at the study's.
fn check_sampling(study: &Study, index: usize, extract: &Settings, problems: &mut Vec<Problem>) {
    let Some((key, reason)) = extract.sampling_problem() else { return };
    let (index, is_own) = (index.to_string(), study.tasks[index].get_ref().extract.sets(key));
    let path = if is_own { vec!["task", &index, "extract", key] } else { vec!["extract", key] };
    let problem = Problem::at(study.locate(&path), format!("`{key}`: {reason}"));
    if !problems.iter().any(|other| other.span == problem.span && other.message == problem.message) {
        problems.push(problem.hint("for example: n_samples = 10, temperature = 0.7, top_p = 0.95"));
    }
}

fn resolve_prompts(
    study: &Study,
    entry: &TaskEntry,
    file: &Spanned<String>,
    problems: &mut Vec<Problem>,
) -> Option<PromptsFile> {
    if let Some(generator) = &entry.generator {
        problems.push(Problem::at(generator.span(), "a task has either `prompts` or a `generator`"));
        return None;
    }
    let accepted: Vec<&str> = TASK_KEYS.into_iter().filter(|key| *key != "generator").collect();
    for (key, _) in &entry.settings {
        let hint = suggest(key.get_ref(), "keys of a task with `prompts`", &accepted);
        problems.push(Problem::at(key.span(), format!("unknown key `{}`", key.get_ref())).hint(hint));
    }
    let path = study.directory.join(file.get_ref());
    if !path.exists() {
        let message = format!("there is no file `{}`", path.display());
        let hint = "`prompts` is relative to the study's directory";
        problems.push(Problem::at(file.span(), message).hint(hint));
        return None;
    }
    let prompts = PromptsFile { path, map: column_map(entry, problems)? };
    let checked = prompts.check().map_err(|error| problems.push(Problem::at(file.span(), error.to_string())));
    checked.ok().map(|()| prompts)
}

fn column_map(entry: &TaskEntry, problems: &mut Vec<Problem>) -> Option<ColumnMap> {
    let Some(map) = &entry.map else { return Some(ColumnMap::default()) };
    let refuse = |error: IngestError| {
        let problem = Problem::at(map.span(), error.to_string());
        problems.push(problem.hint("map = { text = \"COLUMN\" }"));
    };
    ColumnMap::new(map.get_ref().clone()).map_err(refuse).ok()
}

/// The settings that stand beside a task's own keys, without those that are not `known`.
fn settings_of(
    entry: &TaskEntry,
    known: impl Iterator<Item = &'static str>,
    problems: &mut Vec<Problem>,
) -> Map<String, serde_json::Value> {
    let known: Vec<&str> = known.collect();
    let mut settings = Map::new();
    for (key, value) in &entry.settings {
        if !known.iter().any(|k| k == key.get_ref()) {
            let accepted: Vec<_> = known.iter().copied().chain(TASK_KEYS).collect();
            let message = format!("unknown key `{}`", key.get_ref());
            problems.push(Problem::at(key.span(), message).hint(suggest(key.get_ref(), "keys", &accepted)));
            continue;
        }
        let value = serde_json::to_value(value).expect("TOML values are JSON");
        settings.insert(key.get_ref().clone(), value);
    }
    settings
}

/// Keys that a task with a template has and no built-in task.
const TEMPLATE_KEYS: [&str; 2] = ["template", "items"];

fn resolve_template(study: &Study, entry: &TaskEntry, problems: &mut Vec<Problem>) -> Option<TemplateTask> {
    if let Some(generator) = &entry.generator {
        problems.push(Problem::at(generator.span(), "a task has either a `template` or a `generator`"));
        return None;
    }
    let settings = settings_of(entry, TemplateTask::setting_names(), problems);
    if !settings.contains_key(TEMPLATE_KEYS[0]) {
        let message = "the key `template` is missing: `items` are what a template makes prompts of";
        problems.push(Problem::at(entry.name.span(), message));
        return None;
    }
    let map = column_map(entry, problems)?;
    let make = |settings: &Map<_, _>| TemplateTask::from_settings(settings, &study.directory, map.clone());
    first_accepted(settings, make, |error| problems.push(blame(entry, &entry.name, error)))
}

/// What `make` makes of settings; one that is refused is left out, so that the others are judged too.
fn first_accepted<T>(
    mut settings: Map<String, serde_json::Value>,
    make: impl Fn(&Map<String, serde_json::Value>) -> Result<T, IngestError>,
    mut refuse: impl FnMut(&IngestError),
) -> Option<T> {
    loop {
        let error = match make(&settings) {
            Ok(made) => return Some(made),
            Err(error) => error,
        };
        refuse(&error);
        let (IngestError::Setting { key, .. } | IngestError::UnknownSetting { key, .. }) = &error else {
            return None;
        };
        settings.shift_remove(key)?;
    }
}

fn resolve_generator(entry: &TaskEntry, problems: &mut Vec<Problem>) -> Option<Generator> {
    if let Some(map) = &entry.map {
        let message = "`map` names the columns of `prompts`, which the task does not have";
        problems.push(Problem::at(map.span(), message));
    }
    let name = entry.generator.as_ref().unwrap_or(&entry.name);
    let names: Vec<&str> = Generator::names().collect();
    if !names.contains(&name.get_ref().as_str()) {
        let hint = format!("{}; or give `prompts = \"FILE\"`", suggest(name.get_ref(), "generators", &names));
        let message = format!("no built-in task is called `{}`", name.get_ref());
        problems.push(Problem::at(name.span(), message).hint(hint));
        return None;
    }
    let settings = settings_of(entry, Generator::setting_names(name.get_ref()), problems);
    let make = |settings: &Map<_, _>| Generator::from_settings(name.get_ref(), settings);
    first_accepted(settings, make, |error| problems.push(blame(entry, name, error)))
}

/// The refusal of a generator, at the setting in the study that the generator refuses.
fn blame(entry: &TaskEntry, name: &Spanned<String>, error: &IngestError) -> Problem {
    let key = match error {
        IngestError::Setting { key, .. } | IngestError::UnknownSetting { key, .. } => key.as_str(),
        IngestError::Template { key, .. } => key,
        _ => "",
    };
    let setting = entry.settings.iter().find(|(k, _)| k.get_ref() == key).map(|(k, _)| k.span());
    let span = match (error, &entry.map) {
        (IngestError::ColumnMap { .. }, Some(map)) => map.span(),
        _ => setting.unwrap_or(name.span()),
    };
    Problem::at(span, error.to_string())
}
