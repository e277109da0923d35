//! What Tokio's tasks do in turns, and what it takes.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use exectrace_benches::thread_time;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, mpsc};

use crate::clocks::{process_time, settle, time_of_threads};
use crate::{Outcome, Peer, PlainTasks, Tasks};

/// What tasks do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    /// Two tasks send one another a number; an operation is there and back: two polls, two wakes.
    PingPong,
    /// A task spawns others that do nothing, and waits for each.
    Spawn,
    /// Eight tasks that do nothing but yield; an operation is a poll.
    Yield,
    /// Eight tasks call an asynchronous function that yields once.
    Call,
    /// A client and a server over the loopback, 64 bytes to and fro.
    Echo,
}

impl Work {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "ping-pong" => Some(Self::PingPong),
            "spawn" => Some(Self::Spawn),
            "yield" => Some(Self::Yield),
            "call" => Some(Self::Call),
            "echo" => Some(Self::Echo),
            _ => None,
        }
    }

    fn run<T: Tasks>(self, runtime: &Runtime, count: u64) -> Outcome<()> {
        runtime.block_on(async {
            match self {
                Self::PingPong => ping_pong::<T>(count).await,
                Self::Spawn => spawns::<T>(count).await,
                Self::Yield => yields::<T>(count).await,
                Self::Call => calls::<T>(count).await,
                Self::Echo => echoes::<T>(count).await,
            }
        })
    }
}

async fn ping_pong<T: Tasks>(rounds: u64) -> Outcome<()> {
    let (to_pong, mut from_ping) = mpsc::channel::<u64>(1);
    let (to_ping, mut from_pong) = mpsc::channel::<u64>(1);
    let pong = T::spawn(async move {
        while let Some(round) = from_ping.recv().await {
            if to_ping.send(round).await.is_err() {
                return;
            }
        }
    });
    let ping = T::spawn(async move {
        for round in 0..rounds {
            if to_pong.send(round).await.is_err() {
                return;
            }
            from_pong.recv().await;
        }
    });
    ping.await?;
    Ok(pong.await?)
}

async fn spawns<T: Tasks>(count: u64) -> Outcome<()> {
    let spawner = T::spawn(async move {
        for number in 0..count {
            T::spawn(async move { number }).await?;
        }
        Ok(())
    });
    spawner.await?
}

/// Tasks that yield: with a single one, each yield would look for I/O, and that is most of its cost.
const TASKS: u64 = 8;

async fn yields<T: Tasks>(count: u64) -> Outcome<()> {
    let storm = move || async move {
        for _ in 0..count / TASKS {
            tokio::task::yield_now().await;
        }
    };
    let tasks: Vec<_> = (0..TASKS).map(|_| T::spawn(storm())).collect();
    for task in tasks {
        task.await?;
    }
    Ok(())
}

async fn calls<T: Tasks>(count: u64) -> Outcome<()> {
    // The callers are not looked at: what is called is the subject.
    let caller = move || async move {
        for _ in 0..count / TASKS {
            std::hint::black_box(T::call().await);
        }
    };
    let callers: Vec<_> = (0..TASKS).map(|_| tokio::spawn(caller())).collect();
    for caller in callers {
        caller.await?;
    }
    Ok(())
}

async fn echoes<T: Tasks>(count: u64) -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = T::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let mut buffer = [0; 64];
        loop {
            let bytes = stream.read(&mut buffer).await?;
            if bytes == 0 {
                return io::Result::Ok(());
            }
            stream.write_all(&buffer[..bytes]).await?;
        }
    });
    let client = T::spawn(async move {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut buffer = [7; 64];
        for _ in 0..count {
            stream.write_all(&buffer).await?;
            stream.read_exact(&mut buffer).await?;
        }
        io::Result::Ok(())
    });
    client.await??;
    Ok(server.await??)
}

/// CPU time an operation, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Of the threads that run tasks.
    pub(crate) own: f64,
    /// Of all threads of the process.
    pub(crate) all: f64,
}

/// Threads of runtimes have these names, by which their CPU time is found.
const PLAIN_WORKER: &str = "plain-worker";
const OWN_WORKER: &str = "own-worker";

/// Builds a runtime on the calling thread (no workers) or with workers.
pub(crate) fn builder(workers: usize, name: &str) -> Builder {
    let mut builder = match workers {
        0 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(workers.max(1));
    builder.enable_all().thread_name(name);
    builder
}

/// The runtimes of a process, and how many operations make a turn.
#[derive(Default)]
pub(crate) struct Runtimes {
    plain: HashMap<usize, Runtime>,
    own: HashMap<usize, Runtime>,
    counts: HashMap<(Work, usize, bool), u64>,
    live: Option<Arc<Notify>>,
}

impl Runtimes {
    /// A turn without the tracer and one with it.
    pub(crate) fn turn<P: Peer>(
        &mut self,
        peer: &mut P,
        work: Work,
        workers: usize,
        budget: Duration,
    ) -> Outcome<(Option<Cost>, Cost)> {
        let plain = match P::HAS_PLAIN_TASKS {
            true => Some(self.plain_turn(work, workers, budget)?),
            false => None,
        };
        let runtime = Self::own_runtime(&mut self.own, peer, workers)?;
        let key = (work, workers, true);
        if !self.counts.contains_key(&key) {
            peer.begin()?;
            let count = count_for(budget, |count| work.run::<P::Tasks>(runtime, count))?;
            peer.end()?;
            self.counts.insert(key, count);
        }
        let count = self.counts.get(&key).copied().unwrap_or(100);
        settle();
        peer.begin()?;
        let run = || work.run::<P::Tasks>(runtime, count);
        let cost = measure(OWN_WORKER, count, run, || peer.end().map(drop))?;
        Ok((plain, cost))
    }

    fn plain_turn(&mut self, work: Work, workers: usize, budget: Duration) -> Outcome<Cost> {
        let runtime = match self.plain.entry(workers) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => {
                new.insert(builder(workers, PLAIN_WORKER).build()?)
            }
        };
        let key = (work, workers, false);
        if !self.counts.contains_key(&key) {
            let count = count_for(budget, |count| work.run::<PlainTasks>(runtime, count))?;
            self.counts.insert(key, count);
        }
        let count = self.counts.get(&key).copied().unwrap_or(100);
        let run = || work.run::<PlainTasks>(runtime, count);
        measure(PLAIN_WORKER, count, run, || Ok(()))
    }

    fn own_runtime<'r, P: Peer>(
        own: &'r mut HashMap<usize, Runtime>,
        peer: &P,
        workers: usize,
    ) -> Outcome<&'r Runtime> {
        match own.entry(workers) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(new) => {
                Ok(new.insert(peer.runtime(builder(workers, OWN_WORKER))?))
            }
        }
    }

    /// Does so many operations once, on the tracer's runtime.
    pub(crate) fn run<P: Peer>(
        &mut self,
        peer: &P,
        work: Work,
        workers: usize,
        count: u64,
    ) -> Outcome<()> {
        let runtime = Self::own_runtime(&mut self.own, peer, workers)?;
        work.run::<P::Tasks>(runtime, count)
    }

    /// Spawns tasks that wait until the process ends, on the tracer's runtime.
    pub(crate) fn keep_alive<P: Peer>(
        &mut self,
        peer: &P,
        workers: usize,
        count: u64,
    ) -> Outcome<()> {
        let runtime = Self::own_runtime(&mut self.own, peer, workers)?;
        let end = self.live.get_or_insert_default().clone();
        runtime.block_on(async {
            for number in 0..count {
                let end = end.clone();
                P::Tasks::spawn(async move { end.notified().await });
                // So that each is polled, and waits.
                if number % 64 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            tokio::task::yield_now().await;
        });
        Ok(())
    }
}

/// How many operations take about `budget` of wall time.
pub(crate) fn count_for(budget: Duration, mut run: impl FnMut(u64) -> Outcome<()>) -> Outcome<u64> {
    let mut time = |count| -> Outcome<Duration> {
        let begin = Instant::now();
        run(count)?;
        Ok(begin.elapsed())
    };
    let mut trial = 64;
    time(trial)?;
    loop {
        // The shorter of two: the machine may have done something else.
        let took = time(trial)?.min(time(trial)?);
        if took * 8 > budget {
            let count = trial as f64 * budget.as_secs_f64() / took.as_secs_f64();
            return Ok((count as u64).max(64));
        }
        trial *= 4;
    }
}

/// Measures what `work` takes. `end` is called when the threads that run tasks have been looked at, and
/// counts for the process alone.
pub(crate) fn measure(
    workers: &str,
    count: u64,
    work: impl FnOnce() -> Outcome<()>,
    end: impl FnOnce() -> Outcome<()>,
) -> Outcome<Cost> {
    let (own_before, workers_before, all_before) =
        (thread_time(), time_of_threads(workers)?, process_time());
    work()?;
    let own = thread_time() - own_before;
    // The workers' time is known once they sleep.
    std::thread::sleep(Duration::from_millis(1));
    let workers = time_of_threads(workers)?.saturating_sub(workers_before);
    end()?;
    settle();
    let all = process_time() - all_before;
    let each = |time: Duration| time.as_secs_f64() * 1e9 / count as f64;
    Ok(Cost {
        own: each(own + workers),
        all: each(all),
    })
}
