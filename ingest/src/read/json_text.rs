//! JSON text to values, strictly: what JSON readers change in silence is refused with the field's path.
//!
//! Refused are names given twice in an object (readers keep one of them), whole numbers that 64 bits do not hold
//! (readers round them), NUL characters (readers in C end there) and control characters in names.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::read::values::Finding;

/// Deepest nesting that is read: far beyond any prompt, and far from the end of the stack.
const MAX_DEPTH: usize = 64;

/// Reads one JSON value.
///
/// # Errors
/// The path of the field, empty for the text as a whole, and what is wrong with it.
pub(super) fn parse_json(text: &str) -> Result<Value, Finding> {
    let whole = |message| Finding { field: String::new(), message };
    let raw: &RawValue =
        serde_json::from_str(text).map_err(|error| whole(describe_syntax_error(&error, text)))?;
    read_value(raw, &Path::Root)
}

/// The names and values from the outside to a value, for messages.
enum Path<'a> {
    Root,
    Name(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl Path<'_> {
    fn depth(&self) -> usize {
        match self {
            Self::Root => 0,
            Self::Name(parent, _) | Self::Index(parent, _) => 1 + parent.depth(),
        }
    }

    fn refuse(&self, message: impl Into<String>) -> Finding {
        Finding { field: self.to_string(), message: message.into() }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Name(Self::Root, name) => write!(f, "{}", name.escape_debug()),
            Self::Name(parent, name) => write!(f, "{parent}.{}", name.escape_debug()),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// An object's entries as they stand: a list, so that repeated names show.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyObject;
        impl<'de> Visitor<'de> for AnyObject {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(AnyObject)
    }
}

fn read_value(raw: &RawValue, path: &Path<'_>) -> Result<Value, Finding> {
    let text = raw.get();
    if path.depth() > MAX_DEPTH {
        return Err(path.refuse(format!("expected at most {MAX_DEPTH} levels of lists and objects")));
    }
    match text.as_bytes().first() {
        Some(b'{') => read_object(text, path),
        Some(b'[') => {
            let items: Vec<&RawValue> = parse_part(text, path)?;
            let items = items.into_iter().enumerate();
            items.map(|(index, item)| read_value(item, &Path::Index(path, index))).collect()
        }
        Some(b'-' | b'0'..=b'9') if !text.contains(['.', 'e', 'E']) => match text.parse::<i64>() {
            Ok(number) => Ok(Value::from(number)),
            Err(_) => Err(path.refuse(beyond_64_bits(text))),
        },
        Some(b'"') => match parse_part::<String>(text, path)? {
            text if text.contains('\0') => Err(path.refuse(NUL)),
            text => Ok(Value::from(text)),
        },
        _ => parse_part(text, path),
    }
}

fn read_object(text: &str, path: &Path<'_>) -> Result<Value, Finding> {
    let Entries(entries) = parse_part(text, path)?;
    let mut object = serde_json::Map::new();
    for (name, raw) in entries {
        let path = Path::Name(path, &name);
        if name.chars().any(char::is_control) {
            return Err(path.refuse("the name has a control character; expected a printable name"));
        }
        let value = read_value(raw, &path)?;
        if object.contains_key(&name) {
            return Err(path.refuse("given twice; expected once"));
        }
        object.insert(name, value);
    }
    Ok(Value::Object(object))
}

/// Reads a part of a text whose syntax is known to be right; escapes and the range of floats are judged here.
fn parse_part<'a, T: Deserialize<'a>>(text: &'a str, path: &Path<'_>) -> Result<T, Finding> {
    serde_json::from_str(text).map_err(|error| path.refuse(format!("not valid JSON: {}", reason(&error))))
}

/// Why a whole number of this text is refused.
pub(super) fn beyond_64_bits(digits: &str) -> String {
    let shown: String = digits.chars().take(40).collect();
    format!("expected a whole number that 64 bits with a sign hold, found {shown}; write it as a string")
}

/// Why a text is refused that has a NUL.
pub(super) const NUL: &str = "has a NUL character (U+0000), at which many readers end a text";

/// A JSON error of one line of text, by column, without the parser's own line number.
fn describe_syntax_error(error: &serde_json::Error, text: &str) -> String {
    let column = error.column();
    // Python writes these unless told not to.
    let bytes = text.as_bytes();
    let near = &bytes[column.saturating_sub(2).min(bytes.len())..];
    let is_not_a_number = ["NaN", "Infinity"].iter().any(|word| {
        (0..=1).any(|skip| near.get(skip..).is_some_and(|rest| rest.starts_with(word.as_bytes())))
    });
    let is_python = ["{'", "[{'", "['"].iter().any(|start| text.trim_start().starts_with(start));
    let hint = match (is_not_a_number, is_python) {
        (true, _) => "; NaN and Infinity are not JSON",
        (_, true) => "; Python's own spelling of an object is not JSON, `json.dumps` writes it",
        _ => "",
    };
    format!("not valid JSON at column {column}: {}{hint}", reason(error))
}

fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    message.strip_suffix(&place).map_or_else(|| message.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(text: &str) -> (String, String) {
        let Finding { field, message } = parse_json(text).expect_err("refused");
        (field, message)
    }

    #[test]
    fn names_given_twice_are_refused_at_any_depth() {
        let twice = "given twice; expected once".to_owned();
        assert_eq!(refusal(r#"{"a": 1, "a": 1}"#), ("a".to_owned(), twice.clone()));
        assert_eq!(refusal(r#"{"a": [1, {"b": {"c": 1, "c": 2}}]}"#), ("a[1].b.c".to_owned(), twice.clone()));
        // An escape does not make another name.
        assert_eq!(refusal(r#"{"a": 1, "\u0061": 1}"#), ("a".to_owned(), twice));
        assert_eq!(parse_json(r#"{"a": {"a": 1}}"#).expect("nested"), json!({"a": {"a": 1}}));
    }

    #[test]
    fn whole_numbers_stay_exact_or_are_refused() {
        for number in [i64::MIN, -1, 0, i64::MAX] {
            assert_eq!(parse_json(&number.to_string()).expect("a number"), json!(number));
        }
        for number in ["9223372036854775808", "-9223372036854775809", "100000000000000000000000"] {
            let (field, message) = refusal(&format!("{{\"n\": {number}}}"));
            assert!(field == "n" && message.contains(number), "{message}");
        }
        assert_eq!(parse_json("1e20").expect("a float"), json!(1e20));
        assert_eq!(parse_json("0.1").expect("a float"), json!(0.1));
        assert!(refusal("[1e999]").1.contains("out of range"));
    }

    #[test]
    fn nul_and_control_characters_in_names_are_refused() {
        assert_eq!(refusal(r#"{"text": "a\u0000b"}"#), ("text".to_owned(), NUL.to_owned()));
        let (field, message) = refusal(r#"{"params": {"k\u0000ey": 1}}"#);
        assert_eq!(field, "params.k\\0ey");
        assert!(message.contains("control character"), "{message}");
        assert_eq!(parse_json(r#""a\nb""#).expect("a line break"), json!("a\nb"));
    }

    #[test]
    fn the_syntax_is_checked_before_the_values() {
        assert_eq!(refusal("{\"a\": 1").1, "not valid JSON at column 7: EOF while parsing an object");
        assert!(refusal("{\"a\": NaN}").1.contains("NaN and Infinity are not JSON"));
        assert!(refusal("{'slope': 1.5}").1.contains("json.dumps"));
        assert!(refusal(r#"{"a": "\ud800"}"#).0 == "a");
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(refusal(&deep).1.contains("levels"));
    }
}
