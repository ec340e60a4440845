//! A lake in which nothing holds: labels are random, and states, attention and answers know nothing of them, but prompts of
//! an item, and items of a cluster, resemble one another. Every layer is a data set of its own.

use arrow::array::{ArrayRef, FixedSizeListArray, Float32Array, Int16Array, Int32Array, StringArray};
use hypercolumn_schemas::tables::{
    AttentionRow, HiddenStateColumns, PromptRow, ResponseRow, SegmentRow, TokenRow,
};
use hypercolumn_schemas::{
    CommitInfo, ExtractRecord, IngestRecord, Lake, Partition, Record, Row, Slot, Transaction, tables,
    vector_element,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

pub const MODEL: &str = "noise";
pub const TASK: &str = "noise";
/// Layers from 1, each a data set.
pub const N_LAYERS: i32 = 10;
const D: usize = 12;
pub const N_HEADS: i16 = 3;
const CONDITIONS: [&str; 2] = ["c0", "c1"];
/// Statements of a prompt, of which one is relevant.
const N_STATEMENTS: usize = 3;
/// Tokens of a statement: "aa bb ".
const TEXT: &str = "aa bb aa bb aa bb end";

/// One prompt of the design: clusters of one to four items, each with a side `a` and `b` under two conditions.
struct Prompt {
    id: String,
    item: usize,
    cluster: usize,
    condition: usize,
    is_b: bool,
    group: usize,
    number: f64,
    level: f64,
    relevant: usize,
}

/// Roughly normal noise.
fn normal(random: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
}

fn design(random: &mut ChaCha8Rng) -> Vec<Prompt> {
    let mut prompts = Vec::new();
    let mut item = 0;
    for cluster in 0..32 {
        let level = normal(random);
        for _ in 0..1 + (cluster * 7) % 4 {
            let (group, number) = (random.random_range(0..4), normal(random));
            let relevant = random.random_range(0..N_STATEMENTS);
            for condition in 0..CONDITIONS.len() {
                for is_b in [false, true] {
                    let id = format!("p{item:03}-{condition}-{}", u8::from(is_b));
                    prompts.push(Prompt {
                        id,
                        item,
                        cluster,
                        condition,
                        is_b,
                        group,
                        number,
                        level,
                        relevant,
                    });
                }
            }
            item += 1;
        }
    }
    prompts
}

/// Effects of clusters and items on something, the same for all of their prompts.
struct Shared {
    clusters: Vec<f64>,
    items: Vec<f64>,
}

impl Shared {
    fn new(prompts: &[Prompt], random: &mut ChaCha8Rng) -> Self {
        let count = |of: fn(&Prompt) -> usize| prompts.iter().map(of).max().unwrap_or(0) + 1;
        let mut effects = |n: usize| (0..n).map(|_| normal(random)).collect();
        Self { clusters: effects(count(|p| p.cluster)), items: effects(count(|p| p.item)) }
    }

    fn of(&self, prompt: &Prompt) -> f64 {
        0.7 * self.clusters[prompt.cluster] + 0.7 * self.items[prompt.item]
    }
}

/// Whether every statement gets some attention.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Masses {
    AllPositive,
    SomeZero,
}

/// Makes the lake.
pub fn make(home: &Path, seed: u64) -> Lake {
    make_with(home, seed, Masses::AllPositive)
}

/// Makes the lake; some prompts' second statement may have no attention in head 0.
pub fn make_with(home: &Path, seed: u64, masses: Masses) -> Lake {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let lake = Lake::create(home.join("lake")).unwrap();
    let prompts = design(&mut random);
    write_prompts(&lake, &prompts);
    write_extraction(&lake, &prompts, masses, &mut random);
    lake
}

fn put<R: Row>(transaction: &mut Transaction, partition: Partition, rows: &[R]) {
    let mut writer = transaction.writer(R::TABLE, partition, None).unwrap();
    writer.write(&R::to_batch(rows).unwrap()).unwrap();
    transaction.stage(writer).unwrap();
}

fn write_prompts(lake: &Lake, prompts: &[Prompt]) {
    let mut transaction = lake.begin(Slot::Ingest { task: TASK.into() }).unwrap();
    let row = |p: &Prompt| PromptRow {
        prompt_id: p.id.clone(),
        item_id: format!("i{:03}", p.item),
        condition: CONDITIONS[p.condition].to_owned(),
        n_examples: p.condition as i32,
        text: TEXT.to_owned(),
        expected: "x".to_owned().into(),
        params: json!({"cluster": format!("k{:02}", p.cluster), "side": if p.is_b { "b" } else { "a" },
            "kind": format!("g{}", p.group), "number": p.number, "level": p.level})
        .to_string(),
    };
    let rows: Vec<PromptRow> = prompts.iter().map(row).collect();
    put(&mut transaction, Partition::of_task(TASK), &rows);
    let segment = |p: &Prompt, s: usize| SegmentRow {
        prompt_id: p.id.clone(),
        segment: s as i16 + 1,
        role: if s == p.relevant { "informative" } else { "distractor" }.to_owned(),
        start: 6 * s as i32,
        end: 6 * s as i32 + 5,
        text: "aa bb".to_owned(),
    };
    let rows: Vec<SegmentRow> =
        prompts.iter().flat_map(|p| (0..N_STATEMENTS).map(move |s| segment(p, s))).collect();
    put(&mut transaction, Partition::of_task(TASK), &rows);
    let details = Record::Ingest(IngestRecord::default());
    transaction.commit(CommitInfo { key: "1".into(), details, removes: Vec::new() }).unwrap();
}

fn write_extraction(lake: &Lake, prompts: &[Prompt], masses: Masses, random: &mut ChaCha8Rng) {
    let mut transaction =
        lake.begin(Slot::Extract { model: MODEL.into(), task: TASK.into(), shard: 0 }).unwrap();
    let shared = Shared::new(prompts, random);
    let response = |p: &Prompt| ResponseRow {
        scored: None,
        prompt_id: p.id.clone(),
        sample: 0,
        response: "y".to_owned(),
        n_tokens: 1,
        expected_logprob: Some((-9.0 + shared.of(p) * (1.0 + p.condition as f64) + normal(random)) as f32),
    };
    let rows: Vec<ResponseRow> = prompts.iter().map(response).collect();
    put(&mut transaction, Partition::of_model(MODEL, TASK), &rows);
    let token = |p: &Prompt, t: usize| TokenRow {
        prompt_id: p.id.clone(),
        position: t as i32,
        token_id: 1,
        piece: "x".to_owned(),
        start: Some(3 * t as i32),
        end: Some(3 * t as i32 + 2),
        is_response: false,
    };
    let rows: Vec<TokenRow> = prompts.iter().flat_map(|p| (0..7).map(move |t| token(p, t))).collect();
    put(&mut transaction, Partition::of_model(MODEL, TASK), &rows);
    for layer in 1..=N_LAYERS {
        write_states(&mut transaction, prompts, layer, random);
        write_attention(&mut transaction, prompts, layer, masses, random);
    }
    let record = ExtractRecord { run_key: "r".into(), n_shards: 1, ..ExtractRecord::default() };
    let details = Record::Extract(Box::new(record));
    transaction.commit(CommitInfo { key: "1".into(), details, removes: Vec::new() }).unwrap();
}

fn write_states(transaction: &mut Transaction, prompts: &[Prompt], layer: i32, random: &mut ChaCha8Rng) {
    let mut values = vec![0.0; prompts.len() * D];
    for d in 0..D {
        let shared = Shared::new(prompts, random);
        for (p, prompt) in prompts.iter().enumerate() {
            values[p * D + d] = (shared.of(prompt) + normal(random)) as f32;
        }
    }
    let n = prompts.len();
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value; n])) };
    let vectors = Arc::new(Float32Array::from(values));
    let columns = HiddenStateColumns {
        prompt_id: Arc::new(StringArray::from_iter_values(prompts.iter().map(|p| p.id.as_str()))),
        site: text("resid_post"),
        segment: Arc::new(Int16Array::from(vec![0; n])),
        role: text("prompt"),
        pooling: text("mean"),
        n_tokens: Arc::new(Int32Array::from(vec![7; n])),
        vector: Arc::new(FixedSizeListArray::new(vector_element(), D as i32, vectors, None)),
    };
    let partition = Partition::of_model(MODEL, TASK).at_layer(layer);
    let mut writer = transaction.writer(&tables::HIDDEN_STATES, partition, Some(D as i32)).unwrap();
    writer.write(&columns.into_batch().unwrap()).unwrap();
    transaction.stage(writer).unwrap();
}

/// Attention that depends on where a statement stands, and on cluster and item, but not on what is relevant. The first
/// statement holds the first token, to which attention falls whatever it says.
fn write_attention(
    transaction: &mut Transaction,
    prompts: &[Prompt],
    layer: i32,
    masses: Masses,
    random: &mut ChaCha8Rng,
) {
    // Numbers of their own, so that more heads leave the other data sets as they are.
    let mut extra = random.clone();
    extra.set_stream(1);
    let shared: Vec<Shared> = (0..N_STATEMENTS).map(|_| Shared::new(prompts, random)).collect();
    let mut rows = Vec::new();
    for prompt in prompts {
        for head in 0..N_HEADS {
            let row = |key_segment: usize, key_role: &str, mass: f64| AttentionRow {
                prompt_id: prompt.id.clone(),
                head,
                query_segment: N_STATEMENTS as i16 + 1,
                key_segment: key_segment as i16,
                query_role: "final".to_owned(),
                key_role: key_role.to_owned(),
                mass: mass as f32,
            };
            let first = 0.02 * (0.2 * normal(&mut extra)).exp();
            for (s, shared) in shared.iter().enumerate() {
                let noise = if head == 0 { normal(random) } else { normal(&mut extra) };
                let log = -3.0 + 0.5 * s as f64 + 0.4 * shared.of(prompt) + 0.3 * noise;
                let role = if s == prompt.relevant { "informative" } else { "distractor" };
                let is_zero = masses == Masses::SomeZero && head == 0 && s == 1 && prompt.item % 7 == 0;
                let mass = log.exp() + if s == 0 { first } else { 0.0 };
                rows.push(row(s + 1, role, if is_zero { 0.0 } else { mass }));
            }
            rows.push(row(N_STATEMENTS + 3, "first_token", first));
        }
    }
    put(transaction, Partition::of_model(MODEL, TASK).at_layer(layer), &rows);
}
