//! What calls come to, by slow means: counted minutes and decimals.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::GERMANS;
use super::daemon::Daemon;

/// What one account's calls of one type come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Line {
    pub calls: u64,
    pub billable_seconds: u64,
    pub cost: Decimal,
}

/// What everything comes to.
#[derive(Default)]
pub struct Model {
    /// (account, call type) → line. In-plan calls are kept under `in_plan` until the allowance is split.
    pub lines: BTreeMap<(String, &'static str), Line>,
    pub unanswered: u64,
    /// Copies that must be recognised, and contradictions; a kill may repeat more of them.
    pub duplicates: u64,
    pub conflicts: u64,
    /// In suspense, by reason.
    pub suspense: BTreeMap<&'static str, u64>,
}

/// Whole minutes, up: counted, not divided.
pub fn minutes_up(millis: u64) -> u64 {
    let mut minutes = 0;
    while minutes * 60_000 < millis {
        minutes += 1;
    }
    minutes
}

/// To the nearest whole minute, halves up.
pub fn minutes_nearest(millis: u64) -> u64 {
    let mut minutes = 0;
    while minutes * 60_000 + 30_000 <= millis {
        minutes += 1;
    }
    minutes
}

pub fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

impl Model {
    pub fn add(&mut self, account: String, call_type: &'static str, minutes: u64, cost: Decimal) {
        let line = self.lines.entry((account, call_type)).or_default();
        line.calls += 1;
        line.billable_seconds += minutes * 60;
        line.cost += cost;
    }

    /// Every call is whole minutes and the overage rate is exact to four decimals, so it does not matter which of an
    /// account's calls met the end of its allowance.
    pub fn expected(&self) -> BTreeMap<(String, &'static str), Line> {
        let mut expected = BTreeMap::new();
        for ((account, call_type), line) in &self.lines {
            if *call_type != "in_plan" {
                expected.insert((account.clone(), *call_type), *line);
                continue;
            }
            let included = line.billable_seconds.min(2000 * 60);
            let overage = line.billable_seconds - included;
            expected.insert((account.clone(), "included"), Line { billable_seconds: included, ..Line::default() });
            if overage > 0 {
                let cost = decimal("0.015") * Decimal::from(overage / 60);
                expected.insert((account.clone(), "overage"), Line { billable_seconds: overage, cost, calls: 0 });
            }
        }
        expected
    }

    pub fn in_plan_calls(&self, account: &str) -> u64 {
        self.lines.get(&(account.to_owned(), "in_plan")).map_or(0, |l| l.calls)
    }
}

/// Compares what the daemon answers with the model.
pub fn compare(daemon: &Daemon, model: &Model, period: &str) {
    let csv = daemon.get(&format!("/v1/periods/{period}/usage?limit=1000"));
    let mut found: BTreeMap<(String, String), Line> = BTreeMap::new();
    for row in csv.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let line = Line {
            calls: cells[2].parse().unwrap(),
            billable_seconds: cells[4].parse().unwrap(),
            cost: cells[7].parse().unwrap(),
        };
        found.insert((cells[0].to_owned(), cells[1].to_owned()), line);
    }
    let expected = model.expected();
    for ((account, call_type), line) in &expected {
        let got = found.get(&(account.clone(), (*call_type).to_owned())).copied().unwrap_or_default();
        assert_eq!(got.billable_seconds, line.billable_seconds, "{account} {call_type}");
        assert_eq!(got.cost, line.cost, "{account} {call_type}");
        if !["included", "overage"].contains(call_type) {
            assert_eq!(got.calls, line.calls, "{account} {call_type}");
        }
    }
    assert_eq!(found.len(), expected.len(), "{:?}", found.keys());
    for a in 0..GERMANS {
        let account = format!("de{a:02}");
        let calls = |call_type: &str| found.get(&(account.clone(), call_type.to_owned())).map_or(0, |l| l.calls);
        // A straddling call counts once, under `included`.
        assert_eq!(calls("included") + calls("overage"), model.in_plan_calls(&account), "{account}");
    }
    for (reason, count) in &model.suspense {
        let label = format!("reason=\"{reason}\"");
        assert_eq!(daemon.metric("callrated_suspense_open", &label), *count, "{reason}");
    }
    assert_eq!(daemon.metric("callrated_books_unbalanced", ""), 0);
}
