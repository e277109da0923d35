//! exectrace with all its sources of records: calls of the C library, the heap, and CPU samples besides.

#![forbid(unsafe_code)]

use std::alloc::System;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;

use exectrace_recorder::Allocator;
use harness::{Body, Ended, Outcome, Peer, serve};
use peer_exectrace::{Subscriber, Whole};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator::new(System);

fn main() -> ExitCode {
    harness::main(&[
        (
            "exectrace subscriber, all sources",
            serve::<AllSources<Subscriber>>,
        ),
        (
            "exectrace hooks + subscriber, all sources",
            serve::<AllSources<Whole>>,
        ),
    ])
}

/// A tracer in a process all of whose calls and allocations are seen, also those of tasks that it does not follow.
struct AllSources<P>(P);

impl<P: Peer> Peer for AllSources<P> {
    const HAS_PLAIN_TASKS: bool = false;

    type Tasks = P::Tasks;

    fn install(folder: &Path) -> Outcome<Self> {
        Ok(Self(P::install(folder)?))
    }

    fn begin(&mut self) -> Outcome<()> {
        self.0.begin()
    }

    fn end(&mut self) -> Outcome<Ended> {
        self.0.end()
    }

    fn body(body: Body) -> Option<fn(Range<u64>)> {
        P::body(body)
    }

    fn runtime(&self, builder: Builder) -> io::Result<Runtime> {
        self.0.runtime(builder)
    }
}
