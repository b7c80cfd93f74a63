//! `callrated send`: realistic traffic, for trying out and for sizing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::client::TOKEN;
use super::out;
use super::usage::this_moment;
use crate::config::Config;
use crate::daemon::engine;
use crate::exit::Exit;
use crate::ingest::settings::Protocol;
use crate::rates::RatesFolder;
use crate::time::{MICROS_PER_SECOND, Timestamp};
use crate::traffic::histogram::Histogram;
use crate::traffic::recipe::{Caller, Recipe, Traffic};
use crate::traffic::send::{self, Plan};
use crate::traffic::target::Target;

/// How long before now the last call was answered: longer than any call lasts, so that none ends in the future.
const BACK: i64 = 5 * 3600 * MICROS_PER_SECOND;
/// Shares of the percentile table.
const SHARES: &[(&str, f64)] =
    &[("50 %", 0.5), ("90 %", 0.9), ("95 %", 0.95), ("99 %", 0.99), ("99.9 %", 0.999), ("max", 1.0)];

/// Send made-up records to a daemon and measure how long each took to be safe.
///
/// The calls are those of the rates folder's own accounts: log-normal durations, Zipf destinations, bursts, repeats,
/// disorder. They are rated and stored like any other, so do not send them to a daemon that bills anybody.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated send --calls 1000\n  callrated send --to udp://127.0.0.1:7070 --calls 10000 --rate 2000 --seed 7"
)]
pub struct SendArguments {
    /// Where to: tcp://HOST:PORT, udp://HOST:PORT or http://HOST:PORT (default: the running daemon's TCP listener).
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Records in all.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    calls: u64,
    /// Records a second; 0: as fast as they are taken.
    #[arg(long, value_name = "R", default_value_t = 0.0)]
    rate: f64,
    /// Connections or sockets.
    #[arg(long, value_name = "N", default_value_t = 1)]
    connections: usize,
    /// Records of one write.
    #[arg(long, value_name = "N", default_value_t = 50)]
    batch: usize,
    /// What the calls are like: the same seed makes the same calls.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of the run, part of every call's id: the same run again is repeats (default: the time).
    #[arg(long)]
    run: Option<u64>,
    /// Node of the records.
    #[arg(long, default_value = "callrated-send")]
    node: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Config, arguments: SendArguments) -> Result<(), Exit> {
    if !arguments.rate.is_finite() || arguments.rate < 0.0 {
        return Err(Exit::usage("--rate must be a number of records a second, or 0"));
    }
    if arguments.node.is_empty() || arguments.node.bytes().any(|b| b < b' ' || b == b'"' || b == b'\\') {
        return Err(Exit::usage("--node must be a name without quotes and control characters"));
    }
    let target: Target = target(config, arguments.to.as_deref())?.parse().map_err(Exit::usage)?;
    let callers = callers(config)?;
    let now = this_moment();
    let recipe = Recipe::default();
    let spread = (arguments.calls as f64 / recipe.rate * MICROS_PER_SECOND as f64) as i64;
    let run = arguments.run.unwrap_or(now.0.unsigned_abs() / 1000);
    let from = Timestamp(now.0 - BACK - spread);
    let traffic = Traffic::new(recipe, arguments.seed, run, callers, from, &arguments.node);
    let plan = Plan {
        target: target.clone(),
        records: arguments.calls,
        rate: arguments.rate,
        connections: arguments.connections.clamp(1, 1024),
        batch: arguments.batch.clamp(1, 10_000),
        token: std::env::var(TOKEN).ok(),
    };
    let progress = Arc::new(AtomicU64::new(0));
    let bar = tokio::spawn(show(arguments.calls, progress.clone()));
    let sent = send::send(&plan, traffic, progress).await;
    bar.abort();
    let mut report = sent.map_err(Exit::environment)?;
    let seconds = report.elapsed.as_secs_f64().max(1e-6);
    let rate = (report.sent as f64 / seconds) as u64;
    if arguments.json {
        let latency: serde_json::Map<String, serde_json::Value> = SHARES
            .iter()
            .filter_map(|(name, share)| Some(((*name).to_owned(), json!(micros(&mut report.latency, *share)?))))
            .collect();
        out::json(&json!({
            "sent": report.sent, "durable": report.durable, "refused": report.refused,
            "seconds": seconds, "rate": rate, "late_micros": report.late.as_micros() as u64,
            "latency_micros": latency, "trouble": report.trouble,
        }))?;
    } else {
        let n = out::grouped;
        out::line(&format!(
            "sent {} records in {seconds:.2} s ({} a second): {} durable, {} refused",
            n(report.sent),
            n(rate),
            n(report.durable),
            n(report.refused)
        ))?;
        let what = if matches!(target, Target::Udp(_)) { "due to sent" } else { "due to durable" };
        let mut table = out::table(&[what, "ms"], &[1]);
        for (name, share) in SHARES {
            if let Some(micros) = micros(&mut report.latency, *share) {
                table.add_row([(*name).to_owned(), format!("{}.{:03}", micros / 1000, micros % 1000)]);
            }
        }
        out::line(&table.to_string())?;
        if arguments.rate > 0.0 && report.late > Duration::from_millis(1) {
            out::line(&format!("the sender itself was late by up to {} ms", report.late.as_millis()))?;
        }
    }
    match &report.trouble {
        Some(trouble) if report.refused > 0 => Err(Exit::faults(trouble)),
        Some(trouble) => Err(Exit::environment(trouble)),
        None => Ok(()),
    }
}

fn micros(latency: &mut Histogram, share: f64) -> Option<u64> {
    latency.percentile(share).map(|d| d.as_micros() as u64)
}

/// The address that was given, else that of the daemon at work in the data folder.
fn target(config: &Config, to: Option<&str>) -> Result<String, Exit> {
    if let Some(to) = to {
        return Ok(to.to_owned());
    }
    if engine::running(&config.data_dir).is_none() {
        return Err(Exit::environment(format!(
            "no daemon is at work in {}: start `callrated serve`, or say --to tcp://HOST:PORT",
            config.data_dir.display()
        )));
    }
    let tcp = config.listeners.iter().find(|l| l.protocol == Protocol::Tcp && l.tls.is_none());
    let Some(listen) = tcp else {
        return Err(Exit::usage(
            "the configuration has no TCP listener without TLS: say --to http://HOST:PORT or udp://HOST:PORT",
        ));
    };
    let mut address = listen.address;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    Ok(format!("tcp://{address}"))
}

/// The numbers of the rates folder's accounts.
fn callers(config: &Config) -> Result<Vec<Caller>, Exit> {
    let folder = RatesFolder::read(&config.rates_dir).map_err(Exit::usage)?;
    let numbers = folder.numbers();
    if numbers.is_empty() {
        return Err(Exit::usage(format!("{}/numbers.csv has no numbers to call from", config.rates_dir.display())));
    }
    Ok(numbers.into_iter().map(|(number, country)| Caller { number, country }).collect())
}

async fn show(records: u64, progress: Arc<AtomicU64>) {
    if !out::errors_on_terminal() {
        return;
    }
    let bar = ProgressBar::new(records);
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len}  {per_sec}") {
        bar.set_style(style);
    }
    let mut timer = tokio::time::interval(Duration::from_millis(100));
    loop {
        timer.tick().await;
        bar.set_position(progress.load(Ordering::Relaxed));
    }
}
