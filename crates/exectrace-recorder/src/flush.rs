//! The flush thread: it reads all buffers, runs the model, and feeds the recordings.
//!
//! Ten times a second it takes a *sample* of the clock and reads what the threads have published. It
//! applies the records that are a tenth of a second old, so that each record has been seen together
//! with all that came within that time after it: causes that arrive late are there before their
//! effects are written. What the model made of them is one *group*, which goes to each recording in
//! one write; if it is large, as the flush thread was held up, several groups, each written as soon as
//! it is there. A start, a stop and a full pool watermark at the present sample instead.
//!
//! It is one thread for the process. It records nothing, and it sleeps while nothing records.

mod active;
pub(crate) mod apply;
mod generation;
mod losses;
#[cfg(test)]
mod tests;
mod thread_times;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use exectrace_format::{ThreadId, Writer};

use crate::capabilities;
use crate::clock::{ClockSample, Conversion, Moment};
use crate::control::{Answer, Command, RecordingId};
use crate::enabled::{self, lock};
use crate::model::{Earlier, Model, ThreadIndex};
use crate::process::{self, Process};
use crate::recording::{RecordingSink, Report, SinkError, StartError, StopError};
use crate::stacks;
use crate::thread_reader::ThreadReader;
use crate::{live_tasks, schedule};

use active::{Active, Totals};
use apply::apply_records;
use generation::Generation;
use losses::Losses;
use thread_times::ThreadTimes;

/// How often groups are written.
const GROUP: Duration = Duration::from_millis(100);
/// When the flush thread is behind, it looks after this much of what was recorded whether a group is
/// complete …
const SLICE_NS: u64 = 10_000_000;
/// … but not more often than this, as each look costs something for each thread.
const MAX_SLICES: u64 = 64;
/// A group is complete at so many events, about a megabyte: they should be in the file before the rest
/// is read.
const GROUP_EVENTS: u64 = 1 << 17;

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
    thread_times: ThreadTimes,
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
            thread_times: ThreadTimes::new(id),
            conversion: Conversion::starting_at(now.sample),
            take_moment,
            now,
            applied_ticks: now.sample.ticks,
            model: None,
            earlier: Earlier::default(),
            recordings: Vec::new(),
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
            if self.model.is_some() && (pressed || last.elapsed() >= GROUP) {
                last = Instant::now();
                self.guarded(Self::flush);
            }
            if process::number() != self.process_number {
                // A sink has forked, and this is the child. What sinks hold is the parent's.
                return std::mem::forget(self);
            }
            if !lock(&self.process.commands).is_empty() {
                continue;
            }
            match self.model {
                Some(_) => thread::park_timeout(GROUP.saturating_sub(last.elapsed())),
                None => thread::park(),
            }
        }
    }

    /// Runs a step. A panic in it is a mistake of ours: it ends the recordings, not the program.
    fn guarded(&mut self, step: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| step(self))).is_err() {
            enabled::set_enabled(false);
            self.model = None;
            for active in &mut self.recordings {
                active.fail(SinkError::Internal);
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Start(output, reply) => {
                // If a panic comes between, whoever waits is still answered.
                let mut answer = Answer::new(reply, Err(StartError::Internal));
                answer.set(self.start(output));
            }
            Command::Stop(id, None) => {
                // It was dropped by a sink, whose error callback has the error.
                let _ = self.stop(id);
                if !enabled::is_enabled() {
                    enabled::call_listeners();
                }
            }
            Command::Stop(id, Some(reply)) => {
                let error = StopError::new(Report::default(), SinkError::Internal);
                let mut answer = Answer::new(reply, Err(error));
                answer.set(self.stop(id));
            }
            Command::Note(text) => self.note(&text),
            Command::About(key, value) => {
                // At the time that the model has come to: it needs no watermark, after which what lies
                // ahead of the records so far could not be looked at.
                if let Some(model) = &mut self.model {
                    model.note_about(model.time_ns(), key, &value);
                }
            }
            Command::FinishAll(reply) => {
                let mut answer = Answer::new(reply, ());
                let ids: Vec<_> = self.recordings.iter().map(|active| active.id).collect();
                for id in ids {
                    // Nobody is left to be told of an error but the callback, which was.
                    let _ = self.stop(id);
                }
                answer.set(());
            }
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
            self.thread_times = ThreadTimes::new(self.id);
            let earlier = std::mem::take(&mut self.earlier);
            self.model = Some(new_model(self.id).with_earlier(earlier));
            self.generation = Generation::first(self.now);
        }
        let events = self.write_preamble(&mut output);
        if let Some(error) = output.error() {
            let error = error.clone();
            self.drop_model_if_unused();
            return Err(StartError::Sink(error));
        }
        let id = RecordingId(self.next_recording);
        self.next_recording += 1;
        let preamble = self.generation.number() - 1;
        let active = Active::new(id, output, events, preamble, self.totals());
        self.recordings.push(active);
        // What comes later in the new file is more than this by what happens from now on.
        self.sample_threads(true);
        enabled::set_enabled(true);
        Ok(id)
    }

    /// Begins a file, and a generation for all recordings. Returns how many events the file has.
    fn write_preamble(&mut self, output: &mut RecordingSink) -> u64 {
        let Some(model) = &mut self.model else {
            return 0;
        };
        let end_ns = self.now.sample.ns.max(model.time_ns());
        self.generation.renew(end_ns, self.now);
        let number = self.generation.number();
        let mut preamble = Vec::new();
        let mut about = capabilities::all();
        about.push((thread_times::KEY, self.thread_times.about()));
        let (events, begin_ns) = model.preamble(number - 1, end_ns, &about, &mut preamble);
        model.begin_generation(number, end_ns);
        let mut bytes = Writer::header(output.version).to_vec();
        self.generation
            .sync_batch_of_preamble(output.version, begin_ns, &mut bytes);
        bytes.append(&mut preamble);
        output.write(&bytes);
        events
    }

    fn stop(&mut self, id: RecordingId) -> Result<Report, StopError> {
        if self.recordings.len() == 1 {
            enabled::set_enabled(false);
        }
        self.apply_all();
        self.report_dropped();
        self.write_group();
        let Some(position) = self.recordings.iter().position(|active| active.id == id) else {
            return Err(StopError::new(Report::default(), SinkError::Internal));
        };
        let active = self.recordings.remove(position);
        let report = active.finish();
        self.drop_model_if_unused();
        report
    }

    fn totals(&self) -> Totals {
        let counts = self.model.as_ref().map(Model::counts).unwrap_or_default();
        Totals {
            records: counts.records,
            lost: counts.lost,
            losses: self.losses,
            inferred: counts.inferred,
            stacks_missed: stacks::broken_stacks(),
            now_ns: self.now.sample.ns,
        }
    }

    fn drop_model_if_unused(&mut self) {
        if self.recordings.is_empty()
            && let Some(model) = self.model.take()
        {
            self.earlier = model.into_earlier();
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
        }
    }

    fn note(&mut self, text: &str) {
        if self.model.is_some() {
            self.apply_all();
            if let Some(model) = &mut self.model {
                model.note(self.now.sample.ns, "exectrace", text);
            }
        }
    }

    /// The regular step: applies what is old enough, and writes it.
    fn flush(&mut self) {
        let before = self.now.sample;
        self.read_all();
        self.sample_threads(false);
        self.apply_until(held_until(before, self.now.sample));
        if self.process.pool.get().is_some_and(|pool| pool.is_below(4)) {
            // Records that are held hold their chunks: no time for looking ahead.
            self.apply_until(self.now.sample.ticks);
        }
        self.sample();
        self.report_losses();
        self.write_group();
    }

    /// Asks for the counters' values.
    fn sample(&mut self) {
        if let Some(model) = &mut self.model {
            let time_ns = self.now.sample.ns;
            schedule::sample(&mut |name, value| model.counter(time_ns, name, value));
        }
    }

    /// Asks what the system has counted of the threads that recorded since the last look, or of all.
    ///
    /// Before the records up to now are applied, so that a generation has the samples up to its end.
    fn sample_threads(&mut self, all: bool) {
        if let Some(model) = &mut self.model {
            self.thread_times.sample(&self.readers, all, model);
        }
    }

    /// Applies and writes all that was recorded until now.
    fn apply_all(&mut self) {
        self.read_all();
        self.sample_threads(false);
        self.apply_until(self.now.sample.ticks);
        self.report_losses();
        self.write_group();
    }

    /// Takes a moment and sees what all threads have published until then.
    fn read_all(&mut self) {
        self.now = (self.take_moment)();
        self.conversion.add(self.now.sample);
        self.register_new_threads();
        let Some(model) = &mut self.model else {
            return;
        };
        for reader in &mut self.readers {
            let thread = reader.index();
            reader.look(self.now.sample.ticks, |ticks, upcoming| {
                model.look_ahead(|| self.conversion.to_ns(ticks), thread, upcoming);
            });
        }
    }

    fn register_new_threads(&mut self) {
        while let Some(shared) = self.process.new_threads.pop() {
            let index = self.free_indices.pop().unwrap_or_else(|| {
                self.next_index += 1;
                ThreadIndex(self.next_index - 1)
            });
            self.readers.push(ThreadReader::new(index, shared));
        }
    }

    /// Applies the records up to `watermark` ticks, and writes groups of them as they become complete.
    fn apply_until(&mut self, watermark: u64) {
        let begin = self.applied_ticks;
        let length = watermark.saturating_sub(begin);
        let ns = |ticks| self.conversion.to_ns(ticks);
        let slices = (ns(watermark).saturating_sub(ns(begin)) / SLICE_NS).clamp(1, MAX_SLICES);
        for slice in 1..=slices {
            let until = match slice == slices {
                true => watermark,
                false => begin + length / slices * slice,
            };
            if let Some(model) = &mut self.model {
                apply_records(&mut self.readers, until, &self.conversion, model);
            }
            self.write_complete_group(until);
        }
        self.applied_ticks = watermark;
        self.retire();
    }

    /// Writes what is pending if that is enough for a group or completes the generation. All records
    /// up to `watermark` ticks were applied.
    fn write_complete_group(&mut self, watermark: u64) {
        let pending = self.model.as_mut().map_or(0, Model::pending_events);
        let watermark_ns = self.conversion.to_ns(watermark);
        if pending >= GROUP_EVENTS || self.generation.is_over(watermark_ns) {
            self.write_group();
            self.renew_generation(watermark_ns);
        }
    }

    /// Forgets threads that have ended and were read to their end.
    fn retire(&mut self) {
        let mut place = 0;
        while place < self.readers.len() {
            if !self.readers[place].is_finished() {
                place += 1;
                continue;
            }
            let mut reader = self.readers.swap_remove(place);
            let (index, id) = (reader.index(), reader.id());
            self.thread_times.forget(id);
            if let Some(model) = &mut self.model {
                model.thread_gone(self.now.sample.ns, index);
                model.dropped(model.time_ns(), id, reader.take_unreported());
            }
            self.free_indices.push(index);
            reader.give_back_last_chunk();
        }
    }

    /// Before the first recording of several: skips what was left from before.
    fn skip_to_now(&mut self) {
        self.now = (self.take_moment)();
        self.conversion = Conversion::starting_at(self.now.sample);
        self.applied_ticks = self.now.sample.ticks;
        self.register_new_threads();
        for reader in &mut self.readers {
            reader.skip();
        }
        self.retire();
    }

    /// Writes the events since the last group to all recordings.
    fn write_group(&mut self) {
        let Some(model) = &mut self.model else {
            return;
        };
        self.group.clear();
        let counts = model.finish_group(&mut self.group);
        self.generation.add(self.group.len());
        let totals = self.totals();
        for active in &mut self.recordings {
            active.write(&self.generation, &self.group, counts.events);
            active.reach(totals);
        }
    }

    /// Begins a generation if the present one is old or large enough. All records up to `watermark_ns` were
    /// applied and written.
    fn renew_generation(&mut self, watermark_ns: u64) {
        if let Some(model) = &mut self.model
            && self.generation.is_over(watermark_ns)
        {
            let begin_ns = watermark_ns.max(model.time_ns());
            self.generation.renew(begin_ns, self.now);
            model.begin_generation(self.generation.number(), begin_ns);
        }
    }
}

/// The ticks before which all was recorded that is a group's length old, or older than the last sample:
/// where the flush thread is behind, the records since that sample need not all wait for the next one.
fn held_until(last: ClockSample, now: ClockSample) -> u64 {
    let passed_ns = now.ns.saturating_sub(last.ns).max(1) as f64;
    let old_ns = passed_ns - GROUP.as_nanos() as f64;
    let passed_ticks = now.ticks.saturating_sub(last.ticks) as f64;
    last.ticks + (passed_ticks * (old_ns / passed_ns).max(0.0)) as u64
}

/// A model that knows the live tasks.
fn new_model(id: ThreadId) -> Model {
    let describe = |site: crate::input::CallsiteKey| {
        crate::span_source::numbers::describe(site.source, site.address)
    };
    let mut model = Model::new(id, Box::new(describe));
    live_tasks::for_each(&mut |live| model.adopt(&live));
    model
}
