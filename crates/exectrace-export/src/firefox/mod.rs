//! A profile for the Firefox Profiler, in its "processed profile" format.
//!
//! Its threads are our workers, the threads that have CPU samples, async tasks, and one with the
//! user tasks. What happened are markers. What an async task or a worker did is also a sample at
//! the begin of each stretch, weighed by its length in units of the sampling interval, which is a
//! microsecond: so call tree and flame graph show time by state, reason and stack.
//!
//! `profile` is what all parts write to, `markers` has the kinds of markers; `states` writes what
//! async tasks and workers did, `annotations` what the program says of itself, `program` what
//! concerns it as a whole. The format begins with tables that are known only at the end, so the
//! profile is made in memory.

mod annotations;
mod markers;
mod profile;
mod program;
mod states;

use std::io::{BufWriter, Read, Write};

use exectrace_format::{Reader, SideRecord};

use crate::error::{ExportError, Exported};
use crate::options::Options;
use crate::story::{Fact, Lane, Scene, Sink, tell};
use profile::{Firefox, Row, stamp};

/// Writes a profile for profiler.firefox.com.
///
/// Times are those of the trace since its begin, with the clock of the machine as their reference
/// where the trace tells it. At most [`Options::firefox_tasks_max`] async tasks have a thread of
/// their own; what would be on others is left out and counted, their runs on the workers stay.
/// Memory: the whole profile, some 100 bytes for each marker.
///
/// # Errors
///
/// The output fails. Damage of the trace is no error: see [`Exported::damage`].
pub fn firefox<R: Read, W: Write>(
    reader: Reader<R>,
    out: W,
    options: &Options,
) -> Result<Exported, ExportError> {
    let mut sink = Firefox::new(options);
    let mut exported = tell(reader, &mut sink)?;
    exported.items = sink.items;
    exported.left_out = sink.left_out;
    let mut out = BufWriter::new(out);
    serde_json::to_writer(&mut out, &sink.profile)?;
    out.flush()?;
    Ok(exported)
}

impl Sink for Firefox<'_> {
    fn fact(&mut self, time: i64, fact: Fact<'_>, scene: &Scene) -> Result<(), ExportError> {
        match fact {
            Fact::Sync(Some(clock)) => self.clock(clock, scene),
            Fact::TaskNamed(task) => {
                if let Some(&thread) = self.rows.get(&Row::Task(task.id)) {
                    self.profile
                        .set_thread_name(thread, &task.title(&scene.book));
                }
            }
            Fact::TaskGone(task) => {
                if let Some(thread) = self.rows.remove(&Row::Task(task.id)) {
                    self.profile.set_thread_end_time(thread, stamp(time, scene));
                }
            }
            Fact::Left { task, stretch, end } => self.state(time, task, stretch, end, scene),
            Fact::RunEnded {
                lane: Lane::Worker(worker),
                run,
                next,
                end,
            } => {
                self.run(time, worker, run, next, end, scene);
            }
            Fact::RegionEnded { task, region, end } => self.region(time, task, region, end, scene),
            Fact::Span(span) => self.span(time, span, scene),
            Fact::UserTaskEnded { user_task, end } => self.user_task(time, user_task, end, scene),
            Fact::Log(log) => self.log(time, log, scene),
            Fact::Metric { name, value } => self.counter(time, name, value as f64, scene),
            Fact::RangeEnded {
                scope,
                name,
                begin,
                end,
            } => self.range((begin, time), scope, name, end, scene),
            Fact::Sample { thread, stack, .. } => self.sample(time, thread, stack, scene),
            Fact::Side(SideRecord::Counter {
                name,
                time_ns,
                value,
            }) => {
                let time = i64::try_from(*time_ns).unwrap_or(i64::MAX);
                self.counter(time, name, *value as f64, scene);
            }
            _ => {}
        }
        Ok(())
    }
}
