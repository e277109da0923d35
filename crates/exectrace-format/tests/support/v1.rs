//! Traces of the old format (headers 11, 19, 21) as text, one event a line, and the bytes of such.
//!
//! ```text
//! # A comment, on a line of its own.
//! go 1.21
//! Batch 0 1000
//! GoCreate 5 1 2 0
//! String 1 "main"
//! UserLog 1 0 1 0 "message"
//! raw ff ff
//! ```
//!
//! Numbers are those of the event in their order: time since the event before, arguments, stack.
//! `none` is 2^64-1, `"x"*1000` a repeated text. `raw` stands for any bytes; the last line of a
//! damaged trace is one.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::fmt::Write as _;

/// Names by number, which begin at 1.
const NAMES: [&str; 49] = [
    "Batch",
    "Frequency",
    "Stack",
    "Gomaxprocs",
    "ProcStart",
    "ProcStop",
    "GCStart",
    "GCDone",
    "STWStart",
    "STWDone",
    "GCSweepStart",
    "GCSweepDone",
    "GoCreate",
    "GoStart",
    "GoEnd",
    "GoStop",
    "GoSched",
    "GoPreempt",
    "GoSleep",
    "GoBlock",
    "GoUnblock",
    "GoBlockSend",
    "GoBlockRecv",
    "GoBlockSelect",
    "GoBlockSync",
    "GoBlockCond",
    "GoBlockNet",
    "GoSysCall",
    "GoSysExit",
    "GoSysBlock",
    "GoWaiting",
    "GoInSyscall",
    "HeapAlloc",
    "HeapGoal",
    "TimerGoroutine",
    "FutileWakeup",
    "String",
    "GoStartLocal",
    "GoUnblockLocal",
    "GoSysExitLocal",
    "GoStartLabel",
    "GoBlockGC",
    "GCMarkAssistStart",
    "GCMarkAssistDone",
    "UserTaskCreate",
    "UserTaskEnd",
    "UserRegion",
    "UserLog",
    "CPUSample",
];
/// How many numbers each has, time and stack included.
const COUNTS: [u8; 49] = [
    2, 1, 6, 3, 2, 1, 3, 1, 2, 1, 2, 3, 4, 3, 1, 2, 2, 2, 2, 2, 4, 2, 2, 2, 2, 2, 2, 2, 4, 1, 2, 2,
    2, 2, 1, 1, 1, 2, 3, 3, 4, 2, 2, 1, 5, 3, 5, 4, 5,
];
const STACK: u8 = 3;
const STRING: u8 = 37;
const USER_LOG: u8 = 48;

/// The bytes of a text.
pub(crate) fn parse(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for line in text.lines().map(str::trim) {
        if !line.is_empty() && !line.starts_with('#') {
            put_line(line, &mut bytes).ok_or_else(|| format!("what is `{line}`?"))?;
        }
    }
    Ok(bytes)
}

fn put_line(line: &str, bytes: &mut Vec<u8>) -> Option<()> {
    let (numbers, text) = match line.split_once('"') {
        Some((numbers, text)) => (numbers, Some(unquoted(text)?)),
        None => (line, None),
    };
    let mut words = numbers.split_whitespace();
    let name = words.next()?;
    match name {
        "go" => {
            bytes.extend_from_slice(format!("go {} trace\0\0\0", words.next()?).as_bytes());
            return Some(());
        }
        "raw" => {
            for word in words {
                bytes.push(u8::from_str_radix(word, 16).ok()?);
            }
            return Some(());
        }
        _ => {}
    }
    let kind = NAMES.iter().position(|&known| known == name)? as u8 + 1;
    let numbers: Option<Vec<u64>> = words
        .map(|word| match word {
            "none" => Some(u64::MAX),
            word => word.parse().ok(),
        })
        .collect();
    put_event(kind, &numbers?, text.as_deref(), bytes);
    Some(())
}

fn put_event(kind: u8, numbers: &[u64], text: Option<&[u8]>, bytes: &mut Vec<u8>) {
    let mut body = Vec::new();
    for &number in numbers {
        put_number(number, &mut body);
    }
    match (kind, numbers.len()) {
        (STRING, _) => bytes.push(kind),
        (USER_LOG, _) | (_, 0 | 4..) => {
            bytes.push(kind | 3 << 6);
            put_number(body.len() as u64, bytes);
        }
        (_, count) => bytes.push(kind | (count as u8 - 1) << 6),
    }
    bytes.extend_from_slice(&body);
    if let Some(text) = text {
        put_number(text.len() as u64, bytes);
        bytes.extend_from_slice(text);
    }
}

fn put_number(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// A trace that is well-formed but for its meaning, which the bytes decide: most of them are
/// numbers of events, small ones, so that events concern each other.
pub(crate) fn from_noise(noise: &[u8]) -> Vec<u8> {
    let mut noise = noise.iter().copied();
    let mut next = move || noise.next();
    let version = ["1.11", "1.19", "1.21"][usize::from(next().unwrap_or(0)) % 3];
    let mut bytes = format!("go {version} trace\0\0\0").into_bytes();
    put_event(1, &[0, 1_000], None, &mut bytes);
    put_event(2, &[1_000_000], None, &mut bytes);
    while let Some(kind) = next() {
        let kind = kind % 49 + 1;
        let mut numbers = Vec::new();
        for _ in 0..COUNTS[usize::from(kind) - 1] {
            numbers.push(match next().unwrap_or(1) {
                255 => u64::MAX,
                254 => 1 << 40,
                253 => 1_000_001,
                number => u64::from(number % 8),
            });
        }
        if kind == STACK {
            numbers[1] = 1;
        }
        let text = (kind == STRING || kind == USER_LOG).then_some(&b"text"[..]);
        put_event(kind, &numbers, text, &mut bytes);
    }
    bytes
}

/// What stands behind the opening quote: a text, perhaps repeated.
fn unquoted(text: &str) -> Option<Vec<u8>> {
    let (text, repeat) = text.rsplit_once('"')?;
    let times = match repeat.trim() {
        "" => 1,
        repeat => repeat.strip_prefix('*')?.parse().ok()?,
    };
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    Some(bytes.repeat(times))
}

/// The text of a trace. Its bytes may be others, if numbers were longer than needed.
pub(crate) fn print(bytes: &[u8]) -> String {
    let (header, mut rest) = bytes.split_at(16.min(bytes.len()));
    let version = std::str::from_utf8(header)
        .ok()
        .and_then(|header| header.strip_prefix("go "))
        .and_then(|header| header.strip_suffix(" trace\0\0\0"));
    let Some(version) = version else {
        return raw(bytes);
    };
    let mut out = format!("go {version}\n");
    while !rest.is_empty() {
        let before = rest;
        match take_event(&mut rest) {
            Some(line) => out += &line,
            None => {
                out += &raw(before);
                return out;
            }
        }
    }
    out
}

fn raw(bytes: &[u8]) -> String {
    let mut out = "raw".to_string();
    for byte in bytes {
        let _ = write!(out, " {byte:02x}");
    }
    out + "\n"
}

fn take_event(rest: &mut &[u8]) -> Option<String> {
    let (&first, after) = rest.split_first()?;
    *rest = after;
    let (kind, count) = (first & 0x3f, first >> 6);
    let name = NAMES.get(usize::from(kind).checked_sub(1)?)?;
    let mut numbers = Vec::new();
    if kind == STRING {
        numbers.push(take_number(rest)?);
    } else if count < 3 {
        for _ in 0..=count {
            numbers.push(take_number(rest)?);
        }
    } else {
        let length = take_number(rest)?;
        let mut body = take(rest, length)?;
        while !body.is_empty() {
            numbers.push(take_number(&mut body)?);
        }
    }
    let mut line = (*name).to_string();
    for number in numbers {
        match number {
            u64::MAX => line += " none",
            _ => line += &format!(" {number}"),
        }
    }
    if kind == STRING || kind == USER_LOG && count == 3 {
        let length = take_number(rest)?;
        line += " \"";
        for &byte in take(rest, length)? {
            match byte {
                b'"' | b'\\' | ..b' ' | 0x7f.. => line += &format!("\\{byte:02x}"),
                byte => line.push(char::from(byte)),
            }
        }
        line.push('"');
    }
    Some(line + "\n")
}

fn take<'a>(rest: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = left;
    Some(taken)
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for index in 0..10 {
        let byte = take(rest, 1)?[0];
        if index == 9 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
