//! The queues of listening TCP sockets: connections that nobody has accepted yet.
//!
//! The kernel is asked about the process's own descriptors: whether one listens takes a tenth of a microsecond, and how
//! long its queue is half of one. The files `/proc/net/tcp` and `tcp6` would take milliseconds, as the kernel walks a table for
//! all sockets of the machine to write them, and say nothing of whose a socket is.
//! So a socket is seen if its number is less than [`LOOKED_AT`], as those are that a program opens at its start.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use exectrace_format::conventions::{ACCEPT_QUEUE, ACCEPT_QUEUE_LIMIT};

use super::kernel_calls::{socket_address, socket_option};
use super::{Report, value};

/// Descriptors with lower numbers are looked at.
const LOOKED_AT: i32 = 1_024;
/// So many addresses have counters, those that were seen first.
const MAX_ADDRESSES: usize = 16;

/// The state of a socket that listens, in `tcp_info`.
const TCP_LISTEN: u8 = 10;

/// The addresses that have counters.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    known: Vec<SocketAddr>,
}

/// What is known of a queue: how many wait, and how many may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Queue {
    waiting: u64,
    limit: u64,
}

pub(super) fn about() -> String {
    format!(
        "yes, accept queues of {MAX_ADDRESSES} addresses, of sockets with numbers under {LOOKED_AT}"
    )
}

impl Sockets {
    /// Sockets with one address, which share its connections, are summed up.
    pub(super) fn sample(&mut self, report: Report<'_>) {
        let mut queues: BTreeMap<SocketAddr, Queue> = BTreeMap::new();
        for (address, queue) in (0..LOOKED_AT).filter_map(listening) {
            let sum = queues.entry(address).or_default();
            sum.waiting += queue.waiting;
            sum.limit += queue.limit;
        }
        for address in queues.keys() {
            if self.known.len() < MAX_ADDRESSES && !self.known.contains(address) {
                self.known.push(*address);
            }
        }
        for (address, queue) in queues {
            if self.known.contains(&address) {
                report(&format!("{ACCEPT_QUEUE}{address}"), value(queue.waiting));
                report(
                    &format!("{ACCEPT_QUEUE_LIMIT}{address}"),
                    value(queue.limit),
                );
            }
        }
    }
}

/// Address and queue of a descriptor that is a listening TCP socket.
fn listening(descriptor: i32) -> Option<(SocketAddr, Queue)> {
    let listens: [u8; 4] = socket_option(descriptor, libc::SOL_SOCKET, libc::SO_ACCEPTCONN)?;
    if listens == [0; 4] {
        return None;
    }
    let info: [u8; 32] = socket_option(descriptor, libc::IPPROTO_TCP, libc::TCP_INFO)?;
    Some((address(&socket_address(descriptor)?)?, queue(&info)?))
}

/// The queue, of the first bytes of `tcp_info`: of a socket that listens, the counts of unacknowledged and of selectively
/// acknowledged segments are the queue's.
fn queue(info: &[u8; 32]) -> Option<Queue> {
    let number = |at: usize| {
        let bytes = info.get(at..at + 4)?.try_into().ok()?;
        Some(u64::from(u32::from_ne_bytes(bytes)))
    };
    (info[0] == TCP_LISTEN).then_some(Queue {
        waiting: number(24)?,
        limit: number(28)?,
    })
}

/// An address of IPv4 or IPv6.
fn address(bytes: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(*bytes.first_chunk()?);
    let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    let ip: IpAddr = match i32::from(family) {
        libc::AF_INET => Ipv4Addr::from(*bytes.get(4..)?.first_chunk::<4>()?).into(),
        libc::AF_INET6 => Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn connections_that_nobody_accepted_are_in_the_queue_of_their_address() {
        let mut sockets = Sockets::default();
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(host) else {
                continue; // A machine without IPv6.
            };
            let address = listener.local_addr().unwrap();
            let waiting: Vec<_> = (0..3)
                .map(|_| TcpStream::connect(address).unwrap())
                .collect();
            let mut counters = BTreeMap::new();
            sockets.sample(&mut |name, value| {
                counters.insert(name.to_owned(), value);
            });
            assert_eq!(counters.get(&format!("{ACCEPT_QUEUE}{address}")), Some(&3));
            let limit = counters[&format!("{ACCEPT_QUEUE_LIMIT}{address}")];
            assert!(limit >= 3, "{limit}");
            drop(waiting);
        }
    }

    #[test]
    fn bytes_of_another_address_or_state_are_none() {
        assert_eq!(address(&[]), None);
        assert_eq!(address(&[0; 28]), None);
        assert_eq!(queue(&[1; 32]), None);
    }
}
