//! Thresholds at which the C library's allocator returns freed memory to the operating system.

/// Blocks of at least this size, in bytes, are mapped and unmapped one by one: the greatest value that the library allows.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_FROM: libc::c_int = 32 << 20;

/// Free bytes at the end of the heap that are kept.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: libc::c_int = 256 << 20;

/// Keeps freed blocks for the next layer, which allocates blocks of the same sizes. With the default thresholds the
/// allocator returns them, and every layer causes page faults anew (docs/speed.md).
pub fn keep_blocks() {
    // SAFETY: sets two numbers, before there is a second thread. A refusal leaves the defaults.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}
