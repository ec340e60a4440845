//! Which tokens belong to which segment.
//!
//! A token belongs to a segment when the segment holds the token's first non-space character, or its
//! first character if it is all space. A token with an empty span belongs to no segment.

use crate::tokenize::tokenizer::Encoding;

/// The character that decides each token's membership; `None` for tokens without text.
pub fn deciding_characters(text: &str, encoding: &Encoding) -> Vec<Option<u32>> {
    let characters: Vec<char> = text.chars().collect();
    let decide = |&(start, end): &(u32, u32)| {
        if end <= start {
            return None;
        }
        let span = &characters[start as usize..end as usize];
        let first = span.iter().position(|c| !c.is_whitespace()).unwrap_or(0);
        Some(start + first as u32)
    };
    encoding.offsets.iter().map(decide).collect()
}

/// Positions of the tokens that belong to the segment `[start, end)`, ascending.
pub fn positions_within(deciding: &[Option<u32>], start: u32, end: u32) -> Vec<u32> {
    let within = |d: &Option<u32>| d.is_some_and(|d| start <= d && d < end);
    deciding.iter().zip(0..).filter(|(d, _)| within(d)).map(|(_, position)| position).collect()
}

/// Ascending positions as half-open ranges.
pub fn ranges(positions: &[u32]) -> Vec<(u32, u32)> {
    let mut found: Vec<(u32, u32)> = Vec::new();
    for &p in positions {
        match found.last_mut() {
            Some((_, end)) if *end == p => *end = p + 1,
            _ => found.push((p, p + 1)),
        }
    }
    found
}

#[cfg(test)]
mod scripts;

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding(offsets: &[(u32, u32)]) -> Encoding {
        Encoding { offsets: offsets.to_vec(), ..Encoding::default() }
    }

    #[test]
    fn the_first_non_space_character_decides() {
        // BOS | "Zoë" | " is" | "\n\n" | "in."
        let text = "Zoë is\n\nin.";
        let e = encoding(&[(0, 0), (0, 3), (3, 6), (6, 8), (8, 11)]);
        let deciding = deciding_characters(text, &e);
        assert_eq!(deciding, [None, Some(0), Some(4), Some(6), Some(8)]);
        assert_eq!(positions_within(&deciding, 0, 11), [1, 2, 3, 4]);
        assert!(positions_within(&deciding, 3, 4).is_empty(), "the space before `is` decides nothing");
        assert_eq!(positions_within(&deciding, 4, 7), [2, 3]);
    }

    #[test]
    fn positions_join_into_ranges() {
        assert_eq!(ranges(&[1, 2, 3, 7, 9, 10]), [(1, 4), (7, 8), (9, 11)]);
        assert!(ranges(&[]).is_empty());
    }
}
