//! Pooled hidden states of one role and pooling, read layer by layer.
//!
//! A role may have several segments in a prompt (examples, distractors). They count as one span: `mean`
//! weighs each segment by its tokens, `max` takes the largest values, `last` the last segment.

use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::frames::{Partitions, refused, texts};
use crate::prompts::TaskPrompts;
use hypercolumn_schemas::{Pooling, Selection, Site, tables};
use polars::prelude::{
    ArrayChunked, Column, DataFrame, IntoLazy, JoinArgs, JoinType, LazyFrame, SortMultipleOptions,
    UniqueKeepStrategy, col, len, lit,
};
use polars_arrow::array::PrimitiveArray;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A layer and a site in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerSite {
    /// Layer, 0 the embedding.
    pub layer: i16,
    /// Site's name in the tables.
    pub site: Arc<str>,
}

impl LayerSite {
    /// Whether measures are taken here: the residual stream, so that a layer has one measure.
    pub fn is_measured(&self, sites: Option<&[Site]>) -> bool {
        match sites {
            Some([only]) => *self.site == *only.name(),
            _ => *self.site != *Site::FinalNorm.name(),
        }
    }
}

/// The states of one role and pooling that a lake has for one model and task.
pub struct StateSource<'a> {
    catalog: &'a Catalog,
    prompts: &'a TaskPrompts,
    model: &'a str,
    role: &'a str,
    pooling: Pooling,
    /// Layers and sites, in order.
    pub layer_sites: Vec<LayerSite>,
    /// Whether a prompt has a state at every layer_site.
    pub is_present: Vec<bool>,
}

/// The states of all prompts at one layer_site.
pub struct States {
    /// Where.
    pub layer_site: LayerSite,
    /// Values in one vector.
    pub n_dimensions: usize,
    /// One row a prompt of the task; zeros for a prompt that has none.
    values: Vec<f32>,
}

impl States {
    /// The vectors of `prompts`, row-major.
    pub fn gather(&self, prompts: &[usize]) -> Vec<f32> {
        let d = self.n_dimensions;
        let mut gathered = Vec::with_capacity(prompts.len() * d);
        prompts.iter().for_each(|&p| gathered.extend_from_slice(&self.values[p * d..(p + 1) * d]));
        gathered
    }
}

impl<'a> StateSource<'a> {
    /// Finds out what there is; `layer_sites` is empty where the extraction kept nothing of this role and pooling.
    pub fn open(
        catalog: &'a Catalog,
        prompts: &'a TaskPrompts,
        model: &'a str,
        role: &'a str,
        pooling: Pooling,
    ) -> Result<Self, CatalogError> {
        let mut source =
            Self { catalog, prompts, model, role, pooling, layer_sites: Vec::new(), is_present: Vec::new() };
        let rows = source.rows(None, &["prompt_id", "site"])?;

        let sites =
            rows.clone().lazy().select(["layer", "site"].map(col)).unique(None, UniqueKeepStrategy::Any);
        let sites =
            sites.sort(["layer", "site"], SortMultipleOptions::default()).collect().map_err(refused)?;
        let layers = sites.column("layer").and_then(|column| column.i32()).map_err(refused)?;
        let names = texts(&sites, "site")?.into_iter().map(Arc::from);
        let site_of = |(layer, site)| LayerSite { layer: layer as i16, site };
        source.layer_sites = layers.into_no_null_iter().zip(names).map(site_of).collect();
        let states = rows.lazy().unique(None, UniqueKeepStrategy::Any);
        let counts = states.group_by([col("prompt_id")]).agg([len().alias("n_states")]);
        let whole = counts.filter(col("n_states").eq(lit(source.layer_sites.len() as u32)));
        let numbers = prompts.numbers_of_ids()?.lazy();
        let present = join(whole, numbers).collect().map_err(refused)?;
        let present = present.column("number").and_then(|column| column.u32()).map_err(refused)?;
        source.is_present = vec![false; prompts.len()];
        present.into_no_null_iter().for_each(|prompt| source.is_present[prompt as usize] = true);
        Ok(source)
    }

    /// The task.
    pub fn task(&self) -> &'a str {
        &self.prompts.task
    }

    /// The pooling.
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// The layers that have a layer_site among `sites` (all sites where absent).
    pub fn layers(&self, sites: Option<&[Site]>) -> Vec<i16> {
        let wanted = self.layer_sites.iter().filter(|p| is_wanted(&p.site, sites));
        wanted.map(|p| p.layer).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The states at the wanted sites of one layer.
    pub fn read(&self, layer: i16, sites: Option<&[Site]>) -> Result<Vec<States>, CatalogError> {
        let rows = self.rows(Some(layer), &["prompt_id", "site", "segment", "n_tokens", "vector"])?;
        let vectors = vectors(rows.column("vector").and_then(|column| column.array()).map_err(refused)?)?;
        let mut light = rows.select(["prompt_id", "site", "segment", "n_tokens"]).map_err(refused)?;
        light
            .with_column(Column::new("row".into(), (0..vectors.len() as u32).collect::<Vec<_>>()))
            .map_err(refused)?;
        let numbered = join(light.lazy(), self.prompts.numbers_of_ids()?.lazy());
        let ordered = numbered.sort(["number", "segment"], SortMultipleOptions::default());
        let ordered = ordered.collect().map_err(refused)?;
        let here = self.layer_sites.iter().filter(|p| p.layer == layer && is_wanted(&p.site, sites));
        let pool = |layer_site: &LayerSite| {
            let of_site = ordered.clone().lazy().filter(col("site").eq(lit(&*layer_site.site)));
            let of_site = of_site.collect().map_err(refused)?;
            let mut pool = Pool::new(layer_site.clone(), self.prompts.len(), self.pooling);
            pool.add_all(&of_site, &vectors)?;
            Ok(pool.finish())
        };
        here.map(pool).collect()
    }

    /// Rows of this role and pooling.
    fn rows(&self, layer: Option<i16>, columns: &[&str]) -> Result<DataFrame, CatalogError> {
        let layer = layer.map(i32::from);
        let partitions = Partitions { study: "", model: self.model, task: &self.prompts.task, layer };
        let equal = [("role", self.role), ("pooling", self.pooling.name())];
        let selection = Selection { equal: &equal, columns };
        self.catalog.selected_frame(&tables::HIDDEN_STATES, partitions, selection)
    }
}

fn join(left: LazyFrame, numbers: LazyFrame) -> LazyFrame {
    left.join(numbers, [col("prompt_id")], [col("prompt_id")], JoinArgs::new(JoinType::Inner))
}

/// The vector of each row, `[n_dimensions]` each, where it is in the column's buffers.
fn vectors(column: &ArrayChunked) -> Result<Vec<&[f32]>, CatalogError> {
    let mut vectors = Vec::with_capacity(column.len());
    for chunk in column.downcast_iter() {
        let values = chunk.values().as_any().downcast_ref::<PrimitiveArray<f32>>();
        let values = values.ok_or_else(|| CatalogError::frame("the column `vector` holds no float32"))?;
        vectors.extend(values.values().chunks_exact(chunk.size().max(1)));
    }
    Ok(vectors)
}

fn is_wanted(site: &str, sites: Option<&[Site]>) -> bool {
    sites.is_none_or(|sites| sites.iter().any(|s| s.name() == site))
}

/// States at one layer_site while their segments are put together.
struct Pool {
    layer_site: LayerSite,
    pooling: Pooling,
    n_dimensions: usize,
    n_prompts: usize,
    values: Vec<f32>,
    weights: Vec<f32>,
}

impl Pool {
    fn new(layer_site: LayerSite, n_prompts: usize, pooling: Pooling) -> Self {
        Self {
            layer_site,
            pooling,
            n_dimensions: 0,
            n_prompts,
            values: Vec::new(),
            weights: vec![0.0; n_prompts],
        }
    }

    /// Adds rows in order of segment within a prompt; `row` is the row's place among `vectors`.
    fn add_all(&mut self, rows: &DataFrame, vectors: &[&[f32]]) -> Result<(), CatalogError> {
        let whole = |name: &str| rows.column(name).and_then(|column| column.u32()).map_err(refused);
        let n_tokens = rows.column("n_tokens").and_then(|column| column.i32()).map_err(refused)?;
        let prompts = whole("number")?.into_no_null_iter().zip(whole("row")?.into_no_null_iter());
        for ((prompt, row), n_tokens) in prompts.zip(n_tokens.into_no_null_iter()) {
            self.add(prompt as usize, n_tokens as f32, vectors[row as usize]);
        }
        Ok(())
    }

    fn add(&mut self, prompt: usize, n_tokens: f32, vector: &[f32]) {
        if self.values.is_empty() {
            self.n_dimensions = vector.len();
            self.values = vec![0.0; self.n_prompts * vector.len()];
        }
        let d = self.n_dimensions;
        let pooled = &mut self.values[prompt * d..(prompt + 1) * d];
        let before = self.weights[prompt];
        self.weights[prompt] += n_tokens;
        let share = n_tokens / self.weights[prompt];
        for (pooled, &value) in pooled.iter_mut().zip(vector) {
            *pooled = match self.pooling {
                _ if before == 0.0 => value,
                Pooling::Mean => *pooled + (value - *pooled) * share,
                Pooling::Max => pooled.max(value),
                Pooling::Last => value,
            };
        }
    }

    fn finish(self) -> States {
        States { layer_site: self.layer_site, n_dimensions: self.n_dimensions, values: self.values }
    }
}
