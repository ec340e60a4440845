//! Every table is read as a frame with its schema's types, committed files only, and comes back unchanged.

mod planted;
#[path = "../../tests/support/values.rs"]
mod values;

use hypercolumn_analyze::frames::{Partitions, batch_of_frame, frame_of_batch, frame_of_rows, read_frame};
use hypercolumn_analyze::{Correction, correct};
use hypercolumn_schemas::tables::{self, BehaviorRow};
use hypercolumn_schemas::{Lake, PartitionColumn, read_batches};
use planted::{MODEL, TASK};
use polars::prelude::DataType;
use values::batch;

#[test]
fn every_table_becomes_a_frame_and_comes_back() {
    for table in tables::ALL {
        let before = batch(table);
        let frame = frame_of_batch(&before).unwrap_or_else(|e| panic!("{}: {e}", table.name));
        assert_eq!(frame.shape(), (3, table.columns.len()), "{}", table.name);
        // A type that polars was built without fails at run time only, when values are looked at.
        assert_eq!(frame.head(Some(2)).height(), 2);
        let reversed = frame.select(table.columns.iter().rev().map(|c| c.name)).expect("columns by name");
        assert_eq!(batch_of_frame(table, &reversed).expect("a batch"), before, "{}", table.name);
    }
}

#[test]
fn every_table_of_a_lake_is_read_with_its_partitions() {
    let home = tempfile::tempdir().unwrap();
    let lake: Lake = planted::make(home.path());
    let snapshot = lake.snapshot().unwrap();
    for table in tables::ALL {
        let frame = read_frame(
            &lake,
            &snapshot,
            table,
            Partitions { study: "", model: MODEL, task: TASK, layer: None },
        )
        .unwrap();
        let n_rows: u64 = snapshot.files(table).map(|f| f.n_rows).sum();
        assert_eq!(frame.height() as u64, n_rows, "{}", table.name);
        let names: Vec<&str> = frame.get_column_names().into_iter().map(|n| n.as_str()).collect();
        let expected = table.partitions.iter().map(|p| p.name()).chain(table.columns.iter().map(|c| c.name));
        assert_eq!(names, expected.collect::<Vec<_>>(), "{}", table.name);
        if table.partitions.contains(&PartitionColumn::Layer) {
            assert_eq!(frame.column("layer").unwrap().dtype(), &DataType::Int32);
            let one = Partitions { study: "", model: MODEL, task: TASK, layer: Some(1) };
            let layer = read_frame(&lake, &snapshot, table, one).unwrap();
            assert!(layer.height() > 0 && layer.height() < frame.height());
        }
    }
    let other = Partitions { study: "", model: "other", task: TASK, layer: None };
    assert_eq!(read_frame(&lake, &snapshot, &tables::RESPONSES, other).unwrap().height(), 0);
}

#[test]
fn a_file_that_no_commit_lists_is_not_read() {
    let home = tempfile::tempdir().unwrap();
    let lake: Lake = planted::make(home.path());
    let snapshot = lake.snapshot().unwrap();
    let file = snapshot.files(&tables::RESPONSES).next().unwrap();
    let path = lake.root().join(&file.path);
    std::fs::copy(&path, path.with_file_name("part-unlisted.parquet")).unwrap();
    let all = Partitions { study: "", model: MODEL, task: TASK, layer: None };
    let n_rows: usize = snapshot
        .files(&tables::RESPONSES)
        .flat_map(|f| read_batches(&lake, f).unwrap())
        .map(|batch| batch.num_rows())
        .sum();
    assert_eq!(read_frame(&lake, &snapshot, &tables::RESPONSES, all).unwrap().height(), n_rows);
}

#[test]
fn p_values_are_corrected_within_their_family() {
    let frame = frame_of_rows::<BehaviorRow>(&[]).unwrap();
    assert_eq!(frame.height(), 0);
    let columns = ["a", "b", "a", "a", "b", "a"];
    let p_values = [Some(0.01), Some(0.04), Some(0.02), None, Some(0.5), Some(0.03)];
    let frame = polars::df!("family" => columns, "p_value" => p_values).unwrap();
    let corrected = correct(frame, Correction::LEVEL).unwrap();
    let q: Vec<Option<f64>> = corrected.column("q_value").unwrap().f64().unwrap().iter().collect();
    // R: p.adjust(c(.01, .02, .03), "BH") and p.adjust(c(.04, .5), "BH").
    let expected = [Some(0.03), Some(0.08), Some(0.03), None, Some(0.5), Some(0.03)];
    for (found, expected) in q.iter().zip(expected) {
        match (found, expected) {
            (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-12, "{q:?}"),
            _ => assert_eq!(*found, expected),
        }
    }
}
