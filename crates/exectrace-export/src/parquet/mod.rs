//! Tables for query engines, many traces to a data set.
//!
//! `PARQUET.md` documents the columns, `schema` holds them, `table` writes files, `rows` makes rows
//! of what the trace says, `events` rows of the events themselves, `side` of what was counted and sampled beside them.

mod events;
mod rows;
mod schema;
mod side;
mod table;

use std::io::Read;
use std::path::Path;

use exectrace_format::Reader;

use crate::error::{ExportError, Exported};
use crate::options::ParquetOptions;
use crate::tracks::export;
use rows::Rows;
use schema::TABLES;
use table::Table;

/// Writes the tables of a trace as Parquet files below `folder`.
///
/// Each table has one file, `table=NAME/KEY=VALUE/…/TRACE_ID.parquet` with the partitions of the
/// options, so that the traces of many hosts written below one folder form one data set. All files
/// appear when all are whole; those of an earlier export of the same id are replaced. The tables
/// and columns are documented in `PARQUET.md` beside this crate's manifest.
///
/// Memory: what is open, the names and stacks of the trace, and a row group of each table.
///
/// # Errors
///
/// A name of the options is empty, or has a character other than letters, digits and `-_.+@`; or
/// the output fails. Damage of the trace is no error: see [`Exported::damage`].
pub fn parquet<R: Read>(
    reader: Reader<R>,
    folder: &Path,
    options: &ParquetOptions,
) -> Result<Exported, ExportError> {
    check("the id of the trace", &options.trace_id)?;
    let mut below = std::path::PathBuf::new();
    for (key, value) in &options.partitions {
        check("the key of a partition", key)?;
        check("the value of a partition", value)?;
        let is_taken = |name: &str| {
            TABLES
                .iter()
                .any(|table| table.all_columns().any(|(column, ..)| column == name))
        };
        if key == "table" || is_taken(key) {
            let (what, value) = (
                "the key of a partition, which columns have as well,",
                key.clone(),
            );
            return Err(ExportError::BadName { what, value });
        }
        below.push(format!("{key}={value}"));
    }
    let file_name = format!("{}.parquet", options.trace_id);
    let create = |layout: &schema::Layout| {
        let folder = folder.join(format!("table={}", layout.name)).join(&below);
        Table::create(layout, &folder, &file_name)
    };
    let tables = TABLES.iter().map(create).collect::<Result<Vec<_>, _>>()?;
    let mut rows = Rows::new(options.trace_id.clone(), tables);
    let mut exported = export(reader, &mut rows)?;
    exported.items = rows.finish(&exported)?;
    Ok(exported)
}

/// Whether a name can be part of a path on every system, and of a hive partition.
fn check(what: &'static str, name: &str) -> Result<(), ExportError> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "-_.+@".contains(c);
    let is_hidden = name.starts_with(['.', '_']);
    if name.is_empty() || is_hidden || !name.chars().all(is_fine) {
        let value = name.to_owned();
        return Err(ExportError::BadName { what, value });
    }
    Ok(())
}
