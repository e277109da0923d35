//! What needs processes of its own: bytes, memory, instructions, the flush thread, many threads, many
//! live tasks.

use std::collections::BTreeMap;
use std::path::Path;

use exectrace_benches::{Body, Helper, Subject as Bench, median};

use crate::child::Child;
use crate::instructions;
use crate::plan::{EVENT, Effort, FIELDS, Program, REGION, SPAN, Scope, Side, Subject};
use crate::run::Programs;

/// What it came to, by subject and by what was done.
#[derive(Default)]
pub(crate) struct Extras {
    /// Bytes an operation in the file, back to back.
    pub(crate) bytes: BTreeMap<(&'static str, &'static str), f64>,
    /// The same when operations are 10 µs apart, which takes longer time stamps; ours alone.
    pub(crate) bytes_apart: BTreeMap<(&'static str, &'static str), f64>,
    /// Bytes of memory at the highest, and records lost.
    pub(crate) peaks: BTreeMap<(&'static str, &'static str), (f64, f64)>,
    /// Instructions an operation, by threads.
    pub(crate) instructions: BTreeMap<(&'static str, &'static str, usize), f64>,
    /// Millions of records a second of the flush thread's CPU time, by body and threads.
    pub(crate) flush: BTreeMap<(&'static str, usize), f64>,
    /// Operations reached in a second and records lost, at a million records a second.
    pub(crate) pace: Option<(f64, f64)>,
    /// CPU ns a region by threads.
    pub(crate) by_threads: BTreeMap<usize, f64>,
    /// What recording adds to a message to and fro, in ns, by live tasks.
    pub(crate) by_live_tasks: BTreeMap<u64, f64>,
    /// ns of a read of the clock, and of a bare record with it.
    pub(crate) clock: Option<(f64, f64)>,
    /// What could not be measured, and why.
    pub(crate) failures: Vec<String>,
}

const BODIES: [&str; 4] = [SPAN, FIELDS, EVENT, REGION];
const WORKS: [&str; 3] = ["call", "ping-pong", "spawn"];
const HOOKS: &str = "exectrace hooks";
const THREADS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

impl Extras {
    pub(crate) fn measure(
        effort: &Effort,
        subjects: &[&'static Subject],
        programs: &Programs,
    ) -> Self {
        let mut extras = Self::default();
        for subject in subjects {
            if let Some(Ok(program)) = programs.get(&subject.program) {
                eprintln!("bytes, memory: {}", subject.name);
                extras.weigh(subject, program);
                extras.find_peaks(effort, subject, program);
            }
        }
        if let Some(Ok(program)) = programs.get(&Program::Package("exectrace")) {
            if subjects.iter().any(|subject| subject.side == Side::Ours) {
                eprintln!("instructions, threads, live tasks");
                extras.time_clock(effort, program);
                extras.count_instructions(effort, subjects, program);
                extras.load_flush_thread(effort);
                let scale = extras.scale(effort, program);
                extras.note(scale);
            }
        }
        extras
    }

    fn time_clock(&mut self, effort: &Effort, program: &Path) {
        let Ok(mut child) = Child::start(program, "no subscriber") else {
            return;
        };
        let mut taken = Vec::new();
        for _ in 0..=effort.turns * effort.rounds {
            let answer = child.ask(&format!("clock {}", effort.hot.as_micros()));
            if let Ok(Some(&[clock, record])) = answer.as_ref().map(Option::as_deref) {
                taken.push((clock, record));
            }
        }
        let of = |part: fn(&(f64, f64)) -> f64| median(&taken.iter().map(part).collect::<Vec<_>>());
        if !taken.is_empty() {
            self.clock = Some((of(|turn| turn.0), of(|turn| turn.1)));
        }
    }

    fn note(&mut self, outcome: Result<(), String>) {
        if let Err(why) = outcome {
            self.failures.push(why);
        }
    }

    /// The sizes of two files, of which one has twice as many operations: what every file has does
    /// not count.
    fn weigh(&mut self, subject: &'static Subject, program: &Path) {
        if subject.side == Side::Baseline || subject.is_off() || subject.name.contains("paused") {
            return;
        }
        let ours = subject.side == Side::Ours;
        let bodies = BODIES.map(|body| (body, 20_000, Scope::Tasks));
        let works = WORKS.map(|work| (work, 4_000, Scope::Hot));
        for (what, count, not_of) in bodies.into_iter().chain(works) {
            if subject.scope == not_of {
                continue;
            }
            let outcome = bytes_each(program, subject.name, what, count, 0);
            let bytes = outcome.unwrap_or_else(|why| {
                self.failures
                    .push(format!("bytes of {}, {what}: {why}", subject.name));
                None
            });
            if let Some(bytes) = bytes {
                self.bytes.insert((subject.name, what), bytes);
            }
            if ours && BODIES.contains(&what) {
                let outcome = bytes_each(program, subject.name, what, count / 2, 10);
                if let Ok(Some(bytes)) = outcome {
                    self.bytes_apart.insert((subject.name, what), bytes);
                }
            }
        }
    }

    fn find_peaks(&mut self, effort: &Effort, subject: &'static Subject, program: &Path) {
        if subject.is_off() || subject.name.contains("paused") {
            return;
        }
        let works = [
            (SPAN, effort.spans),
            (REGION, effort.spans),
            ("spawn", effort.spawns),
        ];
        let works = works.into_iter().filter(|(what, _)| match *what {
            "spawn" => subject.scope != Scope::Hot,
            _ => subject.scope != Scope::Tasks,
        });
        for (what, count) in works {
            let answer = Child::start(program, subject.name)
                .and_then(|mut child| child.ask(&format!("peak {what} {count}")));
            match answer.as_ref().map(Option::as_deref) {
                Ok(Some(&[peak, dropped])) => {
                    self.peaks.insert((subject.name, what), (peak, dropped));
                }
                Ok(_) => {}
                Err(why) => {
                    let text = format!("memory of {}, {what}: {why}", subject.name);
                    self.failures.push(text);
                }
            }
        }
    }

    fn count_instructions(
        &mut self,
        effort: &Effort,
        subjects: &[&'static Subject],
        program: &Path,
    ) {
        if !instructions::is_there() {
            self.failures
                .push("instructions: there is no valgrind".to_owned());
            return;
        }
        let ours = subjects.iter().filter(|subject| {
            subject.program == Program::Package("exectrace") && subject.scope != Scope::Tasks
        });
        for subject in ours {
            let bodies: &[&'static str] = match subject.name.starts_with("exectrace region") {
                true => &[REGION],
                false => &[SPAN, FIELDS, EVENT],
            };
            for body in bodies {
                self.count_of(program, subject.name, body, 1, effort.counted);
            }
        }
        for (subject, body) in [("exectrace subscriber", SPAN), ("exectrace region", REGION)] {
            // All threads' records must find room.
            self.count_of(program, subject, body, 64, effort.counted.min(3_000));
        }
    }

    fn count_of(
        &mut self,
        program: &Path,
        subject: &'static str,
        body: &'static str,
        threads: usize,
        count: u64,
    ) {
        let counted = |count| instructions::count(program, subject, body, threads as u64, count);
        let each = match subject.ends_with(", off") {
            // Those have recorded something before, which must not count.
            true => instructions::difference(counted(count), counted(2 * count), count),
            false => counted(count),
        };
        match each {
            Ok(Some(each)) => {
                self.instructions.insert((subject, body, threads), each);
            }
            Ok(None) => {}
            Err(why) => {
                let text = format!("instructions of {subject}, {body}, {threads} threads: {why}");
                self.failures.push(text);
            }
        }
    }

    /// Records that the flush thread takes in a second of its CPU time: medians of loads in turn.
    fn load_flush_thread(&mut self, effort: &Effort) {
        let loads = [
            (Bench::Annotations, Body::Region, REGION),
            (Bench::Subscriber, Body::Span, SPAN),
        ];
        let mut rates: BTreeMap<(&'static str, usize), Vec<f64>> = BTreeMap::new();
        for (bench, body, name) in loads {
            let Ok(mut helper) = Helper::start(bench) else {
                self.failures
                    .push(format!("flush thread, {name}: no helper"));
                continue;
            };
            for _ in 0..=effort.turns {
                for threads in [1, 2] {
                    match helper.load_flush_thread(body, threads, 100_000) {
                        Ok(cost) if cost.dropped == 0 => {
                            let ns = cost.cpu_ns.unwrap_or(f64::NAN);
                            let rate = cost.records as f64 / ns * 1e3;
                            rates.entry((name, threads)).or_default().push(rate);
                        }
                        Ok(cost) => self.failures.push(format!(
                            "flush thread, {name}: {} records were lost in a load",
                            cost.dropped
                        )),
                        Err(why) => self.failures.push(format!("flush thread, {name}: {why}")),
                    }
                }
            }
        }
        for (key, rates) in rates {
            self.flush.insert(key, median(&rates));
        }
    }

    /// A steady million records a second; 1 to 64 threads; few and many live tasks.
    fn scale(&mut self, effort: &Effort, program: &Path) -> Result<(), String> {
        let mut child = Child::start(program, "exectrace region")?;
        // A region is two records.
        if let Some([reached, lost]) = child.ask(&format!("pace {REGION} 2 500000 3"))?.as_deref() {
            self.pace = Some((*reached, *lost));
        }
        let mut times: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for turn in 0..=effort.turns {
            for threads in THREADS {
                // So short that all threads' records find room.
                let micros = (effort.hot.as_micros() as usize / threads.div_ceil(4)).max(200);
                let answer = child.ask(&format!("hot {REGION} {threads} {micros}"))?;
                if let Some([_, own, _, _]) = answer.as_deref().filter(|_| turn > 0) {
                    times.entry(threads).or_default().push(*own);
                }
            }
        }
        for (threads, times) in times {
            self.by_threads.insert(threads, median(&times));
        }
        self.scale_live_tasks(effort, program)
    }

    fn scale_live_tasks(&mut self, effort: &Effort, program: &Path) -> Result<(), String> {
        let order = format!("tasks ping-pong 0 {}", effort.tasks.as_micros());
        let mut children = Vec::new();
        for live in [10, effort.live] {
            let mut child = Child::start(program, HOOKS)?;
            child.ask(&format!("live {live}"))?;
            children.push((live, child));
        }
        let mut added: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for turn in 0..=effort.turns * 2 {
            for (live, child) in &mut children {
                let answer = child.ask(&order)?;
                if let Some([base, _, own, _]) = answer.as_deref().filter(|_| turn > 0) {
                    added.entry(*live).or_default().push(own - base);
                }
            }
        }
        for (live, added) in added {
            self.by_live_tasks.insert(live, median(&added));
        }
        Ok(())
    }
}

/// Bytes an operation takes in the file.
fn bytes_each(
    program: &Path,
    subject: &str,
    what: &str,
    count: u64,
    apart_us: u64,
) -> Result<Option<f64>, String> {
    // Threads of a body; for a workload, workers.
    let threads = usize::from(BODIES.contains(&what));
    let bytes_of = |count: u64| -> Result<Option<f64>, String> {
        let mut child = Child::start(program, subject)?;
        if child
            .ask(&format!("once {what} {threads} {count} {apart_us}"))?
            .is_none()
        {
            return Ok(None);
        }
        Ok(child
            .ask("finish")?
            .and_then(|bytes| bytes.first().copied()))
    };
    let Some(once) = bytes_of(count)? else {
        return Ok(None);
    };
    let twice = bytes_of(2 * count)?;
    // A tracer whose records go elsewhere has no file.
    let twice = twice.filter(|&twice| twice > once);
    Ok(twice.map(|twice| (twice - once) / count as f64))
}
