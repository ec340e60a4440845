//! Judges a `tokenizer.json` before the `tokenizers` crate builds it.
//!
//! The crate trusts its files: a merge that names an absent piece, a template that names an absent token and the
//! like bring it down later. Here they are refused with the entry's name. Two things are changed: truncation and
//! padding are dropped, and spans keep the space that a piece begins with (`trim_offsets`), so that the spans of a
//! text's tokens cover the text.

use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// Model types that are carried out.
const KNOWN_MODELS: &str = "BPE, Unigram";

/// Checks and adapts the file's content.
///
/// # Errors
/// A sentence that names the entry.
pub fn adapt(file: &mut Map<String, Value>) -> Result<(), String> {
    for key in ["truncation", "padding"] {
        file.insert(key.to_owned(), Value::Null);
    }
    let model = file.get("model").and_then(Value::as_object).ok_or("`tokenizer.json` has no `model`")?;
    let mut ids = match model.get("type").and_then(Value::as_str) {
        Some("BPE") => check_bpe(model)?,
        None if model.contains_key("merges") => check_bpe(model)?,
        Some("Unigram") => check_unigram(model)?,
        other => {
            let kind = other.unwrap_or("none");
            return Err(format!(
                "`tokenizer.json`: the model type is `{kind}`; this version reads {KNOWN_MODELS}"
            ));
        }
    };
    for token in file.get("added_tokens").and_then(Value::as_array).into_iter().flatten() {
        ids.extend(token.get("id").and_then(Value::as_u64));
    }
    if let Some(processor) = file.get_mut("post_processor") {
        adapt_processor(processor, &ids)?;
    }
    if let Some(pre_tokenizer) = file.get("pre_tokenizer") {
        check_pre_tokenizer(pre_tokenizer)?;
    }
    match file.get("normalizer").is_some_and(|n| names_type(n, "Precompiled")) {
        true => Err("`tokenizer.json`: the normalizer `Precompiled` is not supported; \
                     a `tokenizer.model` with the same character map is"
            .to_owned()),
        false => Ok(()),
    }
}

/// The ids of a byte-pair vocabulary.
fn check_bpe(model: &Map<String, Value>) -> Result<HashSet<u64>, String> {
    if model.get("dropout").and_then(Value::as_f64).is_some_and(|p| p != 0.0) {
        return Err("`tokenizer.json`: `dropout` would make token ids random; accepted: null, 0".to_owned());
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
        if model.get(key).and_then(Value::as_str).is_some_and(|s| !s.is_empty()) {
            return Err(format!("`tokenizer.json`: `{key}` is not supported; accepted: null, \"\""));
        }
    }
    let vocabulary = model.get("vocab").and_then(Value::as_object).filter(|v| !v.is_empty());
    let vocabulary = vocabulary.ok_or("`tokenizer.json`: `vocab` is not an object with entries")?;
    let mut ids = HashSet::new();
    for (piece, id) in vocabulary {
        let id = id.as_u64().filter(|id| *id < u64::from(u32::MAX));
        let id = id.ok_or_else(|| format!("`tokenizer.json`: the id of `{piece}` is not a token id"))?;
        if !ids.insert(id) {
            return Err(format!("`tokenizer.json`: two pieces have the id {id}, one is `{piece}`"));
        }
    }
    let merges = model.get("merges").and_then(Value::as_array).ok_or("`tokenizer.json` has no `merges`")?;
    for merge in merges {
        let (left, right) =
            pair(merge).ok_or_else(|| format!("`tokenizer.json`: the merge {merge} is not a pair"))?;
        let merged = format!("{left}{right}");
        if let Some(absent) = [left, right, &merged].iter().find(|p| !vocabulary.contains_key(**p)) {
            return Err(format!(
                "`tokenizer.json`: the merge {merge} needs the piece `{absent}`, which is absent"
            ));
        }
    }
    Ok(ids)
}

fn pair(merge: &Value) -> Option<(&str, &str)> {
    match merge {
        Value::String(text) => text.split_once(' ').filter(|(_, right)| !right.contains(' ')),
        Value::Array(parts) if parts.len() == 2 => Some((parts[0].as_str()?, parts[1].as_str()?)),
        _ => None,
    }
}

/// The ids of a Unigram vocabulary.
fn check_unigram(model: &Map<String, Value>) -> Result<HashSet<u64>, String> {
    let vocabulary = model.get("vocab").and_then(Value::as_array).filter(|v| !v.is_empty());
    let n = vocabulary.ok_or("`tokenizer.json`: `vocab` is not a list with entries")?.len() as u64;
    match model.get("unk_id") {
        None | Some(Value::Null) => {}
        Some(id) if id.as_u64().is_some_and(|id| id < n) => {}
        Some(id) => {
            return Err(format!("`tokenizer.json`: `unk_id` is {id}, the vocabulary has {n} entries"));
        }
    }
    Ok((0..n).collect())
}

fn adapt_processor(processor: &mut Value, ids: &HashSet<u64>) -> Result<(), String> {
    let kind = processor.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    if processor.get("trim_offsets").is_some() {
        processor["trim_offsets"] = json!(false);
    }
    match kind.as_str() {
        "Sequence" => {
            let mut steps =
                processor.get_mut("processors").and_then(Value::as_array_mut).into_iter().flatten();
            steps.try_for_each(|step| adapt_processor(step, ids))
        }
        "TemplateProcessing" => check_template(processor, ids),
        _ => Ok(()),
    }
}

/// Refuses a template that names tokens it does not define, or ids that no piece has.
fn check_template(processor: &Value, ids: &HashSet<u64>) -> Result<(), String> {
    let defined = processor.get("special_tokens").and_then(Value::as_object);
    let parts = ["single", "pair"].iter().filter_map(|key| processor.get(*key)?.as_array()).flatten();
    let names = parts.filter_map(|part| part.get("SpecialToken")?.get("id")?.as_str());
    for name in names {
        let token = defined.and_then(|tokens| tokens.get(name));
        let listed = |key| token.and_then(|t| t.get(key)?.as_array()).map_or(&[][..], Vec::as_slice);
        let known = listed("ids").iter().all(|id| id.as_u64().is_some_and(|id| ids.contains(&id)));
        if listed("ids").is_empty() || listed("ids").len() != listed("tokens").len() || !known {
            return Err(format!("`tokenizer.json`: the post-processor's token `{name}` has no usable ids"));
        }
    }
    Ok(())
}

fn check_pre_tokenizer(step: &Value) -> Result<(), String> {
    if step.get("type").and_then(Value::as_str) == Some("FixedLength") {
        return Err("`tokenizer.json`: the pre-tokenizer `FixedLength` is not supported".to_owned());
    }
    step.get("pretokenizers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .try_for_each(check_pre_tokenizer)
}

/// Whether a normalizer, or a step of it, is of a type.
fn names_type(step: &Value, name: &str) -> bool {
    let steps = step.get("normalizers").and_then(Value::as_array);
    step.get("type").and_then(Value::as_str) == Some(name)
        || steps.is_some_and(|steps| steps.iter().any(|s| names_type(s, name)))
}
