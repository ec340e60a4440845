//! How each item's measures and behaviour change between two conditions, joined and averaged in frames.
//!
//! An item may have several prompts in a condition: a mean over them adds them in the order of their ids.

use crate::analyses::Inputs;
use crate::error::AnalyzeError;
use crate::frames::{Partitions, numbers, ordered_means, refused, texts};
use hypercolumn_schemas::tables;
use polars::prelude::{
    Column, DataFrame, DataType, Expr, IntoLazy, JoinArgs, JoinType, LazyFrame, SortMultipleOptions,
    UnionArgs, col, concat, lit, when,
};
use std::collections::BTreeSet;

/// The measure that stands for behaviour itself.
pub(super) const BEHAVIOR: &str = "behavior";

/// The layer of the measure [`BEHAVIOR`], which has none.
const NO_LAYER: i16 = -1;

/// Columns that name a group of [`Changes`].
const GROUP: [&str; 4] = ["condition", "measure", "layer", "metric"];

/// Two quantities of the same items, or of the same clusters.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Paired {
    /// Changes of the measure.
    pub(super) changes: Vec<f64>,
    /// Changes of behaviour; positive is better.
    pub(super) improvements: Vec<f64>,
}

/// The changes of all items in one measure, layer, condition and metric.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Changes {
    pub(super) condition: String,
    pub(super) measure: String,
    pub(super) layer: i16,
    pub(super) metric: String,
    /// Cluster of each item, `[n_items]`.
    pub(super) clusters: Vec<u32>,
    /// By item, in the order of their ids, `[n_items]`.
    pub(super) items: Paired,
    /// By item, less the mean of its cluster, `[n_items]`.
    pub(super) within: Paired,
    /// Means of clusters, in their order, `[n_clusters]`.
    pub(super) between: Paired,
}

/// The means of items: what changes are differences of.
pub(super) struct ItemMeans {
    /// Grain: condition × item × metric; `score`, of which more is better.
    scores: DataFrame,
    /// Grain: condition × item × measure × layer; `value`.
    measures: DataFrame,
    /// Grain: item; `cluster`.
    clusters: DataFrame,
}

impl ItemMeans {
    /// Reads what the analyses before this one wrote.
    pub(super) fn read(inputs: Inputs<'_>) -> Result<Self, AnalyzeError> {
        let read = |table| inputs.catalog.frame(table, partitions(inputs));
        let sign =
            when(col("metric").eq(lit("absolute_error")).or(col("metric").eq(lit("sampled_absolute_error"))))
                .then(-col("score"))
                .otherwise(col("score"));
        let scores = read(&tables::BEHAVIOR)?.lazy().with_column(sign.alias("score"));
        let measures = read(&tables::MEASURES)?.lazy();
        let items: Vec<&str> = inputs.prompts.items.iter().map(|item| &**item).collect();
        let clusters = DataFrame::new(
            items.len(),
            vec![
                Column::new("item_id".into(), items),
                Column::new("cluster".into(), &inputs.design.clusters().of),
            ],
        );
        let clusters = clusters.map_err(refused)?.lazy();
        Ok(Self {
            scores: means(scores, &["condition", "item_id", "metric"], "score")?,
            measures: means(measures, &["condition", "item_id", "measure", "layer"], "value")?,
            clusters: collect(clusters.group_by_stable([col("item_id")]).agg([col("cluster").last()]))?,
        })
    }

    /// The conditions in which some answer was scored.
    pub(super) fn scored_conditions(&self) -> Result<BTreeSet<String>, AnalyzeError> {
        Ok(texts(&self.scores, "condition")?.into_iter().collect())
    }

    /// The changes from `reference` to every other condition, group by group.
    pub(super) fn changes_from(&self, reference: &str) -> Result<Vec<Changes>, AnalyzeError> {
        let improvements =
            differences(&self.scores, reference, &["item_id", "metric"], "score", "improvement");
        let changes =
            differences(&self.measures, reference, &["item_id", "measure", "layer"], "value", "change");
        let of_measures = join(improvements.clone(), changes, &["condition", "item_id"]);
        let of_behavior = improvements.with_columns([
            lit(BEHAVIOR).alias("measure"),
            lit(NO_LAYER).cast(DataType::Int16).alias("layer"),
            col("improvement").alias("change"),
        ]);
        let columns =
            ["condition", "measure", "layer", "metric", "item_id", "change", "improvement"].map(col);
        let both = [of_measures.select(columns.clone()), of_behavior.select(columns)];
        let all = concat(both, UnionArgs::default()).map_err(refused)?;
        let clustered = join(all, self.clusters.clone().lazy(), &["item_id"]);
        let order = GROUP.into_iter().chain(["item_id"]).collect::<Vec<_>>();
        let items = clustered.sort(order, SortMultipleOptions::default());
        group(&collect(items)?)
    }
}

fn partitions(inputs: Inputs<'_>) -> Partitions<'_> {
    Partitions { study: inputs.study, model: inputs.model, task: &inputs.prompts.task, layer: None }
}

/// Names of the attention ratios that have a matched control.
pub(super) fn controlled_ratios(inputs: Inputs<'_>) -> Result<BTreeSet<String>, AnalyzeError> {
    let ratios = inputs.catalog.frame(&tables::ATTENTION_RATIOS, partitions(inputs))?.lazy();
    let controlled = ratios.filter(col("contrast_with").eq(lit("matched control"))).select([col("name")]);
    Ok(texts(&collect(controlled)?, "name")?.into_iter().collect())
}

fn collect(frame: LazyFrame) -> Result<DataFrame, AnalyzeError> {
    Ok(frame.collect().map_err(refused)?)
}

/// The mean of `value` in each group of equal `keys`, nulls left out.
fn means(frame: LazyFrame, keys: &[&str], value: &str) -> Result<DataFrame, AnalyzeError> {
    let known = frame.filter(col(value).is_not_null()).sort(["prompt_id"], SortMultipleOptions::default());
    Ok(ordered_means(&collect(known)?, keys, &[value])?)
}

fn join(left: LazyFrame, right: LazyFrame, on: &[&str]) -> LazyFrame {
    let on: Vec<Expr> = on.iter().copied().map(col).collect();
    left.join(right, on.clone(), on, JoinArgs::new(JoinType::Inner))
}

/// `value` in each condition but `reference`, less what it is there for equal `keys`.
fn differences(frame: &DataFrame, reference: &str, keys: &[&str], value: &str, name: &str) -> LazyFrame {
    let columns = |first: Expr| keys.iter().copied().map(col).chain([first]).collect::<Vec<_>>();
    let rows = || frame.clone().lazy();
    let before = rows().filter(col("condition").eq(lit(reference)));
    let after = rows().filter(col("condition").neq(lit(reference)));
    let both = join(after, before.select(columns(col(value).alias("before"))), keys);
    let difference = (col(value) - col("before")).alias(name);
    both.select([columns(col("condition")), vec![difference]].concat())
}

/// The rows of each group as [`Changes`]; `items` is in the order of the groups, and in each in that of the items.
fn group(items: &DataFrame) -> Result<Vec<Changes>, AnalyzeError> {
    let keys = [&GROUP[..], &["cluster"]].concat();
    let means = ordered_means(items, &keys, &["change", "improvement"])?;
    let of_cluster = ["change", "improvement"].map(|name| col(name).alias(format!("{name}_mean")));
    let of_cluster = keys.iter().copied().map(col).chain(of_cluster).collect::<Vec<_>>();
    let within = ["change", "improvement"]
        .map(|name| (col(name) - col(format!("{name}_mean"))).alias(format!("{name}_within")));
    let with_means = join(items.clone().lazy(), means.clone().lazy().select(of_cluster), &keys);
    let order = [&GROUP[..], &["item_id"]].concat();
    let with_means = with_means.with_columns(within).sort(order, SortMultipleOptions::default());
    let between = collect(means.lazy().sort(keys, SortMultipleOptions::default()))?;
    let parts = |frame: &DataFrame| frame.partition_by_stable(GROUP, true).map_err(refused);
    let (items, between) = (parts(&collect(with_means)?)?, parts(&between)?);
    items.iter().zip(&between).map(|(items, between)| changes(items, between)).collect()
}

fn changes(items: &DataFrame, between: &DataFrame) -> Result<Changes, AnalyzeError> {
    let first = |name: &str| Ok::<_, AnalyzeError>(texts(&items.head(Some(1)), name)?.concat());
    let paired = |frame: &DataFrame, suffix: &str| {
        Ok::<_, AnalyzeError>(Paired {
            changes: numbers(frame, &format!("change{suffix}"))?,
            improvements: numbers(frame, &format!("improvement{suffix}"))?,
        })
    };
    let layers = items.column("layer").and_then(|column| column.i16()).map_err(refused)?;
    let clusters = items.column("cluster").and_then(|column| column.u32()).map_err(refused)?;
    Ok(Changes {
        condition: first("condition")?,
        measure: first("measure")?,
        layer: layers.first().unwrap_or(NO_LAYER),
        metric: first("metric")?,
        clusters: clusters.into_no_null_iter().collect(),
        items: paired(items, "")?,
        within: paired(items, "_within")?,
        between: paired(between, "")?,
    })
}
