//! Measures what a call of the C library costs more when this crate stands in for it: off, counted, and recorded.
//!
//! `cargo bench -p exectrace-syscalls --bench overhead`
//!
//! The same call is made through the entry point and past it, to what the C library defines, in turn in short rounds,
//! so that other load on the machine affects both alike. A row has the median of the rounds' differences with their
//! quartiles, in nanoseconds of the thread's own time on a processor. Each way has a process of its own.

#[cfg(target_os = "linux")]
use linux::main;

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("there are no entry points on this system");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::{c_int, c_void};
    use std::io::sink;
    use std::process::{Command, ExitCode};
    use std::time::Duration;

    use exectrace_recorder::{RecordingOptions, Settings, Source};
    // Mentioned, so that it is linked.
    use exectrace_syscalls as _;

    type Read = unsafe extern "C" fn(c_int, *mut c_void, usize) -> isize;

    const ROUNDS: usize = 400;
    const CALLS: u32 = 2_000;

    /// How many nanoseconds a call may take more.
    const WAYS: [(&str, f64); 3] = [("off", 5.0), ("counted", 25.0), ("recorded", 25.0)];

    pub(super) fn main() -> ExitCode {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        if let Some(way) = arguments.iter().position(|argument| argument == "--way") {
            measure(arguments.get(way + 1).map_or("off", |way| way));
            return ExitCode::SUCCESS;
        }
        println!(
            "| `read` of a byte of /dev/zero | past the entry point, ns | more, ns (quartiles) | aim |"
        );
        println!("|---|---:|---:|---:|");
        let program = std::env::current_exe().expect("this program");
        for (way, _) in WAYS {
            let run = Command::new(&program).args(["--way", way]).status();
            if !run.is_ok_and(|status| status.success()) {
                return ExitCode::FAILURE;
            }
        }
        ExitCode::SUCCESS
    }

    fn measure(way: &str) {
        let threshold = match way {
            "recorded" => Duration::ZERO,
            _ => Duration::from_secs(1),
        };
        let settings = Settings::new()
            .memory_bytes(1 << 30)
            .call_threshold(threshold)
            .budget(Source::Calls, u64::MAX);
        settings.apply().expect("the first settings");
        let recording = (way != "off").then(|| {
            RecordingOptions::new()
                .start_writer(sink())
                .expect("a recording")
        });

        let (mut plain, mut more) = (Vec::new(), Vec::new());
        let (wrapped, next) = (libc::read as Read, next());
        assert_ne!(wrapped as usize, next as usize);
        let zero = std::fs::File::open("/dev/zero").expect("/dev/zero");
        for round in 0..ROUNDS {
            // Who came first comes last.
            let (first, second) = match round % 2 {
                0 => (wrapped, next),
                _ => (next, wrapped),
            };
            let times = (time(&zero, first), time(&zero, second));
            let (own, other) = match round % 2 {
                0 => times,
                _ => (times.1, times.0),
            };
            plain.push(other);
            more.push(own - other);
        }
        let dropped = recording.map_or(0, |recording| {
            recording.stop().expect("a report").records_dropped
        });
        let aim = WAYS.iter().find(|(known, _)| *known == way);
        println!(
            "| {way} | {:.1} | {:+.1} ({:+.1} to {:+.1}) | {:+.0} |",
            quantile(&mut plain, 0.5),
            quantile(&mut more, 0.5),
            quantile(&mut more, 0.25),
            quantile(&mut more, 0.75),
            aim.map_or(0.0, |(_, aim)| *aim),
        );
        if dropped > 0 {
            println!("{dropped} records found no room: the figures are too low");
        }
    }

    /// What the C library defines.
    fn next() -> Read {
        // SAFETY: the name ends with a zero.
        let library = unsafe { libc::dlopen(c"libc.so.6".as_ptr(), libc::RTLD_NOW) };
        assert!(!library.is_null());
        // SAFETY: as above, and the library stays.
        let read = unsafe { libc::dlsym(library, c"read".as_ptr()) };
        assert!(!read.is_null());
        // SAFETY: it is what the C library calls `read`.
        unsafe { std::mem::transmute::<*mut c_void, Read>(read) }
    }

    /// Nanoseconds a call.
    fn time(file: &std::fs::File, read: Read) -> f64 {
        use std::os::fd::AsRawFd;

        let fd = file.as_raw_fd();
        let mut byte = 0_u8;
        let began = thread_time_ns();
        for _ in 0..CALLS {
            // SAFETY: there is room for a byte.
            let length = unsafe { read(fd, (&raw mut byte).cast(), 1) };
            assert_eq!(length, 1);
        }
        (thread_time_ns() - began) as f64 / f64::from(CALLS)
    }

    fn thread_time_ns() -> i64 {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: there is room for the time.
        let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
        assert_eq!(result, 0);
        time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    fn quantile(values: &mut [f64], part: f64) -> f64 {
        values.sort_by(f64::total_cmp);
        values[((values.len() - 1) as f64 * part) as usize]
    }
}
