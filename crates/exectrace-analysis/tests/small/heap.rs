//! Profiles of the heap, and what was allocated, of records whose sums can be worked out by hand.

use exectrace_analysis::{
    Analysis, HeapAmounts, Options, Profile, ProfileKind, ProfileScope, Window,
};
use exectrace_format::{
    ClockSnapshot, Event, GoId, GoStatus, ProcId, ProcStatus, Reader, SideRecord, StackId, TaskId,
    ThreadId, Version, Writer,
};

use crate::script::{HeapRow, Script};

/// A sample that stands for itself.
const ONE: HeapRow<'static> = HeapRow {
    number: 0,
    size: 1_000,
    interval: 1,
    stack: "",
    is_from_before: false,
};

/// `serve` allocates at three times for two requests; some of it is freed.
fn allocations() -> Script {
    let mut script = Script::default();
    let at = |number, stack| HeapRow {
        number,
        stack,
        ..ONE
    };
    script
        .runs(10, 1, 1, "serve")
        .task(20, 1, 5, 0, "request")
        .task(30, 1, 6, 0, "other")
        .heap_sample(
            0,
            (1, 5),
            HeapRow {
                is_from_before: true,
                ..at(1, "read<serve")
            },
        )
        .heap_sample(100, (1, 5), at(2, "read<serve"))
        .heap_sample(200, (1, 6), at(3, "read<serve"))
        .heap_sample(
            300,
            (1, 6),
            HeapRow {
                size: 1_000,
                interval: 1_000,
                ..at(4, "parse<serve")
            },
        )
        .heap_sample(300, (2, 2), at(5, "parse<client"))
        .heap_free(250, 2)
        .heap_free(350, 1)
        .heap_free(400, 99)
        .block(500, 1, "sync", "recv<serve");
    script
}

fn profile(kind: ProfileKind, options: Options) -> Profile {
    let options = Options {
        profiles: vec![kind],
        ..options
    };
    let mut profiles = allocations().analyse(&options).profiles;
    profiles.remove(0)
}

/// Leaf and root, objects and bytes.
fn rows(profile: &Profile) -> Vec<(String, u64, u64)> {
    let rows = profile.samples.iter().map(|sample| {
        let functions: Vec<&str> = sample.stack.iter().map(|at| at.function.as_str()).collect();
        let heap = sample.heap.expect("a profile of the heap");
        let objects = match profile.kind {
            ProfileKind::Heap => heap.inuse_objects,
            _ => heap.alloc_objects,
        };
        (functions.join("<"), objects, profile.weight(sample))
    });
    rows.filter(|row| row.2 > 0).collect()
}

fn row(stack: &str, objects: u64, bytes: u64) -> (String, u64, u64) {
    (stack.to_owned(), objects, bytes)
}

fn until(end_ns: u64) -> Options {
    Options {
        window: Some(Window {
            begin_ns: 150,
            end_ns,
        }),
        ..Options::default()
    }
}

#[test]
fn what_is_alive_at_the_end_is_what_was_allocated_and_not_freed() {
    let alive = profile(ProfileKind::Heap, Options::default());
    // 1 / (1 - 1/e) = 1.582.
    let rows_at_end = [
        row("parse<serve", 2, 1_582),
        row("parse<client", 1, 1_000),
        row("read<serve", 1, 1_000),
    ];
    assert_eq!(rows(&alive), rows_at_end);
    // The window's end is 10 after the time that counts from the first event.
    let earlier = profile(ProfileKind::Heap, until(215));
    assert_eq!(rows(&earlier), [row("read<serve", 3, 3_000)]);
}

#[test]
fn what_was_allocated_is_what_was_in_the_window_and_in_the_file() {
    let all = profile(ProfileKind::Allocated, Options::default());
    assert_eq!(
        rows(&all),
        [
            row("read<serve", 2, 2_000),
            row("parse<serve", 2, 1_582),
            row("parse<client", 1, 1_000),
        ]
    );
    let inside = profile(ProfileKind::Allocated, until(215));
    assert_eq!(rows(&inside), [row("read<serve", 1, 1_000)]);
}

#[test]
fn a_profile_is_limited_to_tasks_and_user_tasks_by_their_names() {
    let limited = |profile_scope| {
        let options = Options {
            profile_scope,
            ..Options::default()
        };
        rows(&profile(ProfileKind::Allocated, options))
    };
    let of_group = limited(ProfileScope {
        group: Some("client".to_owned()),
        ..ProfileScope::default()
    });
    assert_eq!(of_group, [row("parse<client", 1, 1_000)]);
    let of_user_task = limited(ProfileScope {
        user_task: Some("other".to_owned()),
        ..ProfileScope::default()
    });
    assert_eq!(
        of_user_task,
        [row("parse<serve", 2, 1_582), row("read<serve", 1, 1_000)]
    );
}

#[test]
fn a_pprof_profile_of_the_heap_has_all_four_values() {
    let profile = profile(ProfileKind::Heap, Options::default());
    let again = Profile::from_pprof(ProfileKind::Heap, &profile.to_pprof()).expect("ours");
    let values = |profile: &Profile| {
        let heap = profile.samples.iter().filter_map(|sample| sample.heap);
        // How many samples there were is not in it.
        let without = heap.map(|heap| HeapAmounts {
            samples: 0,
            inuse_samples: 0,
            ..heap
        });
        without.collect::<Vec<_>>()
    };
    assert_eq!(values(&again), values(&profile));
}

/// A user task that begins and ends in the first generation. In its region, which lasts longer, something is allocated
/// of which the second says.
fn allocated_after_the_end() -> Vec<u8> {
    let mut file = Writer::header(Version::Go125).to_vec();
    let mut writer = Writer::new();
    let (proc, go, thread, task) = (ProcId(1), GoId(1), ThreadId(1), TaskId(5));
    for generation in [1, 2] {
        let begin_ns = generation * 1_000;
        writer.begin_generation(generation, begin_ns);
        let clock = ClockSnapshot {
            monotonic_ns: begin_ns,
            ..ClockSnapshot::default()
        };
        Writer::sync_batch(Version::Go125, generation, begin_ns, clock, &mut file);
        let stream = writer.stream(thread);
        let (name, stack) = (writer.string("request"), StackId::NONE);
        let (held, runs) = (ProcStatus::Running, GoStatus::Running);
        let held = Event::ProcStatus { proc, status: held };
        writer.event(stream, begin_ns, held);
        let status = Event::GoStatus {
            go,
            thread,
            status: runs,
        };
        writer.event(stream, begin_ns + 1, status);
        if generation == 1 {
            let parent = TaskId::BACKGROUND;
            let begin = Event::UserTaskBegin {
                task,
                parent,
                name,
                stack,
            };
            writer.event(stream, begin_ns + 2, begin);
            writer.event(
                stream,
                begin_ns + 3,
                Event::UserRegionBegin { task, name, stack },
            );
            writer.event(stream, begin_ns + 4, Event::UserTaskEnd { task, stack });
        } else {
            writer.event(
                stream,
                begin_ns + 10,
                Event::UserRegionEnd { task, name, stack },
            );
        }
        writer.side_record(&SideRecord::Allocations {
            time_ns: begin_ns + 2,
            thread,
            go,
            task,
            allocated_bytes: 100 * generation,
            allocations: 1,
            freed_bytes: 0,
            frees: 0,
        });
        writer.finish_group(&mut file);
    }
    file
}

#[test]
fn what_is_allocated_after_a_user_task_s_end_in_its_region_is_in_its_row() {
    let trace = allocated_after_the_end();
    let mut reader = Reader::new(trace.as_slice()).expect("a header");
    let options = Options {
        user_tasks: true,
        ..Options::default()
    };
    let analysis = Analysis::read(&mut reader, &options);
    assert!(analysis.damage.is_none(), "{:?}", analysis.damage);
    let kinds = analysis.user_tasks.expect("asked for").kinds;
    let allocated = kinds[0].allocated.expect("the trace says it");
    assert_eq!(kinds[0].name, "request");
    assert_eq!((allocated.allocated_bytes, allocated.allocations), (300, 2));
}
