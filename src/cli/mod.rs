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

mod accounts;
mod backup;
mod calls;
mod check;
mod client;
mod convert;
mod deck_import;
mod explain;
mod export;
mod formats;
mod guard;
mod import;
mod journal;
mod logging;
mod margin;
mod out;
mod pages;
mod retention;
mod rerate;
mod seal;
mod send;
mod serve;
mod shadow;
mod suspense;
mod tariff;
mod token;
mod usage;
mod verify;

/// Real-time call-rating daemon: call records in, exact and provable charges out.
#[derive(Debug, Parser)]
#[command(
    name = "callrated",
    version,
    about,
    after_help = "Without a command, callrated runs the daemon: it reads ./rates and keeps everything under ./data.\n\n\
                  Exit codes: 0 fine, 1 faults found, 2 wrong usage or configuration, 3 the environment gave out, \
                  4 damaged data."
)]
pub struct Arguments {
    /// Configuration file (default: ./callrated.toml if it is there, else built-in defaults).
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do; without one, `serve`.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do; without one, `serve`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon (the default).
    #[command(after_help = "Example:\n  callrated serve")]
    Serve,
    #[allow(missing_docs)]
    Check(check::CheckArguments),
    #[allow(missing_docs)]
    Explain(explain::ExplainArguments),
    #[allow(missing_docs)]
    Usage(usage::UsageArguments),
    #[allow(missing_docs)]
    Margin(margin::MarginArguments),
    #[allow(missing_docs)]
    Calls(calls::CallsArguments),
    #[allow(missing_docs)]
    Export(export::ExportArguments),
    #[allow(missing_docs)]
    Formats(formats::FormatsArguments),
    #[allow(missing_docs)]
    Guard(guard::GuardArguments),
    #[allow(missing_docs)]
    Import(import::ImportArguments),
    #[allow(missing_docs)]
    Rerate(rerate::RerateArguments),
    #[allow(missing_docs)]
    Seal(seal::SealArguments),
    #[allow(missing_docs)]
    Send(send::SendArguments),
    #[allow(missing_docs)]
    Suspense(suspense::SuspenseArguments),
    #[allow(missing_docs)]
    Tariff(tariff::TariffArguments),
    #[allow(missing_docs)]
    Accounts(accounts::AccountsArguments),
    #[allow(missing_docs)]
    Numbers(accounts::NumbersArguments),
    #[allow(missing_docs)]
    Verify(verify::VerifyArguments),
    #[allow(missing_docs)]
    Shadow(shadow::ShadowArguments),
    #[allow(missing_docs)]
    Backup(backup::BackupArguments),
    #[allow(missing_docs)]
    Restore(backup::RestoreArguments),
    #[allow(missing_docs)]
    Retention(retention::RetentionArguments),
    #[allow(missing_docs)]
    Hold(retention::HoldArguments),
    #[allow(missing_docs)]
    AccountData(retention::AccountDataArguments),
    #[allow(missing_docs)]
    Journal(journal::JournalArguments),
    #[allow(missing_docs)]
    Token(token::TokenArguments),
    #[allow(missing_docs)]
    Completions(pages::CompletionsArguments),
    #[allow(missing_docs)]
    Man(pages::ManArguments),
}

/// Runs a command.
pub fn run(arguments: Arguments) -> Result<(), Exit> {
    let command = arguments.command.unwrap_or(Command::Serve);
    logging::init(matches!(command, Command::Serve));
    let file = arguments.config.as_deref();
    let config = || Config::load(file).map_err(Exit::usage);
    match command {
        Command::Serve => serve::run(config()?),
        Command::Check(arguments) => check::run(file, arguments),
        Command::Explain(arguments) => runtime()?.block_on(explain::run(&config()?, arguments)),
        Command::Usage(arguments) => runtime()?.block_on(usage::run(&config()?, arguments)),
        Command::Margin(arguments) => runtime()?.block_on(margin::run(&config()?, arguments)),
        Command::Calls(arguments) => runtime()?.block_on(calls::run(&config()?, arguments)),
        Command::Export(arguments) => runtime()?.block_on(export::run(&config()?, arguments)),
        Command::Formats(arguments) => formats::run(&config()?, arguments),
        Command::Guard(arguments) => runtime()?.block_on(guard::run(&config()?, arguments)),
        Command::Import(arguments) => runtime()?.block_on(import::run(&config()?, arguments)),
        Command::Rerate(arguments) => runtime()?.block_on(rerate::run(&config()?, arguments)),
        Command::Seal(arguments) => runtime()?.block_on(seal::run(&config()?, arguments)),
        Command::Send(arguments) => runtime()?.block_on(send::run(&config()?, arguments)),
        Command::Suspense(arguments) => runtime()?.block_on(suspense::run(&config()?, arguments)),
        Command::Tariff(arguments) => tariff::run(&config()?, arguments),
        Command::Shadow(arguments) => runtime()?.block_on(shadow::run(&config()?, arguments)),
        Command::Accounts(arguments) => runtime()?.block_on(accounts::accounts(&config()?, arguments)),
        Command::Numbers(arguments) => runtime()?.block_on(accounts::numbers(&config()?, arguments)),
        Command::Verify(arguments) => runtime()?.block_on(verify::run(&config()?, arguments)),
        Command::Backup(arguments) => runtime()?.block_on(backup::backup(&config()?, arguments)),
        Command::Restore(arguments) => runtime()?.block_on(backup::restore(&config()?, arguments)),
        Command::Retention(arguments) => runtime()?.block_on(retention::retention(&config()?, arguments)),
        Command::Hold(arguments) => runtime()?.block_on(retention::hold(&config()?, arguments)),
        Command::AccountData(arguments) => runtime()?.block_on(retention::account_data(&config()?, arguments)),
        Command::Journal(arguments) => journal::run(config, arguments),
        Command::Token(arguments) => token::run(&arguments),
        Command::Completions(arguments) => pages::completions(&arguments),
        Command::Man(arguments) => pages::man(&arguments),
    }
}

/// The runtime for doors, answers and clients.
fn runtime() -> Result<tokio::runtime::Runtime, Exit> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Between a sender and its acknowledgement lie some such threads, and whoever is at work when one wakes up would be
        // waited for, some milliseconds each.
        .on_thread_start(crate::os::thread::goes_first)
        .build()
        .map_err(|e| Exit::environment(format!("the runtime cannot be started: {e}")))
}

/// What a command ends with: its own fault first, then what stopping the engine gave.
fn ended(work: Result<(), Exit>, stop: Result<(), Exit>) -> Result<(), Exit> {
    match work {
        // A closed pipe is no fault, but what the engine says at its end is worth more.
        Err(exit) if exit.code == 0 => stop,
        Err(exit) => Err(exit),
        Ok(()) => stop,
    }
}
