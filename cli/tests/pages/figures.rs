//! The texts of the README whose numbers `make readme` compares with a lake: each is there once, whatever its numbers.

use serde::Deserialize;

#[derive(Deserialize)]
struct Figures {
    figure: Vec<Figure>,
}

#[derive(Deserialize)]
struct Figure {
    text: String,
    sql: String,
}

/// A text with `#` for each number with its sign and percent sign, and one space for white space.
fn without_numbers(text: &str) -> String {
    let characters: Vec<char> = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().collect();
    let is_digit = |at: usize| characters.get(at).is_some_and(char::is_ascii_digit);
    let (mut out, mut at) = (String::new(), 0);
    while at < characters.len() {
        if !is_digit(at) {
            out.push(characters[at]);
            at += 1;
            continue;
        }
        while is_digit(at) || (matches!(characters.get(at), Some('.' | ',')) && is_digit(at + 1)) {
            at += 1;
        }
        if characters[at..].starts_with(&[' ', '%']) {
            at += 2;
        }
        let unsigned = out.trim_end_matches(['+', '−']).len();
        out.truncate(unsigned);
        out.push('#');
    }
    out
}

/// A figure's text with a number for each field.
fn filled(text: &str) -> String {
    let mut parts = text.split('{');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('}').expect("a field ends");
        out.push('0');
        out.push_str(rest);
    }
    out
}

#[test]
fn every_figure_of_the_readme_stands_there_once() {
    let figures: Figures = toml::from_str(&super::page("scripts/readme-figures.toml")).expect("figures");
    assert!(figures.figure.len() > 15);
    let readme = without_numbers(&super::page("README.md"));
    for Figure { text, sql } in figures.figure {
        let n = readme.matches(&without_numbers(&filled(&text))).count();
        let has_columns = text.split('{').skip(1).all(|field| {
            let (name, _) = field.split_once(':').expect("a name and a form");
            sql.contains(name) || sql.trim_start().starts_with("PIVOT")
        });
        assert!(has_columns, "{text}: its SQL lacks a column");
        assert_eq!(n, 1, "{text}");
    }
}

#[test]
fn numbers_are_left_out_with_sign_and_percent_sign() {
    assert_eq!(without_numbers("a +1,024.5 %,\n  −3 b2. (0 %)"), "a #, # b#. (#)");
}
