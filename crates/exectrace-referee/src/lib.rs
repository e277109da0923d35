//! exectrace-referee.
