//! The generations of the trace that is written.

use std::collections::BTreeMap;
use std::io::{self, Write};

use exectrace_format::{END_OF_GENERATION, SideRecord, SyncClock, TaskId, Version, Writer};
use exectrace_replay::{End, HeapSample, Input, Observer, Stack, State, UserTask, Window};

use super::clocks::{self, ClocksNs};
use super::encode::Encoder;
use super::heap::AliveSamples;
use super::names::{Context, WrittenNames};
use super::preamble;
use super::side_data::{self, LastingRecords};
use super::symbolizer::Symbolizer;

/// A group is written as soon as it has about this many bytes.
const GROUP_BYTES: usize = 1 << 20;
/// Events between two looks at the size of the group, which cost a walk over all threads.
const EVENTS_BETWEEN_LOOKS: u64 = 4_096;

/// Writes the events of a window, as a trace is replayed.
#[derive(Debug)]
pub(super) struct Writing<'a, W, S> {
    version: Version,
    out: W,
    window: Window,
    encoder: Encoder,
    names: WrittenNames<'a, S>,
    /// The generation of the trace that is read: when it began, and its clocks.
    sync: Option<(i64, Option<SyncClock>)>,
    /// What the clocks showed in the last generation that was written with clocks.
    clocks_ns: Option<ClocksNs>,
    /// Whether the next event begins a generation of the trace that is written.
    is_between: bool,
    /// Records from before the window that hold in it.
    lasting: LastingRecords,
    /// The true begins of user tasks of which a preamble in the trace that is read is still to say that they
    /// began; until something is written.
    begins_ahead: BTreeMap<TaskId, u64>,
    /// Side data for the next generation that is written, and the stacks in it.
    side: Vec<(SideRecord, Stack)>,
    heap: AliveSamples,
    /// Generations written.
    generations: u64,
    /// What is added to all times, so that none is below 1.
    shift_ns: u64,
    events: u64,
    buffer: Vec<u8>,
}

impl<W: Write, S: Symbolizer> Observer for Writing<'_, W, S> {
    type Error = io::Error;

    fn before(&mut self, state: &mut State, input: &Input<'_>) -> io::Result<()> {
        if !input.event.kind.is_of_program() || !self.has_begun(state) {
            return Ok(());
        }
        if self.is_between {
            self.begin_generation(state)?;
        }
        let time_ns = self.shifted(state.now());
        let mut context = Context {
            state,
            tables: input.tables,
            written: &mut self.names,
        };
        self.encoder.encode(input.event, time_ns, &mut context);
        self.events += 1;
        if self.events.is_multiple_of(EVENTS_BETWEEN_LOOKS)
            && self.encoder.writer.pending_bytes() >= GROUP_BYTES
        {
            self.write_group()?;
        }
        Ok(())
    }

    fn sync(&mut self, state: &State, clock: Option<&SyncClock>) -> io::Result<()> {
        self.sync = Some((state.now(), clock.copied()));
        self.end_generation()
    }

    fn user_task_end(&mut self, _: &State, user_task: &UserTask, _: End) -> io::Result<()> {
        if !self.begins_ahead.is_empty() {
            self.begins_ahead.remove(&user_task.id);
        }
        Ok(())
    }

    /// Keeps a sample if it is of the window, or may be alive when that begins.
    fn heap_sample(&mut self, state: &State, sample: &HeapSample<'_>) -> io::Result<()> {
        let time_ns = u64::try_from(sample.time).unwrap_or(0);
        if !self.has_part_of((0, time_ns), state) {
            if self.generations == 0 {
                self.heap.insert(sample);
            }
        } else if self.has_part_of((time_ns, time_ns), state) {
            self.side.push((sample.record.clone(), sample.stack));
        }
        Ok(())
    }

    /// Keeps a record if it is of the window.
    fn side(&mut self, state: &State, record: &SideRecord) -> io::Result<()> {
        if let SideRecord::HeapSample { .. } = record {
            // `heap_sample` has it, with its stack.
            return Ok(());
        }
        if let SideRecord::BeganBefore { task, time_ns } = *record
            && self.generations == 0
        {
            self.begins_ahead.insert(task, time_ns);
        }
        let time_ns = side_data::time_of(record);
        if let (&SideRecord::HeapFree { sample, .. }, Some((_, to_ns))) = (record, time_ns)
            && !self.has_part_of((0, to_ns), state)
        {
            self.heap.remove(sample);
        }
        // Of what has a time, the last before the window holds in it.
        if time_ns.is_none_or(|(_, to_ns)| !self.has_part_of((0, to_ns), state)) {
            self.lasting.take(record);
        }
        let is_wanted = match time_ns {
            Some(time_ns) => self.has_part_of(time_ns, state),
            // Before the first generation, the lasting records have them.
            None => self.generations > 0,
        };
        if is_wanted {
            let mut record = record.clone();
            let stack = side_data::stack_of(&mut record).copied();
            let stack = stack.and_then(|id| state.names().known_stack(id));
            self.side.push((record, stack.unwrap_or_default()));
        }
        Ok(())
    }
}

impl<'a, W: Write, S: Symbolizer> Writing<'a, W, S> {
    /// For a trace of this version.
    pub(super) fn new(version: Version, out: W, window: Window, symbolizer: &'a mut S) -> Self {
        Self {
            version: version_like(version),
            out,
            window,
            encoder: Encoder::new(),
            names: WrittenNames::new(symbolizer),
            sync: None,
            clocks_ns: None,
            is_between: true,
            lasting: LastingRecords::default(),
            begins_ahead: BTreeMap::new(),
            side: Vec::new(),
            heap: AliveSamples::default(),
            generations: 0,
            shift_ns: 0,
            events: 0,
            buffer: Vec::new(),
        }
    }

    /// Ends the trace that is written, and counts its events.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.end_generation()?;
        self.out.flush()?;
        Ok(self.events)
    }

    /// Whether the window has begun.
    fn has_begun(&self, state: &State) -> bool {
        state.now().abs_diff(state.begin()) >= self.window.begin_ns
    }

    /// Whether some of the time lies in the window.
    fn has_part_of(&self, (from_ns, to_ns): (u64, u64), state: &State) -> bool {
        let begin_ns = u64::try_from(state.begin()).unwrap_or(0);
        let since_ns = |time_ns: u64| time_ns.saturating_sub(begin_ns);
        since_ns(from_ns) < self.window.end_ns && since_ns(to_ns) >= self.window.begin_ns
    }

    fn shifted(&self, time_ns: i64) -> u64 {
        time_ns.saturating_add_unsigned(self.shift_ns).max(1) as u64
    }

    /// Begins a generation with the current event; the first one with the preamble.
    fn begin_generation(&mut self, state: &State) -> io::Result<()> {
        let (sync_ns, clock) = self.sync.unwrap_or((state.now(), None));
        let is_first = self.generations == 0;
        let start_ns = match is_first {
            true => self.begin_of_preamble(state).unwrap_or(sync_ns),
            false => sync_ns,
        };
        if is_first {
            self.shift_ns = 1_i64.saturating_sub(start_ns).max(0).unsigned_abs();
            self.out.write_all(&Writer::header(self.version))?;
        }
        self.generations += 1;
        self.is_between = false;
        let start = self.shifted(start_ns);
        let clocks_ns = clocks::clocks_at(start_ns, clock, self.clocks_ns);
        self.clocks_ns = clocks_ns.or(self.clocks_ns);
        let snapshot = clocks::snapshot(clocks_ns);
        let (version, number) = (self.version, self.generations);
        Writer::sync_batch(version, number, start, snapshot, &mut self.buffer);
        self.names.begin_generation();
        self.encoder.begin_generation(number, start);
        if is_first {
            self.write_what_holds(state);
            preamble::write(state, start, &mut self.encoder, &mut self.names);
        }
        let alive = match is_first {
            true => self.heap.take(),
            false => Vec::new(),
        };
        for (mut record, stack) in alive.into_iter().chain(self.side.drain(..)) {
            side_data::shift(&mut record, self.shift_ns);
            let writer = &mut self.encoder.writer;
            if let Some(id) = side_data::stack_of(&mut record) {
                *id = self.names.stack(stack, state.names(), writer);
            }
            writer.side_record(&record);
        }
        Ok(())
    }

    /// When the preamble has to begin to lie before the window; `None` if nothing has to be said in it.
    fn begin_of_preamble(&self, state: &State) -> Option<i64> {
        let events = preamble::events_max(state)?;
        let from_ns = i64::try_from(self.window.begin_ns).unwrap_or(i64::MAX);
        let cut_ns = state.begin().saturating_add(from_ns).min(state.now());
        Some(cut_ns.saturating_sub(i64::try_from(events).unwrap_or(i64::MAX)))
    }

    /// Writes side data of before that hold in the window.
    fn write_what_holds(&mut self, state: &State) {
        for record in self.lasting.all() {
            let mut record = record.clone();
            side_data::shift(&mut record, self.shift_ns);
            self.encoder.writer.side_record(&record);
        }
        let mut begins = std::mem::take(&mut self.begins_ahead);
        for time_ns in begins.values_mut() {
            *time_ns = time_ns.saturating_add(self.shift_ns);
        }
        let open = state.user_tasks().into_iter();
        begins.extend(open.map(|open| (open.id, self.shifted(open.begin))));
        for (task, time_ns) in begins {
            let record = SideRecord::BeganBefore { task, time_ns };
            self.encoder.writer.side_record(&record);
        }
    }

    fn end_generation(&mut self) -> io::Result<()> {
        self.side.clear();
        if std::mem::replace(&mut self.is_between, true) {
            return Ok(());
        }
        self.encoder.settle_all();
        self.write_group()?;
        if self.version.has_end_of_generation() {
            self.out.write_all(&[END_OF_GENERATION])?;
        }
        Ok(())
    }

    fn write_group(&mut self) -> io::Result<()> {
        self.encoder.writer.finish_group(&mut self.buffer);
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// The version in which a trace of this version is written: the same, or the oldest that has all
/// events that are needed.
fn version_like(version: Version) -> Version {
    if version.has_end_of_generation() {
        Version::Go126
    } else if version.has_sync_batch() {
        Version::Go125
    } else {
        Version::Go123
    }
}
