//! The methods, as a paper would say them: sentences made from the settings that each stage recorded with its files.

use super::conditions::Conditions;
use super::error::ReportError;
use super::question::{Question, question};
use super::request::ReportRequest;
use super::resampling::{CONFIDENCE, N_RESAMPLES};
use super::wording::{count, coverage, thousands};
use hypercolumn_catalog::catalog::Catalog;
use hypercolumn_schemas::{AnalyzeRecord, Commit, ExtractRecord, Slot};
use maud::{Markup, html};
use serde_json::Value;
use std::collections::BTreeSet;

const COMPARISONS: Question = question!("report_comparisons");

/// The section as HTML.
///
/// # Errors
/// When a question cannot be answered.
pub(super) fn render_methods(
    catalog: &Catalog,
    request: &ReportRequest,
    tasks: &[Conditions],
) -> Result<Markup, ReportError> {
    let paragraphs = paragraphs(catalog, request, tasks)?;
    Ok(html! {
        section #methods aria-labelledby="methods-title" {
            h2 #methods-title { "Methods" }
            p.question { "How the numbers were made, in words for a paper, from the settings that the stages recorded." }
            div.command.methods {
                button.copy type="button" { "Copy" }
                div.text { @for paragraph in &paragraphs { p { (paragraph) } } }
            }
            @if let Some(text) = &request.study_text {
                details.sql.study {
                    summary { "The study’s text" }
                    div.command {
                        button.copy type="button" { "Copy" }
                        pre tabindex="0" { code.text { (text) } }
                    }
                }
            }
        }
    })
}

fn paragraphs(
    catalog: &Catalog,
    request: &ReportRequest,
    tasks: &[Conditions],
) -> Result<Vec<String>, ReportError> {
    let records = Records::of(catalog, request);
    let mut paragraphs = Vec::new();
    if !tasks.is_empty() {
        paragraphs.push(prompts(request, tasks));
    }
    paragraphs.extend(records.extraction());
    paragraphs.push(behavior());
    let comparisons =
        COMPARISONS.ask(catalog, &[("study", request.study.as_str()), ("model", request.model.as_str())])?;
    let comparisons = comparisons.rows().map(|row| Ok(row.text("comparison")?.to_owned()));
    let comparisons = comparisons.collect::<Result<_, ReportError>>()?;
    paragraphs.extend(records.rsa(&comparisons));
    paragraphs.extend(records.probes());
    paragraphs.extend(records.attention());
    paragraphs.extend(records.associations());
    paragraphs.push(format!(
        "Rows of one family are corrected together, by the Benjamini-Hochberg procedure (q) and, where labels were \
         permuted or signs drawn, by the largest statistic over layers and sites (family-wise p). Computed with \
         hypercolumn {}.",
        env!("CARGO_PKG_VERSION")
    ));
    Ok(paragraphs)
}

fn prompts(request: &ReportRequest, tasks: &[Conditions]) -> String {
    let say = |task: &Conditions| {
        let names: Vec<&str> = task.all.iter().map(|c| c.name.as_str()).collect();
        let cluster = request.cluster(&task.task).unwrap_or("item_id");
        format!(
            "Task “{}” has {} in {} ({}); prompts with equal {cluster} form one cluster, the unit of tests and \
             intervals where an analysis names no other.",
            task.task,
            count(task.n_prompts, "prompt"),
            count(task.all.len(), "condition"),
            names.join(", "),
        )
    };
    tasks.iter().map(say).collect::<Vec<_>>().join(" ")
}

fn behavior() -> String {
    format!(
        "Intervals of behaviour cover {} and are expanded percentiles (Hesterberg 2015) of {} bootstrap resamples of \
         clusters; changes are taken within items.",
        coverage(CONFIDENCE),
        thousands(N_RESAMPLES)
    )
}

/// What the commits that a report is about recorded.
struct Records<'a> {
    commits: Vec<&'a Commit>,
}

impl<'a> Records<'a> {
    fn of(catalog: &'a Catalog, request: &ReportRequest) -> Self {
        let commits = catalog.snapshot().commits().filter(|commit| request.concerns(&commit.slot));
        Self { commits: commits.collect() }
    }

    /// The records of an analysis that has an entry.
    fn of_analysis(&self, name: &str) -> Vec<&'a AnalyzeRecord> {
        let is_of = |commit: &&&Commit| match &commit.slot {
            Slot::Analyze { question, .. } => question == name,
            _ => false,
        };
        let records = self.commits.iter().filter(is_of).filter_map(|commit| commit.details.as_analyze());
        records.filter(|record| record.settings.is_object()).collect()
    }

    fn extraction(&self) -> Option<String> {
        let record: &ExtractRecord = self.commits.iter().find_map(|commit| commit.details.as_extract())?;
        let (model, settings) = (&record.model, &record.settings);
        let template = match &record.chat_template {
            Some(_) => "rendered with the model’s chat template",
            None => "given to the model as they are, without a chat template",
        };
        let decoded = match settings["max_new_tokens"].as_u64() {
            Some(0) | None => "No responses were decoded".to_owned(),
            Some(n) => format!("Responses were decoded greedily, at most {}", count(n as usize, "token")),
        };
        let sampling = &settings["sampling"];
        let drawn = match sampling["n_samples"].as_u64() {
            Some(n) if n > 0 => format!(
                "; {} a prompt were drawn beside them at temperature {}, from the likeliest tokens that reach a probability \
                 of {} together (seed {})",
                n, sampling["temperature"], sampling["top_p"], sampling["seed"]
            ),
            _ => String::new(),
        };
        Some(format!(
            "The model is {} ({}; content hash {}): {}, {}, {} dimensions. Prompts were {template}. {decoded}{drawn}. Hidden \
             states and attention were computed in {} on the {} backend.",
            model.name,
            if model.source.is_empty() { "source not recorded" } else { &model.source },
            model.content_hash.get(..12).unwrap_or(&model.content_hash),
            count(model.n_layers, "block"),
            count(model.n_heads, "head"),
            model.d_model,
            record.backend.dtype,
            record.backend.name,
        ))
    }

    /// `comparisons` are those of the table: an entry that names none has the default's.
    fn rsa(&self, comparisons: &BTreeSet<String>) -> Option<String> {
        let records = self.of_analysis("rsa");
        let shared = &records.first()?.settings["shared"];
        let of = |key: &str| list(&values(&records, key));
        let nuisances = match values(&records, "nuisances").is_empty() {
            true => "",
            false => {
                " Where an entry names nuisances, their linear effect is held constant: the comparison is partial, and p is \
                 the larger of that of permuted residuals (Dekker, Krackhardt & Snijders 2007) and that of Student’s t over \
                 clusters."
            }
        };
        let rival = match values(&records, "rival").is_empty() {
            true => "",
            false => {
                " Where an entry names a rival hypothesis, the difference of the two alignments is tested as a change is."
            }
        };
        Some(format!(
            "Representational similarity analysis: pooled states ({}; normalization {}) were compared by {} and their \
             similarities with the hypothesis by {}. p-values of levels come from {} permutations of whole units, \
             (1 + b) / (1 + n), one-sided; intervals ({}) take the variance of pairs that share a cluster, on Student’s t \
             and Fisher’s z. Changes are tested within items, family-wise by {} draws of random signs of the clusters. \
             Seed {}.{nuisances}{rival}",
            of("pooling"),
            of("normalization"),
            of("similarity"),
            list(comparisons),
            number(shared, "n_permutations"),
            coverage(shared["confidence"].as_f64().unwrap_or_default()),
            number(shared, "n_bootstraps"),
            shared["seed"],
        ))
    }

    fn probes(&self) -> Option<String> {
        let records = self.of_analysis("probes");
        let shared = &records.first()?.settings["shared"];
        Some(format!(
            "Linear probes (multinomial logistic regression or ridge regression, both with an L2 penalty) were fitted to \
             vectors standardised within each training fold, the penalty chosen on {} inner folds; scores are means over {} \
             plans of {} outer folds that keep groups whole. Chance and p-values come from {} refits to targets permuted \
             between groups, over all plans: a ridge probe’s whole, a logistic one’s by one Newton step at a fixed penalty, \
             its p-value on plans of folds that do not depend on the target. Intervals ({}) are a jackknife over groups with \
             the correction of Nadeau and Bengio (2003) for training sets that overlap. Seed {}.",
            number(shared, "n_inner_folds"),
            number(shared, "n_repeats"),
            number(shared, "n_folds"),
            number(shared, "n_refits"),
            coverage(shared["confidence"].as_f64().unwrap_or_default()),
            shared["seed"],
        ))
    }

    fn attention(&self) -> Option<String> {
        let records = self.of_analysis("attention_ratios");
        let shared = &records.first()?.settings["shared"];
        // As the analysis has it: an entry's own control, or the task's where it is the irrelevant segments.
        let n_controlled_of = |record: &&AnalyzeRecord| {
            let of_task = &record.settings["design"]["control"];
            let has_control = |entry: &&Value| match entry["control"].as_str() {
                Some(own) => own != "none",
                None => of_task.is_string() && *of_task == entry["irrelevant"],
            };
            entries(&[*record]).filter(has_control).count()
        };
        let n_controlled: usize = records.iter().map(n_controlled_of).sum();
        let compared = match (n_controlled, entries(&records).count()) {
            (0, _) => "the irrelevant segments of the same prompt",
            (n, all) if n == all => "what stands in the same position in other prompts (a matched control)",
            _ => {
                "what stands in the same position in other prompts (a matched control) where the ratio has a control, of \
                 the irrelevant segments of the same prompt elsewhere"
            }
        };
        let left_out = match entries(&records).any(|entry| entry["leave_out_first_token"] == true) {
            true => " Where the entry says so, the first token is left out of the segments that hold it.",
            false => "",
        };
        Some(format!(
            "Attention: the mean natural logarithm of attention mass per token of relevant segments, less that of \
             {compared}, tested over clusters (Bell and McCaffrey 2002, Student’s t); heads were combined within each \
             prompt; intervals cover {}. Family-wise p-values, over layers where heads are combined and over layers and heads \
             where they are not, come from {} draws of random signs of the clusters.{left_out}",
            coverage(shared["confidence"].as_f64().unwrap_or_default()),
            number(shared, "n_bootstraps"),
        ))
    }

    fn associations(&self) -> Option<String> {
        let records = self.of_analysis("associations");
        let shared = &records.first()?.settings["shared"];
        Some(format!(
            "Associations of changes in measures with changes in behaviour are Spearman and Pearson correlations across \
             items, tested over clusters (Student’s t), with intervals ({}) from influence functions.",
            coverage(shared["confidence"].as_f64().unwrap_or(CONFIDENCE)),
        ))
    }
}

/// The distinct values that entries give `key`, which may be a list.
fn values(records: &[&AnalyzeRecord], key: &str) -> BTreeSet<String> {
    let texts = |value: &Value| match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    };
    entries(records).flat_map(|entry| texts(&entry[key])).collect()
}

fn entries<'a>(records: &[&'a AnalyzeRecord]) -> impl Iterator<Item = &'a Value> {
    records.iter().filter_map(|record| record.settings["entries"].as_array()).flatten()
}

fn list(values: &BTreeSet<String>) -> String {
    values.iter().map(|value| value.replace('_', " ")).collect::<Vec<_>>().join(", ")
}

fn number(shared: &Value, key: &str) -> String {
    shared[key].as_u64().map_or_else(|| "an unrecorded number of".to_owned(), |n| thousands(n as usize))
}
