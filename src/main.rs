//! The `callrated` program: arguments → one function per command → exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = callrated::cli::Arguments::parse();
    match callrated::cli::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            if !exit.message.is_empty() {
                eprintln!("callrated: {}", exit.message);
            }
            ExitCode::from(exit.code)
        }
    }
}
