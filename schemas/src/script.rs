//! Scripts that put no spaces between words.

/// Whether a character is of a script without spaces between words, or is that script's punctuation: Thai, Lao, Tibetan,
/// Myanmar, Khmer, Chinese, Japanese, Yi. Ranges are blocks of Unicode 16.
pub fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0E00}'..='\u{0FFF}'      // Thai, Lao, Tibetan
        | '\u{1000}'..='\u{109F}'    // Myanmar
        | '\u{1780}'..='\u{17FF}'    // Khmer
        | '\u{2E80}'..='\u{312F}'    // CJK radicals, punctuation, kana, bopomofo
        | '\u{31A0}'..='\u{A4CF}'    // bopomofo, kana, ideographs, Yi
        | '\u{F900}'..='\u{FAFF}'    // compatibility ideographs
        | '\u{FE30}'..='\u{FE4F}'    // vertical forms
        | '\u{FF00}'..='\u{FFEF}'    // full-width forms
        | '\u{20000}'..='\u{3FFFF}') // further ideographs
}
