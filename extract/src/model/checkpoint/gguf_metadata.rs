//! Metadata of a GGUF file by key, in the types that its readers ask for.
//!
//! The header is checked and parsed here and nowhere else: checkpoint and tokenizer both read these values.

use super::super::{damaged, refuse};
use super::gguf_header::{self, HeaderProblem};
use crate::error::ExtractError;
use candle_core::quantized::gguf_file::{Content, Value};
use std::collections::HashMap;
use std::io::Cursor;
use std::path::Path;

/// The metadata of a GGUF file.
#[derive(Debug)]
pub struct GgufMetadata {
    values: HashMap<String, Value>,
}

impl GgufMetadata {
    /// Reads the metadata at the start of `bytes`, the content of the file `path`.
    ///
    /// # Errors
    /// [`ExtractError::Model`] when the header is not that of a GGUF file.
    pub fn read(path: &Path, bytes: &[u8]) -> Result<Self, ExtractError> {
        Ok(Self { values: read_header(path, bytes)?.metadata })
    }

    pub(super) fn new(values: HashMap<String, Value>) -> Self {
        Self { values }
    }

    /// Every key.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Whether the key is there, whatever its type.
    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// A text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key)?.to_string().ok().map(String::as_str)
    }

    /// An array of texts.
    pub fn texts(&self, key: &str) -> Option<Vec<&str>> {
        self.array(key, |value| value.to_string().ok().map(String::as_str))
    }

    /// An integer that is not negative, whatever integer type the file's writer chose.
    pub fn unsigned(&self, key: &str) -> Option<u64> {
        self.values.get(key).and_then(unsigned)
    }

    /// An array of such integers.
    pub fn unsigneds(&self, key: &str) -> Option<Vec<u64>> {
        self.array(key, unsigned)
    }

    /// An array of f32.
    pub fn floats(&self, key: &str) -> Option<Vec<f32>> {
        self.array(key, |value| value.to_f32().ok())
    }

    /// true or false.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.values.get(key)?.to_bool().ok()
    }

    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// Keys that begin with `prefix`, which is cut off, and their values.
    pub(super) fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.values.iter().filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value)))
    }

    fn array<'a, T>(&'a self, key: &str, element: impl Fn(&'a Value) -> Option<T>) -> Option<Vec<T>> {
        self.values.get(key)?.to_vec().ok()?.iter().map(element).collect()
    }
}

/// Checks and parses the header at the start of `bytes`, the content of the file `path`.
pub(super) fn read_header(path: &Path, bytes: &[u8]) -> Result<Content, ExtractError> {
    gguf_header::check(bytes).map_err(|problem| match problem {
        HeaderProblem::Damaged(problem) => damaged(path, problem),
        HeaderProblem::Unsupported(problem) => refuse(path, problem),
    })?;
    Content::read(&mut Cursor::new(bytes))
        .map_err(|e| damaged(path, format!("is not a readable GGUF file: {}", first_line(&e))))
}

/// A number of any type.
pub(super) fn number(value: &Value) -> Option<f64> {
    match *value {
        Value::F32(v) => Some(v.into()),
        Value::F64(v) => Some(v),
        ref other => unsigned(other).map(|v| v as f64),
    }
}

fn unsigned(value: &Value) -> Option<u64> {
    match *value {
        Value::U8(v) => Some(v.into()),
        Value::U16(v) => Some(v.into()),
        Value::U32(v) => Some(v.into()),
        Value::U64(v) => Some(v),
        Value::I8(v) => u64::try_from(v).ok(),
        Value::I16(v) => u64::try_from(v).ok(),
        Value::I32(v) => u64::try_from(v).ok(),
        Value::I64(v) => u64::try_from(v).ok(),
        _ => None,
    }
}

/// candle's errors carry a backtrace after their first line.
fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
