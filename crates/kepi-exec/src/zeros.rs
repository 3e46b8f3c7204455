//! Arrays of zeros, by id.

use std::hint::black_box;

/// So many zeros, all of them written.
///
/// An array that is asked of the system as zeros has no memory until it is written: where it is read first, and by id is
/// as by chance, each of its pages is mapped twice, and the second time all processors are interrupted. At three million
/// rows of half a million entities that took a fourth of a question.
pub(crate) fn zeros<T: Copy + Default>(len: usize) -> Vec<T> {
    let mut all = Vec::with_capacity(len);
    // What is written here must not be taken for what the system gives.
    black_box(all.as_mut_ptr());
    all.resize(len, T::default());
    all
}
