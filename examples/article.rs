//! The sample that articles about Go's execution tracer use, with the same annotations: a user task, two
//! threads that read and write files in regions, logs, and a user task inside another one. It does not use
//! `tracing`.
//!
//! `cargo run -p exectrace-examples --features sources --example article [FOLDER]` writes `article.trace` into the
//! folder. It has the calls that read and write the files, too: `exectrace syscalls FILE` shows them, and so do the
//! pages on system calls of `go tool trace`. Without the feature it has the annotations alone.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;

use exectrace::Task;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.unwrap_or_else(std::env::temp_dir);
    let path = folder.join("article.trace");
    let (input, output) = (folder.join("article-1.txt"), folder.join("article-2.txt"));
    fs::write(&input, "one line\n".repeat(1_000))?;

    let recording = exectrace::start(&path)?;
    let copied = {
        // Go: ctx, task := trace.NewTask(ctx, "main start"); defer task.End()
        let task = Task::new("main start");
        // Threads of a scope can borrow a user task.
        let (read, written) = thread::scope(|scope| {
            let reader = scope.spawn(|| read_file(&task, &input));
            let writer = scope.spawn(|| write_file(&task, &output));
            (reader.join(), writer.join())
        });
        task.log("category", "both threads are done");
        (
            read.map_err(|_| "the reader panicked")??,
            written.map_err(|_| "the writer panicked")??,
        )
    };
    let report = recording.stop()?;
    assert_eq!(copied, (1_000, 1_000), "lines read and written");
    assert_eq!(report.records_dropped, 0);
    println!("{report}");
    println!("trace: {}", path.display());
    Ok(())
}

fn read_file(task: &Task, path: &Path) -> io::Result<usize> {
    // Go: defer trace.StartRegion(ctx, "reading file").End()
    let _region = task.region("reading file");
    // Go: trace.Log(ctx, "category", "I/O file 1")
    task.log("category", "I/O file 1");
    let lines = fs::read_to_string(path)?.lines().count();
    // Go: trace.Logf(ctx, "goroutine", "%d", 1)
    task.log_args("lines", format_args!("{lines}"));
    Ok(lines)
}

fn write_file(task: &Task, path: &Path) -> io::Result<usize> {
    let _region = task.region("writing file");
    task.log("category", "I/O file 2");
    let mut file = File::create(path)?;
    for line in 0..1_000 {
        writeln!(file, "line {line}")?;
    }
    // A part of the work that is a user task of its own, with the outer one as its parent.
    let sync = task.child("sync to disk");
    let _region = sync.region("waiting for the disk");
    file.sync_all()?;
    Ok(1_000)
}
