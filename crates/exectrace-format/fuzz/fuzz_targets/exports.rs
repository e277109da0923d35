//! Whatever a trace says, it is exported as far as it can be read.
#![no_main]

use std::io::sink;

use exectrace_analysis::{Analysis, Options as AnalysisOptions, ProfileKind};
use exectrace_export::{Options, chrome, firefox, folded, perfetto, speedscope};
use exectrace_format::Reader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let options = Options::default();
    for export in [perfetto, chrome, firefox] {
        let Ok(reader) = Reader::new(bytes) else {
            return;
        };
        export(reader, sink(), &options).expect("a sink takes all");
    }
    let Ok(mut reader) = Reader::new(bytes) else {
        return;
    };
    let options = AnalysisOptions {
        profiles: vec![ProfileKind::Run, ProfileKind::Wait],
        ..AnalysisOptions::default()
    };
    for profile in &Analysis::read(&mut reader, &options).profiles {
        folded(profile, sink()).expect("a sink takes all");
        speedscope(profile, "wait", sink()).expect("a sink takes all");
    }
});
