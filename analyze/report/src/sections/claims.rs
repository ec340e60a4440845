//! Claims: what the study said beforehand, and whether its results bear it out.

use super::SectionInputs;
use crate::conditions::Conditions;
use crate::error::ReportError;
use crate::figure::{Figure, Section, TaskFigures, TextTable};
use crate::question::{Answer, Question, Row, question};
use crate::request::Finding;
use crate::wording::{Estimate, count, number, with_interval};

const CLAIMS: Question = question!("report_claims");

/// The section; none where the study claims nothing.
///
/// # Errors
/// When the question cannot be answered.
pub fn claims_section(inputs: SectionInputs<'_>) -> Result<Option<Section>, ReportError> {
    let SectionInputs { catalog, request, tasks } = inputs;
    let answer = CLAIMS.ask(catalog, &[("study", &request.study), ("model", &request.model)])?;
    let mut section = Section {
        id: "claims",
        title: "Claims",
        question: "What did the study say beforehand that its results would show, and do they? Each claim is about one row of \
                   another table, which the study names: no layer is picked by its result.",
        tasks: Vec::new(),
        findings: Vec::new(),
        missing: None,
    };
    for conditions in tasks {
        let rows: Vec<Row<'_>> = answer.rows().filter(|row| row.text("task") == conditions.task).collect();
        if !rows.is_empty() {
            section.findings.push(finding(conditions, &rows));
            section
                .tasks
                .push(TaskFigures { task: conditions.task.clone(), figures: vec![figure(&rows, &answer)] });
        }
    }
    Ok((!section.tasks.is_empty()).then_some(section))
}

fn named<'a>(rows: &[Row<'a>], verdict: &str) -> Vec<&'a str> {
    rows.iter().filter(|row| row.text("verdict") == verdict).map(|row| row.text("claim")).collect()
}

fn takeaway(rows: &[Row<'_>]) -> String {
    let told = |verdict: &str, words: &str| {
        let claims = named(rows, verdict);
        let list: Vec<String> = claims.iter().map(|claim| format!("“{claim}”")).collect();
        (!claims.is_empty())
            .then(|| format!("{} of {} {words}: {}.", claims.len(), rows.len(), list.join(", ")))
    };
    let parts = [
        told("held", "held"),
        told("not held", "did not hold"),
        told("cannot be told", "cannot be told from these data"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn finding(conditions: &Conditions, rows: &[Row<'_>]) -> Finding {
    let n_held = named(rows, "held").len();
    Finding {
        task: conditions.task.clone(),
        topic: "Claims",
        text: takeaway(rows),
        brief: format!("{n_held} of {} held", count(rows.len(), "claim")),
    }
}

fn figure(rows: &[Row<'_>], answer: &Answer) -> Figure {
    let head = ["claim", "row", "expected", "estimate", "q", "n", "would be found", "verdict"];
    Figure {
        title: "Claims and verdicts".to_owned(),
        takeaway: takeaway(rows),
        method: "A claim held where q (Benjamini-Hochberg over the claims of the task) is below .05 and the sign is the expected one. \
                 It did not hold where q is below .05 with the other sign, or where the whole interval lies below the least \
                 effect that the study says would count. Otherwise it cannot be told; “would be found” is the effect that \
                 80 % of such studies would find."
            .to_owned(),
        table: Some(TextTable {
            caption: "Claims".to_owned(),
            head: head.map(str::to_owned).to_vec(),
            rows: rows.iter().map(|row| cells(*row)).collect(),
        }),
        gaps: rows
            .iter()
            .filter(|row| !row.text("reason").is_empty())
            .map(|row| format!("“{}” has no estimate: {}", row.text("claim"), row.text("reason")))
            .collect(),
        caveats: vec![
            "A claim that cannot be told is not refuted: “would be found” says how large an effect had to be.".to_owned(),
        ],
        sql: vec![answer.sql.clone()],
        ..Figure::default()
    }
}

fn cells(row: Row<'_>) -> Vec<String> {
    let estimate = row.number("estimate").map_or_else(
        || "undefined".to_owned(),
        |value| {
            let (low, high) = (row.number("ci_low"), row.number("ci_high"));
            let confidence = row.number("confidence").unwrap_or_default();
            with_interval(Estimate { value, low, high, confidence })
        },
    );
    let or_dash = |column: &str| row.number(column).map_or_else(|| "–".to_owned(), number);
    let contrast = match row.text("reference_condition") {
        "" => row.text("condition").to_owned(),
        reference => format!("{} against {reference}", row.text("condition")),
    };
    let layer = match row.number("layer") {
        Some(layer) if layer >= 0.0 => format!(", layer {layer}"),
        _ => String::new(),
    };
    let n = match (row.number("n"), row.number("n_clusters")) {
        (Some(n), Some(clusters)) => format!("{n} in {}", count(clusters as usize, "cluster")),
        _ => "–".to_owned(),
    };
    vec![
        row.text("claim").to_owned(),
        format!("{}: {contrast}{layer}", row.text("about")),
        row.text("expected_sign").to_owned(),
        estimate,
        or_dash("q_value"),
        n,
        or_dash("detectable"),
        row.text("verdict").to_owned(),
    ]
}
