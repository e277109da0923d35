//! The targets, each a number of the same run.

use std::fmt::Write as _;

use crate::extras::Extras;
use crate::plan::{EVENT, FIELDS, Measure, REGION, SPAN};
use crate::results::{Results, Turn};

/// The verdicts so far.
#[derive(Default)]
struct Verdicts {
    lines: String,
    met: usize,
    judged: usize,
    open: usize,
}

impl Verdicts {
    fn at_most(&mut self, group: usize, what: &str, value: Option<f64>, aim: f64, unit: &str) {
        let met = value.map(|value| value <= aim);
        self.add(group, what, value, &format!("≤ {aim}{unit}"), unit, met);
    }

    fn at_least(&mut self, group: usize, what: &str, value: Option<f64>, aim: f64, unit: &str) {
        let met = value.map(|value| value >= aim);
        self.add(group, what, value, &format!("≥ {aim}{unit}"), unit, met);
    }

    fn add(
        &mut self,
        group: usize,
        what: &str,
        value: Option<f64>,
        aim: &str,
        unit: &str,
        met: Option<bool>,
    ) {
        let verdict = match met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "not measured",
        };
        match met {
            Some(met) => {
                self.judged += 1;
                self.met += usize::from(met);
            }
            None => self.open += 1,
        }
        let value = value.map_or("–".to_owned(), |value| format!("{value:.2}{unit}"));
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.lines,
            "| {group} | {what} | {aim} | {value} | {verdict} |"
        );
    }
}

/// Judges all targets, and prints the table and its last line.
pub(crate) fn print(results: &Results, extras: &Extras) {
    let mut verdicts = Verdicts::default();
    recording(&mut verdicts, results);
    off(&mut verdicts, results, extras);
    bytes_and_flush(&mut verdicts, results, extras);
    tasks(&mut verdicts, results);
    memory_and_scale(&mut verdicts, extras);
    println!("\n| | target | aim | value | verdict |\n|---|---|---:|---:|---|");
    print!("{}", verdicts.lines);
    println!();
    for failure in &extras.failures {
        println!("not measured: {failure}");
    }
    let open = match verdicts.open {
        0 => String::new(),
        open => format!(" ({open} more not measured)"),
    };
    println!("targets met: {} of {}{open}", verdicts.met, verdicts.judged);
}

/// 1 to 3: what recording costs the thread that records.
fn recording(verdicts: &mut Verdicts, results: &Results) {
    let span = Measure::Hot(SPAN, 1);
    let region = Measure::Hot(REGION, 1);
    let ratio = results.ratio("exectrace region", region);
    verdicts.at_most(1, "region, beside the floor", ratio, 1.3, "×");
    let off = results.own("exectrace region, off", region);
    verdicts.at_most(1, "region, off", off, 2.0, " ns");

    for (body, aim) in [(SPAN, 1.3), (FIELDS, 1.3), (EVENT, 1.2)] {
        let measure = Measure::Hot(body, 1);
        let (own, other) = ("exectrace subscriber", "record-only subscriber");
        let ratio = results.beside(own, other, measure, |own, other| own.own / other.own);
        let what = format!("subscriber, {measure}, beside the record-only subscriber");
        verdicts.at_most(2, &what, ratio, aim, "×");
    }
    for (rival, aim) in [
        ("tracing-chrome", 15.0),
        ("dial9 hooks + layer", 15.0),
        ("tracing-tracy", 8.0),
        ("fastrace", 1.0),
    ] {
        let times = results.beside("exectrace subscriber", rival, span, |own, rival| {
            rival.own / own.own
        });
        let what = format!("subscriber, span, faster than {rival}");
        verdicts.at_least(2, &what, times, aim, "×");
    }

    let more = |own: &Turn, other: &Turn| own.own - other.own;
    let (own, other) = ("exectrace layer", "Registry + do-nothing filtered layer");
    let more = results.beside(own, other, span, more);
    let what = format!("{own}, span, more than {other}");
    verdicts.at_most(3, &what, more, 45.0, " ns");
    let of = |threads| results.ratio("exectrace subscriber", Measure::Hot(SPAN, threads));
    let ratio = of(2).zip(of(1)).map(|(two, one)| two / one);
    let what = "subscriber, span, 2 threads beside 1, each over the floor there (5% for noise)";
    verdicts.at_most(3, what, ratio, 1.05, "×");
}

/// 4: what it costs while nothing records.
fn off(verdicts: &mut Verdicts, results: &Results, extras: &Extras) {
    for entrance in ["exectrace subscriber, off", "exectrace layer, off"] {
        for body in [SPAN, FIELDS, EVENT] {
            let of = |subject| extras.instructions.get(&(subject, body, 1));
            let more = of(entrance).zip(of("no subscriber"));
            let more = more.map(|(own, none)| own - none);
            let measure = Measure::Hot(body, 1);
            let what = format!("{entrance}, {measure}, more than no subscriber");
            verdicts.at_most(4, &what, more, 5.0, " instructions");
        }
    }
    let hooks = "exectrace hooks, off";
    let more = |turn: &Turn| turn.own - turn.base;
    let poll = results.median(hooks, Measure::Tasks("yield", 0), more);
    verdicts.at_most(4, "hooks, off: a poll more", poll, 4.0, " ns");
    let spawn = results.median(hooks, Measure::Tasks("spawn", 0), more);
    verdicts.at_most(4, "hooks, off: a spawn more", spawn, 40.0, " ns");
    for workers in [0, 2] {
        let measure = Measure::Tasks("ping-pong", workers);
        let ratio = results.ratio(hooks, measure);
        verdicts.at_most(4, &format!("hooks, off: {measure}"), ratio, 1.02, "×");
    }
}

/// 5 and 6: bytes in the file, and the flush thread.
fn bytes_and_flush(verdicts: &mut Verdicts, results: &Results, extras: &Extras) {
    let apart = |subject, body| extras.bytes_apart.get(&(subject, body)).copied();
    let region = apart("exectrace region", REGION);
    verdicts.at_most(5, "bytes a region", region, 16.0, "");
    let span = apart("exectrace subscriber", SPAN);
    verdicts.at_most(5, "bytes a root span", span, 36.0, "");
    // A message to and fro is two times wake, run and block.
    let run = extras.bytes.get(&("exectrace hooks", "ping-pong"));
    let run = run.map(|bytes| bytes / 2.0);
    verdicts.at_most(5, "bytes of a wake + run + block", run, 20.0, "");

    let all = results.median("exectrace subscriber", Measure::Hot(SPAN, 1), |turn| {
        turn.all / turn.own
    });
    verdicts.at_most(
        6,
        "subscriber, span, all threads beside its own",
        all,
        2.0,
        "×",
    );
    for (body, threads) in [(REGION, 1), (REGION, 2), (SPAN, 1), (SPAN, 2)] {
        let rate = extras.flush.get(&(body, threads)).copied();
        let what = format!("million records a second, {}", Measure::Hot(body, threads));
        verdicts.at_least(6, &what, rate, 15.0, "");
    }
    // With fewer reached, nothing is said of a million.
    let lost = extras.pace.filter(|(reached, _)| *reached > 490_000.0);
    let lost = lost.map(|(_, lost)| lost);
    let what = "records lost at a million a second from 2 threads";
    verdicts.at_most(6, what, lost, 0.0, "");
}

/// 7 and 8: Tokio's tasks, requests, files.
fn tasks(verdicts: &mut Verdicts, results: &Results) {
    let hooks = "exectrace hooks";
    for (work, aim) in [("ping-pong", 1.25), ("spawn", 1.35)] {
        for workers in [0, 2] {
            let measure = Measure::Tasks(work, workers);
            let ratio = results.ratio(hooks, measure);
            verdicts.at_most(7, &format!("hooks, {measure}"), ratio, aim, "×");
        }
    }
    let call = results.ratio("exectrace subscriber", Measure::Tasks("call", 0));
    let what = "subscriber, async fn with #[instrument] that yields once";
    verdicts.at_most(7, what, call, 2.2, "×");
    let whole = "exectrace hooks + subscriber";
    let http = results.ratio(whole, Measure::Http);
    verdicts.at_most(7, "hooks + subscriber, HTTP request", http, 1.01, "×");

    for (reader, aim) in [("std", 1.05), ("tokio", 1.03)] {
        let measure = Measure::Read(reader);
        let ratio = results.ratio(whole, measure);
        verdicts.at_most(
            8,
            &format!("hooks + subscriber, {measure}"),
            ratio,
            aim,
            "×",
        );
        let go = results.ratio("Go", Measure::Read("std"));
        let beside = ratio.zip(go).map(|(own, go)| own / go);
        let what = format!("hooks + subscriber, {measure}, beside Go's own ratio");
        verdicts.at_most(8, &what, beside, 1.0, "×");
    }
}

/// What a process may take, in MiB: 64 of buffers, which is the default setting, and 100 of the table of
/// open spans, which is its limit of 1,048,576 spans of some 100 bytes. Spans at full speed are lost in
/// part, their ends among them, and stay in that table until their loss is known.
const MOST_MEMORY_MIB: f64 = 64.0 + 100.0;

/// 9 and 10: memory, threads, tasks.
fn memory_and_scale(verdicts: &mut Verdicts, extras: &Extras) {
    for (subject, body) in [("exectrace region", REGION), ("exectrace subscriber", SPAN)] {
        let peak = extras.peaks.get(&(subject, body));
        let peak = peak.map(|(bytes, _)| bytes / f64::from(1 << 20));
        let what = format!("{subject}, peak of memory, a million at full speed");
        verdicts.at_most(9, &what, peak, MOST_MEMORY_MIB, " MiB");
    }
    for (subject, body) in [("exectrace region", REGION), ("exectrace subscriber", SPAN)] {
        let of = |threads| extras.instructions.get(&(subject, body, threads));
        let ratio = of(64).zip(of(1)).map(|(many, one)| many / one);
        let what = format!("{subject}, instructions, 64 threads beside 1");
        verdicts.at_most(10, &what, ratio, 1.2, "×");
    }
    let first = extras.by_live_tasks.first_key_value();
    let last = extras.by_live_tasks.last_key_value();
    let ratio = first.zip(last).map(|(few, many)| many.1 / few.1);
    let live = last.map_or(0, |(live, _)| *live);
    let what = format!("hooks, what recording adds to a message, {live} live tasks beside 10");
    verdicts.at_most(10, &what, ratio, 1.2, "×");
}
