//! Everything that the engine shows, collected by prompt.

use crate::reference::Passed;
use hypercolumn_extract::cpu::{Placement, load};
use hypercolumn_extract::forward::{Backend, Taps, TokenTree};
use hypercolumn_extract::model::architecture::Checkpoint;
use hypercolumn_schemas::Site;
use std::collections::HashMap;
use std::sync::Mutex;

/// Reads prompts in one pass over their tree.
pub fn read_together(checkpoint: &dyn Checkpoint, prompts: &[Vec<u32>], placement: Placement) -> Vec<Passed> {
    let backend = load(checkpoint, placement).expect("loaded");
    let borrowed: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let (tree, ends) = TokenTree::pack(&borrowed);
    let mut collected = Collected::default();
    let rows: Vec<usize> = (0..tree.tokens.len()).collect();
    let mut session = backend.session(false);
    session.forward(&tree, 0..tree.runs.len(), &rows, &mut collected, None).expect("read");
    let n_heads = checkpoint.architecture().shape.n_heads;
    ends.iter().map(|end| collected.of_prompt(&tree, *end, n_heads)).collect()
}

/// Reads the first `n_first` tokens of prompts in one pass, and of the others each in a pass of its own, prompts that are
/// alike so far together.
pub fn read_in_steps(
    backend: &dyn Backend,
    n_heads: usize,
    prompts: &[Vec<u32>],
    n_first: usize,
) -> Vec<Passed> {
    let firsts: Vec<&[u32]> = prompts.iter().map(|p| &p[..n_first]).collect();
    let (mut tree, mut ends) = TokenTree::pack(&firsts);
    let mut collected = Collected::default();
    let mut session = backend.session(true);
    let rows: Vec<usize> = (0..tree.tokens.len()).collect();
    session.forward(&tree, 0..tree.runs.len(), &rows, &mut collected, None).expect("read");
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
    for position in n_first..longest {
        let first = tree.runs.len();
        let mut pushed = HashMap::new();
        for (prompt, end) in prompts.iter().zip(&mut ends) {
            if let Some(token) = prompt.get(position) {
                *end = *pushed.entry((*end, *token)).or_insert_with(|| tree.push(Some(*end), &[*token]));
            }
        }
        let rows: Vec<usize> = tree.runs[first..].iter().map(|run| run.row).collect();
        session.forward(&tree, first..tree.runs.len(), &rows, &mut collected, None).expect("read");
    }
    ends.iter().map(|end| collected.of_prompt(&tree, *end, n_heads)).collect()
}

/// Weights of a run at a layer in a head.
struct Weights {
    place: (usize, usize, usize),
    values: Vec<f32>,
}

#[derive(Default)]
struct Collected {
    /// By site, rows of all passes.
    hidden: Vec<Vec<f32>>,
    attention: Mutex<Vec<Weights>>,
    logits: Mutex<Vec<(usize, Vec<f32>)>>,
}

impl Taps for Collected {
    fn hidden(&mut self, layer: usize, site: Site, rows: &[f32]) {
        let index = layer + usize::from(site == Site::FinalNorm);
        self.hidden.resize_with(self.hidden.len().max(index + 1), Vec::new);
        self.hidden[index].extend_from_slice(rows);
    }

    fn attention(&self, layer: usize, head: usize, run: usize, weights: &[f32]) {
        let weights = Weights { place: (layer, head, run), values: weights.to_vec() };
        self.attention.lock().expect("no tap panicked").push(weights);
    }

    fn logits(&self, row: usize, logits: &[f32]) {
        self.logits.lock().expect("no tap panicked").push((row, logits.to_vec()));
    }
}

impl Collected {
    fn of_prompt(&self, tree: &TokenTree, end: usize, n_heads: usize) -> Passed {
        let rows: Vec<usize> = tree.path(end).into_iter().flatten().collect();
        let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
        let of_site = |values: &Vec<f32>| {
            let d = values.len() / tree.tokens.len();
            rows.iter().map(|row| wide(&values[row * d..][..d])).collect()
        };
        let n_layers = self.hidden.len() - 2;
        let mut attention = vec![vec![Vec::new(); n_heads]; n_layers];
        let mut weights = self.attention.lock().expect("no tap panicked");
        weights.sort_by_key(|w| w.place);
        for Weights { place: (layer, head, run), values } in weights.iter() {
            if tree.ancestry(end).contains(run) {
                let n_keys = tree.runs[*run].position + tree.runs[*run].len;
                for row in values.chunks(n_keys) {
                    let mut row = wide(row);
                    row.resize(rows.len(), 0.0);
                    attention[layer - 1][*head].push(row);
                }
            }
        }
        let logits = self.logits.lock().expect("no tap panicked");
        let of_row = |row: &usize| wide(&logits.iter().find(|(r, _)| r == row).expect("logits of the row").1);
        Passed {
            hidden: self.hidden.iter().map(of_site).collect(),
            attention,
            logits: rows.iter().map(of_row).collect(),
        }
    }
}
