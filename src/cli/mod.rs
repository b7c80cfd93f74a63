//! The command line: one file per command.
//!
//! Commands that read or change data speak to the running daemon's API when the data folder is in use, and else start
//! the engine themselves and ask the very same API inside the process.
//!
//! Does not know how anything is done; it asks and prints.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::exit::Exit;

mod logging;
mod serve;

/// Real-time call-rating daemon: call records in, exact and provable charges out.
#[derive(Debug, Parser)]
#[command(
    name = "callrated",
    version,
    about,
    after_help = "Exit codes: 0 fine, 1 faults found, 2 wrong usage or configuration, 3 the environment gave out, 4 damaged data."
)]
pub struct Arguments {
    /// Configuration file (default: ./callrated.toml if it is there, else built-in defaults).
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do; without one, `serve`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon (the default).
    Serve,
}

/// Runs a command.
pub fn run(arguments: Arguments) -> Result<(), Exit> {
    logging::init();
    let config = Config::load(arguments.config.as_deref()).map_err(Exit::usage)?;
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(config),
    }
}

/// The runtime for doors, answers and clients.
fn runtime() -> Result<tokio::runtime::Runtime, Exit> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Exit::environment(format!("the runtime cannot be started: {e}")))
}
