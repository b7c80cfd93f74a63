//! `callrated completions` and `callrated man`: for the shell and for packages, made from the arguments themselves.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Arguments, out};
use crate::exit::Exit;

/// Print the completions of a shell.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callrated completions bash > /tmp/callrated.bash")]
pub struct CompletionsArguments {
    /// Which shell.
    shell: Shell,
}

/// Print the manual page, or write a page per command into a folder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  callrated man | man -l -\n  callrated man /tmp")]
pub struct ManArguments {
    /// Where to write callrated.1, callrated-usage.1 and so on.
    dir: Option<PathBuf>,
}

pub(super) fn completions(arguments: &CompletionsArguments) -> Result<(), Exit> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "callrated", &mut text);
    out::write(&text)
}

pub(super) fn man(arguments: &ManArguments) -> Result<(), Exit> {
    match &arguments.dir {
        Some(dir) => std::fs::create_dir_all(dir)
            .and_then(|()| clap_mangen::generate_to(Arguments::command(), dir))
            .map_err(|e| Exit::environment(format!("{}: {e}", dir.display()))),
        None => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Arguments::command())
                .render(&mut text)
                .map_err(|e| Exit::environment(format!("the page cannot be made: {e}")))?;
            out::write(&text)
        }
    }
}
