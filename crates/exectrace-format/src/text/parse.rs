//! Text to bytes.

use crate::event::{ArgumentType, EventKind};
use crate::wire::{self, Version, put_uvarint};

use super::Payload;
use super::error::{TextCause, TextError};

/// Most repetitions of a text or frame.
const MAX_REPEAT: u64 = 100_000;

/// The bytes that a text stands for.
///
/// # Errors
///
/// The first line that cannot be understood. What the bytes mean is not checked.
pub fn parse(text: &str) -> Result<Vec<u8>, TextError> {
    let mut parser = TextParser::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            parser.line(line).map_err(|cause| TextError {
                line: index + 1,
                cause,
            })?;
        }
    }
    parser.finish_batch();
    Ok(parser.out)
}

type Parsed<T> = Result<T, TextCause>;

#[derive(Debug, Default)]
struct TextParser {
    out: Vec<u8>,
    generation: u64,
    batch: Option<TextBatch>,
}

/// The batch being read; written when its size is known.
#[derive(Debug)]
struct TextBatch {
    /// Up to the size, or whole if `head=` gave it.
    head: Vec<u8>,
    whole_head: bool,
    size: Option<u64>,
    payload: Vec<u8>,
}

impl TextParser {
    fn line(&mut self, line: &str) -> Parsed<()> {
        let mut words = TextWords { rest: line };
        match words.word()? {
            "go" => {
                self.finish_batch();
                self.header(&mut words)?;
            }
            "generation" => {
                self.finish_batch();
                self.generation = words.number("number")?;
            }
            "batch" => self.batch(&mut words, None)?,
            "experimental" => {
                let experiment = words.number("experiment")?;
                self.batch(&mut words, Some(experiment as u8))?;
            }
            "end-of-generation" => {
                self.finish_batch();
                self.out.push(wire::END_OF_GENERATION);
            }
            "bytes" => words.bytes(self.payload())?,
            "raw" => {
                self.finish_batch();
                words.bytes(&mut self.out)?;
            }
            word => entry(word, &mut words, self.payload())?,
        }
        match words.next() {
            Some(word) => Err(TextCause::Unexpected(word.to_string())),
            None => Ok(()),
        }
    }

    fn header(&mut self, words: &mut TextWords<'_>) -> Parsed<()> {
        let word = words.word()?;
        let number = word
            .strip_prefix("1.")
            .and_then(|number| number.parse().ok());
        let version = number.and_then(Version::from_number);
        let version = version.ok_or_else(|| TextCause::Version(format!("go {word}")))?;
        self.out.extend_from_slice(&version.header());
        Ok(())
    }

    fn batch(&mut self, words: &mut TextWords<'_>, experiment: Option<u8>) -> Parsed<()> {
        self.finish_batch();
        let mut thread = None;
        let mut time = None;
        let mut generation = self.generation;
        let mut size = None;
        let mut whole = None;
        let mut kind = experiment.map(|_| Payload::Experimental);
        while let Some(word) = words.next() {
            match word.split_once('=') {
                Some(("m", value)) => thread = Some(number(value)?),
                Some(("time", value)) => time = Some(number(value)?),
                Some(("generation", value)) => generation = number(value)?,
                Some(("size", value)) => size = Some(number(value)?),
                Some(("head", value)) => whole = Some(hexadecimal(value)?),
                _ => {
                    let named = Payload::ORDINARY
                        .into_iter()
                        .find(|kind| kind.word() == word);
                    let new = kind.is_none() && named.is_some();
                    kind = Some(
                        named
                            .filter(|_| new)
                            .ok_or_else(|| TextCause::Unexpected(word.to_string()))?,
                    );
                }
            }
        }
        let kind = kind.ok_or(TextCause::Missing("what the batch holds"))?;
        let mut head = match experiment {
            Some(experiment) => vec![wire::EXPERIMENTAL_BATCH, experiment],
            None => vec![wire::EVENT_BATCH],
        };
        put_uvarint(&mut head, generation);
        put_uvarint(&mut head, thread.ok_or(TextCause::Missing("m"))?);
        put_uvarint(&mut head, time.ok_or(TextCause::Missing("time"))?);
        self.batch = Some(TextBatch {
            whole_head: whole.is_some(),
            head: whole.unwrap_or(head),
            size,
            payload: kind.opening().into_iter().collect(),
        });
        Ok(())
    }

    /// Where entries go: to the batch, or to the file if there is none.
    fn payload(&mut self) -> &mut Vec<u8> {
        match &mut self.batch {
            Some(batch) => &mut batch.payload,
            None => &mut self.out,
        }
    }

    fn finish_batch(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.out.extend_from_slice(&batch.head);
            if !batch.whole_head {
                put_uvarint(
                    &mut self.out,
                    batch.size.unwrap_or(batch.payload.len() as u64),
                );
            }
            self.out.extend_from_slice(&batch.payload);
        }
    }
}

/// Appends a table entry or event.
fn entry(word: &str, words: &mut TextWords<'_>, out: &mut Vec<u8>) -> Parsed<()> {
    match word {
        "string" => {
            out.push(wire::STRING);
            put_uvarint(out, words.number("id")?);
            let text = words.text()?;
            put_uvarint(out, text.len() as u64);
            out.extend_from_slice(&text);
        }
        "stack" => stack(words, out)?,
        "sample" => {
            out.push(wire::CPU_SAMPLE);
            for name in ["time", "m", "p", "g", "stack"] {
                put_uvarint(out, words.argument(name)?);
            }
        }
        "frequency" => {
            out.push(wire::FREQUENCY);
            put_uvarint(out, words.number("frequency")?);
        }
        "clock" => {
            out.push(wire::CLOCK_SNAPSHOT);
            let delta = words.word()?;
            put_uvarint(out, number(delta.strip_prefix('+').unwrap_or(delta))?);
            for name in ["mono", "sec", "nsec"] {
                put_uvarint(out, words.argument(name)?);
            }
        }
        "data" => out.extend_from_slice(&words.text()?),
        _ => {
            let delta = word
                .strip_prefix('+')
                .ok_or_else(|| TextCause::Entry(word.to_string()))?;
            event(number(delta)?, words, out)?;
        }
    }
    Ok(())
}

fn stack(words: &mut TextWords<'_>, out: &mut Vec<u8>) -> Parsed<()> {
    out.push(wire::STACK);
    put_uvarint(out, words.number("id")?);
    let mut frames = Vec::new();
    while let Some(word) = words.next() {
        let (frame, times) = repeated(word)?;
        let mut numbers = [0; 4];
        let mut parts = frame.split(':');
        for (value, name) in numbers.iter_mut().zip(["pc", "function", "file", "line"]) {
            *value = number(parts.next().ok_or(TextCause::Missing(name))?)?;
        }
        frames.extend(std::iter::repeat_n(numbers, times));
    }
    put_uvarint(out, frames.len() as u64);
    for value in frames.into_iter().flatten() {
        put_uvarint(out, value);
    }
    Ok(())
}

fn event(delta: u64, words: &mut TextWords<'_>, out: &mut Vec<u8>) -> Parsed<()> {
    let name = words.word()?;
    let kind = EventKind::from_name(name).ok_or_else(|| TextCause::Event(name.to_string()))?;
    out.push(kind.id());
    put_uvarint(out, delta);
    for argument in kind.arguments() {
        let value = words.value(argument.name)?;
        let codes: &[&str] = match argument.ty {
            ArgumentType::GoStatus => &["Runnable", "Running", "Syscall", "Waiting"],
            ArgumentType::ProcStatus => &["Running", "Idle", "Syscall", "SyscallAbandoned"],
            _ => &[],
        };
        let value = match codes.iter().position(|&code| code == value) {
            Some(index) => index as u64 + 1,
            None => number(value)?,
        };
        put_uvarint(out, value);
    }
    Ok(())
}

/// `x*3` is `x` and 3.
fn repeated(word: &str) -> Parsed<(&str, usize)> {
    match word.rsplit_once('*') {
        Some((word, times)) => match number(times)? {
            times @ 0..=MAX_REPEAT => Ok((word, times as usize)),
            times => Err(TextCause::Repeat(times)),
        },
        None => Ok((word, 1)),
    }
}

fn number(word: &str) -> Parsed<u64> {
    let parsed = match word.strip_prefix("0x") {
        _ if word == "none" => Ok(u64::MAX),
        Some(digits) => u64::from_str_radix(digits, 16),
        None => word.parse(),
    };
    parsed.map_err(|_| TextCause::Number(word.to_string()))
}

fn hexadecimal(word: &str) -> Parsed<Vec<u8>> {
    let wrong = || TextCause::Number(word.to_string());
    let digits = word.as_bytes();
    if !digits.len().is_multiple_of(2) || !word.is_ascii() {
        return Err(wrong());
    }
    let pairs = digits.chunks_exact(2).map(|pair| {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
        u8::from_str_radix(pair, 16).map_err(|_| wrong())
    });
    pairs.collect()
}

/// The words of a line that are still to be read.
struct TextWords<'a> {
    rest: &'a str,
}

impl<'a> TextWords<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        self.rest = rest;
        Some(word)
    }

    fn word(&mut self) -> Parsed<&'a str> {
        self.next().ok_or(TextCause::Missing("a word"))
    }

    /// Hexadecimal bytes to the end of the line.
    fn bytes(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        while let Some(word) = self.next() {
            let byte = u8::from_str_radix(word, 16);
            out.push(byte.map_err(|_| TextCause::Number(word.to_string()))?);
        }
        Ok(())
    }

    fn number(&mut self, what: &'static str) -> Parsed<u64> {
        number(self.next().ok_or(TextCause::Missing(what))?)
    }

    /// The value of `name=value`, which must come next.
    fn value(&mut self, name: &'static str) -> Parsed<&'a str> {
        let word = self.next().ok_or(TextCause::Missing(name))?;
        let value = word
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='));
        value.ok_or(TextCause::Missing(name))
    }

    fn argument(&mut self, name: &'static str) -> Parsed<u64> {
        number(self.value(name)?)
    }

    /// A text in quotes, and how often it is repeated.
    fn text(&mut self) -> Parsed<Vec<u8>> {
        let rest = self.rest.trim_start();
        let mut rest = rest.strip_prefix('"').ok_or(TextCause::Missing("a text"))?;
        let mut text = Vec::new();
        loop {
            let end = rest.find(['"', '\\']).ok_or(TextCause::Text)?;
            text.extend_from_slice(&rest.as_bytes()[..end]);
            let after = &rest[end + 1..];
            if rest.as_bytes()[end] == b'"' {
                self.rest = after;
                break;
            }
            rest = escape(after, &mut text)?;
        }
        let times = match self.rest.strip_prefix('*') {
            Some(_) => {
                let word = self.next().unwrap_or_default();
                repeated(word)?.1
            }
            None => 1,
        };
        Ok(text.repeat(times))
    }
}

/// Reads what follows a backslash; what remains.
fn escape<'a>(rest: &'a str, text: &mut Vec<u8>) -> Parsed<&'a str> {
    let mut characters = rest.chars();
    match characters.next() {
        Some(character @ ('"' | '\\')) => text.push(character as u8),
        Some('n') => text.push(b'\n'),
        Some('x') => {
            let digits = rest.get(1..3).ok_or(TextCause::Text)?;
            text.push(u8::from_str_radix(digits, 16).map_err(|_| TextCause::Text)?);
            return Ok(&rest[3..]);
        }
        _ => return Err(TextCause::Text),
    }
    Ok(characters.as_str())
}
