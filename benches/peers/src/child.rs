//! A program of a peer, which gets commands and answers with numbers.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A process with one subject, and a folder of its own to write into.
pub(crate) struct Child {
    process: Process,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    folder: PathBuf,
}

static NEXT_FOLDER: AtomicU64 = AtomicU64::new(0);

impl Child {
    /// Starts a subject of a program.
    pub(crate) fn start(program: &Path, subject: &str) -> Result<Self, String> {
        Self::start_under(Command::new(program), subject)
    }

    /// Starts it by a command to which the subject and the folder are added.
    pub(crate) fn start_under(mut command: Command, subject: &str) -> Result<Self, String> {
        let number = NEXT_FOLDER.fetch_add(1, Ordering::Relaxed);
        let name = format!("exectrace-peers-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).map_err(|error| format!("no folder: {error}"))?;
        let process = command
            .arg(subject)
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What peers say of their own there is no part of the table.
            .stderr(Stdio::null())
            .spawn();
        let mut process = process.map_err(|error| format!("not started: {error}"))?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (orders, answers) = pipes.ok_or("the program has no pipes")?;
        Ok(Self {
            process,
            orders: Some(orders),
            answers: BufReader::new(answers),
            folder,
        })
    }

    /// Gives an order; returns the answer. `None` is that the tracer does not know such a thing.
    pub(crate) fn ask(&mut self, order: &str) -> Result<Option<Vec<f64>>, String> {
        let orders = self.orders.as_mut().ok_or("it was let go")?;
        writeln!(orders, "{order}").map_err(|_| self.last_words())?;
        let mut answer = String::new();
        let length = self.answers.read_line(&mut answer);
        if length.map_err(|error| error.to_string())? == 0 {
            return Err(self.last_words());
        }
        if let Some(error) = answer.strip_prefix("error: ") {
            return Err(error.trim().to_owned());
        }
        let numbers = answer.split_whitespace().map(str::parse);
        let numbers: Result<Vec<f64>, _> = numbers.collect();
        match numbers {
            Ok(numbers) if numbers.is_empty() => Ok(None),
            Ok(numbers) => Ok(Some(numbers)),
            Err(_) => Err(format!("an answer that is none: {}", answer.trim())),
        }
    }

    /// Why a program that says nothing any more ended.
    fn last_words(&mut self) -> String {
        let mut text = String::new();
        let _ = self.answers.read_line(&mut text);
        match text.strip_prefix("error: ") {
            Some(error) => error.trim().to_owned(),
            None => "the program ended early".to_owned(),
        }
    }
}

/// How long a program may take to end.
const PATIENCE: Duration = Duration::from_secs(20);

impl Drop for Child {
    fn drop(&mut self) {
        // With no more orders it ends by itself.
        self.orders = None;
        let begin = Instant::now();
        while let Ok(None) = self.process.try_wait() {
            if begin.elapsed() > PATIENCE {
                let _ = self.process.kill();
                let _ = self.process.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
