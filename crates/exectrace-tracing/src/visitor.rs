//! Writes the values of `tracing` fields into a record.

use std::error::Error;
use std::fmt;

use exectrace_recorder::Fields;
use tracing_core::field::{Field, Visit};

use crate::callsites::mark_of;
use crate::control::Control;

/// Writes each value that it visits: as it is, formatted, or as a mark that it is hidden.
pub(crate) struct FieldVisitor<'a> {
    fields: &'a mut Fields,
    /// Fields whose names have to be compared, as in
    /// [`CallsiteEntry::hidden`](crate::callsites::CallsiteEntry::hidden).
    hidden: u32,
    control: &'a Control,
}

impl<'a> FieldVisitor<'a> {
    pub(crate) fn new(fields: &'a mut Fields, hidden: u32, control: &'a Control) -> Self {
        Self {
            fields,
            hidden,
            control,
        }
    }

    /// Returns the index under which to write the value. If the field is hidden, writes the mark and returns
    /// `None`.
    #[inline]
    fn shown(&mut self, field: &Field) -> Option<usize> {
        let index = field.index();
        if self.hidden & mark_of(index) != 0 && self.control.redaction.hides(field.name()) {
            self.fields.redacted(index);
            return None;
        }
        Some(index)
    }
}

impl Visit for FieldVisitor<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if let Some(index) = self.shown(field) {
            self.fields.u64(index, value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if let Some(index) = self.shown(field) {
            self.fields.i64(index, value);
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if let Some(index) = self.shown(field) {
            self.fields.f64(index, value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if let Some(index) = self.shown(field) {
            self.fields.bool(index, value);
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        if let Some(index) = self.shown(field) {
            self.fields.u128(index, value);
        }
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        if let Some(index) = self.shown(field) {
            self.fields.i128(index, value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some(index) = self.shown(field) {
            self.fields.str(index, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        if let Some(index) = self.shown(field) {
            self.fields.display(index, &Causes(value));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if let Some(index) = self.shown(field) {
            let max_bytes = self.control.max_formatted_bytes;
            self.fields.debug_within(index, value, max_bytes);
        }
    }
}

/// An error followed by its causes, outermost first.
struct Causes<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
