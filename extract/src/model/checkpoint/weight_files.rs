//! The weight files of a directory: one file, or several that an index lists, in the first format that is there.

use super::super::refuse;
use super::store::Store;
use super::{pytorch, safetensors};
use crate::error::ExtractError;
use crate::model::config::{read_bounded, shown};
use crate::model::weight_names::{FORMATS, Format, WeightNames};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Longest index that is read, in bytes; that of the largest published models has a few hundred thousand.
const LONGEST_INDEX: u64 = 32 << 20;

/// Opens the weight files of a directory.
pub fn open(directory: &Path) -> Result<Store, ExtractError> {
    let mut store = Store::default();
    for names in &FORMATS {
        let (single, index) = (directory.join(names.single), directory.join(names.index));
        if single.is_file() {
            add_file(&mut store, names.format, &single)?;
            return Ok(store);
        }
        if index.is_file() {
            add_shards(&mut store, names, directory, &index)?;
            return Ok(store);
        }
    }
    let names: Vec<String> =
        FORMATS.iter().flat_map(|f| [f.single, f.index]).map(|name| format!("no `{name}`")).collect();
    Err(refuse(directory, format!("has {}", names.join(", "))))
}

fn add_file(store: &mut Store, format: Format, path: &Path) -> Result<(), ExtractError> {
    match format {
        Format::Safetensors => safetensors::add_file(store, path),
        Format::Pytorch => pytorch::add_file(store, path),
    }
}

fn add_shards(
    store: &mut Store,
    names: &WeightNames,
    directory: &Path,
    index: &Path,
) -> Result<(), ExtractError> {
    let bytes = read_bounded(index, LONGEST_INDEX)?;
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|e| refuse(index, format!("is not JSON: {e}")))?;
    let Some(map) = value.get("weight_map").and_then(Value::as_object).filter(|m| !m.is_empty()) else {
        return Err(refuse(index, "has no `weight_map` from tensors to files"));
    };
    let mut files = BTreeSet::new();
    for (tensor, file) in map {
        let name = file.as_str().filter(|name| names.is_shard(name)).ok_or_else(|| {
            let found = shown(file);
            refuse(
                index,
                format!("puts tensor `{tensor}` into {found}; expected a `{}` beside it", names.extension),
            )
        })?;
        files.insert(name);
    }
    for name in &files {
        let path = directory.join(name);
        if !path.is_file() {
            return Err(refuse(index, format!("names `{name}`, which is not there")));
        }
        add_file(store, names.format, &path)?;
    }
    let misplaced = map.iter().find(|(tensor, file)| {
        let found = store.find(tensor).and_then(|t| store.path(t.file).file_name());
        found.is_some_and(|found| Some(found.to_string_lossy().as_ref()) != file.as_str())
    });
    let absent = map.iter().find(|(tensor, _)| store.find(tensor).is_none());
    match misplaced.or(absent) {
        None => Ok(()),
        Some((tensor, file)) => {
            Err(refuse(index, format!("puts tensor `{tensor}` into {}, which does not have it", shown(file))))
        }
    }
}
