//! `man`: the help of all commands as man pages.

use super::print;
use crate::args::{Args, ManArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use clap::CommandFactory;
use clap_mangen::Man;
use std::fs;
use std::io;
use std::path::Path;

pub fn run(args: &ManArgs) -> Result<Exit, Failure> {
    match &args.directory {
        Some(directory) => write_pages(directory).map_err(|cause| {
            Failure::new(Exit::Failure, format!("could not write man pages into `{}`", directory.display()))
                .because(cause.to_string())
                .hint("name a directory that is writable, or none for the page on standard output")
        })?,
        None => {
            let mut page = Vec::new();
            Man::new(Args::command()).render(&mut page)?;
            print(&String::from_utf8_lossy(&page))?;
        }
    }
    Ok(Exit::Success)
}

/// One page a command: `hypercolumn.1`, `hypercolumn-run.1`, ….
fn write_pages(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    clap_mangen::generate_to(Args::command(), directory)
}
