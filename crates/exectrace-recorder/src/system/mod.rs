//! The process and its container: memory, page faults, switches, open files, throttling, pressure, and
//! the queues of listening sockets, as the system counts them. The names of the counters are in `conventions`.
//!
//! The flush thread looks, so a thread that records pays nothing. What is cheap and can explain a late poll (memory,
//! switches, throttling, pressure on the processors) is looked at ten times a second, the rest once. After a look that
//! took `t`, none follows for `1,000 t`: all looks together take a thousandth of a processor, also where the machine is full
//! or its files are slow. On a free machine they take some 0.3 ms a second.
//!
//! Files are opened for each look, as those of `flush/thread_times` are and for the same reason: the program has
//! no descriptors of ours beside its own then, nor has a forked child.

mod cgroup;
mod files;
mod kernel_calls;
mod pace;
mod pressure;
mod process;
mod sockets;

use exectrace_format::conventions::{PROCESS, PROCESS_CGROUP, PROCESS_PRESSURE, PROCESS_SOCKETS};

use crate::clock::since_origin_ns;

use cgroup::Cgroup;
use pace::Pace;
use pressure::Pressure;
use sockets::Sockets;

/// Takes name and value of a counter.
pub(crate) type Report<'a> = &'a mut dyn FnMut(&str, i64);

/// See the module.
#[derive(Debug)]
pub(crate) struct System {
    often: Pace,
    seldom: Pace,
    /// `None` if the settings say so.
    sources: Option<Sources>,
}

#[derive(Debug)]
struct Sources {
    cgroup: Cgroup,
    pressure: Pressure,
    sockets: Sockets,
}

impl System {
    /// Finds out what there is, if `is_wanted`. Reads some files.
    pub(crate) fn new(is_wanted: bool) -> Self {
        let sources = is_wanted.then(|| {
            let cgroup = Cgroup::find();
            Sources {
                pressure: Pressure::find(cgroup.pressure_folder()),
                sockets: Sockets::default(),
                cgroup,
            }
        });
        Self {
            often: Pace::each_ms(100),
            seldom: Pace::each_ms(1_000),
            sources,
        }
    }

    /// What is said of it in a trace: key and value.
    pub(crate) fn about(&self) -> Vec<(&'static str, String)> {
        let Some(sources) = &self.sources else {
            let why = "no: switched off by `Settings::process_samples`";
            return vec![(PROCESS, why.to_owned())];
        };
        vec![
            (PROCESS, process::about()),
            (PROCESS_CGROUP, sources.cgroup.about()),
            (PROCESS_PRESSURE, sources.pressure.about()),
            (PROCESS_SOCKETS, sockets::about()),
        ]
    }

    /// Looks at what is due at `now_ns`, or at everything.
    pub(crate) fn sample(&mut self, now_ns: u64, all: bool, report: Report<'_>) {
        let Some(sources) = &mut self.sources else {
            return;
        };
        if all || self.often.is_due(now_ns) {
            let begin = since_origin_ns();
            process::sample_often(report);
            sources.cgroup.sample_often(report);
            sources.pressure.sample_often(report);
            let took_ns = since_origin_ns().saturating_sub(begin);
            self.often.looked(now_ns, took_ns);
        }
        if all || self.seldom.is_due(now_ns) {
            let begin = since_origin_ns();
            process::sample_seldom(report);
            sources.cgroup.sample_seldom(report);
            sources.pressure.sample_seldom(report);
            sources.sockets.sample(report);
            let took_ns = since_origin_ns().saturating_sub(begin);
            self.seldom.looked(now_ns, took_ns);
        }
    }
}

/// A counter's value; one that is too large is the greatest.
fn value(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
