//! Resolves the command line and a study into settings of the stages: finds sources, merges settings, checks names that
//! refer to each other. Everything that can be refused is refused here, all at once, before the first stage starts.

mod model;
mod overrides;
mod questions;
mod tasks;

pub use overrides::override_settings;

use crate::args::{ChatOption, ModelOptions, StudyOption};
use crate::failure::Failure;
use crate::invocation::lasting_study_arguments;
use crate::study::{Problem, Study, refuse_all};
use crate::suggestion::suggest;
use hypercolumn_analyze::{Questions, StatesAsked, TaskDesign};
use hypercolumn_extract::model::source::NamedModel;
use hypercolumn_extract::stage::settings::Settings;
use hypercolumn_ingest::PromptSource;
use hypercolumn_schemas::{Pooling, RESPONSE, TaskRows};
use model::{Refusal, resolve_model};
use overrides::override_template;
use tasks::{DraftTask, resolve_task};

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

/// A study whose questions have been asked of its prompts.
#[derive(Debug)]
pub struct CheckedStudy {
    pub study: ResolvedStudy,
    /// The prompts of its tasks.
    pub rows: Vec<TaskRows>,
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
/// If the study, or a file that it names, is refused: all that is wrong with it.
pub fn resolve_study(
    choice: &StudyOption,
    model: &ModelOptions,
    need: ModelNeed,
) -> Result<ResolvedStudy, Failure> {
    Draft::new(choice, model, need)?.finish()
}

/// As [`resolve_study`], and reads the study's prompts.
///
/// # Errors
/// If the study or a prompt is refused.
pub fn resolve_prompts(choice: &StudyOption) -> Result<ResolvedStudy, Failure> {
    let mut draft = Draft::new(choice, &ModelOptions::default(), ModelNeed::Name)?;
    draft.read_prompts()?;
    draft.finish()
}

/// As [`resolve_study`], and asks the study's questions of its prompts alone, so that a wrong one is refused before the
/// model runs.
///
/// # Errors
/// If the study, a prompt or a question is refused.
pub fn check_study(
    choice: &StudyOption,
    model: &ModelOptions,
    need: ModelNeed,
) -> Result<CheckedStudy, Failure> {
    let mut draft = Draft::new(choice, model, need)?;
    let rows = draft.read_prompts()?;
    draft.check_questions(&rows)?;
    Ok(CheckedStudy { study: draft.finish()?, rows })
}

/// A study on the way to its settings: what is refused is left out, and the rest is judged too.
struct Draft {
    study: Study,
    /// The arguments that name the study on a command line.
    study_arguments: String,
    /// The model, where it is not refused.
    model: Option<NamedModel>,
    tasks: Vec<DraftTask>,
    problems: Vec<Problem>,
}

impl Draft {
    fn new(choice: &StudyOption, model: &ModelOptions, need: ModelNeed) -> Result<Self, Failure> {
        let mut study = Study::read(choice)?;
        let problems = std::mem::take(&mut study.problems);
        let study_arguments = lasting_study_arguments(choice);
        let mut draft = Self { study, study_arguments, model: None, tasks: Vec::new(), problems };
        match resolve_model(&draft.study, model, need) {
            Ok(model) => draft.model = Some(model),
            Err(Refusal::Study(problem)) => draft.problems.push(problem),
            Err(Refusal::Command(failure)) => return Err(failure),
        }
        draft.resolve_tasks();
        draft.check_references();
        draft.assign_contrasts();
        draft.check_kept();
        draft.check_analysis();
        Ok(draft)
    }

    /// The settings.
    ///
    /// # Errors
    /// All problems as one failure.
    fn finish(self) -> Result<ResolvedStudy, Failure> {
        let Self { study, study_arguments, model, tasks, problems } = self;
        if let Some(failure) = refuse_all(problems, &study.label, &study.text) {
            return Err(failure);
        }
        let tasks: Vec<ResolvedTask> = tasks.into_iter().map(|draft| draft.task).collect();
        let designs = tasks.iter().map(|task| (task.name.clone(), task.design.clone())).collect();
        let study_arguments = Some(study_arguments);
        let questions = Questions { study_arguments, ..study.questions(designs) };
        let name = study.file.name.get_ref().clone();
        let model = model.expect("a model that is not refused");
        Ok(ResolvedStudy { name, model, tasks, questions, label: study.label, text: study.text })
    }

    fn resolve_tasks(&mut self) {
        let Self { study, tasks, problems, .. } = self;
        let mut names: Vec<&str> = Vec::new();
        for (index, entry) in study.tasks.iter().map(|task| task.get_ref()).enumerate() {
            let name = entry.name.get_ref();
            if names.contains(&name.as_str()) {
                let problem = Problem::at(entry.name.span(), format!("task `{name}` is there twice"));
                problems
                    .push(problem.hint("give one of them another name; `generator` names the built-in task"));
                continue;
            }
            names.push(name);
            tasks.extend(resolve_task(study, index, entry, problems));
        }
        if study.tasks.is_empty() && !study.lacks_tasks {
            let problem = Problem::new("it has no [[task]]");
            problems.push(problem.hint("a study has at least one [[task]] with a `name`"));
        }
    }

    /// The names of the study's tasks, those that are refused too; none where a task has no name that could be meant.
    fn task_names(&self) -> Option<Vec<String>> {
        let names = self.study.tasks.iter().map(|task| task.get_ref().name.get_ref().clone());
        (!self.study.lacks_tasks).then(|| names.collect())
    }

    /// Refuses questions about tasks that the study does not have.
    fn check_references(&mut self) {
        let Some(names) = self.task_names() else { return };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for entry in self.study.entries.iter() {
            let task = entry.entry.task();
            if !names.contains(&task) {
                let span = self.study.locate_entry(entry, None);
                let problem = Problem::at(span, format!("the study has no task `{task}`"));
                self.problems.push(problem.hint(suggest(task, "tasks", &names)));
            }
        }
    }

    /// Gives each contrast to the design of its task.
    fn assign_contrasts(&mut self) {
        let names = self.task_names();
        for contrast in &self.study.file.contrast {
            let task = &contrast.task;
            if let Some(own) = self.tasks.iter_mut().find(|t| t.task.name == *task.get_ref()) {
                own.task.design.contrasts.push(contrast.contrast());
            } else if let Some(names) = names.as_ref().filter(|names| !names.contains(task.get_ref())) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let problem = Problem::at(task.span(), format!("the study has no task `{}`", task.get_ref()));
                self.problems.push(problem.hint(suggest(task.get_ref(), "tasks", &names)));
            }
        }
    }

    /// Refuses questions about states that the task's `[extract]` settings do not keep.
    fn check_kept(&mut self) {
        let Self { study, tasks, problems, .. } = self;
        for entry in study.entries.iter().filter(|entry| !study.is_flawed(entry)) {
            let Some(asked) = entry.entry.states() else { continue };
            let Some(task) = tasks.iter().find(|t| t.task.name == entry.entry.task()) else { continue };
            if !task.is_extract_flawed {
                let span = || study.locate_entry(entry, None);
                problems
                    .extend(unkept(&task.task.extract, asked).map(|(m, h)| Problem::at(span(), m).hint(h)));
            }
        }
    }

    /// Refuses values of `[analysis]` that make no sense.
    fn check_analysis(&mut self) {
        for (key, accepted) in self.study.file.analysis.get_ref().problems() {
            let span = self.study.locate(&["analysis", key]);
            let problem = Problem::at(span, format!("`{key}` of [analysis] has an impossible value"));
            self.problems.push(problem.hint(format!("accepted: {accepted}")));
        }
    }
}

/// What extraction settings do not keep of the states that a question asks for: the message and the hint.
fn unkept(settings: &Settings, asked: StatesAsked<'_>) -> Option<(String, String)> {
    let StatesAsked { segment, poolings } = asked;
    if segment == RESPONSE && settings.max_new_tokens == 0 {
        let message =
            "it asks for states of the response, and no responses are generated where max_new_tokens = 0";
        return Some((message.to_owned(), "raise max_new_tokens in [extract]".to_owned()));
    }
    let kept: Vec<_> = settings.poolings(segment).into_iter().map(Pooling::name).collect();
    let missing = poolings.iter().map(|p| p.name()).find(|name| !kept.contains(name))?;
    let message = format!(
        "it asks for `{missing}` of segment `{segment}`, which the task's extract settings do not keep"
    );
    let hint = match kept.is_empty() {
        true => format!("add {{ roles = [\"{segment}\"], pooling = [\"{missing}\"] }} to hidden_states"),
        false => format!("kept for `{segment}`: {}; extend hidden_states for more", kept.join(", ")),
    };
    Some((message, hint))
}
