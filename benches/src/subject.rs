//! The subjects: who handles what the program does, one to a process.

use std::io;

use exectrace_recorder::{Recording, RecordingOptions};
use tracing::subscriber::set_global_default;
use tracing_subscriber::layer::{Layer, SubscriberExt};

use crate::Body;
use crate::baseline::{DoNothing, RecordOnly};

/// Who handles spans, events and regions in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// No macros: the clock and 16-byte records, two for a span or a region, three for a span with
    /// fields, one for an event.
    Floor,
    /// The `tracing` macros, with no subscriber.
    NoSubscriber,
    /// A subscriber that stores a 16-byte record for each callback, and reads fields.
    RecordOnly,
    /// `Registry` with a layer that does nothing.
    DoNothingLayer,
    /// `Registry` with a layer that does nothing behind a per-layer filter that does nothing.
    DoNothingFilteredLayer,
    /// Our `subscriber()`, recording.
    Subscriber,
    /// Our `layer()` on a `Registry`, recording.
    Layer,
    /// Our annotation API with no subscriber, recording.
    Annotations,
    /// Our `subscriber()`, after a recording has ended.
    SubscriberOff,
    /// Our `layer()`, after a recording has ended.
    LayerOff,
    /// Our annotation API, after a recording has ended.
    AnnotationsOff,
}

impl Subject {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 11] = [
        Self::Floor,
        Self::NoSubscriber,
        Self::RecordOnly,
        Self::DoNothingLayer,
        Self::DoNothingFilteredLayer,
        Self::Subscriber,
        Self::Layer,
        Self::Annotations,
        Self::SubscriberOff,
        Self::LayerOff,
        Self::AnnotationsOff,
    ];

    /// What it is called in tables and in the bench's own command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "bare record store (floor)",
            Self::NoSubscriber => "no subscriber",
            Self::RecordOnly => "record-only subscriber",
            Self::DoNothingLayer => "Registry + do-nothing layer",
            Self::DoNothingFilteredLayer => "Registry + do-nothing filtered layer",
            Self::Subscriber => "exectrace subscriber()",
            Self::Layer => "exectrace layer()",
            Self::Annotations => "exectrace region()",
            Self::SubscriberOff => "exectrace subscriber(), off",
            Self::LayerOff => "exectrace layer(), off",
            Self::AnnotationsOff => "exectrace region(), off",
        }
    }

    /// The subject with that [`name`](Self::name).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|subject| subject.name() == name)
    }

    /// What it is compared with.
    #[must_use]
    pub fn baseline(self) -> Option<Self> {
        match self {
            Self::Floor | Self::NoSubscriber | Self::AnnotationsOff => None,
            Self::RecordOnly
            | Self::DoNothingLayer
            | Self::DoNothingFilteredLayer
            | Self::Annotations => Some(Self::Floor),
            Self::Subscriber => Some(Self::RecordOnly),
            Self::Layer => Some(Self::DoNothingFilteredLayer),
            Self::SubscriberOff | Self::LayerOff => Some(Self::NoSubscriber),
        }
    }

    /// Whether it can do that at all.
    #[must_use]
    pub fn does(self, body: Body) -> bool {
        match self {
            Self::Floor => true,
            Self::Annotations | Self::AnnotationsOff => body == Body::Region,
            _ => body != Body::Region,
        }
    }

    /// Whether it makes recordings.
    #[must_use]
    pub fn records(self) -> bool {
        matches!(self, Self::Subscriber | Self::Layer | Self::Annotations)
    }

    /// Whether an operation takes a few nanoseconds, so that more of them make a measurement.
    #[must_use]
    pub fn is_off(self) -> bool {
        matches!(
            self,
            Self::NoSubscriber | Self::SubscriberOff | Self::LayerOff | Self::AnnotationsOff
        )
    }

    /// Whether it is a part of exectrace, and not what that is compared with.
    #[must_use]
    pub fn is_ours(self) -> bool {
        self.name().starts_with("exectrace")
    }

    /// Makes it the one of this process. For those that are off, records something and stops first.
    ///
    /// # Errors
    /// If the process has a subscriber already, or a recording cannot be made.
    pub fn install(self) -> io::Result<()> {
        let registry = tracing_subscriber::registry();
        match self {
            Self::Floor | Self::NoSubscriber | Self::Annotations | Self::AnnotationsOff => Ok(()),
            Self::RecordOnly => set_global_default(RecordOnly),
            Self::DoNothingLayer => set_global_default(registry.with(DoNothing)),
            Self::DoNothingFilteredLayer => {
                set_global_default(registry.with(DoNothing.with_filter(DoNothing)))
            }
            Self::Subscriber | Self::SubscriberOff => {
                set_global_default(exectrace_tracing::subscriber().0)
            }
            Self::Layer | Self::LayerOff => {
                set_global_default(registry.with(exectrace_tracing::layer().0))
            }
        }
        .map_err(io::Error::other)?;
        if self.is_off() && self != Self::NoSubscriber {
            let recording = start()?;
            for body in Body::ALL.into_iter().filter(|&body| self.does(body)) {
                body.run(self, 0..100);
            }
            recording.stop().map_err(io::Error::other)?;
        }
        Ok(())
    }
}

/// Starts a recording that is thrown away.
pub(crate) fn start() -> io::Result<Recording> {
    RecordingOptions::new()
        .start_writer(io::sink())
        .map_err(io::Error::other)
}
