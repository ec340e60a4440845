//! Prompts through the binary: what is refused leaves the lake as it was.

mod support;

use support::{Bench, PROMPTS, contents};

fn ingest<'a>(task: &'a str, file: &'a str) -> [&'a str; 5] {
    ["ingest", "--task", task, "--prompts", file]
}

#[test]
fn prompts_of_ones_own_reach_the_tables() {
    let bench = Bench::new();
    bench.write("mine.jsonl", PROMPTS);
    let ran = bench.run(&ingest("mine", "mine.jsonl")).succeeds();
    assert!(ran.stderr.contains("ingest mine: 2 prompts, 2 segments written"), "{}", ran.stderr);
    let again = bench.run(&ingest("mine", "mine.jsonl")).succeeds();
    assert!(again.stderr.contains("reused"), "{}", again.stderr);
    let sql =
        "SELECT p.task, name, n, s.text FROM prompt_params p JOIN segments s USING (prompt_id) ORDER BY n";
    let rows = bench.run(&["sql", sql, "--format", "json"]).succeeds().json();
    assert_eq!(rows[1]["text"], "Anna sings.");
    assert_eq!(rows[1]["name"], "Anna");
}

#[test]
fn malformed_prompts_leave_the_lake_as_it_was() {
    let bench = Bench::new();
    bench.write("mine.jsonl", PROMPTS);
    bench.run(&ingest("mine", "mine.jsonl")).succeeds();
    let before = contents(&bench.path("lake"));
    let line = PROMPTS.lines().next().expect("a line");
    let cases: [(&str, Vec<u8>, &[&str]); 7] = [
        ("json", format!("{line}\n{{oops\n").into(), &["line 2"]),
        ("field", line.replace("\"text\"", "\"texts\"").into(), &["line 1", "`text`"]),
        ("range", line.replace("\"end\":11", "\"end\":99").into(), &["line 1", "segments[0].end"]),
        ("twice", format!("{line}\n{line}\n").into(), &["line 2", "prompt_id"]),
        ("utf8", [line.as_bytes(), b"\n\xff\xfe\n"].concat(), &["line 2"]),
        ("empty", Vec::new(), &["the file holds no prompts"]),
        ("nested", line.replace("\"n\":1", "\"n\":[1]").into(), &["line 1", "params"]),
    ];
    for (name, content, parts) in cases {
        let file = format!("{name}.jsonl");
        bench.write(&file, content);
        for task in ["mine", "other"] {
            let parts = [&["could not ingest", &file, "hint:"], parts].concat();
            bench.run(&ingest(task, &file)).refuses(&parts);
            assert_eq!(contents(&bench.path("lake")), before, "{name} changed the lake");
        }
    }
}

#[test]
fn refused_prompts_make_no_lake() {
    let bench = Bench::new();
    bench.write("bad.jsonl", "{}");
    bench.run(&ingest("mine", "bad.jsonl")).refuses(&["line 1"]);
    bench.run(&ingest("mine", "missing.jsonl")).refuses(&["missing.jsonl", "hint: check the path"]);
    bench.run(&ingest("mine", "prompts.txt")).refuses(&["prompts.txt"]);
    bench.run(&["ingest", "--task", "regression"]).refuses(&["no built-in task", "`linear_regression`"]);
    assert!(!bench.path("lake").exists());
}

#[test]
fn a_generator_gives_the_same_bytes_again() {
    let (one, two) = (Bench::new(), Bench::new());
    for bench in [&one, &two] {
        bench.run(&["ingest", "--task", "linear_regression"]).succeeds();
    }
    let hashes = |bench: &Bench| {
        let tables = bench.path("lake");
        let files = contents(&tables.join("prompts")).into_iter().chain(contents(&tables.join("segments")));
        files
            .map(|(path, bytes)| (path.strip_prefix(&tables).expect("below").to_owned(), bytes))
            .collect::<Vec<_>>()
    };
    assert_eq!(hashes(&one), hashes(&two));
}

#[test]
fn a_lake_with_something_in_the_way_refuses() {
    let bench = Bench::new();
    bench.write("mine.jsonl", PROMPTS);
    bench.write("lake", "not a directory");
    bench.run(&ingest("mine", "mine.jsonl")).refuses(&[
        "could not open lake `lake`",
        "the path is a file",
        "--lake",
    ]);
    bench.write("full/of.txt", "other things");
    let args = [&ingest("mine", "mine.jsonl")[..], &["--lake", "full"]].concat();
    bench.run(&args).refuses(&["holds other files"]);
}

#[cfg(unix)]
#[test]
fn a_disk_that_is_full_leaves_the_lake_as_it_was() {
    let bench = Bench::new();
    bench.write("mine.jsonl", PROMPTS);
    bench.run(&ingest("mine", "mine.jsonl")).succeeds();
    let before = contents(&bench.path("lake"));
    // A limit on the size of files is a disk that is full for whatever is larger.
    let program = env!("CARGO_BIN_EXE_hypercolumn");
    let mut command = std::process::Command::new("sh");
    command.current_dir(bench.path(""));
    command
        .args(["-c", &format!("trap '' XFSZ; ulimit -f 4; exec {program} ingest --task linear_regression")]);
    support::Ran::of(command).fails(1, &["could not ingest `linear_regression`", "hint:", "free disk space"]);
    assert_eq!(contents(&bench.path("lake")), before);
}

/// Below `directory`, every directory with this mode; undone before a temporary directory is removed.
#[cfg(target_os = "linux")]
fn set_modes(directory: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let paths = contents(directory).into_keys().filter(|p| p.is_dir());
    for path in paths.chain([directory.to_owned()]) {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode changed");
    }
}

/// The program as a user for whom permissions count: root has them ignored, so it gives that up.
#[cfg(target_os = "linux")]
fn run_without_privilege(bench: &Bench, args: &[&str]) -> support::Ran {
    use std::os::unix::fs::MetadataExt;
    let is_root = std::fs::metadata("/proc/self").expect("procfs").uid() == 0;
    if !is_root {
        return bench.run(args);
    }
    let mut command = std::process::Command::new("setpriv");
    command.arg("--bounding-set=-dac_override,-dac_read_search").arg(env!("CARGO_BIN_EXE_hypercolumn"));
    command.args(args).current_dir(bench.path(""));
    support::Ran::of(command)
}

#[cfg(target_os = "linux")]
#[test]
fn a_lake_that_is_read_only_can_be_asked_and_not_filled() {
    let bench = Bench::new();
    bench.write("mine.jsonl", PROMPTS);
    bench.run(&ingest("mine", "mine.jsonl")).succeeds();
    let lake = bench.path("lake");
    let before = contents(&lake);
    set_modes(&lake, 0o555);
    let filled = run_without_privilege(&bench, &["ingest", "--task", "linear_regression"]);
    let asked = run_without_privilege(&bench, &["sql", "SELECT count(*) AS n FROM prompts"]);
    let status = run_without_privilege(&bench, &["status"]);
    let made = run_without_privilege(&bench, &["ingest", "--task", "linear_regression", "--lake", "lake/in"]);
    set_modes(&lake, 0o755);
    let parts =
        ["could not ingest `linear_regression`", "lake/_locks", "Permission denied", "must be writable"];
    filled.fails(1, &parts);
    made.fails(1, &["could not open lake `lake/in`", "Permission denied", "hint: the lake must be writable"]);
    assert!(asked.succeeds().text().contains('2'));
    assert!(status.succeeds().text().contains("task mine: 2 prompts"));
    assert_eq!(contents(&lake), before);
}

#[test]
fn a_map_names_columns_and_what_was_taken_is_said() {
    let bench = Bench::new();
    bench.write("items.csv", "stem,gold,level\nOne and one is,two,1\nOne and two is,three,2\n");
    bench.run(&ingest("mine", "items.csv")).refuses(&["items.csv", "`text` is missing", "--map text=NAME"]);
    let map = |map| [&ingest("mine", "items.csv")[..], &["--map", map]].concat();
    bench.run(&map("text=stem,text=gold")).refuses(&["`text` is named twice"]);
    bench.run(&map("text=stems")).refuses(&["there is no column `stems`", "`stem`"]);
    let ran = bench.run(&map("text=stem,expected=gold")).succeeds();
    assert!(ran.stderr.contains("params are `level`"), "{}", ran.stderr);
    let rows = bench
        .run(&["sql", "SELECT prompt_id, text, expected, level FROM prompt_params", "--format", "json"])
        .succeeds()
        .json();
    assert_eq!(rows[1]["text"], "One and two is");
    assert_eq!(
        (&rows[1]["expected"], &rows[1]["prompt_id"], &rows[1]["level"]),
        (&"three".into(), &"2".into(), &2.into())
    );
    bench.write(
        "study.toml",
        "name = \"s\"\n[[task]]\nname = \"mine\"\nprompts = \"items.csv\"\nmap = { text = \"stem\", expected = \"gold\" }\n",
    );
    let again = bench.run(&["ingest", "study.toml"]).succeeds();
    assert!(again.stderr.contains("reused"), "{}", again.stderr);
}

/// What README.md and docs/prompts.md show can be loaded as it stands there.
#[test]
fn prompts_that_the_pages_show_can_be_ingested() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for page in ["README.md", "docs/prompts.md"] {
        let text = std::fs::read_to_string(root.join(page)).expect("a page");
        let shown: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("{\"")).collect();
        assert!(shown.len() >= 2, "{page} shows {} prompts", shown.len());
        let bench = Bench::new();
        bench.write("shown.jsonl", shown.join("\n"));
        bench.run(&ingest("mine", "shown.jsonl")).succeeds();
    }
}

#[test]
fn a_template_and_a_table_of_items_are_a_task() {
    let bench = Bench::new();
    bench.write("capitals.csv", "country,capital\nFrance,Paris\nKenya,Nairobi\nPeru,Lima\n");
    let study = r#"name = "s"
[[task]]
name = "capitals"
items = "capitals.csv"
map = { expected = "capital" }
template = """
{% for d in demonstrations %}
{{ d.country }} -> {{ d.answer }}
{% endfor %}
[[query: {{ country }}]] ->
"""
examples = [0, 2]
labels = ["gold", "random"]

[[contrast]]
task = "capitals"
condition = "icl_2-random"
reference = "icl_2"
"#;
    bench.write("study.toml", study);
    let ran = bench.run(&["ingest", "study.toml"]).succeeds();
    assert!(
        ran.stderr.contains("expected is read from `capital`") || ran.stderr.contains("9 prompts"),
        "{}",
        ran.stderr
    );
    let sql = "SELECT text, labels, demonstrations FROM prompt_params WHERE prompt_id = '1-icl_2'";
    let row = bench.run(&["sql", sql, "--format", "json"]).succeeds().json();
    let text = row[0]["text"].as_str().expect("a text");
    assert!(text.ends_with("\nFrance ->") && text.contains("Kenya -> Nairobi\n"), "{text}");
    assert_eq!(row[0]["labels"], "gold");
    let sql = "SELECT role, text FROM segments WHERE prompt_id = '2-icl_0'";
    assert_eq!(
        bench.run(&["sql", sql, "--format", "csv"]).succeeds().text().replace("\r", ""),
        "role,text\nquery,Kenya\n"
    );
    let plan = |study: &str| {
        bench.write("study.toml", study);
        bench.run(&["plan", "study.toml", "--json"]).succeeds().json()["steps"][0].clone()
    };
    assert_eq!(plan(study)["action"], "reuse");
    let changed = plan(&study.replace("examples = [0, 2]", "examples = [2]"));
    assert_eq!(changed["reason"], "`examples` changed");
    bench.write("capitals.csv", "country,capital\nFrance,Paris\nKenya,Nairobi\nGhana,Accra\n");
    assert_eq!(plan(study)["reason"], "`items` changed");
    for (from, to, parts) in [
        ("{{ d.answer }}", "{{ d.answer }", &["line 6: `template`: line 2"][..]),
        ("examples = [0, 2]", "examples = [0, -2]", &["line 12", "setting `examples`"]),
        ("labels =", "label =", &["line 13: unknown key `label`", "did you mean `labels`?"]),
        ("\"capitals.csv\"", "\"capital.csv\"", &["line 4", "there is no file `capital.csv`"]),
        ("expected = \"capital\"", "text = \"capital\"", &["line 5", "no field of an item"]),
    ] {
        bench.write("study.toml", study.replace(from, to));
        bench.run(&["plan", "study.toml"]).refuses(parts);
    }
    bench.write("study.toml", study.replace("{{ d.country }}", "{{ d.contry }}"));
    bench.run(&["ingest", "study.toml"]).refuses(&[
        "capitals.csv: 3 problems",
        "row 1 (line 2): the template, line 2: `d.contry` has no value",
    ]);
}
