//! A strict reader of the report's HTML: every tag must be one that opens or closes an element in order.

use std::collections::BTreeMap;

/// Elements that have no end tag.
const VOID: [&str; 3] = ["meta", "link", "br"];
/// Elements whose content is text up to their own end tag.
const RAW: [&str; 2] = ["script", "style"];

/// How often each start tag occurs, by its name and the names of its attributes.
///
/// # Panics
/// Where an element is not closed in order, or an attribute is not quoted.
pub fn count_tags(page: &str) -> BTreeMap<String, usize> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a document type");
    let (mut counts, mut open) = (BTreeMap::new(), Vec::new());
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, next) = split_tag(after);
        rest = next;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "end tag out of order");
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        *counts.entry(format!("{name} {}", attribute_names(attributes).join(" "))).or_insert(0) += 1;
        if RAW.contains(&name) {
            rest = rest.split_once(&format!("</{name}>")).expect("an end of the script").1;
        } else if !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
    counts
}

/// The inside of a tag and what follows; a `>` in a quoted value does not end the tag.
fn split_tag(text: &str) -> (&str, &str) {
    let mut is_quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            '>' if !is_quoted => return (&text[..at], &text[at + 1..]),
            _ => {}
        }
    }
    panic!("a tag does not end: {text}");
}

fn attribute_names(mut attributes: &str) -> Vec<&str> {
    let mut names = Vec::new();
    loop {
        attributes = attributes.trim_start();
        let end = attributes.find([' ', '=']).unwrap_or(attributes.len());
        let (name, rest) = attributes.split_at(end);
        if name.is_empty() {
            return names;
        }
        names.push(name);
        // A boolean attribute, as `open`, has no value.
        attributes = match rest.strip_prefix('=') {
            Some(value) => {
                let value = value.strip_prefix('"').expect("a quoted value");
                value.split_once('"').expect("the end of a value").1
            }
            None => rest,
        };
    }
}
