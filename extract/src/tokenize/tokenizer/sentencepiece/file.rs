//! Reads a `tokenizer.model`: SentencePiece's protocol buffer, the messages of which are written out here as far
//! as they are needed. What is not carried out is refused by name.

use super::normalizer::{CharacterMap, Normalizer};
use super::vocabulary::{Kind, Vocabulary};
use prost::Message;

/// What a `tokenizer.model` says.
pub struct ModelFile {
    /// The pieces.
    pub vocabulary: Vocabulary,
    /// How texts are normalized.
    pub normalizer: Normalizer,
    /// Spelling of the piece that begins a text.
    pub bos: Option<String>,
    /// Spelling of the piece that ends a text.
    pub eos: Option<String>,
    /// Spelling of the piece for what no piece spells.
    pub unknown: String,
}

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<PieceProto>,
    #[prost(message, optional, tag = "2")]
    trainer: Option<TrainerSpec>,
    #[prost(message, optional, tag = "3")]
    normalizer: Option<NormalizerSpec>,
}

#[derive(Clone, PartialEq, Message)]
struct PieceProto {
    #[prost(string, tag = "1")]
    piece: String,
    #[prost(float, tag = "2")]
    score: f32,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct TrainerSpec {
    #[prost(int32, optional, tag = "3")]
    model_type: Option<i32>,
    #[prost(bool, optional, tag = "24")]
    treat_whitespace_as_suffix: Option<bool>,
    #[prost(bool, optional, tag = "35")]
    byte_fallback: Option<bool>,
    #[prost(int32, optional, tag = "41")]
    bos_id: Option<i32>,
    #[prost(int32, optional, tag = "42")]
    eos_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct NormalizerSpec {
    #[prost(bytes = "vec", tag = "2")]
    precompiled_charsmap: Vec<u8>,
    #[prost(bool, optional, tag = "3")]
    add_dummy_prefix: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    remove_extra_whitespaces: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    escape_whitespaces: Option<bool>,
}

impl ModelFile {
    /// Reads the file's bytes.
    ///
    /// # Errors
    /// A sentence that says what is malformed or not supported.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let model = ModelProto::decode(bytes).map_err(|e| format!("is not a SentencePiece model: {e}"))?;
        let trainer = model.trainer.unwrap_or_default();
        match trainer.model_type.unwrap_or(1) {
            2 => {}
            other => {
                let name = ["", "Unigram", "", "word", "character"]
                    .get(other as usize)
                    .copied()
                    .unwrap_or("unknown");
                return Err(format!("is a SentencePiece model of {name} type; this version reads BPE"));
            }
        }
        let spec = model.normalizer.unwrap_or_default();
        if trainer.treat_whitespace_as_suffix == Some(true) {
            return Err("sets `treat_whitespace_as_suffix`, which is not supported".to_owned());
        }
        if spec.escape_whitespaces == Some(false) {
            return Err("switches `escape_whitespaces` off, which is not supported".to_owned());
        }
        let entries = model.pieces.into_iter().map(|entry| {
            let kind = u64::try_from(entry.kind.unwrap_or(1)).unwrap_or(0);
            Kind::from_number(kind, &entry.piece).map(|kind| (entry.piece, entry.score, kind))
        });
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let vocabulary = Vocabulary::new(entries, trainer.byte_fallback == Some(true))?;
        let named = |id: Option<i32>, default| {
            let id = u32::try_from(id.unwrap_or(default)).ok()?;
            Some(vocabulary.piece(id).to_owned()).filter(|piece| !piece.is_empty())
        };
        let (bos, eos) = (named(trainer.bos_id, 1), named(trainer.eos_id, 2));
        let unknown = vocabulary.piece(vocabulary.unknown()).to_owned();
        Ok(Self { normalizer: normalizer(&spec)?, vocabulary, bos, eos, unknown })
    }
}

fn normalizer(spec: &NormalizerSpec) -> Result<Normalizer, String> {
    let characters = match spec.precompiled_charsmap.as_slice() {
        [] => None,
        bytes => Some(CharacterMap::read(bytes)?),
    };
    Ok(Normalizer {
        characters,
        add_dummy_prefix: spec.add_dummy_prefix.unwrap_or(true),
        remove_extra_whitespaces: spec.remove_extra_whitespaces.unwrap_or(true),
    })
}
