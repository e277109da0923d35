//! Times spans, events and regions on one thread and on two, against what they would cost at least;
//! weighs them in the file; and measures how many records the flush thread takes in a second.
//!
//! The library's documentation says how.

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use exectrace_benches::{
    Body, FlushCost, Helper, Subject, Verdicts, answer_as_helper, conclude, describe_run, median,
    quartiles,
};

const USAGE: &str = "usage: cargo bench -p exectrace-benches --bench record [-- --quick]";

/// How much is measured.
#[derive(Clone, Copy)]
struct Effort {
    /// Each has new processes, whose memory lies elsewhere.
    sessions: usize,
    turns: usize,
    /// How often the flush thread is measured, and operations on each thread meanwhile.
    loads: usize,
    load: u64,
}

const FULL: Effort = Effort {
    sessions: 5,
    turns: 20,
    loads: 7,
    load: 100_000,
};

const QUICK: Effort = Effort {
    sessions: 1,
    turns: 7,
    loads: 3,
    load: 30_000,
};

/// Operations of a turn: a millisecond or two, and at most 4 MB of records.
const COUNT: u64 = 20_000;
/// The same where an operation takes a few nanoseconds.
const COUNT_OFF: u64 = 400_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["--helper", subject] => answer_as_helper(subject),
        ["--bench"] => bench(FULL, ""),
        // Without `--bench` it is a test run, which only sees whether it works.
        ["--quick", "--bench"] | ["--bench", "--quick"] | ["--quick"] | [] => {
            bench(QUICK, " -- --quick")
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    conclude(outcome)
}

fn bench(effort: Effort, arguments: &str) -> io::Result<()> {
    println!("{}", describe_run("record", arguments));
    let times = Times::measure(effort)?;
    let mut verdicts = Verdicts::default();
    for body in Body::ALL {
        times.print(body);
    }
    times.judge(&mut verdicts);
    weigh(&mut verdicts)?;
    load(effort, &mut verdicts)?;
    verdicts.print();
    Ok(())
}

/// Nanoseconds an operation, a value for each turn.
struct Times(BTreeMap<(Body, usize, Subject), Vec<f64>>);

impl Times {
    fn measure(effort: Effort) -> io::Result<Self> {
        let mut times = Self(BTreeMap::new());
        for _ in 0..effort.sessions {
            let helpers = Subject::ALL.into_iter().map(Helper::start);
            let mut helpers: Vec<Helper> = helpers.collect::<io::Result<_>>()?;
            // The first turn meets cold memory everywhere, and does not count.
            for turn in 0..=effort.turns {
                for body in Body::ALL {
                    for threads in [1, 2] {
                        times.take_turn(&mut helpers, body, threads, turn > 0)?;
                        // Who came first comes last.
                        helpers.reverse();
                    }
                }
                helpers.rotate_left(1);
            }
        }
        Ok(times)
    }

    fn take_turn(
        &mut self,
        helpers: &mut [Helper],
        body: Body,
        threads: usize,
        counts: bool,
    ) -> io::Result<()> {
        for helper in helpers {
            let subject = helper.subject();
            if subject.does(body) {
                let count = if subject.is_off() { COUNT_OFF } else { COUNT };
                let time_ns = helper.time(body, threads, count)?;
                if counts {
                    let times = self.0.entry((body, threads, subject)).or_default();
                    times.push(time_ns);
                }
            }
        }
        Ok(())
    }

    fn of(&self, body: Body, threads: usize, subject: Subject) -> &[f64] {
        self.0
            .get(&(body, threads, subject))
            .map_or(&[], Vec::as_slice)
    }

    /// Compares each turn with the baseline's same turn.
    fn compare(
        &self,
        body: Body,
        threads: usize,
        subject: Subject,
        compare: impl Fn(f64, f64) -> f64,
    ) -> Vec<f64> {
        let Some(baseline) = subject.baseline() else {
            return Vec::new();
        };
        let own = self.of(body, threads, subject).iter();
        let others = self.of(body, threads, baseline).iter();
        own.zip(others)
            .map(|(&own, &other)| compare(own, other))
            .collect()
    }

    fn print(&self, body: Body) {
        println!(
            "\n| {}: ns | 1 thread | 2 threads | beside | ratio, 1 thread | 2 threads | more, 1 thread | 2 threads |",
            body.name()
        );
        println!("|---|---:|---:|---|---:|---:|---:|---:|");
        for subject in Subject::ALL {
            if !subject.does(body) {
                continue;
            }
            let time = |threads| median(self.of(body, threads, subject));
            print!("| {} | {:.1} | {:.1} |", subject.name(), time(1), time(2));
            let Some(baseline) = subject.baseline() else {
                println!(" | | | | |");
                continue;
            };
            print!(" {} |", baseline.name());
            for threads in [1, 2] {
                let ratios = self.compare(body, threads, subject, |own, other| own / other);
                let (lower, upper) = quartiles(&ratios);
                print!(" {:.2} ({lower:.2}–{upper:.2}) |", median(&ratios));
            }
            for threads in [1, 2] {
                let more = self.compare(body, threads, subject, |own, other| own - other);
                print!(" {:+.1} |", median(&more));
            }
            println!();
        }
    }

    fn judge(&self, verdicts: &mut Verdicts) {
        for threads in [1, 2] {
            let on = if threads == 1 { "" } else { ", 2 threads" };
            for (subject, body, aim) in [
                (Subject::Annotations, Body::Region, 1.3),
                (Subject::Subscriber, Body::Span, 1.3),
                (Subject::Subscriber, Body::SpanWithFields, 1.3),
                (Subject::Subscriber, Body::Event, 1.2),
            ] {
                let ratios = self.compare(body, threads, subject, |own, other| own / other);
                let what = format!("{}, {}{on}", subject.name(), body.name());
                verdicts.at_most(&what, median(&ratios), aim, "×");
            }
            let layer = Subject::Layer;
            let more = self.compare(Body::Span, threads, layer, |own, other| own - other);
            let what = format!("{}, span, more than without{on}", layer.name());
            verdicts.at_most(&what, median(&more), 45.0, " ns");
        }
    }
}

/// Bytes in the file, back to back and with time between, which takes longer time stamps.
fn weigh(verdicts: &mut Verdicts) -> io::Result<()> {
    let mut annotations = Helper::start(Subject::Annotations)?;
    let mut subscriber = Helper::start(Subject::Subscriber)?;
    println!("\n| bytes in the file | back to back | 10 µs apart |");
    println!("|---|---:|---:|");
    let mut weigh = |body: Body, what: &str, aim: Option<f64>| -> io::Result<()> {
        let helper = match body {
            Body::Region => &mut annotations,
            _ => &mut subscriber,
        };
        let dense = helper.weigh(body, COUNT, Duration::ZERO)?;
        let spread = helper.weigh(body, COUNT / 2, Duration::from_micros(10))?;
        println!("| {what} | {dense:.1} | {spread:.1} |");
        if let Some(aim) = aim {
            verdicts.at_most(&format!("bytes of a {what}"), spread, aim, "");
        }
        Ok(())
    };
    weigh(Body::Region, "region", Some(16.0))?;
    weigh(Body::Span, "root span", Some(36.0))?;
    weigh(Body::SpanWithFields, "root span with two fields", None)?;
    weigh(Body::Event, "event with a field and a message", None)
}

/// What the flush thread is measured with.
const LOADS: [(Subject, Body); 4] = [
    (Subject::Annotations, Body::Region),
    (Subject::Subscriber, Body::Span),
    (Subject::Subscriber, Body::SpanWithFields),
    (Subject::Subscriber, Body::Event),
];

/// Records a second of the flush thread's CPU time: again and again in turn, and then the medians.
fn load(effort: Effort, verdicts: &mut Verdicts) -> io::Result<()> {
    let mut costs: BTreeMap<(Body, usize), Vec<FlushCost>> = BTreeMap::new();
    let helpers = LOADS.map(|(subject, body)| Ok((Helper::start(subject)?, body)));
    let mut helpers: Vec<(Helper, Body)> = helpers.into_iter().collect::<io::Result<_>>()?;
    for _ in 0..effort.loads {
        for (helper, body) in &mut helpers {
            for threads in [1, 2] {
                let cost = helper.load_flush_thread(*body, threads, effort.load)?;
                costs.entry((*body, threads)).or_default().push(cost);
            }
        }
    }
    println!("\n| flush thread | records | ns a record | million records a second |");
    println!("|---|---:|---:|---:|");
    for (_, body) in LOADS {
        for threads in [1, 2] {
            let costs = costs.get(&(body, threads)).map_or(&[][..], Vec::as_slice);
            print_load(body, threads, costs, verdicts);
        }
    }
    Ok(())
}

fn print_load(body: Body, threads: usize, costs: &[FlushCost], verdicts: &mut Verdicts) {
    let what = match threads {
        1 => format!("{}, 1 thread", body.name()),
        _ => format!("{}, {threads} threads", body.name()),
    };
    let aim = format!("million records a second through the flush thread, {what}");
    let dropped: u64 = costs.iter().map(|cost| cost.dropped).sum();
    if dropped > 0 {
        let why = format!("{dropped} records were dropped: too little CPU time");
        verdicts.skipped(&aim, &why);
        return;
    }
    let each = costs
        .iter()
        .filter_map(|cost| Some(cost.cpu_ns? / cost.records as f64));
    let each = median(&each.collect::<Vec<_>>());
    if each.is_nan() {
        verdicts.skipped(&aim, "no /proc/self/task/*/schedstat");
        return;
    }
    let records: u64 = costs.iter().map(|cost| cost.records).sum();
    let rate = 1e3 / each;
    println!("| {what} | {records} | {each:.1} | {rate:.1} |");
    if matches!(body, Body::Region | Body::Span) {
        verdicts.at_least(&aim, rate, 15.0, "");
    }
}
