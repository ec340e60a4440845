//! Numbers against Hugging Face transformers, and against ourselves in other company.

mod support;

use arrow::array::{Array, AsArray, FixedSizeListArray, RecordBatch};
use arrow::datatypes::{Float32Type, Int16Type, Int32Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use support::{Bench, default_model};

/// Largest allowed difference of hidden states, relative to the largest value of a layer and site.
const HIDDEN_TOLERANCE: f32 = 1e-4;
/// Largest allowed difference of attention mass.
const ATTENTION_TOLERANCE: f32 = 2e-5;
/// As the two above, between runs of this program.
const INVARIANCE_TOLERANCE: f32 = 1e-5;

/// Where transformers gives the state after the last norm.
const LAST_LAYER: i32 = 30;

type HiddenKey = (String, i32, String, i16);
type AttentionKey = (String, i32, i16, i16, i16);

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/smollm2")
}

fn lines(file: &str) -> Vec<String> {
    fs::read_to_string(fixtures().join(file)).unwrap().lines().map(str::to_owned).collect()
}

/// Ingests and extracts `prompts` (JSON Lines) as task `t` into the lake `name`.
fn extract(bench: &Bench, name: &str, prompts: &[String]) {
    let file = bench.write(&format!("{name}.jsonl"), prompts.join("\n"));
    let file = file.to_str().unwrap();
    bench.run(&["ingest", "--task", "t", "--prompts", file, "--lake", name]).succeeds();
    let args = ["extract", "--task", "t", "--pooling", "mean", "--max-new-tokens", "12", "--lake", name];
    bench.run_with_models(&args).succeeds();
}

fn query(bench: &Bench, lake: &str, sql: &str) -> Vec<RecordBatch> {
    let ran = bench.run(&["sql", sql, "--lake", lake, "--format", "parquet"]).succeeds();
    read_parquet(&bench.write("answer.parquet", ran.stdout))
}

fn read_parquet(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

fn strings<'a>(batch: &'a RecordBatch, name: &str) -> &'a arrow::array::StringArray {
    batch.column_by_name(name).unwrap().as_string()
}

fn layers(batch: &RecordBatch) -> &[i32] {
    batch.column_by_name("layer").unwrap().as_primitive::<Int32Type>().values()
}

fn shorts<'a>(batch: &'a RecordBatch, name: &str) -> &'a [i16] {
    batch.column_by_name(name).unwrap().as_primitive::<Int16Type>().values()
}

fn vectors(batch: &RecordBatch) -> Vec<Vec<f32>> {
    let column = batch.column_by_name("vector").unwrap();
    let values = |row: &dyn Array| row.as_primitive::<Float32Type>().values().to_vec();
    if let Some(fixed) = column.as_any().downcast_ref::<FixedSizeListArray>() {
        return (0..fixed.len()).map(|i| values(&fixed.value(i))).collect();
    }
    let list = column.as_list::<i32>();
    (0..list.len()).map(|i| values(&list.value(i))).collect()
}

fn hidden_states(bench: &Bench, lake: &str) -> HashMap<HiddenKey, Vec<f32>> {
    let sql = "SELECT prompt_id, layer, site, segment, vector FROM hidden_states WHERE pooling = 'mean'";
    let mut found = HashMap::new();
    for batch in query(bench, lake, sql) {
        let (ids, sites) = (strings(&batch, "prompt_id"), strings(&batch, "site"));
        for (i, vector) in vectors(&batch).into_iter().enumerate() {
            let key =
                (ids.value(i).into(), layers(&batch)[i], sites.value(i).into(), shorts(&batch, "segment")[i]);
            assert!(found.insert(key, vector).is_none(), "a key twice");
        }
    }
    found
}

fn attention_of(batches: &[RecordBatch]) -> HashMap<AttentionKey, f32> {
    let mut found = HashMap::new();
    for batch in batches {
        let ids = strings(batch, "prompt_id");
        let (heads, queries, keys) =
            (shorts(batch, "head"), shorts(batch, "query_segment"), shorts(batch, "key_segment"));
        let masses = batch.column_by_name("mass").unwrap().as_primitive::<Float32Type>();
        for i in 0..batch.num_rows() {
            let key = (ids.value(i).into(), layers(batch)[i], heads[i], queries[i], keys[i]);
            assert!(found.insert(key, masses.value(i)).is_none(), "a key twice");
        }
    }
    found
}

fn attention(bench: &Bench, lake: &str) -> HashMap<AttentionKey, f32> {
    attention_of(&query(
        bench,
        lake,
        "SELECT prompt_id, layer, head, query_segment, key_segment, mass FROM attention",
    ))
}

fn responses(bench: &Bench, lake: &str) -> HashMap<String, (String, Option<f32>)> {
    let mut found = HashMap::new();
    for batch in query(bench, lake, "SELECT prompt_id, response, expected_logprob FROM responses") {
        let logprobs =
            batch.column_by_name("expected_logprob").unwrap().as_primitive::<Float32Type>().clone();
        for i in 0..batch.num_rows() {
            let logprob = logprobs.is_valid(i).then(|| logprobs.value(i));
            let response = strings(&batch, "response").value(i).to_owned();
            found.insert(strings(&batch, "prompt_id").value(i).to_owned(), (response, logprob));
        }
    }
    found
}

/// The largest difference of `pairs`, relative to the largest value, per layer and site; the worst of them.
fn worst_difference<'a>(pairs: impl Iterator<Item = (&'a HiddenKey, &'a [f32], &'a [f32])>) -> f32 {
    let mut by_site: HashMap<(i32, &str), (f32, f32)> = HashMap::new();
    for (key, found, expected) in pairs {
        assert_eq!(found.len(), expected.len());
        let (difference, largest) = by_site.entry((key.1, &key.2)).or_default();
        for (a, b) in found.iter().zip(expected) {
            *difference = difference.max((a - b).abs());
            *largest = largest.max(b.abs());
        }
    }
    by_site.values().map(|(difference, largest)| difference / largest).fold(0.0, f32::max)
}

/// Ids, offsets and greedy responses equal; states and attention within tolerance of transformers in f32.
fn agrees_with_transformers(task: &str) {
    let bench = Bench::new();
    extract(&bench, "lake", &lines(&format!("prompts-{task}.jsonl")));
    check_tokens(&bench, task);

    let found = hidden_states(&bench, "lake");
    let mut pairs = Vec::new();
    for batch in read_parquet(&fixtures().join(format!("{task}.parquet"))) {
        for (i, expected) in vectors(&batch).into_iter().enumerate() {
            let layer = layers(&batch)[i];
            let site = match layer {
                0 => "embed",
                LAST_LAYER => "final_norm",
                _ => "resid_post",
            };
            let id = strings(&batch, "prompt_id").value(i).to_owned();
            let key = (id, layer, site.to_owned(), shorts(&batch, "segment")[i]);
            let vector = found.get(&key).unwrap_or_else(|| panic!("no row for {key:?}")).clone();
            pairs.push((key, vector, expected));
        }
    }
    let worst = worst_difference(pairs.iter().map(|(k, a, b)| (k, a.as_slice(), b.as_slice())));
    assert!(worst < HIDDEN_TOLERANCE, "hidden states differ by {worst} over {} vectors", pairs.len());

    let found = attention(&bench, "lake");
    let expected = attention_of(&read_parquet(&fixtures().join(format!("{task}-attention.parquet"))));
    let differences = expected.iter().map(|(key, mass)| (found[key] - mass).abs());
    let worst = differences.fold(0.0, f32::max);
    assert!(worst < ATTENTION_TOLERANCE, "attention differs by {worst} over {} masses", expected.len());
}

fn check_tokens(bench: &Bench, task: &str) {
    let expected: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(fixtures().join(format!("{task}-tokens.json"))).unwrap())
            .unwrap();
    let sql = "SELECT prompt_id, list(token_id ORDER BY position) AS ids, \
               list([start, \"end\"] ORDER BY position) AS offsets \
               FROM tokens WHERE NOT is_response GROUP BY prompt_id";
    let rows = bench.run(&["sql", sql, "--lake", "lake", "--format", "json"]).succeeds().json();
    let found: HashMap<&str, &Value> =
        rows.as_array().unwrap().iter().map(|r| (r["prompt_id"].as_str().unwrap(), r)).collect();
    let answers = responses(bench, "lake");
    for prompt in &expected {
        let id = prompt["prompt_id"].as_str().unwrap();
        assert_eq!(found[id]["ids"], prompt["ids"], "token ids of {id}");
        assert_eq!(found[id]["offsets"], prompt["offsets"], "offsets of {id}");
        assert_eq!(answers[id].0, prompt["response"].as_str().unwrap(), "greedy response of {id}");
    }
}

#[test]
fn linear_regression_agrees_with_transformers() {
    let Some(_) = default_model() else { return };
    agrees_with_transformers("lr");
}

#[test]
fn reading_comprehension_agrees_with_transformers() {
    let Some(_) = default_model() else { return };
    agrees_with_transformers("rc");
}

#[test]
fn a_prompt_has_the_same_numbers_alone_and_in_company() {
    let Some(_) = default_model() else { return };
    let bench = Bench::new();
    let together: Vec<String> = [lines("prompts-lr.jsonl"), lines("prompts-rc.jsonl")].concat();
    let mut shuffled: Vec<String> = together.clone();
    shuffled.rotate_left(5);
    shuffled.reverse();
    let alone = &together[together.len() - 1..];
    extract(&bench, "together", &together);
    extract(&bench, "shuffled", &shuffled);
    extract(&bench, "alone", alone);
    let (states, masses) = (hidden_states(&bench, "together"), attention(&bench, "together"));
    let answers = responses(&bench, "together");
    for (lake, n_prompts) in [("shuffled", together.len()), ("alone", 1)] {
        let found = hidden_states(&bench, lake);
        let worst = worst_difference(found.iter().map(|(k, v)| (k, v.as_slice(), states[k].as_slice())));
        assert!(worst < INVARIANCE_TOLERANCE, "{lake}: hidden states differ by {worst}");
        let found = attention(&bench, lake);
        let worst = found.iter().map(|(k, mass)| (masses[k] - mass).abs()).fold(0.0, f32::max);
        assert!(worst < INVARIANCE_TOLERANCE, "{lake}: attention differs by {worst}");
        let found = responses(&bench, lake);
        assert_eq!(found.len(), n_prompts);
        for (id, (response, logprob)) in found {
            assert_eq!(response, answers[&id].0, "{lake}: response of {id}");
            let difference = (logprob.unwrap() - answers[&id].1.unwrap()).abs();
            assert!(difference < 1e-4, "{lake}: log-probability of {id} differs by {difference}");
        }
    }
}
