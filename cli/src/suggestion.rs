//! Suggestions for a name that does not exist: the accepted name that differs least.

use std::collections::BTreeSet;

/// The candidate that differs from `name` by little more than a slip of the finger.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest(name, candidates, 1).pop()
}

/// At most `n` candidates that differ from `name` by little more than a slip of the finger, the nearest first.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>, n: usize) -> Vec<&'a str> {
    let near: BTreeSet<(usize, &str)> = candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .collect();
    near.into_iter().take(n).map(|(_, candidate)| candidate).collect()
}

/// Names between backticks, behind commas.
pub fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A hint that names what was probably meant, then everything that is accepted.
pub fn suggest(name: &str, what: &str, accepted: &[&str]) -> String {
    let list = quoted(accepted);
    match closest(name, accepted.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`? accepted {what}: {list}"),
        None => format!("accepted {what}: {list}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let accepted = ["lines", "prompts_per_line", "seed"];
        assert_eq!(closest("lins", accepted), Some("lines"));
        assert_eq!(closest("prompt_per_lines", accepted), Some("prompts_per_line"));
        assert_eq!(closest("temperature", accepted), None);
        assert_eq!(nearest("p2", ["p1", "p2b", "q2", "p10", "p2b"], 3), ["p1", "p2b", "q2"]);
    }
}
