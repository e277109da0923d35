//! The flush thread: it reads all buffers, runs the model, and feeds the recordings.
//!
//! Ten times a second it takes a sample of the clock and reads what the threads have published. It
//! applies the records that are a tenth of a second old, so that each record has been seen together
//! with all that came within that time after it: causes that arrive late are there before their
//! effects are written. What the model made of them is one *group*, which goes to each recording in
//! one write; if it is large, as the flush thread was held up, several groups, each written as soon as
//! it is there. A start, a stop and a full pool do not wait: then all records up to the present sample are applied.
//!
//! It is one thread for the process. It records nothing, and it sleeps while nothing records.

mod active;
pub(crate) mod apply;
mod budgets;
mod generation;
mod losses;
mod pass;
mod publish;
mod rotate;
mod silence;
mod stopping;
#[cfg(test)]
mod tests;
pub(crate) mod thread_times;
pub(crate) mod thread_usage;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use exectrace_format::ThreadId;
use exectrace_format::conventions::{HEAP, HEAP_SAMPLES, TRACER_NAME};

use crate::calls::CALLS;
use crate::clock::{Conversion, Moment};
use crate::control::{Answer, Command, RecordingId};
use crate::cpu::Sampling;
use crate::enabled::{self, lock};
use crate::heap::{self, Following};
use crate::live_tasks;
use crate::model::{Earlier, Model, ThreadIndex};
use crate::process::{self, Process};
use crate::report::{SinkError, StartError};
use crate::settings::Settings;
use crate::sink::RecordingSink;
use crate::stacks;
use crate::switches::Switches;
use crate::system::System;
use crate::thread_reader::ThreadReader;

use active::{Active, Totals};
use budgets::Budgets;
use generation::Generation;
use losses::Losses;
use publish::Counted;
use silence::Silence;
use stopping::Stopping;
use thread_times::ThreadTimes;
use thread_usage::ThreadUsages;

/// How often groups are written.
const GROUP: Duration = Duration::from_millis(100);

/// The state of the flush thread.
pub(crate) struct Flusher {
    process: &'static Process,
    process_number: u32,
    id: ThreadId,
    /// The threads that recorded.
    readers: Vec<ThreadReader>,
    /// Indices of the model that no living thread has, and how many were given out.
    free_indices: Vec<ThreadIndex>,
    next_index: u32,
    losses: Losses,
    /// What was taken of the calls that no thread's sums have.
    sums_of_no_thread: [u64; CALLS],
    budgets: Budgets,
    thread_times: ThreadTimes,
    thread_usages: ThreadUsages,
    /// The samples of the process, and the kernel's reports, while something records.
    system: Option<System>,
    switches: Option<Switches>,
    sampling: Sampling,
    following: Following,
    conversion: Conversion,
    /// Where moments come from.
    take_moment: Box<dyn FnMut() -> Moment + Send>,
    /// Records up to this moment were or will be applied by the next held watermark.
    now: Moment,
    /// Records up to here were applied.
    applied_ticks: u64,
    /// There is a model while something records.
    model: Option<Model>,
    /// While there is none, what the last one knew.
    earlier: Earlier,
    recordings: Vec<Active>,
    stopping: Stopping,
    counted: Counted,
    next_recording: u64,
    generation: Generation,
    group: Vec<u8>,
}

impl Flusher {
    pub(crate) fn new(process: &'static Process, id: ThreadId) -> Self {
        Self::with_clock(process, id, Box::new(Moment::now))
    }

    fn with_clock(
        process: &'static Process,
        id: ThreadId,
        mut take_moment: Box<dyn FnMut() -> Moment + Send>,
    ) -> Self {
        let now = take_moment();
        Self {
            process,
            process_number: process::number(),
            id,
            readers: Vec::new(),
            free_indices: Vec::new(),
            // Index 0 is the tracer's own thread.
            next_index: 1,
            losses: Losses::default(),
            sums_of_no_thread: [0; CALLS],
            budgets: Budgets::starting_at(now.sample.ns),
            thread_times: ThreadTimes::new(id),
            thread_usages: ThreadUsages::new(id),
            system: None,
            switches: None,
            sampling: Sampling::default(),
            following: Following::default(),
            conversion: Conversion::starting_at(now.sample),
            take_moment,
            now,
            applied_ticks: now.sample.ticks,
            model: None,
            earlier: Earlier::default(),
            recordings: Vec::new(),
            stopping: Stopping::default(),
            counted: Counted::default(),
            next_recording: 1,
            generation: Generation::first(now),
            group: Vec::new(),
        }
    }

    pub(crate) fn run(mut self) {
        let mut last = Instant::now();
        loop {
            let commands = std::mem::take(&mut *lock(&self.process.commands));
            for command in commands {
                self.guarded(|flusher| flusher.obey(command));
            }
            let pressed = self.process.is_woken.swap(false, Ordering::AcqRel);
            if self.model.is_some() && (pressed || self.is_pass_due(last.elapsed())) {
                last = Instant::now();
                self.guarded(Self::flush);
                self.guarded(Self::stop_what_is_over);
            }
            if process::number() != self.process_number {
                // A sink has forked, and this is the child. What sinks hold is the parent's.
                return std::mem::forget(self);
            }
            if !lock(&self.process.commands).is_empty() {
                continue;
            }
            match self.model {
                Some(_) => thread::park_timeout(self.pause(last.elapsed())),
                None => thread::park(),
            }
        }
    }

    /// Whether to do the regular step, so long after the last one.
    fn is_pass_due(&self, since_pass: Duration) -> bool {
        self.pause(since_pass).is_zero()
    }

    /// How long to sleep, so long after the last pass; zero if one is due.
    fn pause(&self, since_pass: Duration) -> Duration {
        let stops_ns = self.recordings.iter().filter_map(Active::stops_ns).min();
        let until_stop = stops_ns.map_or(GROUP, |stops_ns| {
            Duration::from_nanos(stops_ns.saturating_sub(self.now.sample.ns))
        });
        GROUP.min(until_stop).saturating_sub(since_pass)
    }

    /// Calls the listeners where no other thread does.
    fn call_listeners_if_off(&self) {
        if !enabled::is_enabled() {
            enabled::call_listeners();
        }
    }

    /// Runs a step. A panic in it is a mistake of ours: it ends the recordings, not the program.
    fn guarded(&mut self, step: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| step(self))).is_err() {
            enabled::set_enabled(false);
            self.sampling.stop(&self.readers);
            self.model = None;
            for active in &mut self.recordings {
                active.fail(SinkError::Internal);
            }
            self.publish();
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Start(output, reply) => {
                // If a panic comes between, whoever waits is still answered.
                let mut answer = Answer::new(reply, Err(StartError::Internal));
                answer.set(self.start(*output));
            }
            Command::Stop(id, reply) => self.stop(id, reply),
            Command::Closed(id, result) => self.closed(id, result),
            Command::Note(text) => self.note(&text),
            Command::About(key, value) => {
                // At the time that the model has come to: it needs no watermark, after which what lies
                // ahead of the records so far could not be looked at.
                if let Some(model) = &mut self.model {
                    model.note_about(model.time_ns(), key, &value);
                }
            }
            Command::FinishAll(reply) => self.finish_all(reply),
        }
    }

    fn start(&mut self, mut output: RecordingSink) -> Result<RecordingId, StartError> {
        if self.model.is_some() {
            self.apply_all();
            // Those that run should not share what was lost before this one.
            self.report_dropped();
            self.write_group();
        } else {
            self.skip_to_now();
            self.losses = Losses::from_now_on();
            self.budgets = Budgets::starting_at(self.now.sample.ns);
            self.thread_times = ThreadTimes::new(self.id);
            self.thread_usages = ThreadUsages::new(self.id);
            let settings = Settings::in_force();
            self.system = Some(System::new(settings.samples_process()));
            self.switches = Some(Switches::new(settings.asks_for_switches(), self.id));
            self.sampling.prepare(&self.readers);
            self.following.prepare();
            let earlier = std::mem::take(&mut self.earlier);
            let mut model = new_model(self.id).with_earlier(earlier);
            model.heap_begins_with(heap::standing_bytes());
            self.model = Some(model);
            self.generation = Generation::first(self.now);
        }
        let was_heap_known = heap::is_in_use();
        let begin_ns = self.next_ns();
        self.generation.renew(begin_ns, self.now);
        let preamble = self.preamble(output.version, begin_ns, None, None);
        self.begin_generation(begin_ns);
        output.begin(&preamble.bytes, preamble.begin);
        if let Some(error) = output.error() {
            let error = error.clone();
            self.drop_model_if_unused();
            return Err(StartError::Sink(error));
        }
        let id = RecordingId(self.next_recording);
        self.next_recording += 1;
        let counts = self.model.as_ref().map(Model::record_counts);
        let before = counts.map_or(0, |counts| counts.of_program());
        let silence = Silence::starting_at(self.now.sample.ns, before);
        let active = Active::new(id, output, &preamble, self.totals(), silence);
        self.recordings.push(active);
        // What comes later in the new file is more than this by what happens from now on.
        self.sample_threads(true);
        self.sample_usage(true);
        self.sample_system(true);
        enabled::set_enabled(true);
        if !was_heap_known {
            self.look_at_heap();
        }
        self.sampling.start(&self.readers);
        self.publish();
        Ok(id)
    }

    /// Says that allocations are counted, if one is seen to be. Until something records none is counted.
    fn look_at_heap(&mut self) {
        drop(std::hint::black_box(Box::new(0_u8)));
        if heap::is_in_use() {
            self.keep_spare_threads();
            self.obey(Command::About(HEAP, heap::about()));
            self.obey(Command::About(HEAP_SAMPLES, heap::about_samples()));
        }
    }

    fn totals(&self) -> Totals {
        let counts = self.model.as_ref().map(Model::counts).unwrap_or_default();
        Totals {
            records: counts.records,
            lost: counts.lost,
            losses: self.losses,
            inferred: counts.inferred,
            stacks_missed: stacks::broken_stacks(),
            samples: counts.samples,
            samples_cut: counts.samples_cut,
            samples_lost: self.sampling.lost(),
            now_ns: self.now.sample.ns,
            wall: self
                .now
                .wall_at(self.model.as_ref().map_or(0, Model::time_ns)),
        }
    }

    /// When a generation can begin, after all that was written.
    fn next_ns(&self) -> u64 {
        let model_ns = self.model.as_ref().map_or(0, Model::time_ns);
        self.now.sample.ns.max(model_ns)
    }

    fn drop_model_if_unused(&mut self) {
        if self.recordings.is_empty()
            && let Some(model) = self.model.take()
        {
            self.counted.add(&model);
            self.earlier = model.into_earlier();
            self.switches = None;
        }
    }

    /// Writes losses that threads have not reported themselves, as they did not record again.
    fn report_dropped(&mut self) {
        let Some(model) = &mut self.model else {
            return;
        };
        for reader in &mut self.readers {
            model.dropped(model.time_ns(), reader.id(), reader.take_unreported());
        }
    }

    /// Writes losses that no thread reports. What was recorded before was applied.
    fn report_losses(&mut self) {
        if let Some(model) = &mut self.model {
            self.losses.report(model);
            self.budgets.report(model);
            self.sampling.report(model);
            self.following.report(model);
        }
    }

    fn note(&mut self, text: &str) {
        if self.model.is_some() {
            self.apply_all();
            if let Some(model) = &mut self.model {
                model.note(self.now.sample.ns, TRACER_NAME, text);
            }
        }
    }
}

/// A model with all live tasks.
fn new_model(id: ThreadId) -> Model {
    let describe = |site: crate::input::CallsiteKey| {
        crate::span_source::numbers::describe(site.source, site.address)
    };
    let mut model = Model::new(id, Box::new(describe));
    live_tasks::for_each(&mut |live| model.adopt(&live));
    model
}
