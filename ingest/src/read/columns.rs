//! The columns of a table, and misspelt names.

use strsim::osa_distance;

use crate::read::column_map::{ANSWER_NAMES, CHOICES, ColumnMap, TEXT_NAMES};
use crate::read::forms::is_index;

/// What a nameless first column is called: the name that pandas gives it when it reads its own CSV again.
const NAMELESS_INDEX: &str = "Unnamed: 0";

/// The names of a table's columns, each once and none empty; one must be the text where rows have that field.
///
/// # Errors
/// The column, the problem and what is accepted.
pub(super) fn check_columns(
    mut columns: Vec<String>,
    fields: &[&'static str],
    map: &ColumnMap,
) -> Result<Vec<String>, String> {
    // Spreadsheets leave separators at the end of lines.
    while columns.last().is_some_and(|name| name.trim().is_empty()) {
        columns.pop();
    }
    if let Some(first) = columns.first_mut().filter(|name| name.trim().is_empty()) {
        *first = NAMELESS_INDEX.to_owned();
    }
    for (index, name) in columns.iter().enumerate() {
        if name.trim().is_empty() {
            return Err(format!("column {} has no name", index + 1));
        }
        if name.chars().any(char::is_control) {
            return Err(format!("column {} has a control character in its name, {name:?}", index + 1));
        }
        if columns[..index].contains(name) {
            return Err(format!("column `{name}` is given twice; expected once"));
        }
    }
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    if let Some(misspelt) = find_misspelt(&names, fields, map) {
        return Err(misspelt.describe("column"));
    }
    let has_text = map.pairs().any(|(field, column)| field == "text" && names.contains(&column));
    if fields.contains(&"text")
        && !has_text
        && !["text"].iter().chain(&TEXT_NAMES).any(|name| names.contains(name))
    {
        let shown: Vec<_> =
            names.iter().filter(|name| !is_index(name)).map(|name| format!("`{name}`")).collect();
        return Err(format!(
            "column `text` is missing; the columns are {}; --map text=NAME says which is the text",
            shown.join(", ")
        ));
    }
    Ok(columns)
}

/// A name that is almost that of a field which is not there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misspelt {
    pub(super) name: String,
    field: &'static str,
}

impl Misspelt {
    pub(super) fn describe(&self, kind: &str) -> String {
        let Self { name, field } = self;
        format!(
            "{kind} `{name}` is no field; is `{field}` meant? --map {field}={name} takes it so; a param of this name goes into `params`"
        )
    }
}

/// The first name that is almost a field's. Other names become params, so that a slip would go unnoticed.
pub(super) fn find_misspelt(names: &[&str], fields: &[&'static str], map: &ColumnMap) -> Option<Misspelt> {
    let is_free = |name: &&str| map.field_of(name).is_none() && !is_index(name);
    let absent = |field: &&str| {
        let stands_in = match *field {
            "text" => &TEXT_NAMES[..],
            "expected" => &ANSWER_NAMES,
            _ => &[],
        };
        !map.pairs().any(|(mapped, _)| mapped == *field)
            && !names.iter().any(|name| name == field || stands_in.contains(name))
    };
    let absent: Vec<&'static str> = fields.iter().copied().chain([CHOICES]).filter(absent).collect();
    names.iter().copied().filter(is_free).find_map(|name| {
        let plain = name.trim().to_lowercase().replace([' ', '-'], "_");
        let limit = |field: &str| if field.len() < 6 { 1 } else { 2 };
        let field = absent.iter().find(|field| osa_distance(&plain, field) <= limit(field))?;
        Some(Misspelt { name: name.to_owned(), field })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::column_map::FIELDS;

    fn check(columns: &[&str]) -> Result<Vec<String>, String> {
        check_columns(columns.iter().map(|name| (*name).to_owned()).collect(), &FIELDS, &ColumnMap::default())
    }

    #[test]
    fn columns_have_names_of_their_own_and_one_is_the_text() {
        assert_eq!(check(&["", "text", "", ""]).expect("an index and empty columns"), ["Unnamed: 0", "text"]);
        assert_eq!(check(&["text", "", "x"]).expect_err("nameless"), "column 2 has no name");
        assert!(check(&["text", "k", "k"]).expect_err("twice").contains("`k` is given twice"));
        assert!(check(&["text", "k\0ey"]).expect_err("NUL").contains("control character"));
        let missing = check(&["", "input", "target"]).expect_err("no text");
        assert!(missing.contains("`input`, `target`") && missing.contains("--map text=NAME"), "{missing}");
    }

    #[test]
    fn a_name_that_is_almost_a_field_is_no_param() {
        for (name, field) in
            [("Text", "text"), ("texts", "text"), ("prompt id", "prompt_id"), ("segment", "segments")]
        {
            let names = [name, if field == "text" { "slope" } else { "text" }];
            assert_eq!(find_misspelt(&names, &FIELDS, &ColumnMap::default()).expect(name).field, field);
        }
        for names in [["text", "test"], ["question", "texts"], ["text", "slope"], ["text", "index"]] {
            assert_eq!(find_misspelt(&names, &FIELDS, &ColumnMap::default()), None, "{names:?}");
        }
        let map = ColumnMap::parse(["text=Text"]).expect("a map");
        assert_eq!(find_misspelt(&["Text", "slope"], &FIELDS, &map), None);
    }
}
