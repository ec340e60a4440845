//! The tokens that are shown of a prompt: as a model of the lake has read it, or by the tokenizer of a model that is named.

use crate::args::ShowArgs;
use crate::failure::{Failure, could_not};
use crate::model_argument;
use crate::progress::Reporter;
use crate::visible::visible_line;
use hypercolumn_analyze::report::{ShownToken, TokenTable};
use hypercolumn_extract::model::source::{ModelSource, ResolvedModel};
use hypercolumn_extract::stage::prompt_tokens::{PromptToken, read_tokens, tokenize};
use hypercolumn_schemas::{Lake, Prompt, Slot, Snapshot, tables};
use std::collections::BTreeSet;
use std::path::Path;

/// The tokens, if a model has read the prompt or is named.
///
/// # Errors
/// Where tokens cannot be read, or the named model is none.
pub fn tokens(
    args: &ShowArgs,
    (lake, snapshot): (&Lake, &Snapshot),
    prompt: &Prompt,
    reporter: &Reporter,
) -> Result<Option<TokenTable>, Failure> {
    let readers = readers(snapshot, &args.task, reporter);
    let asked = args.model.as_deref();
    let of_lake = match asked {
        Some(name) => readers.iter().find(|reader| *reader == name),
        None => readers.first(),
    };
    if let Some(model) = of_lake {
        let read = read_tokens(lake, snapshot, model, &args.task, prompt)
            .map_err(could_not("read lake", args.lake.lake.display()))?;
        if !read.is_empty() {
            let others = readers.iter().filter(|reader| *reader != model).cloned().collect::<Vec<_>>();
            let more = match others.as_slice() {
                [] => String::new(),
                others => format!("; --model shows those of {}", others.join(", ")),
            };
            return Ok(Some(table(format!("as {model} has read the prompt{more}"), read, prompt)));
        }
    }
    let Some(model) = asked else {
        reporter.say("no model has read this prompt; --model MODEL shows the tokens that it would read");
        return Ok(None);
    };
    let model = resolve(model, reporter)?;
    let tokens = tokenize(&model, prompt).map_err(could_not("tokenize with", &model.source))?;
    let caption = format!("by the tokenizer of {}, without a chat template", model.name);
    Ok(Some(table(caption, tokens, prompt)))
}

/// Models whose tokens the lake has of the prompts as they are now.
fn readers(snapshot: &Snapshot, task: &str, reporter: &Reporter) -> BTreeSet<String> {
    let files = snapshot.files(&tables::TOKENS).filter(|file| file.partition.task.as_deref() == Some(task));
    let mut readers: BTreeSet<String> = files.filter_map(|file| file.partition.model.clone()).collect();
    for stale in snapshot.stale() {
        if let Slot::Extract { model, task: of, .. } = &stale.slot
            && of == task
            && readers.remove(model)
        {
            reporter.warn(&format!("the tokens of `{model}` are not shown: {}", stale.reason));
        }
    }
    readers
}

/// The model that is named. A directory needs no weights.
fn resolve(text: &str, reporter: &Reporter) -> Result<ResolvedModel, Failure> {
    let source = ModelSource::parse(text).map_err(could_not("use model", text))?;
    match &source {
        ModelSource::Directory(path) if has_tokenizer(path) => {
            Ok(ResolvedModel { name: source.name(), path: path.clone(), source: source.to_string() })
        }
        _ => model_argument::fetch(&model_argument::parse(text)?, reporter),
    }
}

fn has_tokenizer(directory: &Path) -> bool {
    ["tokenizer.json", "tokenizer.model"].iter().any(|name| directory.join(name).is_file())
}

fn table(caption: String, tokens: Vec<PromptToken>, prompt: &Prompt) -> TokenTable {
    let characters: Vec<char> = prompt.text.chars().collect();
    let n_segments = prompt.segments.len();
    let role = |number: i16| match prompt.segments.get(number as usize - 1) {
        Some(segment) => segment.role.clone(),
        None if number as usize == n_segments + 1 => "final".to_owned(),
        None => "response".to_owned(),
    };
    let row = |token: PromptToken| {
        let text = match token.span {
            Some((start, end)) if start < end => characters[start as usize..end as usize].iter().collect(),
            _ => token.piece,
        };
        ShownToken {
            position: token.position,
            id: token.id,
            text: visible_line(&text),
            segments: token.segments.into_iter().map(|number| (number, role(number))).collect(),
        }
    };
    TokenTable { caption, rows: tokens.into_iter().map(row).collect() }
}
