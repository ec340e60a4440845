//! The pieces of a SentencePiece model.

use std::collections::HashMap;

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Found by merging.
    Normal,
    /// Stands for what no piece spells.
    Unknown,
    /// Has no text (BOS, EOS).
    Control,
    /// Matched whole, never merged.
    UserDefined,
    /// A step of merging that is taken apart again.
    Unused,
    /// One byte of a character that no piece spells.
    Byte(u8),
}

impl Kind {
    /// The kind that files write as a number, for the piece that they spell so.
    ///
    /// # Errors
    /// Where the number is none of SentencePiece's, or a byte piece does not name a byte.
    pub fn from_number(number: u64, piece: &str) -> Result<Self, String> {
        match number {
            1 => Ok(Self::Normal),
            2 => Ok(Self::Unknown),
            3 => Ok(Self::Control),
            4 => Ok(Self::UserDefined),
            5 => Ok(Self::Unused),
            6 => byte(piece).map(Self::Byte).ok_or_else(|| format!("the byte piece `{piece}` names no byte")),
            other => Err(format!("the piece `{piece}` has the type {other}; accepted: 1 to 6")),
        }
    }
}

/// The byte that `<0x41>` names.
fn byte(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 2)
}

#[derive(Debug)]
struct Piece {
    text: String,
    score: f32,
    kind: Kind,
}

/// Pieces by id and by text.
#[derive(Debug)]
pub struct Vocabulary {
    /// By id; files may leave ids out.
    pieces: HashMap<u32, Piece>,
    ids: HashMap<String, u32>,
    n: usize,
    unknown: u32,
    bytes: Option<Box<[u32; 256]>>,
}

impl Vocabulary {
    /// A vocabulary of (text, score, kind) in order of ids; `has_bytes` says that bytes stand for what no piece spells.
    ///
    /// # Errors
    /// Where two pieces are spelt alike, a score is not finite, the unknown piece is missing or there twice, or a
    /// byte has no piece.
    pub fn new(entries: Vec<(String, f32, Kind)>, has_bytes: bool) -> Result<Self, String> {
        let n = entries.len();
        let mut vocabulary = Self { pieces: HashMap::new(), ids: HashMap::new(), n, unknown: 0, bytes: None };
        let mut unknown = None;
        let mut bytes = Box::new([None; 256]);
        for ((text, score, kind), id) in entries.into_iter().zip(0..) {
            if text.is_empty() || !score.is_finite() {
                return Err(format!("piece {id} has no text or no finite score"));
            }
            match kind {
                Kind::Unknown if unknown.is_some() => {
                    return Err(format!("piece {id} is a second unknown piece"));
                }
                Kind::Unknown => unknown = Some(id),
                Kind::Byte(byte) => bytes[usize::from(byte)] = Some(id),
                _ => {}
            }
            vocabulary.insert(id, Piece { text, score, kind })?;
        }
        vocabulary.unknown = unknown.ok_or("it has no unknown piece")?;
        if has_bytes {
            let all: Option<Vec<u32>> = bytes.iter().copied().collect();
            let all = all.and_then(|ids| <[u32; 256]>::try_from(ids).ok());
            vocabulary.bytes = Some(Box::new(all.ok_or("it has no piece for some byte")?));
        }
        Ok(vocabulary)
    }

    fn insert(&mut self, id: u32, piece: Piece) -> Result<(), String> {
        if let Some(first) = self.ids.insert(piece.text.clone(), id) {
            return Err(format!("pieces {first} and {id} are both `{}`", piece.text));
        }
        self.n = self.n.max(id as usize + 1);
        self.pieces.insert(id, piece);
        Ok(())
    }

    /// Adds a token that is matched whole; one that is there already stays.
    ///
    /// # Errors
    /// Where the text has another id, or the id another text.
    pub fn add(&mut self, id: u32, text: &str) -> Result<(), String> {
        match (self.pieces.get(&id), self.ids.get(text)) {
            (Some(piece), _) if piece.text == text => Ok(()),
            (Some(piece), _) => Err(format!("the added token `{text}` has the id {id} of `{}`", piece.text)),
            (None, Some(other)) => Err(format!("the added token `{text}` has the id {id}, and {other}")),
            (None, None) => {
                self.insert(id, Piece { text: text.to_owned(), score: 0.0, kind: Kind::UserDefined })
            }
        }
    }

    /// One more than the largest id.
    pub fn len(&self) -> usize {
        self.n
    }

    /// The id of a text.
    pub fn id(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    /// The id and score of a text that symbols may merge into.
    pub fn merged(&self, text: &str) -> Option<(u32, f32)> {
        let id = self.id(text)?;
        let piece = self.pieces.get(&id)?;
        let merges = matches!(piece.kind, Kind::Normal | Kind::UserDefined | Kind::Unused);
        merges.then_some((id, piece.score))
    }

    /// What an id is; an id without a piece is a control piece.
    pub fn kind(&self, id: u32) -> Kind {
        self.pieces.get(&id).map_or(Kind::Control, |piece| piece.kind)
    }

    /// The text of an id, empty for an id without a piece.
    pub fn piece(&self, id: u32) -> &str {
        self.pieces.get(&id).map_or("", |piece| &piece.text)
    }

    /// The piece of what no piece spells.
    pub fn unknown(&self) -> u32 {
        self.unknown
    }

    /// The pieces of bytes, where these stand for what no piece spells.
    pub fn bytes(&self) -> Option<&[u32; 256]> {
        self.bytes.as_deref()
    }

    /// The texts of user-defined pieces.
    pub fn user_defined(&self) -> impl Iterator<Item = &str> {
        self.pieces.values().filter(|piece| piece.kind == Kind::UserDefined).map(|piece| piece.text.as_str())
    }
}
