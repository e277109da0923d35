//! What the environment says of spans and events, if this build has `tracing`.

use super::FromEnvError;

#[cfg(feature = "tracing")]
pub(super) use with_tracing::Filter;
#[cfg(not(feature = "tracing"))]
pub(super) use without::Filter;

#[cfg(feature = "tracing")]
mod with_tracing {
    use super::FromEnvError;

    /// The filter that a variable asks for.
    pub(crate) struct Filter(exectrace_tracing::Filter);

    impl Filter {
        pub(crate) fn parse(variable: &'static str, text: &str) -> Result<Self, FromEnvError> {
            text.parse().map(Self).map_err(|error| FromEnvError::Value {
                variable,
                value: text.to_owned(),
                accepted: "a level, or a level for each target, as in `info,my_crate=trace,h2=off`",
                cause: Some(exectrace_tracing::ParseFilterError::to_string(&error)),
            })
        }

        pub(crate) fn apply(self) {
            exectrace_tracing::override_filters(self.0);
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod without {
    use super::FromEnvError;

    /// There are no filters in this build.
    pub(crate) enum Filter {}

    impl Filter {
        pub(crate) fn parse(variable: &'static str, _: &str) -> Result<Self, FromEnvError> {
            Err(FromEnvError::NeedsFeature {
                variable,
                feature: "tracing",
            })
        }

        pub(crate) fn apply(self) {
            match self {}
        }
    }
}

/// Makes exectrace's subscriber the default of the process.
pub(super) fn install() -> Result<(), FromEnvError> {
    #[cfg(feature = "tracing")]
    return match crate::init() {
        Ok(_) => Ok(()),
        Err(_) => Err(FromEnvError::HasSubscriber),
    };
    #[cfg(not(feature = "tracing"))]
    Err(FromEnvError::NeedsFeature {
        variable: super::variables::SUBSCRIBER,
        feature: "tracing",
    })
}
