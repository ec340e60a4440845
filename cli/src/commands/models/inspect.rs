//! `models inspect`: what a model is, and what an extraction with it would take.

use super::super::{open, print, print_json};
use super::Form;
use crate::args::InspectArgs;
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::model_argument::{fetch, parse};
use crate::output::{draw, format_count};
use crate::progress::{Reporter, bytes};
use crate::resolve::override_settings;
use hypercolumn_extract::Forecast;
use hypercolumn_extract::stage::inspect::{Inspection, Weights};
use hypercolumn_extract::stage::settings::Settings;

pub fn inspect(args: &InspectArgs, form: Form, reporter: &Reporter) -> Result<Exit, Failure> {
    let source = parse(&args.model)?;
    let lake = args.task.as_ref().map(|_| open(&args.lake.lake)).transpose()?;
    let model = fetch(&source, reporter)?;
    let settings = override_settings(Settings::default(), &args.keep)?;
    let task = lake.as_ref().zip(args.task.as_deref()).map(|(lake, task)| (lake, task, &settings));
    let found = hypercolumn_extract::stage::inspect::inspect(&model, task)
        .map_err(could_not("inspect", &args.model))?;
    if form == Form::Json {
        print_json(&found)?;
        return Ok(Exit::Success);
    }
    let rows: Vec<_> = facts(&found)
        .into_iter()
        .chain(found.forecast.iter().flat_map(expectations))
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect();
    print(&draw(&["what", "value"], &rows, &[]))?;
    Ok(Exit::Success)
}

fn facts(found: &Inspection) -> Vec<(&'static str, String)> {
    let sizes = &found.sizes;
    let count = |n: usize| format_count(n as u64);
    let tokenizer = &found.tokenizer;
    let around = match tokenizer.around.as_slice() {
        [] => "nothing around a text".to_owned(),
        pieces => format!("{} around a text", pieces.join(" ")),
    };
    vec![
        ("model", found.name.clone()),
        ("source", found.source.clone()),
        ("path", found.path.display().to_string()),
        ("BLAKE3", found.blake3.clone()),
        ("family", sizes.family.clone()),
        ("layers", count(sizes.n_layers)),
        ("width", format!("{} (feed-forward {})", count(sizes.d_model), count(sizes.d_mlp))),
        ("heads", format!("{} of width {}, {} for keys", sizes.n_heads, sizes.head_dim, sizes.n_kv_heads)),
        ("context", format!("{} tokens", count(sizes.n_ctx))),
        ("parameters", format_count(found.n_parameters)),
        ("size", bytes(found.n_bytes)),
        ("stored as", found.weights.iter().map(stored).collect::<Vec<_>>().join(", ")),
        ("tokenizer", format!("{}: {} tokens, {around}", tokenizer.kind, count(tokenizer.n_vocabulary))),
        ("embedding", format!("{} rows", count(sizes.n_vocabulary))),
    ]
}

fn stored(weights: &Weights) -> String {
    format!("{} ({} in {} tensors)", weights.dtype, bytes(weights.n_bytes), weights.n_tensors)
}

fn expectations(forecast: &Forecast) -> Vec<(&'static str, String)> {
    let count = |n: usize| format_count(n as u64);
    let tokens = format!(
        "{} prompts, {} tokens ({} unique)",
        count(forecast.n_prompts),
        count(forecast.n_tokens),
        count(forecast.n_unique_tokens)
    );
    let rows = format!(
        "{} of hidden_states, {} of attention",
        count(forecast.n_hidden_rows),
        count(forecast.n_attention_rows)
    );
    vec![
        ("task", format!("{}: {tokens}", forecast.task)),
        ("rows", rows),
        ("lake, about", bytes(forecast.n_lake_bytes)),
        ("memory, about", bytes(forecast.memory.n_bytes())),
    ]
}
