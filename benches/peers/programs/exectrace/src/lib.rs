//! exectrace, each of its sources of records on and off, and the baselines that it is compared with.
//!
//! What is linked into a program decides which sources it has. This library is the program without those that a
//! feature brings; `exectrace-sources` has them all.

#![forbid(unsafe_code)]

mod baselines;
mod sources;
mod tasks;

use harness::serve;

pub use sources::Subscriber;
pub use tasks::Whole;

/// All subjects.
pub const SUBJECTS: &[harness::Subject] = &[
    ("no subscriber", serve::<baselines::NoSubscriber>),
    ("record-only subscriber", serve::<baselines::Records>),
    ("Registry", serve::<baselines::RegistryAlone>),
    ("Registry + do-nothing layer", serve::<baselines::IdleLayer>),
    (
        "Registry + do-nothing filtered layer",
        serve::<baselines::IdleFilteredLayer>,
    ),
    ("exectrace region", serve::<sources::Annotations>),
    ("exectrace subscriber", serve::<sources::Subscriber>),
    ("exectrace layer", serve::<sources::Layer>),
    (
        "exectrace region, off",
        serve::<sources::Off<sources::Annotations>>,
    ),
    (
        "exectrace subscriber, off",
        serve::<sources::Off<sources::Subscriber>>,
    ),
    (
        "exectrace layer, off",
        serve::<sources::Off<sources::Layer>>,
    ),
    ("exectrace hooks", serve::<tasks::Hooks>),
    ("exectrace hooks + wrapper", serve::<tasks::Wrapper>),
    ("exectrace hooks + subscriber", serve::<tasks::Whole>),
    ("exectrace hooks, off", serve::<sources::Off<tasks::Hooks>>),
    (
        "exectrace hooks + wrapper, off",
        serve::<sources::Off<tasks::Wrapper>>,
    ),
];
