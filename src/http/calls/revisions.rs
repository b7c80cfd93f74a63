//! Every row that was written of a call, with what made it so.
//!
//! Does not know how rows come about.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::batch::Position;
use crate::entry::Rerate;
use crate::http::usage::text;
use crate::store::{Revised, Store, StoreError};
use crate::time::Timestamp;

/// A row.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Revision {
    /// `outbound` or `inbound`.
    direction: &'static str,
    /// 0: as first rated.
    revision: u32,
    /// It takes that revision back.
    reversal: bool,
    /// Whether it counts; a later one stands for it otherwise, or none does.
    counts: bool,
    account: String,
    #[schema(example = "-0.2400")]
    cost: String,
    /// ISO 4217.
    currency: String,
    /// The month that bills it.
    period: String,
    /// BLAKE3 of the tariff's image.
    tariff: String,
    /// The run of re-rating that wrote it; null: it was rated as it came, or by the seal of its month.
    run: Option<u32>,
    /// Who asked for that run.
    by: Option<String>,
    /// And why.
    why: Option<String>,
    /// And when. RFC 3339.
    at: Option<String>,
}

/// Those of some records; none where there is only the first of each leg.
pub(super) fn of(store: &dyn Store, positions: &[Position]) -> Result<Vec<Revision>, StoreError> {
    let mut rows = Vec::new();
    for position in positions {
        rows.extend(store.revisions(*position)?);
    }
    if rows.iter().all(|row| row.call.revision == 0 && row.counts) {
        return Ok(Vec::new());
    }
    let mut runs = BTreeMap::new();
    let mut shown = Vec::with_capacity(rows.len());
    for Revised { call: row, counts, .. } in rows {
        if let Some(run) = row.run
            && !runs.contains_key(&run)
        {
            let entry = store.rerate_run(run)?.map(|(run, _)| run.entry);
            let said = entry.and_then(|entry| serde_json::from_str(&entry).ok());
            runs.insert(
                run,
                match said {
                    Some(Rerate::Begin(begin)) => Some(begin),
                    _ => None,
                },
            );
        }
        let begin = row.run.and_then(|run| runs.get(&run)).and_then(Option::as_ref);
        shown.push(Revision {
            direction: row.call.key.leg.name(),
            revision: row.revision,
            reversal: row.call.reversal,
            counts,
            account: store.account_name(row.call.account)?.unwrap_or_default(),
            cost: row.call.cost.fixed(u32::from(row.call.basis.decimals)),
            currency: text(&row.call.basis.currency),
            period: row.call.period.to_string(),
            tariff: format!("blake3:{}", row.text.tariff),
            run: row.run,
            by: begin.map(|begin| begin.by.clone()),
            why: begin.map(|begin| begin.why.clone()),
            at: begin.map(|begin| Timestamp(begin.at).to_string()),
        });
    }
    Ok(shown)
}
