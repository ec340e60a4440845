//! Attention ratios against the same numbers asked of the lake's tables in SQL: what the first token has to do with them,
//! which prompts are left out, and which heads change.

#[path = "calibration/lake.rs"]
mod lake;
mod planted;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use hypercolumn_analyze::settings::AnalysisSettings;
use hypercolumn_analyze::{AnalyzeError, Catalog, Entries, Questions, TaskDesign, query, run};
use hypercolumn_schemas::{Lake, Progress};
use planted::Warnings;
use serde_json::{Value, json};

fn analyse(lake: &Lake, model: &str, ratios: Value, progress: &dyn Progress) -> Result<(), AnalyzeError> {
    let questions = Questions {
        study: "s".to_owned(),
        analysis: AnalysisSettings::default(),
        entries: Entries::from_json(&json!({"attention_ratio": ratios})).unwrap(),
        ..Questions::default()
    };
    run(lake, model, &questions, progress).map(|_| ())
}

fn number(lake: &Lake, sql: &str) -> f64 {
    let answer = query(&Catalog::open(lake).unwrap(), sql).unwrap();
    let column = cast(answer.batches[0].column(0), &DataType::Float64).unwrap();
    column.as_primitive::<Float64Type>().iter().next().flatten().unwrap_or(f64::NAN)
}

fn ratio(more: Value) -> Value {
    let mut entry = json!({"task": lake::TASK, "query": "role = 'final'", "relevant": "role = 'informative'",
        "irrelevant": "role = 'distractor'"});
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    entry
}

/// Log masses per token of the statements at every layer and head. The first token is one of two of statement 1.
const LOGS: &str = "logs AS (
    SELECT a.prompt_id, p.condition, a.layer, a.head, a.key_segment AS place, a.key_role = 'informative' AS is_relevant,
        ln(a.mass::DOUBLE / 2) AS kept,
        ln(CASE a.key_segment WHEN 1 THEN a.mass::DOUBLE - f.mass::DOUBLE ELSE a.mass::DOUBLE / 2 END) AS shortened
    FROM attention AS a
    JOIN attention AS f USING (layer, prompt_id, head)
    JOIN prompts AS p USING (prompt_id)
    WHERE f.key_role = 'first_token' AND a.key_role <> 'first_token'
)";

#[test]
fn the_first_token_is_left_out_of_the_segment_that_holds_it() {
    let home = tempfile::tempdir().unwrap();
    let lake = lake::make(home.path(), 1);
    analyse(
        &lake,
        lake::MODEL,
        json!([
            ratio(json!({"name": "kept", "control": "role = 'distractor'"})),
            ratio(
                json!({"name": "shortened", "control": "role = 'distractor'", "leave_out_first_token": true,
                "relevant": "role = 'informative' AND true"})
            ),
        ]),
        &(),
    )
    .unwrap();
    for name in ["kept", "shortened"] {
        let row = format!("r.name = '{name}' AND r.head_reduction = 'none'");
        // Contrast with what stands in the same place in other prompts of the condition.
        let contrast = |log: &str, column: &str| {
            number(
                &lake,
                &format!(
                    "WITH {LOGS}, controls AS (
                        SELECT condition, layer, head, place, avg({log}) AS level FROM logs WHERE NOT is_relevant GROUP BY ALL
                    ), expected AS (
                        SELECT condition, layer, head, avg({log} - level) AS contrast
                        FROM logs JOIN controls USING (condition, layer, head, place) WHERE is_relevant GROUP BY ALL
                    )
                    SELECT max(abs(e.contrast - r.{column})) + (count(*) <> 2 * 10 * 3)::INT
                    FROM attention_ratios AS r JOIN expected AS e USING (condition, layer, head) WHERE {row}"
                ),
            )
        };
        assert!(contrast(name, "contrast") < 1e-9, "{name}");
        assert!(contrast("shortened", "contrast_without_first_token") < 1e-9, "{name}");
        let sql = format!(
            "WITH means AS (
                SELECT p.condition, a.layer, a.head, avg(a.mass::DOUBLE) AS mass
                FROM attention AS a JOIN prompts AS p USING (prompt_id) WHERE a.key_role = 'first_token' GROUP BY ALL
            )
            SELECT max(abs(m.mass - r.first_token_mass)) FROM attention_ratios AS r
            JOIN means AS m USING (condition, layer, head) WHERE {row}"
        );
        assert!(number(&lake, &sql) < 1e-9, "{name}");
    }
    let sql = "SELECT max(abs(k.log_ratio_without_first_token - s.log_ratio)) FROM attention_ratios AS k
        JOIN attention_ratios AS s USING (condition, layer, head, head_reduction)
        WHERE k.name = 'kept' AND s.name = 'shortened' AND head_reduction <> 'max'";
    assert!(number(&lake, sql) < 1e-9);
    let sql = "SELECT min(log_ratio_without_first_token <> log_ratio) FROM attention_ratios
        WHERE name = 'kept'";
    assert_eq!(number(&lake, sql), 1.0);
}

/// A task's control is that of every ratio that compares with the same segments and does not say otherwise.
#[test]
fn the_control_of_a_task_is_built_in() {
    let home = tempfile::tempdir().unwrap();
    let lake = lake::make(home.path(), 5);
    let ratios = json!([
        ratio(json!({"name": "built in", "irrelevant": "role  = 'distractor'"})),
        ratio(json!({"name": "none", "control": "none"})),
        ratio(json!({"name": "other", "irrelevant": "role IN ('distractor')"})),
    ]);
    let control = Some("role = 'distractor'".to_owned());
    let questions = Questions {
        study: "s".to_owned(),
        designs: [(lake::TASK.to_owned(), TaskDesign { control, ..TaskDesign::default() })].into(),
        entries: Entries::from_json(&json!({"attention_ratio": ratios})).unwrap(),
        ..Questions::default()
    };
    run(&lake, lake::MODEL, &questions, &()).unwrap();
    let sql = "SELECT min((contrast_with = 'matched control') = (name = 'built in')) FROM attention_ratios";
    assert_eq!(number(&lake, sql), 1.0);
}

/// The change with a matched control: per item, contrast after less contrast before.
#[test]
fn changes_with_a_matched_control_are_those_of_items() {
    let home = tempfile::tempdir().unwrap();
    let lake = lake::make(home.path(), 2);
    analyse(&lake, lake::MODEL, json!([ratio(json!({"control": "role = 'distractor'"}))]), &()).unwrap();
    let sql = format!(
        "WITH {LOGS}, controls AS (
            SELECT condition, layer, head, place, avg(kept) AS level FROM logs WHERE NOT is_relevant GROUP BY ALL
        ), items AS (
            SELECT item_id, condition, layer, head, avg(kept - level) AS contrast
            FROM logs JOIN controls USING (condition, layer, head, place) JOIN prompts AS p USING (prompt_id, condition)
            WHERE is_relevant GROUP BY ALL
        ), expected AS (
            SELECT layer, head, avg(a.contrast - b.contrast) AS change
            FROM items AS a JOIN items AS b USING (item_id, layer, head)
            WHERE a.condition = 'c1' AND b.condition = 'c0' GROUP BY ALL
        )
        SELECT max(abs(e.change - r.change)) + (count(*) <> 10 * 3)::INT FROM attention_ratios AS r
        JOIN expected AS e USING (layer, head) WHERE r.condition = 'c1' AND r.head_reduction = 'none'"
    );
    assert!(number(&lake, &sql) < 1e-9, "{}", number(&lake, &sql));
    // What is set against behaviour is the contrast; its own change is tested where the controls' variation is known.
    let sql = "SELECT max(abs(m.mean - r.contrast)) FROM attention_ratios AS r JOIN (
            SELECT condition, layer, avg(value) AS mean FROM measures WHERE measure LIKE 'attention: %' GROUP BY ALL
        ) AS m USING (condition, layer) WHERE r.head_reduction = 'mean'";
    assert!(number(&lake, sql) < 1e-9);
    let sql = "SELECT min(p_value IS NULL AND reason = 'tested_in_attention_ratios') FROM associations
        WHERE measure LIKE 'attention: %' AND statistic IN ('paired_t', 'wilcoxon')";
    assert_eq!(number(&lake, sql), 1.0);
}

#[test]
fn the_head_that_changes_is_found_among_all() {
    let home = tempfile::tempdir().unwrap();
    let lake = planted::make(home.path());
    let entry = json!({"task": planted::TASK, "query": "role = 'final'", "relevant": "role = 'informative'",
        "irrelevant": "role = 'distractor'"});
    analyse(&lake, planted::MODEL, json!([entry]), &()).unwrap();
    let found = "SELECT list((layer, head)) = [(3, 1)] FROM attention_ratios
        WHERE head_reduction = 'none' AND change_p_value_fwer < 0.05";
    assert_eq!(number(&lake, found), 1.0);
    let sql = "SELECT count(*) FROM attention_ratios WHERE p_value_fwer < p_value OR change_p_value_fwer < change_p_value
        OR (head_reduction = 'max' AND coalesce(p_value_fwer, change_p_value_fwer) IS NOT NULL)";
    assert_eq!(number(&lake, sql), 0.0);
    let refused = analyse(
        &lake,
        planted::MODEL,
        json!([{"task": planted::TASK, "query": "role = 'final'", "relevant": "role = 'informative'",
            "irrelevant": "role = 'distractor'", "leave_out_first_token": true}]),
        &(),
    );
    let refused = refused.expect_err("no attention to first tokens was kept").to_string();
    assert!(refused.contains("`first_token` among `attention.key_roles`"), "{refused}");
}

#[test]
fn prompts_that_are_left_out_are_counted_and_said() {
    let home = tempfile::tempdir().unwrap();
    let lake = lake::make_with(home.path(), 3, lake::Masses::SomeZero);
    let warnings = Warnings::default();
    analyse(&lake, lake::MODEL, json!([ratio(json!({}))]), &warnings).unwrap();
    let zero = "(SELECT count(DISTINCT prompt_id) FROM attention AS a JOIN prompts USING (prompt_id)
        WHERE a.mass = 0 AND a.layer = r.layer AND a.head = r.head AND condition = r.condition)";
    let sql = format!(
        "SELECT count(*) FROM attention_ratios AS r WHERE head_reduction = 'none' AND (n_zero_mass <> {zero}
            OR n_prompts + n_excluded <> (SELECT count(*) FROM prompts WHERE condition = r.condition)
            OR n_contrasted <> (SELECT count(*) FROM prompts WHERE condition = r.condition) - n_zero_mass)"
    );
    assert_eq!(number(&lake, &sql), 0.0);
    assert!(
        number(&lake, "SELECT sum(n_zero_mass) FROM attention_ratios WHERE head_reduction = 'none'") > 0.0
    );
    let said = warnings.0.lock().unwrap().join("\n");
    assert!(said.contains("has no mass") && said.contains("n_zero_mass"), "{said}");

    // Every relevant segment stands first, where no control does.
    let home = tempfile::tempdir().unwrap();
    let lake = planted::make(home.path());
    let warnings = Warnings::default();
    let entry = json!({"task": planted::TASK, "query": "role = 'final'", "relevant": "role = 'informative'",
        "irrelevant": "role = 'distractor'", "control": "role = 'distractor'"});
    analyse(&lake, planted::MODEL, json!([entry]), &warnings).unwrap();
    assert_eq!(number(&lake, "SELECT max(n_contrasted) FROM attention_ratios"), 0.0);
    let said = warnings.0.lock().unwrap().join("\n");
    assert!(said.contains("48 of 48 prompts") && said.contains("`position`"), "{said}");
}
