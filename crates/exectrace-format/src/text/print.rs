//! Bytes to text.

use std::fmt::Write as _;

use crate::event::{ArgumentType, EventKind, GoStatus, ProcStatus};
use crate::read::framing::{BatchHead, Framing, Item};
use crate::wire::{self, put_uvarint, take_uvarint};

use super::Payload;

/// The text of a trace. Any bytes have one: see the [module](self::super).
pub fn print(bytes: &[u8]) -> String {
    let mut out = String::new();
    let Ok(mut framing) = Framing::new(bytes) else {
        put_bytes(bytes, "raw", &mut out);
        return out;
    };
    let _ = writeln!(out, "go {}", framing.version());
    if framing.version().is_v1() {
        put_bytes(&bytes[framing.offset() as usize..], "raw", &mut out);
        return out;
    }
    let mut generation = 0;
    let mut payload = Vec::new();
    loop {
        let start = framing.offset() as usize;
        payload.clear();
        match framing.next(&mut payload) {
            Ok(Some(Item::Batch(head))) => {
                put_batch(&head, &bytes[start..], &payload, &mut generation, &mut out);
            }
            Ok(Some(Item::EndOfGeneration)) => out.push_str("end-of-generation\n"),
            Ok(None) => return out,
            Err(_) => {
                put_bytes(&bytes[start..], "raw", &mut out);
                return out;
            }
        }
    }
}

fn put_batch(
    head: &BatchHead,
    bytes: &[u8],
    payload: &[u8],
    generation: &mut u64,
    out: &mut String,
) {
    let head_length = (head.payload_offset - head.offset) as usize;
    let raw = &bytes[..head_length];
    let experimental = raw.first() == Some(&wire::EXPERIMENTAL_BATCH);
    if *generation == 0 || head.generation == generation.wrapping_add(1) {
        *generation = head.generation;
        let _ = writeln!(out, "generation {generation}");
    }
    let kind = if experimental {
        let _ = write!(out, "experimental {}", head.experiment);
        Payload::Experimental
    } else {
        out.push_str("batch");
        Payload::of_first_byte(payload.first().copied())
    };
    let _ = write!(out, " m={}", number(head.thread));
    if head.generation != *generation {
        let _ = write!(out, " generation={}", head.generation);
    }
    let _ = write!(out, " time={}", head.time);
    let mut plain = raw[..if experimental { 2 } else { 1 }].to_vec();
    for value in [head.generation, head.thread, head.time, head.size as u64] {
        put_uvarint(&mut plain, value);
    }
    if plain != raw {
        out.push_str(" head=");
        for byte in raw {
            let _ = write!(out, "{byte:02x}");
        }
    }
    if !experimental {
        let _ = write!(out, " {}", kind.word());
    }
    out.push('\n');
    put_payload(kind, payload, out);
}

fn put_payload(kind: Payload, payload: &[u8], out: &mut String) {
    if kind == Payload::Experimental {
        if !payload.is_empty() {
            let _ = writeln!(out, "  data {}", quoted(payload));
        }
        return;
    }
    let mut rest = &payload[usize::from(kind.opening().is_some())..];
    while !rest.is_empty() {
        let mut after = rest;
        let mut again = Vec::new();
        let Some(line) = entry(kind, &mut after, &mut again) else {
            put_bytes(rest, "  bytes", out);
            return;
        };
        let item = &rest[..rest.len() - after.len()];
        // Only what parses to the same bytes is printed as what it is.
        if again == item {
            let _ = writeln!(out, "  {line}");
        } else {
            put_bytes(item, "  bytes", out);
        }
        rest = after;
    }
}

/// The line for the entry at the front of `rest`, which is taken off; `again` gets the bytes that
/// the line stands for.
fn entry(kind: Payload, rest: &mut &[u8], again: &mut Vec<u8>) -> Option<String> {
    let (&first, after) = rest.split_first()?;
    *rest = after;
    again.push(first);
    let mut next = || {
        let value = take_uvarint(rest)?;
        put_uvarint(again, value);
        Some(value)
    };
    let mut line = String::new();
    let _ = match (kind, first) {
        (Payload::Events, id) => return event_line(EventKind::from_id(id)?, &mut next),
        (Payload::Strings, wire::STRING) => {
            let (id, length) = (next()?, usize::try_from(next()?).ok()?);
            let (text, after) = rest.split_at_checked(length)?;
            *rest = after;
            again.extend_from_slice(text);
            write!(line, "string {} {}", number(id), quoted(text))
        }
        (Payload::Stacks, wire::STACK) => {
            let (id, count) = (next()?, next()?);
            let _ = write!(line, "stack {}", number(id));
            for _ in 0..count {
                let (pc, function, file, at) = (next()?, next()?, next()?, next()?);
                let _ = write!(line, " 0x{pc:x}:{function}:{file}:{at}");
            }
            Ok(())
        }
        (Payload::Samples, wire::CPU_SAMPLE) => {
            for name in ["sample time", " m", " p", " g", " stack"] {
                let _ = write!(line, "{name}={}", number(next()?));
            }
            Ok(())
        }
        (Payload::Sync | Payload::Frequency, wire::FREQUENCY) => {
            write!(line, "frequency {}", next()?)
        }
        (Payload::Sync | Payload::Frequency, wire::CLOCK_SNAPSHOT) => {
            let (delta, mono, sec, nsec) = (next()?, next()?, next()?, next()?);
            write!(line, "clock +{delta} mono={mono} sec={sec} nsec={nsec}")
        }
        _ => return None,
    };
    Some(line)
}

fn event_line(kind: EventKind, next: &mut impl FnMut() -> Option<u64>) -> Option<String> {
    let mut line = format!("+{} {}", next()?, kind.name());
    for argument in kind.arguments() {
        let _ = write!(line, " {}=", argument.name);
        match (argument.ty, next()?) {
            (ArgumentType::GoStatus, code) => {
                put_status(GoStatus::from_wire(code), code, &mut line);
            }
            (ArgumentType::ProcStatus, code) => {
                put_status(ProcStatus::from_wire(code), code, &mut line);
            }
            (_, value) => line.push_str(&number(value)),
        }
    }
    Some(line)
}

fn put_status(status: Option<impl std::fmt::Debug>, code: u64, out: &mut String) {
    let _ = match status {
        Some(status) => write!(out, "{status:?}"),
        None => write!(out, "{code}"),
    };
}

fn number(value: u64) -> String {
    if value == u64::MAX {
        "none".to_string()
    } else {
        value.to_string()
    }
}

fn put_bytes(bytes: &[u8], word: &str, out: &mut String) {
    for line in bytes.chunks(32) {
        let _ = write!(out, "{word}");
        for byte in line {
            let _ = write!(out, " {byte:02x}");
        }
        out.push('\n');
    }
}

/// A text in quotes; what is no printable character is escaped byte by byte.
fn quoted(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\\' => out.extend(['\\', character]),
                '\n' => out.push_str("\\n"),
                _ if character.is_control() || (character.is_whitespace() && character != ' ') => {
                    for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                        let _ = write!(out, "\\x{byte:02x}");
                    }
                }
                _ => out.push(character),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    out
}
