//! The models of the published study at full size: checkpoints whose files are holes, opened without reading a weight.

use crate::hostile::LONGEST;
use hypercolumn_extract::model::source::ResolvedModel;
use hypercolumn_extract::stage::ModelFile;
use serde_json::{Map, json};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// Bytes of a shard, as the hub splits.
const SHARD: usize = 10_000_000_000;

/// A Llama's sizes.
struct Sizes {
    n_layers: usize,
    d_model: usize,
    d_mlp: usize,
    n_heads: usize,
    n_kv_heads: usize,
}

const VOCABULARY: usize = 32_000;

impl Sizes {
    /// Names, shapes and bytes of a value, in the order in which the hub's converter wrote them.
    fn tensors(&self) -> Vec<(String, Vec<usize>, &'static str)> {
        let (d, f, width) = (self.d_model, self.d_mlp, self.d_model / self.n_heads);
        let shared = self.n_kv_heads * width;
        let half = |name: String, dims: &[usize]| (name, dims.to_vec(), "F16");
        let mut tensors = vec![half("model.embed_tokens.weight".to_owned(), &[VOCABULARY, d])];
        for layer in 0..self.n_layers {
            let name = |part: &str| format!("model.layers.{layer}.{part}");
            tensors.extend([
                half(name("self_attn.q_proj.weight"), &[d, d]),
                half(name("self_attn.k_proj.weight"), &[shared, d]),
                half(name("self_attn.v_proj.weight"), &[shared, d]),
                half(name("self_attn.o_proj.weight"), &[d, d]),
                half(name("mlp.gate_proj.weight"), &[f, d]),
                half(name("mlp.up_proj.weight"), &[f, d]),
                half(name("mlp.down_proj.weight"), &[d, f]),
                half(name("input_layernorm.weight"), &[d]),
                half(name("post_attention_layernorm.weight"), &[d]),
                (name("self_attn.rotary_emb.inv_freq"), vec![width / 2], "F32"),
            ]);
        }
        tensors.push(half("model.norm.weight".to_owned(), &[d]));
        tensors.push(half("lm_head.weight".to_owned(), &[VOCABULARY, d]));
        tensors
    }

    /// `config.json` as published: what both models say, and what is one's `own`.
    fn config(&self, own: serde_json::Value) -> serde_json::Value {
        let mut config = json!({
            "architectures": ["LlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu",
            "hidden_size": self.d_model, "initializer_range": 0.02, "intermediate_size": self.d_mlp,
            "model_type": "llama", "num_attention_heads": self.n_heads, "num_hidden_layers": self.n_layers,
            "tie_word_embeddings": false, "torch_dtype": "float16", "use_cache": true, "vocab_size": VOCABULARY,
        });
        let own = own.as_object().expect("an object").clone();
        config.as_object_mut().expect("an object").extend(own);
        config
    }

    /// Writes configuration, index, tokenizer and shards of holes; gives the number of shards and their tensors' bytes.
    fn write(&self, directory: &Path, own: serde_json::Value) -> (usize, usize) {
        let mut shards: Vec<(usize, Map<String, serde_json::Value>)> = vec![(0, Map::new())];
        for (name, dims, dtype) in self.tensors() {
            let size = dims.iter().product::<usize>() * if dtype == "F16" { 2 } else { 4 };
            if shards.last().is_some_and(|(end, _)| end + size > SHARD) {
                shards.push((0, Map::new()));
            }
            let (end, header) = shards.last_mut().expect("a shard");
            header.insert(name, json!({"dtype": dtype, "shape": dims, "data_offsets": [*end, *end + size]}));
            *end += size;
        }
        let mut map = Map::new();
        for (number, (end, header)) in shards.iter().enumerate() {
            let name = format!("model-{:05}-of-{:05}.safetensors", number + 1, shards.len());
            map.extend(header.keys().map(|tensor| (tensor.clone(), json!(name))));
            write_holes(&directory.join(name), header, *end);
        }
        let n_bytes: usize = shards.iter().map(|(end, _)| end).sum();
        let index = json!({"metadata": {"total_size": n_bytes}, "weight_map": map});
        let write = |name: &str, value: serde_json::Value| {
            std::fs::write(directory.join(name), value.to_string()).expect("written");
        };
        write("model.safetensors.index.json", index);
        write("config.json", self.config(own));
        write("tokenizer.json", tokenizer());
        (shards.len(), n_bytes)
    }
}

fn write_holes(path: &Path, header: &Map<String, serde_json::Value>, n_bytes: usize) {
    let header = serde_json::to_string(header).expect("JSON");
    let mut file = File::create(path).expect("a file");
    file.write_all(&(header.len() as u64).to_le_bytes()).expect("written");
    file.write_all(header.as_bytes()).expect("written");
    file.set_len((8 + header.len() + n_bytes) as u64).expect("a file of holes");
}

fn tokenizer() -> serde_json::Value {
    let bytes =
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": bytes, "post_processor": null, "decoder": bytes,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]],
        },
    })
}

fn open(directory: &Path) -> ModelFile {
    let model = ResolvedModel {
        name: "published".to_owned(),
        path: directory.to_owned(),
        source: "holes".to_owned(),
    };
    let started = Instant::now();
    let file = ModelFile::open(&model).unwrap_or_else(|e| panic!("{e}"));
    assert!(started.elapsed() < LONGEST, "no weight is read: {:?}", started.elapsed());
    file
}

#[test]
fn llama_2_70b() {
    let directory = tempfile::tempdir().expect("a directory");
    let sizes = Sizes { n_layers: 80, d_model: 8192, d_mlp: 28672, n_heads: 64, n_kv_heads: 8 };
    let own = json!({
        "_name_or_path": "meta-llama/Llama-2-70b-hf", "max_position_embeddings": 4096, "num_key_value_heads": 8,
        "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": null, "transformers_version": "4.32.0.dev0",
    });
    let (n_shards, n_bytes) = sizes.write(directory.path(), own);
    assert_eq!((n_shards, n_bytes), (15, 137_953_316_864), "as the published index says");
    let model = open(directory.path());
    let (shape, architecture) = (model.shape(), model.architecture());
    assert_eq!((shape.n_layers, shape.d_model, shape.n_heads, shape.n_ctx), (80, 8192, 64, 4096));
    assert_eq!((architecture.n_kv_heads, architecture.head_dim), (8, 128));
    let tensors = model.tensors();
    assert_eq!(tensors.len(), 80 * 9 + 3);
    assert_eq!(tensors.iter().map(|t| t.n_values()).sum::<usize>(), 68_976_648_192);
    assert_eq!(tensors.iter().map(|t| t.n_bytes).sum::<usize>(), 2 * 68_976_648_192);
    let key = tensors.iter().find(|t| t.name == "model.layers.79.self_attn.k_proj.weight");
    let key = key.expect("the last block's keys");
    assert_eq!((key.dims.as_slice(), key.encoding.as_str()), ([1024, 8192].as_slice(), "f16"));
}

#[test]
fn vicuna_13b() {
    let directory = tempfile::tempdir().expect("a directory");
    let sizes = Sizes { n_layers: 40, d_model: 5120, d_mlp: 13824, n_heads: 40, n_kv_heads: 40 };
    let own = json!({
        "_name_or_path": "vicuna-13b-v1.3", "max_position_embeddings": 2048, "pad_token_id": 0, "rms_norm_eps": 1e-06,
        "transformers_version": "4.28.1",
    });
    let (n_shards, n_bytes) = sizes.write(directory.path(), own);
    assert_eq!((n_shards, n_bytes), (3, 26_031_738_880), "as the published index says");
    let model = open(directory.path());
    assert_eq!((model.architecture().n_kv_heads, model.architecture().head_dim), (40, 128));
    assert_eq!(model.tensors().iter().map(|t| t.n_values()).sum::<usize>(), 13_015_864_320);
}
