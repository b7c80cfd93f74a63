//! `callrated shadow`: what the system that bills today charges, beside what we would.

use clap::Args;
use serde_json::Value;

use super::client::{Client, path};
use super::export::copy;
use super::out;
use super::usage::text;
use crate::config::Config;
use crate::exit::Exit;

/// Compare a month with the prices that its records tell, and name the rule behind each difference.
///
/// Records tell a price as `incumbent_cost` (and `incumbent_currency`, `incumbent_seconds`), or in a column that the
/// format's mapping names.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated shadow --period 2026-10\n  callrated shadow --period 2026-10 --calls > differences.csv"
)]
pub struct ShadowArguments {
    /// Which month.
    #[arg(long, value_name = "YYYY-MM")]
    period: String,
    /// Write the single calls that differ as CSV, each with its rule.
    #[arg(long, conflicts_with = "json")]
    calls: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Config, arguments: ShadowArguments) -> Result<(), Exit> {
    let client = Client::open(config).await?;
    let done = shadow(&client, &arguments).await;
    super::ended(done, client.close().await)
}

async fn shadow(client: &Client, arguments: &ShadowArguments) -> Result<(), Exit> {
    let url = path("/v1/shadow", &[("period", Some(&arguments.period))]);
    if arguments.calls {
        return copy(client.get(&url, "text/csv").await?, 0).await;
    }
    let report = client.get_json(&url).await?;
    if arguments.json {
        return out::json(&report);
    }
    show(&report)
}

fn show(report: &Value) -> Result<(), Exit> {
    let list = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let count = |of: &Value, name: &str| out::grouped(of[name].as_u64().unwrap_or(0));
    if list("totals").is_empty() && list("only_theirs").is_empty() && list("not_compared").is_empty() {
        return out::line(&format!("no record of {} tells another price", text(&report["period"])));
    }
    let mut table = out::table(
        &["currency", "calls", "agree", "differ", "ours", "theirs", "they charge more", "less"],
        &[1, 2, 3, 4, 5, 6, 7],
    );
    for total in list("totals") {
        let of = |name: &str| text(&total[name]);
        let counts = |name: &str| count(&total, name);
        table.add_row([
            of("currency"),
            counts("calls"),
            counts("agree"),
            counts("differ"),
            of("ours"),
            of("theirs"),
            of("they_charge_more"),
            of("they_charge_less"),
        ]);
    }
    out::line(&table.to_string())?;
    for group in list("groups") {
        let of = |name: &str| text(&group[name]);
        let difference = of("difference");
        let sign = if difference.starts_with('-') { "" } else { "+" };
        out::line(&format!(
            "\n{}",
            out::paint(&format!("{} calls: {}", count(&group, "calls"), of("words")), out::Paint::Bold)
        ))?;
        out::line(&format!("  {} {} by us, {} by them: {sign}{difference}", of("currency"), of("ours"), of("theirs")))?;
        if group["ambiguous"].as_u64().unwrap_or(0) > 0 {
            let also = group["also"].as_array().into_iter().flatten();
            let some: Vec<String> =
                also.take(3).map(|one| format!("{} ({})", text(&one["words"]), count(one, "calls"))).collect();
            let ambiguous = count(&group, "ambiguous");
            out::line(&format!("  of these, {ambiguous} may as well be: {}", some.join("; ")))?;
        }
        for example in group["examples"].as_array().into_iter().flatten().take(3) {
            let of = |name: &str| text(&example[name]);
            out::line(&format!(
                "  {} s to {}: {} by us, {} by them; {}",
                of("duration"),
                of("destination"),
                of("ours"),
                of("theirs"),
                of("explain")
            ))?;
        }
    }
    for one in list("only_theirs") {
        out::line(&format!(
            "\n{} calls that only they charge, {}: {}",
            count(&one, "calls"),
            text(&one["theirs"]),
            text(&one["why"])
        ))?;
    }
    for one in list("not_compared") {
        out::line(&format!("\n{} calls that cannot be compared: {}", count(&one, "calls"), text(&one["why"])))?;
    }
    for one in list("only_ours") {
        out::line(&format!(
            "\n{} calls tell no other price ({} {} by us)",
            count(&one, "calls"),
            text(&one["currency"]),
            text(&one["ours"])
        ))?;
    }
    accounts(&list("accounts"), report["accounts_differing"].as_u64().unwrap_or(0))
}

/// Accounts shown in the table; JSON has more.
const ACCOUNTS: usize = 20;

fn accounts(listed: &[Value], differing: u64) -> Result<(), Exit> {
    if listed.is_empty() {
        return Ok(());
    }
    let mut table =
        out::table(&["account", "calls", "differ", "currency", "ours", "theirs", "difference"], &[1, 2, 4, 5, 6]);
    for account in listed.iter().take(ACCOUNTS) {
        let of = |name: &str| text(&account[name]);
        let count = |name: &str| out::grouped(account[name].as_u64().unwrap_or(0));
        table.add_row([
            of("account"),
            count("calls"),
            count("differ"),
            of("currency"),
            of("ours"),
            of("theirs"),
            of("difference"),
        ]);
    }
    out::line(&format!("\n{table}"))?;
    if differing > ACCOUNTS as u64 {
        out::line(&format!("and {} more accounts: --json has them", out::grouped(differing - ACCOUNTS as u64)))?;
    }
    Ok(())
}
