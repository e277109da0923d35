//! exectrace-recorder.
