//! One-line set-up.

use std::fmt;

use exectrace_tracing::Handle;

/// Installs a [`Subscriber`](crate::Subscriber) as the global default of the process.
///
/// It records spans and events of level `INFO` and above while a recording runs, which [`start`](crate::start)
/// or [`Handle::start`](crate::Handle::start) starts. `exectrace::init()?.reload(tracing::Level::DEBUG)` includes
/// `DEBUG`. For other settings, pass a subscriber made by a [`Builder`](crate::Builder) to
/// `tracing::subscriber::set_global_default`.
///
/// Events are not printed. A program whose events should also go elsewhere uses [`layer()`](crate::layer()).
///
/// Records of the `log` crate are not included, because that would make a later `env_logger::init()` fail.
/// `tracing_log::LogTracer::init()` includes them.
///
/// # Errors
/// [`InitError`] if the process has a global default subscriber already.
pub fn init() -> Result<Handle, InitError> {
    let (subscriber, handle) = exectrace_tracing::subscriber();
    let dispatch = tracing_core::Dispatch::new(subscriber);
    // The only cause there is, and the message says it.
    tracing_core::dispatcher::set_global_default(dispatch).map_err(|_| InitError(()))?;
    Ok(handle)
}

/// The process has a global default `tracing` subscriber already.
pub struct InitError(());

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a global tracing subscriber is set already; add exectrace::layer() to it instead",
        )
    }
}

impl std::error::Error for InitError {}

/// The same as `Display`, because a `main` that returns the error prints it with `Debug`.
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
