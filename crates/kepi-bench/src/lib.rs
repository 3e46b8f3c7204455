//! Generated events and timed questions, beside other engines.
