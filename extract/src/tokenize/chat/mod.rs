//! Chat templates: the text that a chat model is used to reading around what its user says.
//!
//! A prompt becomes the one message of a user, followed by the beginning of the assistant's turn. Where the
//! prompt's text lies in the result is known exactly: a template is rendered once around a word of ours, which
//! says what stands before and after, and a prompt that comes out otherwise is refused. [`jinja`] renders the
//! checkpoint's own templates; conversation formats that no checkpoint carries are written out here.
//!
//! What tokens the result has is left to the tokenizer, which segments they belong to is left to `chunk`.

mod choice;
mod date;
mod jinja;

pub use choice::ChatTemplate;
pub use date::ChatDate;

use crate::error::ExtractError;
use crate::tokenize::chat_files::{ChatFiles, DEFAULT_NAME};
use crate::tokenize::tokenizer::{SpecialTokens, Tokenizer};

/// Conversation formats of models whose checkpoints have no template: name, what stands before, what after.
const BUILT_IN: [(&str, &str, &str); 1] = [(
    "vicuna",
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, \
     detailed, and polite answers to the user's questions. USER: ",
    " ASSISTANT:",
)];

/// Stands for a prompt where only what surrounds it matters.
const SENTINEL: &str = "Xq7Zk";

/// A prompt as the model reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RenderedPrompt {
    /// The whole text.
    pub text: String,
    /// Characters before the prompt's own.
    pub start: u32,
    /// What the tokenizer adds around the whole text.
    pub special_tokens: SpecialTokens,
}

/// What stands around every prompt.
#[derive(Debug)]
pub(crate) struct PromptTemplate {
    before: String,
    after: String,
    special_tokens: SpecialTokens,
    template: Option<jinja::Template>,
}

impl PromptTemplate {
    /// The chat template that the settings ask for, from what the model's files have; `None` for bare prompts.
    ///
    /// # Errors
    /// [`ExtractError::ChatTemplate`] where the model has no such template, or the template is refused.
    pub fn new(
        asked: &ChatTemplate,
        date: Option<ChatDate>,
        tokenizer: &Tokenizer,
    ) -> Result<Option<Self>, ExtractError> {
        let files = tokenizer.chat();
        let name = match asked {
            ChatTemplate::None => return Ok(None),
            ChatTemplate::Own => DEFAULT_NAME,
            ChatTemplate::Named(name) => name,
        };
        if let Some((_, before, after)) = BUILT_IN.iter().find(|(known, ..)| *known == name) {
            let (before, after) = ((*before).to_owned(), (*after).to_owned());
            // The format is text alone; BOS is the tokenizer's business, as for any text.
            return Ok(Some(Self {
                before,
                after,
                special_tokens: SpecialTokens::AsDeclared,
                template: None,
            }));
        }
        let source = files.templates.get(name);
        let source = source.ok_or_else(|| refuse(absent(asked, files)))?;
        Self::of_template(source, date, files).map(Some).map_err(refuse)
    }

    fn of_template(source: &str, date: Option<ChatDate>, files: &ChatFiles) -> Result<Self, String> {
        let template = jinja::Template::new(source, date, files)?;
        let rendered = template.render(SENTINEL)?;
        let parts: Vec<&str> = rendered.split(SENTINEL).collect();
        let [before, after] = parts[..] else {
            return Err(format!("it shows the user's message {} times instead of once", parts.len() - 1));
        };
        let (before, after) = (before.to_owned(), after.to_owned());
        // A template writes BOS itself or means that there is none.
        Ok(Self { before, after, special_tokens: SpecialTokens::Nothing, template: Some(template) })
    }

    /// The prompt's text with what stands around it.
    ///
    /// # Errors
    /// Where the template refuses the text, or does not show it as it is.
    pub fn around(&self, text: &str) -> Result<RenderedPrompt, String> {
        let rendered = format!("{}{text}{}", self.before, self.after);
        if let Some(template) = &self.template
            && template.render(text)? != rendered
        {
            return Err(
                "the chat template changes the prompt's text, or what it says around it; white space where \
                        the text begins or ends may be the reason"
                    .to_owned(),
            );
        }
        let start = self.before.chars().count() as u32;
        Ok(RenderedPrompt { text: rendered, start, special_tokens: self.special_tokens })
    }

    /// The source of the chat template, or of a built-in template the text around `{prompt}`.
    pub fn source(&self) -> String {
        match &self.template {
            Some(template) => template.source().to_owned(),
            None => format!("{}{{prompt}}{}", self.before, self.after),
        }
    }
}

impl RenderedPrompt {
    /// A prompt that stands alone.
    pub fn bare(text: &str) -> Self {
        Self { text: text.to_owned(), start: 0, special_tokens: SpecialTokens::AsDeclared }
    }
}

fn refuse(problem: String) -> ExtractError {
    ExtractError::ChatTemplate { problem }
}

fn absent(asked: &ChatTemplate, files: &ChatFiles) -> String {
    let built_in = BUILT_IN.map(|(name, ..)| name).join(", ");
    let own = match files.templates.is_empty() {
        true => "the model's files have none".to_owned(),
        false => {
            let names: Vec<&str> = files.templates.keys().map(String::as_str).collect();
            format!("the model's files have {}", names.join(", "))
        }
    };
    match asked {
        ChatTemplate::Named(name) => format!("there is no template `{name}`: {own}; built in: {built_in}"),
        _ => format!("{own}; built in: {built_in}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    fn template(source: &str) -> Result<PromptTemplate, String> {
        let tokens = [("bos_token".to_owned(), "<s>".to_owned())].into();
        PromptTemplate::of_template(source, None, &ChatFiles { templates: BTreeMap::new(), tokens })
    }

    #[test]
    fn a_prompt_is_found_where_it_stands() {
        let template = template(
            "{{ bos_token }}é {% for m in messages %}[{{ m.role }}] {{ m['content'] }} [/]{% endfor %}",
        );
        let rendered = template.unwrap().around("line\n two").unwrap();
        assert_eq!(rendered.text, "<s>é [user] line\n two [/]");
        assert_eq!(rendered.start, 12);
        assert_eq!(rendered.special_tokens, SpecialTokens::Nothing);
    }

    /// One row of `tests/fixtures/chat/rendered.json`.
    #[derive(serde::Deserialize)]
    struct Rendered {
        template: String,
        text: String,
        rendered: String,
    }

    #[test]
    fn templates_give_what_transformers_makes_of_them() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/chat");
        let rows: Vec<Rendered> =
            serde_json::from_slice(&fs::read(fixtures.join("rendered.json")).unwrap()).unwrap();
        let tokens = [("bos_token", "<s>"), ("eos_token", "</s>")];
        let tokens = tokens.map(|(key, spelling)| (key.to_owned(), spelling.to_owned())).into();
        let files = ChatFiles { templates: BTreeMap::new(), tokens };
        for row in rows {
            let source = fs::read_to_string(fixtures.join("templates").join(&row.template)).unwrap();
            let rendered =
                PromptTemplate::of_template(&source, None, &files).unwrap().around(&row.text).unwrap();
            assert_eq!(rendered.text, row.rendered, "{}", row.template);
            let own: String =
                rendered.text.chars().skip(rendered.start as usize).take(row.text.chars().count()).collect();
            assert_eq!(own, row.text);
        }
    }

    #[test]
    fn a_model_without_templates_has_the_built_in_ones() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/tokenizers");
        let tokenizer = Tokenizer::from_directory(&fixtures.join("spm-llama")).unwrap();
        let refused = PromptTemplate::new(&ChatTemplate::Own, None, &tokenizer).unwrap_err().to_string();
        assert!(refused.contains("the model's files have none; built in: vicuna"), "{refused}");
        assert!(PromptTemplate::new(&ChatTemplate::None, None, &tokenizer).unwrap().is_none());
        let template = PromptTemplate::new(&ChatTemplate::Named("vicuna".to_owned()), None, &tokenizer)
            .unwrap()
            .unwrap();
        let rendered = template.around(" Hi. ").unwrap();
        assert!(rendered.text.ends_with("answers to the user's questions. USER:  Hi.  ASSISTANT:"));
        let encoding = tokenizer.encode_within(&rendered.text, rendered.special_tokens).unwrap();
        assert_eq!(tokenizer.pieces(&encoding.ids).iter().filter(|p| *p == "<s>").count(), 1);
    }

    #[test]
    fn a_template_that_trims_or_repeats_is_refused() {
        let trims = template("{{ messages[0].content.strip() }}!").unwrap();
        assert_eq!(trims.around("a b").unwrap().text, "a b!");
        assert!(trims.around("a b ").unwrap_err().contains("changes the prompt's text"));
        assert!(template("{{ messages[0].content * 2 }}").unwrap_err().contains("2 times"));
        assert!(template("hello").unwrap_err().contains("0 times"));
    }

    #[test]
    fn templates_have_what_transformers_gives_them() {
        let said = |source: &str| template(source).and_then(|f| f.around("a")).map(|f| f.text);
        let source = "{%- set ns = namespace(n=0) %}{% for m in messages %}\n    {% if m.role == 'user' %}\n\
                      {{- m.content }}{% set ns.n = ns.n + 1 %}{% continue %}\n{% endif %}\n{% endfor %}{{ ns.n }}";
        assert_eq!(said(source).unwrap(), "a1");
        assert_eq!(said("{% generation %}{{ messages[0].content }}{% endgeneration %}").unwrap(), "a");
        assert_eq!(
            said("{{ {'k': ['<é>', 1]} | tojson }}{{ messages[0].content }}").unwrap(),
            "{\"k\": [\"<é>\", 1]}a"
        );
        let source =
            "{% if tools is not none %}x{% endif %}{{ messages[0].content }}{{ add_generation_prompt }}";
        assert_eq!(said(source).unwrap().to_lowercase(), "atrue");
        assert!(said("{{ raise_exception('no chats') }}").unwrap_err().contains("no chats"));
        assert!(said("{{ strftime_now('%Y') }}").unwrap_err().contains("--chat-date"));
        let dated = |source: &str| {
            let date = Some("2026-03-04".parse().unwrap());
            PromptTemplate::of_template(source, date, &ChatFiles::default())
                .and_then(|f| f.around("a"))
                .map(|f| f.text)
        };
        assert_eq!(
            dated("{{ strftime_now('%d %b %Y') }}: {{ messages[0].content }}").unwrap(),
            "04 Mar 2026: a"
        );
        let fallback = "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% else %}then{% endif %} {{ messages[0].content }}";
        assert_eq!(
            (said(fallback).unwrap().as_str(), dated(fallback).unwrap().as_str()),
            ("then a", "2026 a")
        );
        assert!(dated("{{ strftime_now('%Q') }}").unwrap_err().contains("%Q"));
        assert!(
            said("{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}").is_err()
        );
        assert!(said("{{ messages[0]").is_err());
    }
}
