//! The facade: a Request in, an Answer out.

mod answer;

pub use answer::{Answer, Limits, Request};
