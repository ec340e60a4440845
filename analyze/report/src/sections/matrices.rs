//! The similarity matrix of a task's prompts beside the model RDM (hypothesis matrix), at the layer where alignment
//! changes most: first and last condition, prompts in the order of the hypothesis's groups.

use super::SectionInputs;
use super::alignment::{ChosenLayer, ChosenLayers};
use crate::chart::{AxisTitles, Grid, Scale, heat_map};
use crate::conditions::Conditions;
use crate::error::ReportError;
use crate::figure::{Figure, Section, TaskFigures};
use crate::question::{Answer, Question, question};
use crate::request::ReportRequest;
use crate::wording::{count, number, sentence_case, signed};
use hypercolumn_catalog::CatalogError;
use hypercolumn_catalog::answer::{self, Parameter};
use hypercolumn_catalog::catalog::{Catalog, PROMPT_PARAMS_VIEW};
use hypercolumn_catalog::expression::Expression;
use hypercolumn_stats::summary::{mean, percentile};
use hypercolumn_stats::{Normalization, Similarity, similarity};
use std::collections::{BTreeMap, HashMap};

const VECTORS: Question = question!("report_vectors");
const HYPOTHESIS: Question = question!("report_hypothesis_matrix");

/// More prompts than this are thinned out: a screen shows no more.
const MAX_PROMPTS: usize = 320;

/// The vectors of one condition.
#[derive(Default)]
struct States {
    prompts: Vec<String>,
    items: Vec<String>,
    values: Vec<f32>,
}

/// The model RDM over pairs of items.
type PairValues = HashMap<(String, String), f64>;

/// The section.
///
/// # Errors
/// When a question of the report's own cannot be answered. A study's hypothesis that fails is said so.
pub fn matrices_section(inputs: SectionInputs<'_>, chosen: &ChosenLayers) -> Result<Section, ReportError> {
    let SectionInputs { catalog, request, tasks } = inputs;
    let mut section = Section {
        id: "matrices",
        title: "Similarity matrices",
        question: "What do the similarities of prompts look like beside the hypothesis, at the layer where \
                   alignment changes most?",
        tasks: Vec::new(),
        findings: Vec::new(),
        missing: None,
    };
    for conditions in tasks {
        let candidates = chosen.get(&conditions.task).map(Vec::as_slice).unwrap_or_default();
        let known =
            candidates.iter().find(|c| request.model_rdm_sql(&conditions.task, &c.hypothesis).is_some());
        let figure = match known {
            Some(chosen) => read_figure(catalog, request, conditions, chosen)?,
            None if candidates.is_empty() => continue,
            None => gap(
                "The SQL of this task's hypothesis matrices was not given to the report, so no matrix can be drawn.",
            ),
        };
        section.tasks.push(TaskFigures { task: conditions.task.clone(), figures: vec![figure] });
    }
    if section.tasks.is_empty() {
        let missing = request.missing("rsa", "analyze");
        section.missing = Some(format!("The layer is chosen from the alignment results. {missing}"));
    }
    Ok(section)
}

fn gap(text: &str) -> Figure {
    Figure { title: "Similarity matrix".to_owned(), gaps: vec![text.to_owned()], ..Figure::default() }
}

fn read_figure(
    catalog: &Catalog,
    request: &ReportRequest,
    conditions: &Conditions,
    chosen: &ChosenLayer,
) -> Result<Figure, ReportError> {
    let Some((first, last)) = conditions.ends() else {
        return Ok(gap("There is only one condition, so there is no change to look at."));
    };
    let task = conditions.task.as_str();
    let vectors = ask_vectors(catalog, request, task, chosen, [first, last].map(|c| c.name.as_str()))?;
    let states = read_states(vectors.columns()).map_err(|error| VECTORS.refused(error))?;
    let (Some(before), Some(after)) = (states.get(&first.name), states.get(&last.name)) else {
        return Ok(gap(&request.missing("hidden_states", "extract")));
    };
    let sql = request.model_rdm_sql(task, &chosen.hypothesis).unwrap_or_default();
    let expression = Expression { entry: &chosen.hypothesis, key: "sql", sql };
    let values = match ask_pairs(catalog, expression, task, &last.name) {
        Ok(values) => values,
        Err(error) => return Ok(gap(&refused(&chosen.hypothesis, &error))),
    };
    let pairs = read_pairs(&values)?;
    if pairs.is_empty() {
        return Ok(gap(&format!(
            "The hypothesis “{}” says nothing about pairs within {}, so there is no matrix of one condition to \
             draw (it may compare one condition with another).",
            chosen.hypothesis, last.name
        )));
    }
    let order = thin_out(order_items(&after.items, &pairs));
    let scene = Scene { chosen, pairs: &pairs, order: &order };
    Ok(scene.figure([(&first.name, before), (&last.name, after)], vec![vectors.sql, values.sql]))
}

fn ask_vectors(
    catalog: &Catalog,
    request: &ReportRequest,
    task: &str,
    chosen: &ChosenLayer,
    [first, last]: [&str; 2],
) -> Result<Answer, ReportError> {
    let parameters = [
        ("model", Parameter::Text(&request.model)),
        ("task", Parameter::Text(task)),
        ("layer", Parameter::Integer(chosen.place.layer)),
        ("site", Parameter::Text(&chosen.site)),
        ("role", Parameter::Text(&chosen.role)),
        ("pooling", Parameter::Text(&chosen.pooling)),
        ("first", Parameter::Text(first)),
        ("last", Parameter::Text(last)),
    ];
    VECTORS.ask(catalog, &parameters)
}

/// The model RDM of one condition, pair by pair.
fn ask_pairs(
    catalog: &Catalog,
    expression: Expression<'_>,
    task: &str,
    condition: &str,
) -> Result<Answer, ReportError> {
    let from = format!("{PROMPT_PARAMS_VIEW} AS a, {PROMPT_PARAMS_VIEW} AS b");
    expression.check(catalog, "a.item_id", &from).map_err(|error| HYPOTHESIS.refused(error))?;
    let parameters = [("task", Parameter::Text(task)), ("condition", Parameter::Text(condition))];
    HYPOTHESIS.ask_about(catalog, expression, &parameters)
}

/// Pairs of which the model RDM says something.
fn read_pairs(answer: &Answer) -> Result<PairValues, ReportError> {
    let mut pairs = PairValues::new();
    for row in answer.rows() {
        let items = (row.text("item_a")?.to_owned(), row.text("item_b")?.to_owned());
        pairs.extend(row.optional_number("value")?.map(|value| (items, value)));
    }
    Ok(pairs)
}

fn refused(hypothesis: &str, error: &ReportError) -> String {
    let cause = match error {
        ReportError::Question { source: CatalogError::Expression { reason, .. }, .. } => reason.clone(),
        ReportError::Question { source, .. } => source.to_string(),
        other => other.to_string(),
    };
    format!("The hypothesis “{hypothesis}” could not be evaluated over pairs of prompts: {cause}")
}

/// The states of each condition, in the order of the answer.
fn read_states(answer: &answer::Answer) -> Result<BTreeMap<String, States>, CatalogError> {
    let mut states: BTreeMap<String, States> = BTreeMap::new();
    let names = answer.column::<String>("prompt_id")?.into_iter().zip(answer.column::<String>("item_id")?);
    let conditions = answer.column::<String>("condition")?;
    for (((prompt, item), condition), vector) in names.zip(conditions).zip(answer.vectors("vector")?) {
        let of_condition = states.entry(condition).or_default();
        of_condition.prompts.push(prompt);
        of_condition.items.push(item);
        of_condition.values.extend(vector);
    }
    Ok(states)
}

/// Items by group: most alike to the group's first item first. The first of all is the item that the
/// hypothesis sets most apart, so that graded hypotheses run from one end to the other.
fn order_items(items: &[String], pairs: &PairValues) -> Vec<usize> {
    let value = |a: usize, b: usize| pairs.get(&(items[a].clone(), items[b].clone())).copied();
    let n = items.len();
    let total = |a: usize| (0..n).filter_map(|b| value(a, b)).sum::<f64>();
    let totals: Vec<f64> = (0..n).map(total).collect();
    let Some(start) = (0..n).min_by(|&a, &b| totals[a].total_cmp(&totals[b]).then(a.cmp(&b))) else {
        return Vec::new();
    };
    let highest = pairs.values().copied().fold(f64::NEG_INFINITY, f64::max);
    let to_start = |b: usize| if b == start { highest } else { value(start, b).unwrap_or(f64::NEG_INFINITY) };
    let mut rest: Vec<usize> = (0..n).collect();
    rest.sort_by(|&a, &b| to_start(b).total_cmp(&to_start(a)).then(a.cmp(&b)));
    let mut ordered = Vec::with_capacity(n);
    while let Some(&leader) = rest.first() {
        let (group, others): (Vec<usize>, Vec<usize>) =
            rest.iter().partition(|&&b| b == leader || value(leader, b) == Some(highest));
        ordered.extend(group);
        rest = others;
    }
    ordered
}

fn thin_out(order: Vec<usize>) -> Vec<usize> {
    let n = order.len();
    if n <= MAX_PROMPTS {
        return order;
    }
    (0..MAX_PROMPTS).map(|i| order[i * n / MAX_PROMPTS]).collect()
}

/// What all panels of the figure share.
struct Scene<'a> {
    chosen: &'a ChosenLayer,
    pairs: &'a PairValues,
    /// Positions in the list of items, in the order shown.
    order: &'a [usize],
}

impl Scene<'_> {
    fn figure(&self, states: [(&String, &States); 2], sql: Vec<String>) -> Figure {
        let chosen = self.chosen;
        let place = chosen.place.name();
        let title = format!("“{}” at {place}", chosen.hypothesis);
        let grids = states.map(|(name, s)| (name, s, self.similarity_grid(s)));
        let limit = grids.iter().filter_map(|(_, _, g)| g.as_ref().ok()).map(spread).fold(0.0, f64::max);
        let mut figure = Figure { title, sql, method: self.method(states[1].1), ..Figure::default() };
        let hypothesis = self.hypothesis_grid(&states[1].1.items);
        let (low, high) = self.ends();
        let axis = format!("prompts, in groups of “{}”", chosen.hypothesis);
        let titles = AxisTitles { x: &axis, y: "prompts" };
        let scale = Scale::Single(low, high);
        figure.panels.push(heat_map("Hypothesis matrix (model RDM)", titles, &hypothesis, scale));
        let mut contrasts = Vec::new();
        for (name, states, grid) in grids {
            match grid {
                Ok(grid) => {
                    contrasts.extend(self.contrast(&grid, &states.items).map(|c| (name, c)));
                    let title = format!("{name}, {place}");
                    let scale = Scale::Diverging(limit);
                    figure.panels.push(heat_map(&title, titles, &grid, scale));
                }
                Err(reason) => figure.gaps.push(format!("Not computed in {name}: {reason}.")),
            }
        }
        figure.takeaway = self.takeaway(&contrasts);
        figure.caveats = vec![
            "The eye finds blocks easily; the alignment above, with its intervals, is the measurement."
                .to_owned(),
            "One layer, chosen because its change is largest.".to_owned(),
        ];
        figure
    }

    fn method(&self, states: &States) -> String {
        let ChosenLayer { similarity, normalization, pooling, role, .. } = self.chosen;
        let shown = if self.order.len() < states.items.len() {
            format!(" ({} of them drawn)", self.order.len())
        } else {
            String::new()
        };
        format!(
            "{} similarity, normalization {normalization}, {pooling}-pooled “{role}” states. n = {}{shown}, \
             the same items in both conditions. The diagonal is left out; both matrices share one scale.",
            sentence_case(similarity),
            count(states.items.len(), "prompt")
        )
    }

    fn ends(&self) -> (f64, f64) {
        let values = || self.pairs.values().copied();
        let (low, high) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        if low < high { (low, high) } else { (low - 1.0, high) }
    }

    fn grid(&self, names: &[String], value: impl Fn(usize, usize) -> Option<f64>, title: &str) -> Grid {
        let names: Vec<String> = self.order.iter().map(|&i| names[i].clone()).collect();
        let row = |&a: &usize| {
            self.order.iter().map(|&b| if a == b { None } else { value(a, b) }).collect::<Vec<_>>()
        };
        Grid {
            columns: names.clone(),
            rows: names,
            values: self.order.iter().map(row).collect(),
            value_title: title.to_owned(),
            is_matrix: true,
        }
    }

    fn hypothesis_grid(&self, items: &[String]) -> Grid {
        let value = |a: usize, b: usize| self.pairs.get(&(items[a].clone(), items[b].clone())).copied();
        self.grid(items, value, "hypothesis")
    }

    fn similarity_grid(&self, states: &States) -> Result<Grid, String> {
        let parse = |name: &str| serde_json::Value::String(name.to_owned());
        let normalization: Normalization =
            serde_json::from_value(parse(&self.chosen.normalization)).map_err(|e| e.to_string())?;
        let kind: Similarity =
            serde_json::from_value(parse(&self.chosen.similarity)).map_err(|e| e.to_string())?;
        let n = states.items.len();
        let similarities = similarity::compute_similarities(&states.values, n, normalization, kind)
            .map_err(|e| crate::wording::words(&e.to_string()))?;
        let at = |a: usize, b: usize| {
            let (i, j) = (a.min(b), a.max(b));
            // Row-major upper triangle without the diagonal.
            similarities.get(i * n - i * (i + 1) / 2 + j - i - 1).copied().map(|v| (v * 1e3).round() / 1e3)
        };
        Ok(self.grid(&states.prompts, at, &format!("{kind} similarity")))
    }

    /// Mean similarity where the hypothesis is highest, and elsewhere.
    fn contrast(&self, grid: &Grid, items: &[String]) -> Option<(f64, f64)> {
        let highest = self.ends().1;
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        for (a, row) in self.order.iter().zip(&grid.values) {
            for (b, value) in self.order.iter().zip(row) {
                let pair = (items[*a].clone(), items[*b].clone());
                if let (Some(value), Some(&says)) = (value, self.pairs.get(&pair)) {
                    if says == highest { inside.push(*value) } else { outside.push(*value) }
                }
            }
        }
        Some((mean(&inside)?, mean(&outside)?))
    }

    fn takeaway(&self, contrasts: &[(&String, (f64, f64))]) -> String {
        let [(first, a), (last, b)] = contrasts else {
            return "The two conditions cannot be compared here.".to_owned();
        };
        let gap = |c: &(f64, f64)| c.0 - c.1;
        let reliable = if self.chosen.is_reliable {
            String::new()
        } else {
            " This layer is only the largest of changes that are not reliable.".to_owned()
        };
        format!(
            "Pairs that “{}” puts together are more alike than other pairs by {} in {first} (mean {} against {}) and \
             by {} in {last} ({} against {}).{reliable}",
            self.chosen.hypothesis,
            signed(gap(a)),
            number(a.0),
            number(a.1),
            signed(gap(b)),
            number(b.0),
            number(b.1),
        )
    }
}

/// Limit of the colours: 99 % of the values lie within.
fn spread(grid: &Grid) -> f64 {
    let sizes: Vec<f64> = grid.values.iter().flatten().flatten().map(|v| v.abs()).collect();
    percentile(&sizes, 99.0).filter(|s| *s > 0.0).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stand_together() {
        let items: Vec<String> = ["a0", "b0", "a1", "b1"].map(str::to_owned).into();
        let mut pairs = PairValues::new();
        for a in &items {
            for b in items.iter().filter(|b| *b != a) {
                pairs.insert((a.clone(), b.clone()), f64::from(u8::from(a[..1] == b[..1])));
            }
        }
        assert_eq!(order_items(&items, &pairs), [0, 2, 1, 3]);
    }
}
