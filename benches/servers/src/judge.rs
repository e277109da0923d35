//! Whether a trace is valid, and holds what it should.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use exectrace_format::{Reader, TraceEventKind};
use exectrace_referee::{Missing, REQUIRE_VARIABLE, Referee};

use crate::case::Case;
use crate::server::Recorded;

/// Those who judge: our reader always, and Go's trace tools if there are any.
pub(crate) struct Judge {
    go: Option<Referee>,
    /// Traces judged.
    pub(crate) traces: usize,
    /// Those that are not what they should be.
    pub(crate) bad: usize,
}

impl Judge {
    /// Says so if there is no Go here, which is a failure only where it is required; tools that are
    /// named must be there.
    pub(crate) fn find() -> Result<Self, Missing> {
        let is_required = std::env::var_os(REQUIRE_VARIABLE).is_some_and(|one| one == "1");
        let go = match Referee::find() {
            Ok(referee) => Some(referee),
            Err(missing @ (Missing::NoGo | Missing::TooOld { .. })) if !is_required => {
                println!("skipped: what Go says of the traces: {missing}");
                None
            }
            Err(missing) => return Err(missing),
        };
        Ok(Self {
            go,
            traces: 0,
            bad: 0,
        })
    }

    /// Judges one trace, and prints what is wrong with it.
    ///
    /// `requests` is how many requests it must hold at least.
    pub(crate) fn judge(&mut self, folder: &Path, recorded: &Recorded, case: Case, requests: u64) {
        let path = folder.join(&recorded.file);
        let mut wrongs = Vec::new();
        match requests_in(&path, case) {
            Ok(found) if found < requests => wrongs.push(format!(
                "it holds {found} of {requests} requests, {} records dropped",
                recorded.dropped
            )),
            Ok(_) => {}
            Err(error) => wrongs.push(format!("exectrace-format: {error}")),
        }
        if recorded.dropped > 0 || recorded.untracked > 0 {
            wrongs.push(format!(
                "{} of {} records dropped, {} spans untracked",
                recorded.dropped, recorded.records, recorded.untracked
            ));
        }
        for verdict in self.go.iter().flat_map(|go| go.judge(&path)) {
            if !verdict.accepted {
                wrongs.push(format!("{}: {}", verdict.version, verdict.message));
            }
        }
        self.traces += 1;
        if !wrongs.is_empty() {
            self.bad += 1;
            println!("{}: {}", path.display(), wrongs.join("; "));
        }
    }

    /// Who judges, for the table's head.
    pub(crate) fn names(&self) -> &'static str {
        match self.go {
            Some(_) => "our reader and Go's",
            None => "our reader alone",
        }
    }
}

/// Reads the trace to its end, and counts the requests in it.
///
/// A request to axum is a user task, as `TraceLayer`'s span has no parent. In mini-redis a connection
/// is one, and a request a region in it.
fn requests_in(path: &Path, case: Case) -> Result<u64, Box<dyn std::error::Error>> {
    let mut requests = 0;
    for event in Reader::new(BufReader::new(File::open(path)?))? {
        let is_request = match (case, event?.kind) {
            (Case::Axum | Case::AxumWork, TraceEventKind::TaskBegin { name, .. }) => {
                *name == *"request"
            }
            (Case::MiniRedis, TraceEventKind::RegionBegin { name, .. }) => *name == *"apply",
            _ => false,
        };
        requests += u64::from(is_request);
    }
    Ok(requests)
}
