//! Everything from outside to Arrow: files, detection and inference.
