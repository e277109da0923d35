//! Exports a trace: `cargo run --example export FORMAT TRACE OUTPUT`.
//!
//! FORMAT is `perfetto`, `chrome`, `firefox`, `folded` or `speedscope` (of waits); with the
//! feature `parquet` also `parquet`, where OUTPUT is the folder of the data set and the name of the
//! trace its id.

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use exectrace_analysis::{Analysis, ProfileKind};
use exectrace_export::{Options, chrome, firefox, folded, perfetto, speedscope};
use exectrace_format::Reader;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [format, trace, output] = arguments.as_slice() else {
        return Err("usage: export FORMAT TRACE OUTPUT".into());
    };
    let mut reader = Reader::new(BufReader::new(File::open(trace)?))?;
    let name = Path::new(trace).file_stem().unwrap_or_default();
    let process_name = name.to_string_lossy().into_owned();
    #[cfg(feature = "parquet")]
    if format == "parquet" {
        let options = exectrace_export::ParquetOptions {
            trace_id: process_name,
            partitions: vec![],
        };
        println!(
            "{:?}",
            exectrace_export::parquet(reader, Path::new(output), &options)?
        );
        return Ok(());
    }
    let options = Options {
        process_name,
        ..Options::default()
    };
    let out = File::create(output)?;
    if matches!(format.as_str(), "folded" | "speedscope") {
        let options = exectrace_analysis::Options {
            profiles: vec![ProfileKind::WaitByReason],
            ..exectrace_analysis::Options::default()
        };
        let waits = &Analysis::read(&mut reader, &options).profiles[0];
        let stacks = match format.as_str() {
            "folded" => folded(waits, out)?,
            _ => speedscope(waits, "waits", out)?,
        };
        println!("{stacks} stacks");
        return Ok(());
    }
    let exported = match format.as_str() {
        "perfetto" => perfetto(reader, out, &options)?,
        "chrome" => chrome(reader, out, &options)?,
        "firefox" => firefox(reader, out, &options)?,
        _ => return Err(format!("no such format: {format}").into()),
    };
    println!("{exported:?}");
    Ok(())
}
