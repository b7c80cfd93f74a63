//! `POST /v1/quote`: the price of a call that has not happened, with the reasons for it.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{App, Problem};
use crate::entry::SourceProfile;
use crate::rating::{self, World};
use crate::record::{Direction, Record};
use crate::time::{MICROS_PER_SECOND, Micros, parse_rfc3339};

/// A call that might happen.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    account: String,
    destination: String,
    #[serde(default)]
    source: String,
    /// RFC 3339; without it, now.
    answer: Option<String>,
    /// Seconds, as a number or as text.
    duration: Value,
    /// `outbound` (the default) or `inbound`.
    direction: Option<String>,
    /// With every step of the way to the price.
    #[serde(default)]
    proof: bool,
}

/// The price by what is in force, drawing what the account has left now.
pub(super) async fn quote(State(app): State<App>, Json(asked): Json<Asked>) -> Result<Json<Value>, Problem> {
    let now = app.clock.now();
    let answer = match &asked.answer {
        None => now,
        Some(text) => parse_rfc3339(text.as_bytes()).ok_or_else(|| {
            Problem::bad_request(format!("answer={text:?}: write RFC 3339, such as 2026-10-05T09:00:00Z"))
        })?,
    };
    let duration = match &asked.duration {
        Value::String(text) => seconds(text),
        Value::Number(number) => seconds(&number.to_string()),
        _ => None,
    };
    let duration =
        duration.ok_or_else(|| Problem::bad_request("duration: write seconds, such as 61 or \"61.2\"".to_owned()))?;
    let side = match asked.direction.as_deref() {
        None | Some("outbound") => Direction::Outbound,
        Some("inbound") => Direction::Inbound,
        Some(other) => return Err(Problem::bad_request(format!("direction={other:?}: write outbound or inbound"))),
    };
    let (tariff, directory) = app.in_force().await?;
    let Some(account) = directory.account_at(asked.account.as_bytes(), answer) else {
        return Err(Problem::not_found(format!("no account {:?} at {answer}", asked.account)));
    };
    let period = crate::time::Period::containing(answer, account.zone);
    let used = app.road.usage(&asked.account, period).await.map_err(|_| Problem::stopping())?;
    let used = used.map_or(0, |live| live.used_seconds);
    let record = Record {
        id: b"quote",
        account: asked.account.as_bytes(),
        source: asked.source.as_bytes(),
        destination: asked.destination.as_bytes(),
        direction: Some(side),
        answer: Some(answer),
        duration: Some(duration),
        ..Record::default()
    };
    // Which slot a tariff has matters only for what is stored.
    let slot = crate::call::TariffSlot(0);
    let world = World { directory: &directory, tariff: &tariff, slot };
    let profile = SourceProfile { max_age_days: u32::MAX, ..SourceProfile::default() };
    let proof = rating::prove(&record, answer, &profile, world, side, &|_, _| used);
    match (&proof.quote, &proof.suspended) {
        (Some(quote), _) => {
            let mut shown = serde_json::to_value(quote).unwrap_or_default();
            if asked.proof {
                shown["proof"] = json!(proof.lines);
            }
            Ok(Json(shown))
        }
        (None, Some(why)) => {
            Err(Problem::unprocessable(format!("this call would wait in suspense: {}: {}", why.reason, why.detail)))
        }
        (None, None) => Err(Problem::unprocessable("this call has no such leg")),
    }
}

/// `61`, `61.2`, `61.2s` to microseconds; further digits are cut (R2).
fn seconds(text: &str) -> Option<Micros> {
    let text = text.trim().trim_end_matches('s').trim_end();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 9 || !digits(whole) || !digits(part) {
        return None;
    }
    let micros: i64 = format!("{:0<6.6}", part).parse().ok()?;
    Some(Micros(whole.parse::<i64>().ok()? * MICROS_PER_SECOND + micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_exactly() {
        for (text, micros) in
            [("61", 61_000_000), ("61.2s", 61_200_000), ("0.0000019", 1), ("61.20 s", 61_200_000), ("5.", 5_000_000)]
        {
            assert_eq!(seconds(text), Some(Micros(micros)), "{text}");
        }
        for bad in ["", "s", "-1", "1e3", ".5", "1,5", "9999999999"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
