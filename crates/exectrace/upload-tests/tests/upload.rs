//! No finished file is lost, whatever the store does.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use exectrace::upload::{Manifest, Uploader, UploaderOptions};
use exectrace::{RecordingOptions, Rotation};
use exectrace_upload_tests::{Fault, Server};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use tempfile::TempDir;

/// A process has one tracer, so tests that record take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Far more than any of this takes.
const LONG: Duration = Duration::from_secs(3_000);

/// An uploader that tries again at once.
fn options(store: impl ObjectStore) -> UploaderOptions {
    Uploader::options(Arc::new(store))
        .service("shop")
        .host("web1")
        .retry(Duration::from_millis(1), Duration::from_millis(20))
}

/// A recording in so many files at least, all of which the uploader gets.
fn record(rotation: &Path, files: usize, uploader: &Uploader) {
    let sealed = uploader.clone();
    // A size at which each group begins a file.
    let rotation = Rotation::new(rotation)
        .max_file_bytes(1)
        .on_sealed(move |file| sealed.push(file));
    let recording = RecordingOptions::new()
        .start_rotating(rotation)
        .expect("it starts");
    for _ in 0..files {
        drop(exectrace::region("work"));
        // Has the flush thread write what there is.
        let other = RecordingOptions::new().start_writer(std::io::sink());
        other.expect("it starts").stop().expect("it stops");
    }
    let report = recording.stop().expect("it stops");
    assert!(report.files >= files as u64, "{report:?}");
}

/// The traces below a folder, by their names, and their manifests.
fn traces(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            match path.is_dir() {
                true => folders.push(path),
                false if name.starts_with("shop-") => {
                    found.insert(name, fs::read(&path).expect("it can be read"));
                }
                // The server's own.
                false => {}
            }
        }
    }
    found
}

/// Asserts that each trace of the rotation is in the store, byte for byte, with its manifest.
#[track_caller]
fn assert_all_there(rotation: &Path, store: &Path) -> usize {
    let (written, stored) = (traces(rotation.parent().expect("a folder")), traces(store));
    assert!(!written.is_empty());
    for (name, bytes) in &written {
        assert_eq!(stored.get(name), Some(bytes), "{name}");
        let manifest = &stored[&format!("{name}.manifest.json")];
        let manifest: Manifest = serde_json::from_slice(manifest).expect("a manifest");
        assert_eq!((&manifest.file, manifest.bytes), (name, bytes.len() as u64));
        exectrace_referee::assert_bytes_accepted(bytes);
    }
    assert_eq!(stored.len(), 2 * written.len(), "nothing else is there");
    written.len()
}

fn rotation() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("traces/shop");
    (folder, path)
}

#[test]
fn each_sealed_file_is_in_the_bucket_with_a_manifest_under_service_host_and_date() {
    let _turn = turn();
    let server = Server::start([]).expect("a server");
    let (_folder, path) = rotation();
    let uploader = options(server.store().expect("a store"))
        .prefix("eu")
        .start()
        .expect("it starts");
    record(&path, 3, &uploader);
    let status = uploader.finish(LONG);
    let files = assert_all_there(&path, &server.bucket());
    assert_eq!(
        (status.uploaded, status.waiting),
        (files as u64, 0),
        "{status:?}"
    );
    assert_eq!(status.failed_attempts, 0, "{status:?}");
    let host = server.bucket().join("eu/service=shop/host=web1");
    let dates: Vec<_> = fs::read_dir(host)
        .expect("the folder of the host")
        .collect();
    assert!(!dates.is_empty());
    for date in dates {
        let name = date.expect("an entry").file_name();
        assert!(name.to_string_lossy().starts_with("date=20"), "{name:?}");
    }
    let stored = traces(&server.bucket());
    let manifest = stored
        .iter()
        .find(|(name, _)| name.ends_with(".manifest.json"));
    let manifest: Manifest = serde_json::from_slice(manifest.expect("one").1).expect("a manifest");
    assert!(
        manifest.contents.expect("its own").events > 0,
        "{manifest:?}"
    );
    assert!(manifest.begin <= manifest.end, "{manifest:?}");
}

#[test]
fn no_file_is_lost_while_the_store_is_away_fails_stalls_and_lies() {
    let _turn = turn();
    let faults = [
        Fault::Fails,
        Fault::Fails,
        Fault::Closes,
        Fault::Closes,
        Fault::ClosesLate,
        Fault::Truncates,
        Fault::Stalls,
        Fault::WrongTag,
        Fault::Forgets,
        Fault::Fails,
    ];
    let server = Server::start(faults).expect("a server");
    let (_folder, path) = rotation();
    let uploader = options(server.store().expect("a store"))
        .request_timeout(Duration::from_secs(3))
        .start()
        .expect("it starts");
    record(&path, 3, &uploader);
    let status = uploader.finish(LONG);
    assert_eq!(server.faults_left(), 0);
    assert!(status.failed_attempts >= faults.len() as u64, "{status:?}");
    let files = assert_all_there(&path, &server.bucket());
    assert_eq!(
        (status.uploaded, status.waiting),
        (files as u64, 0),
        "{status:?}"
    );
}

#[test]
fn what_a_process_leaves_the_next_one_uploads_once() {
    let _turn = turn();
    let (_folder, path) = rotation();
    let server = Server::start(vec![Fault::Closes; 1_000]).expect("a server");
    let uploader = options(server.store().expect("a store"))
        .start()
        .expect("it starts");
    record(&path, 3, &uploader);
    let left = uploader.finish(Duration::ZERO);
    assert!(left.waiting >= 3 && left.uploaded == 0, "{left:?}");

    let server = Server::start([]).expect("a server");
    let next = || {
        let options = options(server.store().expect("a store")).resume(&path);
        options.start().expect("it starts").finish(LONG)
    };
    let (first, second) = (next(), next());
    let files = assert_all_there(&path, &server.bucket()) as u64;
    assert_eq!(
        (first.uploaded, first.found_uploaded),
        (files, 0),
        "{first:?}"
    );
    assert_eq!(
        (second.uploaded, second.found_uploaded),
        (0, files),
        "{second:?}"
    );
}

/// A finished file of this number with so many bytes, as a rotation names it.
fn put(rotation: &Path, number: u64, bytes: u64) -> PathBuf {
    fs::create_dir_all(rotation.parent().expect("a folder")).expect("it is made");
    let mut path = rotation.as_os_str().to_owned();
    path.push(format!("-20261129T021500.123Z-4711-{number:04}.trace"));
    let file = File::create(&path).expect("it is made");
    file.set_len(bytes).expect("it has a size");
    path.into()
}

#[test]
fn a_large_file_goes_in_parts_and_is_removed_when_it_is_there() {
    let server = Server::start([Fault::Fails, Fault::Closes]).expect("a server");
    let (_folder, path) = rotation();
    let (large, exact) = (put(&path, 1, (40 << 20) + 1), put(&path, 2, 32 << 20));
    let other = path.with_file_name("other-20261129T021500.123Z-4711-0001.trace");
    fs::write(&other, "").expect("it is written");
    let options = options(server.store().expect("a store"))
        .resume(&path)
        .delete_uploaded(true);
    let status = options.start().expect("it starts").finish(LONG);
    assert_eq!(status.uploaded_bytes, (72 << 20) + 1, "{status:?}");
    let stored = traces(&server.bucket());
    for (file, bytes) in [(&large, (40 << 20) + 1), (&exact, 32 << 20)] {
        let name = file.file_name().and_then(OsStr::to_str).expect("a name");
        assert_eq!(stored[name].len(), bytes, "{name}");
        assert!(!file.exists(), "{name}");
    }
    assert!(other.exists(), "it is another rotation's");
}

#[test]
fn a_folder_is_a_store_and_a_file_that_is_gone_does_not_keep_others() {
    let _turn = turn();
    let (folder, path) = rotation();
    let store = folder.path().join("store");
    fs::create_dir(&store).expect("it is made");
    // A link to nothing is found in the folder, and cannot be read.
    let gone = put(&path, 1, 10);
    fs::remove_file(&gone).expect("it was there");
    std::os::unix::fs::symlink("nothing", &gone).expect("a link");
    let local = LocalFileSystem::new_with_prefix(&store).expect("a store");
    let uploader = options(local).resume(&path).start().expect("it starts");
    record(&path, 2, &uploader);
    let status = uploader.finish(LONG);
    fs::remove_file(&gone).expect("the link");
    assert_eq!((status.unreadable, status.waiting), (1, 0), "{status:?}");
    let files = assert_all_there(&path, &store);
    assert_eq!(status.uploaded, files as u64, "{status:?}");
}
