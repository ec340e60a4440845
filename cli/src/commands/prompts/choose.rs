//! Which prompt is shown: by its id, by an item's, or the first.

use crate::args::ShowArgs;
use crate::failure::Failure;
use crate::invocation::lake_command;
use crate::output::format_count;
use crate::suggestion::{nearest, quoted};
use hypercolumn_schemas::Prompt;
use std::collections::BTreeMap;

/// Names that are suggested at most.
const MAX_SUGGESTIONS: usize = 3;

/// The index of the prompt that is asked for.
///
/// # Errors
/// Bad usage where there is no such prompt, with what comes near and how many there are.
pub fn choose(args: &ShowArgs, prompts: &[Prompt]) -> Result<usize, Failure> {
    let is_wanted = |prompt: &Prompt| args.condition.as_ref().is_none_or(|c| *c == prompt.condition);
    let Some(id) = &args.id else {
        return prompts.iter().position(is_wanted).ok_or_else(|| unknown_condition(args, prompts));
    };
    if let Some(found) = prompts.iter().position(|prompt| prompt.prompt_id == *id) {
        return match is_wanted(&prompts[found]) {
            true => Ok(found),
            false => Err(other_condition(args, id, &prompts[found].condition)),
        };
    }
    let of_item: Vec<usize> = (0..prompts.len()).filter(|i| prompts[*i].item_id == *id).collect();
    if of_item.is_empty() {
        return Err(unknown_id(args, id, prompts));
    }
    let conditions: Vec<&str> = of_item.iter().map(|i| prompts[*i].condition.as_str()).collect();
    let found = of_item.iter().copied().find(|i| is_wanted(&prompts[*i]));
    found.ok_or_else(|| other_condition(args, id, &conditions.join("`, `")))
}

fn unknown_condition(args: &ShowArgs, prompts: &[Prompt]) -> Failure {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for prompt in prompts {
        *counts.entry(&prompt.condition).or_default() += 1;
    }
    let list = counts.iter().map(|(name, n)| format!("`{name}` ({})", format_count(*n as u64)));
    Failure::usage(format!("could not show a prompt of `{}`", args.task))
        .because(format!("no prompt has the condition `{}`", args.condition.as_deref().unwrap_or_default()))
        .hint(format!("the conditions and their prompts: {}", list.collect::<Vec<_>>().join(", ")))
}

fn other_condition(args: &ShowArgs, id: &str, conditions: &str) -> Failure {
    Failure::usage(format!("could not show prompt `{id}` of `{}`", args.task))
        .because(format!("its condition is `{conditions}`"))
        .hint("leave out --condition, or name an item that has a prompt of that condition")
}

fn unknown_id(args: &ShowArgs, id: &str, prompts: &[Prompt]) -> Failure {
    let prompt_ids = prompts.iter().map(|prompt| prompt.prompt_id.as_str());
    let items = prompts.iter().map(|prompt| prompt.item_id.as_str());
    let meant = match nearest(id, prompt_ids.chain(items), MAX_SUGGESTIONS).as_slice() {
        [] => format!("the first is `{}`; ", prompts[0].prompt_id),
        near => format!("did you mean {}? ", quoted(near)),
    };
    let n_prompts = format_count(prompts.len() as u64);
    Failure::usage(format!("could not show prompt `{id}` of `{}`", args.task))
        .because(format!("none of its {n_prompts} prompts has this id, nor an item"))
        .hint(format!(
            "{meant}{} lists all",
            lake_command(&["sql", "SELECT prompt_id, item_id, condition FROM prompts"])
        ))
}
