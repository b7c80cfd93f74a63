//! `GET /v1/accounts/{account}` and `GET /v1/directory`: the directory in force.
//!
//! Does not know what an account has used.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::tariff::Activated;
use super::{App, Problem};
use crate::directory::{Account, Dated, Directory, Owned, revision};
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
    "timezone": "Europe/Berlin", "language": "de", "group": "acme", "extensions": "100-199", "kept": "files",
    "revision": "4be1c0c2d1c5a8f0", "billing_start": "2025-12-31T23:00:00Z",
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
    /// As in accounts.csv, `100-199;2001`.
    extensions: String,
    /// `files` (accounts.csv) or `api`.
    kept: &'static str,
    /// Of all its dated rows, for `If-Match`.
    revision: String,
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
    /// The latest thousand directories that were in force, oldest first.
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
) -> Result<Response, Problem> {
    let (tariff, directory) = app.in_force()?;
    let at = match &asked.at {
        None => app.clock.now(),
        Some(text) => parse_rfc3339(text.as_bytes()).ok_or_else(|| {
            Problem::bad_request(format!("at={text:?}: write RFC 3339, such as 2026-10-05T09:00:00Z"))
        })?,
    };
    match directory.account_at(account.as_bytes(), at) {
        Some(row) => {
            let row = shown(&directory, &row, tariff.plan_named(row.plan).is_some());
            Ok(tagged(&row.revision.clone(), Json(row)))
        }
        None if directory.account_named(account.as_bytes()).is_some() => {
            Err(Problem::not_found(format!("the account {account:?} has no row in force at {at}")))
        }
        None => Err(unknown(&directory, &account)),
    }
}

fn shown(directory: &Directory, row: &Account<'_>, plan_known: bool) -> AccountRow {
    let instant = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let dated = directory.rows_of(row.name());
    let this = dated.iter().find(|one| bound(one.from) == instant(row.valid_from));
    AccountRow {
        extensions: this.map_or_else(String::new, |one| one.terms.extensions_text()),
        kept: of_files(directory.account_lies_lowest(row.name())),
        revision: revision(&dated),
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

/// A dated row of an account, as a change and a history show it.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct DatedRow {
    /// First instant from which it holds; null: since ever.
    valid_from: Option<String>,
    /// First instant from which it does not hold any more; null: open.
    valid_to: Option<String>,
    plan: String,
    country: String,
    timezone: String,
    language: String,
    /// Null: a group of its own.
    group: Option<String>,
    /// Empty: the account's name.
    name: String,
    extensions: String,
    /// Lists of numbers that cost it nothing, besides those of its plan: `hotline;service`.
    free: String,
    billing_start: String,
    billing_end: Option<String>,
}

/// An owner of a number.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct Owner {
    account: String,
    /// First instant from which it is the account's; null: since ever.
    valid_from: Option<String>,
    /// First instant from which it is not any more; null: open.
    valid_to: Option<String>,
}

/// An instant; none at either end of time.
fn bound(at: i64) -> Option<String> {
    (at != i64::MIN && at != i64::MAX).then(|| Timestamp(at).to_string())
}

pub(super) fn rows(dated: &[Dated]) -> Vec<DatedRow> {
    let row = |Dated { from, to, terms }: &Dated| DatedRow {
        valid_from: bound(*from),
        valid_to: bound(*to),
        plan: terms.plan.to_string(),
        country: String::from_utf8_lossy(&terms.country).into_owned(),
        timezone: terms.zone.to_string(),
        language: terms.language_name().to_owned(),
        group: terms.group.as_deref().map(str::to_owned),
        name: terms.display.to_string(),
        extensions: terms.extensions_text(),
        free: terms.free.to_string(),
        billing_start: Timestamp(terms.billing_start).to_string(),
        billing_end: bound(terms.billing_end),
    };
    dated.iter().map(row).collect()
}

pub(super) fn owners(owned: &[Owned]) -> Vec<Owner> {
    let owner = |Owned { from, to, account }: &Owned| Owner {
        account: account.to_string(),
        valid_from: bound(*from),
        valid_to: bound(*to),
    };
    owned.iter().map(owner).collect()
}

/// Who keeps it.
pub(super) fn of_files(lies_lowest: bool) -> &'static str {
    if lies_lowest { "files" } else { "api" }
}

/// An answer with the revision of what it shows.
pub(super) fn tagged(revision: &str, answer: impl IntoResponse) -> Response {
    ([(header::ETAG, format!("\"{revision}\""))], answer).into_response()
}

/// Which accounts.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Those behind this name.
    #[serde(default)]
    after: String,
    /// At most so many; 1 to 1000.
    #[serde(default = "page")]
    #[param(minimum = 1, maximum = 1000)]
    limit: usize,
}

fn page() -> usize {
    100
}

/// Accounts, by name.
#[derive(Serialize, ToSchema)]
pub(super) struct Accounts {
    /// The latest row of each.
    accounts: Vec<AccountRow>,
    /// For the next page; null: there are no more.
    after: Option<String>,
}

/// Accounts of the directory in force, by name, each with its latest row.
#[utoipa::path(
    get, path = "/v1/accounts", tag = "in force", operation_id = "accounts", params(Page),
    responses((status = 200, body = Accounts), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["read"])),
)]
pub(super) async fn list(State(app): State<App>, Query(page): Query<Page>) -> Result<Json<Accounts>, Problem> {
    let (tariff, directory) = app.in_force()?;
    if !(1..=1000).contains(&page.limit) {
        return Err(Problem::bad_request(format!("limit={}: write 1 to 1000", page.limit)));
    }
    let found = directory.accounts_after(&page.after, page.limit + 1);
    let shown = |row: &Account<'_>| shown(&directory, row, tariff.plan_named(row.plan).is_some());
    let accounts: Vec<AccountRow> = found.iter().take(page.limit).map(shown).collect();
    let more = found.len() > page.limit;
    let after = accounts.last().filter(|_| more).map(|last| last.account.clone());
    Ok(Json(Accounts { accounts, after }))
}

/// 404 that names the account that may have been meant.
pub(super) fn unknown(directory: &Directory, account: &str) -> Problem {
    let start: String = account.chars().take(1).collect();
    let neighbours = [directory.accounts_after(&start, NEIGHBOURS), directory.accounts_after("", NEIGHBOURS)];
    let near = nearest(account, neighbours.iter().flatten().map(Account::name));
    Problem::not_found(match near {
        Some(near) => format!("no account {account:?} is known; did you mean {near:?}?"),
        None => format!(
            "no account {account:?} is known: it is neither in accounts.csv nor made over the API, nor has it any calls"
        ),
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
        directories: super::tariff::latest(&directories),
    }))
}
