//! What becomes of sampled allocations. Each is sampled here.
//!
//! A program of its own: it has a global allocator that counts, and settings.

mod common;
#[path = "common/heap.rs"]
mod heap;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Once, mpsc};
use std::thread;

use common::{Shared, read, turn};
use exectrace_recorder::{Allocator, RecordingOptions, Settings, Source, region};
use heap::{Sample, record, samples};

/// The system's, which refuses to resize when a test asks for that.
struct Refusing;

static REFUSES: AtomicBool = AtomicBool::new(false);

// SAFETY: hands everything on, or refuses, which an allocator may.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller says.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if REFUSES.load(Ordering::Relaxed) {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller says.
        unsafe { System.realloc(memory, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Allocator<Refusing> = Allocator::new(Refusing);

fn configure() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // One in e^50 of fifty bytes is left out.
        let settings = Settings::new().heap_sample_bytes(1);
        settings.budget(Source::Heap, u64::MAX).apply().unwrap();
    });
}

/// The samples of a size.
fn of_size(samples: &std::collections::BTreeMap<u64, Sample>, bytes: usize) -> Vec<&Sample> {
    let is_of_size = |sample: &&Sample| sample.size == bytes as u64;
    samples.values().filter(is_of_size).collect()
}

fn count_alive(samples: &[&Sample]) -> usize {
    let alive = samples.iter().filter(|sample| sample.freed_ns.is_none());
    alive.count()
}

#[inline(never)]
fn allocate_here(bytes: usize) -> Vec<u8> {
    black_box(Vec::with_capacity(black_box(bytes)))
}

#[test]
fn threads_that_free_what_others_allocated_and_end_at_once_leave_nothing_alive() {
    const THREADS: usize = 4;
    const EACH: usize = 2_000;
    const BYTES: usize = 1_237;
    let _turn = turn();
    configure();
    let (_, events) = record(|| {
        for _ in 0..5 {
            let (give, take): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::channel()).unzip();
            thread::scope(|scope| {
                for (index, take) in take.into_iter().enumerate() {
                    let give = give[(index + 1) % THREADS].clone();
                    scope.spawn(move || {
                        if index % 2 == 0 {
                            // The others record nothing but what they allocate.
                            drop(region("known"));
                        }
                        for _ in 0..EACH / 5 {
                            give.send(allocate_here(BYTES)).unwrap();
                        }
                        drop(give);
                        take.into_iter().for_each(drop);
                    });
                }
                drop(give);
            });
        }
    });
    let samples = samples(&events);
    let of_size = of_size(&samples, BYTES);
    assert_eq!(of_size.len(), THREADS * EACH);
    assert_eq!(count_alive(&of_size), 0);
}

#[test]
fn what_a_thread_frees_at_its_end_and_in_the_tracer_s_own_work_is_freed_in_the_trace() {
    const BYTES: usize = 2_311;
    thread_local! {
        static LAST: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    /// A sink whose memory the tracer's thread frees.
    #[derive(Debug)]
    struct Holder(Vec<u8>);
    impl std::io::Write for Holder {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = Vec::new();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let _turn = turn();
    configure();
    let (_, events) = record(|| {
        thread::spawn(|| {
            LAST.set(allocate_here(BYTES));
            drop(region(
                "registers the tracer's destructor after that of LAST",
            ));
        })
        .join()
        .unwrap();
        let holder = Holder(allocate_here(BYTES));
        let other = RecordingOptions::new().start_writer(holder).unwrap();
        other.stop().unwrap();
    });
    let samples = samples(&events);
    let of_size = of_size(&samples, BYTES);
    assert_eq!((of_size.len(), count_alive(&of_size)), (2, 0));
}

#[test]
fn a_resized_allocation_is_freed_and_its_new_size_allocated_unless_it_was_refused() {
    let _turn = turn();
    configure();
    let mut bytes = Vec::<u8>::new();
    let (_, events) = record(|| {
        bytes = Vec::with_capacity(black_box(3_001));
        bytes.reserve_exact(50_021);
        REFUSES.store(true, Ordering::Relaxed);
        assert!(bytes.try_reserve_exact(70_001).is_err());
        REFUSES.store(false, Ordering::Relaxed);
        bytes.shrink_to(1_009);
    });
    let samples = samples(&events);
    let states = [3_001, 50_021, 70_001, 1_009].map(|size| {
        let of_size = of_size(&samples, size);
        (of_size.len(), count_alive(&of_size))
    });
    assert_eq!(states, [(1, 0), (1, 0), (0, 0), (1, 1)]);
    drop(bytes);
}

#[test]
fn a_file_that_begins_later_has_what_was_alive_then_and_no_file_what_was_alive_before_all() {
    const BYTES: usize = 4_099;
    let _turn = turn();
    configure();
    let before = {
        // Sampled in a recording that is over, and freed in the next one.
        let mut before = Vec::new();
        record(|| before = allocate_here(BYTES));
        before
    };
    let late = Shared::default();
    let (mut freed, mut kept) = (Vec::new(), Vec::new());
    let (_, events) = record(|| {
        drop(before);
        drop(allocate_here(BYTES));
        (freed, kept) = (allocate_here(BYTES), allocate_here(BYTES));
        let second = RecordingOptions::new().start_writer(late.clone()).unwrap();
        drop(std::mem::take(&mut freed));
        second.stop().unwrap();
    });
    let first = samples(&events);
    let first = of_size(&first, BYTES);
    assert_eq!((first.len(), count_alive(&first)), (3, 1));
    assert!(first.iter().all(|sample| !sample.is_from_before));
    let bytes = late.bytes();
    exectrace_referee::assert_bytes_accepted(&bytes);
    let second = samples(&read(&bytes));
    let second = of_size(&second, BYTES);
    assert_eq!((second.len(), count_alive(&second)), (2, 1));
    assert!(
        second
            .iter()
            .all(|sample| sample.is_from_before && sample.has_stack)
    );
    drop((freed, kept));
}

#[test]
fn a_sample_has_the_stack_of_its_allocation_also_on_a_thread_that_records_nothing_else() {
    const BYTES: usize = 5_003;
    let _turn = turn();
    configure();
    let bytes = Shared::default();
    let recording = RecordingOptions::new().start_writer(bytes.clone()).unwrap();
    let thread = thread::Builder::new().name("silent".into());
    let allocate = || drop(allocate_here(BYTES));
    thread.spawn(allocate).unwrap().join().unwrap();
    recording.stop().unwrap();
    let bytes = bytes.bytes();
    let mut reader = exectrace_format::Reader::new(bytes.as_slice()).unwrap();
    let mut event = exectrace_format::CompactEvent::default();
    let mut stacks = Vec::new();
    while reader.next_into(&mut event).unwrap() {
        if let Some(exectrace_format::SideRecord::HeapSample {
            size_bytes, stack, ..
        }) = reader.side_record()
            && *size_bytes == BYTES as u64
        {
            let frames = reader.tables().frames(*stack);
            let functions = frames.map(|frame| frame.function.to_owned());
            stacks.push(functions.collect::<Vec<_>>());
        }
    }
    let [stack] = &stacks[..] else {
        panic!("{stacks:?}");
    };
    assert_eq!(stack.last().map(String::as_str), Some("silent"));
    if exectrace_recorder::has_frame_pointers() {
        // Above it are functions of the standard library, as far as they are not inlined.
        let is_library = |function: &&String| function.starts_with("alloc::");
        let leaf = stack.iter().find(|function| !is_library(function));
        assert!(
            leaf.is_some_and(|leaf| leaf.ends_with("allocate_here")),
            "{stack:?}"
        );
        assert!(stack.len() > 3, "{stack:?}");
    } else {
        assert_eq!(stack.len(), 1);
    }
}
