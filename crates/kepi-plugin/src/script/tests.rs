//! Scripts that break limits or rules.
