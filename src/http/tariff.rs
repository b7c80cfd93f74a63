//! `GET /v1/tariff`, `POST /v1/tariff/reload`, `GET /v1/directory`: what is in force, and putting the rates folder in
//! force.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{App, Problem};
use crate::daemon::reload::ReloadError;
use crate::rates::RatesError;
use crate::store::ActivationRow;
use crate::tariff::Allowance;
use crate::time::parse_rfc3339;

/// The image in force, its plans, and the history of activations.
pub(super) async fn show(State(app): State<App>) -> Result<Json<Value>, Problem> {
    let (tariff, directory) = app.in_force().await?;
    app.settle().await?;
    let state = app.stored(|store| store.load_activations()).await?;
    let plans: Vec<Value> = tariff
        .plans()
        .iter()
        .map(|plan| {
            json!({
                "plan": plan.name,
                "country": plan.country.as_str(),
                "currency": String::from_utf8_lossy(&plan.currency),
                "included_minutes": match plan.allowance {
                    Allowance::Unlimited => json!("unlimited"),
                    Allowance::Seconds(seconds) => json!(super::usage::minutes(seconds as i64)),
                },
                "decks": plan.decks,
                "inbound_decks": plan.inbound_decks,
            })
        })
        .collect();
    Ok(Json(json!({
        "tariff": format!("blake3:{}", tariff.digest()),
        "prefixes": tariff.prefixes(),
        "directory": format!("blake3:{}", directory.digest()),
        "accounts": directory.account_index_count(),
        "plans": plans,
        "tariffs": state.0.iter().map(activation).collect::<Vec<_>>(),
        "directories": state.1.iter().map(activation).collect::<Vec<_>>(),
    })))
}

fn activation(row: &ActivationRow) -> Value {
    json!({
        "digest": format!("blake3:{}", row.digest),
        "activated_at": row.activated_at.to_string(),
        "effective_from": row.effective_from.map(|t| t.to_string()),
        "by": row.by,
    })
}

/// When a new tariff applies; without it, from now on.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    effective_from: Option<String>,
}

/// Compiles the rates folder and puts it in force; with any error what is in force stays.
pub(super) async fn reload(State(app): State<App>, body: axum::body::Bytes) -> Result<Json<Value>, Problem> {
    let asked: Asked = if body.is_empty() {
        Asked::default()
    } else {
        serde_json::from_slice(&body).map_err(|e| Problem::bad_request(format!("the body: {e}")))?
    };
    let from = match asked.effective_from {
        None => None,
        Some(text) => Some(parse_rfc3339(text.as_bytes()).ok_or_else(|| {
            Problem::bad_request(format!("effective_from={text:?}: write RFC 3339, such as 2026-11-01T00:00:00Z"))
        })?),
    };
    match app.reloader.reload("api", from.map(|t| t.0)).await {
        Ok(loaded) => Ok(Json(json!({
            "tariff": format!("blake3:{}", loaded.tariff),
            "tariff_changed": loaded.tariff_changed,
            "directory": format!("blake3:{}", loaded.directory),
            "directory_changed": loaded.directory_changed,
            "prefixes": loaded.prefixes,
            "accounts": loaded.accounts,
            "findings": loaded.findings,
        }))),
        Err(ReloadError::Rates(RatesError::Wrong { findings, folder })) => {
            let errors: Vec<String> = findings.iter().map(crate::rates::describe).collect();
            Err(Problem::unprocessable(format!("{} stays as it is in force: {}", folder.display(), errors.join("; "))))
        }
        Err(error) => Err(Problem::unavailable(&error.to_string())),
    }
}
