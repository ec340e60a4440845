//! Everything that the engine shows, collected by prompt.

use crate::reference::Passed;
use hypercolumn_extract::backend::{Site, Taps, TokenTree};
use hypercolumn_extract::model::architecture::Checkpoint;
use hypercolumn_extract::model::{Placement, load};
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

/// Weights of a run at a layer in a head.
struct Weights {
    place: (usize, usize, usize),
    values: Vec<f32>,
}

#[derive(Default)]
struct Collected {
    hidden: Vec<Vec<f32>>,
    attention: Mutex<Vec<Weights>>,
    logits: Mutex<Vec<(usize, Vec<f32>)>>,
}

impl Taps for Collected {
    fn hidden(&mut self, _: usize, _: Site, rows: &[f32]) {
        self.hidden.push(rows.to_vec());
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
