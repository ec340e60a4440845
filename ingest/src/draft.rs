//! A prompt's text while a task generator writes it: pieces are appended and the offsets of segments recorded.

use hypercolumn_schemas::Segment;

/// A prompt's text under construction, with the offsets of its segments in Unicode scalar values.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    text: String,
    n_chars: u32,
    segments: Vec<Segment>,
}

impl Draft {
    /// Appends text that belongs to no segment.
    pub(crate) fn push(&mut self, piece: &str) {
        self.text.push_str(piece);
        self.n_chars += count_chars(piece);
    }

    /// Appends text as one segment. Separators are pushed apart, so that no segment ends in one.
    pub(crate) fn push_segment(&mut self, role: &str, piece: &str) {
        let start = self.n_chars;
        self.push(piece);
        self.segments.push(Segment { role: role.to_owned(), start, end: self.n_chars });
    }

    /// The text and its segments.
    pub(crate) fn finish(self) -> (String, Vec<Segment>) {
        (self.text, self.segments)
    }
}

fn count_chars(text: &str) -> u32 {
    u32::try_from(text.chars().count()).expect("a generated piece is far shorter than 2^32")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draft_counts_scalar_values_not_bytes() {
        let mut draft = Draft::default();
        draft.push("né ");
        draft.push_segment("example", "Zoë 🙂");
        draft.push("\n");
        let (text, segments) = draft.finish();
        assert_eq!(segments, [Segment { role: "example".into(), start: 3, end: 8 }]);
        assert_eq!(segments[0].slice(&text), Some("Zoë 🙂"));
    }
}
