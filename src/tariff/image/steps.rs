//! Step rules as an image holds them.
//!
//! Does not know which rule is asked for.

use serde::{Deserialize, Serialize};

use crate::call::{StepMode, StepRule};
use crate::time::Micros;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct StoredSteps {
    pub nearest: bool,
    pub initial: u32,
    pub increment: u32,
    pub minimum: u32,
    pub free_below_micros: i64,
}

impl StoredSteps {
    pub fn new(rule: StepRule) -> StoredSteps {
        let StepRule { mode, initial, increment, minimum, free_below } = rule;
        StoredSteps { nearest: mode == StepMode::Nearest, initial, increment, minimum, free_below_micros: free_below.0 }
    }

    pub fn rule(self) -> Option<StepRule> {
        let mode = if self.nearest { StepMode::Nearest } else { StepMode::Up };
        let StoredSteps { initial, increment, minimum, free_below_micros, .. } = self;
        StepRule { mode, initial, increment, minimum, free_below: Micros(free_below_micros) }.check().ok()
    }
}
