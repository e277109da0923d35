//! The settings of one Layer or Subscriber, shared with its handle.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use exectrace_recorder::{Callsite, CallsiteKind, Runtime, TaskRule, is_enabled};
use tracing_core::{Interest, LevelFilter, Metadata};

use crate::filter::Filter;
use crate::redaction::Redaction;
use crate::tasks::TaskFilter;
use crate::tokio::{self, Part};

/// The settings of one Layer or Subscriber.
#[derive(Debug)]
pub(crate) struct Control {
    /// Swapped as a whole, so that no callback takes a lock.
    filter: ArcSwap<Filter>,
    /// Held by who changes the filter.
    changing: Mutex<()>,
    pub(crate) redaction: Redaction,
    /// Where values that are formatted are cut.
    pub(crate) max_formatted_bytes: usize,
    tasks: TaskFilter,
}

impl Control {
    pub(crate) fn new(
        filter: Filter,
        redaction: Redaction,
        max_formatted_bytes: usize,
        tasks: TaskFilter,
    ) -> Self {
        Self {
            filter: ArcSwap::from_pointee(filter),
            changing: Mutex::new(()),
            redaction,
            max_formatted_bytes,
            tasks,
        }
    }

    pub(crate) fn filter(&self) -> Filter {
        Filter::clone(&self.filter.load())
    }

    /// Changes the filter and returns the new one.
    pub(crate) fn change_filter(&self, change: impl FnOnce(&mut Filter)) -> Filter {
        // Two changes one after the other: the second must start from what the first made.
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut filter = self.filter();
        change(&mut filter);
        self.filter.store(Arc::new(filter.clone()));
        filter
    }

    /// Whether spans and events of this call site are to be recorded now.
    #[inline]
    pub(crate) fn is_wanted(&self, metadata: &Metadata<'_>) -> bool {
        is_enabled()
            && match tokio::part(metadata) {
                None => self.filter.load().records_metadata(metadata),
                Some(Part::Task | Part::Waker) => Runtime::is_any_registered(),
                Some(Part::Resource) => false,
            }
    }

    /// The same, as an answer for `tracing` to remember.
    pub(crate) fn interest(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.is_wanted(metadata) {
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
            // Tokio's call sites, which it has with that flag only, are of the most verbose level.
            LevelFilter::TRACE
        } else {
            self.filter.load().max_level()
        }
    }

    /// Describes a call site to the recorder. Runs on its flush thread.
    pub(crate) fn describe(&self, metadata: &'static Metadata<'static>) -> Callsite {
        let kind = kind(metadata);
        let task = match kind {
            CallsiteKind::Span => self.tasks.rule(metadata),
            _ => TaskRule::Never,
        };
        Callsite {
            name: metadata.name(),
            target: metadata.target(),
            level: metadata.level().as_str(),
            module: metadata.module_path(),
            file: metadata.file(),
            line: metadata.line(),
            fields: metadata.fields().iter().map(|field| field.name()).collect(),
            kind,
            task,
        }
    }
}

fn kind(metadata: &Metadata<'_>) -> CallsiteKind {
    if tokio::part(metadata) == Some(Part::Task) {
        CallsiteKind::AsyncTask
    } else if metadata.is_span() {
        CallsiteKind::Span
    } else if metadata.target() == "log" && metadata.fields().field("log.target").is_some() {
        // The call sites, one a level, through which `tracing-log` sends the records of `log`.
        CallsiteKind::Log
    } else {
        CallsiteKind::Event
    }
}
