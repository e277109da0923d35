//! The list of functions in the documentation, and what calls of them do in this process.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use std::collections::BTreeMap;

use exectrace_syscalls::entry_points;

/// Functions by the name that they have in a trace, as the documentation has them.
fn documented() -> BTreeMap<String, Vec<String>> {
    let rows = include_str!("../ENTRY_POINTS.md").lines().skip(2);
    rows.map(|row| {
        let mut names = row
            .split('|')
            .skip(1)
            .take(2)
            .map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned));
        let name = names.next().unwrap().next().unwrap();
        let mut functions: Vec<String> = names.next().unwrap().collect();
        functions.sort();
        (name, functions)
    })
    .collect()
}

#[test]
#[cfg(not(target_feature = "crt-static"))]
fn the_documentation_lists_each_function_with_the_name_that_it_is_shown_as() {
    let mut all = BTreeMap::<String, Vec<String>>::new();
    for point in entry_points() {
        let shown_as = point.shown_as().to_owned();
        all.entry(shown_as)
            .or_default()
            .push(point.function().to_owned());
    }
    for functions in all.values_mut() {
        functions.sort();
    }
    assert_eq!(all, documented());
}

/// `libc::NAME` is what the standard library calls.
#[test]
fn what_the_program_calls_is_the_entry_point() {
    let names = ["read", "syscall", "epoll_wait", "clock_nanosleep"];
    let functions: [*const (); 4] = [
        libc::read as *const (),
        libc::syscall as *const (),
        libc::epoll_wait as *const (),
        libc::clock_nanosleep as *const (),
    ];
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let program = std::env::current_exe().unwrap();
    for (name, function) in names.iter().zip(functions) {
        let line = maps.lines().find(|line| {
            let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let address = |text| usize::from_str_radix(text, 16).unwrap();
            (address(from)..address(to)).contains(&function.addr())
        });
        let line = line.unwrap_or_else(|| panic!("{name} is nowhere"));
        assert!(line.ends_with(program.to_str().unwrap()), "{name}: {line}");
    }
}

#[test]
fn traces_say_what_is_seen_of_calls_and_what_is_not() {
    use exectrace_format::conventions::{SYSCALLS, SYSCALLS_NOT_SEEN};
    use exectrace_format::{Reader, SideRecord, TraceEventKind};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.out");
    exectrace_recorder::start(&path).unwrap().stop().unwrap();
    let reader = Reader::new(std::io::BufReader::new(std::fs::File::open(path).unwrap())).unwrap();
    let mut said = BTreeMap::new();
    for event in reader {
        if let TraceEventKind::SideData(SideRecord::Capabilities { pairs }) = event.unwrap().kind {
            said.extend(
                pairs
                    .into_iter()
                    .map(|(key, value)| (key.to_string(), value.to_string())),
            );
        }
    }
    let count = entry_points().count();
    assert_eq!(said[SYSCALLS], format!("yes, by {count} functions"));
    // `tempfile` does this by `rustix`.
    let file = tempfile::NamedTempFile::new_in(&folder).unwrap();
    file.persist_noclobber(folder.path().join("other")).unwrap();
    let not_seen = &said[SYSCALLS_NOT_SEEN];
    assert!(
        not_seen.ends_with("rustix: linked; io_uring: no symbol of it"),
        "{not_seen}"
    );
}
