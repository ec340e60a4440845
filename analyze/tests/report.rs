//! The report over planted lakes: every section, both directions, nothing at all, and hostile names.

#[path = "report/html.rs"]
mod html;
#[path = "report/lake.rs"]
mod lake;
#[path = "report/names.rs"]
mod names;
#[path = "report/prompt_rows.rs"]
mod prompt_rows;
#[path = "report/table_rows.rs"]
mod table_rows;

use hypercolumn_analyze::report::{
    Fact, ModelRdmText, ReportRequest, TaskCluster, TaskReference, WrittenReport,
};
use hypercolumn_analyze::write_report;
use hypercolumn_schemas::Lake;
use lake::{Effect, MODEL, STUDY, write_planted};
use names::Names;
use std::fs;
use std::path::Path;

const SECTIONS: [&str; 10] = [
    "summary",
    "behavior",
    "alignment",
    "matrices",
    "probes",
    "attention",
    "associations",
    "prompts",
    "methods",
    "provenance",
];

fn request(names: &Names) -> ReportRequest {
    let hypothesis = |task: &str, name: &str, sql: &str| ModelRdmText {
        task: task.to_owned(),
        name: name.to_owned(),
        sql: sql.to_owned(),
        is_control: false,
    };
    ReportRequest {
        study: STUDY.to_owned(),
        tasks: vec![names.line_task.clone(), names.scene_task.clone()],
        model: MODEL.to_owned(),
        model_rdms: vec![
            hypothesis(&names.line_task, &names.same_line, "a.slope = b.slope"),
            hypothesis(&names.line_task, "slope distance", "-abs(a.slope - b.slope)"),
            hypothesis(&names.scene_task, "same activity asked", "a.line = b.line"),
        ],
        clusters: vec![TaskCluster { task: names.line_task.clone(), sql: "line".to_owned() }],
        references: Vec::new(),
        study_text: Some("name = \"planted\" # <b>".to_owned()),
        facts: vec![Fact { name: "study".to_owned(), value: "planted.toml".to_owned() }],
        lake_argument: None,
        study_arguments: String::new(),
    }
}

fn report(lake: &Lake, names: &Names, path: &Path) -> (String, WrittenReport) {
    let written = write_report(lake, &request(names), path).unwrap();
    let html = fs::read_to_string(path).unwrap();
    assert_eq!(written.n_bytes, html.len() as u64);
    (html, written)
}

/// The page without the plotting script.
fn own_part(html: &str) -> &str {
    html.split("plotly.js v").next().unwrap()
}

fn section<'a>(html: &'a str, id: &str) -> &'a str {
    let start = html.find(&format!("<section id=\"{id}\"")).unwrap_or_else(|| panic!("no section {id}"));
    let rest = &html[start..];
    &rest[..rest.find("</section>").unwrap()]
}

#[test]
fn every_section_has_its_figures_and_the_summary_its_direction() {
    let home = tempfile::tempdir().unwrap();
    let names = Names::default();
    let lake = write_planted(&home.path().join("lake"), &names, Effect::Rise, 8, 6);
    let (html, written) = report(&lake, &names, &home.path().join("report.html"));
    for id in SECTIONS {
        section(&html, id);
    }
    for id in &SECTIONS[1..7] {
        let text = section(&html, id);
        assert!(text.contains("<figure"), "{id}");
        assert!(text.contains("hypercolumn sql &quot;"), "{id}");
        assert!(text.contains("application/json"), "{id}");
    }
    let summary = section(&html, "summary");
    assert!(summary.contains("the median absolute error falls from"), "{summary}");
    assert!(summary.contains(", an improvement"));
    assert!(summary.contains("alignment with “same line” rises at"));
    assert!(summary.contains("This is a control, and as it should, it does not rise."));
    assert!(summary.contains("chance is 33\u{a0}%"));
    assert!(summary.contains("strongest is “"));
    let clause = "In linear_regression, with 4 examples instead of 0: the median absolute error falls from";
    assert!(written.summary.starts_with(clause), "{}", written.summary);
    assert!(written.findings.iter().any(|f| f.topic == "Attention" && f.task == "reading_comprehension"));
    assert!(written.n_figures >= 12, "{}", written.n_figures);
    let attention = section(&html, "attention");
    assert!(attention.contains("the preference for “informative” rises at"), "{attention}");
    assert!(attention.contains("single heads change (family-wise p"), "{attention}");
    assert!(attention.contains("There 40\u{a0}% of the attention goes to the first token"), "{attention}");
    let alignment = section(&html, "alignment");
    assert!(alignment.contains("Normalization: standardize") && alignment.contains("Normalization: none"));
    assert!(alignment.contains("Not computed in icl_0 (none), layers 0: constant measure."));
    let behavior = section(&html, "behavior");
    assert!(behavior.contains("undefined because nothing to score was found in"));
    assert!(
        behavior.contains("6 of 48 responses are empty in icl_2; white space alone counts"),
        "{behavior}"
    );
    assert_eq!(
        behavior.matches("responses are empty").count(),
        1,
        "conditions and tasks without any say nothing"
    );
    assert!(section(&html, "provenance").contains("model.content_hash"));
}

#[test]
fn the_page_shows_prompts_methods_and_the_study_and_saves_its_plots() {
    let home = tempfile::tempdir().unwrap();
    let names = Names::default();
    let lake = write_planted(&home.path().join("lake"), &names, Effect::Rise, 8, 6);
    let (html, _) = report(&lake, &names, &home.path().join("report.html"));
    let prompts = section(&html, "prompts");
    assert_eq!(prompts.matches("<details class=\"prompt\"").count(), 8, "one prompt a task and condition");
    assert!(prompts.contains("title=\"example, in points\">(0.5,3)</mark>"), "{prompts}");
    assert!(prompts.contains("<dt>response</dt><dd><code> 12.5</code>"), "{prompts}");
    let methods = section(&html, "methods");
    assert!(methods.contains("prompts with equal line form one cluster"), "{methods}");
    // The planted entry names no comparison: the default's are said, as the table has them.
    assert!(methods.contains("their similarities with the hypothesis by rho a"), "{methods}");
    assert!(methods.contains("come from 1\u{202f}000 permutations of whole units"), "{methods}");
    assert!(!methods.contains("nuisances"), "{methods}");
    assert!(methods.contains("plans of 5 outer folds"), "{methods}");
    assert!(methods.contains("name = &quot;planted&quot; # &lt;b&gt;"), "{methods}");
    let n_plots = html.matches("<script type=\"application/json\"").count();
    for format in ["svg", "png", "csv"] {
        assert_eq!(html.matches(&format!("data-save=\"{format}\"")).count(), n_plots, "{format}");
    }
}

#[test]
fn intervals_of_behavior_are_over_clusters() {
    let home = tempfile::tempdir().unwrap();
    let names = Names::default();
    let lake = write_planted(&home.path().join("lake"), &names, Effect::Rise, 8, 6);
    let path = home.path().join("report.html");
    let behavior = section(&report(&lake, &names, &path).0, "behavior").to_owned();
    assert!(behavior.contains("in 8 clusters (equal line)"), "{behavior}");
    assert!(behavior.contains("n = 48 items in 48 clusters"), "the other task has no clusters but items");
    let request = ReportRequest { clusters: Vec::new(), ..request(&names) };
    write_report(&lake, &request, &path).unwrap();
    let of_items = fs::read_to_string(&path).unwrap();
    assert!(section(&of_items, "behavior").contains("in 48 clusters (equal item_id)"));
}

#[test]
fn answers_are_compared_with_the_declared_reference() {
    let home = tempfile::tempdir().unwrap();
    let names = Names::default();
    let lake = write_planted(&home.path().join("lake"), &names, Effect::Rise, 8, 6);
    let path = home.path().join("report.html");
    let reference = TaskReference { task: names.line_task.clone(), condition: names.conditions[2].clone() };
    let request = ReportRequest { references: vec![reference], ..request(&names) };
    let written = write_report(&lake, &request, &path).unwrap();
    let clause = "In linear_regression, with 4 examples instead of 2: the median absolute error";
    assert!(written.summary.starts_with(clause), "{}", written.summary);
}

#[test]
fn a_null_effect_is_called_one() {
    let home = tempfile::tempdir().unwrap();
    let names = Names::default();
    let lake = write_planted(&home.path().join("lake"), &names, Effect::None, 8, 6);
    let (html, written) = report(&lake, &names, &home.path().join("report.html"));
    let summary = section(&html, "summary");
    assert!(summary.contains("absolute error does not change reliably"), "{summary}");
    assert!(summary.contains("alignment with “same line” does not change reliably at any of the 32 layers"));
    let preference = "the preference for “informative” does not change reliably at any of the";
    assert!(summary.contains(preference) && summary.contains("single heads changes reliably"), "{summary}");
    assert!(summary.contains("the change of no measure goes reliably with"));
    for claim in [" rises ", " falls ", "an improvement", "higher with more"] {
        assert!(!summary.contains(claim), "{claim} in {summary}");
        assert!(!written.summary.contains(claim), "{claim} in {}", written.summary);
    }
}

#[test]
fn an_empty_lake_gives_sections_that_name_the_command() {
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::create(home.path().join("lake")).unwrap();
    let (html, written) = report(&lake, &Names::default(), &home.path().join("report.html"));
    assert_eq!(written.n_figures, 0);
    for id in &SECTIONS[1..7] {
        assert!(section(&html, id).contains("`hypercolumn analyze` makes them."), "{id}");
    }
    assert!(section(&html, "summary").contains("There are no results yet."));
    assert!(section(&html, "provenance").contains("`hypercolumn run` makes them."));
}

#[test]
fn hostile_names_stay_text() {
    let home = tempfile::tempdir().unwrap();
    let attack =
        "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>-->\u{2028}\u{2029}'\"$model";
    let names = Names {
        line_task: format!("a task {attack}"),
        same_line: format!("same {attack}"),
        conditions: ["a", "b<b>", "c&amp;", "d</script><!--\u{2028}"].map(str::to_owned),
        item_prefix: format!("item {attack}"),
        prompt: attack.to_owned(),
        ..Names::default()
    };
    let write = |names: &Names, file: &str| {
        let lake = write_planted(&home.path().join(file).join("lake"), names, Effect::Rise, 6, 4);
        report(&lake, names, &home.path().join(format!("{file}.html"))).0
    };
    let (hostile, ordinary) = (write(&names, "hostile"), write(&Names::default(), "ordinary"));
    // The names add no element and no attribute.
    assert_eq!(html::count_tags(&hostile), html::count_tags(&ordinary));
    let own = own_part(&hostile);
    assert!(own.contains("&lt;script&gt;alert(1)&lt;/script&gt;&lt;!--&lt;img"));
    assert!(!own.contains("&amp;lt;"), "escaped twice");
    assert!(own.contains("c&amp;amp;") && !own.contains("c&amp;amp;amp;"));
    check_plots(own);
    fs::copy(home.path().join("hostile.html"), Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile.html"))
        .unwrap();
}

/// Checks that the plots' JSON ends where its element does and reads back as the lake's names, escaped for plotly.
fn check_plots(own: &str) {
    let (mut n_plots, mut n_attacks) = (0, 0);
    for block in own.split("<script type=\"application/json\"").skip(1) {
        let json = block.split_once('>').unwrap().1.split("</script>").next().unwrap();
        assert!(!json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{json}");
        let plot: serde_json::Value = serde_json::from_str(json).unwrap();
        let text = plot.to_string();
        assert!(!text.contains("<script") && !text.contains("&amp;lt;"), "{text}");
        n_attacks += usize::from(text.contains("&lt;!--&lt;img src=x") && text.contains('\u{2028}'));
        assert!(plot["layout"]["xaxis"]["title"]["text"].as_str().is_some_and(|t| !t.is_empty()));
        assert!(plot["layout"]["yaxis"]["title"]["text"].as_str().is_some_and(|t| !t.is_empty()));
        n_plots += 1;
    }
    assert!(n_plots > 10 && n_attacks > 0, "{n_attacks} of {n_plots}");
}

#[test]
fn a_hypothesis_that_fails_is_said_so() {
    let home = tempfile::tempdir().unwrap();
    let names = Names::default();
    let lake = write_planted(&home.path().join("lake"), &names, Effect::Rise, 6, 4);
    let mut request = request(&names);
    request.model_rdms[0].sql = "a.nothing = b.nothing".to_owned();
    let path = home.path().join("report.html");
    write_report(&lake, &request, &path).unwrap();
    let html = fs::read_to_string(&path).unwrap();
    assert!(section(&html, "matrices").contains("could not be evaluated over pairs of prompts"));
}

/// A page of the built-in study's size for the check in a browser, left in cargo's directory for tests.
#[test]
fn a_page_of_full_size_for_the_browser() {
    let home = tempfile::tempdir().unwrap();
    let names = Names::default();
    let lake = write_planted(&home.path().join("lake"), &names, Effect::Rise, 16, 16);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report.html");
    let (html, _) = report(&lake, &names, &path);
    assert!(html.len() < 9_000_000, "{} bytes", html.len());
}
