//! What the hf-hub crate's errors mean for a model that is being fetched.

use super::{Hub, HubError, HubModel};
use hf_hub::api::sync::ApiError;
use std::io;
use std::path::PathBuf;

/// Why a request or a transfer failed.
#[derive(Debug)]
pub(super) enum Cause {
    /// The hub's refusal.
    Status(u16),
    /// No hub was reached.
    Unreached(String),
    /// What came is no answer of a hub.
    Odd(String),
    /// The connection broke.
    Broken(String),
    /// The beginning of the file that was kept cannot be gone on with.
    Stale,
    /// Another process holds the file.
    Locked(PathBuf),
    /// The cache cannot be written.
    Disk(io::Error),
}

/// HTTP status of a range that a file does not have.
const RANGE_NOT_SATISFIABLE: u16 = 416;

impl Cause {
    pub(super) fn of(error: ApiError) -> Self {
        match error {
            ApiError::RequestError(error) => Self::of_request(&error),
            ApiError::IoError(error) => Self::of_io(error),
            ApiError::TooManyRetries(error) => Self::of(*error),
            ApiError::InvalidResume => Self::Stale,
            ApiError::LockAcquisition(path) => Self::Locked(path),
            other => Self::Odd(other.to_string()),
        }
    }

    pub(super) fn of_request(error: &ureq::Error) -> Self {
        match error {
            ureq::Error::StatusCode(RANGE_NOT_SATISFIABLE) => Self::Stale,
            ureq::Error::StatusCode(status) => Self::Status(*status),
            ureq::Error::Protocol(_) | ureq::Error::Json(_) | ureq::Error::TooManyRedirects => {
                Self::Odd(error.to_string())
            }
            ureq::Error::Io(e) if is_break(e.kind()) => Self::Broken(e.to_string()),
            _ => Self::Unreached(error.to_string()),
        }
    }

    /// Errors while a body is copied to a file are the connection's, unless they can only be the disk's.
    fn of_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::AlreadyExists => Self::Disk(error),
            _ => Self::Broken(error.to_string()),
        }
    }

    /// The error for the user; `path` is the file that was being fetched, if it was one.
    pub(super) fn explain(self, hub: &Hub, model: &HubModel, path: Option<&str>) -> HubError {
        let endpoint = hub.endpoint.clone();
        let has_token = hub.token.is_some();
        let model = Box::new(model.clone());
        match (self, path) {
            (Self::Status(404), None) => HubError::NotFound { model, endpoint, has_token },
            // Without a token the hub says 401 of a repository that is not there as of a private one.
            (Self::Status(401), None) if !has_token => HubError::NotFound { model, endpoint, has_token },
            (Self::Status(status @ (401 | 403)), _) => {
                HubError::Denied { model, endpoint, status, has_token }
            }
            (Self::Status(status), None) => {
                HubError::Answer { endpoint, reason: format!("HTTP status {status}") }
            }
            (Self::Status(status), Some(path)) => {
                HubError::Answer { endpoint, reason: format!("HTTP status {status} for `{path}`") }
            }
            (Self::Unreached(reason) | Self::Broken(reason), None) | (Self::Unreached(reason), Some(_)) => {
                HubError::Network { endpoint, reason }
            }
            (Self::Broken(reason), Some(path)) => {
                HubError::Interrupted { model, path: path.to_owned(), reason }
            }
            (Self::Odd(reason), _) => HubError::Answer { endpoint, reason },
            (Self::Stale, _) => HubError::Answer {
                endpoint,
                reason: "it refuses the rest of a file begun earlier".to_owned(),
            },
            (Self::Locked(path), _) => HubError::Locked { path },
            (Self::Disk(source), _) => {
                HubError::Io { action: "write into", path: hub.cache_dir.clone(), source }
            }
        }
    }
}

fn is_break(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut | UnexpectedEof)
}
