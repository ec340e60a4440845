//! `prompts show`: one prompt as text and as a page, its tokens from the lake or from a tokenizer, and what is refused.

mod support;

use serde_json::json;
use std::fs;
use support::{Bench, PROMPTS, Ran, checkpoint};

/// A lake with the two prompts of `mine`.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("p.jsonl", PROMPTS);
    bench.run(&["-q", "ingest", "--task", "mine", "--prompts", "p.jsonl"]).succeeds();
    bench
}

/// Ingests one prompt as the task `one`.
fn ingest_one(bench: &Bench, prompt: serde_json::Value) {
    bench.write("one.jsonl", prompt.to_string());
    bench.run(&["-q", "ingest", "--task", "one", "--prompts", "one.jsonl"]).succeeds();
}

/// Whether a text has a character that a terminal would obey.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c == '\n' || !c.is_control())
}

#[test]
fn the_first_prompt_is_shown_with_fields_and_segments_between_marks() {
    let ran = bench().run(&["prompts", "show", "mine"]).succeeds();
    let shown = ran.text();
    for line in [
        "prompt     p1",
        "task       mine (prompt 1 of 2)",
        "item       i1",
        "condition  icl_0",
        "expected   Anna",
        "params     name = Anna",
        "           n = 1",
        "segments   1 informative, characters 0–11",
        "⟦¹Anna sings.¹⟧ Who?",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "`{line}` is not in:\n{shown}");
    }
    assert!(is_plain(&shown) && !shown.contains("tokens"), "{shown}");
    assert!(ran.stderr.contains("no model has read this prompt; --model MODEL"), "{}", ran.stderr);
}

#[test]
fn a_prompt_is_found_by_id_item_and_condition() {
    let bench = bench();
    let id = |args: &[&str]| {
        let shown = bench.run(&[&["prompts", "show", "mine"], args].concat()).succeeds().text();
        shown.lines().next().expect("a line").replace("prompt     ", "")
    };
    assert_eq!(id(&["p2"]), "p2");
    assert_eq!(id(&["--condition", "icl_1"]), "p2");
    assert_eq!(id(&["i1"]), "p1");
    assert_eq!(id(&["i1", "--condition", "icl_1"]), "p2");
    let refuse = |args: &[&str], parts: &[&str]| {
        bench.run(&[&["prompts", "show"], args].concat()).refuses(parts);
    };
    let near = ["could not show prompt `p3` of `mine`", "none of its 2 prompts", "did you mean `p1`, `p2`"];
    refuse(&["mine", "p3"], &near);
    refuse(&["mine", "zebra-zebra"], &["none of its 2 prompts", "the first is `p1`", "SELECT prompt_id"]);
    refuse(&["mnie"], &["the lake has no task `mnie`", "did you mean `mine`?", "the lake has: mine"]);
    refuse(&["mine", "--condition", "icl_9"], &["the condition `icl_9`", "`icl_0` (1), `icl_1` (1)"]);
    refuse(&["mine", "p1", "--condition", "icl_1"], &["its condition is `icl_0`"]);
    refuse(&["mine", "p1", "--html", "--color", "always"], &["--color", "--html"]);
    refuse(&["mine", "p1", "--model", "gpt"], &["could not use model `gpt`", "an alias"]);
    refuse(&["mine", "p\u{1b}[31m"], &["`p\\u{1b}[31m`"]);
}

#[test]
fn overlapping_segments_are_told_apart_without_and_with_colours() {
    let bench = bench();
    let segments = json!([{"role": "scene", "start": 0, "end": 26}, {"role": "fact", "start": 0, "end": 11},
        {"role": "names", "start": 5, "end": 16}]);
    ingest_one(&bench, json!({"text": "Anna sings. Bob rests. Who? Answer:", "segments": segments}));
    let text = "⟦¹⟦²Anna ⟦³sings.²⟧ Bob ³⟧rests. Who¹⟧? Answer:";
    let show = ["prompts", "show", "one"];
    assert!(bench.run(&show).succeeds().text().ends_with(&format!("\n\n{text}\n")));
    let colored = bench.run(&[&show[..], &["--color", "always"]].concat()).succeeds().text();
    // The fact is cyan's neighbour yellow: the second role; where it and the third overlap, equal lengths keep the order.
    assert!(
        colored.contains("\u{1b}[33mAnna \u{1b}[0m\u{1b}[32m⟦³\u{1b}[0m\u{1b}[33msings.\u{1b}[0m"),
        "{colored:?}"
    );
    let without = |text: &str| {
        let mut plain = text.split('\u{1b}').map(|part| part.split_once('m').map_or(part, |(_, rest)| rest));
        let first = text.split('\u{1b}').next().expect("a part").to_owned();
        plain.next();
        first + &plain.collect::<String>()
    };
    assert_eq!(without(&colored), bench.run(&show).succeeds().text());
}

#[test]
fn what_a_terminal_would_obey_is_an_escape() {
    let bench = bench();
    let hostile = "a\u{1b}]0;title\u{7}b\r\u{9b}31m\u{202e}\tc\nd";
    ingest_one(
        &bench,
        json!({"prompt_id": "x\u{202e}1", "item_id": "it\u{200b}em", "text": hostile, "expected": "\u{1b}[2J",
            "params": {"note": "\u{1b}c"}, "segments": [{"role": "part", "start": 0, "end": 1}]}),
    );
    checkpoint::write(&bench, "tiny", 1);
    let shown = bench.run(&["prompts", "show", "one", "--model", "./tiny"]).succeeds();
    let text = shown.text();
    assert!(is_plain(&text) && is_plain(&shown.stderr), "{text:?}");
    for part in [
        "\\u{1b}]0;title\\u{7}b\\r\\u{9b}31m\\u{202e}\\tc\nd",
        "x\\u{202e}1",
        "note = \\u{1b}c",
        "it\\u{200b}em",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let page = bench.run(&["prompts", "show", "one", "--html"]).succeeds().text();
    assert!(page.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()), "{page:?}");
    let table =
        bench.run(&["sql", "SELECT text, expected FROM prompts WHERE task = 'one'"]).succeeds().text();
    assert!(is_plain(&table), "{table:?}");
}

#[test]
fn tokens_come_from_the_lake_or_from_a_tokenizer_and_agree() {
    let bench = bench();
    checkpoint::write(&bench, "tiny", 1);
    fs::create_dir(bench.path("bare")).expect("created");
    fs::copy(bench.path("tiny/tokenizer.json"), bench.path("bare/tokenizer.json")).expect("copied");
    let tokens = |ran: Ran| {
        let text = ran.succeeds().text();
        let (_, tokens) =
            text.split_once("\n\n").and_then(|(_, rest)| rest.split_once("\n\n")).expect("tokens");
        tokens.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let show = ["prompts", "show", "mine", "p1"];
    let bare = tokens(bench.run(&[&show[..], &["--model", "bare/"]].concat()));
    assert!(bare[0].contains("by the tokenizer of bare"), "{bare:?}");
    assert!(bare[1].starts_with("    0 ") && bare[1].contains("  1 informative "), "{bare:?}");
    let last = bare.last().expect("a token");
    assert!(last.contains("  final ") && last.ends_with("?\""), "{bare:?}");
    let n_informative = bare.iter().filter(|line| line.contains("1 informative")).count();
    assert!((2..bare.len() - 2).contains(&n_informative), "{bare:?}");

    let extract = ["-q", "extract", "--task", "mine", "--model", "./tiny", "--max-new-tokens", "2"];
    bench.run(&extract).succeeds();
    let read = tokens(bench.run(&show));
    assert!(read[0].contains("as tiny has read the prompt"), "{read:?}");
    assert_eq!(read[1..bare.len()], bare[1..], "the prompt's tokens");
    let response = &read[bare.len()..];
    assert!(response.iter().all(|line| line.contains("  response ")), "{response:?}");

    // Prompts that changed since are not shown with the tokens of the old ones.
    bench.write("p.jsonl", PROMPTS.replace("Who?", "Who is it?"));
    bench.run(&["-q", "ingest", "--task", "mine", "--prompts", "p.jsonl"]).succeeds();
    let stale = bench.run(&show).succeeds();
    assert!(
        stale.stderr.contains("the tokens of `tiny` are not shown: the prompts have changed"),
        "{}",
        stale.stderr
    );
    assert!(!stale.text().contains("tokens"), "{}", stale.text());
}

#[test]
fn a_page_has_text_legend_and_tokens_and_fetches_nothing() {
    let bench = bench();
    checkpoint::write(&bench, "tiny", 1);
    let page = bench.run(&["prompts", "show", "mine", "p2", "--html", "--model", "./tiny"]).succeeds().text();
    for part in [
        "<!DOCTYPE html>",
        "title=\"informative\">Anna sings.</mark>",
        "<h2>Tokens</h2>",
        "1 informative",
        "final",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("<script"), "{page}");
}
