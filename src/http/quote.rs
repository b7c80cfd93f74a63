//! `POST /v1/quote`: the price of a call that has not happened, with the reasons for it.
//!
//! Does not know how a price comes about: it asks the heart.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::details::Steps;
use super::{App, Problem, accounts};
use crate::call::TariffSlot;
use crate::entry::SourceProfile;
use crate::rating::{self, Standing, World};
use crate::record::{Direction, Record};
use crate::time::{MICROS_PER_SECOND, Micros, Period, parse_rfc3339};

/// A call that might happen.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "account": "acme", "source": "+4930600", "destination": "00551198765432", "answer": "2026-10-05T09:00:00Z",
    "duration": 61,
}))]
pub(super) struct QuoteRequest {
    /// Who pays.
    account: String,
    /// As it would be dialled, or E.164.
    destination: String,
    /// The same; it decides nothing but what the proof says.
    #[serde(default)]
    source: String,
    /// Where a ported number leads: the call is rated by it. Without it, what `;rn=` in the destination says (RFC 4694).
    #[serde(default)]
    #[schema(example = "+4915123456789")]
    routing_number: String,
    /// RFC 3339; without it, now.
    answer: Option<String>,
    /// Seconds, as a number or as text: 61, "61.2".
    duration: Value,
    /// `outbound` (the default) or `inbound`.
    direction: Option<String>,
    /// With every step of the way to the price.
    #[serde(default)]
    proof: bool,
}

/// What a call would cost by what is in force, drawing what the account has left now.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "account": "acme", "direction": "outbound", "call_type": "international", "rule": "R10", "source": "+4930600",
    "destination": "+551198765432", "country": "BR", "type": "mobile", "prefix": "5511", "deck": "world-eur",
    "rate": "0.12", "connect_fee": "0",
    "steps": { "mode": "up", "initial": 60, "increment": 60, "minimum": 0, "free_below": "0" },
    "billable_seconds": 120, "billable_minutes": "2", "included_seconds": 0, "currency": "EUR", "cost": "0.2400",
    "period": "2026-10", "tariff": "blake3:…",
}))]
pub(super) struct Quoted {
    account: String,
    /// `outbound` or `inbound`.
    direction: &'static str,
    call_type: &'static str,
    /// The rule that decided the call type.
    rule: String,
    /// E.164.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// E.164; left out for emergency numbers, extensions and short codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<String>,
    /// E.164: the number by which a ported one is rated.
    #[serde(skip_serializing_if = "Option::is_none")]
    routing_number: Option<String>,
    /// ISO 3166.
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    /// `fixed`, `mobile`, `premium`, …
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    number_type: Option<&'static str>,
    /// Of the row that decided type or price.
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deck: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_name: Option<String>,
    /// What one unit of the price's currency is worth, where that is another than `currency`: `0.92 EUR/USD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    exchange: Option<String>,
    /// Per minute: a decimal.
    rate: String,
    /// A decimal.
    connect_fee: String,
    steps: Steps,
    billable_seconds: u32,
    /// A decimal.
    billable_minutes: String,
    /// Of these, drawn from the allowance.
    included_seconds: u32,
    /// What of them each allowance gave; left out where none but the plan's minutes was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    allowances: Vec<QuotedDraw>,
    /// The volume tier that counts the call; left out where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<QuotedTier>,
    /// ISO 4217.
    currency: String,
    /// A decimal.
    cost: String,
    /// The month to which the call would belong.
    period: String,
    /// BLAKE3 of the tariff's image.
    tariff: String,
    /// Each decision, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<Vec<ProofLine>>,
}

/// What an allowance gives.
#[derive(Serialize, ToSchema)]
pub(super) struct QuotedDraw {
    /// Empty: the plan's minutes.
    #[schema(example = "mobile")]
    name: String,
    included_seconds: u32,
    /// Drawn by the billing group before the call.
    used_seconds: u64,
    /// Left before the call; null: no limit.
    left_seconds: Option<u64>,
    /// Of the month's seconds those that earlier months left to it; left out where it is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    carried_seconds: Option<i64>,
}

impl From<rating::QuotedDraw> for QuotedDraw {
    fn from(draw: rating::QuotedDraw) -> QuotedDraw {
        let rating::QuotedDraw { name, included_seconds, used_seconds, left_seconds, carried_seconds } = draw;
        let carried_seconds = (carried_seconds != 0).then_some(carried_seconds);
        QuotedDraw { name, included_seconds, used_seconds, left_seconds, carried_seconds }
    }
}

/// A volume tier that counts the call.
#[derive(Serialize, ToSchema)]
pub(super) struct QuotedTier {
    #[schema(example = "world")]
    name: String,
    /// Charged in the month before the call.
    used_seconds: u64,
    /// The call's charged seconds, by level.
    levels: Vec<QuotedLevel>,
}

/// Seconds of a call that fall into a level of a tier.
#[derive(Serialize, ToSchema)]
pub(super) struct QuotedLevel {
    /// From where on it holds; null: below the first.
    after_seconds: Option<u64>,
    seconds: u32,
    /// Per minute, instead of what they would cost: a decimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<String>,
    /// Per cent off what they would cost: a decimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "12.5")]
    discount_percent: Option<String>,
}

impl From<rating::QuotedTier> for QuotedTier {
    fn from(tier: rating::QuotedTier) -> QuotedTier {
        let level = |level: rating::QuotedLevel| {
            let rating::QuotedLevel { after_seconds, seconds, rate, discount_percent } = level;
            QuotedLevel { after_seconds, seconds, rate, discount_percent }
        };
        let levels = tier.levels.into_iter().map(level).collect();
        QuotedTier { name: tier.name, used_seconds: tier.used_seconds, levels }
    }
}

/// One decision and the rule behind it.
#[derive(Serialize, ToSchema)]
pub(super) struct ProofLine {
    #[schema(example = "R13")]
    rule: &'static str,
    text: String,
}

/// The price of a call that has not happened.
///
/// A call that would wait in suspense is answered 422 with `reason` and, where it was asked for, `proof`.
#[utoipa::path(
    post, path = "/v1/quote", tag = "calls", operation_id = "quote",
    request_body = QuoteRequest,
    responses((status = 200, body = Quoted), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["read"])),
)]
pub(super) async fn quote(State(app): State<App>, Json(asked): Json<QuoteRequest>) -> Result<Json<Quoted>, Problem> {
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
    let duration = duration.ok_or_else(|| {
        Problem::bad_request("duration: write seconds below a thousand million, such as 61 or \"61.2\"")
    })?;
    let side = match asked.direction.as_deref() {
        None | Some("outbound") => Direction::Outbound,
        Some("inbound") => Direction::Inbound,
        Some(other) => return Err(Problem::bad_request(format!("direction={other:?}: write outbound or inbound"))),
    };
    let (tariff, directory) = app.in_force_at(answer)?;
    let Some(account) = directory.account_at(asked.account.as_bytes(), answer) else {
        return Err(match directory.account_named(asked.account.as_bytes()) {
            Some(_) => Problem::not_found(format!("the account {:?} has no row in force at {answer}", asked.account)),
            None => accounts::unknown(&directory, &asked.account),
        });
    };
    let period = Period::containing(answer, account.zone);
    let used = app.road.usage(&asked.account, period).await.map_err(|_| Problem::stopping())?;
    let used = used.unwrap_or_default();
    let record = Record {
        id: b"quote",
        account: asked.account.as_bytes(),
        source: asked.source.as_bytes(),
        destination: asked.destination.as_bytes(),
        routing_number: asked.routing_number.as_bytes(),
        direction: Some(side),
        answer: Some(answer),
        duration: Some(duration),
        ..Record::default()
    };
    // Which slot a tariff has matters only for what is stored.
    let world = World { directory: &directory, tariff: &tariff, slot: TariffSlot(0) };
    let profile = SourceProfile { max_age_days: u32::MAX, ..SourceProfile::default() };
    let proof = rating::prove(&record, answer, &profile, world, side, &|_, _| Standing::of(&used));
    match (proof.quote, proof.suspended) {
        (Some(quote), _) => Ok(Json(quoted(quote, asked.proof.then(|| proof_lines(proof.lines))))),
        (None, Some(why)) => {
            let detail = format!("this call would wait in suspense: {}: {}", why.reason, why.detail);
            let mut problem = Problem::unprocessable(detail).with("reason", why.reason.into());
            if asked.proof {
                // A call that cannot be priced has a proof, too: it ends where the price would have been.
                problem = problem.with("proof", serde_json::to_value(&proof.lines).unwrap_or_default());
            }
            Err(problem)
        }
        (None, None) => Err(Problem::unprocessable("this call has no such leg")),
    }
}

/// The decisions as the API shows them.
pub(super) fn proof_lines(lines: Vec<rating::Line>) -> Vec<ProofLine> {
    lines.into_iter().map(|line| ProofLine { rule: line.rule, text: line.text }).collect()
}

/// What they come to.
pub(super) fn quoted(quote: rating::Quote, proof: Option<Vec<ProofLine>>) -> Quoted {
    let rating::QuotedSteps { mode, initial, increment, minimum, free_below } = quote.steps;
    Quoted {
        account: quote.account,
        direction: quote.direction,
        call_type: quote.call_type,
        rule: quote.rule,
        source: quote.source,
        destination: quote.destination,
        routing_number: quote.routing_number,
        country: quote.country,
        number_type: quote.number_type,
        prefix: quote.prefix,
        deck: quote.deck,
        destination_name: quote.destination_name,
        exchange: quote.exchange,
        rate: quote.rate,
        connect_fee: quote.connect_fee,
        steps: Steps { mode, initial, increment, minimum, free_below },
        billable_seconds: quote.billable_seconds,
        billable_minutes: quote.billable_minutes,
        included_seconds: quote.included_seconds,
        allowances: quote.allowances.into_iter().map(QuotedDraw::from).collect(),
        tier: quote.tier.map(QuotedTier::from),
        currency: quote.currency,
        cost: quote.cost,
        period: quote.period,
        tariff: quote.tariff,
        proof,
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
