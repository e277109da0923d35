//! `exectrace view`: the trace in a browser.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use exectrace_viewer::{Server, Trace};

use crate::failure::{Status, warn};
use crate::input::{self, TraceArgument};
use crate::output::Out;
use crate::reading;

/// Show a trace in a browser: a time line, and pages with most of what the other commands print
///
/// Serves the pages to this machine only, until it is interrupted. The address holds a random token, without which
/// nobody gets anything.
#[derive(Debug, Args)]
pub(crate) struct View {
    #[command(flatten)]
    trace: TraceArgument,
    /// Print the address, and open no browser
    #[arg(long)]
    no_open: bool,
    /// Where to listen. Who can reach another address than 127.0.0.1 can see the trace if he has the token
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

impl View {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let trace = self.trace()?;
        let address = self.listen;
        let server =
            Server::bind(address, trace).with_context(|| format!("cannot listen on {address}"))?;
        writeln!(out, "{}", server.url())?;
        out.flush()?;
        if !self.no_open {
            let url = server.url_for_once();
            // A browser in a terminal ends when it is left: it must not keep the server from answering.
            std::thread::spawn(move || {
                if let Err(error) = webbrowser::open(&url) {
                    warn(&format!(
                        "cannot open a browser ({error}): open the address above"
                    ));
                }
            });
        }
        server.run().context("cannot serve the pages")?;
        Ok(Status::Ok)
    }

    /// The trace, as one that can be read more than once.
    fn trace(&self) -> anyhow::Result<Trace> {
        let path = self.trace.path.clone();
        let (mut input, origin) = input::open(&path)?;
        let label = origin.label.clone();
        let is_file = fs::metadata(&path).is_ok_and(|about| about.is_file());
        let trace = if is_file {
            // Reads the head, so that what is no trace is refused here.
            reading::begin(input, &origin)?;
            Trace::new(label, move || {
                let (input, _) = input::open(&path).map_err(io::Error::other)?;
                Ok(Box::new(input.silent()) as Box<dyn Read + Send>)
            })
        } else {
            // It has no name, so nothing of it stays when the program is interrupted.
            let mut kept = tempfile::tempfile().context("cannot keep what is read")?;
            io::copy(&mut input, &mut kept).with_context(|| format!("cannot read {label}"))?;
            let kept = Arc::new(kept);
            Trace::new(label, move || {
                let from_begin = FromBegin {
                    file: Arc::clone(&kept),
                    position: 0,
                };
                Ok(Box::new(BufReader::new(from_begin)) as Box<dyn Read + Send>)
            })
        };
        Ok(trace
            .with_bytes(origin.bytes)
            .with_max_state_bytes(reading::max_state_bytes()))
    }
}

/// A file that others read as well, each from its begin.
#[derive(Debug)]
struct FromBegin {
    file: Arc<File>,
    position: u64,
}

impl Read for FromBegin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(&*self.file, buffer, self.position)?;
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(&*self.file, buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}
