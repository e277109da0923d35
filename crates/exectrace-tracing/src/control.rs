//! The settings of one Layer or Subscriber, shared with its handle.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use exectrace_recorder::{Callsite, CallsiteKind, Runtime, TaskRule, is_enabled};
use tracing_core::{Interest, LevelFilter, Metadata};

use crate::filter::Filter;
use crate::redaction::Redaction;
use crate::tokio::{self, Subject};
use crate::used::Used;
use crate::user_tasks::UserTaskFilter;

/// The settings of one Layer or Subscriber.
#[derive(Debug)]
pub(crate) struct Control {
    /// Replaced as a whole, so that no callback takes a lock.
    filter: ArcSwap<Filter>,
    /// Held while the filter is changed.
    changing: Mutex<()>,
    pub(crate) redaction: Redaction,
    /// Formatted values are cut at this length.
    pub(crate) max_formatted_bytes: usize,
    user_tasks: UserTaskFilter,
    /// What has become of it, for the case that nothing is recorded.
    pub(crate) used: Used,
    /// The names of fields whose values are ids of distributed traces.
    trace_id_fields: Box<[Box<str>]>,
}

impl Control {
    pub(crate) fn new(
        filter: Filter,
        redaction: Redaction,
        max_formatted_bytes: usize,
        user_tasks: UserTaskFilter,
        trace_id_fields: Box<[Box<str>]>,
    ) -> Self {
        Self {
            filter: ArcSwap::from_pointee(filter),
            changing: Mutex::new(()),
            redaction,
            max_formatted_bytes,
            user_tasks,
            used: Used::default(),
            trace_id_fields,
        }
    }

    pub(crate) fn filter(&self) -> Filter {
        Filter::clone(&self.filter.load())
    }

    /// Changes the filter and returns the new one.
    pub(crate) fn change_filter(&self, change: impl FnOnce(&mut Filter)) -> Filter {
        // One change at a time: the second of two must start from the result of the first.
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut filter = self.filter();
        change(&mut filter);
        self.filter.store(Arc::new(filter.clone()));
        self.used.forget_callsites();
        filter
    }

    /// Whether spans and events of this call site are recorded now.
    #[inline]
    pub(crate) fn is_wanted(&self, metadata: &Metadata<'_>) -> bool {
        is_enabled()
            && match tokio::subject(metadata) {
                None => self.filter.load().records_metadata(metadata),
                Some(Subject::Task | Subject::Waker) => Runtime::is_any_registered(),
                Some(Subject::Resource) => false,
            }
    }

    /// The same as the answer that `tracing` caches.
    pub(crate) fn interest(&self, metadata: &'static Metadata<'static>) -> Interest {
        let is_wanted = self.is_wanted(metadata);
        if is_enabled() && tokio::subject(metadata).is_none() {
            self.used.callsite(is_wanted);
        }
        if is_wanted {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    /// The most verbose level that is recorded now.
    pub(crate) fn max_level(&self) -> LevelFilter {
        if !is_enabled() {
            LevelFilter::OFF
        } else if cfg!(tokio_unstable) && Runtime::is_any_registered() {
            // With this flag Tokio has call sites of its own, which are at `TRACE`.
            LevelFilter::TRACE
        } else {
            self.filter.load().max_level()
        }
    }

    /// Describes a call site for the recorder, which calls this on its flush thread.
    pub(crate) fn describe(&self, metadata: &'static Metadata<'static>) -> Callsite {
        let kind = kind(metadata);
        let (task, trace_id_fields) = match kind {
            CallsiteKind::Span => (
                self.user_tasks.rule(metadata),
                self.trace_id_fields(metadata),
            ),
            _ => (TaskRule::Never, Vec::new()),
        };
        Callsite {
            name: metadata.name(),
            target: metadata.target(),
            level: metadata.level().as_str(),
            module: metadata.module_path(),
            file: metadata.file(),
            line: metadata.line(),
            fields: metadata.fields().iter().map(|field| field.name()).collect(),
            trace_id_fields,
            kind,
            task,
        }
    }

    fn trace_id_fields(&self, metadata: &Metadata<'_>) -> Vec<usize> {
        let names = &self.trace_id_fields;
        let fields = metadata.fields().iter();
        let ids = fields.filter(|field| names.iter().any(|name| **name == *field.name()));
        ids.map(|field| field.index()).collect()
    }
}

fn kind(metadata: &Metadata<'_>) -> CallsiteKind {
    if tokio::subject(metadata) == Some(Subject::Task) {
        CallsiteKind::AsyncTask
    } else if metadata.is_span() {
        CallsiteKind::Span
    } else if metadata.target() == "log" && metadata.fields().field("log.target").is_some() {
        // `tracing-log` has one call site for each level, and sends all records of `log` through these.
        CallsiteKind::Log
    } else {
        CallsiteKind::Event
    }
}
