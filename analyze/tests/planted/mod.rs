//! A lake with a planted truth, made through the schema crate as the earlier stages would make it.
//!
//! Forty-eight items of six classes under conditions `icl_0` and `icl_4`, five layers. In layers 2 and 3
//! the states of condition `icl_4` hold the class (and a number, `size`); all other states are noise.
//! In layer 2 the strength differs between items, and answers improve with it. Attention goes from the
//! final token to the informative segment five times as often per token as to the distractor, in head 1
//! of layer 3 under `icl_4`, and evenly everywhere else.

#![allow(dead_code)]

use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Int16Array, Int32Array, StringArray,
    UInt32Array,
};
use hypercolumn_schemas::{
    CommitInfo, ExtractRecord, IngestRecord, Lake, Partition, Progress, Record, Slot, Table, tables,
    vector_element,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::path::Path;
use std::sync::{Arc, Mutex};

pub const MODEL: &str = "toy/model 1";
pub const TASK: &str = "planted";
pub const N_ITEMS: usize = 48;
pub const N_CLASSES: usize = 6;
pub const N_LAYERS: i32 = 5;
const D: usize = 48;
const N_HEADS: i16 = 2;

/// One prompt of the design.
struct Prompt {
    id: String,
    item: usize,
    has_examples: bool,
}

fn prompts() -> Vec<Prompt> {
    let of_item = |item: usize| {
        [false, true].map(|has_examples| {
            let id = format!("p{item:03}-{}", if has_examples { 4 } else { 0 });
            Prompt { id, item, has_examples }
        })
    };
    (0..N_ITEMS).flat_map(of_item).collect()
}

impl Prompt {
    fn class(&self) -> usize {
        self.item % N_CLASSES
    }

    fn size(&self) -> f32 {
        (self.item / N_CLASSES) as f32 * 0.5 - 1.75
    }

    /// How clearly the state shows the class in layer 2, and how good the answer is.
    fn strength(&self) -> f32 {
        1.4 * ((self.item * 7) % N_ITEMS) as f32 / N_ITEMS as f32
    }
}

/// Makes the lake.
pub fn make(home: &Path) -> Lake {
    let lake = Lake::create(home.join("lake")).unwrap();
    write_prompts(&lake);
    write_extraction(&lake, 0, 2, true);
    write_extraction(&lake, 1, 2, false);
    lake
}

fn text<T: AsRef<str>>(values: &[T]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values.iter().map(AsRef::as_ref)))
}

fn put(
    transaction: &mut hypercolumn_schemas::Transaction,
    table: &'static Table,
    partition: Partition,
    columns: Vec<ArrayRef>,
) {
    let length = table.has_vector().then_some(D as i32);
    let mut writer = transaction.writer(table, partition, length).unwrap();
    writer.write(&table.batch(columns).unwrap()).unwrap();
    transaction.stage(writer).unwrap();
}

/// "Aa bb. Ccc dd." — informative, then distractor — and nothing else.
const TEXT: &str = "Aa bb. Ccc dd.";

fn write_prompts(lake: &Lake) {
    let prompts = prompts();
    let n = prompts.len();
    let column = |f: &dyn Fn(&Prompt) -> String| text(&prompts.iter().map(f).collect::<Vec<_>>());
    let mut transaction = lake.begin(Slot::Ingest { task: TASK.into() }).unwrap();
    let rows = vec![
        column(&|p| p.id.clone()),
        column(&|p| format!("i{:03}", p.item)),
        column(&|p| if p.has_examples { "icl_4" } else { "icl_0" }.to_owned()),
        Arc::new(Int32Array::from_iter_values(prompts.iter().map(|p| i32::from(p.has_examples) * 4))),
        text(&vec![TEXT; n]),
        column(&|p| p.class().to_string()),
        column(&|p| {
            json!({"class": format!("c{}", p.class()), "size": p.size(), "number": p.item, "role": "x"})
                .to_string()
        }),
    ];
    put(&mut transaction, &tables::PROMPTS, Partition::of_task(TASK), rows);
    let ids: Vec<&str> = prompts.iter().flat_map(|p| [p.id.as_str(); 2]).collect();
    let rows = vec![
        text(&ids),
        Arc::new(Int16Array::from([1, 2].repeat(n))),
        text(&["informative", "distractor"].repeat(n)),
        Arc::new(Int32Array::from([0, 7].repeat(n))),
        Arc::new(Int32Array::from([6, 14].repeat(n))),
        text(&["Aa bb.", "Ccc dd."].repeat(n)),
    ];
    put(&mut transaction, &tables::SEGMENTS, Partition::of_task(TASK), rows);
    let details = Record::Ingest(IngestRecord::default());
    transaction.commit(CommitInfo { key: "1".into(), details, removes: Vec::new() }).unwrap();
}

/// Writes one of two shards: the first or the second half of the prompts.
pub fn write_extraction(lake: &Lake, shard: u32, n_shards: u32, is_first: bool) {
    let all = prompts();
    let half = all.len() / 2;
    let own = if is_first { &all[..half] } else { &all[half..] };
    let mut transaction =
        lake.begin(Slot::Extract { model: MODEL.into(), task: TASK.into(), shard }).unwrap();
    write_answers(&mut transaction, own);
    for layer in 0..N_LAYERS {
        write_states(&mut transaction, own, layer);
        write_attention(&mut transaction, own, layer);
    }
    let record = ExtractRecord { run_key: "r".into(), n_shards, ..ExtractRecord::default() };
    let details = Record::Extract(Box::new(record));
    transaction.commit(CommitInfo { key: shard.to_string(), details, removes: Vec::new() }).unwrap();
}

/// Writes one response of another model to another task.
pub fn write_response_of_another_model(lake: &Lake, response: &str) {
    let (model, task) = ("another", "elsewhere");
    let slot = Slot::Extract { model: model.into(), task: task.into(), shard: 0 };
    let mut transaction = lake.begin(slot).unwrap();
    let rows = vec![
        text(&["p"]),
        Arc::new(Int16Array::from(vec![0])),
        text(&[response]),
        Arc::new(Int32Array::from(vec![1])) as ArrayRef,
        Arc::new(Float32Array::from(vec![-1.0])),
        text(&["none"]),
    ];
    put(&mut transaction, &tables::RESPONSES, Partition::of_model(model, task), rows);
    let details = Record::Extract(Box::new(ExtractRecord { n_shards: 1, ..ExtractRecord::default() }));
    transaction.commit(CommitInfo { key: "0".into(), details, removes: Vec::new() }).unwrap();
}

fn write_answers(transaction: &mut hypercolumn_schemas::Transaction, prompts: &[Prompt]) {
    let n = prompts.len();
    let partition = || Partition::of_model(MODEL, TASK);
    let ids: Vec<&str> = prompts.iter().map(|p| p.id.as_str()).collect();
    // Without examples the error is 10; with them it falls with the strength. Every twelfth item says nothing.
    let respond = |p: &Prompt| match (p.item % 12 == 11, p.has_examples) {
        (true, _) => "none)".to_owned(),
        (_, false) => format!(" {})", p.class() + 10),
        (_, true) => format!(" {:.3})", p.class() as f32 + 5.0 - 2.0 * p.strength()),
    };
    let logprob = |p: &Prompt| if p.has_examples { -5.0 + p.strength() } else { -6.0 };
    let rows = vec![
        text(&ids),
        Arc::new(Int16Array::from(vec![0; n])),
        text(&prompts.iter().map(respond).collect::<Vec<_>>()),
        Arc::new(Int32Array::from(vec![3; n])),
        Arc::new(Float32Array::from_iter_values(prompts.iter().map(logprob))),
        text(&vec![" 10"; n]),
    ];
    put(transaction, &tables::RESPONSES, partition(), rows);
    // Tokens: BOS, "Aa", " bb.", " Ccc", " dd." and one of the response.
    let starts = [Some(0), Some(0), Some(2), Some(6), Some(10), None];
    let ends = [Some(0), Some(2), Some(6), Some(10), Some(14), None];
    let repeated = |values: [Option<i32>; 6]| -> ArrayRef { Arc::new(Int32Array::from(values.repeat(n))) };
    let rows = vec![
        text(&ids.iter().flat_map(|id| [*id; 6]).collect::<Vec<_>>()),
        repeated([0, 1, 2, 3, 4, 5].map(Some)),
        Arc::new(UInt32Array::from(vec![1; 6 * n])),
        text(&vec!["x"; 6 * n]),
        repeated(starts),
        repeated(ends),
        Arc::new(BooleanArray::from([false, false, false, false, false, true].repeat(n))),
    ];
    put(transaction, &tables::TOKENS, partition(), rows);
}

fn write_states(transaction: &mut hypercolumn_schemas::Transaction, prompts: &[Prompt], layer: i32) {
    let mut values = Vec::new();
    for prompt in prompts {
        let seed = prompt.item as u64 * 1000 + layer as u64 * 10 + u64::from(prompt.has_examples);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let strength = match layer {
            2 if prompt.has_examples => prompt.strength(),
            3 if prompt.has_examples => 1.5,
            _ => 0.0,
        };
        for d in 0..D {
            let noise: f32 = random.random_range(-1.0..1.0);
            let signal = if d % N_CLASSES == prompt.class() { 1.0 } else { 0.0 };
            let number = if d == D - 1 { prompt.size() } else { 0.0 };
            values.push(noise + strength * (signal + number));
        }
    }
    let n = prompts.len();
    let vectors =
        FixedSizeListArray::new(vector_element(), D as i32, Arc::new(Float32Array::from(values)), None);
    let ids: Vec<&str> = prompts.iter().map(|p| p.id.as_str()).collect();
    let rows = vec![
        text(&ids),
        text(&vec![if layer == 0 { "embed" } else { "resid_post" }; n]),
        Arc::new(Int16Array::from(vec![0; n])),
        text(&vec!["prompt"; n]),
        text(&vec!["mean"; n]),
        Arc::new(Int32Array::from(vec![4; n])),
        Arc::new(vectors),
    ];
    let partition = Partition::of_model(MODEL, TASK).at_layer(layer);
    put(transaction, &tables::HIDDEN_STATES, partition, rows);
}

fn write_attention(transaction: &mut hypercolumn_schemas::Transaction, prompts: &[Prompt], layer: i32) {
    if layer == 0 {
        return;
    }
    let (mut ids, mut heads, mut keys, mut masses) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for prompt in prompts {
        for head in 0..N_HEADS {
            let is_planted = layer == 3 && head == 1 && prompt.has_examples;
            let wobble = 1.0 + 0.1 * ((prompt.item * 5 + layer as usize * 3) % 7) as f32 - 0.3;
            for (key, mass) in [(1, if is_planted { 0.5 } else { 0.1 } * wobble), (2, 0.1)] {
                ids.push(prompt.id.as_str());
                heads.push(head);
                keys.push(key);
                masses.push(mass);
            }
        }
    }
    let n = ids.len();
    let key_roles: Vec<&str> =
        keys.iter().map(|k| if *k == 1 { "informative" } else { "distractor" }).collect();
    let rows = vec![
        text(&ids),
        Arc::new(Int16Array::from(heads)),
        Arc::new(Int16Array::from(vec![3; n])),
        Arc::new(Int16Array::from(keys)),
        text(&vec!["final"; n]),
        text(&key_roles),
        Arc::new(Float32Array::from(masses)),
    ];
    let partition = Partition::of_model(MODEL, TASK).at_layer(layer);
    put(transaction, &tables::ATTENTION, partition, rows);
}

/// Keeps warnings.
#[derive(Default)]
pub struct Warnings(pub Mutex<Vec<String>>);

impl Progress for Warnings {
    fn start(&self, _: &str, _: u64, _: &'static str) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
    fn warn(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}
