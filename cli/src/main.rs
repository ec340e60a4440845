//! `hypercolumn`: the stages behind one command line.
//!
//! [`args`] holds what was typed, literally; [`resolve`] turns it and a study into settings; one file
//! under [`commands`] carries out each command. This is the only place where errors become text
//! ([`explain`], [`failure`]) and exit codes ([`exit`]).

mod allocator;
mod args;
mod commands;
mod device_and_dtype;
mod exit;
mod explain;
mod failure;
mod interrupt;
mod invocation;
mod memory_size;
mod model_argument;
mod output;
mod progress;
mod resolve;
mod select_options;
mod study;
mod suggestion;
mod visible;

use clap::Parser;
use exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    allocator::keep_blocks();
    let args = match args::Args::try_parse_from(std::env::args_os().map(args::as_value)) {
        Ok(args) => args,
        Err(refused) => return show_usage(&refused),
    };
    invocation::remember(&args.command);
    interrupt::listen(&args.command);
    let outcome = commands::dispatch(args);
    interrupt::yield_to_it();
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => failure.show(),
    }
}

/// Shows help, the version or a usage error, as clap words it.
fn show_usage(refused: &clap::Error) -> ExitCode {
    let exit = if refused.use_stderr() { Exit::Usage } else { Exit::Success };
    // A closed pipe behind `--help | head` is no failure.
    let _ = refused.print();
    exit.into()
}
