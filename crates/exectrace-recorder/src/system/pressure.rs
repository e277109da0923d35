//! Pressure: how long something on the machine, or in the cgroup, waited for processors, disks or memory.

use std::path::{Path, PathBuf};

use super::files::with_text;
use super::{Report, value};

/// What can be short.
const RESOURCES: [&str; 3] = ["cpu", "io", "memory"];

/// Where the files of pressure are.
#[derive(Debug)]
pub(super) struct Pressure {
    scopes: Vec<Scope>,
    /// Why there are none of the machine.
    missing: Option<String>,
}

#[derive(Debug)]
struct Scope {
    /// What its counters' names begin with.
    name: &'static str,
    files: Vec<(&'static str, PathBuf)>,
}

impl Pressure {
    /// Looks for those of the machine, and those of the cgroup with this folder.
    pub(super) fn find(cgroup: Option<&Path>) -> Self {
        let machine = Path::new("/proc/pressure");
        let missing = with_text(&machine.join("cpu"), |text| parse(text).next().is_none());
        let missing = match missing {
            Ok(false) => None,
            Ok(true) => Some("/proc/pressure/cpu holds nothing that is known".to_owned()),
            Err(error) => Some(format!(
                "/proc/pressure/cpu: {error}; a kernel that is started with psi=1 counts it"
            )),
        };
        let machine = Scope::find("system", machine, |resource| resource.to_owned());
        let cgroup = cgroup
            .map(|folder| Scope::find("cgroup", folder, |resource| format!("{resource}.pressure")));
        let scopes = [Some(machine), cgroup].into_iter().flatten();
        Self {
            scopes: scopes.filter(|scope| !scope.files.is_empty()).collect(),
            missing,
        }
    }

    pub(super) fn about(&self) -> String {
        let scopes: Vec<&str> = self.scopes.iter().map(|scope| scope.name).collect();
        match (&scopes[..], &self.missing) {
            ([], Some(why)) => format!("no: {why}"),
            ([], None) => "no: its files cannot be read".to_owned(),
            (scopes, _) => format!("yes, of {}", scopes.join(" and ")),
        }
    }

    /// Pressure on the processors.
    pub(super) fn sample_often(&self, report: Report<'_>) {
        self.sample(|resource| resource == "cpu", report);
    }

    /// Pressure on everything else.
    pub(super) fn sample_seldom(&self, report: Report<'_>) {
        self.sample(|resource| resource != "cpu", report);
    }

    fn sample(&self, is_wanted: impl Fn(&str) -> bool, report: Report<'_>) {
        for scope in &self.scopes {
            for (resource, file) in scope.files.iter().filter(|(name, _)| is_wanted(name)) {
                // A file that is gone has no value now.
                let _ = with_text(file, |text| {
                    for (who, ns) in parse(text) {
                        let name = format!("{}.pressure.{resource}.{who}", scope.name);
                        report(&name, value(ns));
                    }
                });
            }
        }
    }
}

impl Scope {
    fn find(name: &'static str, folder: &Path, file_of: impl Fn(&str) -> String) -> Self {
        let files = RESOURCES.map(|resource| (resource, folder.join(file_of(resource))));
        let can_be_read = |(_, file): &(&str, PathBuf)| {
            with_text(file, |text| parse(text).next().is_some()).unwrap_or(false)
        };
        Self {
            name,
            files: files.into_iter().filter(can_be_read).collect(),
        }
    }
}

/// `some` or `full`, and for how long, in nanoseconds, since the system or the cgroup began.
fn parse(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (who, rest) = line.split_once(' ')?;
        let total = rest
            .split(' ')
            .find_map(|word| word.strip_prefix("total="))?;
        let microseconds: u64 = total.trim().parse().ok()?;
        let is_known = matches!(who, "some" | "full");
        is_known.then_some((who, microseconds.saturating_mul(1_000)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_totals_of_pressure_are_read_and_nothing_else_is() {
        let text = "some avg10=94.94 avg60=94.63 avg300=70.90 total=14974022787\n\
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=17\n";
        let pressure: Vec<_> = parse(text).collect();
        assert_eq!(pressure, [("some", 14_974_022_787_000), ("full", 17_000)]);
        for text in [
            "",
            "some",
            "some total=",
            "some total=-1",
            "none total=1",
            "\u{fffd}",
        ] {
            assert_eq!(parse(text).next(), None, "{text:?}");
        }
    }

    #[test]
    fn where_the_system_counts_no_pressure_there_is_a_reason() {
        let pressure = Pressure::find(None);
        let mut names = Vec::new();
        pressure.sample_often(&mut |name, _| names.push(name.to_owned()));
        assert_eq!(names.is_empty(), pressure.about().starts_with("no: "));
        let all = names
            .iter()
            .all(|name| name.starts_with("system.pressure.cpu."));
        assert!(all, "{names:?}");
    }
}
