//! What is told: one event, as a webhook's body (Standard Webhooks: type, timestamp, data) and as a line of the log.
//!
//! Does not know who hears of it.

use serde_json::{Value, json};

use super::judge::Fired;
use super::rules::What;
use crate::call::{AccountKey, RatedCall};
use crate::money::Sum;
use crate::number::Country;
use crate::time::{Micros, Timestamp};

/// Something that was set off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Made of rule, account, window and level: the same whenever the same is found again.
    pub id: String,
    /// Whose.
    pub account: AccountKey,
    /// When the record came whose call set it off.
    pub at: Timestamp,
    /// Which rule.
    pub rule: String,
    /// `80%`, or `first`.
    pub level: String,
    /// A sentence.
    pub summary: String,
    /// The whole of it as JSON: the webhook's body.
    pub body: String,
}

/// What an event says beside what was set off.
pub struct Circumstances<'a> {
    /// The account's name.
    pub account: &'a str,
    /// Name of its plan.
    pub plan: &'a str,
    /// IANA name of its zone.
    pub zone: &'a str,
    /// The call that set it off.
    pub call: &'a RatedCall,
    /// Its country, where it has a number.
    pub country: Option<Country>,
    /// Node of its record.
    pub node: &'a str,
    /// Id of its record.
    pub call_id: &'a str,
    /// When the record came.
    pub received_at: Timestamp,
}

impl Event {
    /// Of something that was set off.
    pub fn new(fired: &Fired, about: &Circumstances<'_>) -> Event {
        let Circumstances { account, plan, zone, call, country, node, call_id, received_at } = *about;
        let rule = &fired.rule;
        let level = level(fired);
        let id = id(fired, account);
        let currency = str::from_utf8(&call.basis.currency).unwrap_or("");
        let decimals = u32::from(call.basis.decimals);
        let unit = unit(rule.what, currency);
        let shown = |value: i128| shown(rule.what, value, decimals);
        let country = country.map(|country| country.as_str().to_owned());
        let mut data = json!({
            "id": id,
            "account": account,
            "plan": plan,
            "rule": rule.name,
            "what": rule.what.name(),
            "per": rule.per.to_string(),
            "timezone": zone,
            "call": {
                "node": node, "id": call_id, "leg": call.key.leg.name(),
                "source": call.source.map(|n| format!("+{n}")), "destination": call.destination.map(|n| format!("+{n}")),
                "country": country, "call_type": call.call_type.name(), "answer": call.answer.to_string(),
                "duration": call.duration.to_string(), "cost": call.cost.fixed(decimals), "currency": currency,
            },
        });
        let summary = match &fired.first {
            Some(first) => {
                data["first"] = json!(first);
                format!("account {account}: first call ever to {first}")
            }
            None => {
                let (value, limit) = (shown(fired.value), shown(i128::from(rule.limit)));
                let threshold = shown(i128::from(rule.limit) * i128::from(fired.level) / 100);
                data["value"] = json!(value);
                data["limit"] = json!(limit);
                data["threshold"] = json!(threshold);
                data["level"] = json!(fired.level);
                data["unit"] = json!(unit);
                data["window"] = json!({ "from": fired.from.to_string(), "to": fired.to.to_string() });
                format!(
                    "account {account}: {value} {unit} per {}, which is {} or more of {limit} {unit}",
                    rule.per, level
                )
            }
        };
        data["summary"] = json!(summary);
        let kind = if fired.first.is_some() { "guard.first" } else { "guard.threshold" };
        let body = json!({ "type": kind, "timestamp": received_at.to_string(), "data": data }).to_string();
        Event { id, account: call.account, at: received_at, rule: rule.name.clone(), level, summary, body }
    }

    /// An event that nothing set off, to try a webhook.
    pub fn test(at: Timestamp) -> Event {
        let id = format!("guard_test_{}", at.0);
        let summary = "a test: nothing was set off".to_owned();
        let data = json!({ "id": id, "summary": summary, "account": "test", "rule": "test" });
        let body = json!({ "type": "guard.test", "timestamp": at.to_string(), "data": data }).to_string();
        Event { id, account: AccountKey(0), at, rule: "test".into(), level: "test".into(), summary, body }
    }

    /// The body, read.
    pub fn data(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// `80%`, or `first`.
fn level(fired: &Fired) -> String {
    if fired.first.is_some() { "first".to_owned() } else { format!("{}%", fired.level) }
}

fn id(fired: &Fired, account: &str) -> String {
    let rule = &fired.rule;
    // What a threshold is belongs to it: one that was raised is another one.
    let text = format!(
        "{}\0{account}\0{}\0{}\0{}\0{}",
        rule.name,
        rule.per,
        fired.from.0,
        fired.first.as_deref().unwrap_or(""),
        i128::from(rule.limit) * i128::from(fired.level)
    );
    format!("guard_{}", &blake3::hash(text.as_bytes()).to_hex()[..32])
}

/// The unit of a measure.
pub fn unit(what: What, currency: &str) -> &str {
    match what {
        What::Amount => currency,
        What::Minutes => "minutes",
        What::Calls => "calls",
        What::NewCountry | What::NewCallType => "",
    }
}

/// A measure as a decimal; minutes are rounded down to hundredths.
pub fn shown(what: What, value: i128, decimals: u32) -> String {
    match what {
        What::Amount => Sum(value).fixed(decimals),
        What::Minutes => {
            let hundredths = value / 600_000;
            Micros(i64::try_from(hundredths * 10_000).unwrap_or(i64::MAX)).to_string()
        }
        _ => value.to_string(),
    }
}
