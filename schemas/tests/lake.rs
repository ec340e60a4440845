//! The lake's promises: nothing half-written shows, the latest commit counts, damage is found.

use arrow::array::{ArrayRef, FixedSizeListArray, Float32Array, Int16Array, Int32Array, StringArray};
use arrow::compute::concat_batches;
use hypercolumn_schemas::{
    CommitInfo, FileEntry, IngestRecord, Lake, LakeError, Partition, Record, SharedColumns, Slot,
    Transaction, read_batches, tables, vector_element,
};
use std::fs;
use std::sync::Arc;

fn text(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn segments(ids: &[&str]) -> Vec<ArrayRef> {
    let n = ids.len();
    vec![
        text(ids),
        Arc::new(Int16Array::from(vec![1; n])),
        text(&vec!["cue"; n]),
        Arc::new(Int32Array::from(vec![0; n])),
        Arc::new(Int32Array::from(vec![1; n])),
        text(&vec!["x"; n]),
    ]
}

fn slot_of(task: &str) -> Slot {
    Slot::Ingest { task: task.to_owned() }
}

fn fill(lake: &Lake, slot: &str, ids: &[&str], removes: &[&str]) -> Result<(), LakeError> {
    let mut transaction = lake.begin(slot_of(slot))?;
    let mut writer = transaction.writer(&tables::SEGMENTS, Partition::of_task("t"), None)?;
    writer.write(&tables::SEGMENTS.batch(segments(ids))?)?;
    transaction.stage(writer)?;
    let removes = removes.iter().map(|s| slot_of(s)).collect();
    let details = Record::Ingest(IngestRecord::default());
    transaction.commit(CommitInfo { key: ids.join(","), details, removes })?;
    Ok(())
}

fn commit(transaction: Transaction) {
    let details = Record::Ingest(IngestRecord::default());
    transaction.commit(CommitInfo { key: String::new(), details, removes: Vec::new() }).unwrap();
}

fn n_files(lake: &Lake) -> usize {
    let directory = lake.root().join("segments/task=t");
    fs::read_dir(directory).map_or(0, |entries| entries.count())
}

#[test]
fn a_commit_replaces_its_slot_and_its_files() {
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::create(home.path().join("lake")).unwrap();
    fill(&lake, "a", &["p1"], &[]).unwrap();
    fill(&lake, "b", &["p2"], &[]).unwrap();
    fill(&lake, "a", &["p3", "p4"], &[]).unwrap();
    let snapshot = lake.snapshot().unwrap();
    assert_eq!(snapshot.slot(&slot_of("a")).unwrap().key, "p3,p4");
    assert_eq!(snapshot.files(&tables::SEGMENTS).map(|f| f.n_rows).sum::<u64>(), 3);
    drop(snapshot);
    assert_eq!(n_files(&lake), 2, "the replaced file is gone, so globbing readers agree");
    fill(&lake, "c", &["p5"], &["a", "b"]).unwrap();
    assert_eq!(lake.snapshot().unwrap().commits().count(), 1);
    assert_eq!(n_files(&lake), 1);
    assert!(lake.verify().unwrap().is_empty());
    assert!(lake.garbage().unwrap().files.is_empty());
}

#[test]
fn removing_a_task_keeps_a_task_whose_name_begins_alike() {
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::create(home.path().join("lake")).unwrap();
    fill(&lake, "a/b", &["p1"], &[]).unwrap();
    fill(&lake, "a", &["p2"], &[]).unwrap();
    fill(&lake, "c", &["p3"], &["a"]).unwrap();
    let snapshot = lake.snapshot().unwrap();
    assert!(snapshot.slot(&slot_of("a")).is_none());
    assert_eq!(snapshot.slot(&slot_of("a/b")).unwrap().key, "p1");
    assert_eq!(n_files(&lake), 2);
}

#[test]
fn a_dropped_transaction_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::create(home.path().join("lake")).unwrap();
    let mut transaction = lake.begin(slot_of("a")).unwrap();
    let mut writer = transaction.writer(&tables::SEGMENTS, Partition::of_task("t"), None).unwrap();
    writer.write(&tables::SEGMENTS.batch(segments(&["p1"])).unwrap()).unwrap();
    transaction.stage(writer).unwrap();
    drop(transaction);
    assert!(lake.garbage().unwrap().files.is_empty());
    assert_eq!(lake.snapshot().unwrap().commits().count(), 0);
}

#[test]
fn writers_that_race_all_land() {
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::create(home.path().join("lake")).unwrap();
    std::thread::scope(|scope| {
        for t in 0..4 {
            let lake = &lake;
            scope.spawn(move || {
                for i in 0..5 {
                    fill(lake, &format!("{t}-{i}"), &[&format!("p{t}-{i}")], &[]).unwrap();
                }
            });
        }
    });
    assert_eq!(lake.snapshot().unwrap().commits().count(), 20);
}

#[test]
fn damage_is_found() {
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::create(home.path().join("lake")).unwrap();
    fill(&lake, "a", &["p1"], &[]).unwrap();
    let entry = lake.snapshot().unwrap().files(&tables::SEGMENTS).next().unwrap().clone();
    let path = lake.root().join(&entry.path);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(lake.verify().unwrap()[0].problem.contains("BLAKE3"));
    fs::write(&path, &bytes[..40]).unwrap();
    assert!(lake.verify().unwrap()[0].problem.contains("bytes"));
    assert!(read_batches(&lake, &entry).is_err());
    fs::remove_file(&path).unwrap();
    assert!(lake.verify().unwrap()[0].problem.contains("is missing"));
}

#[test]
fn a_foreign_directory_and_an_unknown_format_are_refused() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("thesis.tex"), "x").unwrap();
    assert!(matches!(Lake::create(home.path()), Err(LakeError::NotALake { .. })));
    assert!(matches!(Lake::open(home.path().join("none")), Err(LakeError::Missing { .. })));
    let lake = Lake::create(home.path().join("lake")).unwrap();
    fs::write(lake.root().join("_log/00000000000000000000.json"), r#"{"format": 7}"#).unwrap();
    assert!(matches!(lake.snapshot(), Err(LakeError::Format { found: 7, .. })));
}

#[test]
fn vectors_keep_their_length_and_digits() {
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::create(home.path().join("lake")).unwrap();
    let values = vec![1.5f32, -0.1, f32::MIN_POSITIVE, 3e30, 0.0, -2.0];
    let mut transaction = lake.begin(slot_of("x")).unwrap();
    let partition = Partition::of_model("m", "t").at_layer(0);
    let mut writer = transaction.writer(&tables::HIDDEN_STATES, partition, Some(3)).unwrap();
    let vectors =
        FixedSizeListArray::new(vector_element(), 3, Arc::new(Float32Array::from(values.clone())), None);
    let batch = tables::HIDDEN_STATES.batch(vec![
        text(&["p", "p"]),
        text(&["embed", "embed"]),
        Arc::new(Int16Array::from(vec![0, 1])),
        text(&["prompt", "cue"]),
        text(&["mean", "mean"]),
        Arc::new(Int32Array::from(vec![2, 1])),
        Arc::new(vectors),
    ]);
    writer.write(&batch.unwrap()).unwrap();
    transaction.stage(writer).unwrap();
    commit(transaction);
    let snapshot = lake.snapshot().unwrap();
    let entry = snapshot.files(&tables::HIDDEN_STATES).next().unwrap();
    assert_eq!(entry.vector_length, Some(3));
    let batches = read_batches(&lake, entry).unwrap();
    let vectors = batches[0].column(6).as_any().downcast_ref::<FixedSizeListArray>().unwrap().clone();
    let found = vectors.values().as_any().downcast_ref::<Float32Array>().unwrap();
    assert_eq!(found.values().to_vec(), values);
}

#[test]
fn a_row_group_that_ends_is_on_disk_before_the_file_is() {
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::create(home.path().join("lake")).unwrap();
    let mut transaction = lake.begin(slot_of("a")).unwrap();
    let mut writer = transaction.writer(&tables::SEGMENTS, Partition::of_task("t"), None).unwrap();
    let staged_bytes = || {
        let slot = fs::read_dir(lake.root().join("_staging")).unwrap().next().unwrap().unwrap();
        let file = fs::read_dir(slot.path()).unwrap().next().unwrap().unwrap();
        file.metadata().unwrap().len()
    };
    let mut sizes = Vec::new();
    for ids in [&["p1", "p2"][..], &["p3"], &["p4"]] {
        writer.write(&tables::SEGMENTS.batch(segments(ids)).unwrap()).unwrap();
        writer.end_group().unwrap();
        sizes.push(staged_bytes());
    }
    assert!(sizes.is_sorted_by(|a, b| a < b), "{sizes:?}");
    transaction.stage(writer).unwrap();
    commit(transaction);
    let snapshot = lake.snapshot().unwrap();
    let file = snapshot.files(&tables::SEGMENTS).next().unwrap();
    let batches = read_batches(&lake, file).unwrap();
    let read = concat_batches(&batches[0].schema(), &batches).unwrap();
    assert_eq!(read.column(0).as_ref(), text(&["p1", "p2", "p3", "p4"]).as_ref());
    assert!(lake.verify().unwrap().is_empty());
}

/// All columns of `attention` but the last, with their names.
fn named(columns: &[ArrayRef]) -> Vec<(&'static str, ArrayRef)> {
    tables::ATTENTION.columns.iter().map(|c| c.name).zip(columns.iter().cloned()).collect()
}

#[test]
fn files_that_share_columns_read_like_files_written_row_by_row() {
    let names = |ids: &[&str]| -> Vec<ArrayRef> {
        let n = ids.len();
        let numbers = |from: i16| -> ArrayRef {
            Arc::new(Int16Array::from_iter_values((0..n as i16).map(|i| i + from)))
        };
        vec![
            text(ids),
            numbers(0),
            numbers(1),
            numbers(2),
            text(&vec!["cue"; n]),
            text(&vec!["répertoire"; n]),
        ]
    };
    let masses = |n: usize, layer: i32| -> ArrayRef {
        Arc::new(Float32Array::from_iter_values((0..n).map(|i| (i as f32 + layer as f32) / 100.0)))
    };
    let groups = [names(&["p1"; 900]), names(&["p2", "p3"])];
    let home = tempfile::tempdir().unwrap();
    let shared: Vec<SharedColumns> =
        groups.iter().map(|g| SharedColumns::encode(&tables::ATTENTION, &named(g)).unwrap()).collect();
    let at_layer = |layer| Partition::of_model("m", "t").at_layer(layer);
    let write = |slot: &str, shares: bool| {
        let lake = Lake::create(home.path().join(slot)).unwrap();
        let mut transaction = lake.begin(slot_of(slot)).unwrap();
        for layer in 1..=3 {
            if shares {
                let mut writer = transaction.sharing_writer(&tables::ATTENTION, at_layer(layer)).unwrap();
                for group in &shared {
                    writer.write(group, &masses(group.n_rows(), layer)).unwrap();
                }
                transaction.stage_sharing(vec![writer]).unwrap();
            } else {
                let mut writer = transaction.writer(&tables::ATTENTION, at_layer(layer), None).unwrap();
                for group in &groups {
                    let columns = [&group[..], &[masses(group[0].len(), layer)]].concat();
                    writer.write(&tables::ATTENTION.batch(columns).unwrap()).unwrap();
                }
                transaction.stage_all(vec![writer]).unwrap();
            }
        }
        commit(transaction);
        lake
    };
    let rows = |lake: &Lake| -> Vec<_> {
        let snapshot = lake.snapshot().unwrap();
        let files = snapshot.files(&tables::ATTENTION);
        let batches = |file: &FileEntry| {
            let batches = read_batches(lake, file).unwrap();
            (file.partition.clone(), concat_batches(&batches[0].schema(), &batches).unwrap())
        };
        files.map(batches).collect()
    };
    let (shared_lake, plain_lake) = (write("shared", true), write("plain", false));
    assert!(shared_lake.verify().unwrap().is_empty());
    let sorted = |lake| {
        let mut rows = rows(lake);
        rows.sort_by_key(|(partition, _)| format!("{partition:?}"));
        rows
    };
    assert_eq!(sorted(&shared_lake), sorted(&plain_lake));
    assert_eq!(rows(&shared_lake)[0].1.num_rows(), 902);
}

#[test]
fn shared_columns_of_another_shape_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::create(home.path().join("lake")).unwrap();
    let mut transaction = lake.begin(slot_of("a")).unwrap();
    let number: ArrayRef = Arc::new(Int16Array::from(vec![0]));
    let refused =
        SharedColumns::encode(&tables::ATTENTION, &named(&[text(&["p"]), text(&["q"])])).unwrap_err();
    assert!(refused.to_string().contains("attention"), "{refused}");
    let mut swapped = named(&vec![number.clone(); 6]);
    swapped.swap(1, 2);
    assert!(SharedColumns::encode(&tables::ATTENTION, &swapped).is_err(), "columns go by name");
    let names = [text(&["p"]), number.clone(), number.clone(), number, text(&["a"]), text(&["b"])];
    let shared = SharedColumns::encode(&tables::ATTENTION, &named(&names)).unwrap();
    let partition = Partition::of_model("m", "t").at_layer(1);
    let mut writer = transaction.sharing_writer(&tables::ATTENTION, partition).unwrap();
    let short: ArrayRef = Arc::new(Float32Array::from(Vec::<f32>::new()));
    assert!(writer.write(&shared, &short).is_err());
    assert!(writer.write(&shared, &text(&["0.5"])).is_err());
    let infinite: ArrayRef = Arc::new(Float32Array::from(vec![f32::INFINITY]));
    assert!(writer.write(&shared, &infinite).is_err());
}
