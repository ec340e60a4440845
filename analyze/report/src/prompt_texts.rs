//! The texts that the model read: one prompt a condition, its segments coloured by role, with the expected answer and the
//! response.

use super::conditions::Conditions;
use super::error::ReportError;
use super::palette;
use super::question::{Question, question};
use super::request::ReportRequest;
use super::wording::thousands;
use hypercolumn_catalog::answer::Parameter;
use hypercolumn_catalog::catalog::Catalog;
use hypercolumn_schemas::{Piece, Segment, cut_at_segments};
use maud::{Markup, html};

const TEXTS: Question = question!("report_prompt_texts");
const SEGMENTS: Question = question!("report_prompt_segments");

/// Characters shown at the beginning and at the end of a prompt that is longer than both together.
const SHOWN: (usize, usize) = (1_500, 2_500);

/// A prompt with its segments.
struct ShownPrompt {
    condition: String,
    item: String,
    characters: Vec<char>,
    segments: Vec<Segment>,
    expected: Option<String>,
    response: Option<String>,
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
    let ids = texts.rows().map(|row| Ok(row.text("prompt_id")?.to_owned()));
    let ids: Vec<String> = ids.collect::<Result<_, ReportError>>()?;
    let parameters = [("task", Parameter::Text(&conditions.task)), ("prompts", Parameter::Texts(&ids))];
    let segments = SEGMENTS.ask(catalog, &parameters)?;
    let segments_of = |id: &str| {
        let own = segments.rows_where("prompt_id", id)?.into_iter().map(|row| {
            Ok(Segment {
                role: row.text("role")?.to_owned(),
                start: row.integer("start")? as u32,
                end: row.integer("end")? as u32,
            })
        });
        own.collect::<Result<_, ReportError>>()
    };
    let prompts = texts.rows().map(|row| {
        Ok(ShownPrompt {
            condition: row.text("condition")?.to_owned(),
            item: row.text("item_id")?.to_owned(),
            characters: row.text("text")?.chars().collect(),
            segments: segments_of(row.text("prompt_id")?)?,
            expected: row.optional_text("expected")?.map(str::to_owned),
            response: row.optional_text("response")?.map(str::to_owned),
        })
    });
    let mut prompts: Vec<ShownPrompt> = prompts.collect::<Result<_, ReportError>>()?;
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
            let pieces = cut_at_segments(&self.segments, start as u32, end as u32);
            html! { @for piece in &pieces { (self.render_piece(piece, roles)) } }
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

    fn render_piece(&self, piece: &Piece, roles: &[&str]) -> Markup {
        let text: String = self.characters[piece.start as usize..piece.end as usize].iter().collect();
        let names: Vec<&str> = piece.segments.iter().map(|i| self.segments[*i].role.as_str()).collect();
        let Some(shortest) = names.first() else { return html! { (text) } };
        html! { mark.role style=(role_style(roles, shortest)) title=(names.join(", in ")) { (text) } }
    }
}
