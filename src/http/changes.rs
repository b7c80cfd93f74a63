//! `PUT`, `DELETE /v1/accounts/{account}`, the same for `/v1/numbers/{number}`, and many of them by `POST`: accounts and
//! numbers changed by themselves.
//!
//! Does not know the rules of a row, nor how a change comes into force.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;

use super::accounts::{DatedRow, Owner, of_files, owners, rows, tagged};
use super::changing::{
    ChangeDone, How, HowEnded, asked, change, change_all, condition, named, number, one, rated_calls, refused, shown,
};
use super::{App, Problem};
use crate::daemon::changes::{Done, Subject};
use crate::directory::{AccountSet, Asked, NumberSet, Refusal, revision};
use crate::number::Number;

/// Most bytes of a body with many rows: a million accounts are some 100 MB.
const MANY_MAX: usize = 512 << 20;

/// What an account is after a change.
#[derive(Serialize, ToSchema)]
pub(super) struct AccountChanged {
    /// Whether it is another one than before.
    changed: bool,
    account: String,
    /// Every dated row, in order.
    rows: Vec<DatedRow>,
    #[serde(flatten)]
    done: ChangeDone,
}

/// Whose a number is after a change.
#[derive(Serialize, ToSchema)]
pub(super) struct NumberChanged {
    /// Whether it is another's than before.
    changed: bool,
    /// With its `+`.
    number: String,
    /// Every owner, in order.
    owners: Vec<Owner>,
    #[serde(flatten)]
    done: ChangeDone,
}

/// What a change of many did.
#[derive(Serialize, ToSchema)]
pub(super) struct ManyChanged {
    /// Accounts that are no longer what they were.
    accounts: usize,
    /// The same for numbers.
    numbers: usize,
    /// BLAKE3 of the directory in force.
    #[schema(example = "blake3:…")]
    directory: String,
    warnings: Vec<String>,
}

/// Change an account from an instant on, or make one.
///
/// Says cells of accounts.csv anew; what is not said stays, also in rows planned for later, and null takes a cell away. Days
/// are 00:00 in the account's zone. Without `valid_from` from now on, or, for a new account, since ever. The same again changes
/// nothing. `If-Match` with a revision, or `If-None-Match: *`, keeps two writers from overwriting each other (412).
#[utoipa::path(
    put, path = "/v1/accounts/{account}", tag = "in force", operation_id = "put_account",
    params(("account" = String, Path, description = "The account's name"), How),
    request_body(content = Object, example = json!({
        "plan": "de-business", "country": "DE", "billing_start": "2026-10-01", "timezone": "Europe/Berlin",
        "valid_from": "2026-11-01",
    })),
    responses((status = 200, body = AccountChanged), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn put_account(
    State(app): State<App>,
    Path(account): Path<String>,
    Query(how): Query<How>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    let mut set: AccountSet = one(&body)?;
    named("account", &mut set.account, account)?;
    let account = set.account.clone();
    let subject = Subject::Account(account.clone());
    let done =
        change(&app, (0, Asked::Account(set)), how, condition(&headers, subject), asked(&body, &account)).await?;
    account_changed(&app, account, done).await
}

/// End an account at an instant, or give it back to the files.
///
/// Its calls answered from then on belong to nobody, and wait. What it was before stays. With `to=files` it does not end: it is again
/// what accounts.csv says. Refused (409) where that does not have it, or, without `rewrite=true`, says something else of the past.
#[utoipa::path(
    delete, path = "/v1/accounts/{account}", tag = "in force", operation_id = "end_account",
    params(("account" = String, Path, description = "The account's name"), HowEnded),
    responses((status = 200, body = AccountChanged), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn end_account(
    State(app): State<App>,
    Path(account): Path<String>,
    Query(how): Query<HowEnded>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (wish, how, said) = how.asked(account.clone(), Asked::EndAccount, Asked::AccountToFiles)?;
    let condition = condition(&headers, Subject::Account(account.clone()));
    let done = change(&app, (0, wish), how, condition, said).await?;
    account_changed(&app, account, done).await
}

async fn account_changed(app: &App, account: String, done: Done) -> Result<Response, Problem> {
    let dated = done.directory.rows_of(&account);
    let rated_calls = rated_calls(app, [account.clone()], &done).await?;
    let (changed, revision) = (done.accounts > 0, revision(&dated));
    let rows = rows(&dated);
    let done = shown(done, revision.clone(), rated_calls);
    Ok(tagged(&revision, Json(AccountChanged { changed, account, rows, done })))
}

/// Give a number to an account from an instant on.
///
/// Whose it was until then ends there: a call answered a microsecond earlier is still the old owner's. The same again changes
/// nothing. Conditions as with accounts.
#[utoipa::path(
    put, path = "/v1/numbers/{number}", tag = "in force", operation_id = "put_number",
    params(("number" = String, Path, description = "E.164, with or without +"), How),
    request_body(content = Object, example = json!({ "account": "acme", "valid_from": "2026-11-01T00:00:00+01:00" })),
    responses((status = 200, body = NumberChanged), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn put_number(
    State(app): State<App>,
    Path(text): Path<String>,
    Query(how): Query<How>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    let number = number(&text)?;
    let mut set: NumberSet = one(&body)?;
    let written = format!("+{number}");
    if !set.number.is_empty() && Number::from_digits(set.number.trim_start_matches('+').as_bytes()) != Some(number) {
        return Err(Problem::bad_request(format!("number: {:?} is not {written}, which the path names", set.number)));
    }
    set.number.clone_from(&written);
    let said = asked(&body, &written);
    let done = change(&app, (0, Asked::Number(set)), how, condition(&headers, Subject::Number(number)), said).await?;
    number_changed(&app, number, done).await
}

/// A number belongs to nobody from an instant on, or is given back to the files (`to=files`, as with an account).
#[utoipa::path(
    delete, path = "/v1/numbers/{number}", tag = "in force", operation_id = "end_number",
    params(("number" = String, Path, description = "E.164, with or without +"), HowEnded),
    responses((status = 200, body = NumberChanged), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn end_number(
    State(app): State<App>,
    Path(text): Path<String>,
    Query(how): Query<HowEnded>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let number = number(&text)?;
    let (wish, how, said) = how.asked(format!("+{number}"), Asked::EndNumber, Asked::NumberToFiles)?;
    let condition = condition(&headers, Subject::Number(number));
    let done = change(&app, (0, wish), how, condition, said).await?;
    number_changed(&app, number, done).await
}

async fn number_changed(app: &App, number: Number, done: Done) -> Result<Response, Problem> {
    let owned = done.directory.owners_of(number);
    let accounts: std::collections::BTreeSet<String> = owned.iter().map(|owned| owned.account.to_string()).collect();
    let rated_calls = rated_calls(app, accounts, &done).await?;
    let (changed, revision) = (done.numbers > 0, revision(&owned));
    let owners = owners(&owned);
    let done = shown(done, revision.clone(), rated_calls);
    let number = format!("+{number}");
    Ok(tagged(&revision, Json(NumberChanged { changed, number, owners, done })))
}

/// Whose a number is, and was.
#[utoipa::path(
    get, path = "/v1/numbers/{number}", tag = "in force", operation_id = "number",
    params(("number" = String, Path, description = "E.164, with or without +")),
    responses((status = 200, body = NumberRow), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["read"])),
)]
pub(super) async fn one_number(State(app): State<App>, Path(text): Path<String>) -> Result<Response, Problem> {
    let number = number(&text)?;
    let (_, directory) = app.in_force()?;
    let owned = directory.owners_of(number);
    if owned.is_empty() {
        return Err(Problem::not_found(format!("the number +{number} belongs to nobody here")));
    }
    let now = directory.owner_at(number, app.clock.now()).map(|account| account.name().to_owned());
    let (revision, kept) = (revision(&owned), of_files(directory.number_lies_lowest(number)));
    let owners = owners(&owned);
    let row = NumberRow { number: format!("+{number}"), account: now, owners, kept, revision: revision.clone() };
    Ok(tagged(&revision, Json(row)))
}

/// Whose a number is.
#[derive(Serialize, ToSchema)]
pub(super) struct NumberRow {
    /// With its `+`.
    number: String,
    /// Whose it is now; null: nobody's.
    account: Option<String>,
    /// Every owner, in order.
    owners: Vec<Owner>,
    /// `files` (numbers.csv) or `api`.
    kept: &'static str,
    /// For `If-Match`.
    revision: String,
}

/// Change many accounts, all or none.
///
/// `text/csv` as accounts.csv says the whole life of each account that it names; `application/x-ndjson` has a body of
/// `PUT /v1/accounts/{account}` in each line, with `account`. 422 names every bad row.
#[utoipa::path(
    post, path = "/v1/accounts", tag = "in force", operation_id = "import_accounts", params(How),
    request_body(content = String, content_type = "text/csv", description = "Also application/x-ndjson"),
    responses((status = 200, body = ManyChanged), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn many_accounts(
    State(app): State<App>,
    Query(how): Query<How>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ManyChanged>, Problem> {
    many(&app, how, &headers, body, Asked::AccountsFile, Asked::Account).await
}

/// Change many numbers, all or none.
///
/// As with accounts: `text/csv` as numbers.csv, or `application/x-ndjson` with `number` in each line.
#[utoipa::path(
    post, path = "/v1/numbers", tag = "in force", operation_id = "import_numbers", params(How),
    request_body(content = String, content_type = "text/csv", description = "Also application/x-ndjson"),
    responses((status = 200, body = ManyChanged), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn many_numbers(
    State(app): State<App>,
    Query(how): Query<How>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ManyChanged>, Problem> {
    many(&app, how, &headers, body, Asked::NumbersFile, Asked::Number).await
}

async fn many<T: DeserializeOwned>(
    app: &App,
    how: How,
    headers: &HeaderMap,
    body: Body,
    file: impl Fn(Vec<u8>) -> Asked,
    line: impl Fn(T) -> Asked,
) -> Result<Json<ManyChanged>, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let body = axum::body::to_bytes(body, MANY_MAX).await;
    let body = body.map_err(|e| {
        Problem::bad_request(format!("the body cannot be read, or is longer than {MANY_MAX} bytes: {e}"))
    })?;
    let asked = match &*kind {
        "text/csv" => vec![(0, file(body.to_vec()))],
        "application/x-ndjson" | "application/json" => lines(&body, line)?,
        _ => {
            let hint = "Content-Type: write text/csv or application/x-ndjson";
            return Err(Problem::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, hint));
        }
    };
    let done = change_all(app, asked, how, None, Vec::new()).await?;
    Ok(Json(ManyChanged {
        accounts: done.accounts,
        numbers: done.numbers,
        directory: format!("blake3:{}", done.directory.digest()),
        warnings: done.warnings.iter().map(Refusal::to_string).collect(),
    }))
}

fn lines<T: DeserializeOwned>(body: &[u8], read: impl Fn(T) -> Asked) -> Result<Vec<(u32, Asked)>, Problem> {
    let (mut asked, mut refusals) = (Vec::new(), Vec::new());
    for (i, line) in body.split(|b| *b == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty()) {
        let number = i as u32 + 1;
        match serde_json::from_slice(line) {
            Ok(one) => asked.push((number, read(one))),
            Err(error) => refusals.push(Refusal {
                line: number,
                field: String::new(),
                message: error.to_string(),
                hint: String::new(),
                conflict: None,
            }),
        }
        if refusals.len() >= 1000 {
            break;
        }
    }
    if refusals.is_empty() { Ok(asked) } else { Err(refused(&refusals)) }
}
