//! The one-line set-up.

use std::fmt;

use exectrace_tracing::Handle;

/// Makes a [`Subscriber`](crate::Subscriber) the one of the whole process.
///
/// Nothing is recorded yet: that takes [`start`](crate::start) or the handle's own. Nothing is
/// printed either; a program whose events should also go elsewhere uses [`layer`](crate::layer()).
/// Spans and events below `INFO` are left out: `exectrace::init()?.reload(tracing::Level::DEBUG)`
/// takes those of `DEBUG` in. For other settings: `tracing::subscriber::set_global_default` with what
/// a [`Builder`](crate::Builder) makes.
///
/// Records of the `log` crate are not taken in unasked, as that would make a later
/// `env_logger::init()` fail; `tracing_log::LogTracer::init()` takes them.
///
/// # Errors
/// [`InitError`] if the process has a global subscriber already.
pub fn init() -> Result<Handle, InitError> {
    let (subscriber, handle) = exectrace_tracing::subscriber();
    let dispatch = tracing_core::Dispatch::new(subscriber);
    tracing_core::dispatcher::set_global_default(dispatch)?;
    Ok(handle)
}

/// The process has a global `tracing` subscriber already.
#[derive(thiserror::Error)]
#[error("a global tracing subscriber is set already; add exectrace::layer() to it instead")]
pub struct InitError(#[from] tracing_core::dispatcher::SetGlobalDefaultError);

/// What `{}` shows: a `main` that returns the error prints it with `{:?}`.
impl fmt::Debug for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_main_that_returns_the_error_prints_what_to_do() {
        super::init().unwrap();
        let error: Box<dyn std::error::Error> = super::init().unwrap_err().into();
        let printed = format!("Error: {error:?}");
        assert!(
            printed.contains("add exectrace::layer() to it"),
            "{printed}"
        );
    }
}
