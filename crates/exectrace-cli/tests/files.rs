//! Where traces come from and where answers go: compressed files, standard input, outputs that are the
//! input.

mod support;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use support::{READING, Traces, answer, program, run, run_with_input, service};

/// Exports that write a text to standard output.
const EXPORTING: [&[&str]; 2] = [
    &["export", "chrome", "-o", "-"],
    &["export", "folded", "-o", "-"],
];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The answer without the name of the trace, and without its size, which is that of the plain file.
fn anonymous(answer: &str, label: &str) -> Vec<String> {
    let lines = answer.lines().map(|line| line.replace(label, ""));
    lines
        .map(|line| match line.strip_suffix(" B") {
            Some(sized) => sized
                .trim_end_matches(|it: char| it.is_ascii_digit())
                .trim_end_matches(", ")
                .to_owned(),
            None => line,
        })
        .collect()
}

#[test]
fn every_command_reads_compressed_traces_whatever_their_name_and_standard_input() {
    let traces = Traces::new();
    let bytes = service();
    // The stem is in exports, and the length in the widths of tables.
    let plain = traces.put("it.raw", &bytes);
    let halves = [gzip(&bytes[..100]), gzip(&bytes[100..])].concat();
    let gzipped = traces.put("it.abc", &halves);
    let zstd = zstd::encode_all(&bytes[..], 0).unwrap();
    let zstd_path = traces.put("it.def", &zstd);
    for command in READING.into_iter().chain(EXPORTING) {
        let arguments = command.iter().map(OsStr::new);
        let of = |path: &Path| {
            let arguments = arguments.clone().chain([path.as_os_str()]);
            anonymous(&answer(arguments), &path.display().to_string())
        };
        let expected = of(&plain);
        assert!(!expected.is_empty(), "{command:?}");
        assert_eq!(of(&gzipped), expected, "{command:?} of gzip");
        assert_eq!(of(&zstd_path), expected, "{command:?} of zstd");
        for input in [&bytes, &zstd] {
            let arguments = arguments.clone().chain([OsStr::new("-")]);
            let run = run_with_input(arguments, input);
            assert_eq!(
                run.status,
                Some(0),
                "{command:?} of standard input: {run:?}"
            );
        }
    }
}

#[test]
fn a_compressed_trace_that_is_cut_off_is_an_error() {
    let traces = Traces::new();
    let packed = gzip(&service());
    let path = traces.put("cut.gz", &packed[..packed.len() / 2]);
    let run = run(["summary".as_ref(), path.as_os_str()]);
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.stderr.contains("cannot read"), "{}", run.stderr);
}

/// Every command that writes, with its output last.
const WRITING: [&[&str]; 5] = [
    &["cut"],
    &["export", "perfetto"],
    &["export", "speedscope"],
    &["profile", "--format", "pprof"],
    &["symbolize", "--binary", env!("CARGO_BIN_EXE_exectrace")],
];

#[test]
fn no_command_writes_over_the_trace_that_it_reads() {
    let traces = Traces::new();
    let bytes = service();
    for command in WRITING {
        let trace = traces.put("it.trace", &bytes);
        let (symbolic, hard) = (trace.with_extension("ln"), trace.with_extension("hard"));
        std::os::unix::fs::symlink(&trace, &symbolic).unwrap();
        fs::hard_link(&trace, &hard).unwrap();
        for output in [&trace, &symbolic, &hard] {
            let arguments = command.iter().map(OsStr::new);
            let files = [trace.as_os_str(), "-o".as_ref(), output.as_os_str()];
            let run = run(arguments.chain(files));
            assert_eq!(run.status, Some(2), "{command:?} {output:?}: {run:?}");
            let expected = "is what the command reads";
            assert!(run.stderr.contains(expected), "{}", run.stderr);
            assert_eq!(fs::read(&trace).unwrap(), bytes, "{command:?} {output:?}");
        }
        fs::remove_file(symbolic).unwrap();
        fs::remove_file(hard).unwrap();
    }
}

#[test]
fn standard_output_and_input_are_compared_as_well() {
    let traces = Traces::new();
    let bytes = service();
    let trace = traces.put("it.trace", &bytes);
    let appended = || OpenOptions::new().append(true).open(&trace).unwrap();
    let mut to_itself = program(["export", "chrome", "-o", "-"]);
    to_itself.arg(&trace).stdout(appended());
    let mut from_itself = program(["export", "chrome", "-", "-o"]);
    from_itself.arg(&trace).stdin(File::open(&trace).unwrap());
    for command in [&mut to_itself, &mut from_itself] {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert_eq!(fs::read(&trace).unwrap(), bytes);
    }
}

#[test]
fn no_program_is_written_over_by_the_trace_that_it_gives_names_to() {
    let traces = Traces::new();
    let (trace, binary) = (traces.put("it.trace", &service()), traces.path("program"));
    fs::copy(env!("CARGO_BIN_EXE_exectrace"), &binary).unwrap();
    let size = fs::metadata(&binary).unwrap().len();
    let run = run([
        "symbolize".as_ref(),
        trace.as_os_str(),
        "--binary".as_ref(),
        binary.as_os_str(),
        "-o".as_ref(),
        binary.as_os_str(),
    ]);
    assert_eq!(run.status, Some(2), "{run:?}");
    assert_eq!(fs::metadata(&binary).unwrap().len(), size);
}

#[test]
fn standard_output_by_its_path_is_appended_to_where_it_is() {
    let traces = Traces::new();
    let (trace, file) = (
        traces.put("it.trace", &service()),
        traces.put("out", b"before\n"),
    );
    let mut command = program(["export", "folded", "-o", "/dev/stdout"]);
    command
        .arg(&trace)
        .stdout(OpenOptions::new().append(true).open(&file).unwrap());
    assert!(command.status().unwrap().success());
    let written = fs::read_to_string(&file).unwrap();
    assert!(
        written.starts_with("before\n") && written.len() > 10,
        "{written}"
    );
}

#[test]
fn an_output_behind_a_link_is_written_where_the_link_points() {
    let traces = Traces::new();
    let trace = traces.put("it.trace", &service());
    let (file, link) = (trace.with_extension("json"), trace.with_extension("link"));
    fs::write(&file, "old").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let export = ["export", "chrome"].map(OsStr::new);
    let files = [trace.as_os_str(), "-o".as_ref(), link.as_os_str()];
    answer(export.into_iter().chain(files));
    assert!(link.is_symlink());
    assert!(fs::read(&file).unwrap().len() > 3);
}

#[test]
fn an_output_that_cannot_be_made_is_named_as_it_was_given() {
    let traces = Traces::new();
    let trace = traces.put("it.trace", &service());
    let output = traces.path("no such folder/out.json");
    let [trace, output] = [&trace, &output].map(|path| path.to_str().expect("UTF-8"));
    let run = run(["export", "chrome", "-o", output, trace]);
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.stderr.contains(output), "{}", run.stderr);
    assert!(!run.stderr.contains(".exectrace-"), "{}", run.stderr);
}
