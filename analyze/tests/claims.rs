//! Claims: the row that a study names decides, and a claim without one has no verdict.

mod planted;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use hypercolumn_analyze::report::ReportRequest;
use hypercolumn_analyze::settings::AnalysisSettings;
use hypercolumn_analyze::{
    AnalyzeError, Catalog, CatalogError, Entries, Questions, TaskDesign, query, run, write_report,
};
use hypercolumn_schemas::Lake;
use planted::{MODEL, TASK};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn questions(claims: Vec<Value>) -> Questions {
    let claims: Vec<Value> = claims
        .into_iter()
        .map(|mut claim| {
            claim["task"] = json!(TASK);
            claim
        })
        .collect();
    let rsa = |hypothesis: &str, sql: &str| json!({"task": TASK, "hypothesis": hypothesis, "sql": sql, "normalization": ["standardize"], "comparison": ["spearman"]});
    let entries = json!({"rsa": [rsa("class", "a.class = b.class"), rsa("size", "-abs(a.size - b.size)")], "claim": claims});
    Questions {
        study: "s".to_owned(),
        analysis: AnalysisSettings { n_permutations: 99, n_refits: 19, ..AnalysisSettings::default() },
        designs: BTreeMap::from([(TASK.to_owned(), TaskDesign::default())]),
        entries: Entries::from_json(&entries).unwrap(),
        ..Questions::default()
    }
}

fn texts(lake: &Lake, sql: &str) -> Vec<Option<String>> {
    let answer = query(&Catalog::open(lake).unwrap(), sql).unwrap();
    let column = |batch: &arrow::array::RecordBatch| {
        let column = cast(batch.column(0), &DataType::Utf8).unwrap();
        column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>()
    };
    answer.batches.iter().flat_map(column).collect()
}

fn class_at(layer: Value, expected: &str) -> Value {
    json!({"claim": format!("class {layer} {expected}"), "about": "rsa", "layer": layer, "expected": expected,
        "where": "hypothesis = 'class' AND site = 'resid_post' AND condition = 'with'"})
}

#[test]
fn the_row_that_a_claim_names_decides() {
    let home = tempfile::tempdir().unwrap();
    let lake = planted::make(home.path());
    let conditions = texts(&lake, "SELECT DISTINCT condition FROM prompts ORDER BY n_examples DESC");
    let with_examples = conditions[0].clone().unwrap();
    let named = |mut claim: Value| {
        for key in ["where", "minus"] {
            let sql = claim[key].as_str().map(|sql| sql.replace("'with'", &format!("'{with_examples}'")));
            if let Some(sql) = sql {
                claim[key] = json!(sql);
            }
        }
        claim
    };
    let claims = vec![
        named(class_at(json!(2), "positive")),
        named(class_at(json!(2), "negative")),
        named(json!({"claim": "class rather than size", "about": "rsa", "layer": 2, "expected": "positive",
            "where": "hypothesis = 'class' AND site = 'resid_post' AND condition = 'with'",
            "minus": "hypothesis = 'size' AND site = 'resid_post' AND condition = 'with'"})),
        named(
            json!({"claim": "too small to count", "about": "rsa", "layer": "last", "expected": "positive", "smallest": 0.9,
            "where": "hypothesis = 'class' AND site = 'resid_post' AND condition = 'with'"}),
        ),
        json!({"claim": "of no row", "about": "rsa", "where": "hypothesis = 'nothing'", "expected": "positive"}),
        json!({"claim": "of several rows", "about": "rsa", "where": "hypothesis = 'class'", "expected": "positive"}),
        json!({"claim": "a level", "about": "rsa", "value": "level", "layer": 2, "expected": "positive",
            "where": format!("hypothesis = 'class' AND site = 'resid_post' AND condition = '{with_examples}'")}),
    ];
    let n_claims = claims.len();
    run(&lake, MODEL, &questions(claims), &()).unwrap();
    let verdicts = texts(
        &lake,
        "SELECT claim || ': ' || verdict || coalesce(' (' || reason || ')', '') FROM claims ORDER BY claim",
    );
    let expected = [
        "a level: held",
        "class 2 negative: not held",
        "class 2 positive: held",
        "class rather than size: held",
        "of no row: cannot be told (no_row)",
        "of several rows: cannot be told (several_rows)",
        "too small to count: not held",
    ];
    assert_eq!(verdicts.into_iter().flatten().collect::<Vec<_>>(), expected);
    // A claim has its row's numbers and nothing else.
    let same = format!(
        "SELECT count(*) FROM claims AS c JOIN rsa AS r ON r.hypothesis = 'class' AND r.site = 'resid_post' AND r.layer = c.layer
        AND r.condition = c.condition AND r.study = c.study WHERE c.claim LIKE 'class 2%' AND c.estimate = r.change
        AND c.ci_low = r.change_ci_low AND c.ci_high = r.change_ci_high AND c.p_value = r.change_p_value AND c.n = r.n_prompts
        AND c.condition = '{with_examples}' AND c.detectable > 0 AND c.q_value >= c.p_value"
    );
    assert_eq!(texts(&lake, &same), [Some("2".to_owned())]);
    let request = ReportRequest {
        study: "s".to_owned(),
        tasks: vec![TASK.to_owned()],
        model: MODEL.to_owned(),
        ..ReportRequest::default()
    };
    let path = home.path().join("report.html");
    write_report(&lake, &request, &path).unwrap();
    let page = std::fs::read_to_string(path).unwrap();
    let (claims, behavior) = (page.find("<section id=\"claims\""), page.find("<section id=\"behavior\""));
    assert!(claims.is_some() && claims < behavior, "the page opens with the claims");
    assert!(page.contains(&format!("3 of {n_claims} held")), "{n_claims}");
}

#[test]
fn a_claim_about_columns_that_do_not_exist_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let lake = planted::make(home.path());
    let rows = |sql: &str| vec![json!({"claim": "c", "about": "rsa", "where": sql, "expected": "positive"})];
    for (sql, part) in [("hypotesis = 'class'", "hypotesis"), ("layer", "true or false")] {
        let error = run(&lake, MODEL, &questions(rows(sql)), &()).unwrap_err();
        assert!(
            matches!(error, AnalyzeError::Catalog(CatalogError::Expression { .. }))
                && error.to_string().contains(part),
            "{error}"
        );
    }
    assert!(
        lake.snapshot().unwrap().commits().all(|c| c.details.as_analyze().is_none()),
        "nothing is written"
    );
}

#[test]
fn a_least_effect_is_above_zero() {
    let claim = json!({"claim": "c", "task": TASK, "about": "rsa", "where": "true", "expected": "positive", "smallest": 0});
    let questions = Questions {
        entries: Entries::from_json(&json!({"claim": [claim]})).unwrap(),
        ..questions(Vec::new())
    };
    let home = tempfile::tempdir().unwrap();
    let error = run(&planted::make(home.path()), MODEL, &questions, &()).unwrap_err();
    assert!(error.to_string().contains("`smallest` must be a number above 0"), "{error}");
}
