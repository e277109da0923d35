//! The end of processes that rotate: forked children, and exits at whatever moment. The test program runs itself.
#![cfg(unix)]

mod common;
mod rotated;

use std::fs;

use common::{count_regions, read, turn};
use exectrace_recorder::{RecordingOptions, Rotation, region};
use rotated::{files, has_unsealed, in_role, is_sealed, role, small_files, start, write_out};

#[test]
fn a_forked_child_touches_no_file_of_its_parent() {
    let _turn = turn();
    if let Some((role, folder)) = role() {
        let (recording, _) = start(small_files(&folder));
        drop(region("of the parent"));
        write_out();
        // SAFETY: the child does what a child with one thread may, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            match role.as_str() {
                "drops" => drop(recording),
                _ => std::mem::forget(recording),
            }
            // SAFETY: ends the child as a return from its `main` would.
            unsafe { libc::exit(0) };
        }
        let mut status = 0;
        // SAFETY: `status` is writable.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0);
        assert!(has_unsealed(&folder), "the child has sealed it");
        drop(region("of the parent"));
        recording.stop().unwrap();
        return;
    }
    for role in ["drops", "exits"] {
        let folder = tempfile::tempdir().unwrap();
        let test = "a_forked_child_touches_no_file_of_its_parent";
        let child = in_role(test, role, folder.path()).output().unwrap();
        assert!(child.status.success(), "{child:?}");
        let mut regions = 0;
        for path in files(folder.path()) {
            assert!(is_sealed(&path), "{path:?}");
            regions += count_regions(&read(&fs::read(path).unwrap()), "of the parent");
        }
        assert_eq!(regions, 2);
    }
}

#[test]
fn a_process_that_exits_seals_its_last_file_and_its_callback_is_called() {
    let _turn = turn();
    if let Some((_, folder)) = role() {
        let rotation = Rotation::new(folder.join("x"))
            .on_sealed(|sealed| println!("sealed {}", sealed.path.display()));
        let (recording, _) = start(rotation);
        drop(region("work"));
        std::mem::forget(recording);
        std::process::exit(0);
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "a_process_that_exits_seals_its_last_file_and_its_callback_is_called";
    let child = in_role(test, "exits", folder.path()).output().unwrap();
    assert!(child.status.success(), "{child:?}");
    let [path] = files(folder.path()).try_into().unwrap();
    assert!(is_sealed(&path));
    assert_eq!(count_regions(&read(&fs::read(&path).unwrap()), "work"), 1);
    let text = String::from_utf8(child.stdout).unwrap();
    assert!(
        text.contains(&format!("sealed {}", path.display())),
        "{text}"
    );
}

/// What is printed when an exit has come past the tracer.
extern "C" fn exited() {
    // The flush thread is there, and waits for nobody.
    let recording = RecordingOptions::new().start_writer(std::io::sink());
    recording.unwrap().stop().unwrap();
    println!("exited");
}

#[test]
fn a_callback_may_do_anything_also_while_the_process_exits() {
    let _turn = turn();
    if let Some((role, folder)) = role() {
        // SAFETY: ends this process if it hangs, which no busy machine has it seem to.
        unsafe { libc::alarm(120) };
        // SAFETY: the function lives as long as the program. It is called after the tracer's own.
        unsafe { libc::atexit(exited) };
        let folder_of_other = folder.join("other");
        let role_of_callback = role.clone();
        let rotation = small_files(&folder).on_sealed(move |_| {
            match role_of_callback.as_str() {
                "starts and stops" => {
                    let other = exectrace_recorder::start(&folder_of_other).unwrap();
                    drop(region("of the callback"));
                    other.stop().unwrap();
                }
                "panics" => panic!("as the test wants it"),
                "exits" => std::process::exit(0),
                _ => panic!("no such role"),
            }
            println!("the callback is done");
        });
        let (recording, _) = start(rotation);
        drop(region("work"));
        if role == "exits" {
            // While the thread of the callback ends the process.
            recording.stop().unwrap();
            loop {
                std::thread::park();
            }
        }
        std::mem::forget(recording);
        std::process::exit(0);
    }
    for role in ["starts and stops", "panics", "exits"] {
        let folder = tempfile::tempdir().unwrap();
        let test = "a_callback_may_do_anything_also_while_the_process_exits";
        let child = in_role(test, role, folder.path()).output().unwrap();
        assert!(child.status.success(), "{child:?}");
        let text = String::from_utf8(child.stdout).unwrap();
        assert!(text.contains("exited"), "{role}: {text}");
        let is_done = text.contains("the callback is done");
        assert_eq!(is_done, role == "starts and stops", "{text}");
        for path in files(folder.path()) {
            assert!(is_sealed(&path) || path.ends_with("other"), "{path:?}");
            read(&fs::read(&path).unwrap());
        }
    }
}

#[test]
fn an_exit_at_any_moment_leaves_whole_files_and_loses_nothing_that_was_recorded_before() {
    let _turn = turn();
    if let Some((role, folder)) = role() {
        let rounds: usize = role.parse().unwrap();
        let (recording, _) = start(small_files(&folder));
        for _ in 0..rounds {
            drop(region("work"));
            if rounds.is_multiple_of(2) {
                write_out();
            }
        }
        std::mem::forget(recording);
        std::process::exit(0);
    }
    for rounds in [0, 1, 2, 12, 5_001] {
        let folder = tempfile::tempdir().unwrap();
        let test =
            "an_exit_at_any_moment_leaves_whole_files_and_loses_nothing_that_was_recorded_before";
        let mut command = in_role(test, &rounds.to_string(), folder.path());
        let child = command.output().unwrap();
        assert!(child.status.success(), "{child:?}");
        let mut regions = 0;
        for path in files(folder.path()) {
            assert!(is_sealed(&path), "{path:?}");
            let bytes = fs::read(&path).unwrap();
            exectrace_referee::assert_bytes_accepted(&bytes);
            regions += count_regions(&read(&bytes), "work");
        }
        assert_eq!(regions, rounds);
    }
}
