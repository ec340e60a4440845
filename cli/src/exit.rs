//! Exit codes: a promise to scripts.

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
    /// The log is damaged, or `status` or `verify` found files that are missing or damaged.
    Damage,
    /// `plan --check` found steps that would run.
    Pending,
}

/// Exit code after an interrupt.
pub const INTERRUPTED: u8 = 130;

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Damage => 3,
            Exit::Pending => 4,
        })
    }
}
