//! `prompts show`: one prompt of the lake, as text or as a page.

mod choose;
mod text;
mod tokens;

use super::{open, print, warn_of_log};
use crate::args::{PromptsAction, PromptsArgs, ShowArgs};
use crate::exit::Exit;
use crate::failure::{Failure, could_not};
use crate::progress::Reporter;
use clap::ColorChoice;
use hypercolumn_analyze::report::PromptPage;
use hypercolumn_extract::read_task;
use std::io::{self, IsTerminal};
use text::{Colors, PromptText};

pub fn run(args: &PromptsArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    match &args.action {
        PromptsAction::Show(args) => show(args, reporter),
    }
}

fn show(args: &ShowArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let lake = open(&args.lake.lake)?;
    let refuse = || could_not("read lake", args.lake.lake.display());
    let snapshot = lake.survey().map_err(refuse())?;
    let rows = read_task(&lake, &snapshot, &args.task).map_err(could_not("show a prompt of", &args.task))?;
    let prompts = rows.into_prompts().map_err(refuse())?;
    let number = choose::choose(args, &prompts)?;
    let prompt = &prompts[number];
    let exit = warn_of_log(&snapshot, reporter);
    let tokens = tokens::tokens(args, (&lake, &snapshot), prompt, reporter)?;
    if args.html {
        print(&PromptPage { task: &args.task, prompt, tokens }.render())?;
    } else {
        let n_prompts = prompts.len();
        let text =
            PromptText { task: &args.task, number, n_prompts, prompt, tokens, colors: colors(args.color) };
        print(&text.render())?;
    }
    Ok(exit)
}

fn colors(choice: ColorChoice) -> Colors {
    let is_unwanted = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_colored = match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => io::stdout().is_terminal() && !is_unwanted(),
    };
    if is_colored { Colors::Ansi } else { Colors::None }
}
