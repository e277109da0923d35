//! What the system counts of the whole process.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use exectrace_format::conventions::{
    PROCESS_CPU, PROCESS_FILES, PROCESS_FILES_LIMIT, PROCESS_INVOLUNTARY_SWITCHES,
    PROCESS_MAJOR_FAULTS, PROCESS_MEMORY, PROCESS_MINOR_FAULTS, PROCESS_THREADS,
    PROCESS_VOLUNTARY_SWITCHES,
};

use super::files::with_text;
use super::kernel_calls::{self, Usage};
use super::{Report, value};

/// Where the system does not say how many files are open, it is counted up to this.
const MAX_COUNTED: usize = 4_096;

pub(super) fn about() -> String {
    match fs::metadata("/proc/self/statm") {
        Ok(_) => "yes, ten times a second".to_owned(),
        Err(error) => format!("yes, but for memory, files and threads: /proc: {error}"),
    }
}

/// Memory, time, faults and switches.
pub(super) fn sample_often(report: Report<'_>) {
    let pages = with_text(Path::new("/proc/self/statm"), resident_pages);
    if let Some(pages) = pages.ok().flatten() {
        let bytes = pages.saturating_mul(kernel_calls::page_bytes());
        report(PROCESS_MEMORY, value(bytes));
    }
    if let Some(usage) = kernel_calls::usage() {
        let Usage {
            cpu_ns,
            minor_faults,
            major_faults,
            voluntary_switches,
            involuntary_switches,
        } = usage;
        report(PROCESS_CPU, cpu_ns);
        report(PROCESS_MINOR_FAULTS, minor_faults);
        report(PROCESS_MAJOR_FAULTS, major_faults);
        report(PROCESS_VOLUNTARY_SWITCHES, voluntary_switches);
        report(PROCESS_INVOLUNTARY_SWITCHES, involuntary_switches);
    }
}

/// Threads and open files.
pub(super) fn sample_seldom(report: Report<'_>) {
    if let Some(threads) = threads() {
        report(PROCESS_THREADS, value(threads));
    }
    if let Some(files) = open_files() {
        report(PROCESS_FILES, value(files));
    }
    if let Some(limit) = kernel_calls::open_files_limit() {
        report(
            PROCESS_FILES_LIMIT,
            i64::try_from(limit).unwrap_or(i64::MAX),
        );
    }
}

/// The second number of `statm`.
fn resident_pages(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The folder of threads has a link for each, and two of its own.
fn threads() -> Option<u64> {
    fs::metadata("/proc/self/task").ok()?.nlink().checked_sub(2)
}

/// Since Linux 6.2 the folder's size is their number, which takes a microsecond however many there are. Before, it is 0,
/// and the names in the folder are counted; `None` if they are too many for that.
fn open_files() -> Option<u64> {
    let folder = Path::new("/proc/self/fd");
    match fs::metadata(folder).ok()?.len() {
        0 => {
            let names = fs::read_dir(folder).ok()?.take(MAX_COUNTED + 1).count();
            // The folder itself is open meanwhile.
            (names <= MAX_COUNTED).then_some(names.saturating_sub(1) as u64)
        }
        files => Some(files),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_pages_are_the_second_number() {
        assert_eq!(resident_pages("4444 273 200 1 0 90 0\n"), Some(273));
        for text in ["", "4444", "4444 x 200", "4444 -1"] {
            assert_eq!(resident_pages(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_file_that_is_opened_and_a_page_that_is_touched_are_counted() {
        let values = |name: &str| {
            let mut found = None;
            let mut report = |known: &str, value| {
                if known == name {
                    found = Some(value);
                }
            };
            sample_often(&mut report);
            sample_seldom(&mut report);
            found
        };
        let (files, faults) = (values(PROCESS_FILES), values(PROCESS_MINOR_FAULTS));
        // Other tests of this process may open and close files meanwhile, but fewer than these.
        let open: Vec<_> = (0..200)
            .map(|_| fs::File::open("/proc/self/stat").unwrap())
            .collect();
        // So much malloc takes from the system, whatever was freed before.
        let touched = vec![1u8; 40 << 20];
        assert!(values(PROCESS_FILES) >= files.map(|files| files + 100));
        assert!(values(PROCESS_MINOR_FAULTS) > faults);
        assert!(values(PROCESS_MEMORY) >= Some(8 << 20));
        assert!(values(PROCESS_THREADS) >= Some(1));
        drop((open, touched));
    }
}
