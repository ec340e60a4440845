//! What a study may say of units, clusters, references and families, and what is refused or warned of.

#[path = "calibration/lake.rs"]
mod noise;
mod planted;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use hypercolumn_analyze::report::ReportRequest;
use hypercolumn_analyze::settings::AnalysisSettings;
use hypercolumn_analyze::{
    AnalyzeError, Catalog, Contrast, Entries, Questions, TaskDesign, query, run, write_report,
};
use hypercolumn_schemas::{Lake, Progress};
use planted::{MODEL, N_ITEMS, TASK, Warnings};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn questions(entries: Value, design: TaskDesign) -> Questions {
    let analysis = AnalysisSettings { n_permutations: 99, n_refits: 19, ..AnalysisSettings::default() };
    Questions {
        study: "s".to_owned(),
        analysis,
        designs: BTreeMap::from([(TASK.to_owned(), design)]),
        entries: Entries::from_json(&entries).unwrap(),
        ..Questions::default()
    }
}

fn rsa(entry: Value) -> Value {
    let mut entry = entry;
    let defaults = json!({"task": TASK, "hypothesis": "h", "sql": "a.class = b.class",
        "normalization": ["standardize"], "comparison": ["spearman"]});
    for (key, value) in defaults.as_object().unwrap() {
        entry.as_object_mut().unwrap().entry(key).or_insert(value.clone());
    }
    json!({"rsa": [entry]})
}

/// Analyses a fresh lake, which is kept for as long as the directory.
fn analyse(
    questions: &Questions,
    progress: &dyn Progress,
) -> Result<(tempfile::TempDir, Lake), AnalyzeError> {
    let home = tempfile::tempdir().unwrap();
    let lake = planted::make(home.path());
    run(&lake, MODEL, questions, progress)?;
    Ok((home, lake))
}

fn refusal(entries: Value, design: TaskDesign) -> String {
    analyse(&questions(entries, design), &()).map(|_| ()).expect_err("refused").to_string()
}

fn number(lake: &Lake, sql: &str) -> f64 {
    let answer = query(&Catalog::open(lake).unwrap(), sql).unwrap();
    let column = cast(answer.batches[0].column(0), &DataType::Float64).unwrap();
    column.as_primitive::<Float64Type>().iter().next().flatten().unwrap_or(f64::NAN)
}

#[test]
fn a_prompt_on_both_sides_of_a_rectangle_is_named() {
    let overlapping = rsa(json!({"rows": "number < 20", "columns": "number > 18"}));
    let refusal = refusal(overlapping, TaskDesign::default());
    assert!(refusal.contains("`p019-0` satisfies both `rows` and `columns`"), "{refusal}");
}

#[test]
fn the_side_that_is_not_given_is_every_other_prompt() {
    let entries = rsa(json!({"rows": "number < 20"}));
    let (_home, lake) = analyse(&questions(entries, TaskDesign::default()), &()).unwrap();
    assert_eq!(number(&lake, "SELECT max(n_pairs) FROM rsa"), (20 * (N_ITEMS - 20)) as f64);
    assert_eq!(number(&lake, "SELECT max(n_units) FROM rsa"), 20.0);
}

#[test]
fn units_follow_from_the_hypothesis() {
    let design = TaskDesign { cluster: Some("size".to_owned()), reference: None, ..TaskDesign::default() };
    let entries = json!({"rsa": [
        {"task": TASK, "hypothesis": "of clusters", "sql": "-abs(a.size - b.size)"},
        {"task": TASK, "hypothesis": "of items", "sql": "a.class = b.class"},
        {"task": TASK, "hypothesis": "within clusters", "sql": "a.size = b.size"},
    ]});
    let (_home, lake) = analyse(&questions(entries, design), &()).unwrap();
    let units =
        |name: &str| number(&lake, &format!("SELECT max(n_units) FROM rsa WHERE hypothesis = '{name}'"));
    assert_eq!(units("of clusters"), 8.0);
    assert_eq!(units("of items"), N_ITEMS as f64);
    assert_eq!(units("within clusters"), N_ITEMS as f64);
    assert_eq!(number(&lake, "SELECT min(n_clusters) FROM rsa"), 8.0);
    let pairs =
        |name: &str| number(&lake, &format!("SELECT max(n_pairs) FROM rsa WHERE hypothesis = '{name}'"));
    assert_eq!(pairs("of clusters"), (8 * 7 / 2 * 36) as f64, "pairs within a unit are left out");
    assert_eq!(pairs("of items"), (N_ITEMS * (N_ITEMS - 1) / 2) as f64);
}

#[test]
fn items_that_share_what_a_hypothesis_uses_are_warned_of() {
    let warnings = Warnings::default();
    let entries = rsa(json!({"sql": "-abs(a.size - b.size)"}));
    analyse(&questions(entries.clone(), TaskDesign::default()), &warnings).unwrap();
    let said = warnings.0.lock().unwrap().join("\n");
    assert!(said.contains("48 items share 8 values") && said.contains("`units`"), "{said}");
    let quiet = Warnings::default();
    let design = TaskDesign { cluster: Some("size".to_owned()), reference: None, ..TaskDesign::default() };
    analyse(&questions(entries, design), &quiet).unwrap();
    assert!(!quiet.0.lock().unwrap().iter().any(|said| said.contains("`units`")));
}

#[test]
fn permutations_too_few_for_a_family_are_warned_of() {
    let warnings = Warnings::default();
    let probe = json!({"probe": [{"task": TASK, "target": "class"}]});
    analyse(&questions(probe, TaskDesign::default()), &warnings).unwrap();
    // Five layers and two conditions: one row of ten has q ≥ 10 / 20.
    let said = warnings.0.lock().unwrap().join("\n");
    assert!(
        said.contains("n_refits = 19 and a family of 10 rows") && said.contains("n_refits = 200"),
        "{said}"
    );
}

#[test]
fn the_declared_reference_is_compared_with() {
    let design = TaskDesign { cluster: None, reference: Some("icl_4".to_owned()), ..TaskDesign::default() };
    let (_home, lake) = analyse(&questions(rsa(json!({})), design), &()).unwrap();
    let sql = "SELECT count(*) FROM rsa WHERE condition = 'icl_0' AND reference_condition = 'icl_4'";
    assert_eq!(number(&lake, sql), 5.0);
    assert_eq!(number(&lake, "SELECT count(*) FROM associations WHERE reference_condition <> 'icl_4'"), 0.0);
    let unknown = TaskDesign { cluster: None, reference: Some("icl_9".to_owned()), ..TaskDesign::default() };
    let refusal = refusal(rsa(json!({})), unknown);
    assert!(refusal.contains("`icl_9`") && refusal.contains("`icl_0`, `icl_4`"), "{refusal}");
}

#[test]
fn a_family_is_what_is_corrected_together() {
    let entries = json!({"rsa": [
        {"task": TASK, "hypothesis": "one", "sql": "a.class = b.class", "family": "both"},
        {"task": TASK, "hypothesis": "two", "sql": "a.number % 2 = b.number % 2", "family": "both"},
    ]});
    let (_home, lake) = analyse(&questions(entries, TaskDesign::default()), &()).unwrap();
    assert_eq!(number(&lake, "SELECT count(DISTINCT family) FROM rsa"), 1.0);
    // Benjamini & Hochberg 1995: the least of p · n / rank over this and all larger p.
    let sql = "SELECT max(abs(q_value - expected)) FROM (SELECT q_value, least(1, min(p_value * n / rank) OVER (
        ORDER BY p_value DESC, rank DESC ROWS UNBOUNDED PRECEDING)) AS expected FROM (SELECT *, count(*) OVER () AS n,
        rank() OVER (ORDER BY p_value) + count(*) OVER (PARTITION BY p_value) - 1 AS rank
        FROM rsa WHERE p_value IS NOT NULL))";
    assert!(number(&lake, sql) < 1e-9, "{}", number(&lake, sql));
    assert_eq!(number(&lake, "SELECT count(*) FROM rsa WHERE p_value_fwer < p_value"), 0.0);
}

#[test]
fn nuisances_are_held_constant() {
    let entries = json!({"rsa": [
        {"task": TASK, "hypothesis": "plain", "sql": "a.class = b.class", "comparison": ["spearman"]},
        {"task": TASK, "hypothesis": "held", "sql": "a.class = b.class",
         "nuisances": ["abs(a.number - b.number)", "words_in_common", "length"]},
        {"task": TASK, "hypothesis": "itself", "sql": "a.class = b.class", "nuisances": ["2 * CAST(a.class = b.class AS INT)"]},
        {"task": TASK, "hypothesis": "beyond words", "sql": "a.class = b.class", "nuisances": ["layer_0"]},
    ]});
    let (_home, lake) = analyse(&questions(entries, TaskDesign::default()), &()).unwrap();
    let sql = "SELECT max(abs(h.unadjusted - p.estimate)) FROM rsa AS h JOIN rsa AS p USING (condition, layer, normalization)
        WHERE h.hypothesis = 'held' AND p.hypothesis = 'plain'";
    assert!(number(&lake, sql) < 1e-12, "{}", number(&lake, sql));
    let sql =
        "SELECT count(*) FROM rsa WHERE hypothesis = 'held' AND (comparison <> 'spearman' OR estimate IS NULL
        OR p_value IS NULL OR estimate = unadjusted OR p_value_fwer < p_value)";
    assert_eq!(number(&lake, sql), 0.0);
    let sql = "SELECT count(*) FROM rsa WHERE hypothesis = 'itself' AND reason IS DISTINCT FROM 'explained_by_nuisance'";
    assert_eq!(number(&lake, sql), 0.0);
    let sql =
        "SELECT count(*) FROM rsa WHERE hypothesis = 'beyond words' AND (estimate IS NULL) <> (layer = 0)";
    assert_eq!(number(&lake, sql), 0.0);
    // What layers 2 and 3 are made to represent is not in the words; change is tested as without nuisances.
    let sql = "SELECT max(p_value) FROM rsa WHERE hypothesis = 'beyond words' AND layer = 3 AND condition = 'icl_4'";
    assert!(number(&lake, sql) <= 0.01);
    let sql = "SELECT max(change_p_value) FROM rsa WHERE hypothesis = 'beyond words' AND layer = 3";
    assert!(number(&lake, sql) <= 0.01);
}

#[test]
fn cka_compares_kernels() {
    let entry = json!({"comparison": ["cka"], "similarity": ["inner_product"], "normalization": ["center"]});
    let (_home, lake) = analyse(&questions(rsa(entry), TaskDesign::default()), &()).unwrap();
    let of_layer = |layer: i32, what: &str| {
        number(&lake, &format!("SELECT {what} FROM rsa WHERE layer = {layer} AND condition = 'icl_4'"))
    };
    assert!(of_layer(3, "p_value") <= 0.01 && of_layer(3, "ci_low") > 0.0);
    assert!(of_layer(1, "abs(estimate)") < 0.2 && of_layer(3, "estimate") > 0.3);
}

#[test]
fn comparisons_that_have_no_such_form_are_refused() {
    let refused = |entry| refusal(rsa(entry), TaskDesign::default());
    let held = refused(json!({"comparison": ["rho_a"], "nuisances": ["length"]}));
    assert!(held.contains("rho_a has no form") && held.contains("spearman"), "{held}");
    let rectangle = refused(json!({"comparison": ["cka"], "rows": "number < 20"}));
    assert!(rectangle.contains("cka compares all prompts"), "{rectangle}");
    let sql = refused(json!({"comparison": ["spearman"], "nuisances": ["a.nonsense"]}));
    assert!(sql.contains("nuisances") && sql.contains("nonsense"), "{sql}");
}

#[test]
fn the_maximum_over_heads_is_not_tested_and_attention_that_was_not_kept_is_said() {
    let ratio = |query: &str| {
        json!({"attention_ratio": [{"task": TASK, "query": query, "relevant": "role = 'informative'",
            "irrelevant": "role = 'distractor'"}]})
    };
    let (_home, lake) = analyse(&questions(ratio("role = 'final'"), TaskDesign::default()), &()).unwrap();
    let max =
        "SELECT count(p_value) + count(change_p_value) FROM attention_ratios WHERE head_reduction = 'max'";
    assert_eq!(number(&lake, max), 0.0);
    assert!(number(&lake, "SELECT count(p_value) FROM attention_ratios") > 0.0);
    let refusal = refusal(ratio("role = 'prompt'"), TaskDesign::default());
    assert!(refusal.contains("attention.query_roles"), "{refusal}");
}

fn against(condition: &str, reference: &str) -> Contrast {
    Contrast { name: None, condition: condition.to_owned(), reference: reference.to_owned() }
}

fn with_contrasts(contrasts: Vec<Contrast>) -> TaskDesign {
    TaskDesign { contrasts, ..TaskDesign::default() }
}

#[test]
fn declared_contrasts_are_the_changes_of_every_analysis() {
    let entries = json!({
        "rsa": [{"task": TASK, "hypothesis": "h", "sql": "a.class = b.class"}],
        "attention_ratio": [{"task": TASK, "name": "ratio", "query": "role = 'final'", "relevant": "role = 'informative'",
            "irrelevant": "role = 'distractor'"}],
    });
    let design = with_contrasts(vec![
        against("icl_4", "icl_0"),
        Contrast { name: Some("back".to_owned()), ..against("icl_0", "icl_4") },
    ]);
    let (home, lake) = analyse(&questions(entries, design), &()).unwrap();
    // The first is the change from the reference condition, which the analyses' own tables have.
    let sql = "SELECT count(*) FROM rsa AS r JOIN contrasts AS c ON c.analysis = 'rsa' AND c.question = r.hypothesis
        AND c.contrast = 'icl_4 against icl_0' AND c.layer = r.layer AND c.site = r.site
        AND c.variant = concat_ws(', ', role, pooling, normalization, similarity, comparison)
        WHERE r.condition = 'icl_4' AND c.change = r.change AND c.p_value = r.change_p_value AND c.q_value IS NOT NULL
        AND c.ci_low = r.change_ci_low AND c.p_value_fwer >= c.p_value";
    assert_eq!(number(&lake, sql), 5.0 * 2.0 * 2.0, "layers, normalizations, comparisons");
    let sql = "SELECT count(*) FROM attention_ratios AS r JOIN contrasts AS c ON c.analysis = 'attention_ratios'
        AND c.question = 'ratio' AND c.contrast = 'icl_4 against icl_0' AND c.layer = r.layer AND c.head = r.head
        AND c.variant = r.head_reduction
        WHERE r.condition = 'icl_4' AND c.change IS NOT DISTINCT FROM r.change
        AND c.p_value IS NOT DISTINCT FROM r.change_p_value AND (c.p_value IS NULL) >= (c.variant = 'max')";
    assert_eq!(number(&lake, sql), 4.0 * 4.0, "layers; two heads, mean and max");
    let sql = "SELECT max(abs(c.change - a.estimate)) + max(abs(c.p_value - a.p_value)) FROM contrasts AS c
        JOIN associations AS a ON a.measure = 'behavior' AND a.statistic = 'paired_t' AND a.behavior_metric = c.question
        AND a.condition = c.condition AND a.reference_condition = c.reference_condition WHERE c.analysis = 'behavior'";
    assert!(number(&lake, sql) < 1e-12, "{}", number(&lake, sql));
    // The other way round everything changes its sign, in the associations of what changes too.
    let sql = "SELECT max(abs(a.change + b.change)) FROM contrasts AS a
        JOIN contrasts AS b USING (analysis, question, variant, layer, site, head)
        WHERE a.contrast = 'back' AND b.contrast <> 'back'";
    assert!(number(&lake, sql) < 1e-12);
    let sql = "SELECT max(abs(a.estimate - b.estimate)) FROM associations AS a
        JOIN associations AS b USING (measure, layer, behavior_metric, statistic)
        WHERE a.statistic = 'pearson' AND a.reference_condition = 'icl_4' AND b.reference_condition = 'icl_0'";
    assert!(number(&lake, sql) < 1e-12);
    let sql =
        "SELECT count(*) FILTER (contrast = 'back') = count(*) FILTER (contrast IS NULL) FROM associations";
    assert_eq!(number(&lake, sql), 1.0);
    // Every section tells them, and takes none for a change from the reference condition.
    let (study, tasks, model) = ("s".to_owned(), vec![TASK.to_owned()], MODEL.to_owned());
    let request = ReportRequest { study, tasks, model, ..ReportRequest::default() };
    let path = home.path().join("report.html");
    write_report(&lake, &request, &path).unwrap();
    let page = std::fs::read_to_string(path).unwrap();
    for said in [
        "Contrast “back”, n = 48 items: With 0 examples instead of 4, alignment with “h” falls at",
        "Contrast “back”, n = 48 items: With 0 examples instead of 4, the preference for “informative” ",
        "Change of measures against rise of expected logprob, contrast “back”",
        "Contrast “back”, with 0 examples instead of 4: expected logprob changes by −",
    ] {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn contrasts_that_compare_nothing_are_refused() {
    let refused = |contrasts| refusal(rsa(json!({})), with_contrasts(contrasts));
    let unknown = refused(vec![against("icl_4", "icl_9")]);
    assert!(unknown.contains("[[contrast]]") && unknown.contains("`reference` is `icl_9`"), "{unknown}");
    assert!(refused(vec![against("icl_4", "icl_4")]).contains("with itself"));
    let twice = refused(vec![against("icl_4", "icl_0"), against("icl_4", "icl_0")]);
    assert!(twice.contains("the same name"), "{twice}");
}

#[test]
fn a_hypothesis_is_compared_with_its_rival() {
    let entry = |rival: &str| {
        rsa(
            json!({"rival": rival, "sql": "CASE WHEN a.number <> 3 AND b.number <> 3 THEN a.class = b.class END"}),
        )
    };
    let (_home, lake) =
        analyse(&questions(entry("a.number % 2 = b.number % 2"), TaskDesign::default()), &()).unwrap();
    let sql = "SELECT max(abs(estimate - rival_estimate - rival_difference)) FROM rsa";
    assert!(number(&lake, sql) < 1e-12, "where the hypothesis is null, the rival says nothing either");
    let of_layer = |layer: i32, what: &str| {
        number(&lake, &format!("SELECT {what} FROM rsa WHERE layer = {layer} AND condition = 'icl_4'"))
    };
    assert!(of_layer(3, "rival_ci_low") > 0.0 && of_layer(3, "rival_p_value_fwer") < 0.05);
    assert!(of_layer(1, "rival_p_value") > 0.01 && of_layer(3, "rival_p_value_fwer >= rival_p_value") == 1.0);
    let refused = refusal(entry("a.nonsense"), TaskDesign::default());
    assert!(refused.contains("rival") && refused.contains("nonsense"), "{refused}");
}

/// The two sides of every item of the noise lake are replicates of it.
#[test]
fn replicates_bound_the_fit_of_any_hypothesis() {
    let home = tempfile::tempdir().unwrap();
    let lake = noise::make(home.path(), 4);
    let entry = json!({"task": noise::TASK, "hypothesis": "h", "sql": "a.kind = b.kind", "comparison": ["pearson"],
        "normalization": ["none"], "replicates": "side"});
    let asked = questions(json!({"rsa": [entry]}), TaskDesign::default());
    run(&lake, noise::MODEL, &asked, &()).unwrap();
    let sql = "SELECT min(n_replicates = 2 AND ceiling_low < ceiling_high AND ceiling_low > 0.1 AND ceiling_high < 1
        AND abs(replicate_estimate) < ceiling_low) FROM rsa";
    assert_eq!(number(&lake, sql), 1.0);
    // With two replicates the lower bound is their correlation with each other, here over pairs of items.
    let sql = "WITH similarities AS (
            SELECT p.condition, h.layer, p.item_id AS one, q.item_id AS other, (p.params->>'side') AS side,
                list_cosine_similarity(h.vector::FLOAT[], g.vector::FLOAT[])::DOUBLE AS similarity
            FROM hidden_states AS h JOIN prompts AS p ON p.prompt_id = h.prompt_id
            JOIN prompts AS q ON q.condition = p.condition AND q.item_id > p.item_id
                AND (q.params->>'side') = (p.params->>'side')
            JOIN hidden_states AS g ON g.prompt_id = q.prompt_id AND g.layer = h.layer
        ), expected AS (
            SELECT condition, layer, corr(x.similarity, y.similarity) AS low
            FROM similarities AS x JOIN similarities AS y USING (condition, layer, one, other)
            WHERE x.side = 'a' AND y.side = 'b' GROUP BY ALL
        )
        SELECT max(abs(r.ceiling_low - e.low)) + (count(*) <> 20)::INT FROM rsa AS r JOIN expected AS e USING (condition, layer)";
    assert!(number(&lake, sql) < 1e-4, "{}", number(&lake, sql));
    let rectangle = rsa(json!({"rows": "number < 20", "replicates": "class"}));
    assert!(refusal(rectangle, TaskDesign::default()).contains("`replicates`"));
    let warnings = Warnings::default();
    analyse(&questions(rsa(json!({"replicates": "class"})), TaskDesign::default()), &warnings).unwrap();
    let said = warnings.0.lock().unwrap().join("\n");
    assert!(said.contains("has no noise ceiling") && said.contains("(equal class)"), "{said}");
}
