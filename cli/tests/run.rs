//! The whole road on the default model: a small study, run twice.

mod support;

use support::{Bench, contents, default_model};

const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/studies/small.toml");

#[test]
fn a_study_runs_to_its_report_and_is_then_reused() {
    let Some(_) = default_model() else { return };
    let bench = Bench::new();
    let first = bench.run_with_models(&["run", SMALL]).succeeds();
    assert!(first.text().contains("Answers by condition"), "{}", first.text());
    assert!(first.text().ends_with("\nreport: lake/reports/small.html\n"), "{}", first.text());
    assert!(bench.path("lake/reports/small.html").exists());
    let tables = contents(&bench.path("lake/_log"));

    let again = bench.run_with_models(&["run", SMALL]).succeeds();
    assert!(again.stderr.contains("analyze: all 12 steps reused"), "{}", again.stderr);
    assert_eq!(contents(&bench.path("lake/_log")), tables, "a second run commits nothing");
    assert_eq!(again.text(), first.text());

    let plan = bench.run_with_models(&["plan", SMALL, "--json"]).succeeds().json();
    assert!(plan["steps"].as_array().expect("steps").iter().all(|s| s["action"] == "reuse"));
    let status = bench.run(&["status", "--json"]).succeeds().json();
    assert_eq!((&status["n_unlisted"], &status["damaged"]), (&0.into(), &serde_json::json!([])));
    bench.run(&["verify"]).succeeds();
    changed_settings_run_what_depends_on_them(&bench);
}

fn changed_settings_run_what_depends_on_them(bench: &Bench) {
    let study = std::fs::read_to_string(SMALL).expect("the small study");
    let actions = |from: &str, to: &str| {
        assert!(study.contains(from));
        bench.write("changed.toml", study.replacen(from, to, 1));
        let plan = bench.run_with_models(&["plan", "changed.toml", "--json"]).succeeds().json();
        let steps = plan["steps"].as_array().expect("steps").clone();
        let run = steps.iter().filter(|s| s["action"] == "run");
        run.map(|s| format!("{} {}", s["stage"].as_str().unwrap(), s["subject"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    let hypothesis = actions("a.line = b.line", "a.slope = b.slope");
    let analyses = ["analyze linear_regression: rsa", "analyze linear_regression: associations"];
    assert_eq!(hypothesis, [&analyses[..], &["report small"]].concat());
    let prompts = actions("lines = 4", "lines = 5");
    assert_eq!(prompts[..2], ["ingest linear_regression", "extract linear_regression"]);
    assert!(prompts[2..].iter().all(|step| step.contains("linear_regression: ") || step == "report small"));
}
