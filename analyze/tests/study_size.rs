//! How long the stage takes at the size of the built-in study. Run it by name:
//! `cargo test --release -p hypercolumn-analyze --test study_size -- --ignored --nocapture`.

use arrow::array::{ArrayRef, FixedSizeListArray, Float32Array, Int16Array, Int32Array, StringArray};
use arrow::array::{BooleanArray, UInt32Array};
use hypercolumn_analyze::{Questions, run};
use hypercolumn_schemas::{CommitInfo, Lake, Partition, Table, Transaction, tables, vector_element};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;

const D: usize = 576;
const N_LAYERS: i32 = 30;
const MODEL: &str = "m";

fn text<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values.into_iter().collect::<Vec<_>>()))
}

fn put(transaction: &mut Transaction, table: &'static Table, partition: Partition, columns: Vec<ArrayRef>) {
    let length = table.has_vector().then_some(D as i32);
    let mut writer = transaction.writer(table, partition, length).unwrap();
    writer.write(&table.batch(columns).unwrap()).unwrap();
    transaction.stage(writer).unwrap();
}

/// A task with four conditions; attention to `n_statements` statements where there are any.
fn make_task(lake: &Lake, task: &str, n_items: usize, n_statements: i16) {
    let ids: Vec<(usize, usize, String)> =
        (0..n_items).flat_map(|i| (0..4).map(move |c| (i, c, format!("p{i:04}-{c}")))).collect();
    let n = ids.len();
    let mut transaction = lake.begin(format!("ingest/{task}")).unwrap();
    let params = |i: usize| json!({"line": i / 16, "slope": (i / 16) % 4, "intercept": i / 64, "x": i % 16, "activity": format!("a{}", i % 16)});
    let rows = vec![
        text(ids.iter().map(|p| &p.2)),
        text(ids.iter().map(|p| format!("i{:04}", p.0))),
        text(ids.iter().map(|p| format!("icl_{}", p.1))),
        Arc::new(Int32Array::from((ids.iter().map(|p| p.1 as i32)).collect::<Vec<_>>())),
        text(vec!["aaa bbb ccc ddd"; n]),
        text(ids.iter().map(|p| p.0.to_string())),
        text(ids.iter().map(|p| params(p.0).to_string())),
    ];
    put(&mut transaction, &tables::PROMPTS, Partition::of_task(task), rows);
    if n_statements > 0 {
        let all = || ids.iter().flat_map(|p| (1..=n_statements).map(move |s| (&p.2, s)));
        let rows = vec![
            text(all().map(|s| s.0)),
            Arc::new(Int16Array::from((all().map(|s| s.1)).collect::<Vec<_>>())),
            text(all().map(|s| if s.1 == 1 { "informative" } else { "distractor" })),
            Arc::new(Int32Array::from((all().map(|s| i32::from(s.1) * 4 - 4)).collect::<Vec<_>>())),
            Arc::new(Int32Array::from((all().map(|s| i32::from(s.1) * 4 - 1)).collect::<Vec<_>>())),
            text(all().map(|_| "aaa")),
        ];
        put(&mut transaction, &tables::SEGMENTS, Partition::of_task(task), rows);
    }
    transaction.commit(CommitInfo { key: "1".into(), ..CommitInfo::default() }).unwrap();
    let mut transaction = lake.begin(format!("extract/{MODEL}/{task}/0000")).unwrap();
    read_prompts(&mut transaction, task, &ids, n_statements);
    let details = json!({"run_key": "r", "n_shards": 1});
    transaction.commit(CommitInfo { key: "1".into(), details, ..CommitInfo::default() }).unwrap();
}

fn read_prompts(
    transaction: &mut Transaction,
    task: &str,
    ids: &[(usize, usize, String)],
    n_statements: i16,
) {
    let n = ids.len();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let partition = || Partition::of_model(MODEL, task);
    let rows = vec![
        text(ids.iter().map(|p| &p.2)),
        text(ids.iter().map(|p| (p.0 + p.1 * 3 % 7).to_string())),
        Arc::new(Int32Array::from(vec![3; n])),
        Arc::new(Float32Array::from(((0..n).map(|_| random.random_range(-9.0..0.0))).collect::<Vec<_>>())),
    ];
    put(transaction, &tables::RESPONSES, partition(), rows);
    let tokens = || ids.iter().flat_map(|p| (0..4).map(move |t| (&p.2, t)));
    let rows = vec![
        text(tokens().map(|t| t.0)),
        Arc::new(Int32Array::from((tokens().map(|t| t.1)).collect::<Vec<_>>())),
        Arc::new(UInt32Array::from(vec![1; 4 * n])),
        text(vec!["x"; 4 * n]),
        Arc::new(Int32Array::from((tokens().map(|t| t.1 * 4)).collect::<Vec<_>>())),
        Arc::new(Int32Array::from((tokens().map(|t| t.1 * 4 + 3)).collect::<Vec<_>>())),
        Arc::new(BooleanArray::from(vec![false; 4 * n])),
    ];
    put(transaction, &tables::TOKENS, partition(), rows);
    for layer in 0..=N_LAYERS {
        write_states(transaction, task, ids, layer);
        if layer > 0 && n_statements > 0 {
            write_attention(transaction, task, ids, layer, n_statements);
        }
    }
}

fn write_states(transaction: &mut Transaction, task: &str, ids: &[(usize, usize, String)], layer: i32) {
    let sites: &[&str] = match layer {
        0 => &["embed"],
        N_LAYERS => &["resid_post", "final_norm"],
        _ => &["resid_post"],
    };
    let kinds: &[(&str, &str, i16)] =
        &[("prompt", "mean", 0), ("prompt", "max", 0), ("final", "last", 9), ("response", "mean", 10)];
    let keys: Vec<_> = ids
        .iter()
        .flat_map(|p| sites.iter().flat_map(move |s| kinds.iter().map(move |k| (p, *s, *k))))
        .collect();
    let mut random = ChaCha8Rng::seed_from_u64(layer as u64);
    let mut values = Vec::with_capacity(keys.len() * D);
    for (prompt, _, _) in &keys {
        let strength = prompt.1 as f32 * 0.15;
        let class = prompt.0 / 16;
        values.extend(
            (0..D).map(|d| random.random_range(-1.0..1.0f32) + if d % 16 == class { strength } else { 0.0 }),
        );
    }
    let vectors =
        FixedSizeListArray::new(vector_element(), D as i32, Arc::new(Float32Array::from(values)), None);
    let rows = vec![
        text(keys.iter().map(|k| &k.0.2)),
        text(keys.iter().map(|k| k.1)),
        Arc::new(Int16Array::from((keys.iter().map(|k| k.2.2)).collect::<Vec<_>>())),
        text(keys.iter().map(|k| k.2.0)),
        text(keys.iter().map(|k| k.2.1)),
        Arc::new(Int32Array::from(vec![4; keys.len()])),
        Arc::new(vectors),
    ];
    put(transaction, &tables::HIDDEN_STATES, Partition::of_model(MODEL, task).at_layer(layer), rows);
}

fn write_attention(
    transaction: &mut Transaction,
    task: &str,
    ids: &[(usize, usize, String)],
    layer: i32,
    n_statements: i16,
) {
    let queries: &[(&str, i16)] = &[("final", n_statements + 1), ("response", n_statements + 2)];
    let keys: Vec<_> = ids
        .iter()
        .flat_map(|p| {
            (0..9).flat_map(move |h| {
                queries.iter().flat_map(move |q| (1..=n_statements).map(move |k| (p, h, *q, k)))
            })
        })
        .collect();
    let mut random = ChaCha8Rng::seed_from_u64(layer as u64);
    let rows = vec![
        text(keys.iter().map(|k| &k.0.2)),
        Arc::new(Int16Array::from((keys.iter().map(|k| k.1)).collect::<Vec<_>>())),
        Arc::new(Int16Array::from((keys.iter().map(|k| k.2.1)).collect::<Vec<_>>())),
        Arc::new(Int16Array::from((keys.iter().map(|k| k.3)).collect::<Vec<_>>())),
        text(keys.iter().map(|k| k.2.0)),
        text(keys.iter().map(|k| if k.3 == 1 { "informative" } else { "distractor" })),
        Arc::new(Float32Array::from(
            (keys.iter().map(|_| random.random_range(0.01..0.1))).collect::<Vec<_>>(),
        )),
    ];
    put(transaction, &tables::ATTENTION, Partition::of_model(MODEL, task).at_layer(layer), rows);
}

fn questions() -> Questions {
    let lr = |name: &str, sql: &str, segment: &str, pooling: serde_json::Value| json!({"task": "lines", "hypothesis": name, "sql": sql, "segment": segment, "pooling": pooling});
    let rc = |name: &str, sql: &str, segment: &str, pooling: serde_json::Value| json!({"task": "scenes", "hypothesis": name, "sql": sql, "segment": segment, "pooling": pooling});
    let probe = |task: &str, name: &str, kind: &str, group: &str| {
        json!({"task": task, "name": name, "target": name, "kind": kind, "group": group,
            "segment": "final", "pooling": ["last"]})
    };
    let ratio = |query: &str| {
        json!({"task": "scenes", "query": format!("role = '{query}'"),
            "relevant": "role = 'informative'", "irrelevant": "role = 'distractor'"})
    };
    serde_json::from_value(json!({
        "rsa": [
            lr("same line", "a.line = b.line", "prompt", json!(["mean", "max"])),
            lr("same slope", "a.slope = b.slope", "prompt", json!(["mean"])),
            lr("slope distance", "-abs(a.slope - b.slope)", "prompt", json!(["mean"])),
            lr("same line", "a.line = b.line", "final", json!(["last"])),
            lr("same query x", "a.x = b.x", "prompt", json!(["mean"])),
            rc("same activity", "a.activity = b.activity", "prompt", json!(["mean", "max"])),
            rc("same activity", "a.activity = b.activity", "final", json!(["last"])),
            rc("same name", "a.x = b.x", "prompt", json!(["mean"])),
        ],
        "probe": [
            probe("lines", "line", "logistic", "item_id"),
            probe("lines", "slope", "ridge", "line"),
            probe("lines", "intercept", "ridge", "line"),
            probe("scenes", "activity", "logistic", "item_id"),
        ],
        "attention_ratio": [ratio("final")],
    }))
    .unwrap()
}

#[test]
#[ignore = "timing"]
fn time_the_built_in_study() {
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::create(home.path().join("lake")).unwrap();
    make_task(&lake, "lines", 256, 0);
    make_task(&lake, "scenes", 96, 3);
    let begun = Instant::now();
    for outcome in run(&lake, MODEL, &questions(), &()).unwrap() {
        println!("{:<40} {:>8} rows {:>8.2?}", outcome.step.slot, outcome.n_rows, outcome.elapsed);
    }
    println!("all {:.2?}", begun.elapsed());
    let begun = Instant::now();
    run(&lake, MODEL, &questions(), &()).unwrap();
    println!("again {:.2?}", begun.elapsed());
}
