//! Trace events as JSON, one line each, as they come.

use std::io::Write;

use super::rows::Row;
use crate::error::ExportError;

/// The value of an argument.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Number(u64),
    Signed(i64),
    Text(&'a str),
}

/// One trace event. What is empty or `None` is not written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Event<'a> {
    /// `B`, `E`, `i`, `C`, `M`, `b`, `e`, `n`, `s` or `f`.
    pub(super) phase: &'a str,
    pub(super) category: &'a str,
    pub(super) name: &'a str,
    /// What belongs together, for asynchronous events and flows.
    pub(super) id: Option<u64>,
    pub(super) arguments: &'a [(&'a str, Value<'a>)],
}

/// Writes events into one array, with commas between them.
#[derive(Debug)]
pub(super) struct Events<W> {
    out: W,
    is_first: bool,
    pub(super) written: u64,
}

impl<W: Write> Events<W> {
    pub(super) fn begin(mut out: W) -> Result<Self, ExportError> {
        out.write_all(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
        Ok(Self {
            out,
            is_first: true,
            written: 0,
        })
    }

    pub(super) fn finish(mut self) -> Result<(), ExportError> {
        self.out.write_all(b"\n]}\n")?;
        Ok(self.out.flush()?)
    }

    /// Writes an event; `time` is none for those that name rows.
    pub(super) fn write(
        &mut self,
        time_ns: Option<i64>,
        row: Row,
        event: &Event<'_>,
    ) -> Result<(), ExportError> {
        let comma = if std::mem::take(&mut self.is_first) {
            ""
        } else {
            ","
        };
        self.written += 1;
        let out = &mut self.out;
        write!(
            out,
            "{comma}\n{{\"ph\":\"{}\",\"pid\":{},\"tid\":{}",
            event.phase, row.pid, row.tid
        )?;
        if let Some(time_ns) = time_ns {
            out.write_all(b",\"ts\":")?;
            write_microseconds(out, time_ns)?;
        }
        if !event.category.is_empty() {
            write_text(out, ",\"cat\":", event.category)?;
        }
        if !event.name.is_empty() {
            write_text(out, ",\"name\":", event.name)?;
        }
        if let Some(id) = event.id {
            write!(out, ",\"id\":{id}")?;
        }
        match event.phase {
            // An instant of its row alone; a flow that ends at the slice around it.
            "i" => out.write_all(b",\"s\":\"t\"")?,
            "f" => out.write_all(b",\"bp\":\"e\"")?,
            _ => {}
        }
        write_arguments(out, event.arguments)?;
        Ok(out.write_all(b"}")?)
    }
}

fn write_arguments(
    out: &mut impl Write,
    arguments: &[(&str, Value<'_>)],
) -> Result<(), ExportError> {
    let mut opening = ",\"args\":{";
    let mut is_open = false;
    for (key, value) in arguments {
        out.write_all(opening.as_bytes())?;
        serde_json::to_writer(&mut *out, key)?;
        match value {
            Value::Number(number) => write!(out, ":{number}")?,
            Value::Signed(number) => write!(out, ":{number}")?,
            Value::Text(text) => write_text(out, ":", text)?,
        }
        opening = ",";
        is_open = true;
    }
    if is_open {
        out.write_all(b"}")?;
    }
    Ok(())
}

fn write_text(out: &mut impl Write, before: &str, text: &str) -> Result<(), ExportError> {
    out.write_all(before.as_bytes())?;
    Ok(serde_json::to_writer(out, text)?)
}

/// Microseconds with all nanoseconds behind the point, without passing through a float. Viewers
/// drop what is before zero.
fn write_microseconds(out: &mut impl Write, time_ns: i64) -> Result<(), ExportError> {
    let time_ns = u64::try_from(time_ns).unwrap_or(0);
    Ok(write!(out, "{}.{:03}", time_ns / 1_000, time_ns % 1_000)?)
}
