//! A lake with planted results: two tasks, four conditions each, 31 layers, effects of known direction.

use crate::names::Names;
use crate::table_rows::{Cell, D_MODEL, Rows, commit, t};
use hypercolumn_schemas::tables::{AssociationRow, AttentionRatioRow, ProbeRow, RsaRow};
use hypercolumn_schemas::{
    AnalyzeRecord, ExtractRecord, IngestRecord, Lake, ModelRecord, Partition, Record, Slot, tables,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::f64::consts::PI;
use std::path::Path;

pub const MODEL: &str = "planted-model";
pub const STUDY: &str = "What examples change";
const N_BLOCKS: i32 = 30;
const N_HEADS: i32 = 9;

/// What is planted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Behaviour, alignment, probes and attention improve with examples.
    Rise,
    /// Nothing changes.
    None,
}

/// A standard normal number.
fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (random.random::<f64>().max(1e-12), random.random());
    (-2.0 * u.ln()).sqrt() * (2.0 * PI * v).cos()
}

/// A bump over the layers, highest at `peak`.
fn bump(layer: i32, peak: f64, width: f64) -> f64 {
    (-((f64::from(layer) - peak) / width).powi(2)).exp()
}

pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) group: usize,
    pub(crate) slope: i64,
    difficulty: f64,
}

/// Writes both tasks. `n_groups` groups of `n_each` items a task.
pub fn write_planted(root: &Path, names: &Names, effect: Effect, n_groups: usize, n_each: usize) -> Lake {
    let lake = Lake::create(root).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(11);
    for (task, is_lines) in [(&names.line_task, true), (&names.scene_task, false)] {
        let items: Vec<Item> = (0..n_groups * n_each)
            .map(|i| Item {
                id: format!("{}{}-{i:04}", names.item_prefix, if is_lines { "lr" } else { "rc" }),
                group: i % n_groups,
                slope: (i % n_groups) as i64 * 3 - 20,
                difficulty: normal(&mut random),
            })
            .collect();
        let world = World { names, task, is_lines, effect, items };
        world.write(&lake, &mut random);
    }
    lake
}

/// One task that is being planted.
pub(crate) struct World<'a> {
    pub(crate) names: &'a Names,
    pub(crate) task: &'a str,
    pub(crate) is_lines: bool,
    effect: Effect,
    items: Vec<Item>,
}

impl World<'_> {
    fn write(&self, lake: &Lake, random: &mut ChaCha8Rng) {
        let source = serde_json::json!({"settings": {"seed": 7, "examples": [0, 1, 2, 4]}});
        let details = Record::Ingest(IngestRecord { source, ..IngestRecord::default() });
        let task = self.task.to_owned();
        commit(lake, Slot::Ingest { task: task.clone() }, details, &[self.prompts(), self.segments()]);
        let mut extracted = vec![self.choices(), self.responses()];
        extracted.extend((0..=N_BLOCKS).map(|layer| self.hidden_states(layer, random)));
        let details = Record::Extract(Box::new(ExtractRecord {
            model: ModelRecord {
                name: MODEL.into(),
                content_hash: "1f".repeat(32),
                n_layers: N_BLOCKS as usize,
                ..ModelRecord::default()
            },
            settings: serde_json::json!({"pooling": ["mean"], "max_new_tokens": 12, "precision": "exact"}),
            elapsed_s: 83.4,
            ..ExtractRecord::default()
        }));
        commit(
            lake,
            Slot::Extract { model: MODEL.into(), task: task.clone(), shard: 0 },
            details,
            &extracted,
        );
        self.commit_analysis(lake, "behavior", self.behavior(random));
        self.commit_analysis(lake, "rsa", self.rsa(random));
        self.commit_analysis(lake, "probes", self.probes(random));
        self.commit_analysis(lake, "attention_ratios", self.ratios(random));
        self.commit_analysis(lake, "associations", self.associations(random));
    }

    fn commit_analysis(&self, lake: &Lake, question: &str, rows: Rows) {
        let settings = serde_json::json!({
            "shared": {"seed": 7, "n_permutations": 1000, "n_bootstraps": 500, "n_refits": 200, "n_folds": 5,
                "n_inner_folds": 3, "n_repeats": 2, "confidence": 0.95},
            "entries": [{"similarity": ["cosine"], "pooling": ["mean"],
                "normalization": ["standardize", "none"]}],
        });
        let details = Record::Analyze(AnalyzeRecord { settings, ..AnalyzeRecord::default() });
        let (study, model, task) = (STUDY.to_owned(), MODEL.to_owned(), self.task.to_owned());
        let slot = Slot::Analyze { study, model, task, question: question.to_owned() };
        commit(lake, slot, details, &[rows]);
    }

    pub(crate) fn of_model(&self) -> Partition {
        Partition::of_model(MODEL, self.task)
    }

    /// How far a condition has come, 0 to 1.
    fn gain(&self, condition: usize) -> f64 {
        if self.effect == Effect::Rise { [0.0, 0.45, 0.75, 1.0][condition] } else { 0.0 }
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = (usize, &str, &Item)> {
        self.names
            .conditions
            .iter()
            .enumerate()
            .flat_map(|(c, name)| self.items.iter().map(move |item| (c, name.as_str(), item)))
    }

    fn behavior(&self, random: &mut ChaCha8Rng) -> Rows {
        let mut rows = Rows::new(&tables::BEHAVIOR, Partition::of_study(STUDY, MODEL, self.task));
        for (c, condition, item) in self.each() {
            let gain = self.gain(c);
            let logprob = -9.0 + 5.0 * gain - item.difficulty + 0.6 * normal(random);
            let error = (2.4 - 1.6 * gain + 0.5 * item.difficulty + 0.5 * normal(random)).exp();
            let right = |p: f64, r: &mut ChaCha8Rng| Cell::F(f64::from(u8::from(r.random::<f64>() < p)));
            let mut scores = vec![("expected_logprob", Cell::F(logprob))];
            if self.is_lines {
                let is_read = random.random::<f64>() < 0.97;
                scores.push(("absolute_error", if is_read { Cell::F(error) } else { Cell::Null }));
            } else {
                scores.push(("contains", right(0.2 + 0.6 * gain, random)));
                scores.push(("forced_choice", right(0.5 + 0.4 * gain, random)));
            }
            for (metric, score) in scores {
                let (id, own) = (t(&format!("{}-{c}", item.id)), t(&item.id));
                rows.push(vec![id, own, t(condition), t(metric), Cell::I(0), score, Cell::Null]);
            }
        }
        rows
    }

    fn hidden_states(&self, layer: i32, random: &mut ChaCha8Rng) -> Rows {
        let mut rows = Rows::new(&tables::HIDDEN_STATES, self.of_model().at_layer(layer));
        for (c, _, item) in self.each() {
            let strength = 0.9 * (0.3 + self.gain(c)) * bump(layer, 17.0, 8.0);
            let mut group = ChaCha8Rng::seed_from_u64(item.group as u64);
            let mut vector: Vec<f32> =
                (0..D_MODEL).map(|_| (strength * normal(&mut group) + normal(random)) as f32).collect();
            vector[0] += 40.0;
            rows.push(vec![
                t(&format!("{}-{c}", item.id)),
                t(if layer == 0 { "embed" } else { "resid_post" }),
                Cell::I(0),
                t("prompt"),
                t("mean"),
                Cell::I(30),
                Cell::V(vector),
            ]);
        }
        rows
    }

    fn hypotheses(&self) -> Vec<(&str, f64, f64)> {
        if self.is_lines {
            vec![
                (self.names.same_line.as_str(), 0.26, 17.0),
                ("slope distance", 0.18, 20.0),
                ("same query x (control)", 0.0, 10.0),
            ]
        } else {
            vec![("same activity asked", 0.2, 22.0), ("same name asked", 0.14, 12.0)]
        }
    }

    fn rsa(&self, random: &mut ChaCha8Rng) -> Rows {
        let mut rows = Vec::new();
        for hypothesis in self.hypotheses() {
            for normalization in ["standardize", "none"] {
                for c in 0..self.names.conditions.len() {
                    for layer_site in places() {
                        rows.push(self.rsa_row(hypothesis, normalization, c, layer_site, random));
                    }
                }
            }
        }
        Rows::typed(Partition::of_study(STUDY, MODEL, self.task), &rows)
    }

    fn rsa_row(
        &self,
        (hypothesis, size, peak): (&str, f64, f64),
        normalization: &str,
        c: usize,
        (layer, site): (i32, &str),
        random: &mut ChaCha8Rng,
    ) -> RsaRow {
        let scale = if normalization == "none" { 0.55 } else { 1.0 };
        let shape = bump(layer, peak, 9.0) * scale;
        let change = size * self.gain(c) * shape + 0.006 * normal(random);
        let estimate = 0.07 * shape + change;
        let is_undefined = hypothesis == "slope distance" && layer == 0;
        let number = |v: f64| (!is_undefined).then_some(v);
        let changed = |v: f64| (c > 0 && !is_undefined).then_some(v);
        let p_value = if change.abs() > 0.035 { 0.001 } else { 0.3 + 0.6 * random.random::<f64>() };
        RsaRow {
            condition: self.names.conditions[c].clone(),
            layer: layer as i16,
            site: site.to_owned(),
            role: "prompt".to_owned(),
            pooling: "mean".to_owned(),
            normalization: normalization.to_owned(),
            similarity: "cosine".to_owned(),
            hypothesis: hypothesis.to_owned(),
            comparison: "rho_a".to_owned(),
            estimate: number(estimate),
            nuisances: None,
            unadjusted: None,
            rival: None,
            rival_estimate: None,
            rival_difference: None,
            rival_ci_low: None,
            rival_ci_high: None,
            rival_p_value: None,
            rival_q_value: None,
            rival_p_value_fwer: None,
            replicates: None,
            n_replicates: None,
            replicate_estimate: None,
            ceiling_low: None,
            ceiling_high: None,
            p_value: number(0.01),
            q_value: number(0.02),
            p_value_fwer: number(0.02),
            ci_low: number(estimate - 0.025),
            ci_high: number(estimate + 0.025),
            n_prompts: self.items.len() as i32,
            n_pairs: (self.items.len() * (self.items.len() - 1) / 2) as i32,
            pairs_within_units: false,
            units: "item_id".to_owned(),
            n_units: self.items.len() as i32,
            cluster: "item_id".to_owned(),
            n_clusters: self.items.len() as i32,
            reference_condition: (c > 0).then(|| self.names.conditions[0].clone()),
            change: changed(change),
            change_p_value: changed(p_value),
            change_q_value: changed((2.0 * p_value).min(1.0)),
            change_p_value_fwer: changed((3.0 * p_value).min(1.0)),
            change_ci_low: changed(change - 0.03),
            change_ci_high: changed(change + 0.03),
            family: hypothesis.to_owned(),
            n_permutations: 1000,
            n_bootstraps: 500,
            confidence: 0.95,
            seed: "7".to_owned(),
            reason: is_undefined.then(|| "constant_measure".to_owned()),
        }
    }

    fn probes(&self, random: &mut ChaCha8Rng) -> Rows {
        let mut rows = Vec::new();
        let targets: &[(&str, &str, &str, f64)] = if self.is_lines {
            &[("line", "logistic", "balanced_accuracy", 1.0 / 16.0), ("slope", "ridge", "r2", -0.02)]
        } else {
            &[("activity", "logistic", "balanced_accuracy", 1.0 / 16.0)]
        };
        for &(target, probe, metric, baseline) in targets {
            for (c, condition) in self.names.conditions.iter().enumerate() {
                for (layer, site) in places() {
                    let score = baseline
                        + (0.1 + 0.7 * self.gain(c)) * bump(layer, 15.0, 9.0)
                        + 0.01 * normal(random);
                    let chance =
                        baseline + 0.03 * random.random::<f64>() - if metric == "r2" { 0.2 } else { 0.0 };
                    rows.push(ProbeRow {
                        train_condition: None,
                        condition: condition.clone(),
                        layer: layer as i16,
                        site: site.to_owned(),
                        role: "prompt".to_owned(),
                        pooling: "mean".to_owned(),
                        target: target.to_owned(),
                        probe: probe.to_owned(),
                        metric: metric.to_owned(),
                        score: Some(score),
                        baseline: Some(baseline),
                        chance: Some(chance),
                        above_chance: Some(score - chance),
                        control: None,
                        selectivity: None,
                        p_value: Some(0.01),
                        q_value: Some(0.02),
                        p_value_fwer: Some(0.03),
                        ci_low: Some(score - 0.05),
                        ci_high: Some(score + 0.05),
                        n_prompts: self.items.len() as i32,
                        n_groups: Some(16),
                        units: "item_id".to_owned(),
                        n_units: 16,
                        n_clusters: 16,
                        n_classes: (probe == "logistic").then_some(16),
                        n_folds: 8,
                        n_repeats: 2,
                        n_permutations: 200,
                        converged: Some(true),
                        family: target.to_owned(),
                        confidence: 0.95,
                        seed: "7".to_owned(),
                        reason: None,
                    });
                }
            }
        }
        Rows::typed(Partition::of_study(STUDY, MODEL, self.task), &rows)
    }

    fn ratios(&self, random: &mut ChaCha8Rng) -> Rows {
        let mut rows = Vec::new();
        if self.is_lines {
            return Rows::typed::<AttentionRatioRow>(Partition::of_study(STUDY, MODEL, self.task), &rows);
        }
        for query in ["final", "response"] {
            for (c, condition) in self.names.conditions.iter().enumerate() {
                for layer in 1..=N_BLOCKS {
                    let of = |c: usize| (0.2 + 0.9 * self.gain(c)) * bump(layer, 19.0, 7.0);
                    let (base, change) = (of(c), (c > 0).then(|| of(c) - of(0)));
                    let mut push = |head: i32, reduction: &str, value: f64| {
                        let row =
                            ratio_row(condition, layer, head, reduction, query, value, self.items.len());
                        rows.push(with_change(row, &self.names.conditions[0], change));
                    };
                    for head in 0..N_HEADS {
                        let own = 0.5 * (f64::from((layer * 7 + head * 3) % 11) / 5.0 - 1.0);
                        push(head, "none", base + own + 0.1 * normal(random));
                    }
                    push(-1, "mean", base);
                    push(-1, "max", base + 1.1);
                }
            }
        }
        Rows::typed(Partition::of_study(STUDY, MODEL, self.task), &rows)
    }

    fn associations(&self, random: &mut ChaCha8Rng) -> Rows {
        let mut rows = Vec::new();
        let metrics: &[&str] = if self.is_lines {
            &["absolute_error", "expected_logprob"]
        } else {
            &["expected_logprob", "contains"]
        };
        let mut measures: Vec<String> =
            self.hypotheses().iter().map(|(h, ..)| format!("alignment: {h}")).collect();
        measures.push(if self.is_lines { "probe: line" } else { "probe: activity" }.to_owned());
        if !self.is_lines {
            measures.push("attention: final to informative over distractor".to_owned());
        }
        for metric in metrics {
            for (c, condition) in self.names.conditions.iter().enumerate().skip(1) {
                for (m, measure) in measures.iter().enumerate() {
                    for layer in 0..=N_BLOCKS {
                        let planted = if self.effect == Effect::Rise { 0.35 } else { 0.0 };
                        let rho = planted * self.gain(c) * bump(layer, 12.0 + 3.0 * m as f64, 6.0)
                            + 0.03 * normal(random);
                        let q = if rho.abs() > 0.13 { 0.01 } else { 0.6 };
                        for (statistic, value, width) in
                            [("spearman", rho, 0.12), ("paired_t", 0.2 * self.gain(c), 0.05)]
                        {
                            rows.push(AssociationRow {
                                condition: condition.clone(),
                                reference_condition: self.names.conditions[0].clone(),
                                contrast: None,
                                measure: measure.clone(),
                                layer: layer as i16,
                                behavior_metric: (*metric).to_owned(),
                                statistic: statistic.to_owned(),
                                estimate: Some(value),
                                p_value: Some(q / 2.0),
                                q_value: Some(q),
                                ci_low: Some(value - width),
                                ci_high: Some(value + width),
                                n: self.items.len() as i32,
                                n_units: self.items.len() as i32,
                                n_clusters: self.items.len() as i32,
                                cluster: "item_id".to_owned(),
                                family: measure.clone(),
                                confidence: 0.95,
                                seed: "7".to_owned(),
                                reason: None,
                            });
                        }
                    }
                }
            }
        }
        Rows::typed(Partition::of_study(STUDY, MODEL, self.task), &rows)
    }
}

fn places() -> impl Iterator<Item = (i32, &'static str)> {
    let blocks = (0..=N_BLOCKS).map(|l| (l, if l == 0 { "embed" } else { "resid_post" }));
    blocks.chain([(N_BLOCKS, "final_norm")])
}

/// A row with its change from the reference condition.
fn with_change(row: AttentionRatioRow, reference: &str, change: Option<f64>) -> AttentionRatioRow {
    let is_tested = row.head_reduction != "max";
    let p = change.filter(|_| is_tested).map(|change| if change.abs() > 0.3 { 0.001 } else { 0.4 });
    AttentionRatioRow {
        reference_condition: change.map(|_| reference.to_owned()),
        change,
        change_ci_low: change.map(|c| c - 0.1),
        change_ci_high: change.map(|c| c + 0.1),
        change_p_value: p,
        change_q_value: p,
        change_p_value_fwer: p,
        ..row
    }
}

fn ratio_row(
    condition: &str,
    layer: i32,
    head: i32,
    reduction: &str,
    query: &str,
    value: f64,
    n: usize,
) -> AttentionRatioRow {
    let q = if value.abs() > 0.12 { 0.001 } else { 0.4 };
    let is_tested = reduction != "max";
    AttentionRatioRow {
        condition: condition.to_owned(),
        layer: layer as i16,
        head: head as i16,
        head_reduction: reduction.to_owned(),
        name: format!("{query} to informative over distractor"),
        query: format!("role = '{query}'"),
        relevant: "role = 'informative'".to_owned(),
        irrelevant: "role = 'distractor'".to_owned(),
        ratio: Some(value.exp()),
        log_ratio: Some(value),
        ci_low: Some(value - 0.1),
        ci_high: Some(value + 0.1),
        ratio_raw: Some(value.exp()),
        log_ratio_raw: Some(value),
        contrast: Some(value),
        contrast_with: "irrelevant segments".to_owned(),
        contrast_ci_low: Some(value - 0.1),
        contrast_ci_high: Some(value + 0.1),
        p_value: is_tested.then_some(q),
        q_value: is_tested.then_some(q),
        reference_condition: None,
        change: None,
        change_ci_low: None,
        change_ci_high: None,
        change_p_value: None,
        change_q_value: None,
        p_value_fwer: is_tested.then_some(q),
        change_p_value_fwer: None,
        first_token_mass: Some(0.4),
        log_ratio_without_first_token: Some(value),
        contrast_without_first_token: Some(value),
        n_bootstraps: 500,
        relevant_mass: Some(0.1),
        irrelevant_mass: Some(0.05),
        relevant_tokens: Some(7.0),
        irrelevant_tokens: Some(14.0),
        top_head: (reduction == "max").then_some(4),
        n_prompts: n as i32,
        n_contrasted: n as i32,
        n_zero_mass: 0,
        n_excluded: 0,
        n_units: n as i32,
        n_clusters: n as i32,
        cluster: "item_id".to_owned(),
        family: query.to_owned(),
        confidence: 0.95,
        seed: "7".to_owned(),
        reason: None,
    }
}
