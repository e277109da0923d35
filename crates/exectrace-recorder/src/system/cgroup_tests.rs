//! Texts of real systems, and folders that stand for a mounted cgroup.

use std::collections::BTreeMap;
use std::fs;

use super::*;

/// A pod of Kubernetes, in its own name space of cgroups.
const V2_NAMESPACE: &str = "0::/\n";
const V2_MOUNT: &str = "1534 1533 0:29 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate\n";
/// A service of systemd.
const V2_SERVICE: &str = "0::/system.slice/shop.service\n";
/// Docker with version 1, which mounts the container's part of each tree.
const V1_DOCKER: &str = "12:memory:/docker/4f2e\n\
                         5:cpu,cpuacct:/docker/4f2e\n\
                         1:name=systemd:/docker/4f2e\n";
const V1_MOUNTS: &str = "\
700 699 0:30 /docker/4f2e /sys/fs/cgroup/cpu,cpuacct ro,nosuid - cgroup cgroup rw,cpu,cpuacct\n\
701 699 0:31 /docker/4f2e /sys/fs/cgroup/memory ro,nosuid master:17 - cgroup cgroup rw,memory\n";

const CPU_STAT_V2: &str = "usage_usec 7184312\nuser_usec 5012210\nsystem_usec 2172102\n\
                           core_sched.force_idle_usec 0\nnr_periods 412\nnr_throttled 97\n\
                           throttled_usec 3911022\nnr_bursts 0\nburst_usec 0\n";
const CPU_STAT_V1: &str = "nr_periods 412\nnr_throttled 97\nthrottled_time 3911022000\n";

fn folder(cgroups: &str, mounts: &str, controller: Option<&str>) -> Option<String> {
    let folder = Folder::find(cgroups, mounts, controller)?;
    Some(folder.path.display().to_string())
}

#[test]
fn the_folder_is_found_in_either_version_and_in_a_name_space() {
    let found = folder(V2_NAMESPACE, V2_MOUNT, None);
    assert_eq!(found.as_deref(), Some("/sys/fs/cgroup/"));
    let found = folder(V2_SERVICE, V2_MOUNT, None);
    assert_eq!(
        found.as_deref(),
        Some("/sys/fs/cgroup/system.slice/shop.service")
    );
    let found = folder(V1_DOCKER, V1_MOUNTS, Some("cpu"));
    assert_eq!(found.as_deref(), Some("/sys/fs/cgroup/cpu,cpuacct/"));
    let found = folder(V1_DOCKER, V1_MOUNTS, Some("memory"));
    assert_eq!(found.as_deref(), Some("/sys/fs/cgroup/memory/"));
}

#[test]
fn a_cgroup_that_is_not_mounted_here_has_no_folder() {
    assert_eq!(folder("0::/../other\n", V2_MOUNT, None), None);
    assert_eq!(folder("5:cpu:/elsewhere\n", V1_MOUNTS, Some("cpu")), None);
    assert_eq!(folder(V2_SERVICE, V1_MOUNTS, None), None);
    for text in ["", "\n", "0", "0:", "0::", "::::", "\u{fffd}:\u{fffd}"] {
        assert_eq!(folder(text, text, None), None, "{text:?}");
        assert_eq!(folder(text, V1_MOUNTS, Some("cpu")), None, "{text:?}");
        assert_eq!(folder(V2_SERVICE, text, None), None, "{text:?}");
    }
}

#[test]
fn blanks_in_the_name_of_a_mount_are_read_back() {
    assert_eq!(unescape(r"/a\040b\\c\9"), r"/a b\\c\9");
    assert_eq!(unescape(r"\04"), r"\04");
}

#[test]
fn both_versions_say_how_long_processes_were_stopped() {
    let expected = Throttling {
        periods: 412,
        throttled: 97,
        throttled_ns: 3_911_022_000,
    };
    assert_eq!(throttling(CPU_STAT_V2), Some(expected));
    assert_eq!(throttling(CPU_STAT_V1), Some(expected));
    // The root's, and texts that are none.
    for text in ["usage_usec 1\n", "nr_periods\nnr_throttled x", ""] {
        assert_eq!(throttling(text), None, "{text:?}");
    }
}

#[test]
fn the_nearest_cgroup_with_a_limit_is_sampled() {
    let mount = tempfile::tempdir().unwrap();
    let (pod, own) = (mount.path().join("pod"), mount.path().join("pod/own"));
    fs::create_dir_all(&own).unwrap();
    for (file, text) in [
        (pod.join("cpu.max"), "150000 100000\n"),
        (pod.join("cpu.stat"), CPU_STAT_V2),
        (own.join("cpu.max"), "max 100000\n"),
        (
            own.join("cpu.stat"),
            "nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n",
        ),
        (own.join("cpu.pressure"), ""),
        (own.join("memory.current"), "4096\n"),
        (own.join("memory.max"), "max\n"),
    ] {
        fs::write(file, text).unwrap();
    }
    let mounts = format!(
        "1 2 0:29 / {} rw - cgroup2 cgroup rw\n",
        mount.path().display()
    );
    let cgroup = Cgroup::find_in("0::/pod/own\n", &mounts);
    assert!(
        cgroup
            .about()
            .starts_with("yes, version 2, 1.500 processors: ")
    );
    assert_eq!(cgroup.pressure_folder(), Some(&*own));
    let mut counters = BTreeMap::new();
    let mut report = |name: &str, value: i64| {
        counters.insert(name.to_owned(), value);
    };
    cgroup.sample_often(&mut report);
    cgroup.sample_seldom(&mut report);
    let expected = [
        (CGROUP_CPU_LIMIT, 1_500),
        (CGROUP_PERIODS, 412),
        (CGROUP_THROTTLED, 97),
        (CGROUP_THROTTLED_NS, 3_911_022_000),
        (CGROUP_MEMORY, 4_096),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(counters, BTreeMap::from(expected));
}
