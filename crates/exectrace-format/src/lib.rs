//! exectrace-format.
