//! `exectrace view`: the trace in a browser.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::SocketAddr;

use anyhow::Context;
use clap::Args;
use exectrace_viewer::{Server, Trace};
use tempfile::NamedTempFile;

use crate::failure::{Status, warn};
use crate::input::{self, TraceArgument};
use crate::output::Out;
use crate::reading;

/// Show a trace in a browser: a time line, and pages with all that the other commands print
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
        let url = server.url();
        writeln!(out, "{url}")?;
        out.flush()?;
        if !self.no_open
            && let Err(error) = webbrowser::open(&url)
        {
            warn(&format!(
                "cannot open a browser ({error}): open the address above"
            ));
        }
        server.run().context("cannot serve the pages")?;
        Ok(Status::Ok)
    }

    /// The trace, as one that can be read more than once.
    fn trace(&self) -> anyhow::Result<Trace> {
        let path = self.trace.path.clone();
        let (mut input, origin) = input::open(&path)?;
        let label = origin.label.clone();
        let trace = match path.as_os_str() == "-" {
            true => {
                let mut kept = NamedTempFile::new().context("cannot keep what is read")?;
                io::copy(&mut input, &mut kept).with_context(|| format!("cannot read {label}"))?;
                Trace::new(label, move || Ok(Box::new(File::open(kept.path())?)))
            }
            false => {
                // Reads the head, so that what is no trace is refused here.
                reading::begin(input, &origin)?;
                Trace::new(label, move || {
                    let (input, _) = input::open(&path).map_err(io::Error::other)?;
                    Ok(Box::new(input.silent()) as Box<dyn Read + Send>)
                })
            }
        };
        Ok(trace
            .with_bytes(origin.bytes)
            .with_max_state_bytes(reading::max_state_bytes()))
    }
}
