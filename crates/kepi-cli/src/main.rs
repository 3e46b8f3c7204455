//! The kepi command.
fn main() {}
