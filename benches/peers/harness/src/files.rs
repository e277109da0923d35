//! Reading a file of 10 KiB that is in the page cache, with a span and Tokio's tasks around it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::pinned::on_one_processor;
use crate::tasks::{Cost, builder, count_for, measure};
use crate::{Outcome, Peer, PlainTasks, Tasks};

const BYTES: usize = 10 * 1024;
const PLAIN_WORKER: &str = "plain-reader";
const OWN_WORKER: &str = "own-reader";

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// `std::fs::read`, in a task.
    Std,
    /// `tokio::fs::read`, in a task: a thread of the blocking pool reads, on the same processor.
    Tokio,
}

impl Reader {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "std" => Some(Self::Std),
            "tokio" => Some(Self::Tokio),
            _ => None,
        }
    }
}

/// The file, and runtimes on one processor with the tracer and without.
pub(crate) struct Files {
    path: PathBuf,
    plain: Runtime,
    own: Runtime,
    count: Option<u64>,
    reader: Reader,
}

impl Files {
    pub(crate) fn new<P: Peer>(peer: &P, folder: &Path, reader: Reader) -> Outcome<Self> {
        let path = folder.join("page");
        std::fs::write(&path, vec![7; BYTES])?;
        Ok(Self {
            path,
            plain: builder(0, PLAIN_WORKER).build()?,
            own: peer.runtime(builder(0, OWN_WORKER))?,
            count: None,
            reader,
        })
    }

    pub(crate) fn reader(&self) -> Reader {
        self.reader
    }

    /// A turn without the tracer and one with it.
    pub(crate) fn turn<P: Peer>(
        &mut self,
        peer: &mut P,
        budget: Duration,
    ) -> Outcome<(Cost, Cost)> {
        on_one_processor(|| self.turn_here(peer, budget))
    }

    fn turn_here<P: Peer>(&mut self, peer: &mut P, budget: Duration) -> Outcome<(Cost, Cost)> {
        let reader = self.reader;
        let count = match self.count {
            Some(count) => count,
            None => count_for(budget, |count| {
                read::<PlainTasks>(&self.plain, reader, &self.path, count)
            })?,
        };
        self.count = Some(count);
        let run = || read::<PlainTasks>(&self.plain, reader, &self.path, count);
        let plain = measure(PLAIN_WORKER, count, run, || Ok(()))?;
        peer.begin()?;
        let run = || read::<P::Tasks>(&self.own, reader, &self.path, count);
        let own = measure(OWN_WORKER, count, run, || peer.end().map(drop))?;
        Ok((plain, own))
    }
}

fn read<T: Tasks>(runtime: &Runtime, reader: Reader, path: &Path, count: u64) -> Outcome<()> {
    let path = path.to_owned();
    let task = async move {
        for _ in 0..count {
            let bytes = match reader {
                Reader::Std => T::read_std(&path)?,
                Reader::Tokio => T::read_tokio(&path).await?,
            };
            std::hint::black_box(bytes);
        }
        io::Result::Ok(())
    };
    Ok(runtime.block_on(async { T::spawn(task).await })??)
}
