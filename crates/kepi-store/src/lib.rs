//! The event store: loads, keys, segments, manifest and journal.
