//! Fields as text: the message first, then `name=value` for each other field.

use exectrace_format::conventions::UNKNOWN_FILE;
use std::borrow::Cow;
use std::fmt::Write as _;

use super::names::{FrameId, Names};
use super::sites::{FieldRole, Site, category};
use crate::fields::{ELLIPSIS, FloorBoundary, MAX_TEXT_BYTES};
use crate::input::FieldValues;
use crate::values::Value;

/// Writes the fields of a record into `text`, which is cleared first.
pub(crate) fn write_fields(site: &Site, fields: FieldValues<'_>, text: &mut String) {
    text.clear();
    for (index, value) in fields.values {
        match site.role(index) {
            FieldRole::Hidden => {}
            FieldRole::Message if text.is_empty() => write_plain(value, text),
            FieldRole::Message => put_before(value, text),
            FieldRole::Shown | FieldRole::TraceId => {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(site.field(index));
                text.push('=');
                write_value(value, text);
            }
        }
    }
    if fields.truncated {
        text.push_str(" …");
    }
}

/// Writes a message that comes after other fields: where it is written as `message = …`.
fn put_before(message: Value<'_>, text: &mut String) {
    let mut begin = String::new();
    write_plain(message, &mut begin);
    if !begin.is_empty() {
        begin.push(' ');
        text.insert_str(0, &begin);
    }
}

/// Writes a value as a message: strings without quotes.
pub(crate) fn write_plain(value: Value<'_>, text: &mut String) {
    match value {
        Value::Text(value) => text.push_str(value),
        other => write_value(other, text),
    }
}

/// Writes a value as its `Display` does. What fields mostly are, without the formatting machine:
/// that took a third of the flush thread's time for an event.
fn write_value(value: Value<'_>, text: &mut String) {
    match value {
        Value::U64(number) => text.push_str(itoa::Buffer::new().format(number)),
        Value::I64(number) => text.push_str(itoa::Buffer::new().format(number)),
        Value::Formatted(value) => text.push_str(value),
        Value::Text(value) if is_its_own_debug(value) => {
            text.push('"');
            text.push_str(value);
            text.push('"');
        }
        other => {
            // Writing to a string cannot fail.
            let _ = write!(text, "{other}");
        }
    }
}

/// Whether `Debug` would escape nothing of the text.
fn is_its_own_debug(text: &str) -> bool {
    let plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
    text.bytes().all(plain)
}

/// Where a record of the `log` crate comes from, by its fields.
#[derive(Debug)]
pub(crate) struct LogOrigin {
    pub(crate) category: String,
    module: Option<String>,
    file: Option<String>,
    line: Option<u32>,
}

impl LogOrigin {
    pub(crate) fn of(site: &Site, fields: FieldValues<'_>) -> Self {
        let text_of = |name| {
            let mut values = fields.values;
            values.find_map(|(index, value)| match value {
                Value::Text(text) | Value::Formatted(text) if site.field(index) == name => {
                    Some(text.to_owned())
                }
                _ => None,
            })
        };
        let mut values = fields.values;
        let line = values.find_map(|(index, value)| match value {
            Value::U64(line) if site.field(index) == "log.line" => u32::try_from(line).ok(),
            _ => None,
        });
        let target = text_of("log.target");
        let target = target.as_deref().unwrap_or(site.callsite.target);
        Self {
            category: category(site.callsite.level, target),
            module: text_of("log.module_path"),
            file: text_of("log.file"),
            line,
        }
    }

    pub(crate) fn place(&self, names: &mut Names) -> FrameId {
        let module = self.module.as_deref().unwrap_or("log");
        let file = self.file.as_deref().unwrap_or(UNKNOWN_FILE);
        names.frame_of(module, file, self.line.unwrap_or(1))
    }
}

/// The text, or as much of it as a string in a trace may have, and a mark that it was truncated.
pub(super) fn within_limit(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_TEXT_BYTES {
        return Cow::Borrowed(text);
    }
    let kept = text.floor_boundary(MAX_TEXT_BYTES - ELLIPSIS.len());
    Cow::Owned(text[..kept].to_owned() + ELLIPSIS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_their_display_writes_them() {
        let texts = [
            "",
            "GET",
            "a \"b\"",
            "back\\slash",
            "line\nend",
            "tab\t",
            "Grüße",
            "it's",
        ];
        let values = texts.map(Value::Text).into_iter().chain([
            Value::Formatted("a \"b\""),
            Value::U64(0),
            Value::U64(u64::MAX),
            Value::I64(i64::MIN),
            Value::I128(i128::MIN),
            Value::F64(1.0),
            Value::Bool(true),
            Value::Redacted,
        ]);
        for value in values {
            let mut written = String::new();
            write_value(value, &mut written);
            assert_eq!(written, value.to_string());
        }
    }
}
