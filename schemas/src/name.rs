//! Names that become a level of a path, and which of them a reader of a lake would lose.

use crate::partition::percent_encode;

/// Role of a prompt's first token, which attention falls to whatever it says (an attention sink; Xiao et al. 2023,
/// arXiv 2309.17453). Attention to it is kept, and no state.
pub const FIRST_TOKEN: &str = "first_token";

/// Roles of the segments that the program adds to every prompt.
pub const OWN_ROLES: [&str; 4] = ["prompt", "final", RESPONSE, FIRST_TOKEN];

/// The role of a response, which is there only where one was generated.
pub const RESPONSE: &str = "response";

/// Names that Hive readers take for a missing value, in lower case.
const NULLS: [&str; 2] = ["null", "__hive_default_partition__"];

/// Longest name of a directory on common file systems, in bytes.
const MAX_LEVEL_BYTES: usize = 255;

/// The reason why `name` cannot name a `kind` (a task, a model, a study), if there is one: the name must do as the
/// directory `kind=name` of a partitioned table.
pub fn name_problem(kind: &str, name: &str) -> Option<String> {
    if name.trim().is_empty() {
        return Some("the name is empty".into());
    }
    if name.chars().any(char::is_control) {
        return Some("the name has a control character".into());
    }
    if NULLS.contains(&name.to_lowercase().as_str()) {
        return Some("readers of partitioned tables take the name for a null".into());
    }
    let n_bytes = kind.len() + 1 + percent_encode(name).len();
    let most = MAX_LEVEL_BYTES;
    (n_bytes > most).then(|| {
        format!("the name is too long: its directory's name would have {n_bytes} bytes, of which at most {most} are allowed (a character outside ASCII takes 6 to 12)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_reader_would_lose_are_refused() {
        let long = "语".repeat(28);
        for name in ["", " ", "a\nb", "null", "NULL", "Null", "__HIVE_DEFAULT_PARTITION__", &long] {
            assert!(name_problem("task", name).is_some(), "{name}");
        }
        let fits = "语".repeat(27);
        for name in ["a", "a/b", "..", "nullable", "none", "语言", &fits] {
            assert_eq!(name_problem("task", name), None, "{name}");
        }
    }
}
