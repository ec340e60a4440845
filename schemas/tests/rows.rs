//! Every table's rows become a batch and come back, and what does not fit is refused by name.

#[path = "../../tests/support/values.rs"]
mod values;

use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray};
use hypercolumn_schemas::tables::{self, AttentionRow, HiddenStateColumns, HiddenStateRow, RsaRow};
use hypercolumn_schemas::{LakeError, Row};
use std::sync::Arc;
use values::{N, batch, vectors};

fn check<R: Row + PartialEq>() -> &'static str {
    let before = batch(R::TABLE);
    let rows = R::from_batch(&before).expect("rows");
    assert_eq!(rows.len(), N);
    assert_eq!(R::to_batch(&rows).expect("a batch"), before, "{}", R::TABLE.name);
    // Order is not what columns are found by.
    let reversed: Vec<usize> = (0..before.num_columns()).rev().collect();
    assert!(R::from_batch(&before.project(&reversed).expect("columns")).expect("rows") == rows);
    let rest: Vec<usize> = (1..before.num_columns()).collect();
    let error = R::from_batch(&before.project(&rest).expect("columns"))
        .err()
        .expect("a column is absent")
        .to_string();
    assert!(error.contains(R::TABLE.name) && error.contains(R::TABLE.columns[0].name), "{error}");
    R::TABLE.name
}

#[test]
fn rows_of_every_table_come_back() {
    use tables::*;
    let checked = [
        check::<PromptRow>(),
        check::<SegmentRow>(),
        check::<TokenRow>(),
        check::<ResponseRow>(),
        check::<ChoiceRow>(),
        check::<HiddenStateRow>(),
        check::<AttentionRow>(),
        check::<BehaviorRow>(),
        check::<RsaRow>(),
        check::<ProbeRow>(),
        check::<PredictionRow>(),
        check::<AttentionRatioRow>(),
        check::<MeasureRow>(),
        check::<AssociationRow>(),
        check::<ContrastRow>(),
        check::<ClaimRow>(),
    ];
    assert_eq!(checked.to_vec(), ALL.map(|table| table.name).to_vec());
}

#[test]
fn a_value_that_is_not_finite_is_named() {
    let mut rows = RsaRow::from_batch(&batch(&tables::RSA)).expect("rows");
    rows[2].estimate = Some(f64::NAN);
    let error = RsaRow::to_batch(&rows).expect_err("a NaN");
    assert!(
        matches!(&error, LakeError::NotFinite { table: "rsa", column, row: 2 } if column == "estimate"),
        "{error}"
    );
    let mut rows = AttentionRow::from_batch(&batch(&tables::ATTENTION)).expect("rows");
    rows[1].mass = f32::INFINITY;
    let error = AttentionRow::to_batch(&rows).expect_err("an infinity");
    assert!(matches!(error, LakeError::NotFinite { table: "attention", row: 1, .. }), "{error}");
    let of = |name: &str| batch(&tables::HIDDEN_STATES).column_by_name(name).expect("a column").clone();
    let columns = HiddenStateColumns {
        prompt_id: of("prompt_id"),
        site: of("site"),
        segment: of("segment"),
        role: of("role"),
        pooling: of("pooling"),
        n_tokens: of("n_tokens"),
        vector: vectors(vec![0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0]),
    };
    let error = columns.into_batch().expect_err("a NaN");
    assert!(matches!(error, LakeError::NotFinite { table: "hidden_states", row: 1, .. }), "{error}");
}

#[test]
fn another_type_and_a_null_are_named() {
    let good = batch(&tables::HIDDEN_STATES);
    let schema = |i: usize, array: &ArrayRef| {
        let mut fields: Vec<_> = good.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
        fields[i] = arrow::datatypes::Field::new(fields[i].name(), array.data_type().clone(), true);
        Arc::new(arrow::datatypes::Schema::new(fields))
    };
    let with = |i: usize, array: ArrayRef| {
        let mut columns = good.columns().to_vec();
        let schema = schema(i, &array);
        columns[i] = array;
        RecordBatch::try_new(schema, columns).expect("a batch")
    };
    let error =
        HiddenStateRow::from_batch(&with(5, Arc::new(Float64Array::from(vec![1.0; N])))).expect_err("a type");
    assert_eq!(error.to_string(), "column `n_tokens` of table `hidden_states` has type Float64, not int32");
    let nulls: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("b")]));
    let error = HiddenStateRow::from_batch(&with(1, nulls)).expect_err("a null");
    assert_eq!(error.to_string(), "column `site` of table `hidden_states` is null in row 1");
}
