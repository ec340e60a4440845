//! Which files of a repository make a model: configuration, tokenizer and weights, and nothing twice.

use super::{HubError, HubModel};
use crate::model::source::directory::{CONFIG, shards};
use crate::model::weight_names::{FORMATS, WeightNames};
use serde::Deserialize;

/// Everything beside the weights that says how the model and its tokenizer work.
const SMALL_FILES: [&str; 8] = [
    CONFIG,
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
];

/// Candidates that an error names.
const N_CANDIDATES: usize = 8;

/// What the hub says about a revision.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    /// The commit that the revision is at.
    #[serde(rename = "sha")]
    pub commit: String,
    #[serde(rename = "siblings", default)]
    pub files: Vec<ListedFile>,
}

/// A file of a repository.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ListedFile {
    #[serde(rename = "rfilename")]
    pub path: String,
    /// Size in bytes, where the endpoint tells.
    pub size: Option<u64>,
    /// Name of its content in git; a large file's is that of its pointer.
    #[serde(rename = "blobId")]
    pub blob: Option<String>,
    /// How a large file is kept.
    pub lfs: Option<LargeFile>,
}

/// What is known of a file that git does not hold itself.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct LargeFile {
    /// SHA-256 of its content, hex.
    pub sha256: String,
}

impl Listing {
    /// The file at `path`.
    pub(super) fn file(&self, path: &str) -> Option<&ListedFile> {
        self.files.iter().find(|f| f.path == path)
    }

    /// The names of the format whose files are used, if the repository has one that is read.
    pub(super) fn names(&self) -> Option<&'static WeightNames> {
        let is_there =
            |names: &&WeightNames| [names.single, names.index].iter().any(|f| self.file(f).is_some());
        FORMATS.iter().find(is_there)
    }

    /// What has to be fetched before the weights: for a single file nothing.
    pub(super) fn small_files(&self, model: &HubModel) -> Vec<ListedFile> {
        if model.file.is_some() {
            return Vec::new();
        }
        let index = self.names().filter(|names| self.file(names.single).is_none()).map(|names| names.index);
        SMALL_FILES.into_iter().chain(index).filter_map(|path| self.file(path)).cloned().collect()
    }

    /// The files of the weights; `index` is the content of the index where one is used.
    pub(super) fn weights(
        &self,
        model: &HubModel,
        index: Option<&[u8]>,
    ) -> Result<Vec<ListedFile>, HubError> {
        let listed = |path: &str, whole: &str| {
            self.file(path).cloned().ok_or_else(|| HubError::NoFile {
                model: model.to_string(),
                path: path.to_owned(),
                why: whole.to_owned(),
                candidates: self.with_extension(".gguf"),
            })
        };
        if let Some(file) = model.file_text() {
            return Ok(vec![listed(&file, "")?]);
        }
        let names = self.names().unwrap_or(&FORMATS[0]);
        match index {
            None => Ok(vec![listed(names.single, "")?]),
            Some(index) => {
                let refuse =
                    |reason| HubError::Index { model: model.to_string(), index: names.index, reason };
                let shards = shards(names, index).map_err(refuse)?;
                shards.iter().map(|shard| listed(shard, "its index names it")).collect()
            }
        }
    }

    /// Refuses a repository whose files make no model, before any of them is fetched.
    pub(super) fn check(&self, model: &HubModel) -> Result<(), HubError> {
        if model.file.is_some() {
            return self.weights(model, None).map(drop);
        }
        let has_weights = self.names().is_some();
        if has_weights && self.file(CONFIG).is_some() {
            return Ok(());
        }
        let others = [".bin", ".pt", ".pth", ".msgpack", ".h5", ".onnx"];
        Err(HubError::NoWeights {
            model: Box::new(model.clone()),
            missing: if has_weights { CONFIG } else { "safetensors and no pytorch_model.bin" },
            ggufs: self.with_extension(".gguf"),
            others: others.iter().flat_map(|e| self.with_extension(e)).take(N_CANDIDATES).collect(),
        })
    }

    fn with_extension(&self, extension: &str) -> Vec<String> {
        let paths = self.files.iter().map(|f| &f.path);
        paths.filter(|p| p.to_lowercase().ends_with(extension)).take(N_CANDIDATES).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(paths: &[&str]) -> Listing {
        let file = |path: &&str| ListedFile { path: (*path).to_owned(), size: None, blob: None, lfs: None };
        Listing { commit: "c".into(), files: paths.iter().map(file).collect() }
    }

    fn names(files: &[ListedFile]) -> Vec<&str> {
        files.iter().map(|f| f.path.as_str()).collect()
    }

    fn model(text: &str) -> HubModel {
        HubModel::parse(text).expect("the right form")
    }

    #[test]
    fn nothing_is_fetched_twice() {
        let all = listing(&[
            "README.md",
            "config.json",
            "tokenizer.json",
            "model.safetensors",
            "pytorch_model.bin",
            "onnx/model.onnx",
            "model.Q4_0.gguf",
            "model.safetensors.index.json",
            "flax_model.msgpack",
        ]);
        let model = model("o/n");
        assert_eq!(names(&all.small_files(&model)), ["config.json", "tokenizer.json"]);
        assert_eq!(names(&all.weights(&model, None).expect("whole")), ["model.safetensors"]);
        all.check(&model).expect("a model");
    }

    #[test]
    fn an_index_says_which_shards() {
        const INDEX: &str = FORMATS[0].index;
        let all = listing(&["config.json", INDEX, "a-1.safetensors", "a-2.safetensors", "b.safetensors"]);
        let model = model("o/n");
        assert_eq!(names(&all.small_files(&model)), ["config.json", INDEX]);
        let index =
            br#"{"weight_map": {"x": "a-2.safetensors", "y": "a-1.safetensors", "z": "a-1.safetensors"}}"#;
        let shards = all.weights(&model, Some(index)).expect("sharded");
        assert_eq!(names(&shards), ["a-1.safetensors", "a-2.safetensors"]);
        for bad in ["", "{}", r#"{"weight_map": {}}"#, r#"{"weight_map": {"x": "../../etc/passwd"}}"#] {
            assert!(
                matches!(all.weights(&model, Some(bad.as_bytes())), Err(HubError::Index { .. })),
                "{bad}"
            );
        }
        let absent = br#"{"weight_map": {"x": "c.safetensors"}}"#;
        assert!(matches!(all.weights(&model, Some(absent)), Err(HubError::NoFile { .. })));
    }

    #[test]
    fn weights_of_pytorch_are_fetched_where_there_are_no_others() {
        let bins = ["pytorch_model-1.bin", "pytorch_model-2.bin"];
        let all = listing(&[&["config.json", FORMATS[1].index], &bins[..]].concat());
        let model = model("o/n");
        all.check(&model).expect("a model");
        assert_eq!(names(&all.small_files(&model)), ["config.json", FORMATS[1].index]);
        let index = br#"{"weight_map": {"x": "pytorch_model-1.bin", "y": "pytorch_model-2.bin"}}"#;
        assert_eq!(names(&all.weights(&model, Some(index)).expect("sharded")), bins);
        let foreign = br#"{"weight_map": {"x": "a.safetensors"}}"#;
        assert!(matches!(all.weights(&model, Some(foreign)), Err(HubError::Index { .. })));
    }

    #[test]
    fn one_gguf_comes_alone() {
        let all = listing(&["config.json", "a.gguf", "b.gguf"]);
        let wanted = model("o/n/a.gguf");
        assert!(all.small_files(&wanted).is_empty());
        assert_eq!(names(&all.weights(&wanted, None).expect("there")), ["a.gguf"]);
        assert!(matches!(all.check(&model("o/n/c.gguf")), Err(HubError::NoFile { .. })));
        assert!(matches!(all.check(&model("o/n")), Err(HubError::NoWeights { .. })));
    }
}
