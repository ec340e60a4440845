//! A page with one prompt: its text with the segments marked, its fields, and its tokens. Nothing is fetched and no script
//! runs. Which prompt and which tokens is left to the command line.

use super::page::{document, without_controls};
use super::palette;
use hypercolumn_schemas::{Piece, Prompt, cut_at_segments};
use maud::{Markup, PreEscaped, html};
use serde_json::Value;

const STYLE: &str = include_str!("prompt_page.css");

const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// What stands on the page.
#[derive(Debug)]
pub struct PromptPage<'a> {
    /// The task.
    pub task: &'a str,
    /// The prompt.
    pub prompt: &'a Prompt,
    /// Its tokens; none where no model has read them.
    pub tokens: Option<TokenTable>,
}

/// A prompt's tokens as they are shown.
#[derive(Debug)]
pub struct TokenTable {
    /// What they are: model and origin.
    pub caption: String,
    /// One row a token.
    pub rows: Vec<ShownToken>,
}

/// A token as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownToken {
    /// Position from 0.
    pub position: usize,
    /// Id in the vocabulary.
    pub id: u32,
    /// The token's text, or the vocabulary's spelling where it has none in the prompt.
    pub text: String,
    /// Numbers of its segments with their roles: `1 informative`.
    pub segments: Vec<(i16, String)>,
}

impl PromptPage<'_> {
    /// The page as HTML.
    #[must_use]
    pub fn render(&self) -> String {
        let title = format!("Prompt {} of {}", self.prompt.prompt_id, self.task);
        let main = html! {
            h1 { (title) }
            (self.render_fields())
            h2 { "Text" }
            (self.render_legend())
            pre tabindex="0" { (self.render_text()) }
            @if let Some(tokens) = &self.tokens { (self.render_tokens(tokens)) }
        };
        let body = html! { main { (PreEscaped(without_controls(&main.into_string()))) } };
        document(&title, POLICY, STYLE, &body).into_string()
    }

    fn render_fields(&self) -> Markup {
        let prompt = self.prompt;
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        html! {
            dl {
                dt { "item" } dd { (prompt.item_id) }
                dt { "condition" } dd { (prompt.condition) }
                dt { "examples" } dd { (prompt.n_examples) }
                @if let Some(expected) = &prompt.expected { dt { "expected" } dd { code { (expected) } } }
                @for (name, value) in &prompt.params { dt { (name) } dd { code { (text(value)) } } }
            }
        }
    }

    /// The colour of a segment, which is that of its role.
    fn color(&self, segment: usize) -> &'static str {
        let role = &self.prompt.segments[segment].role;
        let mut roles: Vec<&str> = Vec::new();
        for segment in &self.prompt.segments {
            if !roles.contains(&segment.role.as_str()) {
                roles.push(&segment.role);
            }
        }
        palette::role(roles.iter().position(|known| known == role).unwrap_or(0))
    }

    fn render_legend(&self) -> Markup {
        let segments = &self.prompt.segments;
        html! {
            @if segments.is_empty() { p.note { "The prompt has no segments." } } @else {
                ol.legend {
                    @for (index, segment) in segments.iter().enumerate() {
                        li style={ "--role:" (self.color(index)) } {
                            mark { (segment.role) } " " span.note { "characters " (segment.start) "–" (segment.end) }
                        }
                    }
                }
                p.note {
                    "A number stands where its segment begins. Where segments overlap, the shortest colours the text, and each \
                     has a line below it."
                }
            }
        }
    }

    fn render_text(&self) -> Markup {
        let characters: Vec<char> = self.prompt.text.chars().collect();
        let pieces = cut_at_segments(&self.prompt.segments, 0, characters.len() as u32);
        html! {
            @for piece in &pieces {
                @for (index, segment) in self.prompt.segments.iter().enumerate() {
                    @if segment.start == piece.start { sup style={ "--role:" (self.color(index)) } { (index + 1) } }
                }
                (self.render_piece(piece, &characters[piece.start as usize..piece.end as usize]))
            }
        }
    }

    fn render_piece(&self, piece: &Piece, characters: &[char]) -> Markup {
        let text: String = characters.iter().collect();
        let Some(shortest) = piece.segments.first() else { return html! { (text) } };
        let names: Vec<&str> =
            piece.segments.iter().map(|i| self.prompt.segments[*i].role.as_str()).collect();
        let lines = piece.segments.iter().enumerate();
        let lines: Vec<String> =
            lines.map(|(depth, i)| format!("0 {}px 0 {}", 2 + 3 * depth, self.color(*i))).collect();
        let style = format!("--role:{};box-shadow:{}", self.color(*shortest), lines.join(","));
        html! { mark style=(style) title=(names.join(", in ")) { (text) } }
    }

    fn render_tokens(&self, tokens: &TokenTable) -> Markup {
        let style = |token: &ShownToken| {
            let given = token.segments.iter().map(|(number, _)| *number as usize - 1);
            let given = given.filter(|index| *index < self.prompt.segments.len());
            let length =
                |index: &usize| self.prompt.segments[*index].end - self.prompt.segments[*index].start;
            given.min_by_key(length).map(|index| format!("--role:{}", self.color(index)))
        };
        html! {
            h2 { "Tokens" }
            p.note { (tokens.caption) }
            table {
                thead { tr { th { "position" } th { "id" } th { "token" } th { "segments" } } }
                tbody {
                    @for token in &tokens.rows {
                        tr {
                            td.number { (token.position) }
                            td.number { (token.id) }
                            td {
                                @if let Some(style) = style(token) { mark style=(style) { (token.text) } } @else {
                                    span.text { (token.text) }
                                }
                            }
                            td { (token.segments.iter().map(|(n, role)| format!("{n} {role}")).collect::<Vec<_>>().join(", ")) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hypercolumn_schemas::Segment;

    #[test]
    fn overlaps_have_a_line_each_and_texts_are_escaped() {
        let segment = |role: &str, start, end| Segment { role: role.to_owned(), start, end };
        let prompt = Prompt {
            prompt_id: "<p>".into(),
            item_id: "i".into(),
            condition: "c".into(),
            n_examples: 0,
            text: "a<b>\u{1b}[31mcd".into(),
            expected: None,
            params: serde_json::Map::new(),
            segments: vec![segment("scene", 0, 5), segment("fact", 1, 3)],
        };
        let html = PromptPage { task: "t", prompt: &prompt, tokens: None }.render();
        assert!(html.contains("&lt;p&gt;") && !html.contains("<b>") && !html.contains('\u{1b}'), "{html}");
        assert!(html.contains("title=\"fact, in scene\">&lt;b</mark>"), "{html}");
        assert_eq!(html.matches("<sup").count(), 2);
        let (scene, fact) = (palette::role(0), palette::role(1));
        assert!(html.contains(&format!("0 2px 0 {fact},0 5px 0 {scene}")), "{html}");
    }
}
