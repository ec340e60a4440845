//! Writes Parquet files. Encodings follow the column's type, so that every file compresses and opens alike.

use crate::column::ColumnType;
use crate::commit::FileEntry;
use crate::error::LakeError;
use crate::partition::Partition;
use crate::table::Table;
use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// Row groups are cut at this many bytes at the latest, so that readers of any table need little memory.
const ROW_GROUP_BYTES: usize = 32 << 20;

/// A file to be staged: its name, and what it is of.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) path: PathBuf,
    pub(crate) table: &'static Table,
    pub(crate) partition: Partition,
    pub(crate) vector_length: Option<i32>,
}

/// A finished file under its staging name.
#[derive(Debug)]
pub(crate) struct StagedFile {
    pub(crate) path: PathBuf,
    pub(crate) relative_directory: PathBuf,
    pub(crate) entry: FileEntry,
}

impl Target {
    pub(crate) fn create(&self) -> Result<ArrowWriter<File>, LakeError> {
        let file = File::create(&self.path).map_err(LakeError::io("create", &self.path))?;
        let schema = self.table.arrow_schema(self.vector_length.unwrap_or(0));
        ArrowWriter::try_new(file, schema, Some(properties(self.table)))
            .map_err(LakeError::parquet("write", &self.path))
    }

    /// Flushes a written file to disk, reads its footer back and hashes it. `None` if it has no rows.
    pub(crate) fn finish(self, file: &File, n_rows: u64) -> Result<Option<StagedFile>, LakeError> {
        let Self { path, table, partition, vector_length } = self;
        if n_rows == 0 {
            return Ok(None);
        }
        file.sync_all().map_err(LakeError::io("flush", &path))?;
        check_footer(&path, n_rows)?;
        let (n_bytes, blake3) = hash_file(&path)?;
        let relative_directory = partition.directory(table);
        let entry = FileEntry {
            table: table.name.to_owned(),
            path: String::new(),
            partition,
            n_rows,
            n_bytes,
            blake3,
            vector_length,
            table_version: Some(table.version),
        };
        Ok(Some(StagedFile { path, relative_directory, entry }))
    }
}

/// Writes one staged file of one table and partition.
#[derive(Debug)]
pub struct FileWriter {
    target: Target,
    writer: ArrowWriter<File>,
    n_rows: u64,
    flushing: Option<JoinHandle<io::Result<()>>>,
}

impl FileWriter {
    pub(crate) fn create(target: Target) -> Result<Self, LakeError> {
        let writer = target.create()?;
        Ok(Self { target, writer, n_rows: 0, flushing: None })
    }

    /// Appends rows; build them with [`Table::batch`].
    ///
    /// # Errors
    /// [`LakeError::Parquet`] when they cannot be encoded or written (a full disk).
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        self.n_rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(LakeError::parquet("write", &self.target.path))
    }

    /// Ends the row group and begins to flush what is written to disk, so that less is left to do at the end. For some
    /// megabytes of rows: readers like row groups that are not small.
    ///
    /// # Errors
    /// [`LakeError::Parquet`] or [`LakeError::Io`] when rows so far cannot be encoded, written or flushed.
    pub fn end_group(&mut self) -> Result<(), LakeError> {
        self.writer.flush().map_err(LakeError::parquet("write", &self.target.path))?;
        self.writer.sync().map_err(LakeError::io("write", &self.target.path))?;
        self.wait()?;
        let file = self.writer.inner().try_clone().map_err(LakeError::io("flush", &self.target.path))?;
        self.flushing = Some(std::thread::spawn(move || file.sync_data()));
        Ok(())
    }

    /// Waits for a flush that was begun. Its error is asked for here, since the system tells it once.
    fn wait(&mut self) -> Result<(), LakeError> {
        let flushed = self.flushing.take().map_or(Ok(()), |f| f.join().expect("a flush does not panic"));
        flushed.map_err(LakeError::io("flush", &self.target.path))
    }

    /// Closes the file, flushes it to disk, reads its footer back and hashes it. `None` if it has no rows.
    pub(crate) fn finish(mut self) -> Result<Option<StagedFile>, LakeError> {
        self.wait()?;
        let file = self.writer.into_inner().map_err(LakeError::parquet("write", &self.target.path))?;
        self.target.finish(&file, self.n_rows)
    }
}

pub(crate) fn properties(table: &Table) -> WriterProperties {
    let level = ZstdLevel::try_new(1).expect("1 is a zstd level");
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by(concat!("hypercolumn ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES));
    for column in table.columns {
        let path = match column.kind {
            ColumnType::Vector => {
                ColumnPath::new(vec![column.name.into(), "list".into(), crate::VECTOR_ELEMENT.into()])
            }
            ColumnType::Float32 => ColumnPath::from(column.name),
            _ => continue,
        };
        // The bytes of a float compress far better side by side; its values never repeat and are never pruned on.
        builder = builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path.clone(), Encoding::BYTE_STREAM_SPLIT)
            .set_column_statistics_enabled(path, EnabledStatistics::None);
    }
    builder.build()
}

fn check_footer(path: &Path, n_rows: u64) -> Result<(), LakeError> {
    let file = File::open(path).map_err(LakeError::io("open", path))?;
    let metadata =
        ArrowReaderMetadata::load(&file, Default::default()).map_err(LakeError::parquet("read", path))?;
    let found = metadata.metadata().file_metadata().num_rows();
    if found as u64 == n_rows {
        return Ok(());
    }
    Err(LakeError::Damaged {
        path: path.to_owned(),
        problem: format!("holds {found} rows after {n_rows} were written"),
    })
}

/// Size and BLAKE3 of a file.
pub(crate) fn hash_file(path: &Path) -> Result<(u64, String), LakeError> {
    let mut file = File::open(path).map_err(LakeError::io("open", path))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let mut n_bytes = 0;
    loop {
        let n = file.read(&mut buffer).map_err(LakeError::io("read", path))?;
        if n == 0 {
            return Ok((n_bytes, hasher.finalize().to_hex().to_string()));
        }
        hasher.update(&buffer[..n]);
        n_bytes += n as u64;
    }
}
