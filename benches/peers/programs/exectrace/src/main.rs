//! exectrace, each of its sources of records on and off, and the baselines that it is compared with.

#![forbid(unsafe_code)]

mod baselines;
mod sources;
mod tasks;

use std::process::ExitCode;

use harness::serve;

fn main() -> ExitCode {
    harness::main(&[
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
        ("exectrace layer, off", serve::<sources::Off<sources::Layer>>),
        ("exectrace hooks", serve::<tasks::Hooks>),
        ("exectrace hooks + wrapper", serve::<tasks::Wrapper>),
        ("exectrace hooks + subscriber", serve::<tasks::Whole>),
        ("exectrace hooks, off", serve::<sources::Off<tasks::Hooks>>),
        (
            "exectrace hooks + wrapper, off",
            serve::<sources::Off<tasks::Wrapper>>,
        ),
    ])
}
