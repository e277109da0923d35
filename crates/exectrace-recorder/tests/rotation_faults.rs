//! Rotating recordings when disks are full, folders disappear, and processes end at any moment. The test program runs
//! itself where a fault is one of the process.
#![cfg(unix)]

mod common;
mod rotated;

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use common::{count_lost, count_regions, messages, read, turn};
use exectrace_recorder::{RecordingOptions, Report, Rotation, SinkError, StopError, Task, region};
use rotated::{
    files, has_unsealed, in_role, is_sealed, role, size_of_all, small_files, start, work_until,
};

/// Processes that are killed, one after the other.
const KILLS: usize = 12;
/// Processes that write to one folder at once.
const PROCESSES: usize = 3;

/// Lets files have this size at most.
fn limit_files(bytes: libc::rlim_t) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is writable.
    let status = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) };
    assert_eq!(status, 0);
    limit.rlim_cur = bytes.min(limit.rlim_max);
    // SAFETY: `limit` is readable.
    let status = unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) };
    assert_eq!(status, 0);
}

/// Fills what room there is on the file system of a folder.
fn fill(folder: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(folder.join("filler")).unwrap();
    while file.write(&[0; 4_096]).is_ok_and(|bytes| bytes > 0) {}
}

/// What a process does that writes while there is room, while there is none, and when there is room again.
fn write_while_room_comes_and_goes(
    folder: &Path,
    take_room: impl Fn(),
    give_room: impl Fn(),
) -> Result<Report, StopError> {
    let traces = folder.join("traces");
    let (recording, errors) = start(small_files(&traces));
    let task = Task::new("across all");
    let open = task.region("across all");
    let mut rounds = 0;
    work_until("before", || {
        rounds += 1;
        rounds > 5
    });
    take_room();
    work_until("while full", || !has_unsealed(&traces));
    assert!(matches!(errors.recv().unwrap(), SinkError::Paused { .. }));
    work_until("while full", || true);
    // No sealed file is torn, nor is anything else there.
    for path in files(&traces) {
        read(&fs::read(path).unwrap());
    }
    give_room();
    work_until("after", || has_unsealed(&traces));
    drop(region("at the end"));
    drop(open);
    let report = recording.stop();
    assert!(errors.try_recv().is_err(), "it is said once");
    report
}

fn assert_all_but_the_loss_is_there(folder: &Path, report: &Report) {
    let traces = folder.join("traces");
    let mut lost = 0;
    let mut said = Vec::new();
    let mut regions = 0;
    let (mut at_the_end, mut across) = (0, 0);
    for path in files(&traces) {
        assert!(is_sealed(&path), "{path:?}");
        let bytes = fs::read(&path).unwrap();
        exectrace_referee::assert_bytes_accepted(&bytes);
        let events = read(&bytes);
        lost += count_lost(&events);
        said.extend(messages(&events, "exectrace"));
        regions += count_regions(&events, "before");
        at_the_end += count_regions(&events, "at the end");
        across += count_regions(&events, "across all");
    }
    assert_eq!(regions, 600);
    assert_eq!((at_the_end, across), (1, files(&traces).len()));
    assert!(lost > 0);
    assert_eq!(lost, report.records_dropped);
    let said: Vec<_> = said
        .iter()
        .filter(|text| text.contains("are in no file"))
        .collect();
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn where_files_may_not_grow_records_are_dropped_and_counted_until_they_may() {
    let _turn = turn();
    if let Some((_, folder)) = role() {
        let report = write_while_room_comes_and_goes(
            &folder,
            || limit_files(3),
            || limit_files(libc::RLIM_INFINITY),
        );
        return assert_all_but_the_loss_is_there(&folder, &report.unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    // A process of its own, as the limit is one of the process.
    let test = "where_files_may_not_grow_records_are_dropped_and_counted_until_they_may";
    let child = in_role(test, "limit", folder.path()).output().unwrap();
    assert!(child.status.success(), "{child:?}");
}

#[test]
fn a_full_disk_costs_what_has_no_room_and_no_sealed_file() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    if let Some((_, folder)) = role() {
        let filler = folder.join("filler");
        let report = write_while_room_comes_and_goes(
            &folder,
            || fill(&folder),
            || fs::remove_file(&filler).unwrap(),
        );
        return assert_all_but_the_loss_is_there(&folder, &report.unwrap());
    }
    // A small file system in a name space of its own, which some systems let no ordinary user have.
    let test = "a_full_disk_costs_what_has_no_room_and_no_sealed_file";
    let inner = in_role(test, "disk", folder.path());
    let mut outer = Command::new("unshare");
    outer
        .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
        .arg("mount -t tmpfs -o size=2m none \"$0\" || { echo cannot mount; exit; }; exec \"$@\"")
        .arg(folder.path())
        .arg(inner.get_program())
        .args(inner.get_args());
    for (key, value) in inner.get_envs() {
        outer.env(key, value.unwrap());
    }
    match outer.output() {
        Ok(child) if child.status.success() => {
            if String::from_utf8_lossy(&child.stdout).contains("cannot mount") {
                println!("skipped: no file system can be mounted");
            }
        }
        Ok(child) if String::from_utf8_lossy(&child.stderr).starts_with("unshare:") => {
            println!("skipped: {}", String::from_utf8_lossy(&child.stderr));
        }
        Ok(child) => panic!("{child:?}"),
        Err(error) => println!("skipped: unshare: {error}"),
    }
}

#[test]
fn a_folder_that_is_removed_is_made_again_and_what_was_in_it_is_counted_as_lost() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let traces = folder.path().join("traces");
    let rotation = Rotation::new(traces.join("x"));
    let (recording, errors) = start(rotation);
    work_until("before", || true);
    fs::remove_dir_all(&traces).unwrap();
    work_until("before", || has_unsealed(&traces));
    drop(region("after"));
    let error = recording.stop().unwrap_err();
    assert!(matches!(error.error(), SinkError::Seal { .. }), "{error}");
    assert!(matches!(errors.recv().unwrap(), SinkError::Seal { .. }));
    assert_eq!((error.report().files, error.report().files_lost), (1, 1));
    let [path] = files(&traces).try_into().unwrap();
    let bytes = fs::read(path).unwrap();
    exectrace_referee::assert_bytes_accepted(&bytes);
    let events = read(&bytes);
    assert_eq!(count_regions(&events, "after"), 1);
    assert_eq!(count_lost(&events), error.report().records_dropped);
    let said = messages(&events, "exectrace").concat();
    assert!(
        said.contains("the file was removed while it was written"),
        "{said}"
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_at_the_start() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a file"), "").unwrap();
    let rotation = Rotation::new(folder.path().join("a file/x"));
    let error = RecordingOptions::new()
        .start_rotating(rotation)
        .unwrap_err();
    assert!(error.to_string().contains("a file/x"), "{error}");
    let error = RecordingOptions::new().start_rotating(Rotation::new("/"));
    assert!(error.is_err());
    assert!(!exectrace_recorder::is_enabled());
}

/// Writes many small files, and a line for each that is sealed, until the process ends.
fn write_for_ever(folder: &Path) -> ! {
    let rotation = small_files(folder).on_sealed(|sealed| println!("{}", sealed.path.display()));
    let (_recording, _) = start(rotation);
    loop {
        drop(region("work"));
    }
}

#[test]
fn a_process_that_is_killed_at_any_moment_leaves_valid_files_and_the_next_one_seals_its_last() {
    let _turn = turn();
    if let Some((_, folder)) = role() {
        write_for_ever(&folder);
    }
    let folder = tempfile::tempdir().unwrap();
    let test =
        "a_process_that_is_killed_at_any_moment_leaves_valid_files_and_the_next_one_seals_its_last";
    let mut reported = 0;
    let mut seen = HashSet::new();
    for round in 0..KILLS {
        let mut child = in_role(test, "killed", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..round % 4 {
            lines.find(|line| line.as_ref().unwrap().ends_with(".trace"));
            reported += 1;
        }
        // Some moment later, another one in each round.
        let sum: usize = (0..round * 7_919 % 100_003).map(std::hint::black_box).sum();
        std::hint::black_box(sum);
        child.kill().unwrap();
        child.wait().unwrap();
        for path in files(folder.path()).iter().filter(|path| is_sealed(path)) {
            if !seen.contains(path) {
                read(&fs::read(path).unwrap());
                seen.insert(path.clone());
            }
        }
    }
    let (found, are_found) = mpsc::channel();
    let rotation = small_files(folder.path()).on_sealed(move |sealed| {
        found.send(sealed.clone()).unwrap();
    });
    let (recording, _) = start(rotation);
    recording.stop().unwrap();
    let found: Vec<_> = are_found.into_iter().collect();
    assert!(
        found
            .iter()
            .filter(|sealed| sealed.contents.is_none())
            .count()
            <= 1
    );
    let files = files(folder.path());
    assert!(files.len() > reported, "{} of {reported}", files.len());
    for path in files {
        assert!(is_sealed(&path), "{path:?}");
        let bytes = fs::read(&path).unwrap();
        read(&bytes);
        exectrace_referee::assert_bytes_accepted(&bytes);
    }
}

#[test]
fn processes_that_share_a_folder_and_a_name_share_the_budget_and_no_file() {
    const BUDGET: u64 = 100_000;
    let _turn = turn();
    if let Some((_, folder)) = role() {
        let (sealed, is_sealed) = mpsc::channel();
        let rotation = small_files(&folder)
            .budget_bytes(BUDGET)
            .on_sealed(move |file| {
                sealed.send(file.path.clone()).unwrap();
            });
        let (recording, errors) = start(rotation);
        let mut rounds = 0;
        work_until("work", || {
            rounds += 1;
            rounds > 20
        });
        let report = recording.stop().unwrap();
        assert_eq!((report.records_dropped, report.files_lost), (0, 0));
        assert!(errors.try_recv().is_err());
        return is_sealed
            .iter()
            .for_each(|path| println!("{}", path.display()));
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "processes_that_share_a_folder_and_a_name_share_the_budget_and_no_file";
    let children: Vec<_> = (0..PROCESSES)
        .map(|_| {
            let mut command = in_role(test, "shared", folder.path());
            command.stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut sealed = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        let paths = text.lines().filter(|line| line.ends_with(".trace"));
        sealed.extend(paths.map(PathBuf::from));
    }
    let count = sealed.len();
    sealed.sort();
    sealed.dedup();
    assert_eq!(sealed.len(), count, "a file was sealed twice");
    let left = files(folder.path());
    assert!(left.len() < count && left.len() > 1);
    for path in &left {
        assert!(sealed.contains(path));
        read(&fs::read(path).unwrap());
    }
    assert!(size_of_all(folder.path()) <= BUDGET);
}
