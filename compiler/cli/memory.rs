//! The allocator of the process.

/// Has large blocks mapped by themselves, so that they go back to the system when they are freed. Otherwise the GNU
/// allocator raises the size from which on it does so with every large block that is freed, keeps them in the heaps of
/// its threads, where small blocks between them hold them, and a search of hours takes more and more.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a setting of the C library")]
pub(super) fn return_large_blocks() {
    /// Bytes from which on a block is large: those of a training last for the training.
    const LARGE: i32 = 256 << 10;
    // SAFETY: it has no preconditions.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
}

/// Nothing: other allocators do not need it.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn return_large_blocks() {}
