//! The cgroup of the process: how much processor and memory it may use, and how often it was stopped for that.
//!
//! A process is stopped for the limit of any cgroup that it is in, so the nearest one that has a limit is sampled: its
//! own, or one above it as far as they are mounted here. Which one that is, is found out when a recording starts.

use std::path::{Path, PathBuf};

use exectrace_format::conventions::{
    CGROUP_CPU_LIMIT, CGROUP_MEMORY, CGROUP_MEMORY_LIMIT, CGROUP_PERIODS, CGROUP_THROTTLED,
    CGROUP_THROTTLED_NS,
};

use super::files::{number, number_of, rows, with_text};
use super::{Report, value};

/// A limit of memory from here on is none: version 1 writes the largest number of pages.
const NO_MEMORY_LIMIT: u64 = 1 << 60;

/// The two interfaces of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// What was found. Folders are those of the controllers.
#[derive(Debug)]
pub(super) struct Cgroup {
    cpu: Option<(Version, PathBuf)>,
    memory: Option<(Version, PathBuf)>,
    pressure: Option<PathBuf>,
    /// Why there is no controller of processors.
    missing: String,
}

/// How often and how long the processes of a cgroup were stopped, since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Throttling {
    periods: u64,
    throttled: u64,
    throttled_ns: u64,
}

impl Cgroup {
    pub(super) fn find() -> Self {
        let read = |name: &str| {
            let path = Path::new("/proc/self").join(name);
            rows(&path).map_err(|error| format!("/proc/self/{name}: {error}"))
        };
        match (read("cgroup"), read("mountinfo")) {
            (Ok(cgroups), Ok(mounts)) => Self::find_in(&cgroups, &mounts),
            (Err(why), _) | (_, Err(why)) => Self {
                cpu: None,
                memory: None,
                pressure: None,
                missing: why,
            },
        }
    }

    fn find_in(cgroups: &str, mounts: &str) -> Self {
        let v2 = Folder::find(cgroups, mounts, None);
        let v1 = |controller| Folder::find(cgroups, mounts, Some(controller));
        let choose = |controller, file_of: fn(Version) -> &'static str, is_limit: IsLimit| {
            let found = [(Version::V2, v2.clone()), (Version::V1, v1(controller))];
            found.into_iter().find_map(|(version, folder)| {
                let folder = folder?;
                let file = file_of(version);
                let has_it = |at: &PathBuf| at.join(file).exists();
                let limited = folder.up().find(|at| has_it(at) && is_limit(version, at));
                let nearest = limited.or_else(|| folder.up().find(has_it))?;
                Some((version, nearest))
            })
        };
        let cpu = choose("cpu", limit_file_of_cpu, |version, at| {
            cpu_limit(version, at).is_some()
        });
        let memory = choose("memory", limit_file_of_memory, |version, at| {
            memory_limit(version, at).is_some()
        });
        let pressure =
            v2.and_then(|folder| folder.up().find(|at| at.join("cpu.pressure").exists()));
        Self {
            cpu,
            memory,
            pressure,
            missing: "no cgroup with a controller of processors is mounted here".to_owned(),
        }
    }

    pub(super) fn about(&self) -> String {
        let Some((version, folder)) = &self.cpu else {
            return format!("no: {}", self.missing);
        };
        let number = match version {
            Version::V1 => 1,
            Version::V2 => 2,
        };
        let limit = match cpu_limit(*version, folder) {
            Some(limit) => format!("{}.{:03} processors", limit / 1_000, limit % 1_000),
            None => "no limit of processors".to_owned(),
        };
        format!("yes, version {number}, {limit}: {}", folder.display())
    }

    /// The folder with the cgroup's own pressure.
    pub(super) fn pressure_folder(&self) -> Option<&Path> {
        self.pressure.as_deref()
    }

    pub(super) fn sample_often(&self, report: Report<'_>) {
        let Some((_, folder)) = &self.cpu else {
            return;
        };
        let throttling = with_text(&folder.join("cpu.stat"), throttling);
        if let Ok(Some(throttling)) = throttling {
            report(CGROUP_PERIODS, value(throttling.periods));
            report(CGROUP_THROTTLED, value(throttling.throttled));
            report(CGROUP_THROTTLED_NS, value(throttling.throttled_ns));
        }
    }

    pub(super) fn sample_seldom(&self, report: Report<'_>) {
        if let Some((version, folder)) = &self.cpu
            && let Some(limit) = cpu_limit(*version, folder)
        {
            report(CGROUP_CPU_LIMIT, value(limit));
        }
        if let Some((version, folder)) = &self.memory {
            let file = match version {
                Version::V1 => "memory.usage_in_bytes",
                Version::V2 => "memory.current",
            };
            if let Some(bytes) = number(&folder.join(file)) {
                report(CGROUP_MEMORY, value(bytes));
            }
            if let Some(bytes) = memory_limit(*version, folder) {
                report(CGROUP_MEMORY_LIMIT, value(bytes));
            }
        }
    }
}

type IsLimit = fn(Version, &Path) -> bool;

fn limit_file_of_cpu(version: Version) -> &'static str {
    match version {
        Version::V1 => "cpu.cfs_quota_us",
        Version::V2 => "cpu.max",
    }
}

fn limit_file_of_memory(version: Version) -> &'static str {
    match version {
        Version::V1 => "memory.limit_in_bytes",
        Version::V2 => "memory.max",
    }
}

/// How many processors the cgroup may use, in thousandths; `None` if as many as there are.
fn cpu_limit(version: Version, folder: &Path) -> Option<u64> {
    let file = folder.join(limit_file_of_cpu(version));
    let (quota, period) = match version {
        Version::V1 => (number(&file)?, number(&folder.join("cpu.cfs_period_us"))?),
        Version::V2 => with_text(&file, quota_and_period).ok()??,
    };
    quota.saturating_mul(1_000).checked_div(period)
}

fn quota_and_period(text: &str) -> Option<(u64, u64)> {
    let mut words = text.split_ascii_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

fn memory_limit(version: Version, folder: &Path) -> Option<u64> {
    let limit = number(&folder.join(limit_file_of_memory(version)))?;
    (limit < NO_MEMORY_LIMIT).then_some(limit)
}

/// What `cpu.stat` says of either version.
fn throttling(text: &str) -> Option<Throttling> {
    let in_version_2 = number_of(text, "throttled_usec").map(|time| time.saturating_mul(1_000));
    Some(Throttling {
        periods: number_of(text, "nr_periods")?,
        throttled: number_of(text, "nr_throttled")?,
        throttled_ns: in_version_2.or_else(|| number_of(text, "throttled_time"))?,
    })
}

/// A folder of the process's cgroup, and where those above it end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Folder {
    mount: PathBuf,
    path: PathBuf,
}

impl Folder {
    /// Finds that of a controller of version 1, or of version 2, in the texts of `/proc/self`.
    fn find(cgroups: &str, mounts: &str, controller: Option<&str>) -> Option<Self> {
        let own = cgroups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            let is_it = match controller {
                Some(controller) => controllers.split(',').any(|name| name == controller),
                None => controllers.is_empty(),
            };
            is_it.then_some(path)
        })?;
        mounts.lines().find_map(|line| {
            let (mount, system) = line.split_once(" - ")?;
            let mut fields = mount.split(' ').skip(3);
            let (root, at) = (fields.next()?, fields.next()?);
            let mut system = system.split(' ');
            let (kind, options) = (system.next()?, system.nth(1)?);
            let is_it = match controller {
                Some(controller) => {
                    kind == "cgroup" && options.split(',').any(|option| option == controller)
                }
                None => kind == "cgroup2",
            };
            if !is_it {
                return None;
            }
            // What is mounted is the part of the tree below its root.
            let below = Path::new(own).strip_prefix(unescape(root)).ok()?;
            let is_visible = !below.components().any(|part| part.as_os_str() == "..");
            let mount = PathBuf::from(unescape(at));
            is_visible.then(|| Self {
                path: mount.join(below),
                mount,
            })
        })
    }

    /// The folder, and those above it.
    fn up(&self) -> impl Iterator<Item = PathBuf> {
        let inside = |path: &&Path| path.starts_with(&self.mount);
        self.path.ancestors().take_while(inside).map(Path::to_owned)
    }
}

/// Undoes `mountinfo`'s writing of blanks and the like as three octal digits.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = (*first == b'\\').then(|| tail.get(..3)).flatten();
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
#[path = "cgroup_tests.rs"]
mod tests;
