//! CPU samples of async tasks: each task has its share, and its own stack above the frame that names it.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

mod support;

use std::hint::black_box;

use exectrace_analysis::{Analysis, Options, Profile, ProfileKind, ProfileScope};
use exectrace_format::Reader;
use exectrace_format::conventions::CPU;
use exectrace_recorder::{Settings, Task, has_frame_pointers};
use exectrace_tokio::{block_on, spawn_named};
use support::{Sink, runtime};

/// As many as the kernels have ticks that have the fewest of those in use.
const HZ: u32 = 250;
/// Shares of the four tasks, in tenths.
const SHARES: [u64; 4] = [1, 2, 3, 4];
const TASKS: [&str; 4] = ["first", "second", "third", "fourth"];
const USER_TASKS: [&str; 4] = ["of first", "of second", "of third", "of fourth"];

/// Steps of a tenth, some tenths of a millisecond.
const STEPS: u64 = 1_500_000;
/// Each task burns its share so many times, and lets others run in between: all tenths of it together are some
/// seconds of processor time.
const ROUNDS: u64 = 3_000;

/// Uses processor time in proportion to `steps`.
#[inline(never)]
fn spin(steps: u64) -> u64 {
    let mut state = black_box(1_u64);
    for _ in 0..steps {
        state = black_box(state.wrapping_mul(6_364_136_223_846_793_005).rotate_left(7));
    }
    state
}

#[inline(never)]
fn burn(tenths: u64) -> u64 {
    black_box(spin(black_box(tenths * STEPS / 10)))
}

#[inline(never)]
fn step(index: usize) {
    black_box(burn(black_box(SHARES[index])));
}

async fn work(index: usize) {
    let user_task = Task::new(USER_TASKS[index]);
    let _region = user_task.region("work");
    for _ in 0..ROUNDS {
        step(index);
        tokio::task::yield_now().await;
    }
}

fn samples(bytes: &[u8], scope: ProfileScope) -> Profile {
    let mut reader = Reader::new(bytes).expect("a header");
    let options = Options {
        profiles: vec![ProfileKind::Cpu],
        profile_scope: scope,
        ..Options::default()
    };
    let analysis = Analysis::read(&mut reader, &options);
    assert!(analysis.damage.is_none(), "{:?}", analysis.damage);
    let said = &analysis.overview.capabilities;
    let about = said.iter().find(|(key, _)| key == CPU);
    let about = &about.expect("what is sampled").1;
    assert!(about.starts_with("yes, 250 Hz"), "{about}");
    assert_eq!(
        about.contains("force-frame-pointers"),
        !has_frame_pointers()
    );
    analysis.profiles.into_iter().next().expect("asked for")
}

fn count(profile: &Profile) -> u64 {
    profile.samples.iter().map(|sample| sample.count).sum()
}

/// Each of four tasks uses a known share of the processor time, and so does each of their user tasks.
#[test]
fn each_task_and_user_task_has_its_share_of_the_samples_with_its_own_stack() {
    let settings = Settings::new().cpu_samples_hz(HZ);
    settings.apply().expect("before the first recording");
    let sink = Sink::default();
    let recording = sink.start();
    let runtime = runtime("burning", 2);
    block_on(&runtime, async {
        let tasks = [0, 1, 2, 3].map(|index| spawn_named(TASKS[index], work(index)));
        for task in tasks {
            task.await.expect("it ends");
        }
    });
    drop(runtime);
    let report = recording.stop().expect("a recording in memory stops");
    assert_eq!(report.cpu_samples_lost, 0, "{report:?}");

    let bytes = sink.bytes();
    exectrace_referee::assert_bytes_accepted(&bytes);
    let all = samples(&bytes, ProfileScope::default());
    assert_eq!(count(&all), report.cpu_samples);
    let of_tasks = TASKS.map(|task| {
        samples(
            &bytes,
            ProfileScope {
                group: Some(task.to_owned()),
                ..ProfileScope::default()
            },
        )
    });
    let of_user_tasks = USER_TASKS.map(|user_task| {
        samples(
            &bytes,
            ProfileScope {
                user_task: Some(user_task.to_owned()),
                ..ProfileScope::default()
            },
        )
    });
    let whole: u64 = of_tasks.iter().map(count).sum();
    assert!(
        whole >= 500,
        "too few to say anything: {whole} of {report:?}"
    );
    // What is not of these tasks is the runtime's: they yield, so its part is small.
    assert!(whole * 10 >= count(&all) * 9, "{whole} of {}", count(&all));
    for (index, share) in SHARES.into_iter().enumerate() {
        check_share(&of_tasks[index], whole, share);
        // A user task is open for as long as its task works.
        let difference = count(&of_tasks[index]).abs_diff(count(&of_user_tasks[index]));
        assert!(difference <= 5, "{difference}");
        check_stacks(&of_tasks[index], TASKS[index]);
    }
    // A chain breaks where libc is in the way, which is hardly ever in this program.
    let cut = report.cpu_samples_cut;
    match has_frame_pointers() {
        true => assert!(cut * 10 < report.cpu_samples, "{report:?}"),
        false => assert_eq!(cut, report.cpu_samples),
    }
}

/// The samples of a task are as many as its share, but for what chance does: if each were drawn by itself, five
/// standard deviations are exceeded once in two million times. Timers draw evenly, so they are better than that.
fn check_share(profile: &Profile, whole: u64, tenths: u64) {
    let (whole, share) = (whole as f64, tenths as f64 / 10.0);
    let found = count(profile) as f64;
    let deviation = (whole * share * (1.0 - share)).sqrt();
    assert!(
        (found - whole * share).abs() <= 5.0 * deviation,
        "{found} of {whole} where {share} was expected"
    );
}

fn check_stacks(profile: &Profile, task: &str) {
    let mut with_burn = 0;
    for sample in &profile.samples {
        let functions: Vec<&str> = sample.stack.iter().map(|place| &*place.function).collect();
        assert_eq!(
            functions.last(),
            Some(&task),
            "the root names the task: {functions:?}"
        );
        let burns = functions
            .iter()
            .position(|function| function.ends_with("burn"));
        let steps = functions
            .iter()
            .position(|function| function.ends_with("step"));
        if let (Some(burns), Some(steps)) = (burns, steps) {
            assert!(burns < steps, "{functions:?}");
            with_burn += sample.count;
        }
        let is_worker = |function: &&str| function.starts_with("tokio::runtime::scheduler");
        assert!(!functions.iter().skip(1).any(is_worker), "{functions:?}");
    }
    if has_frame_pointers() {
        let all = count(profile);
        assert!(
            with_burn * 10 >= all * 8,
            "{with_burn} of {all}: {:#?}",
            profile.samples
        );
    }
}
