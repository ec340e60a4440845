//! Balanced scenes: statements of who does what, of which no frequency or position gives the answer away.
//!
//! A scene is a few statements "name is activity", one of which is asked about. Names and
//! activities are numbers here; the words belong to the task.
//!
//! # Design
//!
//! With a vocabulary of n names and n activities and P statements a scene, scenes come in cycles of
//! n. Scene u of a cycle asks about name u and activity u + δ (mod n), with one δ a cycle, another
//! in each. Its other statements are (u + d, u + d + δ) for P − 1 different d, drawn for each cycle;
//! the position of the informative statement is one for a cycle and takes turns between cycles. So
//! within every cycle each name, and each activity, is asked about once and shown once in every
//! position, and every statement that occurs is asked about once and stands beside the question as
//! a distractor P − 1 times: neither a name nor an activity nor a whole statement tells whether it
//! is the answer. When the number of scenes is a multiple of n · P, position is exactly crossed with
//! name and with activity, and up to n² scenes no name meets an activity as the answer twice.
//!
//! Scenes beyond the last multiple of n · P continue the cycles, with position taking turns from
//! scene to scene: then names, activities and positions are asked about equally often to within one.

use crate::random_stream::RandomStream;

/// A statement: the numbers of a name and of an activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Statement {
    pub(super) name: usize,
    pub(super) activity: usize,
}

/// Statements in the order in which they are read, and which of them is asked about (from 0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scene {
    pub(super) statements: Vec<Statement>,
    pub(super) asked: usize,
}

impl Scene {
    pub(super) fn informative(&self) -> Statement {
        self.statements[self.asked]
    }
}

/// Balanced scenes in random order.
///
/// `vocabulary` is the number of names and of activities, at least `n_statements`.
pub(super) fn design_scenes(
    seed: u64,
    n_scenes: usize,
    vocabulary: usize,
    n_statements: usize,
) -> Vec<Scene> {
    let shifts = RandomStream::new(seed, "scene shifts", 0).permutation(vocabulary);
    let positions = RandomStream::new(seed, "scene positions", 0).permutation(n_statements);
    let mut scenes = Vec::with_capacity(n_scenes);
    for scene in 0..n_scenes {
        let (cycle, name) = (scene / vocabulary, scene % vocabulary);
        let turn = turn_of_position(scene, n_scenes, vocabulary, n_statements);
        let asked = positions[turn % n_statements];
        // Drawn again for each scene of the cycle, from the cycle's own stream: the same numbers.
        let offsets = draw_offsets(seed, cycle, vocabulary, n_statements);
        let shift = shifts[cycle % vocabulary];
        let mut statements: Vec<Statement> = offsets
            .into_iter()
            .chain([0])
            .map(|offset| Statement {
                name: (name + offset) % vocabulary,
                activity: (name + offset + shift) % vocabulary,
            })
            .collect();
        let informative = statements.pop().expect("the statement with offset 0");
        statements.insert(asked, informative);
        scenes.push(Scene { statements, asked });
    }
    RandomStream::new(seed, "scene order", 0).shuffle(&mut scenes);
    scenes
}

/// The index of a scene in the turns of the positions. A turn is skipped whenever cycles and positions would
/// fall into step, so that a shift or a name does not always meet the same position.
fn turn_of_position(scene: usize, n_scenes: usize, vocabulary: usize, n_statements: usize) -> usize {
    let in_step = least_common_multiple(vocabulary, n_statements);
    let n_whole = n_scenes - n_scenes % (vocabulary * n_statements);
    let step = if scene < n_whole { scene / vocabulary } else { scene - n_whole };
    step + step / in_step
}

/// The distractors' distances from the asked statement: different, none of them 0.
fn draw_offsets(seed: u64, cycle: usize, vocabulary: usize, n_statements: usize) -> Vec<usize> {
    let mut offsets = RandomStream::new(seed, "scene offsets", cycle as u64).permutation(vocabulary - 1);
    offsets.truncate(n_statements - 1);
    offsets.iter_mut().for_each(|offset| *offset += 1);
    offsets
}

fn least_common_multiple(a: usize, b: usize) -> usize {
    let (mut divisor, mut rest) = (a, b);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    a / divisor * b
}

/// Scenes for demonstrations, one after the other from one deck of names and one of activities,
/// so that none recurs before the deck runs short. The asked position is balanced: among the first
/// k scenes, no position is asked about more than once more often than another. A longer list
/// begins with the shorter one. `list` numbers independent lists of one seed.
pub(super) fn deal_demonstrations(
    seed: u64,
    list: u64,
    n_scenes: usize,
    vocabulary: usize,
    n_statements: usize,
) -> Vec<Scene> {
    let mut names = Deck::new(RandomStream::new(seed, "demo names", list), vocabulary);
    let mut activities = Deck::new(RandomStream::new(seed, "demo activities", list), vocabulary);
    let mut positions = Deck::new(RandomStream::new(seed, "demo positions", list), n_statements);
    let scenes = (0..n_scenes).map(|_| {
        let names = names.deal(n_statements);
        let activities = activities.deal(n_statements);
        let pairs = names.into_iter().zip(activities);
        Scene {
            statements: pairs.map(|(name, activity)| Statement { name, activity }).collect(),
            asked: positions.deal(1)[0],
        }
    });
    scenes.collect()
}

/// Cards dealt in random order; shuffled anew when too few are left.
struct Deck {
    stream: RandomStream,
    size: usize,
    cards: Vec<usize>,
}

impl Deck {
    fn new(stream: RandomStream, size: usize) -> Self {
        Self { stream, size, cards: Vec::new() }
    }

    fn deal(&mut self, n: usize) -> Vec<usize> {
        if self.cards.len() < n {
            self.cards = self.stream.permutation(self.size);
        }
        self.cards.split_off(self.cards.len() - n)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Debug;

    use super::*;

    fn count<T: Ord>(values: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
        let mut counts = BTreeMap::new();
        for value in values {
            *counts.entry(value).or_default() += 1;
        }
        counts
    }

    /// Every one of `n` values occurs, each equally often up to `slack`.
    fn assert_even<T: Ord + Debug>(counts: &BTreeMap<T, usize>, n: usize, slack: usize) {
        assert_eq!(counts.len(), n, "{counts:?}");
        let (least, most) = (counts.values().min(), counts.values().max());
        assert!(most.expect("some") - least.expect("some") <= slack, "{counts:?}");
    }

    /// Sizes (scenes, vocabulary, statements) with scenes a multiple of vocabulary × statements.
    const EXACT: [(usize, usize, usize); 6] =
        [(96, 16, 3), (96, 8, 3), (72, 12, 3), (36, 3, 3), (160, 8, 4), (60, 6, 2)];

    fn shown(scenes: &[Scene]) -> impl Iterator<Item = (usize, Statement)> {
        scenes.iter().flat_map(|scene| scene.statements.iter().copied().enumerate())
    }

    #[test]
    fn names_and_activities_are_exactly_crossed_with_positions() {
        for (n, v, p) in EXACT {
            for seed in 0..20 {
                let scenes = design_scenes(seed, n, v, p);
                assert_even(&count(scenes.iter().map(|s| s.asked)), p, 0);
                assert_even(&count(scenes.iter().map(|s| (s.informative().name, s.asked))), v * p, 0);
                let asked = scenes.iter().map(|s| (s.informative().activity, s.asked));
                assert_even(&count(asked), v * p, 0);
                assert_even(&count(shown(&scenes).map(|(at, s)| (s.name, at))), v * p, 0);
                assert_even(&count(shown(&scenes).map(|(at, s)| (s.activity, at))), v * p, 0);
            }
        }
    }

    #[test]
    fn every_statement_is_the_answer_in_the_same_share_of_its_scenes() {
        for (n, v, p) in EXACT {
            let scenes = design_scenes(5, n, v, p);
            let asked = count(scenes.iter().map(Scene::informative));
            let shown = count(shown(&scenes).map(|(_, statement)| statement));
            assert_eq!(asked.len(), shown.len());
            assert!(asked.iter().all(|(statement, times)| shown[statement] == times * p));
        }
    }

    #[test]
    fn no_pair_is_the_answer_twice_before_all_have_been() {
        let scenes = design_scenes(7, 96, 16, 3);
        assert_eq!(count(scenes.iter().map(Scene::informative)).len(), 96);
        // Name, activity and position fully crossed, also where cycles and positions fall in step.
        for (v, p) in [(4, 3), (6, 3), (4, 2)] {
            let scenes = design_scenes(7, v * v * p, v, p);
            let cells = count(scenes.iter().map(|s| (s.informative(), s.asked)));
            assert_even(&cells, v * v * p, 0);
        }
    }

    #[test]
    fn a_scene_repeats_no_name_and_no_activity() {
        for (n, v, p) in EXACT {
            for scene in design_scenes(1, n, v, p) {
                assert_even(&count(scene.statements.iter().map(|s| s.name)), p, 0);
                assert_even(&count(scene.statements.iter().map(|s| s.activity)), p, 0);
            }
        }
    }

    #[test]
    fn other_counts_are_balanced_to_within_one() {
        for n in 1..=120 {
            for (v, p) in [(16, 3), (12, 3), (8, 2), (5, 4), (4, 4)] {
                let scenes = design_scenes(3, n, v, p);
                assert_eq!(scenes.len(), n);
                assert_even(&count(scenes.iter().map(|s| s.asked)), n.min(p), 1);
                assert_even(&count(scenes.iter().map(|s| s.informative().name)), n.min(v), 1);
                assert_even(&count(scenes.iter().map(|s| s.informative().activity)), n.min(v), 1);
            }
        }
    }

    #[test]
    fn demonstrations_are_balanced_at_every_length() {
        let demos = deal_demonstrations(7, 0, 64, 12, 3);
        for k in 3..=64 {
            assert_even(&count(demos[..k].iter().map(|d| d.asked)), 3, 1);
        }
        assert_even(&count(shown(&demos[..4]).map(|(_, s)| s.name)), 12, 0);
        assert_eq!(deal_demonstrations(7, 0, 5, 12, 3), demos[..5]);
        assert_ne!(deal_demonstrations(7, 1, 5, 12, 3), demos[..5]);
    }
}
