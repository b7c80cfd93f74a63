//! Whether a leg that is rated again comes to what its row says.
//!
//! Does not know how either came about.

use crate::call::Costs;
use crate::rating::Told;

/// Whether two legs cost us the same, whichever image says so.
pub fn same_costs(one: Option<Costs>, other: Option<Costs>) -> bool {
    let amounts = |costs: Costs| (costs.billable_seconds, costs.carrier_cost, costs.resale);
    one.map(amounts) == other.map(amounts)
}

/// Whether two legs draw the same, whatever was drawn before them; of the plan's minutes alone the calls themselves say it.
pub fn same_draws(one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    let (one, other) = (Told::read(one), Told::read(other));
    one.len() == other.len() && one.iter().zip(&other).all(|(a, b)| (&a.0, a.1) == (&b.0, b.1))
}
