//! What changes a shard's totals: calls as they are rated, and the differences that a seal brings.
//!
//! Does not know why they change.

use super::{LegJob, LineKey, Shard};
use crate::call::{GroupKey, Meter, RatedCall, Usage};
use crate::time::Period;

impl Shard {
    /// Counts a call that was just rated.
    pub(super) fn add_up(&mut self, call: &RatedCall) {
        self.counts.rated[call.call_type as usize] += 1;
        let currency = call.basis.currency;
        let mut into_totals = 0;
        for (call_type, usage) in call.usage_lines() {
            let key = LineKey { account: call.account, group: call.group, period: call.period, call_type, currency };
            self.state.lines.add(&key, &usage, call.basis.decimals);
            into_totals += usage.cost;
        }
        let money = self.counts.money(currency);
        money.1 += i128::from(call.cost.0);
        money.2 += into_totals;
    }

    /// Whoever found the differences has counted them in the books.
    pub(super) fn correct(&mut self, lines: Vec<(LineKey, Usage, u8)>, drawn: Vec<(GroupKey, Period, Meter, i64)>) {
        for (key, usage, decimals) in lines {
            self.state.lines.add(&key, &usage, decimals);
        }
        self.state.chains.end();
        for (group, period, meter, seconds) in drawn {
            self.state.meters.add(group, period, meter, seconds);
            self.drawn.push((group, period, meter));
        }
    }

    /// Counts what the call that was rated last drew, and keeps the text of it; where that is.
    pub(super) fn draw(&mut self, job: &LegJob, period: Period, included: u32) -> (u32, u16) {
        let group = job.group;
        if let Some(linked) = self.draws.linked {
            self.state.chains.link(group, linked, job.attempt);
        }
        if self.draws.list.is_empty() && included > 0 {
            self.state.meters.add(group, period, Meter::PLAN, i64::from(included));
            self.drawn.push((group, period, Meter::PLAN));
        }
        if self.draws.text.is_empty() {
            return (0, 0);
        }
        for draw in self.draws.list.iter().filter(|draw| draw.seconds > 0) {
            self.state.meters.add(group, period, draw.meter, i64::from(draw.seconds));
            self.drawn.push((group, period, draw.meter));
        }
        let at = self.part.draws.len();
        self.part.draws.extend_from_slice(&self.draws.text);
        // A plan has so few pools, with names so short, that their text is far below 64 KiB; a flush's calls are far fewer
        // than would fill 4 GiB.
        (at as u32, self.draws.text.len() as u16)
    }
}
