//! Segments inside a template: `[[role: text]]`.
//!
//! Brackets are markup where a template writes them, never where a value does: the template's own brackets become
//! marks before anything is rendered, and the marks are found again in the rendered text. A mark is a noncharacter,
//! which no text for interchange holds.

use hypercolumn_schemas::{OWN_ROLES, Segment};

/// Begins a segment; its role follows, up to [`NAMED`].
const BEGIN: char = '\u{FDD0}';
/// Ends a role.
const NAMED: char = '\u{FDD1}';
/// Ends a segment.
const END: char = '\u{FDD2}';

/// Jinja's delimiters. Between them brackets are Jinja's own.
const DELIMITERS: [(&str, &str); 3] = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];

/// Whether a text holds one of the marks.
pub(super) fn has_mark(text: &str) -> bool {
    text.contains([BEGIN, NAMED, END])
}

/// A template in which marks stand for the brackets of segments; every line keeps its number.
///
/// # Errors
/// The line, and what is wrong there.
pub(super) fn mark(template: &str) -> Result<String, String> {
    let mut made = String::with_capacity(template.len());
    let mut open_lines: Vec<usize> = Vec::new();
    let mut rest = template;
    let line_of = |rest: &str| 1 + template[..template.len() - rest.len()].matches('\n').count();
    while !rest.is_empty() {
        if let Some(length) = jinja_length(rest) {
            made.push_str(&rest[..length]);
            rest = &rest[length..];
        } else if let Some(inside) = rest.strip_prefix("[[") {
            let length = role_length(inside).ok_or_else(|| {
                format!(
                    "line {}: `[[` begins a segment, `[[role: text]]`, and has no role; \
                     {{{{ \"[[\" }}}} writes two brackets",
                    line_of(rest)
                )
            })?;
            open_lines.push(line_of(rest));
            made.push(BEGIN);
            made.push_str(inside[..length].trim());
            made.push(NAMED);
            let text = &inside[length + 1..];
            rest = text.strip_prefix(' ').unwrap_or(text);
        } else if rest.starts_with("]]") {
            let n_brackets = rest.bytes().take_while(|byte| *byte == b']').count();
            let n_closed = open_lines.len().min(n_brackets / 2);
            if n_closed == 0 {
                return Err(format!(
                    "line {}: `]]` ends no segment; {{{{ \"]]\" }}}} writes two brackets",
                    line_of(rest)
                ));
            }
            // The last brackets of a row close, so that `[[x: a[0]]]` is the segment `a[0]`.
            made.push_str(&rest[..n_brackets - 2 * n_closed]);
            made.extend(std::iter::repeat_n(END, n_closed));
            open_lines.truncate(open_lines.len() - n_closed);
            rest = &rest[n_brackets..];
        } else {
            let length = rest.chars().next().map_or(0, char::len_utf8);
            made.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    match open_lines.last() {
        Some(line) => Err(format!("line {line}: the segment is never closed by `]]`")),
        None => Ok(made),
    }
}

/// The length of the Jinja expression, statement or comment that a text begins with.
fn jinja_length(text: &str) -> Option<usize> {
    let (_, close) = DELIMITERS.into_iter().find(|(open, _)| text.starts_with(open))?;
    let mut quote = None;
    let mut characters = text.char_indices().skip(2);
    while let Some((at, character)) = characters.next() {
        match (quote, character) {
            (Some(_), '\\') => {
                characters.next();
            }
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if close != "#}" => quote = Some(character),
            (None, _) if text[at..].starts_with(close) => return Some(at + close.len()),
            (None, _) => {}
        }
    }
    // Jinja says what is wrong with a delimiter that is never closed.
    Some(text.len())
}

/// The length of a role, which may hold Jinja expressions, up to its colon; `None` where there is no role.
fn role_length(text: &str) -> Option<usize> {
    let mut length = 0;
    while let Some(character) = text[length..].chars().next() {
        match (character, jinja_length(&text[length..])) {
            (_, Some(expression)) => length += expression,
            (':', None) => return (!text[..length].trim().is_empty()).then_some(length),
            ('\n' | '[' | ']', None) => return None,
            (_, None) => length += character.len_utf8(),
        }
    }
    None
}

/// A rendered text without its marks, and the segments in the order in which they begin.
///
/// # Errors
/// What is wrong with a segment.
pub(super) fn split(rendered: &str) -> Result<(String, Vec<Segment>), String> {
    let mut text = String::with_capacity(rendered.len());
    let mut n_chars = 0;
    let mut segments: Vec<Segment> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut characters = rendered.chars();
    while let Some(character) = characters.next() {
        match character {
            BEGIN => {
                let role: String = characters.by_ref().take_while(|c| *c != NAMED).collect();
                check_role(&role)?;
                open.push(segments.len());
                segments.push(Segment { role, start: n_chars, end: n_chars });
            }
            END => {
                let unopened = "a segment ends that does not begin; `[[` and `]]` must be in the same branch";
                let segment = &mut segments[open.pop().ok_or(unopened)?];
                segment.end = n_chars;
                if segment.end == segment.start {
                    let role = &segment.role;
                    return Err(format!("the segment `{role}` is empty; leave it out with {{% if … %}}"));
                }
            }
            NAMED => return Err("a role contains a segment".to_owned()),
            other => {
                text.push(other);
                n_chars += 1;
            }
        }
    }
    match open.pop() {
        Some(index) => {
            let role = &segments[index].role;
            Err(format!("the segment `{role}` does not end; `[[` and `]]` must be in the same branch"))
        }
        None => Ok((text, segments)),
    }
}

fn check_role(role: &str) -> Result<(), String> {
    if role.trim().is_empty() {
        return Err("the role of a segment is empty".to_owned());
    }
    if OWN_ROLES.contains(&role) {
        return Err(format!(
            "`{role}` is the role of a segment that every prompt has; expected another name"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text and `role: covered` of each segment of a template without Jinja.
    fn parse(template: &str) -> (String, Vec<String>) {
        let (text, segments) = split(&mark(template).expect("marked")).expect("split");
        let describe = |s: &Segment| format!("{}: {}", s.role, s.slice(&text).expect("in the text"));
        let described = segments.iter().map(describe).collect();
        (text, described)
    }

    #[test]
    fn segments_are_found_nested_and_beside_brackets_of_the_text() {
        let (text, segments) = parse("[[a: Zoë sings.]] [[outer: b [[inner:c]]]] [[x: y[0]]]\n[1] ] [");
        assert_eq!(text, "Zoë sings. b c y[0]\n[1] ] [");
        assert_eq!(segments, ["a: Zoë sings.", "outer: b c", "inner: c", "x: y[0]"]);
    }

    #[test]
    fn brackets_of_jinja_are_its_own() {
        let template = "{% set x = [[1], [2]] %}{{ x[0] }}{{ \"}} ]]\" }}{# [[ #}[[{{ 'a:b' }}: c]]";
        let marked = mark(template).expect("marked");
        assert!(marked.starts_with("{% set x = [[1], [2]] %}{{ x[0] }}{{ \"}} ]]\" }}{# [[ #}"), "{marked}");
        assert!(marked.ends_with(&format!("{BEGIN}{{{{ 'a:b' }}}}{NAMED}c{END}")), "{marked}");
    }

    #[test]
    fn what_is_no_segment_is_refused_with_its_line() {
        for (template, problem) in [
            ("a\n[[b c]]", "line 2: `[[` begins a segment"),
            ("[[: c]]", "has no role"),
            ("a\n\n[[b: c", "line 3: the segment is never closed"),
            ("a ]] b", "line 1: `]]` ends no segment"),
        ] {
            let refusal = mark(template).expect_err(template);
            assert!(refusal.contains(problem), "{refusal}");
        }
        for (template, problem) in
            [("[[b: ]]", "`b` is empty"), ("[[prompt: a]]", "every prompt has"), ("[[a: b]]", "")]
        {
            let split = split(&mark(template).expect("marked"));
            assert!(split.err().unwrap_or_default().contains(problem), "{template}");
        }
        let unclosed = split(&format!("{BEGIN}a{NAMED}b")).expect_err("unclosed");
        assert!(unclosed.contains("`a` does not end"), "{unclosed}");
    }
}
