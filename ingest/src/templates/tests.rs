//! Templates as a study gives them, to prompts.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

const CAPITALS: &str = "\
{% for d in demonstrations %}
[[example: Country: {{ d.country }}
Capital: {{ d.answer }}]]

{% endfor %}
Country: [[query: {{ country }}]]
[[cue: Capital:]]
";

/// Six countries with the settings `changes` in place of the others.
fn task(changes: &Value) -> Result<TemplateTask, IngestError> {
    let rows: Vec<Value> = [
        ("France", "Paris", "Europe"),
        ("Kenya", "Nairobi", "Africa"),
        ("Peru", "Lima", "America"),
        ("Japan", "Tokyo", "Asia"),
        ("Italy", "Rome", "Europe"),
        ("Ghana", "Accra", "Africa"),
    ]
    .iter()
    .map(|(country, capital, continent)| json!({"country": country, "expected": capital, "continent": continent}))
    .collect();
    let mut settings = json!({"template": CAPITALS, "items": rows, "examples": [0, 2, 4]});
    for (key, value) in changes.as_object().expect("settings") {
        settings[key] = value.clone();
    }
    let settings = settings.as_object().expect("an object");
    TemplateTask::from_settings(settings, Path::new("."), ColumnMap::default())
}

fn prompts(changes: &Value) -> Vec<Prompt> {
    task(changes).and_then(|task| task.generate()).expect("prompts").prompts
}

fn refusal(changes: &Value) -> String {
    task(changes).and_then(|task| task.generate()).expect_err("refused").to_string()
}

fn conditions(prompts: &[Prompt]) -> Vec<&str> {
    let mut seen = Vec::new();
    for prompt in prompts {
        if !seen.contains(&prompt.condition.as_str()) {
            seen.push(prompt.condition.as_str());
        }
    }
    seen
}

fn covered<'a>(prompt: &'a Prompt, role: &str) -> Vec<&'a str> {
    let of_role = prompt.segments.iter().filter(|segment| segment.role == role);
    of_role.map(|segment| segment.slice(&prompt.text).expect("in the text")).collect()
}

#[test]
fn an_item_stands_behind_the_first_demonstrations_of_its_own_list() {
    let prompts = prompts(&json!({}));
    assert_eq!(prompts.len(), 6 * 3);
    assert_eq!(conditions(&prompts), ["icl_0", "icl_2", "icl_4"]);
    assert_eq!(prompts[0].text, "Country: France\nCapital:");
    assert_eq!(prompts[0].prompt_id, "1-icl_0");
    assert_eq!(prompts[0].expected.as_deref(), Some("Paris"));
    assert_eq!(prompts[0].params, *json!({"country": "France", "continent": "Europe"}).as_object().unwrap());
    for item in prompts.chunks(3) {
        assert_eq!(covered(&item[2], "example").len(), 4);
        assert_eq!(covered(&item[1], "example"), covered(&item[2], "example")[..2]);
        assert_eq!(covered(&item[2], "query"), covered(&item[0], "query"));
        assert_eq!(covered(&item[2], "cue"), ["Capital:"]);
        assert!(item[2].text.ends_with(&format!("\n\n{}", item[0].text)), "{}", item[2].text);
        assert_eq!(item[2].n_examples, 4);
        // No item is its own demonstration.
        let country = item[0].params["country"].as_str().expect("a text");
        assert_eq!(item[2].text.matches(country).count(), 1);
        let shown = item[2].params["demonstrations"].as_str().expect("ids");
        assert_eq!(shown.split(' ').collect::<BTreeSet<_>>().len(), 4);
    }
    assert_eq!(prompts, self::prompts(&json!({})));
    assert_ne!(prompts, self::prompts(&json!({"seed": 8})));
}

#[test]
fn balanced_draws_show_every_answer_equally_often_in_every_first_part() {
    let items: Vec<Value> = (0..12)
        .map(|i| json!({"country": format!("C{i}"), "expected": (["yes", "no", "maybe"][i % 3])}))
        .collect();
    let prompts = prompts(&json!({"items": items, "draw": "balanced", "examples": [1, 2, 3, 5, 6]}));
    for prompt in &prompts {
        let mut counts: BTreeMap<&str, usize> = [("yes", 0), ("no", 0), ("maybe", 0)].into();
        for example in covered(prompt, "example") {
            *counts.get_mut(example.rsplit(' ').next().expect("an answer")).expect("known") += 1;
        }
        let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
        assert!(most - least <= 1, "{counts:?}");
    }
    let few = refusal(&json!({"items": items, "draw": "balanced", "examples": [11]}));
    assert!(few.contains("a balanced draw of 11 needs more demonstrations with the answer"), "{few}");
}

#[test]
fn labels_are_gold_or_drawn_and_random_ones_are_right_as_often_as_chance() {
    let items: Vec<Value> = (0..200)
        .map(|i| json!({"country": format!("C{i}"), "expected": (["a", "b", "c", "d"][i % 4])}))
        .collect();
    let prompts =
        prompts(&json!({"items": items, "examples": [0, 8], "labels": ["gold", "random", "wrong"]}));
    assert_eq!(conditions(&prompts), ["icl_0", "icl_8", "icl_8-random", "icl_8-wrong"]);
    let share = |labels: &str| {
        let (mut n_right, mut n) = (0, 0);
        for prompt in prompts.iter().filter(|p| p.params.get("labels") == Some(&json!(labels))) {
            for example in covered(prompt, "example") {
                let (country, answer) = example
                    .strip_prefix("Country: C")
                    .and_then(|e| e.split_once("\nCapital: "))
                    .expect("the form");
                let number: usize = country.parse().expect("a number");
                n_right += usize::from(["a", "b", "c", "d"][number % 4] == answer);
                n += 1;
            }
        }
        (n, f64::from(u32::try_from(n_right).unwrap()) / f64::from(u32::try_from(n).unwrap()))
    };
    assert_eq!(share("gold"), (1600, 1.0));
    assert_eq!(share("wrong"), (1600, 0.0));
    // A binomial of 1600 at one in four has a standard deviation of 0.011.
    assert!((share("random").1 - 0.25).abs() < 0.05, "{:?}", share("random"));
    let unshown =
        refusal(&json!({"labels": ["random"], "template": CAPITALS.replace("d.answer", "d.expected")}));
    assert!(unshown.contains("{{ d.answer }}"), "{unshown}");
}

#[test]
fn orders_formats_and_replicates_are_conditions_and_params() {
    let ordered = prompts(&json!({"examples": [1, 2, 4], "orders": 3}));
    assert_eq!(
        conditions(&ordered),
        ["icl_1", "icl_2", "icl_2-order_2", "icl_4", "icl_4-order_2", "icl_4-order_3"]
    );
    for item in ordered.chunks(6) {
        let sorted = |prompt| covered(prompt, "example").into_iter().collect::<BTreeSet<_>>();
        assert_eq!(sorted(&item[3]), sorted(&item[5]));
        assert_ne!(covered(&item[3], "example"), covered(&item[5], "example"));
        assert_eq!(item[5].params["order_number"], json!(3));
    }
    let arrow =
        "{% for d in demonstrations %}{{ d.country }} -> {{ d.answer }}\n{% endfor %}{{ country }} ->";
    let formats = prompts(&json!({"template": {"words": CAPITALS, "arrow": arrow}, "examples": [0, 1]}));
    assert_eq!(conditions(&formats), ["icl_0-words", "icl_1-words", "icl_0-arrow", "icl_1-arrow"]);
    assert_eq!(formats[2].text, "France ->");
    assert_eq!(formats[3].params["format"], json!("arrow"));
    let replicates = prompts(&json!({"examples": [2], "replicates": 3}));
    assert_eq!(conditions(&replicates), ["icl_2"]);
    let draws: BTreeSet<_> = replicates[..3].iter().map(|p| p.params["demonstrations"].to_string()).collect();
    assert_eq!((replicates.len(), draws.len()), (18, 3));
    assert_eq!(replicates[2].prompt_id, "1-icl_2-r3");
    assert_eq!(replicates[2].params["replicate"], json!(3));
}

#[test]
fn demonstrations_have_a_table_of_their_own_and_keep_apart() {
    let pool =
        json!([{"country": "Spain", "expected": "Madrid"}, {"country": "Chile", "expected": "Santiago"}]);
    let first = prompts(&json!({"demonstrations": pool, "draw": "first", "examples": [2]}));
    for prompt in &first {
        assert!(
            prompt.text.starts_with("Country: Spain\nCapital: Madrid\n\nCountry: Chile\n"),
            "{}",
            prompt.text
        );
    }
    let apart = prompts(&json!({"examples": [4], "apart": ["continent"]}));
    assert!(
        apart[0].params["demonstrations"].as_str().is_some_and(|ids| !ids.contains('5')),
        "Italy is in Europe"
    );
    let too_few = refusal(&json!({"examples": [5], "apart": ["continent"]}));
    assert!(too_few.contains("items: 4 problems") && too_few.contains("in continent, found 4"), "{too_few}");
}

#[test]
fn answers_and_candidates_may_be_templates() {
    let items = json!([
        {"q": "2+2", "options": ["3", "4"], "answer": 1},
        {"q": "1+1", "options": ["2", "5"], "answer": 0}
    ]);
    let made = prompts(&json!({
        "items": items,
        "template": "{{ q }}? A. {{ options[0] }} B. {{ options[1] }}\nAnswer:",
        "expected": "{{ 'AB'[answer] }}", "choices": ["A", "B"], "examples": [0],
    }));
    assert_eq!(made[0].text, "2+2? A. 3 B. 4\nAnswer:");
    assert_eq!(made[0].expected.as_deref(), Some("B"));
    assert_eq!(made[0].choices(), [("choice_1", "A".to_owned()), ("choice_2", "B".to_owned())]);
}

#[test]
fn values_are_never_markup() {
    let items = json!([{"country": "[[query: {{ x }}]]", "expected": "]]"}]);
    let made = prompts(&json!({"items": items, "examples": [0]}));
    assert_eq!(made[0].text, "Country: [[query: {{ x }}]]\nCapital:");
    assert_eq!(covered(&made[0], "query"), ["[[query: {{ x }}]]"]);
}

#[test]
fn refusals_name_the_setting_and_what_is_accepted() {
    for (changes, parts) in [
        (
            json!({"template": "{{ contry }}", "examples": [0]}),
            &["`template`: no item has `contry`", "`country`"][..],
        ),
        (json!({"template": "a\n{% for %}", "examples": [0]}), &["`template`: line 2"]),
        (json!({"template": "a\n[[b c]]", "examples": [0]}), &["`template`: line 2: `[[` begins a segment"]),
        (json!({"template": "{{ answer }}", "examples": [0]}), &["known of a demonstration alone"]),
        (json!({"template": "{{ country }}"}), &["`examples`: the template shows no demonstrations"]),
        (json!({"examples": null}), &["`template`: the template shows demonstrations"]),
        (json!({"examples": [1, 1]}), &["setting `examples`", "different"]),
        (
            json!({"examples": [6]}),
            &["items: 6 problems", "row 1: expected at least 6 demonstrations", "found 5"],
        ),
        (json!({"labels": ["golden"]}), &["setting `labels`", "\"wrong\""]),
        (json!({"orders": 0}), &["setting `orders`", "from 1 to 1000"]),
        (json!({"apart": ["continental"]}), &["`apart`: no item has `continental`"]),
        (json!({"items": "none.csv"}), &["`items`: there is no file"]),
        (json!({"items": []}), &["holds no items"]),
        (
            json!({"items": [{"country": 1, "item_id": "a"}, {"country": 2, "item_id": "a"}]}),
            &["row 2", "`item_id`"],
        ),
        (json!({"items": [{"country": "x", "labels": "y"}]}), &["`items`: a column is called `labels`"]),
        (
            json!({"template": "[[q: {{ country }}]]", "examples": [0], "items": [{"country": ""}]}),
            &["`q` is empty"],
        ),
        (json!({"template": "{{ [1][country] }}", "examples": [0]}), &["items: 6 problems", "row 1"]),
    ] {
        let refusal = refusal(&changes);
        assert!(parts.iter().all(|part| refusal.contains(part)), "{changes}: {refusal}");
    }
}
