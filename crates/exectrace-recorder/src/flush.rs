//! The flush thread: it reads all buffers, runs the model, and feeds the recordings.
//!
//! Ten times a second it takes a *point* of the clock and reads what the threads have published. It
//! applies the records up to the point before, so that each record has been seen together with all
//! that came within a tenth of a second after it: causes that arrive late are there before their
//! effects are written. What the model made of them is one *group*, which goes to each recording in
//! one write. A start, a stop and a full pool cut at the present point instead.
//!
//! It is one thread for the process. It records nothing, and it sleeps while nothing records.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use exectrace_format::{ClockSnapshot, ThreadId, Writer};

use crate::about;
use crate::clock::{Conversion, Point, Segment};
use crate::control::{Answer, Command, RecordingId};
use crate::input::{Input, NewSpan, SpanKey};
use crate::local::LOST_ELSEWHERE;
use crate::merge::{self, Sink};
use crate::model::{Model, ThreadIndex};
use crate::process::{self, Process};
use crate::recording::{Output, Report, SinkError, StartError, StopError};
use crate::source::Source;
use crate::stacks;
use crate::switch::{self, lock};
use crate::{roster, schedule};

/// How often groups are written.
const GROUP: Duration = Duration::from_millis(100);
/// A generation is closed at this age …
const GENERATION_NS: u64 = 1_000_000_000;
/// … or at this size: it bounds what readers must hold in memory.
const GENERATION_BYTES: usize = 4 << 20;
/// A recording, as the flush thread keeps it.
#[derive(Debug)]
struct Active {
    id: RecordingId,
    output: Output,
    /// Counts of this recording, but for those that are differences to the next.
    report: Report,
    /// Counts of the tracer when it started.
    records_before: u64,
    dropped_before: u64,
    inferred_before: u64,
    untracked_before: u64,
    stacks_missed_before: u64,
    begin_ns: u64,
}

/// Who a source's thread is.
#[derive(Debug)]
struct Identity {
    /// The model's name for it.
    index: ThreadIndex,
    id: ThreadId,
    name: Option<Box<str>>,
}

/// The state of the flush thread.
pub(crate) struct Flusher {
    process: &'static Process,
    process_number: u32,
    id: ThreadId,
    /// The threads that recorded, and who they are: two vectors of the same length.
    sources: Vec<Source>,
    identities: Vec<Identity>,
    /// Indices of the model that no living thread has, and how many were given out.
    free_indices: Vec<ThreadIndex>,
    next_index: u32,
    /// Dropped records of threads that are gone.
    dropped_by_gone: u64,
    conversion: Conversion,
    /// Records up to this point were or will be applied by the next held cut.
    point: Point,
    /// There is a model while something records.
    model: Option<Model>,
    recordings: Vec<Active>,
    next_recording: u64,
    generation: Generation,
    group: Vec<u8>,
}

/// The generation that is being written.
#[derive(Debug)]
struct Generation {
    number: u64,
    begin_ns: u64,
    bytes: usize,
    /// Its sync batch is not written yet: it comes with the first group.
    unsynced: bool,
}

impl Flusher {
    pub(crate) fn new(process: &'static Process, id: ThreadId) -> Self {
        let point = Point::now();
        Self {
            process,
            process_number: process::number(),
            id,
            sources: Vec::new(),
            identities: Vec::new(),
            free_indices: Vec::new(),
            // Index 0 is the tracer's own thread.
            next_index: 1,
            dropped_by_gone: 0,
            conversion: Conversion::starting_at(point),
            point,
            model: None,
            recordings: Vec::new(),
            next_recording: 1,
            generation: Generation {
                number: 1,
                begin_ns: point.ns,
                bytes: 0,
                unsynced: false,
            },
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
            switch::set_enabled(false);
            self.model = None;
            for active in &mut self.recordings {
                active.output.fail(SinkError::Internal);
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
                if !switch::is_enabled() {
                    switch::tell_listeners();
                }
            }
            Command::Stop(id, Some(reply)) => {
                let error = StopError::new(Report::default(), SinkError::Internal);
                let mut answer = Answer::new(reply, Err(error));
                answer.set(self.stop(id));
            }
            Command::Note(text) => self.note(&text),
            Command::About(key, value) => {
                // At the time that the model has come to: it needs no cut, after which what lies
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

    fn start(&mut self, mut output: Output) -> Result<RecordingId, StartError> {
        if self.model.is_some() {
            self.cut_now();
        } else {
            self.skip_to_now();
        }
        let number = self.generation.number + 1;
        let point = self.point;
        let id = self.id;
        let model = self.model.get_or_insert_with(|| new_model(id));
        let mut bytes = Writer::header(output.version).to_vec();
        let mut preamble = Vec::new();
        let (events, begin_ns) =
            model.preamble(number - 1, point.ns, &about::about(), &mut preamble);
        sync_batch(output.version, number - 1, begin_ns, &mut bytes);
        bytes.append(&mut preamble);
        output.write(&bytes);
        if let Some(error) = output.error() {
            let error = error.clone();
            self.drop_model_if_unused();
            return Err(StartError::Sink(error));
        }
        self.begin_generation(point.ns);
        let id = RecordingId(self.next_recording);
        self.next_recording += 1;
        let active = self.new_active(id, output, events);
        self.recordings.push(active);
        switch::set_enabled(true);
        Ok(id)
    }

    fn new_active(&self, id: RecordingId, output: Output, events: u64) -> Active {
        let counts = self.model.as_ref().map(Model::counts).unwrap_or_default();
        Active {
            id,
            output,
            report: Report {
                events,
                generations: 1,
                ..Report::default()
            },
            records_before: counts.records,
            dropped_before: self.dropped(),
            inferred_before: counts.inferred,
            untracked_before: counts.untracked,
            stacks_missed_before: stacks::broken_stacks(),
            begin_ns: self.point.ns,
        }
    }

    fn stop(&mut self, id: RecordingId) -> Result<Report, StopError> {
        if self.recordings.len() == 1 {
            switch::set_enabled(false);
        }
        self.cut_now();
        self.tell_untold_losses();
        self.write_group();
        let Some(position) = self.recordings.iter().position(|active| active.id == id) else {
            return Err(StopError::new(Report::default(), SinkError::Internal));
        };
        let mut active = self.recordings.remove(position);
        active.output.close();
        let report = self.report(&active);
        self.drop_model_if_unused();
        match active.output.error() {
            Some(error) => Err(StopError::new(report, error.clone())),
            None => Ok(report),
        }
    }

    fn report(&self, active: &Active) -> Report {
        let counts = self.model.as_ref().map(Model::counts).unwrap_or_default();
        let since = |now: u64, before: u64| now.saturating_sub(before);
        Report {
            bytes: active.output.bytes(),
            records: since(counts.records, active.records_before),
            records_dropped: since(self.dropped(), active.dropped_before),
            inferred: since(counts.inferred, active.inferred_before),
            untracked: since(counts.untracked, active.untracked_before),
            stacks_missed: since(stacks::broken_stacks(), active.stacks_missed_before),
            duration: Duration::from_nanos(self.point.ns.saturating_sub(active.begin_ns)),
            slowest_write: active.output.slowest_write(),
            ..active.report.clone()
        }
    }

    fn drop_model_if_unused(&mut self) {
        if self.recordings.is_empty() {
            self.model = None;
        }
    }

    /// Records lost by all threads, ever.
    fn dropped(&self) -> u64 {
        let living = self.sources.iter().map(Source::dropped).sum::<u64>();
        self.dropped_by_gone + living + LOST_ELSEWHERE.load(Ordering::Relaxed)
    }

    /// Tells losses that no thread could tell itself, as it did not record again.
    fn tell_untold_losses(&mut self) {
        let first = self.recordings.iter().map(|active| active.dropped_before);
        let lost = self.dropped() - first.min().unwrap_or(0).min(self.dropped());
        if let Some(model) = &mut self.model {
            let untold = lost.saturating_sub(model.counts().lost);
            if untold > 0 {
                let text =
                    format!("{untold} records lost at the end: the tracer's buffers were full");
                model.note(self.point.ns, "lost", &text);
            }
        }
    }

    fn note(&mut self, text: &str) {
        if self.model.is_some() {
            self.cut_now();
            if let Some(model) = &mut self.model {
                model.note(self.point.ns, "exectrace", text);
            }
        }
    }

    /// The regular step: applies what is old enough, and writes it.
    fn flush(&mut self) {
        let mut cut = self.point;
        self.read_all();
        self.apply_until(cut.ticks);
        if self.process.pool.get().is_some_and(|pool| pool.is_below(4)) {
            // Records that are held hold their chunks: no time for looking ahead.
            cut = self.point;
            self.apply_until(cut.ticks);
        }
        self.sample();
        self.write_group();
        self.renew_generation(cut.ns);
    }

    /// Asks for the counters' values.
    fn sample(&mut self) {
        if let Some(model) = &mut self.model {
            let time_ns = self.point.ns;
            schedule::sample(&mut |name, value| model.counter(time_ns, name, value));
        }
    }

    /// Applies and writes all that was recorded until now.
    fn cut_now(&mut self) {
        self.read_all();
        self.apply_until(self.point.ticks);
        self.write_group();
    }

    /// Takes a point and sees what all threads have published until then.
    fn read_all(&mut self) {
        self.point = Point::now();
        self.conversion.add(self.point);
        self.meet_new_threads();
        let Some(model) = &mut self.model else {
            return;
        };
        for (source, identity) in self.sources.iter_mut().zip(&self.identities) {
            source.look(self.point.ticks, |ticks, ahead| {
                model.foresee(|| self.conversion.to_ns(ticks), identity.index, ahead);
            });
        }
    }

    fn meet_new_threads(&mut self) {
        while let Some(shared) = self.process.new_threads.pop() {
            let index = self.free_indices.pop().unwrap_or_else(|| {
                self.next_index += 1;
                ThreadIndex(self.next_index - 1)
            });
            self.identities.push(Identity {
                index,
                id: ThreadId(shared.thread),
                name: shared.name.clone(),
            });
            self.sources.push(Source::new(shared));
        }
    }

    fn apply_until(&mut self, cut: u64) {
        let Some(model) = &mut self.model else {
            return;
        };
        let mut sink = ModelSink {
            model,
            conversion: &self.conversion,
            segment: Segment::default(),
            identities: &self.identities,
        };
        merge::merge(&mut self.sources, cut, &mut sink);
        self.retire();
    }

    /// Forgets threads that have ended and were read to their end.
    fn retire(&mut self) {
        let mut place = 0;
        while place < self.sources.len() {
            if !self.sources[place].is_finished() {
                place += 1;
                continue;
            }
            let mut source = self.sources.swap_remove(place);
            let identity = self.identities.swap_remove(place);
            if let Some(model) = &mut self.model {
                model.thread_gone(self.point.ns, identity.index);
            }
            self.dropped_by_gone += source.dropped();
            self.free_indices.push(identity.index);
            source.give_back_last_chunk();
        }
    }

    /// Before the first recording of several: skips what was left from before.
    fn skip_to_now(&mut self) {
        self.point = Point::now();
        self.conversion = Conversion::starting_at(self.point);
        self.meet_new_threads();
        for source in &mut self.sources {
            source.skip();
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
        if self.group.is_empty() {
            return;
        }
        let generation = &mut self.generation;
        generation.bytes += self.group.len();
        let begins = std::mem::take(&mut generation.unsynced);
        for active in &mut self.recordings {
            active.report.events += counts.events;
            if begins {
                active.report.generations += 1;
                let mut bytes = Vec::with_capacity(self.group.len() + 64);
                let version = active.output.version;
                sync_batch(version, generation.number, generation.begin_ns, &mut bytes);
                bytes.extend_from_slice(&self.group);
                active.output.write(&bytes);
            } else {
                active.output.write(&self.group);
            }
        }
    }

    /// Begins a generation if the present one is old or large enough. All records up to `cut_ns` were
    /// applied.
    fn renew_generation(&mut self, cut_ns: u64) {
        let generation = &self.generation;
        let age_ns = cut_ns.saturating_sub(generation.begin_ns);
        let is_used = !generation.unsynced;
        if is_used && (age_ns >= GENERATION_NS || generation.bytes >= GENERATION_BYTES) {
            let last_ns = self.model.as_ref().map_or(0, Model::time_ns);
            self.begin_generation(cut_ns.max(last_ns));
        }
    }

    fn begin_generation(&mut self, begin_ns: u64) {
        self.generation = Generation {
            number: self.generation.number + 1,
            begin_ns,
            bytes: 0,
            unsynced: true,
        };
        if let Some(model) = &mut self.model {
            model.begin_generation(self.generation.number, begin_ns);
        }
    }
}

/// The model as the merge sees it.
struct ModelSink<'a> {
    model: &'a mut Model,
    conversion: &'a Conversion,
    /// Where the last record lay: the next one nearly always does as well.
    segment: Segment,
    identities: &'a [Identity],
}

impl Sink for ModelSink<'_> {
    #[inline]
    fn knows(&self, span: SpanKey) -> bool {
        self.model.knows(span)
    }

    #[inline(always)]
    fn apply(&mut self, ticks: u64, index: usize, input: Input<'_>) {
        let time_ns = self.time_ns(ticks);
        let thread = self.identities[index].index;
        if !self.model.has_thread(thread) {
            self.meet(time_ns, index);
        }
        self.model.apply(time_ns, thread, input);
    }

    #[inline(always)]
    fn apply_whole(&mut self, ticks: [u64; 4], index: usize, new: &NewSpan<'_>) -> bool {
        let [made, entered, left, closed] = ticks;
        let times_ns = [
            self.time_ns(made),
            self.time_ns(entered),
            self.time_ns(left),
            self.time_ns(closed),
        ];
        let thread = self.identities[index].index;
        self.model.has_thread(thread) && self.model.apply_whole(times_ns, thread, new)
    }
}

impl ModelSink<'_> {
    #[inline(always)]
    fn time_ns(&mut self, ticks: u64) -> u64 {
        if !self.segment.has(ticks) {
            self.segment = self.conversion.segment_of(ticks);
        }
        self.segment.to_ns(ticks)
    }

    #[cold]
    fn meet(&mut self, time_ns: u64, index: usize) {
        let Identity { index, id, name } = &self.identities[index];
        self.model.meet(time_ns, *index, *id, name.as_deref());
    }
}

/// A model that knows the async tasks that are alive.
fn new_model(id: ThreadId) -> Model {
    let describe = |site: crate::input::SiteKey| crate::doors::describe(site.door, site.address);
    let mut model = Model::new(id, Box::new(describe));
    roster::tell(&mut |alive| model.adopt(&alive));
    model
}

fn sync_batch(
    version: exectrace_format::Version,
    generation: u64,
    time_ns: u64,
    out: &mut Vec<u8>,
) {
    // Before 1970 there was no tracer.
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let clock = ClockSnapshot {
        monotonic_ns: time_ns,
        unix_seconds: wall.as_secs(),
        unix_nanoseconds: wall.subsec_nanos(),
    };
    Writer::sync_batch(version, generation, time_ns, clock, out);
}
