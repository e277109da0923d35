//! exectrace, each of its doors on and off, and the baselines that it is compared with.

#![forbid(unsafe_code)]

mod baselines;
mod doors;
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
        ("exectrace region", serve::<doors::Annotations>),
        ("exectrace subscriber", serve::<doors::Subscriber>),
        (
            "exectrace layer_unfiltered",
            serve::<doors::LayerUnfiltered>,
        ),
        ("exectrace layer", serve::<doors::Layer>),
        (
            "exectrace region, off",
            serve::<doors::Off<doors::Annotations>>,
        ),
        (
            "exectrace subscriber, off",
            serve::<doors::Off<doors::Subscriber>>,
        ),
        (
            "exectrace layer_unfiltered, off",
            serve::<doors::Off<doors::LayerUnfiltered>>,
        ),
        ("exectrace layer, off", serve::<doors::Off<doors::Layer>>),
        ("exectrace hooks", serve::<tasks::Hooks>),
        ("exectrace hooks + wrapper", serve::<tasks::Wrapper>),
        ("exectrace hooks + subscriber", serve::<tasks::Whole>),
        ("exectrace hooks, off", serve::<doors::Off<tasks::Hooks>>),
        (
            "exectrace hooks + wrapper, off",
            serve::<doors::Off<tasks::Wrapper>>,
        ),
    ])
}
