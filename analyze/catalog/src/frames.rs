//! Tables as polars frames: how this program shapes, joins, corrects and aggregates rows.
//!
//! One rule says which engine does what: SQL that a user wrote runs in DuckDB; what the program itself does with rows
//! is done in frames. A frame has the types of its table's schema. Rows pass between arrow and polars by Arrow's C data
//! interface, so that numbers and texts are not copied.

use crate::error::CatalogError;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, to_ffi};
use hypercolumn_schemas::{
    ColumnType, FileEntry, Lake, PartitionColumn, Row, Selection, Snapshot, Table, read_selected,
};
use polars::prelude::{
    AnyValue, Column, CompatLevel, DataFrame, DataType as FrameType, GroupsIndicator, IntoColumn,
    PolarsError, Scalar, Series,
};
use polars_arrow::ffi;
use rayon::prelude::*;

/// Rows as a frame with the columns of their table.
///
/// # Errors
/// [`CatalogError::Lake`] for a value that is not finite; [`CatalogError::Frame`] where polars refuses.
pub fn frame_of_rows<R: Row>(rows: &[R]) -> Result<DataFrame, CatalogError> {
    frame_of_batch(&R::to_batch(rows)?)
}

/// The rows of a frame.
///
/// # Errors
/// [`CatalogError::Lake`] where a column is absent, has another type or a null that its table does not allow.
pub fn rows_of_frame<R: Row>(frame: &DataFrame) -> Result<Vec<R>, CatalogError> {
    Ok(R::from_batch(&batch_of_frame(R::TABLE, frame)?)?)
}

/// A batch as a frame. Texts become views, which polars keeps them in.
///
/// # Errors
/// [`CatalogError::Frame`] for a type that polars was not built with.
pub fn frame_of_batch(batch: &RecordBatch) -> Result<DataFrame, CatalogError> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, array)| {
        let viewed = match array.data_type() {
            DataType::Utf8 => {
                cast(array, &DataType::Utf8View).map_err(|e| CatalogError::frame(e.to_string()))?
            }
            _ => array.clone(),
        };
        Ok(import(field.name(), &viewed)?.into_column())
    });
    let columns: Vec<Column> = columns.collect::<Result<_, CatalogError>>()?;
    DataFrame::new(batch.num_rows(), columns).map_err(refused)
}

/// A frame as a batch of `table`: its columns by name, in the table's types; other columns of the frame are left out.
///
/// # Errors
/// [`CatalogError::Frame`] where a column is absent or cannot be cast; [`CatalogError::Lake`] where values do not fit.
pub fn batch_of_frame(table: &'static Table, frame: &DataFrame) -> Result<RecordBatch, CatalogError> {
    let array = |name: &str, kind: ColumnType| {
        let column = frame.column(name).map_err(refused)?;
        let array = export(column.as_materialized_series())?;
        // The names of a list's values and whether they may be null are lost on the way.
        let length = match array.data_type() {
            DataType::FixedSizeList(_, length) => *length,
            _ => 0,
        };
        cast(&array, &kind.arrow(length)).map_err(|e| CatalogError::frame(e.to_string()))
    };
    let columns: Vec<ArrayRef> =
        table.columns.iter().map(|c| array(c.name, c.kind)).collect::<Result<_, CatalogError>>()?;
    if columns.is_empty() {
        let options = RecordBatchOptions::new().with_row_count(Some(frame.height()));
        let empty = RecordBatch::try_new_with_options(table.arrow_schema(0), columns, &options);
        return empty.map_err(|e| CatalogError::frame(e.to_string()));
    }
    Ok(table.batch(columns)?)
}

/// Which files of a table are read.
#[derive(Clone, Copy, Debug)]
pub struct Partitions<'a> {
    /// The study, where the table has one.
    pub study: &'a str,
    /// The model, where the table has one.
    pub model: &'a str,
    /// The task.
    pub task: &'a str,
    /// One layer, or all.
    pub layer: Option<i32>,
}

/// The committed rows of `table` for one study, model and task, partition columns first.
///
/// # Errors
/// [`CatalogError::Lake`] where a listed file cannot be read; [`CatalogError::Frame`] where polars refuses.
pub fn read_frame(
    lake: &Lake,
    snapshot: &Snapshot,
    table: &'static Table,
    partitions: Partitions<'_>,
) -> Result<DataFrame, CatalogError> {
    read_selected_frame(lake, snapshot, table, partitions, Selection::default())
}

/// As [`read_frame`], of the selected rows and columns alone.
///
/// # Errors
/// As [`read_frame`].
pub fn read_selected_frame(
    lake: &Lake,
    snapshot: &Snapshot,
    table: &'static Table,
    partitions: Partitions<'_>,
    selection: Selection<'_>,
) -> Result<DataFrame, CatalogError> {
    let mut whole: Option<DataFrame> = None;
    let is_asked = |file: &&FileEntry| {
        let of = &file.partition;
        of.task.as_deref() == Some(partitions.task)
            && of.study.as_deref().is_none_or(|study| study == partitions.study)
            && of.model.as_deref().is_none_or(|model| model == partitions.model)
            && partitions.layer.is_none_or(|layer| of.layer == Some(layer))
    };
    let files: Vec<&FileEntry> = snapshot.files(table).filter(is_asked).collect();
    let read = |file: &&FileEntry| read_selected(lake, file, selection);
    let of_files: Vec<Vec<RecordBatch>> = files.par_iter().map(read).collect::<Result<_, _>>()?;
    for (file, batches) in files.into_iter().zip(of_files) {
        for batch in batches {
            let mut frame = frame_of_batch(&batch)?;
            for (at, level) in table.partitions.iter().enumerate() {
                let value = match level {
                    PartitionColumn::Study => text(file.partition.study.as_deref()),
                    PartitionColumn::Model => text(file.partition.model.as_deref()),
                    PartitionColumn::Task => text(file.partition.task.as_deref()),
                    PartitionColumn::Layer => Scalar::new(
                        FrameType::Int32,
                        AnyValue::Int32(file.partition.layer.unwrap_or_default()),
                    ),
                };
                let column = Column::new_scalar(level.name().into(), value, frame.height());
                frame.insert_column(at, column).map_err(refused)?;
            }
            match &mut whole {
                Some(whole) => whole.vstack_mut(&frame).map(drop).map_err(refused)?,
                None => whole = Some(frame),
            }
        }
    }
    match whole {
        Some(frame) => Ok(frame),
        None => empty_frame(table, selection),
    }
}

/// A frame of `table` with its partition columns and no row.
fn empty_frame(table: &'static Table, selection: Selection<'_>) -> Result<DataFrame, CatalogError> {
    let mut frame = frame_of_batch(&RecordBatch::new_empty(table.arrow_schema(0)))?;
    for (at, level) in table.partitions.iter().enumerate() {
        let kind = if *level == PartitionColumn::Layer { FrameType::Int32 } else { FrameType::String };
        frame.insert_column(at, Column::new_empty(level.name().into(), &kind)).map_err(refused)?;
    }
    if selection.columns.is_empty() {
        return Ok(frame);
    }
    let partitions = table.partitions.iter().map(|level| level.name());
    frame.select(partitions.chain(selection.columns.iter().copied())).map_err(refused)
}

fn text(value: Option<&str>) -> Scalar {
    Scalar::new(FrameType::String, AnyValue::StringOwned(value.unwrap_or_default().into()))
}

/// The texts in a column of `frame` that has no nulls.
///
/// # Errors
/// [`CatalogError::Frame`] where the column is absent, holds something else or has a null.
pub fn texts(frame: &DataFrame, column: &str) -> Result<Vec<String>, CatalogError> {
    let values = frame.column(column).and_then(|c| c.str()).map_err(refused)?;
    values.iter().map(|value| value.map(str::to_owned).ok_or_else(|| null_in(column))).collect()
}

/// The numbers in a column of `frame` that has no nulls.
///
/// # Errors
/// As [`texts`].
pub fn numbers(frame: &DataFrame, column: &str) -> Result<Vec<f64>, CatalogError> {
    let values = frame.column(column).and_then(|c| c.f64()).map_err(refused)?;
    values.iter().map(|value| value.ok_or_else(|| null_in(column))).collect()
}

/// Rows of equal keys, group by group in the order in which the groups appear.
pub struct Groups {
    /// The keys of each group.
    pub keys: Vec<Column>,
    /// The rows of each group, ascending.
    pub rows: Vec<Vec<usize>>,
}

/// The groups of equal `keys` among the rows of `frame`.
///
/// # Errors
/// [`CatalogError::Frame`] where a column is absent.
pub fn groups(frame: &DataFrame, keys: &[&str]) -> Result<Groups, CatalogError> {
    let grouped = frame.group_by_stable(keys.iter().copied()).map_err(refused)?;
    let rows = grouped.get_groups().iter().map(|group| match group {
        GroupsIndicator::Idx((_, rows)) => rows.iter().map(|&row| row as usize).collect(),
        GroupsIndicator::Slice([first, n]) => (first as usize..(first + n) as usize).collect(),
    });
    Ok(Groups { rows: rows.collect(), keys: grouped.keys() })
}

/// `keys`, and the means of `values` in each group of equal keys. The rows of a group are added one by one in their order:
/// polars' own means compensate or split the sum as it sees fit, and ranks depend on the last bit.
///
/// # Errors
/// As [`numbers`].
pub fn ordered_means(frame: &DataFrame, keys: &[&str], values: &[&str]) -> Result<DataFrame, CatalogError> {
    let Groups { keys: mut columns, rows } = groups(frame, keys)?;
    for name in values {
        let numbers = numbers(frame, name)?;
        let mean =
            |rows: &Vec<usize>| rows.iter().fold(0.0, |sum, &row| sum + numbers[row]) / rows.len() as f64;
        columns.push(Column::new((*name).into(), rows.iter().map(mean).collect::<Vec<f64>>()));
    }
    DataFrame::new(rows.len(), columns).map_err(refused)
}

fn null_in(column: &str) -> CatalogError {
    CatalogError::frame(format!("the column `{column}` has a null"))
}

/// An error of polars in this crate's terms.
pub fn refused(error: PolarsError) -> CatalogError {
    CatalogError::frame(error.to_string())
}

/// An arrow array as a polars series.
fn import(name: &str, array: &ArrayRef) -> Result<Series, CatalogError> {
    let (array, schema) = to_ffi(&array.to_data()).map_err(|e| CatalogError::frame(e.to_string()))?;
    // SAFETY: both crates lay out these structs as the C data interface says, and each is moved, not copied, so that
    // its release callback runs once.
    let (array, schema) = unsafe {
        (
            std::mem::transmute::<FFI_ArrowArray, ffi::ArrowArray>(array),
            std::mem::transmute::<FFI_ArrowSchema, ffi::ArrowSchema>(schema),
        )
    };
    // SAFETY: the structs come from arrow's own export of a valid array.
    let imported = unsafe {
        let field = ffi::import_field_from_c(&schema).map_err(refused)?;
        ffi::import_array_from_c(array, field.dtype).map_err(refused)?
    };
    Series::from_arrow(name.into(), imported).map_err(refused)
}

/// A polars series as an arrow array.
fn export(series: &Series) -> Result<ArrayRef, CatalogError> {
    let array = series.rechunk().to_arrow(0, CompatLevel::newest());
    let field = polars_arrow::datatypes::Field::new(series.name().clone(), array.dtype().clone(), true);
    let (array, schema) = (ffi::export_array_to_c(array), ffi::export_field_to_c(&field));
    // SAFETY: as in `import`, the other way round.
    let data = unsafe {
        let array = std::mem::transmute::<ffi::ArrowArray, FFI_ArrowArray>(array);
        let schema = std::mem::transmute::<ffi::ArrowSchema, FFI_ArrowSchema>(schema);
        from_ffi(array, &schema)
    };
    Ok(make_array(data.map_err(|e| CatalogError::frame(e.to_string()))?))
}
