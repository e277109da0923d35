//! One table: rows are gathered column by column and go to the file in batches.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Int64Builder, StringBuilder, StringDictionaryBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::schema::{Layout, Type};
use crate::error::ExportError;

/// Rows that are gathered before they are encoded.
const BATCH_ROWS: usize = 8_192;
/// Rows of a row group: what a reader skips or takes as a whole, and what is held in memory, encoded.
const GROUP_ROWS: usize = 262_144;

/// The value of one column of a row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    Int(i64),
    Text(&'a str),
    Flag(bool),
    Null,
}

/// A column being gathered.
enum Gathered {
    Int(Int64Builder),
    Name(StringDictionaryBuilder<Int32Type>),
    Text(StringBuilder),
    Flag(BooleanBuilder),
}

impl Gathered {
    fn new(ty: Type) -> Self {
        match ty {
            Type::Int => Self::Int(Int64Builder::new()),
            Type::Name => Self::Name(StringDictionaryBuilder::new()),
            Type::Text => Self::Text(StringBuilder::new()),
            Type::Flag => Self::Flag(BooleanBuilder::new()),
        }
    }

    /// Appends a cell; one of another type than the column's is null.
    fn push(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Self::Int(builder), Cell::Int(value)) => builder.append_value(value),
            (Self::Int(builder), _) => builder.append_null(),
            (Self::Name(builder), Cell::Text(value)) => builder.append_value(value),
            (Self::Name(builder), _) => builder.append_null(),
            (Self::Text(builder), Cell::Text(value)) => builder.append_value(value),
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Flag(builder), Cell::Flag(value)) => builder.append_value(value),
            (Self::Flag(builder), _) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::Name(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Flag(builder) => Arc::new(builder.finish()),
        }
    }
}

/// A table on its way to its file, which has its name only when it is whole.
pub(super) struct Table {
    path: PathBuf,
    partial: PathBuf,
    schema: Arc<Schema>,
    columns: Vec<Gathered>,
    gathered: usize,
    pub(super) rows: u64,
    /// `None` once closed.
    writer: Option<ArrowWriter<File>>,
}

impl Table {
    pub(super) fn create(
        layout: &Layout,
        folder: &Path,
        file_name: &str,
    ) -> Result<Self, ExportError> {
        fs::create_dir_all(folder)?;
        let path = folder.join(file_name);
        // Engines pass over names that begin with a dot.
        let partial = folder.join(format!(".{file_name}.{}.partial", std::process::id()));
        let schema = layout.schema();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let file = File::create(&partial)?;
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).map_err(
            |source| ExportError::Parquet {
                path: path.clone(),
                source,
            },
        )?;
        Ok(Self {
            path,
            partial,
            schema,
            columns: layout
                .all_columns()
                .map(|(_, ty, _)| Gathered::new(ty))
                .collect(),
            gathered: 0,
            rows: 0,
            writer: Some(writer),
        })
    }

    /// Appends a row: a cell for each column, in their order.
    pub(super) fn push<'a>(
        &mut self,
        cells: impl IntoIterator<Item = Cell<'a>>,
    ) -> Result<(), ExportError> {
        let mut cells = cells.into_iter();
        for column in &mut self.columns {
            column.push(cells.next().unwrap_or(Cell::Null));
        }
        self.rows += 1;
        self.gathered += 1;
        if self.gathered == BATCH_ROWS {
            self.write_batch()
        } else {
            Ok(())
        }
    }

    fn write_batch(&mut self) -> Result<(), ExportError> {
        self.gathered = 0;
        let arrays = self.columns.iter_mut().map(Gathered::finish).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays);
        let written = match (batch, &mut self.writer) {
            (Ok(batch), Some(writer)) => writer.write(&batch),
            (Ok(_), None) => Ok(()),
            (Err(error), _) => Err(ParquetError::ArrowError(error.to_string())),
        };
        written.map_err(|source| self.failed(source))
    }

    /// Writes what is left and the file's end. The file still has its other name.
    pub(super) fn close(&mut self) -> Result<(), ExportError> {
        if self.gathered > 0 {
            self.write_batch()?;
        }
        match self.writer.take() {
            Some(writer) => writer
                .close()
                .map(drop)
                .map_err(|source| self.failed(source)),
            None => Ok(()),
        }
    }

    /// Gives the closed file its name, in place of an older one.
    pub(super) fn publish(&self) -> Result<(), ExportError> {
        Ok(fs::rename(&self.partial, &self.path)?)
    }

    fn failed(&self, source: ParquetError) -> ExportError {
        ExportError::Parquet {
            path: self.path.clone(),
            source,
        }
    }
}

impl Drop for Table {
    /// Leaves nothing half-written behind.
    fn drop(&mut self) {
        // Gone already if it was published; there is nobody to report another failure to.
        let _ = fs::remove_file(&self.partial);
    }
}
