//! The orders of the driver and their answers.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};

use exectrace_benches::Body;

use crate::clocks::{memory, process_time, settle};
use crate::files::{Files, Reader};
use crate::hot::{Pace, Threads};
use crate::http::Servers;
use crate::peer::{clock, floor};
use crate::tasks::{Runtimes, Work};
use crate::{Outcome, Peer};

/// A subject of a program: its name, and how it is served.
pub type Subject = (&'static str, fn(&Path) -> Outcome<()>);

/// The whole of a program: `program SUBJECT FOLDER`.
#[must_use]
pub fn main(subjects: &[Subject]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, folder] = &arguments[..] else {
        for (name, _) in subjects {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    };
    let Some((_, serve)) = subjects.iter().find(|(known, _)| known == name) else {
        println!("error: there is no subject `{name}` here");
        return ExitCode::from(2);
    };
    match serve(Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Installs a tracer and follows orders until they end.
///
/// # Errors
/// If the tracer cannot be installed, an order is not understood, or a workload fails.
pub fn serve<P: Peer>(folder: &Path) -> Outcome<()> {
    let mut server = Server::<P> {
        peer: P::install(folder)?,
        folder: folder.to_owned(),
        threads: Threads::default(),
        tasks: Runtimes::default(),
        files: None,
        servers: None,
        told_bytes: None,
    };
    for order in io::stdin().lines() {
        let order = order?;
        let mut words = Words(order.split(' '));
        let answer = match words.next::<String>()?.as_str() {
            "finish" => return server.finish(),
            "clock" => server.clock(&mut words)?,
            "hot" => server.hot(&mut words)?,
            "tasks" => server.tasks(&mut words)?,
            "read" => server.read(&mut words)?,
            "http" => server.http(&mut words)?,
            "once" => server.once(&mut words)?,
            "pace" => server.pace(&mut words)?,
            "peak" => server.peak(&mut words)?,
            "live" => server.live(&mut words)?,
            other => return Err(format!("the order `{other}` is not known").into()),
        };
        say(&answer)?;
    }
    Ok(())
}

fn say(numbers: &[f64]) -> io::Result<()> {
    let words: Vec<String> = numbers.iter().map(f64::to_string).collect();
    let mut out = io::stdout().lock();
    writeln!(out, "{}", words.join(" "))?;
    out.flush()
}

/// The words of an order. A body's name has its blanks written as underscores.
struct Words<'o>(std::str::Split<'o, char>);

impl Words<'_> {
    fn next<T: FromStr>(&mut self) -> Outcome<T> {
        let word = self.0.next().ok_or("the order is too short")?;
        word.parse()
            .map_err(|_| format!("`{word}` is not understood").into())
    }

    fn body(&mut self) -> Outcome<Body> {
        let name = self.next::<String>()?.replace('_', " ");
        Body::named(&name).ok_or_else(|| format!("the body `{name}` is not known").into())
    }

    fn work(&mut self) -> Outcome<Work> {
        let name = self.next::<String>()?;
        Work::named(&name).ok_or_else(|| format!("the workload `{name}` is not known").into())
    }

    fn micros(&mut self) -> Outcome<Duration> {
        Ok(Duration::from_micros(self.next()?))
    }
}

struct Server<P> {
    peer: P,
    folder: PathBuf,
    threads: Threads,
    tasks: Runtimes,
    files: Option<Files>,
    servers: Option<Servers>,
    told_bytes: Option<u64>,
}

impl<P: Peer> Server<P> {
    /// `clock MICROS`: ns of a read of the floor's clock, and of a bare record with it.
    fn clock(&mut self, words: &mut Words<'_>) -> Outcome<Vec<f64>> {
        let budget = words.micros()?;
        let mut answer = Vec::new();
        for body in [clock, floor(Body::Event)] {
            let count = self.threads.count_for(1, body, || {}, budget)?;
            answer.push(self.threads.run(1, count, body, || {}, Pace::Full)?);
        }
        Ok(answer)
    }

    /// `hot BODY THREADS MICROS`: ns an operation of the floor, of the recording threads, of all
    /// threads of the process; records lost. Nothing, if the tracer does not know the body.
    fn hot(&mut self, words: &mut Words<'_>) -> Outcome<Vec<f64>> {
        let (kind, threads, budget) = (words.body()?, words.next()?, words.micros()?);
        let Some(body) = P::body(kind) else {
            return Ok(Vec::new());
        };
        let base = floor(kind);
        let count = self.threads.count_for(threads, base, || {}, budget)?;
        let floor = self.threads.run(threads, count, base, || {}, Pace::Full)?;

        self.peer.begin()?;
        let count = self
            .threads
            .count_for(threads, body, P::after_body, budget)?;
        self.peer.end()?;
        settle();
        self.peer.begin()?;
        let before = process_time();
        let own = self
            .threads
            .run(threads, count, body, P::after_body, Pace::Full)?;
        let ended = self.peer.end()?;
        settle();
        let all = (process_time() - before).as_secs_f64() * 1e9;
        let all = all / (count as f64 * threads as f64);
        Ok(vec![floor, own, all, ended.dropped as f64])
    }

    /// `tasks WORK WORKERS MICROS`: ns an operation of the threads that run tasks and of all threads
    /// of the process, without the tracer and with it.
    fn tasks(&mut self, words: &mut Words<'_>) -> Outcome<Vec<f64>> {
        let (work, workers, budget) = (words.work()?, words.next()?, words.micros()?);
        let (plain, own) = self.tasks.turn(&mut self.peer, work, workers, budget)?;
        let (plain_own, plain_all) =
            plain.map_or((f64::NAN, f64::NAN), |plain| (plain.own, plain.all));
        Ok(vec![plain_own, plain_all, own.own, own.all])
    }

    /// `read std|tokio MICROS`: as `tasks`.
    fn read(&mut self, words: &mut Words<'_>) -> Outcome<Vec<f64>> {
        let (name, budget) = (words.next::<String>()?, words.micros()?);
        let reader = Reader::named(&name).ok_or("read std, or tokio")?;
        if self.files.as_ref().map(Files::reader) != Some(reader) {
            self.files = Some(Files::new(&self.peer, &self.folder, reader)?);
        }
        let files = self.files.as_mut().ok_or("there are files")?;
        let (plain, own) = files.turn(&mut self.peer, budget)?;
        Ok(vec![plain.own, plain.all, own.own, own.all])
    }

    /// `http MICROS`: as `tasks`, of the server's threads.
    fn http(&mut self, words: &mut Words<'_>) -> Outcome<Vec<f64>> {
        let budget = words.micros()?;
        if self.servers.is_none() {
            self.servers = Some(Servers::start(&self.peer)?);
        }
        let servers = self.servers.as_mut().ok_or("there are servers")?;
        let (plain, own) = servers.turn(&mut self.peer, budget)?;
        Ok(vec![plain.own, plain.all, own.own, own.all])
    }

    /// `once BODY|WORK THREADS COUNT APART_MICROS`: does it once, recorded; nothing is measured. The
    /// driver weighs the files of two such processes, or counts their instructions.
    fn once(&mut self, words: &mut Words<'_>) -> Outcome<Vec<f64>> {
        let name: String = words.next()?;
        let (threads, count, apart) = (words.next()?, words.next()?, words.micros()?);
        self.peer.begin()?;
        if let Some(kind) = Body::named(&name.replace('_', " ")) {
            let Some(body) = P::body(kind) else {
                return Ok(Vec::new());
            };
            let pace = match apart.is_zero() {
                true => Pace::Full,
                false => Pace::Apart(apart),
            };
            self.threads
                .run(threads, count, body, P::after_body, pace)?;
        } else {
            let work = Work::named(&name).ok_or("neither a body nor a workload")?;
            self.tasks.run(&self.peer, work, threads, count)?;
        }
        let ended = self.peer.end()?;
        if ended.dropped > 0 {
            return Err(format!("{} records were lost", ended.dropped).into());
        }
        self.told_bytes = ended.bytes;
        Ok(vec![count as f64])
    }

    /// `pace BODY THREADS OPERATIONS_A_SECOND SECONDS`: operations done in a second, by all threads
    /// together; records lost.
    fn pace(&mut self, words: &mut Words<'_>) -> Outcome<Vec<f64>> {
        let (kind, threads): (_, usize) = (words.body()?, words.next()?);
        let (rate, seconds): (u64, u64) = (words.next()?, words.next()?);
        let Some(body) = P::body(kind) else {
            return Ok(Vec::new());
        };
        let each = rate / threads as u64;
        let thousand = Duration::from_secs(1_000) / u32::try_from(each.max(1))?;
        let count = each * seconds / 1_000 * 1_000;
        self.peer.begin()?;
        let begin = Instant::now();
        let pace = Pace::Thousand(thousand);
        self.threads
            .run(threads, count, body, P::after_body, pace)?;
        let took = begin.elapsed().as_secs_f64();
        let ended = self.peer.end()?;
        let reached = count as f64 * threads as f64 / took;
        Ok(vec![reached, ended.dropped as f64])
    }

    /// `peak BODY|WORK COUNT`: bytes of memory at the highest over those at the beginning, at full
    /// speed on one thread, with what the tracer does at the end.
    fn peak(&mut self, words: &mut Words<'_>) -> Outcome<Vec<f64>> {
        let (name, count): (String, u64) = (words.next()?, words.next()?);
        let before = memory()?.now;
        self.peer.begin()?;
        if let Some(kind) = Body::named(&name.replace('_', " ")) {
            let Some(body) = P::body(kind) else {
                return Ok(Vec::new());
            };
            self.threads
                .run(1, count, body, P::after_body, Pace::Full)?;
        } else {
            let work = Work::named(&name).ok_or("neither a body nor a workload")?;
            self.tasks.run(&self.peer, work, 1, count)?;
        }
        let ended = self.peer.end()?;
        settle();
        let peak = memory()?.peak.saturating_sub(before);
        Ok(vec![peak as f64, ended.dropped as f64])
    }

    /// `finish`: ends all threads, and the process; bytes written.
    fn finish(self) -> Outcome<()> {
        drop((self.threads, self.tasks, self.files, self.servers));
        self.peer.finish()?;
        settle();
        let bytes = self.told_bytes.map_or_else(|| bytes_in(&self.folder), Ok)?;
        Ok(say(&[bytes as f64])?)
    }

    /// `live COUNT`: so many more tasks wait, on the calling thread's runtime.
    fn live(&mut self, words: &mut Words<'_>) -> Outcome<Vec<f64>> {
        let count = words.next()?;
        self.tasks.keep_alive(&self.peer, 0, count)?;
        Ok(vec![count as f64])
    }
}

/// Bytes of all files in a folder, but for the page that is read.
fn bytes_in(folder: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let is_page = entry.file_name() == "page";
        match entry.metadata()? {
            folder if folder.is_dir() => bytes += bytes_in(&entry.path())?,
            file if !is_page => bytes += file.len(),
            _ => {}
        }
    }
    Ok(bytes)
}
