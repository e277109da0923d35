//! Measures the writer and the reader on a made-up program of eight threads: `throughput [EVENTS]`.

use std::time::Instant;

use exectrace_format::{
    ClockSnapshot, Event, Frame, GoId, ProcId, ProcStatus, Reader, StackId, Stream, StringId,
    ThreadId, Version, Writer,
};

const THREADS: u64 = 8;
/// Flows of each thread.
const FLOWS: u64 = 100;

struct Program {
    writer: Writer,
    file: Vec<u8>,
    streams: Vec<Stream>,
    seqs: Vec<u64>,
    time_ns: u64,
    reason: StringId,
    stack: StackId,
}

impl Program {
    fn new() -> Self {
        let mut file = Writer::header(Version::Go125).to_vec();
        let mut writer = Writer::new();
        writer.begin_generation(1, 1);
        Writer::sync_batch(Version::Go125, 1, 1, ClockSnapshot::default(), &mut file);
        let streams: Vec<_> = (0..THREADS)
            .map(|thread| writer.stream(ThreadId(100 + thread)))
            .collect();
        let reason = writer.string("sync");
        let function = writer.string("program::flow");
        let stack = writer.stack(&[Frame {
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

    /// Each thread wakes a flow of its neighbour's, and runs one of its own.
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
}

fn main() {
    let wanted: u64 = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(5_000_000);
    let mut program = Program::new();
    let began = Instant::now();
    let mut events = 0;
    for round in 0..wanted / (3 * THREADS) {
        program.round(round);
        if round % 10_000 == 0 {
            events += program.writer.finish_group(&mut program.file).events;
        }
    }
    events += program.writer.finish_group(&mut program.file).events;
    let took = began.elapsed().as_nanos() as f64;
    let bytes = program.file.len();
    println!(
        "written: {events} events, {bytes} bytes, {:.1} ns each",
        took / events as f64
    );

    let began = Instant::now();
    let mut read = 0u64;
    for event in Reader::new(program.file.as_slice()).expect("our own header") {
        std::hint::black_box(event.expect("a good trace"));
        read += 1;
    }
    let took = began.elapsed().as_secs_f64();
    println!(
        "read: {read} events, {:.1} million each second",
        read as f64 / took / 1e6
    );
}
