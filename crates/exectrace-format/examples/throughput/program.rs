//! A made-up program of eight threads, whose goroutines wake each other.

use std::io::Write;

use exectrace_format::{
    ClockSnapshot, Event, GoId, ProcId, ProcStatus, StackId, StreamId, StringId, ThreadId, Version,
    WireFrame, Writer,
};

const THREADS: u64 = 8;
/// Goroutines of each thread.
const FLOWS: u64 = 100;

/// The program, and the trace of it.
pub(crate) struct Program {
    writer: Writer,
    /// What was not written yet.
    file: Vec<u8>,
    streams: Vec<StreamId>,
    seqs: Vec<u64>,
    time_ns: u64,
    reason: StringId,
    stack: StackId,
}

impl Program {
    pub(crate) fn new() -> Self {
        let mut file = Writer::header(Version::Go125).to_vec();
        let mut writer = Writer::new();
        writer.begin_generation(1, 1);
        Writer::sync_batch(Version::Go125, 1, 1, ClockSnapshot::default(), &mut file);
        let streams: Vec<_> = (0..THREADS)
            .map(|thread| writer.stream(ThreadId(100 + thread)))
            .collect();
        let reason = writer.string("sync");
        let function = writer.string("program::flow");
        let stack = writer.stack(&[WireFrame {
            pc: 1,
            function,
            file: function,
            line: 1,
        }]);
        let seqs = vec![0; (THREADS * FLOWS) as usize];
        let mut program = Self {
            writer,
            file,
            streams,
            seqs,
            time_ns: 1_000,
            reason,
            stack,
        };
        for thread in 0..THREADS {
            let proc = ProcId(thread + 1);
            program.event(
                thread,
                Event::ProcStatus {
                    proc,
                    status: ProcStatus::Running,
                },
            );
            for flow in 0..FLOWS {
                let go = GoId(1 + thread * FLOWS + flow);
                program.event(
                    thread,
                    Event::GoCreateBlocked {
                        go,
                        go_stack: stack,
                        stack,
                    },
                );
            }
        }
        program
    }

    #[inline]
    fn event(&mut self, thread: u64, event: Event) {
        self.time_ns += 150;
        self.writer
            .event(self.streams[thread as usize], self.time_ns, event);
    }

    /// Each thread wakes a goroutine of its neighbour's, and runs one of its own.
    fn round(&mut self, round: u64) {
        for thread in 0..THREADS {
            let index = ((thread + 1) % THREADS * FLOWS + round % FLOWS) as usize;
            self.seqs[index] += 1;
            let (go, seq, stack) = (GoId(1 + index as u64), self.seqs[index], self.stack);
            self.event(thread, Event::GoUnblock { go, seq, stack });
        }
        for thread in 0..THREADS {
            let index = (thread * FLOWS + round % FLOWS) as usize;
            self.seqs[index] += 1;
            let (go, seq) = (GoId(1 + index as u64), self.seqs[index]);
            self.event(thread, Event::GoStart { go, seq });
            let (reason, stack) = (self.reason, self.stack);
            self.event(thread, Event::GoBlock { reason, stack });
        }
    }

    /// Runs until there are about this many events; how many there are.
    pub(crate) fn run(&mut self, events: u64, out: &mut impl Write) -> std::io::Result<u64> {
        let mut written = 0;
        let rounds = events / (3 * THREADS);
        for round in 0..rounds {
            self.round(round);
            if round % 10_000 == 0 || round + 1 == rounds {
                written += self.writer.finish_group(&mut self.file).events;
                out.write_all(&self.file)?;
                self.file.clear();
            }
        }
        Ok(written)
    }
}
