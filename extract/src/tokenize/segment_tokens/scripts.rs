//! Random texts in many scripts, cut into segments: what must hold whatever the text and the tokenizer.

use super::{deciding_characters, positions_within};
use crate::tokenize::tokenizer::{Encoding, Tokenizer};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;

const N_TEXTS: usize = 300;

/// Words of ten scripts, and what lies between words.
const WORDS: [&str; 34] = [
    "Zoë",
    "re\u{301}sume\u{301}",
    "plain",
    "I'll",
    "ﬁne",
    "北京",
    "中国的首都",
    "東京",
    "カタカナ",
    "です",
    "서울",
    "대한민국",
    "\u{1112}\u{1161}\u{11ab}",
    "القاهرة",
    "مدينةٌ",
    "ירושלים",
    "שָׁלוֹם",
    "दिल्ली",
    "राजधानी",
    "กรุงเทพ",
    "น้ำ",
    "Москва",
    "ёлка",
    "👩\u{200d}👩\u{200d}👧",
    "🏳\u{fe0f}\u{200d}🌈",
    "🇩🇪🇯🇵",
    "👍🏽",
    "12.5",
    "(0.86,22.2);",
    "\t",
    "\r\n",
    "\n",
    "   ",
    "\u{a0}",
];

fn text(draw: &mut impl Rng) -> String {
    let n = draw.random_range(1..12);
    (0..n)
        .map(|_| WORDS[draw.random_range(0..WORDS.len())].to_owned() + ["", " "][draw.random_range(0..2)])
        .collect()
}

/// Calls `check` with a tokenizer of our fixtures, random texts and their tokens.
fn for_texts(case: &str, mut check: impl FnMut(&Tokenizer, &str, &Encoding, &mut ChaCha8Rng)) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/tokenizers");
    let tokenizer = Tokenizer::from_directory(&fixtures.join(case)).unwrap();
    let mut draw = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..N_TEXTS {
        let text = text(&mut draw);
        let encoding = tokenizer.encode(&text).unwrap();
        // Unicode normalization leaves characters out of the spans.
        let is_normalized = case != "json-qwen2" || tokenizer.decode(&encoding.ids).unwrap() == text;
        if is_normalized {
            check(&tokenizer, &text, &encoding, &mut draw);
        }
    }
}

/// Tokenizers that drop nothing of a text: byte-level, and SentencePiece with bytes for what no piece spells.
const FAITHFUL: [&str; 7] =
    ["json-gpt2", "json-prefixed", "json-smollm", "json-llama3", "json-llama2", "spm-llama", "spm-gemma"];

#[test]
fn spans_ascend_within_the_text_and_cover_it() {
    for case in FAITHFUL.into_iter().chain(["json-qwen2"]) {
        for_texts(case, |_, text, encoding, _| {
            let n = text.chars().count();
            let mut covered = vec![false; n];
            let mut last = (0, 0);
            for &(start, end) in &encoding.offsets {
                assert!(start <= end && end as usize <= n, "{case}: {text:?}");
                covered[start as usize..end as usize].fill(true);
                assert!(start >= last.0 && end >= last.1, "{case}: {text:?} {:?}", encoding.offsets);
                last = (start, end);
            }
            assert!(covered.into_iter().all(|c| c), "{case}: {text:?} {:?}", encoding.offsets);
        });
    }
}

#[test]
fn text_survives_a_round_trip() {
    for case in FAITHFUL {
        for_texts(case, |tokenizer, text, encoding, _| {
            let back = tokenizer.decode(&encoding.ids).unwrap();
            let back = if case == "json-prefixed" { back.trim_start_matches(' ') } else { &back };
            let text = if case == "json-prefixed" { text.trim_start_matches(' ') } else { text };
            assert_eq!(back, text, "{case}");
        });
    }
}

#[test]
fn each_token_with_text_is_in_exactly_one_of_the_segments_that_tile_a_text() {
    for case in FAITHFUL.into_iter().chain(["json-qwen2", "spm-plain", "spm-mapped"]) {
        for_texts(case, |_, text, encoding, draw| {
            let n = text.chars().count() as u32;
            let mut cuts: Vec<u32> = (0..draw.random_range(0..6)).map(|_| draw.random_range(0..=n)).collect();
            cuts.extend([0, n]);
            cuts.sort_unstable();
            let deciding = deciding_characters(text, encoding);
            let mut n_segments = vec![0; encoding.ids.len()];
            for pair in cuts.windows(2) {
                for position in positions_within(&deciding, pair[0], pair[1]) {
                    n_segments[position as usize] += 1;
                }
            }
            for (n, (start, end)) in n_segments.into_iter().zip(&encoding.offsets) {
                assert_eq!(n, usize::from(end > start), "{case}: {text:?}, {cuts:?}");
            }
        });
    }
}

#[test]
fn tokens_of_a_segment_cut_between_tokens_cover_it_and_nothing_else() {
    for case in FAITHFUL.into_iter().chain(["json-qwen2"]) {
        for_texts(case, |_, text, encoding, draw| {
            let n = text.chars().count() as u32;
            // Places that no token reaches across.
            let inside =
                |place: u32| encoding.offsets.iter().any(|(start, end)| *start < place && place < *end);
            let places: Vec<u32> = (0..=n).filter(|place| !inside(*place)).collect();
            let mut chosen =
                [places[draw.random_range(0..places.len())], places[draw.random_range(0..places.len())]];
            chosen.sort_unstable();
            let deciding = deciding_characters(text, encoding);
            let mut covered = vec![false; n as usize];
            for position in positions_within(&deciding, chosen[0], chosen[1]) {
                let (start, end) = encoding.offsets[position as usize];
                covered[start as usize..end as usize].fill(true);
            }
            for (place, is_covered) in (0..).zip(covered) {
                assert_eq!(
                    is_covered,
                    chosen[0] <= place && place < chosen[1],
                    "{case}: {text:?}, {chosen:?}"
                );
            }
        });
    }
}
