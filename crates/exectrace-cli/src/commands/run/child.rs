//! Running the command: its standard streams are ours, and so are its signals and its status.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::process::{Command, ExitStatus};

use anyhow::Context;

use crate::failure::Usage;

/// How the command ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended(ExitStatus);

impl Ended {
    /// Its exit status; if a signal ended it, what a shell shows: 128 and the signal's number.
    pub(super) fn code(self) -> u8 {
        let signal = self.signal().map(|signal| signal.saturating_add(128));
        let code = self.0.code().or(signal).unwrap_or(1);
        u8::try_from(code & 0xff).unwrap_or(1)
    }

    /// How it ended, unless well.
    pub(super) fn describe(self) -> Option<String> {
        match (self.0.code(), self.signal()) {
            (Some(0), _) => None,
            (Some(code), _) => Some(format!("ended with status {code}")),
            (None, Some(signal)) => Some(format!("was ended by signal {signal}")),
            (None, None) => Some("did not end well".to_owned()),
        }
    }

    #[cfg(unix)]
    fn signal(self) -> Option<i32> {
        std::os::unix::process::ExitStatusExt::signal(&self.0)
    }

    #[cfg(not(unix))]
    fn signal(self) -> Option<i32> {
        None
    }
}

/// Runs the command to its end.
pub(super) fn run(mut command: Command, name: &OsStr) -> anyhow::Result<Ended> {
    let name = name.to_string_lossy().into_owned();
    let forwarding = signals::Forwarding::begin().context("cannot listen to signals")?;
    let child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Usage::error(
            format!("there is no program {name}"),
            "its path, or a name that is found in PATH",
        ),
        _ => anyhow::Error::new(error).context(format!("cannot start {name}")),
    })?;
    let status = forwarding.wait_for(child);
    Ok(Ended(
        status.with_context(|| format!("cannot wait for {name}"))?,
    ))
}

#[cfg(unix)]
mod signals {
    //! Signals that somebody sends to us are meant for the command. Those of a terminal come to both by themselves,
    //! as both are in its foreground.

    use std::io;
    use std::process::{Child, ExitStatus};
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    use signal_hook::iterator::SignalsInfo;
    use signal_hook::iterator::exfiltrator::WithOrigin;
    use signal_hook::low_level::siginfo::Cause;

    /// The command, as long as it may be sent a signal; and signals that came before there was one.
    #[derive(Default)]
    struct Target {
        child: Option<Pid>,
        early: Vec<i32>,
    }

    /// Passes signals on.
    pub(super) struct Forwarding {
        target: Arc<Mutex<Target>>,
        signals: signal_hook::iterator::Handle,
        thread: std::thread::JoinHandle<()>,
    }

    fn lock(target: &Mutex<Target>) -> MutexGuard<'_, Target> {
        target.lock().unwrap_or_else(PoisonError::into_inner)
    }

    impl Forwarding {
        pub(super) fn begin() -> io::Result<Self> {
            let wanted = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
            let mut signals = SignalsInfo::<WithOrigin>::new(wanted)?;
            let handle = signals.handle();
            let target = Arc::new(Mutex::new(Target::default()));
            let of_thread = Arc::clone(&target);
            let thread = std::thread::Builder::new().spawn(move || {
                for origin in &mut signals {
                    if matches!(origin.cause, Cause::Kernel) {
                        continue;
                    }
                    let mut target = lock(&of_thread);
                    match target.child {
                        Some(child) => send(child, origin.signal),
                        None => target.early.push(origin.signal),
                    }
                }
            })?;
            Ok(Self {
                target,
                signals: handle,
                thread,
            })
        }

        /// Waits for the command, and passes on what comes meanwhile.
        pub(super) fn wait_for(self, mut child: Child) -> io::Result<ExitStatus> {
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            if let Some(pid) = pid {
                let mut target = lock(&self.target);
                target.child = Some(pid);
                target.early.drain(..).for_each(|signal| send(pid, signal));
                drop(target);
                // Its id stays its own until it is reaped, so that no other process gets a signal.
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
                lock(&self.target).child = None;
            }
            let status = child.wait();
            self.signals.close();
            // It does not panic, and if it did, the status would stand.
            let _ = self.thread.join();
            status
        }
    }

    fn send(child: Pid, signal: i32) {
        // It may have ended just now.
        if let Some(signal) = Signal::from_named_raw(signal) {
            let _ = kill_process(child, signal);
        }
    }
}

#[cfg(not(unix))]
mod signals {
    //! There are no signals to pass on.

    use std::io;
    use std::process::{Child, ExitStatus};

    pub(super) struct Forwarding;

    impl Forwarding {
        pub(super) fn begin() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) fn wait_for(self, mut child: Child) -> io::Result<ExitStatus> {
            child.wait()
        }
    }
}
