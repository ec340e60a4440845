//! A prompt as a model reads it: its tokens, those of its answers, and what is kept of its segments.

use crate::error::ExtractError;
use crate::stage::ModelFile;
use crate::stage::answer_prefix::answer_prefix;
use crate::stage::segment_plan::{PromptPlan, SegmentPlan};
use crate::stage::settings::Settings;
use crate::tokenize::chat::{PromptTemplate, RenderedPrompt};
use crate::tokenize::segment_tokens::{deciding_characters, positions_within, ranges};
use crate::tokenize::tokenizer::{Continuation, Tokenizer};
use hypercolumn_schemas::{FIRST_TOKEN, Prompt, TaskRows};
use rayon::prelude::*;

/// A prompt as the model reads it.
#[derive(Debug)]
pub struct TokenizedPrompt {
    /// The prompt.
    pub prompt: Prompt,
    /// Ids of its tokens, those of a chat template around it included.
    pub ids: Vec<u32>,
    /// Where each token lies in the prompt's own text; `None` for tokens of the template.
    pub spans: Vec<Option<(u32, u32)>>,
    /// Answers whose probability is asked for: the expected one first, if any, then the choices.
    pub answers: Vec<Target>,
    /// Tokens of its sampled responses at their longest, which no prompt shares.
    pub n_sampled: usize,
    /// What is kept of its segments.
    pub plan: PromptPlan,
}

/// An answer whose probability is asked for.
#[derive(Debug)]
pub struct Target {
    /// The candidate's name in params; `None` for the expected answer itself.
    pub choice: Option<String>,
    /// The answer.
    pub text: String,
    /// The text that is scored: the answer behind its prefix.
    pub scored: String,
    /// Its tokens after the prompt's.
    pub ids: Vec<u32>,
    /// Whether the tokenizer would merge the prompt's end with the answer's beginning. The prompt's tokens stand, so the
    /// answer is read apart from them.
    pub merges: bool,
}

/// All prompts of a task as a model reads them, and the source of the chat template around them, if there is one.
///
/// # Errors
/// Where a prompt or the template cannot be used.
pub fn tokenize_task(
    rows: TaskRows,
    file: &ModelFile,
    settings: &Settings,
) -> Result<(Vec<TokenizedPrompt>, Option<String>), ExtractError> {
    let prompts = rows.into_prompts()?;
    let template = PromptTemplate::new(&settings.chat_template, settings.chat_date, &file.tokenizer)?;
    let tokenized_prompts = prompts
        .into_par_iter()
        .map(|prompt| TokenizedPrompt::new(prompt, &file.tokenizer, template.as_ref(), settings))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((tokenized_prompts, template.as_ref().map(PromptTemplate::source)))
}

impl TokenizedPrompt {
    /// Tokenizes a prompt and its answers.
    pub fn new(
        prompt: Prompt,
        tokenizer: &Tokenizer,
        template: Option<&PromptTemplate>,
        settings: &Settings,
    ) -> Result<Self, ExtractError> {
        let failed = |problem| ExtractError::Tokenize { prompt_id: prompt.prompt_id.clone(), problem };
        let rendered =
            template.map_or_else(|| Ok(RenderedPrompt::bare(&prompt.text)), |f| f.around(&prompt.text));
        let rendered = rendered.map_err(failed)?;
        let encoding = tokenizer.encode_within(&rendered.text, rendered.special_tokens).map_err(failed)?;
        if encoding.ids.is_empty() {
            return Err(ExtractError::NoTokens { prompt_id: prompt.prompt_id });
        }
        let mut answers = Vec::new();
        let expected = prompt.expected.iter().map(|text| (None, text.clone()));
        let choices = prompt.choices().into_iter();
        let choices = choices.map(|(name, text)| (Some(name.to_owned()), text));
        for (choice, text) in expected.chain(choices) {
            let given = prompt.answer_prefix().or(settings.answer_prefix.as_deref());
            let prefix = given.map_or_else(|| answer_prefix(&rendered.text, &text), str::to_owned);
            let scored = format!("{prefix}{text}");
            let before = (rendered.text.as_str(), encoding.ids.as_slice());
            let continuation =
                tokenizer.encode_continuation(before, &scored, rendered.special_tokens).map_err(failed)?;
            let Continuation { ids, merges } = continuation;
            if !ids.is_empty() {
                answers.push(Target { choice, text, scored, ids, merges });
            }
        }
        let place = Place { start: rendered.start, length: prompt.text.chars().count() as u32 };
        let deciding = deciding_characters(&rendered.text, &encoding);
        let deciding: Vec<_> = deciding.into_iter().map(|d| place.of(d?)).collect();
        let spans = encoding.offsets.iter().map(|span| place.overlap(*span)).collect();
        let plan = plan_segments(&prompt, &deciding, settings);
        let n_sampled = settings.n_sampled_tokens();
        Ok(Self { prompt, ids: encoding.ids, spans, answers, n_sampled, plan })
    }

    /// The expected answer, if there is one to score.
    pub fn expected(&self) -> Option<&Target> {
        self.answers.first().filter(|answer| answer.choice.is_none())
    }

    /// Rows that the prompt and its answers take at most in a tree, beyond `shared` prompt tokens.
    pub fn n_rows(&self, shared: usize) -> usize {
        let answers: usize = self.answers.iter().map(|a| a.ids.len() - 1).sum();
        self.ids.len() - shared + answers
    }
}

/// Where a prompt's own text lies in what the model reads.
#[derive(Clone, Copy)]
struct Place {
    start: u32,
    length: u32,
}

impl Place {
    /// The character of the prompt's text that a character of the whole is.
    fn of(self, character: u32) -> Option<u32> {
        character.checked_sub(self.start).filter(|c| *c < self.length)
    }

    /// What a span of the whole covers of the prompt's text. Without a template that is the span itself.
    fn overlap(self, (start, end): (u32, u32)) -> Option<(u32, u32)> {
        let own_end = self.start + self.length;
        let (from, to) = (start.max(self.start), end.min(own_end));
        let is_inside = self.start <= start && end <= own_end;
        (from < to || (is_inside && self.start == 0)).then(|| (from - self.start, to - self.start))
    }
}

/// The segments of a prompt, whose tokens are decided by these characters of its text. A template's tokens have
/// none: like BOS they belong to no segment, but that the last of them is `final`, which the response follows. The first
/// token of all, be it text, template or BOS, is a key of attention and nothing else.
fn plan_segments(prompt: &Prompt, deciding: &[Option<u32>], settings: &Settings) -> PromptPlan {
    let n_tokens = deciding.len() as u32;
    let segment = |number: i16, role: &str, ranges: Vec<(u32, u32)>, is_response: bool| SegmentPlan {
        number,
        role: role.to_owned(),
        ranges,
        is_response,
        poolings: settings.poolings(role),
        is_query: settings.attention.keeps_query(role),
        is_key: settings.attention.keeps_key(role),
    };
    let within = |start, end| ranges(&positions_within(deciding, start, end));
    let mut segments = vec![segment(0, "prompt", within(0, u32::MAX), false)];
    for (number, s) in (1..).zip(&prompt.segments) {
        segments.push(segment(number, &s.role, within(s.start, s.end), false));
    }
    let n = prompt.segments.len() as i16;
    segments.push(segment(n + 1, "final", vec![(n_tokens - 1, n_tokens)], false));
    segments.push(SegmentPlan {
        poolings: Vec::new(),
        is_query: false,
        ..segment(n + 3, FIRST_TOKEN, vec![(0, 1)], false)
    });
    if settings.max_new_tokens > 0 {
        segments.push(segment(n + 2, "response", Vec::new(), true));
    }
    PromptPlan { n_tokens: n_tokens as usize, segments }
}
