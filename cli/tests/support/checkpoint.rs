//! Small Llama checkpoints of the tests' own: they compute nothing sensible, and differ by their seed.

use super::Bench;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;

const D_MODEL: usize = 16;
const N_VOCABULARY: usize = 448;

/// Writes a checkpoint of one block into the bench's directory `path`.
pub fn write(bench: &Bench, path: &str, seed: u32) {
    let config = json!({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": D_MODEL,
        "intermediate_size": D_MODEL, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
        "max_position_embeddings": 64, "vocab_size": N_VOCABULARY, "rms_norm_eps": 1e-6, "hidden_act": "silu",
        "rope_theta": 10000.0, "tie_word_embeddings": true, "torch_dtype": "float32", "eos_token_id": 0,
    });
    let tokenizer =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/tokenizers/json-smollm/tokenizer.json");
    bench.write(&format!("{path}/config.json"), config.to_string());
    bench.write(&format!("{path}/tokenizer.json"), fs::read(tokenizer).expect("the fixture"));
    bench.write(&format!("{path}/model.safetensors"), safetensors(seed));
}

/// A safetensors file: the header's length, the header, the values.
fn safetensors(seed: u32) -> Vec<u8> {
    let d = D_MODEL;
    let block = |name: &str| format!("model.layers.0.{name}.weight");
    let tensors: Vec<(String, Vec<usize>)> = vec![
        ("model.embed_tokens.weight".into(), vec![N_VOCABULARY, d]),
        ("model.norm.weight".into(), vec![d]),
        (block("input_layernorm"), vec![d]),
        (block("post_attention_layernorm"), vec![d]),
        (block("self_attn.q_proj"), vec![d, d]),
        (block("self_attn.k_proj"), vec![d / 2, d]),
        (block("self_attn.v_proj"), vec![d / 2, d]),
        (block("self_attn.o_proj"), vec![d, d]),
        (block("mlp.gate_proj"), vec![d, d]),
        (block("mlp.up_proj"), vec![d, d]),
        (block("mlp.down_proj"), vec![d, d]),
    ];
    let (mut header, mut values) = (Map::new(), Vec::new());
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    for (name, shape) in tensors {
        let start = values.len();
        for _ in 0..shape.iter().product::<usize>() {
            // A linear congruential generator (Numerical Recipes) is random enough for weights of a test.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let value = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
            values.extend(value.to_le_bytes());
        }
        header.insert(name, json!({"dtype": "F32", "shape": shape, "data_offsets": [start, values.len()]}));
    }
    let header = Value::Object(header).to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(values);
    file
}
