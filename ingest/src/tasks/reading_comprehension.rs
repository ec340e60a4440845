//! Reading comprehension: a few statements, then a question that one of them answers.
//!
//! # Design
//!
//! An item is one scene and its question:
//!
//! ```text
//! Anna is reading a book. Peter is riding a bike. Maya is baking a cake.
//! Question: What is Peter doing?
//! Answer:
//! ```
//!
//! Who does what and where the informative statement stands is balanced: within a scene every name
//! and every activity stands once, and over the scenes each is asked about, and shown in each
//! position, equally often (exactly, where `scenes` is a multiple of `vocabulary` × `statements`,
//! as by default). So neither position nor frequency gives the answer away, and a guess among the
//! scene's own activities is right once in `statements` times.
//!
//! Condition `icl_k` puts k solved scenes in front. Their names and activities are a vocabulary of
//! their own, which no scene uses. Every scene has a list of its own, so that no result is about one
//! list; with `shared_demonstrations` one list serves all scenes, whose prompts then share their
//! prefixes and cost less. A solved answer is the activity alone (`Answer: counting coins.`), as `expected` is, so examples show
//! the form that is scored. The asked position is balanced over the demonstrations.
//!
//! Condition `simple` holds, for each item, the informative statement alone: the other side of the
//! comparison of a composite prompt with the simple statement it asks about. There is one for each
//! item even where two items ask about one statement, so that composite and simple prompts pair up
//! item by item; by default no two items do.
//!
//! # Params
//!
//! All: `name` and `activity` (those asked about), `kind` (`composite` or `simple`). Composite:
//! `position` of the informative statement (from 1), `n_statements`, and the scene's activities in
//! order as `choice_1`, `choice_2`, …: `choice_P` with P = `position` is `expected`. Segments:
//! an `example` for each demonstration, then `informative`, a `distractor` for each other statement
//! (in reading order), `question`, `cue`. Simple: one segment, `statement`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Task;
use super::scene_texts::{
    Demonstrations, MAX_DEMONSTRATIONS, SceneSizes, Words, describe_choices, describe_scene,
    push_demonstrations, push_scene,
};
use super::scenes::{Scene, design_scenes};
use crate::draft::Draft;
use crate::error::IngestError;
use crate::settings::{Accepted, check_examples, check_n_prompts, name_condition};
use hypercolumn_schemas::Prompt;

/// The task's name.
const NAME: &str = "reading_comprehension";

const ACCEPTED: [(&str, &str); 7] = [
    ("scenes", "a whole number from 1"),
    ("examples", "a list of different whole numbers from 0 to 64"),
    ("seed", "a whole number from 0"),
    ("statements", "a whole number from 2 to 8"),
    ("vocabulary", "a whole number from the number of statements to 24"),
    ("simple_prompts", "true or false"),
    ("shared_demonstrations", "true or false"),
];

/// The settings of the task. Each default is a choice of this software, not of a publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Number of scenes, each with one question.
    pub scenes: u32,
    /// Numbers of solved scenes in front, one condition each.
    pub examples: Vec<u32>,
    /// Seed of every random number.
    pub seed: u64,
    /// Statements a scene, one of them informative.
    pub statements: u32,
    /// Number of names, and of activities, in the scenes.
    pub vocabulary: u32,
    /// Whether each item's informative statement is also a prompt of its own.
    pub simple_prompts: bool,
    /// Whether one list of solved scenes stands in front of all scenes; else each scene has its own.
    pub shared_demonstrations: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            scenes: 96,
            examples: vec![0, 1, 2, 4],
            seed: 7,
            statements: 3,
            vocabulary: 16,
            simple_prompts: true,
            shared_demonstrations: false,
        }
    }
}

impl Task for Settings {
    const NAME: &'static str = NAME;
    const ACCEPTED: &'static Accepted = &ACCEPTED;
    const CLUSTER: &'static str = "item_id";
    const CONTROL: Option<&'static str> = Some("role = 'distractor'");

    fn check(&self) -> Result<(), IngestError> {
        SceneSizes { scenes: self.scenes, statements: self.statements, vocabulary: self.vocabulary }
            .check(NAME)?;
        check_examples(NAME, &self.examples, MAX_DEMONSTRATIONS)?;
        let n_conditions = self.examples.len() + usize::from(self.simple_prompts);
        check_n_prompts(NAME, "scenes", u64::from(self.scenes), n_conditions)
    }

    fn generate(&self) -> Result<Vec<Prompt>, IngestError> {
        generate(self)
    }
}

/// The prompts of the task, item by item.
///
/// # Errors
///
/// [`IngestError::Setting`] where the settings are impossible.
fn generate(settings: &Settings) -> Result<Vec<Prompt>, IngestError> {
    settings.check()?;
    let (vocabulary, n_statements) = (settings.vocabulary as usize, settings.statements as usize);
    let scenes = design_scenes(settings.seed, settings.scenes as usize, vocabulary, n_statements);
    let words = Words::of_scenes(settings.seed, vocabulary);
    let n_demonstrations = settings.examples.iter().copied().max().unwrap_or(0) as usize;
    let demonstrations = Demonstrations::write(
        settings.seed,
        n_demonstrations,
        n_statements,
        scenes.len(),
        settings.shared_demonstrations,
    );
    let mut prompts = Vec::new();
    for (number, scene) in scenes.iter().enumerate() {
        let item_id = format!("rc-{number:04}");
        for &k in &settings.examples {
            prompts.push(write_composite(&item_id, k, demonstrations.of_scene(number, k), scene, &words));
        }
        if settings.simple_prompts {
            prompts.push(write_simple(&item_id, scene, &words));
        }
    }
    Ok(prompts)
}

fn write_composite(item_id: &str, k: u32, demonstrations: &[String], scene: &Scene, words: &Words) -> Prompt {
    let mut draft = Draft::default();
    push_demonstrations(&mut draft, demonstrations);
    push_scene(&mut draft, scene, words);
    let (text, segments) = draft.finish();
    let params = describe_choices(scene, words, "composite");
    Prompt {
        prompt_id: format!("{item_id}-{k}"),
        item_id: item_id.to_owned(),
        condition: name_condition(k),
        n_examples: i32::try_from(k).expect("at most 64 examples"),
        text,
        expected: Some(words.activity(scene).to_owned()),
        params,
        segments,
    }
}

fn write_simple(item_id: &str, scene: &Scene, words: &Words) -> Prompt {
    let mut draft = Draft::default();
    draft.push_segment("statement", &words.statements(scene)[scene.asked]);
    let (text, segments) = draft.finish();
    Prompt {
        prompt_id: format!("{item_id}-simple"),
        item_id: item_id.to_owned(),
        condition: "simple".to_owned(),
        n_examples: 0,
        text,
        expected: None,
        params: describe_scene(scene, words, "simple"),
        segments,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::tasks::vocabulary::{SCENE_ACTIVITIES, SCENE_NAMES};

    type Change = fn(&mut Settings);

    fn default_prompts() -> Vec<Prompt> {
        generate(&Settings::default()).expect("the defaults are possible")
    }

    fn covered<'a>(prompt: &'a Prompt, role: &str) -> Vec<&'a str> {
        let of_role = prompt.segments.iter().filter(|segment| segment.role == role);
        of_role.map(|segment| segment.slice(&prompt.text).expect("in the text")).collect()
    }

    #[test]
    fn conditions_and_counts_are_those_of_the_settings() {
        let prompts = default_prompts();
        assert_eq!(prompts.len(), 96 * 5);
        let ids: BTreeSet<_> = prompts.iter().map(|p| &p.prompt_id).collect();
        assert_eq!(ids.len(), prompts.len());
        let conditions: Vec<_> = prompts[..5].iter().map(|p| p.condition.as_str()).collect();
        assert_eq!(conditions, ["icl_0", "icl_1", "icl_2", "icl_4", "simple"]);
        let without = Settings { simple_prompts: false, ..Settings::default() };
        assert_eq!(generate(&without).expect("possible").len(), 96 * 4);
    }

    #[test]
    fn a_prompt_is_its_segments_and_the_answer_stands_once() {
        for prompt in default_prompts().iter().filter(|p| p.condition != "simple") {
            let expected = prompt.expected.as_deref().expect("an answer");
            let name = prompt.params["name"].as_str().expect("a name");
            let statement = format!("{name} is {expected}.");
            assert_eq!(covered(prompt, "informative"), [statement.as_str()]);
            assert_eq!(covered(prompt, "distractor").len(), 2);
            assert_eq!(covered(prompt, "question"), [format!("Question: What is {name} doing?")]);
            assert_eq!(covered(prompt, "cue"), ["Answer:"]);
            assert!(prompt.text.ends_with("doing?\nAnswer:"));
            assert_eq!(prompt.text.matches(expected).count(), 1);
            assert_eq!(prompt.text.matches(name).count(), 2);
            let choice = format!("choice_{}", prompt.params["position"]);
            assert_eq!(prompt.params[&choice].as_str(), Some(expected));
            assert_eq!(covered(prompt, "example").len(), prompt.n_examples as usize);
        }
    }

    #[test]
    fn conditions_of_an_item_differ_in_their_demonstrations_alone() {
        for item in default_prompts().chunks(5) {
            for pair in item[..4].windows(2) {
                assert!(pair[1].text.ends_with(&item[0].text));
                assert_eq!(pair[0].params, pair[1].params);
                let (few, more) = (covered(&pair[0], "example"), covered(&pair[1], "example"));
                assert_eq!(few, more[..few.len()]);
            }
        }
    }

    #[test]
    fn scenes_have_demonstrations_of_their_own_or_share_one_list() {
        let lists = |settings: &Settings| {
            let prompts = generate(settings).expect("possible");
            let shown = |p: &Prompt| covered(p, "example").into_iter().map(str::to_owned).collect::<Vec<_>>();
            prompts.chunks(5).map(|item| shown(&item[3])).collect::<BTreeSet<_>>().len()
        };
        assert_eq!(lists(&Settings::default()), 96);
        assert_eq!(lists(&Settings { shared_demonstrations: true, ..Settings::default() }), 1);
    }

    #[test]
    fn demonstrations_share_no_name_and_no_activity_with_any_scene() {
        let settings = Settings { vocabulary: 24, examples: vec![8], ..Settings::default() };
        let prompts = generate(&settings).expect("possible");
        for demonstration in covered(&prompts[0], "example") {
            let words = SCENE_NAMES.iter().chain(&SCENE_ACTIVITIES);
            assert!(words.clone().all(|word| !demonstration.contains(word)), "{demonstration}");
            assert!(demonstration.contains("\nAnswer: ") && demonstration.ends_with('.'));
        }
    }

    #[test]
    fn simple_prompts_are_the_informative_statements_each_different() {
        let prompts = default_prompts();
        for item in prompts.chunks(5) {
            assert_eq!([item[4].text.as_str()], covered(&item[0], "informative")[..]);
            assert_eq!(item[4].item_id, item[0].item_id);
            assert_eq!(item[4].expected, None);
            assert_eq!(covered(&item[4], "statement"), [item[4].text.as_str()]);
        }
        let texts: BTreeSet<_> = prompts.chunks(5).map(|item| &item[4].text).collect();
        assert_eq!(texts.len(), 96);
    }

    #[test]
    fn words_are_shown_and_asked_about_equally_often() {
        let prompts = default_prompts();
        for word in Words::of_scenes(7, 16).names.iter().chain(&Words::of_scenes(7, 16).activities) {
            let items = || prompts.iter().filter(|p| p.condition == "icl_0");
            let asked = |p: &&Prompt| p.params["name"] == **word || p.params["activity"] == **word;
            assert_eq!(items().filter(asked).count(), 6, "{word}");
            let shows = |p: &&Prompt| {
                let distractors = covered(p, "distractor");
                distractors.iter().any(|statement| statement.contains(word))
            };
            assert_eq!(items().filter(shows).count(), 12, "{word}");
        }
    }

    #[test]
    fn impossible_settings_are_refused_by_key() {
        let cases: [(Change, &str, &str); 6] = [
            (|s| s.scenes = 0, "`scenes`", "from 1"),
            (|s| s.scenes = 4_000_000, "`scenes`", "at most 10000000 prompts"),
            (|s| s.statements = 1, "`statements`", "from 2 to 8"),
            (|s| s.vocabulary = 2, "`vocabulary`", "from 3, the number of statements, to 24"),
            (|s| s.vocabulary = 25, "`vocabulary`", "to 24"),
            (|s| s.examples = vec![65], "`examples`", "from 0 to 64"),
        ];
        for (change, key, accepted) in cases {
            let mut settings = Settings::default();
            change(&mut settings);
            let message = generate(&settings).expect_err("refused").to_string();
            assert!(message.contains(key) && message.contains(accepted), "{message}");
        }
    }
}
