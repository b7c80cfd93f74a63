//! `successive = { within = 120, from = "mobile" }`: calls in quick succession that count as one.
//!
//! Does not know calls.

use super::{missing, one_of};
use crate::tariff::successive::{Origin, Successive, WITHIN_MAX};
use crate::tariff::toml_cells::{Document, Table};

const KEYS: &[&str] = &["within", "from"];

pub(super) fn read<'t>(document: &mut Document<'t>, plan: Table<'_, 't>) -> Option<Successive> {
    let table = plan.get("successive").and_then(|value| document.table("successive", value))?;
    document.known_keys(table, KEYS);
    let from = one_of(document, table, "from", &[("mobile", Origin::Mobile), ("any", Origin::Any)]);
    let Some(value) = table.get("within") else {
        return missing(document, table, "within", "within = 120: seconds from the end of a call to the next answer");
    };
    let within = document.integer("within", value, u64::from(WITHIN_MAX))? as u32;
    Some(Successive { within, from })
}
