//! The counters of the process and its container: [`Counter`](crate::SideRecord::Counter) records that a recorder
//! writes of what the system counts.

/// What the values of a counter count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CounterUnit {
    /// Bytes.
    Bytes,
    /// Nanoseconds.
    Nanoseconds,
    /// Thousandths of a processor.
    Thousandths,
    /// Just a number.
    Number,
}

impl CounterUnit {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Nanoseconds => "nanoseconds",
            Self::Thousandths => "thousandths of a processor",
            Self::Number => "number",
        }
    }
}

/// How a counter of the system's is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemCounter {
    /// Its name; if this ends in a blank, what the names of several begin with.
    pub name: &'static str,
    /// What it counts.
    pub unit: CounterUnit,
    /// Whether it only grows, since the process, the cgroup or the system began, so that differences say something.
    pub is_sum: bool,
    /// What it is.
    pub meaning: &'static str,
}

impl SystemCounter {
    /// The counter of this name. Costs some comparisons of texts.
    ///
    /// ```
    /// use exectrace_format::conventions::{ACCEPT_QUEUE, SystemCounter};
    ///
    /// let of_a_socket = SystemCounter::of("process.accept_queue [::]:8080").unwrap();
    /// assert_eq!(of_a_socket.name, ACCEPT_QUEUE);
    /// assert!(SystemCounter::of("main: workers busy").is_none());
    /// ```
    #[must_use]
    pub fn of(name: &str) -> Option<&'static Self> {
        Self::ALL
            .iter()
            .find(|counter| match counter.name.ends_with(' ') {
                true => name.starts_with(counter.name),
                false => name == counter.name,
            })
    }
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $constant:ident = $name:literal, $unit:ident, $is_sum:literal, $meaning:literal;)*) => {
        $(
            #[doc = concat!("Counter: ", $meaning, ".")]
            pub const $constant: &str = $name;
        )*

        impl SystemCounter {
            /// All that there are.
            pub const ALL: &[Self] = &[$(Self {
                name: $constant,
                unit: CounterUnit::$unit,
                is_sum: $is_sum,
                meaning: $meaning,
            }),*];
        }
    };
}

counters! {
    PROCESS_MEMORY = "process.memory", Bytes, false, "memory of the process that is in the machine's memory";
    PROCESS_CPU = "process.cpu", Nanoseconds, true, "time on a processor of all threads";
    PROCESS_MINOR_FAULTS = "process.faults.minor", Number, true, "page faults for which nothing was read from a disk";
    PROCESS_MAJOR_FAULTS = "process.faults.major", Number, true, "page faults for which a thread waited for a disk";
    PROCESS_VOLUNTARY_SWITCHES = "process.switches.voluntary", Number, true, "how often threads gave their processor up themselves";
    PROCESS_INVOLUNTARY_SWITCHES = "process.switches.involuntary", Number, true, "how often the system took a processor away from a thread";
    PROCESS_THREADS = "process.threads", Number, false, "threads of the process";
    PROCESS_FILES = "process.files", Number, false, "open descriptors of the process";
    PROCESS_FILES_LIMIT = "process.files.limit", Number, false, "how many descriptors it may have";
    ACCEPT_QUEUE = "process.accept_queue ", Number, false, "connections of a listening TCP socket that nobody has accepted; its address follows";
    ACCEPT_QUEUE_LIMIT = "process.accept_queue.limit ", Number, false, "how many of them there may be";
    CGROUP_CPU_LIMIT = "cgroup.cpu.limit", Thousandths, false, "processors that the processes of the cgroup may use together";
    CGROUP_PERIODS = "cgroup.cpu.periods", Number, true, "periods of the limit in which a process of the cgroup could have run";
    CGROUP_THROTTLED = "cgroup.cpu.throttled", Number, true, "periods in which the processes were stopped, as their time was used up";
    CGROUP_THROTTLED_NS = "cgroup.cpu.throttled_time", Nanoseconds, true, "how long they were stopped, summed over processors";
    CGROUP_MEMORY = "cgroup.memory", Bytes, false, "memory of the cgroup";
    CGROUP_MEMORY_LIMIT = "cgroup.memory.limit", Bytes, false, "memory that it may have";
    SYSTEM_CPU_SOME = "system.pressure.cpu.some", Nanoseconds, true, "how long some thread of the machine waited for a processor";
    SYSTEM_CPU_FULL = "system.pressure.cpu.full", Nanoseconds, true, "always 0";
    SYSTEM_IO_SOME = "system.pressure.io.some", Nanoseconds, true, "how long some thread of the machine waited for a disk";
    SYSTEM_IO_FULL = "system.pressure.io.full", Nanoseconds, true, "how long all threads that were not idle did";
    SYSTEM_MEMORY_SOME = "system.pressure.memory.some", Nanoseconds, true, "how long some thread of the machine waited for memory";
    SYSTEM_MEMORY_FULL = "system.pressure.memory.full", Nanoseconds, true, "how long all threads that were not idle did";
    CGROUP_CPU_SOME = "cgroup.pressure.cpu.some", Nanoseconds, true, "how long some thread of the cgroup waited for a processor";
    CGROUP_CPU_FULL = "cgroup.pressure.cpu.full", Nanoseconds, true, "how long all threads of it that were not idle did";
    CGROUP_IO_SOME = "cgroup.pressure.io.some", Nanoseconds, true, "how long some thread of the cgroup waited for a disk";
    CGROUP_IO_FULL = "cgroup.pressure.io.full", Nanoseconds, true, "how long all threads of it that were not idle did";
    CGROUP_MEMORY_SOME = "cgroup.pressure.memory.some", Nanoseconds, true, "how long some thread of the cgroup waited for memory";
    CGROUP_MEMORY_FULL = "cgroup.pressure.memory.full", Nanoseconds, true, "how long all threads of it that were not idle did";
}
