//! Fields as text: the message first, then `name=value` for each other field.

use std::fmt::Write as _;

use super::names::{FrameId, Names};
use super::sites::{Site, category};
use crate::fields::Value;
use crate::input::FieldValues;

/// Fields of a `log` record that say where it comes from; they are not part of its text.
const LOG_PREFIX: &str = "log.";

/// Writes the fields of a record into `text`, which is cleared first.
pub(crate) fn write_fields(site: &Site, fields: FieldValues<'_>, is_log: bool, text: &mut String) {
    text.clear();
    for (index, value) in fields.values {
        if site.field(index) == "message" {
            write_plain(value, text);
        }
    }
    for (index, value) in fields.values {
        let name = site.field(index);
        if name == "message"
            || (is_log && name.starts_with(LOG_PREFIX))
            || site.is_task_field(index)
        {
            continue;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{name}={value}");
    }
    if fields.cut {
        text.push_str(" …");
    }
}

/// Writes a value as a message: strings without quotes.
pub(crate) fn write_plain(value: Value<'_>, text: &mut String) {
    match value {
        Value::Text(value) | Value::Formatted(value) => text.push_str(value),
        other => {
            let _ = write!(text, "{other}");
        }
    }
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
        let file = self.file.as_deref().unwrap_or("unknown");
        names.frame_of(module, file, self.line.unwrap_or(1))
    }
}
