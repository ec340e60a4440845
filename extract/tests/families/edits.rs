//! Interventions: the engine's edits against those of the plain forward pass, on every family's checkpoint.

use crate::engine::{read_edited, read_together};
use crate::parity::{TOLERANCE, cases, fixtures, largest_difference};
use crate::reference::{Passed, forward_edited};
use hypercolumn_extract::ExtractError;
use hypercolumn_extract::forward::{AttentionKnockOut, Edit, Placement, StateChange, StateEdit};
use hypercolumn_extract::model::architecture::{Architecture, Checkpoint, Residual};
use hypercolumn_extract::model::open_checkpoint;
use hypercolumn_schemas::Site;
use std::ops::Range;
use std::path::Path;

/// Three prompts: two that begin alike and one of its own. Long enough for several blocks of rows of one edge.
fn prompts(checkpoint: &dyn Checkpoint) -> [Vec<u32>; 3] {
    let n_vocabulary = checkpoint.architecture().shape.n_vocabulary;
    let prompt = |n: usize, fork: usize, by: usize| -> Vec<u32> {
        (0..n).map(|i| ((i * 7 + if i < fork { 0 } else { by }) % n_vocabulary) as u32).collect()
    };
    [prompt(40, 40, 0), prompt(39, 30, 1), prompt(9, 0, 3)]
}

/// Positions on the first prompt's path: before the second prompt branches off, and after.
const SHARED: [usize; 2] = [3, 29];
const OWN: usize = 35;

fn vector(n: usize) -> Vec<f32> {
    (0..n).map(|i| 0.1 * ((i * 5 % 7) as f32 - 2.5)).collect()
}

/// Every site that the layer has, with every kind of change: a plan per case, its rows positions of the first prompt.
fn plans(architecture: &Architecture) -> Vec<Vec<Edit>> {
    let n_layers = architecture.shape.n_layers;
    let state =
        |layer, site: Site, rows: &[usize], columns: Range<usize>, change: fn(Vec<f32>) -> StateChange| {
            let change = change(vector(columns.len()));
            Edit::States(StateEdit { layer, site, rows: rows.to_vec(), columns, change })
        };
    let mut plans = Vec::new();
    for site in Site::ALL {
        if site == Site::ResidMid && architecture.residual == Residual::Parallel {
            continue;
        }
        let layer = match site {
            Site::Embed => 0,
            Site::FinalNorm => n_layers,
            _ => 1,
        };
        let width = architecture.width(site);
        plans.push(vec![state(layer, site, &[SHARED[0], OWN], 0..width, StateChange::Replace)]);
        plans.push(vec![
            state(layer, site, &SHARED, 1..width - 1, StateChange::Add),
            state(layer, site, &[SHARED[1], OWN], 0..width, StateChange::Remove),
        ]);
    }
    let knock_out = |layer, rows: &[usize], heads: Vec<usize>, keys: Vec<Range<u32>>| {
        Edit::KnockOut(AttentionKnockOut { layer, rows: rows.to_vec(), heads, keys })
    };
    let last = architecture.shape.n_heads - 1;
    plans.push(vec![knock_out(1, &[OWN, SHARED[1]], vec![0, last], vec![0..3, 26..29, 31..35])]);
    plans.push(vec![
        knock_out(n_layers, &[SHARED[1]], vec![last], vec![28..29, 20..21]),
        knock_out(n_layers, &[SHARED[1]], vec![last], vec![27..28, 1..2]),
        state(1, Site::Z, &[OWN], 0..architecture.head_dim, StateChange::Add),
    ]);
    plans
}

/// The plan with other rows: `to[row]` in place of each, left out where there is none.
fn with_rows(plan: &[Edit], to: impl Fn(usize) -> Option<usize>) -> Vec<Edit> {
    let mut plan = plan.to_vec();
    for edit in &mut plan {
        let rows = match edit {
            Edit::States(edit) => &mut edit.rows,
            Edit::KnockOut(edit) => &mut edit.rows,
        };
        *rows = rows.iter().filter_map(|row| to(*row)).collect();
    }
    plan
}

/// Largest difference at any token, layer, head and site; of logits, up to a constant for each token.
fn difference(ours: &Passed, plain: &Passed) -> f64 {
    let centred = |logits: &[Vec<f64>]| -> Vec<Vec<f64>> {
        let centre = |row: &Vec<f64>| {
            let mean = row.iter().sum::<f64>() / row.len() as f64;
            row.iter().map(|v| v - mean).collect()
        };
        logits.iter().map(centre).collect()
    };
    let mut largest = largest_difference(&centred(&ours.logits), &centred(&plain.logits));
    let mut include = |ours: &[Vec<f64>], plain: &[Vec<f64>]| {
        largest = largest.max(largest_difference(ours, plain));
    };
    ours.hidden.iter().zip(&plain.hidden).for_each(|(a, b)| include(a, b));
    ours.attention.iter().flatten().zip(plain.attention.iter().flatten()).for_each(|(a, b)| include(a, b));
    for (a, b) in ours.inner.iter().zip(&plain.inner) {
        let sites = [
            (&a.resid_pre, &b.resid_pre),
            (&a.z, &b.z),
            (&a.attn_out, &b.attn_out),
            (&a.resid_mid, &b.resid_mid),
            (&a.mlp_out, &b.mlp_out),
        ];
        sites.into_iter().for_each(|(a, b)| include(a, b));
    }
    largest
}

fn check_plan(directory: &Path, checkpoint: &dyn Checkpoint, plan: &[Edit], untouched: &[Passed]) {
    let prompts = prompts(checkpoint);
    let read = |placement| {
        read_edited(checkpoint, &prompts, placement, |rows| with_rows(plan, |at| Some(rows[0][at])))
            .unwrap_or_else(|e| panic!("{e}"))
    };
    let edited = read(Placement::Resident);
    assert!(edited == read(Placement::Streamed { ahead: false }), "streaming changes no bit");
    // Rows before the fork are the second prompt's too.
    for (prompt, n_shared) in [(0, 40), (1, 30)] {
        let own = with_rows(plan, |at| (at < n_shared).then_some(at));
        let apart = difference(&edited[prompt], &forward_edited(checkpoint, &prompts[prompt], &own));
        assert!(apart < TOLERANCE, "{}: prompt {prompt}, {plan:?}: {apart}", directory.display());
    }
    assert!(difference(&edited[0], &untouched[0]) > 10.0 * TOLERANCE, "{plan:?} does something");
    assert!(edited[2] == untouched[2], "a prompt without edited rows keeps every bit: {plan:?}");
}

#[test]
fn edits_do_what_the_plain_forward_pass_does() {
    for directory in cases(&fixtures()) {
        let checkpoint = open_checkpoint(&directory).unwrap_or_else(|e| panic!("{e}"));
        let untouched = read_together(&*checkpoint, &prompts(&*checkpoint), Placement::Resident);
        for plan in plans(checkpoint.architecture()) {
            check_plan(&directory, &*checkpoint, &plan, &untouched);
        }
    }
}

/// What replaces a prompt's states by those of another run of the same prompt changes nothing: the edit is made where the
/// site is captured.
#[test]
fn patching_a_prompt_with_its_own_states_changes_no_bit() {
    for directory in cases(&fixtures()) {
        let checkpoint = open_checkpoint(&directory).unwrap_or_else(|e| panic!("{e}"));
        let prompts = prompts(&*checkpoint);
        let clean = read_together(&*checkpoint, &prompts, Placement::Resident);
        let own = |site| &clean[0].inner[0].site(site)[OWN];
        for site in [Site::ResidPre, Site::Z, Site::AttnOut, Site::MlpOut] {
            let change = StateChange::Replace(own(site).iter().map(|v| *v as f32).collect());
            let columns = 0..own(site).len();
            let patched = read_edited(&*checkpoint, &prompts, Placement::Resident, |rows| {
                vec![Edit::States(StateEdit { layer: 1, site, rows: vec![rows[0][OWN]], columns, change })]
            });
            assert!(patched.expect("read") == clean, "{}: {site:?}", directory.display());
        }
    }
}

#[test]
fn edits_that_do_not_fit_are_refused_before_the_pass() {
    for directory in cases(&fixtures()) {
        let checkpoint = open_checkpoint(&directory).unwrap_or_else(|e| panic!("{e}"));
        let architecture = checkpoint.architecture();
        let width = architecture.shape.d_model;
        let edit = StateEdit {
            layer: 1,
            site: Site::ResidPost,
            rows: vec![0],
            columns: 0..width,
            change: StateChange::Add(vec![1.0; width]),
        };
        let n_layers = architecture.shape.n_layers;
        let of = |change, columns| StateEdit { change, columns, ..edit.clone() };
        let mut cases = vec![
            (StateEdit { layer: 0, ..edit.clone() }, "no site `resid_post`".to_owned()),
            (StateEdit { layer: n_layers + 1, ..edit.clone() }, "no site `resid_post`".to_owned()),
            (StateEdit { site: Site::Embed, ..edit.clone() }, "no site `embed`".to_owned()),
            (StateEdit { rows: vec![0, 1000], ..edit.clone() }, "row 1000 is not among".to_owned()),
            (of(StateChange::Add(vec![1.0; width + 1]), 0..width + 1), format!("among the {width}")),
            (of(StateChange::Add(Vec::new()), 2..2), "are not among".to_owned()),
            (of(StateChange::Add(vec![1.0]), 0..2), "2 columns need as many values, not 1".to_owned()),
            (of(StateChange::Replace(vec![f32::NAN]), 0..1), "not finite".to_owned()),
            (of(StateChange::Remove(vec![0.0; 2]), 0..2), "direction of zeros".to_owned()),
        ];
        if architecture.residual == Residual::Parallel {
            cases.push((StateEdit { site: Site::ResidMid, ..edit.clone() }, "parallel".to_owned()));
        }
        for (wrong, expected) in cases {
            assert_refused(&*checkpoint, vec![Edit::States(edit.clone()), Edit::States(wrong)], &expected);
        }
        let knock_out = AttentionKnockOut { layer: 1, rows: vec![5], heads: vec![0], keys: vec![0..2, 2..6] };
        let of_head = AttentionKnockOut { heads: vec![architecture.shape.n_heads], ..knock_out.clone() };
        let of_layer = AttentionKnockOut { layer: 0, ..knock_out.clone() };
        for (wrong, expected) in
            [(knock_out, "would see no key"), (of_head, "there is no head"), (of_layer, "no attention")]
        {
            assert_refused(&*checkpoint, vec![Edit::States(edit.clone()), Edit::KnockOut(wrong)], expected);
        }
    }
}

/// The second edit of the plan is refused with the expected problem.
fn assert_refused(checkpoint: &dyn Checkpoint, plan: Vec<Edit>, expected: &str) {
    let read = read_edited(checkpoint, &prompts(checkpoint), Placement::Resident, |_| plan);
    match *read.expect_err("refused") {
        ExtractError::Edit { index: 1, problem } => assert!(problem.contains(expected), "{problem}"),
        other => panic!("{other}"),
    }
}
