//! One name in a lake stands for one model: a model of another content under the name is refused.

use crate::error::ExtractError;
use crate::model::source::ResolvedModel;
use crate::stage::ModelFile;
use hypercolumn_schemas::{ModelRecord, Snapshot};

/// Refuses `model` if the lake's rows under its name are of a model with another content. A lake without such rows is
/// not asked for a hash, so that no file is read.
///
/// # Errors
/// [`ExtractError::NameTaken`] with both sources and hashes; [`ExtractError::Model`] where the model cannot be read.
pub fn check_model(snapshot: &Snapshot, model: &ResolvedModel) -> Result<(), ExtractError> {
    if !snapshot.extractions().any(|(_, record)| record.model.name == model.name) {
        return Ok(());
    }
    check_identity(snapshot, model, ModelFile::open(model)?.content_hash()?)
}

/// Refuses a model whose name the lake holds for another content: the rows of one would replace those of the other.
pub(super) fn check_identity(
    snapshot: &Snapshot,
    model: &ResolvedModel,
    content_hash: &str,
) -> Result<(), ExtractError> {
    let is_other = |held: &&ModelRecord| held.name == model.name && held.content_hash != content_hash;
    match snapshot.extractions().map(|(_, record)| &record.model).find(is_other) {
        None => Ok(()),
        Some(held) => Err(ExtractError::NameTaken {
            name: model.name.clone(),
            held_source: held.source.clone(),
            held_hash: held.content_hash.clone(),
            source_text: model.source.clone(),
            content_hash: content_hash.to_owned(),
        }),
    }
}
