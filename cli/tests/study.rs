//! Studies: what is refused, with its line and what is accepted, before anything is written.

mod support;

use support::{Bench, PROMPTS, contents};

/// The example that the README and the documentation give.
const EXAMPLE: &str = r#"
name  = "my-study"
model = "smollm2-135m-instruct"

[[task]]
name = "linear_regression"        # a built-in generator, with its own settings
lines = 16
prompts_per_line = 16
examples = [1, 2, 4, 8]
seed = 7

[[task]]
name = "mine"
prompts = "my_prompts.jsonl"      # or your own prompts

[[task]]
name = "reading_comprehension"

[[rsa]]
task = "linear_regression"
hypothesis = "same line"
sql = "a.slope = b.slope AND a.intercept = b.intercept"      # over pairs of prompts a, b
segment = "prompt"

[[probe]]
task = "linear_regression"
target = "slope"                  # any SQL expression over one prompt
group = "item_id"

[[attention_ratio]]
task = "reading_comprehension"
query = "role = 'final'"
relevant = "role = 'informative'"
irrelevant = "role = 'distractor'"

[[contrast]]
task = "reading_comprehension"
condition = "icl_4"
reference = "icl_1"
"#;

/// A small study in which one piece is replaced.
fn refused(from: &str, to: &str, parts: &[&str]) {
    let study = r#"name = "s"
[[task]]
name = "linear_regression"
lines = 4
prompts_per_line = 4
[task.extract]
max_new_tokens = 4
[[rsa]]
task = "linear_regression"
hypothesis = "same line"
sql = "a.line = b.line"
[[probe]]
task = "linear_regression"
target = "slope"
[[attention_ratio]]
task = "linear_regression"
query = "role = 'final'"
relevant = "role = 'example'"
irrelevant = "role = 'instruction'"
"#;
    assert!(study.contains(from), "`{from}` is not in the study");
    let bench = Bench::new();
    bench.write("study.toml", study.replacen(from, to, 1));
    for command in ["plan", "run"] {
        let parts = [&["error: could not use study `study.toml`"], parts].concat();
        bench.run(&[command, "study.toml"]).refuses(&parts);
        assert!(!bench.path("lake").exists(), "{command} made a lake");
        assert!(!bench.path("cache").exists(), "{command} fetched a model");
    }
}

#[test]
fn the_documented_example_is_accepted() {
    let bench = Bench::new();
    bench.write("my_prompts.jsonl", PROMPTS);
    bench.write("study.toml", EXAMPLE);
    let plan = bench.run(&["plan", "study.toml", "--json"]).succeeds().json();
    let steps = plan["steps"].as_array().expect("steps");
    let of = |stage: &str| steps.iter().filter(|step| step["stage"] == stage).count();
    assert_eq!(["ingest", "extract", "analyze", "report"].map(of), [3, 3, 18, 1], "{steps:?}");
    assert!(steps.iter().all(|s| s["action"] == "run"));
    assert_eq!(steps[0]["reason"], "not in the lake yet");
    assert!(!bench.path("lake").exists(), "a plan writes nothing");
}

#[test]
fn the_built_in_studies_are_accepted() {
    let bench = Bench::new();
    bench.run(&["plan"]).succeeds();
    let small = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/studies/small.toml");
    bench.run(&["plan", small]).succeeds();
    let plan = bench.run(&["plan", "--preset", "yousefi2024", "--json"]).succeeds().json();
    assert_eq!(plan["study"], "yousefi2024");
    bench.run(&["plan", "--preset", "yousefi2023"]).refuses(&["yousefi2023", "yousefi2024"]);
    bench.run(&["plan", small, "--preset", "yousefi2024"]).refuses(&["cannot be used with"]);
    bench.run(&["ingest", "--preset", "yousefi2024"]).succeeds();
    let personas =
        "SELECT condition, count(*) AS n FROM prompts WHERE task = 'persona_injection' GROUP BY 1 ORDER BY 1";
    let personas = bench.run(&["sql", personas, "--format", "csv"]).succeeds().text();
    assert!(personas.contains("deceitful_after_truthful,96") && personas.contains("mixed,96"), "{personas}");
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    refused("lines = 4", "lins = 4", &["line 4: unknown key `lins`", "lins = 4", "did you mean `lines`?"]);
    refused("name = \"s\"", "nam = \"s\"", &["line 1: unknown key `nam`", "did you mean `name`?"]);
    refused("max_new_tokens", "max_tokens", &["line 7: unknown key `max_tokens`", "`max_new_tokens`"]);
    refused("hypothesis =", "hypotesis =", &["unknown key `hypotesis`", "did you mean `hypothesis`?"]);
}

#[test]
fn a_wrong_type_is_named_with_its_line() {
    refused("lines = 4", "lines = \"four\"", &["line 4", "`lines`", "a whole number"]);
    refused("max_new_tokens = 4", "max_new_tokens = -1", &["line 7"]);
    refused("name = \"s\"", "name = 3", &["line 1", "string"]);
}

#[test]
fn broken_toml_is_named_with_its_line() {
    refused("lines = 4", "lines = ", &["line 4"]);
}

#[test]
fn names_that_do_not_exist_are_refused() {
    refused(
        "name = \"linear_regression\"",
        "name = \"linear\"",
        &["line 3", "no built-in task", "prompts = "],
    );
    refused("task = \"linear_regression\"", "task = \"linear\"", &["line 8", "no task `linear`"]);
    let keys = "prompts_per_line = 4";
    refused(keys, "prompts = \"gone.jsonl\"", &["line 4: unknown key `lines`"]);
    let entry = "name = \"linear_regression\"\nlines = 4\nprompts_per_line = 4";
    let file = "name = \"linear_regression\"\nprompts = \"gone.jsonl\"";
    refused(entry, file, &["line 4: there is no file `gone.jsonl`", "relative to the study"]);
    refused("name = \"s\"", "name = \"s\"\nmodel = \"gpt\"", &["line 2", "`gpt` is no model", "an alias"]);
}

#[test]
fn sql_that_cannot_be_asked_refuses() {
    refused("a.line = b.line", "a.line = b.lines", &["[[rsa]] 1 \"same line\"", "lines", "hint:"]);
    refused("a.line = b.line", "a.line = = b.line", &["[[rsa]] 1", "syntax error"]);
    refused("target = \"slope\"", "target = \"slop\"", &["[[probe]] 1", "slop"]);
    refused("role = 'final'", "rolle = 'final'", &["[[attention_ratio]] 1", "rolle"]);
    refused("role = 'final'", "segment", &["[[attention_ratio]] 1", "true or false"]);
}

#[test]
fn contrasts_are_read_and_what_they_cannot_compare_is_refused() {
    let contrast = |task: &str, condition: &str, reference: &str| {
        let keys = format!("condition = \"{condition}\"\nreference = \"{reference}\"");
        format!("name = \"s\"\n[[contrast]]\ntask = \"{task}\"\n{keys}\n")
    };
    let refuse = |to: String, parts: &[&str]| refused("name = \"s\"\n", &to, parts);
    let known = ["its `reference` is `icl_9`", "[[contrast]]", "`icl_1`"];
    refuse(contrast("linear_regression", "icl_1", "icl_9"), &known);
    refuse(contrast("linear_regression", "icl_1", "icl_1"), &["with itself"]);
    refuse(contrast("linear", "icl_1", "icl_2"), &["line 3: the study has no task `linear`"]);
    let misspelt = contrast("linear_regression", "icl_1", "icl_2").replace("reference", "referense");
    refuse(misspelt, &["line 5: unknown key `referense`", "did you mean `reference`?"]);
    let two = "name = \"s\"\n[[contrast]]\ntask = \"linear_regression\"\n[[probe]]\nname = \"n\"\n";
    let missing =
        ["missing field `condition`", "missing field `reference`", "field `task`", "field `target`"];
    refuse(two.to_owned(), &missing);
    let absent = "name = \"s\"\n[[contrast]]\ntask = \"linear_regression\"\ncondition = \"icl_1\"\n";
    refuse(absent.to_owned(), &["line 2", "`reference`"]);
}

#[test]
fn states_that_are_not_kept_are_refused() {
    refused(
        "max_new_tokens = 4",
        "hidden_states = [{ roles = [\"final\"], pooling = [\"last\"] }]",
        &["line 8", "`mean` of segment `prompt`", "hint: add { roles = [\"prompt\"]"],
    );
}

#[test]
fn a_task_is_named_once() {
    refused("[[rsa]]", "[[task]]\nname = \"linear_regression\"\n[[rsa]]", &["line 9", "is there twice"]);
}

#[test]
fn a_task_that_was_never_ingested_is_named() {
    let bench = Bench::new();
    bench.write("p.jsonl", PROMPTS);
    bench.write("study.toml", "name = \"s\"\n[[task]]\nname = \"mine\"\nprompts = \"p.jsonl\"\n");
    bench.run(&["ingest", "--task", "other", "--prompts", "p.jsonl"]).succeeds();
    let before = contents(&bench.path("lake"));
    bench.run(&["analyze", "study.toml"]).refuses(&[
        "error: could not analyze `lake`",
        "the lake has no task `mine`; it has `other`",
        "hint: `hypercolumn ingest study.toml` puts the study's tasks into the lake; `hypercolumn run study.toml` does",
    ]);
    assert_eq!(contents(&bench.path("lake")), before);
    bench.run(&["ingest", "study.toml"]).succeeds();
    bench
        .run(&["analyze", "study.toml"])
        .refuses(&["has not read task `mine`", "hint: run `hypercolumn extract study.toml` first"]);
}

#[test]
fn all_problems_of_a_study_are_listed_with_their_lines() {
    let study = r#"name = "null"
modle = "small"
[[task]]
name = "linear_regression"
lins = 4
prompts_per_line = "four"
[[task]]
name = "mine"
prompts = "gone.jsonl"
[[task]]
name = "bad"
prompts = "bad.jsonl"
[analysis]
n_folds = 1
confidence = 2
n_refits = "many"
[[rsa]]
task = "linear_regression"
hypothesis = "same line"
sql = "a.line = b.lines"
where = "conditon = 'icl_1'"
[[probe]]
task = "linear_regression"
target = "slope"
poling = ["mean"]
group = "itm_id"
[[probe]]
task = "linear"
target = "slope"
[[attention_ratio]]
task = "linear_regression"
query = "role = 'finl'"
relevant = "rolle = 'example'"
irrelevant = "role = 'instruction'"
[[contrast]]
task = "linear_regression"
condition = "icl_1"
refernce = "icl_2"
"#;
    let bench = Bench::new();
    bench.write("study.toml", study);
    bench.write("bad.jsonl", "{\"text\": 3}\n");
    let listed = [
        "error: could not use study `study.toml`: it has 17 problems",
        "line 1: `null` cannot be a `name`",
        "line 2: unknown key `modle`\n    modle = \"small\"\n    hint: did you mean `model`?",
        "line 5: unknown key `lins`\n    lins = 4\n    hint: did you mean `lines`?",
        "line 6: setting `prompts_per_line` of task `linear_regression`",
        "line 9: there is no file `gone.jsonl`",
        "line 12: could not ingest `bad`: ",
        "line 14: `n_folds` of [analysis]",
        "line 15: `confidence` of [analysis]",
        "line 16: invalid type: string \"many\"",
        "line 20: [[rsa]] 1 \"same line\": the SQL `a.line = b.lines` cannot be used for `sql`",
        "line 21: [[rsa]] 1 \"same line\": the SQL `conditon = 'icl_1'` cannot be used for `where`",
        "line 25: unknown key `poling`",
        "line 26: [[probe]] 1 \"slope\": the SQL `itm_id` cannot be used for `group`",
        "line 27: the study has no task `linear`",
        "line 32: [[attention_ratio]]",
        "line 33: [[attention_ratio]]",
        "line 38: unknown key `refernce`",
    ];
    for command in ["plan", "run"] {
        bench.run(&[command, "study.toml"]).refuses(&listed);
        assert!(!bench.path("lake").exists(), "{command} made a lake");
    }
    // Commands that do not ask the questions list the rest.
    bench.run(&["extract", "study.toml"]).refuses(&["line 2: unknown key `modle`", "line 38: unknown key"]);
}

#[test]
fn what_follows_from_another_problem_is_not_listed() {
    let only = |study: &str, parts: &[&str]| {
        let bench = Bench::new();
        bench.write("study.toml", study);
        let parts = [&["error: could not use study `study.toml`\n"], parts].concat();
        bench.run(&["plan", "study.toml"]).refuses(&parts);
    };
    let task = "name = \"s\"\n[[task]]\nname = \"linear_regression\"\nlines = 4\nprompts_per_line = 4\n";
    // Conditions that a refused setting would have made, and the states of a segment whose key is misspelt.
    let contrast =
        "[[contrast]]\ntask = \"linear_regression\"\ncondition = \"icl_3\"\nreference = \"icl_1\"\n";
    only(&format!("{task}exampels = [1, 3]\n{contrast}"), &["line 6: unknown key `exampels`"]);
    let kept = "[task.extract]\nhidden_states = [{ roles = [\"final\"], pooling = [\"last\"] }]\n";
    let probe = "[[probe]]\ntask = \"linear_regression\"\ntarget = \"slope\"\npooling = [\"last\"]\nsegmnt = \"final\"\n";
    only(&format!("{task}{kept}{probe}"), &["line 12: unknown key `segmnt`"]);
    // A task that has no usable name, and a key whose value is refused.
    only(
        "name = \"s\"\n[[task]]\nname = 3\n[[probe]]\ntask = \"t\"\ntarget = \"x\"\n",
        &["line 3: invalid type: integer `3`"],
    );
    only(&format!("{task}[[probe]]\ntask = \"linear_regression\"\ntarget = 3\n"), &["line 8: invalid type"]);
}

#[test]
fn a_missing_study_refuses() {
    Bench::new().run(&["run", "gone.toml"]).refuses(&["could not read study `gone.toml`", "hint:"]);
}

#[test]
fn what_matches_nothing_or_changes_from_run_to_run_is_refused() {
    refused(
        "role = 'example'",
        "role = 'exmaple'",
        &["[[attention_ratio]]", "exmaple", "no segment of any prompt satisfies it; the roles are `example`"],
    );
    refused(
        "target = \"slope\"",
        "target = \"random() > 0.5\"",
        &["[[probe]]", "`random()` gives another value every time"],
    );
    refused("a.line = b.line", "a.line = b.line AND now() > '2026-01-01'", &["[[rsa]]", "`now()`"]);
}

#[test]
fn attention_that_is_not_kept_is_refused_before_the_model_runs() {
    let keep = |attention: &str| format!("max_new_tokens = 0\nattention = {{ {attention} }}");
    refused(
        "max_new_tokens = 4",
        &keep("query_roles = [\"query\"]"),
        &[
            "line 18: [[attention_ratio]]",
            "its `query` asks for attention from segments `final`",
            "attention.query_roles",
        ],
    );
    refused(
        "max_new_tokens = 4",
        &keep("key_roles = [\"example\"]"),
        &[
            "its `irrelevant` asks for attention to segments `instruction`",
            "add `instruction` to attention.key_roles",
        ],
    );
    // A response of which there is none.
    let response = "max_new_tokens = 0\n[[probe]]\ntask = \"linear_regression\"\ntarget = \"x\"\nsegment = \"response\"\n\
                    [[attention_ratio]]\ntask = \"linear_regression\"\nquery = \"role = 'response'\"\n\
                    relevant = \"role = 'example'\"\nirrelevant = \"role = 'instruction'\"";
    refused(
        "max_new_tokens = 4",
        response,
        &[
            "line 8: it asks for states of the response",
            "line 14: [[attention_ratio]]",
            "segments `response`",
            "no responses",
        ],
    );
}

#[test]
fn sql_that_people_write_is_answered_with_a_hint() {
    refused("target = \"slope\"", "target = \"slope;\"", &["[[probe]] 1", "leave out the `;`"]);
    refused("target = \"slope\"", "target = \"WHERE slope > 0\"", &["leave out `WHERE`"]);
    refused("role = 'final'\"", "role = \\\"final\\\"\"", &["text stands in single quotes: 'final'"]);
    let bench = Bench::new();
    bench.write(
        "p.jsonl",
        "{\"text\": \"a\", \"params\": {\"order\": 1}}\n{\"text\": \"b\", \"params\": {\"order\": 2}}\n",
    );
    let study = "name = \"s\"\n[[task]]\nname = \"t\"\nprompts = \"p.jsonl\"\n[[probe]]\ntask = \"t\"\n";
    bench.write("study.toml", format!("{study}target = \"order\"\n"));
    bench.run(&["plan", "study.toml"]).refuses(&["line 7", "`order` is a word of SQL", "write \"order\""]);
    bench.write("study.toml", format!("{study}target = '\"order\"'\n"));
    bench.run(&["plan", "study.toml"]).succeeds();
}
