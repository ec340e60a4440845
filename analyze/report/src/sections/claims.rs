//! Claims: what the study said beforehand, and whether its results bear it out.

use super::SectionInputs;
use crate::conditions::Conditions;
use crate::error::ReportError;
use crate::figure::{Figure, Section, TaskFigures, TextTable};
use crate::question::{Answer, Question, Row, question};
use crate::request::Finding;
use crate::wording::{count, number, with_interval};

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
        let rows = answer.rows_where("task", &conditions.task)?.into_iter();
        let claims: Vec<Claim> = rows.map(claim).collect::<Result<_, _>>()?;
        if !claims.is_empty() {
            section.findings.push(finding(conditions, &claims));
            section
                .tasks
                .push(TaskFigures { task: conditions.task.clone(), figures: vec![figure(&claims, &answer)] });
        }
    }
    Ok((!section.tasks.is_empty()).then_some(section))
}

/// One row of `claims`.
struct Claim {
    name: String,
    verdict: String,
    /// Why it has no estimate.
    reason: Option<String>,
    /// Cells of the table.
    cells: Vec<String>,
}

fn named<'c>(claims: &'c [Claim], verdict: &str) -> Vec<&'c str> {
    claims.iter().filter(|claim| claim.verdict == verdict).map(|claim| claim.name.as_str()).collect()
}

fn takeaway(claims: &[Claim]) -> String {
    let told = |verdict: &str, words: &str| {
        let named = named(claims, verdict);
        let list: Vec<String> = named.iter().map(|claim| format!("“{claim}”")).collect();
        (!named.is_empty())
            .then(|| format!("{} of {} {words}: {}.", named.len(), claims.len(), list.join(", ")))
    };
    let parts = [
        told("held", "held"),
        told("not held", "did not hold"),
        told("cannot be told", "cannot be told from these data"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn finding(conditions: &Conditions, claims: &[Claim]) -> Finding {
    let n_held = named(claims, "held").len();
    Finding {
        task: conditions.task.clone(),
        topic: "Claims",
        text: takeaway(claims),
        brief: format!("{n_held} of {} held", count(claims.len(), "claim")),
    }
}

fn figure(claims: &[Claim], answer: &Answer) -> Figure {
    let head = ["claim", "row", "expected", "estimate", "q", "n", "would be found", "verdict"];
    Figure {
        title: "Claims and verdicts".to_owned(),
        takeaway: takeaway(claims),
        method: "A claim held where q (Benjamini-Hochberg over the claims of the task) is below .05 and the sign is the expected one. \
                 It did not hold where q is below .05 with the other sign, or where the whole interval lies below the least \
                 effect that the study says would count. Otherwise it cannot be told; “would be found” is the effect that \
                 80 % of such studies would find."
            .to_owned(),
        table: Some(TextTable {
            caption: "Claims".to_owned(),
            head: head.map(str::to_owned).to_vec(),
            rows: claims.iter().map(|claim| claim.cells.clone()).collect(),
        }),
        gaps: claims
            .iter()
            .filter_map(|claim| Some(format!("“{}” is not computed: {}", claim.name, claim.reason.as_ref()?)))
            .collect(),
        caveats: vec![
            "A claim that cannot be told is not refuted: “would be found” says how large an effect had to be.".to_owned(),
        ],
        sql: vec![answer.sql.clone()],
        ..Figure::default()
    }
}

fn claim(row: Row<'_>) -> Result<Claim, ReportError> {
    let estimate = row.estimate("estimate", "ci_low", "ci_high")?;
    let condition = row.optional_text("condition")?.unwrap_or("all conditions");
    let contrast = match row.optional_text("reference_condition")? {
        None => condition.to_owned(),
        Some(reference) => format!("{condition} against {reference}"),
    };
    let layer = row.optional_integer("layer")?.filter(|layer| *layer >= 0);
    let layer = layer.map_or_else(String::new, |layer| format!(", layer {layer}"));
    let n = row.optional_integer("n")?.zip(row.optional_integer("n_clusters")?);
    let or_dash = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    let (name, verdict) = (row.text("claim")?.to_owned(), row.text("verdict")?.to_owned());
    let cells = vec![
        name.clone(),
        format!("{}: {contrast}{layer}", row.text("about")?),
        row.text("expected_sign")?.to_owned(),
        estimate.map_or_else(|| "not computed".to_owned(), with_interval),
        or_dash(row.optional_number("q_value")?),
        n.map_or_else(|| "–".to_owned(), |(n, m)| format!("{n} in {}", count(m as usize, "cluster"))),
        or_dash(row.optional_number("detectable")?),
        verdict.clone(),
    ];
    Ok(Claim { name, verdict, reason: row.optional_text("reason")?.map(str::to_owned), cells })
}
