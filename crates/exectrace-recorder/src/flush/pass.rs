//! A pass of the flush thread: it reads what the threads have published, applies what is old enough, and
//! writes what the model made of it.

use super::apply::apply_records;
use super::{Flusher, GROUP};
use crate::calls::{self, Call};
use crate::clock::{ClockSample, Conversion, measure_tick};
use crate::heap;
use crate::model::{Model, ThreadIndex};
use crate::park_counts;
use crate::samplers;
use crate::thread_reader::ThreadReader;

/// When the flush thread is behind, it looks after this much of what was recorded whether a group is
/// complete …
const SLICE_NS: u64 = 10_000_000;
/// … but not more often than this, as each look costs something for each thread.
const MAX_SLICES: u64 = 64;
/// A group is complete at so many events, about a megabyte: they should be in the file before the rest
/// is read.
const GROUP_EVENTS: u64 = 1 << 17;

impl Flusher {
    /// The regular step: applies what is old enough, and writes it.
    pub(super) fn flush(&mut self) {
        let before = self.now.sample;
        self.read_all();
        self.sample_threads(false);
        self.apply_until(held_until(before, self.now.sample));
        if self.process.pool.get().is_some_and(|pool| pool.is_below(4)) {
            // Records that are held hold their chunks: no time for looking ahead.
            self.apply_until(self.now.sample.ticks);
        }
        self.take_sums();
        self.sample();
        self.sample_usage(false);
        self.sample_system(false);
        if let Some(model) = &mut self.model {
            self.budgets.pass(self.now.sample.ns, model);
        }
        self.report_losses();
        self.look_at_silence();
        self.write_group();
        self.publish();
    }

    /// Asks for the counters' values.
    fn sample(&mut self) {
        if let Some(model) = &mut self.model {
            let time_ns = self.now.sample.ns;
            samplers::sample(&mut |name, value| model.counter(time_ns, name, value));
        }
    }

    /// Asks what the system has counted of the process and its container; all of it, or what is due.
    pub(super) fn sample_system(&mut self, all: bool) {
        if let (Some(model), Some(system)) = (&mut self.model, &mut self.system) {
            let time_ns = self.now.sample.ns.max(model.time_ns());
            system.sample(time_ns, all, &mut |name, value| {
                model.counter(time_ns, name, value);
            });
        }
    }

    /// Asks how often threads were stopped.
    pub(super) fn sample_usage(&mut self, all: bool) {
        if let Some(model) = &mut self.model {
            self.thread_usages.sample(&self.readers, all, model);
        }
    }

    /// Asks what the system has counted of the threads that recorded since the last look, or of all.
    ///
    /// Before the records up to now are applied, so that a generation has the samples up to its end.
    pub(super) fn sample_threads(&mut self, all: bool) {
        let Some(model) = &mut self.model else {
            return;
        };
        // What the threads found themselves is older.
        let mut words = Vec::new();
        for reader in &self.readers {
            let thread = reader.id();
            reader.take_looks(&mut words, |look| {
                self.thread_times.found(thread, &look, model);
                self.thread_usages.found(thread, &look, model);
            });
        }
        self.thread_times.sample(&self.readers, all, model);
    }

    /// Applies and writes all that was recorded until now.
    pub(super) fn apply_all(&mut self) {
        self.read_all();
        self.sample_threads(false);
        self.apply_until(self.now.sample.ticks);
        self.take_sums();
        self.report_losses();
        self.write_group();
    }

    /// Takes a moment and sees what all threads have published until then.
    fn read_all(&mut self) {
        self.now = (self.take_moment)();
        self.conversion.add(self.now.sample);
        calls::set_tick(self.conversion.ns_per_tick());
        park_counts::set_tick(self.conversion.ns_per_tick());
        self.register_new_threads();
        let Some(model) = &mut self.model else {
            return;
        };
        if let Some(switches) = &mut self.switches {
            switches.drain(&self.readers, model);
        }
        self.sampling.look(&self.readers, model);
        self.following.look();
        for reader in &mut self.readers {
            let thread = reader.index();
            reader.look(self.now.sample.ticks, |ticks, upcoming| {
                let time_ns = |after| self.conversion.to_ns(ticks + after);
                model.look_ahead(time_ns, thread, upcoming);
            });
        }
    }

    fn register_new_threads(&mut self) {
        let process = self.process;
        let next = || {
            process
                .new_threads
                .pop()
                .or_else(|| process.new_unguarded_threads.pop())
        };
        while let Some(shared) = next() {
            let index = self.free_indices.pop().unwrap_or_else(|| {
                self.next_index += 1;
                ThreadIndex(self.next_index - 1)
            });
            let reader = ThreadReader::new(index, shared);
            self.sampling.thread_added(&reader);
            self.readers.push(reader);
        }
    }

    /// Applies the records up to `watermark` ticks, and writes groups of them as they become complete.
    fn apply_until(&mut self, watermark: u64) {
        self.give_open_calls(watermark);
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
                apply_records(
                    &mut self.readers,
                    self.sampling.pending(),
                    until,
                    &self.conversion,
                    model,
                );
                self.counted.note_last_record(model);
                model.come_to(self.conversion.to_ns(until));
                // So that a generation has all that was freed up to its end.
                self.following.apply(until, &self.conversion, model);
            }
            self.write_complete_group(until);
        }
        self.applied_ticks = watermark;
        self.retire();
    }

    /// Writes what is pending if that is enough for a group or completes the generation, and then begins the next one.
    /// All records up to `watermark` ticks were applied.
    fn write_complete_group(&mut self, watermark: u64) {
        let pending = self.model.as_mut().map_or(0, Model::pending_events);
        let watermark_ns = self.conversion.to_ns(watermark);
        let is_due = self.is_rotation_due();
        if pending >= GROUP_EVENTS || self.generation.is_over(watermark_ns) || is_due {
            self.write_group();
            let begin_ns = self
                .model
                .as_ref()
                .map_or(0, Model::time_ns)
                .max(watermark_ns);
            if is_due {
                self.rotate(begin_ns);
            } else if self.generation.is_over(watermark_ns) {
                self.generation.renew(begin_ns, self.now);
                self.begin_generation(begin_ns);
            }
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
            self.take_sums_of(&mut reader);
            self.thread_times.forget(id);
            self.thread_usages.forget(id);
            if let Some(switches) = &mut self.switches {
                switches.forget(id, self.model.as_mut());
            }
            self.sampling.thread_gone(&reader);
            if let Some(model) = &mut self.model {
                // Too short to be seen while it lasted, and no record says how long it took.
                if let Some(call) = reader.take_last_call() {
                    model.calls_counted(Some((index, id)), call, 1, 0);
                }
                model.thread_gone(self.now.sample.ns, index);
                model.dropped(model.time_ns(), id, reader.take_unreported());
            }
            self.free_indices.push(index);
            self.process.idle_threads.push(reader.give_back());
        }
        self.keep_spare_threads();
    }

    /// Sees to it that threads find descriptions which they need not allocate, if they may come to need one.
    pub(super) fn keep_spare_threads(&self) {
        let (spare, idle) = (&self.process.spare_threads, &self.process.idle_threads);
        let is_used = calls::is_linked() || heap::is_in_use();
        while is_used && !spare.is_full() {
            let shared = idle.pop().unwrap_or_else(|| Box::leak(Box::default()));
            if let Err(shared) = spare.push(shared) {
                idle.push(shared);
            }
        }
    }

    /// Gives the model the calls that threads are in since before `watermark` ticks. They have no record yet.
    fn give_open_calls(&mut self, watermark: u64) {
        let Some(model) = &mut self.model else {
            return;
        };
        for reader in &mut self.readers {
            if let Some(began) = reader.take_ended_call() {
                // After its record, if there is one, as that is applied now.
                let time_ns = self.conversion.to_ns(watermark);
                model.call_is_over(time_ns, reader.index(), began);
            }
            if let Some((began, call)) = reader.take_open_call(watermark) {
                let time_ns = self.conversion.to_ns(began);
                reader.make_known(time_ns, model);
                model.call_is_open(time_ns, reader.index(), call, began);
            }
        }
    }

    /// Takes the sums of calls that threads have not reported, as they did nothing else.
    pub(super) fn take_sums(&mut self) {
        let mut readers = std::mem::take(&mut self.readers);
        for reader in &mut readers {
            self.take_sums_of(reader);
        }
        self.readers = readers;
        self.take_sums_of_no_thread();
        if let Some(model) = &mut self.model {
            model.write_live_bytes();
        }
    }

    fn take_sums_of(&mut self, reader: &mut ThreadReader) {
        let Some(model) = &mut self.model else {
            return;
        };
        let (thread, id, conversion) = (reader.index(), reader.id(), &self.conversion);
        reader.take_sums(|call, sum| {
            let total_ns = (sum.ticks as f64 * conversion.ns_per_tick()) as u64;
            model.calls_counted(Some((thread, id)), call, sum.calls, total_ns);
        });
        if let Some(sum) = reader.take_heap_sum() {
            reader.make_known(self.now.sample.ns, model);
            model.allocated(Some((thread, id)), sum);
        }
    }

    fn take_sums_of_no_thread(&mut self) {
        for &call in Call::ALL {
            let counted = calls::counted_elsewhere(call);
            let taken = &mut self.sums_of_no_thread[call as usize];
            let grown = counted.saturating_sub(std::mem::replace(taken, counted));
            if let (Some(model), true) = (&mut self.model, grown > 0) {
                model.calls_counted(None, call, grown, 0);
            }
        }
        let allocated = heap::take_elsewhere();
        if let Some(model) = &mut self.model {
            model.allocated(None, allocated);
        }
    }

    /// Before the first recording of several: skips what was left from before.
    pub(super) fn skip_to_now(&mut self) {
        self.now = (self.take_moment)();
        self.conversion = Conversion::starting_at(self.now.sample);
        if calls::is_linked() {
            calls::set_tick(measure_tick());
        }
        self.applied_ticks = self.now.sample.ticks;
        self.register_new_threads();
        for reader in &mut self.readers {
            reader.skip();
        }
        // There is no model yet: what was counted before is left out.
        self.take_sums_of_no_thread();
        self.retire();
    }

    /// Writes the events since the last group to all recordings.
    pub(super) fn write_group(&mut self) {
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
}

/// The ticks before which all was recorded that is a group's length old, or older than the last sample:
/// where the flush thread is behind, the records since that sample need not all wait for the next one.
fn held_until(last: ClockSample, now: ClockSample) -> u64 {
    let passed_ns = now.ns.saturating_sub(last.ns).max(1) as f64;
    let old_ns = passed_ns - GROUP.as_nanos() as f64;
    let passed_ticks = now.ticks.saturating_sub(last.ticks) as f64;
    last.ticks + (passed_ticks * (old_ns / passed_ns).max(0.0)) as u64
}
