//! Allocations at moments and of kinds that programs rarely have: in signal handlers, in forked children, at the very end
//! of threads, and of all that a `GlobalAlloc` can be asked for.
//!
//! A program of its own: it has a global allocator that counts, and settings.
#![cfg(target_os = "linux")]

mod common;
#[path = "common/heap.rs"]
mod heap;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell, UnsafeCell};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Once, mpsc};
use std::{ptr, thread};

use common::{Shared, read, turn};
use exectrace_format::{Metric, TraceEventKind};
use exectrace_recorder::{Allocator, RecordingOptions, Settings, Source, Task, region};
use heap::{record, samples, sums_of};

/// Memory for what signal handlers allocate, as the system's allocator may be what they interrupt.
struct Arena {
    memory: UnsafeCell<[u8; ARENA_BYTES]>,
    next: AtomicUsize,
}

const ARENA_BYTES: usize = 32 << 20;

// SAFETY: each byte is given out once.
unsafe impl Sync for Arena {}

static ARENA: Arena = Arena {
    memory: UnsafeCell::new([0; ARENA_BYTES]),
    next: AtomicUsize::new(0),
};

thread_local! {
    static IS_IN_HANDLER: Cell<bool> = const { Cell::new(false) };
}

/// The system's, and in signal handlers the arena.
struct Inner;

impl Inner {
    fn is_of_arena(memory: *mut u8) -> bool {
        let begin = ARENA.memory.get().addr();
        (begin..begin + ARENA_BYTES).contains(&memory.addr())
    }
}

// SAFETY: what the arena gives out is nobody else's, large and aligned enough; the rest is the system's.
unsafe impl GlobalAlloc for Inner {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !IS_IN_HANDLER.get() {
            // SAFETY: as the caller says.
            return unsafe { System.alloc(layout) };
        }
        let bytes = layout.size().next_multiple_of(16);
        let at = ARENA.next.fetch_add(bytes, Ordering::Relaxed);
        if layout.align() > 16 || at + bytes > ARENA_BYTES {
            return ptr::null_mut();
        }
        // SAFETY: `at` is in the arena.
        unsafe { ARENA.memory.get().cast::<u8>().add(at) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if !Self::is_of_arena(memory) {
            // SAFETY: as the caller says, and it is not the arena's.
            unsafe { System.dealloc(memory, layout) }
        }
    }
}

#[global_allocator]
static ALLOCATOR: Allocator<Inner> = Allocator::new(Inner);

fn configure() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Nearly each allocation.
        let settings = Settings::new().heap_sample_bytes(1);
        settings.budget(Source::Heap, u64::MAX).apply().unwrap();
    });
}

/// Allocates and frees so many times so many bytes.
fn churn(times: usize, bytes: usize) {
    for _ in 0..times {
        drop(black_box(Vec::<u8>::with_capacity(black_box(bytes))));
    }
}

fn allocate(layout: Layout) -> *mut u8 {
    // SAFETY: sizes are above zero here.
    black_box(unsafe { std::alloc::alloc(layout) })
}

fn resize(memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
    // SAFETY: it is alive, and of this layout.
    unsafe { std::alloc::realloc(black_box(memory), layout, bytes) }
}

fn free(memory: *mut u8, layout: Layout) {
    // SAFETY: it is alive, and of this layout.
    unsafe { std::alloc::dealloc(black_box(memory), layout) };
}

#[test]
fn whatever_a_global_allocator_is_asked_for_counts_by_its_layout_and_is_what_was_asked_for() {
    let _turn = turn();
    configure();
    let (_, events) = record(|| {
        let task = Task::new("asks");
        let _region = task.region("all");
        let wide = Layout::from_size_align(5_001, 1 << 16).unwrap();
        let wider = Layout::from_size_align(9_001, 1 << 16).unwrap();
        let memory = allocate(wide);
        assert!(memory.addr().is_multiple_of(1 << 16));
        // SAFETY: it has that many bytes.
        unsafe { memory.write_bytes(7, 5_001) };
        let memory = resize(memory, wide, wider.size());
        // SAFETY: it has more bytes, and these were written.
        let bytes = unsafe { std::slice::from_raw_parts(memory, 5_001) };
        assert!(memory.addr().is_multiple_of(1 << 16) && bytes.iter().all(|&byte| byte == 7));
        free(memory, wider);
        let zeroed = Layout::from_size_align(3_003, 64).unwrap();
        // SAFETY: the size is above zero.
        let memory = unsafe { std::alloc::alloc_zeroed(zeroed) };
        // SAFETY: it has that many bytes, which are zeroed.
        let bytes = unsafe { std::slice::from_raw_parts(memory, 3_003) };
        assert!(bytes.iter().all(|&byte| byte == 0));
        free(memory, zeroed);
        // More than there is, which is refused and leaves what was there.
        let huge = Layout::from_size_align(isize::MAX as usize - 4_096, 1).unwrap();
        assert!(allocate(black_box(huge)).is_null());
        let byte = Layout::new::<u8>();
        let memory = allocate(byte);
        assert!(resize(memory, byte, huge.size()).is_null());
        free(memory, byte);
        // What has no size is not asked for.
        drop(black_box((Vec::<u8>::new(), Box::new(()), vec![(); 100])));
    });
    assert_eq!(sums_of(&events, "asks"), [12_005, 3, 12_005, 3]);
}

#[test]
fn what_is_allocated_and_freed_past_a_thread_s_end_is_in_the_heap_row() {
    const BYTES: usize = 8 << 20;
    /// Replaces what it has, when its thread ends.
    struct Late(Vec<u8>);
    impl Drop for Late {
        fn drop(&mut self) {
            drop(std::mem::take(&mut self.0));
            churn(10, BYTES);
            std::mem::forget(black_box(vec![1_u8; 3 * BYTES]));
        }
    }
    thread_local! {
        static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
    }
    let _turn = turn();
    configure();
    let (_, events) = record(|| {
        let ends = thread::spawn(|| {
            LATE.set(Some(Late(vec![1_u8; BYTES])));
            // So that the tracer's destructor runs before.
            drop(region("of the thread"));
        });
        ends.join().unwrap();
        drop(region("later"));
    });
    let last = events.iter().rev().find_map(|event| match event.kind {
        TraceEventKind::Metric {
            metric: Metric::HeapAlloc,
            value,
        } => Some(value),
        _ => None,
    });
    let last = last.expect("a heap row");
    assert!(last.abs_diff(3 * BYTES as u64) < 64 << 10, "{last}");
}

/// How often the handler has run.
static HANDLED: AtomicU64 = AtomicU64::new(0);
/// What it allocates at once.
const HANDLER_BYTES: usize = 777;

extern "C" fn handle(_: libc::c_int) {
    IS_IN_HANDLER.set(true);
    churn(1, HANDLER_BYTES);
    IS_IN_HANDLER.set(false);
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn a_handler_that_allocates_while_its_thread_allocates_takes_nothing_from_that_and_leaves_nothing_alive()
 {
    const SIGNALS: u64 = 500;
    /// Allocations for each signal, so that a slow machine has no more of them.
    const ROUNDS: u64 = 50;
    const BYTES: usize = 1_201;
    let _turn = turn();
    configure();
    // SAFETY: zero is a valid value of every field.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handle as extern "C" fn(libc::c_int) as usize;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler allocates of the arena only, and what counts that may be interrupted.
    let installed = unsafe { libc::sigaction(libc::SIGUSR2, &action, ptr::null_mut()) };
    assert_eq!(installed, 0);
    let is_over = AtomicBool::new(false);
    let bytes = Shared::default();
    let recording = RecordingOptions::new().start_writer(bytes.clone()).unwrap();
    let rounds = thread::scope(|scope| {
        let (send, name) = mpsc::channel();
        let is_over = &is_over;
        let worker = scope.spawn(move || {
            let task = Task::new("interrupted");
            let _region = task.region("allocates");
            let mut rounds = 0;
            // SAFETY: names the calling thread.
            send.send(unsafe { libc::pthread_self() }).unwrap();
            drop(send);
            while !is_over.load(Ordering::Relaxed) {
                if rounds < (HANDLED.load(Ordering::Relaxed) + 1) * ROUNDS {
                    churn(1, BYTES);
                    rounds += 1;
                }
            }
            rounds
        });
        let name = name.recv().unwrap();
        for signal in 0..SIGNALS {
            // SAFETY: the thread has not ended: it waits for `is_over`.
            unsafe { libc::pthread_kill(name, libc::SIGUSR2) };
            while HANDLED.load(Ordering::Relaxed) <= signal {
                thread::yield_now();
            }
        }
        is_over.store(true, Ordering::Relaxed);
        worker.join().unwrap()
    });
    let report = recording.stop().unwrap();
    // Samples that are lost in the middle of other records are none of the thread's records, which would be doubted.
    assert_eq!(report.records_dropped, 0);
    let bytes = bytes.bytes();
    exectrace_referee::assert_bytes_accepted(&bytes);
    let events = read(&bytes);
    let [allocated, allocations, freed, frees] = sums_of(&events, "interrupted");
    let (own, handlers) = (rounds * BYTES as u64, SIGNALS * HANDLER_BYTES as u64);
    // What a handler counts between a load and a store of what it interrupts is lost; and the channel has a little.
    let few = 10_000;
    assert!(
        (own..=own + handlers + few).contains(&allocated),
        "{allocated} {own}"
    );
    assert!(
        (own..=own + handlers + few).contains(&freed),
        "{freed} {own}"
    );
    let expected = rounds..=rounds + SIGNALS + 100;
    assert!(expected.contains(&allocations) && expected.contains(&frees));
    let samples = samples(&events);
    for size in [BYTES, HANDLER_BYTES] {
        let mut of_size = samples
            .values()
            .filter(|sample| sample.size == size as u64)
            .peekable();
        assert!(of_size.peek().is_some(), "samples of {size} bytes");
        assert!(of_size.all(|sample| sample.freed_ns.is_some()));
    }
}

#[test]
fn a_forked_child_counts_its_own_and_frees_what_its_parent_had_sampled() {
    let _turn = turn();
    configure();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("child.trace");
    let kept: Vec<Vec<u8>> = Vec::with_capacity(100);
    let (_, events) = record(|| {
        let mut kept = kept;
        kept.extend((0..100).map(|_| black_box(vec![1_u8; 1_303])));
        // SAFETY: the child ends below.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: ends a child that hangs.
            unsafe { libc::alarm(20) };
            let is_well = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                // While nothing records, and while the child does.
                kept.truncate(50);
                churn(100, 1_303);
                let recording = exectrace_recorder::start(&path).unwrap();
                let task = Task::new("of the child");
                let inside = task.region("allocates");
                kept.truncate(10);
                churn(7, 1_303);
                drop(inside);
                let elsewhere = thread::spawn(|| churn(5, 1_409));
                elsewhere.join().unwrap();
                recording.stop().unwrap();
            }));
            // SAFETY: ends the child, with nothing run at its exit.
            unsafe { libc::_exit(i32::from(is_well.is_err())) };
        }
        let mut status = 0;
        // SAFETY: `status` is writable.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0, "the child's status");
        let task = Task::new("of the parent");
        let _region = task.region("allocates");
        churn(3, 2_003);
    });
    assert_eq!(sums_of(&events, "of the parent"), [6_009, 3, 6_009, 3]);
    let of_size = |size: u64, events: &[_]| {
        let samples = samples(events);
        let of_size = samples.values().filter(|sample| sample.size == size);
        let freed = of_size.clone().filter(|sample| sample.freed_ns.is_some());
        (of_size.count(), freed.count())
    };
    // The child's frees are not the parent's.
    assert_eq!(of_size(1_303, &events), (100, 100));
    exectrace_referee::assert_accepted(&path);
    let of_child = read(&std::fs::read(&path).unwrap());
    let [allocated, allocations, freed, frees] = sums_of(&of_child, "of the child");
    assert_eq!((allocated, allocations), (7 * 1_303, 7));
    assert_eq!((freed, frees), (47 * 1_303, 47));
    assert_eq!(of_size(1_303, &of_child), (7, 7));
    assert_eq!(of_size(1_409, &of_child), (5, 5));
}
