//! candle-mi's forward pass over batches of prompts, states and attention reduced to segments.
//!
//! Given a directory with `config.json`, `model.safetensors` and `batches.safetensors` (for each batch, `ids.I`:
//! prompts × tokens, and `members.I` and `mean.I`: prompts × segments × tokens), writes `found.safetensors` (`states.I`:
//! prompts × (layers + 1) × segments × d_model, `masses.I`: prompts × layers × heads × segments × segments) and prints
//! the seconds that forward passes and reductions took.

use candle_core::{DType, Device, Tensor, safetensors};
use candle_mi::{GenericTransformer, HookPoint, HookSpec, MIBackend, TransformerConfig};
use candle_nn::VarBuilder;
use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(std::env::args().nth(1).ok_or("name a directory")?);
    let config = std::fs::read_to_string(directory.join("config.json"))?;
    let config = TransformerConfig::from_hf_config(&serde_json::from_str(&config)?)?;
    let weights = safetensors::load(directory.join("model.safetensors"), &Device::Cpu)?;
    let weights = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
    let model = GenericTransformer::load(config, &Device::Cpu, DType::F32, weights)?;
    let batches = safetensors::load(directory.join("batches.safetensors"), &Device::Cpu)?;

    let layers = 0..model.num_layers();
    let mut hooks = HookSpec::new();
    hooks.capture(HookPoint::Embed).capture(HookPoint::FinalNorm);
    hooks.capture_all(layers.clone().map(HookPoint::ResidPost));
    hooks.capture_all(layers.clone().map(HookPoint::AttnPattern));
    // The last state is past the final norm, as transformers counts.
    let mut sites: Vec<HookPoint> = layers.clone().map(HookPoint::ResidPost).collect();
    sites.insert(0, HookPoint::Embed);
    *sites.last_mut().ok_or("no layers")? = HookPoint::FinalNorm;

    let started = Instant::now();
    let mut found = HashMap::new();
    for batch in 0..batches.len() / 3 {
        let cache = model.forward(&batches[&format!("ids.{batch}")], &hooks)?;
        let mean = &batches[&format!("mean.{batch}")];
        let members = batches[&format!("members.{batch}")].transpose(1, 2)?.contiguous()?.unsqueeze(1)?;
        let states = sites.iter().map(|site| Ok(mean.matmul(cache.require(site)?)?));
        let states = states.collect::<Result<Vec<Tensor>, Box<dyn Error>>>()?;
        let masses = layers.clone().map(|layer| {
            let weights = cache.require(&HookPoint::AttnPattern(layer))?;
            Ok(mean.unsqueeze(1)?.broadcast_matmul(weights)?.broadcast_matmul(&members)?)
        });
        let masses = masses.collect::<Result<Vec<Tensor>, Box<dyn Error>>>()?;
        found.insert(format!("states.{batch}"), Tensor::stack(&states, 1)?);
        found.insert(format!("masses.{batch}"), Tensor::stack(&masses, 1)?);
    }
    let seconds = started.elapsed().as_secs_f64();
    safetensors::save(&found, directory.join("found.safetensors"))?;
    println!("{seconds}");
    Ok(())
}
