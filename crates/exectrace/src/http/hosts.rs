//! Which names a server on a loopback address answers to.
//!
//! A page of any site can have its own name resolved to the address 127.0.0.1 (*DNS rebinding*). Then it is of the same
//! origin as this server for its browser, which lets it read a trace. But the browser says by which name it asks.

use std::net::IpAddr;

use ::http::header::HOST;
use ::http::uri::Authority;
use ::http::{HeaderMap, Uri};

use super::answer::Refused;

/// Refuses a request for a host that is neither an address, nor `localhost`, nor one of these.
///
/// Others than browsers may say no host.
pub(super) fn check(headers: &HeaderMap, uri: &Uri, known: &[String]) -> Result<(), Refused> {
    let host = match headers.get(HOST) {
        Some(host) => host.to_str().unwrap_or("?"),
        None => match uri.authority() {
            Some(authority) => authority.as_str(),
            None => return Ok(()),
        },
    };
    let authority = host.parse::<Authority>();
    let name = authority.as_ref().map_or(host, Authority::host);
    match is_local(name) || known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        true => Ok(()),
        false => Err(Refused::OtherHost(name.to_owned())),
    }
}

fn is_local(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let lower = name.to_ascii_lowercase();
    bare.parse::<IpAddr>().is_ok() || lower == "localhost" || lower.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;

    use super::*;

    #[test]
    fn a_host_is_an_address_or_localhost_or_was_named() {
        let is_allowed = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            let known = ["traces.example".to_owned()];
            check(&headers, &Uri::from_static("/debug/pprof/"), &known).is_ok()
        };
        for host in [
            "127.0.0.1:6060",
            "[::1]:6060",
            "10.0.0.7",
            "localhost:6060",
            "LocalHost",
            "a.localhost:1",
            "Traces.example:6060",
        ] {
            assert!(is_allowed(host), "{host}");
        }
        for host in [
            "elsewhere.example:6060",
            "localhost.example",
            "127.0.0.1.example:6060",
            "notlocalhost",
            "",
        ] {
            assert!(!is_allowed(host), "{host}");
        }
        let uri = Uri::from_static("/debug/pprof/");
        assert!(check(&HeaderMap::new(), &uri, &[]).is_ok());
        let uri = Uri::from_static("http://elsewhere.example/debug/pprof/");
        assert!(check(&HeaderMap::new(), &uri, &[]).is_err());
    }
}
