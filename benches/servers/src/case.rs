//! What is measured: which server with which requests, and with the tracer in which mode.

/// A server and the requests it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// axum with `TraceLayer`; a handler that returns a constant.
    Axum,
    /// The same; a handler that computes for some [`WORK`] a request.
    AxumWork,
    /// mini-redis; `SET` and `GET`.
    MiniRedis,
}

/// How long a request of [`Case::AxumWork`] computes, on this machine when nothing else runs.
pub(crate) const WORK: std::time::Duration = std::time::Duration::from_micros(20);

impl Case {
    pub(crate) const ALL: [Self; 3] = [Self::Axum, Self::AxumWork, Self::MiniRedis];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::AxumWork => "axum-work",
            Self::MiniRedis => "mini-redis",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|case| case.name() == name)
    }

    /// For readers of the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Axum => "axum, a constant answer",
            Self::AxumWork => "axum, 20 µs of work a request",
            Self::MiniRedis => "mini-redis, SET and GET",
        }
    }
}

/// What the tracer does while the server is under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// There is none: no subscriber, no hooks.
    None,
    /// The Subscriber and the hooks are installed, and nothing records.
    Off,
    /// One recording from the server's start to its end, by the hooks alone: there is no subscriber.
    OnHooks,
    /// One recording from the server's start to its end, by the Subscriber and the hooks.
    On,
    /// The same with the Layer on a `Registry`.
    OnLayer,
    /// As [`On`](Self::On), on and off every 50 ms through the handle.
    Toggled,
}

impl Mode {
    pub(crate) const ALL: [Self; 6] = [
        Self::None,
        Self::Off,
        Self::OnHooks,
        Self::On,
        Self::OnLayer,
        Self::Toggled,
    ];

    /// The argument for a server's process.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Off => "off",
            Self::OnHooks => "on-hooks",
            Self::On => "on",
            Self::OnLayer => "on-layer",
            Self::Toggled => "toggled",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.word() == word)
    }

    /// For readers of the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::None => "no tracer",
            Self::Off => "installed, off",
            Self::OnHooks => "on, schedule alone",
            Self::On => "on, Subscriber",
            Self::OnLayer => "on, Layer",
            Self::Toggled => "on and off every 50 ms",
        }
    }

    /// What it is compared with.
    pub(crate) fn base(self) -> Option<Self> {
        match self {
            Self::None => None,
            Self::Off => Some(Self::None),
            Self::OnHooks | Self::On | Self::OnLayer | Self::Toggled => Some(Self::Off),
        }
    }

    /// Whether all of the server's life is in one trace.
    pub(crate) fn is_whole(self) -> bool {
        matches!(self, Self::OnHooks | Self::On | Self::OnLayer)
    }
    /// Whether each request of that life is in it as well: requests are spans.
    pub(crate) fn has_requests(self) -> bool {
        matches!(self, Self::On | Self::OnLayer)
    }
}
