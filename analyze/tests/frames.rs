//! Every table is read as a frame with its schema's types, committed files only, and comes back unchanged.

mod planted;
#[path = "../../tests/support/values.rs"]
mod values;

use hypercolumn_analyze::frames::{
    Partitions, batch_of_frame, frame_of_batch, frame_of_rows, numbers, ordered_means, read_frame,
    read_selected_frame, texts,
};
use hypercolumn_analyze::{Correction, correct};
use hypercolumn_schemas::tables::{self, BehaviorRow};
use hypercolumn_schemas::{Lake, PartitionColumn, Selection, read_batches};
use planted::{MODEL, TASK};
use polars::prelude::{Column, DataFrame, DataType, IntoLazy, col, lit};
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
fn means_add_the_rows_of_a_group_in_their_order() {
    let key = ["b", "a", "b", "b", "a"];
    let value = [1e16, 0.1, 1.0, -1e16, 0.2];
    let columns = vec![Column::new("key".into(), key), Column::new("value".into(), value)];
    let means = ordered_means(&DataFrame::new(5, columns).unwrap(), &["key"], &["value"]).unwrap();
    assert_eq!(texts(&means, "key").unwrap(), ["b", "a"]);
    // A compensated sum of the first group would be 1.
    let sums = [1e16 + 1.0 - 1e16, 0.1 + 0.2];
    assert_eq!(numbers(&means, "value").unwrap(), [sums[0] / 3.0, sums[1] / 2.0]);
}

#[test]
fn a_selection_is_the_whole_table_filtered() {
    let home = tempfile::tempdir().unwrap();
    let lake: Lake = planted::make(home.path());
    let snapshot = lake.snapshot().unwrap();
    let of = Partitions { study: "", model: MODEL, task: TASK, layer: None };
    let table = &tables::HIDDEN_STATES;
    let whole = read_frame(&lake, &snapshot, table, of).unwrap();
    let columns = ["prompt_id", "role", "vector"];
    for (role, pooling) in [("prompt", "mean"), ("prompt", "max"), ("no such role", "mean")] {
        let equal = [("role", role), ("pooling", pooling)];
        let selection = Selection { equal: &equal, columns: &columns };
        let found = read_selected_frame(&lake, &snapshot, table, of, selection).unwrap();
        let is_asked = col("role").eq(lit(role)).and(col("pooling").eq(lit(pooling)));
        let expected = whole.clone().lazy().filter(is_asked);
        let shown = ["model", "task", "layer"].into_iter().chain(columns).map(col).collect::<Vec<_>>();
        assert!(found.equals(&expected.select(shown).collect().unwrap()), "{role}, {pooling}");
    }
    let n_rows = |role: &str| {
        let selection = Selection { equal: &[("role", role)], columns: &[] };
        read_selected_frame(&lake, &snapshot, table, of, selection).unwrap().shape()
    };
    assert_eq!(n_rows("prompt").1, whole.width());
    assert!(n_rows("prompt").0 > 0, "the planted lake has states of the prompt");
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
