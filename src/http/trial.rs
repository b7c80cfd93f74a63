//! `POST /v1/tariff/try`: what another tariff would make of a month that is stored.
//!
//! Does not know how a month is tried.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use serde::Deserialize;
use utoipa::ToSchema;

use super::tariff::known_digest;
use super::{App, Problem};
use crate::os::disk::RealDisk;
use crate::period::rerate::THREADS;
use crate::period::trial::{Trial, TrialDone};
use crate::period::{Progress, SealError};
use crate::rates::{self, RatesError};
use crate::tariff::Tariff;
use crate::time::{BadPeriod, Period};

/// Rows of a list where nobody says how many.
const TOP: usize = 100;

/// What is tried on what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "period": "2026-10", "tariff": "blake3:2d1e5223" }))]
pub(super) struct TryRequest {
    /// Year and month.
    period: String,
    /// A tariff that was in force, by its digest or its first 8 digits or more; without it the rates folder as it is now.
    #[serde(default)]
    tariff: Option<String>,
    /// Only what this account pays.
    #[serde(default)]
    account: Option<String>,
    /// At most so many rows of each list, those that move most; 100 unless said otherwise.
    #[serde(default)]
    top: Option<usize>,
}

/// Try a tariff on a month.
///
/// Rates the stored calls of a month twice in canonical order, as sealing would by what was in force and by the tariff that is
/// tried, and changes nothing: calls, money and, where plans name cost decks, what is left, by account and destination; routes
/// that would be sold below their least margin (`below`); calls that would no longer be rated (`lost`). A million calls take
/// some seconds; one trial runs at a time.
#[utoipa::path(
    post, path = "/v1/tariff/try", tag = "operating", operation_id = "try",
    request_body = TryRequest,
    responses((status = 200, body = TrialDone), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn attempt(State(app): State<App>, Json(asked): Json<TryRequest>) -> Result<Json<TrialDone>, Problem> {
    let period: Period = asked.period.parse().map_err(|e: BadPeriod| Problem::bad_request(e.to_string()))?;
    app.settle().await?;
    if let Some(name) = asked.account.clone() {
        let found = app.stored(move |store| store.account_named(&name)).await?;
        if found.is_none() {
            return Err(Problem::not_found(format!("no calls of an account {:?} are stored", asked.account)));
        }
    }
    let digest = match &asked.tariff {
        Some(written) => Some(known_digest(&app, written).await?),
        None => None,
    };
    let turn = app.trying.clone().try_lock_owned();
    let turn = turn.map_err(|_| Problem::conflict("another trial is under way; ask again when it has ended"))?;
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        tried(&app, period, digest, &asked)
    });
    Ok(Json(done.await.map_err(|_| Problem::stopping())??))
}

fn tried(app: &App, period: Period, digest: Option<String>, asked: &TryRequest) -> Result<TrialDone, Problem> {
    let tariff = match digest {
        Some(digest) => app.images.tariff(&digest).map_err(|e| Problem::not_found(e.to_string()))?,
        None => Arc::new(folder(app)?),
    };
    let trial = Trial {
        store: app.store.as_ref(),
        images: &app.images,
        period,
        tariff: &tariff,
        account: asked.account.as_deref(),
        least_margin: app.least_margin,
        threads: THREADS,
    };
    let aside = app.data_dir.join("trying");
    let tried = trial.run(Arc::new(RealDisk), &aside, &Progress::default());
    // What lies there is of no use to anybody.
    let _ = std::fs::remove_dir_all(&aside);
    match tried {
        Ok(tried) => Ok(TrialDone::of(&tried, period, tariff.digest(), asked.top.unwrap_or(TOP))),
        Err(SealError::Refused(why)) => Err(Problem::unprocessable(why)),
        Err(error) => Err(Problem::unavailable(error.to_string())),
    }
}

/// The rates folder as it is now.
fn folder(app: &App) -> Result<Tariff, Problem> {
    let read = rates::RatesFolder::read(app.reloader.folder()).and_then(|folder| folder.compile());
    match read {
        Ok(compiled) => {
            Tariff::open(Bytes::from(compiled.tariff.image)).map_err(|e| Problem::unavailable(e.to_string()))
        }
        Err(error) => {
            let detail = error.to_string();
            let RatesError::Wrong { findings, .. } = error else { return Err(Problem::unprocessable(detail)) };
            Err(Problem::unprocessable(detail).errors(findings.iter().map(rates::describe).collect()))
        }
    }
}
