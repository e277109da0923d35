//! The sample that articles about Go's execution tracer use, with the same annotations: a task, two
//! workers with regions, logs, and a task inside a task. No `tracing` is needed for it.
//!
//! `cargo run --example article [FOLDER]` writes `article.trace` into the folder.

use std::error::Error;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use exectrace::Task;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let path = folder
        .unwrap_or_else(std::env::temp_dir)
        .join("article.trace");

    let recording = exectrace::start(&path)?;
    {
        // Go: ctx, task := trace.NewTask(ctx, "main start"); defer task.End()
        let task = Task::new("main start");
        // A task is shared by reference; threads of a scope may borrow it.
        thread::scope(|scope| {
            scope.spawn(|| read_file(&task));
            scope.spawn(|| write_file(&task));
        });
        task.log("category", "both workers are done");
    }
    println!("{}", recording.stop()?);
    println!("trace: {}", path.display());
    Ok(())
}

fn read_file(task: &Task) {
    // Go: defer trace.StartRegion(ctx, "reading file").End()
    let _region = task.region("reading file");
    // Go: trace.Log(ctx, "category", "I/O file 1")
    task.log("category", "I/O file 1");
    // Go: trace.Logf(ctx, "goroutine", "%d", 1)
    task.log_args("goroutine", format_args!("{}", 1));
    thread::sleep(Duration::from_millis(2));
}

fn write_file(task: &Task) {
    let _region = task.region("writing file");
    task.log("category", "I/O file 2");
    task.log_args("goroutine", format_args!("{}", 2));

    // A part of the work that is a task of its own; the trace shows whose part it is.
    let sync = task.child("sync to disk");
    let _region = sync.region("waiting for the disk");
    thread::sleep(Duration::from_millis(3));
}
