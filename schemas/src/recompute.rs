//! Whether finished work is done again.

/// Whether work is done again whose result the lake holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recompute {
    /// Where its inputs, settings or code version have changed.
    #[default]
    Changed,
    /// In any case.
    Always,
}
