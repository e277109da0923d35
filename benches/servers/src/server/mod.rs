//! The process of one server: it runs until its standard input ends.
//!
//! On its standard output it says `ready PORT`, at its end a line for each recording, which is
//! [`Recorded`], and then `done`.

mod axum_server;
mod tracer;
mod work;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::arguments::Order;
use crate::case::{Case, Mode};
use crate::failure::Failure;

pub(crate) use axum_server::WORK_ROUTE;
pub(crate) use tracer::Recorded;
use tracer::Tracer;
pub(crate) use work::blocks_for;

/// Worker threads of each server.
const WORKERS: usize = 2;

pub(crate) fn serve(order: &Order) -> Result<(), Failure> {
    // Before the runtime, so that all of it is in the trace.
    let tracer = Tracer::install(order)?;
    let runtime = runtime(order).map_err(|error| failure("build a runtime", error))?;
    let (listener, port) = listen().map_err(|error| failure("listen", error))?;
    say(&format!("ready {port}"))?;
    let served = run(order, &runtime, listener);
    drop(runtime);
    for recorded in tracer.finish()? {
        say(&recorded.line())?;
    }
    served?;
    say("done")
}

fn runtime(order: &Order) -> io::Result<Runtime> {
    use exectrace::runtime::BuilderExt;
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(WORKERS).enable_all();
    if order.mode != Mode::None {
        builder.exectrace(order.case.name());
    }
    builder.build()
}

fn listen() -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// Serves until the standard input ends.
fn run(order: &Order, runtime: &Runtime, listener: TcpListener) -> Result<(), Failure> {
    let (end, ended) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        // Whatever comes, or does not: there is nothing more to wait for.
        _ = io::stdin().read_to_end(&mut Vec::new());
        drop(end);
    });
    let ended = async {
        _ = ended.await;
    };
    let (case, blocks) = (order.case, order.blocks);
    let server = async move {
        let listener = tokio::net::TcpListener::from_std(listener)
            .map_err(|error| failure("listen", error))?;
        match case {
            Case::Axum | Case::AxumWork => axum_server::run(listener, blocks, ended)
                .await
                .map_err(|error| failure("serve with axum", error)),
            Case::MiniRedis => mini_redis::server::run(listener, ended)
                .await
                .map_err(|error| failure("serve with mini-redis", error)),
        }
    };
    match order.mode {
        Mode::None => runtime.block_on(server),
        _ => exectrace::runtime::block_on(runtime, server),
    }
}

fn say(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| failure("report", error))
}

fn failure(what: &'static str, error: impl ToString) -> Failure {
    Failure::Serve {
        what,
        message: error.to_string(),
    }
}
