//! From the threads' buffers to the model: each record that the merge yields is decoded and applied.

use crate::clock::{Conversion, Segment};
use crate::cpu::{PendingSamples, Sample};
use crate::decode::Peek;
use crate::heap_sums::HeapSum;
use crate::input::{Input, SpanKey};
use crate::kinds::Kind;
use crate::merge::{Merge, Run};
use crate::model::{Model, ThreadIndex};
use crate::thread_reader::ThreadReader;

/// Applies all records up to the watermark, in ticks, that the readers have looked at.
pub(crate) fn apply_records(
    readers: &mut [ThreadReader],
    samples: &mut PendingSamples,
    watermark: u64,
    conversion: &Conversion,
    model: &mut Model,
) {
    let mut target = Target {
        model,
        samples,
        conversion,
        segment: Segment::default(),
    };
    let mut merge = Merge::new(readers, watermark);
    loop {
        // A sample belongs to what its thread does then, so the records before it are applied first.
        let end = target.samples.next_ticks().min(watermark);
        while let Some(mut run) = merge.next_run(end) {
            let reader = merge.reader(run.index);
            if let Some((ticks, span)) = target.take_run(reader, &mut run) {
                merge.wait(run, ticks, span);
            }
        }
        let Some(sample) = target.samples.take_until(watermark) else {
            return;
        };
        target.take_sample(&sample, |thread| merge.reader_of(thread));
    }
}

/// The model, and what converts ticks to its time.
struct Target<'a> {
    model: &'a mut Model,
    samples: &'a mut PendingSamples,
    conversion: &'a Conversion,
    /// Where the last record lay: the next one nearly always does as well.
    segment: Segment,
}

impl Target<'_> {
    /// Applies the records of a run, or those before one that names a span that is not known: then returns its
    /// ticks and the span.
    fn take_run(&mut self, reader: &mut ThreadReader, run: &mut Run) -> Option<(u64, SpanKey)> {
        // What is known of a record stays in registers here: through memory it cost a tenth of the flush thread.
        let leaf_until = if run.is_brought_forward() {
            0
        } else {
            run.until
        };
        while run.records > 0
            && let Some(peek) = reader.peek()
            && peek.ticks <= run.until
        {
            if run.is_brought_forward() {
                self.take_samples_before(reader, peek.ticks);
            }
            let is_searched = std::mem::take(&mut run.is_searched);
            if let Some(span) = reader.named(&peek)
                && !self.model.knows(span)
                && !is_searched
            {
                return Some((peek.ticks, span));
            }
            self.take(reader, &peek, leaf_until);
            if run.is_brought_forward() {
                run.records -= 1;
            }
        }
        None
    }

    /// Applies a thread's next record, and steps over it; and over those of a leaf span that it begins, if the
    /// last of them is no later than `leaf_until`.
    #[inline(always)]
    fn take(&mut self, reader: &mut ThreadReader, peek: &Peek, leaf_until: u64) {
        let thread = reader.index();
        let ticks = peek.ticks;
        if !self.model.has_thread(thread) {
            self.register(reader, ticks);
        }
        let Some(mut record) = reader.next_record(peek) else {
            return;
        };
        if let Some(leaf) = record.leaf_span(leaf_until) {
            let [made, entered, left, closed] = leaf.ticks;
            let times_ns = [
                self.time_of(made),
                self.time_of(entered),
                self.time_of(left),
                self.time_of(closed),
            ];
            if self
                .model
                .apply_leaf_span(times_ns, thread, &record.new_span())
            {
                return record.advance_past_leaf(&leaf);
            }
        }
        let time_ns = self.time_of(ticks);
        match peek.kind {
            Kind::SpanExit if record.is_closed_next() => {
                self.model.begin_record(time_ns, peek.kind);
                self.model
                    .handle(thread, Input::SpanExitLast(record.span()));
            }
            Kind::Lost => {
                let records = record.take_newly_lost();
                if records > 0 {
                    self.model.begin_record(time_ns, peek.kind);
                    self.model.handle(thread, Input::Lost { records });
                }
            }
            Kind::Call => {
                let took = record.call_ticks();
                let ended_ns = self.time_of(ticks.saturating_add(took));
                // What began before the samples that are kept has no time by itself.
                let took_ns = match self.conversion.reaches_to(ticks) {
                    true => ended_ns.saturating_sub(time_ns),
                    false => (took as f64 * self.conversion.ns_per_tick()) as u64,
                };
                let time_ns = ended_ns.saturating_sub(took_ns);
                let called = record.call(took_ns);
                self.model.begin_record(time_ns, peek.kind);
                self.model.handle(thread, Input::Call(called));
            }
            Kind::CallSum => {
                let (call, grown) = record.take_sum();
                if grown.calls > 0 {
                    let ns_per_tick = self.conversion.ns_per_tick();
                    self.model.begin_record(time_ns, peek.kind);
                    self.model.handle(
                        thread,
                        Input::CallSum {
                            call,
                            calls: grown.calls,
                            total_ns: (grown.ticks as f64 * ns_per_tick) as u64,
                        },
                    );
                }
            }
            Kind::HeapSum => {
                let grown = record.take_heap_sum();
                if grown != HeapSum::default() {
                    self.model.begin_record(time_ns, peek.kind);
                    self.model.handle(thread, Input::HeapSum(grown));
                }
            }
            _ => {
                self.model.begin_record(time_ns, peek.kind);
                record.handle(self.model, thread);
            }
        }
        record.advance();
    }

    /// Writes a CPU sample.
    #[cold]
    fn take_sample<'r>(
        &mut self,
        sample: &Sample,
        reader: impl FnOnce(ThreadIndex) -> Option<&'r ThreadReader>,
    ) {
        if !self.model.has_thread(sample.thread)
            && let Some(reader) = reader(sample.thread)
        {
            self.register(reader, sample.ticks);
        }
        let time_ns = self.time_of(sample.ticks);
        self.model.cpu_sample(time_ns, sample);
    }

    /// Writes the CPU samples of a thread whose records before these ticks were brought forward.
    #[cold]
    fn take_samples_before(&mut self, reader: &ThreadReader, ticks: u64) {
        while let Some(sample) = self.samples.take_of(reader.index(), ticks) {
            self.take_sample(&sample, |_| Some(reader));
        }
    }

    #[cold]
    fn register(&mut self, reader: &ThreadReader, ticks: u64) {
        let time_ns = self.time_of(ticks);
        reader.make_known(time_ns, self.model);
    }

    /// Converts ticks to trace time.
    #[inline(always)]
    fn time_of(&mut self, ticks: u64) -> u64 {
        if !self.segment.has(ticks) {
            self.segment = self.conversion.segment_of(ticks);
        }
        self.segment.to_ns(ticks)
    }
}
