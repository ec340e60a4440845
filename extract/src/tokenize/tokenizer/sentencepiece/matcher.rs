//! The longest of some texts that another text begins with.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// A set of texts that are looked for.
#[derive(Debug, Default)]
pub struct Matcher {
    texts: HashSet<String>,
    /// By first character: the lengths in bytes of the texts that begin with it, longest first.
    lengths: HashMap<char, Vec<usize>>,
}

impl Matcher {
    /// A matcher of `texts`; empty ones are ignored.
    pub fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut matcher = Self::default();
        for text in texts {
            if let Some(first) = text.chars().next() {
                matcher.lengths.entry(first).or_default().push(text.len());
                matcher.texts.insert(text.to_owned());
            }
        }
        for lengths in matcher.lengths.values_mut() {
            lengths.sort_unstable_by_key(|length| Reverse(*length));
            lengths.dedup();
        }
        matcher
    }

    /// Length in bytes of the longest text that `text` begins with.
    pub fn longest_at(&self, text: &str) -> Option<usize> {
        let lengths = self.lengths.get(&text.chars().next()?)?;
        let begins = |length: &&usize| text.get(..**length).is_some_and(|start| self.texts.contains(start));
        lengths.iter().find(begins).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_text_is_found() {
        let matcher = Matcher::new(["<s>", "<s>>", "", "é"].into_iter());
        assert_eq!(matcher.longest_at("<s>>>"), Some(4));
        assert_eq!(matcher.longest_at("<s> "), Some(3));
        assert_eq!(matcher.longest_at("<é"), None);
        assert_eq!(matcher.longest_at("é"), Some(2));
        assert_eq!(matcher.longest_at(""), None);
    }
}
