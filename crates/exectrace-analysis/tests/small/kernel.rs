//! What tasks waited for the kernel while they ran.

use exectrace_analysis::{Analysis, Aspect, KernelWait, Options, Window};

use crate::findings::MS;
use crate::script::Script;

/// One worker polls `task` for 10 ms with a region from 2 to 8 ms in it, then `other` for 10 ms.
fn two_polls() -> Script {
    let mut script = Script::default();
    script
        .worker(1, "rt worker 0")
        .runs(10, 1, 3, "main")
        .spawn(20, 1, 1, "task")
        .block(30, 1, "sync", "recv<main")
        .start(MS, 1, 1)
        .task(MS + 1, 1, 1, 0, "request")
        .region(2 * MS, 1, 1, "work")
        .region_end(8 * MS, 1, 1, "work")
        .task_end(8 * MS + 1, 1, 1)
        .spawn(10 * MS, 1, 2, "other")
        .block(11 * MS, 1, "sync", "recv<task")
        .start(12 * MS, 1, 2)
        .block(22 * MS, 1, "sync", "recv<other");
    script
}

fn analyse(script: &Script) -> Analysis {
    script.analyse(&Options {
        each_task: true,
        ..Options::all()
    })
}

fn of_task(analysis: &Analysis, name: &str) -> Option<KernelWait> {
    let tasks = analysis.tasks.as_ref().expect("asked for");
    let group = tasks.groups.iter().find(|group| group.name == name);
    let group = group.expect("the task");
    let each = tasks.each.iter().find(|task| task.name == name);
    let each = each.expect("the task");
    assert_eq!(
        each.breakdown.kernel, group.breakdown.kernel,
        "one task is its group"
    );
    group.breakdown.kernel
}

fn exact(at_least: u64, at_most: u64, of: u64, parts: (u64, u64)) -> Option<KernelWait> {
    let mut wait = KernelWait::default();
    (wait.at_least_ns, wait.at_most_ns, wait.reported_ns) = (at_least, at_most, of);
    (wait.preempted_ns, wait.asleep_ns) = (Some(parts.0), Some(parts.1));
    Some(wait)
}

fn bounds(at_least: u64, at_most: u64) -> Option<KernelWait> {
    let mut wait = KernelWait::default();
    (wait.at_least_ns, wait.at_most_ns) = (at_least, at_most);
    Some(wait)
}

#[test]
fn what_the_kernel_reported_is_charged_to_the_polls_and_regions_in_which_it_was() {
    let mut script = two_polls();
    script
        // From the first on its reports are known to be all.
        .off(0, 1, 10, false)
        .off(MS + MS / 2, 1, MS, true)
        .off(4 * MS, 1, MS, false)
        .off(9 * MS, 1, 100, true)
        // Between the polls.
        .off(11 * MS + 10, 1, 500, true)
        .off(13 * MS, 1, 4 * MS, true);
    let analysis = analyse(&script);
    let asleep = (MS + 100, MS);
    assert_eq!(
        of_task(&analysis, "task"),
        exact(MS + 100, 2 * MS + 100, 10 * MS, asleep)
    );
    assert_eq!(
        of_task(&analysis, "other"),
        exact(4 * MS, 4 * MS, 10 * MS, (4 * MS, 0))
    );
    let regions = analysis.regions.expect("asked for").kinds;
    let of_region = exact(MS / 2, MS + MS / 2, 6 * MS, (MS / 2, MS));
    assert_eq!(regions[0].breakdown.kernel, of_region);
    let user_tasks = analysis.user_tasks.expect("asked for").kinds;
    let request = user_tasks.iter().find(|kind| kind.name == "request");
    assert_eq!(request.expect("it").breakdown.kernel, of_region);
    // The thread ran both.
    let threads = analysis.workers.expect("asked for").threads;
    let thread = threads.iter().find(|thread| thread.id == 1).expect("it");
    assert_eq!(
        thread.kernel,
        exact(5 * MS + 100, 6 * MS + 100, 20 * MS + 20, (5 * MS + 100, MS))
    );
    let latencies = analysis.latencies.expect("asked for");
    let kernel = latencies.all.iter().find(|state| state.state == "kernel");
    let kernel = kernel.expect("polls");
    let sum = (kernel.durations.count(), kernel.durations.total_ns());
    assert_eq!((sum, kernel.unseen), ((3, 5 * MS + 100), 0));
}

#[test]
fn without_reports_the_counts_around_a_poll_are_its_bounds() {
    let of = |wait: u64| {
        let mut script = two_polls();
        script
            .sample(0, 1, 0, 0)
            .sample(23 * MS, 1, 20 * MS, wait)
            .sample(30 * MS, 1, 27 * MS, wait);
        let analysis = analyse(&script);
        (of_task(&analysis, "task"), of_task(&analysis, "other"))
    };
    assert_eq!(of(0), (bounds(0, 0), bounds(0, 0)));
    assert_eq!(of(3 * MS), (bounds(0, 3 * MS), bounds(0, 3 * MS)));
    // Neither can have waited for longer than it ran.
    assert_eq!(of(15 * MS), (bounds(0, 10 * MS), bounds(0, 10 * MS)));
}

#[test]
fn a_long_poll_waited_at_least_for_what_was_counted_and_has_no_room_outside_of_it() {
    let mut script = two_polls();
    script
        .sample(0, 1, 0, 0)
        .sample(11 * MS + 1, 1, MS, 0)
        .sample(23 * MS, 1, 2 * MS, 15 * MS);
    let analysis = analyse(&script);
    // 13 ms and what may be left over from 11 ms before, of which the poll had 10.
    assert_eq!(of_task(&analysis, "other"), bounds(2 * MS, 10 * MS));
}

#[test]
fn where_nothing_is_known_nothing_is_said_and_the_trace_says_why_and_what_to_do() {
    let unsampled = analyse(&two_polls());
    assert_eq!(of_task(&unsampled, "task"), None);
    let sight = &unsampled.overview.sight;
    assert!(sight.why(Aspect::Processors).is_some());
    let latencies = unsampled.latencies.expect("asked for").all;
    assert!(latencies.iter().all(|state| state.state != "kernel"));

    let mut script = two_polls();
    script
        .capability("kernel.switches", "no: perf_event_open: refused; allow it")
        .sample(0, 1, 0, 0)
        .sample(23 * MS, 1, 20 * MS, 0);
    let sampled = analyse(&script);
    let why = sampled.overview.sight.why(Aspect::Switches);
    assert!(
        why.expect("a reason").ends_with("refused; allow it"),
        "{why:?}"
    );
    let latencies = sampled.latencies.expect("asked for").all;
    let kernel = latencies.iter().find(|state| state.state == "kernel");
    assert_eq!(kernel.expect("polls").unseen, 3);
}

#[test]
fn reports_that_were_left_out_leave_bounds() {
    let mut script = two_polls();
    script.off(0, 1, 10, false).off(4 * MS, 1, MS, true);
    let whole = of_task(&analyse(&script), "task");
    assert_eq!(whole, exact(MS, MS, 10 * MS, (MS, 0)));
    script.thinned(20 * MS, "kernel.switches", 1);
    assert_eq!(of_task(&analyse(&script), "task"), None);
    script.sample(0, 1, 0, 0).sample(23 * MS, 1, MS, 7 * MS);
    assert_eq!(of_task(&analyse(&script), "task"), bounds(0, 7 * MS));
}

#[test]
fn waits_in_drivers_are_told_apart_by_what_ended_them() {
    let mut script = two_polls();
    script
        .waits_in_driver((100, 150), 1, 3)
        .waits_in_driver((200, 250), 1, 0)
        .waits_in_driver((300, 320), 1, 1)
        // Partly outside of what is asked for.
        .waits_in_driver((390, 500), 1, 0);
    let analysis = script.analyse(&Options {
        window: Some(Window {
            begin_ns: 0,
            end_ns: 400,
        }),
        ..Options::all()
    });
    let waits = analysis.workers.expect("asked for").driver_waits;
    let rows = waits.iter().map(|waits| {
        let durations = (waits.durations.count(), waits.durations.total_ns());
        (waits.ended_by, durations, waits.ready)
    });
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows, [("source", (2, 70), 4), ("time", (2, 60), 0)]);
}

/// Numbers that look random, the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % end
    }
}

/// Polls of three tasks on one thread, whose processor is taken away and given up at any moments; what it waited in the
/// polls of each; and what of that is sampled.
fn random_polls(numbers: &mut Numbers, is_reported: bool) -> (Script, [u64; 3]) {
    let mut script = Script::default();
    let names = ["a", "b", "c"];
    script.worker(1, "rt worker 0").runs(10, 1, 4, "main");
    for go in 1..=3 {
        script.spawn(10 + go, 1, go, names[go as usize - 1]);
    }
    script.block(20, 1, "sync", "recv<main");
    let (mut now, mut cpu, mut wait) = (20, 20, 0);
    let mut waited = [0; 3];
    let mut ready: Vec<u64> = vec![1, 2, 3];
    script.sample(0, 1, 0, 0);
    if is_reported {
        script.off(1, 1, 1, false);
    }
    for step in 0..200 {
        let go = ready.remove(numbers.below(ready.len() as u64) as usize);
        now += 1 + numbers.below(50);
        script.start(now, 1, go);
        let has_region = numbers.below(2) == 0;
        if has_region {
            now += 1 + numbers.below(50);
            cpu += 1;
            script.region(now, 1, 0, "part");
        }
        for _ in 0..numbers.below(3) {
            let ran = 1 + numbers.below(300);
            let off = 1 + numbers.below(300);
            if is_reported {
                script.off(now + ran, 1, off, true);
            }
            (now, cpu, wait) = (now + ran + off, cpu + ran, wait + off);
            waited[go as usize - 1] += off;
            if numbers.below(4) == 0 {
                now += 1;
                script.sample(now, 1, cpu, wait);
            }
        }
        if has_region {
            now += 1;
            script.region_end(now, 1, 0, "part");
        }
        now += 1 + numbers.below(50);
        script.stop(now, 1, "yield");
        ready.push(go);
        if step % 20 == 19 {
            now += 1;
            script.sample(now, 1, cpu, wait);
        }
    }
    now += 1;
    script.sample(now, 1, cpu, wait);
    (script, waited)
}

#[test]
fn bounds_hold_what_was_waited_and_no_more_than_ran_and_tasks_sum_up_to_their_thread() {
    let mut numbers = Numbers(7);
    for round in 0..100 {
        let is_reported = round % 2 == 0;
        let (script, waited) = random_polls(&mut numbers, is_reported);
        let analysis = analyse(&script);
        let tasks = analysis.tasks.as_ref().expect("asked for");
        for (name, waited) in ["a", "b", "c"].into_iter().zip(waited) {
            let mut each = tasks.each.iter().map(|task| (&task.name, &task.breakdown));
            let groups = tasks.groups.iter();
            let group = groups.map(|group| (&group.name, &group.breakdown));
            let mut all = group
                .chain(each.by_ref())
                .filter(|(known, _)| *known == name);
            let mut found = 0;
            all.by_ref().for_each(|(_, breakdown)| {
                found += 1;
                let wait = breakdown.kernel.expect("all is sampled");
                let holds = wait.at_least_ns <= waited && waited <= wait.at_most_ns;
                assert!(holds, "{name} waited {waited} in round {round}: {wait:?}");
                assert!(wait.at_most_ns <= breakdown.running_ns.expect("seen"));
                if is_reported {
                    assert_eq!(wait.at_least_ns, wait.at_most_ns);
                }
            });
            assert_eq!(found, 2);
        }
        let threads = analysis.workers.expect("asked for").threads;
        let thread = threads.iter().find(|thread| thread.id == 1).expect("it");
        let wait = thread.kernel.expect("all is sampled");
        let all: u64 = waited.iter().sum();
        assert!(wait.at_least_ns <= all && all <= wait.at_most_ns);
        if is_reported {
            assert_eq!(wait.preempted_ns, Some(all));
        }
    }
}
