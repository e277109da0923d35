//! The tables, in the form that the README has them.

use std::process::Command;

use crate::arguments::Options;
use crate::case::{Case, Mode};
use crate::figures::{Round, Turn, median_of, micros, ratio_of, turns};
use crate::flagged_build::FLAGS;
use crate::judge::Judge;
use crate::load::Measured;

pub(crate) fn print_head(options: &Options, judge: &Judge) {
    let flags = if options.is_stable { "no flags" } else { FLAGS };
    println!(
        "servers built with {flags}; traces judged by {}",
        judge.names()
    );
    println!("{}, {}", machine(), compiler());
    println!(
        "medians over the rounds, of which there are {}; each ratio is taken within a round: of \"installed, off\" to \"no \
         tracer\", of the others to \"installed, off\"",
        options.rounds
    );
}

pub(crate) fn print(case: Case, rounds: &[Round]) {
    let requests = Mode::ALL
        .into_iter()
        .flat_map(|mode| turns(rounds, mode))
        .map(|turn| turn.measured.requests)
        .min();
    println!();
    println!(
        "{}; {} requests or more a turn",
        case.title(),
        requests.unwrap_or(0)
    );
    println!();
    println!(
        "| | requests/s | ratio | CPU µs a request | ratio | of it flush thread | p50 µs | p99 µs \
         | records a request | bytes a request | dropped |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for mode in Mode::ALL {
        println!("{}", row(mode, rounds));
    }
}

fn row(mode: Mode, rounds: &[Round]) -> String {
    let median = |figure: &dyn Fn(&Turn) -> f64| median_of(rounds, mode, figure);
    let ratio = |figure: &dyn Fn(&Turn) -> f64| match mode.base() {
        Some(base) => format!("{:.3}×", ratio_of(rounds, mode, base, figure)),
        None => String::new(),
    };
    let rate = |turn: &Turn| turn.measured.rate();
    let latency = |which: fn(&Measured) -> std::time::Duration| {
        median(&move |turn: &Turn| micros(which(&turn.measured)))
    };
    let whole = |figure: f64| match mode.is_whole() {
        true => format!("{figure:.1}"),
        false => String::new(),
    };
    let dropped: u64 = turns(rounds, mode).map(Turn::dropped).sum();
    format!(
        "| {} | {:.0} | {} | {:.2} | {} | {:.2} | {:.0} | {:.0} | {} | {} | {dropped} |",
        mode.title(),
        median(&rate),
        ratio(&rate),
        median(&Turn::used_us),
        ratio(&Turn::used_us),
        median(&Turn::flush_us),
        latency(|measured| measured.p50),
        latency(|measured| measured.p99),
        whole(median(&Turn::records_per_request)),
        whole(median(&Turn::bytes_per_request)),
    )
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let model = line.and_then(|line| line.split_once(':'));
    let model = model.map_or(std::env::consts::ARCH, |(_, model)| model.trim());
    format!("{model}, {cores} cores")
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    output.map_or_else(
        |_| "unknown rustc".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
