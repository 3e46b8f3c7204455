//! Systems that are trusted to find a processor for every thread.

pub(crate) fn begin(_beside: bool) -> bool {
    false
}

pub(crate) fn end() -> bool {
    false
}
