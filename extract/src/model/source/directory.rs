//! Directories of models: what must lie in one before it is worth opening.
//!
//! Only names are looked at here; whether the files hold what they should is the model loader's to say.

use super::error::SourceError;
use crate::model::weight_names::{FORMATS, WeightNames};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Sizes and shapes of the model.
pub(super) const CONFIG: &str = "config.json";

/// Refuses a path that cannot be a model's directory, and says what would help.
pub(super) fn check(path: &Path) -> Result<(), SourceError> {
    if !path.exists() {
        return Err(SourceError::Missing { path: path.to_owned() });
    }
    let refuse = |problem: String, remedy: String| {
        Err(SourceError::NotAModel { path: path.to_owned(), problem, remedy })
    };
    if !path.is_dir() {
        return refuse(
            "it is a file, and no `.gguf`".to_owned(),
            "give the directory that holds config.json and the weights".to_owned(),
        );
    }
    match missing_file(path) {
        None => Ok(()),
        Some(missing) => refuse(format!("it has no `{missing}`"), advise(path, &missing)),
    }
}

/// The first file that a directory lacks to have a configuration and whole weights, if any.
pub(super) fn missing_file(directory: &Path) -> Option<String> {
    let has = |name: &str| directory.join(name).is_file();
    if !has(CONFIG) {
        return Some(CONFIG.to_owned());
    }
    let Some(names) = FORMATS.iter().find(|names| has(names.single) || has(names.index)) else {
        return Some(FORMATS[0].single.to_owned());
    };
    if has(names.single) {
        return None;
    }
    // An index that cannot be read is there; what is wrong with it is said when it is used.
    let index = fs::read(directory.join(names.index)).ok()?;
    shards(names, &index).ok()?.into_iter().find(|shard| !has(shard))
}

/// The files that an index of a format names.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(super) fn shards(names: &WeightNames, index: &[u8]) -> Result<BTreeSet<String>, String> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let index: Index = serde_json::from_slice(index).map_err(|e| e.to_string())?;
    let shards: BTreeSet<_> = index.weight_map.into_values().collect();
    match shards.iter().find(|name| !names.is_shard(name)) {
        Some(name) => Err(format!("it names `{name}`, which is no `{}` beside it", names.extension)),
        None if shards.is_empty() => Err("it names no file".to_owned()),
        None => Ok(shards),
    }
}

/// What helps someone whose directory lacks a file, by what else is in it.
fn advise(directory: &Path, missing: &str) -> String {
    let names: Vec<_> = fs::read_dir(directory)
        .map(|entries| entries.filter_map(Result::ok).map(|e| e.file_name().to_string_lossy().into_owned()))
        .map(|names| names.collect::<BTreeSet<_>>().into_iter().collect())
        .unwrap_or_default();
    let with = |extension: &str| names.iter().find(|n| n.to_lowercase().ends_with(extension));
    let place = directory.display();
    if let Some(gguf) = with(".gguf") {
        return format!("for its GGUF file give {}", directory.join(gguf).display());
    }
    if names.iter().any(|n| n == "snapshots") {
        return "it is a repository in the hub's cache: give one of the directories in its `snapshots`, \
                or hf:ORG/NAME"
            .to_owned();
    }
    let weights = [".pt", ".pth", ".bin", ".h5", ".msgpack"].iter().find_map(|e| with(e));
    match weights.filter(|_| missing == FORMATS[0].single) {
        Some(weights) => format!(
            "`{weights}` is not read; convert it once: python3 -c \"from transformers import \
             AutoModelForCausalLM as M; M.from_pretrained('{place}').save_pretrained('{place}')\""
        ),
        None => "a model's directory has config.json, tokenizer.json or tokenizer.model, and \
                 model.safetensors or pytorch_model.bin, or shards of one with their index"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(files: &[&str]) -> (String, String) {
        let directory = tempfile::tempdir().expect("a directory");
        for file in files {
            fs::write(directory.path().join(file), "{}").expect("written");
        }
        let error = check(directory.path()).expect_err("refused");
        (error.to_string(), error.remedy())
    }

    #[test]
    fn what_is_missing_is_named_with_what_helps() {
        let (problem, remedy) = refusal(&[]);
        assert!(problem.contains("it has no `config.json`"), "{problem}");
        assert!(remedy.contains("model.safetensors or pytorch_model.bin"), "{remedy}");
        assert!(refusal(&["a.gguf"]).1.contains("/a.gguf"));
        assert!(refusal(&["snapshots"]).1.contains("hub's cache"));
        let (problem, remedy) = refusal(&["config.json", "consolidated.00.pth"]);
        assert!(problem.contains("it has no `model.safetensors`"), "{problem}");
        assert!(remedy.contains("`consolidated.00.pth` is not read; convert it once"), "{remedy}");
    }

    #[test]
    fn a_shard_that_is_not_there_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).expect("written");
        write(CONFIG, "{}");
        write(FORMATS[0].index, r#"{"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}"#);
        write("a.safetensors", "");
        assert_eq!(missing_file(directory.path()).as_deref(), Some("b.safetensors"));
        write("b.safetensors", "");
        assert_eq!(missing_file(directory.path()), None);
    }

    #[test]
    fn weights_of_pytorch_are_weights() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).expect("written");
        write(CONFIG, "{}");
        write(FORMATS[1].index, r#"{"weight_map": {"x": "a.bin"}}"#);
        assert_eq!(missing_file(directory.path()).as_deref(), Some("a.bin"));
        write(FORMATS[1].single, "");
        assert_eq!(missing_file(directory.path()), None);
    }

    #[test]
    fn an_index_names_files_beside_it() {
        for bad in ["", "{}", r#"{"weight_map": {}}"#, r#"{"weight_map": {"x": "../../etc/passwd"}}"#] {
            assert!(shards(&FORMATS[0], bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
