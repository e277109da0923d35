//! The rules that watch a trace while it is replayed: wakes, timers, locks, starvation.

use crate::findings::{MS, US, assert_finds, find};
use crate::script::Script;

/// Spawns the tasks from `first` to `last` on thread 1, where task 1 runs, and lets each wait on
/// thread 2 from a time on that is its number in microseconds.
fn spawn_waiting(script: &mut Script, first: u64, last: u64, reason: &str, at: &str) {
    for go in first..=last {
        script
            .spawn(100 + go, 1, go, "task")
            .start(go * US, 2, go)
            .block(go * US + 100, 2, reason, at);
    }
}

#[test]
fn a_task_that_wakes_eight_others_whenever_it_runs_is_told() {
    let wakes = |in_a_run: u64, apart: u64| {
        let mut script = Script::default();
        script.runs(10, 1, 1, "main");
        spawn_waiting(&mut script, 2, 9, "chan receive", "recv<task");
        let mut now = MS;
        for n in 0..100 {
            for go in 2..2 + in_a_run {
                script.wake(now, 1, go).start(now + 500, 2, go).block(
                    now + 900,
                    2,
                    "chan receive",
                    "recv<task",
                );
                now += apart;
            }
            script.stop(now, 1, "yield");
            if n < 99 {
                script.start(now + 100, 1, 1);
            }
            now += US;
        }
        script
    };
    let finding = assert_finds("many_wakes", &wakes(8, US), &wakes(7, US));
    assert_eq!(
        (finding.count, finding.exemplars[0].async_task),
        (800, Some(1))
    );
    assert_eq!(find(&wakes(8, 21 * US), "many_wakes"), None);
}

#[test]
fn tasks_that_are_set_free_at_once_and_stand_in_line_are_a_herd() {
    let herd = |tasks: u64, apart: u64, each: u64| {
        let mut script = Script::default();
        script.runs(10, 1, 1, "main");
        spawn_waiting(&mut script, 2, 1 + tasks, "sync", "notified<task");
        let woken = MS;
        for (n, go) in (0..).zip(2..2 + tasks) {
            script.wake(woken + n * apart, 1, go);
        }
        let mut now = woken + tasks * apart;
        for go in 2..2 + tasks {
            script.start(now, 2, go).end(now + each, 2);
            now += each + 10;
        }
        script
    };
    let finding = assert_finds("herd", &herd(32, 100, 40 * US), &herd(31, 100, 40 * US));
    assert_eq!(finding.count, 1);
    let herd_s = &finding.exemplars[0];
    assert_eq!((herd_s.async_task, herd_s.worker), (Some(1), Some(1)));
    // The last was woken 100 ns before the first ran, and 31 ran before it.
    assert_eq!(herd_s.duration_ns, Some(100 + 31 * (40 * US + 10)));
    // All ran soon; or they were not woken at once.
    assert_eq!(find(&herd(32, 100, 20 * US), "herd"), None);
    assert_eq!(find(&herd(32, 11 * US, 40 * US), "herd"), None);
}

#[test]
fn tasks_that_let_each_other_through_a_lock_are_a_convoy() {
    let line = |tasks: u64, reason: &str, held: u64| {
        let mut script = Script::default();
        script.runs(10, 1, 1, "main");
        spawn_waiting(&mut script, 2, 1 + tasks, reason, "lock<task");
        let mut now = 2 * MS;
        script
            .wake(now, 1, 2)
            .block(now + 10, 1, "network", "poll<main");
        for go in 2..2 + tasks {
            script.start(now + 100, 2, go);
            now += held;
            if go < 1 + tasks {
                script.wake(now, 2, go + 1);
            }
            script.end(now + 10, 2);
        }
        script
    };
    let finding = assert_finds("convoy", &line(8, "sync", US), &line(7, "sync", US));
    let convoy = &finding.exemplars[0];
    assert_eq!((finding.count, convoy.async_task), (1, Some(1)));
    // The last began to wait at 9 µs, and seven held the lock before it.
    assert_eq!(convoy.duration_ns, Some(2 * MS + 7 * US - (9 * US + 100)));
    let place = convoy.place.as_ref().map(|place| place.function.as_str());
    assert_eq!(place, Some("lock"));
    assert_eq!(find(&line(8, "chan receive", US), "convoy"), None);
}

#[test]
fn tasks_that_one_task_wakes_in_turn_are_no_convoy() {
    let mut script = Script::default();
    script.runs(10, 1, 1, "main");
    spawn_waiting(&mut script, 2, 20, "sync", "lock<task");
    for go in 2..=20 {
        let now = MS + go * 100 * US;
        script
            .wake(now, 1, go)
            .start(now + 10, 2, go)
            .end(now + US, 2);
    }
    assert_eq!(find(&script, "convoy"), None);
}

#[test]
fn a_task_that_takes_the_only_worker_starves_the_others() {
    let share = |first: u64, ready: u64| {
        let mut script = Script::default();
        script
            .runs(10, 1, 1, "main")
            .spawn(ready, 1, 2, "task")
            .spawn(ready + 10, 1, 3, "task")
            .stop(first, 1, "preempted");
        let half = (10 * MS - first) / 2;
        script
            .start(first + 10, 1, 2)
            .block(first + half, 1, "sync", "recv<task")
            .start(first + half + 10, 1, 3)
            .block(10 * MS, 1, "sync", "recv<task");
        script
    };
    let has = share(9 * MS, 20);
    let finding = assert_finds("starving", &has, &share(7 * MS, 20));
    assert_eq!(
        (finding.count, finding.exemplars[0].async_task),
        (2, Some(1))
    );
    // The others were ready for the last of it only.
    assert_eq!(find(&share(9 * MS, 8 * MS), "starving"), None);
}

#[test]
fn a_sleep_that_takes_longer_than_all_others_at_its_place_was_woken_late() {
    let sleeps = |longest: u64, spread: u64| {
        let mut script = Script::default();
        script
            .runs(10, 1, 1, "main")
            .spawn(20, 1, 2, "ticker")
            .block(30, 1, "network", "poll<main")
            .start(40, 1, 2);
        let mut now = US;
        for n in 0..40 {
            let length = if n == 25 {
                longest
            } else {
                5 * MS + n * spread
            };
            script
                .block(now, 1, "sleep", "sleep<ticker")
                .wake(now + length, 1, 2)
                .start(now + length + 10, 1, 2);
            now += length + US;
        }
        script
    };
    let late = 15 * MS + 100 * US;
    let finding = assert_finds("late_timer", &sleeps(late, 0), &sleeps(late - 1, 0));
    assert_eq!((finding.count, finding.total_ns), (1, 10 * MS + 100 * US));
    assert_eq!(finding.exemplars[0].async_task, Some(2));
    // Where sleeps vary, a long one says nothing.
    assert_eq!(find(&sleeps(100 * MS, 500 * US), "late_timer"), None);
}

#[test]
fn tasks_that_wait_half_the_time_for_room_a_permit_or_a_lock_stand_in_line() {
    const SEND: &str = "tokio::sync::mpsc::Sender::send<app::produce";
    let waits_at = |waits: u64, tasks: u64, reason: &str, at: &str| {
        let mut script = Script::default();
        script.runs(10, 1, 1, "main");
        spawn_waiting(&mut script, 2, 1 + tasks, reason, at);
        let mut now = MS;
        for n in 0..waits {
            let go = 2 + n % tasks;
            script
                .wake(now, 1, go)
                .start(now + 500, 2, go)
                .block(now + 900, 2, reason, at);
            now += 10 * US;
        }
        script.block(now, 1, "sync", "recv<main");
        script
    };
    let sends = |waits, tasks| waits_at(waits, tasks, "chan send", SEND);
    let finding = assert_finds("queue", &sends(100, 2), &sends(99, 2));
    assert!(finding.message.contains("for room in a channel 100 times"));
    assert!(finding.exemplars[0].place.is_some());
    assert_eq!(find(&sends(100, 1), "queue"), None);
    let receives = waits_at(100, 2, "chan receive", "tokio::sync::mpsc::Rx::recv<task");
    assert_eq!(find(&receives, "queue"), None);
    let sync = |at| find(&waits_at(100, 2, "sync", at), "queue");
    let of_any = sync("tokio::sync::Acquire<task").expect("a lock, a permit or a channel");
    assert!(of_any.message.contains("a lock, a permit or room"));
    assert_eq!(sync("tokio::sync::notify::Notified::poll<task"), None);
}
