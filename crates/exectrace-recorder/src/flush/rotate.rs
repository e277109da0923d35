//! Files that begin while others are written: what a file begins with, and the next one of a recording that rotates.

use exectrace_format::conventions::{
    CPU, HEAP, HEAP_SAMPLES, KERNEL_SWITCHES, KERNEL_USAGE, THREADS_CPU,
};
use exectrace_format::{Version, Writer};

use super::Flusher;
use super::active::Active;
use super::silence::Silence;
use crate::capabilities;
use crate::heap;
use crate::model::Missing;
use crate::recording::FileTime;
use crate::switches::Switches;
use crate::system::System;

/// What a file begins with.
#[derive(Debug)]
pub(super) struct Preamble {
    pub(super) bytes: Vec<u8>,
    pub(super) events: u64,
    /// The number of its generation.
    pub(super) generation: u64,
    pub(super) begin: FileTime,
}

impl Flusher {
    /// What a file begins with that begins with the present generation, at `begin_ns`. All that was before is applied
    /// and written, and the model has not begun the generation, in which it may have events at once.
    pub(super) fn preamble(
        &self,
        version: Version,
        begin_ns: u64,
        missing: Option<&Missing>,
        silence: Option<&Silence>,
    ) -> Preamble {
        let number = self.generation.number();
        let mut about = self.about();
        about.extend(silence.and_then(Silence::about));
        let mut preamble = Preamble {
            bytes: Writer::header(version).to_vec(),
            events: 0,
            generation: number - 1,
            begin: FileTime {
                ns: begin_ns,
                wall: self.now.wall_at(begin_ns),
            },
        };
        let Some(model) = &self.model else {
            return preamble;
        };
        let mut group = Vec::new();
        let (events, first_ns) = model.preamble(number - 1, begin_ns, &about, missing, &mut group);
        preamble.events = events;
        self.generation
            .sync_batch_of_preamble(version, first_ns, &mut preamble.bytes);
        preamble.bytes.append(&mut group);
        preamble
    }

    /// What the tracer says of itself at the beginning of a file.
    fn about(&self) -> Vec<(&'static str, String)> {
        let mut about = capabilities::all();
        about.push((THREADS_CPU, self.thread_times.about()));
        if heap::is_in_use() {
            about.push((HEAP, heap::about()));
            about.push((HEAP_SAMPLES, heap::about_samples()));
        }
        about.push(self.thread_usages.about());
        about.extend(self.switches.iter().map(Switches::about));
        about.extend(self.system.iter().flat_map(System::about));
        about.extend(self.sampling.about());
        about
    }

    /// The sources that the settings ask for, or leave on, and that the system refuses, and why.
    pub(super) fn refused(&self) -> Vec<(&'static str, String)> {
        if !cfg!(target_os = "linux") {
            // They are known to be Linux's alone.
            return Vec::new();
        }
        let switches = self.switches.as_ref().and_then(Switches::refused);
        let all = [
            (THREADS_CPU, self.thread_times.missing()),
            (KERNEL_USAGE, self.thread_usages.missing()),
            (KERNEL_SWITCHES, switches),
            (CPU, self.sampling.refused()),
        ];
        let refused = all.into_iter();
        refused
            .filter_map(|(source, why)| Some((source, why?)))
            .collect()
    }

    /// Whether some recording should begin its next file.
    pub(super) fn is_rotation_due(&mut self) -> bool {
        let now_ns = self.now.sample.ns;
        let due = self
            .recordings
            .iter_mut()
            .map(|active| active.is_due(now_ns));
        // All are asked, as they keep the time.
        due.fold(false, |any, is_due| any | is_due)
    }

    /// Begins a generation at `begin_ns`, and with it the next file of each recording for which that is due.
    pub(super) fn rotate(&mut self, begin_ns: u64) {
        let now_ns = self.now.sample.ns;
        self.begin_next_files(begin_ns, |active| active.is_due(now_ns));
    }

    /// Begins a generation at `begin_ns`. Each recording that is to ends its file, if it has one, and begins the next.
    pub(super) fn begin_next_files(
        &mut self,
        begin_ns: u64,
        mut is_to: impl FnMut(&mut Active) -> bool,
    ) {
        self.generation.renew(begin_ns, self.now);
        let totals = self.totals();
        for place in 0..self.recordings.len() {
            let active = &mut self.recordings[place];
            if is_to(active) {
                active.seal();
                let (version, missing) = (active.version(), active.missing(totals));
                let silence = &self.recordings[place].silence;
                let preamble = self.preamble(version, begin_ns, missing.as_ref(), Some(silence));
                self.recordings[place].begin_file(&preamble, totals);
            }
        }
        self.begin_generation(begin_ns);
    }

    /// Has the model begin the present generation, once: what is pending in it would be dropped the second time.
    pub(super) fn begin_generation(&mut self, begin_ns: u64) {
        if let Some(model) = &mut self.model {
            model.begin_generation(self.generation.number(), begin_ns);
        }
    }
}
