//! `GET /v1/tariff`, `POST /v1/tariff/reload`, `POST /v1/tariff/activate`: what is in force, and putting the rates folder or
//! an image of earlier in force.
//!
//! Does not know how a tariff is compiled.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{App, Problem};
use crate::daemon::reload::{ReloadError, Wish};
use crate::daemon::schedule::{self, Standing};
use crate::images::ImageMissing;
use crate::rates::RatesError;
use crate::store::ActivationRow;
use crate::tariff::{Allowance, Finding, Plan, Severity};
use crate::time::{Timestamp, parse_rfc3339};

/// The tariff in force and how it came there.
#[derive(Serialize, ToSchema)]
pub(super) struct TariffInForce {
    /// BLAKE3 of the image.
    #[schema(example = "blake3:…")]
    tariff: String,
    /// Distinct prefixes of all decks.
    prefixes: u64,
    /// BLAKE3 of the directory's image.
    directory: String,
    /// Accounts of the directory.
    accounts: u32,
    plans: Vec<PlanInForce>,
    /// Every tariff that was put in force or planned, oldest first.
    tariffs: Vec<TariffActivated>,
    /// The same for directories, the latest thousand.
    directories: Vec<Activated>,
}

/// A plan.
#[derive(Serialize, ToSchema)]
pub(super) struct PlanInForce {
    #[schema(example = "de-business")]
    plan: String,
    /// ISO 3166.
    country: String,
    /// ISO 4217.
    currency: String,
    /// A decimal, or `unlimited`.
    included_minutes: String,
    /// Of two decks with a row of the same prefix the first counts.
    decks: Vec<String>,
    inbound_decks: Vec<String>,
}

/// An image that was put in force.
#[derive(Serialize, ToSchema)]
pub(super) struct Activated {
    /// BLAKE3 of the image.
    digest: String,
    /// RFC 3339.
    activated_at: String,
    /// For calls answered from then on; null: for every call rated since.
    effective_from: Option<String>,
    /// Who or what asked: `start`, `file change`, `sighup`, `api`; `activate, …` where it was asked for by its digest.
    by: String,
}

/// A tariff that was put in force or planned.
#[derive(Serialize, ToSchema)]
pub(super) struct TariffActivated {
    /// BLAKE3 of the image.
    digest: String,
    /// RFC 3339.
    activated_at: String,
    /// For calls answered from then on; null: for every call rated since.
    effective_from: Option<String>,
    /// Who or what asked, as for directories.
    by: String,
    /// `in_force`: for calls answered now. `planned`: for later. `earlier`: another has taken its place. `overtaken`: it was planned,
    /// and no call will be rated by it, since another was activated after it for calls that begin no later.
    state: &'static str,
    /// BLAKE3 of the one that overtook it.
    overtaken_by: Option<String>,
}

/// Each with what became of it by now.
fn with_standing(rows: &[ActivationRow], now: Timestamp) -> Vec<TariffActivated> {
    let standings = schedule::standings(rows, now);
    let shown = |(row, standing): (&ActivationRow, Standing)| {
        let Activated { digest, activated_at, effective_from, by } = row.into();
        let state = match standing {
            Standing::InForce => "in_force",
            Standing::Planned => "planned",
            Standing::Earlier => "earlier",
            Standing::Overtaken(_) => "overtaken",
        };
        let overtaken_by = match standing {
            Standing::Overtaken(by) => rows.get(by).map(|row| format!("blake3:{}", row.digest)),
            _ => None,
        };
        TariffActivated { digest, activated_at, effective_from, by, state, overtaken_by }
    };
    rows.iter().zip(standings).map(shown).collect()
}

/// A tariff planned for later that will not apply after all.
#[derive(Serialize, ToSchema)]
pub(super) struct Overtaken {
    /// BLAKE3 of its image.
    tariff: String,
    /// RFC 3339: for calls answered from then on it had been planned.
    planned_for: String,
    /// BLAKE3 of the one that applies then.
    by: String,
    /// All of it in words, with what to do about it.
    message: String,
}

impl From<&schedule::Overtaken> for Overtaken {
    fn from(one: &schedule::Overtaken) -> Overtaken {
        Overtaken {
            tariff: format!("blake3:{}", one.digest),
            planned_for: one.planned_for.to_string(),
            by: format!("blake3:{}", one.by),
            message: one.to_string(),
        }
    }
}

/// Most directories listed: one that changes all day has many.
const LISTED: usize = 1000;

pub(super) fn latest(directories: &[ActivationRow]) -> Vec<Activated> {
    directories.iter().skip(directories.len().saturating_sub(LISTED)).map(Activated::from).collect()
}

impl From<&ActivationRow> for Activated {
    fn from(row: &ActivationRow) -> Activated {
        Activated {
            digest: format!("blake3:{}", row.digest),
            activated_at: row.activated_at.to_string(),
            effective_from: row.effective_from.map(|t| t.to_string()),
            by: row.by.clone(),
        }
    }
}

/// The tariff in force.
///
/// Its digest, its plans, and every activation.
#[utoipa::path(
    get, path = "/v1/tariff", tag = "in force", operation_id = "tariff",
    responses((status = 200, body = TariffInForce), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["read"])),
)]
pub(super) async fn show(State(app): State<App>) -> Result<Json<TariffInForce>, Problem> {
    let (tariff, directory) = app.in_force()?;
    app.settle().await?;
    let (tariffs, directories) = app.stored(|store| store.load_activations()).await?;
    Ok(Json(TariffInForce {
        tariff: format!("blake3:{}", tariff.digest()),
        prefixes: tariff.prefixes(),
        directory: format!("blake3:{}", directory.digest()),
        accounts: directory.accounts(),
        plans: tariff.plans().iter().map(plan).collect(),
        tariffs: with_standing(&tariffs, app.clock.now()),
        directories: latest(&directories),
    }))
}

fn plan(plan: &Plan) -> PlanInForce {
    PlanInForce {
        plan: plan.name.clone(),
        country: plan.country.to_string(),
        currency: super::usage::text(&plan.currency),
        included_minutes: match plan.allowance {
            Allowance::Unlimited => "unlimited".to_owned(),
            Allowance::Seconds(seconds) => super::usage::minutes(i64::try_from(seconds).unwrap_or(i64::MAX)),
        },
        decks: plan.decks.clone(),
        inbound_decks: plan.inbound_decks.clone(),
    }
}

/// When a new tariff applies.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReloadRequest {
    /// RFC 3339; without it, from now on. A first tariff reaches back for ever.
    #[schema(example = "2026-11-01T00:00:00+01:00")]
    effective_from: Option<String>,
}

/// What a reload did.
#[derive(Serialize, ToSchema)]
pub(super) struct ReloadDone {
    /// BLAKE3 of the tariff in force.
    tariff: String,
    /// It is another one than before.
    tariff_changed: bool,
    /// BLAKE3 of the directory in force.
    directory: String,
    directory_changed: bool,
    /// Accounts are watched by other rules than before.
    guards_changed: bool,
    prefixes: u64,
    accounts: u32,
    /// Tariffs planned for later that will not apply since this one was put in force.
    overtaken: Vec<Overtaken>,
    /// Warnings.
    findings: Vec<Noticed>,
}

/// Something noticed in the rates folder.
#[derive(Serialize, ToSchema)]
pub(super) struct Noticed {
    /// `warning` or `error`.
    severity: &'static str,
    #[schema(example = "decks/world-eur.csv")]
    file: String,
    /// From 1; 0 where the whole file is meant.
    line: u32,
    /// From 1; 0 where the whole line is meant.
    column: u32,
    message: String,
    hint: String,
}

impl From<&Finding> for Noticed {
    fn from(finding: &Finding) -> Noticed {
        Noticed {
            severity: match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            file: finding.file.clone(),
            line: finding.line,
            column: finding.column,
            message: finding.message.clone(),
            hint: finding.hint.clone(),
        }
    }
}

/// Put the rates folder in force.
///
/// Compiles it whole; with any error what is in force stays, and 422 names every fault in `errors`. What was rolled back from
/// by `POST /v1/tariff/activate` comes back, if the folder still gives it.
#[utoipa::path(
    post, path = "/v1/tariff/reload", tag = "operating", operation_id = "reload",
    request_body = Option<ReloadRequest>,
    responses((status = 200, body = ReloadDone), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn reload(
    State(app): State<App>,
    asked: Option<Json<ReloadRequest>>,
) -> Result<Json<ReloadDone>, Problem> {
    let asked = asked.map(|Json(asked)| asked).unwrap_or_default();
    let from = instant(asked.effective_from.as_deref())?;
    match app.reloader.reload("api", Wish::Asked, from.map(|t| t.0)).await {
        Ok(loaded) => Ok(Json(ReloadDone {
            tariff: format!("blake3:{}", loaded.tariff),
            tariff_changed: loaded.tariff_changed,
            directory: format!("blake3:{}", loaded.directory),
            directory_changed: loaded.directory_changed,
            guards_changed: loaded.guards_changed,
            prefixes: loaded.prefixes,
            accounts: loaded.accounts,
            overtaken: loaded.overtaken.iter().map(Overtaken::from).collect(),
            findings: loaded.findings.iter().map(Noticed::from).collect(),
        })),
        Err(ReloadError::Rates(error @ RatesError::Wrong { .. })) => {
            let detail = format!("{error}; what is in force stays");
            let RatesError::Wrong { findings, .. } = error else { return Err(Problem::unprocessable(detail)) };
            Err(Problem::unprocessable(detail).errors(findings.iter().map(crate::rates::describe).collect()))
        }
        Err(error @ (ReloadError::NoPlan { .. } | ReloadError::OwnerGone { .. })) => {
            Err(Problem::unprocessable(format!("{error}; what is in force stays")))
        }
        Err(ReloadError::Rates(error)) => Err(Problem::unprocessable(format!("{error}; what is in force stays"))),
        Err(error) => Err(Problem::unavailable(error.to_string())),
    }
}

pub(super) fn instant(text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let read = |text: &str| {
        parse_rfc3339(text.as_bytes()).ok_or_else(|| {
            Problem::bad_request(format!("effective_from={text:?}: write RFC 3339, such as 2026-11-01T00:00:00Z"))
        })
    };
    text.map(read).transpose()
}

/// Which tariff is to be in force again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ActivateRequest {
    /// BLAKE3 of its image, with `blake3:` or without; of a tariff that was in force before, the first 8 digits do.
    #[schema(example = "blake3:2d1e5223")]
    tariff: String,
    /// RFC 3339; without it, from now on.
    #[serde(default)]
    #[schema(example = "2026-11-01T00:00:00+01:00")]
    effective_from: Option<String>,
    /// Who asks, for the list of activations; at most 100 bytes.
    #[serde(default)]
    by: Option<String>,
}

/// What is in force now.
#[derive(Serialize, ToSchema)]
pub(super) struct ActivateDone {
    /// BLAKE3 of the tariff.
    tariff: String,
    /// BLAKE3 of the one that was the latest before.
    before: Option<String>,
    /// RFC 3339: for calls answered from then on.
    effective_from: String,
    prefixes: u64,
    /// Tariffs planned for later that will not apply since this one was activated.
    overtaken: Vec<Overtaken>,
}

/// Least of a digest, and most of a name.
const DIGEST_MIN: usize = 8;
const BY_MAX: usize = 100;

/// Put a tariff of earlier in force again.
///
/// Its image must be in the data folder. The rates folder is left as it is, and what it gives now comes into force only when it gives
/// something else, or when it is asked for: by its digest here, or by `POST /v1/tariff/reload`.
#[utoipa::path(
    post, path = "/v1/tariff/activate", tag = "operating", operation_id = "activate",
    request_body = ActivateRequest,
    responses((status = 200, body = ActivateDone), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn activate(
    State(app): State<App>,
    Json(asked): Json<ActivateRequest>,
) -> Result<Json<ActivateDone>, Problem> {
    let from = instant(asked.effective_from.as_deref())?;
    let by = asked.by.unwrap_or_else(|| "api".to_owned());
    if by.len() > BY_MAX {
        return Err(Problem::bad_request(format!("by: {} bytes; write at most {BY_MAX}", by.len())));
    }
    app.settle().await?;
    let digest = known_digest(&app, &asked.tariff).await?;
    match app.reloader.activate(&digest, &by, from.map(|t| t.0)).await {
        Ok(done) => Ok(Json(ActivateDone {
            tariff: format!("blake3:{digest}"),
            before: done.before.map(|before| format!("blake3:{before}")),
            effective_from: Timestamp(done.effective_from).to_string(),
            prefixes: done.prefixes,
            overtaken: done.overtaken.iter().map(Overtaken::from).collect(),
        })),
        Err(ReloadError::Image(ImageMissing::Missing { .. })) => Err(Problem::not_found(format!(
            "there is no image blake3:{digest} in the data folder; what is in force stays, and GET /v1/tariff lists what was"
        ))),
        Err(error @ ReloadError::NoPlan { .. }) => {
            Err(Problem::unprocessable(format!("{error}; what is in force stays")))
        }
        Err(error) => Err(Problem::unavailable(error.to_string())),
    }
}

/// The whole digest of a tariff that was in force, or a whole digest as it is written.
pub(super) async fn known_digest(app: &App, written: &str) -> Result<String, Problem> {
    let digest = written.strip_prefix("blake3:").unwrap_or(written).to_ascii_lowercase();
    if !(DIGEST_MIN..=64).contains(&digest.len()) || !digest.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Problem::bad_request(format!(
            "tariff={written:?}: write {DIGEST_MIN} to 64 hex digits of a digest"
        )));
    }
    if digest.len() == 64 {
        return Ok(digest);
    }
    let (tariffs, _) = app.stored(|store| store.load_activations()).await?;
    let found: std::collections::BTreeSet<String> =
        tariffs.into_iter().map(|row| row.digest).filter(|one| one.starts_with(&digest)).collect();
    match found.len() {
        1 => Ok(found.into_iter().next().unwrap_or_default()),
        0 => Err(Problem::not_found(format!(
            "no tariff that was in force begins with {digest}; GET /v1/tariff lists them"
        ))),
        n => Err(Problem::conflict(format!("{n} tariffs begin with {digest}: write more of the digest"))),
    }
}
