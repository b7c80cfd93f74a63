//! What a call costs us, beside its other columns: only for operators, and only when asked for.
//!
//! Does not know who asked.

use serde::Serialize;
use utoipa::ToSchema;

use super::signed;
use crate::money::Money;
use crate::store::StoredCall;

/// Headings of the further columns of `columns=margin`; operators read English.
pub const MARGIN: [&str; 5] = ["Carrier Seconds", "Carrier Cost", "Resale Prices", "Margin", "Carrier Row"];

/// Empty where nothing is said of what the call costs us, `unknown` where that is not known.
pub fn margin(row: &StoredCall<'_>) -> [String; 5] {
    let Some(costs) = &row.costs else { return Default::default() };
    let amount = |money: Option<Money>| {
        money.map_or_else(|| "unknown".to_owned(), |money| money.fixed(u32::from(row.call.basis.decimals)))
    };
    let levels = costs.resale.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    let resale: Vec<String> = costs.resale.iter().take(levels).map(|price| amount(*price)).collect();
    [
        signed(&row.call, costs.billable_seconds).to_string(),
        amount(costs.carrier_cost),
        resale.join(" "),
        amount(costs.margin(row.call.cost)),
        costs.row.map_or_else(String::new, |row| row.to_string()),
    ]
}

/// What a call costs us: only for operators, and only when asked for.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct LegCosts {
    /// As the carrier bills; below zero where a call is taken back, as all amounts.
    carrier_seconds: i64,
    /// A decimal; null: not known.
    carrier_cost: Option<String>,
    /// Under each plan of the reseller chain, nearest first: decimals; null: not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    resale: Vec<Option<String>>,
    /// What is left of the price: a decimal; null: not known.
    margin: Option<String>,
}

impl LegCosts {
    /// None: its plan says nothing of it.
    pub fn of(row: &StoredCall<'_>) -> Option<LegCosts> {
        let costs = row.costs.as_ref()?;
        let shown = |money: Money| money.fixed(u32::from(row.call.basis.decimals));
        let levels = costs.resale.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        Some(LegCosts {
            carrier_seconds: signed(&row.call, costs.billable_seconds),
            carrier_cost: costs.carrier_cost.map(shown),
            resale: costs.resale.iter().take(levels).map(|price| price.map(shown)).collect(),
            margin: costs.margin(row.call.cost).map(shown),
        })
    }
}
