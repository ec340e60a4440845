//! The model of a study or of the command line.

use super::ModelNeed;
use crate::args::ModelOptions;
use crate::failure::{Failure, could_not};
use crate::model_argument;
use crate::study::{Problem, Study};
use hypercolumn_extract::model::source::{ALIASES, ModelSource, NamedModel, SourceError};

/// Why a model is refused.
pub(super) enum Refusal {
    /// The study is at fault.
    Study(Problem),
    /// The command line is, or the machine.
    Command(Failure),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Study(problem)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Command(failure)
    }
}

/// The model of the command line, or else of the study; a name for it likewise.
pub(super) fn resolve_model(
    study: &Study,
    given: &ModelOptions,
    need: ModelNeed,
) -> Result<NamedModel, Refusal> {
    let own_name = study.file.model_name.as_ref();
    Ok(match (&given.model, &given.model_name, own_name) {
        // The study's name is its own model's.
        (Some(text), name, _) => match need {
            ModelNeed::Files => model_argument::name(model_argument::parse(text)?, name.as_deref())?,
            ModelNeed::Name => model_argument::name(parse_or_name(text)?, name.as_deref())?,
        },
        (None, None, Some(name)) => {
            let named = NamedModel::new(resolve_source(study, need)?, Some(name.get_ref()));
            named.map_err(|e| Problem::at(name.span(), e.to_string()))?
        }
        (None, name, _) => model_argument::name(resolve_source(study, need)?, name.as_deref())?,
    })
}

/// A model by its source, or by the name that a lake has for it, as if it were that of a directory.
fn parse_or_name(text: &str) -> Result<ModelSource, Failure> {
    match ModelSource::parse(text) {
        Err(SourceError::Unknown { model }) => Ok(ModelSource::Directory(model.into())),
        source => source.map_err(could_not("use model", text)),
    }
}

fn resolve_source(study: &Study, need: ModelNeed) -> Result<ModelSource, Problem> {
    let Some(text) = &study.file.model else {
        return Ok(ModelSource::Alias(&ALIASES[0]));
    };
    let refuse = |e: SourceError| Problem::at(text.span(), e.to_string()).hint(e.remedy());
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
