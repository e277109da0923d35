//! What the tests share: records what a program does, has both strict readers judge the trace, and
//! answers questions about the tasks in it.

// Each test binary uses a part of this, from a module that none of them exports.
#![allow(dead_code, unreachable_pub)]

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use exectrace_format::{
    GoId, GoState, ProcId, Reader, SideRecord, StateChange, ThreadId, TraceEventKind,
};
use exectrace_recorder::{Recording, RecordingOptions, Report};
use exectrace_tokio::BuilderExt;
use tokio::runtime::{Builder, Runtime};

/// There is one tracer in a process: tests that record must take turns.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A traced runtime of so many workers; of one thread, its caller's, if there are none.
pub fn runtime(name: &str, workers: usize) -> Runtime {
    let mut builder = match workers {
        0 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if workers > 0 {
        builder.worker_threads(workers);
    }
    let built = builder.enable_all().exectrace(name).build();
    built.expect("a runtime")
}

/// Waits, as an async task that parks its worker, until the flush thread has sampled all counters at least once
/// after this call.
pub async fn wait_for_samples() {
    static SAMPLES: AtomicU64 = AtomicU64::new(0);
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        exectrace_recorder::add_sampler(Box::new(|_| {
            SAMPLES.fetch_add(1, Ordering::Relaxed);
        }));
    });
    // The sample that is being taken may have begun before this call, and so may the metrics be taken after it.
    let enough = SAMPLES.load(Ordering::Relaxed) + 3;
    while SAMPLES.load(Ordering::Relaxed) < enough {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A sink whose bytes can be looked at.
#[derive(Clone, Debug, Default)]
pub struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    pub fn start(&self) -> Recording {
        let started = RecordingOptions::new().start_writer(self.clone());
        started.expect("a recording in memory starts")
    }

    /// What was written so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    /// Reads the finished trace.
    pub fn trace(&self, report: Report) -> Trace {
        Trace::read(&self.0.lock().unwrap(), report)
    }
}

/// Records what `program` does; the caller has its turn.
pub fn record(program: impl FnOnce()) -> Trace {
    let sink = Sink::default();
    let recording = sink.start();
    program();
    let report = recording.stop().expect("a recording in memory stops");
    sink.trace(report)
}

/// A state that a task came to.
#[derive(Clone, Debug)]
pub struct State {
    pub time_ns: i64,
    pub from: GoState,
    pub to: GoState,
    pub reason: String,
    /// The functions of its stack, leaf first.
    pub stack: Vec<String>,
    pub thread: Option<ThreadId>,
    pub proc: Option<ProcId>,
    /// The flow that did it.
    pub by: Option<GoId>,
    /// The functions of the stack of the flow that did it, leaf first.
    pub by_stack: Vec<String>,
}

/// A flow of the trace: a task, or a thread's own.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    pub name: String,
    pub states: Vec<State>,
}

impl Flow {
    fn count(&self, is_wanted: impl Fn(&State) -> bool) -> usize {
        self.states.iter().filter(|state| is_wanted(state)).count()
    }

    pub fn creations(&self) -> usize {
        self.count(|state| state.from == GoState::NotExist)
    }

    /// Times it was made to run.
    pub fn starts(&self) -> usize {
        self.count(|state| state.from == GoState::Runnable && state.to == GoState::Running)
    }

    /// Times it was woken from waiting.
    pub fn unblocks(&self) -> usize {
        self.count(|state| state.from == GoState::Waiting && state.to == GoState::Runnable)
    }

    /// Times it came to wait.
    pub fn blocks(&self) -> usize {
        self.count(|state| state.to == GoState::Waiting && state.from == GoState::Running)
    }

    pub fn ends(&self) -> usize {
        self.count(|state| state.to == GoState::NotExist)
    }

    /// Begin and end of each time it ran.
    pub fn runs(&self) -> Vec<(i64, i64)> {
        let mut runs = Vec::new();
        let mut began = None;
        for state in &self.states {
            match (state.from, state.to) {
                (_, GoState::Running) => began = Some(state.time_ns),
                (GoState::Running, _) => {
                    runs.extend(began.take().map(|began| (began, state.time_ns)));
                }
                _ => {}
            }
        }
        runs
    }
}

/// What is in a trace that both readers accept.
#[derive(Debug)]
pub struct Trace {
    pub report: Report,
    pub flows: BTreeMap<u64, Flow>,
    /// Names of regions, and the flow they are in.
    pub regions: Vec<(String, Option<GoId>)>,
    /// Category and text.
    pub logs: Vec<(String, String)>,
    /// Name and value of each reading of a counter.
    pub counters: Vec<(String, i64)>,
}

impl Trace {
    fn read(bytes: &[u8], report: Report) -> Self {
        exectrace_referee::assert_bytes_accepted(bytes);
        let mut trace = Trace {
            report,
            flows: BTreeMap::new(),
            regions: Vec::new(),
            logs: Vec::new(),
            counters: Vec::new(),
        };
        for event in Reader::new(bytes).expect("a header") {
            let event = event.expect("a valid trace");
            match event.kind {
                TraceEventKind::StateTransition {
                    change: StateChange::Go { go, from, to },
                    reason,
                    stack,
                    ..
                } => {
                    let flow = trace.flows.entry(go.0).or_default();
                    let functions = |stack: &[exectrace_format::StackFrame]| {
                        let names = stack.iter().map(|frame| frame.function.to_string());
                        names.collect::<Vec<_>>()
                    };
                    let stack = stack.as_deref().map(functions).unwrap_or_default();
                    if let Some(root) = stack.last() {
                        flow.name.clone_from(root);
                    }
                    flow.states.push(State {
                        time_ns: event.time.0,
                        from,
                        to,
                        reason: reason.to_string(),
                        stack,
                        thread: event.thread,
                        proc: event.proc,
                        by: event.go,
                        by_stack: event.stack.as_deref().map(functions).unwrap_or_default(),
                    });
                }
                TraceEventKind::RegionBegin { name, .. } => {
                    trace.regions.push((name.to_string(), event.go));
                }
                TraceEventKind::Log {
                    category, message, ..
                } => trace.logs.push((category.to_string(), message.to_string())),
                TraceEventKind::SideData(SideRecord::Counter { name, value, .. }) => {
                    trace.counters.push((name.to_string(), value));
                }
                _ => {}
            }
        }
        trace
    }

    /// The flows of this name.
    pub fn all(&self, name: &str) -> Vec<&Flow> {
        let named = self.flows.values().filter(|flow| flow.name == name);
        named.collect()
    }

    /// The one flow of this name.
    #[track_caller]
    pub fn one(&self, name: &str) -> &Flow {
        let all = self.all(name);
        let names: Vec<_> = self.flows.values().map(|flow| &flow.name).collect();
        assert_eq!(all.len(), 1, "flows {name} of {names:?}");
        all[0]
    }

    /// How many flows there are of each name.
    pub fn counts(&self) -> HashMap<&str, usize> {
        let mut counts = HashMap::new();
        for flow in self.flows.values() {
            *counts.entry(flow.name.as_str()).or_default() += 1;
        }
        counts
    }
}

/// Counts the polls of a future.
#[derive(Clone, Debug, Default)]
pub struct Polls(Arc<AtomicU64>);

impl Polls {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed) as usize
    }

    pub fn of<F: Future>(&self, future: F) -> Polled<F> {
        Polled {
            future: Box::pin(future),
            polls: self.clone(),
        }
    }
}

/// A future whose polls are counted.
#[derive(Debug)]
pub struct Polled<F> {
    future: Pin<Box<F>>,
    polls: Polls,
}

impl<F: Future> Future for Polled<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.polls.0.fetch_add(1, Ordering::Relaxed);
        self.future.as_mut().poll(context)
    }
}
