//! The server of traces that the environment asks for.

use std::net::SocketAddr;

use super::FromEnvError;
use super::variables::Variables;

#[cfg(feature = "http-server")]
pub(super) use crate::http::Server;

/// There is no server in this build.
#[cfg(not(feature = "http-server"))]
#[derive(Debug)]
pub(super) enum Server {}

/// Starts the server, if one is asked for.
///
/// Where the address cannot be had, a message says so, and the rest is done: another process of the same command may
/// have it.
#[cfg(feature = "http-server")]
pub(super) fn serve(variables: &Variables) -> Result<Option<Server>, FromEnvError> {
    let Some(address) = &variables.http else {
        return Ok(None);
    };
    let server = crate::http::serve(address.as_str());
    match &server {
        // Nobody else says which port the system has chosen.
        Ok(server) if address.ends_with(":0") => {
            super::say(format_args!("traces are served at {}", server.address()));
        }
        Ok(_) => {}
        Err(error) => super::say(format_args!("cannot serve traces at {address}: {error}")),
    }
    Ok(server.ok())
}

/// Where it listens.
#[cfg(feature = "http-server")]
pub(super) fn address(server: &Server) -> SocketAddr {
    server.address()
}

#[cfg(not(feature = "http-server"))]
pub(super) fn address(server: &Server) -> SocketAddr {
    match *server {}
}

#[cfg(not(feature = "http-server"))]
pub(super) fn serve(variables: &Variables) -> Result<Option<Server>, FromEnvError> {
    match &variables.http {
        None => Ok(None),
        Some(_) => Err(FromEnvError::NeedsFeature {
            variable: super::variables::HTTP,
            feature: "http-server",
        }),
    }
}
