//! `GET /v1/accounts/{account}` and `GET /v1/directory`: the directory in force.
//!
//! Does not know what an account has used.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::tariff::Activated;
use super::{App, Problem};
use crate::directory::{Account, Directory};
use crate::nearest::nearest;
use crate::time::{Timestamp, parse_rfc3339};

/// Neighbours in name order among which a name that was meant is looked for.
const NEIGHBOURS: usize = 200;

/// When.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// The row in force at this instant (RFC 3339); without it, now.
    #[param(example = "2026-10-05T09:00:00Z")]
    at: Option<String>,
}

/// The dated row of an account.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "account": "acme", "name": "Acme GmbH", "plan": "de-business", "plan_known": true, "country": "DE",
    "timezone": "Europe/Berlin", "language": "de", "group": "acme", "billing_start": "2025-12-31T23:00:00Z",
    "billing_end": null, "valid_from": null, "valid_to": null,
}))]
pub(super) struct AccountRow {
    account: String,
    /// What people call it.
    name: String,
    plan: String,
    /// Whether the tariff in force has that plan.
    plan_known: bool,
    /// ISO 3166.
    country: String,
    /// IANA name.
    timezone: String,
    /// `en`, `de`, `it`.
    language: String,
    /// Accounts of one group draw one allowance; the account's own name where it has none.
    group: String,
    /// Lists of numbers that cost it nothing, besides those of its plan.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    free: Vec<String>,
    /// First instant that is billed.
    billing_start: String,
    /// First instant that is not billed any more; null: open.
    billing_end: Option<String>,
    /// First instant from which this row holds; null: since ever.
    valid_from: Option<String>,
    /// First instant from which it does not hold any more; null: open.
    valid_to: Option<String>,
}

/// The directory in force and how it came there.
#[derive(Serialize, ToSchema)]
pub(super) struct DirectoryInForce {
    /// BLAKE3 of the image.
    #[schema(example = "blake3:…")]
    directory: String,
    accounts: u32,
    /// Dated rows of accounts.
    rows: u32,
    numbers: u64,
    /// Billing groups, those of one account included.
    groups: u32,
    /// Every directory that was in force, oldest first.
    directories: Vec<Activated>,
}

/// The row of an account in force at an instant.
#[utoipa::path(
    get, path = "/v1/accounts/{account}", tag = "in force", operation_id = "account",
    params(("account" = String, Path, description = "The account's name"), Asked),
    responses((status = 200, body = AccountRow), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["read"])),
)]
pub(super) async fn one(
    State(app): State<App>,
    Path(account): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<AccountRow>, Problem> {
    let (tariff, directory) = app.in_force()?;
    let at = match &asked.at {
        None => app.clock.now(),
        Some(text) => parse_rfc3339(text.as_bytes()).ok_or_else(|| {
            Problem::bad_request(format!("at={text:?}: write RFC 3339, such as 2026-10-05T09:00:00Z"))
        })?,
    };
    match directory.account_at(account.as_bytes(), at) {
        Some(row) => Ok(Json(shown(&row, tariff.plan_named(row.plan).is_some()))),
        None if directory.account_named(account.as_bytes()).is_some() => {
            Err(Problem::not_found(format!("the account {account:?} has no row in force at {at}")))
        }
        None => Err(unknown(&directory, &account)),
    }
}

fn shown(row: &Account<'_>, plan_known: bool) -> AccountRow {
    let instant = |at: Option<Timestamp>| at.map(|at| at.to_string());
    AccountRow {
        account: row.name().to_owned(),
        name: row.display_name().to_owned(),
        plan: row.plan.to_owned(),
        plan_known,
        country: row.country.to_string(),
        timezone: row.zone_name.to_owned(),
        language: row.language.to_owned(),
        group: row.group().to_owned(),
        free: row.free_lists().map(str::to_owned).collect(),
        billing_start: row.billing_start.to_string(),
        billing_end: instant(row.billing_end),
        valid_from: instant(row.valid_from),
        valid_to: instant(row.valid_to),
    }
}

/// 404 that names the account that may have been meant.
pub(super) fn unknown(directory: &Directory, account: &str) -> Problem {
    let start: String = account.chars().take(1).collect();
    let neighbours = [directory.accounts_after(&start, NEIGHBOURS), directory.accounts_after("", NEIGHBOURS)];
    let near = nearest(account, neighbours.iter().flatten().map(Account::name));
    Problem::not_found(match near {
        Some(near) => format!("no account {account:?} is known; did you mean {near:?}?"),
        None => format!("no account {account:?} is known: it is neither in accounts.csv nor has it any calls"),
    })
}

/// The directory in force.
///
/// Its digest, how much it holds, and every activation.
#[utoipa::path(
    get, path = "/v1/directory", tag = "in force", operation_id = "directory",
    responses((status = 200, body = DirectoryInForce), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["read"])),
)]
pub(super) async fn directory(State(app): State<App>) -> Result<Json<DirectoryInForce>, Problem> {
    let (_, directory) = app.in_force()?;
    app.settle().await?;
    let (_, directories) = app.stored(|store| store.load_activations()).await?;
    Ok(Json(DirectoryInForce {
        directory: format!("blake3:{}", directory.digest()),
        accounts: directory.accounts(),
        rows: directory.rows(),
        numbers: directory.numbers(),
        groups: directory.groups(),
        directories: directories.iter().map(Activated::from).collect(),
    }))
}
