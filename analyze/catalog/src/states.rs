//! Pooled hidden states of one role and pooling, read layer by layer.
//!
//! A role may have several segments in a prompt (examples, distractors). They count as one span: `mean`
//! weighs each segment by its tokens, `max` takes the largest values, `last` the last segment.

use crate::answer::ask;
use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::prompts::TaskPrompts;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Int32Type};
use hypercolumn_schemas::{Pooling, Site};
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
        let sql = include_str!("../queries/layer_sites.sql");
        let action = "look for hidden states";
        let (task, name) = (prompts.task.as_str(), pooling.name());
        let answer = ask(catalog.connection(), sql, &[&model, &task, &role, &name], action)?;
        let sites = answer.column::<String>("site")?.into_iter().map(Arc::from);
        let layer_sites: Vec<LayerSite> = answer
            .column::<i64>("layer")?
            .into_iter()
            .zip(sites)
            .map(|(layer, site)| LayerSite { layer: layer as i16, site })
            .collect();
        let n_layer_sites = layer_sites.len() as i64;
        let sql = include_str!("../queries/prompts_with_states.sql");
        let answer = ask(catalog.connection(), sql, &[&model, &task, &role, &name, &n_layer_sites], action)?;
        let mut is_present = vec![false; prompts.len()];
        answer
            .column::<String>("prompt_id")?
            .iter()
            .filter_map(|id| prompts.number(id))
            .for_each(|p| is_present[p] = true);
        Ok(Self { catalog, prompts, model, role, pooling, layer_sites, is_present })
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
        let sql = include_str!("../queries/states_of_layer.sql");
        let (task, name) = (self.prompts.task.as_str(), self.pooling.name());
        let parameters: [&dyn duckdb::ToSql; 5] = [&self.model, &task, &layer, &self.role, &name];
        let answer = ask(self.catalog.connection(), sql, &parameters, "read hidden states")?;
        let here = self.layer_sites.iter().filter(|p| p.layer == layer && is_wanted(&p.site, sites));
        let mut pools: Vec<Pool> =
            here.map(|layer_site| Pool::new(layer_site.clone(), self.prompts.len(), self.pooling)).collect();
        for batch in answer.batches() {
            add_batch(&mut pools, batch, self.prompts);
        }
        Ok(pools.into_iter().map(Pool::finish).collect())
    }
}

fn is_wanted(site: &str, sites: Option<&[Site]>) -> bool {
    sites.is_none_or(|sites| sites.iter().any(|s| s.name() == site))
}

/// Adds rows (prompt, site, tokens, vector), which come in order of segment within a prompt.
fn add_batch(pools: &mut [Pool], batch: &RecordBatch, prompts: &TaskPrompts) {
    let text = |c: usize| cast(batch.column(c), &DataType::Utf8).expect("text casts to text");
    let (ids, sites) = (text(0), text(1));
    let (ids, sites) = (ids.as_string::<i32>(), sites.as_string::<i32>());
    let n_tokens = batch.column(2).as_primitive::<Int32Type>();
    for row in 0..batch.num_rows() {
        let site = sites.value(row);
        let pool = pools.iter_mut().find(|pool| *pool.layer_site.site == *site);
        let (Some(pool), Some(prompt)) = (pool, prompts.number(ids.value(row))) else { continue };
        let vector = vector_at(batch, row);
        pool.add(prompt, n_tokens.value(row) as f32, vector.as_primitive::<Float32Type>().values());
    }
}

/// The vector of a row, whether DuckDB knows its length (an array) or not (a list).
fn vector_at(batch: &RecordBatch, row: usize) -> Arc<dyn Array> {
    let column = batch.column(3);
    match column.data_type() {
        DataType::FixedSizeList(..) => column.as_fixed_size_list().value(row),
        _ => column.as_list::<i32>().value(row),
    }
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
