//! The keys of a study: the page and the schema in docs/ are what the code says, and the example on the page has every key.

mod support;

use serde_json::Value;
use support::Bench;

const PAGE: &str = include_str!("../../docs/study.md");
const SCHEMA: &str = include_str!("../../docs/study.schema.json");
const EXAMPLE: &str = include_str!("../../docs/study_keys.toml");

/// Studies that the program carries.
const STUDIES: [&str; 3] = [
    include_str!("../../data/studies/default.toml"),
    include_str!("../../data/studies/small.toml"),
    include_str!("../../data/studies/yousefi2024.toml"),
];

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("JSON")
}

fn study(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Value>(text).expect("TOML")).expect("JSON")
}

/// The keys of a schema that no table has, and the keys of tables that the schema lacks.
#[derive(Default)]
struct Differences {
    unused: Vec<String>,
    unknown: Vec<String>,
}

impl Differences {
    /// Compares the tables at one path with the schema of that path.
    fn compare(&mut self, schema: &Value, tables: &[&Value], path: &str) {
        let Some(keys) = schema["properties"].as_object() else { return };
        for (key, schema) in keys {
            let values: Vec<&Value> = tables.iter().filter_map(|table| table.get(key)).collect();
            let path = format!("{path}.{key}");
            match values.is_empty() {
                true => self.unused.push(path),
                false if schema["items"].is_object() => {
                    let entries: Vec<&Value> = values.iter().filter_map(|v| v.as_array()).flatten().collect();
                    self.compare(&schema["items"], &entries, &path);
                }
                false => self.compare(schema, &values, &path),
            }
        }
        let of_tables = tables.iter().filter_map(|table| table.as_object()).flatten();
        let unknown = of_tables.filter(|(key, _)| !keys.contains_key(*key));
        self.unknown.extend(unknown.map(|(key, _)| format!("{path}.{key}")));
    }
}

#[test]
fn the_page_and_the_schema_are_current() {
    let bench = Bench::new();
    let page = bench.run(&["keys"]).succeeds().text();
    assert_eq!(PAGE, page, "write it again: hypercolumn keys > docs/study.md");
    let schema = bench.run(&["keys", "--schema"]).succeeds().text();
    assert_eq!(SCHEMA, schema, "write it again: hypercolumn keys --schema > docs/study.schema.json");
}

#[test]
fn the_example_is_accepted_and_has_every_key() {
    let bench = Bench::new();
    bench.write(
        "my_prompts.csv",
        "question,answer,topic,condition\n2 + 2 =,4,sums,plain\n2 * 3 =,6,products,plain\n",
    );
    bench.write("study.toml", EXAMPLE);
    bench.run(&["plan", "study.toml"]).succeeds();
    let mut found = Differences::default();
    found.compare(&schema(), &[&study(EXAMPLE)], "");
    // A task's settings of extraction are those of the study, of which the example has every one.
    found.unused.retain(|path| !path.starts_with(".task.extract."));
    assert!(found.unused.is_empty() && found.unknown.is_empty(), "{:?} {:?}", found.unused, found.unknown);
}

#[test]
fn the_schema_knows_every_key_of_the_studies_that_the_program_carries() {
    for text in STUDIES {
        let mut found = Differences::default();
        found.compare(&schema(), &[&study(text)], "");
        assert!(found.unknown.is_empty(), "{:?}", found.unknown);
    }
    let mut found = Differences::default();
    let misspelt = study("name = \"s\"\n[[rsa]]\ntask = \"t\"\npoling = [\"mean\"]\n");
    found.compare(&schema(), &[&misspelt], "");
    assert_eq!(found.unknown, [".rsa.poling"]);
}

#[test]
fn one_section_is_printed_and_an_unknown_one_is_refused() {
    let bench = Bench::new();
    let page = bench.run(&["keys", "probe", "linear_regression"]).succeeds().text();
    assert!(page.starts_with("## `[[task]]`: `linear_regression`\n"), "{page}");
    assert!(page.contains("## `[[probe]]`") && !page.contains("## `[[rsa]]`"), "{page}");
    let slope_range = "| `slope_range` | two whole numbers, the smaller first | `[-20, 20]` |";
    assert!(page.contains(slope_range), "{page}");
    bench.run(&["keys", "prob"]).refuses(&["could not describe `prob`", "did you mean `probe`?"]);
    bench.run(&["keys", "rsa", "--schema"]).refuses(&["cannot be used with"]);
}
