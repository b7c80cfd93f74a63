//! `rollover = { months = 1, at_most_minutes = 100 }`: what is left of an allowance carries over.
//!
//! Does not know what is left.

use super::{INCLUDED_MINUTES_MAX, PoolText, TierText, missing};
use crate::call::Meter;
use crate::tariff::Allowance;
use crate::tariff::findings::Place;
use crate::tariff::rollover::{ROLLOVER_MONTHS_MAX, Rollover, RolloverTerms};
use crate::tariff::toml_cells::{Document, Table};

const KEYS: &[&str] = &["months", "at_most_minutes"];

/// Of a table that may have the key, and the allowance that it is about.
pub(super) fn read<'t>(
    document: &mut Document<'t>,
    table: Table<'_, 't>,
    allowance: Allowance,
) -> Option<RolloverTerms> {
    let value = table.get("rollover")?;
    let said = document.table("rollover", value)?;
    document.known_keys(said, KEYS);
    match allowance {
        Allowance::Unlimited => document.wrong(value, "rollover: of unlimited minutes nothing is left", "leave it out"),
        Allowance::Seconds(0) => document.wrong(value, "rollover: there are no minutes to be left", "leave it out"),
        Allowance::Seconds(_) => {}
    }
    let Some(months) = said.get("months") else {
        return missing(document, said, "months", "rollover = { months = 1 }: for how many months minutes are kept");
    };
    let months = (months, document.integer("months", months, ROLLOVER_MONTHS_MAX as u64)?);
    if months.1 == 0 {
        document.wrong(months.0, "months: 0 months keep nothing", "leave rollover out");
    }
    let at_most = said.get("at_most_minutes").and_then(|value| {
        let minutes = document.integer("at_most_minutes", value, INCLUDED_MINUTES_MAX)?;
        if minutes == 0 {
            document.wrong(value, "at_most_minutes: 0 minutes keep nothing", "leave rollover out");
        }
        Some(minutes * 60)
    });
    Some(RolloverTerms { months: months.1 as u8, at_most })
}

/// Names of a plan that come to one number: what one counts the other would count, too.
pub(super) fn tell_apart(
    document: &mut Document<'_>,
    pools: &[PoolText],
    tiers: &[TierText],
    rollover: Option<RolloverTerms>,
) {
    let mut seen: Vec<(Meter, String)> = vec![(Meter::PLAN, "included_minutes".to_owned())];
    let plan = rollover.map(|terms| Rollover::new("", terms));
    seen.extend(plan.iter().flat_map(|plan| plan.meters()).map(|meter| (meter, "rollover".to_owned())));
    let mut named = |meters: Vec<Meter>, name: String, at: Place| {
        for (_, other) in seen.iter().filter(|(of, _)| meters.contains(of)) {
            let message = format!("{other} and {name} come to one number");
            document.findings.error(at, message, "rename one of them");
        }
        seen.extend(meters.into_iter().map(|meter| (meter, name.clone())));
    };
    for PoolText { pool, at, .. } in pools {
        let beside = pool.rollover.iter().flat_map(|rollover| rollover.meters());
        named([pool.meter].into_iter().chain(beside).collect(), format!("allowance {:?}", pool.name), *at);
    }
    for TierText { tier, at, .. } in tiers {
        named(vec![tier.meter], format!("tier {:?}", tier.key()), *at);
    }
}
