//! The tables of what was measured, of all subjects.

use crate::extras::Extras;
use crate::plan::{EVENT, FIELDS, MEASURES, Measure, REGION, SPAN, Subject};
use crate::results::Results;

/// Prints them all.
pub(crate) fn print(subjects: &[&'static Subject], results: &Results, extras: &Extras) {
    summary(subjects, results, extras);
    if let Some((clock, record)) = extras.clock {
        println!(
            "\nthe floor: a bare record takes {} ns, of which the clock {}",
            digits(record),
            digits(clock)
        );
    }
    hot(subjects, results);
    tasks(subjects, results);
    files(subjects, extras);
    instructions(subjects, extras);
    scale(extras);
    for (subject, why) in &results.failures {
        println!("\n{subject}: {why}");
    }
}

const NOTHING: &str = "–";

fn cell(number: Option<String>) -> String {
    number.unwrap_or_else(|| NOTHING.to_owned())
}

/// Three digits, and no more.
fn digits(number: f64) -> String {
    match number.abs() {
        small if small < 10.0 => format!("{number:.2}"),
        middle if middle < 100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

/// Nanoseconds, and times the floor.
fn beside_floor(results: &Results, subject: &str, body: &'static str) -> String {
    let measure = Measure::Hot(body, 1);
    let own = results.own(subject, measure);
    let ratio = results.ratio(subject, measure);
    cell(
        own.zip(ratio)
            .map(|(own, ratio)| format!("{} ({}×)", digits(own), digits(ratio))),
    )
}

fn table(head: &[String], rows: impl Iterator<Item = Vec<String>>) {
    println!("\n| {} |", head.join(" | "));
    println!("|---|{}", "---:|".repeat(head.len() - 1));
    for row in rows {
        if row.iter().skip(1).any(|cell| cell != NOTHING) {
            println!("| {} |", row.join(" | "));
        }
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// One line a subject.
fn summary(subjects: &[&'static Subject], results: &Results, extras: &Extras) {
    println!(
        "\nns of CPU time of the recording thread, in brackets times the floor of the same turn;"
    );
    println!(
        "tasks: times the same without the tracer, of the threads that run tasks / of all threads"
    );
    let head = names(&[
        "",
        "span, no fields",
        "span, 2 fields",
        "event, 1 field + message",
        "region",
        "bytes a span",
        "ping-pong on/off, 1 thread",
        "spawn + join on/off",
    ]);
    let floor = |body| {
        let of = |subject| results.median(subject, Measure::Hot(body, 1), |turn| turn.base);
        let floor = of("no subscriber").or_else(|| of("exectrace region"));
        cell(floor.map(|ns| format!("{} (1×)", digits(ns))))
    };
    let mut floors = vec!["floor: bare records".to_owned()];
    floors.extend([SPAN, FIELDS, EVENT, REGION].map(floor));
    floors.extend([NOTHING.to_owned(), "1".to_owned(), "1".to_owned()]);
    let rows = subjects.iter().map(|subject| {
        let mut row = vec![subject.name.to_owned()];
        row.extend(
            [SPAN, FIELDS, EVENT, REGION].map(|body| beside_floor(results, subject.name, body)),
        );
        let bytes = [SPAN, REGION].into_iter();
        let bytes = bytes
            .filter_map(|body| extras.bytes.get(&(subject.name, body)))
            .next();
        row.push(cell(bytes.map(|&bytes| digits(bytes))));
        for work in ["ping-pong", "spawn"] {
            row.push(task_cell(results, subject.name, Measure::Tasks(work, 0)));
        }
        row
    });
    table(&head, std::iter::once(floors).chain(rows));
}

fn task_cell(results: &Results, subject: &str, measure: Measure) -> String {
    let own = results.ratio(subject, measure);
    let all = results.ratio_of_all(subject, measure);
    cell(
        own.zip(all)
            .map(|(own, all)| format!("{} / {}", digits(own), digits(all))),
    )
}

/// Bodies in detail: two threads, and all threads of the process.
fn hot(subjects: &[&'static Subject], results: &Results) {
    println!("\nns of CPU time: of the recording thread / of all threads");
    let measures: Vec<Measure> = hot_measures().collect();
    let mut head = vec![String::new()];
    head.extend(measures.iter().map(ToString::to_string));
    let rows = subjects.iter().map(|subject| {
        let mut row = vec![subject.name.to_owned()];
        row.extend(measures.iter().map(|&measure| {
            let own = results.own(subject.name, measure);
            let all = results.median(subject.name, measure, |turn| turn.all);
            cell(
                own.zip(all)
                    .map(|(own, all)| format!("{} / {}", digits(own), digits(all))),
            )
        }));
        row
    });
    table(&head, rows);
}

fn hot_measures() -> impl Iterator<Item = Measure> {
    let measures = MEASURES.iter().copied();
    measures.filter(|measure| matches!(measure, Measure::Hot(..)))
}

/// Tasks, files and requests in detail.
fn tasks(subjects: &[&'static Subject], results: &Results) {
    println!("\ntimes the same without the tracer: the threads that run tasks / all threads");
    let measures: Vec<Measure> = MEASURES
        .iter()
        .copied()
        .filter(|measure| !matches!(measure, Measure::Hot(..)))
        .collect();
    let mut head = vec![String::new()];
    head.extend(measures.iter().map(ToString::to_string));
    let mut bases = vec!["without any, ns".to_owned()];
    bases.extend(measures.iter().map(|&measure| {
        cell(
            results
                .median("no subscriber", measure, |turn| turn.base)
                .map(digits),
        )
    }));
    let rows = subjects.iter().map(|subject| {
        let mut row = vec![subject.name.to_owned()];
        row.extend(
            measures
                .iter()
                .map(|&measure| task_cell(results, subject.name, measure)),
        );
        row
    });
    table(&head, std::iter::once(bases).chain(rows));
}

/// Bytes in files, and of memory.
fn files(subjects: &[&'static Subject], extras: &Extras) {
    println!(
        "\nbytes an operation in the file, back to back; MiB of memory at the highest (records lost)"
    );
    let whats = [SPAN, FIELDS, EVENT, REGION, "call", "ping-pong", "spawn"];
    let mut head = names(&["bytes"]);
    head.extend(whats.map(|what| what.replace('_', " ")));
    head.extend(names(&["peak, spans or regions", "peak, tasks"]));
    let rows = subjects.iter().map(|subject| {
        let mut row = vec![subject.name.to_owned()];
        row.extend(whats.map(|what| {
            cell(
                extras
                    .bytes
                    .get(&(subject.name, what))
                    .map(|&bytes| digits(bytes)),
            )
        }));
        for whats in [&[SPAN, REGION][..], &["spawn"]] {
            let peak = whats
                .iter()
                .find_map(|what| extras.peaks.get(&(subject.name, *what)));
            row.push(cell(peak.map(|&(bytes, lost)| {
                let mib = digits(bytes / f64::from(1 << 20));
                match lost > 0.0 {
                    true => format!("{mib} ({lost})"),
                    false => mib,
                }
            })));
        }
        row
    });
    table(&head, rows);
}

/// Instructions of the recording thread, where there is a valgrind.
fn instructions(subjects: &[&'static Subject], extras: &Extras) {
    if extras.instructions.is_empty() {
        return;
    }
    println!("\ninstructions an operation, of the recording thread (callgrind)");
    let bodies = [SPAN, FIELDS, EVENT, REGION];
    let mut head = vec![String::new()];
    head.extend(bodies.map(|body| body.replace('_', " ")));
    let rows = subjects.iter().map(|subject| {
        let mut row = vec![subject.name.to_owned()];
        row.extend(bodies.map(|body| {
            cell(
                extras
                    .instructions
                    .get(&(subject.name, body, 1))
                    .map(|&each| digits(each)),
            )
        }));
        row
    });
    table(&head, rows);
}

/// What exectrace takes with more threads, and with more live tasks.
fn scale(extras: &Extras) {
    if extras.by_threads.is_empty() {
        return;
    }
    println!(
        "\nexectrace: CPU ns a region by recording threads; ns that recording adds to a message by live tasks"
    );
    let head = names(&["threads", "ns"]);
    let rows = extras.by_threads.iter();
    table(
        &head,
        rows.map(|(threads, &ns)| vec![threads.to_string(), digits(ns)]),
    );
    let head = names(&["live tasks", "ns"]);
    let rows = extras.by_live_tasks.iter();
    table(
        &head,
        rows.map(|(live, &ns)| vec![live.to_string(), digits(ns)]),
    );
}
