//! What calls drew that go, so that meters can be checked without them.
//!
//! Does not know which calls go.

use std::collections::BTreeMap;

use super::super::{damaged, period_number};
use crate::call::Meter;
use crate::store::{StoreError, StoredCall};

/// What a call drew, meter by meter: what the schema says of `calls.used_before`.
pub(super) fn add_draws(call: &StoredCall<'_>, sums: &mut BTreeMap<(i64, u32, u32), i64>) -> Result<(), StoreError> {
    let (month, group) = (period_number(call.call.own_period()), call.call.group.0);
    let sign = call.call.sign();
    let mut add = |meter: Meter, seconds: u32| {
        if seconds > 0 {
            *sums.entry((month, group, meter.0)).or_default() += i64::from(seconds) * sign;
        }
    };
    if call.draws.is_empty() {
        add(Meter::PLAN, call.call.included_seconds);
        return Ok(());
    }
    type Told = Vec<(String, u32, u64, Option<u64>)>;
    #[derive(serde::Deserialize)]
    struct WithOthers {
        draws: Told,
    }
    let told: Result<Told, _> = match call.draws.first() {
        Some(b'{') => serde_json::from_slice(call.draws).map(|whole: WithOthers| whole.draws),
        _ => serde_json::from_slice(call.draws),
    };
    let told = told.map_err(|_| damaged("what a call drew"))?;
    told.iter().for_each(|(name, seconds, ..)| add(Meter::named(name), *seconds));
    Ok(())
}
