//! Resolves the command line and a study into settings of the stages: finds sources, merges settings, checks names that
//! refer to each other. Everything that can be refused is refused here, before the first stage starts.

use crate::args::{ChatOption, KeepArgs, ModelOptions, OWN_TEMPLATE, PoolingArg, StudyOption};
use crate::commands::models;
use crate::failure::{Failure, could_not};
use crate::invocation::lasting_study_arguments;
use crate::study::{ContrastEntry, Problem, Study, TASK_KEYS, TaskEntry};
use crate::suggestion::suggest;
use hypercolumn_analyze::Questions;
use hypercolumn_analyze::{Contrast, Scoring, StatesAsked, StudyEntry, TaskDesign};
use hypercolumn_extract::model::source::{ALIASES, ModelSource, NamedModel, SourceError};
use hypercolumn_extract::stage::settings::Settings;
use hypercolumn_extract::tokenize::chat::ChatTemplate;
use hypercolumn_ingest::{ColumnMap, Generator, IngestError, PromptSource, PromptsFile, check_task};
use hypercolumn_schemas::Pooling;
use serde_json::Map;
use toml::Spanned;

/// A study that can be carried out.
#[derive(Debug)]
pub struct ResolvedStudy {
    pub name: String,
    pub model: NamedModel,
    pub tasks: Vec<ResolvedTask>,
    pub questions: Questions,
    /// The study's file, or what to call the built-in one.
    pub label: String,
    /// The study's text.
    pub text: String,
}

/// One task of a study.
#[derive(Debug)]
pub struct ResolvedTask {
    /// Name of the task's partitions.
    pub name: String,
    /// Source of its prompts.
    pub source: PromptSource,
    /// The clusters and the reference condition of its prompts.
    pub design: TaskDesign,
    /// Settings of the extraction.
    pub extract: Settings,
}

impl ResolvedStudy {
    /// Puts the chat template of the command line in place of the study's, if one is named.
    #[must_use]
    pub fn with_template(mut self, option: &ChatOption) -> Self {
        self.tasks.iter_mut().for_each(|task| override_template(&mut task.extract, option));
        self
    }
}

/// What a command needs of a study's model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelNeed {
    /// Its files, which are checked as far as that needs no fetching.
    Files,
    /// Its name in the lake: where its rows are there, its files may be gone, and the name may be given in their place.
    Name,
}

/// Reads and checks a study; `model` replaces the study's.
///
/// # Errors
/// If the study, or a file that it names, is refused.
pub fn resolve_study(
    choice: &StudyOption,
    model: &ModelOptions,
    need: ModelNeed,
) -> Result<ResolvedStudy, Failure> {
    let study = Study::read(choice)?;
    let model = resolve_model(&study, model, need)?;
    let mut tasks: Vec<ResolvedTask> = Vec::new();
    for entry in &study.tasks {
        let task = resolve_task(&study, entry.get_ref()).map_err(|p| study.refuse(p))?;
        if tasks.iter().any(|t| t.name == task.name) {
            let problem =
                Problem::at(entry.get_ref().name.span(), format!("task `{}` is there twice", task.name));
            return Err(study
                .refuse(problem.hint("give one of them another name; `generator` names the built-in task")));
        }
        tasks.push(task);
    }
    if tasks.is_empty() {
        let problem = Problem { span: None, message: "it has no [[task]]".into(), hint: None };
        return Err(study.refuse(problem.hint("a study has at least one [[task]] with a `name`")));
    }
    check_references(&study, &tasks)
        .and_then(|()| assign_contrasts(&study, &mut tasks))
        .and_then(|()| check_kept(&study, &tasks))
        .and_then(|()| check_analysis(&study))
        .map_err(|p| study.refuse(p))?;
    let designs = tasks.iter().map(|task| (task.name.clone(), task.design.clone())).collect();
    let study_arguments = Some(lasting_study_arguments(choice));
    let questions = Questions { study_arguments, ..study.questions(designs) };
    let name = study.file.name.get_ref().clone();
    Ok(ResolvedStudy { name, model, tasks, questions, label: study.label, text: study.text })
}

/// The model of the command line, or else of the study; a name for it likewise.
fn resolve_model(study: &Study, given: &ModelOptions, need: ModelNeed) -> Result<NamedModel, Failure> {
    let own_name = study.file.model_name.as_ref();
    match (&given.model, &given.model_name, own_name) {
        // The study's name is its own model's.
        (Some(text), name, _) => match need {
            ModelNeed::Files => models::name(models::parse(text)?, name.as_deref()),
            ModelNeed::Name => models::name(parse_or_name(text)?, name.as_deref()),
        },
        (None, None, Some(name)) => {
            let named = NamedModel::new(resolve_source(study, need)?, Some(name.get_ref()));
            named.map_err(|e| study.refuse(Problem::at(name.span(), e.to_string())))
        }
        (None, name, _) => models::name(resolve_source(study, need)?, name.as_deref()),
    }
}

/// A model by its source, or by the name that a lake has for it, as if it were that of a directory.
fn parse_or_name(text: &str) -> Result<ModelSource, Failure> {
    match ModelSource::parse(text) {
        Err(SourceError::Unknown { model }) => Ok(ModelSource::Directory(model.into())),
        source => source.map_err(could_not("use model", text)),
    }
}

fn resolve_source(study: &Study, need: ModelNeed) -> Result<ModelSource, Failure> {
    let Some(text) = &study.file.model else {
        return Ok(ModelSource::Alias(&ALIASES[0]));
    };
    let refuse = |e: SourceError| study.refuse(Problem::at(text.span(), e.to_string()).hint(e.remedy()));
    // A path is meant from where the study stands, as the paths of prompts are.
    let beside = study.directory.join(text.get_ref());
    let is_path = beside.exists() && !text.get_ref().contains(':');
    let source = match beside.to_str().filter(|_| is_path) {
        Some(path) => ModelSource::parse(path),
        None => ModelSource::parse(text.get_ref()),
    };
    match (source, need) {
        (Err(SourceError::Unknown { model }), ModelNeed::Name) => Ok(ModelSource::Directory(model.into())),
        (source, ModelNeed::Name) => source.map_err(refuse),
        (source, ModelNeed::Files) => {
            let source = source.map_err(refuse)?;
            source.check().map_err(refuse)?;
            Ok(source)
        }
    }
}

fn resolve_task(study: &Study, entry: &TaskEntry) -> Result<ResolvedTask, Problem> {
    let name = entry.name.get_ref().clone();
    check_task(&name).map_err(|e| Problem::at(entry.name.span(), e.to_string()))?;
    let source = match &entry.prompts {
        Some(file) => resolve_prompts(study, entry, file)?,
        None => PromptSource::Generator(resolve_generator(entry)?),
    };
    let extract = entry.extract.over(study.file.extract.over(Settings::default()));
    let stated = |value: &Option<Spanned<String>>| value.as_ref().map(|value| value.get_ref().clone());
    let generator = match &source {
        PromptSource::Generator(generator) => Some(generator),
        PromptSource::File(_) => None,
    };
    let of_generator = generator.map(|generator| generator.cluster().to_owned());
    let control = generator.and_then(|generator| generator.control()).map(str::to_owned);
    let cluster = stated(&entry.cluster).or(of_generator);
    let scoring = Scoring {
        scorer: entry.scorer.as_ref().map(|scorer| *scorer.get_ref()),
        tolerance: entry.tolerance.as_ref().map(|tolerance| *tolerance.get_ref()),
        numbers: entry.numbers.as_ref().map_or_else(Vec::new, |numbers| numbers.get_ref().clone()),
    };
    let reference = stated(&entry.reference);
    let design = TaskDesign { cluster, reference, control, contrasts: Vec::new(), scoring };
    Ok(ResolvedTask { name, source, design, extract })
}

fn resolve_prompts(
    study: &Study,
    entry: &TaskEntry,
    file: &Spanned<String>,
) -> Result<PromptSource, Problem> {
    if let Some(generator) = &entry.generator {
        let message = "a task has either `prompts` or a `generator`";
        return Err(Problem::at(generator.span(), message));
    }
    if let Some((key, _)) = entry.settings.first() {
        let hint = suggest(
            key.get_ref(),
            "keys of a task with `prompts`",
            &["name", "prompts", "map", "cluster", "reference", "scorer", "tolerance", "numbers", "extract"],
        );
        return Err(Problem::at(key.span(), format!("unknown key `{}`", key.get_ref())).hint(hint));
    }
    let path = study.directory.join(file.get_ref());
    if !path.exists() {
        let message = format!("there is no file `{}`", path.display());
        return Err(Problem::at(file.span(), message).hint("`prompts` is relative to the study's directory"));
    }
    let map = match &entry.map {
        None => ColumnMap::default(),
        Some(map) => ColumnMap::new(map.get_ref().clone()).map_err(|error| {
            Problem::at(map.span(), error.to_string()).hint("map = { text = \"COLUMN\" }")
        })?,
    };
    let prompts = PromptsFile { path, map };
    prompts.check().map_err(|error| Problem::at(file.span(), error.to_string()))?;
    Ok(PromptSource::File(prompts))
}

fn resolve_generator(entry: &TaskEntry) -> Result<Generator, Problem> {
    if let Some(map) = &entry.map {
        return Err(Problem::at(
            map.span(),
            "`map` names the columns of `prompts`, which the task does not have",
        ));
    }
    let name = entry.generator.as_ref().unwrap_or(&entry.name);
    let names: Vec<&str> = Generator::names().collect();
    if !names.contains(&name.get_ref().as_str()) {
        let hint = format!("{}; or give `prompts = \"FILE\"`", suggest(name.get_ref(), "generators", &names));
        let message = format!("no built-in task is called `{}`", name.get_ref());
        return Err(Problem::at(name.span(), message).hint(hint));
    }
    let known: Vec<&str> = Generator::setting_names(name.get_ref()).collect();
    let mut settings = Map::new();
    for (key, value) in &entry.settings {
        if !known.iter().any(|k| k == key.get_ref()) {
            let accepted: Vec<_> = known.iter().copied().chain(TASK_KEYS).collect();
            let message = format!("unknown key `{}`", key.get_ref());
            return Err(Problem::at(key.span(), message).hint(suggest(key.get_ref(), "keys", &accepted)));
        }
        let value = serde_json::to_value(value).expect("TOML values are JSON");
        settings.insert(key.get_ref().clone(), value);
    }
    Generator::from_settings(name.get_ref(), &settings).map_err(|e| blame(entry, name, &e))
}

/// The refusal of a generator, at the setting in the study that the generator refuses.
fn blame(entry: &TaskEntry, name: &Spanned<String>, error: &IngestError) -> Problem {
    let key = match error {
        IngestError::Setting { key, .. } | IngestError::UnknownSetting { key, .. } => key.as_str(),
        _ => "",
    };
    let span = entry.settings.iter().find(|(k, _)| k.get_ref() == key).map_or(name.span(), |(k, _)| k.span());
    Problem::at(span, error.to_string())
}

/// Refuses questions about tasks that the study does not have.
fn check_references(study: &Study, tasks: &[ResolvedTask]) -> Result<(), Problem> {
    let names: Vec<_> = tasks.iter().map(|t| t.name.as_str()).collect();
    for (span, StudyEntry { entry, .. }) in study.located_entries() {
        if !names.contains(&entry.task()) {
            let message = format!("the study has no task `{}`", entry.task());
            return Err(Problem::at(span, message).hint(suggest(entry.task(), "tasks", &names)));
        }
    }
    Ok(())
}

/// Gives each contrast to the design of its task.
fn assign_contrasts(study: &Study, tasks: &mut [ResolvedTask]) -> Result<(), Problem> {
    for ContrastEntry { task, name, condition, reference } in &study.file.contrast {
        let names: Vec<String> = tasks.iter().map(|t| t.name.clone()).collect();
        let Some(own) = tasks.iter_mut().find(|t| t.name == *task.get_ref()) else {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let message = format!("the study has no task `{}`", task.get_ref());
            return Err(Problem::at(task.span(), message).hint(suggest(task.get_ref(), "tasks", &names)));
        };
        let (condition, reference) = (condition.clone(), reference.clone());
        own.design.contrasts.push(Contrast { name: name.clone(), condition, reference });
    }
    Ok(())
}

/// Refuses questions about states that the task's `[extract]` settings do not keep.
fn check_kept(study: &Study, tasks: &[ResolvedTask]) -> Result<(), Problem> {
    for (span, StudyEntry { entry, .. }) in study.located_entries() {
        let Some(StatesAsked { segment, poolings }) = entry.states() else { continue };
        let Some(task) = tasks.iter().find(|t| t.name == entry.task()) else { continue };
        let kept: Vec<_> = task.extract.poolings(segment).into_iter().map(Pooling::name).collect();
        if let Some(missing) = poolings.iter().find(|p| !kept.contains(&p.name())) {
            let message = format!(
                "it asks for `{}` of segment `{segment}`, which the task's extract settings do not keep",
                missing.name()
            );
            let hint = match kept.is_empty() {
                true => format!(
                    "add {{ roles = [\"{segment}\"], pooling = [\"{}\"] }} to hidden_states",
                    missing.name()
                ),
                false => format!("kept for `{segment}`: {}; extend hidden_states for more", kept.join(", ")),
            };
            return Err(Problem::at(span, message).hint(hint));
        }
    }
    Ok(())
}

/// Refuses values of `[analysis]` that make no sense.
fn check_analysis(study: &Study) -> Result<(), Problem> {
    let analysis = &study.file.analysis;
    match analysis.get_ref().problem() {
        None => Ok(()),
        Some((key, accepted)) => {
            let message = format!("`{key}` of [analysis] has an impossible value");
            Err(Problem::at(analysis.span(), message).hint(format!("accepted: {accepted}")))
        }
    }
}

/// `settings` with what the command line says.
pub fn override_settings(mut settings: Settings, args: &KeepArgs) -> Settings {
    if !args.pooling.is_empty() {
        let chosen: Vec<_> = args.pooling.iter().map(|p| pooling(*p)).collect();
        for rule in &mut settings.hidden_states {
            rule.pooling.clone_from(&chosen);
        }
    }
    if let Some(n) = args.max_new_tokens {
        settings.max_new_tokens = n;
    }
    if !args.stop.is_empty() {
        settings.stop.clone_from(&args.stop);
    }
    if let Some(prefix) = &args.answer_prefix {
        settings.answer_prefix = Some(prefix.clone());
    }
    override_template(&mut settings, &args.chat);
    settings
}

fn override_template(settings: &mut Settings, option: &ChatOption) {
    settings.chat_date = option.chat_date.or(settings.chat_date);
    settings.chat_template = match option.chat_template.as_deref() {
        None => return,
        Some("none") => ChatTemplate::None,
        Some(OWN_TEMPLATE) => ChatTemplate::Own,
        Some(name) => ChatTemplate::Named(name.to_owned()),
    };
}

fn pooling(arg: PoolingArg) -> Pooling {
    match arg {
        PoolingArg::Mean => Pooling::Mean,
        PoolingArg::Max => Pooling::Max,
        PoolingArg::Last => Pooling::Last,
    }
}
