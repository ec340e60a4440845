//! The texts that the model read: one prompt a condition, its segments coloured by role, with the expected answer and the
//! response.

use super::conditions::Conditions;
use super::error::ReportError;
use super::palette;
use super::question::{Question, question};
use super::request::ReportRequest;
use super::wording::thousands;
use crate::answer::Parameter;
use crate::catalog::Catalog;
use maud::{Markup, html};
use std::collections::BTreeSet;

const TEXTS: Question = question!("report_prompt_texts");
const SEGMENTS: Question = question!("report_prompt_segments");

/// Characters shown at the beginning and at the end of a prompt that is longer than both together.
const SHOWN: (usize, usize) = (1_500, 2_500);

/// A prompt with its segments.
struct ShownPrompt {
    condition: String,
    item: String,
    characters: Vec<char>,
    segments: Vec<ShownSegment>,
    expected: Option<String>,
    response: Option<String>,
}

/// A span of characters with a role.
#[derive(Clone, Debug, PartialEq)]
struct ShownSegment {
    role: String,
    start: usize,
    end: usize,
}

/// A stretch of a prompt whose characters belong to the same segments.
#[derive(Debug, PartialEq)]
struct Piece<'a> {
    text: String,
    /// Segments that hold the stretch, the shortest first.
    segments: Vec<&'a ShownSegment>,
}

/// The section as HTML; nothing where no task has prompts.
///
/// # Errors
/// When a question cannot be answered.
pub(super) fn render_prompt_texts(
    catalog: &Catalog,
    request: &ReportRequest,
    tasks: &[Conditions],
) -> Result<Markup, ReportError> {
    let mut shown = Vec::new();
    for conditions in tasks {
        shown.push((conditions, read_prompts(catalog, request, conditions)?));
    }
    Ok(html! {
        section #prompts aria-labelledby="prompts-title" {
            h2 #prompts-title { "Prompts" }
            p.question {
                "What did the model read? One prompt of each condition, of the same item where conditions share items. \
                 Colours are the roles of segments; where segments overlap, the shortest has its colour."
            }
            @for (conditions, prompts) in &shown {
                div.task { h3 { (conditions.task) } (render_task(prompts)) }
            }
        }
    })
}

fn read_prompts(
    catalog: &Catalog,
    request: &ReportRequest,
    conditions: &Conditions,
) -> Result<Vec<ShownPrompt>, ReportError> {
    let texts = TEXTS.ask(catalog, &[("model", request.model.as_str()), ("task", &conditions.task)])?;
    let ids: Vec<String> = texts.rows().map(|row| row.text("prompt_id").to_owned()).collect();
    let parameters = [("task", Parameter::Text(&conditions.task)), ("prompts", Parameter::Texts(&ids))];
    let segments = SEGMENTS.ask(catalog, &parameters)?;
    let segments_of = |id: &str| {
        let own = segments.rows().filter(|row| row.text("prompt_id") == id);
        own.map(|row| ShownSegment {
            role: row.text("role").to_owned(),
            start: row.integer("start") as usize,
            end: row.integer("end") as usize,
        })
        .collect()
    };
    let mut prompts: Vec<ShownPrompt> = texts
        .rows()
        .map(|row| {
            let text =
                |column: &str, flag: &str| (row.integer(flag) > 0).then(|| row.text(column).to_owned());
            ShownPrompt {
                condition: row.text("condition").to_owned(),
                item: row.text("item_id").to_owned(),
                characters: row.text("text").chars().collect(),
                segments: segments_of(row.text("prompt_id")),
                expected: text("expected", "has_expected"),
                response: text("response", "has_response"),
            }
        })
        .collect();
    prompts.sort_by_key(|prompt| conditions.all.iter().position(|c| c.name == prompt.condition));
    Ok(prompts)
}

fn render_task(prompts: &[ShownPrompt]) -> Markup {
    let mut roles: Vec<&str> = Vec::new();
    for segment in prompts.iter().flat_map(|prompt| &prompt.segments) {
        if !roles.contains(&segment.role.as_str()) {
            roles.push(&segment.role);
        }
    }
    html! {
        @if !roles.is_empty() {
            p.roles {
                @for role in &roles { mark.role style=(role_style(&roles, role)) { (role) } " " }
            }
        }
        @for (number, prompt) in prompts.iter().enumerate() {
            details.prompt open[number == 0 || number + 1 == prompts.len()] {
                summary { span.name { (prompt.condition) } " " span.says { "item " (prompt.item) } }
                (prompt.render(&roles))
            }
        }
    }
}

fn role_style(roles: &[&str], role: &str) -> String {
    let number = roles.iter().position(|known| *known == role).unwrap_or(0);
    format!("--role:{}", palette::role(number))
}

impl ShownPrompt {
    fn render(&self, roles: &[&str]) -> Markup {
        let n = self.characters.len();
        let (head, tail) = SHOWN;
        let is_cut = n > head + tail;
        let part = |start: usize, end: usize| {
            html! { @for piece in self.pieces(start, end) { (render_piece(&piece, roles)) } }
        };
        html! {
            pre.prompt tabindex="0" {
                @if is_cut {
                    (part(0, head))
                    span.cut { "\n[… " (thousands(n - head - tail)) " characters …]\n" }
                    (part(n - tail, n))
                } @else {
                    (part(0, n))
                }
            }
            dl.answers {
                @if let Some(expected) = &self.expected { dt { "expected" } dd { code { (expected) } } }
                @if let Some(response) = &self.response { dt { "response" } dd { code { (response) } } }
            }
        }
    }

    /// The characters from `start` to `end`, cut where a segment begins or ends.
    fn pieces(&self, start: usize, end: usize) -> Vec<Piece<'_>> {
        let inner = self.segments.iter().flat_map(|s| [s.start, s.end]).filter(|at| *at > start && *at < end);
        let cuts: BTreeSet<usize> = inner.chain([start, end]).collect();
        let cuts: Vec<usize> = cuts.into_iter().collect();
        let piece = |cut: &[usize]| {
            let (from, to) = (cut[0], cut[1]);
            let mut segments: Vec<&ShownSegment> =
                self.segments.iter().filter(|s| s.start <= from && to <= s.end).collect();
            segments.sort_by_key(|s| s.end - s.start);
            Piece { text: self.characters[from..to].iter().collect(), segments }
        };
        cuts.windows(2).map(piece).collect()
    }
}

fn render_piece(piece: &Piece<'_>, roles: &[&str]) -> Markup {
    let Some(shortest) = piece.segments.first() else { return html! { (piece.text) } };
    let names: Vec<&str> = piece.segments.iter().map(|s| s.role.as_str()).collect();
    html! {
        mark.role style=(role_style(roles, &shortest.role)) title=(names.join(", in ")) { (piece.text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_segments_are_cut_and_the_shortest_comes_first() {
        let segment = |role: &str, start, end| ShownSegment { role: role.to_owned(), start, end };
        let prompt = ShownPrompt {
            condition: "c".to_owned(),
            item: "i".to_owned(),
            characters: "aé𝕏bcde".chars().collect(),
            segments: vec![segment("scene", 0, 6), segment("fact", 1, 3)],
            expected: None,
            response: None,
        };
        let pieces = prompt.pieces(0, 7);
        let said: Vec<(&str, Vec<&str>)> = pieces
            .iter()
            .map(|p| (p.text.as_str(), p.segments.iter().map(|s| s.role.as_str()).collect()))
            .collect();
        let expected =
            [("a", vec!["scene"]), ("é𝕏", vec!["fact", "scene"]), ("bcd", vec!["scene"]), ("e", vec![])];
        assert_eq!(said, expected);
        assert_eq!(prompt.pieces(2, 4).iter().map(|p| p.text.as_str()).collect::<Vec<_>>(), ["𝕏", "b"]);
    }
}
