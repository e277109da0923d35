//! Whatever a trace says, all analyses of it come to an end, and pprof profiles can be read again.
#![no_main]

use exectrace_analysis::{Analysis, Options, Profile, ProfileKind, Window};
use exectrace_format::Reader;

const PROFILES: [ProfileKind; 11] = [
    ProfileKind::Network,
    ProfileKind::Sync,
    ProfileKind::Syscall,
    ProfileKind::Scheduler,
    ProfileKind::Wait,
    ProfileKind::WaitByReason,
    ProfileKind::Run,
    ProfileKind::RunBySpawn,
    ProfileKind::Cpu,
    ProfileKind::Heap,
    ProfileKind::Allocated,
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let window = Window {
        begin_ns: 100,
        end_ns: 1 << 40,
    };
    for window in [None, Some(window)] {
        let Ok(mut reader) = Reader::new(bytes) else {
            return;
        };
        let options = Options {
            each_task: true,
            user_task_trees: vec![1, 2, 3],
            critical_path: Some(1),
            profiles: PROFILES.to_vec(),
            window,
            ..Options::all()
        };
        let analysis = Analysis::read(&mut reader, &options);
        analysis.findings();
        for profile in &analysis.profiles {
            Profile::from_pprof(profile.kind, &profile.to_pprof()).expect("a profile of ours");
        }
    }
});
