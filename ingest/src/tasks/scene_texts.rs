//! Scenes as text: their words, statements, question and solved demonstrations, and the params that say what they are about.

use serde_json::{Map, Value};

use super::scenes::{Scene, Statement, deal_demonstrations};
use super::vocabulary::{DEMO_ACTIVITIES, DEMO_NAMES, SCENE_ACTIVITIES, SCENE_NAMES};
use crate::draft::Draft;
use crate::error::IngestError;
use crate::random_stream::RandomStream;
use crate::settings::refuse;

/// More demonstrations than this would only repeat a small vocabulary.
pub(super) const MAX_DEMONSTRATIONS: u64 = 64;

const MAX_STATEMENTS: u32 = 8;
const MAX_VOCABULARY: u32 = SCENE_NAMES.len() as u32;

/// The sizes of a task of scenes.
pub(super) struct SceneSizes {
    pub(super) scenes: u32,
    pub(super) statements: u32,
    pub(super) vocabulary: u32,
}

impl SceneSizes {
    /// Refuses sizes that are impossible, alone or together.
    pub(super) fn check(&self, task: &'static str) -> Result<(), IngestError> {
        if self.scenes == 0 {
            return Err(refuse(task, "scenes", 0, "a whole number from 1"));
        }
        if !(2..=MAX_STATEMENTS).contains(&self.statements) {
            let accepted = format!("a whole number from 2 to {MAX_STATEMENTS}");
            return Err(refuse(task, "statements", self.statements, accepted));
        }
        if !(self.statements..=MAX_VOCABULARY).contains(&self.vocabulary) {
            let accepted = format!(
                "a whole number from {}, the number of statements, to {MAX_VOCABULARY}",
                self.statements
            );
            return Err(refuse(task, "vocabulary", self.vocabulary, accepted));
        }
        Ok(())
    }
}

/// The words that a study's scenes use, by number.
pub(super) struct Words {
    pub(super) names: Vec<&'static str>,
    pub(super) activities: Vec<&'static str>,
}

impl Words {
    /// The words of the scenes: a seeded choice of `n` names and `n` activities.
    pub(super) fn of_scenes(seed: u64, n: usize) -> Self {
        let choose = |words: &[&'static str], purpose| {
            let order = RandomStream::new(seed, purpose, 0).permutation(words.len());
            order.into_iter().take(n).map(|index| words[index]).collect()
        };
        Self {
            names: choose(&SCENE_NAMES, "scene names"),
            activities: choose(&SCENE_ACTIVITIES, "scene activities"),
        }
    }

    /// The words of the demonstrations.
    fn of_demonstrations() -> Self {
        Self { names: DEMO_NAMES.to_vec(), activities: DEMO_ACTIVITIES.to_vec() }
    }

    pub(super) fn name(&self, scene: &Scene) -> &'static str {
        self.names[scene.informative().name]
    }

    pub(super) fn activity(&self, scene: &Scene) -> &'static str {
        self.activities[scene.informative().activity]
    }

    pub(super) fn statements(&self, scene: &Scene) -> Vec<String> {
        let state = |name, activity| format!("{name} is {activity}.");
        let words = |s: &Statement| state(self.names[s.name], self.activities[s.activity]);
        scene.statements.iter().map(words).collect()
    }

    pub(super) fn question(&self, scene: &Scene) -> String {
        format!("Question: What is {} doing?", self.name(scene))
    }
}

const CUE: &str = "Answer:";

/// The solved scenes in front of a task's scenes.
pub(super) struct Demonstrations {
    /// One list for each scene, or one for all.
    lists: Vec<Vec<String>>,
}

impl Demonstrations {
    /// Lists of `n` solved scenes, in the order in which conditions take them: one for each of `n_scenes`, or one for all.
    pub(super) fn write(seed: u64, n: usize, n_statements: usize, n_scenes: usize, shared: bool) -> Self {
        let n_lists = if shared { 1 } else { n_scenes };
        Self { lists: (0..n_lists as u64).map(|list| write_list(seed, list, n, n_statements)).collect() }
    }

    /// The first `k` solved scenes for the scene with this number.
    pub(super) fn of_scene(&self, number: usize, k: u32) -> &[String] {
        &self.lists[number % self.lists.len()][..k as usize]
    }
}

fn write_list(seed: u64, list: u64, n: usize, n_statements: usize) -> Vec<String> {
    let words = Words::of_demonstrations();
    let scenes = deal_demonstrations(seed, list, n, words.names.len(), n_statements);
    let write = |scene: &Scene| {
        let statements = words.statements(scene).join(" ");
        let (question, answer) = (words.question(scene), words.activity(scene));
        format!("{statements}\n{question}\n{CUE} {answer}.")
    };
    scenes.iter().map(write).collect()
}

/// Adds demonstrations as segments `example`.
pub(super) fn push_demonstrations(draft: &mut Draft, demonstrations: &[String]) {
    for demonstration in demonstrations {
        draft.push_segment("example", demonstration);
        draft.push("\n\n");
    }
}

/// Adds a scene as segments `informative`, `distractor` (one a statement), `question` and `cue`.
pub(super) fn push_scene(draft: &mut Draft, scene: &Scene, words: &Words) {
    for (position, statement) in words.statements(scene).iter().enumerate() {
        if position > 0 {
            draft.push(" ");
        }
        draft.push_segment(if position == scene.asked { "informative" } else { "distractor" }, statement);
    }
    draft.push("\n");
    draft.push_segment("question", &words.question(scene));
    draft.push("\n");
    draft.push_segment("cue", CUE);
}

/// What a scene is about: `name` and `activity` that are asked about, and the prompt's `kind`.
pub(super) fn describe_scene(scene: &Scene, words: &Words, kind: &str) -> Map<String, Value> {
    Map::from_iter([
        ("name".to_owned(), Value::from(words.name(scene))),
        ("activity".to_owned(), Value::from(words.activity(scene))),
        ("kind".to_owned(), Value::from(kind)),
    ])
}

/// As [`describe_scene`], with the `position` of the informative statement (from 1), `n_statements`, and the scene's activities in
/// order as `choice_1`, `choice_2`, ….
pub(super) fn describe_choices(scene: &Scene, words: &Words, kind: &str) -> Map<String, Value> {
    let mut params = describe_scene(scene, words, kind);
    params.insert("position".to_owned(), Value::from(scene.asked + 1));
    params.insert("n_statements".to_owned(), Value::from(scene.statements.len()));
    for (position, statement) in scene.statements.iter().enumerate() {
        let choice = words.activities[statement.activity];
        params.insert(format!("choice_{}", position + 1), Value::from(choice));
    }
    params
}
