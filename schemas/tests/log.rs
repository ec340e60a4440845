//! The log's promises: no changed byte, missing entry or foreign path goes unnoticed, and what is left can be read.

use arrow::array::{ArrayRef, Int16Array, Int32Array, StringArray};
use hypercolumn_schemas::{
    CommitInfo, Damage, FileEntry, IngestRecord, Lake, LakeError, Partition, Record, Slot, Snapshot,
    read_batches, tables,
};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

fn slot_of(task: &str) -> Slot {
    Slot::Ingest { task: task.to_owned() }
}

/// Fills a task with one segment, whose text is `text`.
fn fill(lake: &Lake, task: &str, text: &str) -> Result<(), LakeError> {
    fill_requiring(lake, task, text, &[])
}

fn fill_requiring(lake: &Lake, task: &str, text: &str, required: &[FileEntry]) -> Result<(), LakeError> {
    let column = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let number = |value| -> ArrayRef { Arc::new(Int32Array::from(vec![value])) };
    let first: ArrayRef = Arc::new(Int16Array::from(vec![1]));
    let mut transaction = lake.begin(slot_of(task))?;
    transaction.require(required);
    let mut writer = transaction.writer(&tables::SEGMENTS, Partition::of_task(task), None)?;
    let columns = vec![column("p"), first, column("cue"), number(0), number(1), column(text)];
    writer.write(&tables::SEGMENTS.batch(columns)?)?;
    transaction.stage(writer)?;
    let details = Record::Ingest(IngestRecord::default());
    transaction.commit(CommitInfo { key: text.to_owned(), details, removes: Vec::new() })?;
    Ok(())
}

struct Home {
    _directory: TempDir,
    lake: Lake,
}

/// A lake of `n` commits, each of a task of its own.
fn home(n: usize) -> Home {
    let directory = tempfile::tempdir().unwrap();
    let lake = Lake::create(directory.path().join("lake")).unwrap();
    (0..n).for_each(|i| fill(&lake, &format!("t{i}"), "x").unwrap());
    Home { _directory: directory, lake }
}

fn entry(lake: &Lake, sequence: u64) -> PathBuf {
    lake.root().join(format!("_log/{sequence:020}.json"))
}

fn tasks(snapshot: &Snapshot) -> Vec<String> {
    snapshot.commits().map(|commit| commit.slot.task().to_owned()).collect()
}

fn file_of(lake: &Lake, task: &str) -> FileEntry {
    lake.snapshot().unwrap().slot(&slot_of(task)).unwrap().files[0].clone()
}

#[test]
fn every_flip_and_truncation_of_every_file_of_the_log_is_noticed() {
    let home = home(3);
    let before = format!("{:?}", home.lake.snapshot().unwrap().commits().collect::<Vec<_>>());
    let log = home.lake.root().join("_log");
    let mut n_noticed = 0;
    for file in fs::read_dir(&log).unwrap() {
        let path = file.unwrap().path();
        let whole = fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            for damaged in [flipped, whole[..at].to_vec()] {
                fs::write(&path, damaged).unwrap();
                let error = home.lake.snapshot().expect_err("damage is an error");
                assert!(matches!(error, LakeError::Log { .. } | LakeError::Format { .. }), "{error}");
                assert!(
                    !home.lake.verify().map_or(true, |findings| findings.is_empty()),
                    "{}",
                    path.display()
                );
                n_noticed += 1;
            }
        }
        fs::write(&path, whole).unwrap();
    }
    assert!(n_noticed > 300, "{n_noticed}");
    assert_eq!(format!("{:?}", home.lake.snapshot().unwrap().commits().collect::<Vec<_>>()), before);
}

#[test]
fn a_removed_entry_is_noticed_wherever_it_was() {
    for gone in 0..4 {
        let home = home(4);
        fs::remove_file(entry(&home.lake, gone)).unwrap();
        let error = home.lake.snapshot().unwrap_err();
        assert!(error.to_string().contains(&format!("{gone:020}.json` is missing")), "{error}");
        let survey = home.lake.survey().unwrap();
        assert_eq!(survey.problems()[0].damage, Damage::Content);
        assert_eq!(survey.commits().count(), 3, "the others are read");
    }
}

#[test]
fn an_entry_of_another_lake_does_not_fit() {
    let (home, other) = (home(3), home(3));
    fs::copy(entry(&other.lake, 1), entry(&home.lake, 1)).unwrap();
    // Entry 1 of the other lake has other times or the same text; if it is the same text it is the same entry.
    fill(&other.lake, "another", "y").unwrap();
    fs::copy(entry(&other.lake, 3), entry(&home.lake, 2)).unwrap();
    assert!(matches!(home.lake.snapshot(), Err(LakeError::Log { .. })));
}

#[test]
fn strays_block_nothing_and_are_named() {
    let home = home(2);
    fs::write(home.lake.root().join("_log/99999999999999999999.json"), "{}").unwrap();
    fs::write(home.lake.root().join("_log/notes.txt"), "mine").unwrap();
    fill(&home.lake, "t2", "x").unwrap();
    assert_eq!(tasks(&home.lake.snapshot().unwrap()), ["t0", "t1", "t2"]);
    let findings: Vec<String> = home.lake.verify().unwrap().into_iter().map(|f| f.path).collect();
    assert_eq!(findings, ["_log/99999999999999999999.json", "_log/notes.txt"]);
}

#[test]
fn a_number_far_ahead_does_not_stop_writers() {
    let home = home(2);
    fs::copy(entry(&home.lake, 0), entry(&home.lake, u64::MAX)).unwrap();
    fill(&home.lake, "t2", "x").unwrap();
    assert_eq!(tasks(&home.lake.snapshot().unwrap()), ["t0", "t1", "t2"]);
}

#[test]
fn a_repair_keeps_what_is_left_and_the_lake_goes_on() {
    let home = home(4);
    let lake = &home.lake;
    fs::write(entry(lake, 1), "{oops").unwrap();
    fs::remove_file(lake.root().join(&file_of_survey(lake, "t2").path)).unwrap();
    let plan = lake.plan_repair().unwrap();
    assert_eq!((plan.removes.clone(), plan.lost.len()), (vec![slot_of("t2")], 1));
    let done = lake.repair().unwrap();
    assert_eq!(done.findings, plan.findings);
    assert_eq!(tasks(&lake.snapshot().unwrap()), ["t0", "t3"]);
    assert!(lake.verify().unwrap().is_empty());
    assert!(lake.plan_repair().unwrap().is_empty());
    fill(lake, "t1", "again").unwrap();
    fill(lake, "t2", "again").unwrap();
    assert_eq!(tasks(&lake.snapshot().unwrap()), ["t0", "t1", "t2", "t3"]);
    assert_eq!(lake.history().unwrap().0.len(), 6);
}

fn file_of_survey(lake: &Lake, task: &str) -> FileEntry {
    lake.survey().unwrap().slot(&slot_of(task)).unwrap().files[0].clone()
}

#[test]
fn what_the_checkpoint_covers_is_known_without_its_entries() {
    let home = home(203);
    let lake = &home.lake;
    fs::remove_file(entry(lake, 17)).unwrap();
    let snapshot = lake.snapshot().unwrap();
    assert_eq!(snapshot.commits().count(), 203);
    assert!(snapshot.problems().iter().all(|problem| problem.damage == Damage::History));
    assert_eq!(lake.verify().unwrap().len(), 1, "it is said nevertheless");
    let checkpoint = lake.root().join("_log/_checkpoint");
    fs::write(&checkpoint, "{}").unwrap();
    assert!(matches!(lake.snapshot(), Err(LakeError::Log { .. })), "without it the lost entry counts");
}

#[test]
fn a_path_that_leaves_the_lake_is_refused() {
    let home = home(1);
    let lake = &home.lake;
    let secret = lake.root().parent().unwrap().join("secret.txt");
    fs::write(&secret, "mine").unwrap();
    let path = file_of(lake, "t0").path;
    as_format_2(lake, 0, &body_of(lake, 0).replace(&path, "../secret.txt"));
    let error = lake.snapshot().unwrap_err();
    assert!(error.to_string().contains("`../secret.txt`"), "{error}");
    lake.repair().unwrap();
    fill(lake, "t0", "y").unwrap();
    assert!(secret.exists());
}

#[cfg(unix)]
#[test]
fn nothing_is_written_or_read_through_a_link() {
    let home = home(1);
    let lake = &home.lake;
    let outside = lake.root().parent().unwrap().join("outside");
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, lake.root().join("segments/task=t1")).unwrap();
    assert!(matches!(fill(lake, "t1", "x"), Err(LakeError::Damaged { .. })));
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    let (file, inside) = (file_of(lake, "t0"), lake.root().join("segments/task=t0"));
    fs::rename(&inside, outside.join("moved")).unwrap();
    std::os::unix::fs::symlink(outside.join("moved"), &inside).unwrap();
    assert!(matches!(read_batches(lake, &file), Err(LakeError::Damaged { .. })));
}

#[test]
fn a_commit_is_refused_once_what_it_was_computed_from_is_replaced() {
    let home = home(1);
    let lake = &home.lake;
    let read = [file_of(lake, "t0")];
    fill_requiring(lake, "derived", "x", &read).unwrap();
    fill(lake, "t0", "changed").unwrap();
    let error = fill_requiring(lake, "derived", "y", &read).unwrap_err();
    assert!(matches!(error, LakeError::Outdated { .. }), "{error}");
    assert_eq!(lake.snapshot().unwrap().slot(&slot_of("derived")).unwrap().key, "x");
    assert!(lake.garbage().unwrap().files.len() == 1, "what the refused commit had moved is garbage");
}

#[test]
fn a_reader_keeps_its_files_while_they_are_replaced() {
    let home = home(1);
    let lake = &home.lake;
    let snapshot = lake.snapshot().unwrap();
    let file = snapshot.slot(&slot_of("t0")).unwrap().files[0].clone();
    fill(lake, "t0", "y").unwrap();
    fill(lake, "t0", "z").unwrap();
    assert_eq!(read_batches(lake, &file).unwrap()[0].num_rows(), 1, "its files are there");
    drop(snapshot);
    assert!(!lake.root().join(&file.path).exists(), "and go with the last reader");
    assert_eq!(fs::read_dir(lake.root().join("segments/task=t0")).unwrap().count(), 1);
}

#[test]
fn two_processes_do_not_fill_the_same_slots() {
    let home = home(0);
    let claim = home.lake.claim_extraction("m", "t").unwrap();
    assert!(matches!(home.lake.claim_extraction("m", "t"), Err(LakeError::Busy { .. })));
    home.lake.claim_extraction("m", "other").unwrap();
    drop(claim);
    home.lake.claim_extraction("m", "t").unwrap();
}

#[test]
fn what_an_earlier_table_version_wrote_is_set_aside_and_replaced() {
    let home = home(1);
    let lake = &home.lake;
    let body = body_of(lake, 0);
    let version = format!("\"table_version\":{}", tables::SEGMENTS.version);
    assert!(body.contains(&version), "{body}");
    as_format_2(lake, 0, &body.replace(&version, "\"table_version\":0"));
    let snapshot = lake.snapshot().unwrap();
    assert!(tasks(&snapshot).is_empty());
    assert_eq!(snapshot.outdated().collect::<Vec<_>>(), [&slot_of("t0")]);
    assert!(lake.garbage().unwrap().files.is_empty(), "its files are listed");
    drop(snapshot);
    fill(lake, "t0", "new").unwrap();
    let snapshot = lake.snapshot().unwrap();
    assert_eq!((tasks(&snapshot), snapshot.outdated().count()), (vec!["t0".to_owned()], 0));
    assert_eq!(fs::read_dir(lake.root().join("segments/task=t0")).unwrap().count(), 1);
}

#[test]
fn a_lake_of_format_2_is_read_and_goes_on() {
    let home = home(2);
    let lake = &home.lake;
    for sequence in [0, 1] {
        as_format_2(
            lake,
            sequence,
            &body_of(lake, sequence).replace("\"table_version\":1", "\"vector_length\":null"),
        );
    }
    assert_eq!(tasks(&lake.snapshot().unwrap()), ["t0", "t1"]);
    fill(lake, "t2", "x").unwrap();
    assert_eq!(tasks(&lake.snapshot().unwrap()), ["t0", "t1", "t2"]);
    assert!(lake.verify().unwrap().is_empty());
    fs::write(entry(lake, 1), "{}").unwrap();
    assert_eq!(tasks(&lake.snapshot().unwrap()), ["t0", "t1", "t2"], "the first new entry made a checkpoint");
    assert_eq!(lake.verify().unwrap().len(), 1);
}

/// The commit in an entry.
fn body_of(lake: &Lake, sequence: u64) -> String {
    let text = fs::read_to_string(entry(lake, sequence)).unwrap();
    text.split_once("\"commit\":").unwrap().1.trim_end().strip_suffix('}').unwrap().to_owned()
}

/// Writes a commit as format 2 spelt it: no checksum, no predecessor, no head.
fn as_format_2(lake: &Lake, sequence: u64, body: &str) {
    let commit: serde_json::Value = serde_json::from_str(body).unwrap();
    let mut commit = commit.as_object().unwrap().clone();
    commit.insert("format".into(), 2.into());
    commit.remove("previous");
    fs::write(entry(lake, sequence), serde_json::to_string_pretty(&commit).unwrap()).unwrap();
    let _ = fs::remove_file(lake.root().join("_log/_head"));
}
