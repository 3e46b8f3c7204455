//! The store through its public API: loads, scans, snapshots, damage, crashes.
#![allow(clippy::unwrap_used)] // A failed test should stop where it fails.

mod entities;
mod identity;
mod loads;
mod order;
mod support;
