//! A service that records for as long as it runs: small files that take turns, of which the newest are kept.
//!
//! `cargo run --example rotation [FOLDER]` writes `rotation-….trace` files into the folder.

use std::error::Error;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use exectrace::{RecordingOptions, Rotation};
use tracing::{info, info_span};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.unwrap_or_else(std::env::temp_dir);
    let handle = exectrace::init()?;

    // A real service has files of some megabytes, of an hour or so.
    let (send, sealed_files) = mpsc::channel();
    let rotation = Rotation::new(folder.join("rotation"))
        .max_file_bytes(32 << 10)
        .max_file_age(Duration::from_millis(500))
        .budget_bytes(1 << 20)
        .on_sealed(move |sealed| {
            // Here a file can be uploaded: this thread may take its time.
            let _ = send.send(sealed.clone());
        });
    let options = RecordingOptions::new().on_error(|error| eprintln!("trace: {error}"));
    handle.start_with(|| options.start_rotating(rotation))?;

    for number in 0..600_u32 {
        let _request = info_span!("request", number).entered();
        info!("reading");
        let _answer = info_span!("answer").entered();
        thread::sleep(Duration::from_millis(2));
    }

    println!("{}", handle.stop()?);
    // `stop` returns when the callback was called for the last file, and with it the sender is gone.
    let sealed_files: Vec<_> = sealed_files.iter().collect();
    for sealed in &sealed_files {
        let lasted = sealed.end.duration_since(sealed.begin)?;
        println!(
            "{} bytes, {lasted:.1?}: {}",
            sealed.bytes,
            sealed.path.display()
        );
    }
    let last = sealed_files.last().ok_or("no file was sealed")?;
    assert!(
        sealed_files.len() > 1,
        "a file is at most half a second old"
    );
    println!("trace: {}", last.path.display());
    Ok(())
}
