//! Rows of any table, written and committed.

use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Float64Array, Int16Array, Int32Array,
    RecordBatch, StringArray, UInt32Array,
};
use hypercolumn_schemas::{
    ColumnType, CommitInfo, Lake, Partition, Record, Row, Slot, Table, vector_element,
};
use std::sync::Arc;

/// Length of the vectors.
pub const D_MODEL: usize = 24;

/// One value of a row.
#[derive(Clone)]
pub enum Cell {
    T(String),
    I(i64),
    F(f64),
    B(bool),
    V(Vec<f32>),
    Null,
}

pub fn t(text: &str) -> Cell {
    Cell::T(text.to_owned())
}

/// Rows of one table and partition, in file order.
pub struct Rows {
    table: &'static Table,
    partition: Partition,
    rows: Vec<Vec<Cell>>,
    /// Rows that were made as their table's type.
    typed: Option<RecordBatch>,
}

impl Rows {
    pub fn new(table: &'static Table, partition: Partition) -> Self {
        Self { table, partition, rows: Vec::new(), typed: None }
    }

    /// Rows of a table's own type.
    pub fn typed<R: Row>(partition: Partition, rows: &[R]) -> Self {
        Self { typed: Some(R::to_batch(rows).unwrap()), ..Self::new(R::TABLE, partition) }
    }

    pub fn push(&mut self, row: Vec<Cell>) {
        assert_eq!(row.len(), self.table.columns.len(), "{}", self.table.name);
        self.rows.push(row);
    }

    fn is_empty(&self) -> bool {
        self.batch().num_rows() == 0
    }

    fn batch(&self) -> RecordBatch {
        if let Some(batch) = &self.typed {
            return batch.clone();
        }
        let columns = self.table.columns.iter().enumerate();
        self.table
            .batch(columns.map(|(i, c)| column(c.kind, self.rows.iter().map(|r| &r[i]))).collect())
            .unwrap()
    }
}

fn column<'a>(kind: ColumnType, cells: impl Iterator<Item = &'a Cell>) -> ArrayRef {
    let text = |c: &Cell| match c {
        Cell::T(v) => Some(v.clone()),
        _ => None,
    };
    let whole = |c: &Cell| match c {
        Cell::I(v) => Some(*v),
        _ => None,
    };
    let real = |c: &Cell| match c {
        Cell::F(v) => Some(*v),
        _ => None,
    };
    match kind {
        ColumnType::Text => Arc::new(cells.map(text).collect::<StringArray>()),
        ColumnType::Int16 => Arc::new(cells.map(|c| whole(c).map(|v| v as i16)).collect::<Int16Array>()),
        ColumnType::Int32 => Arc::new(cells.map(|c| whole(c).map(|v| v as i32)).collect::<Int32Array>()),
        ColumnType::UInt32 => Arc::new(cells.map(|c| whole(c).map(|v| v as u32)).collect::<UInt32Array>()),
        ColumnType::Float32 => Arc::new(cells.map(|c| real(c).map(|v| v as f32)).collect::<Float32Array>()),
        ColumnType::Float64 => Arc::new(cells.map(real).collect::<Float64Array>()),
        ColumnType::Bool => Arc::new(
            cells.map(|c| if let Cell::B(v) = c { Some(*v) } else { None }).collect::<BooleanArray>(),
        ),
        ColumnType::Vector => {
            let values: Vec<f32> =
                cells.flat_map(|c| if let Cell::V(v) = c { v.clone() } else { Vec::new() }).collect();
            let values = Arc::new(Float32Array::from(values));
            Arc::new(FixedSizeListArray::new(vector_element(), D_MODEL as i32, values, None))
        }
    }
}

pub fn commit(lake: &Lake, slot: Slot, details: Record, all: &[Rows]) {
    let mut transaction = lake.begin(slot).unwrap();
    for rows in all.iter().filter(|r| !r.is_empty()) {
        let length = rows.table.has_vector().then_some(D_MODEL as i32);
        let mut writer = transaction.writer(rows.table, rows.partition.clone(), length).unwrap();
        writer.write(&rows.batch()).unwrap();
        transaction.stage(writer).unwrap();
    }
    transaction.commit(CommitInfo { key: "planted".into(), details, removes: Vec::new() }).unwrap();
}
