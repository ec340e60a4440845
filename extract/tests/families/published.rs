//! Configurations as published checkpoints and their descendants write them: every key is understood or known not to
//! matter. The directories have nothing else, so what is refused is the absence of weights.

use crate::parity::fixtures;
use hypercolumn_extract::model::open_checkpoint;
use serde_json::{Value, json};

/// What transformers writes for every model.
fn with_usual_keys(mut config: Value) -> Value {
    let usual = json!({
        "_name_or_path": "somewhere", "bos_token_id": 1, "eos_token_id": [2, 3], "initializer_range": 0.02,
        "torch_dtype": "bfloat16", "transformers_version": "4.45.2", "use_cache": true,
    });
    let config_map = config.as_object_mut().expect("an object");
    config_map.extend(usual.as_object().expect("an object").clone());
    config
}

fn configurations() -> Vec<Value> {
    let path = fixtures().join("published.json");
    serde_json::from_slice(&std::fs::read(path).expect("configurations")).expect("JSON")
}

#[test]
fn published_configurations_are_understood() {
    for config in configurations() {
        let directory = tempfile::tempdir().expect("a directory");
        let text = with_usual_keys(config).to_string();
        std::fs::write(directory.path().join("config.json"), text).expect("written");
        let error = open_checkpoint(directory.path()).err().expect("no weights").to_string();
        assert!(error.contains("has no `model.safetensors`"), "{error}");
    }
}
