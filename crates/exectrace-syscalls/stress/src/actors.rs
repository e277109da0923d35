//! Who works: async tasks that answer requests, read files, wait for locks, compute and allocate; threads that
//! end; libraries that come and go.

use std::cell::RefCell;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tracing::instrument;

use crate::is_over;
use crate::watch::{Step, did};

/// Starts the async tasks.
pub(crate) fn start(runtime: &Runtime, folder: &Path) {
    runtime.spawn(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        for _ in 0..4 {
            exectrace::runtime::spawn(async move {
                let mut stream = TcpStream::connect(address).await.expect("the server");
                while !is_over() {
                    ask(&mut stream).await;
                }
            });
        }
        loop {
            let (stream, _) = listener.accept().await.expect("a client");
            exectrace::runtime::spawn(answer(stream));
        }
    });
    for number in 0..3 {
        let path = folder.join(format!("file {number}"));
        let task = async move {
            while !is_over() {
                files(&path).await;
            }
        };
        exectrace::runtime::spawn_on(task, runtime.handle());
        let task = async {
            while !is_over() {
                locks().await;
            }
        };
        exectrace::runtime::spawn_on(task, runtime.handle());
    }
}

#[instrument(skip_all)]
async fn ask(stream: &mut TcpStream) {
    let mut answer = [0; 64];
    stream.write_all(&[7; 64]).await.expect("a request");
    stream.read_exact(&mut answer).await.expect("an answer");
    did(Step::Request);
}

async fn answer(mut stream: TcpStream) {
    let mut request = [0; 64];
    while stream.read_exact(&mut request).await.is_ok() {
        let copy = request.to_vec();
        if stream.write_all(&copy).await.is_err() {
            return;
        }
    }
}

#[instrument(fields(bytes = 4_096), skip_all)]
async fn files(path: &PathBuf) {
    tokio::fs::write(path, vec![b'x'; 4_096])
        .await
        .expect("a file");
    let read = tokio::fs::read(path).await.expect("the file");
    let again = fs::read(path).expect("the file");
    assert_eq!(read, again);
    let copy = path.clone();
    let length =
        exectrace::runtime::spawn_blocking(move || fs::metadata(copy).map(|file| file.len()));
    assert_eq!(length.await.expect("no panic").expect("its length"), 4_096);
    did(Step::File);
}

static LOCK: Mutex<u64> = Mutex::new(0);
static CHANGED: Condvar = Condvar::new();

#[instrument(skip_all)]
async fn locks() {
    {
        let mut held = LOCK.lock().expect("nobody panics");
        *held += 1;
        std::thread::sleep(Duration::from_micros(200));
        let waited = CHANGED.wait_timeout(held, Duration::from_micros(300));
        drop(waited.expect("nobody panics"));
    }
    CHANGED.notify_one();
    tokio::time::sleep(Duration::from_millis(1)).await;
    did(Step::Lock);
}

thread_local! {
    /// Writes and reads a file when the thread ends.
    static LAST_WORDS: RefCell<Option<LastWords>> = const { RefCell::new(None) };
}

struct LastWords(PathBuf);

impl Drop for LastWords {
    fn drop(&mut self) {
        fs::write(&self.0, b"the end").expect("a file");
        fs::remove_file(&self.0).expect("the file");
        let _region = exectrace::region("after the end");
    }
}

/// Starts threads that do a little and end.
pub(crate) fn end_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0_u64.. {
        if is_over() {
            return;
        }
        let path = folder.path().join(format!("thread {}", number % 4));
        let body = move || {
            LAST_WORDS.set(Some(LastWords(path)));
            let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
            writer.write_all(b"x").expect("room");
            reader.read_exact(&mut [0]).expect("a byte");
            // Half of them record nothing but calls.
            if number % 2 == 0 {
                let _region = exectrace::region("short life");
            }
        };
        let threads: Vec<_> = (0..1).map(|_| std::thread::spawn(body.clone())).collect();
        for thread in threads {
            thread.join().expect("no panic");
            did(Step::Thread);
        }
    }
}

/// Loads a library and lets it go, over and over.
pub(crate) fn load_libraries() {
    while !is_over() {
        // SAFETY: the name ends with a zero; the C library's mathematics have no initialiser of their own.
        let library = unsafe { libc::dlopen(c"libm.so.6".as_ptr(), libc::RTLD_NOW) };
        if !library.is_null() {
            // SAFETY: it was opened above, and nothing of it is used.
            unsafe { libc::dlclose(library) };
        }
        did(Step::Library);
        std::thread::sleep(Duration::from_millis(3));
    }
}
