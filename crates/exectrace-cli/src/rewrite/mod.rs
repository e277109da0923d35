//! Makes a trace of a trace: a part of it, or the same with other names of places.
//!
//! Events are read in their true order and written again, so that any window can be cut out, down
//! to the nanosecond. `world` follows the state of the traced program, `preamble` tells it where the
//! new trace begins, `encode` writes the events, and `texts` keeps names and stacks across the
//! generations of both traces.

mod encode;
mod old;
mod preamble;
mod texts;
mod world;

use std::io::{self, Read, Write};

use exectrace_format::{
    ClockSnapshot, CompactEvent, CompactKind, END_OF_GENERATION, ReadError, Reader, SideRecord,
    SyncClock, Tables, Version, Writer,
};

use crate::scope::Window;
use encode::Encoder;
use texts::Texts;
pub(crate) use texts::{AsTheyAre, Frames, Place};
use world::World;

/// A group is written as soon as it has about this many bytes.
const GROUP_BYTES: usize = 1 << 20;
/// Events between two looks at the size of the group, which cost a walk over all threads.
const EVENTS_BETWEEN_LOOKS: u64 = 4_096;

/// What came of it.
#[derive(Debug)]
pub(crate) struct Rewritten<F> {
    /// Events written, without those of the preamble; 0 means that nothing was written.
    pub(crate) events: u64,
    /// From the first event read to the last one, in nanoseconds.
    pub(crate) read_ns: u64,
    /// Why the trace could not be read further, if that is so. What comes before was written.
    pub(crate) damage: Option<ReadError>,
    /// What replaced the frames.
    pub(crate) frames: F,
}

/// Writes the part of a trace that lies in the window, as a trace of its own.
///
/// # Errors
///
/// The output fails.
pub(crate) fn rewrite<R: Read, W: Write, F: Frames>(
    mut reader: Reader<R>,
    out: W,
    window: Window,
    frames: F,
) -> io::Result<Rewritten<F>> {
    let mut rewriting = Rewriting::new(version_like(reader.version()), out, window, frames);
    let mut event = CompactEvent::default();
    let damage = loop {
        match reader.next_into(&mut event) {
            Ok(true) => {
                if !rewriting.take(&event, &reader)? {
                    break None;
                }
            }
            Ok(false) => break None,
            Err(error) => break Some(error),
        }
    };
    rewriting.finish(damage)
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

#[derive(Debug)]
struct Rewriting<W, F> {
    version: Version,
    out: W,
    window: Window,
    encoder: Encoder,
    texts: Texts<F>,
    world: World,
    /// The time of the first event read.
    begin_ns: Option<i64>,
    last_ns: i64,
    /// The generation of the trace that is read: when it began, and its clocks.
    sync: Option<(i64, Option<SyncClock>)>,
    /// The monotonic and the wall clock of the last generation that was written with clocks.
    clocks_ns: Option<[u64; 2]>,
    /// Threads for the events of an old trace.
    old_threads: old::Threads,
    /// Whether the next event begins a generation of the trace that is written.
    is_between: bool,
    /// Side data for the next generation that is written.
    side: Vec<SideRecord>,
    /// Generations written.
    generations: u64,
    /// What is added to all times, so that none is below 1.
    shift_ns: i64,
    events: u64,
    buffer: Vec<u8>,
}

impl<W: Write, F: Frames> Rewriting<W, F> {
    fn new(version: Version, out: W, window: Window, frames: F) -> Self {
        Self {
            version,
            out,
            window,
            encoder: Encoder::new(),
            texts: Texts::new(frames),
            world: World::default(),
            begin_ns: None,
            last_ns: 0,
            sync: None,
            clocks_ns: None,
            old_threads: old::Threads::default(),
            is_between: true,
            side: Vec::new(),
            generations: 0,
            shift_ns: 0,
            events: 0,
            buffer: Vec::new(),
        }
    }

    /// Takes the next event; whether more are wanted.
    fn take<R: Read>(&mut self, event: &CompactEvent, reader: &Reader<R>) -> io::Result<bool> {
        let begin_ns = *self.begin_ns.get_or_insert(event.time.0);
        self.last_ns = event.time.0;
        let since_ns = event.time.0.abs_diff(begin_ns);
        if since_ns >= self.window.end_ns() {
            return Ok(false);
        }
        let tables = reader.tables();
        match event.kind {
            CompactKind::Sync { clock, .. } => {
                self.texts.begin_reading();
                self.sync = Some((event.time.0, clock));
                self.end_generation()?;
            }
            CompactKind::SideData(()) => {
                if let Some(record) = reader.side_record() {
                    self.take_side(record);
                }
            }
            CompactKind::UnreadableSideData(_) => {}
            _ => {
                if !reader.version().is_v1() {
                    self.take_event(event, tables)?;
                } else {
                    for event in &self.old_threads.in_full(event, &self.world) {
                        self.take_event(event, tables)?;
                    }
                }
            }
        }
        Ok(true)
    }

    /// Writes an event, if it is in the window, and notes what it changes.
    fn take_event(&mut self, event: &CompactEvent, tables: &Tables) -> io::Result<()> {
        let begin_ns = self.begin_ns.unwrap_or(event.time.0);
        if event.time.0.abs_diff(begin_ns) >= self.window.begin_ns() {
            if self.is_between {
                self.begin_generation(event.time.0)?;
            }
            let time_ns = self.shifted(event.time.0);
            let (world, texts) = (&self.world, &mut self.texts);
            self.encoder.encode(event, time_ns, tables, world, texts);
            self.events += 1;
            if self.events.is_multiple_of(EVENTS_BETWEEN_LOOKS)
                && self.encoder.writer.pending_bytes() >= GROUP_BYTES
            {
                self.write_group()?;
            }
        }
        self.world.apply(event, tables, &mut self.texts);
        Ok(())
    }

    /// Keeps a record of side data if it is of the window.
    fn take_side(&mut self, record: &SideRecord) {
        let time_ns = world::time_of(record);
        // Of what has a time the world keeps what was true when the window begins.
        if time_ns.is_none_or(|(_, to_ns)| !self.has_part_of((0, to_ns))) {
            self.world.learn(record);
        }
        let is_wanted = match time_ns {
            Some(time_ns) => self.has_part_of(time_ns),
            // Before the first generation, the world keeps them.
            None => self.generations > 0,
        };
        if is_wanted {
            self.side.push(record.clone());
        }
    }

    /// Whether some of the time lies in the window, which clips nothing of what is said of it.
    fn has_part_of(&self, (from_ns, to_ns): (u64, u64)) -> bool {
        let begin_ns = u64::try_from(self.begin_ns.unwrap_or(0)).unwrap_or(0);
        let since_ns = |time_ns: u64| time_ns.saturating_sub(begin_ns);
        since_ns(from_ns) < self.window.end_ns() && since_ns(to_ns) >= self.window.begin_ns()
    }

    fn shifted(&self, time_ns: i64) -> u64 {
        time_ns.saturating_add(self.shift_ns).max(1) as u64
    }

    /// Begins a generation with the event at `time_ns`; the first one with the preamble.
    fn begin_generation(&mut self, time_ns: i64) -> io::Result<()> {
        let (sync_ns, clock) = self.sync.unwrap_or((time_ns, None));
        let is_first = self.generations == 0;
        let mut start_ns = sync_ns;
        if is_first {
            if !self.world.goes.is_empty() || !self.world.procs.is_empty() {
                let from_ns = i64::try_from(self.window.begin_ns()).unwrap_or(i64::MAX);
                let cut_ns = self
                    .begin_ns
                    .unwrap_or(0)
                    .saturating_add(from_ns)
                    .min(time_ns);
                let room_ns = preamble::events_max(&self.world);
                start_ns = cut_ns.saturating_sub(i64::try_from(room_ns).unwrap_or(i64::MAX));
            }
            self.shift_ns = 1_i64.saturating_sub(start_ns).max(0);
            self.out.write_all(&Writer::header(self.version))?;
        }
        self.generations += 1;
        self.is_between = false;
        let start = self.shifted(start_ns);
        let clocks_ns = clocks_at(start_ns, clock, self.clocks_ns);
        self.clocks_ns = clocks_ns.or(self.clocks_ns);
        Writer::sync_batch(
            self.version,
            self.generations,
            start,
            snapshot(clocks_ns),
            &mut self.buffer,
        );
        self.texts.begin_writing();
        self.encoder.begin_generation(self.generations, start);
        if is_first {
            let facts = std::mem::take(&mut self.world.facts);
            for record in &facts {
                let mut record = record.clone();
                world::shift(&mut record, self.shift_ns.max(0) as u64);
                self.encoder.writer.side_record(&record);
            }
            self.world.facts = facts;
            for (&task, open) in &self.world.tasks {
                let known = self.world.began_before.get(&task);
                let known_ns = known.and_then(|&time_ns| i64::try_from(time_ns).ok());
                let time_ns = self.shifted(known_ns.unwrap_or(open.begin_ns));
                let record = SideRecord::BeganBefore { task, time_ns };
                self.encoder.writer.side_record(&record);
            }
            let (world, texts) = (&self.world, &mut self.texts);
            preamble::write(world, start, &mut self.encoder, texts);
        }
        let shift_ns = self.shift_ns.max(0) as u64;
        for mut record in self.side.drain(..) {
            world::shift(&mut record, shift_ns);
            self.encoder.writer.side_record(&record);
        }
        Ok(())
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

    fn finish(mut self, damage: Option<ReadError>) -> io::Result<Rewritten<F>> {
        self.end_generation()?;
        self.out.flush()?;
        Ok(Rewritten {
            events: self.events,
            read_ns: self.last_ns.abs_diff(self.begin_ns.unwrap_or(self.last_ns)),
            damage,
            frames: self.texts.into_frames(),
        })
    }
}

/// What the clocks of the machine showed at an instant, monotonic and wall, by what they showed at another;
/// later than in the generation before, also where the trace that is read does not have it so.
fn clocks_at(time_ns: i64, clock: Option<SyncClock>, before: Option<[u64; 2]>) -> Option<[u64; 2]> {
    let clock = clock?;
    let later_ns = i128::from(time_ns) - i128::from(clock.time.0);
    let snapshot = clock.snapshot;
    let wall_ns =
        i128::from(snapshot.unix_seconds) * SECOND_NS + i128::from(snapshot.unix_nanoseconds);
    let shown = [i128::from(snapshot.monotonic_ns), wall_ns].map(|ns| at_least_zero(ns + later_ns));
    let least = before.unwrap_or_default().map(|ns| ns.saturating_add(1));
    Some([shown[0].max(least[0]), shown[1].max(least[1])])
}

fn snapshot(clocks_ns: Option<[u64; 2]>) -> ClockSnapshot {
    clocks_ns.map_or_else(ClockSnapshot::default, |[monotonic_ns, wall_ns]| {
        ClockSnapshot {
            monotonic_ns,
            unix_seconds: wall_ns / SECOND_NS as u64,
            unix_nanoseconds: (wall_ns % SECOND_NS as u64) as u32,
        }
    })
}

const SECOND_NS: i128 = 1_000_000_000;

fn at_least_zero(value: i128) -> u64 {
    u64::try_from(value.max(0)).unwrap_or(u64::MAX)
}
