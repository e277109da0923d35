//! A client, and what the tests share.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};

use exectrace::Status;
use exectrace_format::{Batches, Reader, SideRecord, TraceEvent, TraceEventKind};

/// The tracer is one for the process: tests that record take turns.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer, of which the head was read.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: Vec<String>,
    rest: BufReader<TcpStream>,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, wanted: &str) -> Option<&str> {
        let mut pairs = self.head.iter().filter_map(|line| line.split_once(": "));
        let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
        Some(value)
    }

    /// Reads the body, which lasts until the connection does.
    pub(crate) fn bytes(mut self) -> Vec<u8> {
        let mut body = Vec::new();
        self.rest.read_to_end(&mut body).unwrap();
        body
    }

    pub(crate) fn text(self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    /// What was read so far of a body whose rest may never come.
    pub(crate) fn bytes_until_it_breaks_off(mut self) -> Vec<u8> {
        let mut body = Vec::new();
        // An error leaves what was read before it.
        let _ = self.rest.read_to_end(&mut body);
        body
    }

    /// Reads some bytes of the body.
    pub(crate) fn some_bytes(&mut self) -> Vec<u8> {
        let mut some = [0; 1024];
        let bytes = self.rest.read(&mut some).unwrap();
        some[..bytes].to_vec()
    }
}

/// Sends a request and reads the head of the answer. In HTTP/1.0 the end of a body is that of the connection.
pub(crate) fn send(address: SocketAddr, request: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!("{request} HTTP/1.0\r\nContent-Length: {length}\r\n{headers}\r\n");
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut rest = BufReader::new(stream);
    let mut lines = rest.by_ref().lines().map(|line| line.unwrap());
    let first = lines.next().unwrap();
    let head = lines.take_while(|line| !line.is_empty()).collect();
    let status = first.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, rest }
}

pub(crate) fn ask(address: SocketAddr, request: &str) -> Answer {
    send(address, request, "", "")
}

/// Waits for a status of which this holds.
pub(crate) fn status_when(holds: impl Fn(&Status) -> bool) -> Status {
    loop {
        let status = exectrace::status();
        if holds(&status) {
            return status;
        }
        std::thread::yield_now();
    }
}

/// Reads a trace with the strict reader.
pub(crate) fn read(bytes: &[u8]) -> Vec<TraceEvent> {
    let reader = Reader::new(bytes).unwrap();
    reader.map(|event| event.unwrap()).collect()
}

/// The part of a trace that has come so far which a strict reader accepts: whole groups.
pub(crate) fn whole_part(bytes: &[u8]) -> &[u8] {
    let mut batches = Batches::new(bytes).unwrap();
    let mut ends = vec![bytes.len()];
    while let Ok(Some(batch)) = batches.next_batch() {
        ends.push(usize::try_from(batch.place.start).unwrap());
    }
    ends[1..].reverse();
    let is_whole = |end: &&usize| {
        let reader = Reader::new(&bytes[..**end]);
        reader.is_ok_and(|mut reader| reader.all(|event| event.is_ok()))
    };
    &bytes[..*ends.iter().find(is_whole).unwrap_or(&0)]
}

/// How many regions of this name begin in the trace.
pub(crate) fn count_regions(events: &[TraceEvent], wanted: &str) -> usize {
    let is_wanted = |event: &&TraceEvent| matches!(&event.kind, TraceEventKind::RegionBegin { name, .. } if &**name == wanted);
    events.iter().filter(is_wanted).count()
}

/// What the trace says was recorded.
pub(crate) fn recorded(events: &[TraceEvent]) -> Option<String> {
    let pairs = events.iter().filter_map(|event| match &event.kind {
        TraceEventKind::SideData(SideRecord::Capabilities { pairs }) => Some(pairs),
        _ => None,
    });
    let said = pairs.flatten().rfind(|(key, _)| key == "recorded");
    said.map(|(_, value)| value.to_string())
}
