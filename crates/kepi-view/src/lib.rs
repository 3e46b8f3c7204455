//! An Answer as table, line, Markdown, CSV and JSON; diagnostics for people.
