//! Files that are broken or meant to break the reader: refused by name, in no time, with nothing large allocated.

use crate::parity::fixtures;
use hypercolumn_extract::model::open_checkpoint;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Refusals take milliseconds. This bound is for reading gigabytes of holes, and wide enough for a busy machine.
pub const LONGEST: Duration = Duration::from_secs(10);

/// A change of a JSON file.
type Edit = Box<dyn FnOnce(&mut Value)>;

/// A copy of a fixture that a test may damage.
struct Copied {
    directory: TempDir,
}

impl Copied {
    fn of(name: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for entry in std::fs::read_dir(fixtures().join(name)).expect("a fixture") {
            let from = entry.expect("an entry").path();
            let to = directory.path().join(from.file_name().expect("a name"));
            std::fs::copy(from, to).expect("a copy");
        }
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).expect("a file")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).expect("written");
    }

    fn edit_json(&self, name: &str, edit: impl FnOnce(&mut Value)) {
        let mut value = serde_json::from_slice(&self.read(name)).expect("JSON");
        edit(&mut value);
        self.write(name, value.to_string().as_bytes());
    }

    /// Changes the header of `model.safetensors` and leaves the data as it is.
    fn edit_header(&self, edit: impl FnOnce(&mut Value)) {
        let bytes = self.read("model.safetensors");
        let length = u64::from_le_bytes(*bytes.first_chunk().expect("a length")) as usize;
        let mut header = serde_json::from_slice(&bytes[8..8 + length]).expect("JSON");
        edit(&mut header);
        self.write("model.safetensors", &file_of(&header.to_string(), &bytes[8 + length..]));
    }

    fn refused(&self) -> String {
        refused(self.directory.path())
    }
}

fn file_of(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// The message of a refusal, which must come at once.
fn refused(path: &Path) -> String {
    let started = Instant::now();
    let error = match open_checkpoint(path) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error.to_string(),
    };
    assert!(started.elapsed() < LONGEST, "{error} took {:?}", started.elapsed());
    error
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    let absent: Vec<_> = parts.iter().filter(|part| !message.contains(**part)).collect();
    assert!(absent.is_empty(), "`{message}` does not say {absent:?}");
}

const WEIGHT: &str = "model.layers.1.mlp.up_proj.weight";

#[test]
fn truncated_weights() {
    let copied = Copied::of("llama");
    let bytes = copied.read("model.safetensors");
    for kept in [0, 5, 8, 100, bytes.len() - 1] {
        copied.write("model.safetensors", &bytes[..kept]);
        assert_says(&copied.refused(), &["model.safetensors"]);
    }
    assert_says(&copied.refused(), &["is truncated"]);
}

#[test]
fn a_header_that_lies_about_its_length() {
    let copied = Copied::of("llama");
    let mut bytes = copied.read("model.safetensors");
    for length in [1u64 << 60, u64::MAX, 0, 31 << 20] {
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        copied.write("model.safetensors", &bytes);
        assert_says(&copied.refused(), &["model.safetensors", "header"]);
    }
}

#[test]
fn a_header_of_holes_is_not_parsed_for_long() {
    let copied = Copied::of("llama");
    let file = std::fs::File::create(copied.path("model.safetensors")).expect("a file");
    file.set_len(1 << 42).expect("a file of holes");
    assert_says(&copied.refused(), &["header that is not JSON"]);
    std::fs::write(copied.path("model.safetensors"), (30u64 << 20).to_le_bytes()).expect("written");
    let file = std::fs::OpenOptions::new().write(true).open(copied.path("model.safetensors"));
    file.expect("a file").set_len(1 << 42).expect("a file of holes");
    assert_says(&copied.refused(), &["header that is not JSON"]);
}

#[test]
fn deep_json() {
    let deep = "[".repeat(1 << 20);
    let copied = Copied::of("llama-biases");
    copied.write("model.safetensors.index.json", deep.as_bytes());
    assert_says(&copied.refused(), &["index.json", "not JSON"]);
    copied.write("model.safetensors", &file_of(&format!("{{\"a\":{deep}"), &[]));
    assert_says(&copied.refused(), &["model.safetensors", "not JSON"]);
    copied.write("config.json", deep.as_bytes());
    assert_says(&copied.refused(), &["config.json", "not JSON"]);
}

#[test]
fn tensors_whose_sizes_and_places_lie() {
    let offsets = |range: Value| move |header: &mut Value| header[WEIGHT]["data_offsets"] = range;
    let shape = |dims: Value| move |header: &mut Value| header[WEIGHT]["shape"] = dims;
    let edits: Vec<(Edit, &str)> = vec![
        (Box::new(offsets(json!([0, 2560]))), "expected"),
        (Box::new(offsets(json!([1u64 << 60, (1u64 << 60) + 2560]))), "expected"),
        (Box::new(offsets(json!([u64::MAX - 1, 5]))), "gives tensor"),
        (Box::new(offsets(json!([-1, 5]))), "cannot be read"),
        (Box::new(shape(json!([40, 31]))), "needs"),
        (Box::new(shape(json!([1u64 << 40, 1u64 << 40]))), "cannot be read"),
        (Box::new(|h: &mut Value| h[WEIGHT]["dtype"] = json!("F4")), "cannot be read"),
        (Box::new(|h: &mut Value| h[WEIGHT]["dtype"] = json!("I16")), "expected F32, F16 or BF16"),
        (Box::new(|h: &mut Value| h[WEIGHT] = json!(7)), "cannot be read"),
    ];
    for (edit, says) in edits {
        let copied = Copied::of("llama");
        copied.edit_header(edit);
        assert_says(&copied.refused(), &["model.safetensors", "tensor `model.", says]);
    }
}

#[test]
fn tensors_that_are_missing_or_too_many() {
    let copied = Copied::of("llama");
    copied.edit_header(|header| {
        let tensor = header.as_object_mut().expect("an object").remove(WEIGHT).expect("a tensor");
        header["model.layers.1.mlp.up_proj.scale"] = tensor;
    });
    assert_says(&copied.refused(), &["has no tensor", WEIGHT]);
    let copied = Copied::of("llama-biases");
    copied.edit_json("config.json", |config| config["attention_bias"] = json!(false));
    assert_says(&copied.refused(), &["model-00", "self_attn.k_proj.bias", "has no use"]);
    copied.edit_json("config.json", |config| config["num_hidden_layers"] = json!(1));
    assert_says(&copied.refused(), &["has no use"]);
}

#[test]
fn an_index_that_leads_astray() {
    let cases = [
        (json!("model-00009-of-00002.safetensors"), "which is not there"),
        (json!("../model-00001-of-00002.safetensors"), "expected a `.safetensors` beside it"),
        (json!("/etc/passwd"), "expected a `.safetensors` beside it"),
        (json!("model.safetensors.index.json"), "expected a `.safetensors` beside it"),
        (json!(3), "expected a `.safetensors` beside it"),
    ];
    for (file, says) in cases {
        let copied = Copied::of("llama-biases");
        copied.edit_json("model.safetensors.index.json", |index| index["weight_map"][WEIGHT] = file);
        assert_says(&copied.refused(), &["index.json", says]);
    }
    let copied = Copied::of("llama-biases");
    copied.edit_json("model.safetensors.index.json", |index| {
        let map = index["weight_map"].as_object_mut().expect("a map");
        let files: Vec<Value> = map.values().cloned().collect();
        let other = files.iter().find(|f| **f != map[WEIGHT]).expect("another shard").clone();
        map.insert(WEIGHT.to_owned(), other);
    });
    assert_says(&copied.refused(), &["index.json", WEIGHT, "does not have it"]);
    copied.edit_json("model.safetensors.index.json", |index| index["weight_map"] = json!({}));
    assert_says(&copied.refused(), &["no `weight_map`"]);
    std::fs::remove_file(copied.path("model.safetensors.index.json")).expect("removed");
    assert_says(&copied.refused(), &["has no `model.safetensors`", "no `pytorch_model.bin`"]);
}

#[test]
fn a_file_of_pytorch_that_is_not_whole_or_not_its_own() {
    let copied = Copied::of("llama-pytorch");
    let whole = std::fs::read(copied.path("pytorch_model.bin")).expect("the fixture");
    for (content, says) in [
        (&[][..], "is empty"),
        (&whole[..whole.len() / 2], "no whole zip archive"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "PyTorch before 1.6"),
        (b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "has no `data.pkl`"),
    ] {
        copied.write("pytorch_model.bin", content);
        assert_says(&copied.refused(), &["pytorch_model.bin", says]);
    }
    // A tensor's name in the pickle, which the archive's sum covers.
    let at = whole.windows(12).position(|w| w == b"embed_tokens").expect("a name");
    let mut altered = whole.clone();
    altered[at] = b'X';
    copied.write("pytorch_model.bin", &altered);
    assert_says(&copied.refused(), &["pytorch_model.bin", "Invalid checksum"]);
}

#[test]
fn configurations_that_cannot_be_meant() {
    let cases = [
        ("num_attention_heads", json!(0), "expected a whole number from 1 on"),
        ("num_attention_heads", json!("NaN"), "expected a whole number from 1 on"),
        ("num_attention_heads", json!(1e300), "expected a whole number from 1 on"),
        ("num_key_value_heads", json!(3), "expected a divisor of the 4 query heads"),
        ("num_hidden_layers", json!(10_000_000), "expected at most"),
        ("num_hidden_layers", json!(4000), "has no tensor"),
        ("head_dim", json!(16_000_000), "the configuration asks for"),
        ("vocab_size", json!(49), "the configuration asks for"),
        ("hidden_size", json!(null), "expected a whole number from 1 on"),
        ("rms_norm_eps", json!(-1.0), "expected a number greater than 0"),
        ("rms_norm_eps", json!(1e300), "`rms_norm_eps` is 1e+300; expected a number greater than 0"),
        ("rms_norm_eps", json!(1e-300), "`rms_norm_eps` is 1e-300; expected a number greater than 0"),
        ("hidden_act", json!("relu"), "`hidden_act` is \"relu\"; expected `silu`"),
        ("rope_parameters", json!({"rope_type": "spiral"}), "`rope_parameters.rope_type` is \"spiral\""),
        ("rope_parameters", json!({"rope_type": "linear"}), "`rope_parameters.factor` is absent"),
        ("rope_parameters", json!({"rope_type": "default", "warp": 2}), "`rope_parameters.warp`"),
        ("rope_parameters", json!({"rope_theta": 1e-300}), "`rope_parameters.rope_theta` is 1e-300"),
        (
            "rope_parameters",
            json!({"rope_type": "linear", "rope_theta": 1e-30, "factor": 1e-30}),
            "not finite",
        ),
        (
            "rope_parameters",
            json!({"rope_type": "yarn", "factor": 2, "original_max_position_embeddings": 0.5}),
            "`rope_parameters.original_max_position_embeddings` is 0.5",
        ),
        ("rope_parameters", json!({"partial_rotary_factor": 0.5}), "rotates whole heads"),
        ("model_type", json!("mixtral"), "`model_type` is \"mixtral\"; expected one of `llama`"),
        ("architectures", json!(["LlamaForSequenceClassification"]), "expected `LlamaForCausalLM`"),
        ("quantization_config", json!({"quant_method": "gptq"}), "quantised weights are read from GGUF"),
        ("quantization", json!({"group_size": 64, "bits": 4}), "quantised weights are read from GGUF"),
        ("residual_multiplier", json!(0.2), "`residual_multiplier` is 0.2, an option"),
    ];
    for (key, value, says) in cases {
        let copied = Copied::of("llama");
        copied.edit_json("config.json", |config| config[key] = value);
        assert_says(&copied.refused(), &[says]);
    }
}

#[test]
fn options_of_families_that_are_not_carried_out() {
    let cases = [
        ("gpt2", "scale_attn_by_inverse_layer_idx", json!(true)),
        ("gpt2", "add_cross_attention", json!(true)),
        ("gemma2", "use_bidirectional_attention", json!(true)),
        ("gemma2", "layer_types", json!(["chunked_attention", "full_attention", "full_attention"])),
        ("qwen2", "layer_types", json!(["full_attention"])),
        ("smollm3", "no_rope_layers", json!([2, 1, 1, 1])),
    ];
    for (family, key, value) in cases {
        let copied = Copied::of(family);
        copied.edit_json("config.json", |config| config[key] = value);
        assert_says(&copied.refused(), &["config.json", key, "expected"]);
    }
}
