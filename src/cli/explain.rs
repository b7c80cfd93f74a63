//! `callrated explain`: the proof of a price, line by line.

use axum::http::StatusCode;
use clap::Args;
use serde_json::{Value, json};

use super::client::{self, Client, path, segment};
use super::out::{self, Paint};
use super::usage::text;
use crate::config::Config;
use crate::exit::Exit;

/// Show why a call costs what it costs: every rule in the order in which it decided.
///
/// With --call the price of a stored call is derived anew from its record and compared with what is stored. Without it
/// the call need not have happened, and the account's allowance is taken as it stands now.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated explain --account acme --to 00551198765432 --duration 61.2s\n  callrated explain --account acme --to 015123456789 --duration 61 --at 2026-10-05T09:00:00Z --json\n  callrated explain --call sbc-fra/c1\n  callrated explain --call sbc-fra/c1 --lang de"
)]
pub struct ExplainArguments {
    /// A call that is stored: its node and id. Ends with code 1 if its price does not follow from its record.
    #[arg(long, value_name = "NODE/ID", conflicts_with_all = ["account", "to", "from", "routing_number", "duration", "at"])]
    call: Option<String>,
    /// With --call: language of the customer's words: en, de or it (default: the account's).
    #[arg(long, requires = "call")]
    lang: Option<String>,
    /// With --call: an earlier revision of it (default: what counts now).
    #[arg(long, value_name = "N", requires = "call")]
    revision: Option<u32>,
    /// Who pays.
    #[arg(long, required_unless_present = "call")]
    account: Option<String>,
    /// The number called, as dialled or E.164.
    #[arg(long, value_name = "NUMBER", required_unless_present = "call")]
    to: Option<String>,
    /// The calling number.
    #[arg(long, value_name = "NUMBER", default_value = "")]
    from: String,
    /// Where a ported number leads: the call is rated by it, and the number called is shown.
    #[arg(long, value_name = "NUMBER", default_value = "")]
    routing_number: String,
    /// Talk time in seconds, such as 61 or 61.2s.
    #[arg(long, required_unless_present = "call")]
    duration: Option<String>,
    /// When it was answered, RFC 3339 (default: now).
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Which leg: outbound or inbound.
    #[arg(long, default_value = "outbound")]
    direction: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Config, arguments: ExplainArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let shown = match &arguments.call {
        Some(call) => stored(&client, call, &arguments).await,
        None => show(&client, &arguments).await,
    };
    super::ended(shown, client.close().await)
}

async fn show(client: &Client, arguments: &ExplainArguments) -> Result<(), Exit> {
    let mut asked = json!({
        "account": arguments.account,
        "source": arguments.from,
        "destination": arguments.to,
        "routing_number": arguments.routing_number,
        "duration": arguments.duration,
        "direction": arguments.direction,
        "proof": true,
    });
    if let Some(at) = &arguments.at {
        asked["answer"] = json!(at);
    }
    let response = client.send(client::post("/v1/quote", &asked)?).await?;
    let status = response.status();
    let answer = client::json(response).await?;
    if status.is_success() {
        return if arguments.json { out::json(&answer) } else { priced(&answer) };
    }
    // A call that would wait in suspense has a proof too: it ends where the price would have been.
    if status == StatusCode::UNPROCESSABLE_ENTITY && answer["proof"].is_array() {
        if arguments.json {
            out::json(&answer)?;
        } else {
            lines(&answer)?;
        }
    }
    Err(client::exit_of(status, Some(&answer)))
}

/// The proof of a stored call: each decision, then the customer's words, which end in the amount.
async fn stored(client: &Client, call: &str, arguments: &ExplainArguments) -> Result<(), Exit> {
    let (node, id) = call
        .split_once('/')
        .ok_or_else(|| Exit::usage(format!("--call {call:?}: write NODE/ID, such as sbc-fra/c1")))?;
    let revision = arguments.revision.map(|revision| revision.to_string());
    let asked = [("lang", arguments.lang.as_deref()), ("revision", revision.as_deref())];
    let url = path(&format!("/v1/calls/{}/{}/explain", segment(node), segment(id)), &asked);
    let answer = client.get_json(&url).await?;
    let legs = answer["legs"].as_array().map_or(&[][..], Vec::as_slice);
    if arguments.json {
        out::json(&answer)?;
    } else {
        for (i, leg) in legs.iter().enumerate() {
            if i > 0 {
                out::line("")?;
            }
            stored_leg(leg)?;
        }
    }
    let first = legs.iter().find(|leg| leg["proved"] != true);
    match first {
        None => Ok(()),
        Some(leg) => {
            let one = &leg["differences"][0];
            Err(Exit::faults(format!(
                "the {} leg of {call} does not follow from its record: {} is stored as {}, but comes to {}",
                text(&leg["direction"]),
                text(&one["field"]),
                text(&one["stored"]),
                text(&one["derived"])
            )))
        }
    }
}

fn stored_leg(leg: &Value) -> Result<(), Exit> {
    let of = |name: &str| text(&leg[name]);
    let heading = format!("{} leg of account {}", of("direction"), of("account"));
    out::line(&out::paint(&heading, Paint::Bold))?;
    if leg["raw"].is_string() {
        out::line(&format!("    record as it came: {}", of("raw").trim_end()))?;
    } else {
        out::line("    record: its raw text has left the journal; what the store keeps of it decides")?;
    }
    lines(leg)?;
    let proved = leg["proved"] == true;
    let verdict = if proved { "as stored" } else { "NOT as stored" };
    out::line(&format!("    {verdict}: {} {}", of("currency"), of("cost")))?;
    out::line("")?;
    for sentence in leg["words"].as_array().into_iter().flatten() {
        out::line(&format!("    {}", text(sentence)))?;
    }
    Ok(())
}

/// The proof, then what was charged; the last thing printed is the amount.
fn priced(quote: &Value) -> Result<(), Exit> {
    lines(quote)?;
    let of = |name: &str| text(&quote[name]);
    let mut facts = vec![("call type", of("call_type"))];
    let to = [of("destination"), of("country"), of("type")].join(" ");
    if !to.trim().is_empty() {
        facts.push(("destination", to.trim().to_owned()));
    }
    if quote["routing_number"].is_string() {
        facts.push(("rated by", format!("{} (ported)", of("routing_number"))));
    }
    if quote["prefix"].is_string() {
        let name = of("destination_name");
        let name = if name.is_empty() { name } else { format!(" ({name})") };
        facts.push(("row", format!("{} of deck {}{name}", of("prefix"), of("deck"))));
    }
    if quote["exchange"].is_string() {
        facts.push(("converted", of("exchange")));
    }
    facts.push(("billable", format!("{} s = {} min", of("billable_seconds"), of("billable_minutes"))));
    facts.push(("cost", out::paint(&format!("{} {}", of("currency"), of("cost")), Paint::Bold)));
    out::line("")?;
    for (name, fact) in facts {
        out::line(&format!("    {name:<12} {fact}"))?;
    }
    Ok(())
}

fn lines(proof: &Value) -> Result<(), Exit> {
    for (i, line) in proof["proof"].as_array().into_iter().flatten().enumerate() {
        out::line(&format!("{:>2}  {:<7} {}", i + 1, text(&line["rule"]), text(&line["text"])))?;
    }
    Ok(())
}
