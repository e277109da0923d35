//! The one-line set-up.

use exectrace_tracing::Handle;

/// Makes a [`Subscriber`](crate::Subscriber) the one of the whole process.
///
/// Nothing is recorded yet: that takes [`start`](crate::start) or the handle's own. Nothing is
/// printed either; a program whose events should also go elsewhere uses [`layer`](crate::layer()).
/// For a filter or other settings: `tracing::subscriber::set_global_default` with what a
/// [`Builder`](crate::Builder) makes.
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
#[derive(Debug, thiserror::Error)]
#[error("a global tracing subscriber is set already; add exectrace::layer() to it instead")]
pub struct InitError(#[from] tracing_core::dispatcher::SetGlobalDefaultError);
