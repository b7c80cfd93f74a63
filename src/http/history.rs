//! `GET /v1/accounts/{account}/history`, `GET /v1/numbers/{number}/history`: who changed what, when, from what to what.
//!
//! What an account was is what the directory of that time says of it: the directories of the rates folder are compared one
//! with the next, those of changes by themselves only where the store says that the account was changed.
//!
//! Does not know how a change came about.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::accounts::{DatedRow, Owner, of_files, owners, rows};
use super::changing::number;
use super::{App, Problem};
use crate::directory::Directory;
use crate::entry::BY_CHANGE;
use crate::images::Images;
use crate::store::{ActivationRow, Store, StoreError};

/// What was changed, oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct History<T> {
    /// The account, or the number with its `+`.
    name: String,
    changes: Vec<Changed<T>>,
    /// Some directories of earlier are no longer kept: what they changed is not told.
    incomplete: bool,
}

/// A change.
#[derive(Serialize, ToSchema)]
pub(super) struct Changed<T> {
    /// RFC 3339.
    at: String,
    /// `change, …` and who asked; `start`, `file change`, `sighup`, `api` where the rates folder was read.
    by: String,
    /// Position in the journal of the entry that put it in force.
    position: u64,
    /// BLAKE3 of the directory in force from then on.
    #[schema(example = "blake3:…")]
    directory: String,
    /// Dated rows of the account, or owners of the number, before; empty: it was not known.
    before: Vec<T>,
    /// The same behind it.
    after: Vec<T>,
    /// Who keeps it from then on: `files`, or `api`.
    #[schema(example = "api")]
    kept: &'static str,
}

/// Every change of an account.
#[utoipa::path(
    get, path = "/v1/accounts/{account}/history", tag = "in force", operation_id = "account_history",
    params(("account" = String, Path, description = "The account's name")),
    responses((status = 200, body = History<DatedRow>), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["read"])),
)]
pub(super) async fn of_account(
    State(app): State<App>,
    Path(account): Path<String>,
) -> Result<Json<History<DatedRow>>, Problem> {
    let asked = account.clone();
    let history =
        told(&app, account, move |directory| (rows(&directory.rows_of(&asked)), directory.account_lies_lowest(&asked)))
            .await?;
    if history.changes.is_empty() && !history.incomplete {
        let (_, directory) = app.in_force()?;
        return Err(super::accounts::unknown(&directory, &history.name));
    }
    Ok(Json(history))
}

/// Every change of a number.
#[utoipa::path(
    get, path = "/v1/numbers/{number}/history", tag = "in force", operation_id = "number_history",
    params(("number" = String, Path, description = "E.164, with or without +")),
    responses((status = 200, body = History<Owner>), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["read"])),
)]
pub(super) async fn of_number(
    State(app): State<App>,
    Path(text): Path<String>,
) -> Result<Json<History<Owner>>, Problem> {
    let number = number(&text)?;
    let history = told(&app, format!("+{number}"), move |directory| {
        (owners(&directory.owners_of(number)), directory.number_lies_lowest(number))
    })
    .await?;
    if history.changes.is_empty() && !history.incomplete {
        return Err(Problem::not_found(format!("the number +{number} never belonged to anybody here")));
    }
    Ok(Json(history))
}

async fn told<T: Clone + PartialEq + Send + 'static>(
    app: &App,
    name: String,
    look: impl Fn(&Directory) -> (Vec<T>, bool) + Send + 'static,
) -> Result<History<T>, Problem> {
    app.settle().await?;
    let images = app.images.clone();
    app.stored(move |store| compare(store, &images, name, look)).await
}

fn compare<T: Clone + PartialEq>(
    store: &dyn Store,
    images: &Images,
    name: String,
    look: impl Fn(&Directory) -> (Vec<T>, bool),
) -> Result<History<T>, StoreError> {
    let (positions, (_, directories)) = (store.changes(&name)?, store.load_activations()?);
    let mut history = History { name, changes: Vec::new(), incomplete: false };
    let mut last: Option<(usize, (Vec<T>, bool))> = None;
    for (i, row) in directories.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| directories.get(i));
        if !may_differ(row, before, &positions) {
            continue;
        }
        let mut at = |i: usize| match &last {
            Some((known, value)) if *known == i => Some(value.clone()),
            _ => {
                let directory = directories.get(i).and_then(|row| images.directory(&row.digest).ok());
                history.incomplete |= directory.is_none();
                directory.map(|directory| look(&directory))
            }
        };
        let was = if i == 0 { Some((Vec::new(), false)) } else { at(i - 1) };
        let is = at(i);
        if let (Some(was), Some(is)) = (was, &is)
            && was != *is
        {
            history.changes.push(Changed {
                at: row.activated_at.to_string(),
                by: row.by.clone(),
                position: row.position.0,
                directory: format!("blake3:{}", row.digest),
                before: was.0,
                after: is.0.clone(),
                kept: of_files(is.1),
            });
        }
        last = is.map(|is| (i, is));
    }
    Ok(history)
}

/// A change by itself is told by its entry, which stands between the directory before it and its own.
fn may_differ(row: &ActivationRow, before: Option<&ActivationRow>, positions: &[crate::batch::Position]) -> bool {
    if !row.by.starts_with(BY_CHANGE) {
        return true;
    }
    let from = positions.partition_point(|position| before.is_some_and(|before| *position <= before.position));
    positions.get(from).is_some_and(|position| *position < row.position)
}
