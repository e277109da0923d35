//! Under which name a file is in the store.

use std::ffi::OsStr;
use std::path::Path as FilePath;
use std::time::SystemTime;

use chrono::{DateTime, NaiveDateTime, Utc};
use object_store::path::Path;

use super::origin::Origin;

/// The names of a file and of its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) trace: Path,
    pub(super) manifest: Path,
}

impl Keys {
    /// Of a file that begins at this time.
    pub(super) fn new(prefix: &str, origin: &Origin, begin: SystemTime, file: &FilePath) -> Self {
        let date = DateTime::<Utc>::from(begin).format("%Y-%m-%d");
        let name = file
            .file_name()
            .map(OsStr::to_string_lossy)
            .unwrap_or_default();
        let in_folder = |name: &str| {
            let folders = [
                format!("service={}", origin.service),
                format!("host={}", origin.host),
                format!("date={date}"),
            ];
            let prefix = prefix.split('/').filter(|part| !part.is_empty());
            let parts = prefix.map(str::to_owned).chain(folders);
            // Encodes what a name in a store cannot have, `/` among it.
            Path::from_iter(parts.chain([name.to_owned()]))
        };
        Self {
            trace: in_folder(&name),
            manifest: in_folder(&format!("{name}.manifest.json")),
        }
    }
}

/// When a rotated file begins, by its name: `NAME-20261129T021500.123Z-4711-0001.trace`.
pub(super) fn begin_in_name(file: &FilePath) -> Option<SystemTime> {
    let name = file.file_name()?.to_str()?;
    let mut parts = name.rsplitn(4, '-');
    let time = parts.nth(2)?;
    parts.next()?;
    let time = NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%S%.3fZ").ok()?;
    Some(time.and_utc().into())
}

/// Whether a file is a finished one of the rotation of this name.
pub(super) fn is_finished_file(file: &FilePath, rotation: &OsStr) -> bool {
    let Some(name) = file.file_name() else {
        return false;
    };
    let (name, rotation) = (name.as_encoded_bytes(), rotation.as_encoded_bytes());
    let rest = name
        .strip_prefix(rotation)
        .and_then(|rest| rest.strip_prefix(b"-"));
    let is_finished = |rest: &[u8]| rest.ends_with(b".trace") || rest.ends_with(b".trace.zst");
    // The time, the process and the number: no name that only begins like this one's.
    let has_parts = |rest: &[u8]| rest.iter().filter(|&&byte| byte == b'-').count() == 2;
    rest.is_some_and(|rest| is_finished(rest) && has_parts(rest)) && begin_in_name(file).is_some()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const NAME: &str = "my-shop-20261129T021500.123Z-4711-0001.trace";
    const BEGIN: Duration = Duration::from_millis(1_795_918_500_123);

    #[test]
    fn a_file_is_below_its_service_host_and_date_whatever_these_are_called() {
        let origin = Origin {
            service: "a/b".to_owned(),
            host: "web 1".to_owned(),
            version: None,
        };
        let keys = Keys::new(
            "/traces//eu/",
            &origin,
            UNIX_EPOCH + BEGIN,
            FilePath::new(NAME),
        );
        let folder = "traces/eu/service=a%2Fb/host=web 1/date=2026-11-29";
        assert_eq!(keys.trace.as_ref(), format!("{folder}/{NAME}"));
        assert_eq!(
            keys.manifest.as_ref(),
            format!("{folder}/{NAME}.manifest.json")
        );
    }

    #[test]
    fn finished_files_of_a_rotation_are_known_by_their_names() {
        let is = |name: &str| is_finished_file(FilePath::new(name), OsStr::new("my-shop"));
        assert_eq!(begin_in_name(FilePath::new(NAME)), Some(UNIX_EPOCH + BEGIN));
        assert!(is(NAME) && is(&format!("{NAME}.zst")));
        for other in [
            "my-shop-20261129T021500.123Z-4711-0001.trace.part",
            "my-shop-eu-20261129T021500.123Z-4711-0001.trace",
            "shop-20261129T021500.123Z-4711-0001.trace",
            "my-shop-20261329T021500.123Z-4711-0001.trace",
            "my-shop.trace",
        ] {
            assert!(!is(other), "{other}");
        }
    }
}
