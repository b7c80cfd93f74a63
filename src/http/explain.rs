//! `GET /v1/calls/{node}/{id}/explain`: why a stored call costs what it costs.
//!
//! Does not know how a price is derived.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::calls::{gone, positions};
use super::quote::{ProofLine, Quoted, proof_lines, quoted};
use super::received::{kept, readable};
use super::{App, Problem};
use crate::batch::Position;
use crate::explain::{Archive, ExplainError, Explained, Kept, Language, customer};
use crate::record::Record;
use crate::store::{OwnedCall, Store, StoreError};

/// In which words.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Language of `words`: `en`, `de`, `it`; without it the account's.
    lang: Option<String>,
    /// An earlier revision of it, from the images of then; without it what counts now.
    revision: Option<u32>,
}

/// The proof of a stored call.
#[derive(Serialize, ToSchema)]
pub(super) struct ExplainedCall {
    node: String,
    id: String,
    /// Outbound first.
    legs: Vec<ExplainedLeg>,
}

/// The proof of one leg.
#[derive(Serialize, ToSchema)]
pub(super) struct ExplainedLeg {
    account: String,
    /// `outbound` or `inbound`.
    direction: &'static str,
    /// What is stored: a decimal.
    #[schema(example = "0.2400")]
    cost: String,
    /// ISO 4217.
    currency: String,
    /// The month that bills it.
    period: String,
    /// Its own month, where that was closed when the record came.
    #[serde(skip_serializing_if = "Option::is_none")]
    adjusts: Option<String>,
    /// 0: as first rated.
    revision: u32,
    /// The price derived anew is the stored one, in every field.
    proved: bool,
    /// What differs, otherwise.
    differences: Vec<Differing>,
    /// `raw`: the record as it came decides; `store`: what the store keeps of it.
    record: &'static str,
    /// The record as it came, as long as it is kept (in the journal, and where records contradicted each other for ever): text, or `hex:` and hexadecimal digits.
    raw: Option<String>,
    /// In a customer's words; the last sentence ends in the amount.
    words: Vec<String>,
    /// Each decision with its rule.
    proof: Vec<ProofLine>,
    /// What the decisions come to.
    derived: Option<Quoted>,
}

/// A field that does not follow from the record.
#[derive(Serialize, ToSchema)]
pub(super) struct Differing {
    #[schema(example = "cost")]
    field: &'static str,
    stored: String,
    derived: String,
}

/// Why a stored call costs what it costs.
///
/// The price is derived anew from the stored record, the directory and the tariff it names, step by step, and compared
/// with what is stored. It works as long as the call is kept, also when the journal no longer has its record.
#[utoipa::path(
    get, path = "/v1/calls/{node}/{id}/explain", tag = "calls", operation_id = "explain",
    params(
        ("node" = String, Path, description = "The record's node"), ("id" = String, Path, description = "Its id"), Asked,
    ),
    responses((status = 200, body = ExplainedCall), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["read"])),
)]
pub(super) async fn explain(
    State(app): State<App>,
    Path((node, id)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Json<ExplainedCall>, Problem> {
    let language = match asked.lang.as_deref() {
        None => None,
        Some(name) => Some(
            Language::named(name)
                .ok_or_else(|| Problem::bad_request(format!("lang={name:?}: en, de and it are known")))?,
        ),
    };
    let positions = positions(&app, &node, &id).await?;
    app.settle().await?;
    let (shared, places) = (app.clone(), positions.clone());
    let legs = tokio::task::spawn_blocking(move || {
        let mut calls = Vec::new();
        for position in positions {
            calls.extend(standing(shared.store.as_ref(), position, asked.revision).map_err(ExplainError::Store)?);
        }
        calls.iter().map(|call| leg(&shared, call, language)).collect::<Result<Vec<_>, _>>()
    });
    let legs = match legs.await {
        Ok(legs) => legs.map_err(|error| match error {
            ExplainError::NotKept => Problem::not_found(error.to_string()),
            ExplainError::Store(_) | ExplainError::Image(_) => Problem::unavailable(error.to_string()),
        })?,
        Err(_) => return Err(Problem::stopping()),
    };
    if legs.is_empty() {
        gone(&app, places).await?;
        return Err(Problem::not_found(format!(
            "no rated call of node {node:?} and id {id:?}; /v1/records/{{node}}/{{id}} says what became of the record"
        )));
    }
    Ok(Json(ExplainedCall { node, id, legs }))
}

/// The row of each leg that counts now, or that had a revision. What is taken back is explained by what it takes back.
fn standing(store: &dyn Store, position: Position, revision: Option<u32>) -> Result<Vec<OwnedCall>, StoreError> {
    let rows = match revision {
        None => store.legs(position)?,
        Some(_) => store.revisions(position)?.into_iter().map(|row| row.call).collect(),
    };
    let mut latest: BTreeMap<_, OwnedCall> = BTreeMap::new();
    for row in rows.into_iter().filter(|row| !row.call.reversal && revision.is_none_or(|one| one == row.revision)) {
        let later = latest.get(&row.call.key).is_none_or(|known| known.revision <= row.revision);
        if later {
            latest.insert(row.call.key, row);
        }
    }
    Ok(latest.into_values().collect())
}

fn leg(app: &App, call: &OwnedCall, language: Option<Language>) -> Result<ExplainedLeg, ExplainError> {
    let archive = Archive::open(app.store.as_ref(), &app.images)?;
    let position = call.call.key.position;
    let pieces = app.store.pieces(position)?;
    let found = kept(&app.journal, position, &pieces);
    // A version that contradicts it may be the one that sealing took; those are kept for ever.
    let versions = if call.revision > 0 { app.store.conflicts_of(position)? } else { Vec::new() };
    let first = found.iter().map(|one| (&*one.bytes, one.received_at, one.source));
    let later = versions.iter().map(|one| (&*one.record, one.received_at.unwrap_or(call.call.answer), one.source));
    let records: Vec<Kept<'_>> = first
        .chain(later)
        .filter_map(|(bytes, received_at, source)| {
            Some(Kept { record: Record::decode(bytes).ok()?, received_at, source })
        })
        .collect();
    // What a call costs us is told to operators, and this is not.
    let Explained { proof, raw, differences, directory, costs: _ } = archive.explain(call, &records)?;
    let account = app.store.account_name(call.call.account)?.unwrap_or_default();
    let row = directory.account_at(account.as_bytes(), call.call.answer);
    let language = language.or_else(|| row.and_then(|row| Language::named(row.language))).unwrap_or(Language::En);
    let words = proof.quote.as_ref().map(|quote| customer(language, call, quote, row.as_ref())).unwrap_or_default();
    Ok(ExplainedLeg {
        account,
        direction: call.call.key.leg.name(),
        cost: call.call.cost.fixed(u32::from(call.call.basis.decimals)),
        currency: super::usage::text(&call.call.basis.currency),
        period: call.call.period.to_string(),
        adjusts: call.call.adjusts.map(|own| own.to_string()),
        revision: call.revision,
        proved: differences.is_empty(),
        differences: differences
            .into_iter()
            .map(|one| Differing { field: one.field, stored: one.stored, derived: one.derived })
            .collect(),
        record: if raw.is_some() { "raw" } else { "store" },
        raw: raw.map(|raw| readable(&raw)),
        words,
        proof: proof_lines(proof.lines),
        derived: proof.quote.map(|quote| quoted(quote, None)),
    })
}
