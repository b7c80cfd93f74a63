//! `callrated rerate`: calls rated again.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::out::{self, Paint};
use super::seal::bar;
use super::usage::text;
use crate::config::Config;
use crate::exit::Exit;

/// How often to ask how far a job is.
const LOOK: Duration = Duration::from_millis(200);

/// Rate calls again: show what would change, or make it count.
///
/// Nothing is changed without --apply. Calls of open months get a revision; calls of sealed months stay, and the account's
/// open month takes them back and charges them anew. What a run changed can be taken back.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  callrated rerate --period 2026-10\n  callrated rerate --period 2026-10 --account acme --prefix 4420\n  callrated rerate --period 2026-10 --rated-by 2d1e5223 --apply --why \"wrong deck, ticket 1234\"\n  callrated rerate list\n  callrated rerate undo 3 --apply --why \"the deck was right\""
)]
pub struct RerateArguments {
    #[command(subcommand)]
    what: Option<What>,
    /// Month of the calls, or a range: 2026-08..2026-10.
    #[arg(long, value_name = "YYYY-MM", required = true)]
    period: Option<String>,
    /// Only calls that this account pays; may be given several times, as may all of the following.
    #[arg(long, value_name = "NAME")]
    account: Vec<String>,
    /// Only calls of this billing group.
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
    /// Only calls to numbers that begin so, E.164 without +.
    #[arg(long, value_name = "DIGITS")]
    prefix: Vec<String>,
    /// Only calls priced by a row of this destination.
    #[arg(long, value_name = "NAME")]
    destination: Vec<String>,
    /// Only calls of this type, such as international.
    #[arg(long, value_name = "TYPE")]
    call_type: Vec<String>,
    /// Only calls priced by this tariff: its digest, or the first digits.
    #[arg(long, value_name = "DIGEST")]
    rated_by: Vec<String>,
    /// Only calls of this node.
    #[arg(long, value_name = "NAME")]
    node: Vec<String>,
    /// Rate them by this tariff, whatever was in force; it must have been put in force once.
    #[arg(long, value_name = "DIGEST")]
    tariff: Option<String>,
    /// With --tariff: only calls answered from then on, RFC 3339.
    #[arg(long, value_name = "TIME", requires = "tariff")]
    from: Option<String>,
    /// Accounts to show, those that change most.
    #[arg(long, value_name = "N", default_value_t = 10, global = true)]
    top: usize,
    #[command(flatten)]
    make: Make,
}

/// What becomes of it.
#[derive(Debug, Args)]
struct Make {
    /// Make it count.
    #[arg(long, requires = "why")]
    apply: bool,
    /// Why, in a sentence; kept for ever with what is corrected.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Who asks (default: command line).
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The runs that there were, the latest first.
    #[command(after_help = "Examples:\n  callrated rerate list\n  callrated rerate list --json")]
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// A run and what it changed.
    #[command(after_help = "Examples:\n  callrated rerate show 3")]
    Show {
        /// Its number.
        run: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take a run back: show what that would change, or make it count.
    #[command(
        after_help = "Examples:\n  callrated rerate undo 3\n  callrated rerate undo 3 --apply --why \"the deck was right\""
    )]
    Undo {
        /// Its number.
        run: u32,
        #[command(flatten)]
        make: Make,
    },
}

pub(super) async fn run(config: &Config, arguments: RerateArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let done = asked(&client, &arguments).await;
    super::ended(done, client.close().await)
}

async fn asked(client: &Client, arguments: &RerateArguments) -> Result<(), Exit> {
    match &arguments.what {
        Some(What::List { json }) => list(client, *json).await,
        Some(What::Show { run, json }) => {
            let job = client.get_json(&format!("/v1/rerate/{run}")).await?;
            shown(client, job, *json, arguments.top).await
        }
        Some(What::Undo { run, make }) => {
            let job = client.post_json(&format!("/v1/rerate/{run}/undo"), &request(make)).await?;
            shown(client, job, make.json, arguments.top).await
        }
        None => {
            let mut asked = request(&arguments.make);
            asked["period"] = json!(arguments.period);
            for (name, list) in [
                ("accounts", &arguments.account),
                ("groups", &arguments.group),
                ("prefixes", &arguments.prefix),
                ("destinations", &arguments.destination),
                ("call_types", &arguments.call_type),
                ("rated_by", &arguments.rated_by),
                ("nodes", &arguments.node),
            ] {
                asked[name] = json!(list);
            }
            (asked["tariff"], asked["from"]) = (json!(arguments.tariff), json!(arguments.from));
            let job = client.post_json("/v1/rerate", &asked).await?;
            shown(client, job, arguments.make.json, arguments.top).await
        }
    }
}

fn request(make: &Make) -> Value {
    json!({ "apply": make.apply, "why": make.why, "by": make.by.as_deref().unwrap_or("command line") })
}

async fn list(client: &Client, json: bool) -> Result<(), Exit> {
    let answer = client.get_json("/v1/rerate").await?;
    if json {
        return out::json(&answer);
    }
    let runs = answer["runs"].as_array().map_or(&[][..], Vec::as_slice);
    if runs.is_empty() {
        return out::line("nothing was ever rated again");
    }
    let mut table = out::table(&["run", "state", "months", "asked", "by", "why"], &[0]);
    for run in runs {
        let state = match (run["undone_by"].as_u64(), run["undoes"].as_u64()) {
            (Some(later), _) => format!("taken back by {later}"),
            (None, Some(former)) => format!("{}, takes back {former}", text(&run["state"])),
            (None, None) => text(&run["state"]),
        };
        let of = |name: &str| text(&run[name]);
        table.add_row([of("run"), state, text(&run["scope"]["period"]), of("at"), of("by"), of("why")]);
    }
    out::line(&table.to_string())
}

/// Waits for the job's end, and shows what it comes to.
async fn shown(client: &Client, mut job: Value, json: bool, top: usize) -> Result<(), Exit> {
    let bar = bar();
    while job["state"] == "rating" {
        let count = |name: &str| out::grouped(job["progress"][name].as_u64().unwrap_or(0));
        bar.set_message(format!("{} calls read, {} rated again", count("read"), count("rated")));
        tokio::time::sleep(LOOK).await;
        job = client.get_json(&format!("/v1/rerate/{}", segment(&text(&job["job"])))).await?;
    }
    bar.finish_and_clear();
    if json {
        out::json(&job)?;
    }
    if let Some(why) = job["failed"].as_str() {
        return Err(Exit::faults(format!("run {} was given up, and nothing has changed: {why}", text(&job["run"]))));
    }
    if json { Ok(()) } else { report(&job, top) }
}

/// What the calls cost us, where a plan says it.
fn margins(totals: &[Value]) -> Result<(), Exit> {
    let told: Vec<&Value> = totals.iter().filter(|line| line["margin"].is_object()).collect();
    if told.is_empty() {
        return Ok(());
    }
    out::line("")?;
    let mut table = out::table(&["what they cost us", "currency", "before", "after", "difference"], &[2, 3, 4]);
    for line in told {
        let margin = |name: &str| text(&line["margin"][name]);
        let currency = text(&line["currency"]);
        let cost = ["cost_before", "cost_after", "cost_difference"].map(margin);
        let left = ["before", "after", "difference"].map(margin);
        for (name, [before, after, difference]) in [("carriers", cost), ("margin", left)] {
            table.add_row([name.to_owned(), currency.clone(), before, after, difference]);
        }
        let unknown = |name: &str| line["margin"][name].as_i64().unwrap_or(0);
        let (before, after) = (unknown("unknown_before"), unknown("unknown_after"));
        if (before, after) != (0, 0) {
            let row = [before, after, after - before].map(|calls| calls.to_string());
            let [before, after, difference] = row;
            table.add_row(["calls of unknown cost".to_owned(), String::new(), before, after, difference]);
        }
    }
    out::line(&table.to_string())
}

fn report(job: &Value, top: usize) -> Result<(), Exit> {
    let report = &job["report"];
    let count = |name: &str| out::grouped(report[name].as_u64().unwrap_or(0));
    let what = match (job["run"].as_u64(), job["undoes"].as_u64()) {
        (None, None) => "dry run; nothing has changed".to_owned(),
        (None, Some(former)) => format!("dry run of taking back run {former}; nothing has changed"),
        (Some(run), None) => format!("run {run} counts"),
        (Some(run), Some(former)) => format!("run {run} counts: run {former} is taken back"),
    };
    let months = text(&job["scope"]["period"]);
    out::line(&out::paint(
        &format!("{months}: {} of {} calls change ({what})", count("changed"), count("calls")),
        Paint::Bold,
    ))?;
    for (name, says) in [
        ("follow_on", "calls outside the scope change with them, since allowances are drawn anew"),
        ("revisions", "rows of open months are replaced"),
        ("reversals", "rows of sealed months are taken back in the open month"),
        ("not_kept", "calls stay: an earlier version did not keep what they were resolved by"),
        ("other_month", "calls stay: by the directory of now they belong to another month"),
    ] {
        if report[name].as_u64().unwrap_or(0) > 0 {
            out::line(&format!("    {} {says}", count(name)))?;
        }
    }
    for (name, says) in [("into_suspense", "go into suspense"), ("out_of_suspense", "come out of suspense")] {
        for one in report[name].as_array().into_iter().flatten() {
            let of = |name: &str| text(&one[name]);
            let reason = of("reason");
            let reason = if reason.is_empty() { reason } else { format!(" ({reason})") };
            out::line(&format!("    {} calls {says}{reason}: {} {}", of("calls"), of("currency"), of("cost")))?;
        }
    }
    let lines = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let row = |name: String, line: &Value| {
        let of = |name: &str| text(&line[name]);
        [name, of("currency"), of("changed"), of("before"), of("after"), of("difference")]
    };
    let headings = |first| [first, "currency", "changed", "before", "after", "difference"];
    out::line("")?;
    let mut table = out::table(&headings("call type"), &[2, 3, 4, 5]);
    for line in lines("call_types") {
        table.add_row(row(text(&line["name"]), &line));
    }
    for line in lines("total") {
        table.add_row(row("all".to_owned(), &line));
    }
    out::line(&table.to_string())?;
    margins(&lines("total"))?;
    let accounts = lines("accounts");
    if accounts.is_empty() {
        return Ok(());
    }
    out::line("")?;
    let mut table = out::table(&headings("account"), &[2, 3, 4, 5]);
    for line in accounts.iter().take(top) {
        table.add_row(row(text(&line["name"]), line));
    }
    out::line(&table.to_string())?;
    let left = accounts.len().saturating_sub(top) as u64 + report["accounts_left"].as_u64().unwrap_or(0);
    if left > 0 {
        out::line(&format!("and {} accounts more (--top)", out::grouped(left)))?;
    }
    if job["run"].is_null() && job["undoes"].is_null() {
        out::line("\nto make it count: the same with --apply --why TEXT")?;
    }
    Ok(())
}
