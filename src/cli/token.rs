//! `callrated token`: a new token, and what goes into the tokens file.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::out;
use crate::exit::Exit;
use crate::http;

/// Make a token for the API.
///
/// Prints the token, which is kept nowhere, and the lines for the file that `[http] tokens` names; a running daemon
/// reads that file again by itself.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  callrated token billing\n  callrated token sbc-fra --scopes ingest --json")]
pub struct TokenArguments {
    /// Whose it is.
    name: String,
    /// What it may be used for.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "read")]
    scopes: Vec<Scope>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Scope {
    /// Sending records.
    Ingest,
    /// Usage, calls, quotes, what is in force.
    Read,
    /// Suspense, reload, import, verify, backup.
    Operate,
}

pub(super) fn run(arguments: &TokenArguments) -> Result<(), Exit> {
    if arguments.name.is_empty() || arguments.name.chars().any(char::is_control) {
        return Err(Exit::usage("a token's name must not be empty or hold control characters"));
    }
    let (token, hash) =
        http::new_token().map_err(|e| Exit::environment(format!("the system gives no random bytes: {e}")))?;
    let scopes: Vec<&str> = arguments
        .scopes
        .iter()
        .map(|scope| match scope {
            Scope::Ingest => http::Scope::Ingest.name(),
            Scope::Read => http::Scope::Read.name(),
            Scope::Operate => http::Scope::Operate.name(),
        })
        .collect();
    // JSON's texts and lists of texts are TOML's, too.
    let toml =
        format!("[[token]]\nname = {}\nblake3 = \"{hash}\"\nscopes = {}\n", json!(arguments.name), json!(scopes));
    if arguments.json {
        return out::json(&json!({ "token": token, "toml": toml }));
    }
    out::line(&format!("{token}\n\n# for the file that [http] tokens names:\n{}", toml.trim_end()))
}
