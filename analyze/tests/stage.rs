//! The stage finds what was planted, where it was planted and nowhere else; refuses what cannot be
//! asked before it writes; and does nothing twice.

mod planted;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use hypercolumn_analyze::settings::AnalysisSettings;
use hypercolumn_analyze::{
    ANALYSES, Action, AnalyzeError, Catalog, CatalogError, Entries, Questions, plan, query, run,
};
use hypercolumn_schemas::{Lake, tables};
use planted::{MODEL, N_ITEMS, TASK};
use serde_json::{Value, json};

/// A study's entries, each about the planted task.
fn study(mut entries: Value) -> Questions {
    for entry in entries.as_object_mut().unwrap().values_mut().flat_map(|array| array.as_array_mut().unwrap())
    {
        entry.as_object_mut().unwrap().entry("task").or_insert(json!(TASK));
    }
    let analysis = AnalysisSettings { n_permutations: 199, ..AnalysisSettings::default() };
    Questions { analysis, entries: Entries::from_json(&entries).unwrap(), ..no_questions() }
}

fn no_questions() -> Questions {
    Questions { study: "s".to_owned(), ..Questions::default() }
}

fn all_entries() -> Value {
    json!({
        "rsa": [
            {"hypothesis": "same class", "sql": "a.class = b.class"},
            {"hypothesis": "same parity", "sql": "a.number % 2 = b.number % 2 AND a.number // 6 = b.number // 6",
             "control": true},
        ],
        "probe": [{"target": "class"}, {"name": "size", "target": "size"}],
        "attention_ratio": [{"query": "role = 'final'", "relevant": "role = 'informative'",
                             "irrelevant": "role = 'distractor'"}],
    })
}

fn all_questions() -> Questions {
    study(all_entries())
}

/// The first row of an answer, as numbers.
fn numbers(lake: &Lake, sql: &str) -> Vec<f64> {
    let answer = query(&Catalog::open(lake).unwrap(), sql).unwrap();
    let batch = &answer.batches[0];
    let value = |c: &std::sync::Arc<dyn Array>| {
        let column = cast(c, &DataType::Float64).unwrap();
        let column = column.as_primitive::<Float64Type>();
        if column.is_null(0) { f64::NAN } else { column.value(0) }
    };
    batch.columns().iter().map(value).collect()
}

fn number(lake: &Lake, sql: &str) -> f64 {
    numbers(lake, sql)[0]
}

#[test]
fn planted_effects_are_found_where_they_are() {
    let home = tempfile::tempdir().unwrap();
    let lake = planted::make(home.path());
    let outcomes = run(&lake, MODEL, &all_questions(), &()).unwrap();
    assert_eq!(outcomes.len(), ANALYSES.len());
    check_alignment(&lake);
    check_probes(&lake);
    check_ratios(&lake);
    check_behavior(&lake);
    check_associations(&lake);
    check_keys(&lake);
}

const PLANTED: &str = "condition = 'icl_4' AND layer IN (2, 3)";

fn check_alignment(lake: &Lake) {
    let of = "FROM rsa WHERE hypothesis = 'same class'";
    let found = format!(
        "SELECT min(estimate), max(p_value), max(q_value), max(p_value_fwer), min(ci_low),
        min(change), max(change_p_value), min(change_ci_low), count(*) {of} AND {PLANTED}"
    );
    let found = numbers(lake, &found);
    assert_eq!(found[8], 2.0 * 2.0 * 2.0, "layers, normalizations, comparisons");
    assert!(found[0] > 0.1, "{found:?}");
    assert_eq!(found[1], 1.0 / 200.0, "no permutation fits as well");
    assert!(found[2] < 0.03 && found[3] < 0.02 && found[4] > 0.0, "{found:?}");
    assert!(found[5] > 0.1 && found[6] < 0.03 && found[7] > 0.0, "{found:?}");
    let elsewhere = format!(
        "SELECT max(abs(estimate)), min(q_value), min(p_value_fwer), count(*) {of} AND NOT ({PLANTED})"
    );
    let elsewhere = numbers(lake, &elsewhere);
    assert!(elsewhere[0] < 0.1 && elsewhere[1] > 0.01 && elsewhere[2] > 0.01, "{elsewhere:?}");
    assert_eq!(elsewhere[3], 8.0 * 4.0);
    let control = "SELECT max(abs(estimate)), min(q_value) FROM rsa WHERE hypothesis = 'same parity'";
    assert!(number(lake, control) < 0.1);
    let design = "SELECT min(n_prompts), min(n_pairs), count(reference_condition) FROM rsa
        WHERE condition = 'icl_0'";
    assert_eq!(numbers(lake, design), [48.0, 1128.0, 0.0]);
}

fn check_probes(lake: &Lake) {
    let of = "FROM probes WHERE target = 'class' AND metric = 'balanced_accuracy'";
    let found = format!(
        "SELECT min(score), max(p_value), min(above_chance), max(baseline), max(n_classes) {of} AND {PLANTED}"
    );
    let found = numbers(lake, &found);
    assert!(found[0] > 0.5 && found[1] < 0.01 && found[2] > 0.2 && found[3] < 0.2, "{found:?}");
    assert_eq!(found[4], 6.0);
    let elsewhere = format!("SELECT max(score), min(q_value) {of} AND NOT ({PLANTED})");
    let elsewhere = numbers(lake, &elsewhere);
    assert!(elsewhere[0] < 0.4 && elsewhere[1] > 0.01, "{elsewhere:?}");
    let ridge = format!(
        "SELECT min(score), count(*) FROM probes WHERE target = 'size' AND probe = 'ridge' AND metric = 'r2' AND {PLANTED}"
    );
    assert!(number(lake, &ridge) > 0.1, "{:?}", numbers(lake, &ridge));
}

fn check_ratios(lake: &Lake) {
    let head =
        "SELECT ratio, ci_low, ratio_raw, relevant_tokens, irrelevant_tokens, n_prompts FROM attention_ratios
        WHERE condition = 'icl_4' AND layer = 3 AND head = 1";
    let head = numbers(lake, head);
    assert!((head[0] - 5.0).abs() < 0.4 && head[1] > 1.0, "{head:?}");
    assert_eq!([head[3], head[4], head[5]], [2.0, 2.0, 48.0]);
    let max = "SELECT ratio, top_head FROM attention_ratios
        WHERE condition = 'icl_4' AND layer = 3 AND head_reduction = 'max'";
    let max = numbers(lake, max);
    assert!(max[0] > 4.5 && max[1] == 1.0, "{max:?}");
    let mean = "SELECT ratio FROM attention_ratios
        WHERE condition = 'icl_4' AND layer = 3 AND head_reduction = 'mean'";
    assert!((number(lake, mean) - 3.0).abs() < 0.3);
    let elsewhere = "SELECT max(abs(log_ratio)), count(*) FROM attention_ratios WHERE NOT (condition = 'icl_4' AND layer = 3)";
    let elsewhere = numbers(lake, elsewhere);
    assert!(elsewhere[0] < 0.1, "{elsewhere:?}");
    assert_eq!(elsewhere[1], (4.0 * 2.0 - 1.0) * 4.0, "layers, conditions, heads and reductions");
}

fn check_behavior(lake: &Lake) {
    let errors = "SELECT avg(score), count(score), count(*), count(parsed) FROM behavior
        WHERE metric = 'absolute_error' AND condition = 'icl_0'";
    assert_eq!(numbers(lake, errors), [10.0, 44.0, 48.0, 44.0]);
    let likely = "SELECT avg(score), count(score) FROM behavior
        WHERE metric = 'expected_logprob' AND condition = 'icl_0'";
    assert_eq!(numbers(lake, likely), [-6.0, N_ITEMS as f64]);
}

#[test]
fn a_score_in_sql_is_a_metric_like_those_that_are_built_in() {
    let home = tempfile::tempdir().unwrap();
    let lake = planted::make(home.path());
    let score = |metric: &str, sql: &str| json!({"metric": metric, "sql": sql});
    let questions = study(json!({"score": [
        score("closeness", "-abs(nullif(regexp_extract(response, '[0-9.]+'), '')::DOUBLE - expected::DOUBLE)"),
        score("is a number", "regexp_matches(response, '[0-9]')"),
        score("of a class", "CASE WHEN class = 'c0' THEN n_tokens / 0.0 ELSE 1 END"),
    ]}));
    run(&lake, MODEL, &questions, &()).unwrap();
    // The planted responses are numbers, but for four without one: the absolute error is the rival computation.
    let same = "SELECT count(*) FROM behavior AS a JOIN behavior AS b USING (prompt_id)
        WHERE a.metric = 'closeness' AND b.metric = 'absolute_error' AND a.score IS DISTINCT FROM -b.score";
    assert_eq!(number(&lake, same), 0.0);
    let share =
        "SELECT sum(score), count(*) FROM behavior WHERE metric = 'is a number' AND condition = 'icl_0'";
    assert_eq!(numbers(&lake, share), [44.0, 48.0]);
    let infinite = "SELECT count(score) < count(*), min(score) FROM behavior WHERE metric = 'of a class'";
    assert_eq!(numbers(&lake, infinite), [1.0, 1.0]);
    let associated =
        "SELECT count(*) FROM associations WHERE measure = 'behavior' AND behavior_metric = 'closeness'";
    assert!(number(&lake, associated) > 0.0);
    let refusal = |metric: &str, sql: &str| {
        run(&lake, MODEL, &study(json!({"score": [score(metric, sql)]})), &())
            .expect_err("refused")
            .to_string()
    };
    for (metric, sql, parts) in [
        ("contains", "1", &["[[score]] 1", "`contains` is a metric that every study has"][..]),
        ("m", "response || 'x'", &["a score is a number, or true or false"]),
        ("m", "respons = expected", &["[[score]] 1 \"m\"", "respons"]),
        ("m", "random()", &["another value every time"]),
    ] {
        let refusal = refusal(metric, sql);
        assert!(parts.iter().all(|part| refusal.contains(part)), "{refusal}");
    }
}

fn check_associations(lake: &Lake) {
    let alignment =
        "SELECT estimate, q_value, ci_low, n FROM associations WHERE measure = 'alignment: same class'
        AND statistic = 'spearman' AND behavior_metric = 'expected_logprob' AND layer = 2";
    let alignment = numbers(lake, alignment);
    assert!(alignment[0] > 0.3 && alignment[1] < 0.05 && alignment[2] > 0.0, "{alignment:?}");
    assert_eq!(alignment[3], N_ITEMS as f64);
    let elsewhere = "SELECT min(q_value), count(*) FROM associations WHERE measure = 'alignment: same class'
        AND statistic = 'spearman' AND layer NOT IN (2)";
    let elsewhere = numbers(lake, elsewhere);
    assert!(elsewhere[0] > 0.05 && elsewhere[1] == 8.0, "{elsewhere:?}");
    let behavior = "SELECT estimate, n, layer FROM associations WHERE measure = 'behavior'
        AND statistic = 'paired_t' AND behavior_metric = 'absolute_error'";
    let behavior = numbers(lake, behavior);
    assert!(behavior[0] > 5.0 && behavior[1] == 44.0 && behavior[2] == -1.0, "{behavior:?}");
}

#[test]
fn probes_transfer_between_conditions_and_give_a_description_length() {
    let home = tempfile::tempdir().unwrap();
    let lake = planted::make(home.path());
    let questions = study(json!({"probe": [
        {"target": "class", "mdl": true},
        {"name": "class from icl_0", "target": "class", "train": "icl_0"},
    ]}));
    run(&lake, MODEL, &questions, &()).unwrap();
    let of = "FROM probes WHERE target = 'class' AND metric = 'compression'";
    let planted = numbers(
        &lake,
        &format!("SELECT min(score), max(baseline), max(chance), count(p_value) {of} AND {PLANTED}"),
    );
    assert!(planted[0] > 1.2 && planted[1] == 1.0 && planted[2] < 1.1 && planted[3] == 0.0, "{planted:?}");
    let elsewhere = numbers(&lake, &format!("SELECT max(score), count(*) {of} AND NOT ({PLANTED})"));
    assert!(elsewhere[0] < 1.1 && elsewhere[1] > 0.0, "{elsewhere:?}");
    // icl_0 has no signal, so that nothing learned there can be read from icl_4.
    let of = "FROM probes WHERE target = 'class from icl_0' AND metric = 'balanced_accuracy'";
    let sql = format!(
        "SELECT count(*), count(DISTINCT condition), count_if(train_condition = 'icl_0'), min(p_value) {of}"
    );
    let transferred = numbers(&lake, &sql);
    assert!(
        transferred[0] > 0.0 && transferred[1] == 1.0 && transferred[0] == transferred[2],
        "{transferred:?}"
    );
    let refusal = |probe: Value| {
        run(&lake, MODEL, &study(json!({"probe": [probe]})), &()).expect_err("refused").to_string()
    };
    for (probe, part) in [
        (json!({"target": "class", "train": "icl_9"}), "`icl_0`"),
        (json!({"target": "size", "mdl": true}), "a code of classes"),
        (json!({"target": "class", "train": "icl_0", "mdl": true}), "with `train` there is neither"),
    ] {
        let refusal = refusal(probe);
        assert!(refusal.contains(part), "{refusal}");
    }
}

/// Every result table's key is a key, and no number is NaN.
fn check_keys(lake: &Lake) {
    let results = [
        &tables::BEHAVIOR,
        &tables::RSA,
        &tables::PROBES,
        &tables::PREDICTIONS,
        &tables::ATTENTION_RATIOS,
        &tables::MEASURES,
        &tables::ASSOCIATIONS,
    ];
    for table in results {
        let key = table.key.join(", ");
        let sql = format!("SELECT count(*), count(DISTINCT ({key})) FROM {}", table.name);
        let found = numbers(lake, &sql);
        assert!(found[0] > 0.0 && found[0] == found[1], "{}: {found:?}", table.name);
    }
    assert_eq!(number(lake, "SELECT count(*) FROM rsa WHERE isnan(estimate) OR isnan(p_value)"), 0.0);
}

#[test]
fn the_same_values_come_from_any_number_of_threads() {
    let home = tempfile::tempdir().unwrap();
    let lake = planted::make(home.path());
    let sums = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let mut questions = all_questions();
        // Another seed and back, so that everything is computed again.
        questions.analysis.seed = 8;
        run(&lake, MODEL, &questions, &()).unwrap();
        questions.analysis.seed = 7;
        pool.install(|| run(&lake, MODEL, &questions, &())).unwrap();
        let snapshot = lake.snapshot().unwrap();
        let files = snapshot.commits().filter(|c| c.details.as_analyze().is_some()).flat_map(|c| &c.files);
        files.map(|f| f.blake3.clone()).collect::<Vec<_>>()
    };
    assert_eq!(sums(1), sums(3));
}

#[test]
fn what_is_done_is_reused_and_a_changed_setting_re_runs_what_depends_on_it() {
    let home = tempfile::tempdir().unwrap();
    let lake = planted::make(home.path());
    let mut entries = all_entries();
    let questions = all_questions();
    let actions = |questions: &Questions| -> Vec<Action> {
        plan(&lake.snapshot().unwrap(), MODEL, questions).unwrap().iter().map(|s| s.action).collect()
    };
    use Action::{Reuse, Run};
    assert_eq!(actions(&questions), [Run; 6]);
    run(&lake, MODEL, &questions, &()).unwrap();
    assert_eq!(actions(&questions), [Reuse; 6]);
    let n_commits = lake.snapshot().unwrap().commits().count();
    let again = run(&lake, MODEL, &questions, &()).unwrap();
    assert!(
        again.iter().all(|o| o.step.action == Reuse && (o.n_rows > 0 || o.step.analysis.name() == "claims"))
    );
    assert_eq!(lake.snapshot().unwrap().commits().count(), n_commits);
    entries["rsa"][0]["sql"] = json!("a.class = b.class AND true");
    let questions = study(entries.clone());
    assert_eq!(actions(&questions), [Reuse, Run, Reuse, Reuse, Run, Reuse]);
    let reason = &plan(&lake.snapshot().unwrap(), MODEL, &questions).unwrap()[1].reason;
    assert!(reason.contains("sql was \"a.class = b.class\", is \"a.class = b.class AND true\""), "{reason}");
    run(&lake, MODEL, &questions, &()).unwrap();
    assert_eq!(actions(&questions), [Reuse; 6]);
    entries["attention_ratio"] = json!([]);
    let questions = study(entries);
    run(&lake, MODEL, &questions, &()).unwrap();
    assert_eq!(number(&lake, "SELECT count(*) FROM attention_ratios"), 0.0);
    assert_eq!(number(&lake, "SELECT count(*) FROM measures WHERE measure LIKE 'attention%'"), 0.0);
    planted::write_extraction(&lake, 1, 2, true);
    let reason = &plan(&lake.snapshot().unwrap(), MODEL, &questions).unwrap()[0].reason;
    assert!(reason.contains("reads"), "{reason}");
}

#[test]
fn a_result_depends_on_every_table_that_its_sql_reads() {
    let home = tempfile::tempdir().unwrap();
    let lake = planted::make(home.path());
    let ratio = |relevant: &str| json!({"attention_ratio": [{"query": "role = 'final'", "relevant": relevant, "irrelevant": "role = 'distractor'"}]});
    let reading =
        study(ratio("role = 'informative' AND (SELECT count(*) FROM \"Responses\" WHERE n_tokens > 0) > 0"));
    let not_reading = study(ratio("role = 'informative' OR role = 'responses'"));
    let action = |questions: &Questions| plan(&lake.snapshot().unwrap(), MODEL, questions).unwrap().remove(3);
    run(&lake, MODEL, &not_reading, &()).unwrap();
    planted::write_response_of_another_model(&lake, "one");
    assert_eq!(action(&not_reading).action, Action::Reuse);
    run(&lake, MODEL, &reading, &()).unwrap();
    assert_eq!(action(&reading).action, Action::Reuse);
    planted::write_response_of_another_model(&lake, "two");
    let changed = action(&reading);
    assert_eq!(changed.action, Action::Run);
    assert!(changed.reason.contains("reads"), "{}", changed.reason);
}

#[test]
fn sql_that_cannot_be_asked_is_refused_before_anything_is_written() {
    let home = tempfile::tempdir().unwrap();
    let lake = planted::make(home.path());
    let rsa = |sql: &str| study(json!({"rsa": [{"hypothesis": "h", "sql": sql}]}));
    let probe = |target: &str| study(json!({"probe": [{"target": target}]}));
    let ratio = |query: &str| {
        let entry =
            json!({"query": query, "relevant": "role = 'informative'", "irrelevant": "role = 'distractor'"});
        study(json!({"attention_ratio": [entry]}))
    };
    let cases = [
        (rsa("a.clas = b.class"), vec!["[[rsa]] 1 \"h\"", "\"clas\"", "class", "LINE"]),
        (rsa("a.class = = b.class"), vec!["syntax error", "LINE 2: a.class = = b.class"]),
        (rsa("a.class"), vec!["a number or a boolean"]),
        (rsa("a.size - b.size"), vec!["(b, a)", "p000-0"]),
        (rsa("1) , (2"), vec!["not one SQL expression"]),
        (rsa("1; SELECT 2"), vec!["syntax error"]),
        (rsa("count(*)"), vec!["GROUP BY"]),
        (rsa("a.size / 0"), vec!["not finite"]),
        (probe("colour"), vec!["[[probe]] 1 \"colour\"", "`target`", "colour"]),
        (ratio("role = 'finale'"), vec!["[[attention_ratio]] 1", "no segment"]),
        (ratio("role"), vec!["true or false"]),
        (ratio("rol = 'final'"), vec!["\"rol\"", "role"]),
    ];
    for (questions, parts) in cases {
        let error = run(&lake, MODEL, &questions, &()).unwrap_err();
        let message = error.to_string();
        assert!(
            matches!(error, AnalyzeError::Catalog(CatalogError::Expression { .. })) && error.is_bad_input(),
            "{message}"
        );
        for part in parts {
            assert!(message.contains(part), "`{part}` is missing in: {message}");
        }
    }
    assert_eq!(lake.snapshot().unwrap().commits().filter(|c| c.details.as_analyze().is_some()).count(), 0);
    assert!(lake.garbage().unwrap().files.is_empty());
}

#[test]
fn entries_that_make_no_sense_are_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let lake = planted::make(home.path());
    let refusal = |questions: &Questions| {
        let error = run(&lake, MODEL, questions, &()).unwrap_err();
        assert!(matches!(error, AnalyzeError::Entry { .. }), "{error}");
        error.to_string()
    };
    let refused = |key: &str, index: usize, changed: Value| {
        let mut entries = all_entries();
        let entry = entries[key][index].as_object_mut().unwrap();
        entry.extend(changed.as_object().unwrap().clone());
        refusal(&study(entries))
    };
    let found = refused("rsa", 1, json!({"hypothesis": "same class"}));
    assert!(found.contains("[[rsa]] 2") && found.contains("same name"), "{found}");
    let found = refused("probe", 1, json!({"segment": "example"}));
    assert!(found.contains("example") && found.contains("prompt (mean)"), "{found}");
    let found = refused("rsa", 0, json!({"where": "class = 'none'"}));
    assert!(found.contains("no prompt"), "{found}");
    let found = refused("rsa", 0, json!({"comparison": []}));
    assert!(found.contains("`comparison` must name at least one"), "{found}");
    let found = refused("rsa", 0, json!({"task": "other"}));
    assert!(found.contains("`other`") && found.contains("`planted`"), "{found}");
    let mut questions = all_questions();
    questions.analysis.confidence = 95.0;
    let found = refusal(&questions);
    assert!(found.contains("confidence"), "{found}");
    assert_eq!(lake.snapshot().unwrap().commits().filter(|c| c.details.as_analyze().is_some()).count(), 0);
}

#[test]
fn missing_inputs_are_named_with_what_there_is() {
    let home = tempfile::tempdir().unwrap();
    let lake = planted::make(home.path());
    let fail = |model: &str, tasks: &[&str]| {
        let tasks = tasks.iter().map(|t| t.to_string()).collect();
        plan(&lake.snapshot().unwrap(), model, &Questions { tasks, ..no_questions() })
            .unwrap_err()
            .to_string()
    };
    assert!(fail(MODEL, &["plantd"]).contains("it has `planted`"));
    let found = fail("other", &[TASK]);
    assert!(found.contains("has not read") && found.contains("`planted` by `toy/model 1`"), "{found}");
    planted::write_extraction(&lake, 1, 8, false);
    let found = fail(MODEL, &[]);
    assert!(found.contains("`planted`") && found.contains("2 of 8 shards"), "{found}");
}

#[test]
fn rectangles_masks_and_blocks_work_together() {
    let home = tempfile::tempdir().unwrap();
    let lake = planted::make(home.path());
    let rsa = json!([
        {"hypothesis": "other side", "sql": "a.class = b.class", "rows": "number % 2 = 0", "columns": "number % 2 = 1",
         "comparison": ["spearman"], "normalization": ["standardize"]},
        {"hypothesis": "same item", "sql": "a.item_id = b.item_id", "rows": "condition = 'icl_4'",
         "columns": "condition = 'icl_0'", "comparison": ["rho_a"]},
        {"hypothesis": "masked", "sql": "CASE WHEN a.number + b.number > 40 THEN a.class = b.class END",
         "blocks": "number % 2", "comparison": ["pearson"]},
        {"hypothesis": "nothing", "sql": "1"},
    ]);
    run(&lake, MODEL, &study(json!({"rsa": rsa})), &()).unwrap();
    // Classes of odd and even numbers never agree, so that rectangle has nothing to say.
    let constant = "SELECT count(*), count(estimate) FROM rsa
        WHERE hypothesis IN ('other side', 'nothing') AND reason = 'constant_hypothesis'";
    assert_eq!(numbers(&lake, constant), [50.0, 0.0]);
    let same_item =
        "SELECT min(n_pairs), min(n_prompts), count(p_value) FROM rsa WHERE hypothesis = 'same item'";
    assert_eq!(numbers(&lake, same_item), [2304.0, 96.0, 10.0]);
    let masked = format!(
        "SELECT min(estimate), max(p_value), max(n_pairs) FROM rsa WHERE hypothesis = 'masked' AND {PLANTED}"
    );
    let masked = numbers(&lake, &masked);
    assert!(masked[0] > 0.1 && masked[1] < 0.05 && masked[2] < 1128.0, "{masked:?}");
}

#[test]
fn a_hypothesis_that_says_the_same_of_all_pairs_is_named() {
    let home = tempfile::tempdir().unwrap();
    let lake = planted::make(home.path());
    let rsa = json!({"rsa": [{"hypothesis": "all alike", "sql": "true"}, {"hypothesis": "same class", "sql": "a.class = b.class"}]});
    let warnings = planted::Warnings::default();
    run(&lake, MODEL, &study(rsa), &warnings).unwrap();
    let said = warnings.0.lock().unwrap().join("\n");
    assert!(said.contains("hypothesis `all alike` has the same value for all pairs"), "{said}");
    assert!(said.contains("icl_4, so that its rows there are null"), "{said}");
    assert!(!said.contains("`same class` has"), "{said}");
}
