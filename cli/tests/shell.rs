//! Queries from a file and from standard input, and the SQL shell at a terminal.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use support::{Bench, PROMPTS, Ran};

fn lake() -> Bench {
    let bench = Bench::new();
    bench.write("mine.jsonl", PROMPTS);
    bench.run(&["ingest", "--task", "mine", "--prompts", "mine.jsonl"]).succeeds();
    bench
}

/// Runs a command with a text as its standard input.
fn fed(mut command: Command, input: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("the program ends");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8 messages");
    Ran { code: output.status.code(), stdout: output.stdout, stderr }
}

#[test]
fn a_query_comes_from_a_file_or_from_standard_input() {
    let bench = lake();
    let query = "-- how many?\nSELECT count(*) AS n\nFROM prompts;\n";
    bench.write("query.sql", query);
    let csv = |ran: Ran| ran.succeeds().text().replace('\r', "");
    assert_eq!(csv(bench.run(&["sql", "-f", "query.sql", "--format", "csv"])), "n\n2\n");
    assert_eq!(csv(fed(bench.command(&["sql", "-", "--format", "csv"]), query)), "n\n2\n");
    assert_eq!(csv(fed(bench.command(&["sql", "--format", "csv"]), query)), "n\n2\n");
    bench.run(&["sql", "-f", "none.sql"]).refuses(&["could not read a query from `none.sql`"]);
    bench.run(&["sql", "SELECT 1", "-f", "query.sql"]).refuses(&["cannot be used with"]);
    fed(bench.command(&["sql"]), "SELECT 1; SELECT 2;").refuses(&["more than one statement"]);
}

/// Types `input` into the shell at a terminal that `script` (util-linux) provides; gives what the terminal shows.
#[cfg(target_os = "linux")]
fn typed(bench: &Bench, input: &str) -> String {
    let program = bench.command(&["sql"]);
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command"]);
    command.arg(format!("'{}' sql", program.get_program().to_str().expect("a path")));
    command.arg("/dev/null").current_dir(bench.path(""));
    command.env("NO_COLOR", "1").env("TERM", "dumb").env("XDG_STATE_HOME", bench.path("state"));
    let ran = fed(command, input);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.text(), ran.stderr);
    ran.text()
}

#[cfg(target_os = "linux")]
#[test]
fn the_shell_answers_query_after_query() {
    let bench = lake();
    let shown = typed(
        &bench,
        "SELECT count(*) AS n_prompts\nFROM prompts;\n.mode csv\nSELECT 7 AS seven;\nSELEC 1;\n.nonsense\n\
         .output seven.csv\nSELECT 7 AS seven;\n.quit\n",
    );
    let shown = shown.replace('\r', "");
    for part in ["n_prompts", "seven\n7", "could not answer `SELEC 1;`", "there is no command `.nonsense`"] {
        assert!(shown.contains(part), "`{part}` is not in:\n{shown}");
    }
    let written = std::fs::read_to_string(bench.path("seven.csv")).expect("written").replace('\r', "");
    assert_eq!(written, "seven\n7\n");
    let history = std::fs::read_to_string(bench.path("state/hypercolumn/sql_history")).expect("a history");
    assert!(history.contains("SELECT 7 AS seven;"), "{history}");
}
