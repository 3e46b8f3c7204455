//! What a program sets for its whole process before it answers questions.

/// Keeps memory that a question has given back for the next one, up to 256 MB in each place that memory is taken from.
///
/// The C library of Linux gives all larger pieces back to the system at once, and the next question has each page mapped
/// and cleared anew: a fourth of a funnel of 20 million visits, a third of a sum per customer. Other systems have
/// allocators of their own, where this does nothing. It is for programs, not for libraries: it holds for all that the
/// process does.
#[allow(unsafe_code)] // Both calls are without memory that could be misused.
pub fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Pieces from here on are still taken from the system and given back one by one: the most that glibc allows.
        const MAPPED_FROM: libc::c_int = 32 << 20;
        const KEPT: libc::c_int = 256 << 20;
        // SAFETY: `mallopt` takes two numbers, changes parameters of the allocator, and is safe from any thread. Where it
        // refuses a number everything stays as it was.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM);
            libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        }
    }
}
