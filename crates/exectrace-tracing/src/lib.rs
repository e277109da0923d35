//! exectrace-tracing.
