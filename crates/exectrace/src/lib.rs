//! exectrace.
