//! Suggestions for a name that does not exist: the accepted name that differs least.

/// The candidate that differs from `name` by little more than a slip of the finger.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// A hint that names what was probably meant, then everything that is accepted.
pub fn suggest(name: &str, what: &str, accepted: &[&str]) -> String {
    let list = accepted.iter().map(|a| format!("`{a}`")).collect::<Vec<_>>().join(", ");
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
    }
}
