//! Everything that the backend captures, collected by prompt: each token is a segment of its own.

use crate::reference::{Inner, Passed};
use hypercolumn_extract::ExtractError;
use hypercolumn_extract::cpu::Cpu;
use hypercolumn_extract::forward::{
    Backend, Batch, Capture, Edit, KvCache, LayerSink, LogitRequest, LogitResult, Model, NextToken,
    PathCapture, Placement, PooledSlot, PrefixTree,
};
use hypercolumn_extract::model::architecture::Checkpoint;
use hypercolumn_schemas::{Pooling, Site};
use std::collections::HashMap;
use std::ops::Range;

/// Reads prompts in one pass over their tree.
pub fn read_together(checkpoint: &dyn Checkpoint, prompts: &[Vec<u32>], placement: Placement) -> Vec<Passed> {
    read_edited(checkpoint, prompts, placement, |_| Vec::new()).expect("read")
}

/// Reads prompts in one pass over their tree, with edits that `plan` makes of the rows of each prompt's tokens.
pub fn read_edited(
    checkpoint: &dyn Checkpoint,
    prompts: &[Vec<u32>],
    placement: Placement,
    plan: impl FnOnce(&[Vec<usize>]) -> Vec<Edit>,
) -> Result<Vec<Passed>, Box<ExtractError>> {
    let model = Cpu.load(checkpoint, placement).expect("loaded");
    let borrowed: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let (tree, ends) = PrefixTree::pack(&borrowed);
    let mut collected = Collected::new(&*model, prompts.len());
    let asked: Vec<Asked> =
        (0..prompts.len()).map(|p| Asked { prompt: p, tokens: 0..prompts[p].len() }).collect();
    let mut session = model.session(KvCache::Drop);
    let mut capture = collected.ask(&tree, &ends, asked);
    let rows: Vec<Vec<usize>> =
        ends.iter().map(|end| tree.path(*end).into_iter().flatten().collect()).collect();
    capture.edits = plan(&rows);
    let batch = Batch { tree: &tree, edges: 0..tree.edges.len() };
    session.forward(&batch, &capture, &mut collected, None)?;
    Ok(collected.finish())
}

/// Reads the first `n_first` tokens of prompts in one pass, and of the others each in a pass of its own, prompts that are
/// alike so far together.
pub fn read_in_steps(model: &dyn Model, prompts: &[Vec<u32>], n_first: usize) -> Vec<Passed> {
    let firsts: Vec<&[u32]> = prompts.iter().map(|p| &p[..n_first]).collect();
    let (mut tree, mut ends) = PrefixTree::pack(&firsts);
    let mut collected = Collected::new(model, prompts.len());
    let mut session = model.session(KvCache::Keep);
    let asked = (0..prompts.len()).map(|prompt| Asked { prompt, tokens: 0..n_first }).collect();
    let capture = collected.ask(&tree, &ends, asked);
    let batch = Batch { tree: &tree, edges: 0..tree.edges.len() };
    session.forward(&batch, &capture, &mut collected, None).expect("read");
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
    for position in n_first..longest {
        let first = tree.edges.len();
        let (mut pushed, mut asked) = (HashMap::new(), Vec::new());
        for (prompt, end) in ends.iter_mut().enumerate() {
            if let Some(token) = prompts[prompt].get(position) {
                *end = *pushed.entry((*end, *token)).or_insert_with(|| tree.push(Some(*end), &[*token]));
                asked.push(Asked { prompt, tokens: position..position + 1 });
            }
        }
        let capture = collected.ask(&tree, &ends, asked);
        let batch = Batch { tree: &tree, edges: first..tree.edges.len() };
        session.forward(&batch, &capture, &mut collected, None).expect("read");
    }
    collected.finish()
}

/// Tokens of a prompt that a pass computes.
struct Asked {
    prompt: usize,
    tokens: Range<usize>,
}

struct Collected {
    d_model: usize,
    n_heads: usize,
    n_vocabulary: u32,
    passed: Vec<Passed>,
    asked: Vec<Asked>,
}

impl Collected {
    fn new(model: &dyn Model, n_prompts: usize) -> Self {
        let shape = model.shape();
        let passed = Passed {
            hidden: vec![Vec::new(); shape.n_layers + 2],
            attention: vec![vec![Vec::new(); shape.n_heads]; shape.n_layers],
            logits: Vec::new(),
            inner: vec![Inner::default(); shape.n_layers],
        };
        Self {
            d_model: shape.d_model,
            n_heads: shape.n_heads,
            n_vocabulary: shape.n_vocabulary as u32,
            passed: vec![passed; n_prompts],
            asked: Vec::new(),
        }
    }

    /// A plan for everything about these tokens.
    fn ask(&mut self, tree: &PrefixTree, ends: &[usize], asked: Vec<Asked>) -> Capture {
        let mut capture = Capture { sites: Site::ALL.to_vec(), ..Capture::default() };
        for Asked { prompt, tokens } in &asked {
            let single = |i: usize| std::iter::once(i as u32..i as u32 + 1).collect();
            capture.paths.push(PathCapture {
                end: ends[*prompt],
                slots: tokens
                    .clone()
                    .map(|i| PooledSlot { positions: single(i), pooling: Pooling::Last })
                    .collect(),
                queries: tokens.clone().map(single).collect(),
                keys: (0..tokens.end).map(single).collect(),
            });
            let rows: Vec<usize> = tree.path(ends[*prompt]).into_iter().flatten().collect();
            capture.logits.extend(tokens.clone().map(|i| LogitRequest {
                row: rows[i],
                targets: (0..self.n_vocabulary).collect(),
                next: NextToken::Likeliest,
            }));
        }
        self.asked = asked;
        capture
    }

    /// What was captured, attention rows as long as the prompt.
    fn finish(mut self) -> Vec<Passed> {
        for passed in &mut self.passed {
            let n_tokens = passed.hidden[0].len();
            passed.attention.iter_mut().flatten().flatten().for_each(|row| row.resize(n_tokens, 0.0));
        }
        self.passed
    }
}

impl LayerSink for Collected {
    fn states(&mut self, layer: usize, site: Site, vectors: Vec<f32>) -> Result<(), ExtractError> {
        let n_slots: usize = self.asked.iter().map(|asked| asked.tokens.len()).sum();
        let width = vectors.len() / n_slots;
        assert!(site == Site::Z || width == self.d_model);
        let mut rows = vectors.chunks(width).map(|row| row.iter().map(|v| f64::from(*v)).collect());
        for Asked { prompt, tokens } in &self.asked {
            let passed = &mut self.passed[*prompt];
            let to = match site {
                Site::Embed | Site::ResidPost => &mut passed.hidden[layer],
                Site::FinalNorm => &mut passed.hidden[layer + 1],
                Site::ResidPre => &mut passed.inner[layer - 1].resid_pre,
                Site::ResidMid => &mut passed.inner[layer - 1].resid_mid,
                Site::AttnOut => &mut passed.inner[layer - 1].attn_out,
                Site::MlpOut => &mut passed.inner[layer - 1].mlp_out,
                Site::Z => &mut passed.inner[layer - 1].z,
            };
            to.extend(rows.by_ref().take(tokens.len()));
        }
        Ok(())
    }

    fn attention(&mut self, layer: usize, sums: Vec<f64>) -> Result<(), ExtractError> {
        let mut rest = &sums[..];
        for Asked { prompt, tokens } in &self.asked {
            for head in 0..self.n_heads {
                for _ in tokens.clone() {
                    let (row, after) = rest.split_at(tokens.end);
                    self.passed[*prompt].attention[layer - 1][head].push(row.to_vec());
                    rest = after;
                }
            }
        }
        assert!(rest.is_empty());
        Ok(())
    }

    fn logits(&mut self, results: Vec<LogitResult>) {
        let mut results = results.into_iter();
        for Asked { prompt, tokens } in &self.asked {
            for LogitResult { next, logprobs } in results.by_ref().take(tokens.len()) {
                let largest = logprobs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                assert_eq!(logprobs[next.expect("asked for") as usize], largest);
                self.passed[*prompt].logits.push(logprobs);
            }
        }
    }
}
