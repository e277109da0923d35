//! CPU samples: whose they are, and what their stacks say.
//!
//! The real stack is on top, leaf first; at the bottom is the frame that names the flow, as in all stacks of a flow.
//! Between them an async task's samples leave out how the runtime came to poll it.

use exectrace_format::conventions::UNKNOWN_FILE;
use exectrace_format::{GoId, ProcId};
use rustc_hash::FxHashMap;

use super::Model;
use super::names::{FrameId, Names};
use crate::budget::Source;
use crate::cpu::{Sample, WalkEnd};
use crate::resolve::Resolver;

/// Most places whose names are kept, some 200 bytes each. A program has as many as it has calls that lie on
/// sampled stacks; more come from code that is made at run time.
const MAX_PLACES: usize = 1 << 17;
/// What stands for places beyond.
const OTHER_CODE: &str = "(other code)";

/// Functions by which a runtime polls an async task.
const RUNTIME: &[&str] = &[
    "tokio::runtime::",
    "tokio::task::local::",
    "tokio::loom::",
    "tokio::util::",
    "exectrace_tokio::",
    "exectrace_recorder::",
];
/// Functions by which a global allocator is called, and the tracer's own.
const ALLOCATION: &[&str] = &["__rust_", "__rustc::__rust_", "exectrace_recorder::heap::"];
/// What stands between those.
const STANDARD: &[&str] = &["std::", "core::", "alloc::"];

/// The first functions of threads: a chain that leads there is whole.
const ROOTS: &[&str] = &[
    "main",
    "start_thread",
    "__libc_start_call_main",
    "clone",
    "_start",
];
/// The function with which a thread of the standard library begins.
const THREAD_START: &str = "thread_start";

/// A place in the program, as samples show it.
#[derive(Clone, Copy, Debug)]
struct Place {
    frame: FrameId,
    kind: PlaceKind,
}

/// What a place is, as far as that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PlaceKind {
    Runtime,
    Standard,
    /// The first function of a thread.
    Root,
    /// What a call of the allocator goes through.
    Allocation,
    Other,
}

impl PlaceKind {
    fn of(function: &str) -> Self {
        let is_of = |crates: &[&str]| crates.iter().any(|prefix| function.starts_with(prefix));
        if ROOTS.contains(&function) || function.ends_with(THREAD_START) {
            Self::Root
        } else if is_of(ALLOCATION) {
            Self::Allocation
        } else if is_of(RUNTIME) {
            Self::Runtime
        } else if is_of(STANDARD) {
            Self::Standard
        } else {
            Self::Other
        }
    }
}

/// The places of samples by the address that a call there returns to.
#[derive(Debug, Default)]
pub(super) struct SamplePlaces {
    places: FxHashMap<u64, Option<Place>>,
    stack: Vec<Place>,
}

impl SamplePlaces {
    /// The place that returns to `address`; `None` if there is no code. Only if `is_sure`, code that was loaded
    /// meanwhile is looked for as well.
    fn place(
        &mut self,
        address: u64,
        is_sure: bool,
        resolver: &mut Resolver,
        names: &mut Names,
    ) -> Option<Place> {
        if let Some(&known) = self.places.get(&address) {
            return known;
        }
        if !is_sure && !resolver.is_code(address) {
            // What is no code now may be later.
            return None;
        }
        let name = match self.places.len() < MAX_PLACES {
            true => resolver.function(address),
            false => OTHER_CODE,
        };
        let place = Place {
            frame: names.frame_of(name, UNKNOWN_FILE, 1),
            kind: PlaceKind::of(name),
        };
        if self.places.len() < MAX_PLACES {
            self.places.insert(address, Some(place));
        }
        Some(place)
    }

    /// Puts the places of a sample into `stack`, leaf first. Returns whether all of it is there. The first address is
    /// where the thread was, if it is `interrupted`; all others are where calls return to.
    fn find(
        &mut self,
        (addresses, end): (&[u64], WalkEnd),
        interrupted: bool,
        resolver: &mut Resolver,
        names: &mut Names,
    ) -> bool {
        self.stack.clear();
        for (index, &address) in addresses.iter().enumerate() {
            // Calls are before the address; where the thread was is before what comes next.
            let is_leaf = index == 0;
            let address = address.saturating_add(u64::from(interrupted && is_leaf));
            let Some(place) = self.place(address, is_leaf, resolver, names) else {
                return false;
            };
            self.stack.push(place);
            if place.kind == PlaceKind::Root && !is_leaf {
                // What called it is the system's, and may have no frame pointers.
                return true;
            }
        }
        end != WalkEnd::Open
    }

    /// Leaves out what stands between the poll of an async task and the root of its thread.
    fn end_at_poll(&mut self) {
        let mut of_runtime = self.stack.len();
        for (index, place) in self.stack.iter().enumerate().rev() {
            match place.kind {
                PlaceKind::Runtime | PlaceKind::Root => of_runtime = index,
                PlaceKind::Standard => {}
                PlaceKind::Allocation | PlaceKind::Other => break,
            }
        }
        self.stack.truncate(of_runtime.max(1));
    }

    /// Leaves out what the call of the allocator went through.
    fn begin_at_allocation(&mut self) {
        let is_inside = |place: &&Place| place.kind == PlaceKind::Allocation;
        let inside = self.stack.iter().take_while(is_inside).count();
        self.stack.drain(..inside);
    }

    /// The stack of an allocation in a flow with this root frame, leaf first.
    pub(super) fn of_allocation(
        &mut self,
        (addresses, end): (&[u64], WalkEnd),
        (root, is_polled): (FrameId, bool),
        resolver: &mut Resolver,
        names: &mut Names,
    ) -> Box<[FrameId]> {
        self.find((addresses, end), false, resolver, names);
        self.begin_at_allocation();
        if is_polled {
            self.end_at_poll();
        }
        let frames = self.stack.iter().map(|place| place.frame);
        frames.chain([root]).collect()
    }
}

impl Model {
    /// Writes a CPU sample, of a thread that is known, at the time to which the model has come with the
    /// thread's records.
    pub(crate) fn cpu_sample(&mut self, time_ns: u64, sample: &Sample) {
        self.apply_timed(time_ns);
        self.machine.emitter.advance(time_ns);
        let (names, resolver) = (&mut self.machine.names, self.polls.waits.resolver());
        let stack = (&*sample.addresses, sample.end);
        let is_whole = self.samples.find(stack, true, resolver, names);
        self.spend(Source::Cpu, 1);
        self.counts.samples += 1;
        self.counts.samples_cut += u64::from(!is_whole);
        let Some(thread) = self.machine.thread(sample.thread) else {
            return;
        };
        let (id, mut root) = (thread.id, thread.root);
        let lane = thread.lane.filter(|_| thread.holds);
        let mut go = GoId(0);
        let mut is_polled = false;
        if let Some(flow) = thread.current.or(thread.own)
            && let Some(flow) = self.machine.flows.get(flow)
        {
            (go, root, is_polled) = (flow.go, flow.root, flow.is_polled());
        }
        if is_polled {
            self.samples.end_at_poll();
        }
        let frames = self.samples.stack.iter().map(|place| place.frame);
        let of = (id, lane.unwrap_or(ProcId::NONE), go);
        self.machine
            .emitter
            .cpu_sample(&mut self.machine.names, of, frames.chain([root]));
    }
}
