//! The interface by which a stage reports progress.

/// Receives progress: a terminal bar, log lines, or nothing.
pub trait Progress: Sync {
    /// A piece of work of `total` units begins.
    fn start(&self, label: &str, total: u64, unit: &'static str);
    /// `n` more units are done.
    fn advance(&self, n: u64);
    /// The piece of work is done.
    fn finish(&self);
    /// Something that the user should know before trusting a result; the work continues.
    fn warn(&self, message: &str);
}

/// Reports nothing.
impl Progress for () {
    fn start(&self, _label: &str, _total: u64, _unit: &'static str) {}
    fn advance(&self, _n: u64) {}
    fn finish(&self) {}
    fn warn(&self, _message: &str) {}
}
