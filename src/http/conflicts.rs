//! `GET /v1/conflicts`: records that came again with other content (R20). The first one stays rated until its
//! month is sealed, which takes the shorter call; both are kept.
//!
//! Does not know how a contradiction is recognised.

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::decide::DecisionShown;
use super::received::readable;
use super::{App, Problem};
use crate::batch::Position;
use crate::record::Record;
use crate::store::{Conflict, DecidedRow};

/// Conflicts in one page, unless less is asked for.
const LIMIT_DEFAULT: usize = 100;
/// Most conflicts in one page.
const LIMIT_MAX: usize = 1000;

/// Which conflicts.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Only those behind this position: `next` of the page before.
    after: Option<u64>,
    /// At most so many, 1 to 1000; 100 unless said otherwise.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// A page of conflicts, in the order in which they came.
#[derive(Serialize, ToSchema)]
pub(super) struct Conflicts {
    items: Vec<Contradiction>,
    /// Ask again with `after` set to this; null on the last page.
    next: Option<u64>,
}

/// A record that contradicts an earlier one of its node and id.
#[derive(Serialize, ToSchema)]
pub(super) struct Contradiction {
    /// Its place in the journal.
    position: u64,
    /// Place of the record that came first and stays rated: `GET /v1/records/{node}/{id}` shows it.
    first: u64,
    node: String,
    id: String,
    /// As the record has it.
    source: String,
    /// As the record has it.
    destination: String,
    /// RFC 3339.
    answer: Option<String>,
    /// RFC 3339: when it came; null: stored by an earlier version.
    received_at: Option<String>,
    /// Which version somebody took, and why; null: nobody decided.
    decided: Option<DecisionShown>,
    /// Its bytes as they came, kept for ever: text, or `hex:` and hexadecimal digits.
    raw: String,
}

impl Contradiction {
    /// What the store keeps of it. `decisions` are all, or those of its record.
    pub(super) fn of(conflict: &Conflict, decisions: &[DecidedRow]) -> Contradiction {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        // What the store holds was journalled by this program; were it unreadable, its place would still be told.
        let record = Record::decode(&conflict.record).unwrap_or_default();
        Contradiction {
            position: conflict.position.0,
            first: conflict.first.0,
            node: text(record.node),
            id: text(record.id),
            source: text(record.source),
            destination: text(record.destination),
            answer: record.answer.map(|t| t.to_string()),
            received_at: conflict.received_at.map(|t| t.to_string()),
            decided: decisions.iter().rfind(|one| one.first == conflict.first).map(DecisionShown::of),
            raw: readable(record.raw),
        }
    }
}

/// Records that came again with other content.
///
/// The first record of a node and id stays rated while its month is open; sealing takes the version with the shorter talk
/// time, unless somebody decided otherwise. Every later version is kept here.
#[utoipa::path(
    get, path = "/v1/conflicts", tag = "operating", operation_id = "conflicts", params(Asked),
    responses((status = 200, body = Conflicts), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn list(State(app): State<App>, Query(asked): Query<Asked>) -> Result<Json<Conflicts>, Problem> {
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 || limit > LIMIT_MAX {
        return Err(Problem::bad_request(format!("limit={limit}: write 1 to {LIMIT_MAX}")));
    }
    app.settle().await?;
    let (found, decisions) = app
        .stored(move |store| Ok((store.conflicts(asked.after.map(Position), limit)?, store.decisions(None)?)))
        .await?;
    let next = if found.len() == limit { found.last().map(|last| last.position.0) } else { None };
    let items = found.iter().map(|conflict| Contradiction::of(conflict, &decisions)).collect();
    Ok(Json(Conflicts { items, next }))
}
