//! Shows an execution trace in a browser.
//!
//! A [`Trace`] is something that can be read more than once; a [`Server`] shows it on an address of this machine:
//! a time line, and pages with what [`exectrace_analysis`] says of it. Pages are whole documents, which need no
//! script but for the time line; nothing is loaded from elsewhere.
//!
//! ```no_run
//! use std::fs::File;
//! use exectrace_viewer::{Server, Trace};
//!
//! # fn main() -> std::io::Result<()> {
//! let trace = Trace::new("trace.out", || Ok(Box::new(File::open("trace.out")?)));
//! let server = Server::bind("127.0.0.1:0".parse().unwrap(), trace)?;
//! println!("{}", server.url());
//! server.run()
//! # }
//! ```
//!
//! # What others can do with it
//!
//! The address holds a random token, and who does not know it gets nothing: not another user of the machine, and not
//! a page of the web that the same browser shows. What a browser is started with can be read by others:
//! [`Server::url_for_once`] is for that. Requests must name an address, or `localhost`, as their host. No request
//! changes anything. All names and messages of a trace are shown as text.

#![forbid(unsafe_code)]

mod api;
mod assets;
mod index;
mod pages;
mod question;
mod server;
mod trace;

pub use server::Server;
pub use trace::Trace;
