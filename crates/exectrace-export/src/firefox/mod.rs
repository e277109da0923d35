//! A profile for the Firefox Profiler, in its "processed profile" format.
//!
//! Its threads are our workers, the threads that have CPU samples, async tasks, and one with the
//! user tasks. What happened are markers. What an async task or a worker did is also a sample at
//! the begin of each slice, weighed by its length in units of the sampling interval, which is a
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
use crate::tracks::{Change, Lane, Picture, TrackWriter, export};
use profile::{Firefox, Row, stamp};

/// Writes a profile for profiler.firefox.com.
///
/// Times are those of the trace since its begin, with the clock of the machine as their reference
/// where the trace has it. At most [`Options::firefox_tasks_max`] async tasks have a thread of
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
    let mut exported = export(reader, &mut sink)?;
    exported.items = sink.items;
    exported.left_out = sink.left_out;
    let mut out = BufWriter::new(out);
    serde_json::to_writer(&mut out, &sink.profile)?;
    out.flush()?;
    Ok(exported)
}

impl TrackWriter for Firefox<'_> {
    fn change(
        &mut self,
        time: i64,
        change: Change<'_>,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        match change {
            Change::Sync(Some(clock)) => self.clock(clock, picture),
            Change::TaskNamed(task) => {
                if let Some(&thread) = self.rows.get(&Row::Task(task.id)) {
                    self.profile.set_thread_name(thread, &picture.title(task));
                }
            }
            Change::TaskGone(task) => {
                if let Some(thread) = self.rows.remove(&Row::Task(task.id)) {
                    self.profile
                        .set_thread_end_time(thread, stamp(time, picture));
                }
            }
            Change::Left { task, slice, end } => self.state(time, task, slice, end, picture),
            Change::RunEnded {
                lane: Lane::Worker(worker),
                run,
                next,
                end,
            } => {
                self.run(time, worker, run, next, end, picture);
            }
            Change::RegionEnded { task, region, end } => {
                self.region(time, task, region, end, picture);
            }
            Change::Span(span) => self.span(time, span, picture),
            Change::UserTaskEnded { user_task, end } => {
                self.user_task(time, user_task, end, picture);
            }
            Change::Log(log) => self.log(time, log, picture),
            Change::Metric { name, value } => self.counter(time, name, value as f64, picture),
            Change::RangeEnded { range, end } => {
                self.range((range.begin, time), range.scope, range.name, end, picture);
            }
            Change::Sample { thread, stack, .. } => self.sample(time, thread, stack, picture),
            Change::Side(SideRecord::Counter {
                name,
                time_ns,
                value,
            }) => {
                let time = i64::try_from(*time_ns).unwrap_or(i64::MAX);
                self.counter(time, name, *value as f64, picture);
            }
            Change::Side(SideRecord::OffProcessor {
                time_ns,
                thread,
                duration_ns,
                is_preempted,
            }) => self.off_processor(*thread, (*time_ns, *duration_ns), *is_preempted, picture),
            _ => {}
        }
        Ok(())
    }
}
