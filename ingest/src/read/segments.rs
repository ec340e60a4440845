//! Segments of a prompt: spans by offsets, or by the text that they cover.

use std::ops::Range;

use serde_json::{Map, Value};

use hypercolumn_schemas::{OWN_ROLES, Segment};

use crate::read::values::{Finding, NON_EMPTY, describe, expect, find, parse_text, parse_whole};

/// Segment numbers are 16-bit; the whole prompt, its last token and the response have three of them.
const MAX_SEGMENTS: usize = i16::MAX as usize - 2;

const OFFSET: &str = "a whole number from 0";

/// The segments of a prompt with this text.
pub(super) fn check_segments(
    segments: Vec<Value>,
    text: Option<&str>,
    findings: &mut Vec<Finding>,
) -> Vec<Segment> {
    if segments.len() > MAX_SEGMENTS {
        let found = segments.len();
        let message = format!("expected at most {MAX_SEGMENTS} segments, found {found}");
        find(findings, "segments", message);
        return Vec::new();
    }
    let segments = segments.into_iter().enumerate();
    segments.filter_map(|(index, value)| check_segment(index, value, text, findings)).collect()
}

fn check_segment(
    index: usize,
    value: Value,
    text: Option<&str>,
    findings: &mut Vec<Finding>,
) -> Option<Segment> {
    let label = format!("segments[{index}]");
    let Value::Object(mut object) = value else {
        expect(findings, &label, "an object with role, start and end, or with role and text", &value);
        return None;
    };
    object.retain(|_, value| !value.is_null());
    let n_before = findings.len();
    let role = check_role(&label, &mut object, findings);
    let mut offset = |name: &str, findings: &mut Vec<Finding>| {
        let value = object.shift_remove(name)?;
        let field = format!("{label}.{name}");
        parse_whole(value).map_err(|value| expect(findings, &field, OFFSET, &value)).ok()
    };
    let given = Span { start: offset("start", findings), end: offset("end", findings) };
    let occurrence = offset("occurrence", findings);
    let covered = object.shift_remove("text");
    for name in object.keys() {
        let message = "unknown; the fields of a segment are role, start, end, text, occurrence".to_owned();
        find(findings, format!("{label}.{name}"), message);
    }
    if findings.len() > n_before {
        return None;
    }
    let offsets = match (&covered, given) {
        (Some(_), Span { start: None, end: None }) => None,
        _ => Some(check_offsets(&label, given, text?, findings)?),
    };
    let span = match covered {
        None => offsets?,
        Some(covered) => {
            let field = format!("{label}.text");
            let covered =
                parse_text(covered).map_err(|found| expect(findings, &field, NON_EMPTY, &found)).ok()?;
            let covered = Covered { text: &covered, occurrence };
            let span = match offsets {
                None => covered.locate(text?),
                Some(span) => covered.check(text?, span),
            };
            span.map_err(|message| find(findings, field, message)).ok()?
        }
    };
    Some(Segment { role: role?, start: span.start, end: span.end })
}

fn check_role(label: &str, object: &mut Map<String, Value>, findings: &mut Vec<Finding>) -> Option<String> {
    let field = format!("{label}.role");
    let Some(value) = object.shift_remove("role") else {
        find(findings, field, format!("missing; expected {NON_EMPTY}"));
        return None;
    };
    let role = parse_text(value).map_err(|found| expect(findings, &field, NON_EMPTY, &found)).ok()?;
    if OWN_ROLES.contains(&role.as_str()) {
        let message =
            format!("`{role}` is the role of a segment that every prompt has; expected another name");
        find(findings, field, message);
        return None;
    }
    Some(role)
}

/// Offsets as given.
#[derive(Clone, Copy)]
struct Span {
    start: Option<u64>,
    end: Option<u64>,
}

/// Offsets are in Unicode scalar values, so the text's length bounds them.
fn check_offsets(label: &str, given: Span, text: &str, findings: &mut Vec<Finding>) -> Option<Range<u32>> {
    for (name, offset) in [("start", given.start), ("end", given.end)] {
        if offset.is_none() {
            find(findings, format!("{label}.{name}"), format!("missing; expected {OFFSET}"));
        }
    }
    let (start, end) = (given.start?, given.end?);
    let n_chars = text.chars().count() as u64;
    let field = format!("{label}.end");
    if end <= start {
        find(findings, field, format!("expected more than start, {start}, found {end}"));
    } else if end > n_chars {
        let length = format!("{n_chars}, the length of the text in characters");
        find(findings, field, format!("expected at most {length}, found {end}"));
    } else {
        return Some(u32::try_from(start).ok()?..u32::try_from(end).ok()?);
    }
    None
}

/// A segment by the text that it covers.
struct Covered<'a> {
    text: &'a str,
    /// Which of its occurrences, from 1; the only one if absent.
    occurrence: Option<u64>,
}

impl Covered<'_> {
    /// The span of the occurrence in `text`; occurrences may overlap.
    fn locate(&self, text: &str) -> Result<Range<u32>, String> {
        let starts: Vec<usize> =
            text.char_indices().map(|(at, _)| at).filter(|at| text[*at..].starts_with(self.text)).collect();
        let shown = describe(&Value::from(self.text));
        let at = match (starts.len(), self.occurrence) {
            (0, _) => return Err(format!("expected a part of the prompt's text, found {shown}")),
            (1, None) => starts[0],
            (n, None) => {
                return Err(format!(
                    "{shown} occurs {n} times; `occurrence` says which, from 1, or give start and end"
                ));
            }
            (n, Some(number)) => {
                let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
                *index
                    .and_then(|index| starts.get(index))
                    .ok_or(format!("expected an occurrence from 1 to {n}, found {number}"))?
            }
        };
        let count = |part: &str| u32::try_from(part.chars().count()).expect("Arrow strings are shorter");
        let start = count(&text[..at]);
        Ok(start..start + count(self.text))
    }

    /// Checks that offsets that are given too are those of the text.
    fn check(&self, text: &str, span: Range<u32>) -> Result<Range<u32>, String> {
        let segment = Segment { role: String::new(), start: span.start, end: span.end };
        match segment.slice(text) {
            Some(slice) if slice == self.text => Ok(span),
            slice => {
                let found = describe(&Value::from(slice.unwrap_or_default()));
                Err(format!(
                    "expected what start and end cover, {found}, found {}",
                    describe(&Value::from(self.text))
                ))
            }
        }
    }
}
