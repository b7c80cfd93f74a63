//! The meters of one group, while its calls are rated again.
//!
//! Does not know who draws them.

use std::collections::BTreeMap;

use crate::call::{GroupKey, Meter};
use crate::rating::Drawn;
use crate::time::Period;

/// What one group has drawn.
pub struct OfGroup<'a> {
    pub drawn: &'a BTreeMap<(Period, GroupKey, Meter), u64>,
    pub group: GroupKey,
}

impl Drawn for OfGroup<'_> {
    fn seconds(&self, month: Period, meter: Meter) -> u64 {
        self.drawn.get(&(month, self.group, meter)).copied().unwrap_or(0)
    }
}
