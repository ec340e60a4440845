//! A second implementation of the forward pass, in f64 and plain loops: it follows `Architecture` word by word, shares no
//! code with the engine, and is what families and engine are both checked against.

use hypercolumn_extract::forward::{Edit, StateChange};
use hypercolumn_extract::model::architecture::{
    Activation, Architecture, Checkpoint, Layer, LayerWeights, Linear, Norm, NormWeights, Positions, Residual,
};
use hypercolumn_schemas::Site;

/// What passed by while a text was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Passed {
    /// Rows of `d_model` after the embedding, after each block, and after the last norm.
    pub hidden: Vec<Vec<Vec<f64>>>,
    /// Of each block, each head: weights of every query on every key.
    pub attention: Vec<Vec<Vec<Vec<f64>>>>,
    /// At each token; what the backend gives are log-probabilities, which differ by a constant.
    pub logits: Vec<Vec<f64>>,
    /// Of each block, states inside it.
    pub inner: Vec<Inner>,
}

/// States inside a block, a row a token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inner {
    pub resid_pre: Rows,
    /// Heads' outputs before the output projection, head after head.
    pub z: Rows,
    pub attn_out: Rows,
    /// None in a block whose parts are parallel.
    pub resid_mid: Rows,
    pub mlp_out: Rows,
}

impl Inner {
    /// The rows of a site inside the block.
    pub fn site(&self, site: Site) -> &Rows {
        match site {
            Site::ResidPre => &self.resid_pre,
            Site::Z => &self.z,
            Site::AttnOut => &self.attn_out,
            Site::ResidMid => &self.resid_mid,
            Site::MlpOut => &self.mlp_out,
            Site::Embed | Site::ResidPost | Site::FinalNorm => panic!("{site:?} is not inside a block"),
        }
    }
}

type Rows = Vec<Vec<f64>>;

/// Reads `ids` from the first to the last.
pub fn forward(checkpoint: &dyn Checkpoint, ids: &[u32]) -> Passed {
    forward_edited(checkpoint, ids, &[])
}

/// As [`forward`], with edits whose rows are positions in `ids`.
pub fn forward_edited(checkpoint: &dyn Checkpoint, ids: &[u32], edits: &[Edit]) -> Passed {
    let model = checkpoint.architecture();
    let mut x = embed(checkpoint, ids);
    edit_states(edits, 0, Site::Embed, &mut x);
    let (mut hidden, mut attention, mut inner) = (vec![x.clone()], Vec::new(), Vec::new());
    for (index, layer) in model.layers.iter().enumerate() {
        let weights = checkpoint.layer(index).expect("weights of a block");
        let context = LayerContext { model, layer, weights: &weights, edits, number: index + 1 };
        let (next, seen, states) = block(&context, &x);
        x = next;
        inner.push(states);
        hidden.push(x.clone());
        attention.push(seen);
    }
    let mut x = normalize(model, &checkpoint.final_norm().expect("the last norm"), &x);
    edit_states(edits, model.layers.len(), Site::FinalNorm, &mut x);
    let mut logits = apply(&checkpoint.unembedding().expect("the unembedding"), &x);
    if let Some(c) = model.logit_softcap {
        logits.iter_mut().flatten().for_each(|v| *v = soft_cap(*v, c));
    }
    hidden.push(x);
    Passed { hidden, attention, logits, inner }
}

fn embed(checkpoint: &dyn Checkpoint, ids: &[u32]) -> Rows {
    let model = checkpoint.architecture();
    let values = checkpoint.embeddings(ids).expect("embeddings");
    let mut rows = rows_of(&values, model.shape.d_model);
    if let Some(scale) = model.embedding_scale {
        rows.iter_mut().flatten().for_each(|v| *v *= f64::from(scale));
    }
    if let Some(positions) = checkpoint.position_embeddings().expect("positions") {
        for (row, position) in rows.iter_mut().zip(rows_of(&positions, model.shape.d_model)) {
            add(row, &position);
        }
    }
    rows
}

fn rows_of(values: &[f32], width: usize) -> Rows {
    values.chunks(width).map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect()
}

fn add(to: &mut [f64], from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(t, f)| *t += f);
}

/// One block's description, weights and interventions.
struct LayerContext<'a> {
    model: &'a Architecture,
    layer: &'a Layer,
    weights: &'a LayerWeights,
    edits: &'a [Edit],
    /// From 1.
    number: usize,
}

impl LayerContext<'_> {
    fn edit(&self, site: Site, rows: &mut Rows) {
        edit_states(self.edits, self.number, site, rows);
    }

    /// Whether the key at position `key` is hidden from the query at `query` in a head.
    fn hides(&self, head: usize, query: usize, key: usize) -> bool {
        self.edits.iter().any(|edit| match edit {
            Edit::States(_) => false,
            Edit::KnockOut(edit) => {
                edit.layer == self.number
                    && edit.heads.contains(&head)
                    && edit.rows.contains(&query)
                    && edit.keys.iter().any(|range| range.contains(&(key as u32)))
            }
        })
    }
}

fn edit_states(edits: &[Edit], layer: usize, site: Site, rows: &mut Rows) {
    for edit in edits {
        let Edit::States(edit) = edit else { continue };
        if (edit.layer, edit.site) != (layer, site) {
            continue;
        }
        for row in &edit.rows {
            let state = &mut rows[*row][edit.columns.clone()];
            let vector: Vec<f64> = edit.change.vector().iter().map(|v| f64::from(*v)).collect();
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let share = dot(state, &vector) / dot(&vector, &vector);
            for (x, v) in state.iter_mut().zip(vector) {
                *x = match edit.change {
                    StateChange::Replace(_) => v,
                    StateChange::Add(_) => *x + v,
                    StateChange::Remove(_) => *x - share * v,
                };
            }
        }
    }
}

fn block(context: &LayerContext, x: &Rows) -> (Rows, Vec<Rows>, Inner) {
    let LayerContext { model, weights, .. } = *context;
    let mut x = x.clone();
    context.edit(Site::ResidPre, &mut x);
    let (mut mixed, z, seen) = attend(context, &normalize(model, &weights.attention_norm, &x));
    if let Some(norm) = &weights.post_attention_norm {
        mixed = normalize(model, norm, &mixed);
    }
    context.edit(Site::AttnOut, &mut mixed);
    let mut after = x.clone();
    after.iter_mut().zip(&mixed).for_each(|(a, m)| add(a, m));
    if model.residual == Residual::Sequential {
        context.edit(Site::ResidMid, &mut after);
    }
    let resid_mid = match model.residual {
        Residual::Sequential => after.clone(),
        Residual::Parallel => Vec::new(),
    };
    let from = match model.residual {
        Residual::Sequential => &after,
        Residual::Parallel => &x,
    };
    let mut fed = feed_forward(model, weights, &normalize(model, &weights.feed_forward_norm, from));
    if let Some(norm) = &weights.post_feed_forward_norm {
        fed = normalize(model, norm, &fed);
    }
    context.edit(Site::MlpOut, &mut fed);
    after.iter_mut().zip(&fed).for_each(|(a, f)| add(a, f));
    context.edit(Site::ResidPost, &mut after);
    let inner = Inner { resid_pre: x, z, attn_out: mixed, resid_mid, mlp_out: fed };
    (after, seen, inner)
}

/// Attention's output, the heads' outputs that it is made of, and the weights of each head.
fn attend(context: &LayerContext, x: &Rows) -> (Rows, Rows, Vec<Rows>) {
    let LayerContext { model, layer, weights, .. } = *context;
    let (width, n_heads, n_kv_heads) = (model.head_dim, model.shape.n_heads, model.n_kv_heads);
    let projected = apply(&weights.query_key_value, x);
    let head = |t: usize, index: usize, norm: Option<&NormWeights>, is_rotated: bool| {
        let mut head = projected[t][index * width..(index + 1) * width].to_vec();
        if let Some(norm) = norm {
            head = normalize(model, norm, &vec![head]).remove(0);
        }
        if is_rotated && layer.rotates {
            rotate(model, &mut head, t);
        }
        head
    };
    let mut mixed = vec![vec![0.0; n_heads * width]; x.len()];
    let mut seen = Vec::new();
    for h in 0..n_heads {
        let shared = n_heads + h / (n_heads / n_kv_heads);
        let keys: Rows = (0..x.len()).map(|t| head(t, shared, weights.key_norm.as_ref(), true)).collect();
        let values: Rows = (0..x.len()).map(|t| head(t, shared + n_kv_heads, None, false)).collect();
        let mut of_head = vec![vec![0.0; x.len()]; x.len()];
        for t in 0..x.len() {
            let query = head(t, h, weights.query_norm.as_ref(), true);
            let first = layer.window.map_or(0, |w| (t + 1).saturating_sub(w));
            let visible: Vec<usize> = (first..=t).filter(|key| !context.hides(h, t, *key)).collect();
            let scores = visible.iter().map(|key| score(model, &query, &keys[*key])).collect();
            for (at, weight) in visible.into_iter().zip(softmax(scores)) {
                of_head[t][at] = weight;
                let value = values[at].iter().map(|v| v * weight).collect::<Vec<_>>();
                add(&mut mixed[t][h * width..(h + 1) * width], &value);
            }
        }
        seen.push(of_head);
    }
    context.edit(Site::Z, &mut mixed);
    (apply(&weights.attention_output, &mixed), mixed, seen)
}

fn score(model: &Architecture, query: &[f64], key: &[f64]) -> f64 {
    let product: f64 = query.iter().zip(key).map(|(q, k)| q * k).sum();
    let score = product * f64::from(model.attention_scale);
    model.attention_softcap.map_or(score, |c| soft_cap(score, c))
}

fn soft_cap(x: f64, c: f32) -> f64 {
    f64::from(c) * (x / f64::from(c)).tanh()
}

fn softmax(scores: Vec<f64>) -> Vec<f64> {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|p| p / sum).collect()
}

fn rotate(model: &Architecture, head: &mut [f64], position: usize) {
    let Positions::Rotary(angles) = &model.positions else { return };
    let n = angles.frequencies.len();
    for (i, frequency) in angles.frequencies.iter().enumerate() {
        // The angle is rounded to f32, as every implementation in f32 does: at far positions this is the larger part
        // of what implementations differ by.
        let angle = f64::from(position as f32 * frequency);
        let (sine, cosine) = angle.sin_cos();
        let magnitude = f64::from(angles.magnitude);
        let (a, b) = (head[i], head[i + n]);
        head[i] = (a * cosine - b * sine) * magnitude;
        head[i + n] = (b * cosine + a * sine) * magnitude;
    }
}

fn feed_forward(model: &Architecture, weights: &LayerWeights, x: &Rows) -> Rows {
    let width = model.d_mlp;
    let up = apply(&weights.up, x);
    let activated = up.iter().map(|row| {
        let values = row[..width].iter().map(|v| activate(model.activation, *v));
        if model.is_gated {
            values.zip(&row[width..]).map(|(gate, up)| gate * up).collect()
        } else {
            values.collect()
        }
    });
    apply(&weights.down, &activated.collect())
}

fn activate(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Gelu => 0.5 * x * (1.0 + erf(x / 2f64.sqrt())),
        Activation::GeluTanh => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            0.5 * x * (1.0 + inner.tanh())
        }
    }
}

/// The error function by its Maclaurin series, which converges everywhere and is exact to 1e-12 where it matters here.
fn erf(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    2.0 / std::f64::consts::PI.sqrt() * sum
}

fn normalize(model: &Architecture, weights: &NormWeights, x: &Rows) -> Rows {
    let (mut rows, n) = (x.clone(), weights.scale.len());
    for row in &mut rows {
        let epsilon = match model.norm {
            Norm::Rms { epsilon } => epsilon,
            Norm::Layer { epsilon } => {
                let mean = row.iter().sum::<f64>() / n as f64;
                row.iter_mut().for_each(|v| *v -= mean);
                epsilon
            }
        };
        let power = row.iter().map(|v| v * v).sum::<f64>() / n as f64;
        let scale = 1.0 / (power + f64::from(epsilon)).sqrt();
        row.iter_mut().zip(&weights.scale).for_each(|(v, s)| *v *= scale * f64::from(*s));
        if let Some(shift) = &weights.shift {
            row.iter_mut().zip(shift).for_each(|(v, s)| *v += f64::from(*s));
        }
    }
    rows
}

fn apply(linear: &Linear, x: &Rows) -> Rows {
    assert_eq!(linear.weight.len(), linear.n_out * linear.n_in);
    let of_row = |row: &Vec<f64>| {
        assert_eq!(row.len(), linear.n_in);
        let products = linear
            .weight
            .chunks(linear.n_in)
            .map(|w| w.iter().zip(row).map(|(w, v)| f64::from(*w) * v).sum::<f64>());
        match &linear.bias {
            Some(bias) => products.zip(bias).map(|(p, b)| p + f64::from(*b)).collect(),
            None => products.collect(),
        }
    };
    x.iter().map(of_row).collect()
}
