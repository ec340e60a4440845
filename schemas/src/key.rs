//! Keys of work done: a hash of everything that decides a result.

use serde::Serialize;

/// BLAKE3 of `parts` as JSON, 32 hex digits. Equal keys mean equal inputs, settings and code version.
///
/// # Panics
/// If `parts` cannot be written as JSON (a map whose keys are not strings): a fault of the caller.
pub fn content_key(parts: &impl Serialize) -> String {
    let json = serde_json::to_vec(parts).expect("key parts serialize to JSON");
    blake3::hash(&json).to_hex()[..32].to_owned()
}
