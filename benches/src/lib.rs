//! benches of exectrace.
