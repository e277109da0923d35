//! Go's own format: a part of a trace, or the whole with other names of places, as a trace of its own.
//!
//! Events are read in their true order and written again, so that a part can begin and end at any
//! nanosecond. `writing` writes generations, `encode` the events in them, and `preamble`, at the begin of
//! the first, what was going on before. `names` holds the ids of the trace that is written, `side_data`
//! what happens to records of side data, and `v1_threads` makes up threads for traces of Go 1.21.

mod clocks;
mod encode;
mod heap;
mod names;
mod preamble;
mod side_data;
mod symbolizer;
mod v1_threads;
mod writing;

use std::io::{Read, Write};

use exectrace_format::{CompactEvent, Reader};
use exectrace_replay::{Input, Replay, Window};

use crate::error::{ExportError, Exported};

pub use symbolizer::{KeepFrames, Symbolizer};

use v1_threads::V1Threads;
use writing::Writing;

/// Writes the part of a trace that lies in the window, or all of it, as a valid trace of its own.
///
/// What began before the window is begun again in it: the trace that is written says first who ran where, what
/// waited for what, and which user tasks, regions and ranges were open. The times of that lie before the
/// window, a nanosecond each, and the true begins of user tasks are in the side data. All other times are those
/// of the trace that is read, unless one would be below 1 ns: then all are later by the same.
///
/// Places are named as the `symbolizer` says; [`KeepFrames`] leaves them as they are. The version is that of
/// the trace that is read, if it is 1.23 or newer, else 1.23.
///
/// [`Exported::items`] counts the events that were written, without those that say what began before. If there
/// are none, nothing was written at all. Reads the trace once, up to the end of the window. Memory: what is
/// open, the names and stacks of the trace, and a megabyte of output.
///
/// ```
/// use exectrace_export::{KeepFrames, Window, go_trace};
/// use exectrace_format::{Reader, TraceEvent, TraceEventKind, text};
///
/// let trace = text::parse(include_str!("../../tests/support/service.trace.txt"))?;
/// let window = Window { begin_ns: 100, end_ns: 200 };
///
/// let mut part = Vec::new();
/// let reader = Reader::new(trace.as_slice())?;
/// let exported = go_trace(reader, &mut part, Some(window), &mut KeepFrames)?;
/// assert!(exported.items > 0 && exported.damage.is_none());
///
/// // Events of the window have the times that they had.
/// let whole: Vec<TraceEvent> = Reader::new(trace.as_slice())?.collect::<Result<_, _>>()?;
/// let begin = whole[0].time.0;
/// let last = Reader::new(part.as_slice())?.collect::<Result<Vec<_>, _>>()?;
/// let last = last.iter().rev().find(|event| event.kind.is_of_program());
/// assert!(last.is_some_and(|event| (100..200).contains(&(event.time.0 - begin))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The output fails. Damage of the trace is no error: see [`Exported::damage`].
pub fn go_trace<R: Read, W: Write, S: Symbolizer>(
    mut reader: Reader<R>,
    out: W,
    window: Option<Window>,
    symbolizer: &mut S,
) -> Result<Exported, ExportError> {
    let window = window.unwrap_or(WHOLE);
    let mut writing = Writing::new(reader.version(), out, window, symbolizer);
    let mut v1_threads = reader.version().is_v1().then(V1Threads::default);
    let mut replay = Replay::new(&mut writing);
    let mut exported = Exported::default();
    let mut event = CompactEvent::default();
    let mut begin_ns = None;
    loop {
        match reader.next_into(&mut event) {
            Ok(true) => {}
            Ok(false) => break,
            Err(damage) => {
                exported.damage = Some(damage);
                break;
            }
        }
        let since_ns = event.time.0.abs_diff(*begin_ns.get_or_insert(event.time.0));
        exported.read_ns = since_ns;
        if since_ns >= window.end_ns {
            break;
        }
        let is_of_program = event.kind.is_of_program();
        exported.events += u64::from(is_of_program);
        let input = Input::of(&reader, &event);
        match v1_threads.as_mut().filter(|_| is_of_program) {
            None => replay.step(&input, &mut writing)?,
            Some(threads) => {
                for event in &threads.in_full(&event, replay.state()) {
                    replay.step(&Input { event, ..input }, &mut writing)?;
                }
            }
        }
    }
    exported.items = writing.finish()?;
    Ok(exported)
}

const WHOLE: Window = Window {
    begin_ns: 0,
    end_ns: u64::MAX,
};
