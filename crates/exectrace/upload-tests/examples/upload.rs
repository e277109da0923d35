//! Uploads the files of a rotating recording to an S3-compatible server, which it starts on the loopback address, and
//! shows what is in the bucket then. The last line is `trace: PATH`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use exectrace::upload::Uploader;
use exectrace::{RecordingOptions, Rotation, Task};
use exectrace_upload_tests::{Fault, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = env::temp_dir().join(format!("exectrace-upload-{}", std::process::id()));
    let path = folder.join("shop");
    // A server that is not there at first.
    let server = Server::start([Fault::Closes, Fault::Fails])?;
    // A program has `AmazonS3Builder::from_env()` here, or `object_store::parse_url_opts`.
    let store = Arc::new(server.store()?);
    let uploader = Uploader::options(store)
        .prefix("traces")
        .retry(Duration::from_millis(100), Duration::from_secs(5))
        .resume(&path)
        .start()?;
    let sealed = uploader.clone();
    let rotation = Rotation::new(&path)
        .max_file_age(Duration::from_millis(500))
        .on_sealed(move |file| sealed.push(file));
    let recording = RecordingOptions::new().start_rotating(rotation)?;
    for number in 0..15 {
        let order = Task::new("order");
        let _packing = order.region("pack");
        order.log("number", &number.to_string());
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("{}", recording.stop()?);
    let status = uploader.finish(Duration::from_secs(60));
    println!(
        "{} files uploaded, {} attempts failed",
        status.uploaded, status.failed_attempts
    );
    assert_eq!((status.waiting, status.unreadable), (0, 0), "{status:?}");
    let mut objects = Vec::new();
    list(&server.bucket(), &mut objects)?;
    objects.sort();
    for object in &objects {
        println!("  {object}");
    }
    let first = fs::read_dir(&folder)?.next().ok_or("there is no file")??;
    println!("trace: {}", first.path().display());
    Ok(())
}

/// The objects in a bucket.
fn list(folder: &Path, objects: &mut Vec<String>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => list(&path, objects)?,
            false => objects.push(path.display().to_string()),
        }
    }
    Ok(())
}
