//! examples of exectrace.
