//! Exit codes: a promise to scripts.
//!
//! An interrupt (Ctrl-C) ends the process by its signal, which shells report as 130: nothing half-written
//! is ever listed in a lake, so there is nothing to tidy up first.

use std::process::ExitCode;

/// The outcome of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The command succeeded.
    Success,
    /// The disk, the network or the engine failed.
    Failure,
    /// Bad usage or bad input; nothing was written.
    Usage,
    /// `status` or `verify` found files that are missing or damaged.
    Damage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Damage => 3,
        })
    }
}
